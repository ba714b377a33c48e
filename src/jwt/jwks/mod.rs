//! Turns a key-set document (RFC 7517, section 5) into keys that can verify.
//!
//! Each key is parsed separately: GO may publish keys of other kinds, and an unreadable
//! one must not take the good ones with it. The reasons for skipping keys are stored, so
//! that an operator can see them.

mod gather;
pub(crate) mod inspect;

use std::fmt;
use std::sync::Arc;

use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
    RSAKeyParameters, RSAKeyType,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use self::gather::{Gather, Gathered};
use crate::jwt::json;
use crate::jwt::jws::{MAX_KID_BYTES, base64url};
use crate::jwt::rs256::{KeyFault, PublicKey};
use crate::quote::Quoted;

/// The most usable keys stored from one document, and the most skipped ones reported. GO
/// publishes two; the limit leaves room for a long overlap and bounds what one document
/// can cost.
pub const MAX_KEYS: usize = 100;

/// A key of the set, ready to verify.
#[derive(Debug)]
pub(crate) struct Key {
    kid: Box<str>,
    public: PublicKey,
}

impl Key {
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    pub(crate) fn modulus_bits(&self) -> usize {
        self.public.modulus_bits()
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.public.verifies(message, signature)
    }

    fn same_key(&self, other: &Self) -> bool {
        self.kid == other.kid && self.public.same_material(&other.public)
    }
}

/// The keys of one issuer at one moment: immutable, looked up by `kid`.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    /// Sorted by `kid`, each once.
    keys: Box<[Arc<Key>]>,
    skipped: Box<[SkippedKey]>,
    /// Keys removed if present.
    distrusted: Arc<[Box<str>]>,
}

impl KeySet {
    /// Reads a key-set document: `{"keys":[…]}`.
    ///
    /// A key is usable if its `kty` is `RSA`, it has a `kid` of 1 to 256 bytes, `use` is
    /// absent or `sig`, `key_ops` is absent or holds `verify`, `alg` is absent or
    /// `RS256`, and its modulus is odd and of 2048 to 4096 bits with an odd exponent of 3
    /// to 2^33. The others are [`skipped`](KeySet::skipped). Two keys of one `kid` and
    /// different material are both skipped. One UTF-8 byte order mark before the document
    /// changes nothing (RFC 8259, section 8.1).
    ///
    /// # Errors
    /// If the document is not a key set, or none of its keys is usable.
    pub fn from_document(document: &[u8]) -> Result<Self, KeySetError> {
        Self::default().successor(json::without_mark(document))
    }

    /// The set that `document` describes, sharing the unchanged keys: the key that a
    /// cached verdict remembers stays the same.
    pub(crate) fn successor(&self, document: &[u8]) -> Result<Self, KeySetError> {
        let set = self.read(gather(document)?);
        if set.is_empty() {
            return Err(KeySetError::NoUsableKey(set.skipped));
        }
        Ok(set)
    }

    /// The set of these entries, possibly without a usable key.
    fn read(&self, Entries { keys, mut skipped }: Entries) -> Self {
        let shared = |key| self.get_same(&key).unwrap_or_else(|| Arc::new(key));
        let mut keys: Vec<Arc<Key>> = keys.into_iter().map(shared).collect();
        // Sorting is stable: the first of equal keys stays first.
        keys.sort_by(|a, b| a.kid.cmp(&b.kid));
        keys.dedup_by(|later, earlier| later.same_key(earlier));
        drop_ambiguous(&mut keys, &mut skipped);
        for key in keys.drain(MAX_KEYS.min(keys.len())..) {
            skipped.push(SkippedKey::new(Some(&key.kid), SkipReason::TooMany));
        }
        skipped.truncate(MAX_KEYS);
        Self {
            keys: keys.into(),
            skipped: skipped.into(),
            distrusted: Arc::default(),
        }
    }

    /// The set without the keys with these names, which are not looked up elsewhere
    /// either.
    pub(crate) fn distrusting(&self, kids: &Arc<[Box<str>]>) -> Self {
        let is_trusted = |key: &&Arc<Key>| !kids.contains(&key.kid);
        Self {
            keys: self.keys.iter().filter(is_trusted).cloned().collect(),
            skipped: self.skipped.clone(),
            distrusted: Arc::clone(kids),
        }
    }

    /// No keys, and the same ones distrusted.
    pub(crate) fn emptied(&self) -> Self {
        Self::default().distrusting(&self.distrusted)
    }

    /// Whether a key with this name is distrusted, whoever publishes it.
    pub(crate) fn distrusts(&self, kid: &str) -> bool {
        self.distrusted
            .iter()
            .any(|distrusted| **distrusted == *kid)
    }

