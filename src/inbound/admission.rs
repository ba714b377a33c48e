//! The settings of one layer, and what becomes of each request by them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, Entry};
use http::{HeaderMap, Request, Response};

use super::credentials::{CredentialSource, RequestHead};
use super::rejection::Rejection;
use super::respond::{Respond, respond_to};
use super::unverified::Unverified;
use crate::access_token::Api;
use crate::authenticate::Verified;
use crate::authenticate::authenticator::Authenticator;
use crate::observe::Caller;

/// What is the same for every request through one layer.
#[derive(Clone)]
pub(super) struct Admission {
    pub(super) authenticator: Arc<Authenticator>,
    /// The called API, which an Access Token must be for.
    pub(super) api: Api,
    pub(super) source: CredentialSource,
    pub(super) respond: Arc<dyn Respond>,
    pub(super) check: Option<Arc<OwnCheck>>,
    pub(super) allow_missing: bool,
    pub(super) observe_only: bool,
    pub(super) strip_credentials: bool,
}

pub(super) type OwnCheck = dyn Fn(&Verified) -> bool + Send + Sync;

/// In the extensions of an accepted request: how an extractor rejects what the layer
/// could not check.
#[cfg(feature = "axum")]
#[derive(Debug, Clone)]
pub(crate) struct Responder(pub(crate) Arc<dyn Respond>);

impl Admission {
    /// Prepares `request` for the wrapped service; otherwise returns the answer to it.
    pub(super) fn settle<B>(
        &self,
        outcome: Result<Verified, Rejection>,
        request: &mut Request<B>,
    ) -> Option<Response<Bytes>> {
        let outcome = outcome.and_then(|verified| match &self.check {
            Some(check) if !check(&verified) => Err(Rejection::FORBIDDEN),
            _ => Ok(verified),
        });
        let requests = &self.authenticator.requests;
        match outcome {
            Ok(verified) => {
                let by_jwt = verified.access_token().is_none();
                requests.accepted(by_jwt, || Caller {
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
                    return None;
                }
            }
            Err(rejection) => {
                let allowed = self.allow_missing && rejection == Rejection::MISSING;
                if !allowed && !self.observe_only {
                    return Some(self.refuse((&*request).into(), rejection));
                }
                if !allowed {
                    requests.observed(rejection.kind().place());
                }
                let respond = Arc::clone(&self.respond);
                (request.extensions_mut()).insert(Unverified::new(rejection, respond));
            }
        }
        mark_sensitive(request.headers_mut());
        None
    }

    pub(super) fn refuse(&self, request: RequestHead<'_>, rejection: Rejection) -> Response<Bytes> {
        let status = rejection.status().as_u16();
        (self.authenticator.requests).refused(rejection.kind().place(), status);
        respond_to(&*self.respond, request, rejection)
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

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission")
            .field("api", &self.api)
            .field("source", &self.source)
            .field("check", &self.check.is_some())
            .field("allow_missing", &self.allow_missing)
            .field("observe_only", &self.observe_only)
            .field("strip_credentials", &self.strip_credentials)
            .finish_non_exhaustive()
    }
}
