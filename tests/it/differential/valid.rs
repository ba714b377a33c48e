//! Good tokens, some of them spelled as GO never does: whoever verifies GO's tokens must accept them.

use fastrand::Rng;

use super::desk::{Desk, larger, long_kids, payload_and};
use test_support::corpus::{genuine_token, mint, now};
use test_support::forge::{DIGEST_INFO, KID, block, cubic, message, with_signature};

/// The class of tokens that `jsonwebtoken` rejects for members of a key which neither of us uses.
pub(crate) const TYPED: &str = "a key in the header that is none";

pub(crate) fn all(desk: &mut Desk, rng: &mut Rng) {
    desk.class(TYPED, Some(true));
    desk.header(r#""jwk":{"kty":"RSA","n":"","e":"","use":1}"#);
    desk.class("issued in the future", Some(true));
    desk.claim_called("iat in ten minutes", "iat", &(now() + 600).to_string());
    desk.claim("iat", "253402300799");

    desk.class("valid", Some(true));
    desk.token("GO's", mint().token());
    let honest = mint().kid("cubic").token();
    let signature = cubic().raise(&block(&DIGEST_INFO, message(&honest)));
    desk.token("an exponent of 3", with_signature(&honest, &signature));
    desk.token(
        "3072 bits",
        mint().key(larger().clone()).kid("3072").token(),
    );
    let [longest, _] = long_kids();
    desk.token("a kid of 256 bytes", mint().kid(longest).token());
    desk.token("6000 bytes", mint().claim("x", "p".repeat(5000)).token());
    for members in [
        r#""typ":"JWT""#,
        r#""typ":"jwt""#,
        r#""typ":"at+jwt""#,
        r#""typ":"application/at+jwt""#,
        r#""cty":"json""#,
        r#""x":{"a":[1,{"b":null}]},"jwk":{}"#,
    ] {
        desk.header(members);
    }
    let header = format!(" {{ \"alg\" :\t\"RS\\u0032\\u00356\",\r\n\"\\u006bid\":\"{KID}\" }} ");
    desk.raw_header("a header with spaces and escapes", header);
    for value in [
        r#"["ZKT"]"#,
        r#"["other","ZKT"]"#,
        r#"["ZKT","ZKT"]"#,
        r#""\u005aKT""#,
        r#"[ "ZKT" , "a" ]"#,
    ] {
        desk.claim("aud", value);
    }
    for value in [
        "4e9",
        "4E+9",
        "4000000000.5",
        "4000000000.0",
        "253402300799",
        "253402300799.5",
    ] {
        desk.claim("exp", value);
    }
    for name in ["nbf", "iat"] {
        for value in ["", "0", "-0", "-0.0", "0.5", "1e9", "1e-300"] {
            desk.claim(name, value);
        }
    }
    for value in [
        r#""""#,
        r#""\ud83d\ude00""#,
        r#""\u0000""#,
        r#""administrator""#,
        "",
    ] {
        desk.claim("sub", value);
    }
    for members in [
        r#""x":18446744073709551615,"y":-9223372036854775808"#,
        r#""x":18446744073709551616,"y":-9223372036854775809"#,
        r#""x":1e308,"y":1e-308,"z":5e-324,"zero":-0"#,
        r#""x":0.1,"y":123456789012345678901234567890.123456789"#,
        r#""x":2.2250738585072011e-308,"y":9007199254740993.0"#,
        r#""":null,"x":[[],{},[{}]]"#,
        r#""\u0000":"\u0000\u001f\u007f\u2028\uffff""#,
    ] {
        desk.payload(members);
    }
    let nested = format!("\"x\":{}{}", "[".repeat(32), "]".repeat(32));
    desk.raw_payload("32 arrays", payload_and(&nested));
    let many: Vec<_> = (0..57).map(|at| format!("\"x{at}\":{at}")).collect();
    desk.raw_payload("64 claims", payload_and(&many.join(",")));
    for round in 0..600 {
        desk.token(format!("round {round}"), genuine_token(rng));
    }
}
