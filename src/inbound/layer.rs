//! The layer and what can be set for it.

use std::sync::Arc;

use tower_layer::Layer;

use super::admission::Admission;
use super::credentials::{Credential, CredentialSource, RequestHead};
use super::respond::Respond;
use super::service::GoAuthService;
use crate::access_token::Api;
use crate::authenticate::Verified;
use crate::authenticate::authenticator::Authenticator;

/// Wraps a service so that only GO's genuine requests reach it.
///
/// Made by [`GoAuth::layer`](crate::GoAuth::layer). Cloning it is cheap, and all clones
/// share keys and cache. Settings apply to this layer alone, so that routes can differ.
///
/// An accepted request has the [`Verified`] in its extensions, for handlers and inner
/// layers; the answer to a rejected one has the [`Rejection`](super::Rejection) in its
/// own, for outer layers. [The guide](crate::guide::layers) says which layer goes where.
///
/// With axum, only the routes that are there when the layer is added are guarded. Routes
/// added later are open; after `Router::route_layer`, so are fallbacks. This cannot happen
/// to a service, to which no routes can be added:
///
/// ```
/// # fn guarded(auth: &derbysoft_go_auth::GoAuth, api: axum::Router) -> axum::Router {
/// use axum::{Router, routing::get};
/// use tower::Layer;
///
/// Router::new()
///     .route("/healthz", get(|| async { "ok" })) // open
///     .fallback_service(auth.layer().layer(api)) // everything else is guarded
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct GoAuthLayer {
    admission: Admission,
}

impl GoAuthLayer {
    pub(crate) fn new(
        authenticator: Arc<Authenticator>,
        source: CredentialSource,
        respond: Arc<dyn Respond>,
    ) -> Self {
        Self {
            admission: Admission {
                authenticator,
                api: Api::AVAILABILITY_PEER,
                source,
                respond,
                check: None,
                allow_missing: false,
                observe_only: false,
                strip_credentials: false,
            },
        }
    }

    /// Answers rejected requests with `respond`: a [`Reject`](super::Reject), an
    /// [`Ignore`](super::Ignore) or a closure.
    pub fn respond_with(mut self, respond: impl Respond) -> Self {
        self.admission.respond = Arc::new(respond);
        self
    }

    /// The API that an Access Token must be for; by default [`Api::AVAILABILITY_PEER`],
    /// which is what GO calls. A token for another API is rejected with 403 and the kind
    /// `wrong_api`. JWTs name an audience instead, and are the same for all.
    pub fn api(mut self, api: Api) -> Self {
        self.admission.api = api;
        self
    }

    /// Looks for the credential elsewhere than in one
    /// [header](crate::Config::credential_header). Then only `Authorization` is marked
    /// sensitive or [stripped](Self::strip_credentials).
    ///
    /// ```
    /// # fn with(layer: derbysoft_go_auth::GoAuthLayer) -> derbysoft_go_auth::GoAuthLayer {
    /// use derbysoft_go_auth::inbound::{Credential, RequestHead};
    /// use http::HeaderName;
    ///
    /// // Behind a proxy that puts the caller's header under another name.
    /// const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-authorization");
    ///
    /// fn forwarded(head: RequestHead<'_>) -> Credential<'_> {
    ///     Credential::from_header(head.headers, &FORWARDED)
    /// }
    /// layer.credentials(forwarded)
    /// # }
    /// ```
    pub fn credentials(
        mut self,
        source: impl for<'a> Fn(RequestHead<'a>) -> Credential<'a> + Send + Sync + 'static,
    ) -> Self {
        self.admission.source = CredentialSource::Own(Arc::new(source));
        self
    }

    /// Calls `check` last, for a token that passed everything else; where it returns
    /// `false` the request is rejected with 403 and the kind `forbidden`.
    pub fn check(mut self, check: impl Fn(&Verified) -> bool + Send + Sync + 'static) -> Self {
        self.admission.check = Some(Arc::new(check));
        self
    }

    /// Passes requests without credentials on, with an [`Unverified`](super::Unverified)
    /// in their extensions. Another scheme counts as no credential; a bad credential is
    /// still rejected.
    pub fn allow_missing(mut self) -> Self {
        self.admission.allow_missing = true;
        self
    }

    /// Removes the credential's header from verified requests, so that nothing behind the
    /// layer can leak the token. Otherwise its value is only marked
    /// [sensitive](http::HeaderValue::set_sensitive).
    pub fn strip_credentials(mut self) -> Self {
        self.admission.strip_credentials = true;
        self
    }

    /// **Rejects nothing.** Verifies each request, reports those that it would reject and
    /// passes them on, with an [`Unverified`](super::Unverified) in their extensions. For
    /// the first days of a roll-out, behind another authentication.
    pub fn danger_observe_only(mut self) -> Self {
        self.admission.observe_only = true;
        self
    }
}

impl<S> Layer<S> for GoAuthLayer {
    type Service = GoAuthService<S>;

    fn layer(&self, inner: S) -> GoAuthService<S> {
        GoAuthService::new(inner, Arc::new(self.admission.clone()))
    }
}
