//! What the tests share: GO's keys with and without its server, a clock that stands still, and
//! waits that end.

#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::new_without_default,
    reason = "for the tests of this workspace alone"
)]

pub mod contract;
pub mod corpus;
pub mod distributor;
pub mod forge;
pub mod front;
pub mod hostile;
pub mod hostile_documents;
pub mod property;
pub mod raw_server;
pub mod recorded;
pub mod seeds;
pub mod wire;

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use derbysoft_go_auth::{
    Clock, FetchError, GoAuth, GoAuthBuilder, GoAuthLayer, KeySet, KeysState, ManualClock,
    Rejection, RequiredClaim, UnixTime, Verified, VerifyError,
};
use derbysoft_go_simulator::{Mint, PublishedKey, Simulator};
use http::header::AUTHORIZATION;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tower::{Layer, ServiceExt};

/// GO's sample token names this subject.
pub const SUBJECT: &str = "ds-go-module";

/// Far longer than anything here takes: a test that would wait for ever fails instead.
const PATIENCE: Duration = Duration::from_secs(10);

pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A runtime as a server has it; with a thread of its own, so that it runs by itself.
pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// A runtime that runs only while something blocks on it.
pub fn passive_runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Awaits what must happen soon.
pub async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it should have happened by now")
}

/// Polls once.
pub fn at_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Leaves the time for what must not happen.
pub async fn settle() {
    tokio::time::sleep(millis(25)).await;
}

/// Waits until `condition` holds.
pub async fn eventually(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        tokio::time::sleep(millis(5)).await;
    }
    panic!("it never came to this: {what}");
}

/// The stable name of what becomes of a token; `ok` where it is accepted.
pub async fn verdict(auth: &GoAuth, token: &str) -> &'static str {
    match soon(auth.verify(token)).await {
        Ok(_) => "ok",
        Err(error) => error.kind().as_str(),
    }
}

/// Verifies in a task of its own.
pub fn verifying(auth: &GoAuth, token: &str) -> JoinHandle<Result<Verified, VerifyError>> {
    let (auth, token) = (auth.clone(), token.to_owned());
    tokio::spawn(async move { auth.verify(&token).await })
}

/// Makes sure that there are keys, and says what the fetch failed of.
pub async fn ready(auth: &GoAuth) -> Result<(), FetchError> {
    soon(auth.ready()).await.map_err(|error| error.source)
}

/// Fetches, and says what the fetch failed of.
pub async fn refresh(auth: &GoAuth) -> Result<(), FetchError> {
    soon(auth.refresh()).await.map_err(|error| error.source)
}

/// The state of the keys of the only issuer.
pub fn state(auth: &GoAuth) -> KeysState {
    auth.health().issuers.remove(0).state
}

/// How many keys of the only issuer can verify.
pub fn keys(auth: &GoAuth) -> usize {
    auth.health().issuers[0].keys
}

/// One token of each kind of refusal that a token can cause, for a verifier with
/// [`strict`] rules.
pub fn refused_tokens(mint: &Mint) -> Vec<(&'static str, String)> {
    let mint = || mint.clone();
    vec![
        ("too_long", mint().claim("x", "y".repeat(9000)).token()),
        ("malformed", "53ac0777".to_owned()),
        ("header", mint().without_header("kid").token()),
        ("algorithm", mint().header("alg", "none").token()),
        (
            "unknown_key",
            // Of long ago: any set was asked for since.
            (mint().kid("nobody's").claim("iat", 1_600_000_000)).token(),
        ),
        (
            "signature",
            mint()
                .signature(derbysoft_go_simulator::SignatureKind::Corrupted)
                .token(),
        ),
        ("claims", mint().claim("exp", "soon").token()),
        ("issuer", mint().issuer("https://evil.example").token()),
        ("audience", mint().audience("somebody else").token()),
        ("expired", mint().expires_in(-31).token()),
        ("not_yet_valid", mint().not_before_offset(90).token()),
        ("missing_claim", mint().without("jti").token()),
        ("lifetime", mint().expires_in(301).token()),
        ("subject", mint().subject("somebody else").token()),
    ]
}

