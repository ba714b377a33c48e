//! What push finds out about distributors.

use derbysoft_go_simulator::SampleToken;
use http::StatusCode;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{answering, counts, gated, named, push, pushes, simulator, status};
use crate::cli::go_auth;

#[tokio::test]
async fn an_api_behind_the_layer_answers_as_expected() {
    let go = simulator().await;
    let server = gated(&go).await;
    let (some, all) = counts();
    for (flag, sent) in [(None, some), (Some("--all"), all)] {
        let mut command = push(&go, &server.base).arg("--json");
        if let Some(flag) = flag {
            command = command.arg(flag);
        }
        let ran = command.run().await;
        let shown = ran.json();
        assert_eq!((ran.status, &*ran.stderr), (0, ""), "{shown}");
        assert_eq!(shown["verdict"], "as_expected");
        assert_eq!(shown["path"], "/ari/daily/push");
        assert_eq!((shown.get("error"), shown.get("next")), (None, None));
        assert_eq!(pushes(&shown).len(), sent);
        for push in pushes(&shown) {
            let name = push["push"].as_str().expect("a name");
            assert_eq!(push["ok"], true, "{push}");
            assert_eq!(push["answers"][0]["times"], 1);
            let refused = match SampleToken::named(name) {
                Some(sample) => sample.refused_as.is_some(),
                None => push["expected"] == "refused",
            };
            assert_eq!(status(push), if refused { 401 } else { 200 }, "{push}");
        }
        let body = &named(&shown, "good")["body"];
        assert_eq!(body, "JWT of ds-go-module");
    }

    let text = push(&go, &server.base).var("LANG", "C.UTF-8").run().await;
    assert_eq!(text.status, 0, "{}", text.stdout);
    assert!(
        text.stdout.starts_with("✓ http://127.0.0.1:"),
        "{}",
        text.stdout
    );
    assert_eq!(
        text.stdout.matches("\n✓  ").count(),
        some,
        "{}",
        text.stdout
    );
    text.shows("\n✓  good  ");
    text.shows("  accepted  200\n");
}

#[tokio::test]
async fn an_api_without_a_gate_is_found_out() {
    let go = simulator().await;
    let server = answering("\"ok\"").await;
    let ran = push(&go, &server.base).arg("--json").run().await;
    let shown = ran.json();
    assert_eq!((ran.status, &shown["verdict"]), (1, &"unexpected".into()));
    for push in pushes(&shown) {
        let is_bad = push["expected"] == "refused";
        assert_eq!(push["ok"], !is_bad, "{push}");
        assert_eq!((status(push), &push["body"]), (200, &"\"ok\"".into()));
    }
    let next = shown["next"].as_str().expect("an advice");
    assert!(next.contains("Callers who are not GO get in"), "{next}");

    let text = push(&go, &server.base).run().await;
    assert_eq!(text.status, 1);
    let bad = counts().0 - 2;
    let headline = format!("{bad} of {} pushes to ", counts().0);
    assert!(
        text.stdout
            .lines()
            .next()
            .expect("a line")
            .contains(&headline),
        "{}",
        text.stdout
    );
    assert_eq!(
        text.stdout.matches("\nFAIL  ").count(),
        bad,
        "{}",
        text.stdout
    );
    assert!(!text.stdout.contains("answered"), "{}", text.stdout);
}

#[tokio::test]
async fn an_api_that_rejects_go_is_found_out() {
    let go = simulator().await;
    let server = answering((StatusCode::NOT_FOUND, "nothing")).await;
    let ran = push(&go, &server.base).arg("--json").run().await;
    let shown = ran.json();
    assert_eq!(ran.status, 1);
    let bad = pushes(&shown).iter().filter(|push| push["ok"] == false);
    let bad: Vec<_> = bad.map(|push| push["push"].clone()).collect();
    assert_eq!(bad, ["good", "bare"]);
    assert!(
        shown["next"]
            .as_str()
            .expect("an advice")
            .contains("GO itself is rejected")
    );

    let text = push(&go, &server.base).run().await.stdout;
    assert_eq!(
        text.matches("\n     answered: nothing\n").count(),
        2,
        "{text}"
    );

    // Which can't be seen where no good one is sent.
    let command = push(&go, &server.base)
        .arg("--json")
        .arg("--token=expired,none");
    let ran = command.run().await;
    let shown = ran.json();
    assert_eq!((ran.status, pushes(&shown).len()), (0, 2));
    assert!(
        shown["next"]
            .as_str()
            .expect("an advice")
            .contains("No good push")
    );
}

