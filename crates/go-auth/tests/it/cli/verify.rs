//! `go-auth verify` on every kind of token: output and exit status.

use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_simulator::{Encoding, Fault, PublishedKey, SignatureKind, SigningKey};

use serde_json::json;

use super::{check, file, go_auth, path, strict_verify};
use test_support::{World, refused_tokens, secs};

#[tokio::test]
async fn a_genuine_token_passes_every_check() {
    let world = World::new().await;
    let ran = strict_verify(&world).stdin(world.token()).run().await;
    assert_eq!((ran.status, &*ran.stderr), (0, ""));
    assert!(
        ran.stdout.starts_with("ok valid for another 4 minutes"),
        "{}",
        ran.stdout
    );
    let marks: Vec<_> = (ran.stdout.lines().skip(3))
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            line.split_whitespace()
                .next()
                .filter(|_| !line.starts_with(' '))
        })
        .collect();
    assert_eq!(marks, ["ok"; 15], "{}", ran.stdout);
    assert!(!ran.stdout.contains("next:"), "{}", ran.stdout);
    for shown in [
        "ds-go-module",
        "jti \"",
        &*world.go.signing_kid(),
        &world.go.jwks_url(),
    ] {
        ran.shows(shown);
    }
}

#[tokio::test]
async fn each_kind_of_rejection_is_named_with_status_1() {
    let world = World::new().await;
    for (kind, token) in refused_tokens(&world.go.mint()) {
        let ran = strict_verify(&world).stdin(token).run().await;
        assert_eq!((ran.status, &*ran.stderr), (1, ""), "{kind}");
        let first = ran.stdout.lines().next().expect("a line");
        assert!(first.starts_with("FAIL rejected: "), "{first}");
        assert!(first.ends_with(&format!(" ({kind})")), "{first}");
        ran.shows("\nFAIL  ");
        ran.shows("\nnext: ");
    }
}

/// Checks go on after the first that fails.
#[tokio::test]
async fn everything_wrong_with_a_token_is_shown() {
    let world = World::new().await;
    let forged = (world.go.mint())
        .key(SigningKey::pooled())
        .header("typ", "JWE")
        .audience("other")
        .subject("nobody")
        .expires_in(-180)
        .without("jti")
        .token();
    let ran = strict_verify(&world)
        .arg("--json")
        .stdin(forged)
        .run()
        .await;
    let said = ran.json();
    assert_eq!(
        (said["verdict"].as_str(), said["kind"].as_str()),
        (Some("refused"), Some("header"))
    );
    for (name, kind) in [
        ("header", "header"),
        ("signature", "signature"),
        ("aud", "audience"),
        ("exp", "expired"),
        ("required", "missing_claim"),
        ("sub", "subject"),
    ] {
        let check = check(&said, name);
        assert_eq!(
            (&check["ok"], &check["kind"]),
            (&false.into(), &kind.into()),
            "{check}"
        );
    }
    for name in [
        "length", "form", "alg", "kid", "key", "claims", "iss", "nbf", "lifetime",
    ] {
        assert_eq!(check(&said, name)["ok"], true, "{name}: {said}");
    }
}

#[tokio::test]
async fn a_claim_of_a_wrong_type_fails_its_own_check() {
    let world = World::new().await;
    for (claim, value) in [
        ("iss", json!(["a"])),
        ("aud", json!(1)),
        ("exp", json!("soon")),
        ("nbf", json!(null)),
        ("sub", json!({"a": 1})),
    ] {
        let token = world.mint().claim(claim, value.clone()).token();
        let ran = strict_verify(&world).arg("--json").stdin(token).run().await;
        let said = ran.json();
        assert_eq!(said["kind"], "claims");
        for name in ["claims", claim] {
            assert_eq!(check(&said, name)["kind"], "claims", "{name}: {said}");
        }
        let found = check(&said, claim)["found"].as_str().expect("a text");
        assert!(found.starts_with(&value.to_string()), "{found}");
    }
    // A claim without its own check is shown, and not taken for absent.
    let token = world.mint().claim("jti", 1).token();
    let said = strict_verify(&world)
        .arg("--json")
        .stdin(token)
        .run()
        .await
        .json();
    assert_eq!(check(&said, "claims")["found"], "jti is not a string");
    assert_eq!(check(&said, "required")["ok"], serde_json::Value::Null);
}

