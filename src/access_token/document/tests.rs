use proptest::prelude::*;

use super::*;

/// 2027-01-15T08:00:00Z.
const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

const TOKEN: &str = "53ac077700000000000000000000abcd";

fn read(text: &str) -> Result<AccessTokens, AccessTokensError> {
    AccessTokens::from_toml(text)
}

fn faults(text: &str) -> Vec<String> {
    let error = read(text).expect_err("a fault");
    let texts = error.faults().map(|fault| {
        let text = fault.to_string();
        let line = text
            .strip_prefix("line ")
            .and_then(|it| it.split(':').next());
        assert_eq!(fault.line().map(|it| it.to_string()).as_deref(), line);
        text
    });
    texts.collect()
}

/// One valid entry with this value for `issued`.
fn issued(value: &str) -> String {
    format!("[[token]]\napi = \"availability-peer\"\ntoken = \"{TOKEN}\"\nissued = {value}\n")
}

#[test]
fn tokens_and_digests_are_read() {
    let text = r#"
        # From GO Console, in both of its forms.
        [[token]]
        api = "availability-peer"
        token = "53ac077700000000000000000000abcd"
        issued = 2026-11-01T00:00:00Z

        [[token]]
        api = "availability-peer"
        sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        issued = 2026-06-01T00:00:00Z

        [[token]]
        api = "own"
        token = 'p;fdHalvm27A)2UAa3J8n7NLn5roVP1'
        issued = 2027-01-01 00:00:00.5+08:00
    "#;
    let tokens = read(text).expect("good tokens");
    let own = Api::new("own").expect("a name");
    let at = |seconds| UnixTime::from_secs(seconds);
    let current = tokens.check(TOKEN, &Api::AVAILABILITY_PEER, NOW);
    assert!(!current.expect("accepted").is_previous());
    // The previous one had 7 days from the first of November.
    let previous = |now| tokens.check("abc", &Api::AVAILABILITY_PEER, now);
    assert!(previous(at(1_794_095_999)).expect("accepted").is_previous());
    assert!(previous(at(1_794_096_000)).is_err());
    assert!(
        tokens
            .check("p;fdHalvm27A)2UAa3J8n7NLn5roVP1", &own, NOW)
            .is_ok()
    );
}

#[test]
fn an_issue_date_is_read_only_with_an_offset() {
    let seconds = |value: &str| {
        let tokens = read(&issued(value)).expect("a time");
        let held = tokens.current().next().expect("one token");
        held.issued.expect("it is not revoked").as_secs()
    };
    for (value, expected) in [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-01T00:00:00Z", 1_793_491_200),
        ("2026-11-01 00:00:00z", 1_793_491_200),
        ("2026-11-01T08:00:00+08:00", 1_793_491_200),
        ("2026-10-31T19:00:00-05:00", 1_793_491_200),
        ("2026-11-01T05:45:00.999+05:45", 1_793_491_200),
        ("2024-02-29T12:00:00Z", 1_709_208_000),
        ("1970-01-01T00:00:00+01:00", 0),
    ] {
        assert_eq!(seconds(value), expected, "{value}");
    }
    for bad in [
        "2026-11-01T00:00:00",
        "2026-11-01",
        "00:00:00",
        "\"2026-11-01T00:00:00Z\"",
        "1793491200",
        "true",
        "1969-12-31T23:59:59Z",
    ] {
        let expected = "line 4: issued is not a time with an offset, such as 2026-11-01T00:00:00Z";
        assert_eq!(faults(&issued(bad)), [expected], "{bad}");
    }
    for no_toml in [
        "2026-11-31T00:00:00Z",
        "2026-11-01T24:00:00Z",
        "tomorrow",
        "",
    ] {
        assert_eq!(
            faults(&issued(no_toml)),
            ["line 4: this is not TOML"],
            "{no_toml}"
        );
    }
    // A date ahead of the clock is not a fault of the document.
    assert_eq!(seconds("9999-12-31T23:59:59Z"), 253_402_300_799);
}

