//! gRPC and JSON behind one layer.

use std::net::SocketAddr;

use derbysoft_go_simulator::Fault;
use http::uri::PathAndQuery;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use crate::stage::Stage;

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

/// GO's calls and JSON, served by axum.
async fn serving(stage: &Stage) -> SocketAddr {
    let (listener, address) = listener().await;
    let app = frameworks::grpc::app(&stage.auth);
    tokio::spawn(async { axum::serve(listener, app).await });
    address
}

fn http2() -> Client<HttpConnector, Body> {
    let mut client = Client::builder(TokioExecutor::new());
    client.http2_only(true).build_http()
}

async fn daily(to: SocketAddr, token: Option<&str>) -> Result<String, Status> {
    let origin = format!("http://{to}").parse().expect("an address");
    let mut client = tonic::client::Grpc::with_origin(http2(), origin);
    client.ready().await.expect("a client that gets ready");
    let mut request = Request::new("rates".to_owned());
    if let Some(token) = token {
        let token = token.parse().expect("ASCII");
        request.metadata_mut().insert("authorization", token);
    }
    let path = PathAndQuery::from_static("/distributor.Push/Daily");
    let codec = ProstCodec::<String, String>::default();
    let answer = client.unary(request, path, codec).await;
    answer.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn a_rejected_call_gets_a_status_of_grpc() {
    let stage = Stage::set().await;
    let address = serving(&stage).await;
    stage.go.fail(Fault::Status(500));
    let good = stage.go.token();
    let status = daily(address, Some(&good)).await.expect_err("no keys");
    assert_eq!(status.code(), Code::Unavailable);
    stage.go.heal();
    stage.auth.refresh().await.expect("GO is well");

    let answer = daily(address, Some(&good)).await.expect("accepted");
    assert_eq!(answer, "5 bytes from ds-go-module");
    let expired = stage.go.mint().expires_in(-60).token();
    let another = stage.go.mint().subject("somebody else").token();
    for (token, code, message) in [
        (
            None,
            Code::Unauthenticated,
            "the request has no credentials",
        ),
        (
            Some(&expired),
            Code::Unauthenticated,
            "the token has expired",
        ),
        (
            Some(&another),
            Code::PermissionDenied,
            "the subject is not allowed",
        ),
    ] {
        let status = daily(address, token.map(String::as_str)).await;
        let status = status.expect_err("rejected");
        assert_eq!((status.code(), status.message()), (code, message));
    }
}

#[tokio::test]
async fn tonics_own_server_takes_the_same_layer() {
    let stage = Stage::set().await;
    let (listener, address) = listener().await;
    let server = Server::builder()
        .layer(frameworks::grpc::layer(&stage.auth))
        .add_service(frameworks::grpc::Push);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    let token = stage.go.token();
    let answer = daily(address, Some(&token)).await.expect("accepted");
    assert_eq!(answer, "5 bytes from ds-go-module");
    let status = daily(address, None).await.expect_err("rejected");
    assert_eq!(status.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_rejected_call_is_http_200() {
    let stage = Stage::set().await;
    let address = serving(&stage).await;
    let call = http::Request::post(format!("http://{address}/distributor.Push/Daily"))
        .header("content-type", "application/grpc+proto")
        .header("authorization", "Bearer a")
        .header("authorization", "Bearer b")
        .body(Body::empty())
        .expect("a request");
    let answer = http2().request(call).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/grpc");
    assert_eq!(answer.headers()["grpc-status"], "16");
}

#[tokio::test]
async fn json_on_the_same_port_is_answered_in_json() {
    let stage = Stage::set().await;
    let address = serving(&stage).await;
    let answer = stage.push(address, "/ping", &[]).await;
    assert_eq!(answer.status, 401);
    assert!(answer.headers.contains_key("www-authenticate"));
    assert!(answer.body.starts_with(r#"{"message":"#), "{}", answer.body);
}

/// GO would take any 200 for delivered.
#[tokio::test]
async fn a_push_to_a_mistyped_path_is_no_200() {
    let stage = Stage::set().await;
    let address = serving(&stage).await;
    let push = reqwest::Client::new()
        .post(format!("http://{address}/ari/dayly/push"))
        .header("authorization", stage.go.token());
    assert_eq!(push.send().await.expect("an answer").status(), 404);
}
