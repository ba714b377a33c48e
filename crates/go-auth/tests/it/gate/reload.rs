//! New settings, while the gate serves.

use std::time::{SystemTime, UNIX_EPOCH};

use derbysoft_go_simulator::{Fault, Simulator};

use crate::gate_process::{GateProcess, settings_of};
use test_support::recorded::value;
use test_support::wire::head;
use test_support::{eventually, soon};

/// A GO with an audience of its own.
async fn go_of(audience: &str) -> Simulator {
    let go = Simulator::builder().audience(audience).start().await;
    go.expect("a free port")
}

#[tokio::test]
async fn later_requests_use_the_new_settings() {
    let (before, after) = (go_of("BEFORE").await, go_of("AFTER").await);
    let gate = GateProcess::start(&settings_of(&before, "")).await;
    assert_eq!(gate.verdict(&before.token()).await.status, 200);
    assert_eq!(gate.verdict(&after.token()).await.status, 401);
    let mut kept = gate.connect().await;
    kept.write(head("GET", "/healthz", &[])).await;
    assert_eq!(kept.reply().await.status, 200);

    gate.configure(&settings_of(&after, ""));
    assert!(gate.reload().await.contains("settings reloaded"));
    // Its keys were there before it was asked.
    let fetches = after.fetches();
    assert_eq!(gate.verdict(&after.token()).await.status, 200);
    assert_eq!(gate.verdict(&before.token()).await.status, 401);
    assert_eq!(after.fetches(), fetches);
    // Connections stay, and go by the new settings too.
    let token = after.token();
    kept.write(head("GET", "/auth", &[("Authorization", &token)]))
        .await;
    assert_eq!(kept.reply().await.status, 200);
    let metrics = gate.get("/metrics").await.body;
    assert!(
        metrics.contains("reloads_total{result=\"done\"} 1"),
        "{metrics}"
    );
}

#[tokio::test]
async fn the_old_settings_stay_where_the_new_are_faulty() {
    let go = go_of("ZKT").await;
    let gate = GateProcess::start(&settings_of(&go, "")).await;
    for (settings, faults) in [
        (
            settings_of(&go, "leeway = \"6m\"\non_failure = \"ignore\""),
            &["leeway is more than 5m", "is up to the proxy"][..],
        ),
        (
            settings_of(&go, "leewayy = \"1s\""),
            &["line 4: leewayy is not a setting; did you mean leeway?"],
        ),
        ("audience = [".to_owned(), &["line 1: "]),
        (
            String::new(),
            &["issuer is required", "audience is required"],
        ),
    ] {
        gate.configure(&settings);
        let line = gate.reload().await;
        assert!(line.contains("the last good ones stay"), "{line}");
        for fault in faults {
            assert!(line.contains(fault), "{line}");
        }
        assert_eq!(gate.verdict(&go.token()).await.status, 200);
        assert_eq!(gate.get("/readyz").await.status, 200);
    }
    let metrics = gate.get("/metrics").await.body;
    assert!(
        metrics.contains("reloads_total{result=\"refused\"} 4"),
        "{metrics}"
    );
    assert!(
        metrics.contains("reloads_total{result=\"done\"} 0"),
        "{metrics}"
    );
}

/// Another issuer, with the keys of this GO.
fn other(name: &str, go: &Simulator) -> String {
    let address = go.jwks_url();
    format!("[[issuers]]\nissuer = \"{name}\"\naudience = [\"B\"]\njwks_url = \"{address}\"\n")
}

/// Whether the last reload was done, and when it ended.
async fn last_reload(gate: &GateProcess) -> (f64, f64) {
    let metrics = gate.get("/metrics").await.body;
    let of = |name: &str| {
        let name = format!("go_auth_gate_last_reload_{name}");
        value(&metrics, &name, &[]).expect("a gauge")
    };
    (of("success"), of("timestamp_seconds"))
}

#[tokio::test]
async fn the_metrics_show_how_the_last_reload_ended() {
    let before = SystemTime::now().duration_since(UNIX_EPOCH);
    let mut before = before.expect("after 1970").as_secs_f64();
    let go = go_of("ZKT").await;
    let good = settings_of(&go, "");
    let gate = GateProcess::start(&good).await;
    let bad = settings_of(&go, "leeway = \"6m\"");
    for (settings, success) in [
        // The start.
        (None, 1.0),
        (Some(&bad), 0.0),
        (Some(&bad), 0.0),
        (Some(&good), 1.0),
        (Some(&bad), 0.0),
    ] {
        if let Some(settings) = settings {
            gate.configure(settings);
            gate.reload().await;
        }
        let (shown, at) = last_reload(&gate).await;
        assert!((shown - success).abs() < 1e-9, "{settings:?}: {shown}");
        assert!(at > before, "{settings:?}");
        before = at;
    }
}

