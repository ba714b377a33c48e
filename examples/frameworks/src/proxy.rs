//! A reverse proxy on hyper that only GO's requests pass. The server behind it, which only
//! the proxy may reach, finds the caller in a header.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use derbysoft_go_auth::{GoAuth, Verified};
use http::header::{CONNECTION, HOST, HeaderName};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, Version};
use http_body_util::{Either, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::{Layer, service_fn};

/// The caller's subject, for the server behind. An Access Token has none.
pub const SUBJECT: HeaderName = HeaderName::from_static("x-go-subject");

/// How long the server behind may take to begin its answer.
const PATIENCE: Duration = Duration::from_secs(30);

type Body = Either<Incoming, Empty<Bytes>>;

/// Serves for ever. As in `examples/hyper_server.rs`, bound the number of connections.
pub async fn serve(listener: TcpListener, auth: GoAuth, upstream: Authority) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let forward = service_fn(move |request| {
        let (client, upstream) = (client.clone(), upstream.clone());
        async move {
            let answer = forward(&client, &upstream, request).await;
            let failed = |status| {
                let mut response = Response::new(Either::Right(Empty::new()));
                *response.status_mut() = status;
                response
            };
            Ok::<_, Infallible>(answer.unwrap_or_else(failed))
        }
    });
    let service = auth.layer().strip_credentials().layer(forward);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(10));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Probably too many files are open.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
    }
}

async fn forward(
    client: &Client<HttpConnector, Incoming>,
    upstream: &Authority,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, StatusCode> {
    let caller = request.extensions().get::<Verified>().cloned();
    let caller = caller.ok_or(StatusCode::INTERNAL_SERVER_ERROR)?;

    // In this order: what `Connection` names is removed before the subject is there.
    let headers = request.headers_mut();
    remove_hop_by_hop(headers);
    remove_like(headers, &SUBJECT);
    headers.remove(HOST);
    if let Some(subject) = caller.subject() {
        let subject = HeaderValue::from_str(subject);
        headers.insert(SUBJECT, subject.map_err(|_| StatusCode::FORBIDDEN)?);
    }

    let mut uri = request.uri().clone().into_parts();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(upstream.clone());
    // `CONNECT` has no path.
    *request.uri_mut() = Uri::from_parts(uri).map_err(|_| StatusCode::BAD_REQUEST)?;
    *request.version_mut() = Version::HTTP_11;
    let answer = tokio::time::timeout(PATIENCE, client.request(request)).await;
    let answer = answer.map_err(|_| StatusCode::GATEWAY_TIMEOUT)?;
    let mut answer = answer.map_err(|_| StatusCode::BAD_GATEWAY)?;
    remove_hop_by_hop(answer.headers_mut());
    Ok(answer.map(Either::Left))
}

/// RFC 9110, section 7.6.1.
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    const ALWAYS: &str = "connection keep-alive proxy-authenticate proxy-authorization \
        proxy-connection te trailer transfer-encoding upgrade";
    let named: Vec<_> = (headers.get_all(CONNECTION).iter())
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse::<HeaderName>().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in ALWAYS.split(' ') {
        headers.remove(name);
    }
}

/// Many servers take `x_go_subject` and `x.go.subject` for the same header.
fn remove_like(headers: &mut HeaderMap, wanted: &HeaderName) {
    let like = |name: &&HeaderName| name.as_str().replace(['_', '.'], "-") == wanted.as_str();
    let names: Vec<_> = headers.keys().filter(like).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}
