//! Everything that can be reported, done once.

use std::path::Path;
use std::sync::OnceLock;

use axum::body::Body;
use axum::routing::post;
use derbysoft_go_auth::access_token::Api as Name;
use derbysoft_go_auth::clock::{Clock, ManualClock};
use derbysoft_go_auth::config::IssuerConfig;
use derbysoft_go_auth::outbound::{
    ClientPair, EndpointToken, EndpointTokens, Gateway, GatewayBuilder,
};
use derbysoft_go_auth::{Config, GoAuth, GoAuthLayer, TokenClaims, Verified};
use derbysoft_go_simulator::{Fault, PartnerApi, Simulator};
use http::HeaderValue;
use tower::ServiceExt;
use tracing_subscriber::filter::LevelFilter;

use super::witness::Witness;
use test_support::distributor::{TokenFile, days, entry};
use test_support::{
    Api, World, clock, eventually, go_with, passive_runtime, ready, refresh, refused_tokens,
    request, secs, soon, strict,
};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const PEER_TOKEN: &str = "53ac0777aaaaaaaaaaaaaaaaaaaaaaaa";
const OTHERS_TOKEN: &str = "53ac0777bbbbbbbbbbbbbbbbbbbbbbbb";
const REVOKED_TOKEN: &str = "53ac0777dddddddddddddddddddddddd";
const OLD_TOKEN: &str = "53ac0777cccccccccccccccccccccccc";

/// What was reported.
pub(super) struct Everything {
    pub(super) witness: Witness,
    /// As Prometheus reads it.
    #[cfg(feature = "metrics")]
    pub(super) rendered: String,
    /// The values of labels that were configured.
    #[cfg(feature = "metrics")]
    pub(super) configured: Vec<String>,
}

/// Done once, for the first caller.
pub(super) fn everything() -> &'static Everything {
    static EVERYTHING: OnceLock<Everything> = OnceLock::new();
    EVERYTHING.get_or_init(|| {
        let witness = Witness::default();
        let dispatch = witness.dispatch(LevelFilter::TRACE);
        let runtime = passive_runtime();
        let enacted =
            || tracing::dispatcher::with_default(&dispatch, || runtime.block_on(play(&witness)));
        #[cfg(not(feature = "metrics"))]
        {
            enacted();
            Everything { witness }
        }
        #[cfg(feature = "metrics")]
        {
            let recorder = super::recorder();
            let configured = metrics::with_local_recorder(&recorder, enacted);
            Everything {
                witness,
                rendered: recorder.handle().render(),
                configured,
            }
        }
    })
}

/// All of it; the values of labels that were configured.
async fn play(witness: &Witness) -> Vec<String> {
    let mut configured = requests().await;
    no_layer().await;
    settings();
    configured.extend(keys(witness).await);
    snapshots(witness).await;
    configured.extend(access_tokens(witness).await);
    configured.extend(outbound().await);
    configured
}

async fn heard(witness: &Witness, message: &str) {
    eventually(message, || !witness.of(message).is_empty()).await;
}

