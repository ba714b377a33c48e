//! The contenders: each passes genuine callers on to a handler, and nobody else.
//!
//! Each is configured to check as much as it can. Keys are given if a peer accepts them
//! and still looks them up by `kid`, and otherwise fetched once from a loopback port; no
//! fetch falls into the measured time.

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::FromRef;
use axum::handler::{Handler, HandlerWithoutStateExt};
use derbysoft_go_auth::Verified;
use http::{Request, Response, StatusCode};
use jwt_authorizer::IntoLayer;
use serde::Deserialize;
use tower::{Layer, Service};
use tower_oauth2_resource_server as oauth2;

use crate::Backend;
use crate::common::calls::{now, requests, time_service};
use crate::common::scene::{AUDIENCE, CACHE, ISSUER, Scene};
use crate::faults::Fault;

/// The claims that a handler reads.
#[derive(Debug, Clone, Deserialize)]
struct Claims {
    sub: String,
}

impl axum_jwks::ParseTokenClaims for Claims {
    type Rejection = axum_jwks::TokenError;
}

/// A contender.
pub(crate) struct Gate<'a> {
    pub(crate) name: &'static str,
    /// Accepts everything.
    pub(crate) open: bool,
    /// Is timed with a single token, which it has seen before.
    pub(crate) warm: bool,
    /// What it cannot be configured to check.
    pub(crate) unchecked: &'static [Fault],
    backend: Backend,
    service: Box<dyn Serve + 'a>,
}

impl<'a> Gate<'a> {
    fn new(name: &'static str, service: impl Serve + 'a) -> Self {
        Self {
            name,
            open: false,
            warm: false,
            unchecked: &[],
            backend: Backend::AwsLc,
            service: Box::new(service),
        }
    }

    pub(crate) fn time(&mut self, tokens: &[String]) -> Duration {
        self.backend.switch_on();
        self.service.time(tokens)
    }

    pub(crate) fn status(&mut self, token: &str) -> StatusCode {
        self.backend.switch_on();
        self.service.status(token)
    }
}

/// A service with its types hidden.
trait Serve {
    fn time(&mut self, tokens: &[String]) -> Duration;
    fn status(&mut self, token: &str) -> StatusCode;
}

/// A service for requests with bodies `B`.
struct Of<B, S>(S, std::marker::PhantomData<B>);

fn of<B, S>(service: S) -> Of<B, S> {
    Of(service, std::marker::PhantomData)
}

impl<B, S, R> Serve for Of<B, S>
where
    B: Default,
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
{
    fn time(&mut self, tokens: &[String]) -> Duration {
        time_service(&mut self.0, requests(tokens))
    }

    fn status(&mut self, token: &str) -> StatusCode {
        let request = requests(&[token.to_owned()]).remove(0);
        let response = now(self.0.call(request)).expect("infallible");
        response.status()
    }
}

pub(crate) struct Gates<'a> {
    pub(crate) all: Vec<Gate<'a>>,
    /// For a peer that refreshes its keys.
    _runtime: tokio::runtime::Runtime,
}

impl Gates<'_> {
    pub(crate) fn new(scene: &Scene) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let all = runtime.block_on(async {
            vec![
                no_layer(),
                no_layer_axum07(),
                layer("layer_cold", scene, 0),
                Gate {
                    warm: true,
                    ..layer("layer_warm", scene, CACHE)
                },
                jwt_authorizer(scene).await,
                oauth2_resource_server("tower-oauth2-resource-server/aws-lc", scene).await,
                Gate {
                    backend: Backend::RustCrypto,
                    ..oauth2_resource_server("tower-oauth2-resource-server/rustcrypto", scene).await
                },
                axum_jwks(scene),
                axum_jwt_auth(scene).await,
                axum_jose(scene),
                huskarl_resource_server(scene).await,
            ]
        });
        Self {
            all,
            _runtime: runtime,
        }
    }
}

fn no_layer() -> Gate<'static> {
    let handler = (async || StatusCode::OK).into_service();
    Gate {
        open: true,
        ..Gate::new("no_layer", of::<Body, _>(handler))
    }
}

/// The bare service that `jwt-authorizer` wraps.
fn no_layer_axum07() -> Gate<'static> {
    let handler = async || axum07::http::StatusCode::OK;
    let handler = axum07::handler::HandlerWithoutStateExt::into_service(handler);
    Gate {
        open: true,
        ..Gate::new("no_layer, axum 0.7", of::<axum07::body::Body, _>(handler))
    }
}

fn layer(name: &'static str, scene: &Scene, cache: u64) -> Gate<'static> {
    let handler = async |caller: Verified| {
        black_box(caller.subject());
        StatusCode::OK
    };
    let service = scene.auth(cache).layer().layer(handler.into_service());
    Gate::new(name, of::<Body, _>(service))
}

async fn jwt_authorizer(scene: &Scene) -> Gate<'static> {
    use jwt_authorizer::{JwtAuthorizer, JwtClaims, Validation};
    let validation = Validation::new()
        .iss(&[ISSUER])
        .aud(&[AUDIENCE])
        .exp(true)
        .nbf(true)
        .algs(vec![jsonwebtoken9::Algorithm::RS256]);
    let authorizer = JwtAuthorizer::<Claims>::from_jwks_text(text(&scene.document))
        .validation(validation)
        .build()
        .await
        .expect("a configuration");
    let handler = async |JwtClaims(caller): JwtClaims<Claims>| {
        black_box(&caller.sub);
        axum07::http::StatusCode::OK
    };
    let handler = axum07::handler::HandlerWithoutStateExt::into_service(handler);
    let service = authorizer.into_layer().layer(handler);
    Gate::new("jwt-authorizer", of::<axum07::body::Body, _>(service))
}

