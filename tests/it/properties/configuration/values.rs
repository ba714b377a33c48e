//! Settings and values for them, near those that are right.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// What the values of a setting look like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Form {
    Duration,
    Number,
    Word,
    Text,
    List,
    Flag,
    Issuers,
}

/// The settings of `Config`, and those that the environment has, too.
pub(super) const SETTINGS: [(&str, Form); 34] = [
    ("issuer", Form::Text),
    ("audience", Form::List),
    ("jwks_url", Form::Text),
    ("snapshot", Form::Text),
    ("access_tokens", Form::Text),
    ("leeway", Form::Duration),
    ("subjects", Form::List),
    ("required_claims", Form::List),
    ("max_token_bytes", Form::Number),
    ("token_cache_bytes", Form::Number),
    ("refresh_interval", Form::Duration),
    ("cooldown", Form::Duration),
    ("key_wait", Form::Duration),
    ("fetch_timeout", Form::Duration),
    ("max_stale", Form::Duration),
    ("on_failure", Form::Word),
    ("ignore_status", Form::Number),
    ("body", Form::Word),
    ("max_waiting", Form::Number),
    ("distrusted_keys", Form::List),
    ("jwks_file", Form::Text),
    ("credential_header", Form::Text),
    ("danger_allow_http", Form::Flag),
    ("proxy", Form::Text),
    ("ca_file", Form::Text),
    ("client_cert", Form::Text),
    ("client_key", Form::Text),
    ("danger_allow_writable_files", Form::Flag),
    ("environment", Form::Word),
    // Not in the environment.
    ("issuers", Form::Issuers),
    ("max_lifetime", Form::Duration),
    ("connect_timeout", Form::Duration),
    ("max_document_bytes", Form::Number),
    ("realm", Form::Text),
];

/// The settings that an issuer has of its own.
pub(super) const ISSUER: [(&str, Form); 5] = [
    ("issuer", Form::Text),
    ("audience", Form::List),
    ("jwks_url", Form::Text),
    ("jwks_file", Form::Text),
    ("snapshot", Form::Text),
];

/// A duration in words, most often one; about the limits, and at the ends of what numbers hold.
pub(super) fn duration() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        6 => select(vec![0, 1, 2, 5, 9, 10, 30, 60, 99, 100, 299, 300, 301, 600, 1000, 60_000])
            .prop_map(|number: u32| number.to_string()),
        1 => select(vec!["18446744073709551615", "18446744073709551616", "584542046090", "-1", "+5",
            "0.5", "1.", ".5", "1e3", "٣", "9999999999999999999999", "307445734561825860"])
            .prop_map(str::to_owned),
        1 => any::<u64>().prop_map(|number| number.to_string()),
    ];
    let unit = select(vec![
        "s", "s", "ms", "m", "h", "sec", "min", "days", "w", "y", "us", "ns", "months", "", "x",
        "µs",
    ]);
    let space = select(vec!["", "", " ", "\t", "\0", "\u{a0}"]);
    let part = (number, space, unit).prop_map(|(number, space, unit)| number + space + unit);
    // The longest that can be read, and a little more.
    let longest = select(vec!["18446744073709551615s", "584542046090years 19767615s"]);
    let more = select(vec![
        "0s",
        "999ms",
        "1s",
        "1000ms",
        "1000000000ns",
        "1001000us",
    ]);
    let longest = (longest, more).prop_map(|(longest, more)| format!("{longest} {more}"));
    let usual = select(vec!["10s", "5m", "24h", "100ms", "1m 30s", "2s", "7days"]);
    prop_oneof![
        8 => usual.prop_map(str::to_owned),
        11 => vec(part, 1..4).prop_map(|parts| parts.concat()),
        1 => longest,
    ]
}

