//! Checks a configuration as a whole and converts it for the rest of the crate.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use http::header::AUTHORIZATION;
use http::{HeaderName, StatusCode};
use reqwest::Url;

use super::settings::{Part, check_ranges};
use super::{Config, IssuerConfig};
use crate::access_token::AccessTokensError;
use crate::authenticate::verifier::Verifier;
use crate::fault::{ConfigError, Faults};
use crate::file::guarded_file::Writable;
use crate::inbound::is_realm;
use crate::jwt::jws::MAX_KID_BYTES;
use crate::jwt::policy::Policy;
use crate::keys::{KeyFile, Place, Schedule, SnapshotFile};
use crate::net::address;
use crate::net::bounded_http::FetchSettings;
use crate::net::retry;
use crate::observe::Trust;

/// Where the keys of the top-level issuer come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    Fetched,
    Given,
    /// Given, but empty.
    GivenNone,
}

/// A configuration without faults.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) trusted: Vec<CheckedIssuer>,
    pub(crate) elsewhere: Box<[Box<str>]>,
    pub(crate) schedule: Schedule,
    pub(crate) ignore_status: StatusCode,
    pub(crate) credential_header: HeaderName,
}

/// An issuer whose tokens are accepted.
#[derive(Debug)]
pub(crate) struct CheckedIssuer {
    pub(crate) verifier: Verifier,
    /// `None` if the keys are given.
    pub(crate) place: Option<Place>,
    pub(crate) snapshot: Option<SnapshotFile>,
}

impl CheckedIssuer {
    /// The address from which its keys are fetched, if they are.
    pub(crate) fn address(&self) -> Option<&Url> {
        match &self.place {
            Some(Place::Address(settings)) => Some(&settings.address),
            Some(Place::File(_)) | None => None,
        }
    }
}

impl Checked {
    /// What is accepted, for the log.
    pub(crate) fn trusts(&self, on_failure: &'static str, config: &Config) -> Vec<Trust> {
        let trust = |issuer: &CheckedIssuer| Trust {
            issuer: issuer.verifier.issuer().to_owned(),
            audience: issuer.verifier.audiences().map(str::to_owned).collect(),
            keys: (issuer.place.as_ref()).map_or_else(|| "given in code".to_owned(), Place::shown),
            environment: issuer.verifier.environment().map(str::to_owned),
            on_failure,
            settings: config.origin.text(),
        };
        self.trusted.iter().map(trust).collect()
    }
}

/// The faults in the access token file.
pub(crate) fn of_access_tokens(file: &Path, error: &AccessTokensError) -> ConfigError {
    let file = file.to_string_lossy();
    let of_file = |fault| format!("\"{}\": {fault}", file.escape_debug());
    ConfigError::of_setting("access_tokens", error.faults().map(of_file))
}

/// One configured issuer, and how to name its settings in a fault.
struct Entry<'a> {
    prefix: String,
    issuer: &'a str,
    environment: Option<&'a str>,
    audience: &'a [String],
    jwks_url: &'a str,
    jwks_file: Option<&'a PathBuf>,
    snapshot: Option<&'a PathBuf>,
    keys: Keys,
}

impl Config {
    /// A verifier with the top-level rules of the configuration, for keys and times that
    /// the caller provides; settings about fetching and answering are ignored.
    ///
    /// # Errors
    /// With every fault in the settings that it uses.
    pub fn verifier(&self) -> Result<Verifier, ConfigError> {
        let mut faults = Faults::default();
        self.check_rules(&mut faults);
        let top = self.top(Keys::Given);
        top.check_names(&mut faults);
        faults.or(())?;
        Ok(self.verifier_of(&top))
    }