/// Demands all that [`refused_tokens`] violates.
pub fn strict(builder: GoAuthBuilder) -> GoAuthBuilder {
    builder
        .subject(SUBJECT)
        .max_lifetime(secs(300))
        .require_claim(RequiredClaim::Jti)
}

/// The status of a refusal of this kind.
pub fn status_of(kind: &str) -> u16 {
    match kind {
        "invalid_request" => 400,
        "subject" | "forbidden" => 403,
        "keys_unavailable" | "key_pending" => 503,
        _ => 401,
    }
}

/// GO's key and mint, without its server.
pub struct Keys {
    key: PublishedKey,
}

impl Keys {
    const ISSUER: &str = "https://id/X/.well-known/openid-configuration";
    const AUDIENCE: &str = "ZKT";

    pub fn new() -> Self {
        Self {
            key: PublishedKey::fresh(),
        }
    }

    pub fn mint(&self) -> Mint {
        let key = self.key.signing_key().expect("a key that signs").clone();
        let kid = self.key.kid().expect("a named key");
        Mint::new(key, kid, Self::ISSUER, Self::AUDIENCE)
    }

    pub fn kid(&self) -> String {
        self.key.kid().expect("a named key").to_owned()
    }

    pub fn token(&self) -> String {
        self.mint().token()
    }

    pub fn builder(&self) -> GoAuthBuilder {
        let document = serde_json::json!({ "keys": [self.key.jwk()] }).to_string();
        GoAuth::builder()
            .issuer(Self::ISSUER)
            .audience(Self::AUDIENCE)
            .keys(KeySet::from_document(document.as_bytes()).expect("a good document"))
    }

    pub fn layer(&self) -> GoAuthLayer {
        self.builder()
            .build()
            .expect("a good configuration")
            .layer()
    }
}

/// GO on a loopback port, and a clock that only the test moves.
pub struct World {
    pub go: Simulator,
    pub clock: ManualClock,
}

impl World {
    pub async fn new() -> Self {
        Self::of(Simulator::start().await.expect("a free port"))
    }

    pub fn of(go: Simulator) -> Self {
        // On a whole second, as tokens are.
        let now = ManualClock::starting_now().now().as_secs();
        let clock = ManualClock::new(UnixTime::from_secs(now));
        Self { go, clock }
    }

    pub fn builder(&self) -> GoAuthBuilder {
        GoAuth::builder()
            .issuer(self.go.issuer())
            .audience(self.go.audience())
            .jwks_url(self.go.jwks_url())
            .clock(self.clock.clone())
    }

    pub fn auth(&self) -> GoAuth {
        self.builder().build().expect("a good configuration")
    }

    /// With keys at hand; one fetch was made.
    pub async fn ready(&self) -> GoAuth {
        self.ready_with(|builder| builder).await
    }

    pub async fn ready_with(&self, set: impl FnOnce(GoAuthBuilder) -> GoAuthBuilder) -> GoAuth {
        let auth = set(self.builder()).build().expect("a good configuration");
        ready(&auth).await.expect("GO is well");
        auth
    }

    pub fn time(&self) -> UnixTime {
        self.clock.now()
    }

    /// The same, as a [`Mint`] takes it.
    pub fn now(&self) -> i64 {
        i64::try_from(self.time().as_secs()).expect("before the year 9999")
    }

    /// Of the key that signs now, issued now.
    pub fn mint(&self) -> Mint {
        self.go.mint().at(self.now())
    }

    pub fn token(&self) -> String {
        self.mint().token()
    }

    /// Good in all but its key, which nobody publishes, and issued long ago: whoever has
    /// looked for keys since has the last word on it.
    pub fn unknown(&self) -> String {
        let mint = self.mint().kid("nobody's");
        mint.claim("iat", 1_600_000_000).token()
    }

