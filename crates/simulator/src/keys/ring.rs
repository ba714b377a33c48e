//! Which keys GO has, which of them it publishes, and which one signs.

use serde_json::{Value, json};

use super::{PublishedKey, SigningKey};

/// Keys stay known after they leave the document: their tokens can still be minted, and
/// the pool can't hand their material out under another name.
#[derive(Debug, Default)]
pub(crate) struct KeyRing {
    entries: Vec<Entry>,
    /// The `kid` of the key that signs.
    pub(crate) signing: String,
    replaced: Vec<PublishedKey>,
    /// What is served in place of the key set.
    pub(crate) custom_document: Option<Vec<u8>>,
    strangers: Vec<PublishedKey>,
}

#[derive(Debug)]
struct Entry {
    key: PublishedKey,
    listed: bool,
}

impl KeyRing {
    /// The first key with a private part signs; if there is none, an unlisted one is
    /// made.
    pub(crate) fn new(keys: impl IntoIterator<Item = PublishedKey>) -> Self {
        let mut ring = Self::default();
        for key in keys {
            ring.add(key, true);
        }
        let first = ring.first_signer();
        ring.signing = first.unwrap_or_else(|| ring.add(PublishedKey::fresh(), false));
        ring
    }

    /// Adds a key and returns its `kid`.
    pub(crate) fn add(&mut self, key: PublishedKey, listed: bool) -> String {
        let kid = key.kid().unwrap_or_default().to_owned();
        if key.signing_key().is_some() {
            // A new key may take the name of one that left the document.
            let superseded = |entry: &mut Entry| !entry.listed && entry.key.kid() == Some(&kid);
            let left = self.entries.extract_if(.., superseded);
            self.replaced.extend(left.map(|entry| entry.key));
        }
        self.entries.push(Entry { key, listed });
        kid
    }

    pub(crate) fn set(&mut self, keys: impl IntoIterator<Item = PublishedKey>) {
        for entry in &mut self.entries {
            entry.listed = false;
        }
        for key in keys {
            self.add(key, true);
        }
        let signs = |key: &PublishedKey| key.kid() == Some(&self.signing);
        if !self.published().any(signs)
            && let Some(kid) = self.first_signer()
        {
            self.signing = kid;
        }
    }

    pub(crate) fn sign_with(&mut self, kid: &str) {
        self.signer(kid);
        kid.clone_into(&mut self.signing);
    }

    /// Lists or unlists all entries of one name.
    pub(crate) fn list(&mut self, kid: &str, listed: bool) {
        let mut known = false;
        for entry in &mut self.entries {
            if entry.key.kid() == Some(kid) {
                entry.listed = listed;
                known = true;
            }
        }
        assert!(known, "the simulator has no key {kid:?}");
    }

    pub(crate) fn retire_all_but_current(&mut self) {
        for entry in &mut self.entries {
            entry.listed &= entry.key.kid() == Some(&self.signing);
        }
    }

    pub(crate) fn replace_material(&mut self, kid: &str) {
        let fresh = PublishedKey::new(SigningKey::pooled()).with_kid(kid);
        let old = std::mem::replace(self.signer(kid), fresh);
        self.replaced.push(old);
    }

    fn signer(&mut self, kid: &str) -> &mut PublishedKey {
        let mut keys = self.entries.iter_mut().map(|entry| &mut entry.key);
        let signer = keys.find(|key| key.signing_key().is_some() && key.kid() == Some(kid));
        signer.unwrap_or_else(|| panic!("the simulator has no signing key {kid:?}"))
    }

    pub(crate) fn find(&self, kid: &str) -> Option<&SigningKey> {
        let mut named = self.all().filter(|(key, _)| key.kid() == Some(kid));
        named.find_map(|(key, _)| key.signing_key())
    }

    pub(crate) fn published(&self) -> impl Iterator<Item = &PublishedKey> {
        let published = self.all().filter(|(_, is_published)| *is_published);
        published.map(|(key, _)| key)
    }

    pub(crate) fn document(&self) -> Vec<u8> {
        let custom = self.custom_document.clone();
        custom.unwrap_or_else(|| key_set(self.published()))
    }

    /// Two keys that aren't GO's, the same ones for the simulator's life.
    pub(crate) fn make_strangers(&mut self) {
        if self.strangers.is_empty() {
            self.strangers = vec![PublishedKey::fresh(), PublishedKey::fresh()];
        }
    }

    pub(crate) fn stranger(&mut self) -> SigningKey {
        self.make_strangers();
        let mut keys = self.strangers.iter().filter_map(PublishedKey::signing_key);
        keys.next().expect("strangers that sign").clone()
    }

    /// All current and former keys, with whether they are published.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&PublishedKey, bool)> {
        self.entries.iter().map(|entry| (&entry.key, entry.listed))
    }

    /// How many keys are stored, including those that no name leads to any more.
    pub(crate) fn size(&self) -> usize {
        self.entries.len() + self.replaced.len()
    }

    pub(crate) fn strangers_document(&self) -> Vec<u8> {
        key_set(self.strangers.iter())
    }

    fn first_signer(&self) -> Option<String> {
        let mut listed = self.published();
        let signer = listed.find(|key| key.signing_key().is_some())?;
        signer.kid().map(str::to_owned)
    }
}

fn key_set<'a>(keys: impl Iterator<Item = &'a PublishedKey>) -> Vec<u8> {
    let keys: Vec<&Value> = keys.map(PublishedKey::jwk).collect();
    json!({ "keys": keys }).to_string().into_bytes()
}
