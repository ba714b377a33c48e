//! GO: the keys that it signs with and publishes, and the tokens that it sends.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use derbysoft_go_simulator::{Mint, PublishedKey};

use super::time::At;
use crate::clock::UnixTime;

/// As many as there may be.
const ISSUERS: usize = 3;

pub(super) const AUDIENCE: &str = "ZKT";

/// How long a token lives.
const LIFE: u32 = 3600;

/// How long GO sends the same token.
const REUSED: Duration = Duration::from_secs(600);

/// How many RSA keys an issuer has.
const ITS_OWN: usize = 4;

/// RSA keys for all histories, of each issuer: making one takes longer than a simulated day.
static MATERIALS: LazyLock<[PublishedKey; ISSUERS * ITS_OWN]> =
    LazyLock::new(|| std::array::from_fn(|_| PublishedKey::fresh()));

/// Made before a history begins: their names are random.
pub(super) fn make_materials() {
    LazyLock::force(&MATERIALS);
}

/// A key as it is published: its name, and which material is under it.
pub(super) type Published = (Arc<str>, usize);

/// A key document.
pub(super) type Document = Arc<[Published]>;

pub(super) struct Key {
    pub(super) published: Published,
    /// Since when it is in the document, without interruption.
    pub(super) since: Option<At>,
    pub(super) withdrawn: Option<At>,
    /// When an answer last had it.
    pub(super) served: Option<At>,
    token: Option<(At, Token)>,
}

/// A token as somebody sends it.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) text: Arc<str>,
    /// Whose it says it is.
    pub(super) issuer: usize,
    /// Its key; `None`: it is signed by nobody's.
    pub(super) key: Option<usize>,
    pub(super) signed_by: Published,
    pub(super) issued: UnixTime,
    pub(super) expires: UnixTime,
}

/// GO as one issuer. All of them give their keys the same names.
pub(super) struct Go {
    number: usize,
    pub(super) keys: Vec<Key>,
    /// The key that GO signs with.
    pub(super) signing: usize,
    kids: usize,
}

impl Go {
    /// GO, with one key.
    pub(super) fn new(number: usize, now: At) -> Self {
        let mut go = Self {
            number,
            keys: Vec::new(),
            signing: 0,
            kids: 0,
        };
        go.publish(now);
        go
    }

    /// The `iss` of its tokens.
    pub(super) fn issuer(&self) -> String {
        issuer(self.number)
    }

    pub(super) fn signs_with(&self) -> &Published {
        &self.keys[self.signing].published
    }

    /// Another key is published; GO does not sign with it yet.
    pub(super) fn publish(&mut self, now: At) -> usize {
        self.kids += 1;
        let material = self.kids % ITS_OWN;
        self.add((format!("k{}", self.kids).into(), material), now)
    }

    /// The material of GO's key is replaced under the same name.
    pub(super) fn replace_material(&mut self, now: At) {
        let (kid, material) = self.signs_with().clone();
        self.withdraw(self.signing, now);
        self.signing = self.add((kid, material + 1), now);
    }

    /// With one of its own RSA keys, whatever the number.
    fn add(&mut self, (kid, material): Published, now: At) -> usize {
        self.keys.push(Key {
            published: (kid, self.number * ITS_OWN + material % ITS_OWN),
            since: Some(now),
            withdrawn: None,
            served: None,
            token: None,
        });
        self.keys.len() - 1
    }

    pub(super) fn withdraw(&mut self, key: usize, now: At) {
        let key = &mut self.keys[key];
        if key.since.take().is_some() {
            key.withdrawn = Some(now);
        }
    }

    /// A key that was withdrawn is published once more.
    pub(super) fn publish_again(&mut self, key: usize, now: At) {
        let kid = &self.keys[key].published.0;
        if !self
            .keys
            .iter()
            .any(|it| it.since.is_some() && it.published.0 == *kid)
        {
            self.keys[key].since = Some(now);
        }
    }

    /// When the key was withdrawn, if it is not in the document.
    pub(super) fn withdrawn(&self, key: &Key) -> Option<At> {
        let is_there = |it: &Key| it.since.is_some() && it.published == key.published;
        key.withdrawn.filter(|_| !self.keys.iter().any(is_there))
    }

    pub(super) fn document(&self) -> Document {
        (self.keys.iter())
            .filter(|key| key.since.is_some())
            .map(|key| key.published.clone())
            .collect()
    }

    /// The keys that an answer confirms.
    pub(super) fn served(&mut self, document: &Document, now: At) {
        for key in self.keys.iter_mut().rev().take(12) {
            if document.contains(&key.published) {
                key.served = Some(now);
            }
        }
    }

    /// A token that is signed with the key, by GO or by whoever has stolen it.
    pub(super) fn token(&mut self, number: usize, now: At) -> Token {
        let key = &mut self.keys[number];
        if let Some((at, token)) = &key.token
            && now.true_time.saturating_since(at.true_time) < REUSED
            && key
                .since
                .is_none_or(|since| since.true_time <= at.true_time)
        {
            return token.clone();
        }
        let token = Token {
            key: Some(number),
            ..signed(self.number, key.published.clone(), now)
        };
        key.token = Some((now, token.clone()));
        token
    }

    /// A token that claims to be of this issuer, signed with another's key.
    pub(super) fn crossed(&self, key: Published, now: At) -> Token {
        signed(self.number, key, now)
    }

    /// A token with this `kid`, signed by nobody.
    pub(super) fn forged(&self, kid: &str, issued: UnixTime) -> Token {
        let encode = |text: String| BASE64_URL_SAFE_NO_PAD.encode(text);
        let (iat, exp) = (issued.as_secs(), issued.as_secs() + u64::from(LIFE));
        let header = encode(format!(r#"{{"alg":"RS256","kid":"{kid}"}}"#));
        let payload = encode(format!(
            r#"{{"iss":"{}","aud":"{AUDIENCE}","iat":{iat},"exp":{exp}}}"#,
            self.issuer()
        ));
        let signature = BASE64_URL_SAFE_NO_PAD.encode([1; 256]);
        Token {
            text: format!("{header}.{payload}.{signature}").into(),
            issuer: self.number,
            key: None,
            signed_by: (kid.into(), usize::MAX),
            issued: UnixTime::from_secs(iat),
            expires: UnixTime::from_secs(exp),
        }
    }
}

fn issuer(number: usize) -> String {
    format!("https://id/{number}/.well-known/openid-configuration")
}

/// A token of nobody's, but signed with this key.
fn signed(number: usize, key: Published, now: At) -> Token {
    let (kid, material) = &key;
    let signing = MATERIALS[*material].signing_key().expect("it signs");
    let text = Mint::new(signing.clone(), &**kid, issuer(number), AUDIENCE)
        .at(SystemTime::from(now.true_time))
        .expires_in(LIFE.into())
        .token_id("1")
        .token();
    Token {
        text: text.into(),
        issuer: number,
        key: None,
        signed_by: key,
        issued: UnixTime::from_secs(now.true_time.as_secs()),
        expires: UnixTime::from_secs(now.true_time.as_secs() + u64::from(LIFE)),
    }
}

/// The document as it is sent.
pub(super) fn text(document: &Document) -> String {
    let mut text = r#"{"keys":["#.to_owned();
    for (place, (kid, material)) in document.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        let key = MATERIALS[*material].clone().with_kid(&**kid);
        write!(text, "{comma}{}", key.jwk()).expect("a text grows");
    }
    text + "]}"
}
