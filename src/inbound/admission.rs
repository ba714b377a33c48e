//! The settings of one layer, and what becomes of each request by them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::Entry;
use http::{HeaderMap, HeaderName, Request, Response};

use super::credentials::{CredentialSource, NoToken, RequestHead};
use super::rejection::{Rejection, RejectionKind};
use super::respond::{Respond, respond_to};
use super::unverified::Unverified;
use crate::access_token::Api;
use crate::authenticate::Verified;
use crate::authenticate::authenticator::{Authenticator, Verdict};
use crate::observe::Rejected;

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
pub(crate) struct Responder {
    admission: Arc<Admission>,
    issuer: Option<usize>,
}

#[cfg(feature = "axum")]
impl Responder {
    /// `claims`: how they differ from what the handler expects.
    pub(crate) fn refuse(
        &self,
        request: RequestHead<'_>,
        rejection: Rejection,
        claims: Option<&str>,
    ) -> Response<Bytes> {
        let rejected = Rejected {
            claims,
            ..rejected(&rejection, self.issuer, request.headers)
        };
        self.admission.authenticator.requests.refused(rejected);
        respond_to(&*self.admission.respond, request, rejection)
    }
}

impl Admission {
    /// Prepares `request` for the wrapped service; otherwise returns the answer to it.
    pub(super) fn settle<B>(
        self: &Arc<Self>,
        verdict: Verdict<Rejection>,
        request: &mut Request<B>,
    ) -> Option<Response<Bytes>> {
        let Verdict { outcome, issuer } = verdict;
        let outcome = outcome.and_then(|verified| match &self.check {
            Some(check) if !check(&verified) => Err(Rejection::FORBIDDEN),
            _ => Ok(verified),
        });
        match outcome {
            Ok(verified) => {
                self.authenticator.accepted(&verified, issuer);
                let extensions = request.extensions_mut();
                extensions.insert(verified);
                #[cfg(feature = "axum")]
                extensions.insert(Responder {
                    admission: Arc::clone(self),
                    issuer,
                });
                if self.strip_credentials {
                    request.headers_mut().remove(self.source.header());
                    return None;
                }
            }
            Err(rejection) => {
                let is_missing = rejection.kind() == RejectionKind::MissingCredentials;
                let allowed = self.allow_missing && is_missing;
                if !allowed && !self.observe_only {
                    return Some(self.refuse(request, rejection, issuer));
                }
                if !allowed {
                    let requests = &self.authenticator.requests;
                    requests.observed(rejected(&rejection, issuer, request.headers()));
                }
                let respond = Arc::clone(&self.respond);
                (request.extensions_mut()).insert(Unverified::new(rejection, respond));
            }
        }
        mark_sensitive(request.headers_mut(), self.source.header());
        None
    }

    pub(super) fn refuse<B>(
        &self,
        request: &mut Request<B>,
        rejection: Rejection,
        issuer: Option<usize>,
    ) -> Response<Bytes> {
        let rejected = rejected(&rejection, issuer, request.headers());
        self.authenticator.requests.refused(rejected);
        mark_sensitive(request.headers_mut(), self.source.header());
        respond_to(&*self.respond, (&*request).into(), rejection)
    }
}

/// For a server without tower: what the layer does with a request's headers, logging and
/// counting included.
pub(crate) async fn authenticate(
    authenticator: &Authenticator,
    source: &CredentialSource,
    request: RequestHead<'_>,
) -> Result<Verified, Rejection> {
    let Verdict { outcome, issuer } = match source.read(request) {
        Ok(token) => (authenticator.verify(&token, &Api::AVAILABILITY_PEER).await).into(),
        Err(none) => none.into(),
    };
    match &outcome {
        Ok(verified) => authenticator.accepted(verified, issuer),
        Err(rejection) => {
            let rejected = rejected(rejection, issuer, request.headers);
            authenticator.requests.refused(rejected);
        }
    }
    outcome
}

impl From<Verdict> for Verdict<Rejection> {
    fn from(verdict: Verdict) -> Self {
        Self {
            outcome: verdict.outcome.map_err(Rejection::from),
            issuer: verdict.issuer,
        }
    }
}

impl From<NoToken> for Verdict<Rejection> {
    fn from(none: NoToken) -> Self {
        Self {
            outcome: Err(none.into()),
            issuer: None,
        }
    }
}

fn rejected<'r>(
    rejection: &Rejection,
    issuer: Option<usize>,
    headers: &'r HeaderMap,
) -> Rejected<'r> {
    Rejected {
        kind: rejection.kind().place(),
        detail: rejection.detail(),
        status: rejection.status().as_u16(),
        issuer,
        claims: None,
        headers,
    }
}

/// Keeps the token out of logs of the headers.
fn mark_sensitive(headers: &mut HeaderMap, name: &HeaderName) {
    if let Some(first) = headers.get_mut(name) {
        first.set_sensitive(true);
        // Several values occur only behind an observing layer.
        if headers.len() > headers.keys_len()
            && let Entry::Occupied(mut values) = headers.entry(name)
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
