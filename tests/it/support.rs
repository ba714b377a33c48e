//! What the tests share: GO's keys with and without its server, a clock that stands still, and
//! waits that end.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use derbysoft_go_auth::simulator::{Mint, PublishedKey, Simulator};
use derbysoft_go_auth::{
    Clock, FetchError, GoAuth, GoAuthBuilder, GoAuthLayer, KeySet, KeysState, ManualClock,
    Rejection, RequiredClaim, UnixTime, Verified, VerifyError,
};
use http::header::AUTHORIZATION;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tower::{Layer, ServiceExt};

/// GO's sample token names this subject.
pub(crate) const SUBJECT: &str = "ds-go-module";

/// Far longer than anything here takes: a test that would wait for ever fails instead.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A runtime as a server has it; with a thread of its own, so that it runs by itself.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// A runtime that runs only while something blocks on it.
pub(crate) fn passive_runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Awaits what must happen soon.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it should have happened by now")
}

/// Polls once.
pub(crate) fn at_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Leaves the time for what must not happen.
pub(crate) async fn settle() {
    tokio::time::sleep(millis(25)).await;
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        tokio::time::sleep(millis(5)).await;
    }
    panic!("it never came to this: {what}");
}

/// The stable name of what becomes of a token; `ok` where it is accepted.
pub(crate) async fn verdict(auth: &GoAuth, token: &str) -> &'static str {
    match soon(auth.verify(token)).await {
        Ok(_) => "ok",
        Err(error) => error.kind().as_str(),
    }
}

/// Verifies in a task of its own.
pub(crate) fn verifying(auth: &GoAuth, token: &str) -> JoinHandle<Result<Verified, VerifyError>> {
    let (auth, token) = (auth.clone(), token.to_owned());
    tokio::spawn(async move { auth.verify(&token).await })
}

/// Makes sure that there are keys, and says what the fetch failed of.
pub(crate) async fn ready(auth: &GoAuth) -> Result<(), FetchError> {
    soon(auth.ready()).await.map_err(|error| error.source)
}

/// Fetches, and says what the fetch failed of.
pub(crate) async fn refresh(auth: &GoAuth) -> Result<(), FetchError> {
    soon(auth.refresh()).await.map_err(|error| error.source)
}

/// The state of the keys of the only issuer.
pub(crate) fn state(auth: &GoAuth) -> KeysState {
    auth.health().issuers.remove(0).state
}

/// How many keys of the only issuer can verify.
pub(crate) fn keys(auth: &GoAuth) -> usize {
    auth.health().issuers[0].keys
}