pub(super) fn word() -> impl Strategy<Value = String> {
    let words = [
        "reject",
        "ignore",
        "Reject",
        "gateway",
        "key-not-authorised",
        "error-code",
        "nbf",
        "iat",
        "jti",
        "sub",
        "exp",
        "production",
        "certification",
        "true",
        "",
    ];
    select(words.to_vec()).prop_map(str::to_owned)
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => select(vec!["0", "1", "199", "200", "255", "256", "404", "599", "600", "1023", "1024",
            "8192", "65536", "65537", "262144", "16777216", "16777217"]).prop_map(str::to_owned),
        1 => select(vec!["-1", "+1", "1.0", "1e3", "0x10", " 1", "18446744073709551615",
            "18446744073709551616", "18446744073709551614", "1099511627776"]).prop_map(str::to_owned),
        1 => any::<u64>().prop_map(|number| number.to_string()),
    ]
}

pub(super) fn text() -> impl Strategy<Value = String> {
    let addresses = [
        "https://id.example/id/X/keys",
        "http://127.0.0.1:1/keys",
        "http://user:password@proxy.example:3128",
        "http://id.example/keys",
        "https://user@id.example/keys",
        "https://id.example/keys#x",
        "ftp://id.example/",
        "http://[::1",
        "https://",
        "//",
        "data:,x",
        "https://id.example:99999/",
        "https://\u{ff0e}/",
        "/var/keys.json",
        "https://id/X/.well-known/openid-configuration",
        "derbysoft-go",
        "a\"b",
        " ",
        "",
    ];
    prop_oneof![
        4 => select(addresses.to_vec()).prop_map(str::to_owned),
        1 => "\\PC{0,20}",
        1 => "[\\x00-\\x20é\u{202e}\\\\\"',]{0,6}",
    ]
}

fn list() -> impl Strategy<Value = String> {
    let entry = prop_oneof![
        4 => select(vec!["ZKT", "ZKT-2", "nbf", "sub", "ds-go-module"]).prop_map(str::to_owned),
        1 => word(),
        1 => text(),
    ];
    vec(entry, 0..4).prop_map(|entries| entries.join(","))
}

/// A value for a setting as text: most often in the form that it should have.
pub(super) fn value(form: Form) -> BoxedStrategy<String> {
    let any = prop_oneof![duration(), number(), word(), text(), list()];
    let own = match form {
        Form::Duration => duration().boxed(),
        Form::Number => number().boxed(),
        Form::Word => word().boxed(),
        Form::Text => text().boxed(),
        Form::List => list().boxed(),
        Form::Flag => select(vec!["true", "false"])
            .prop_map(str::to_owned)
            .boxed(),
        Form::Issuers => Just(String::new()).boxed(),
    };
    prop_oneof![9 => own, 1 => any].boxed()
}

/// Settings and their values: in front those without which there is no configuration, and then a
/// few that may replace them.
pub(super) fn settings(
    of: &[(&'static str, Form)],
) -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let required = vec![
        (
            "issuer",
            "https://id/X/.well-known/openid-configuration".to_owned(),
        ),
        ("audience", "ZKT".to_owned()),
        ("jwks_url", "https://id.example/id/X/keys".to_owned()),
    ];
    let setting = select(of.to_vec())
        .prop_flat_map(|(name, form)| value(form).prop_map(move |value| (name, value)));
    let required = prop_oneof![7 => Just(required), 1 => Just(Vec::new())];
    (required, vec(setting, 0..4)).prop_map(|(mut settings, more)| {
        settings.extend(more);
        settings
    })
}

/// A value of the type that a setting of this form has, where the text gives one.
pub(super) fn typed(form: Form, text: &str) -> Value {
    match form {
        Form::Number => text
            .parse()
            .map_or(json!(text), |number: u64| number.into()),
        Form::Flag => json!(text == "true"),
        // As some write it.
        Form::List if text.len().is_multiple_of(3) => json!(text),
        Form::List => text.split(',').collect(),
        _ => json!(text),
    }
}
