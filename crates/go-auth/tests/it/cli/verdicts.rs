//! The command's verdict on any token is the gate's own, and its checks fit its verdict.

use derbysoft_go_auth::GoAuth as Gate;
use derbysoft_go_auth::authenticate::VerifyErrorKind as Kind;
use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_auth::keys::KeySet;
use fastrand::Rng;
use serde_json::Value;

use super::{GoAuth, file, go_auth, path};
use test_support::corpus::random_token;
use test_support::forge::{AUDIENCE, ISSUER, KID, NOW, document, good, key_set, verifier_with};
use test_support::{SUBJECT, World, refused_tokens, runtime, secs, verdict};

const TOKENS: usize = 600;

/// That what the command says of a token holds together: its checks have a reason for its
/// verdict, or none against it.
#[track_caller]
fn assert_sound(said: &Value, token: &str) {
    let checks = said["checks"].as_array().expect("checks");
    let failed: Vec<_> = (checks.iter())
        .filter(|check| check["ok"] == false)
        .collect();
    match said["verdict"].as_str() {
        Some("valid") => {
            assert_eq!(said["kind"], Value::Null);
            assert!(failed.is_empty(), "{said} of {token}");
            assert!(checks.iter().all(|check| check["ok"] == true), "{said}");
        }
        Some("refused") => {
            let decisive = failed.iter().any(|check| check["kind"] == said["kind"]);
            assert!(decisive, "{said} of {token}");
        }
        Some("unknown") => assert_eq!(said["kind"], "keys_unavailable", "{said} of {token}"),
        _ => panic!("no verdict: {said}"),
    }
    for check in checks {
        for text in ["check", "expected", "found"] {
            assert!(!check[text].as_str().expect("a text").is_empty(), "{check}");
        }
    }
}

/// What the command says, and that its status says the same.
#[track_caller]
fn said(command: GoAuth, token: &str) -> Value {
    let ran = command.stdin(token).run_here();
    assert_eq!(ran.stderr, "", "{token}");
    let said = ran.json();
    let status = match said["verdict"].as_str() {
        Some("valid") => 0,
        Some("refused") => 1,
        _ => 2,
    };
    assert_eq!(ran.status, status, "{said}");
    assert_sound(&said, token);
    said
}

fn offline(keys: &str, at: u64) -> GoAuth {
    go_auth(&["verify", "--json", "--keys", keys, "--at"])
        .arg(at.to_string())
        .var("GO_AUTH_ISSUER", ISSUER)
        .var("GO_AUTH_AUDIENCE", AUDIENCE)
}

/// One without white space, which is what surrounds and folds a token that is pasted.
fn token(rng: &mut Rng) -> String {
    let mut tokens = std::iter::repeat_with(|| random_token(rng));
    let token = tokens.find(|token| !token.contains(char::is_whitespace));
    token.expect("endless")
}

#[test]
fn the_verdict_is_that_of_the_verifier() {
    let keys = document(&[good().jwk(KID)]);
    let in_file = file(&keys);
    let keys = KeySet::from_document(&keys).expect("a good document");
    let verifier = verifier_with(|_| ());
    let mut rng = Rng::with_seed(0x5eed);
    let mut valid = 0;
    for _ in 0..TOKENS {
        let token = token(&mut rng);
        let now = test_support::corpus::now();
        let said = said(offline(path(&in_file), now), &token);
        match verifier.verify(&token, &keys, UnixTime::from_secs(now)) {
            Ok(_) => {
                valid += 1;
                assert_eq!(said["verdict"], "valid", "{said} of {token}");
            }
            Err(error) => {
                assert_eq!(said["verdict"], "refused", "{said} of {token}");
                assert_eq!(said["kind"], error.kind().as_str(), "{said} of {token}");
                assert_eq!(said["detail"], error.detail(), "{said} of {token}");
            }
        }
    }
    assert!((TOKENS / 10..TOKENS).contains(&valid), "{valid} are valid");
}

#[test]
fn without_keys_only_a_key_could_change_unknown() {
    let nobody = "http://127.0.0.1:1/keys";
    let verifier = verifier_with(|_| ());
    let mut rng = Rng::with_seed(0xdead);
    let mut unknown = 0;
    for _ in 0..TOKENS / 5 {
        let token = token(&mut rng);
        let now = test_support::corpus::now();
        let command = go_auth(&["verify", "--json", "--jwks-url", nobody, "--at"])
            .arg(now.to_string())
            .var("GO_AUTH_ISSUER", ISSUER)
            .var("GO_AUTH_AUDIENCE", AUDIENCE);
        let said = said(command, &token);
        let error = verifier
            .verify(&token, &KeySet::default(), UnixTime::from_secs(now))
            .expect_err("no token is good without a key");
        if error.kind() == Kind::UnknownKey {
            unknown += 1;
            assert_eq!(said["verdict"], "unknown", "{said} of {token}");
        } else {
            assert_eq!(said["verdict"], "refused", "{said} of {token}");
            assert_eq!(said["kind"], error.kind().as_str(), "{said} of {token}");
        }
    }
    assert!(unknown > TOKENS / 50, "{unknown} are unknown");
}

