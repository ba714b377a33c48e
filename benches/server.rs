//! What the layer costs a server: axum over loopback with keep-alive, and `wrk` on the
//! other side. Every server runs for a short time in every round, one after the other,
//! and is compared with the server without the layer that got the same tokens in the same
//! round.
//!
//! ```text
//! cargo bench --all-features --bench server            # a table
//! cargo bench --all-features --bench server -- --json  # a line of JSON each
//! ```
//!
//! `--rounds=N` sets the number of rounds, `--seconds=N` how long each server runs in
//! each. Needs `wrk` (Debian's package of that name).
//!
//! *Cold* servers get tokens that do not come again soon, *warm* ones a single token. A
//! *refreshing* server fetches its keys about every 0.8 s. Client and server share the
//! machine's cores, so the numbers are not what a server can do alone.
#![allow(clippy::print_stdout, clippy::print_stderr, missing_docs)]

#[allow(dead_code, reason = "each bench uses a part")]
mod common;

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use derbysoft_go_auth::GoAuth;
use derbysoft_go_simulator::Simulator;
use tempfile::NamedTempFile;
use tokio::net::TcpListener;

use common::arguments::Arguments;
use common::report::{Column, Report};
use common::rounds::{median, ratio};
use common::scene::{CACHE, Scene, builder};

/// Tokens sent in turn to a cold server: four times as many as the cache remembers of
/// those seen once, so hardly any is recognised.
const COLD_TOKENS: usize = 32 * 1024;

/// Connections kept alive: GO's calls come a few at a time.
const CONNECTIONS: &str = "16";

fn main() -> Result<ExitCode, Box<dyn Error>> {
    if Command::new("wrk").arg("--version").output().is_err() {
        eprintln!("this bench needs wrk, a load generator: apt-get install wrk");
        return Ok(ExitCode::FAILURE);
    }
    let arguments = Arguments::read();
    let rounds = arguments.number("rounds", 8);
    let seconds = arguments.number("seconds", 2);

    let scene = Scene::new();
    let many = token_file(&scene.many_tokens(COLD_TOKENS))?;
    let one = token_file(&scene.tokens[..1])?;
    let runtime = tokio::runtime::Runtime::new()?;
    let servers = runtime.block_on(Servers::start(&scene, many.path(), one.path()))?;

    let mut runs: Vec<Vec<Run>> = servers.all.iter().map(|_| Vec::new()).collect();
    // The first round warms up.
    for round in 0..=rounds {
        for (server, runs) in servers.all.iter().zip(&mut runs) {
            let run = Run::of_wrk(server, seconds)?;
            if round > 0 {
                runs.push(run);
            }
        }
    }
    report(&servers.all, &runs).print(arguments.json());
    if !arguments.json() {
        println!("\nkeys were fetched {} times", servers.go.fetches());
    }
    Ok(ExitCode::SUCCESS)
}

fn token_file(tokens: &[String]) -> std::io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new()?;
    for token in tokens {
        writeln!(file, "{token}")?;
    }
    file.flush()?;
    Ok(file)
}

/// A server, its tokens, and the server that it is compared with.
struct Server<'a> {
    name: &'static str,
    address: String,
    tokens: &'a Path,
    base: usize,
}

struct Servers<'a> {
    all: Vec<Server<'a>>,
    /// The simulator, for a server that refreshes its keys.
    go: Simulator,
}

impl<'a> Servers<'a> {
    async fn start(scene: &Scene, many: &'a Path, one: &'a Path) -> Result<Self, Box<dyn Error>> {
        let go = scene.go().await?;
        let refreshing = async |cache| -> Result<GoAuth, Box<dyn Error>> {
            let auth = builder(cache)
                .jwks_url(go.jwks_url())
                .configure(|it| it.refresh_interval = Duration::from_secs(1))
                .build()?;
            auth.ready().await?;
            Ok(auth)
        };
        let fixed = |cache| Some(scene.auth(cache));
        let servers = [
            ("no_layer_cold", None, many, 0),
            ("layer_cold", fixed(0), many, 0),
            ("layer_cold_refreshing", Some(refreshing(0).await?), many, 0),
            ("layer_cold_caching", fixed(CACHE), many, 0),
            ("no_layer_warm", None, one, 4),
            ("layer_warm", fixed(CACHE), one, 4),
            (
                "layer_warm_refreshing",
                Some(refreshing(CACHE).await?),
                one,
                4,
            ),
        ];
        let mut all = Vec::new();
        for (name, auth, tokens, base) in servers {
            let address = serve(auth.as_ref()).await?;
            all.push(Server {
                name,
                address,
                tokens,
                base,
            });
        }
        Ok(Self { all, go })
    }
}

/// Starts a distributor's API on a free port.
async fn serve(auth: Option<&GoAuth>) -> std::io::Result<String> {
    let mut api = Router::new().route("/ari/daily/push", post(async || "ok"));
    if let Some(auth) = auth {
        api = api.layer(auth.layer());
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}/", listener.local_addr()?);
    tokio::spawn(axum::serve(listener, api).into_future());
    Ok(address)
}

/// The results of one `wrk` run; times are in microseconds.
#[derive(serde::Deserialize)]
struct Run {
    requests: f64,
    duration: f64,
    p50: f64,
    p99: f64,
    p999: f64,
    failed: u64,
}

impl Run {
    fn of_wrk(server: &Server<'_>, seconds: usize) -> Result<Self, Box<dyn Error>> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/server.lua");
        let output = Command::new("wrk")
            .args(["-t1", "-c", CONNECTIONS, "-d", &format!("{seconds}s")])
            .args(["-s", script, &server.address, "--"])
            .arg(server.tokens)
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        let line = text.lines().rfind(|line| line.starts_with('{'));
        let run: Self = serde_json::from_str(line.ok_or_else(|| {
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            format!("wrk reported nothing: {text}{error}")
        })?)?;
        if run.failed > 0 {
            return Err(format!("{}: {} requests failed", server.name, run.failed).into());
        }
        Ok(run)
    }

    fn per_second(&self) -> f64 {
        self.requests / (self.duration / 1e6)
    }
}

fn report(servers: &[Server<'_>], runs: &[Vec<Run>]) -> Report {
    /// A number of a run, and its ratio to that of the server without the layer.
    type Measure = ([Column; 2], fn(&Run) -> f64);
    const fn pair(title: &'static str, member: &'static str, ratio: &'static str) -> [Column; 2] {
        [
            Column::new(title, member, 0),
            Column::new("ratio", ratio, 3),
        ]
    }
    let measures: [Measure; 4] = [
        (
            pair("requests/s", "requests_per_s", "requests_per_s_ratio"),
            Run::per_second,
        ),
        (pair("p50 us", "p50_us", "p50_ratio"), |run| run.p50),
        (pair("p99 us", "p99_us", "p99_ratio"), |run| run.p99),
        (pair("p99.9 us", "p999_us", "p999_ratio"), |run| run.p999),
    ];
    let mut report = Report::new(measures.iter().flat_map(|(columns, _)| *columns));
    for (server, own) in servers.iter().zip(runs) {
        let numbers = measures.iter().flat_map(|(_, measure)| {
            let values = |runs: &[Run]| runs.iter().map(measure).collect::<Vec<_>>();
            let (own, base) = (values(own), values(&runs[server.base]));
            [median(own.iter().copied()), ratio(&own, &base)]
        });
        report.row(server.name, numbers);
    }
    report
}