    /// `access_tokens`: some were given in code.
    pub(crate) fn checked(&self, keys: Keys, access_tokens: bool) -> Result<Checked, ConfigError> {
        let mut faults = Faults::default();
        faults.unless(
            !access_tokens || self.access_tokens.is_none(),
            "access_tokens",
            "has no use, since the tokens are given",
        );
        let access_tokens = access_tokens || self.access_tokens.is_some();
        let (trusted, elsewhere) = self.entries(keys, access_tokens, &mut faults);
        self.check_rules(&mut faults);
        let credential_header = self.check_answers(&mut faults);
        if trusted.iter().any(|entry| entry.keys == Keys::Fetched) {
            self.check_fetching(&mut faults);
        }
        let trusted = trusted
            .iter()
            .map(|entry| {
                entry.check_names(&mut faults);
                let place = self.check_place(entry, &mut faults);
                self.checked_issuer(entry, place)
            })
            .collect();
        faults.or(())?;
        Ok(Checked {
            trusted,
            elsewhere,
            schedule: self.schedule(),
            ignore_status: StatusCode::from_u16(self.ignore_status)
                .unwrap_or(StatusCode::NOT_FOUND),
            credential_header,
        })
    }

    /// The key address or file of each trusted issuer and how often keys are fetched: for
    /// inspecting them, which needs neither issuers nor audiences.
    ///
    /// # Errors
    /// With every fault in the settings that it uses.
    pub(crate) fn key_addresses(&self) -> Result<(Vec<(String, Place)>, Schedule), ConfigError> {
        let mut faults = Faults::default();
        let (trusted, _) = self.entries(Keys::Fetched, false, &mut Faults::default());
        self.check_fetching(&mut faults);
        let addresses = trusted
            .iter()
            .filter_map(|entry| {
                let place = self.check_place(entry, &mut faults)?;
                Some((entry.issuer.to_owned(), place))
            })
            .collect();
        faults.or((addresses, self.schedule()))
    }

    const fn schedule(&self) -> Schedule {
        Schedule {
            interval: self.refresh_interval,
            cooldown: self.cooldown,
            max_stale: self.max_stale,
            longest_retry: retry::LONGEST,
        }
    }

    const fn fetch_settings(&self, address: Url) -> FetchSettings {
        FetchSettings {
            address,
            connect_timeout: self.connect_timeout,
            timeout: self.fetch_timeout,
            max_bytes: self.max_document_bytes,
        }
    }