#[tokio::test]
async fn a_key_file_may_have_a_byte_order_mark() {
    let world = World::new().await;
    let keys = file(["\u{feff}".as_bytes(), &world.go.document()].concat());
    let ran = go_auth(&["verify", "--keys", path(&keys)])
        .var("GO_AUTH_ISSUER", world.go.issuer())
        .var("GO_AUTH_AUDIENCE", world.go.audience())
        .stdin(world.go.mint().token())
        .run()
        .await;
    assert_eq!(ran.status, 0, "{}", ran.all());
}

#[tokio::test]
async fn times_are_shown_in_words() {
    let world = World::new().await;
    let issued = 1_800_000_000;
    let token = world.go.mint().at(UnixTime::from_secs(issued)).token();
    let keys = file(world.go.document());
    for (at, shown) in [
        (
            "1800000048",
            "valid for another 4 minutes 12 seconds (2027-01-15T08:05:00Z)",
        ),
        (
            "2027-01-15T08:05:10Z",
            "expired 10 seconds ago, within the leeway",
        ),
        (
            "2027-01-15T16:08:00+08:00",
            "expired 3 minutes ago (2027-01-15T08:05:00Z)",
        ),
        (
            "2027-01-15T07:57:00Z",
            "not valid for another 1 minute (2027-01-15T07:58:00Z)",
        ),
        (
            "2027-01-15T07:57:45Z",
            "valid in 15 seconds, within the leeway",
        ),
    ] {
        let ran = go_auth(&["verify", "--keys", path(&keys), "--at", at])
            .var("GO_AUTH_ISSUER", world.go.issuer())
            .var("GO_AUTH_AUDIENCE", world.go.audience())
            .var("COLUMNS", "160")
            .stdin(&*token)
            .run()
            .await;
        assert!(ran.stdout.contains(shown), "{at}: {}", ran.stdout);
        ran.shows("as given by --at");
    }
    assert_eq!(
        world.go.total_requests(),
        0,
        "with --keys nothing is fetched"
    );
}

#[tokio::test]
async fn unreachable_keys_give_status_2_and_no_verdict() {
    let world = World::new().await;
    for (fault, why) in [
        (Fault::Cut, "no keys to be had"),
        (
            Fault::Status(503),
            "the key address answered with status 503",
        ),
        (Fault::EmptySet, "the key set has no usable key"),
    ] {
        world.go.fail(fault.clone());
        let ran = strict_verify(&world)
            .var("COLUMNS", "160")
            .stdin(world.token())
            .run()
            .await;
        assert_eq!((ran.status, &*ran.stderr), (2, ""), "{fault:?}");
        let first = ran.stdout.lines().next();
        assert_eq!(
            first,
            Some("- unknown: the keys are not available (keys_unavailable)")
        );
        ran.shows(why);
        // What can be checked without a key is checked.
        let late = world.mint().expires_in(-31).token();
        let ran = strict_verify(&world).arg("--json").stdin(late).run().await;
        assert_eq!((ran.status, &ran.json()["kind"]), (1, &"expired".into()));
        assert_eq!(
            check(&ran.json(), "signature")["ok"],
            serde_json::Value::Null
        );
    }
}

#[tokio::test]
async fn no_key_is_fetched_where_none_could_help() {
    let world = World::new().await;
    for token in [
        "53ac0777".to_owned(),
        world.mint().header("alg", "none").token(),
        world.mint().without_header("kid").token(),
        world.mint().encoding(Encoding::Padded).token(),
    ] {
        assert_eq!(strict_verify(&world).stdin(token).run().await.status, 1);
    }
    assert_eq!(world.go.total_requests(), 0);
}

