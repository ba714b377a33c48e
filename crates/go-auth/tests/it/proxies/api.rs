//! The API behind a proxy: it answers `handled`, and records what reached it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::php::Php;
use test_support::Background;

/// What the API speaks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Speaks {
    Http,
    /// A script behind a real PHP-FPM.
    Php,
}

/// Where the proxy finds it.
#[derive(Debug, Clone)]
pub(crate) enum ApiAddress {
    Http(SocketAddr),
    /// Its socket, and the script.
    Php(String, String),
}

/// A request as the API got it.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) target: String,
    /// Headers, with names in lower case; behind `FastCGI` all variables, those of headers
    /// under the header's name.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Received {
    fn of(head: &http::request::Parts, body: Bytes) -> Self {
        let field = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        };
        Self {
            method: head.method.to_string(),
            target: head.uri.to_string(),
            fields: head.headers.iter().map(field).collect(),
            body,
        }
    }

    /// From variables as CGI has them.
    pub(crate) fn of_variables(variables: &[(String, String)], body: Bytes) -> Self {
        let variable = |wanted: &str| {
            let found = variables.iter().find(|(name, _)| name == wanted);
            found.expect("a variable of CGI").1.clone()
        };
        let field = |(name, value): &(String, String)| {
            let name = match name.strip_prefix("HTTP_") {
                Some(name) => name.replace('_', "-").to_ascii_lowercase(),
                None => name.clone(),
            };
            (name, value.clone())
        };
        Self {
            method: variable("REQUEST_METHOD"),
            target: variable("REQUEST_URI"),
            fields: variables.iter().map(field).collect(),
            body,
        }
    }

    /// The value of a header that is there once, or not at all.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|(other, _)| other == name);
        let (_, value) = values.next()?;
        assert!(values.next().is_none(), "{name} is there twice: {self:?}");
        Some(value)
    }

    /// Everything that somebody may take for one of the gate's headers and that has a
    /// value: names that begin alike once all but letters and digits is the same.
    pub(crate) fn identity(&self) -> Vec<(&str, &str)> {
        let mut found: Vec<_> = (self.fields.iter())
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, value)| is_alike(name) && !value.is_empty())
            .collect();
        found.sort_unstable();
        found
    }

    /// Where this text is, in a name or a value.
    pub(crate) fn fields_with(&self, text: &str) -> Vec<&(String, String)> {
        let has = |field: &&(String, String)| field.0.contains(text) || field.1.contains(text);
        self.fields.iter().filter(has).collect()
    }
}

fn is_alike(name: &str) -> bool {
    let same = |byte: u8| {
        if byte.is_ascii_alphanumeric() {
            byte.to_ascii_lowercase()
        } else {
            b'_'
        }
    };
    name.bytes()
        .map(same)
        .collect::<Vec<_>>()
        .starts_with(b"x_go")
}

/// Ends when it is dropped.
pub(crate) struct Api {
    pub(crate) address: ApiAddress,
    serving: Serving,
}

enum Serving {
    Http(
        Arc<Mutex<Vec<Received>>>,
        #[expect(dead_code, reason = "ends when dropped")] Background,
    ),
    Php(Php),
}

impl Api {
    pub(crate) async fn start(speaks: Speaks) -> Self {
        match speaks {
            Speaks::Http => Self::http().await,
            Speaks::Php => {
                let php = Php::start().await;
                let address = ApiAddress::Php(php.socket(), php.script());
                let serving = Serving::Php(php);
                Self { address, serving }
            }
        }
    }

    async fn http() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let seen = Arc::clone(&received);
        let server = Background::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let seen = Arc::clone(&seen);
                let handle = service_fn(move |request| handle(request, Arc::clone(&seen)));
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), handle);
                connections.spawn(connection);
            }
        });
        Self {
            address: ApiAddress::Http(address),
            serving: Serving::Http(received, server),
        }
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.since(0)
    }

    /// All but this many that were first.
    pub(crate) fn since(&self, calls: usize) -> Vec<Received> {
        match &self.serving {
            Serving::Http(received, _) => {
                let received = received.lock().unwrap_or_else(PoisonError::into_inner);
                received[calls..].to_vec()
            }
            Serving::Php(php) => php.since(calls),
        }
    }

    pub(crate) fn calls(&self) -> usize {
        match &self.serving {
            Serving::Http(received, _) => {
                let received = received.lock().unwrap_or_else(PoisonError::into_inner);
                received.len()
            }
            Serving::Php(php) => php.calls(),
        }
    }

    pub(crate) fn last(&self) -> Received {
        let before = self.calls().checked_sub(1);
        let last = before.and_then(|before| self.since(before).pop());
        last.expect("a request reached the API")
    }
}

async fn handle(
    request: Request<Incoming>,
    seen: Arc<Mutex<Vec<Received>>>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.push(Received::of(&head, body));
    Ok(Response::new("handled".into()))
}
