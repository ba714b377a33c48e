//! A distributor's AvailabilityPeer API on axum, which only DerbySoft GO can call.
//!
//! Settings come from the environment: at least `GO_AUTH_ISSUER`, `GO_AUTH_AUDIENCE` and
//! `GO_AUTH_JWKS_URL`, or `GO_AUTH_ACCESS_TOKENS`, or all four (see `Config::from_env`),
//! and `LISTEN` for the address, by default `127.0.0.1:8080`.
//!
//! Besides the API there are `/healthz`, `/readyz` and, for Prometheus, `/metrics`, which
//! need no credential: don't expose them together with it.
//!
//! ```text
//! GO_AUTH_ISSUER=https://id/…/.well-known/openid-configuration \
//! GO_AUTH_AUDIENCE=ZKT GO_AUTH_JWKS_URL=https://…/keys \
//! cargo run --features axum,metrics --example distributor
//! ```

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use derbysoft_go_auth::config::ConfigError;
use derbysoft_go_auth::observe::VERIFY_SECONDS_BUCKETS;
use derbysoft_go_auth::{Config, GoAuth, Verified};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    // Lines go through a queue to a thread: a full disk or a stalled reader costs lines
    // but delays nothing. Dropping the guard writes the last ones.
    let (lines, _guard) = tracing_appender::non_blocking(io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .with_writer(lines)
        .log_internal_errors(false)
        .with_ansi(io::stderr().is_terminal())
        .init();
    let result = Runtime::new().map_err(Into::into).and_then(|runtime| {
        let result = runtime.block_on(run());
        // A hanging disk must not keep the process alive.
        runtime.shutdown_timeout(Duration::from_secs(5));
        result
    });
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    tracing::error!("{error}");
    if error.is::<ConfigError>() {
        ExitCode::from(78) // EX_CONFIG of sysexits(3)
    } else {
        ExitCode::FAILURE
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let auth = Config::from_env().and_then(Config::build)?;
    let metrics = recorder()?;

    // Fetch the keys at once, and serve meanwhile: without them GO gets 503 and retries.
    // The background task keeps trying, and logs each failure. Why the process does not
    // exit: docs/guide/operations.md, "The start".
    tokio::spawn({
        let auth = auth.clone();
        async move { auth.ready().await }
    });

    let listen = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(&listen).await?;
    let address = listener.local_addr()?;
    writeln!(io::stdout(), "listening on http://{address}")?;
    serve(listener, app(&auth, metrics), stopped()).await;
    Ok(())
}

/// Like `axum::serve`, which has no bounds, but with two: on the connections, and on the
/// time until a request's head has arrived, and thus on idle connections. Clients that
/// never read their answers are left to the proxy in front.
pub(crate) async fn serve(listener: TcpListener, app: Router, stopped: impl Future<Output = ()>) {
    const MAX_CONNECTIONS: usize = 512;
    const HEAD_WAIT: Duration = Duration::from_secs(10);
    const DRAIN: Duration = Duration::from_secs(30);

    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WAIT);
    let app = TowerToHyperService::new(app);
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let connections = GracefulShutdown::new();
    let mut stopped = pin!(stopped);
    loop {
        let accepted = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stopped => break,
        };
        let Ok((stream, _)) = accepted else {
            // Probably too many files are open.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let connection = http.serve_connection(TokioIo::new(stream), app.clone());
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    let _ = timeout(DRAIN, connections.shutdown()).await;
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

/// Installed before the first request, as the metrics require.
fn recorder() -> Result<PrometheusHandle, BuildError> {
    const UPKEEP: Duration = Duration::from_secs(5);
    let metrics = PrometheusBuilder::new()
        .set_buckets_for_metric(
            Matcher::Full("go_auth_verify_seconds".to_owned()),
            &VERIFY_SECONDS_BUCKETS,
        )?
        .install_recorder()?;
    // The histogram's values are held back until this runs, or until someone scrapes.
    tokio::spawn({
        let metrics = metrics.clone();
        async move {
            loop {
                sleep(UPKEEP).await;
                metrics.run_upkeep();
            }
        }
    });
    Ok(metrics)
}

/// The current values, not those of the last background run.
async fn rendered(State((auth, metrics)): State<(GoAuth, PrometheusHandle)>) -> String {
    auth.record_metrics();
    metrics.render()
}

/// Stands in for the real work: returns who called.
async fn caller(caller: Verified) -> Json<Value> {
    let audience = caller.claims().map(|claims| {
        // In the form that tokens usually have: one string, or several in an array.
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
        // Set if the caller used an Access Token instead of a JWT.
        "api": caller.access_token().map(derbysoft_go_auth::access_token::AccessGranted::api),
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
