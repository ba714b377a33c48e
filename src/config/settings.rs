//! The settings: each one's name, where it may be set, and its range.
//!
//! One row a setting. The environment, the file, the command's flags and the checks use
//! it, and tests compare it with the fields of [`Config`] and with
//! `docs/guide/configuration.md`.

use std::time::Duration;

use humantime::format_duration;

use super::Config;
use crate::fault::Faults;

/// One setting of [`Config`].
#[derive(Debug)]
pub struct Setting {
    /// The field's name.
    pub name: &'static str,
    /// The part that it belongs to.
    pub part: Part,
    /// Whether a variable can set it; otherwise only the file and code can.
    pub has_variable: bool,
    /// Whether it is a list of texts, which variables and flags separate by commas.
    pub is_list: bool,
    /// Whether it restricts, so that an empty variable would silently restrict nothing.
    pub(super) is_restriction: bool,
    range: Range,
    /// What it is, in one line of help.
    pub help: &'static str,
    /// The command's flag, if it has one.
    pub flag: Option<FlagOf>,
}

/// The part that a setting belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The rules for a token.
    Rules,
    /// Fetching keys: checked only if keys are fetched.
    Keys,
    /// The answer to a rejected request.
    Answers,
}

/// A flag of the command.
#[derive(Debug)]
pub struct FlagOf {
    /// The placeholder of its value; a flag without one sets `true`.
    pub value: Option<&'static str>,
}

#[derive(Debug)]
enum Range {
    Any,
    Time(fn(&Config) -> Duration, Duration, Duration),
    Number(fn(&Config) -> usize, usize, usize),
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// All settings.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    rule("issuer", "The `iss` of GO's tokens").flag("ISS"),
    rule("audience", "The accepted audiences, comma-separated").list().flag("AUD"),
    rule("access_tokens", "The file of Access Tokens").flag("FILE"),
    rule("leeway", "The tolerance for exp and nbf, such as 30s")
        .time(|it| it.leeway, Duration::ZERO, secs(300)).flag("TIME"),
    rule("subjects", "The accepted subjects, comma-separated").list().restricts().flag("SUB"),
    rule("required_claims", "Claims required besides iss, aud and exp: nbf, iat, jti, sub")
        .list().restricts().flag("NAMES"),
    rule("max_lifetime", "The longest accepted lifetime, from iat to exp, such as 5m")
        .file_and_code().flag("TIME"),
    rule("max_token_bytes", "The longest accepted token")
        .number(|it| it.max_token_bytes, 256, 64 * 1024).flag("BYTES"),
    rule("token_cache_bytes", "The memory for verified tokens, in bytes; 0: none"),
    // A list of tables.
    rule("issuers", "Several issuers, each with its keys and audiences").file_and_code(),
    rule("environment", "The environment that is served, where the file has several issuers")
        .flag("NAME"),
    rule("distrusted_keys", "Key ids that verify nothing, comma-separated").list().restricts(),

    keys("jwks_url", "The key address").flag("URL"),
    // No flag: whoever mistakes it for --token-file would have a token printed.
    keys("jwks_file", "A file with the key set, in place of the key address"),
    keys("refresh_interval", "How long keys are fresh, such as 5m")
        .time(|it| it.refresh_interval, secs(1), secs(7 * DAY.as_secs())).flag("TIME"),
    keys("cooldown", "The time between two fetches that requests cause, such as 10s")
        .time(|it| it.cooldown, millis(100), secs(600)),
    keys("key_wait", "How long a request waits for keys, such as 2s")
        .time(|it| it.key_wait, millis(10), secs(30)),
    // Limits waiting requests, whether keys are fetched or not.
    answer("max_waiting", "How many requests may wait for keys at once")
        .number(|it| it.max_waiting, 1, 65_536),
    keys("connect_timeout", "The time limit for connecting, such as 2s").file_and_code()
        .time(|it| it.connect_timeout, millis(10), secs(60)).flag("TIME"),
    keys("fetch_timeout", "The time limit for a whole fetch, such as 5s")
        .time(|it| it.fetch_timeout, millis(10), secs(60)).flag("TIME"),
    keys("max_document_bytes", "The longest key document").file_and_code()
        .number(|it| it.max_document_bytes, 1024, 16 * 1024 * 1024),
    keys("max_stale", "How long keys serve while every refresh fails, such as 24h")
        .time(|it| it.max_stale, secs(1), secs(7 * DAY.as_secs())),
    keys("snapshot", "The file of the last good keys, for a restart during an outage"),
    keys("proxy", "The proxy, such as http://proxy.example:3128").flag("URL"),
    keys("ca_file", "Certificate authorities, in place of the system's, in PEM").flag("FILE"),
    keys("client_cert", "The client certificate and its chain, in PEM").flag("FILE"),
    keys("client_key", "The client certificate's key, in PEM").flag("FILE"),
    keys(
        "danger_allow_http",
        "Allow http to other machines: anyone on the network path can supply keys",
    ).switch(),

    answer("credential_header", "The only header that is looked at for a token"),
    answer("on_failure", "Whether a rejected caller learns why: reject or ignore"),
    answer("ignore_status", "The status of a request that is ignored")
        .number(|it| it.ignore_status as usize, 200, 599),
    answer("body", "The form of an error: gateway, key-not-authorised or error-code"),
    answer("realm", "The realm of the challenge").file_and_code(),
    answer("danger_allow_writable_files", "Use files that everybody may write"),
];

const fn setting(name: &'static str, help: &'static str, part: Part) -> Setting {
    Setting {
        name,
        part,
        has_variable: true,
        is_list: false,
        is_restriction: false,
        range: Range::Any,
        help,
        flag: None,
    }
}

const fn rule(name: &'static str, help: &'static str) -> Setting {
    setting(name, help, Part::Rules)
}

