//! The command line of `go-auth simulate`. What stands here as documentation is the
//! help.
#![expect(clippy::doc_markdown)]

use clap::{Args, Subcommand, ValueEnum};

use derbysoft_go_simulator::SamplePush;

/// Beside the distributor of the examples at 8080 and the gate at 8081.
pub(super) const DEFAULT_LISTEN: &str = "127.0.0.1:8083";

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    #[command(subcommand)]
    pub(super) command: Option<SimulateCommand>,

    /// The address to listen at. Default: the variable LISTEN, or 127.0.0.1:8083
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) listen: Option<String>,

    /// What its addresses begin with, where others know it by another name:
    /// http://go:8083
    #[arg(long, value_name = "URL")]
    pub(super) origin: Option<String>,

    /// The account in its addresses, 32 hexadecimal digits. Default: that of GO's
    /// samples
    #[arg(long, value_name = "HEX")]
    pub(super) account: Option<String>,

    /// The `iss` of its tokens. Default: as in GO's samples
    #[arg(long, value_name = "ISS")]
    pub(super) issuer: Option<String>,

    /// The `aud` of its tokens. Default: ZKT
    #[arg(long, value_name = "AUD")]
    pub(super) audience: Option<String>,
}

impl SimulateArgs {
    /// Whether anything is said that is not for a subcommand.
    pub(super) const fn is_of_the_server(&self) -> bool {
        self.listen.is_some()
            || self.origin.is_some()
            || self.account.is_some()
            || self.issuer.is_some()
            || self.audience.is_some()
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum SimulateCommand {
    /// Sends sample pushes to a distributor, good ones and forged ones
    ///
    /// A simulator has to run, and the distributor has to trust it. Without --token these
    /// are a push with a good token, in both forms of the header, without credentials and
    /// with those of another scheme, and with each token that nobody may let in. What
    /// counts is the status: 2xx is let in, 4xx is refused.
    #[command(
        after_help = "Exit status: 0 the answers are as expected, 1 they are not, \
                      2 the distributor or the simulator can't be reached, 64 wrong usage."
    )]
    Push(PushArgs),
}

#[derive(Debug, Args)]
pub(super) struct PushArgs {
    /// The distributor's base address: http://127.0.0.1:8080
    #[arg(value_name = "URL")]
    pub(super) distributor: String,

    /// The simulator that runs
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8083")]
    pub(super) simulator: String,

    /// Sends these alone, by name, with commas: good, bare, none, basic, expired ...
    /// (GET /simulator/tokens lists the tokens)
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) token: Vec<String>,

    /// Sends those too that a gate may let in or not, by its rules
    #[arg(long, conflicts_with = "token")]
    pub(super) all: bool,

    /// Sends Access Tokens instead of JWTs
    #[arg(long, conflicts_with = "all")]
    pub(super) access_token: bool,

    /// What is pushed
    #[arg(long, value_enum, value_name = "SAMPLE", default_value_t)]
    pub(super) sample: Sample,

    /// How often each is sent, at most 1000 times
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) count: u32,
}

/// What is pushed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Sample {
    /// Availability, inventory and a price for each night: POST /ari/daily/push
    #[default]
    Daily,
    /// The same with a price for each length of stay: POST /ari/los/push
    Los,
}

impl Sample {
    pub(super) const fn push(self) -> SamplePush {
        match self {
            Self::Daily => SamplePush::Daily,
            Self::Los => SamplePush::Los,
        }
    }
}
