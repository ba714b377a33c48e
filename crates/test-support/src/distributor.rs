//! A distributor's API on a port of its own, and the file of its Access Tokens.

use std::path::PathBuf;
use std::time::Duration;

use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::post;
use axum::{Extension, Router};
use derbysoft_go_auth::access_token::Api;
use derbysoft_go_auth::clock::{Clock, ManualClock, UnixTime};
use derbysoft_go_auth::{GoAuth, Rejection, Verified};
use http::HeaderValue;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::{Background, clock, soon};

pub const PUSH: &str = "/ari/daily/push";
pub const RESERVATION: &str = "/reservation";

/// An API of two routes: what GO calls, and one of another API.
pub fn api(auth: &GoAuth) -> Router {
    let reservation = auth.layer().api(Api::V3_RESERVATION);
    Router::new()
        .route(PUSH, post(caller).layer(auth.layer()))
        .route(RESERVATION, post(caller).layer(reservation))
}

/// Answers with the credential that the caller presented.
async fn caller(Extension(caller): Extension<Verified>) -> String {
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
        both => panic!("a caller presents exactly one: {both:?}"),
    }
}

/// Copies the kind, which an outer layer sees in the extensions, into a header.
async fn show_kind(mut response: Response) -> Response {
    if let Some(rejection) = response.extensions().get::<Rejection>() {
        let kind = HeaderValue::from_static(rejection.kind().as_str());
        response.headers_mut().insert("x-kind", kind);
    }
    response
}

/// Serves until it is dropped.
pub struct Server {
    pub base: String,
    client: reqwest::Client,
    _task: Background,
}

impl Server {
    pub async fn of(auth: &GoAuth) -> Self {
        Self::start(api(auth)).await
    }

    pub async fn start(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let router = router.layer(map_response(show_kind));
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]);
        Self {
            base,
            client: client.build().expect("a client"),
            _task: Background::spawn(async move {
                axum::serve(listener, router)
                    .await
                    .expect("a server that goes on");
            }),
        }
    }

    /// Posts with this `Authorization`, or without any.
    pub async fn post<'a>(&self, path: &str, authorization: impl Into<Option<&'a str>>) -> Answer {
        let mut request = self.client.post(format!("{}{path}", self.base));
        if let Some(authorization) = authorization.into() {
            request = request.header("authorization", authorization);
        }
        let response = soon(request.send()).await.expect("an answer");
        let header = |name| header(&response, name);
        Answer {
            status: response.status().as_u16(),
            kind: header("x-kind").unwrap_or_else(|| "ok".to_owned()),
            challenge: header("www-authenticate"),
            body: soon(response.text()).await.expect("a whole body"),
        }
    }

    /// The one answer to both of GO's forms of the header.
    pub async fn answer(&self, path: &str, token: &str) -> Answer {
        let answer = self.post(path, token).await;
        let bearer = format!("Bearer {token}");
        assert_eq!(self.post(path, &*bearer).await, answer, "{token}");
        answer
    }

    /// The verdict on a push with this token.
    pub async fn kind(&self, token: &str) -> String {
        self.answer(PUSH, token).await.kind
    }
}

/// The value of a header, where it is there.
pub fn header(response: &reqwest::Response, name: &str) -> Option<String> {
    let value = response.headers().get(name)?;
    Some(value.to_str().expect("ASCII").to_owned())
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Of the rejection, or `ok`.
    pub kind: String,
    pub challenge: Option<String>,
    pub body: String,
}

impl Answer {
    pub fn verdict(&self) -> (u16, &str) {
        (self.status, &self.kind)
    }
}

/// A file of Access Tokens, and the clock of whoever watches it.
pub struct TokenFile {
    directory: TempDir,
    pub clock: ManualClock,
}

impl TokenFile {
    pub fn of(text: impl AsRef<[u8]>) -> Self {
        let file = Self {
            directory: tempfile::tempdir().expect("a directory"),
            clock: clock(),
        };
        file.write(text);
        file
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().join("tokens.toml")
    }

    /// Replaces the file as a whole.
    pub fn write(&self, text: impl AsRef<[u8]>) {
        let temporary = self.directory.path().join("tokens.tmp");
        std::fs::write(&temporary, text).expect("written");
        std::fs::rename(temporary, self.path()).expect("replaced");
    }
}

/// An entry of such a file.
pub fn entry(api: &Api, token: &str, issued: UnixTime) -> String {
    format!("[[token]]\napi = \"{api}\"\ntoken = \"{token}\"\nissued = {issued}\n")
}

pub const fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 60 * 60)
}

/// Now, by the machine's clock.
pub fn now() -> UnixTime {
    ManualClock::starting_now().now()
}
