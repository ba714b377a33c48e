//! Settings: from code, from any serde format, or from the environment.
//!
//! A configuration is only data until it is built; building checks it whole and
//! names every fault at once, so that nothing half-configured ever starts.

mod duration;
mod env;

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::inbound::{BodyShape, DEFAULT_REALM, is_realm};
use crate::keys::{FetchSettings, Schedule};
use crate::policy::{Policy, RequiredClaim};
use crate::verifier::Verifier;

/// Everything that can be set as data.
///
/// In serde formats the fields have the names below, unknown ones are refused,
/// and durations are written as `30s` or `5m`; all but `issuer`, `audience` and
/// `jwks_url` may be left out.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config: derbysoft_go_auth::Config = toml::from_str(r#"
///     issuer = "https://id/84A26B2FA77BCD1FF5130636F04C30C5/.well-known/openid-configuration"
///     audience = ["ZKT"]
///     jwks_url = "https://id.example/id/84A26B2FA77BCD1FF5130636F04C30C5/keys"
///     leeway = "10s"
/// "#)?;
/// let auth = config.build()?;
/// # let _ = auth;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// The `iss` of GO's tokens, byte for byte. Required.
    pub issuer: String,
    /// The audiences of which a token must name one. Required.
    pub audience: Vec<String>,
    /// The address of GO's key set, or of a discovery document that names it.
    /// Required. `https`, or `http` to this machine itself.
    pub jwks_url: String,

    /// How much `exp` and `nbf` may be off. 30 s; at most 5 min.
    #[serde(default = "defaults::leeway", with = "duration")]
    pub leeway: Duration,
    /// The subjects that are let in; empty, the default: any.
    #[serde(default)]
    pub subjects: Vec<String>,
    /// Claims demanded beside `iss`, `aud` and `exp`. None by default.
    #[serde(default)]
    pub required_claims: Vec<RequiredClaim>,
    /// The longest life of a token from `iat` to `exp`. Any by default.
    #[serde(default, with = "duration::option")]
    pub max_lifetime: Option<Duration>,
    /// The longest token that is looked at, in bytes. 8 KiB, which is what
    /// common servers allow for a header line; from 256 to 64 KiB.
    #[serde(default = "defaults::max_token_bytes")]
    pub max_token_bytes: usize,
    /// The memory for tokens that were verified, in bytes. 16 MiB; 0 for none.
    #[serde(default = "defaults::token_cache_bytes")]
    pub token_cache_bytes: u64,

    /// How long a key set is fresh; it is refreshed ahead of that, at 70 to
    /// 90 % of it. 5 min; from 1 s to `max_stale`.
    #[serde(default = "defaults::refresh_interval", with = "duration")]
    pub refresh_interval: Duration,
    /// The least time between two fetches that requests caused. 10 s; from
    /// 100 ms to 10 min.
    #[serde(default = "defaults::cooldown", with = "duration")]
    pub cooldown: Duration,
    /// How long a request waits for keys. 2 s; from 10 ms to 30 s.
    #[serde(default = "defaults::key_wait", with = "duration")]
    pub key_wait: Duration,
    /// How long a connection to the key address may take. 2 s; from 10 ms to
    /// 60 s.
    #[serde(default = "defaults::connect_timeout", with = "duration")]
    pub connect_timeout: Duration,
    /// How long a fetch may take from beginning to end. 5 s; from 10 ms to 60 s.
    #[serde(default = "defaults::fetch_timeout", with = "duration")]
    pub fetch_timeout: Duration,
    /// The largest key document, decompressed, in bytes. 256 KiB, ten times
    /// what a hundred keys of 2048 bits take; from 1 KiB to 16 MiB.
    #[serde(default = "defaults::max_document_bytes")]
    pub max_document_bytes: usize,
    /// How long keys may serve after they were fetched, refreshes failing.
    /// 24 h; at most 7 days.
    #[serde(default = "defaults::max_stale", with = "duration")]
    pub max_stale: Duration,
    /// **Allows `http` to other machines.** Whoever is on the way can then make
    /// the gate accept their own tokens.
    #[serde(default)]
    pub danger_allow_http: bool,

    /// What a refused caller gets.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// With [`OnFailure::Ignore`]: the status of every refusal. 404; from 200 to
    /// 599. With a 2xx GO takes each refused push for delivered.
    #[serde(default = "defaults::ignore_status")]
    pub ignore_status: u16,
    /// With [`OnFailure::Reject`]: the shape of the body.
    #[serde(default)]
    pub body: BodyShape,
    /// With [`OnFailure::Reject`]: the realm of the challenge, of printable
    /// ASCII without quotes. `derbysoft-go`.
    #[serde(default = "defaults::realm")]
    pub realm: String,
}

