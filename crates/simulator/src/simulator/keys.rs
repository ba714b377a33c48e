//! Key rotation on GO's side, done well or badly.

use serde_json::Value;

use super::Simulator;
use crate::keys::{PublishedKey, SigningKey};

/// Keys. A change shows in the next answer.
impl Simulator {
    /// The `kid` of the key that signs.
    pub fn signing_kid(&self) -> String {
        self.state().ring.signing.clone()
    }

    /// The key of this name, published, staged or retired.
    pub fn key(&self, kid: &str) -> Option<SigningKey> {
        self.state().ring.find(kid).cloned()
    }

    /// The published keys, in the document's order.
    pub fn published_keys(&self) -> Vec<PublishedKey> {
        self.state().ring.published().cloned().collect()
    }

    /// Publishes a new key and signs with it from now on; the others stay published.
    /// Returns its `kid`.
    pub fn rotate(&self) -> String {
        self.sign_with_new(true)
    }

    /// Publishes a new key that doesn't sign yet. Returns its `kid`, for
    /// [`sign_with`](Self::sign_with).
    pub fn stage(&self) -> String {
        self.publish(PublishedKey::fresh())
    }

    /// Signs with a new key that isn't published yet. Returns its `kid`, for
    /// [`restore`](Self::restore), which publishes it.
    pub fn rotate_unpublished(&self) -> String {
        self.sign_with_new(false)
    }

    fn sign_with_new(&self, published: bool) -> String {
        let fresh = PublishedKey::fresh();
        let ring = &mut self.state().ring;
        let kid = ring.add(fresh, published);
        ring.sign_with(&kid);
        kid
    }

    /// Signs with this key from now on, whether or not it is published.
    ///
    /// # Panics
    ///
    /// Panics when the simulator never had a signing key of this name.
    pub fn sign_with(&self, kid: &str) {
        self.state().ring.sign_with(kid);
    }

    /// Removes a key from the document. If it is the key that signs, it continues to
    /// sign.
    ///
    /// # Panics
    ///
    /// Panics when the simulator never had a key of this name.
    pub fn retire(&self, kid: &str) {
        self.state().ring.list(kid, false);
    }

    /// Removes every key from the document except the one that signs.
    pub fn retire_all_but_current(&self) {
        self.state().ring.retire_all_but_current();
    }

    /// Publishes a key that was retired or never published.
    ///
    /// # Panics
    ///
    /// Panics when the simulator never had a key of this name.
    pub fn restore(&self, kid: &str) {
        self.state().ring.list(kid, true);
    }

    /// Replaces the key material but not the `kid`, in the document and for tokens minted
    /// from now on.
    ///
    /// # Panics
    ///
    /// Panics when the simulator never had a signing key of this name.
    pub fn replace_material(&self, kid: &str) {
        self.state().ring.replace_material(kid);
    }

    /// Publishes one more key, at the end of the document. Returns its `kid`.
    pub fn publish(&self, key: PublishedKey) -> String {
        self.state().ring.add(key, true)
    }

    /// Publishes any JSON value among the keys.
    pub fn publish_raw(&self, jwk: Value) {
        self.publish(PublishedKey::raw(jwk));
    }

    /// Publishes exactly these keys. The first one that can sign does, unless the current
    /// one is among them; if none can, the current one continues to sign, unpublished.
    pub fn set_keys(&self, keys: impl IntoIterator<Item = PublishedKey>) {
        self.state().ring.set(keys);
    }

    /// Serves exactly these bytes as the key set, until
    /// [`reset_document`](Self::reset_document).
    pub fn set_document(&self, document: impl Into<Vec<u8>>) {
        self.state().ring.custom_document = Some(document.into());
    }

    /// Serves the key set again.
    pub fn reset_document(&self) {
        self.state().ring.custom_document = None;
    }

    /// The key set as it is served without a fault, uncompressed.
    pub fn document(&self) -> Vec<u8> {
        self.state().ring.document()
    }

    /// Sets the `jwks_uri` of the discovery document.
    pub fn set_jwks_uri(&self, uri: impl Into<String>) {
        self.state().jwks_uri = uri.into();
    }
}
