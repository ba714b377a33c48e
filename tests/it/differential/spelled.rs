//! Attacks on how header and claims are spelled, and on what a header means. Every signature is
//! genuine.

use serde_json::json;

use super::desk::{Desk, claims, payload_and};
use test_support::corpus::{mint, now};
use test_support::forge::{AUDIENCE, ISSUER, KID, header_and};

pub(crate) fn all(desk: &mut Desk) {
    meaning(desk);
    duplicates(desk);
    excess(desk);
    not_json(desk);
}

fn meaning(desk: &mut Desk) {
    desk.attack("crit in any form");
    for members in [
        r#""crit":["exp"]"#,
        r#""crit":[]"#,
        r#""crit":null"#,
        r#""crit":"exp""#,
        r#""crit":[1]"#,
        r#""crit":{}"#,
        r#""\u0063rit":["exp"]"#,
        r#""crit":["x"],"x":1"#,
        r#""crit":["b64"],"b64":false"#,
        r#""b64":true,"crit":["b64"]"#,
    ] {
        desk.header(members);
    }
    desk.attack("b64, zip and enc: the payload is something else");
    for members in [
        r#""b64":false"#,
        r#""b64":true"#,
        r#""b64":null"#,
        r#""crit":["b64"],"b64":true"#,
        r#""zip":"DEF""#,
        r#""zip":1"#,
        r#""enc":"A256GCM""#,
        r#""enc":null"#,
        r#""z\u0069p":"DEF""#,
    ] {
        desk.header(members);
    }
    desk.attack("typ or cty of something else");
    for members in [
        r#""typ":"JWE""#,
        r#""typ":"dpop+jwt""#,
        r#""typ":"logout+jwt""#,
        r#""typ":"""#,
        r#""typ":null"#,
        r#""typ":1"#,
        r#""typ":["JWT"]"#,
        r#""cty":"JWT""#,
        r#""cty":"application/jwt""#,
        r#""cty":null"#,
        r#""cty":1"#,
    ] {
        desk.header(members);
    }
    desk.attack("jwk, jku, x5u, x5c, x5t, url and nonce of a wrong type");
    for members in [
        r#""jku":1"#,
        r#""jku":null"#,
        r#""x5u":{}"#,
        r#""x5t":[]"#,
        r#""x5t#S256":false"#,
        r#""url":1"#,
        r#""nonce":[]"#,
        r#""x5c":"AAAA""#,
        r#""x5c":[1]"#,
        r#""jwk":[]"#,
        r#""jwk":"x""#,
    ] {
        desk.header(members);
    }
}

