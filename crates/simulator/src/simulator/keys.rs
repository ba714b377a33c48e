//! GO's side of a key rotation, done well or badly.

use serde_json::Value;

use super::Simulator;
use crate::keys::{PublishedKey, SigningKey};

/// Keys. A change shows in the next answer.
impl Simulator {
    /// The `kid` of the key that signs.
    pub fn signing_kid(&self) -> String {
        self.state().ring.signing().to_owned()
    }

    /// The key of this name, published, staged or retired.
    pub fn key(&self, kid: &str) -> Option<SigningKey> {
        self.state().ring.find(kid).cloned()
    }

    /// The published keys, in the document's order.
    pub fn published_keys(&self) -> Vec<PublishedKey> {
        self.state().ring.published().cloned().collect()
    }

    /// Publishes a new key and signs with it from now on; the others stay published. Gives its
    /// `kid`.
    pub fn rotate(&self) -> String {
        let fresh = PublishedKey::fresh();
        let ring = &mut self.state().ring;
        let kid = ring.add(fresh, true);
        ring.sign_with(&kid);
        kid
    }

    /// Publishes a new key that doesn't sign yet. Gives its `kid`, for
    /// [`sign_with`](Self::sign_with).
    pub fn stage(&self) -> String {
        self.publish(PublishedKey::fresh())
    }

    /// Signs with a new key that isn't published yet. Gives its `kid`, for
    /// [`restore`](Self::restore), which publishes it.
    pub fn rotate_unpublished(&self) -> String {
        let fresh = PublishedKey::fresh();
        let ring = &mut self.state().ring;
        let kid = ring.add(fresh, false);
        ring.sign_with(&kid);
        kid
    }

    /// Signs with this key from now on, be it published or not.
    ///
    /// # Panics
    ///
    /// When the simulator never had a key of this name that signs.
    pub fn sign_with(&self, kid: &str) {
        self.state().ring.sign_with(kid);
    }

    /// Takes a key out of the document. If it is the one that signs, it goes on signing.
    ///
    /// # Panics
    ///
    /// When the simulator never had a key of this name.
    pub fn retire(&self, kid: &str) {
        self.state().ring.list(kid, false);
    }

    /// Takes every key out of the document but the one that signs.
    pub fn retire_all_but_current(&self) {
        self.state().ring.retire_all_but_current();
    }

    /// Publishes a key that was retired or never published.
    ///
    /// # Panics
    ///
    /// When the simulator never had a key of this name.
    pub fn restore(&self, kid: &str) {
        self.state().ring.list(kid, true);
    }

    /// Puts other key material under the same `kid`, for the document and for tokens minted from
    /// now on.
    ///
    /// # Panics
    ///
    /// When the simulator never had a key of this name that signs.
    pub fn replace_material(&self, kid: &str) {
        self.state().ring.replace_material(kid);
    }

    /// Publishes one more key, at the document's end. Gives its `kid`.
    pub fn publish(&self, key: PublishedKey) -> String {
        self.state().ring.add(key, true)
    }

    /// Publishes any JSON value among the keys.
    pub fn publish_raw(&self, jwk: Value) {
        self.publish(PublishedKey::raw(jwk));
    }

    /// Publishes exactly these keys. The first one that can sign does, unless the current one is
    /// among them; where none can, the current one goes on, unpublished.
    pub fn set_keys(&self, keys: impl IntoIterator<Item = PublishedKey>) {
        self.state().ring.set(keys);
    }

    /// Serves exactly these bytes as the key set, until [`reset_document`](Self::reset_document).
    pub fn set_document(&self, document: impl Into<Vec<u8>>) {
        self.state().ring.set_document(Some(document.into()));
    }

    /// Serves the key set again.
    pub fn reset_document(&self) {
        self.state().ring.set_document(None);
    }

    /// The key-set document as it is served in health, uncompressed.
    pub fn document(&self) -> Vec<u8> {
        self.state().ring.document()
    }

    /// The `jwks_uri` of the discovery document, from now on.
    pub fn set_jwks_uri(&self, uri: impl Into<String>) {
        self.state().jwks_uri = uri.into();
    }
}