/// Requests of every kind, accepted, rejected and observed, more than once.
async fn requests() -> Vec<String> {
    const ELSEWHERE: &str = "https://id/elsewhere";
    let world = World::new().await;
    let down = Simulator::builder().issuer("https://id/down").start().await;
    let down = down.expect("a free port");
    down.fail(Fault::Status(500));
    let now = world.time();
    let file = TokenFile::of(
        entry(&Name::AVAILABILITY_PEER, PEER_TOKEN, now)
            + &entry(&Name::V3_RESERVATION, OTHERS_TOKEN, now)
            + &entry(
                &Name::V3_NON_RESERVATION,
                OLD_TOKEN,
                now.saturating_sub(days(180)),
            )
            + &entry(
                &Name::V3_RESERVATION,
                REVOKED_TOKEN,
                now.saturating_sub(days(180)),
            )
            + "revoked = true\n",
    );
    let mut other = IssuerConfig::new(down.issuer(), down.audience(), down.jwks_url());
    other.environment = Some("production".into());
    let builder = strict(world.builder())
        .configure(|it| it.environment = Some("production".into()))
        .another_issuer(other)
        .another_issuer(IssuerConfig::of_environment(ELSEWHERE, "certification"))
        .access_tokens_file(file.path());
    let auth = builder.build().expect("a good configuration");
    // The first waits for the keys.
    let door = Api::behind(auth.layer());
    assert_eq!(door.call(&world.token()).await.status(), 200);

    let mut refused: Vec<_> = refused_tokens(&world.mint())
        .into_iter()
        .filter(|(kind, _)| *kind != "malformed")
        .collect();
    refused.extend([
        ("malformed", "a.b.c".to_owned()),
        ("missing_credentials", "Basic dXNlcjpwYXNz".to_owned()),
        ("invalid_request", "Bearer".to_owned()),
        ("wrong_environment", world.mint().issuer(ELSEWHERE).token()),
        ("keys_unavailable", down.mint().at(world.time()).token()),
        ("key_pending", world.mint().kid("another").token()),
        ("unknown_access_token", "53ac0777".to_owned()),
        ("access_token_expired", OLD_TOKEN.to_owned()),
        ("access_token_revoked", REVOKED_TOKEN.to_owned()),
        ("wrong_api", OTHERS_TOKEN.to_owned()),
    ]);
    let picky = Api::behind(auth.layer().check(|_| false));
    let observer = Api::behind(auth.layer().danger_observe_only());
    for _ in 0..3 {
        for authorization in [&*world.token(), PEER_TOKEN] {
            assert_eq!(door.call(authorization).await.status(), 200);
        }
        for (kind, authorization) in &refused {
            let answer = door.send(traced(authorization)).await;
            assert_eq!(answer.kind(), Some(*kind));
            let answer = observer.send(traced(authorization)).await;
            assert_eq!(answer.status(), 200);
        }
        assert_eq!(picky.call(PEER_TOKEN).await.kind(), Some("forbidden"));
        claims_that_do_not_fit(auth.layer(), &world.token()).await;
    }
    // Counts are logged.
    world.clock.advance(secs(60));
    door.send(request(&[])).await;
    #[cfg(feature = "metrics")]
    auth.record_metrics();
    let issuers = [world.go.issuer(), down.issuer()].map(str::to_owned);
    let apis = [
        Name::AVAILABILITY_PEER,
        Name::V3_RESERVATION,
        Name::V3_NON_RESERVATION,
    ];
    let apis = apis.map(|api| api.to_string());
    issuers.into_iter().chain(apis).collect()
}

/// A request that belongs to a trace.
fn traced(authorization: &str) -> http::Request<()> {
    let mut request = request(&[authorization.as_bytes()]);
    let trace = HeaderValue::from_static(TRACE);
    request.headers_mut().insert("traceparent", trace);
    request
}

async fn claims_that_do_not_fit(layer: GoAuthLayer, token: &str) {
    let handler = async |_: TokenClaims<(u8,)>| ();
    let app = axum::Router::new().route("/", post(handler)).layer(layer);
    let request = http::Request::post("/").header("authorization", token);
    let answer = app
        .oneshot(request.body(Body::empty()).expect("a request"))
        .await;
    assert_eq!(answer.expect("infallible").status(), 500);
}

/// A handle whose settings are not from code.
fn settings() {
    let config = Config::from_vars([
        ("GO_AUTH_ISSUER", "https://id/X"),
        ("GO_AUTH_AUDIENCE", "ZKT"),
        ("GO_AUTH_JWKS_URL", "https://id.example/keys"),
    ]);
    let mut config = config.expect("a good configuration");
    config.clone().build().expect("the same");
    let mut other = IssuerConfig::new("https://id/C", "ZKT", "https://id.example/c");
    other.environment = Some("certification".to_owned());
    config.issuers.push(other);
    config.build().expect("both environments");
}

async fn no_layer() {
    let handler = async |_: Verified| ();
    let app = axum::Router::new().route("/", post(handler));
    let request = http::Request::post("/").body(Body::empty());
    let answer = app.oneshot(request.expect("a request")).await;
    assert_eq!(answer.expect("infallible").status(), 500);
}

/// Keys fetched, unchanged, changed, skipped, unavailable, and too old.
async fn keys(witness: &Witness) -> Vec<String> {
    let world = World::new().await;
    let auth = world.ready().await;
    refresh(&auth).await.expect("GO is well");
    world.go.rotate();
    world
        .go
        .publish_raw(serde_json::json!({ "kty": "oct", "kid": "oct" }));
    refresh(&auth).await.expect("GO is well");
    world.go.fail(Fault::Status(500));
    refresh(&auth).await.expect_err("it is not");
    world.clock.advance(days(1));
    heard(
        witness,
        "keys are past the maximum staleness and no longer used",
    )
    .await;
    vec![world.go.issuer().to_owned()]
}

