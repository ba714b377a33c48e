//! A real Prometheus with the shipped rules scrapes a real gate, and is asked what the
//! dashboard asks.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use derbysoft_go_auth::access_token::Api;
use derbysoft_go_auth::clock::{Clock, SystemClock};
use derbysoft_go_simulator::Simulator;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::gate_process::{GateProcess, settings_of};
use crate::process::Process;
use test_support::distributor::{TokenFile, entry};
use test_support::{millis, secs};

const DASHBOARD: &str = include_str!("../../../../examples/monitoring/grafana-dashboard.json");
const TOKEN: &str = "53ac0777aaaaaaaaaaaaaaaaaaaaaaaa";

/// What a gate has no data for: it does not call GO itself.
const NOT_OF_A_GATE: [&str; 1] = ["go_auth_credential_seconds_left"];

fn shipped(file: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/monitoring");
    root.join(file).canonicalize().expect("it is shipped")
}

/// What the dashboard asks, for a scrape each second.
fn expressions() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    panels
        .flat_map(|panel| panel["targets"].as_array().into_iter().flatten())
        .map(|target| target["expr"].as_str().expect("a text"))
        .map(|it| it.replace("$__rate_interval", "5s").replace("$job", ".*"))
        .collect()
}

/// A Prometheus that scrapes a gate each second, and ends when it is dropped.
struct Prometheus {
    _process: Process,
    _directory: TempDir,
    base: String,
    client: reqwest::Client,
}

impl Prometheus {
    fn watching(gate: &GateProcess) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let configuration = directory.path().join("prometheus.yml");
        let watched = gate.status_address.expect("one of its own");
        let text = format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }}\n\
             rule_files: ['{}']\n\
             scrape_configs:\n\
             - job_name: go-auth\n\
             \x20 static_configs: [{{ targets: ['{watched}'] }}]\n",
            shipped("alerts.yml").display()
        );
        std::fs::write(&configuration, text).expect("written");
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                directory.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .args(["--log.level=warn"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]);
        Self {
            _process: Process::spawn(&mut command),
            _directory: directory,
            base: format!("http://{address}/api/v1"),
            client: client.build().expect("a client"),
        }
    }

    /// `None` until it answers.
    async fn get(&self, path: &str) -> Option<Value> {
        let answer = self
            .client
            .get(format!("{}/{path}", self.base))
            .send()
            .await;
        let body = answer.ok()?.bytes().await.ok()?;
        let document: Value = serde_json::from_slice(&body).ok()?;
        assert_eq!(document["status"], "success", "{path}: {document}");
        Some(document["data"].clone())
    }

    /// How many series there are; NaN is no value.
    async fn count(&self, expression: &str) -> usize {
        use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
        let query = utf8_percent_encode(expression, NON_ALPHANUMERIC);
        let data = self.get(&format!("query?query={query}")).await;
        let Some(result) = data.as_ref().and_then(|data| data["result"].as_array()) else {
            return 0;
        };
        let values = result.iter().map(|series| &series["value"][1]);
        values.filter(|value| **value != "NaN").count()
    }

    /// Waits until there are series, or none.
    async fn comes_to(&self, expression: &str, is_there: bool) {
        let found = async {
            while (self.count(expression).await > 0) != is_there {
                tokio::time::sleep(millis(100)).await;
            }
        };
        let found = tokio::time::timeout(secs(30), found).await;
        assert!(found.is_ok(), "{expression}: never {is_there}");
    }

    async fn alert_is(&self, name: &str, is_there: bool) {
        self.comes_to(&format!("ALERTS{{alertname=\"{name}\"}}"), is_there)
            .await;
    }
}

/// Pushes of every kind, over and over.
async fn push(gate: &GateProcess, go: &Simulator) {
    let expired = go.mint().expires_in(-3600).token();
    for token in [&*go.token(), TOKEN, "a.b.c", &*expired, &*expired] {
        gate.verdict(token).await;
    }
    let known = go.token();
    for _ in 0..2 {
        assert_eq!(gate.verdict(&known).await.status, 200);
    }
}

#[tokio::test]
#[ignore = "needs prometheus: see .ci/run"]
async fn every_panel_shows_a_real_gate_and_alerts_fire_and_clear() {
    let go = Simulator::start().await.expect("a free port");
    let now = SystemClock::default().now();
    let tokens = TokenFile::of(entry(&Api::AVAILABILITY_PEER, TOKEN, now));
    let settings = settings_of(&go, &format!("access_tokens = {:?}", tokens.path()));
    let mut gate = GateProcess::start_apart(&settings).await;
    let prometheus = Prometheus::watching(&gate);

    // There is no rate of what happens once.
    let pushes = async {
        loop {
            push(&gate, &go).await;
            tokio::time::sleep(millis(50)).await;
        }
    };
    let shown = async {
        for expression in expressions() {
            let is_of_a_gate = !NOT_OF_A_GATE.iter().any(|it| expression.contains(it));
            if is_of_a_gate {
                prometheus.comes_to(&expression, true).await;
            } else {
                assert_eq!(prometheus.count(&expression).await, 0, "{expression}");
            }
        }
    };
    tokio::select! {
        () = pushes => {}
        () = shown => {}
    }

    let rules = prometheus.get("rules").await.expect("it answers");
    let rules = rules["groups"][0]["rules"].as_array().expect("rules");
    assert!(rules.len() > 10, "{rules:?}");
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
    prometheus.comes_to("ALERTS", false).await;

    const REFUSED: &str = "GoAuthGateReloadRefused";
    gate.configure("leeway = ");
    gate.reload().await;
    prometheus.alert_is(REFUSED, true).await;
    gate.configure(&settings);
    gate.reload().await;
    prometheus.alert_is(REFUSED, false).await;

    gate.signal(Signal::TERM);
    gate.exit().await;
    prometheus.alert_is("GoAuthInstanceDown", true).await;
    prometheus.alert_is("GoAuthDown", true).await;
}

#[test]
#[ignore = "needs promtool: see .ci/run"]
fn the_rules_are_good_and_pass_their_tests() {
    for (command, file) in [("check", "alerts.yml"), ("test", "alerts_test.yml")] {
        let ran = Command::new("promtool")
            .args([command, "rules"])
            .arg(shipped(file))
            .output()
            .expect("it runs");
        let text = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{text}");
    }
}
