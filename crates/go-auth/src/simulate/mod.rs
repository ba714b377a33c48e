//! `go-auth simulate`: GO as a process, for tests.

mod args;
mod push;

use std::io;
use std::time::Duration;

use serde::Serialize;
use tokio::runtime::Runtime;

pub(super) use self::args::SimulateArgs;
use self::args::{DEFAULT_LISTEN, SimulateCommand};
use crate::console::table::broken;
use crate::console::terminal::Terminal;
use crate::console::{Console, Exit, Failure};
use crate::process::{self, Deadline, LAST_LINES, Signal, Signals};
use derbysoft_go_auth::inspect::address;
use derbysoft_go_simulator::{Simulator, SimulatorBuilder};

/// With requests and their answers, which a simulator is watched for.
const LOG: &str = "info,derbysoft_go_simulator=debug";

/// How long requests may go on after a signal to stop: half of what `docker stop` leaves
/// by default. A fault may hold one for ever.
const DRAIN: Duration = Duration::from_secs(5);

const WARNING: &str = "A simulated GO, for tests: anyone who can reach it gets tokens, secrets and \
                       everything else from it. No API may trust it outside tests.";

/// The longest issuer and audience, in bytes: GO's own issuer has 76.
const MAX_NAME: usize = 1024;

pub(super) fn run(args: &SimulateArgs, console: &mut Console<'_>) -> Result<Exit, Failure> {
    match &args.command {
        // Not by clap, for which the global --json would be one of these.
        Some(_) if args.is_of_the_server() => Err(Failure::Usage(
            "--listen, --origin, --account, --issuer and --audience start a simulator, and push \
             uses a running one"
                .to_owned(),
        )),
        Some(SimulateCommand::Push(args)) => push::run(args, console),
        None => {
            let listen = console.given(args.listen.as_deref(), "LISTEN");
            let listen = listen.as_deref().unwrap_or(DEFAULT_LISTEN);
            let builder = builder(args)?;
            let exit = process::serve(LOG, console, |runtime, signals, _, console| {
                serve(listen, &builder, runtime, signals, console)
            });
            Ok(exit)
        }
    }
}

fn serve(
    listen: &str,
    builder: &SimulatorBuilder,
    runtime: &Runtime,
    mut signals: Signals,
    console: &mut Console<'_>,
) -> Result<(Exit, Option<Deadline>), Failure> {
    let go = runtime.block_on(start(listen, builder));
    let go = go.map_err(|error| Failure::cannot_listen(listen, &error))?;
    let announcement = Announcement::of(&go);
    // Not on this thread, which may wait for a reader of the announcement.
    let running = runtime.spawn(async move {
        end_asked_for(&mut signals).await;
        let deadline = Deadline::exit_within(DRAIN + LAST_LINES, Exit::Good.code());
        tokio::select! {
            () = go.stop_within(DRAIN) => {}
            () = end_asked_for(&mut signals) => {}
        }
        deadline
    });
    console.say(&announcement, |terminal| announcement.text(terminal))?;
    let ended = runtime.block_on(running);
    let deadline = ended.map_err(|error| Failure::cannot("serve", error))?;
    Ok((Exit::Good, Some(deadline)))
}

/// There are no settings to reload: SIGHUP is the end, too.
async fn end_asked_for(signals: &mut Signals) {
    while let Signal::Ignored(signal) = signals.next().await {
        tracing::info!(signal, "a signal that has no meaning here was ignored");
    }
}

fn builder(args: &SimulateArgs) -> Result<SimulatorBuilder, Failure> {
    let mut builder = Simulator::builder().with_control();
    if let Some(origin) = &args.origin {
        builder = builder.origin(self::origin(origin)?);
    }
    if let Some(account) = &args.account {
        if account.len() != 32 || !account.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Failure::Usage(
                "--account is not 32 hexadecimal digits".to_owned(),
            ));
        }
        builder = builder.account(account);
    }
    if let Some(issuer) = &args.issuer {
        builder = builder.issuer(name("--issuer", issuer)?);
    }
    if let Some(audience) = &args.audience {
        builder = builder.audience(name("--audience", audience)?);
    }
    Ok(builder)
}