#[test]
fn every_fault_is_named_with_its_line() {
    let text = r#"tokens = []
[[token]]
api = "Availability Peer"
token = "short"
issued = 2026-11-01

[[token]]
note = "53ac077700000000000000000000abcd"

[[token]]
api = 1
token = ["53ac077700000000000000000000abcd"]
sha256 = "53ac077700000000000000000000abcd"
issued = 2026-11-01T00:00:00Z

[[token]]
api = "own"
sha256 = "53ac077700000000000000000000abcd"
issued = 2026-11-01T00:00:00Z

[other]
"#;
    assert_eq!(
        faults(text),
        [
            "line 1: there is no such setting; a token has api, token or sha256, issued, and revoked",
            "line 3: an API's name is up to 64 lower-case letters, digits and single hyphens, \
             and begins with a letter",
            "line 4: the token is shorter than 16 characters, and could be guessed",
            "line 5: issued is not a time with an offset, such as 2026-11-01T00:00:00Z",
            "line 7: api is missing",
            "line 7: there is neither token nor sha256",
            "line 7: issued is missing",
            "line 8: there is no such setting; a token has api, token or sha256, issued, and revoked",
            "line 11: api is not a string",
            "line 13: there are both token and sha256",
            "line 18: sha256 is not 64 hex digits",
            "line 21: there is no such setting; a token has api, token or sha256, issued, and revoked",
        ]
    );
}

#[test]
fn faults_between_entries_name_the_later_line() {
    let entry = |api: &str, number: u8, issued: &str| {
        format!("[[token]]\napi = \"{api}\"\ntoken = \"{TOKEN}{number}\"\nissued = {issued}\n")
    };
    let text = [
        entry("a", 1, "2026-01-01T00:00:00Z"),
        entry("a", 2, "2026-01-01T00:00:00Z"),
        entry("b", 3, "2026-01-01T00:00:00Z"),
        entry("b", 4, "2026-01-02T00:00:00Z"),
        entry("b", 5, "2026-01-03T00:00:00Z"),
        entry("c", 1, "2026-01-01T00:00:00Z"),
    ];
    assert_eq!(
        faults(&text.concat()),
        [
            "line 5: another token of a was issued at the same time: which is current?",
            "line 17: this is a third token of b, which has a current and a previous one at most",
            "line 21: this is the same token as another one",
        ]
    );
}

#[test]
fn anything_but_tokens_is_a_fault() {
    let not_tokens = "tokens are written as [[token]]";
    let none = "there is no token; `token = []` says that there are none";
    for (text, expected) in [
        ("", none.to_owned()),
        ("# all gone\n", none.to_owned()),
        ("\ntoken = \"53ac\"", format!("line 2: {not_tokens}")),
        ("[token]\napi = \"own\"", format!("line 1: {not_tokens}")),
        ("token = [\n1]", format!("line 2: {not_tokens}")),
        ("\n\n[[token]", "line 3: this is not TOML".to_owned()),
        ("\ntoken = 53ac", "line 2: this is not TOML".to_owned()),
        ("a = 1\na = 2", "line 2: this is not TOML".to_owned()),
    ] {
        assert_eq!(faults(text), [expected], "{text}");
    }
    let many = "[[token]]\n".repeat(33);
    assert_eq!(faults(&many), ["there are more than 32 tokens"]);
}

#[test]
fn a_document_can_state_that_it_has_no_tokens() {
    for text in ["token = []", "# none any more\ntoken = []\n"] {
        let tokens = read(text).expect("it says so");
        assert_eq!(tokens.apis().count(), 0);
        let refused = tokens.check(TOKEN, &Api::AVAILABILITY_PEER, NOW);
        let kind = refused.expect_err("there are none").kind();
        assert_eq!(kind.as_str(), "unknown_access_token");
    }
}

/// The verdict on the token in these entries.
fn verdict(text: &str) -> &'static str {
    let tokens = read(text).expect("good tokens");
    match tokens.check(TOKEN, &Api::AVAILABILITY_PEER, NOW) {
        Ok(_) => "ok",
        Err(error) => error.kind().as_str(),
    }
}

#[test]
fn an_entry_can_revoke_its_token() {
    let good = issued("2026-11-01T00:00:00Z");
    let in_a_hurry = format!("[[token]]\napi = \"own\"\ntoken = \"{TOKEN}\"\nrevoked = true\n");
    let sha256 = "00f3c0ad19fcfbad1ccbdd6d9bc0b4d9b9b1a9e8c6a6e1d7d7c9a2d9f3c0ad19";
    let another = format!("[[token]]\napi = \"own\"\nsha256 = \"{sha256}\"\nrevoked = true\n");
    for (text, expected) in [
        (good.clone(), "ok"),
        (good.clone() + "revoked = false\n", "ok"),
        (good.clone() + "revoked = true\n", "access_token_revoked"),
        (
            good.replace("issued", "revoked = true\n#"),
            "access_token_revoked",
        ),
        // Whatever another entry says, and in either order.
        (good.clone() + &in_a_hurry, "access_token_revoked"),
        (in_a_hurry.clone() + &good, "access_token_revoked"),
        (in_a_hurry.clone() + &in_a_hurry, "access_token_revoked"),
        (in_a_hurry.clone(), "access_token_revoked"),
        (good.clone() + &another, "ok"),
    ] {
        assert_eq!(verdict(&text), expected, "{text}");
    }
    assert_eq!(
        faults(&(good + "revoked = \"yes\"\n")),
        ["line 5: revoked is neither true nor false"]
    );
}

