//! Access Tokens for GO's APIs that a distributor calls.

mod layer;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Uri};

pub use self::layer::{EndpointTokensLayer, EndpointTokensService};
use super::base::{self, Base};
use super::error::CallRefused;
use super::expiry::{CredentialHealth, Reported};
use super::form::HeaderForm;
use crate::clock::{Clock, SystemClock, UnixTime};
use crate::credential_lifetime::end_of;
use crate::fault::{ConfigError, Faults};
use crate::secret::Secret;

/// The name of the endpoint that [`EndpointTokensBuilder::booking_usb`] adds.
pub const BOOKING_USB: &str = "booking-usb";

/// The name of the endpoint that [`EndpointTokensBuilder::shopping_engine`] adds.
pub const SHOPPING_ENGINE: &str = "shopping-engine";

/// What is wrong with a token that can't be sent.
const BAD_TOKEN: &str = "is not 1 to 8192 characters of visible ASCII without a comma";

/// How often requests check whether a reminder is due, in seconds. The closest two are a
/// day apart.
const LOOK_EVERY: u64 = 60;

/// An Access Token for one of GO's endpoints, and when it was issued if known. It ends
/// 180 days later.
#[derive(Debug, Clone)]
pub struct EndpointToken {
    secret: Secret,
    issued_at: Option<UnixTime>,
}

impl EndpointToken {
    /// A token whose end is unknown.
    pub fn new(token: impl Into<Secret>) -> Self {
        Self {
            secret: token.into(),
            issued_at: None,
        }
    }

    /// When GO Console issued it.
    pub fn issued_at(mut self, issued_at: UnixTime) -> Self {
        self.issued_at = Some(issued_at);
        self
    }
}

impl<T: Into<Secret>> From<T> for EndpointToken {
    fn from(token: T) -> Self {
        Self::new(token)
    }
}

/// The Access Tokens for GO's endpoints, by base address.
///
/// A handle: clones share tokens. [`layer`](Self::layer) puts the right token on each
/// request. The endpoint is found by base address: scheme, host, port and path prefix,
/// the longest one first, whole segments only.
///
/// A token's remaining time is checked with requests and with [`health`](Self::health),
/// and warnings follow GO's own days: every 10 from 30 days before the end, and daily in
/// the last 72 hours. A token past its end is still sent, since GO decides; only the
/// answer is certain.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use derbysoft_go_auth::outbound::{BOOKING_USB, EndpointTokens};
///
/// let tokens = EndpointTokens::builder()
///     .booking_usb("https://go.example/bookingusb", "53ac0777")
///     .shopping_engine("https://go.example/shoppingengine", "9f00d311")
///     .build()?;
/// // After a renewal in GO Console; calls under way keep the old token, which is
/// // good for 7 more days.
/// tokens.replace(BOOKING_USB, "be11e5e1")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct EndpointTokens {
    inner: Arc<Inner>,
}

struct Inner {
    endpoints: Vec<Endpoint>,
    form: HeaderForm,
    clock: Arc<dyn Clock>,
    /// When requests next check for reminders, in seconds since the epoch.
    next_look: AtomicU64,
}

struct Endpoint {
    name: Box<str>,
    base: Base,
    current: ArcSwap<Current>,
    reported: Reported,
}

struct Current {
    value: HeaderValue,
    expires_at: Option<UnixTime>,
}

impl EndpointTokens {
    /// Starts without endpoints.
    pub fn builder() -> EndpointTokensBuilder {
        EndpointTokensBuilder {
            entries: Vec::new(),
            form: HeaderForm::default(),
            clock: Arc::new(SystemClock::default()),
            danger_allow_http: false,
        }
    }

    /// A layer that puts the right token on each request.
    pub fn layer(&self) -> EndpointTokensLayer {
        EndpointTokensLayer {
            tokens: self.clone(),
        }
    }

    /// Puts the token for `uri` into `headers`, marked sensitive: what the layer
    /// does, for clients without tower.
    ///
    /// # Errors
    /// If there is no token for the address, or there is an `Authorization` header
    /// already; `headers` are then unchanged.
    pub fn authorize(&self, uri: &Uri, headers: &mut HeaderMap) -> Result<(), CallRefused> {
        let endpoints = &self.inner.endpoints;
        let bases = endpoints.iter().map(|endpoint| &endpoint.base);
        let at = base::admit(bases, uri, headers)?;
        self.inner.look();
        let value = endpoints[at].current.load().value.clone();
        headers.insert(AUTHORIZATION, value);
        Ok(())
    }

