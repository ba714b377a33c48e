//! How push shows answers, and wrong usage.

use axum::Router;
use http::StatusCode;

use super::{answering, push, simulator};
use crate::cli::go_auth;
use test_support::distributor::Server;

#[tokio::test]
async fn answers_are_shown_cut_and_escaped() {
    let go = simulator().await;
    let harmful = format!("\u{1b}[31m\u{9b}1m\r\n\u{202e}{}", "x".repeat(500));
    let server = answering((StatusCode::IM_A_TEAPOT, harmful)).await;
    for format in ["--json", "--color=never"] {
        let command = push(&go, &server.base).arg("--token=good").arg(format);
        let ran = command.run().await;
        assert_eq!(ran.status, 1);
        let is_harmless = |c| matches!(c, ' '..='~' | '\n');
        assert!(ran.all().chars().all(is_harmless), "{:?}", ran.all());
        assert!(!ran.all().contains(&"x".repeat(201)), "{}", ran.all());
        assert!(ran.all().contains("xxx"), "{}", ran.all());
    }

    let endless = Server::start(Router::new().fallback(|| async {
        let spaces = std::iter::repeat_with(|| Ok::<_, std::io::Error>("        "));
        axum::body::Body::from_stream(tokio_stream::iter(spaces))
    }))
    .await;
    let ran = push(&go, &endless.base).arg("--token=good").run().await;
    assert_eq!(ran.status, 0, "{}", ran.all());
}

#[tokio::test]
async fn push_fits_any_width_and_colours_on_demand() {
    let go = simulator().await;
    let long = "x".repeat(30).repeat(5);
    let server = answering(long).await;
    for columns in [40, 60, 80, 160] {
        let command = push(&go, &server.base).var("COLUMNS", columns.to_string());
        let ran = command.arg("--all").var("LANG", "C.UTF-8").run().await;
        assert_eq!(ran.status, 1);
        for line in ran.stdout.lines() {
            assert!(line.chars().count() <= columns, "{columns}: {line}");
            assert!(!line.ends_with(' '), "{columns}: {line:?}");
        }
    }
    for (colour, is_there) in [("--color=always", true), ("--color=auto", false)] {
        let command = push(&go, &server.base).arg("--token=good").arg(colour);
        let ran = command.run().await;
        assert_eq!(ran.stdout.contains('\u{1b}'), is_there, "{}", ran.stdout);
    }
}

#[tokio::test]
async fn wrong_usage_of_push_is_reported_with_status_64() {
    let token = test_support::forge::mint().token();
    for (args, why) in [
        (&[][..], "<URL>"),
        (&["distributor"], "the distributor's URL is not an address"),
        (&["ftp://127.0.0.1"], "is neither https nor http"),
        (&["http://u:p@127.0.0.1"], "has a user name"),
        (&["http://127.0.0.1/?x"], "has a query"),
        (
            &["http://127.0.0.1", "--simulator", "x"],
            "--simulator is not an address",
        ),
        (
            &["http://127.0.0.1", "--token", "nothing"],
            "not one of good, bare, none, basic, ",
        ),
        (
            &["http://127.0.0.1", "--token", &token],
            "--token: unknown name",
        ),
        (&["http://127.0.0.1", &token], "not passed as an argument"),
        (
            &["http://127.0.0.1", "--token=good", "--all"],
            "cannot be used with",
        ),
        (
            &["http://127.0.0.1", "--access-token", "--all"],
            "cannot be used with",
        ),
        (&["http://127.0.0.1", "--count", "0"], "0"),
        (&["http://127.0.0.1", "--count", "1001"], "1001"),
        (&["http://127.0.0.1", "--sample", "weekly"], "daily"),
    ] {
        let mut command = go_auth(&["simulate", "push"]);
        for arg in args {
            command = command.arg(*arg);
        }
        let ran = command.run().await;
        assert_eq!((ran.status, &*ran.stdout), (64, ""), "{args:?}");
        assert!(ran.stderr.contains(why), "{args:?}: {}", ran.stderr);
        for part in token.split('.') {
            assert!(!ran.stderr.contains(part), "{}", ran.stderr);
        }
    }
    let args = [
        "simulate",
        "push",
        "http://127.0.0.1",
        "--token=x",
        "--json",
    ];
    let ran = go_auth(&args).run().await;
    assert_eq!((ran.status, &ran.json()["error"]), (64, &"usage".into()));
}