/// What a refused caller gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum OnFailure {
    /// A status, a challenge and a body that say why.
    #[default]
    Reject,
    /// One same empty answer to all.
    Ignore,
}

/// The defaults, which the settings' docs explain.
mod defaults {
    use super::{DEFAULT_REALM, Duration};

    pub(super) const fn leeway() -> Duration {
        Duration::from_secs(30)
    }
    pub(super) const fn max_token_bytes() -> usize {
        8 * 1024
    }
    pub(super) const fn token_cache_bytes() -> u64 {
        16 * 1024 * 1024
    }
    pub(super) const fn refresh_interval() -> Duration {
        Duration::from_secs(5 * 60)
    }
    pub(super) const fn cooldown() -> Duration {
        Duration::from_secs(10)
    }
    pub(super) const fn key_wait() -> Duration {
        Duration::from_secs(2)
    }
    pub(super) const fn connect_timeout() -> Duration {
        Duration::from_secs(2)
    }
    pub(super) const fn fetch_timeout() -> Duration {
        Duration::from_secs(5)
    }
    pub(super) const fn max_document_bytes() -> usize {
        256 * 1024
    }
    pub(super) const fn max_stale() -> Duration {
        Duration::from_secs(24 * 60 * 60)
    }
    pub(super) const fn ignore_status() -> u16 {
        404
    }
    pub(super) fn realm() -> String {
        DEFAULT_REALM.to_owned()
    }
}

impl Default for Config {
    /// The defaults, with the three required settings empty.
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audience: Vec::new(),
            jwks_url: String::new(),
            leeway: defaults::leeway(),
            subjects: Vec::new(),
            required_claims: Vec::new(),
            max_lifetime: None,
            max_token_bytes: defaults::max_token_bytes(),
            token_cache_bytes: defaults::token_cache_bytes(),
            refresh_interval: defaults::refresh_interval(),
            cooldown: defaults::cooldown(),
            key_wait: defaults::key_wait(),
            connect_timeout: defaults::connect_timeout(),
            fetch_timeout: defaults::fetch_timeout(),
            max_document_bytes: defaults::max_document_bytes(),
            max_stale: defaults::max_stale(),
            danger_allow_http: false,
            on_failure: OnFailure::default(),
            ignore_status: defaults::ignore_status(),
            body: BodyShape::default(),
            realm: defaults::realm(),
        }
    }
}

impl Config {
    /// A verifier of these rules, for keys and times of the caller's own; the
    /// settings about fetching and answering are not looked at.
    ///
    /// # Errors
    /// With every fault of the settings that are.
    pub fn verifier(&self) -> Result<Verifier, ConfigError> {
        let mut faults = Faults::default();
        self.check_rules(&mut faults);
        faults.into_result()?;
        Ok(self.unchecked_verifier())
    }

    /// The configuration checked, in the types that the rest works with.
    /// Without `with_address` the keys are given, and the settings about
    /// fetching are not looked at.
    pub(crate) fn checked(&self, with_address: bool) -> Result<Checked, ConfigError> {
        let mut faults = Faults::default();
        self.check_rules(&mut faults);
        self.check_answers(&mut faults);
        let address = with_address
            .then(|| self.check_fetching(&mut faults))
            .flatten();
        faults.into_result()?;
        Ok(Checked {
            verifier: self.unchecked_verifier(),
            schedule: Schedule {
                interval: self.refresh_interval,
                cooldown: self.cooldown,
                max_stale: self.max_stale,
            },
            fetch: address.map(|address| FetchSettings {
                address,
                connect_timeout: self.connect_timeout,
                timeout: self.fetch_timeout,
                max_bytes: self.max_document_bytes,
            }),
            ignore_status: StatusCode::from_u16(self.ignore_status)
                .unwrap_or(StatusCode::NOT_FOUND),
        })
    }

    fn unchecked_verifier(&self) -> Verifier {
        let strings = |strings: &[String]| strings.iter().map(|s| s.as_str().into()).collect();
        let policy = Policy {
            issuer: self.issuer.as_str().into(),
            audiences: strings(&self.audience),
            subjects: strings(&self.subjects),
            required: self.required_claims.as_slice().into(),
            leeway: self.leeway,
            max_lifetime: self.max_lifetime,
        };
        Verifier::new(policy, self.max_token_bytes)
    }

    fn check_rules(&self, faults: &mut Faults) {
        faults.unless(!self.issuer.is_empty(), "issuer", "is required");
        faults.unless(!self.audience.is_empty(), "audience", "is required");
        let no_blank = |strings: &[String]| strings.iter().all(|s| !s.trim().is_empty());
        faults.unless(no_blank(&self.audience), "audience", "has an empty entry");
        faults.unless(no_blank(&self.subjects), "subjects", "has an empty entry");
        faults.unless(
            self.leeway <= Duration::from_secs(5 * 60),
            "leeway",
            "is more than 5m",
        );
        faults.unless(
            self.max_lifetime.is_none_or(|cap| !cap.is_zero()),
            "max_lifetime",
            "is zero",
        );
        faults.unless(
            (256..=64 * 1024).contains(&self.max_token_bytes),
            "max_token_bytes",
            "is not from 256 to 65536",
        );
    }