#[tokio::test]
async fn a_redirect_or_server_error_rejects_nothing() {
    let go = simulator().await;
    let elsewhere = answering("\"ok\"").await;
    for code in [500, 503, 302, 304] {
        let to = format!("{}/elsewhere", elsewhere.base);
        let code = StatusCode::from_u16(code).expect("a status");
        let server = answering((code, [("location", to)])).await;
        let only = push(&go, &server.base).arg("--json").arg("--token=expired");
        let ran = only.run().await;
        let shown = ran.json();
        assert_eq!(
            (ran.status, &shown["verdict"]),
            (1, &"unexpected".into()),
            "{code}"
        );
        assert_eq!(status(named(&shown, "expired")), u64::from(code.as_u16()));
        assert!(
            shown["next"]
                .as_str()
                .expect("an advice")
                .contains("401 or 403")
        );
    }
}

#[tokio::test]
async fn without_distributor_or_simulator_no_verdict() {
    let go = simulator().await;
    let server = gated(&go).await;
    let nobody = "http://127.0.0.1:1";
    let ran = push(&go, nobody).arg("--json").run().await;
    let shown = ran.json();
    assert_eq!((ran.status, &shown["verdict"]), (2, &"unknown".into()));
    assert_eq!(pushes(&shown), [] as [Value; 0]);
    let error = shown["error"].as_str().expect("a reason");
    assert!(
        error.starts_with("no answer from the distributor: connection refused"),
        "{error}"
    );
    let text = push(&go, nobody).run().await;
    assert_eq!(text.status, 2);
    assert!(
        text.stdout
            .starts_with("- no verdict on http://127.0.0.1:1/"),
        "{text:?}"
    );

    // Something else than a simulator in its place.
    for (simulator, why) in [
        (nobody, "can't reach the simulator"),
        (&*server.base, "is not a simulator"),
    ] {
        for flag in ["--count=1", "--access-token"] {
            let args = [
                "simulate",
                "push",
                "--json",
                flag,
                "--simulator",
                simulator,
                &server.base,
            ];
            let ran = go_auth(&args).run().await;
            let shown = ran.json();
            assert_eq!((ran.status, &shown["verdict"]), (2, &"unknown".into()));
            let error = shown["error"].as_str().expect("a reason");
            assert!(error.contains(why), "{error}");
        }
    }
}

#[tokio::test]
async fn tokens_of_a_strange_simulator_are_not_used() {
    let go = simulator().await;
    let distributor = gated(&go).await;
    for answer in ["a b", "a\r\nx: y", "é", &"x".repeat(65_537)] {
        let simulator = answering(answer.to_owned()).await;
        let args = ["simulate", "push", "--json", "--simulator", &simulator.base];
        let ran = go_auth(&args).arg(&*distributor.base).run().await;
        let shown = ran.json();
        assert_eq!(ran.status, 2, "{shown}");
        assert!(
            shown["error"]
                .as_str()
                .expect("a reason")
                .contains("is not a simulator"),
            "{shown}"
        );
    }
}

/// Answers with 200, each push on a new connection, except the one after so many.
async fn stumbling(answers: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        for n in 0.. {
            let (mut stream, _) = listener.accept().await.expect("a push");
            let mut read = [0; 8192];
            let _ = stream.read(&mut read).await;
            if n == answers {
                continue;
            }
            let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            let _ = stream.write_all(answer).await;
            let _ = stream.shutdown().await;
            // To its end, or a reset could take the answer away.
            while matches!(stream.read(&mut read).await, Ok(1..)) {}
        }
    });
    base
}

#[tokio::test]
async fn a_hole_found_counts_though_later_pushes_fail() {
    let go = simulator().await;
    // Both good ones, and with a third one without credentials.
    for (answers, exit, verdict) in [(2, 2, "unknown"), (3, 1, "unexpected")] {
        let base = stumbling(answers).await;
        let ran = push(&go, &base).arg("--json").run().await;
        let shown = ran.json();
        assert_eq!(
            (ran.status, &shown["verdict"]),
            (exit, &verdict.into()),
            "{shown}"
        );
        assert!(shown["error"].is_string(), "{shown}");
        assert_eq!(pushes(&shown).len(), counts().0);
        let sent = pushes(&shown).iter().filter(|push| !push["ok"].is_null());
        assert_eq!(sent.count(), answers);
        assert_eq!(named(&shown, "expired")["ok"], Value::Null);
    }
}
