//! `go-auth keys`: what the key address serves, and what of it can be used.

mod report;
mod text;

use self::report::{AddressReport, Report, Verdict};
use super::Exit;
use super::args::KeysArgs;
use super::console::{Console, Failure, block_on};
use super::settings::Settings;
use super::visit::visit;

pub(super) fn run(args: &KeysArgs, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let Settings {
        mut config,
        reading,
    } = Settings::read(None, &args.fetching, console)?;
    if args.fetching.jwks_url.is_some() {
        // This one, whatever else is configured.
        config.issuers.clear();
        config.issuer.clear();
    }
    let (addresses, schedule) = reading.and(config.key_addresses())?;
    let addresses = block_on(async {
        let mut reports = Vec::new();
        for address in addresses {
            let visit = visit(address.fetch.clone()).await;
            reports.push(AddressReport::of(&address, &visit, &schedule));
        }
        reports
    })?;
    let verdicts = addresses.iter().map(|address| address.verdict);
    let report = Report {
        verdict: verdicts.max().unwrap_or(Verdict::Unknown),
        addresses,
    };
    console.say(&report, |terminal| {
        let blocks = (report.addresses.iter()).map(|address| text::text(address, terminal));
        blocks.collect::<Vec<_>>().join("\n")
    })?;
    Ok(match report.verdict {
        Verdict::Usable => Exit::Good,
        Verdict::Unusable => Exit::Bad,
        Verdict::Unknown => Exit::Unknown,
    })
}
