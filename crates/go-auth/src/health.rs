//! `go-auth health`: whether a gate serves, as the check of a container asks it.

use std::convert::identity;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use clap::Args;
use http::StatusCode;
use serde::Serialize;

use crate::connection_error;
use crate::console::terminal::{self, Mark};
use crate::console::{Console, Exit, Failure, block_on};
use crate::facts::{Facts, NO_SIGNALS};
use crate::gate::status_address;
use crate::listen::{Address, Nearby};
use derbysoft_go_auth::inspect::bounded_http::{describe, plain_client};
use derbysoft_go_auth::inspect::show::plain;

/// How long the answer may take: the gate has it ready, and whoever asks so often gives up
/// after some seconds, too.
const TOTAL: Duration = Duration::from_secs(3);

/// Not looked up anywhere.
const HERE: &str = "localhost";

/// What is documented of it.
pub(super) const FACTS: Facts = Facts {
    exits: &[
        (Exit::Good, "the gate answers with 200"),
        (
            Exit::Bad,
            "it answers with another status, or can't be reached in time",
        ),
        (Exit::Usage, "wrong usage"),
    ],
    settings: &[],
    variables: &[
        &[(
            "STATUS_LISTEN, LISTEN",
            "The gate's addresses, where no --status names one: the first that is set.",
        )],
        terminal::VARIABLES,
    ],
    files: &[],
    signals: NO_SIGNALS,
    examples: &[
        ("go-auth health", "Asks the gate at its usual address:"),
        (
            "go-auth health --ready --status unix:/run/go-auth/status.sock",
            "Asks at a socket whether it has keys:",
        ),
    ],
};

// What stands here as documentation is the help.
#[expect(clippy::doc_markdown)]
#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// The gate's address for /healthz and /readyz: HOST:PORT, :PORT or unix:PATH.
    /// Default: the variable STATUS_LISTEN, or LISTEN, or 127.0.0.1:8081
    #[arg(long, value_name = "ADDRESS")]
    status: Option<String>,

    /// Ask whether it has keys and takes requests (/readyz), and not only whether the
    /// process serves (/healthz)
    #[arg(long)]
    ready: bool,
}

/// A contract: see `docs/guide/cli.md`.
#[derive(Debug, Serialize)]
struct Report {
    verdict: Verdict,
    address: String,
    path: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Healthy,
    Unhealthy,
}

pub(super) fn run(args: &HealthArgs, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let address = status_address(args.status.as_ref(), &console.surroundings.vars)?;
    let path = if args.ready { "/readyz" } else { "/healthz" };
    let (status, error) = match block_on(ask(&address, path)).and_then(identity) {
        Ok(Ok(StatusCode::OK)) => (Some(StatusCode::OK), None),
        Ok(Ok(status)) => (Some(status), Some(words(status))),
        Ok(Err(error)) => (None, Some(error)),
        // Docker reserves the status 2, with which others end where the system lacks
        // something, or output can't be written.
        Err(Failure::System(error)) => (None, Some(error.to_string())),
        Err(failure) => return Err(failure),
    };
    let report = Report {
        verdict: match error {
            None => Verdict::Healthy,
            Some(_) => Verdict::Unhealthy,
        },
        address: address.to_string(),
        path,
        status: status.map(|status| status.as_u16()),
        error,
    };
    // The status says it all.
    let _ = console.say(&report, |terminal| {
        let (address, path) = (&report.address, report.path);
        let said = match &report.error {
            None => (Mark::Good, format!("{address} answers {path} with 200")),
            Some(error) => (Mark::Bad, format!("{path} at {address}: {error}")),
        };
        // Whatever the width: a container's log has it as one line.
        format!("{} {}\n", terminal.mark(said.0), plain(&said.1))
    });
    Ok(match report.verdict {
        Verdict::Healthy => Exit::Good,
        Verdict::Unhealthy => Exit::Bad,
    })
}

/// The status, or why there is none.
async fn ask(address: &Address, path: &str) -> Result<Result<StatusCode, String>, Failure> {
    let wrong = |wrong| {
        Failure::Usage(format!(
            "the address {address} {wrong}: name it with --status"
        ))
    };
    let nearby = address.nearby().map_err(wrong)?;
    let client = plain_client().map_err(|error| Failure::cannot("connect", error))?;
    let (client, authority) = match nearby {
        Nearby::Authority(authority) => (client, authority),
        Nearby::Loopback(port) => {
            let addresses = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            let addresses = addresses.map(|ip: IpAddr| SocketAddr::new(ip, port));
            let client = client.resolve_to_addrs(HERE, &addresses);
            (client, format!("{HERE}:{port}"))
        }
        #[cfg(unix)]
        Nearby::Path(socket) => (client.unix_socket(socket), HERE.to_owned()),
        #[cfg(not(unix))]
        Nearby::Path(_) => return Err(wrong("is a Unix socket")),
    };
    let client = (client.timeout(TOTAL).build())
        .map_err(|error| Failure::cannot("connect", describe(&error)))?;
    let answer = client.get(format!("http://{authority}{path}")).send().await;
    Ok(answer.map(|answer| answer.status()).map_err(|error| {
        if error.is_timeout() {
            return format!("no answer within {} s", TOTAL.as_secs());
        }
        connection_error::words(&error).unwrap_or_else(|| describe(&error))
    }))
}

fn words(status: StatusCode) -> String {
    let why = match status {
        StatusCode::NOT_FOUND => ": that is not the address of a gate's status",
        StatusCode::SERVICE_UNAVAILABLE => ": it has no keys, or is shutting down",
        _ => "",
    };
    format!("status {}{why}", status.as_u16())
}
