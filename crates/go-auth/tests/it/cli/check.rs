//! `go-auth serve --check` finds what `serve` and a reload find, and does nothing else.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use derbysoft_go_simulator::{Fault, Simulator};

use super::{Ran, file, go_auth, path};
use crate::gate_process::{GateProcess, settings_of};

/// Both say the same, with 64.
async fn both(args: &[&str], vars: &[(&str, &str)]) -> Ran {
    let run = async |check: &[&str]| {
        let args = [&["serve"][..], check, args].concat();
        let ran = vars.iter().fold(
            go_auth(&args).var("RUST_LOG", "warn"),
            |ran, (name, value)| ran.var(name, *value),
        );
        ran.run().await
    };
    let (served, checked) = (run(&[]).await, run(&["--check"]).await);
    assert_eq!(served.status, 64, "{}", served.all());
    assert_eq!(served, checked);
    let online = run(&["--check", "--online"]).await;
    assert_eq!(served, online);
    served
}

/// The faults of a run, each in a line of its own.
fn faults(ran: &Ran) -> Vec<&str> {
    ran.stderr
        .lines()
        .filter_map(|line| line.strip_prefix("- "))
        .collect()
}

#[tokio::test]
async fn serve_and_check_and_reload_find_the_same() {
    let go = Simulator::start().await.expect("a free port");
    let good = settings_of(&go, "");
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| {
        directory
            .path()
            .join(name)
            .to_str()
            .expect("UTF-8")
            .to_owned()
    };
    fs::write(at("tokens"), "[[availability-peer]]\ntoken = \"x\"\n").expect("written");
    fs::write(at("no.pem"), "no certificate").expect("written");
    let gate = GateProcess::start(&good).await;
    test_support::soon(go.wait_for_fetches(1)).await;
    let fetches = go.fetches();
    for settings in [
        String::new(),
        "issuer = ".to_owned(),
        "\u{0}".to_owned(),
        format!("{good}leeway = \"6m\""),
        format!("{good}leeway = 6"),
        format!("{good}leway = \"6s\"\ncooldown = \"1ms\""),
        format!("{good}on_failure = \"ignore\"\nkey_wait = \"0s\""),
        format!("{good}audience = \"again\""),
        format!("{good}proxy = \"http://user:secret@\""),
        format!("{good}ca_file = \"{}\"", at("no.pem")),
        format!("{good}ca_file = \"{}\"", at("missing.pem")),
        format!("{good}client_cert = \"{}\"", at("no.pem")),
        format!("{good}access_tokens = \"{}\"", at("missing")),
        format!("{good}access_tokens = \"{}\"", at("tokens")),
        format!("{good}jwks_file = \"{}\"", at("keys.json")),
        format!("{good}environment = \"production\"\n[[issuers]]\nissuer = \"i\""),
        good.replace(go.issuer(), &"i".repeat(1025)),
        good.replace("http://127.0.0.1", "http://id.example"),
        " ".repeat(64 * 1024 + 1),
    ] {
        let written = file(&settings);
        let ran = both(&["--config", path(&written)], &[]).await;
        let found = faults(&ran);
        assert!(!found.is_empty(), "{}", ran.all());
        gate.configure(&settings);
        let line = gate.reload().await;
        for fault in found {
            // It names the file where that can't be read.
            let fault = fault.replace(path(&written), gate.settings().to_str().expect("UTF-8"));
            let escaped = format!("{fault:?}");
            assert!(line.contains(&escaped), "{escaped} is not in {line}");
        }
    }
    assert_eq!(go.fetches(), fetches);
}

