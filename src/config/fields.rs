//! The settings as data.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::inbound::{BodyShape, DEFAULT_REALM};
use crate::jwt::policy::RequiredClaim;
use crate::net::network::ProxyAddress;

use super::sources::Origin;
use super::{duration, list};

/// Everything that can be set as data.
///
/// In TOML ([`from_toml`](Config::from_toml)) and other serde formats the fields have the
/// names below, unknown ones are errors, and durations are written as `30s` or `5m`; a
/// string in place of a list of strings is its only entry. All but `issuer`, `audience`
/// and `jwks_url` (or `jwks_file`) are optional. Several issuers look like this:
///
/// ```toml
/// environment = "production"
/// issuer = "https://id/84A26B2FA77BCD1FF5130636F04C30C5/.well-known/openid-configuration"
/// audience = ["ZKT"]
/// jwks_url = "https://id.example/id/84A26B2FA77BCD1FF5130636F04C30C5/keys"
///
/// [[issuers]]   # trusted too, with its own keys
/// environment = "production"
/// issuer = "https://id.example/next/.well-known/openid-configuration"
/// audience = ["ZKT"]
/// jwks_url = "https://id.example/next/keys"
///
/// [[issuers]]   # known, to tell its tokens from strangers'
/// environment = "certification"
/// issuer = "https://id.test.example/84A2/.well-known/openid-configuration"
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
    /// The `iss` of GO's tokens, byte for byte. Required, like the next two, unless
    /// [`issuers`](Config::issuers) or [`access_tokens`](Config::access_tokens) are set.
    pub issuer: String,
    /// The accepted audiences; a token must name one of them.
    #[serde(deserialize_with = "list::deserialize")]
    pub audience: Vec<String>,
    /// The address of GO's key set, or of a discovery document that names it. `https`, or
    /// `http` to this machine itself.
    pub jwks_url: String,
    /// A file with the key set, in place of an address: where the key address is out of
    /// reach and something else brings the keys. It is read on first use, and again every
    /// 10 s; what counts is its content, also behind a link. While it can't be used
    /// (missing, empty, broken, or [writable by
    /// everybody](Config::danger_allow_writable_files)), its last good keys stay in use,
    /// up to `max_stale`. None by default.
    pub jwks_file: Option<PathBuf>,
    /// The file for the last good key document, so that a restart during an outage keeps
    /// serving. Its directory must be writable by this service alone. None by default.
    pub snapshot: Option<PathBuf>,
    /// A file of access tokens that are accepted as well, or alone if nothing is set for
    /// JWTs: see
    /// [`AccessTokens::from_toml`](crate::access_token::AccessTokens::from_toml). `build`
    /// reads it, and it is watched from then on. None by default.
    pub access_tokens: Option<PathBuf>,
    /// Further issuers, each with its own keys and audiences: those of another
    /// environment, or the next address of an issuer that moves.
    pub issuers: Vec<IssuerConfig>,
    /// The environment that is served here, which is that of the issuer above. Each of
    /// [`issuers`](Config::issuers) must then name its own. Those of other environments
    /// are known but not trusted: their tokens are rejected as
    /// [`WrongEnvironment`](crate::authenticate::VerifyErrorKind::WrongEnvironment), and
    /// their keys never fetched. If unset, all issuers are trusted.
    pub environment: Option<String>,

    /// The tolerance for `exp` and `nbf`. 30 s; at most 5 min.
    #[serde(with = "duration")]
    pub leeway: Duration,
    /// The accepted subjects; empty, the default, accepts any.
    #[serde(deserialize_with = "list::deserialize")]
    pub subjects: Vec<String>,
    /// Claims required besides `iss`, `aud` and `exp`. None by default.
    #[serde(deserialize_with = "list::deserialize")]
    pub required_claims: Vec<RequiredClaim>,
    /// The longest lifetime of a token, from `iat` to `exp`. Unlimited by default.
    #[serde(with = "duration::option")]
    pub max_lifetime: Option<Duration>,
    /// The longest accepted token, in bytes. 8 KiB, which is what common servers allow
    /// for a header line; from 256 to 64 KiB.
    pub max_token_bytes: usize,
    /// The size of the token cache, in bytes. 16 MiB; 0 turns it off.
    pub token_cache_bytes: u64,

    /// How long a key set from an address is fresh; it is refreshed ahead of that, at 70 to 90 % of it. 5
    /// min; from 1 s to `max_stale`.
    #[serde(with = "duration")]
    pub refresh_interval: Duration,
    /// The minimum time between two fetches caused by requests. 10 s; from 100 ms to 10
    /// min.
    #[serde(with = "duration")]
    pub cooldown: Duration,
    /// How long a request waits for keys. 2 s; from 10 ms to 30 s.
    #[serde(with = "duration")]
    pub key_wait: Duration,
    /// How many requests may wait for keys at once; the rest are answered with 503
    /// immediately. 128, a quarter of the gate's 512 connections; from 1 to 65,536.
    pub max_waiting: usize,
    /// How long connecting to the key address may take. 2 s; from 10 ms to 60 s.
    #[serde(with = "duration")]
    pub connect_timeout: Duration,
    /// How long a fetch may take in total. 5 s; from 10 ms to 60 s.
    #[serde(with = "duration")]
    pub fetch_timeout: Duration,
    /// The largest key document, decompressed, in bytes. 256 KiB, five times what a
    /// hundred keys of 2048 bits take; from 1 KiB to 16 MiB.
    pub max_document_bytes: usize,
    /// How long keys may be used after they were fetched while refreshes fail. 24 h; at
    /// least `refresh_interval`, at most 7 days.
    #[serde(with = "duration")]
    pub max_stale: Duration,
    /// Key ids (`kid`, of 1 to 256 bytes) that verify nothing, even while GO still
    /// publishes them: for a key that must be distrusted before GO withdraws it. None by
    /// default.
    #[serde(deserialize_with = "list::deserialize")]
    pub distrusted_keys: Vec<String>,
    /// The proxy through which keys are fetched, and which calls to GO with the same
    /// [`network`](Config::network) go through: `http://user:password@host:port`. It
    /// counts before `HTTPS_PROXY` of the environment, and `NO_PROXY` does not hold for
    /// it. Plain http to this machine goes through none. That of the environment by
    /// default.
    pub proxy: Option<ProxyAddress>,
    /// A file of certificates in PEM that are trusted in place of the system's, for the
    /// same connections. `build` reads it. None by default.
    pub ca_file: Option<PathBuf>,
    /// The client certificate for the same connections: a file of PEM, with the chain
    /// after it. Goes together with [`client_key`](Config::client_key); `build` reads
    /// both. None by default.
    pub client_cert: Option<PathBuf>,
    /// The key of [`client_cert`](Config::client_cert): a file of PEM (PKCS #8, PKCS #1 or
    /// SEC 1), without a password.
    pub client_key: Option<PathBuf>,
    /// **Allows `http` to other machines.** Anyone on the network path can then make the
    /// gate accept their own tokens.
    pub danger_allow_http: bool,
    /// **Uses files that everybody may write**: the access tokens, the key file, the
    /// snapshot and, if set in the environment, the settings file itself. Whoever can write them decides
    /// who may call the API. For mounts on which every file is writable by everybody and
    /// that can't be changed, such as those of Docker Desktop and WSL; each start logs a
    /// warning. Off by default.
    pub danger_allow_writable_files: bool,

    /// The header that holds the credential; no other is looked at. `authorization`.
    pub credential_header: String,
    /// How rejected requests are answered.
    pub on_failure: OnFailure,
    /// With [`OnFailure::Ignore`]: the status of every rejection. 404; from 200 to 599.
    /// With a 2xx, GO considers each rejected push delivered.
    pub ignore_status: u16,
    /// With [`OnFailure::Reject`]: the shape of the body.
    pub body: BodyShape,
    /// With [`OnFailure::Reject`]: the realm of the challenge, printable ASCII without
    /// quotes. `derbysoft-go`.
    pub realm: String,
    #[serde(skip)]
    pub(crate) origin: Origin,
}

