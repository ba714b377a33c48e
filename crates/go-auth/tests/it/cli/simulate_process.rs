//! `go-auth simulate` as a process.

use derbysoft_go_auth::Config;
use rustix::process::Signal;
use serde_json::Value;
use tokio::net::TcpStream;

use super::documentation::PAGE;
use super::go_auth;
use crate::process::{Lines, Process, command, fails};
use test_support::wire::{Reply, Wire, head};
use test_support::{secs, soon, verdict};

const LISTENING: &str = "listening on http://";

/// A simulator that runs, and ends when it is dropped.
struct Simulation {
    process: Process,
    /// The lines of its standard output.
    said: Vec<String>,
    log: Lines,
}

impl Simulation {
    /// With these arguments and variables, and any free port.
    async fn start(args: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = command();
        command
            .arg("simulate")
            .args(args)
            .envs(variables.iter().copied());
        let (process, stdout, log) = Process::with_lines(command);
        let is_json = args.contains(&"--json");
        let is_last = |line: &String| is_json || line.starts_with("curl -X DELETE");
        let said = stdout
            .enough(|lines| lines.last().is_some_and(is_last))
            .await;
        let said = said.unwrap_or_else(|| panic!("it does not listen: {:?}", log.so_far()));
        Self { process, said, log }
    }

    fn setting(&self, name: &str) -> String {
        let prefix = format!("{name}=");
        let values = self
            .said
            .iter()
            .filter_map(|line| line.strip_prefix(&prefix));
        values.collect::<Vec<_>>().join(" and ")
    }

    fn address(&self) -> &str {
        self.said[0].strip_prefix(LISTENING).expect("an address")
    }

    async fn ask(&self, method: &str, path: &str) -> Reply {
        let stream = soon(TcpStream::connect(self.address())).await;
        let mut wire = Wire::new(stream.expect("it listens"));
        wire.write(head(method, path, &[])).await;
        wire.reply().await
    }
}

#[tokio::test]
async fn a_gate_with_the_printed_settings_takes_its_tokens() {
    let simulation = Simulation::start(&[], &[]).await;
    let variables = ["GO_AUTH_ISSUER", "GO_AUTH_AUDIENCE", "GO_AUTH_JWKS_URL"];
    let variables = variables.map(|name| (name, simulation.setting(name)));
    let config = Config::from_vars(variables.clone()).expect("good settings");
    let auth = config.build().expect("good settings");
    for (name, kind) in [
        ("good", "ok"),
        ("expired", "expired"),
        ("other-key", "signature"),
    ] {
        let token = simulation
            .ask("POST", &format!("/simulator/tokens/{name}"))
            .await;
        assert_eq!(verdict(&auth, &token.body).await, kind);
    }
    let token = simulation.ask("POST", "/simulator/tokens/good").await.body;
    let mut verify = go_auth(&["verify"]).stdin(token);
    for (name, value) in variables {
        verify = verify.var(name, value);
    }
    assert_eq!(verify.run().await.status, 0);
}

/// Each line after "In another terminal" that `curl` is to be given, and `push`.
#[tokio::test]
async fn the_printed_commands_work_when_pasted() {
    let simulation = Simulation::start(&[], &[]).await;
    let address = simulation.address();
    let own = format!("http://{address}");
    let mut done = 0;
    for line in &simulation.said {
        let Some(at) = line.find(&format!("{own}/")) else {
            continue;
        };
        if line.starts_with("GO_AUTH") {
            continue;
        }
        let path: String = line[at + own.len()..]
            .chars()
            .take_while(|c| *c != ')')
            .collect();
        let method = ["POST", "PUT", "DELETE"]
            .into_iter()
            .find(|method| line.contains(method));
        let reply = simulation.ask(method.unwrap_or("GET"), &path).await;
        assert_eq!(reply.status, 200, "{line}: {reply:?}");
        done += 1;
    }
    assert_eq!(done, 5, "{:?}", simulation.said);
    let push = format!("go-auth simulate push http://127.0.0.1:8080 --simulator {own}");
    assert!(simulation.said.contains(&push), "{:?}", simulation.said);
}