#[tokio::test]
async fn a_bad_signature_is_shown_with_key_and_length() {
    let world = World::new().await;
    for (signature, found) in [
        (SignatureKind::Corrupted, "not valid"),
        (
            SignatureKind::Truncated,
            "not valid: 255 bytes, and not 256",
        ),
        (SignatureKind::Extended, "not valid: 257 bytes, and not 256"),
        (SignatureKind::Empty, "not valid: 0 bytes, and not 256"),
    ] {
        let token = world.go.mint().signature(signature).token();
        let command = strict_verify(&world).arg("--json");
        let said = command.stdin(token).run().await.json();
        assert_eq!(check(&said, "key")["found"], "RSA, 2048 bits");
        assert_eq!(check(&said, "signature")["found"], found);
    }
}

#[tokio::test]
async fn missing_required_claims_are_named() {
    let world = World::new().await;
    let names = ["nbf", "iat", "jti", "sub"];
    let verify = || {
        go_auth(&["verify", "--json"])
            .knowing(&world)
            .var("GO_AUTH_REQUIRED_CLAIMS", names.join(","))
    };
    for name in names {
        let token = world.go.mint().without(name).token();
        let said = verify().stdin(token).run().await.json();
        let required = check(&said, "required");
        let (expected, found) = (&required["expected"], &required["found"]);
        for name in names {
            assert!(expected.as_str().expect("a text").contains(name), "{said}");
        }
        assert!(found.as_str().expect("a text").contains(name), "{said}");
        assert_eq!(required["ok"], false, "{said}");
    }
}

#[tokio::test]
async fn for_an_unknown_key_published_ones_are_named() {
    let world = World::new().await;
    let ran = strict_verify(&world)
        .var("COLUMNS", "160")
        .stdin(world.unknown())
        .run()
        .await;
    let kids = world.go.published_keys();
    for kid in kids.iter().filter_map(PublishedKey::kid) {
        assert!(ran.stdout.contains(kid), "{kid}: {}", ran.stdout);
    }
    ran.shows("go-auth keys");
}

#[tokio::test]
async fn a_token_may_be_given_as_a_whole_header() {
    let world = World::new().await;
    let token = world.token();
    for input in [
        format!("{token}\n"),
        format!("{token}\r\n"),
        format!("Bearer {token}\n"),
        format!("bearer   {token}"),
        format!("Authorization: Bearer {token}\r\n"),
        format!("authorization:{token}\n"),
    ] {
        let ran = strict_verify(&world).stdin(input).run().await;
        assert_eq!(ran.status, 0, "{}", ran.all());
    }
    for (value, kind) in [
        (
            "Basic dXNlcjpwYXNzd29yZA==".to_owned(),
            "missing_credentials",
        ),
        (format!("Bearer {token}, Bearer {token}"), "invalid_request"),
        (format!("Bearer {token} x"), "invalid_request"),
        ("Bearer".to_owned(), "invalid_request"),
        (String::new(), "invalid_request"),
        ("Bearer a\u{1b}[2J".to_owned(), "invalid_request"),
    ] {
        let input = format!("Authorization: {value}");
        let ran = strict_verify(&world).arg("--json").stdin(input).run().await;
        let said = ran.json();
        assert_eq!((ran.status, &said["kind"]), (1, &kind.into()), "{value}");
        assert_eq!(check(&said, "credential")["kind"], kind);
        assert!(!ran.stdout.contains("dXNl"), "{}", ran.stdout);
    }
}

#[tokio::test]
async fn a_token_is_found_in_what_was_pasted() {
    let world = World::new().await;
    let token = world.token();
    let (start, end) = token.split_at(100);
    for (input, place) in [
        (format!("{token}\n"), None),
        (format!("  {start}\n  {end}\n"), Some("on 2 lines")),
        (format!("\"{token}\""), Some("in quotes")),
        (
            format!("Authorization: Bearer {token}\r\n"),
            Some("in an Authorization header"),
        ),
        (
            format!("curl -H 'Authorization: Bearer {start}\n{end}' \\\n  https://x/ping\n"),
            Some("in an Authorization header, on 2 lines"),
        ),
        (
            format!("2026-11-01 INFO headers={{\"authorization\": \"Bearer {token}\"}}"),
            Some("in an Authorization header"),
        ),
        (
            format!("2026-11-01 WARN rejected {token} from ::1"),
            Some("in a longer text"),
        ),
    ] {
        let ran = strict_verify(&world).stdin(&*input).run().await;
        assert_eq!(ran.status, 0, "{}", ran.all());
        match place {
            Some(place) => ran.shows(&format!("input: token found {place}\n")),
            None => assert!(!ran.stdout.contains("input:"), "{}", ran.stdout),
        }
        let ran = strict_verify(&world).arg("--json").stdin(input).run().await;
        let said = ran.json();
        assert_eq!(said.get("token_from").and_then(|it| it.as_str()), place);
    }
}