const fn keys(name: &'static str, help: &'static str) -> Setting {
    setting(name, help, Part::Keys)
}

const fn answer(name: &'static str, help: &'static str) -> Setting {
    setting(name, help, Part::Answers)
}

impl Setting {
    const fn file_and_code(self) -> Self {
        Self {
            has_variable: false,
            ..self
        }
    }

    const fn list(self) -> Self {
        Self {
            is_list: true,
            ..self
        }
    }

    const fn restricts(self) -> Self {
        Self {
            is_restriction: true,
            ..self
        }
    }

    const fn time(self, of: fn(&Config) -> Duration, least: Duration, most: Duration) -> Self {
        Self {
            range: Range::Time(of, least, most),
            ..self
        }
    }

    const fn number(self, of: fn(&Config) -> usize, least: usize, most: usize) -> Self {
        Self {
            range: Range::Number(of, least, most),
            ..self
        }
    }

    const fn flag(self, value: &'static str) -> Self {
        self.with(Some(value))
    }

    const fn switch(self) -> Self {
        self.with(None)
    }

    const fn with(self, value: Option<&'static str>) -> Self {
        Self {
            flag: Some(FlagOf { value }),
            ..self
        }
    }

    /// The ends of its range, as they are written; only the upper end if it begins at
    /// zero.
    fn ends(&self) -> Option<(Option<String>, String)> {
        match self.range {
            Range::Any => None,
            Range::Time(_, least, most) => {
                let least = (!least.is_zero()).then(|| format_duration(least).to_string());
                Some((least, format_duration(most).to_string()))
            }
            Range::Number(_, least, most) => Some((Some(least.to_string()), most.to_string())),
        }
    }

    fn is_in_range(&self, config: &Config) -> bool {
        match self.range {
            Range::Any => true,
            Range::Time(of, least, most) => (least..=most).contains(&of(config)),
            Range::Number(of, least, most) => (least..=most).contains(&of(config)),
        }
    }
}

/// Finds the values that are out of range.
pub(super) fn check_ranges(config: &Config, part: Part, faults: &mut Faults) {
    for setting in SETTINGS.iter().filter(|setting| setting.part == part) {
        if setting.is_in_range(config) {
            continue;
        }
        match setting.ends() {
            Some((Some(least), most)) => {
                faults.add(setting.name, &format!("is not from {least} to {most}"));
            }
            Some((None, most)) => faults.add(setting.name, &format!("is more than {most}")),
            None => {}
        }
    }
}

/// The setting with this name.
pub(super) fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::config::duration;
    use crate::config::layers::fields;

    const PAGE: &str = include_str!("../../docs/guide/configuration.md");

    fn names() -> BTreeSet<&'static str> {
        SETTINGS.iter().map(|setting| setting.name).collect()
    }

    /// The cells of the rows in the page's tables of settings.
    fn rows() -> impl Iterator<Item = Vec<&'static str>> {
        let in_tables = PAGE.lines().skip_while(|line| *line != "## All settings");
        let in_tables = in_tables.take_while(|line| *line != "## What is an error");
        let rows = in_tables.filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
        rows.map(|row| row.split(" | ").collect())
    }

    /// The settings that a row describes: `issuers` and `environment` share one.
    fn names_in(cell: &'static str) -> impl Iterator<Item = &'static str> {
        let names = cell.split(['`', ',', ' ']);
        names.filter(|name| find(name).is_some())
    }

    #[test]
    fn the_table_has_every_field_once() {
        assert_eq!(names(), fields().iter().copied().collect());
        assert_eq!(names().len(), SETTINGS.len());
    }

    #[test]
    fn the_table_knows_which_are_lists() {
        let defaults = serde_json::to_value(Config::default()).expect("JSON");
        for setting in SETTINGS.iter().filter(|setting| setting.name != "issuers") {
            let is_list = defaults[setting.name].is_array();
            assert_eq!(setting.is_list, is_list, "{}", setting.name);
        }
    }

    #[test]
    fn the_guide_has_every_setting_once() {
        let told: Vec<_> = rows().flat_map(|row| names_in(row[0])).collect();
        assert_eq!(told.iter().copied().collect::<BTreeSet<_>>(), names());
        assert_eq!(told.len(), SETTINGS.len());
    }

    #[test]
    fn the_guide_says_where_each_may_be_set() {
        for row in rows() {
            for name in names_in(row[0]) {
                let is_marked = row[0].contains("(file, code)");
                let setting = find(name).expect("a setting");
                assert_eq!(is_marked, !setting.has_variable, "{name}");
            }
        }
    }

    #[test]
    fn the_guide_gives_the_defaults_and_ranges() {
        let defaults = serde_json::to_value(Config::default()).expect("JSON");
        for row in rows() {
            let Some(setting) = names_in(row[0]).next().and_then(find) else {
                panic!("no setting: {row:?}");
            };
            let default = match &defaults[setting.name] {
                Value::Number(number) => number.to_string(),
                Value::Bool(is_on) => is_on.to_string(),
                Value::String(text) if !text.is_empty() => text.clone(),
                _ => {
                    assert!(["required", "none", "any"].contains(&row[1]), "{row:?}");
                    continue;
                }
            };
            let told = row[1].trim_matches('`');
            let time = duration::parse;
            let is_same =
                default == told || time(&default).is_some_and(|it| time(told) == Some(it));
            assert!(is_same, "{}: {default}, not {told}", setting.name);
            let range = setting.ends().map(|(least, most)| match least {
                Some(least) => format!("`{least}` to `{most}`"),
                None => format!("to `{most}`"),
            });
            if let Some(range) = range {
                assert_eq!(row[2], range, "{}", setting.name);
            }
        }
    }
}