#[tokio::test]
async fn faults_of_files_environment_and_addresses_are_one_list() {
    let go = Simulator::start().await.expect("a free port");
    let written = file(settings_of(&go, "leeway = \"6m\""));
    let args = ["--config", path(&written), "--status-listen", "8082"];
    let vars = [
        ("LISTEN", "nonsense"),
        ("GO_AUTH_COOLDOWN", "1ms"),
        ("SOCKET_MODE", "rw"),
        ("SOCKET_GROUP", "no-such-group"),
    ];
    let ran = both(&args, &vars).await;
    let forms = "HOST:PORT, :PORT, unix:PATH, systemd or systemd:NAME";
    let expected = [
        "config: line 4: leeway is more than 5m".to_owned(),
        "GO_AUTH_COOLDOWN is not from 100ms to 10m".to_owned(),
        format!("LISTEN: \"nonsense\" is not {forms}"),
        format!("--status-listen: \"8082\" is not {forms}"),
        "SOCKET_MODE: \"rw\" is not a mode such as 0660".to_owned(),
        "SOCKET_GROUP: this system has no group \"no-such-group\"".to_owned(),
    ];
    assert_eq!(faults(&ran), expected);
}

#[tokio::test]
async fn faults_of_addresses_alone_are_wrong_usage() {
    let go = Simulator::start().await.expect("a free port");
    let written = file(settings_of(&go, ""));
    let too_long = format!("unix:/{}", "a".repeat(107));
    for (args, fault) in [
        (
            &["--listen", "127.0.0.1"][..],
            "--listen: \"127.0.0.1\" is not HOST:PORT",
        ),
        (
            &["--listen", &too_long],
            "is too long for a socket: 108 bytes, at most 107",
        ),
        (
            &["--listen", "unix:/run/a", "--status-listen", "unix:/run/a"],
            "--status-listen: unix:/run/a is the address of the verdicts",
        ),
        (
            &["--socket-mode", "0600"],
            "--socket-mode: no address is unix:PATH",
        ),
        (
            &["--listen", "systemd", "--socket-group", "0"],
            "--socket-group: no address is unix:PATH",
        ),
    ] {
        let args = [&["--config", path(&written)], args].concat();
        let ran = both(&args, &[]).await;
        ran.reports(fault);
        assert!(!ran.stderr.contains("GO_AUTH_JWKS_URL"), "{}", ran.stderr);
    }
}

/// Every file below, with its content.
fn content(directory: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(directory).expect("a directory");
    let names = entries.map(|entry| entry.expect("an entry").path());
    names
        .map(|path| {
            (
                path.display().to_string(),
                fs::read_to_string(path).expect("a file"),
            )
        })
        .collect()
}

#[tokio::test]
async fn a_check_listens_at_nothing_and_writes_nothing() {
    let go = Simulator::start().await.expect("a free port");
    let directory = tempfile::tempdir().expect("a directory");
    let config = directory.path().join("go-auth.toml");
    let snapshot = directory.path().join("snapshot");
    let settings = settings_of(&go, &format!("snapshot = {snapshot:?}"));
    fs::write(&config, &settings).expect("written");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().expect("an address").to_string();
    let before = content(directory.path());
    let check = || {
        go_auth(&[
            "serve",
            "--check",
            "--config",
            path(&config),
            "--listen",
            &taken,
        ])
        .var(
            "STATUS_LISTEN",
            format!("unix:{}", directory.path().join("gate").display()),
        )
        // For one of the two that is a socket.
        .var("SOCKET_MODE", "0600")
        // Of a service that it is not.
        .var("NOTIFY_SOCKET", "/nowhere/notify")
        .var("LISTEN_FDS", "nonsense")
    };
    let ran = check().run().await;
    assert_eq!((ran.status, &*ran.stderr), (0, ""), "{}", ran.all());
    ran.shows("the gate can start with these settings");
    ran.shows(&format!("{config:?} over the environment"));
    ran.shows("\"ZKT\"");
    let json = check().arg("--json").run().await.json();
    let expected = serde_json::json!({
        "verdict": "good",
        "config": path(&config),
        "listen": taken,
        "status_listen": format!("unix:{}", directory.path().join("gate").display()),
        "issuers": [{
            "issuer": go.issuer(),
            "audience": [go.audience()],
            "keys_from": go.jwks_url(),
        }],
    });
    assert_eq!(json, expected);
    assert_eq!(go.fetches(), 0);

    let ran = check().arg("--online").run().await;
    assert_eq!(ran.status, 0, "{}", ran.all());
    ran.shows("usable keys at");
    assert_eq!(go.fetches(), 1);
    assert_eq!(content(directory.path()), before);
}

