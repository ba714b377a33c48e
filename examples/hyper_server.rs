//! The layer under bare hyper 1, without axum. Settings as in the `distributor`
//! example.
#![allow(clippy::print_stdout)]

use std::convert::Infallible;
use std::error::Error;

use derbysoft_go_auth::{Config, Verified};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::ServiceBuilder;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let auth = Config::from_env()?.build()?;
    let service = ServiceBuilder::new().layer(auth.layer()).service_fn(hello);

    let listen = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(&listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn hello(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let subject = request
        .extensions()
        .get::<Verified>()
        .and_then(Verified::subject)
        .unwrap_or("nobody");
    Ok(Response::new(format!("hello, {subject}\n").into()))
}
