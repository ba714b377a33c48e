//! The scenario through a bare hyper 1 server.

use std::convert::Infallible;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use derbysoft_go_auth::{GoAuthLayer, Verified};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tower::ServiceBuilder;

use super::scenario::{Calls, scenario};
use test_support::Background;

async fn push(
    request: Request<Incoming>,
    calls: Calls,
) -> Result<Response<Full<Bytes>>, Infallible> {
    calls.fetch_add(1, Ordering::Relaxed);
    let (head, body) = request.into_parts();
    let verified = head.extensions.get::<Verified>().expect("a verdict");
    let subject = verified.subject().unwrap_or_default();
    let body = body.collect().await.expect("a whole body").to_bytes();
    let text = format!("{subject} {}", String::from_utf8_lossy(&body));
    Ok(Response::new(text.into()))
}

fn with_layer(listener: TcpListener, layer: GoAuthLayer, calls: Calls) -> Background {
    let handler = tower::service_fn(move |request| push(request, calls.clone()));
    let service = ServiceBuilder::new().layer(layer).service(handler);
    let service = TowerToHyperService::new(service);
    Background::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let service = service.clone();
            connections
                .spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    })
}

scenario!(with_layer);