#[test]
fn kind_and_detail_are_those_of_the_verifier() {
    let keys = document(&[good().jwk(KID)]);
    let in_file = file(&keys);
    let keys = key_set(&[good().jwk(KID)]);
    let verifier = verifier_with(|config| {
        config.subjects = vec![SUBJECT.to_owned()];
        config.max_lifetime = Some(secs(300));
        config.required_claims = vec![derbysoft_go_auth::authenticate::RequiredClaim::Jti];
    });
    let tokens = refused_tokens(&test_support::forge::mint());
    assert_eq!(tokens.len(), 14);
    for (kind, token) in tokens {
        let command = offline(path(&in_file), NOW)
            .var("GO_AUTH_SUBJECTS", SUBJECT)
            .arg("--max-lifetime=300s")
            .arg("--required-claims=jti");
        let said = said(command, &token);
        let error = verifier
            .verify(&token, &keys, UnixTime::from_secs(NOW))
            .expect_err(kind);
        assert_eq!(
            (error.kind().as_str(), &said["verdict"]),
            (kind, &"refused".into())
        );
        assert_eq!(said["kind"], kind);
        assert_eq!(said["detail"], error.detail());
    }
}

/// Several issuers, one of another environment, and access tokens, all at once: what
/// decides is the gate and not a verifier.
#[test]
fn the_verdict_is_that_of_the_gate() {
    let runtime = runtime();
    let (ours, next) = runtime.block_on(async { (World::new().await, World::new().await) });
    let held = "53ac0777aaaaaaaaaaaaaaaaaaaaaaaa";
    let tokens = file(format!(
        "[[token]]\napi = \"availability-peer\"\ntoken = \"{held}\"\nissued = {}\n",
        ours.time()
    ));
    let settings = format!(
        r#"
        environment = "production"
        issuer = "{}"
        audience = ["ZKT"]
        jwks_url = "{}"
        access_tokens = {:?}
        [[issuers]]
        environment = "production"
        issuer = "https://id/next"
        audience = ["NEXT"]
        jwks_url = "{}"
        [[issuers]]
        issuer = "https://id/elsewhere"
        environment = "certification"
        "#,
        ours.go.issuer(),
        ours.go.jwks_url(),
        tokens.path(),
        next.go.jwks_url(),
    );
    let settings_file = file(&settings);
    let gate: Gate = toml::from_str::<derbysoft_go_auth::Config>(&settings)
        .expect("settings")
        .build()
        .expect("a gate");
    runtime.block_on(gate.ready()).expect("GO is well, twice");

    let theirs = || next.mint().issuer("https://id/next");
    let table = [
        ("ok", ours.token()),
        ("ok", theirs().audience("NEXT").token()),
        ("audience", theirs().token()),
        (
            "unknown_key",
            next.mint().claim("iat", 1_600_000_000).token(),
        ),
        (
            "wrong_environment",
            ours.mint().issuer("https://id/elsewhere").token(),
        ),
        ("issuer", ours.mint().issuer("https://id/nobody").token()),
        ("missing_claim", ours.mint().without("iss").token()),
        ("claims", ours.mint().claim("iss", 1).token()),
        ("claims", ours.mint().claim("exp", "soon").token()),
        ("claims", ours.mint().raw_payload("[]").token()),
        ("algorithm", ours.mint().header("alg", "none").token()),
        ("header", ours.mint().without_header("kid").token()),
        ("malformed", "a.b.c".to_owned()),
        ("too_long", format!("{}.b.c", "a".repeat(9000))),
        ("ok", held.to_owned()),
        (
            "unknown_access_token",
            "53ac0777bbbbbbbbbbbbbbbbbbbbbbbb".to_owned(),
        ),
        ("unknown_access_token", "a.b".to_owned()),
        ("too_long", "a".repeat(1025)),
    ];
    for (expected, token) in table {
        assert_eq!(
            runtime.block_on(verdict(&gate, &token)),
            expected,
            "{token}"
        );
        let command = go_auth(&["verify", "--json", "--config", path(&settings_file)]);
        let said = said(command, &token);
        let kind = said["kind"].as_str().unwrap_or("ok");
        assert_eq!(kind, expected, "{said} of {token}");
    }
}
