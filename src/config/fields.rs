//! The settings as data.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::inbound::{BodyShape, DEFAULT_REALM};
use crate::jwt::policy::RequiredClaim;

use super::duration;

/// Everything that can be set as data.
///
/// In TOML ([`from_toml`](Config::from_toml)) and other serde formats the fields have the
/// names below, unknown ones are refused, and durations are written as `30s` or `5m`; all but `issuer`, `audience` and
/// `jwks_url` may be left out. Several issuers look like this:
///
/// ```toml
/// environment = "production"
/// issuer = "https://id/84A26B2FA77BCD1FF5130636F04C30C5/.well-known/openid-configuration"
/// audience = ["ZKT"]
/// jwks_url = "https://id.example/id/84A26B2FA77BCD1FF5130636F04C30C5/keys"
///
/// [[issuers]]   # trusted too, with its own keys
/// issuer = "https://id.example/next/.well-known/openid-configuration"
/// audience = ["ZKT"]
/// jwks_url = "https://id.example/next/keys"
///
/// [[issuers]]   # known, to tell its tokens from strangers'
/// issuer = "https://id.test.example/84A2/.well-known/openid-configuration"
/// environment = "certification"
/// ```
///
/// One issuer is enough:
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = derbysoft_go_auth::Config::from_toml(r#"
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
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Config {
    /// The `iss` of GO's tokens, byte for byte. Required, like the next two,
    /// unless there are [`issuers`](Config::issuers) or
    /// [`access_tokens`](Config::access_tokens).
    pub issuer: String,
    /// The audiences of which a token must name one.
    pub audience: Vec<String>,
    /// The address of GO's key set, or of a discovery document that names it.
    /// `https`, or `http` to this machine itself.
    pub jwks_url: String,
    /// The file for the last good key document, so that a restart during an
    /// outage goes on serving. Its directory must be writable by this service
    /// alone. None by default.
    pub snapshot: Option<PathBuf>,
    /// A file of access tokens that are accepted too, or, where nothing is set for
    /// JWTs, alone: see [`AccessTokens::from_toml`](crate::access_token::AccessTokens::from_toml).
    /// It is read by `build` and watched from then on. None by default.
    pub access_tokens: Option<PathBuf>,
    /// Further issuers, each with keys and audiences of its own: those of
    /// another environment, or the next address of one that moves.
    pub issuers: Vec<IssuerConfig>,
    /// The environment that is served here. Of the further issuers, those of
    /// other environments are then known but not trusted: their tokens are
    /// refused as [`WrongEnvironment`](crate::authenticate::VerifyErrorKind::WrongEnvironment),
    /// and their keys never fetched. Without it all issuers are trusted.
    pub environment: Option<String>,

    /// How much `exp` and `nbf` may be off. 30 s; at most 5 min.
    #[serde(with = "duration")]
    pub leeway: Duration,
    /// The subjects that are let in; empty, the default: any.
    pub subjects: Vec<String>,
    /// Claims demanded beside `iss`, `aud` and `exp`. None by default.
    pub required_claims: Vec<RequiredClaim>,
    /// The longest life of a token from `iat` to `exp`. Any by default.
    #[serde(with = "duration::option")]
    pub max_lifetime: Option<Duration>,
    /// The longest token that is looked at, in bytes. 8 KiB, which is what
    /// common servers allow for a header line; from 256 to 64 KiB.
    pub max_token_bytes: usize,
    /// The memory for tokens that were verified, in bytes. 16 MiB; 0 for none.
    pub token_cache_bytes: u64,

    /// How long a key set is fresh; it is refreshed ahead of that, at 70 to
    /// 90 % of it. 5 min; from 1 s to `max_stale`.
    #[serde(with = "duration")]
    pub refresh_interval: Duration,
    /// The least time between two fetches that requests caused. 10 s; from
    /// 100 ms to 10 min.
    #[serde(with = "duration")]
    pub cooldown: Duration,
    /// How long a request waits for keys. 2 s; from 10 ms to 30 s.
    #[serde(with = "duration")]
    pub key_wait: Duration,
    /// How many requests may wait for keys at once; the rest are answered with 503
    /// immediately. 128, a quarter of the gate's 512 connections; from 1 to 65,536.
    pub max_waiting: usize,
    /// How long a connection to the key address may take. 2 s; from 10 ms to
    /// 60 s.
    #[serde(with = "duration")]
    pub connect_timeout: Duration,
    /// How long a fetch may take from beginning to end. 5 s; from 10 ms to 60 s.
    #[serde(with = "duration")]
    pub fetch_timeout: Duration,
    /// The largest key document, decompressed, in bytes. 256 KiB, five times
    /// what a hundred keys of 2048 bits take; from 1 KiB to 16 MiB.
    pub max_document_bytes: usize,
    /// How long keys may serve after they were fetched, refreshes failing.
    /// 24 h; at least `refresh_interval`, at most 7 days.
    #[serde(with = "duration")]
    pub max_stale: Duration,
    /// Key ids (`kid`, of 1 to 256 bytes) that verify nothing, even while GO still
    /// publishes them: for a key that must be distrusted before GO withdraws it.
    /// None by default.
    pub distrusted_keys: Vec<String>,
    /// **Allows `http` to other machines.** Whoever is on the way can then make
    /// the gate accept their own tokens.
    pub danger_allow_http: bool,
    /// **Uses files that everybody may write**: the access tokens, the snapshot and,
    /// where the environment says so, the settings themselves. Whoever can write them
    /// decides who may call the API. For mounts on which every file is writable by all
    /// whatever is done about it, as those of Docker Desktop and WSL; each start warns
    /// of it. Off by default.
    pub danger_allow_writable_files: bool,

    /// What a refused caller gets.
    pub on_failure: OnFailure,
    /// With [`OnFailure::Ignore`]: the status of every refusal. 404; from 200 to
    /// 599. With a 2xx GO takes each refused push for delivered.
    pub ignore_status: u16,
    /// With [`OnFailure::Reject`]: the shape of the body.
    pub body: BodyShape,
    /// With [`OnFailure::Reject`]: the realm of the challenge, of printable
    /// ASCII without quotes. `derbysoft-go`.
    pub realm: String,
}

/// An issuer beside the one at the top of a [`Config`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct IssuerConfig {
    /// As [`Config::issuer`].
    pub issuer: String,
    /// As [`Config::audience`]; not needed for an issuer that is not trusted.
    pub audience: Vec<String>,
    /// As [`Config::jwks_url`]; not needed for an issuer that is not trusted.
    pub jwks_url: String,
    /// As [`Config::snapshot`]; each issuer needs a file of its own.
    pub snapshot: Option<PathBuf>,
    /// The environment that the issuer belongs to. Without one it belongs to
    /// that which is served.
    pub environment: Option<String>,
}

