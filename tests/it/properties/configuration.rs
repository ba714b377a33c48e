//! Configuration: whatever text it is read from, nothing panics, and what is accepted lies within
//! the ranges that the docs of `Config` give.

mod documents;
mod ranges;
mod values;

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use derbysoft_go_auth::Config;
use derbysoft_go_auth::access_token::{AccessTokens, Api};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use tempfile::TempDir;

use self::documents::{in_toml, members, slipped, slips};
use self::ranges::{printable, use_up, within_ranges};
use self::values::{SETTINGS, duration, settings, text};
use test_support::property::{Tally, hold, report, try_all};
use test_support::secs;

/// Where a configuration expects Access Tokens: files that exist, and files that do not.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("0"), TOKENS).expect("written");
        std::fs::write(directory.path().join("1"), "[[token]]\nyes = 1").expect("written");
        std::fs::create_dir(directory.path().join("2")).expect("made");
        Self(directory)
    }

    /// In place of the file that a configuration names, which may be any.
    fn instead(&self, file: &Path) -> PathBuf {
        let names = ["0", "1", "2", "none", "\0"];
        self.0
            .path()
            .join(names[file.as_os_str().len() % names.len()])
    }
}

const TOKENS: &str = "# from GO Console
[[token]]
api = \"availability-peer\"
token = \"53ac077700000000000000000000abcd\"
issued = 2026-11-01T00:00:00Z

[[token]]
api = 'v3-reservation'
sha256 = \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"
issued = 2026-06-01 00:00:00.5+08:00
";

#[test]
fn any_environment_stays_within_its_ranges() {
    let files = Files::new();
    let tally = Tally::default();
    let junk_name = prop_oneof![
        "GO_AUTH_[A-Z_]{0,8}".prop_map(String::into_bytes),
        "\\PC{0,12}".prop_map(String::into_bytes),
        select(vec![
            "",
            "GO_AUTH_",
            "GO_AUTH",
            "GO_AUTH_PORT_80_TCP",
            "go_auth_leeway",
            "GO_AUTH_\0"
        ])
        .prop_map(|name| name.as_bytes().to_vec()),
        vec(any::<u8>(), 0..6).prop_map(|end| [b"GO_AUTH_", &end[..]].concat()),
    ];
    let junk_value = prop_oneof![text().prop_map(String::into_bytes), vec(any::<u8>(), 0..6)];
    let junk = prop_oneof![
        6 => Just(Vec::new()),
        1 => vec((junk_name, junk_value.clone()), 1..3),
    ];
    let broken = proptest::option::weighted(0.05, (any::<Index>(), junk_value));
    let values = (settings(&SETTINGS[..28]), junk, broken);
    let cases = 2048;
    try_all("environment", cases, values, |(settings, junk, broken)| {
        let mut vars: Vec<(Vec<u8>, Vec<u8>)> = (settings.into_iter())
            .map(|(name, value)| {
                let name = format!("GO_AUTH_{}", name.to_uppercase());
                (name.into_bytes(), value.into_bytes())
            })
            .chain(junk)
            .collect();
        if let (Some((at, value)), false) = (broken, vars.is_empty()) {
            let at = at.index(vars.len());
            vars[at].1 = value;
        }
        let vars = vars.into_iter().map(|(name, value)| (os(name), os(value)));
        match Config::from_vars(vars) {
            Err(error) => {
                printable(&error)?;
                tally.count("rejected");
            }
            Ok(config) => {
                within_ranges(&config)?;
                let needs_a_file = config.access_tokens.is_some();
                let built = use_up(config, &files)?;
                prop_assert!(built == "accepted" || needs_a_file);
                tally.count("accepted");
            }
        }
        Ok(())
    });
    tally.assert_each(&["accepted", "rejected"], cases / 40);
    report("configuration from the environment", cases);
}

/// A variable as the system has it, which need not be text.
#[cfg(unix)]
fn os(bytes: Vec<u8>) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