    fn top(&self, keys: Keys) -> Entry<'_> {
        Entry {
            prefix: String::new(),
            issuer: &self.issuer,
            environment: self.environment.as_deref(),
            audience: &self.audience,
            jwks_url: &self.jwks_url,
            jwks_file: self.jwks_file.as_ref(),
            snapshot: self.snapshot.as_ref(),
            keys,
        }
    }

    /// The trusted issuers, and the names of those of other environments.
    fn entries(
        &self,
        keys: Keys,
        access_tokens: bool,
        faults: &mut Faults,
    ) -> (Vec<Entry<'_>>, Box<[Box<str>]>) {
        let served = |issuer: &&IssuerConfig| match (&self.environment, &issuer.environment) {
            (Some(here), Some(theirs)) => here == theirs,
            _ => true,
        };
        let top_is_empty = self.issuer.is_empty()
            && self.audience.is_empty()
            && self.jwks_url.is_empty()
            && self.jwks_file.is_none();
        let needs_no_jwts = !self.issuers.is_empty() || access_tokens;
        let top_is_used = keys != Keys::Fetched || !top_is_empty || !needs_no_jwts;
        let mut trusted: Vec<_> = top_is_used.then(|| self.top(keys)).into_iter().collect();
        let mut elsewhere = Vec::new();
        let mut names = HashSet::new();
        names.extend(trusted.iter().map(|top| top.issuer));
        for (at, issuer) in self.issuers.iter().enumerate() {
            let prefix = format!("issuers[{at}].");
            if !names.insert(issuer.issuer.as_str()) {
                faults.add(format!("{prefix}issuer"), "is there twice");
            }
            // Whose it is must not depend on what somebody forgot.
            faults.unless(
                self.environment.is_none() || issuer.environment.is_some(),
                format!("{prefix}environment"),
                "is required, since environment is set",
            );
            if served(&issuer) {
                trusted.push(Entry {
                    prefix,
                    issuer: &issuer.issuer,
                    environment: issuer.environment.as_deref(),
                    audience: &issuer.audience,
                    jwks_url: &issuer.jwks_url,
                    jwks_file: issuer.jwks_file.as_ref(),
                    snapshot: issuer.snapshot.as_ref(),
                    keys: Keys::Fetched,
                });
            } else {
                check_issuer(&prefix, &issuer.issuer, faults);
                elsewhere.push(issuer.issuer.as_str().into());
            }
        }
        for (prefix, environment) in self.environments() {
            check_exact(&format!("{prefix}environment"), environment, faults);
        }
        faults.unless(
            !trusted.is_empty() || self.issuers.is_empty(),
            "environment",
            "is that of no issuer",
        );
        let mut files = HashSet::new();
        for entry in &trusted {
            faults.unless(
                entry.snapshot.is_none_or(|file| files.insert(file)),
                format!("{}snapshot", entry.prefix),
                "is the file of another issuer",
            );
        }
        (trusted, elsewhere.into())
    }

    /// The served environment and those of the issuers, each with the prefix of its name.
    fn environments(&self) -> impl Iterator<Item = (String, &str)> {
        let here = self.environment.iter().map(|here| (String::new(), here));
        let theirs = self.issuers.iter().enumerate().filter_map(|(at, issuer)| {
            Some((format!("issuers[{at}]."), issuer.environment.as_ref()?))
        });
        here.chain(theirs).map(|(prefix, name)| (prefix, &**name))
    }

    fn checked_issuer(&self, entry: &Entry<'_>, place: Option<Place>) -> CheckedIssuer {
        CheckedIssuer {
            verifier: self.verifier_of(entry),
            snapshot: (entry.snapshot.zip(place.as_ref())).map(|(path, place)| SnapshotFile {
                path: path.clone(),
                issuer: entry.issuer.to_owned(),
                address: place.name(),
                // Known when the network's files have been read.
                trust: String::new(),
                max_bytes: self.max_document_bytes,
                writable: self.writable(),
            }),
            place,
        }
    }

    const fn writable(&self) -> Writable {
        Writable::from_setting(self.danger_allow_writable_files)
    }

    /// Where the keys are; `None` if that has a fault or they are given.
    fn check_place(&self, entry: &Entry<'_>, faults: &mut Faults) -> Option<Place> {
        if !entry.fetches(faults) {
            return None;
        }
        let name = |setting| format!("{}{setting}", entry.prefix);
        let Some(file) = entry.jwks_file else {
            let address = address::parse(entry.jwks_url, self.danger_allow_http)
                .map_err(|wrong| faults.add(name("jwks_url"), wrong));
            return Some(Place::Address(self.fetch_settings(address.ok()?)));
        };
        if !entry.jwks_url.is_empty() {
            faults.add(name("jwks_url"), "is set beside jwks_file; only one can be");
            faults.add(name("jwks_file"), "is set beside jwks_url; only one can be");
        }
        faults.unless(!file.as_os_str().is_empty(), name("jwks_file"), "is empty");
        faults.unless(
            entry.snapshot.is_none(),
            name("snapshot"),
            "has no use beside jwks_file",
        );
        let file = KeyFile::new(file.clone(), self.max_document_bytes, self.writable());
        Some(Place::File(file))
    }

    fn verifier_of(&self, entry: &Entry<'_>) -> Verifier {
        let policy = Policy {
            issuer: entry.issuer.into(),
            environment: entry.environment.map(Into::into),
            audiences: entry.audience.iter().map(String::as_str).collect(),
            subjects: self.subjects.iter().map(String::as_str).collect(),
            required: self.required_claims.as_slice().into(),
            leeway: self.leeway,
            max_lifetime: self.max_lifetime,
        };
        Verifier::new(policy, self.max_token_bytes)
    }

    fn check_rules(&self, faults: &mut Faults) {
        check_ranges(self, Part::Rules, faults);
        check_list("distrusted_keys", &self.distrusted_keys, faults);
        faults.unless(
            (self.distrusted_keys.iter()).all(|kid| kid.len() <= MAX_KID_BYTES),
            "distrusted_keys",
            "has an entry of more than 256 bytes",
        );
        check_list("subjects", &self.subjects, faults);
        faults.unless(
            self.max_lifetime.is_none_or(|cap| !cap.is_zero()),
            "max_lifetime",
            "is zero",
        );
    }

    fn check_answers(&self, faults: &mut Faults) -> HeaderName {
        check_ranges(self, Part::Answers, faults);
        faults.unless(
            is_realm(&self.realm),
            "realm",
            "is not 1 to 128 printable ASCII characters without quotes and backslashes",
        );
        self.credential_header.parse().unwrap_or_else(|_| {
            faults.add("credential_header", "is not the name of a header");
            AUTHORIZATION
        })
    }

    fn check_fetching(&self, faults: &mut Faults) {
        check_ranges(self, Part::Keys, faults);
        faults.unless(
            self.max_stale >= self.refresh_interval,
            "max_stale",
            "is less than refresh_interval",
        );
        self.network().check(faults);
    }
}