async fn oauth2_resource_server(name: &'static str, scene: &Scene) -> Gate<'static> {
    use oauth2::server::OAuth2ResourceServer;
    use oauth2::tenant::TenantConfiguration;
    use oauth2::validation::ClaimsValidationSpec;
    let audiences = vec![AUDIENCE.to_owned()];
    let tenant = TenantConfiguration::static_builder(text(&scene.document))
        .claims_validation(ClaimsValidationSpec::recommended(ISSUER, &audiences))
        .allowed_algorithms(&[jsonwebtoken::Algorithm::RS256])
        .build()
        .expect("a configuration");
    let server = OAuth2ResourceServer::<Claims>::builder()
        .add_tenant(tenant)
        .build()
        .await
        .expect("a configuration");
    let handler = async |Extension(caller): Extension<Claims>| {
        black_box(&caller.sub);
        StatusCode::OK
    };
    let service = server.into_layer().layer(handler.into_service());
    Gate::new(name, of::<Body, _>(service))
}

/// Never checks `iss` or `nbf`.
fn axum_jwks(scene: &Scene) -> Gate<'static> {
    use axum_jwks::Jwks;

    #[derive(Clone)]
    struct State(Jwks);
    impl FromRef<State> for Jwks {
        fn from_ref(state: &State) -> Self {
            state.0.clone()
        }
    }

    let set = serde_json::from_slice(&scene.document).expect("a key set");
    let jwks = Jwks::from_jwk_set(set, Some(AUDIENCE), None).expect("a key set");
    let handler = async |axum_jwks::Claims(caller): axum_jwks::Claims<Claims>| {
        black_box(&caller.sub);
        StatusCode::OK
    };
    Gate {
        unchecked: &[Fault::Issuer, Fault::NotYetValid],
        ..Gate::new("axum-jwks", of::<Body, _>(handler.with_state(State(jwks))))
    }
}

/// Its decoder for given keys tries one after the other, so the keys are fetched.
async fn axum_jwt_auth(scene: &Scene) -> Gate<'static> {
    use axum_jwt_auth::{Decoder, RemoteJwksDecoder};
    use jsonwebtoken10::{Algorithm, Validation};

    #[derive(Clone)]
    struct State(Decoder<Claims>);
    impl FromRef<State> for Decoder<Claims> {
        fn from_ref(state: &State) -> Self {
            Arc::clone(&state.0)
        }
    }

    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation.validate_nbf = true;
    let go = scene.go().await.expect("a port");
    let decoder = RemoteJwksDecoder::builder()
        .jwks_url(go.jwks_url())
        .validation(validation)
        .build()
        .expect("a configuration");
    // Its next fetch is an hour later.
    decoder.initialize().await.expect("keys");
    let handler = async |caller: axum_jwt_auth::Claims<Claims>| {
        black_box(&caller.claims.sub);
        StatusCode::OK
    };
    let state = State(Arc::new(decoder));
    Gate {
        backend: Backend::RustCrypto,
        ..Gate::new("axum-jwt-auth", of::<Body, _>(handler.with_state(state)))
    }
}

/// Never checks `nbf`, and goes by the token's algorithm.
fn axum_jose(scene: &Scene) -> Gate<'static> {
    use axum_jose::AuthorizationLayer;
    use axum_jose::authorization::Claims;

    let set = serde_json::from_slice(&scene.document).expect("a key set");
    let issuer = ISSUER.parse().expect("an address");
    let layer = AuthorizationLayer::with_local_jwk_set(set, issuer, AUDIENCE.to_owned());
    let handler = async |Extension(Claims(caller)): Extension<Claims>| {
        black_box(caller["sub"].as_str());
        StatusCode::OK
    };
    let service = layer.layer(handler.into_service());
    Gate {
        unchecked: &[Fault::NotYetValid],
        ..Gate::new("axum-jose", of::<Body, _>(service))
    }
}

/// In the layer of `huskarl-axum`. Each request checks whether the keys have to be
/// fetched again, which is left out where they are given.
async fn huskarl_resource_server(scene: &Scene) -> Gate<'static> {
    use huskarl_axum::extractors::ValidatedToken;
    use huskarl_axum::layers::ValidatorLayer;
    use huskarl_reqwest::ReqwestClient;
    use huskarl_resource_server::validator::custom::CustomValidator;

    let go = scene.go().await.expect("a port");
    let client = ReqwestClient::builder().build().await;
    // Its next fetch is an hour later.
    let validator = CustomValidator::builder()
        .iss(ISSUER)
        .aud(AUDIENCE)
        .allowed_signing_algorithms(["RS256".to_owned()])
        .jwks_uri(go.jwks_url().parse().expect("an address"))
        .jwks_source(client.expect("a client"))
        .build()
        .await
        .expect("keys");
    let handler = async |caller: ValidatedToken<()>| {
        black_box(&caller.sub);
        StatusCode::OK
    };
    let layer = ValidatorLayer::builder().validator(validator).build();
    let service = layer.authenticated().layer(handler.into_service());
    Gate::new("huskarl-resource-server", of::<Body, _>(service))
}

fn text(document: &[u8]) -> &str {
    str::from_utf8(document).expect("JSON")
}
