//! Attacks on what single claims say. Every signature is genuine.

use serde_json::json;

use super::desk::Desk;
use test_support::corpus::{mint, now};
use test_support::forge::ISSUER;

pub(crate) fn all(desk: &mut Desk) {
    claim_types(desk);
    claim_values(desk);
}

fn claim_types(desk: &mut Desk) {
    desk.attack("claims of a wrong type");
    for name in ["iss", "sub", "jti"] {
        for value in ["null", "1", "true", "{}", "[]", r#"["x"]"#] {
            desk.claim(name, value);
        }
    }
    desk.claim_called("iss as an array", "iss", &json!([ISSUER]).to_string());
    desk.claim_called(
        "iss as an array of two",
        "iss",
        &json!(["x", ISSUER]).to_string(),
    );
    desk.claim_called("iss as an object", "iss", &json!({ISSUER: 1}).to_string());
    for value in [
        "null",
        "1",
        "true",
        "{}",
        r#"{"ZKT":1}"#,
        r#"["ZKT",1]"#,
        r#"["ZKT",null]"#,
        r#"[["ZKT"]]"#,
        r#"["ZKT",["ZKT"]]"#,
        r#"[{"ZKT":1}]"#,
    ] {
        desk.claim("aud", value);
    }
    for name in ["exp", "nbf", "iat"] {
        for value in [
            "null",
            "true",
            "false",
            "[]",
            "{}",
            r#""""#,
            r#""0""#,
            r#"" 0 ""#,
            r#""9999999999""#,
            r#""9_999_999_999""#,
        ] {
            desk.claim(name, value);
        }
        for (given, time) in [("past", now() - 600), ("future", now() + 600)] {
            let given = |form| format!("{name} as {form} of the {given}");
            desk.claim_called(
                &given("a string"),
                name,
                &json!(time.to_string()).to_string(),
            );
            desk.claim_called(&given("an array"), name, &json!([time]).to_string());
        }
    }

    desk.attack("times at the ends of their range");
    for name in ["exp", "nbf", "iat"] {
        for value in [
            "-1",
            "-0.5",
            "-1e300",
            "253402300800",
            "253402300800.0",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551615",
            "18446744073709551616",
            "1e19",
            "1e300",
            "99999999999999999999999999",
        ] {
            desk.claim(name, value);
        }
    }
}

fn claim_values(desk: &mut Desk) {
    desk.attack("another issuer or audience, however close");
    for issuer in [
        "",
        "https://id",
        &ISSUER[..ISSUER.len() - 1],
        &ISSUER.to_lowercase(),
        &format!("{ISSUER}/"),
        &format!("{ISSUER} "),
        &format!(" {ISSUER}"),
        &format!("{ISSUER}\0"),
        &ISSUER.replace("https", "http"),
        &ISSUER.replace("84A2", "%384A2"),
        "derbysoft",
    ] {
        desk.token(format!("\"iss\":{issuer:?}"), mint().issuer(issuer).token());
    }
    for value in [
        r#""""#,
        r#""zkt""#,
        r#""ZKT ""#,
        r#""ZK""#,
        r#""ZKTX""#,
        r#""ZKT,other""#,
        r#""*""#,
        r#""ZKT\u0000""#,
        r#""[\"ZKT\"]""#,
        "[]",
        r#"["zkt"]"#,
        r#"["Z","K","T"]"#,
        r#"[""]"#,
    ] {
        desk.claim("aud", value);
    }

    desk.attack("a claim that is missing");
    for name in ["iss", "aud", "exp"] {
        desk.claim(name, "");
    }
    desk.raw_payload("no claims", "{}");

    desk.attack("a token of another time");
    let now = now();
    for ago in [600, 3600, 1_000_000_000] {
        let time = now - ago;
        desk.claim_called(&format!("exp {ago} s ago"), "exp", &time.to_string());
        desk.claim_called(
            &format!("exp {ago} s ago, and a bit"),
            "exp",
            &format!("{time}.5"),
        );
        let far = now + ago;
        desk.claim_called(&format!("nbf in {ago} s"), "nbf", &far.to_string());
        desk.claim_called(
            &format!("nbf in {ago} s, and a bit"),
            "nbf",
            &format!("{far}.5"),
        );
    }
    desk.claim("exp", "1.7e9");
    desk.claim("nbf", "253402300799");
}
