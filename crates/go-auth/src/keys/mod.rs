//! `go-auth keys`: what the key address serves, and which keys are usable.

mod report;
mod text;

pub(crate) use self::report::Report;
use self::report::{AddressReport, Verdict};
use crate::connection_error;
use crate::console::terminal::Terminal;
use crate::console::{Console, Exit, Failure, block_on};
use crate::settings::{self, SettingArgs};
use derbysoft_go_auth::inspect::{KeyAddress, key_addresses};

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
