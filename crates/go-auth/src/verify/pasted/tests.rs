use proptest::prelude::*;

use super::*;

/// `{"alg":"RS256"}` and `{}`, and a signature of zeroes.
const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.e30.AAAAAAAAAAAAAAAAAAAAAAAA";
const OTHER: &str = "eyJhbGciOiJSUzI1NiJ9.e30.BBBBBBBBBBBBBBBBBBBBBBBB";
const ACCESS_TOKEN: &str = "p;fdHalvm27A)2UA53ac0777";

fn pasted(input: &str) -> (Given, Option<String>) {
    let pasted = read(input.as_bytes()).expect(input);
    let place = pasted.place();
    (pasted.given, place)
}

#[track_caller]
fn assert_token(input: &str, token: &str, place: Option<&str>) {
    let (given, found) = pasted(input);
    assert_eq!(given, Given::token(token.as_bytes()), "{input:?}");
    assert_eq!(found.as_deref(), place, "{input:?}");
}

#[test]
fn a_token_alone_is_taken_as_it_is() {
    for token in [
        JWT,
        ACCESS_TOKEN,
        "a.b.c",
        "eyJ.e30.AA==",
        "Bearera.b.c",
        "",
    ] {
        for (before, after) in [
            ("", ""),
            ("", "\n"),
            ("", "\r\n\n"),
            (" \t", " "),
            ("\n", ""),
        ] {
            assert_token(&format!("{before}{token}{after}"), token, None);
        }
        for quote in ["'", "\"", "`"] {
            let input = format!("{quote}{token}{quote}\n");
            assert_token(&input, token, Some("in quotes"));
        }
    }
}

#[test]
fn a_header_is_read_as_the_gate_reads_it() {
    for (input, value) in [
        ("Authorization: Bearer a.b.c\r\n", "Bearer a.b.c"),
        ("authorization:a.b.c", "a.b.c"),
        ("Authorization : a.b.c", "a.b.c"),
        (
            "Authorization: Basic dXNlcjpwYXNzd29yZA==",
            "Basic dXNlcjpwYXNzd29yZA==",
        ),
        (
            "Authorization: Bearer a.b.c, Bearer a.b.c",
            "Bearer a.b.c, Bearer a.b.c",
        ),
        ("Authorization:", ""),
        ("'Authorization: Bearer a.b.c'", "Bearer a.b.c"),
        (
            "curl -H 'Authorization: Basic dXNlcg==' http://x",
            "Basic dXNlcg==",
        ),
        ("curl -H 'Authorization: Bearer a b' http://x", "Bearer a b"),
    ] {
        let place = Some("in an Authorization header".to_owned());
        assert_eq!(
            pasted(input),
            (Given::header(value.as_bytes()), place),
            "{input:?}"
        );
    }
    for input in ["Bearer a.b.c\n", "bEARER \t a.b.c"] {
        assert_token(input, "a.b.c", Some("after Bearer"));
    }
    for input in ["Bearer", "Bearer \r\n", "''", "\n"] {
        assert_eq!(pasted(input).0, Given::token(b""), "{input:?}");
    }
}

#[test]
fn a_token_in_a_longer_text_is_found() {
    let header = Some("in an Authorization header");
    for token in [JWT, ACCESS_TOKEN] {
        for input in [
            format!("curl -H 'Authorization: Bearer {token}' https://go.example/ping"),
            format!("curl -i -H \"authorization: {token}\" \\\n  https://go.example/ping\n"),
            format!("curl -H Authorization:\\ x -H 'Authorization:Bearer  {token}'"),
            format!(
                "GET /ping HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nAccept: */*\r\n"
            ),
            format!("> Authorization: Bearer {token}\n> User-Agent: curl/8.5\n"),
            format!("{{\"host\": \"x\", \"authorization\": \"Bearer {token}\"}}"),
            format!("{{\"message\":\"{{\\\"authorization\\\":\\\"Bearer {token}\\\"}}\"}}"),
            format!("2026-11-01 DEBUG authorization=\"Bearer {token}\" status=401"),
            format!("2026-11-01 DEBUG authorization=Bearer {token} status=401"),
            format!("headers={{\"authorization\": \"{token}\", \"accept\": \"*/*\"}}"),
        ] {
            assert_token(&input, token, header);
        }
        for input in [
            format!("2026-11-01 the Bearer token was rejected: Bearer {token}"),
            format!("[\"accept\", \"*/*\"], [\"auth\", \"Bearer {token}\"]"),
        ] {
            assert_token(&input, token, Some("after Bearer"));
        }
    }
    for input in [
        format!("rejected {JWT} from 127.0.0.1"),
        format!("{{\"access_token\":\"{JWT}\",\"expires_in\":300}}"),
        format!("token={JWT}&x=y"),
        format!("curl --oauth2-bearer {JWT} https://go.example/ping"),
        format!("TOKEN={JWT}"),
        format!("<{JWT}>, and once more: {JWT}"),
    ] {
        assert_token(&input, JWT, Some("in a longer text"));
    }
}

