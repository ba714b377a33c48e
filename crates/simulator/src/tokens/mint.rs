//! Minting tokens: GO's own, and every departure from them.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
use derbysoft_go_auth::clock::{Clock, SystemClock, UnixTime};
use serde_json::Value;

use super::SignatureKind;
use crate::keys::SigningKey;

/// GO's tokens live five minutes: `exp` − `iat` in the sample token.
const LIFETIME: i64 = 300;
/// GO's tokens are valid from two minutes before: `nbf` − `iat` in the sample token.
const NOT_BEFORE: i64 = -120;
/// The `sub` of the sample token.
const SUBJECT: &str = "ds-go-module";

/// Makes one token, or many alike.
///
/// [`Simulator::mint`](crate::Simulator::mint) presets it so that [`token`](Self::token)
/// returns what GO's sample shows, with the members in that order:
///
/// ```text
/// {"kid":"…","alg":"RS256"}
/// {"iss":"https://id/84A2…/.well-known/openid-configuration","aud":"ZKT","exp":iat + 300,
///  "jti":"22 characters","iat":now,"nbf":iat - 120,"sub":"ds-go-module"}
/// ```
///
/// A changed member keeps its place, and a new one is appended. The signature always
/// covers the first two segments exactly as they appear in the token. So a departure in
/// them is the only flaw of the token, unless [`signature`](Self::signature) adds
/// another.
#[derive(Clone, Debug)]
#[must_use = "a `Mint` makes nothing until `token` is called"]
pub struct Mint {
    key: SigningKey,
    issued: Issued,
    lifetime: i64,
    not_before: i64,
    header: Members,
    payload: Members,
    raw_header: Option<Vec<u8>>,
    raw_payload: Option<Vec<u8>>,
    signature: SignatureKind,
    encoding: Encoding,
}

/// When a token is issued.
#[derive(Clone, Debug)]
enum Issued {
    /// When it is made, by this clock.
    Now(Arc<dyn Clock>),
    At(UnixTime),
}

impl Issued {
    fn seconds(&self) -> i64 {
        let time = match self {
            Self::Now(clock) => clock.now(),
            Self::At(time) => *time,
        };
        i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
    }
}

/// How a [`Mint`] encodes the segments. The signature covers the encoded text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encoding {
    /// base64url without padding, as RFC 7515 requires.
    #[default]
    Canonical,
    /// base64url, each segment padded with `=`. The signature of a 2048-bit key gets two.
    Padded,
    /// The standard alphabet's `+` and `/` for `-` and `_`. About one RSA-2048 signature
    /// in 50,000 holds neither.
    StandardAlphabet,
    /// This character in the middle of each segment, such as a space or a newline.
    Interrupted(char),
    /// An unused bit of the signature's last character is set: another text, the same
    /// bytes. Nothing changes if the signature's length is a multiple of three bytes, as
    /// with 3072-bit keys.
    LooseSignatureBits,
    /// An unused bit of the payload's last character is set. A space is appended to the
    /// payload if its length would leave no unused bit.
    LoosePayloadBits,
}

/// The members of an object, in their order. One without a value gets it when a token is
/// made.
type Members = Vec<(String, Option<Value>)>;

impl Mint {
    /// GO's sample token, signed with `key` under the name `kid`.
    pub fn new(
        key: SigningKey,
        kid: impl Into<String>,
        issuer: impl Into<String>,
        audience: impl Into<String>,
    ) -> Self {
        let set = |name: &str, value: String| (name.to_owned(), Some(value.into()));
        let unset = |name: &str| (name.to_owned(), None);
        Self {
            key,
            issued: Issued::Now(Arc::new(SystemClock::default())),
            lifetime: LIFETIME,
            not_before: NOT_BEFORE,
            header: vec![set("kid", kid.into()), set("alg", "RS256".to_owned())],
            payload: vec![
                set("iss", issuer.into()),
                set("aud", audience.into()),
                unset("exp"),
                unset("jti"),
                unset("iat"),
                unset("nbf"),
                set("sub", SUBJECT.to_owned()),
            ],
            raw_header: None,
            raw_payload: None,
            signature: SignatureKind::default(),
            encoding: Encoding::default(),
        }
    }

    /// Sets the time of issue. By default the simulator's
    /// [clock](crate::SimulatorBuilder::clock) is read for each token, and the system's
    /// by a mint that is made with [`new`](Self::new).
    pub fn at(mut self, time: impl Into<UnixTime>) -> Self {
        self.issued = Issued::At(time.into());
        self
    }

    pub(crate) fn by(mut self, clock: Arc<dyn Clock>) -> Self {
        self.issued = Issued::Now(clock);
        self
    }

    /// Sets `exp`, in seconds after `iat`. Default: 300.
    pub fn expires_in(mut self, seconds: i64) -> Self {
        self.lifetime = seconds;
        self
    }

    /// Sets `nbf`, in seconds after `iat`. Default: −120.
    pub fn not_before_offset(mut self, seconds: i64) -> Self {
        self.not_before = seconds;
        self
    }

    /// Sets `iss`.
    pub fn issuer(self, issuer: impl Into<String>) -> Self {
        self.claim("iss", issuer.into())
    }

    /// Sets `aud` to a string, GO's form.
    pub fn audience(self, audience: impl Into<String>) -> Self {
        self.claim("aud", audience.into())
    }