#[cfg(not(unix))]
fn os(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[test]
fn any_document_stays_within_its_ranges() {
    let files = Files::new();
    let (json_tally, toml_tally) = (Tally::default(), Tally::default());
    let cases = 1536;
    try_all(
        "documents",
        cases,
        (members(), slips()),
        |(members, slips)| {
            let lines = |join: &str, line: &dyn Fn(&str, &Value) -> String| {
                let lines: Vec<_> = members
                    .iter()
                    .map(|(name, value)| line(name, value))
                    .collect();
                lines.join(join)
            };
            let json = format!(
                "{{{}}}",
                lines(",", &|name, value| format!("\"{name}\":{value}"))
            );
            let toml = lines("\n", &|name, value| format!("{name} = {}", in_toml(value)));
            let json = serde_json::from_str::<Config>(&slipped(&json, &slips)).ok();
            let text = slipped(&toml, &slips);
            let toml = toml::from_str::<Config>(&text).ok();
            let is_good = |toml: &Config| {
                // But for the file of the access tokens, which only `build` reads.
                let mut toml = toml.clone();
                toml.access_tokens = toml.access_tokens.map(|_| files.instead("".as_ref()));
                toml.build().is_ok()
            };
            match Config::from_toml(&text) {
                Ok(config) => prop_assert_eq!(Some(&config), toml.as_ref()),
                Err(error) => {
                    printable(&error)?;
                    prop_assert!(!toml.as_ref().is_some_and(is_good), "{}: {}", error, text);
                }
            }
            for (config, tally) in [(json, &json_tally), (toml, &toml_tally)] {
                tally.count(match config {
                    Some(config) => use_up(config, &files)?,
                    None => "unreadable",
                });
            }
            Ok(())
        },
    );
    for tally in [json_tally, toml_tally] {
        tally.assert_each(&["accepted", "rejected", "unreadable"], cases / 40);
    }
    report("configuration from documents", 2 * cases);
}

#[test]
fn any_duration_reads_alike_everywhere() {
    let tally = Tally::default();
    let cases = 8192;
    try_all("durations", cases, duration(), |text| {
        let [issuer, audience, address] = ["i", "a", "https://id.example/keys"];
        let settings = [
            ("ISSUER", issuer),
            ("AUDIENCE", audience),
            ("JWKS_URL", address),
        ];
        let vars = settings.into_iter().chain([("LEEWAY", &*text)]);
        let from_env =
            Config::from_vars(vars.map(|(name, value)| (format!("GO_AUTH_{name}"), value)));
        let document = json!({"issuer": issuer, "audience": [audience], "jwks_url": address,
            "leeway": text});
        let from_json = serde_json::from_value::<Config>(document);
        // Whose sum panics at the end of what numbers hold.
        let end = ["18446744073709551615", "584542046090"];
        if !end.iter().any(|end| text.contains(end)) {
            let theirs = humantime::parse_duration(&text).ok();
            let ours = from_json.as_ref().ok().map(|config| config.leeway);
            prop_assert_eq!(ours, theirs);
        }
        match (from_env, from_json) {
            (Ok(from_env), Ok(from_json)) => {
                prop_assert_eq!(from_env, from_json);
                tally.count("accepted");
            }
            (Err(_), Ok(from_json)) => {
                prop_assert!(from_json.leeway > secs(300));
                tally.count("out of range");
            }
            (from_env, Err(_)) => {
                prop_assert!(from_env.is_err());
                tally.count("unreadable");
            }
        }
        Ok(())
    });
    tally.assert_each(&["accepted", "out of range", "unreadable"], cases / 40);
    report("durations", cases);
}

#[test]
fn any_text_is_read_without_a_panic() {
    let texts = "(\\[\\[issuers\\]\\]|[a-z]{1,9} = |\"|[0-9smh{}\\[\\]:,.\n\\\\ ]|\\PC){0,60}";
    hold("configuration from any text", 1024, texts, |text| {
        let _ = serde_json::from_str::<Config>(&text);
        let _ = toml::from_str::<Config>(&text);
        let _ = Config::from_toml(&text);
        Ok(())
    });
}

#[test]
fn accepted_access_tokens_are_distinguishable() {
    let tally = Tally::default();
    let date = "[0-9]{4}-(0[0-9]|1[0-3])-[0-3][0-9][Tt ][0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{0,10})?([Zz]|[+-][0-2][0-9]:[0-6][0-9])?";
    let dates = prop_oneof![
        2 => Just("2026-11-01T00:00:00Z".to_owned()),
        1 => date,
        1 => select(vec!["0000-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "1970-01-01T00:00:00+00:01",
            "9999-12-31T23:59:60Z", "9999-12-31T23:59:59-23:59", "2024-02-30T00:00:00Z", "-1", "nan"])
            .prop_map(str::to_owned),
    ];
    let cases = 1536;
    let values = (dates, slips(), "\\PC{0,80}");
    try_all("access tokens", cases, values, |(date, slips, junk)| {
        let _ = AccessTokens::from_toml(&junk);
        let text = TOKENS.replace("2026-11-01T00:00:00Z", &date);
        match AccessTokens::from_toml(&slipped(&text, &slips)) {
            Ok(tokens) => {
                let apis: Vec<_> = tokens.apis().collect();
                prop_assert!(apis.len() <= 32);
                prop_assert_eq!(apis.iter().collect::<HashSet<_>>().len(), apis.len());
                for api in apis {
                    prop_assert!(Api::new(api.as_str()).is_ok());
                }
                tally.count("accepted");
            }
            Err(error) => {
                prop_assert!(error.faults().len() > 0);
                tally.count("rejected");
            }
        }
        Ok(())
    });
    tally.assert_each(&["accepted", "rejected"], cases / 40);
    report("access tokens from text", 2 * cases);
}