#[tokio::test]
async fn of_different_tokens_none_is_chosen() {
    let world = World::new().await;
    let (one, other) = (world.token(), world.mint().subject("x").token());
    let input = format!("Bearer {one}\nBearer {other}\n");
    let ran = strict_verify(&world).stdin(&*input).run().await;
    assert_eq!((ran.status, &*ran.stdout), (64, ""));
    ran.reports("there are different tokens in the input: pass one of them");
    let twice = format!("Bearer {one}\nBearer {one}\n");
    assert_eq!(strict_verify(&world).stdin(twice).run().await.status, 0);
}

#[tokio::test]
async fn with_a_token_file_standard_input_is_not_read() {
    let world = World::new().await;
    let token = file(world.token() + "\n");
    let ran = strict_verify(&world)
        .arg(format!("--token-file={}", path(&token)))
        .stdin("not this one")
        .run()
        .await;
    assert_eq!(ran.status, 0, "{}", ran.all());
}

#[tokio::test]
async fn more_input_than_any_token_has_is_too_long() {
    let world = World::new().await;
    for bytes in [8193, 64 * 1024, 64 * 1024 + 1, 1024 * 1024] {
        let ran = strict_verify(&world)
            .arg("--json")
            .stdin("a".repeat(bytes))
            .run()
            .await;
        assert_eq!(
            (ran.status, &ran.json()["kind"]),
            (1, &"too_long".into()),
            "{bytes}"
        );
    }
}

#[tokio::test]
async fn the_fault_of_a_malformed_token_is_located() {
    let world = World::new().await;
    let token = world.token();
    let [header, payload, signature] = test_support::forge::segments(&token);
    for (token, shown) in [
        (payload.to_owned(), "no dot: one segment".to_owned()),
        (format!("{header}.{payload}"), "2 segments".to_owned()),
        (
            format!("{header}.{payload}. {signature}"),
            format!(
                "the signature has a space as byte {} of the token",
                header.len() + payload.len() + 3
            ),
        ),
        (
            format!("{header}.{payload}.{signature}=="),
            format!(
                "the signature has padding (=) as byte {} of the token",
                token.len() + 1
            ),
        ),
        (
            format!("{header}.{payload}.{}", &signature[..signature.len() - 1]),
            "the signature has a length that base64url can't have: it was cut or grew".to_owned(),
        ),
    ] {
        let ran = strict_verify(&world).arg("--json").stdin(token).run().await;
        let said = ran.json();
        assert_eq!(said["kind"], "malformed");
        assert_eq!(check(&said, "form")["found"], shown);
        let has_claims = shown.starts_with("the signature");
        let iss = &check(&said, "iss")["ok"];
        assert_eq!(
            *iss,
            if has_claims {
                true.into()
            } else {
                serde_json::Value::Null
            }
        );
    }
}

#[tokio::test]
async fn a_subtle_difference_of_claims_is_explained() {
    let world = World::new().await;
    let (issuer, audience) = (world.go.issuer(), world.go.audience());
    let other = |issuer: String| world.mint().issuer(issuer).token();
    for (token, name, only) in [
        (other(format!("{issuer}/")), "iss", "a / at its end, which"),
        (other(issuer.to_lowercase()), "iss", "upper and lower case"),
        (other(format!("{issuer} ")), "iss", "white space"),
        (
            other(issuer.replace("https", "http")),
            "iss",
            "http instead of https",
        ),
        (
            world.mint().audience(audience.to_lowercase()).token(),
            "aud",
            "upper and lower case",
        ),
        (
            world.mint().subject("DS-go-module").token(),
            "sub",
            "upper and lower case",
        ),
    ] {
        let ran = strict_verify(&world).stdin(&*token).run().await;
        ran.shows(&format!("\n     differs only in {only}"));
        let ran = strict_verify(&world).arg("--json").stdin(token).run().await;
        let said = ran.json();
        let difference = &check(&said, name)["difference"];
        let found = difference["only"].as_str().expect("words");
        assert!(found.starts_with(only), "{difference}");
    }
}

