//! `go-auth simulate`: GO on a port, as a process.

mod args;
mod attempts;
mod distributor;
mod go;
mod push;
mod push_text;
mod report;

use std::io;
use std::time::Duration;

use serde::Serialize;
use tokio::runtime::Runtime;

pub(super) use self::args::SimulateArgs;
use self::args::{DEFAULT_LISTEN, SimulateCommand};
use super::Exit;
use super::console::{Console, Failure};
use super::table::broken;
use super::terminal::Terminal;
use crate::gate::{Deadline, LAST_LINES, Signals, log_to_stderr};
use derbysoft_go_auth::inspect::address;
use derbysoft_go_auth::inspect::show;
use derbysoft_go_simulator::{Simulator, SimulatorBuilder};

/// What asks and what is answered is told, which a simulator is watched for.
const LOG: &str = "info,derbysoft_go_simulator=debug";

/// How long requests may go on after the process was told to stop: half of what
/// `docker stop` leaves by default. A fault may hold one for ever.
const DRAIN: Duration = Duration::from_secs(5);

const WARNING: &str = "A simulated GO, for tests: whoever reaches it gets tokens, secrets and all \
                       else of it, and no API may trust it but in a test.";

/// The longest issuer and audience, in bytes: GO's own issuer has 76.
const MAX_NAME: usize = 1024;

pub(super) fn run(args: &SimulateArgs, console: &mut Console<'_>) -> Result<Exit, Failure> {
    match &args.command {
        // Not by clap, for which the global --json would be one of these.
        Some(_) if args.is_of_the_server() => Err(Failure::Usage(
            "--listen, --origin, --account, --issuer and --audience are for a simulator to start, \
             and push takes one that runs"
                .to_owned(),
        )),
        Some(SimulateCommand::Push(args)) => push::run(args, console),
        None => serve(args, console),
    }
}

fn serve(args: &SimulateArgs, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let listen = console.given(args.listen.as_deref(), "LISTEN");
    let listen = listen.unwrap_or_else(|| DEFAULT_LISTEN.to_owned());
    let builder = builder(args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::System)?;
    let log = log_to_stderr(LOG);
    let served = serve_on(&runtime, &listen, &builder, console);
    drop(log);
    Ok(served.map_or_else(
        |failure| super::serve::fail(&failure, console),
        |()| Exit::Good,
    ))
}

fn serve_on(
    runtime: &Runtime,
    listen: &str,
    builder: &SimulatorBuilder,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let (mut signals, go) = runtime.block_on(async {
        let signals = Signals::install().map_err(Failure::System)?;
        let go = start(listen, builder).await.map_err(|error| {
            let listen = show::quoted(listen);
            Failure::System(io::Error::other(format!(
                "can't listen at {listen}: {error}"
            )))
        })?;
        Ok::<_, Failure>((signals, go))
    })?;
    let told = Told::of(&go);
    // Not on this thread, which may wait for a reader of what is said.
    let running = runtime.spawn(async move {
        // There are no settings to read again: whichever it is, it is the end.
        signals.next().await;
        let deadline = Deadline::exit_within(DRAIN + LAST_LINES, Exit::Good.code());
        tokio::select! {
            () = go.stop_within(DRAIN) => {}
            _ = signals.next() => {}
        }
        deadline
    });
    console.say(&told, |terminal| told.text(terminal))?;
    let ended = runtime.block_on(running);
    ended
        .map(drop)
        .map_err(|error| Failure::System(error.into()))
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

/// What can be pasted into a shell, and compared by eye.
fn name<'a>(flag: &str, text: &'a str) -> Result<&'a str, Failure> {
    let is_plain = text.chars().all(|c| matches!(c, ' '..='~'));
    if is_plain && (1..=MAX_NAME).contains(&text.len()) {
        Ok(text)
    } else {
        Err(Failure::Usage(format!(
            "{flag} is not from 1 to {MAX_NAME} characters of printable ASCII"
        )))
    }
}

/// At the first address of that name that can be had.
async fn start(listen: &str, builder: &SimulatorBuilder) -> io::Result<Simulator> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "there is no such address");
    for address in tokio::net::lookup_host(listen).await? {
        match builder.clone().address(address).start().await {
            Ok(go) => return Ok(go),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// What is said once it listens: a contract, told in `docs/guide/cli.md`.
#[derive(Serialize)]
struct Told {
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

impl Told {
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
        let Self {
            listening,
            simulator,
            settings,
            ..
        } = self;
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

The settings of the API that is tested:

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

/// A text as a shell takes it for one word, itself.
fn in_shell(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