impl IssuerConfig {
    /// An issuer with one audience and a key address.
    pub fn new(
        issuer: impl Into<String>,
        audience: impl Into<String>,
        jwks_url: impl Into<String>,
    ) -> Self {
        Self {
            issuer: issuer.into(),
            audience: vec![audience.into()],
            jwks_url: jwks_url.into(),
            ..Self::default()
        }
    }

    /// An issuer that is only known, as one of another environment.
    pub fn of_environment(issuer: impl Into<String>, environment: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            environment: Some(environment.into()),
            ..Self::default()
        }
    }
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

impl Config {
    /// See [`distrusted_keys`](Config::distrusted_keys).
    pub(crate) fn distrusted(&self) -> Arc<[Box<str>]> {
        let kids = self.distrusted_keys.iter();
        kids.map(|kid| kid.as_str().into()).collect()
    }
}

impl Default for Config {
    /// The defaults, which the settings' docs explain, with no issuer.
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audience: Vec::new(),
            jwks_url: String::new(),
            snapshot: None,
            access_tokens: None,
            issuers: Vec::new(),
            environment: None,
            leeway: Duration::from_secs(30),
            subjects: Vec::new(),
            required_claims: Vec::new(),
            max_lifetime: None,
            max_token_bytes: 8 * 1024,
            token_cache_bytes: 16 * 1024 * 1024,
            refresh_interval: Duration::from_secs(5 * 60),
            cooldown: Duration::from_secs(10),
            key_wait: Duration::from_secs(2),
            max_waiting: 128,
            connect_timeout: Duration::from_secs(2),
            fetch_timeout: Duration::from_secs(5),
            max_document_bytes: 256 * 1024,
            max_stale: Duration::from_secs(24 * 60 * 60),
            distrusted_keys: Vec::new(),
            danger_allow_http: false,
            danger_allow_writable_files: false,
            on_failure: OnFailure::default(),
            ignore_status: 404,
            body: BodyShape::default(),
            realm: DEFAULT_REALM.to_owned(),
        }
    }
}