impl Entry<'_> {
    fn check_names(&self, faults: &mut Faults) {
        let name = |setting| format!("{}{setting}", self.prefix);
        check_issuer(&self.prefix, self.issuer, faults);
        faults.unless(!self.audience.is_empty(), name("audience"), "is required");
        check_list(&name("audience"), self.audience, faults);
    }

    /// Whether its keys are fetched rather than given.
    fn fetches(&self, faults: &mut Faults) -> bool {
        match self.keys {
            Keys::Fetched => return true,
            Keys::GivenNone => faults.add("keys", "has no key"),
            Keys::Given => faults.unless(
                self.jwks_url.is_empty() && self.jwks_file.is_none() && self.snapshot.is_none(),
                "keys",
                "is given, so that jwks_url, jwks_file and snapshot have no use",
            ),
        }
        false
    }
}

fn check_issuer(prefix: &str, issuer: &str, faults: &mut Faults) {
    let setting = format!("{prefix}issuer");
    if issuer.is_empty() {
        faults.add(&setting, "is required");
    } else {
        check_exact(&setting, issuer, faults);
    }
}

fn check_list(setting: &str, entries: &[String], faults: &mut Faults) {
    let is_blank = |entry: &String| entry.trim().is_empty();
    faults.unless(!entries.iter().any(is_blank), setting, "has an empty entry");
    for (at, entry) in entries.iter().enumerate() {
        match misfit(entry) {
            Some(_) if is_blank(entry) => {}
            Some(wrong) if entries.len() == 1 => faults.add(setting, wrong),
            Some(wrong) => faults.add_of_entry(setting, at + 1, wrong),
            None => {}
        }
    }
}

fn check_exact(setting: &str, text: &str, faults: &mut Faults) {
    if let Some(wrong) = misfit(text) {
        faults.add(setting, wrong);
    }
}

/// What an editor, a shell, another format or copying left in a text. Texts are compared
/// byte for byte, so no token would ever match.
fn misfit(text: &str) -> Option<&'static str> {
    let is_break = |c| matches!(c, '\n' | '\r');
    let is_quote = |c| QUOTES.contains(&c);
    let rows = [
        (text.ends_with(is_break), "has a line break at its end"),
        (text.starts_with(is_break), "has a line break at its start"),
        (
            text.ends_with(char::is_whitespace),
            "has white space at its end",
        ),
        (
            text.starts_with(char::is_whitespace),
            "has white space at its start",
        ),
        (
            text.starts_with('[') || (text.ends_with(']') && !text.contains('[')),
            "looks like a list",
        ),
        (
            text.starts_with(is_quote) && text.ends_with(is_quote),
            "is in quotes",
        ),
        (text.ends_with(is_quote), "has a quotation mark at its end"),
        (
            text.starts_with(is_quote),
            "has a quotation mark at its start",
        ),
        (
            text.contains(is_unseen),
            "has a control character or an invisible one",
        ),
    ];
    rows.into_iter().find(|(is_so, _)| *is_so).map(|row| row.1)
}

/// Straight and typographic quotes.
const QUOTES: [char; 11] = [
    '"', '\'', '`', '\u{b4}', '\u{ab}', '\u{bb}', '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}',
    '\u{201e}',
];

/// Control characters, and characters without width: soft hyphens, joiners, direction
/// marks, byte order marks.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