/// An issuer besides the one at the top of a [`Config`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct IssuerConfig {
    /// As [`Config::issuer`].
    pub issuer: String,
    /// As [`Config::audience`]; not needed for an issuer that is not trusted.
    #[serde(deserialize_with = "list::deserialize")]
    pub audience: Vec<String>,
    /// As [`Config::jwks_url`]; not needed for an issuer that is not trusted.
    pub jwks_url: String,
    /// As [`Config::jwks_file`].
    pub jwks_file: Option<PathBuf>,
    /// As [`Config::snapshot`]; each issuer needs its own file.
    pub snapshot: Option<PathBuf>,
    /// The environment that the issuer belongs to. Required where
    /// [`Config::environment`] is set.
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

    /// An issuer that is known but not trusted, since it belongs to another environment.
    pub fn of_environment(issuer: impl Into<String>, environment: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            environment: Some(environment.into()),
            ..Self::default()
        }
    }
}

/// How rejected requests are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum OnFailure {
    /// With a status, a challenge and a body that say why.
    #[default]
    Reject,
    /// With the same empty answer for all.
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
    /// The defaults, documented at the fields, with no issuer.
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audience: Vec::new(),
            jwks_url: String::new(),
            jwks_file: None,
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
            proxy: None,
            ca_file: None,
            client_cert: None,
            client_key: None,
            danger_allow_http: false,
            danger_allow_writable_files: false,
            credential_header: "authorization".to_owned(),
            on_failure: OnFailure::default(),
            ignore_status: 404,
            body: BodyShape::default(),
            realm: DEFAULT_REALM.to_owned(),
            origin: Origin::default(),
        }
    }
}