#[tokio::test]
async fn the_transcript_of_simulate_is_what_it_prints() {
    let simulation = Simulation::start(&[], &[("COLUMNS", "80")]).await;
    let own = format!("http://{}", simulation.address());
    let text = simulation.said.join("\n");
    // At the default address of `push`, the address is left out.
    let text = text.replace(&format!(" --simulator {own}"), "");
    let text = text.replace(&own, "http://127.0.0.1:8083");
    assert!(PAGE.contains(&format!("```text\n{text}\n```\n")), "{text}");
}

#[tokio::test]
async fn settings_are_one_json_document_on_one_line() {
    let simulation = Simulation::start(&["--json", "--audience", "MINE"], &[]).await;
    let shown: Value = serde_json::from_str(&simulation.said[0]).expect("JSON");
    let address = shown["listening"].as_str().expect("an address");
    assert!(address.starts_with("http://127.0.0.1:"), "{shown}");
    assert_eq!(shown["simulator"], address);
    let settings = &shown["settings"];
    for members in [&shown, settings] {
        for member in members.as_object().expect("an object").keys() {
            assert!(
                PAGE.contains(&format!("`{member}`")),
                "{member} is not on the page"
            );
        }
    }
    assert_eq!(settings["GO_AUTH_AUDIENCE"], "MINE");
    let account = "84A26B2FA77BCD1FF5130636F04C30C5";
    assert_eq!(
        settings["GO_AUTH_ISSUER"],
        format!("https://id/{account}/.well-known/openid-configuration")
    );
    assert_eq!(
        settings["GO_AUTH_JWKS_URL"],
        format!("{address}/id/{account}/keys")
    );
    for member in ["discovery_url", "token_url", "gateway_url"] {
        let url = shown[member].as_str().expect("an address");
        assert!(url.starts_with(address), "{member}: {shown}");
    }
}

#[tokio::test]
async fn tokens_and_addresses_have_the_names_given() {
    let account = "0123456789ABCDEF0123456789abcdef";
    let simulation = Simulation::start(
        &[
            "--origin",
            "http://go.example:8083/",
            "--account",
            account,
            "--issuer",
            "https://id/it's mine",
            "--audience",
            "A",
        ],
        &[],
    )
    .await;
    let jwks_url = format!("http://go.example:8083/id/{account}/keys");
    assert_eq!(simulation.setting("GO_AUTH_JWKS_URL"), jwks_url);
    assert_eq!(
        simulation.setting("GO_AUTH_ISSUER"),
        r"'https://id/it'\''s mine'"
    );
    assert!(simulation.address().starts_with("127.0.0.1:"));
    let path = format!("/id/{account}/.well-known/openid-configuration");
    let discovery = simulation.ask("GET", &path).await;
    let discovery: Value = serde_json::from_str(&discovery.body).expect("JSON");
    assert_eq!(discovery["jwks_uri"], jwks_url);
    assert_eq!(discovery["issuer"], "https://id/it's mine");
}

#[tokio::test]
async fn settings_name_this_machine_for_all_addresses() {
    let simulation = Simulation::start(&["--listen", "0.0.0.0:0"], &[]).await;
    let address = simulation.address().to_owned();
    let (host, port) = address.split_once(':').expect("a port");
    assert_eq!(host, "0.0.0.0");
    let jwks_url = simulation.setting("GO_AUTH_JWKS_URL");
    assert!(
        jwks_url.starts_with(&format!("http://127.0.0.1:{port}/")),
        "{jwks_url}"
    );
}

#[tokio::test]
async fn the_listen_flag_overrides_the_variable() {
    let variable = [("LISTEN", "127.0.0.2:0")];
    let simulation = Simulation::start(&[], &variable).await;
    assert!(simulation.address().starts_with("127.0.0.2:"));
    let simulation = Simulation::start(&["--listen", "localhost:0"], &variable).await;
    let address = simulation.address();
    assert!(
        address.starts_with("127.0.0.1:") || address.starts_with("[::1]:"),
        "{address}"
    );
}

