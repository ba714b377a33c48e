//! Keys given in code: no server, no fetch.

use derbysoft_go_auth::keys::KeySet;
use derbysoft_go_auth::{GoAuth, GoAuthBuilder, GoAuthLayer};
use derbysoft_go_simulator::{Mint, PublishedKey};

/// GO's key and mint, without its server.
pub struct Keys {
    key: PublishedKey,
}

impl Keys {
    const ISSUER: &str = "https://id/X/.well-known/openid-configuration";
    const AUDIENCE: &str = "ZKT";

    pub fn new() -> Self {
        Self {
            key: PublishedKey::fresh(),
        }
    }

    pub fn mint(&self) -> Mint {
        let key = self.key.signing_key().expect("a key that signs").clone();
        let kid = self.key.kid().expect("a named key");
        Mint::new(key, kid, Self::ISSUER, Self::AUDIENCE)
    }

    pub fn kid(&self) -> String {
        self.key.kid().expect("a named key").to_owned()
    }

    pub fn token(&self) -> String {
        self.mint().token()
    }

    pub fn builder(&self) -> GoAuthBuilder {
        let document = serde_json::json!({ "keys": [self.key.jwk()] }).to_string();
        GoAuth::builder()
            .issuer(Self::ISSUER)
            .audience(Self::AUDIENCE)
            .keys(KeySet::from_document(document.as_bytes()).expect("a good document"))
    }

    pub fn layer(&self) -> GoAuthLayer {
        self.builder()
            .build()
            .expect("a good configuration")
            .layer()
    }
}
