//! What gives verdicts at present: one configuration, built.

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
use super::identity;
use super::settings::Settings;
use derbysoft_go_auth::config::{ConfigError, OnFailure};
use derbysoft_go_auth::inbound::{GoAuthService, Reject, RequestHead, Respond, ResponseBody};
use derbysoft_go_auth::inspect::{both, distrusted, fault, reject};
use derbysoft_go_auth::{Config, GoAuth, Rejection, Verified};

/// A configuration in use. Requests hold the parts of it that they need, so that those in
/// flight end with what they began with when another takes its place.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) auth: GoAuth,
    /// The keys that its settings distrust.
    pub(super) distrusted: Arc<[Box<str>]>,
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

    /// By the present settings. It goes on with the keys that `predecessor` has fetched.
    /// Blocks.
    ///
    /// # Errors
    /// If the settings have faults; each is named.
    pub(super) fn read(
        settings: &Settings,
        predecessor: Option<&GoAuth>,
    ) -> Result<Self, ConfigError> {
        Self::read_whole(settings, predecessor).map(|(live, _)| live)
    }

    /// The same, with the configuration that it is made of.
    pub(super) fn read_whole(
        settings: &Settings,
        predecessor: Option<&GoAuth>,
    ) -> Result<(Self, Config), ConfigError> {
        let (config, reading) = settings.read()?;
        let live = reading.and(Self::new(config.clone(), predecessor))?;
        Ok((live, config))
    }

    /// Does no I/O but to read the file of Access Tokens.
    ///
    /// # Errors
    /// If the settings have faults; each is named.
    pub(super) fn new(config: Config, predecessor: Option<&GoAuth>) -> Result<Self, ConfigError> {
        let faults = faults_for_a_gate(&config);
        let distrusted = distrusted(&config);
        let refusal = Refusal(reject(&config));
        let mut builder = config.into_builder().respond_with(refusal);
        if let Some(predecessor) = predecessor {
            builder = builder.successor_of(predecessor);
        }
        let (auth, ()) = both(builder.build(), faults)?;
        let layer = auth.layer().check(fits_into_headers());
        Ok(Self {
            service: layer.layer(Granted),
            auth,
            distrusted,
        })
    }

    /// The verdict on a request, whose body is not read.
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

/// What is a fault in the gate alone.
fn faults_for_a_gate(config: &Config) -> Result<(), ConfigError> {
    let check = |setting, is_fine: bool, wrong: String| {
        is_fine.then_some(()).ok_or_else(|| fault(setting, [wrong]))
    };
    let wrong = "\"ignore\" is up to the proxy, see docs/guide/gate.md".to_owned();
    let answers = check("on_failure", config.on_failure != OnFailure::Ignore, wrong);
    let mut issuers =
        std::iter::once(&config.issuer).chain(config.issuers.iter().map(|other| &other.issuer));
    let fit = issuers.all(|issuer| identity::fits(issuer));
    let wrong = format!("longer than {} bytes in a header", identity::MAX_BYTES);
    both(answers, check("issuer", fit, wrong)).map(drop)
}

/// Rejects a caller whose claims do not fit into headers: they are genuine, and of a size
/// that GO's never have.
fn fits_into_headers() -> impl Fn(&Verified) -> bool + Send + Sync + 'static {
    let is_first = AtomicBool::new(true);
    move |caller| {
        let fits = identity::all_fit(caller);
        if !fits {
            events::claim_too_long(is_first.swap(false, Ordering::Relaxed));
        }
        fits
    }
}

/// Answers with the statuses that a proxy passes on: to nginx, any but 401 and 403 is an
/// error of the gate itself.
struct Refusal(Reject);

impl Respond for Refusal {
    fn respond(&self, request: RequestHead<'_>, rejection: &Rejection) -> Response<Bytes> {
        let mut response = self.0.respond(request, rejection);
        if response.status() == StatusCode::BAD_REQUEST {
            *response.status_mut() = StatusCode::UNAUTHORIZED;
        }
        response
    }
}

/// What the layer guards: the answer that accepts a request. 200, since Envoy accepts
/// nothing else; without a body, so that nginx keeps the connection.
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
        match request.extensions().get().and_then(identity::headers_of) {
            Some(headers) => *response.headers_mut() = headers,
            // Not from the layer: there is no other way in.
            None => *response.status_mut() = StatusCode::FORBIDDEN,
        }
        ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_a_verdict_nobody_is_accepted() {
        let Ok(response) = Granted.call(Request::default()).await;
        assert_eq!(response.status(), 403);
        assert!(response.headers().is_empty());
    }
}
