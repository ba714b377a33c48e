//! A verified caller, as a value that only this crate can make.

use std::fmt;
use std::sync::Arc;

use crate::access_token::AccessGranted;
use crate::jwt::claims::Claims;
use crate::jwt::jwks::Key;

/// Proof that a caller's credential passed every check.
///
/// Only a [`Verifier`](super::verifier::Verifier) makes one from a JWT, and only
/// [`AccessTokens`](crate::access_token::AccessTokens) from an Access Token; a handler
/// that is given one need not check anything. Exactly one of [`claims`](Verified::claims)
/// and [`access_token`](Verified::access_token) is there, and shows by which of the two
/// the caller was verified. Cloning is cheap.
///
/// A [`GoAuthLayer`](crate::GoAuthLayer) puts it into the request's extensions: take it
/// from there with `request.extensions().get::<Verified>()`, or, with the feature `axum`,
/// as an argument of the handler. Layers outside that one do not see it.
#[derive(Clone)]
pub struct Verified(Proof);

#[derive(Clone)]
enum Proof {
    Jwt(Arc<Jwt>),
    AccessToken(AccessGranted),
}

/// A JWT that a key has verified.
#[cfg_attr(test, derive(Clone))]
pub(super) struct Jwt {
    pub(super) claims: Claims,
    pub(super) key: Arc<Key>,
    /// Of its issuer, by the settings.
    pub(super) environment: Option<Arc<str>>,
}

impl Verified {
    pub(super) fn by_jwt(jwt: Jwt) -> Self {
        Self(Proof::Jwt(Arc::new(jwt)))
    }

    pub(super) fn jwt(&self) -> Option<&Jwt> {
        match &self.0 {
            Proof::Jwt(jwt) => Some(jwt),
            Proof::AccessToken(_) => None,
        }
    }

    /// The claims, if the caller was verified by a JWT.
    pub fn claims(&self) -> Option<&Claims> {
        self.jwt().map(|jwt| &jwt.claims)
    }

    /// What an Access Token was accepted for, if the caller was verified by one.
    pub fn access_token(&self) -> Option<&AccessGranted> {
        match &self.0 {
            Proof::Jwt(_) => None,
            Proof::AccessToken(granted) => Some(granted),
        }
    }

    /// A JWT's `iss`, which is one of the configured issuers.
    pub fn issuer(&self) -> Option<&str> {
        self.claims().map(Claims::issuer)
    }

    /// The environment that the issuer of a JWT belongs to, by the settings
    /// ([`Config::environment`](crate::Config::environment)). `None` where they name none,
    /// and for an Access Token, which says nothing of where it is from.
    pub fn environment(&self) -> Option<&str> {
        self.jwt()?.environment.as_deref()
    }

    /// A JWT's `sub`, if it has one.
    pub fn subject(&self) -> Option<&str> {
        self.claims()?.subject()
    }

    /// A JWT's `jti`, if it has one.
    pub fn token_id(&self) -> Option<&str> {
        self.claims()?.token_id()
    }

    /// The `kid` of the key that verified a JWT.
    pub fn key_id(&self) -> Option<&str> {
        self.jwt().map(|jwt| jwt.key.kid())
    }
}

#[cfg(test)]
impl Verified {
    /// A copy that shares no memory with this one.
    pub(crate) fn of_its_own(&self) -> Self {
        Self(match &self.0 {
            Proof::Jwt(jwt) => Proof::Jwt(Arc::new(Jwt::clone(jwt))),
            granted @ Proof::AccessToken(_) => granted.clone(),
        })
    }
}

impl From<AccessGranted> for Verified {
    fn from(granted: AccessGranted) -> Self {
        Self(Proof::AccessToken(granted))
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Verified");
        match &self.0 {
            Proof::Jwt(jwt) => debug
                .field("claims", &jwt.claims)
                .field("key_id", &jwt.key.kid()),
            Proof::AccessToken(granted) => debug.field("access_token", granted),
        };
        debug.finish()
    }
}
