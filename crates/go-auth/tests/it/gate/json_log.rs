//! The log as JSON, and which settings of the log are wrong.

use derbysoft_go_simulator::Simulator;
use rustix::process::Signal;
use serde_json::{Map, Value};

use crate::gate_process::{GateProcess, settings_of};
use crate::process::{Process, command, fails};
use test_support::wire::head;
use test_support::{eventually, soon};

const JSON: (&str, &str) = ("LOG_FORMAT", "json");
const DEBUG: (&str, &str) = ("RUST_LOG", "derbysoft_go_auth=debug");
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

async fn go() -> Simulator {
    Simulator::start().await.expect("a free port")
}

/// A line of the log: an object with all that every line has.
fn object(line: &str) -> Map<String, Value> {
    let value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
    let Value::Object(object) = value else {
        panic!("no object: {line:?}");
    };
    let shape: String = (text(&object, "timestamp").chars())
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000000Z", "{line}");
    let levels = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"];
    assert!(levels.contains(&text(&object, "level")), "{line}");
    for name in ["target", "message"] {
        assert!(!text(&object, name).is_empty(), "{line}");
    }
    for (name, value) in &object {
        assert!(!value.is_object(), "{name} is not flat: {line}");
    }
    object
}

fn text<'o>(object: &'o Map<String, Value>, name: &str) -> &'o str {
    object
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no text {name}: {object:?}"))
}

fn objects(log: &str) -> Vec<Map<String, Value>> {
    log.lines().map(object).collect()
}

#[tokio::test]
async fn every_line_is_an_object_of_one_form() {
    let go = go().await;
    let settings = settings_of(&go, "");
    let mut gate = GateProcess::start_over(&settings, &[JSON, DEBUG]).await;
    assert_eq!(gate.verdict(&go.token()).await.status, 200);
    let mut wire = gate.connect().await;
    for _ in 0..2 {
        let headers = [("Authorization", "a.b.c"), ("traceparent", TRACE)];
        wire.write(head("GET", "/auth", &headers)).await;
        assert_eq!(wire.reply().await.status, 401);
    }
    gate.configure("leeway = ");
    gate.reload().await;
    gate.configure(&settings);
    gate.reload().await;
    gate.signal(Signal::TERM);
    assert_eq!(gate.exit().await.code(), Some(0));
    gate.says("\"stopped\"").await;

    let all = objects(&gate.log());
    let of = |message: &str| -> Vec<_> {
        (all.iter())
            .filter(|it| text(it, "message") == message)
            .collect()
    };
    let rejected = of("request rejected");
    assert_eq!(rejected.len(), 2);
    for line in rejected {
        assert_eq!(text(line, "target"), "derbysoft_go_auth::request");
        assert_eq!(text(line, "kind"), "malformed");
        assert_eq!(text(line, "traceparent"), TRACE);
        assert_eq!(line["status"], 401);
    }
    let accepted = of("request accepted");
    assert_eq!(text(accepted[0], "sub"), "ds-go-module");
    let refused = of("the settings can't be used; the last good ones stay");
    assert!(text(refused[0], "faults").contains("line 1: "));
}

#[tokio::test]
async fn a_start_logs_version_and_issuers_and_a_reload_the_issuers() {
    let (go, other) = (go().await, go().await);
    let issuer = |name: &str| {
        let address = other.jwks_url();
        format!("[[issuers]]\nissuer = \"{name}\"\naudience = [\"B\"]\njwks_url = \"{address}\"\n")
    };
    let gate = GateProcess::start_over(&settings_of(&go, &issuer("https://b")), &[JSON]).await;
    assert_eq!(gate.verdict(&go.token()).await.status, 200);
    gate.configure(&settings_of(&go, &issuer("https://c")));
    gate.reload().await;
    let lines: Vec<_> = (objects(&gate.log()).iter())
        .filter_map(|line| {
            let fact = match text(line, "message") {
                "starting" => text(line, "version"),
                "tokens of this issuer are accepted" => text(line, "issuer"),
                "settings reloaded" => "reloaded",
                _ => return None,
            };
            Some(fact.to_owned())
        })
        .collect();
    let version = env!("CARGO_PKG_VERSION");
    let expected = [
        version,
        go.issuer(),
        "https://b",
        go.issuer(),
        "https://c",
        "reloaded",
    ];
    assert_eq!(lines, expected);
}