/// Where anything began to fetch, one of so many would get that far.
#[tokio::test]
async fn however_many_issuers_there_are_none_is_asked() {
    let go = Simulator::start().await.expect("a free port");
    let issuers: String = (0..100)
        .map(|number| {
            format!(
                "[[issuers]]\nissuer = \"https://id.example/{number}\"\naudience = [\"ZKT\"]\n\
                 jwks_url = \"{}?{number}\"\n",
                go.jwks_url()
            )
        })
        .collect();
    let written = file(&issuers);
    for _ in 0..5 {
        let ran = go_auth(&["serve", "--check", "--config", path(&written)])
            .run()
            .await;
        assert_eq!(ran.status, 0, "{}", ran.all());
    }
    assert_eq!(go.fetches(), 0);
}

#[tokio::test]
async fn the_query_of_a_key_address_is_not_shown() {
    for json in [&[][..], &["--json"]] {
        let ran = go_auth(&[&["serve", "--check"], json].concat())
            .var("GO_AUTH_ISSUER", "https://id.example/X")
            .var("GO_AUTH_AUDIENCE", "ZKT")
            .var("GO_AUTH_JWKS_URL", "https://id.example/keys?code=secret")
            .run()
            .await;
        assert_eq!(ran.status, 0, "{}", ran.all());
        ran.shows("https://id.example/keys");
        assert!(!ran.all().contains("secret"), "{}", ran.all());
    }
}

#[tokio::test]
async fn keys_are_tried_with_the_status_of_keys() {
    let go = Simulator::start().await.expect("a free port");
    let check = |jwks_url: String| {
        go_auth(&["serve", "--check", "--online", "--json"])
            .var("GO_AUTH_ISSUER", go.issuer())
            .var("GO_AUTH_AUDIENCE", "ZKT")
            .var("GO_AUTH_JWKS_URL", jwks_url)
    };
    for (status, verdict, address) in [
        (0, "usable", go.jwks_url()),
        (2, "unknown", "http://127.0.0.1:1/keys".to_owned()),
    ] {
        let ran = check(address).run().await;
        assert_eq!(ran.status, status, "{}", ran.all());
        assert_eq!(ran.json()["keys"]["verdict"], verdict);
    }
    go.fail_next(1, Fault::Status(500));
    let ran = check(go.jwks_url()).run().await;
    assert_eq!(ran.status, 1, "{}", ran.all());
    assert_eq!(ran.json()["keys"]["verdict"], "unusable");
}

#[tokio::test]
async fn dangers_are_warned_of_as_by_serve() {
    let go = Simulator::start().await.expect("a free port");
    let written = file(settings_of(&go, ""));
    fs::set_permissions(written.path(), Permissions::from_mode(0o666)).expect("our own");
    let args = ["serve", "--check", "--config", path(&written)];
    let ran = go_auth(&args).run().await;
    assert_eq!(ran.status, 64);
    ran.reports("everybody can write it");
    let allowed = ("GO_AUTH_DANGER_ALLOW_WRITABLE_FILES", "true");
    let ran = go_auth(&args).var(allowed.0, allowed.1).run().await;
    assert_eq!(ran.status, 0, "{}", ran.all());
    ran.reports("danger_allow_writable_files is set");
}

#[tokio::test]
async fn online_is_of_check_alone() {
    let ran = go_auth(&["serve", "--online"]).run().await;
    assert_eq!(ran.status, 64);
    ran.reports("--check");
}
