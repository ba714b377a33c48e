//! The command prints no token, and text from an attacker can't steer a terminal.

use super::{GoAuth, Ran, file, go_auth, path, strict_verify};
use test_support::forge::{KID, document, good};
use test_support::{World, refused_tokens};

/// A terminal's commands, quotes and a letter that reads backwards: all that could do
/// harm.
const MARK: &str = "MaRk\u{1b}[31m\u{1b}]0;x\u{7}\r\n\u{8}\u{9b}1m\u{202e}\"\\\u{0}";

/// Each segment of a token long enough to give something away.
fn parts(token: &str) -> impl Iterator<Item = &str> {
    let parts = token.split(['.', ' ', '\'', '\n']);
    parts.filter(|part| part.len() > 8 && !part.starts_with("Authorization"))
}

/// Nothing but printable ASCII, line ends, and the marks of a UTF-8 terminal.
#[track_caller]
fn assert_harmless(ran: &Ran) {
    let harmless = |c| matches!(c, ' '..='~' | '\n' | '✓' | '✗' | '·');
    assert!(ran.all().chars().all(harmless), "{:?}", ran.all());
}

#[track_caller]
fn assert_secret(ran: &Ran, token: &str) {
    for part in parts(token) {
        assert!(!ran.all().contains(part), "{part}: {}", ran.all());
    }
}

#[tokio::test]
async fn no_part_of_a_token_is_printed() {
    let world = World::new().await;
    let mut tokens = refused_tokens(&world.go.mint());
    tokens.push(("ok", world.token()));
    tokens.push((
        "malformed",
        format!("{}.53ac0777000000000000", "53ac0777".repeat(4)),
    ));
    let pasted: Vec<_> = (tokens.iter())
        .flat_map(|(kind, token)| {
            [
                (*kind, format!("curl -H 'Authorization: Bearer {token}' x")),
                (*kind, format!("a line {token} of a log")),
            ]
        })
        .collect();
    tokens.push(("two", format!("{}\n{}", world.token(), world.unknown())));
    for (kind, token) in tokens.into_iter().chain(pasted) {
        for format in [&["--color=never"][..], &["--json"], &["--color=always"]] {
            let mut command = strict_verify(&world).stdin(&*token);
            for arg in format {
                command = command.arg(*arg);
            }
            let ran = command.run().await;
            let expected = if kind == "two" { 64..=64 } else { 0..=1 };
            assert!(expected.contains(&ran.status), "{kind}: {}", ran.all());
            assert_secret(&ran, &token);
        }
    }
}

#[tokio::test]
async fn text_from_an_attacker_is_escaped() {
    let world = World::new().await;
    let mint = || world.go.mint();
    let mut name = MARK.to_owned();
    name.retain(|c| c != '\0');
    for token in [
        mint().kid(MARK).token(),
        mint().header("alg", MARK).token(),
        mint().header("typ", MARK).token(),
        mint()
            .header(&*name, MARK)
            .header("crit", vec![MARK])
            .token(),
        mint().issuer(MARK).token(),
        mint().audience(MARK).token(),
        mint().audiences([MARK, "b"]).token(),
        mint().subject(MARK).token(),
        mint().token_id(MARK).token(),
        mint().claim("exp", MARK).token(),
        mint().claim("nbf", vec![MARK]).token(),
        mint().raw_header(MARK).token(),
        mint().raw_payload(MARK).token(),
        MARK.to_owned(),
        format!("{MARK}.{MARK}.{MARK}"),
        format!("Authorization: {MARK}"),
    ] {
        for format in ["--json", "--color=never"] {
            for lang in ["C", "C.UTF-8"] {
                let command = strict_verify(&world).var("LANG", lang).arg(format);
                let ran = command.stdin(&*token).run().await;
                assert!(ran.status < 2, "{}", ran.all());
                assert_harmless(&ran);
                assert_secret(&ran, &token);
            }
        }
    }
    // It is shown all the same.
    let ran = strict_verify(&world)
        .stdin(mint().subject(MARK).token())
        .run()
        .await;
    ran.shows("\"MaRk\\u{1b}[31m");
}

