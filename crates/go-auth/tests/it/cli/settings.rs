//! Settings of the command: their sources, precedence and faults.

use super::{GoAuth, check, file, go_auth, path};
use test_support::forge::{KID, NOW, document, good, mint};

/// What was expected of `aud` and `exp`, which shows the audience and the leeway in
/// force.
#[track_caller]
fn in_force(command: GoAuth) -> (String, String) {
    let ran = command.stdin(mint().token()).run_here();
    assert!(ran.status < 2, "{}", ran.all());
    let expected = |name| {
        check(&ran.json(), name)["expected"]
            .as_str()
            .expect("a text")
            .to_owned()
    };
    (expected("aud"), expected("exp"))
}

fn offline(keys: &str) -> GoAuth {
    go_auth(&["verify", "--json", "--keys", keys, "--at"]).arg(NOW.to_string())
}

#[test]
fn flags_override_file_overrides_environment() {
    let keys = file(document(&[good().jwk(KID)]));
    let settings = file("issuer = \"i\"\naudience = [\"of the file\"]\nleeway = \"2s\"\n");
    let everywhere = || {
        offline(path(&keys))
            .var("GO_AUTH_ISSUER", "of the environment")
            .var("GO_AUTH_AUDIENCE", "of the environment")
            .var("GO_AUTH_LEEWAY", "1s")
    };
    let with = |audience: &str, leeway: &str| {
        (
            format!("\"{audience}\""),
            format!("in the future (leeway {leeway})"),
        )
    };
    assert_eq!(in_force(everywhere()), with("of the environment", "1s"));
    let with_file = || everywhere().arg("--config").arg(path(&settings));
    assert_eq!(in_force(with_file()), with("of the file", "2s"));
    let one_flag = with_file().arg("--leeway=3s");
    assert_eq!(in_force(one_flag), with("of the file", "3s"));
    let flags = with_file().arg("--leeway=3s").arg("--audience=of the flag");
    assert_eq!(in_force(flags), with("of the flag", "3s"));
    // What is overridden need not even be good.
    let broken = with_file().var("GO_AUTH_LEEWAY", "soon");
    assert_eq!(in_force(broken), with("of the file", "2s"));
    // The variable names a file too, unless the flag does.
    let by_variable = |file| everywhere().var("GO_AUTH_CONFIG", file);
    let in_variable = by_variable(path(&settings));
    assert_eq!(in_force(in_variable), with("of the file", "2s"));
    let both = by_variable("/nowhere").arg("--config").arg(path(&settings));
    assert_eq!(in_force(both), with("of the file", "2s"));
    let several = with_file().arg("--audience=a,b").arg("--audience=c");
    assert_eq!(in_force(several).0, "one of \"a\", \"b\", \"c\"");
}

#[test]
fn every_fault_of_settings_is_named_by_its_place() {
    let ran = go_auth(&["verify", "--leeway=soon", "--max-lifetime", "0s"])
        .var("GO_AUTH_COOLDOWN", "1ms")
        .var("GO_AUTH_LEWAY", "1s")
        .var("GO_AUTH_REQUIRED_CLAIMS", "foo\u{1b}")
        .run_here();
    assert_eq!((ran.status, &*ran.stdout), (64, ""));
    for fault in [
        "- --leeway is \"soon\", not a duration such as 30s or 5m",
        "- GO_AUTH_LEWAY is not a setting; did you mean GO_AUTH_LEEWAY?",
        "- GO_AUTH_REQUIRED_CLAIMS is \"foo\\u{1b}\", not nbf, iat, jti or sub",
        "- --max-lifetime is zero",
        "- GO_AUTH_COOLDOWN is not from 100ms to 10m",
        "- issuer is required",
        "- audience is required",
        "- jwks_url is required",
    ] {
        ran.reports(&format!("{fault}\n"));
    }
    assert_eq!(
        ran.stderr
            .lines()
            .filter(|line| line.starts_with("- "))
            .count(),
        8
    );

    let ran = go_auth(&["keys", "--json", "--fetch-timeout=soon"]).run_here();
    assert_eq!((ran.status, &*ran.stderr), (64, ""));
    let expected = serde_json::json!({
        "error": "settings",
        "faults": [
            "--fetch-timeout is \"soon\", not a duration such as 30s or 5m",
            "jwks_url is required",
        ],
    });
    assert_eq!(ran.json(), expected);
}

#[test]
fn a_faulty_line_of_the_file_is_named_not_repeated() {
    let token = "53ac077700000000000000000000abcd";
    for (text, shown) in [
        (
            "issuer = \"i\"\nleway = \"1s\"\n".to_owned(),
            "- config: line 2: leway is not a setting; did you mean leeway?",
        ),
        (
            "leeway = \"6m\"\n".to_owned(),
            "- config: line 1: leeway is more than 5m",
        ),
        (
            format!("[[token]]\ntoken = \"{token}\"\n"),
            "- config: line 1: token is not a setting",
        ),
        (format!("issuer = \"i\"\n{token}\n"), "- config: line 2: "),
        (format!("issuer = {token}\n"), "- config: line 1: "),
    ] {
        let settings = file(&text);
        let ran = go_auth(&["verify", "--config", path(&settings)]).run_here();
        assert_eq!((ran.status, &*ran.stdout), (64, ""), "{text}");
        ran.reports(shown);
        assert!(!ran.stderr.contains(token), "{}", ran.stderr);
    }
    // Of a file that is not TOML nothing is known to be absent.
    let broken = file("issuer = x\n");
    let ran = go_auth(&["verify", "--config", path(&broken)]).run_here();
    assert!(!ran.stderr.contains("is required"), "{}", ran.stderr);
    let ran = go_auth(&["verify", "--config", "/nowhere"])
        .var("GO_AUTH_LEWAY", "1s")
        .run_here();
    assert_eq!(ran.status, 64);
    ran.reports("- config: \"/nowhere\": No such file");
    ran.reports("- GO_AUTH_LEWAY is not a setting");
    assert!(!ran.stderr.contains("is required"), "{}", ran.stderr);
}

#[test]
fn each_flag_takes_effect() {
    let keys = file(document(&[good().jwk(KID)]));
    for (flag, name, expected) in [
        ("--issuer=i", "iss", "\"i\""),
        ("--audience=a", "aud", "\"a\""),
        ("--leeway=1m", "nbf", "absent or past (leeway 1m)"),
        ("--subjects=s", "sub", "\"s\""),
        ("--required-claims=jti,nbf", "required", "jti, nbf"),
        ("--max-lifetime=4m", "lifetime", "at most 4m"),
        ("--max-token-bytes=300", "length", "at most 300 bytes"),
    ] {
        let ran = offline(path(&keys))
            .var("GO_AUTH_ISSUER", "of the environment")
            .var("GO_AUTH_AUDIENCE", "of the environment")
            .arg(flag)
            .stdin(mint().token())
            .run_here();
        assert_eq!(check(&ran.json(), name)["expected"], expected, "{flag}");
    }
}

#[test]
fn a_bad_key_document_gives_no_verdict() {
    for (document, shown) in [
        ("[]", "the document is not a JSON Web Key Set"),
        ("{\"keys\":[]}", "the key set has no usable key"),
    ] {
        let keys = file(document);
        let ran = offline(path(&keys))
            .arg("--issuer")
            .arg(test_support::forge::ISSUER)
            .arg("--audience=ZKT")
            .stdin(mint().token())
            .run_here();
        assert_eq!(ran.status, 2, "{}", ran.all());
        let found = check(&ran.json(), "key")["found"].to_string();
        assert!(found.contains(shown), "{found}");
    }
}
