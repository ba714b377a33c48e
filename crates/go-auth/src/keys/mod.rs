//! `go-auth keys`: what the key address serves, and which keys are usable.

mod report;
mod text;

pub(crate) use self::report::Report;
use self::report::{AddressReport, Verdict};
use crate::connection_error;
use crate::console::terminal::{self, Terminal};
use crate::console::{Console, Exit, Failure, block_on};
use crate::facts::{Facts, NETWORK, NO_SIGNALS, SETTING_FILES};
use crate::settings::{self, SettingArgs};
use derbysoft_go_auth::inspect::{KeyAddress, Part, key_addresses};

/// What is documented of it.
pub(super) const FACTS: Facts = Facts {
    exits: &[
        (Exit::Good, "there are usable keys"),
        (Exit::Bad, "the address answers, without a usable key"),
        (
            Exit::Unknown,
            "it can't be reached in time, or output can't be written",
        ),
        (Exit::Usage, "wrong usage or settings"),
    ],
    settings: &[Part::Keys],
    variables: &[NETWORK, terminal::VARIABLES],
    files: SETTING_FILES,
    signals: NO_SIGNALS,
    examples: &[
        (
            "go-auth keys --jwks-url https://id.example/id/84A26B2FA77BCD1FF5130636F04C30C5/keys",
            "Shows what an address serves:",
        ),
        (
            "go-auth keys --config go-auth.toml --json",
            "Asks the addresses of all issuers in the settings, for a program to read:",
        ),
    ],
};

pub(super) fn run(args: &SettingArgs<false>, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let (mut config, reading) = settings::read(args, console)?;
    if args.flags.iter().any(|(name, _)| *name == "jwks_url") {
        // This one, whatever else is configured.
        config.issuers.clear();
        config.issuer.clear();
        config.jwks_file = None;
        config.snapshot = None;
    }
    let addresses = reading.and(key_addresses(&config))?;
    let report = block_on(look(addresses))?;
    console.say(&report, |terminal| report.text(terminal))?;
    Ok(report.exit())
}

/// Fetches the keys of each address once.
pub(crate) async fn look(addresses: Vec<KeyAddress>) -> Report {
    let mut reports = Vec::new();
    for address in addresses {
        let visit = address.visit(connection_error::words).await;
        reports.push(AddressReport::of(&address, visit));
    }
    let verdicts = reports.iter().map(|address| address.verdict);
    Report {
        verdict: verdicts.max().unwrap_or(Verdict::Unknown),
        addresses: reports,
    }
}

impl Report {
    pub(crate) fn text(&self, terminal: &Terminal) -> String {
        let blocks = (self.addresses.iter()).map(|address| text::text(address, terminal));
        blocks.collect::<Vec<_>>().join("\n")
    }

    pub(crate) const fn exit(&self) -> Exit {
        match self.verdict {
            Verdict::Usable => Exit::Good,
            Verdict::Unusable => Exit::Bad,
            Verdict::Unknown => Exit::Unknown,
        }
    }
}