    fn check_answers(&self, faults: &mut Faults) {
        faults.unless(
            (200..=599).contains(&self.ignore_status),
            "ignore_status",
            "is not from 200 to 599",
        );
        faults.unless(
            is_realm(&self.realm),
            "realm",
            "is not 1 to 128 printable ASCII characters without quotes and backslashes",
        );
    }

    fn check_fetching(&self, faults: &mut Faults) -> Option<Url> {
        let millis = Duration::from_millis;
        let secs = Duration::from_secs;
        for (setting, value, least, most, wrong) in [
            (
                "cooldown",
                self.cooldown,
                millis(100),
                secs(600),
                "is not from 100ms to 10m",
            ),
            (
                "key_wait",
                self.key_wait,
                millis(10),
                secs(30),
                "is not from 10ms to 30s",
            ),
            (
                "connect_timeout",
                self.connect_timeout,
                millis(10),
                secs(60),
                "is not from 10ms to 60s",
            ),
            (
                "fetch_timeout",
                self.fetch_timeout,
                millis(10),
                secs(60),
                "is not from 10ms to 60s",
            ),
        ] {
            faults.unless((least..=most).contains(&value), setting, wrong);
        }
        faults.unless(
            self.refresh_interval >= secs(1),
            "refresh_interval",
            "is less than 1s",
        );
        faults.unless(
            self.max_stale <= secs(7 * 24 * 60 * 60),
            "max_stale",
            "is more than 7days",
        );
        faults.unless(
            self.max_stale >= self.refresh_interval,
            "max_stale",
            "is less than refresh_interval",
        );
        faults.unless(
            (1024..=16 * 1024 * 1024).contains(&self.max_document_bytes),
            "max_document_bytes",
            "is not from 1024 to 16777216",
        );
        match self.address() {
            Ok(address) => Some(address),
            Err(wrong) => {
                faults.add("jwks_url", wrong);
                None
            }
        }
    }

    fn address(&self) -> Result<Url, &'static str> {
        if self.jwks_url.is_empty() {
            return Err("is required");
        }
        let url = Url::parse(&self.jwks_url).map_err(|_| "is not an address")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("has a user name or password in it");
        }
        if url.fragment().is_some() {
            return Err("has a fragment");
        }
        match url.scheme() {
            "https" => Ok(url),
            "http" if self.danger_allow_http || is_loopback(&url) => Ok(url),
            "http" => Err("is plain http to another machine"),
            _ => Err("is neither https nor http"),
        }
    }
}

/// 127.0.0.0/8, `::1` or `localhost` (RFC 6761, section 6.3).
fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || (address.parse()).is_ok_and(|address: std::net::IpAddr| address.is_loopback())
    })
}

/// See [`Config::checked`].
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) verifier: Verifier,
    pub(crate) schedule: Schedule,
    pub(crate) fetch: Option<FetchSettings>,
    pub(crate) ignore_status: StatusCode,
}

/// A configuration that can't be used, with all of its faults.
///
/// It prints them one a line. Values are not repeated but for those of the
/// environment, escaped: settings are no secrets, but may hold anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    faults: Vec<String>,
}

impl ConfigError {
    /// Each fault: the setting, and what is wrong with it.
    pub fn faults(&self) -> impl ExactSizeIterator<Item = &str> {
        self.faults.iter().map(String::as_str)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration can't be used:")?;
        for fault in &self.faults {
            write!(f, "\n- {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Faults as they are found.
#[derive(Debug, Default)]
struct Faults {
    found: Vec<String>,
    from_env: bool,
}

impl Faults {
    /// Faults that name the settings as the environment does.
    const fn from_env() -> Self {
        Self {
            found: Vec::new(),
            from_env: true,
        }
    }

    fn unless(&mut self, good: bool, setting: &str, wrong: &str) {
        if !good {
            self.add(setting, wrong);
        }
    }

    fn add(&mut self, setting: &str, wrong: &str) {
        self.found.push(if self.from_env {
            format!("{}{} {wrong}", env::PREFIX, setting.to_uppercase())
        } else {
            format!("{setting} {wrong}")
        });
    }

    fn into_result(self) -> Result<(), ConfigError> {
        if self.found.is_empty() {
            Ok(())
        } else {
            Err(ConfigError { faults: self.found })
        }
    }
}

#[cfg(test)]
mod tests;