/// Claims that GO has signed are logged at debug, whatever they are.
#[tokio::test]
async fn no_text_of_a_request_breaks_a_line() {
    const HOSTILE: &str = "\n{\"level\":\"ERROR\"}\r\n\u{1b}[31m\u{2028}\u{85}\"\\";
    let go = go().await;
    let settings = settings_of(&go, "subjects = [\"ds-go-module\"]");
    let everything = [JSON, ("RUST_LOG", "trace")];
    let gate = GateProcess::start_over(&settings, &everything).await;
    for token in [
        go.mint().subject(HOSTILE).token(),
        go.mint().audience(HOSTILE).token(),
        go.mint().claim("jti", HOSTILE).token(),
        go.mint().kid(HOSTILE).token(),
    ] {
        for _ in 0..2 {
            gate.verdict(&token).await;
        }
    }
    let mut wire = gate.connect().await;
    let headers = [("Authorization", "a.b.c"), ("traceparent", "\"},{\"\\n")];
    wire.write(head("GET", "/auth/%0a%22%7d?\\n", &headers))
        .await;
    assert_eq!(wire.reply().await.status, 401);
    wire.write("no\u{1b}[31m HTTP\r\n\r\n").await;
    wire.reply_if_any().await;
    gate.says("request rejected").await;
    let log = gate.log();
    assert!(log.contains("claim rejected"), "{log}");
    assert!(objects(&log).len() > 20, "{log}");
    assert!(!log.contains('\u{1b}'), "{log}");
    assert!(!log.contains("traceparent"), "{log}");
}

#[tokio::test]
async fn the_flag_overrides_the_variable() {
    let go = go().await;
    let settings = settings_of(&go, "");
    for (arguments, variable, is_json) in [
        (&[][..], "", false),
        (&[], "text", false),
        (&[], "json", true),
        (&["--log-format", "json"], "text", true),
        (&["--log-format", "text"], "json", false),
        // The variable does not count then, and need not even be good.
        (&["--log-format", "json"], "xml", true),
    ] {
        let variables = [("LOG_FORMAT", variable)];
        let gate = GateProcess::start_given(&settings, arguments, &variables, 1).await;
        gate.says("starting").await;
        let first = gate.log().lines().next().expect("a line").to_owned();
        let is_object = serde_json::from_str::<Value>(&first).is_ok();
        assert_eq!(is_object, is_json, "{arguments:?} {variable}: {first}");
    }
}

#[tokio::test]
async fn wrong_settings_of_the_log_are_faults() {
    let go = go().await;
    let jwks_url = go.jwks_url();
    for (name, variables, faults) in [
        (
            "serve",
            &[("LOG_FORMAT", "xml")][..],
            &["LOG_FORMAT is \"xml\", not json or text"][..],
        ),
        (
            "simulate",
            &[("LOG_FORMAT", "JSON")],
            &["LOG_FORMAT is \"JSON\", not json or text"],
        ),
        (
            "serve",
            &[("RUST_LOG", "info,inof=x")],
            &["RUST_LOG has \"inof=x\", which is neither"],
        ),
        (
            "simulate",
            &[("RUST_LOG", "warning")],
            &["RUST_LOG has \"warning\", which is neither"],
        ),
        (
            "serve",
            &[("LOG_FORMAT", "xml"), ("RUST_LOG", "a,b=")],
            &[
                "LOG_FORMAT is \"xml\"",
                "RUST_LOG has \"a\"",
                "RUST_LOG has \"b=\"",
            ],
        ),
    ] {
        let (status, text) = fails(|command| {
            command.arg(name).envs(variables.iter().copied()).envs([
                ("GO_AUTH_ISSUER", go.issuer()),
                ("GO_AUTH_AUDIENCE", go.audience()),
                ("GO_AUTH_JWKS_URL", &jwks_url),
            ]);
        })
        .await;
        assert_eq!(status, Some(64), "{text}");
        for fault in faults {
            assert!(text.contains(fault), "{text}");
        }
    }
    let (status, text) = fails(|command| {
        command.args(["serve", "--log-format", "xml"]);
    })
    .await;
    assert_eq!(status, Some(64));
    assert!(text.contains("[possible values: text, json]"), "{text}");
}