    pub async fn fetches(&self, n: usize) {
        soon(self.go.wait_for_fetches(n)).await;
    }

    /// Lets time pass; then no further fetch must come.
    pub async fn advance_quietly(&self, by: Duration) {
        let before = self.go.fetches();
        self.clock.advance(by);
        settle().await;
        assert_eq!(self.go.fetches(), before, "a fetch came too early");
    }

    /// Lets time pass; then the `n`th fetch must come.
    pub async fn advance_to_fetch(&self, by: Duration, n: usize) {
        self.clock.advance(by);
        self.fetches(n).await;
    }

    /// Waits for the end of a fetch that is under way, and says how the last one went. Who asks
    /// for an unknown key waits for a fetch, and does not cause one within the cooldown.
    pub async fn last_attempt(&self, auth: &GoAuth) -> &'static str {
        verdict(auth, &self.unknown()).await
    }
}

/// A service behind the layer that remembers the requests which reached it.
pub struct Api {
    layer: GoAuthLayer,
    seen: Arc<Mutex<Vec<http::request::Parts>>>,
}

impl Api {
    pub fn behind(layer: GoAuthLayer) -> Self {
        Self {
            layer,
            seen: Arc::default(),
        }
    }

    /// The heads of the requests that were let through.
    pub fn seen(&self) -> Vec<http::request::Parts> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }

    pub fn calls(&self) -> usize {
        self.seen().len()
    }

    pub async fn send<B>(&self, request: Request<B>) -> Answer {
        let handler = tower::service_fn(|request: Request<B>| {
            let (head, _) = request.into_parts();
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push(head);
            std::future::ready(Ok::<_, std::convert::Infallible>(Response::new(Full::<
                Bytes,
            >::from(
                "handled",
            ))))
        });
        let Ok(response) = soon(self.layer.layer(handler).oneshot(request)).await;
        let (head, body) = response.into_parts();
        let Ok(body) = body.collect().await;
        Answer {
            head,
            body: body.to_bytes(),
        }
    }

    /// With one `Authorization` header.
    pub async fn call(&self, authorization: &str) -> Answer {
        self.send(request(&[authorization.as_bytes()])).await
    }
}

/// Headers with no credential, or one for another kind of authentication.
pub const OTHER: [&[&[u8]]; 3] = [&[], &[b"Basic dXNlcjpwYXNz"], &[b"Digest realm=\"x\""]];

/// Headers that cannot be read as one credential.
pub const UNUSABLE: [&[&[u8]]; 10] = [
    &[b"Bearer a", b"Bearer a"],
    &[b"Bearer a", b"Basic b"],
    &[b"Bearer a, Bearer b"],
    &[b"Bearer a,b"],
    &[b"Bearer"],
    &[b"bearer "],
    &[b""],
    &[b"Bearer\ta"],
    &[b"Bearer a\tb"],
    &[b"Bearer \xc3\xa9"],
];

/// A request with these `Authorization` header lines.
pub fn request(authorization: &[&[u8]]) -> Request<()> {
    let mut request = Request::new(());
    for line in authorization {
        let value = http::HeaderValue::from_bytes(line).expect("a header value");
        request.headers_mut().append(AUTHORIZATION, value);
    }
    request
}

pub struct Answer {
    pub head: http::response::Parts,
    pub body: Bytes,
}

impl Answer {
    pub fn status(&self) -> u16 {
        self.head.status.as_u16()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let value = self.head.headers.get(name)?;
        Some(value.to_str().expect("visible ASCII"))
    }

    /// The kind in the extensions, as an outer layer sees it.
    pub fn kind(&self) -> Option<&'static str> {
        let rejection = self.head.extensions.get::<Rejection>()?;
        Some(rejection.kind().as_str())
    }

    /// Header names and values and the body, for a search in all of it.
    pub fn text(&self) -> String {
        format!(
            "{:?} {}",
            self.head.headers,
            String::from_utf8_lossy(&self.body)
        )
    }
}
