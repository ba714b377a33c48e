//! What is the same for every server that answers JSON.

use std::net::SocketAddr;

use derbysoft_go_simulator::Fault;
use poem::listener::TcpAcceptor;
use tokio::net::TcpListener;

use crate::stage::{PUSH, Stage};

async fn only_gos_requests_are_served(stage: &Stage, address: SocketAddr) {
    // GO's keys can't be fetched: that says nothing about the token.
    stage.go.fail(Fault::Status(500));
    let good = stage.go.token();
    let answer = stage.push(address, PUSH, &[("authorization", &good)]).await;
    assert_eq!(answer.status, 503);
    assert!(answer.headers.contains_key("retry-after"));
    stage.go.heal();
    stage.auth.refresh().await.expect("GO is well");

    for authorization in [&good, &format!("Bearer {good}")] {
        let lines = [("authorization", authorization.as_str())];
        let answer = stage.push(address, PUSH, &lines).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body, "5 bytes from ds-go-module");
        let nowhere = stage.push(address, "/nowhere", &lines).await;
        assert_eq!(nowhere.status, 404);
    }
    let expired = stage.go.mint().expires_in(-60).token();
    let another = stage.go.mint().subject("somebody else").token();
    for (credentials, status, challenge) in [
        (&[][..], 401, r#"Bearer realm="derbysoft-go""#),
        (&[&expired], 401, r#"error="invalid_token""#),
        (&[&another], 403, r#"error="insufficient_scope""#),
        (&[&good, &good], 400, r#"error="invalid_request""#),
    ] {
        let lines = credentials.iter().map(|it| ("authorization", it.as_str()));
        let lines: Vec<_> = lines.collect();
        for path in [PUSH, "/nowhere"] {
            let answer = stage.push(address, path, &lines).await;
            assert_eq!(answer.status, status, "{path}");
            assert_eq!(answer.headers["content-type"], "application/json");
            let found = answer.headers["www-authenticate"].to_str();
            assert!(found.expect("ASCII").contains(challenge), "{answer:?}");
            assert!(answer.body.starts_with(r#"{"message":"#), "{answer:?}");
        }
    }
}

/// Serves what `configure` adds, with actix-web.
fn actix(
    configure: impl Fn(&mut actix_web::web::ServiceConfig) + Clone + Send + 'static,
) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let app = move || actix_web::App::new().configure(configure.clone());
    let server = actix_web::HttpServer::new(app).workers(1).disable_signals();
    tokio::spawn(server.listen(listener).expect("a socket").run());
    address
}

async fn poem(app: impl poem::Endpoint + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let acceptor = TcpAcceptor::from_tokio(listener).expect("a socket");
    tokio::spawn(poem::Server::new_with_acceptor(acceptor).run(app));
    address
}

#[tokio::test]
async fn actix_serves_gos_requests_alone() {
    let stage = Stage::set().await;
    let auth = stage.auth.clone();
    let address = actix(move |config| frameworks::actix::app(auth.clone())(config));
    only_gos_requests_are_served(&stage, address).await;
}

#[tokio::test]
async fn poem_serves_gos_requests_alone() {
    let stage = Stage::set().await;
    let address = poem(frameworks::poem::app(stage.auth.clone())).await;
    only_gos_requests_are_served(&stage, address).await;
}

#[tokio::test]
async fn a_handler_without_a_guard_is_500() {
    let stage = Stage::set().await;
    let token = stage.go.token();
    let actix = actix(|config| {
        let handler = actix_web::web::post().to(frameworks::actix::push);
        config.route(PUSH, handler);
    });
    let route = poem::post(frameworks::poem::push);
    let poem = poem(poem::Route::new().at(PUSH, route)).await;
    for address in [actix, poem] {
        let answer = stage
            .push(address, PUSH, &[("authorization", &token)])
            .await;
        assert_eq!(answer.status, 500);
    }
}