#[tokio::test]
async fn an_empty_filter_is_none() {
    let go = go().await;
    for filter in ["", " , "] {
        let variables = [("RUST_LOG", filter)];
        let gate = GateProcess::start_over(&settings_of(&go, ""), &variables).await;
        assert_eq!(gate.verdict("a.b.c").await.status, 401);
        gate.says("request rejected").await;
        assert!(!gate.log().contains("DEBUG"), "{}", gate.log());
    }
}

#[tokio::test]
async fn a_start_that_fails_is_an_object_too() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = listener.local_addr().expect("an address").to_string();
    let go = go().await;
    let jwks_url = go.jwks_url();
    let good = [
        ("GO_AUTH_ISSUER", go.issuer()),
        ("GO_AUTH_AUDIENCE", go.audience()),
        ("GO_AUTH_JWKS_URL", &jwks_url),
        ("LISTEN", &taken),
    ];
    for (variables, filter, expected) in [
        (
            &[][..],
            "info",
            (64, "settings", "GO_AUTH_ISSUER is required"),
        ),
        (&[], "off", (64, "settings", "GO_AUTH_AUDIENCE is required")),
        (&good, "info", (2, "system", "can't listen on")),
        (&good, "loud", (64, "usage", "RUST_LOG has \\\"loud\\\"")),
    ] {
        let (status, log) = fails(|command| {
            command.arg("serve").envs(variables.iter().copied());
            command.envs([JSON, ("RUST_LOG", filter)]);
        })
        .await;
        let (expected_status, error, fault) = expected;
        assert_eq!(status, Some(expected_status), "{log}");
        let lines = objects(&log);
        let last = lines.last().expect("a line");
        assert_eq!(text(last, "level"), "ERROR");
        assert_eq!(text(last, "message"), "go-auth can't serve");
        assert_eq!(text(last, "error"), error);
        let faults = last["faults"].to_string();
        assert!(last["faults"].is_array() && faults.contains(fault), "{log}");
    }
}

/// Standard output has its document, and the log its line.
#[tokio::test]
async fn with_json_a_failed_start_is_on_both_streams() {
    let mut gate = command();
    gate.args(["--json", "serve"]).envs([JSON]);
    let (mut process, said, log) = Process::with_lines(gate);
    assert_eq!(process.exit().await.code(), Some(64));
    for lines in [said, log] {
        lines.says("GO_AUTH_ISSUER is required").await;
        let last = lines.so_far().pop().expect("a line");
        let document: Value = serde_json::from_str(&last).expect("JSON");
        assert_eq!(document["error"], "settings");
    }
}

#[tokio::test]
async fn a_flood_loses_no_line_uncounted() {
    const EACH: usize = 5_000;
    let go = go().await;
    let gate = GateProcess::start_over(&settings_of(&go, ""), &[JSON, DEBUG]).await;
    let request = head(
        "GET",
        "/auth",
        &[("Authorization", "a.b.c"), ("traceparent", TRACE)],
    );
    let mut wire = gate.connect().await;
    for _ in 0..EACH {
        wire.write(&request).await;
        assert_eq!(wire.reply().await.status, 401);
    }
    let metrics = gate.get("/metrics").await.body;
    let mut lines = metrics.lines();
    let dropped = lines.find_map(|line| line.strip_prefix("go_auth_gate_log_dropped_total "));
    let dropped: usize = dropped.expect("the metric").parse().expect("a number");
    let logged = || gate.log().matches("\"request rejected\"").count();
    eventually("all are logged", || logged() + dropped >= EACH).await;
    assert!(objects(&gate.log()).len() >= EACH - dropped);
}

#[tokio::test]
async fn the_simulator_logs_as_json_too() {
    let mut simulator = command();
    simulator.args(["simulate", "--log-format", "json"]);
    let (mut process, said, log) = Process::with_lines(simulator);
    said.says("listening on http://").await;
    let address = said.so_far()[0].replace("listening on http://", "");
    let stream = soon(tokio::net::TcpStream::connect(&address)).await;
    let mut wire = test_support::wire::Wire::new(stream.expect("it listens"));
    wire.write(head("GET", "/id/%0a%22/keys", &[])).await;
    wire.reply().await;
    log.says("/id/%0a%22/keys").await;
    process.signal(Signal::TERM);
    assert_eq!(process.exit().await.code(), Some(0));
    assert!(!objects(&log.so_far().join("\n")).is_empty());
}