#[test]
fn a_folded_token_is_joined() {
    let (one, two, three) = (&JWT[..10], &JWT[10..30], &JWT[30..]);
    for (input, place) in [
        (format!("{one}\n{two}\n{three}\n"), "on 3 lines"),
        (format!("  {one}\r\n  {two}\r\n  {three}\r\n"), "on 3 lines"),
        (format!("{one}\\\n{two} \n\t{three}"), "on 3 lines"),
        (
            format!("\"{one}\n{two}\n{three}\""),
            "in quotes, on 3 lines",
        ),
        (
            format!("Authorization: Bearer {one}\n {two}\n {three}\nHost: example\n"),
            "in an Authorization header, on 3 lines",
        ),
        (
            format!("Authorization: Bearer\n {one}{two}{three}\nGET / HTTP/1.1\n"),
            "in an Authorization header",
        ),
        (
            format!("curl -H 'Authorization: Bearer {one}\n{two}\\\n  {three}' \\\n  https://x"),
            "in an Authorization header, on 3 lines",
        ),
    ] {
        assert_token(&input, JWT, Some(place));
    }
    let (one, two) = ACCESS_TOKEN.split_at(9);
    let input = format!("curl -H 'Authorization: Bearer {one}\n  {two}' https://x");
    assert_token(
        &input,
        ACCESS_TOKEN,
        Some("in an Authorization header, on 2 lines"),
    );
}

#[test]
fn two_different_tokens_are_not_chosen_between() {
    for input in [
        format!("{JWT}\n{OTHER}\n"),
        format!("{JWT}\n\n{OTHER}"),
        format!("one {JWT} {OTHER}"),
        format!("-H 'Authorization: Bearer {JWT}' -H 'Authorization: Bearer {OTHER}'"),
        format!("Authorization: Bearer {JWT}\nAuthorization: Bearer {ACCESS_TOKEN}\n"),
    ] {
        assert_eq!(read(input.as_bytes()), Err(Different), "{input:?}");
    }
    let input = format!("-H 'Authorization: Bearer {JWT}' -H 'X-Token: {JWT}'");
    assert_token(&input, JWT, Some("in an Authorization header"));
}

#[test]
fn what_is_no_token_is_not_made_one() {
    let nothing = Some("nowhere: all of the input is taken for one");
    for input in [
        "rejected: the Bearer token is missing",
        "WWW-Authenticate: Bearer realm=\"derbysoft-go-auth\", error=\"invalid_token\"",
        "see extraordinarily-long-name.example.com for more",
        "{\"authorization\": \"Sensitive\"}",
        "a.b\n.c",
        "a.b. c",
    ] {
        assert_token(input, input, nothing);
    }
    // Not the token without what is wrong with it.
    for spoilt in [
        format!("{JWT}=="),
        format!("{JWT}.x"),
        format!("x.{JWT}"),
        JWT.replacen('.', "+.", 1),
        JWT.replacen('.', ". ", 1),
        JWT.replacen(".e30.", ".e30. ", 1),
        format!("{JWT}, x"),
        format!("{JWT} {OTHER}"),
    ] {
        let from = spoilt.contains(' ').then_some(nothing).flatten();
        assert_token(&spoilt, &spoilt, from);
    }
    let spoilt = format!("{JWT}==");
    let input = format!("curl -H 'Authorization: Bearer {spoilt}' https://x");
    assert_token(&input, &spoilt, Some("in an Authorization header"));
}