    /// Whether both were read from the same keys, usable or not.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        let same_keys = |(ours, theirs): (&Arc<Key>, &Arc<Key>)| ours.same_key(theirs);
        self.keys.len() == other.keys.len()
            && self.keys.iter().zip(&other.keys).all(same_keys)
            && self.skipped == other.skipped
            && self.distrusted == other.distrusted
    }

    /// How many keys are usable.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key is usable; always `false` for a set made from a document.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The `kid` and modulus size in bits of each usable key, sorted by `kid`.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = (&str, usize)> {
        self.keys
            .iter()
            .map(|key| (key.kid(), key.public.modulus_bits()))
    }

    /// The keys of the document that can't be used, at most 100 of them.
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    pub(crate) fn get(&self, kid: &str) -> Option<&Arc<Key>> {
        self.keys
            .binary_search_by(|key| (*key.kid).cmp(kid))
            .ok()
            .map(|at| &self.keys[at])
    }

    /// Whether this very key, `kid` and material, is in the set.
    pub(crate) fn holds(&self, key: &Arc<Key>) -> bool {
        self.get(&key.kid)
            .is_some_and(|ours| Arc::ptr_eq(ours, key) || ours.same_key(key))
    }

    fn get_same(&self, key: &Key) -> Option<Arc<Key>> {
        self.get(&key.kid)
            .filter(|ours| ours.same_key(key))
            .cloned()
    }
}

/// Gathers the entries of a key-set document.
fn gather<G: Gather>(document: &[u8]) -> Result<G, KeySetError> {
    #[derive(Deserialize)]
    struct Document<T> {
        keys: T,
    }
    if !json::is_object(document) {
        return Err(KeySetError::NotAKeySet);
    }
    serde_json::from_slice(document)
        .map(|document: Document<Gathered<G>>| document.keys.0)
        .map_err(|_| KeySetError::NotAKeySet)
}

/// Removes every `kid` that still stands for more than one key.
fn drop_ambiguous(keys: &mut Vec<Arc<Key>>, skipped: &mut Vec<SkippedKey>) {
    let ambiguous: Vec<bool> = (0..keys.len())
        .map(|at| {
            let same = |other: usize| keys.get(other).is_some_and(|key| key.kid == keys[at].kid);
            same(at + 1) || at > 0 && same(at - 1)
        })
        .collect();
    let mut ambiguous = ambiguous.into_iter();
    keys.retain(|key| {
        let drop = ambiguous.next().unwrap_or(false);
        if drop {
            skipped.push(SkippedKey::new(Some(&key.kid), SkipReason::Ambiguous));
        }
        !drop
    });
}

/// The keys of a document, in order.
#[derive(Default)]
struct Entries {
    keys: Vec<Key>,
    /// The first of those that can't be used.
    skipped: Vec<SkippedKey>,
}

impl Gather for Entries {
    fn add(&mut self, entry: &RawValue) {
        match read_key(entry.get()) {
            Ok(key) => self.keys.push(key),
            Err(skip) if self.skipped.len() < MAX_KEYS => self.skipped.push(skip),
            Err(_) => {}
        }
    }
}

fn read_key(entry: &str) -> Result<Key, SkippedKey> {
    let members = Some(entry)
        .filter(|entry| json::is_object(entry.as_bytes()))
        .and_then(|entry| serde_json::from_str::<Members<'_>>(entry).ok())
        .ok_or_else(|| SkippedKey::new(None, SkipReason::Unreadable))?;
    let kid = members.kid.and_then(text);
    members
        .into_jwk()
        .and_then(|jwk| judge(&jwk))
        .map_err(|reason| SkippedKey::new(kid.as_deref(), reason))
}

/// The relevant members of a key, not parsed yet. Others may be anything: they do not
/// make a key worse.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    kty: Option<&'a RawValue>,
    #[serde(borrow)]
    kid: Option<&'a RawValue>,
    #[serde(borrow, rename = "use")]
    public_key_use: Option<&'a RawValue>,
    #[serde(borrow)]
    key_ops: Option<&'a RawValue>,
    #[serde(borrow)]
    alg: Option<&'a RawValue>,
    #[serde(borrow)]
    n: Option<&'a RawValue>,
    #[serde(borrow)]
    e: Option<&'a RawValue>,
}