#[tokio::test]
async fn the_old_settings_stay_without_keys_for_the_new() {
    let (go, down, down_too) = (go_of("ZKT").await, go_of("B").await, go_of("C").await);
    down.fail(Fault::Cut);
    down_too.fail(Fault::Html);
    let gate = GateProcess::start(&settings_of(&go, "")).await;
    assert_eq!(gate.verdict(&go.token()).await.status, 200);

    let more = other("https://down", &down) + &other("https://down-too", &down_too);
    gate.configure(&settings_of(&go, &more));
    let line = gate.reload().await;
    assert!(line.contains("the last good ones stay"), "{line}");
    for issuer in ["the keys of https://down:", "the keys of https://down-too:"] {
        assert!(line.contains(issuer), "{line}");
    }
    assert_eq!(gate.verdict(&go.token()).await.status, 200);
    assert_eq!(gate.get("/readyz").await.status, 200);

    // Nor does an issuer that has keys lose them to another address.
    let moved = settings_of(&go, "").replace(&go.jwks_url(), &down.jwks_url());
    gate.configure(&moved);
    let line = gate.reload().await;
    assert!(line.contains("the last good ones stay"), "{line}");
    assert_eq!(gate.verdict(&go.token()).await.status, 200);

    gate.configure(&settings_of(&go, &more));
    down.heal();
    down_too.heal();
    assert!(gate.reload().await.contains("settings reloaded"));
}

#[tokio::test]
async fn the_old_settings_stay_where_a_file_breaks_while_the_new_ones_wait() {
    let (go, slow) = (go_of("ZKT").await, go_of("B").await);
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "token = []\n").expect("written");
    let tokens = format!("access_tokens = {:?}\n", file.path());
    let gate = GateProcess::start(&settings_of(&go, &tokens)).await;
    let hold = slow.hold();
    gate.configure(&settings_of(&go, &(tokens + &other("https://slow", &slow))));
    let breaks = async {
        slow.wait_for_fetches(1).await;
        std::fs::write(file.path(), "token = 1\n").expect("written");
        hold.release();
    };
    let (line, ()) = tokio::join!(gate.reload(), breaks);
    assert!(line.contains("the last good ones stay"), "{line}");
    assert!(line.contains("access_tokens: "), "{line}");
}

#[tokio::test]
async fn a_request_ends_with_the_settings_it_began_with() {
    let (before, after) = (go_of("BEFORE").await, go_of("AFTER").await);
    let gate = GateProcess::start(&settings_of(
        &before,
        "cooldown = \"100ms\"\nkey_wait = \"30s\"",
    ))
    .await;
    assert_eq!(gate.verdict(&before.token()).await.status, 200);

    let hold = before.hold();
    let fetches = before.fetches();
    before.rotate();
    let token = before.token();
    let mut waiting = gate.connect().await;
    // Within the cooldown it is refused at once.
    loop {
        waiting
            .write(head("GET", "/auth", &[("Authorization", &token)]))
            .await;
        tokio::select! {
            biased;
            () = before.wait_for_fetches(fetches + 1) => break,
            reply = waiting.reply() => assert_eq!(reply.status, 401),
        }
    }
    gate.configure(&settings_of(&after, ""));
    assert!(gate.reload().await.contains("settings reloaded"));
    assert_eq!(gate.verdict(&before.token()).await.status, 401);
    hold.release();
    assert_eq!(waiting.reply().await.status, 200);
}

#[tokio::test]
async fn keys_of_the_old_settings_are_not_fetched_again() {
    let (before, after) = (go_of("BEFORE").await, go_of("AFTER").await);
    let every_second = "refresh_interval = \"1s\"";
    let gate = GateProcess::start(&settings_of(&before, every_second)).await;
    soon(before.wait_for_fetches(2)).await;
    gate.configure(&settings_of(&after, every_second));
    assert!(gate.reload().await.contains("settings reloaded"));
    let (then, since) = (before.fetches(), after.fetches());
    // What takes longer than an interval of the old ones'.
    soon(after.wait_for_fetches(since + 2)).await;
    assert!(before.fetches() <= then + 1, "one may have been under way");
}