    /// Sends another token to the endpoint with this name from now on.
    ///
    /// # Errors
    /// If there is no such endpoint, or the token can't stand in a header; the old one
    /// stays in use.
    pub fn replace(&self, name: &str, token: impl Into<EndpointToken>) -> Result<(), ReplaceError> {
        let inner = &self.inner;
        let endpoint = (inner.endpoints.iter())
            .find(|endpoint| &*endpoint.name == name)
            .ok_or(ReplaceError::UnknownEndpoint)?;
        let current = Current::new(&token.into(), inner.form).ok_or(ReplaceError::UnusableToken)?;
        endpoint.current.store(Arc::new(current));
        Ok(())
    }

    /// Updates the metric `go_auth_credential_seconds_left` with the time that each token
    /// has left: for a server to call when its metrics are scraped. Otherwise it is
    /// updated with requests, once a minute, and with [`health`](Self::health).
    #[cfg(feature = "metrics")]
    #[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
    pub fn record_metrics(&self) {
        self.inner.remind(self.inner.clock.now());
    }

    /// How long each endpoint's token is valid, in the order of the configuration.
    pub fn health(&self) -> Vec<CredentialHealth> {
        let now = self.inner.clock.now();
        self.inner.remind(now);
        (self.inner.endpoints.iter())
            .map(|endpoint| {
                let expires_at = endpoint.current.load().expires_at;
                CredentialHealth::new(&endpoint.name, expires_at, now)
            })
            .collect()
    }
}

/// Why a token was not [replaced](EndpointTokens::replace).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplaceError {
    /// No endpoint has this name.
    #[error("there is no endpoint of this name")]
    UnknownEndpoint,
    /// The token can't stand in a header.
    #[error("the token {BAD_TOKEN}")]
    UnusableToken,
}

impl Inner {
    /// Emits due reminders, on few of the requests.
    fn look(&self) {
        let now = self.clock.now();
        let next = self.next_look.load(Ordering::Relaxed);
        // The wall clock may have been set back.
        if now.as_secs() >= next || next - now.as_secs() > LOOK_EVERY {
            (self.next_look).store(now.as_secs() + LOOK_EVERY, Ordering::Relaxed);
            self.remind(now);
        }
    }

    fn remind(&self, now: UnixTime) {
        for endpoint in &self.endpoints {
            let end = || endpoint.current.load().expires_at;
            endpoint.reported.remind(&endpoint.name, now, end);
        }
    }
}

impl Current {
    fn new(token: &EndpointToken, form: HeaderForm) -> Option<Self> {
        Some(Self {
            value: form.value(token.secret.expose())?,
            expires_at: token.issued_at.map(end_of),
        })
    }
}

impl fmt::Debug for EndpointTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints = self.inner.endpoints.iter();
        f.debug_map()
            .entries(endpoints.map(|endpoint| (&endpoint.name, &endpoint.base)))
            .finish()
    }
}

/// Sets up [`EndpointTokens`].
#[derive(Debug, Clone)]
#[must_use = "nothing is set up until `build` is called"]
pub struct EndpointTokensBuilder {
    entries: Vec<(String, String, EndpointToken)>,
    form: HeaderForm,
    clock: Arc<dyn Clock>,
    danger_allow_http: bool,
}

impl EndpointTokensBuilder {
    /// The BookingUSB API at this base address, as [`BOOKING_USB`].
    pub fn booking_usb(self, base: impl Into<String>, token: impl Into<EndpointToken>) -> Self {
        self.endpoint(BOOKING_USB, base, token)
    }

    /// The ShoppingEngine API at this base address, as [`SHOPPING_ENGINE`].
    pub fn shopping_engine(self, base: impl Into<String>, token: impl Into<EndpointToken>) -> Self {
        self.endpoint(SHOPPING_ENGINE, base, token)
    }