#[tokio::test]
async fn without_a_host_it_listens_at_every_address() {
    let simulation = Simulation::start(&["--listen", ":0"], &[]).await;
    let (_, port) = simulation.address().rsplit_once(':').expect("a port");
    let stream = soon(TcpStream::connect(format!("127.0.0.1:{port}"))).await;
    let mut wire = Wire::new(stream.expect("it listens"));
    wire.write(head("GET", "/simulator", &[])).await;
    assert_eq!(wire.reply().await.status, 200);
}

#[tokio::test]
async fn any_signal_ends_the_simulator_well() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut simulation = Simulation::start(&[], &[]).await;
        for ignored in [Signal::USR1, Signal::USR2] {
            simulation.process.signal(ignored);
        }
        simulation.log.says("has no meaning here was ignored").await;
        assert_eq!(simulation.ask("GET", "/simulator").await.status, 200);
        simulation.process.signal(signal);
        assert_eq!(simulation.process.exit().await.code(), Some(0));
    }
}

#[tokio::test]
async fn a_second_signal_ends_a_hanging_simulator() {
    let mut simulation = Simulation::start(&[], &[]).await;
    simulation.ask("PUT", "/simulator/faults/keys/hang").await;
    let jwks_url = simulation.setting("GO_AUTH_JWKS_URL");
    let path = jwks_url.replace(&format!("http://{}", simulation.address()), "");
    let stream = TcpStream::connect(simulation.address())
        .await
        .expect("it listens");
    let mut hanging = Wire::new(stream);
    hanging.write(head("GET", &path, &[])).await;
    simulation.log.says("request to the simulated GO").await;
    simulation.process.signal(Signal::TERM);
    test_support::eventually("it listens no more", || {
        std::net::TcpStream::connect(simulation.address()).is_err()
    })
    .await;
    assert!(simulation.process.0.try_wait().expect("a child").is_none());
    simulation.process.signal(Signal::TERM);
    // Well before it would have ended by itself.
    let exit = tokio::time::timeout(secs(4), simulation.process.exit()).await;
    assert_eq!(exit.expect("its end").code(), Some(0));
    hanging.closed().await;
}

#[tokio::test]
async fn an_address_that_is_not_free_gives_status_2() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().expect("an address").to_string();
    for (listen, why) in [
        (&*taken, "can't listen on"),
        ("nowhere.invalid:1", "can't listen on \"nowhere.invalid:1\""),
        ("127.0.0.1", "can't listen on"),
    ] {
        let (status, shown) = fails(|command| {
            command.args(["simulate", "--listen", listen]);
        })
        .await;
        assert_eq!(status, Some(2), "{shown}");
        assert!(shown.contains(why), "{shown}");
    }
}

#[tokio::test]
async fn wrong_usage_of_simulate_starts_nothing() {
    for (args, why) in [
        (&["--account", "1234"][..], "--account is not 32"),
        (
            &["--account", "84A26B2FA77BCD1FF5130636F04C30Cé"],
            "--account is not 32",
        ),
        (&["--issuer", ""], "--issuer is not"),
        (&["--audience", "a\nb"], "--audience is not"),
        (&["--origin", "go:8083"], "--origin"),
        (&["--origin", "http://go:8083/x"], "--origin has a path"),
        (
            &["--origin", "http://u:p@go:8083"],
            "--origin has a user name",
        ),
        (
            &["--listen", "127.0.0.1:0", "push", "http://127.0.0.1:1"],
            "--listen",
        ),
        (&["pull"], "unrecognized subcommand"),
        (&["--port", "1"], "unexpected argument"),
    ] {
        let (status, shown) = fails(|command| {
            command.arg("simulate").args(args);
        })
        .await;
        assert_eq!(status, Some(64), "{args:?}: {shown}");
        assert!(shown.contains(why), "{args:?}: {shown}");
    }
}