#[tokio::test]
async fn a_distrusted_key_is_rejected_after_the_reload() {
    let go = go_of("ZKT").await;
    let gate = GateProcess::start(&settings_of(&go, "")).await;
    let (kid, leaked) = (go.signing_kid(), go.token());
    go.rotate();
    for _ in 0..3 {
        assert_eq!(gate.verdict(&leaked).await.status, 200);
    }
    gate.configure(&settings_of(&go, &format!("distrusted_keys = [\"{kid}\"]")));
    assert!(gate.reload().await.contains("settings reloaded"));
    assert_eq!(gate.verdict(&leaked).await.status, 401);
    assert_eq!(gate.verdict(&go.token()).await.status, 200);
}

/// The snapshot could not be written since, and the key address is down.
#[tokio::test]
async fn a_reload_in_an_outage_brings_no_withdrawn_key_back() {
    let go = go_of("ZKT").await;
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("keys.json");
    let snapshot = format!("snapshot = {file:?}\nrefresh_interval = \"1s\"");
    let gate = GateProcess::start(&settings_of(&go, &snapshot)).await;
    let withdrawn = go.token();
    assert_eq!(gate.verdict(&withdrawn).await.status, 200);
    eventually("the snapshot is written", || file.exists()).await;
    let old = std::fs::read(&file).expect("the snapshot");
    go.rotate();
    go.retire_all_but_current();
    let next = go.token();
    while gate.verdict(&next).await.status != 200 || gate.verdict(&withdrawn).await.status == 200 {
        tokio::time::sleep(test_support::millis(50)).await;
    }
    go.fail(Fault::Cut);
    tokio::time::sleep(test_support::millis(300)).await;
    std::fs::write(&file, old).expect("written");
    assert!(gate.reload().await.contains("settings reloaded"));
    assert_ne!(gate.verdict(&withdrawn).await.status, 200);
    assert_eq!(gate.verdict(&next).await.status, 200);
}

#[tokio::test]
async fn the_only_key_can_be_distrusted() {
    let go = go_of("ZKT").await;
    go.retire_all_but_current();
    let gate = GateProcess::start(&settings_of(&go, "cooldown = \"100ms\"")).await;
    let leaked = go.token();
    assert_eq!(gate.verdict(&leaked).await.status, 200);
    let kid = go.signing_kid();
    gate.configure(&settings_of(&go, &format!("distrusted_keys = [\"{kid}\"]")));
    assert!(gate.reload().await.contains("settings reloaded"));
    assert_eq!(gate.verdict(&leaked).await.status, 401);
    assert_eq!(gate.get("/readyz").await.status, 503);
}

#[tokio::test]
async fn a_dead_issuer_does_not_block_distrusting_a_key() {
    let (go, dead) = (go_of("ZKT").await, go_of("B").await);
    dead.fail(Fault::Cut);
    let address = dead.jwks_url();
    let more = format!(
        "[[issuers]]\nissuer = \"https://dead\"\naudience = [\"B\"]\njwks_url = \"{address}\"\n"
    );
    let gate = GateProcess::start(&settings_of(&go, &more)).await;
    let (kid, leaked) = (go.signing_kid(), go.token());
    go.rotate();
    assert_eq!(gate.verdict(&leaked).await.status, 200);
    let distrusted = format!("distrusted_keys = [\"{kid}\"]\n{more}");
    gate.configure(&settings_of(&go, &distrusted));
    assert!(gate.reload().await.contains("settings reloaded"));
    assert_eq!(gate.verdict(&leaked).await.status, 401);
}

#[tokio::test]
async fn refused_settings_still_distrust_their_keys() {
    let (go, dead) = (go_of("ZKT").await, go_of("B").await);
    dead.fail(Fault::Cut);
    let gate = GateProcess::start(&settings_of(&go, "")).await;
    let (kid, leaked) = (go.signing_kid(), go.token());
    assert_eq!(gate.verdict(&leaked).await.status, 200);
    let address = dead.jwks_url();
    let settings = format!(
        "distrusted_keys = [\"{kid}\"]\n[[issuers]]\nissuer = \"https://dead\"\naudience = [\"B\"]\n\
         jwks_url = \"{address}\"\n"
    );
    gate.configure(&settings_of(&go, &settings));
    assert!(gate.reload().await.contains("the last good ones stay"));
    assert_eq!(gate.verdict(&leaked).await.status, 401);
}