    /// Another endpoint, such as one of the V3 APIs. The name is for health and logs; the
    /// base is `https`, or `http` to this machine itself, without user information, query
    /// and fragment.
    pub fn endpoint(
        mut self,
        name: impl Into<String>,
        base: impl Into<String>,
        token: impl Into<EndpointToken>,
    ) -> Self {
        let entry = (name.into(), base.into(), token.into());
        self.entries.push(entry);
        self
    }

    /// How tokens are written in the header; by default [`HeaderForm::Bearer`].
    pub fn header_form(mut self, form: HeaderForm) -> Self {
        self.form = form;
        self
    }

    /// The clock that decides when tokens end; by default the system's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// **Allows `http` to other machines.** Anyone on the way can then read the tokens.
    pub fn danger_allow_http(mut self) -> Self {
        self.danger_allow_http = true;
        self
    }

    /// Checks everything; does no I/O.
    ///
    /// # Errors
    /// With every fault: no endpoint, an invalid or repeated base, an empty or repeated
    /// name, a token that can't stand in a header.
    pub fn build(self) -> Result<EndpointTokens, ConfigError> {
        let mut faults = Faults::default();
        let mut endpoints: Vec<Endpoint> = Vec::new();
        faults.unless(!self.entries.is_empty(), "endpoint", "is required");
        for (at, (name, base, token)) in self.entries.into_iter().enumerate() {
            let setting = |part: &str| format!("endpoint[{at}].{part}");
            let twice = endpoints.iter().any(|other| *other.name == name);
            faults.unless(!name.trim().is_empty(), setting("name"), "is required");
            faults.unless(!twice, setting("name"), "is there twice");
            let base = Base::parse(&base, self.danger_allow_http)
                .map_err(|wrong| faults.add(setting("base"), wrong));
            if let Ok(base) = &base {
                let twice = endpoints.iter().any(|other| other.base == *base);
                faults.unless(!twice, setting("base"), "is there twice");
            }
            let current = Current::new(&token, self.form);
            faults.unless(current.is_some(), setting("token"), BAD_TOKEN);
            if let (Ok(base), Some(current)) = (base, current) {
                endpoints.push(Endpoint {
                    name: name.into(),
                    base,
                    current: ArcSwap::from_pointee(current),
                    reported: Reported::default(),
                });
            }
        }
        faults.or(())?;
        Ok(EndpointTokens {
            inner: Arc::new(Inner {
                endpoints,
                form: self.form,
                clock: self.clock,
                next_look: AtomicU64::new(0),
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn all_faults_are_named_without_any_value() {
        let error = EndpointTokens::builder()
            .booking_usb("https://go.example/a", "fine")
            .shopping_engine("https://GO.example:443/a/", "with space")
            .endpoint(BOOKING_USB, "http://go.example", "")
            .endpoint("", "https://user:hunter2@go.example", "x")
            .build()
            .expect_err("faulty");
        assert_eq!(
            error.faults().collect::<Vec<_>>(),
            [
                "endpoint[1].base is there twice",
                "endpoint[1].token is not 1 to 8192 characters of visible ASCII without a comma",
                "endpoint[2].name is there twice",
                "endpoint[2].base is plain http to another machine",
                "endpoint[2].token is not 1 to 8192 characters of visible ASCII without a comma",
                "endpoint[3].name is required",
                "endpoint[3].base has a user name or password in it",
            ]
        );
        assert!(!error.to_string().contains("hunter2"));
        assert!(EndpointTokens::builder().build().is_err());
    }

    #[test]
    fn reminders_are_looked_for_once_a_minute_whatever_the_clock() {
        let clock = ManualClock::new(UnixTime::EPOCH);
        let tokens = EndpointTokens::builder()
            .booking_usb("https://go.example", "fine")
            .clock(clock.clone())
            .build()
            .expect("good");
        let next_look = &tokens.inner.next_look;
        for (now, looks) in [
            (1000, true),
            (1059, false),
            (1060, true),
            (1061, false),
            // Set back.
            (1060, false),
            (1059, true),
            (5, true),
        ] {
            clock.step_to(UnixTime::from_secs(now));
            let before = next_look.load(Ordering::Relaxed);
            tokens.inner.look();
            let expected = if looks { now + 60 } else { before };
            assert_eq!(next_look.load(Ordering::Relaxed), expected, "{now}");
        }
    }
}