    /// Sets `aud` to an array of strings, the form of the gateway's tokens.
    pub fn audiences<A: Into<String>>(self, audiences: impl IntoIterator<Item = A>) -> Self {
        let audiences: Vec<String> = audiences.into_iter().map(Into::into).collect();
        self.claim("aud", audiences)
    }

    /// Sets `sub`.
    pub fn subject(self, subject: impl Into<String>) -> Self {
        self.claim("sub", subject.into())
    }

    /// Sets `jti`. By default each token gets 16 random bytes in base64url: 22
    /// characters.
    pub fn token_id(self, id: impl Into<String>) -> Self {
        self.claim("jti", id.into())
    }

    /// Sets any claim to any JSON value.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        set(&mut self.payload, name.into(), value.into());
        self
    }

    /// Appends a claim even if there is one of that name: a duplicate member.
    pub fn repeat_claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.payload.push((name.into(), Some(value.into())));
        self
    }

    /// Removes a claim.
    pub fn without(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.payload.retain(|member| member.0 != name);
        self
    }

    /// Sets the header's `kid`, without changing the key that signs.
    pub fn kid(self, kid: impl Into<String>) -> Self {
        self.header("kid", kid.into())
    }

    /// Sets any member of the header to any JSON value.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        set(&mut self.header, name.into(), value.into());
        self
    }

    /// Appends a member to the header even if there is one of that name.
    pub fn repeat_header(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.header.push((name.into(), Some(value.into())));
        self
    }

    /// Removes a member of the header.
    pub fn without_header(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.header.retain(|member| member.0 != name);
        self
    }

    /// Uses these bytes, before base64, as the header. All other changes to the header
    /// are ignored.
    pub fn raw_header(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.raw_header = Some(bytes.into());
        self
    }

    /// Uses these bytes, before base64, as the payload. All other changes to claims are
    /// ignored.
    pub fn raw_payload(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.raw_payload = Some(bytes.into());
        self
    }

    /// Signs with another key, without changing the `kid`.
    pub fn key(mut self, key: SigningKey) -> Self {
        self.key = key;
        self
    }

    /// Sets how to sign.
    pub fn signature(mut self, kind: SignatureKind) -> Self {
        self.signature = kind;
        self
    }

    /// Sets how to encode the segments.
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// The header's JSON text as in the next token, except for [raw](Self::raw_header)
    /// bytes: material for a custom raw header.
    #[must_use]
    pub fn header_text(&self) -> String {
        object(&self.header, |_| Value::Null)
    }

    /// The payload's JSON text as in the next token, except for [raw](Self::raw_payload)
    /// bytes: material for a custom raw payload.
    #[must_use]
    pub fn payload_text(&self) -> String {
        let issued = self.issued.seconds();
        object(&self.payload, |name| match name {
            "exp" => issued.saturating_add(self.lifetime).into(),
            "nbf" => issued.saturating_add(self.not_before).into(),
            "jti" => random_id().into(),
            _ => issued.into(),
        })
    }

    /// A token in the compact form: three base64url segments, two dots.
    #[must_use]
    pub fn token(&self) -> String {
        let header = self.raw_header.clone();
        let header = header.unwrap_or_else(|| self.header_text().into_bytes());
        let payload = self.raw_payload.clone();
        let mut payload = payload.unwrap_or_else(|| self.payload_text().into_bytes());
        let is_loose_payload = self.encoding == Encoding::LoosePayloadBits;
        if is_loose_payload && payload.len().is_multiple_of(3) {
            payload.push(b' ');
        }

        let header = self.encoding.segment(&header, false);
        let payload = self.encoding.segment(&payload, is_loose_payload);
        let signature = self.signature.sign(&self.key, &header, &payload);
        let is_loose_signature = self.encoding == Encoding::LooseSignatureBits;
        let signature = self.encoding.segment(&signature, is_loose_signature);
        format!("{header}.{payload}.{signature}")
    }
}

impl Encoding {
    /// If it is loose, an unused bit of the last character is set, if there is one.
    fn segment(self, bytes: &[u8], is_loose: bool) -> String {
        let mut text = match self {
            Self::Padded => BASE64_URL_SAFE.encode(bytes),
            Self::StandardAlphabet => BASE64_STANDARD_NO_PAD.encode(bytes),
            _ => BASE64_URL_SAFE_NO_PAD.encode(bytes),
        };
        if let Self::Interrupted(by) = self {
            text.insert(text.len() / 2, by);
        }
        // The lowest two bits of such a last character are unused and zero, so the next
        // one in ASCII is the next one of the alphabet.
        if is_loose && !bytes.len().is_multiple_of(3) {
            let last = text.pop().and_then(|last| u8::try_from(last).ok());
            text.extend(last.map(|last| char::from(last + 1)));
        }
        text
    }
}

fn set(members: &mut Members, name: String, value: Value) {
    match members.iter_mut().find(|member| member.0 == name) {
        Some(member) => member.1 = Some(value),
        None => members.push((name, Some(value))),
    }
}

/// A JSON object whose members keep their order, which `serde_json`'s own map doesn't
/// promise.
fn object(members: &Members, unset: impl Fn(&str) -> Value) -> String {
    let member = |(name, value): &(String, Option<Value>)| {
        let value = value.clone().unwrap_or_else(|| unset(name));
        format!("{}:{value}", Value::from(&**name))
    };
    let members: Vec<_> = members.iter().map(member).collect();
    format!("{{{}}}", members.join(","))
}

fn random_id() -> String {
    let mut id = [0; 16];
    fastrand::fill(&mut id);
    BASE64_URL_SAFE_NO_PAD.encode(id)
}