impl Members<'_> {
    /// By hand: `Jwk` as `serde` reads it accepts `"kty":{"RSA":null}` as a string, and
    /// drops a key over a member that nobody needs.
    fn into_jwk(self) -> Result<Jwk, SkipReason> {
        let required = |value: Option<&RawValue>| value.and_then(text);
        if required(self.kty).as_deref() != Some("RSA") {
            return Err(SkipReason::KeyType);
        }
        let (Some(n), Some(e)) = (required(self.n), required(self.e)) else {
            return Err(SkipReason::KeyType);
        };
        let optional = |value: Option<&RawValue>, fault| {
            value.map(|value| text(value).ok_or(fault)).transpose()
        };
        let public_key_use = optional(self.public_key_use, SkipReason::Use)?;
        let algorithm = optional(self.alg, SkipReason::Algorithm)?;
        Ok(Jwk {
            common: CommonParameters {
                key_id: optional(self.kid, SkipReason::KeyId)?,
                public_key_use: public_key_use.map(|name| match &*name {
                    "sig" => PublicKeyUse::Signature,
                    _ => PublicKeyUse::Other(name),
                }),
                key_operations: self.key_ops.map(operations).transpose()?,
                key_algorithm: algorithm.map(|name| match &*name {
                    "RS256" => KeyAlgorithm::RS256,
                    _ => KeyAlgorithm::UNKNOWN_ALGORITHM,
                }),
                ..CommonParameters::default()
            },
            algorithm: AlgorithmParameters::RSA(RSAKeyParameters {
                key_type: RSAKeyType::RSA,
                n,
                e,
            }),
        })
    }
}

fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// The one relevant value of `key_ops`, if it is among them.
fn operations(value: &RawValue) -> Result<Vec<KeyOperations>, SkipReason> {
    let Gathered(Verify(verify)) =
        serde_json::from_str(value.get()).map_err(|_| SkipReason::Use)?;
    Ok(verify
        .then_some(KeyOperations::Verify)
        .into_iter()
        .collect())
}

/// Whether `verify` was among the strings.
#[derive(Default)]
struct Verify(bool);

impl Gather for Verify {
    fn add(&mut self, operation: &RawValue) {
        let spelled = operation.get();
        let escaped = || spelled.contains('\\') && text(operation).as_deref() == Some("verify");
        self.0 |= spelled == r#""verify""# || escaped();
    }
}

/// The rules of [`KeySet::from_document`].
fn judge(jwk: &Jwk) -> Result<Key, SkipReason> {
    let AlgorithmParameters::RSA(rsa) = &jwk.algorithm else {
        return Err(SkipReason::KeyType);
    };
    let kid = (jwk.common.key_id.as_deref())
        .filter(|kid| (1..=MAX_KID_BYTES).contains(&kid.len()))
        .ok_or(SkipReason::KeyId)?;
    if !matches!(
        jwk.common.public_key_use,
        None | Some(PublicKeyUse::Signature)
    ) {
        return Err(SkipReason::Use);
    }
    if (jwk.common.key_operations.as_ref())
        .is_some_and(|operations| !operations.contains(&KeyOperations::Verify))
    {
        return Err(SkipReason::Use);
    }
    if !matches!(jwk.common.key_algorithm, None | Some(KeyAlgorithm::RS256)) {
        return Err(SkipReason::Algorithm);
    }
    let number = |text: &str| base64url(text).ok_or(SkipReason::Encoding);
    let public =
        PublicKey::new(&number(&rsa.n)?, &number(&rsa.e)?).map_err(|fault| match fault {
            KeyFault::ModulusSize => SkipReason::ModulusSize,
            KeyFault::Exponent => SkipReason::Exponent,
            KeyFault::EvenModulus | KeyFault::Rejected => SkipReason::Material,
        })?;
    Ok(Key {
        kid: kid.into(),
        public,
    })
}

/// A key of a document that can't be used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedKey {
    kid: Option<Box<str>>,
    reason: SkipReason,
}

impl SkippedKey {
    fn new(kid: Option<&str>, reason: SkipReason) -> Self {
        Self {
            kid: kid.filter(|kid| kid.len() <= MAX_KID_BYTES).map(Into::into),
            reason,
        }
    }

    /// Its `kid`, if it has one that can be shown. As untrusted as the document: escape
    /// it before printing.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Why it can't be used.
    pub const fn reason(&self) -> SkipReason {
        self.reason
    }
}

