//! DerbySoft GO, run by the simulator, and a distributor's API in one process, over real
//! TCP: sends one request for every outcome, prints each result, then keeps serving, with
//! `curl` lines to paste.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::Duration;

use axum::routing::{get, post};
use axum::{Json, Router};
use derbysoft_go_auth::authenticate::RequiredClaim;
use derbysoft_go_auth::{GoAuth, Verified};
use derbysoft_go_simulator::{Encoding, Fault, Mint, SignatureKind, Simulator};
use reqwest::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let go = Simulator::start().await?;
    let auth = GoAuth::builder()
        .issuer(go.issuer())
        .audience(go.audience())
        .jwks_url(go.jwks_url())
        .subject("ds-go-module")
        .configure(|it| it.required_claims.push(RequiredClaim::Jti))
        .configure(|it| it.max_lifetime = Some(Duration::from_secs(3600)))
        .build()?;
    auth.ready().await?;

    // A second key address, which is down.
    let silent = Simulator::start().await?;
    silent.fail(Fault::Status(500));
    let cut_off = GoAuth::builder()
        .issuer(silent.issuer())
        .audience(silent.audience())
        .jwks_url(silent.jwks_url())
        .build()?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let api = format!("http://{}", listener.local_addr()?);
    let server = tokio::spawn(axum::serve(listener, app(&auth, &cut_off)).into_future());

    print_outcomes(&go, &silent, &api).await?;

    let token = go.mint().expires_in(3600).token();
    println!("\nServing until Ctrl-C. In another terminal:\n");
    println!("TOKEN={token}");
    println!("curl -i -H \"Authorization: Bearer $TOKEN\" {api}/ping");
    println!("curl -i -X POST -H \"Authorization: $TOKEN\" {api}/ari/daily/push");
    println!("curl -i {api}/ping");
    println!("curl -i {}", go.jwks_url());
    tokio::select! {
        result = server => result??,
        result = tokio::signal::ctrl_c() => result?,
    }
    Ok(())
}

/// The distributor's API: three ways to use the layer.
fn app(auth: &GoAuth, cut_off: &GoAuth) -> Router {
    let push = get(|| async { Json("ok") });
    Router::new()
        .route("/ping", push.clone())
        .route("/ari/daily/push", post(caller))
        .route_layer(auth.layer())
        .merge(
            Router::new()
                .route("/closed/ping", push.clone())
                .route_layer(auth.layer().check(|_| false)),
        )
        .merge(
            Router::new()
                .route("/cut-off/ping", push)
                .route_layer(cut_off.layer()),
        )
}

async fn caller(caller: Verified) -> Json<Value> {
    Json(json!({ "subject": caller.subject(), "token_id": caller.token_id() }))
}

async fn print_outcomes(
    go: &Simulator,
    silent: &Simulator,
    api: &str,
) -> Result<(), Box<dyn Error>> {
    let client = Client::new();
    let ping = || client.get(format!("{api}/ping"));
    let with = |mint: Mint| ping().bearer_auth(mint.token());

    println!("{:<34} {:>6}  answer", "request", "status");
    let show = async |what: &str, request: RequestBuilder| -> Result<(), Box<dyn Error>> {
        let response = request.send().await?;
        let status = response.status().as_u16();
        let challenged = response.headers().contains_key(WWW_AUTHENTICATE);
        let body = response.text().await?;
        println!(
            "{what:<34} {status:>6}  {body}{}",
            if challenged { "  + challenge" } else { "" }
        );
        Ok(())
    };

    show("genuine, Bearer", with(go.mint())).await?;
    show(
        "genuine, no scheme",
        ping().header(AUTHORIZATION, go.token()),
    )
    .await?;
    let push = client.post(format!("{api}/ari/daily/push"));
    show("genuine, a push", push.bearer_auth(go.token())).await?;
    show("no credentials", ping()).await?;
    show(
        "another scheme",
        ping().basic_auth("user", Some("password")),
    )
    .await?;
    show(
        "two headers",
        with(go.mint()).header(AUTHORIZATION, "Bearer x"),
    )
    .await?;
    show("too long", ping().bearer_auth("x".repeat(9000))).await?;
    show("not a JWT", ping().bearer_auth("53ac0777")).await?;
    show("padded base64", with(go.mint().encoding(Encoding::Padded))).await?;
    show(
        "critical extension",
        with(go.mint().header("crit", json!(["exp"]))),
    )
    .await?;
    let unsigned = go.mint().header("alg", json!("none"));
    show("unsigned", with(unsigned.signature(SignatureKind::Empty))).await?;
    let unknown = || go.mint().kid("someone-else");
    show("key unknown", with(unknown().claim("iat", 1_600_000_000))).await?;
    show("key not looked for yet", with(unknown())).await?;
    show(
        "signature forged",
        with(go.mint().signature(SignatureKind::Corrupted)),
    )
    .await?;
    show(
        "claim of a wrong type",
        with(go.mint().claim("exp", json!("soon"))),
    )
    .await?;
    show(
        "another issuer",
        with(go.mint().issuer("https://evil.example")),
    )
    .await?;
    show("another audience", with(go.mint().audience("someone-else"))).await?;
    show("expired", with(go.mint().expires_in(-60))).await?;
    show("not valid yet", with(go.mint().not_before_offset(120))).await?;
    show("claim missing", with(go.mint().without("jti"))).await?;
    show("life too long", with(go.mint().expires_in(7200))).await?;
    show(
        "subject not on the list",
        with(go.mint().subject("someone-else")),
    )
    .await?;
    let closed = client.get(format!("{api}/closed/ping"));
    show(
        "turned away by an own check",
        closed.bearer_auth(go.token()),
    )
    .await?;
    let cut_off = client.get(format!("{api}/cut-off/ping"));
    show("keys not available", cut_off.bearer_auth(silent.token())).await?;
    Ok(())
}
