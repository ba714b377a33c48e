//! The decision about each request, once its credential was checked.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, Entry};
use http::{HeaderMap, Request, Response};

use super::credentials::CredentialSource;
use super::rejection::Rejection;
use super::respond::{Respond, respond_to};
use super::unverified::Unverified;
use crate::access_token::Api;
use crate::authenticate::Verified;
use crate::error::VerifyError;
use crate::observe::{Caller, Requests};

/// What is the same for every request through one layer.
#[derive(Clone)]
pub(super) struct Settings {
    /// The called API, which an Access Token must be for.
    pub(super) api: Api,
    pub(super) source: CredentialSource,
    pub(super) respond: Arc<dyn Respond>,
    pub(super) check: Option<Arc<OwnCheck>>,
    pub(super) allow_missing: bool,
    pub(super) observe_only: bool,
    pub(super) strip_credentials: bool,
    pub(super) requests: Arc<Requests>,
}

pub(super) type OwnCheck = dyn Fn(&Verified) -> bool + Send + Sync;

/// In the extensions of an accepted request: how an extractor rejects what the layer
/// could not check.
#[cfg(feature = "axum")]
#[derive(Debug, Clone)]
pub(crate) struct Responder(pub(crate) Arc<dyn Respond>);

/// The result of checking a request's credential.
#[derive(Debug)]
pub(super) enum Outcome {
    Verified(Verified),
    Missing,
    Refused(Rejection),
}

impl From<Result<Verified, VerifyError>> for Outcome {
    fn from(result: Result<Verified, VerifyError>) -> Self {
        match result {
            Ok(verified) => Self::Verified(verified),
            Err(error) => Self::Refused(error.into()),
        }
    }
}

/// What happens to the request.
pub(super) enum Settled {
    LetThrough,
    Answered(Response<Bytes>),
}

impl Settings {
    /// Prepares `request` for the wrapped service, or answers it.
    pub(super) fn settle<B>(&self, outcome: Outcome, request: &mut Request<B>) -> Settled {
        let rejection = match self.judge(outcome) {
            Ok(verified) => {
                let by_jwt = verified.access_token().is_none();
                self.requests.accepted(by_jwt, || Caller {
                    subject: verified.subject(),
                    token_id: verified.token_id(),
                    issuer: verified.issuer(),
                    kid: verified.key_id(),
                    api: verified
                        .access_token()
                        .map(|granted| granted.api().as_str()),
                });
                let extensions = request.extensions_mut();
                extensions.insert(verified);
                #[cfg(feature = "axum")]
                extensions.insert(Responder(Arc::clone(&self.respond)));
                if self.strip_credentials {
                    request.headers_mut().remove(AUTHORIZATION);
                } else {
                    mark_sensitive(request.headers_mut());
                }
                return Settled::LetThrough;
            }
            Err(rejection) => rejection,
        };
        let allowed = self.allow_missing && rejection == Rejection::MISSING;
        if allowed || self.observe_only {
            if !allowed {
                self.requests.observed(rejection.kind().place());
            }
            let respond = Arc::clone(&self.respond);
            (request.extensions_mut()).insert(Unverified::new(rejection, respond));
            mark_sensitive(request.headers_mut());
            return Settled::LetThrough;
        }
        Settled::Answered(self.refuse(rejection))
    }

    pub(super) fn refuse(&self, rejection: Rejection) -> Response<Bytes> {
        let status = rejection.status().as_u16();
        self.requests.refused(rejection.kind().place(), status);
        respond_to(&*self.respond, rejection)
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
}

/// Keeps the token out of logs of the headers.
fn mark_sensitive(headers: &mut HeaderMap) {
    if let Some(first) = headers.get_mut(AUTHORIZATION) {
        first.set_sensitive(true);
        // Several values occur only behind an observing layer.
        if headers.len() > headers.keys_len()
            && let Entry::Occupied(mut values) = headers.entry(AUTHORIZATION)
        {
            for value in values.iter_mut() {
                value.set_sensitive(true);
            }
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("api", &self.api)
            .field("source", &self.source)
            .field("check", &self.check.is_some())
            .field("allow_missing", &self.allow_missing)
            .field("observe_only", &self.observe_only)
            .field("strip_credentials", &self.strip_credentials)
            .finish_non_exhaustive()
    }
}
