//! Worst documents of those that are fetched or read: key sets and files of Access Tokens. The
//! benches read them, too.

use std::iter;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// The limit of a key document, unless another is configured.
pub const KEY_DOCUMENT_BYTES: usize = 256 * 1024;

/// The limit of a file of access tokens.
pub const FILE_BYTES: usize = 64 * 1024;

/// A document and what is bad about it.
pub type Document = (&'static str, String);

/// `open`, as many units as there is room for, commas between them, `close`.
fn listed(room: usize, open: &str, close: &str, unit: impl FnMut(usize) -> String) -> String {
    joined(room, open, ",", close, unit)
}

fn joined(
    room: usize,
    open: &str,
    between: &str,
    close: &str,
    unit: impl FnMut(usize) -> String,
) -> String {
    let mut text = open.to_owned();
    for (number, unit) in (0..).map(unit).enumerate() {
        if text.len() + unit.len() + between.len() + close.len() > room {
            break;
        }
        if number > 0 {
            text += between;
        }
        text += &unit;
    }
    text + close
}

/// A document with one key.
pub fn key_document(kid: &str, modulus: &[u8]) -> String {
    format!("{{\"keys\":[{}]}}", jwk(kid, modulus, "AQAB"))
}

fn jwk(kid: &str, modulus: &[u8], exponent: &str) -> String {
    let n = BASE64_URL_SAFE_NO_PAD.encode(modulus);
    format!(r#"{{"alg":"RS256","e":"{exponent}","kid":"{kid}","kty":"RSA","n":"{n}","use":"sig"}}"#)
}

/// A usable key that nobody can sign with: any odd number is a modulus.
fn key(kid: &str, bytes: usize, number: usize, exponent: &str) -> String {
    let mut modulus = vec![0xc5; bytes];
    modulus[1..9].copy_from_slice(&(number as u64).to_be_bytes());
    jwk(kid, &modulus, exponent)
}

/// Key sets of at most `room` bytes, the last of whose keys can be used where there is room. The
/// first is what others are compared with: full of keys like GO's.
pub fn key_documents(room: usize) -> Vec<Document> {
    let good = key("good", 256, 0, "AQAB");
    let last = format!(",{good}]}}");
    let of = |unit: &dyn Fn(usize) -> String| listed(room, "{\"keys\":[", &last, unit);
    let with = |member: &str, unit: &str, close: &str| {
        let bare = key("x", 256, 1, "AQAB").replace('}', ",");
        let open = format!("{{\"keys\":[{bare}{member}");
        let close = format!("{close}}}{last}");
        listed(room, &open, &close, |_| unit.to_owned())
    };
    let exponent = BASE64_URL_SAFE_NO_PAD.encode([1, 0xff, 0xff, 0xff, 0xff]);
    vec![
        ("normal", of(&|n| key(&format!("{n:040x}"), 256, n, "AQAB"))),
        ("numbers", of(&|_| "0".to_owned())),
        ("empty_objects", of(&|_| "{}".to_owned())),
        ("secret", of(&|n| format!(r#"{{"kty":"oct","kid":"{n}"}}"#))),
        ("of_long_names", of(&|n| format!(r#"{{"kid":"{n:0256}"}}"#))),
        (
            "not_base64",
            of(&|_| r#"{"kty":"RSA","kid":"x","n":"!","e":"AQAB"}"#.to_owned()),
        ),
        ("4096_bits", of(&|n| key(&n.to_string(), 512, n, &exponent))),
        ("too_large", of(&|n| key(&n.to_string(), 513, n, "AQAB"))),
        ("of_one_name", of(&|n| key("x", 256, n, "AQAB"))),
        ("all_the_same", of(&|_| key("x", 256, 1, "AQAB"))),
        (
            "one_of_64_kilobits",
            listed(room, "{\"keys\":[", &last, |n| {
                key("x", room / 3 * 2 / (n + 1) / 2, n, "AQAB")
            }),
        ),
        ("one_operations", with("\"key_ops\":[", "\"\"", "]")),
        ("one_operations_numbers", with("\"key_ops\":[", "0", "]")),
        ("one_members", with("", "\"x\":0", "")),
        (
            "one_deep",
            with("\"x\":", &"[".repeat(room / 3), &"]".repeat(room / 3)),
        ),
        (
            "one_escapes",
            with("\"x5c\":\"", &"\\u0061".repeat(room / 8), "\""),
        ),
        (
            "document_string",
            format!(
                "{{\"x\":\"{}\",\"keys\":[{good}]}}",
                "a".repeat(room - good.len() - 20)
            ),
        ),
        (
            "document_deep",
            format!(
                "{{\"x\":{},\"keys\":[{good}]}}",
                "[".repeat(room - good.len() - 20)
            ),
        ),
        (
            "document_members",
            listed(room, "{", "}", |n| format!("\"{n}\":0")),
        ),
        (
            "document_spaces",
            [
                " ".repeat(room - good.len() - 12),
                format!("{{\"keys\":[{good}]}}"),
            ]
            .concat(),
        ),
        ("document_no_json", "<html>".repeat(room / 6)),
    ]
}

/// Files of access tokens of at most `room` bytes. The first is what others are compared with: full
/// of tokens.
pub fn files(room: usize) -> Vec<Document> {
    let lines = |open: &str, unit: &dyn Fn(usize) -> String| joined(room, open, "\n", "\n", unit);
    let value = |open: &str, unit: &str, close: &str| {
        joined(room, open, "", &format!("{close}\n"), |_| unit.to_owned())
    };
    let entry = |n: usize| {
        format!(
            "[[token]]\napi = \"own-{n}\"\ntoken = \"53ac0777{n:024}\"\n\
             issued = 2026-11-01T00:00:00Z\n"
        )
    };
    let deep = |open: &str, close: &str, levels: usize| {
        format!("x = {}{}\n", open.repeat(levels), close.repeat(levels))
    };
    vec![
        ("normal", lines("", &entry)),
        ("members", lines(&entry(0), &|n| format!("a{n}=1"))),
        ("settings", lines("", &|n| format!("a{n}=1"))),
        ("same_members", lines(&entry(0), &|_| "a=1".to_owned())),
        ("tables", lines("", &|n| format!("[a{n}]"))),
        ("dotted_tables", lines("", &|n| format!("[a.{n}]"))),
        ("long_table_name", value("[", "a.", "a]")),
        ("dotted_names", lines(&entry(0), &|n| format!("a.{n}=1"))),
        ("tokens", lines("", &|_| "[[token]]".to_owned())),
        (
            "bad_tokens",
            lines("", &|n| {
                if n < 32 {
                    "[[token]]\na=1\nb=1".to_owned()
                } else {
                    format!("a{n}=1")
                }
            }),
        ),
        ("inline_tokens", value("token = [", "{},", "]")),
        ("deep_arrays", deep("[", "]", room / 2 - 3)),
        ("deep_tables", deep("{a=", "}", room / 4 - 3)),
        ("list", value("x = [", "1,", "]")),
        ("text", value("x = \"", "a", "\"")),
        ("escapes", value("x = \"", "\\u0061", "\"")),
        ("lines", value("x = \"\"\"", "\n", "\"\"\"")),
        ("spaces", value("x =", " ", "1")),
        ("digits", value("x = 1", "1", "")),
        ("comment", value("#", "a", "")),
        ("empty_lines", value("", "\n", "")),
        ("brackets", "[".repeat(room)),
        ("quotes", "\"".repeat(room)),
        ("not_toml", iter::repeat_n("=", room).collect()),
    ]
}
