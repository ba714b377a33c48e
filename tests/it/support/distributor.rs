//! A distributor's API on a port of its own, and the file that its access tokens are in.

use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::post;
use derbysoft_go_auth::{
    Api, Clock, GoAuth, ManualClock, Rejection, TokenClaims, UnixTime, Verified,
};
use http::HeaderValue;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::support::soon;

pub(crate) const PUSH: &str = "/ari/daily/push";
pub(crate) const RESERVATION: &str = "/reservation";
pub(crate) const CLAIMS: &str = "/claims";

/// An API of three routes: what GO calls, one of another API, and one that wants claims.
pub(crate) fn api(auth: &GoAuth) -> Router {
    let reservation = auth.layer().api(Api::V3_RESERVATION);
    Router::new()
        .route(PUSH, post(caller).layer(auth.layer()))
        .route(RESERVATION, post(caller).layer(reservation))
        .route(CLAIMS, post(claims).layer(auth.layer()))
}

/// Tells which way the caller was verified.
async fn caller(caller: Verified) -> String {
    match (caller.claims(), caller.access_token()) {
        (Some(claims), None) => format!("JWT of {}", claims.subject().unwrap_or("nobody")),
        (None, Some(granted)) => {
            let which = if granted.is_previous() {
                "previous"
            } else {
                "current"
            };
            format!("{which} token of {}", granted.api())
        }
        both => panic!("exactly one is there: {both:?}"),
    }
}

#[derive(serde::Deserialize)]
struct Subject {
    sub: String,
}

async fn claims(TokenClaims(subject): TokenClaims<Subject>) -> String {
    subject.sub
}

/// Puts the kind, which an outer layer sees in the extensions, where a caller over TCP sees it.
async fn show_kind(mut response: Response) -> Response {
    if let Some(rejection) = response.extensions().get::<Rejection>() {
        let kind = HeaderValue::from_static(rejection.kind().as_str());
        response.headers_mut().insert("x-kind", kind);
    }
    response
}

/// Serves until it is dropped.
pub(crate) struct Server {
    pub(crate) base: String,
    client: reqwest::Client,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn of(auth: &GoAuth) -> Self {
        Self::start(api(auth)).await
    }

    pub(crate) async fn start(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let router = router.layer(map_response(show_kind));
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]);
        Self {
            base,
            client: client.build().expect("a client"),
            task: tokio::spawn(async move {
                axum::serve(listener, router)
                    .await
                    .expect("a server that goes on");
            }),
        }
    }

    /// Posts with this `Authorization`, or without any.
    pub(crate) async fn post<'a>(
        &self,
        path: &str,
        authorization: impl Into<Option<&'a str>>,
    ) -> Answer {
        let mut request = self.client.post(format!("{}{path}", self.base));
        if let Some(authorization) = authorization.into() {
            request = request.header("authorization", authorization);
        }
        let response = soon(request.send()).await.expect("an answer");
        let header = |name: &str| {
            let value = response.headers().get(name)?;
            Some(value.to_str().expect("ASCII").to_owned())
        };
        Answer {
            status: response.status().as_u16(),
            kind: header("x-kind").unwrap_or_else(|| "ok".to_owned()),
            challenge: header("www-authenticate"),
            body: soon(response.text()).await.expect("a whole body"),
        }
    }

    /// The one answer to both of GO's forms of the header.
    pub(crate) async fn answer(&self, path: &str, token: &str) -> Answer {
        let answer = self.post(path, token).await;
        let bearer = format!("Bearer {token}");
        assert_eq!(self.post(path, &*bearer).await, answer, "{token}");
        answer
    }

    /// What becomes of a push with this token.
    pub(crate) async fn kind(&self, token: &str) -> String {
        self.answer(PUSH, token).await.kind
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Of the refusal, or `ok`.
    pub(crate) kind: String,
    pub(crate) challenge: Option<String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn verdict(&self) -> (u16, &str) {
        (self.status, &self.kind)
    }
}

/// A file of access tokens, and the clock of who watches it.
pub(crate) struct TokenFile {
    directory: TempDir,
    pub(crate) clock: ManualClock,
}

impl TokenFile {
    pub(crate) fn of(text: impl AsRef<[u8]>) -> Self {
        // On a whole second, as the times in it are.
        let now = ManualClock::starting_now().now().as_secs();
        let file = Self {
            directory: tempfile::tempdir().expect("a directory"),
            clock: ManualClock::new(UnixTime::from_secs(now)),
        };
        file.write(text);
        file
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("tokens.toml")
    }

    /// Replaces the file as a whole.
    pub(crate) fn write(&self, text: impl AsRef<[u8]>) {
        let temporary = self.directory.path().join("tokens.tmp");
        std::fs::write(&temporary, text).expect("written");
        std::fs::rename(temporary, self.path()).expect("replaced");
    }
}

/// An entry of such a file.
pub(crate) fn entry(api: &Api, token: &str, issued: UnixTime) -> String {
    format!("[[token]]\napi = \"{api}\"\ntoken = \"{token}\"\nissued = {issued}\n")
}

pub(crate) const fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 60 * 60)
}

/// Now, by the machine's clock.
pub(crate) fn now() -> UnixTime {
    ManualClock::starting_now().now()
}
