//! Extractors for axum handlers.
//!
//! A handler that takes a [`Verified`] runs for verified requests only, whatever the
//! routes look like. Without the layer it answers 500 with advice, and never passes.

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::IntoResponse;
use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};
use serde::de::DeserializeOwned;

use crate::authenticate::{Claims, Verified};
use crate::inbound::{Rejection, Responder, Unverified};
use crate::observe;
use crate::show::plain;

/// Why a handler could not get its [`Verified`] or [`TokenClaims`].
///
/// Answered as the layer answers: with its [`Respond`](crate::inbound::Respond), and a [`Rejection`] in the
/// response's extensions.
#[derive(Debug)]
#[non_exhaustive]
pub enum ExtractRejection {
    /// The layer passed the request on unverified.
    Unverified(Refused),
    /// The claims do not fit the handler's type, or the caller was verified by an
    /// Access Token, which has none: 500, kind `claims_mismatch`, and a warning that names
    /// the field.
    Claims(Refused),
    /// No layer ran before the handler: 500.
    NoLayer,
}

/// A rejection, and the layer's answer to it.
#[derive(Debug)]
pub struct Refused {
    rejection: Rejection,
    response: Box<Response<Bytes>>,
}

impl Refused {
    /// Why the request is rejected.
    pub const fn rejection(&self) -> &Rejection {
        &self.rejection
    }
}

impl ExtractRejection {
    const NO_LAYER: &str = "derbysoft-go-auth: this handler asks for the verified caller, but no \
        GoAuthLayer runs before it; add `.layer(auth.layer())` to its routes";
}

impl IntoResponse for ExtractRejection {
    fn into_response(self) -> axum_core::response::Response {
        match self {
            Self::Unverified(refused) | Self::Claims(refused) => {
                (*refused.response).map(Into::into)
            }
            Self::NoLayer => (StatusCode::INTERNAL_SERVER_ERROR, Self::NO_LAYER).into_response(),
        }
    }
}

/// The layer's verdict on a request.
fn verdict(parts: &Parts) -> Result<Result<Verified, &Unverified>, ExtractRejection> {
    if let Some(verified) = parts.extensions.get::<Verified>() {
        return Ok(Ok(verified.clone()));
    }
    if let Some(unverified) = parts.extensions.get::<Unverified>() {
        return Ok(Err(unverified));
    }
    observe::no_layer(ExtractRejection::NO_LAYER);
    Err(ExtractRejection::NoLayer)
}

fn caller(parts: &Parts) -> Result<Verified, ExtractRejection> {
    verdict(parts)?.map_err(|unverified| {
        ExtractRejection::Unverified(Refused {
            rejection: unverified.rejection().clone(),
            response: Box::new(unverified.to_response(parts.into())),
        })
    })
}

/// The verified caller.
impl<S: Sync> FromRequestParts<S> for Verified {
    type Rejection = ExtractRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ExtractRejection> {
        caller(parts)
    }
}

/// The verified caller, or `None` if the layer is configured to pass requests on
/// unverified and did.
impl<S: Sync> OptionalFromRequestParts<S> for Verified {
    type Rejection = ExtractRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> Result<Option<Self>, ExtractRejection> {
        verdict(parts).map(Result::ok)
    }
}

/// All claims of the verified caller's token, as a type of your own.
///
/// If they do not fit, or the caller has an Access Token, which has no claims, the answer
/// is 500 with the kind `claims_mismatch`, and a warning names the field: the caller is
/// GO, and the handler expects something else of it.
///
/// ```
/// use derbysoft_go_auth::TokenClaims;
///
/// #[derive(serde::Deserialize)]
/// struct Own {
///     dis: String,
/// }
///
/// async fn handler(TokenClaims(own): TokenClaims<Own>) -> String {
///     own.dis
/// }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct TokenClaims<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for TokenClaims<T> {
    type Rejection = ExtractRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ExtractRejection> {
        let verified = caller(parts)?;
        let (rejection, why) = match verified.claims().map(read) {
            Some(Ok(claims)) => return Ok(Self(claims)),
            Some(Err(why)) => (Rejection::CLAIMS_MISMATCH, Some(why)),
            None => (Rejection::NO_CLAIMS, None),
        };
        let responder = parts.extensions.get::<Responder>();
        let responder = responder.ok_or(ExtractRejection::NoLayer)?;
        let response = responder.refuse((&*parts).into(), rejection.clone(), why.as_deref());
        Err(ExtractRejection::Claims(Refused {
            rejection,
            response: Box::new(response),
        }))
    }
}

/// The claims as a `T`; otherwise which field does not fit. No value is repeated: they are
/// GO's, and the log is not.
fn read<T: DeserializeOwned>(claims: &Claims) -> Result<T, String> {
    const NAMES_ALONE: [&str; 3] = ["missing field", "unknown field", "duplicate field"];

    let mut json = serde_json::Deserializer::from_str(claims.as_json());
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let why = error.inner().to_string();
        let words = why.split(" at line ").next().unwrap_or_default();
        if NAMES_ALONE.iter().any(|start| words.starts_with(start)) {
            plain(words)
        } else {
            plain(&format!("{} is not of the expected type", error.path()))
        }
    })
}
