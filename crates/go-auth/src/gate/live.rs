//! What verdicts are made of at present: one configuration, built.

use std::convert::Infallible;
use std::future::{Ready, poll_fn, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use tower_layer::Layer;
use tower_service::Service;

use super::events;
use super::identity::{self, Identity};
use super::settings::Settings;
use derbysoft_go_auth::GoAuth;
use derbysoft_go_auth::Verified;
use derbysoft_go_auth::inspect::{both, distrusted, fault, reject};
use derbysoft_go_auth::{Config, ConfigError, OnFailure};
use derbysoft_go_auth::{GoAuthService, Reject, Rejection, Respond, ResponseBody};

/// A configuration at work. Requests hold the parts of it that they need, so that
/// those in flight end by what they began with when another takes its place.
#[derive(Debug)]
pub(super) struct Live {
    auth: GoAuth,
    distrusted: Arc<[Box<str>]>,
    service: GoAuthService<Granted>,
}

impl Live {
    /// One that trusts an issuer whose keys nobody fetches.
    #[cfg(test)]
    pub(super) fn of_nobody() -> Self {
        let mut config = Config::default();
        config.issuer = "https://id/X".to_owned();
        config.audience = vec!["ZKT".to_owned()];
        config.jwks_url = "https://id.example/keys".to_owned();
        Self::new(config, None).expect("a good configuration")
    }

    /// The one that the settings make at present. It goes on with the keys that
    /// `predecessor` has fetched. Blocks.
    ///
    /// # Errors
    /// With every fault.
    pub(super) fn read(
        settings: &Settings,
        predecessor: Option<&GoAuth>,
    ) -> Result<Self, ConfigError> {
        let (config, reading) = settings.read()?;
        reading.and(Self::new(config, predecessor))
    }

    /// Does no I/O, but for reading the file of the access tokens.
    ///
    /// # Errors
    /// With every fault.
    pub(super) fn new(config: Config, predecessor: Option<&GoAuth>) -> Result<Self, ConfigError> {
        let faults = faults_for_a_gate(&config);
        let distrusted = distrusted(&config);
        let refusal = Refusal(reject(&config));
        let mut builder = config.into_builder().respond_with(refusal);
        if let Some(predecessor) = predecessor {
            builder = builder.successor_of(predecessor);
        }
        let (auth, ()) = both(builder.build(), faults)?;
        let layer = auth.layer().check(told_of());
        Ok(Self {
            service: layer.layer(Granted),
            auth,
            distrusted,
        })
    }

    pub(super) const fn auth(&self) -> &GoAuth {
        &self.auth
    }

    /// By its settings.
    pub(super) const fn distrusted(&self) -> &Arc<[Box<str>]> {
        &self.distrusted
    }

    /// The verdict on a request, whose body nobody looks at.
    pub(super) fn verdict(
        &self,
        request: Request<()>,
    ) -> impl Future<Output = Response<ResponseBody<Full<Bytes>>>> + Send + use<> {
        let mut service = self.service.clone();
        async move {
            let Ok(()) = poll_fn(|cx| Service::<Request<()>>::poll_ready(&mut service, cx)).await;
            let Ok(mut response) = service.call(request).await;
            // Of this moment, and of this request alone.
            let no_store = HeaderValue::from_static("no-store");
            response.headers_mut().insert(CACHE_CONTROL, no_store);
            response
        }
    }
}

/// What is no fault of a configuration elsewhere.
fn faults_for_a_gate(config: &Config) -> Result<(), ConfigError> {
    let ignores = if config.on_failure == OnFailure::Ignore {
        let wrong = "is ignore, which is for the proxy to do: docs/guide/gate.md says how";
        Err(fault("on_failure", [wrong.to_owned()]))
    } else {
        Ok(())
    };
    let issuers = [&config.issuer].into_iter();
    let issuers = issuers.chain(config.issuers.iter().map(|other| &other.issuer));
    let too_long = if issuers.clone().all(|issuer| identity::can_be_told(issuer)) {
        Ok(())
    } else {
        let wrong = format!("is more than {} bytes in a header", identity::MAX_BYTES);
        Err(fault("issuer", [wrong]))
    };
    both(ignores, too_long).map(drop)
}

/// Refuses a caller of whom the headers could not tell: its claims are genuine, and
/// of a size that GO's never have.
fn told_of() -> impl Fn(&Verified) -> bool + Send + Sync + 'static {
    let is_first = AtomicBool::new(true);
    move |caller| {
        let can_be_told = Identity::of(caller).is_some();
        if !can_be_told {
            events::claim_too_long(is_first.swap(false, Ordering::Relaxed));
        }
        can_be_told
    }
}

/// Says why, in the statuses that a proxy passes on: to nginx, any but 401 and 403
/// is an error of the gate itself.
struct Refusal(Reject);

impl Respond for Refusal {
    fn respond(&self, rejection: &Rejection) -> Response<Bytes> {
        let mut response = self.0.respond(rejection);
        if response.status() == StatusCode::BAD_REQUEST {
            *response.status_mut() = StatusCode::UNAUTHORIZED;
        }
        response
    }
}

/// What the layer guards: the answer that lets a request in. 200 and no other, since
/// Envoy takes nothing else for it; without a body, so that nginx keeps the
/// connection.
#[derive(Debug, Clone, Copy)]
struct Granted;

impl Service<Request<()>> for Granted {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        let mut response = Response::default();
        match request.extensions().get().and_then(Identity::of) {
            Some(identity) => identity.write_to(response.headers_mut()),
            // Not by the layer: nobody gets in by another way.
            None => *response.status_mut() = StatusCode::FORBIDDEN,
        }
        ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_a_proof_nobody_is_let_in() {
        let Ok(response) = Granted.call(Request::default()).await;
        assert_eq!(response.status(), 403);
        assert!(response.headers().is_empty());
    }
}
