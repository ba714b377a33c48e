//! Keys as GO publishes them.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::SigningKey;
use crate::hex::random_hex;

/// One entry of the key set: a key with its `kid`, or any JSON value at all.
///
/// [`PublishedKey::new`] gives the members of GO's sample, `alg`, `e`, `kid`, `kty`, `n`
/// and `use`; [`with`](Self::with) and [`without`](Self::without) change what is
/// published, never what signs. GO's second sample, a key without `use` whose `kid` is
/// `1`, is
///
/// ```
/// use derbysoft_go_simulator::{PublishedKey, SigningKey};
///
/// let key = PublishedKey::new(SigningKey::pooled()).with_kid("1").without("use");
/// assert_eq!(key.kid(), Some("1"));
/// assert_eq!(key.jwk()["alg"], "RS256");
/// assert!(key.jwk().get("use").is_none());
/// ```
#[derive(Clone, Debug)]
#[must_use = "a key is published by handing it to a simulator"]
pub struct PublishedKey {
    key: Option<SigningKey>,
    kid: Option<String>,
    jwk: Value,
}

impl PublishedKey {
    /// `key` under its [thumbprint](SigningKey::thumbprint) as `kid`.
    pub fn new(key: SigningKey) -> Self {
        let kid = key.thumbprint();
        let jwk = json!({
            "alg": "RS256",
            "e": BASE64_URL_SAFE_NO_PAD.encode(key.exponent()),
            "kid": kid,
            "kty": "RSA",
            "n": BASE64_URL_SAFE_NO_PAD.encode(key.modulus()),
            "use": "sig",
        });
        Self {
            key: Some(key),
            kid: Some(kid),
            jwk,
        }
    }

    /// A [pooled](SigningKey::pooled) key with a random `kid` of 40 hexadecimal digits,
    /// the form of GO's first sample.
    ///
    /// The `kid` is random because pooled keys are reused: a token of one simulator must
    /// not name a key of a later one.
    pub fn fresh() -> Self {
        Self::new(SigningKey::pooled()).with_kid(random_hex(40))
    }

    /// Any JSON value in place of a key: another key type, a key with private members,
    /// junk.
    pub fn raw(jwk: Value) -> Self {
        Self {
            key: None,
            kid: jwk.get("kid").and_then(Value::as_str).map(str::to_owned),
            jwk,
        }
    }

    /// Names the key `kid`, in the document and in the tokens that it signs.
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        let kid = kid.into();
        self.kid = Some(kid.clone());
        self.with("kid", kid)
    }

    /// Publishes the member `name` with this value. Changes nothing if the value is
    /// [raw](Self::raw) and not an object.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        if let Value::Object(members) = &mut self.jwk {
            members.insert(name.to_owned(), value.into());
        }
        self
    }

    /// Publishes the key without the member `name`.
    pub fn without(mut self, name: &str) -> Self {
        if let Value::Object(members) = &mut self.jwk {
            members.remove(name);
        }
        self
    }

    /// The name of the key in the simulator; `None` for junk without a `kid`.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The key pair; `None` for a [raw](Self::raw) value.
    pub fn signing_key(&self) -> Option<&SigningKey> {
        self.key.as_ref()
    }

    /// The published JSON.
    pub fn jwk(&self) -> &Value {
        &self.jwk
    }
}