fn jwt() -> impl Strategy<Value = String> {
    let header = prop::sample::select(vec![
        "eyJhbGciOiJSUzI1NiJ9",
        "eyJraWQiOiI0YTJmNzRkNzVjOTc3MmEiLCJhbGciOiJSUzI1NiJ9",
        "ewogICJhbGciOiAibm9uZSIKfQ",
    ]);
    (header, "[A-Za-z0-9_-]{4,400}", "[A-Za-z0-9_-]{1,342}")
        .prop_map(|(header, payload, signature)| format!("{header}.{payload}.{signature}"))
}

fn access_token() -> impl Strategy<Value = String> {
    "[!#-&(-+--\\[\\]-_a-~]{16,58}"
}

/// Breaks a text as terminals and mail clients do.
fn folded(text: &str, width: usize, line_break: &str) -> String {
    let lines = text.as_bytes().chunks(width);
    let lines: Vec<_> = lines.map(String::from_utf8_lossy).collect();
    lines.join(line_break)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_bytes_are_read_without_a_panic(input in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&input);
    }

    #[test]
    fn any_pieces_are_read_without_a_panic(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "authorization", "Bearer", "bearer ", ":", "=", " ", "\n", "\r\n", "\\", "\\\n",
            "'", "\"", "`", "eyJhbGciOiJSUzI1NiJ9", ".", "e30", "AAAA", ",", "53ac07770123456789",
            "\t", "\u{e9}", "}", "-H ",
        ]), 0..40)
    ) {
        let _ = read(pieces.concat().as_bytes());
    }

    #[test]
    fn a_jwt_in_any_wrapping_is_that_jwt(
        token in jwt(),
        width in 20_usize..120,
        line_break in prop::sample::select(vec!["\n", "\r\n", "\n  ", "\r\n\t", "\\\n", " \n", "\\\n    "]),
        is_folded in any::<bool>(),
        (before, after) in prop::sample::select(vec![
            ("", ""),
            ("", "\n"),
            ("  ", "\r\n"),
            ("'", "'"),
            ("\"", "\"\n"),
            ("Bearer ", ""),
            ("Authorization: Bearer ", "\n"),
            ("Authorization: ", "\nHost: go.example\n"),
            ("POST /push HTTP/1.1\nAuthorization: Bearer ", "\r\nAccept: */*\r\n"),
            ("curl -H 'Authorization: Bearer ", "' \\\n  https://go.example/ping"),
            ("curl -X POST -H \"authorization: ", "\" https://go.example/ping\n"),
            ("{\"authorization\": \"Bearer ", "\", \"accept\": \"*/*\"}"),
            ("{\"line\":\"{\\\"authorization\\\":\\\"Bearer ", "\\\"}\"}"),
            ("{\"access_token\":\"", "\",\"expires_in\":300}"),
            ("2026-11-01 DEBUG authorization=\"Bearer ", "\" status=401\n"),
            ("2026-11-01 rejected: ", "\n2026-11-01 bye\n"),
        ]),
    ) {
        let wrapped = if is_folded { folded(&token, width, line_break) } else { token.clone() };
        let read = read(format!("{before}{wrapped}{after}").as_bytes());
        let given = read.map(|pasted| pasted.given);
        let as_header = Given::header(format!("Bearer {token}").as_bytes());
        let bare_header = Given::header(token.as_bytes());
        let as_token = Given::token(token.as_bytes());
        prop_assert!(
            given.as_ref().is_ok_and(|given| [&as_header, &bare_header, &as_token].contains(&given)),
            "{given:?}"
        );
    }

    #[test]
    fn an_access_token_in_any_wrapping_is_that_token(
        token in access_token(),
        (before, after) in prop::sample::select(vec![
            ("", ""),
            ("", "\n"),
            (" ", "\r\n"),
            ("'", "'"),
            ("Bearer ", "\n"),
            ("GET / HTTP/1.1\nAuthorization: Bearer ", "\nAccept: */*\n"),
            ("curl -H 'Authorization: Bearer ", "' \\\n  https://go.example/ping"),
            ("{\"authorization\": \"", "\", \"accept\": \"*/*\"}"),
            ("DEBUG authorization=Bearer ", " status=401"),
        ]),
    ) {
        let read = read(format!("{before}{token}{after}").as_bytes());
        let given = read.map(|pasted| pasted.given);
        prop_assert_eq!(given, Ok(Given::token(token.as_bytes())));
    }
}
