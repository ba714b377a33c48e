//! The command line of `go-auth simulate`. What stands here as documentation is the
//! help.
#![expect(clippy::doc_markdown)]

use clap::{Args, Subcommand, ValueEnum};

/// Beside the distributor of the examples at 8080 and the gate at 8081.
pub(super) const DEFAULT_LISTEN: &str = "127.0.0.1:8083";

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    #[command(subcommand)]
    pub(super) command: Option<SimulateCommand>,

    /// The address to listen on: HOST:PORT, or :PORT for every address of this machine.
    /// Default: the variable LISTEN, or 127.0.0.1:8083
    #[arg(long, value_name = "ADDRESS")]
    pub(super) listen: Option<String>,

    /// The start of its addresses, where others know it by another name:
    /// http://go:8083
    #[arg(long, value_name = "URL")]
    pub(super) origin: Option<String>,

    /// The account in its addresses, 32 hexadecimal digits. Default: as in GO's samples
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
    /// Whether there are arguments that are not for a subcommand.
    pub(super) fn is_of_the_server(&self) -> bool {
        let theirs = [&self.listen, &self.origin, &self.account, &self.issuer];
        theirs
            .into_iter()
            .chain([&self.audience])
            .any(Option::is_some)
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum SimulateCommand {
    /// Sends sample pushes to a distributor, with good and with forged tokens
    ///
    /// It needs a running simulator that the distributor trusts. Without --token it sends
    /// a push with a good token in both forms of the header, without credentials, with
    /// another scheme, and with each token that has to be rejected. The status decides:
    /// 2xx is accepted, 4xx is rejected.
    #[command(
        after_help = "Exit status: 0 all answers are as expected, 1 some are not, \
                      2 the distributor or the simulator can't be reached, 64 wrong usage."
    )]
    Push(PushArgs),
}

#[derive(Debug, Args)]
pub(super) struct PushArgs {
    /// The distributor's base address: http://127.0.0.1:8080
    #[arg(value_name = "URL")]
    pub(super) distributor: String,

    /// The running simulator
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8083")]
    pub(super) simulator: String,

    /// Send only these, by name, comma-separated: good, bare, none, basic, expired ...
    /// (GET /simulator/tokens lists the tokens)
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) token: Vec<String>,

    /// Also send those that a gate may accept or reject, depending on its rules
    #[arg(long, conflicts_with = "token")]
    pub(super) all: bool,

    /// Send Access Tokens instead of JWTs
    #[arg(long, conflicts_with = "all")]
    pub(super) access_token: bool,

    /// What to push
    #[arg(long, value_enum, value_name = "SAMPLE", default_value_t)]
    pub(super) sample: Sample,

    /// How often to send each, at most 1000 times
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) count: u32,
}

/// What is pushed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Sample {
    /// Availability, inventory and a price per night: POST /ari/daily/push
    #[default]
    Daily,
    /// The same with a price per length of stay: POST /ari/los/push
    Los,
}