#[tokio::test]
async fn the_first_difference_of_long_claims_is_marked() {
    let world = World::new().await;
    let issuer = world.go.issuer();
    let found = issuer.replace("id", "\u{456}d");
    let token = world.mint().issuer(found).token();
    for width in ["40", "100", "160"] {
        let command = strict_verify(&world).var("COLUMNS", width);
        let ran = command.stdin(&*token).run().await;
        let note = ran
            .stdout
            .lines()
            .skip_while(|line| !line.contains("differs from character"));
        let note: Vec<_> = note.take(4).collect();
        let [said, expected, found, mark] = note[..] else {
            panic!("{}", ran.stdout);
        };
        assert_eq!(said, "     differs from character 9 on:");
        let at = mark.find('^').expect("a mark");
        assert!(expected[at..].starts_with("id/84A2"), "{expected}");
        assert!(found[at..].starts_with("\\u{456}d/84"), "{found}");
        assert_eq!(expected[14..at], found[14..at]);
    }
    let ran = strict_verify(&world).arg("--json").stdin(token).run().await;
    let said = ran.json();
    assert_eq!(check(&said, "iss")["difference"], json!({ "at": 9 }));
    // Nothing to add to what can be seen at a glance.
    let token = world.mint().audience("other").token();
    let ran = strict_verify(&world).arg("--json").stdin(token).run().await;
    let said = ran.json();
    assert_eq!(check(&said, "aud").get("difference"), None);
}

#[tokio::test]
async fn the_json_has_the_documented_shape() {
    let world = World::new().await;
    let mint = world.mint().token_id("QXcqzneuVBbRPn194ks9AQ");
    let ran = strict_verify(&world)
        .arg("--json")
        .stdin(mint.token())
        .run()
        .await;
    let said = ran.json();
    let names: Vec<_> = said["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .map(|check| check["check"].as_str().expect("a name"))
        .collect();
    assert_eq!(
        names,
        [
            "length",
            "form",
            "header",
            "alg",
            "kid",
            "key",
            "signature",
            "claims",
            "iss",
            "aud",
            "exp",
            "nbf",
            "required",
            "lifetime",
            "sub",
        ]
    );
    assert_eq!(
        check(&said, "aud"),
        &serde_json::json!({"check":"aud","expected":"\"ZKT\"","found":"\"ZKT\"","ok":true})
    );
    assert_eq!(
        (&said["verdict"], &said["kind"]),
        (&"valid".into(), &serde_json::Value::Null)
    );
    assert_eq!(said["keys_from"], world.go.jwks_url());
    let token = &said["token"];
    assert_eq!(token["key_id"], world.go.signing_kid());
    assert_eq!(token["token_id"], "QXcqzneuVBbRPn194ks9AQ");
    assert_eq!(token["issued_at"], world.time().to_string());
    let expires_at = world.time().saturating_add(secs(300));
    assert_eq!(token["expires_at"], expires_at.to_string());
    assert_eq!(
        (&token["issuer"], &token["audience"][0]),
        (&world.go.issuer().into(), &"ZKT".into())
    );
}

#[tokio::test]
async fn an_empty_input_is_wrong_usage() {
    let world = World::new().await;
    for input in ["", "\n", "Bearer \r\n"] {
        let ran = strict_verify(&world).stdin(input).run().await;
        assert_eq!(ran.status, 64, "{input:?}");
        ran.reports("no token: pass it");
        let ran = strict_verify(&world).arg("--json").stdin(input).run().await;
        assert_eq!((ran.status, &ran.json()["error"]), (64, &"usage".into()));
    }
}