/// A snapshot that is written, restored, damaged, and impossible to write.
async fn snapshots(witness: &Witness) {
    let world = World::new().await;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("keys.json");
    let start = |path: &Path| -> GoAuth {
        let builder = world.builder().snapshot(path);
        builder.build().expect("a good configuration")
    };
    let first = start(&path);
    ready(&first).await.expect("GO is well");
    eventually("it is written", || path.exists()).await;
    drop(first);
    ready(&start(&path)).await.expect("GO is well");
    std::fs::write(&path, "damaged").expect("written");
    ready(&start(&path)).await.expect("GO is well");

    let nowhere = directory.path().join("nowhere/keys.json");
    std::fs::create_dir(nowhere.parent().expect("a directory")).expect("created");
    let last = start(&nowhere);
    std::fs::remove_dir(nowhere.parent().expect("a directory")).expect("removed");
    ready(&last).await.expect("GO is well");
    heard(witness, "the snapshot of the keys could not be written").await;
}

/// Access Tokens read, unreadable, near their end, and past it.
async fn access_tokens(witness: &Witness) -> Vec<String> {
    let now = ManualClock::starting_now().now();
    let own = Name::new("scene").expect("a name");
    let other = Name::new("scene-ahead").expect("a name");
    let ahead = entry(&other, REVOKED_TOKEN, now.saturating_add(days(2)));
    let good = entry(&own, PEER_TOKEN, now) + &ahead;
    let file = TokenFile::of(&good);
    let builder = GoAuth::builder().access_tokens_file(file.path());
    let builder = builder.configure(|it| it.danger_allow_writable_files = true);
    let plain = GoAuth::builder()
        .issuer("https://id/X")
        .audience("ZKT")
        .jwks_url("http://go:8080/keys")
        .configure(|it| it.danger_allow_http = true);
    plain.build().expect("nothing is fetched yet");
    let auth = builder.clock(file.clock.clone()).build();
    let auth = auth.expect("a good configuration");
    auth.verify_for(PEER_TOKEN, &own).await.expect("good");
    file.write(format!("{ahead}revoked = true\n[[token]]"));
    soon(auth.reload_access_tokens()).await.expect_err("bad");
    file.clock.advance(days(155));
    heard(
        witness,
        "the access token expires: generate another in GO Console",
    )
    .await;
    file.clock.advance(days(30));
    heard(
        witness,
        "the access token has expired: GO is refused until there is another",
    )
    .await;
    vec![own.to_string(), other.to_string()]
}

/// A gateway's tokens and client pairs, and the Access Tokens of endpoints.
async fn outbound() -> Vec<String> {
    let clock = clock();
    let go = go_with(&clock).await;
    let pair = |credentials: derbysoft_go_simulator::ClientCredentials| {
        ClientPair::new(&*credentials.client_id, &*credentials.client_secret).issued_at(clock.now())
    };
    let builder: GatewayBuilder = Gateway::builder()
        .token_url(go.token_url())
        .api(go.gateway_url())
        .credentials(pair(go.client()))
        .clock(clock.clone());
    let gateway = builder.build().expect("good settings");
    soon(gateway.ready()).await.expect("GO is well");
    let only_current = || gateway.health().credentials.len() == 1;

    gateway
        .rotate_to(ClientPair::new("mistyped", "x").issued_at(clock.now()))
        .expect("it can be sent");
    soon(go.wait_for_token_fetches(3)).await;
    gateway
        .rotate_to(pair(go.rotate_client()))
        .expect("it can be sent");
    eventually("the next pair took over", only_current).await;
    go.refuse_tokens(Some(derbysoft_go_simulator::GatewayFailure::InvalidToken));
    clock.advance(days(1));
    soon(gateway.ready()).await.expect_err("refused");

    let tokens = EndpointTokens::builder()
        .booking_usb(
            go.api_url(PartnerApi::BookingUsb),
            EndpointToken::new("x").issued_at(clock.now()),
        )
        .clock(clock.clone())
        .build()
        .expect("good settings");
    clock.advance(days(151));
    let _ = (gateway.health(), tokens.health());
    clock.advance(days(30));
    let _ = (gateway.health(), tokens.health());
    #[cfg(feature = "metrics")]
    {
        gateway.record_metrics();
        tokens.record_metrics();
    }
    ["booking-usb", "current client pair", "next client pair"]
        .map(str::to_owned)
        .into()
}