#[tokio::test]
async fn little_of_very_long_claims_is_printed() {
    let world = World::new().await;
    let long = "\u{10ffff}".repeat(600);
    let token = (world.go.mint())
        .audiences(vec![&*long; 1])
        .subject(&*long)
        .issuer(&*long)
        .token_id("x".repeat(600));
    let command = || go_auth(&["verify", "--max-token-bytes=65536"]).knowing(&world);
    let text = command().stdin(token.token()).run().await;
    assert_eq!(text.status, 1);
    assert!(text.stdout.len() < 8000, "{}", text.stdout.len());
    let json = command().arg("--json").stdin(token.token()).run().await;
    assert!(json.stdout.len() < 16_000, "{}", json.stdout.len());
}

/// Wherever a user puts a token by mistake, it stays out of the terminal's memory.
#[test]
fn a_token_among_the_arguments_is_not_repeated() {
    let jwt = test_support::forge::mint().token();
    let keys = file(document(&[good().jwk(KID)]));
    for token in [
        &*jwt,
        "53ac077700000000000000000000abcd",
        "p;fdHalvm27A)2UA",
    ] {
        let assigned = |flag: &str| format!("{flag}={token}");
        let table: Vec<Vec<String>> = vec![
            vec![token.to_owned()],
            vec!["verify".to_owned(), token.to_owned()],
            vec!["verify".to_owned(), "--".to_owned(), token.to_owned()],
            vec!["verify".to_owned(), "--token".to_owned(), token.to_owned()],
            vec!["verify".to_owned(), assigned("--token")],
            vec![
                "verify".to_owned(),
                "--token-file".to_owned(),
                token.to_owned(),
            ],
            vec!["verify".to_owned(), assigned("--keys")],
            vec!["verify".to_owned(), assigned("--config")],
            vec!["verify".to_owned(), assigned("--at")],
            vec!["verify".to_owned(), assigned("--api")],
            vec!["verify".to_owned(), assigned("--leeway")],
            vec!["verify".to_owned(), assigned("--required-claims")],
            vec![
                "verify".to_owned(),
                "--access-tokens".to_owned(),
                token.to_owned(),
            ],
            vec!["keys".to_owned(), token.to_owned()],
            vec!["keys".to_owned(), assigned("--jwks-url")],
            vec!["man".to_owned(), token.to_owned()],
            vec!["man".to_owned(), "simulate".to_owned(), token.to_owned()],
            vec!["simulate".to_owned(), token.to_owned()],
            vec!["simulate".to_owned(), assigned("--origin")],
            vec!["simulate".to_owned(), "push".to_owned(), token.to_owned()],
            vec![
                "simulate".to_owned(),
                "push".to_owned(),
                "http://127.0.0.1:1".to_owned(),
                "--token".to_owned(),
                token.to_owned(),
            ],
            vec![
                "simulate".to_owned(),
                "push".to_owned(),
                "http://127.0.0.1:1".to_owned(),
                assigned("--simulator"),
            ],
            vec!["completions".to_owned(), token.to_owned()],
            vec![assigned("--color"), "keys".to_owned()],
        ];
        for args in table {
            for format in [&[][..], &["--json"]] {
                let mut command: GoAuth = go_auth(format);
                for arg in &args {
                    command = command.arg(&**arg);
                }
                let command = command
                    .var("GO_AUTH_ISSUER", "i")
                    .var("GO_AUTH_AUDIENCE", "a")
                    .arg("--danger-allow-http");
                let ran = command.run_here();
                assert_eq!(ran.status, 64, "{args:?}: {}", ran.all());
                assert!(!ran.all().contains(token), "{}", ran.all());
                assert_secret(&ran, token);
            }
        }
    }
    let ran = go_auth(&["verify", "--keys", path(&keys), &jwt]).run_here();
    ran.reports("A token is not passed as an argument");
    ran.reports("--token-file");
}
