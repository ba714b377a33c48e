//! A distributor's AvailabilityPeer API on axum, which only DerbySoft GO can
//! call.
//!
//! Settings come from the environment: `GO_AUTH_ISSUER`, `GO_AUTH_AUDIENCE` and
//! `GO_AUTH_JWKS_URL` at least, or `GO_AUTH_ACCESS_TOKENS`, or all four (see
//! `Config::from_env`), and `LISTEN` for the address, `127.0.0.1:8080` where it is
//! not set.
//!
//! Beside the API there are `/healthz`, `/readyz` and, for Prometheus, `/metrics`,
//! which need no credential: don't publish them with it.
//!
//! ```text
//! GO_AUTH_ISSUER=https://id/…/.well-known/openid-configuration \
//! GO_AUTH_AUDIENCE=ZKT GO_AUTH_JWKS_URL=https://…/keys \
//! cargo run --features axum,metrics --example distributor
//! ```
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io::IsTerminal;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use derbysoft_go_auth::{Config, GoAuth, VERIFY_SECONDS_BUCKETS, Verified};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let auth = match Config::from_env().and_then(Config::build) {
        Ok(auth) => auth,
        Err(error) => {
            tracing::error!("{error}");
            std::process::exit(78); // EX_CONFIG of sysexits(3)
        }
    };

    let metrics = recorder()?;

    // Fetch the keys at once, and serve meanwhile: without them GO gets 503 and
    // comes again. The background task goes on trying.
    tokio::spawn({
        let auth = auth.clone();
        async move { auth.ready().await }
    });

    let listen = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(&listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app(&auth, metrics))
        .with_graceful_shutdown(stopped())
        .await?;
    Ok(())
}

fn app(auth: &GoAuth, metrics: PrometheusHandle) -> Router {
    let availability_peer = Router::new()
        .route("/ping", get(|| async { Json("ok") }))
        .route("/hotels/{supplier}", get(caller))
        .route("/hotel/{supplier}/{hotel}", get(caller))
        .route("/ari/daily/push", post(caller))
        .route("/ari/los/push", post(caller))
        .route_layer(auth.layer());
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .with_state(auth.clone())
        .route("/metrics", get(rendered))
        .with_state((auth.clone(), metrics))
        .merge(availability_peer)
}

/// Installed before the first request, as the metrics want it.
fn recorder() -> Result<PrometheusHandle, BuildError> {
    const UPKEEP: Duration = Duration::from_secs(5);
    let metrics = PrometheusBuilder::new()
        .set_buckets_for_metric(
            Matcher::Full("go_auth_verify_seconds".to_owned()),
            &VERIFY_SECONDS_BUCKETS,
        )?
        .install_recorder()?;
    // What the histogram was given waits for this, or for somebody to ask.
    tokio::spawn({
        let metrics = metrics.clone();
        async move {
            loop {
                tokio::time::sleep(UPKEEP).await;
                metrics.run_upkeep();
            }
        }
    });
    Ok(metrics)
}

/// As they are now, not as they were when a background task last looked.
async fn rendered(State((auth, metrics)): State<(GoAuth, PrometheusHandle)>) -> String {
    auth.record_metrics();
    metrics.render()
}

/// Stands for the work: tells who called.
async fn caller(caller: Verified) -> Json<Value> {
    let audience = caller.claims().map(|claims| {
        // As a token usually has it: one string, or several in an array.
        match claims.audiences().collect::<Vec<_>>()[..] {
            [one] => json!(one),
            ref several => json!(several),
        }
    });
    Json(json!({
        "subject": caller.subject(),
        "issuer": caller.issuer(),
        "audience": audience,
        "token_id": caller.token_id(),
        // Of the access token, where the caller had one instead of a JWT.
        "api": caller.access_token().map(derbysoft_go_auth::AccessGranted::api),
    }))
}

async fn ready(State(auth): State<GoAuth>) -> Response {
    let health = auth.health();
    let status = if health.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(health)).into_response()
}

async fn stopped() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    let _ = interrupted.await;
}