/// How many tokens an invalid document still revokes.
fn revoked_by(text: &str) -> usize {
    let (_, revoked) = super::read(text, false).expect_err("a fault");
    revoked.len()
}

#[test]
fn an_invalid_document_still_revokes_its_tokens() {
    let good = issued("2026-11-01T00:00:00Z");
    let revoked = good.clone() + "revoked = true\n";
    for (text, expected) in [
        (format!("{revoked}[more]\n"), 1),
        (format!("{good}[more]\n"), 0),
        (format!("{good}revoked = false\n[more]\n"), 0),
        // In the entry itself: its API, its date, an unknown member.
        (revoked.replace("availability-peer", "No API"), 1),
        (revoked.replace("issued = 2", "issued = \"2\" # "), 1),
        (format!("{revoked}note = 1\n"), 1),
        (
            format!("[[token]]\ntoken = \"{TOKEN}\"\nrevoked = true\n"),
            1,
        ),
        // Anything but `false` counts.
        (format!("{good}revoked = 1\n"), 1),
        (format!("{good}revoked = \"true\"\n"), 1),
        // One too many.
        (good.repeat(32) + &revoked, 1),
        // No token, and no document.
        (revoked.replace(TOKEN, "short"), 0),
        (format!("{revoked}\n[[token"), 0),
    ] {
        assert_eq!(revoked_by(&text), expected, "{text}");
    }
}

#[test]
fn a_jwt_shaped_token_beside_jwts_is_a_fault() {
    let good = issued("2026-11-01T00:00:00Z");
    let dotted = good.replace(TOKEN, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJnbyJ9.c2lnbmVk");
    assert!(read(&dotted).is_ok());
    let (error, _) = super::read(&dotted, true).expect_err("a fault");
    let faults: Vec<_> = error.faults().map(ToString::to_string).collect();
    assert_eq!(
        faults,
        [
            "line 1: the token has two dots, and would be taken for a JWT, since JWTs are accepted too"
        ]
    );
    for fine in [good, dotted + "revoked = true\n"] {
        assert!(super::read(&fine, true).is_ok(), "{fine}");
    }
}

#[test]
fn deep_nesting_is_a_fault_and_not_a_crash() {
    for deep in [
        format!("a = {}", "[".repeat(60_000)),
        format!("a{} = 1", ".a".repeat(30_000)),
        format!("a = {}", "{a=".repeat(20_000)),
    ] {
        assert!(read(&deep).is_err());
    }
}

/// A file as an operator may have mangled it.
fn mangled() -> impl Strategy<Value = String> {
    let good = issued("2026-11-01T00:00:00Z");
    let noise = prop::sample::select(vec![
        "", "\"", "'", "\n", "]", "[", "=", "\\", "\\u", "#", "\t", "é", "\"\"\"", "token", ".",
    ]);
    (0..good.len(), 0..8_usize, noise).prop_map(move |(at, cut, noise)| {
        let end = (at + cut).min(good.len());
        format!("{}{noise}{}", &good[..at], &good[end..])
    })
}

proptest! {
    #[test]
    fn no_error_contains_any_part_of_a_token(text in mangled()) {
        if let Err(error) = read(&text) {
            let printed = format!("{error} {error:?} {error:#?}");
            for part in ["53ac", "0777", "00000000", "abcd"] {
                prop_assert!(!printed.contains(part), "{printed}");
            }
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "(\\[\\[token\\]\\]|[a-z0-9=\"'\\[\\]{}.,:+\\-\n\\\\ \\PC]){0,80}") {
        let _ = read(&text);
    }
}

#[test]
fn at_most_128_faults_are_reported() {
    let many: String = (0..5000).map(|n| format!("a{n:04} = 1\n")).collect();
    let named = faults(&many);
    assert_eq!(named.len(), 128);
    for (number, fault) in (1..).zip(&named) {
        let place = format!("line {number}: there is no such setting");
        assert!(fault.starts_with(&place), "{fault}");
    }
    // Each member of each of 32 tokens.
    let wrong = "[[token]]\napi = 1\ntoken = 1\nissued = 1\nx = 1\n";
    assert_eq!(faults(&wrong.repeat(32)).len(), 128);
}
