//! The layer, and what can be set on it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, Entry};
use http::{Request, Response};
use tower_layer::Layer;

use super::credentials::{Credential, CredentialSource, RequestHead};
use super::rejection::{Rejection, Unverified, respond_to};
use super::respond::Respond;
use super::service::GoAuthService;
use crate::authority::Authority;
use crate::observe;
use crate::verifier::Verified;

/// Wraps a service so that only GO's genuine requests reach it.
///
/// Made by [`GoAuth::layer`](crate::GoAuth::layer). Cloning it is cheap, and all
/// clones share keys and cache. What is set here holds for this layer alone, so
/// that routes can differ.
#[derive(Debug, Clone)]
pub struct GoAuthLayer {
    authority: Arc<Authority>,
    settings: Settings,
}

/// What is the same for every request through one layer.
#[derive(Clone)]
pub(super) struct Settings {
    source: CredentialSource,
    respond: Arc<dyn Respond>,
    check: Option<Arc<OwnCheck>>,
    allow_missing: bool,
    observe_only: bool,
    strip_credentials: bool,
}

type OwnCheck = dyn Fn(&Verified) -> bool + Send + Sync;

impl GoAuthLayer {
    pub(crate) fn new(authority: Arc<Authority>, respond: Arc<dyn Respond>) -> Self {
        Self {
            authority,
            settings: Settings {
                source: CredentialSource::Authorization,
                respond,
                check: None,
                allow_missing: false,
                observe_only: false,
                strip_credentials: false,
            },
        }
    }

    /// Answers refused requests with `respond`: a [`Reject`](super::Reject), an
    /// [`Ignore`](super::Ignore) or a closure.
    pub fn respond_with(mut self, respond: impl Respond) -> Self {
        self.settings.respond = Arc::new(respond);
        self
    }

    /// Looks for the credential elsewhere than in `Authorization`.
    ///
    /// ```
    /// # fn with(layer: derbysoft_go_auth::GoAuthLayer) -> derbysoft_go_auth::GoAuthLayer {
    /// use derbysoft_go_auth::{Credential, RequestHead};
    ///
    /// // Behind a proxy that puts the caller's header under another name.
    /// fn forwarded(head: RequestHead<'_>) -> Credential<'_> {
    ///     match head.headers.get("x-forwarded-authorization").map(|value| value.to_str()) {
    ///         None => Credential::Missing,
    ///         Some(Ok(token)) => Credential::Token(token.into()),
    ///         Some(Err(_)) => Credential::Invalid,
    ///     }
    /// }
    /// layer.credentials(forwarded)
    /// # }
    /// ```
    pub fn credentials(
        mut self,
        source: impl for<'a> Fn(RequestHead<'a>) -> Credential<'a> + Send + Sync + 'static,
    ) -> Self {
        self.settings.source = CredentialSource::Own(Arc::new(source));
        self
    }

    /// Asks `check` last, of a token that has passed everything else; where it
    /// says `false` the request is refused with 403 and the kind `forbidden`.
    pub fn check(mut self, check: impl Fn(&Verified) -> bool + Send + Sync + 'static) -> Self {
        self.settings.check = Some(Arc::new(check));
        self
    }

    /// Lets requests without credentials through, with an [`Unverified`] in
    /// their extensions. A credential that is present and bad is still refused.
    pub fn allow_missing(mut self) -> Self {
        self.settings.allow_missing = true;
        self
    }

    /// Takes `Authorization` out of requests that are let through, so that
    /// nothing behind the layer can leak the token. Otherwise its value is only
    /// marked [sensitive](http::HeaderValue::set_sensitive).
    pub fn strip_credentials(mut self) -> Self {
        self.settings.strip_credentials = true;
        self
    }

    /// **Refuses nothing.** Verifies each request, reports those that it would
    /// refuse and lets them through, with an [`Unverified`] in their extensions.
    /// For the first days of a roll-out, behind another authentication.
    pub fn danger_observe_only(mut self) -> Self {
        self.settings.observe_only = true;
        self
    }
}

impl<S> Layer<S> for GoAuthLayer {
    type Service = GoAuthService<S>;

    fn layer(&self, inner: S) -> GoAuthService<S> {
        GoAuthService::new(
            inner,
            Arc::clone(&self.authority),
            Arc::new(self.settings.clone()),
        )
    }
}

/// In the extensions of a request that was let in: how an extractor refuses
/// what the layer could not know of.
#[cfg(feature = "axum")]
#[derive(Debug, Clone)]
pub(crate) struct Responder(pub(crate) Arc<dyn Respond>);

/// What became of a request's credential.
#[derive(Debug)]
pub(super) enum Outcome {
    Verified(Verified),
    Missing,
    Refused(Rejection),
}

impl Settings {
    pub(super) const fn source(&self) -> &CredentialSource {
        &self.source
    }

    /// Readies `request` for the wrapped service, or answers it.
    pub(super) fn settle<B>(
        &self,
        outcome: Outcome,
        request: &mut Request<B>,
    ) -> Result<(), Box<Response<Bytes>>> {
        let rejection = match self.judge(outcome) {
            Ok(verified) => {
                observe::accepted(&verified);
                let extensions = request.extensions_mut();
                extensions.insert(verified);
                #[cfg(feature = "axum")]
                extensions.insert(Responder(Arc::clone(&self.respond)));
                self.guard_credentials(request);
                return Ok(());
            }
            Err(rejection) => rejection,
        };
        let missing = rejection == Rejection::MISSING;
        if self.allow_missing && missing || self.observe_only {
            if !(self.allow_missing && missing) {
                observe::observed(&rejection);
            }
            let respond = Arc::clone(&self.respond);
            (request.extensions_mut()).insert(Unverified::new(rejection, respond));
            self.guard_credentials(request);
            return Ok(());
        }
        observe::refused(&rejection);
        Err(Box::new(respond_to(&*self.respond, rejection)))
    }

    fn judge(&self, outcome: Outcome) -> Result<Verified, Rejection> {
        match outcome {
            Outcome::Verified(verified) => match &self.check {
                Some(check) if !check(&verified) => Err(Rejection::FORBIDDEN),
                _ => Ok(verified),
            },
            Outcome::Missing => Err(Rejection::MISSING),
            Outcome::Refused(rejection) => Err(rejection),
        }
    }

    fn guard_credentials<B>(&self, request: &mut Request<B>) {
        let headers = request.headers_mut();
        if self.strip_credentials {
            headers.remove(AUTHORIZATION);
        } else if let Some(first) = headers.get_mut(AUTHORIZATION) {
            first.set_sensitive(true);
            // Of several values, which only an observing layer lets through.
            if headers.len() > headers.keys_len()
                && let Entry::Occupied(mut values) = headers.entry(AUTHORIZATION)
            {
                values
                    .iter_mut()
                    .for_each(|value| value.set_sensitive(true));
            }
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("source", &self.source)
            .field("check", &self.check.is_some())
            .field("allow_missing", &self.allow_missing)
            .field("observe_only", &self.observe_only)
            .field("strip_credentials", &self.strip_credentials)
            .finish_non_exhaustive()
    }
}
