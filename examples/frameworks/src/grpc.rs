//! gRPC and JSON on one port: a rejected caller is answered in the protocol that it speaks.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use derbysoft_go_auth::inbound::{RequestHead, Respond};
use derbysoft_go_auth::{GoAuth, GoAuthLayer, Rejection, Verified};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, Response, StatusCode};
use tonic::body::Body;
use tonic::server::{Grpc, NamedService};
use tonic::service::Routes;
use tonic::{Code, Status};
use tonic_prost::ProstCodec;
use tower::{Service, service_fn};

/// To be served by axum.
pub fn app(auth: &GoAuth) -> Router {
    Routes::new(Push)
        .into_axum_router()
        .route("/ping", get(async || Json("ok")))
        .fallback(nowhere)
        .layer(layer(auth))
}

/// In place of tonic's fallback, which answers 200: GO would take a push to a mistyped path
/// for delivered.
async fn nowhere(request: Request<axum::body::Body>) -> Response<axum::body::Body> {
    if is_grpc(request.headers()) {
        Status::unimplemented("").into_http()
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}

/// `tonic::transport::Server::builder().layer(..)` takes it as well.
pub fn layer(auth: &GoAuth) -> GoAuthLayer {
    auth.layer().respond_with(in_its_protocol(auth.clone()))
}

/// Answers gRPC calls with a status of gRPC, in HTTP 200 as its clients expect, and all
/// others as configured.
fn in_its_protocol(auth: GoAuth) -> impl Respond {
    move |request: RequestHead<'_>, rejection: &Rejection| -> Response<Bytes> {
        if is_grpc(request.headers) {
            Status::new(code(rejection), rejection.detail()).into_http()
        } else {
            auth.response_to(request, rejection.clone())
        }
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE);
    content_type.is_some_and(|it| it.as_bytes().starts_with(b"application/grpc"))
}

/// Clients repeat `Unavailable`, and nothing else of these.
fn code(rejection: &Rejection) -> Code {
    match rejection.status() {
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        StatusCode::INTERNAL_SERVER_ERROR => Code::Internal,
        _ => Code::Unauthenticated,
    }
}

async fn daily(update: tonic::Request<String>) -> Result<tonic::Response<String>, Status> {
    let Some(caller) = update.extensions().get::<Verified>() else {
        return Err(Status::internal("no layer runs before this service"));
    };
    let subject = caller.subject().unwrap_or("nobody");
    let answer = format!("{} bytes from {subject}", update.get_ref().len());
    Ok(tonic::Response::new(answer))
}

/// What tonic generates from this, but by hand, so that it builds without `protoc`:
///
/// ```proto
/// package distributor;
/// service Push {
///   rpc Daily(google.protobuf.StringValue) returns (google.protobuf.StringValue);
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Push;

impl NamedService for Push {
    const NAME: &'static str = "distributor.Push";
}

impl Service<Request<Body>> for Push {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(async move {
            Ok(match request.uri().path() {
                "/distributor.Push/Daily" => {
                    let mut server = Grpc::new(ProstCodec::default());
                    server.unary(service_fn(daily), request).await
                }
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}