/// An address with nothing behind its port.
fn origin(text: &str) -> Result<String, Failure> {
    let usage = |fault: &str| Failure::Usage(format!("--origin {fault}"));
    let url = address::parse(text, true).map_err(usage)?;
    if url.path() != "/" || url.query().is_some() {
        return Err(usage("has a path or a query"));
    }
    Ok(url.origin().ascii_serialization())
}

/// A name that can be pasted into a shell, and compared by eye.
fn name<'a>(flag: &str, text: &'a str) -> Result<&'a str, Failure> {
    let is_plain = text.chars().all(|c| matches!(c, ' '..='~'));
    if is_plain && (1..=MAX_NAME).contains(&text.len()) {
        Ok(text)
    } else {
        Err(Failure::Usage(format!(
            "{flag} is not 1 to {MAX_NAME} characters of printable ASCII"
        )))
    }
}

/// At the first address of that name that is free; without a name at every address, of
/// IPv6 and IPv4 where there are both.
async fn start(listen: &str, builder: &SimulatorBuilder) -> io::Result<Simulator> {
    let names = match listen.strip_prefix(':') {
        Some(port) => vec![format!("[::]:{port}"), format!("0.0.0.0:{port}")],
        None => vec![listen.to_owned()],
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "no such address");
    for name in names {
        for address in tokio::net::lookup_host(name).await? {
            match builder.clone().address(address).start().await {
                Ok(go) => return Ok(go),
                Err(error) => last = error,
            }
        }
    }
    Err(last)
}

/// What is said once it listens: a contract, see `docs/guide/cli.md`.
#[derive(Serialize)]
struct Announcement {
    listening: String,
    simulator: String,
    settings: Settings,
    discovery_url: String,
    token_url: String,
    gateway_url: String,
}

/// For the distributor, by the names of the variables.
#[derive(Serialize)]
struct Settings {
    #[serde(rename = "GO_AUTH_ISSUER")]
    issuer: String,
    #[serde(rename = "GO_AUTH_AUDIENCE")]
    audience: String,
    #[serde(rename = "GO_AUTH_JWKS_URL")]
    jwks_url: String,
}

impl Announcement {
    fn of(go: &Simulator) -> Self {
        Self {
            listening: format!("http://{}", go.address()),
            simulator: go.origin(),
            settings: Settings {
                issuer: go.issuer().to_owned(),
                audience: go.audience().to_owned(),
                jwks_url: go.jwks_url(),
            },
            discovery_url: go.discovery_url(),
            token_url: go.token_url(),
            gateway_url: go.gateway_url(),
        }
    }

    fn text(&self, terminal: &Terminal) -> String {
        let (listening, simulator, settings) = (&self.listening, &self.simulator, &self.settings);
        let (issuer, audience) = (in_shell(&settings.issuer), in_shell(&settings.audience));
        let jwks_url = &settings.jwks_url;
        let which = if *simulator == format!("http://{DEFAULT_LISTEN}") {
            String::new()
        } else {
            format!(" --simulator {simulator}")
        };
        let warning = broken(WARNING, terminal.width).join("\n");
        format!(
            "listening on {listening}

{warning}

Settings for the API under test:

GO_AUTH_ISSUER={issuer}
GO_AUTH_AUDIENCE={audience}
GO_AUTH_JWKS_URL={jwks_url}

In another terminal:

go-auth simulate push http://127.0.0.1:8080{which}
curl {simulator}/simulator/tokens
TOKEN=$(curl -sX POST {simulator}/simulator/tokens/good)
curl -i -H \"Authorization: Bearer $TOKEN\" http://127.0.0.1:8080/ping
curl -X POST {simulator}/simulator/keys/rotate
curl -X PUT {simulator}/simulator/faults/keys/hang
curl -X DELETE {simulator}/simulator/faults
"
        )
    }
}

/// A text as one word of a shell.
fn in_shell(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