/// One token of each kind of refusal that a token can cause, for a verifier with
/// [`strict`] rules.
pub(crate) fn refused_tokens(mint: &Mint) -> Vec<(&'static str, String)> {
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
                .signature(derbysoft_go_auth::simulator::SignatureKind::Corrupted)
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
pub(crate) fn strict(builder: GoAuthBuilder) -> GoAuthBuilder {
    builder
        .subject(SUBJECT)
        .max_lifetime(secs(300))
        .require_claim(RequiredClaim::Jti)
}

/// The status of a refusal of this kind.
pub(crate) fn status_of(kind: &str) -> u16 {
    match kind {
        "invalid_request" => 400,
        "subject" | "forbidden" => 403,
        "keys_unavailable" | "key_pending" => 503,
        _ => 401,
    }
}

/// GO's key and mint, without its server.
pub(crate) struct Keys {
    key: PublishedKey,
}

impl Keys {
    const ISSUER: &str = "https://id/X/.well-known/openid-configuration";
    const AUDIENCE: &str = "ZKT";

    pub(crate) fn new() -> Self {
        Self {
            key: PublishedKey::fresh(),
        }
    }

    pub(crate) fn mint(&self) -> Mint {
        let key = self.key.signing_key().expect("a key that signs").clone();
        let kid = self.key.kid().expect("a named key");
        Mint::new(key, kid, Self::ISSUER, Self::AUDIENCE)
    }

    pub(crate) fn kid(&self) -> String {
        self.key.kid().expect("a named key").to_owned()
    }

    pub(crate) fn token(&self) -> String {
        self.mint().token()
    }

    pub(crate) fn builder(&self) -> GoAuthBuilder {
        let document = serde_json::json!({ "keys": [self.key.jwk()] }).to_string();
        GoAuth::builder()
            .issuer(Self::ISSUER)
            .audience(Self::AUDIENCE)
            .keys(KeySet::from_document(document.as_bytes()).expect("a good document"))
    }

    pub(crate) fn layer(&self) -> GoAuthLayer {
        self.builder()
            .build()
            .expect("a good configuration")
            .layer()
    }
}

/// GO on a loopback port, and a clock that only the test moves.
pub(crate) struct World {
    pub(crate) go: Simulator,
    pub(crate) clock: ManualClock,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::of(Simulator::start().await.expect("a free port"))
    }

    pub(crate) fn of(go: Simulator) -> Self {
        // On a whole second, as tokens are.
        let now = ManualClock::starting_now().now().as_secs();
        let clock = ManualClock::new(UnixTime::from_secs(now));
        Self { go, clock }
    }

    pub(crate) fn builder(&self) -> GoAuthBuilder {
        GoAuth::builder()
            .issuer(self.go.issuer())
            .audience(self.go.audience())
            .jwks_url(self.go.jwks_url())
            .clock(self.clock.clone())
    }

    pub(crate) fn auth(&self) -> GoAuth {
        self.builder().build().expect("a good configuration")
    }

    /// With keys at hand; one fetch was made.
    pub(crate) async fn ready(&self) -> GoAuth {
        self.ready_with(|builder| builder).await
    }

    pub(crate) async fn ready_with(
        &self,
        set: impl FnOnce(GoAuthBuilder) -> GoAuthBuilder,
    ) -> GoAuth {
        let auth = set(self.builder()).build().expect("a good configuration");
        ready(&auth).await.expect("GO is well");
        auth
    }

    pub(crate) fn time(&self) -> UnixTime {
        self.clock.now()
    }

    /// The same, as a [`Mint`] takes it.
    pub(crate) fn now(&self) -> i64 {
        i64::try_from(self.time().as_secs()).expect("before the year 9999")
    }

    /// Of the key that signs now, issued now.
    pub(crate) fn mint(&self) -> Mint {
        self.go.mint().at(self.now())
    }

    pub(crate) fn token(&self) -> String {
        self.mint().token()
    }

    /// Good in all but its key, which nobody publishes, and issued long ago: whoever has
    /// looked for keys since has the last word on it.
    pub(crate) fn unknown(&self) -> String {
        let mint = self.mint().kid("nobody's");
        mint.claim("iat", 1_600_000_000).token()
    }

    pub(crate) async fn fetches(&self, n: usize) {
        soon(self.go.wait_for_fetches(n)).await;
    }

    /// Lets time pass; then no further fetch must come.
    pub(crate) async fn advance_quietly(&self, by: Duration) {
        let before = self.go.fetches();
        self.clock.advance(by);
        settle().await;
        assert_eq!(self.go.fetches(), before, "a fetch came too early");
    }

    /// Lets time pass; then the `n`th fetch must come.
    pub(crate) async fn advance_to_fetch(&self, by: Duration, n: usize) {
        self.clock.advance(by);
        self.fetches(n).await;
    }

    /// Waits for the end of a fetch that is under way, and says how the last one went. Who asks
    /// for an unknown key waits for a fetch, and does not cause one within the cooldown.
    pub(crate) async fn last_attempt(&self, auth: &GoAuth) -> &'static str {
        verdict(auth, &self.unknown()).await
    }
}

/// A service behind the layer that remembers the requests which reached it.
pub(crate) struct Api {
    layer: GoAuthLayer,
    seen: Arc<Mutex<Vec<http::request::Parts>>>,
}

impl Api {
    pub(crate) fn behind(layer: GoAuthLayer) -> Self {
        Self {
            layer,
            seen: Arc::default(),
        }
    }

    /// The heads of the requests that were let through.
    pub(crate) fn seen(&self) -> Vec<http::request::Parts> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }

    pub(crate) fn calls(&self) -> usize {
        self.seen().len()
    }

    pub(crate) async fn send<B>(&self, request: Request<B>) -> Answer {
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
    pub(crate) async fn call(&self, authorization: &str) -> Answer {
        self.send(request(&[authorization.as_bytes()])).await
    }
}

/// Headers with no credential, or one for another kind of authentication.
pub(crate) const OTHER: [&[&[u8]]; 3] = [&[], &[b"Basic dXNlcjpwYXNz"], &[b"Digest realm=\"x\""]];

/// Headers that cannot be read as one credential.
pub(crate) const UNUSABLE: [&[&[u8]]; 10] = [
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
pub(crate) fn request(authorization: &[&[u8]]) -> Request<()> {
    let mut request = Request::new(());
    for line in authorization {
        let value = http::HeaderValue::from_bytes(line).expect("a header value");
        request.headers_mut().append(AUTHORIZATION, value);
    }
    request
}

pub(crate) struct Answer {
    pub(crate) head: http::response::Parts,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.head.status.as_u16()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let value = self.head.headers.get(name)?;
        Some(value.to_str().expect("visible ASCII"))
    }

    /// The kind in the extensions, as an outer layer sees it.
    pub(crate) fn kind(&self) -> Option<&'static str> {
        let rejection = self.head.extensions.get::<Rejection>()?;
        Some(rejection.kind().as_str())
    }

    /// Header names and values and the body, for a search in all of it.
    pub(crate) fn text(&self) -> String {
        format!(
            "{:?} {}",
            self.head.headers,
            String::from_utf8_lossy(&self.body)
        )
    }
}