/// Why a key of a document can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SkipReason {
    /// Not a JWK.
    #[error("not a readable JWK")]
    Unreadable,
    /// `n` or `e` is not base64url without padding (RFC 7518, section 6.3.1).
    #[error("n or e is not base64url without padding")]
    Encoding,
    /// `kty` is not `RSA`, or `n` or `e` is absent.
    #[error("not an RSA public key")]
    KeyType,
    /// `kid` is absent, empty or longer than 256 bytes.
    #[error("no kid, or one that is empty or too long")]
    KeyId,
    /// `use` or `key_ops` is not for checking signatures.
    #[error("not for checking signatures")]
    Use,
    /// `alg` is not `RS256`.
    #[error("for an algorithm other than RS256")]
    Algorithm,
    /// The modulus has fewer than 2048 or more than 4096 bits.
    #[error("modulus not of 2048 to 4096 bits")]
    ModulusSize,
    /// The exponent is even, below 3 or above 2^33.
    #[error("exponent even, below 3 or above 2^33")]
    Exponent,
    /// The modulus is even, or aws-lc rejected the key.
    #[error("not a valid RSA modulus")]
    Material,
    /// Another key has the same `kid` and different material.
    #[error("another key has the same kid")]
    Ambiguous,
    /// A hundred usable keys were already stored.
    #[error("more than 100 keys")]
    TooMany,
}

/// A document that is not a usable key set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// Not a JSON object with an array `keys`.
    #[error("the document is not a JSON Web Key Set")]
    NotAKeySet,
    /// No key that can verify, or no key at all: the keys as in [`KeySet::skipped`]. The
    /// text gives the reasons of the first three, with their `kid`s escaped and cut.
    #[error("the key set has no usable key: {}", Reasons(.0))]
    NoUsableKey(Box<[SkippedKey]>),
}

/// Why none of these keys is usable.
struct Reasons<'a>(&'a [SkippedKey]);

impl Reasons<'_> {
    /// As many as an operator needs to see what is wrong; it bounds a line of the log.
    const SHOWN: usize = 3;
}

impl fmt::Display for Reasons<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(keys) = self;
        if keys.is_empty() {
            return f.write_str("it is empty");
        }
        for (at, key) in keys.iter().take(Self::SHOWN).enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            match key.kid() {
                Some(kid) => write!(f, "{}: {}", Quoted(kid), key.reason())?,
                None => write!(f, "(no kid): {}", key.reason())?,
            }
        }
        let more = keys.len().saturating_sub(Self::SHOWN);
        match more {
            0 => Ok(()),
            // There may have been more than were stored.
            _ if keys.len() == MAX_KEYS => write!(f, "; and {more} more at least"),
            _ => write!(f, "; and {more} more"),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// 2048 bits, odd, told apart by the last byte.
    pub(crate) fn modulus(last: u8) -> String {
        let bytes: Vec<u8> = std::iter::repeat_n(0xff, 255).chain([last]).collect();
        base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
    }

    pub(crate) fn key(kid: &str, last: u8) -> String {
        let n = modulus(last);
        format!(r#"{{"kty":"RSA","kid":"{kid}","n":"{n}","e":"AQAB"}}"#)
    }

    pub(crate) fn document(entries: &[String]) -> String {
        format!(r#"{{"keys":[{}]}}"#, entries.join(","))
    }

    fn set(entries: &[String]) -> KeySet {
        KeySet::from_document(document(entries).as_bytes()).expect("a usable key")
    }

    #[test]
    fn a_successor_shares_the_keys_that_stay() {
        let before = set(&[key("1", 1), key("2", 3)]);
        let after = document(&[key("1", 1), key("2", 5)]);
        let after = before.successor(after.as_bytes()).expect("usable keys");
        let of = |set: &KeySet, kid| Arc::clone(set.get(kid).expect("its key"));
        assert!(Arc::ptr_eq(&of(&before, "1"), &of(&after, "1")));
        assert!(after.holds(&of(&before, "1")));
        assert!(!after.holds(&of(&before, "2")));
        // Read on its own, it is the same key all the same.
        assert!(after.holds(&of(&set(&[key("1", 1)]), "1")));
    }

    #[test]
    fn sets_are_the_same_with_the_same_keys_usable_or_not() {
        let unusable = || r#"{"kid":"3"}"#.to_owned();
        let one = set(&[key("1", 1), unusable()]);
        assert!(one.same_as(&set(&[key("1", 1), unusable()])));
        let distrusting = one.distrusting(&["2".into()].into());
        assert!(distrusting.distrusts("2") && !distrusting.distrusts("1"));
        for other in [
            set(&[key("1", 3), unusable()]),
            set(&[key("1", 1), key("2", 1), unusable()]),
            set(&[key("1", 1)]),
            distrusting,
        ] {
            assert!(!one.same_as(&other) && !other.same_as(&one));
        }
    }

    #[test]
    fn no_more_than_a_hundred_unusable_keys_are_gathered() {
        let unusable = vec!["{}".to_owned(); MAX_KEYS + 1];
        let entries: Entries = gather(document(&unusable).as_bytes()).expect("a key set");
        assert_eq!(entries.skipped.len(), MAX_KEYS);
    }
}