fn duplicates(desk: &mut Desk) {
    desk.attack("duplicate members, also spelled with escapes");
    for start in [
        r#""alg":"none","alg":"RS256""#,
        r#""alg":"RS256","alg":"none""#,
        r#""alg":"RS256","\u0061lg":"RS256""#,
        r#""alg":"RS256","kid":"other""#,
    ] {
        desk.raw_header(start, format!(r#"{{{start},"kid":"{KID}"}}"#));
    }
    for members in [
        r#""kid":"other""#,
        r#""k\u0069d":"other""#,
        r#""typ":"JWT","typ":"JWT""#,
        r#""x":1,"x":1"#,
        r#""":1,"":2"#,
    ] {
        desk.raw_header(format!("a header with {members}"), header_and(members));
    }
    let exp = format!("\"exp\":{}", now() + 600);
    let expired = format!("\"exp\":{}", now() - 600);
    for (given, text) in [
        ("exp twice", payload_and(&exp)),
        (
            "an exp that has passed, and one that has not",
            format!("{{{expired},{}", &claims(&[])[1..]),
        ),
        (
            "an exp that has not passed, and one that has",
            payload_and(&expired),
        ),
    ] {
        desk.raw_payload(given, text);
    }
    for members in [
        r#""iss":"x""#,
        r#""\u0069ss":"x""#,
        r#""aud":"other""#,
        r#""\u0065xp":9999999999"#,
        r#""nbf":0"#,
        r#""iat":0"#,
        r#""sub":"administrator""#,
        r#""jti":"j""#,
        r#""x":1,"x":2"#,
        r#""a/b":1,"a\/b":1"#,
        r#""é":1,"\u00E9":1"#,
    ] {
        desk.raw_payload(format!("claims with {members}"), payload_and(members));
    }
}

fn excess(desk: &mut Desk) {
    desk.attack("depth bombs");
    for depth in [33, 60, 100, 120, 200, 400] {
        for (given, open, close) in [("arrays", "[", "]"), ("objects", r#"{"":"#, "}")] {
            let middle = if given == "arrays" { "" } else { "1" };
            let bomb = format!(
                "\"x\":{}{middle}{}",
                open.repeat(depth),
                close.repeat(depth)
            );
            desk.raw_header(format!("{depth} {given} in the header"), header_and(&bomb));
            desk.raw_payload(format!("{depth} {given} in the claims"), payload_and(&bomb));
            let bomb = format!("\"x\":{}", open.repeat(depth));
            desk.raw_header(
                format!("{depth} open {given} in the header"),
                header_and(&bomb),
            );
            desk.raw_payload(
                format!("{depth} open {given} in the claims"),
                payload_and(&bomb),
            );
        }
    }
    desk.raw_payload(
        "3000 arrays in the claims",
        payload_and(&format!("\"x\":{}{}", "[".repeat(2500), "]".repeat(2500))),
    );
    let many: Vec<_> = (0..70).map(|at| format!("\"x{at}\":0")).collect();
    desk.raw_header("72 members in the header", header_and(&many.join(",")));
    desk.raw_payload("77 claims", payload_and(&many.join(",")));

    desk.attack("a token that is too long");
    for bytes in [7000, 20_000] {
        let token = mint().claim("x", "p".repeat(bytes)).token();
        desk.token(format!("a claim of {bytes} bytes"), token);
        let token = mint().header("x", "h".repeat(bytes)).token();
        desk.token(format!("a header of {bytes} bytes"), token);
    }
    desk.token("letters alone", "A".repeat(100_000));
}

/// Text that some reader may take for a JSON object.
fn not_json(desk: &mut Desk) {
    let spoil = |good: &str| -> Vec<(&'static str, Vec<u8>)> {
        let inside = &good[1..good.len() - 1];
        let utf16 = |to_bytes: fn(u16) -> [u8; 2]| good.encode_utf16().flat_map(to_bytes).collect();
        let mut spoilt: Vec<(&str, Vec<u8>)> = vec![
            ("in UTF-16", utf16(u16::to_le_bytes)),
            ("in big-endian UTF-16", utf16(u16::to_be_bytes)),
            (
                "in UTF-16 with a BOM",
                [&[0xff, 0xfe], &*utf16(u16::to_le_bytes)].concat(),
            ),
            (
                "with a surrogate in UTF-8",
                [b"{\"\xed\xa0\x80\":1,", inside.as_bytes(), b"}"].concat(),
            ),
            (
                "with a byte that is not UTF-8",
                [b"{\"x\":\"\xff\",", inside.as_bytes(), b"}"].concat(),
            ),
            (
                "with an overlong slash",
                [b"{\"x\":\"\xc0\xaf\",", inside.as_bytes(), b"}"].concat(),
            ),
            (
                "with a stray byte behind it",
                [good.as_bytes(), b"\xff"].concat(),
            ),
        ];
        let texts = [
            ("with a BOM", format!("\u{feff}{good}")),
            ("with junk behind it", format!("{good}x")),
            ("with another object behind it", format!("{good}{{}}")),
            ("with a NUL behind it", format!("{good}\0")),
            ("with a no-break space before it", format!("\u{a0}{good}")),
            ("with NaN", format!("{{\"x\":NaN,{inside}}}")),
            ("with Infinity", format!("{{\"x\":-Infinity,{inside}}}")),
            (
                "with a number beyond any double",
                format!("{{\"x\":1e400,{inside}}}"),
            ),
            (
                "with half a surrogate pair",
                format!("{{\"x\":\"\\ud83d\",{inside}}}"),
            ),
            (
                "with a number of two zeroes",
                format!("{{\"x\":00,{inside}}}"),
            ),
            (
                "with a line break in a string",
                format!("{{\"x\":\"\n\",{inside}}}"),
            ),
            ("with a DEL", format!("{{\"x\":\"\u{7f}\",{inside},}}")),
            ("with a trailing comma", format!("{{{inside},}}")),
            ("with a comment", format!("{{/**/{inside}}}")),
            ("with single quotes", format!("{{'x':1,{inside}}}")),
            ("without its end", good[..good.len() - 1].to_owned()),
            ("in an array", format!("[{good}]")),
            ("as a string", json!(good).to_string()),
            ("left empty", String::new()),
            ("of null", "null".to_owned()),
            ("of a number", "1".to_owned()),
            ("of an empty array", "[]".to_owned()),
        ];
        spoilt.extend(texts.map(|(given, text)| (given, text.into_bytes())));
        spoilt
    };
    desk.attack("non-UTF-8, BOM, trailing junk and other text that is not a JSON object");
    for (given, header) in spoil(&mint().header_text()) {
        desk.raw_header(format!("a header {given}"), header);
    }
    for (given, payload) in spoil(&claims(&[])) {
        desk.raw_payload(format!("claims {given}"), payload);
    }
    desk.attack("claims as an array");
    let now = now();
    let (exp, nbf) = (now + 600, now - 600);
    for (given, values) in [
        // In the order in which `jsonwebtoken` declares them.
        (
            "the values of exp, nbf, sub, iss and aud",
            json!([exp, nbf, "sub", ISSUER, AUDIENCE]),
        ),
        (
            "arrays for iss and aud",
            json!([exp, nbf, "sub", [ISSUER], [AUDIENCE]]),
        ),
        (
            "the values of iss, aud and exp",
            json!([ISSUER, AUDIENCE, exp]),
        ),
        (
            "pairs",
            json!([["iss", ISSUER], ["aud", AUDIENCE], ["exp", exp]]),
        ),
    ] {
        desk.raw_payload(given, values.to_string());
    }
}
