//! The claims of a token (RFC 7519, section 4): read strictly once, stored unchanged.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::clock::UnixTime;
use crate::error::Reason;
use crate::jwt::json::{self, JsonError, Strings, Text, Value};

/// The checked claims, borrowed from a payload that is not verified yet.
#[derive(Debug, Default)]
pub(crate) struct ClaimsView<'p> {
    pub(crate) issuer: Option<Text<'p>>,
    pub(crate) audience: Option<AudienceView<'p>>,
    pub(crate) subject: Option<Text<'p>>,
    pub(crate) token_id: Option<Text<'p>>,
    pub(crate) expires_at: Option<UnixTime>,
    pub(crate) not_before: Option<UnixTime>,
    pub(crate) issued_at: Option<UnixTime>,
}

/// `aud`: one string, or an array known to hold only strings.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AudienceView<'p> {
    One(Text<'p>),
    Many(Strings<'p>),
}

impl<'p> AudienceView<'p> {
    fn read(value: Value<'p>) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::One(text)),
            Value::Strings(strings) => Some(Self::Many(strings)),
            _ => None,
        }
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Text<'p>> {
        let (one, many) = match self {
            Self::One(text) => (Some(text), None),
            Self::Many(strings) => (None, Some(strings)),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}

impl<'p> ClaimsView<'p> {
    /// Reads a payload: an object without duplicates, whose registered claims have the
    /// right types and ranges. The policy judges the values.
    pub(crate) fn read(payload: &'p str) -> Result<Self, Reason> {
        let mut fault = None;
        let claims = Self::read_with_faults(payload, |wrong| fault = fault.or(Some(wrong)))?;
        fault.map_or(Ok(claims), Err)
    }

    /// The same, but a claim of a wrong type is left out and reported to `fault`.
    pub(crate) fn read_with_faults(
        payload: &'p str,
        mut fault: impl FnMut(Reason),
    ) -> Result<Self, Reason> {
        let mut claims = Self::default();
        json::read_object(payload, |name, value| {
            let wrong = match name {
                "iss" => set_text(&mut claims.issuer, value, Reason::IssType),
                "sub" => set_text(&mut claims.subject, value, Reason::SubType),
                "jti" => set_text(&mut claims.token_id, value, Reason::JtiType),
                "aud" => {
                    claims.audience = AudienceView::read(value);
                    claims.audience.is_none().then_some(Reason::AudType)
                }
                "exp" => set_time(&mut claims.expires_at, value, Reason::ExpType),
                "nbf" => set_time(&mut claims.not_before, value, Reason::NbfType),
                "iat" => set_time(&mut claims.issued_at, value, Reason::IatType),
                _ => None,
            };
            if let Some(wrong) = wrong {
                fault(wrong);
            }
        })
        .map_err(|error| match error {
            JsonError::Syntax => Reason::ClaimsNotObject,
            JsonError::Duplicate => Reason::ClaimsDuplicate,
            JsonError::Excess => Reason::ClaimsExcess,
        })?;
        Ok(claims)
    }
}

fn set_text<'p>(slot: &mut Option<Text<'p>>, value: Value<'p>, wrong: Reason) -> Option<Reason> {
    match value {
        Value::String(text) => {
            *slot = Some(text);
            None
        }
        _ => Some(wrong),
    }
}

fn set_time(slot: &mut Option<UnixTime>, value: Value<'_>, wrong: Reason) -> Option<Reason> {
    *slot = match value {
        Value::Number(number) => numeric_date(number),
        _ => None,
    };
    slot.is_none().then_some(wrong)
}

/// A JSON number as a `NumericDate` (RFC 7519, section 2): seconds since the
/// epoch, integer or fraction, from 0 to the end of the year 9999.
fn numeric_date(number: &str) -> Option<UnixTime> {
    /// The end of the year 9999 has twelve digits.
    const LARGEST: i64 = 11;
    /// A tenth of a nanosecond counts as zero.
    const SMALLEST: i64 = -10;
    if let Ok(seconds) = number.parse() {
        return UnixTime::checked_from_epoch(Duration::from_secs(seconds));
    }
    // Exponents far from these make `parse` slow, and change nothing.
    let since_epoch = match json::magnitude(number) {
        Some(_) if number.starts_with('-') => return None,
        None | Some(..SMALLEST) => Duration::ZERO,
        Some(SMALLEST..=LARGEST) => Duration::try_from_secs_f64(number.parse().ok()?).ok()?,
        Some(_) => return None,
    };
    UnixTime::checked_from_epoch(since_epoch)
}

/// The claims of a verified token.
///
/// The registered claims are typed; the others are stored unchanged, for
/// [`get`](Claims::get) and [`deserialize`](Claims::deserialize). Their number, depth and
/// size are bounded (64 claims, 32 levels, the token's own limit).
///
/// ```
/// # fn show(caller: &derbysoft_go_auth::Verified) -> Result<(), serde_json::Error> {
/// if let Some(claims) = caller.claims() {
///     let distributor: Option<String> = claims.get("dis")?;
///     let all: serde_json::Value = claims.deserialize()?; // or a type of your own
///     println!("{distributor:?}, one of {all}, signed as {}", claims.as_json());
/// }
/// # Ok(())
/// # }
/// ```
#[cfg_attr(test, derive(Clone))]
pub struct Claims {
    payload: Box<str>,
    issuer: Stored,
    audiences: Audiences,
    subject: Option<Stored>,
    token_id: Option<Stored>,
    expires_at: UnixTime,
    not_before: Option<UnixTime>,
    issued_at: Option<UnixTime>,
}

/// A string of the payload: its place there, or a copy where it had escapes. There may be
/// thousands, so a place is as small as possible.
#[cfg_attr(test, derive(Clone))]
enum Stored {
    Place { start: u32, len: u32 },
    Own(Box<str>),
}

impl Stored {
    /// `text`, which is part of `payload`.
    fn of(text: Text<'_>, payload: &str) -> Self {
        let place = text.plain().and_then(|plain| {
            let start = plain.as_ptr().addr() - payload.as_ptr().addr();
            let (start, len) = (start.try_into().ok()?, plain.len().try_into().ok()?);
            Some(Self::Place { start, len })
        });
        place.unwrap_or_else(|| Self::Own(text.decode().into()))
    }

    /// The memory it takes beyond its own size.
    fn held_bytes(&self) -> usize {
        match self {
            Self::Place { .. } => 0,
            Self::Own(text) => text.len(),
        }
    }
}

#[cfg_attr(test, derive(Clone))]
enum Audiences {
    One(Stored),
    Many(Box<[Stored]>),
}

impl Claims {
    /// Stores claims that were read and accepted: the three that every token must have
    /// are there.
    pub(crate) fn keep(payload: &str, view: &ClaimsView<'_>) -> Result<Self, Reason> {
        let keep = |text| Stored::of(text, payload);
        Ok(Self {
            issuer: keep(view.issuer.ok_or(Reason::NoIss)?),
            audiences: match view.audience.ok_or(Reason::NoAud)? {
                AudienceView::One(text) => Audiences::One(keep(text)),
                many @ AudienceView::Many(_) => {
                    // Counted first, so that the list does not grow to twice its needed
                    // size.
                    let mut kept = Vec::with_capacity(many.iter().count());
                    kept.extend(many.iter().map(keep));
                    Audiences::Many(kept.into())
                }
            },
            subject: view.subject.map(keep),
            token_id: view.token_id.map(keep),
            expires_at: view.expires_at.ok_or(Reason::NoExp)?,
            not_before: view.not_before,
            issued_at: view.issued_at,
            payload: payload.into(),
        })
    }

    /// `iss`: the issuer, byte for byte one of those configured.
    pub fn issuer(&self) -> &str {
        self.text(&self.issuer)
    }

    /// `aud`: every audience of the token, configured here or not, in the
    /// token's order. At least one of them is configured here.
    pub fn audiences(&self) -> impl ExactSizeIterator<Item = &str> {
        match &self.audiences {
            Audiences::One(one) => std::slice::from_ref(one),
            Audiences::Many(many) => many,
        }
        .iter()
        .map(|audience| self.text(audience))
    }

    /// `sub`: for GO's tokens, the module of GO that calls.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_ref().map(|stored| self.text(stored))
    }

    /// `jti`: the token's own name, unique within its issuer.
    pub fn token_id(&self) -> Option<&str> {
        self.token_id.as_ref().map(|stored| self.text(stored))
    }

    /// `exp`: the moment from which the token is no longer valid.
    pub const fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// `nbf`: the moment from which the token is valid.
    pub const fn not_before(&self) -> Option<UnixTime> {
        self.not_before
    }

    /// `iat`: when the token was issued.
    pub const fn issued_at(&self) -> Option<UnixTime> {
        self.issued_at
    }

    /// One claim by its name, as a type of your own; `None` if the token has no such
    /// claim.
    ///
    /// # Errors
    /// If the claim does not fit the type.
    pub fn get<'a, T: Deserialize<'a>>(&'a self, name: &str) -> serde_json::Result<Option<T>> {
        // Parsed on demand: most handlers never ask. The payload is known to be an object
        // without duplicates.
        let mut claims: std::collections::BTreeMap<std::borrow::Cow<'a, str>, &'a RawValue> =
            self.deserialize()?;
        claims
            .remove(name)
            .map(|value| serde_json::from_str(value.get()))
            .transpose()
    }

    /// All claims as a type of your own.
    ///
    /// # Errors
    /// If the claims do not fit the type.
    pub fn deserialize<'a, T: Deserialize<'a>>(&'a self) -> serde_json::Result<T> {
        serde_json::from_str(&self.payload)
    }

    /// All claims as the JSON object that was signed.
    pub const fn as_json(&self) -> &str {
        &self.payload
    }

    /// The memory that the claims take beyond their own size, in bytes.
    pub(crate) fn held_bytes(&self) -> usize {
        let audiences = match &self.audiences {
            Audiences::One(one) => one.held_bytes(),
            Audiences::Many(many) => {
                size_of_val::<[Stored]>(many) + many.iter().map(Stored::held_bytes).sum::<usize>()
            }
        };
        let texts = [
            Some(&self.issuer),
            self.subject.as_ref(),
            self.token_id.as_ref(),
        ];
        let texts = texts.into_iter().flatten().map(Stored::held_bytes);
        self.payload.len() + audiences + texts.sum::<usize>()
    }

    fn text<'a>(&'a self, stored: &'a Stored) -> &'a str {
        match stored {
            Stored::Place { start, len } => {
                let start = *start as usize;
                &self.payload[start..start + *len as usize]
            }
            Stored::Own(text) => text,
        }
    }
}

/// Shows which token it was, not what it says: other claims may be private.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims")
            .field("issuer", &self.issuer())
            .field("audiences", &self.audiences().collect::<Vec<_>>())
            .field("subject", &self.subject())
            .field("token_id", &self.token_id())
            .field("expires_at", &self.expires_at)
            .field("not_before", &self.not_before)
            .field("issued_at", &self.issued_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::VerifyErrorKind as Kind;

    const SAMPLE: &str = concat!(
        r#"{"iss":"https://id/84A26B2FA77BCD1FF5130636F04C30C5/.well-known/openid-configuration","#,
        r#""aud":"ZKT","exp":1703560090,"jti":"QXcqzneuVBbRPn194ks9AQ","iat":1703559790,"#,
        r#""nbf":1703559670,"sub":"ds-go-module"}"#
    );

    fn claims(payload: &str) -> Claims {
        let view = ClaimsView::read(payload).expect("well-formed claims");
        Claims::keep(payload, &view).expect("iss, aud and exp")
    }

    #[test]
    fn the_claims_of_go_s_sample_are_typed() {
        let claims = claims(SAMPLE);
        assert_eq!(
            claims.issuer(),
            "https://id/84A26B2FA77BCD1FF5130636F04C30C5/.well-known/openid-configuration"
        );
        assert_eq!(claims.audiences().collect::<Vec<_>>(), ["ZKT"]);
        assert_eq!(claims.subject(), Some("ds-go-module"));
        assert_eq!(claims.token_id(), Some("QXcqzneuVBbRPn194ks9AQ"));
        assert_eq!(claims.expires_at(), UnixTime::from_secs(1_703_560_090));
        assert_eq!(claims.issued_at(), Some(UnixTime::from_secs(1_703_559_790)));
        assert_eq!(
            claims.not_before(),
            Some(UnixTime::from_secs(1_703_559_670))
        );
        assert_eq!(claims.as_json(), SAMPLE);
    }

    #[test]
    fn escapes_do_not_change_a_claim() {
        let claims = claims(r#"{"\u0069ss":"https:\/\/id","aud":["\u005aKT","b"],"exp":1}"#);
        assert_eq!(claims.issuer(), "https://id");
        assert_eq!(claims.audiences().collect::<Vec<_>>(), ["ZKT", "b"]);
    }

    #[test]
    fn a_date_equals_what_std_makes_of_its_number() {
        for number in [
            "5e-11", "5e-10", "4e-10", "9.99e-11", "0.1", "1e11", "2.5e11", "1.5e0",
        ] {
            let seconds: f64 = number.parse().expect("a number");
            let expected = Duration::try_from_secs_f64(seconds).ok();
            let read = numeric_date(number).map(UnixTime::since_epoch);
            assert_eq!(read, expected, "{number}");
        }
    }

    #[test]
    fn the_memory_of_claims_is_that_of_their_content() {
        for (payload, beside) in [
            (r#"{"iss":"i","aud":"a","exp":1}"#, 0),
            (
                r#"{"iss":"i","aud":["a","b","c"],"exp":1}"#,
                3 * size_of::<Stored>(),
            ),
            (r#"{"iss":"\u0069","aud":"\u0061","exp":1,"sub":"\n\n"}"#, 4),
            (
                r#"{"iss":"i","aud":["\u0061\u0062"],"exp":1}"#,
                size_of::<Stored>() + 2,
            ),
        ] {
            assert_eq!(
                claims(payload).held_bytes(),
                payload.len() + beside,
                "{payload}"
            );
        }
        assert_eq!(size_of::<Stored>(), 16);
    }

    #[test]
    fn other_claims_are_typed_on_demand() {
        #[derive(Deserialize)]
        struct Own<'a> {
            dis: &'a str,
        }
        let claims =
            claims(r#"{"iss":"i","aud":"a","exp":1,"dis":"JWT-TEST","n":[1,2],"q\"":null}"#);
        assert_eq!(claims.get::<&str>("dis").unwrap(), Some("JWT-TEST"));
        assert_eq!(claims.get::<Vec<u8>>("n").unwrap(), Some(vec![1, 2]));
        assert_eq!(claims.get::<()>("q\"").unwrap(), Some(()));
        assert_eq!(claims.get::<u8>("absent").unwrap(), None);
        assert!(claims.get::<u8>("dis").is_err());
        assert_eq!(claims.deserialize::<Own<'_>>().unwrap().dis, "JWT-TEST");
    }

    #[test]
    fn a_claim_of_a_wrong_type_is_rejected() {
        for claim in [
            r#""iss":1"#,
            r#""iss":null"#,
            r#""iss":["i"]"#,
            r#""iss":{}"#,
            r#""aud":1"#,
            r#""aud":null"#,
            r#""aud":{}"#,
            r#""aud":["a",1]"#,
            r#""aud":["a",null]"#,
            r#""aud":[["a"]]"#,
            r#""sub":1"#,
            r#""sub":null"#,
            r#""jti":1"#,
            r#""jti":[]"#,
            r#""exp":"1703560090""#,
            r#""exp":null"#,
            r#""exp":true"#,
            r#""exp":[1]"#,
            r#""exp":{}"#,
            r#""exp":-1"#,
            r#""exp":-0.5"#,
            r#""exp":253402300800"#,
            r#""exp":1e300"#,
            r#""exp":18446744073709551615"#,
            r#""exp":18446744073709551616"#,
            r#""nbf":"1""#,
            r#""nbf":null"#,
            r#""nbf":-1"#,
            r#""iat":"1""#,
            r#""iat":false"#,
        ] {
            let error = ClaimsView::read(&format!("{{{claim}}}")).expect_err(claim);
            assert_eq!(error.kind(), Kind::Claims, "{claim}");
        }
    }

    #[test]
    fn only_one_object_without_duplicates_is_accepted() {
        for payload in [
            "",
            "[]",
            r#"["iss"]"#,
            "null",
            r#"{"exp":1,"exp":2}"#,
            r#"{"a":1,"\u0061":1}"#,
            "{} ",
        ] {
            let read = ClaimsView::read(payload);
            if payload == "{} " {
                assert!(read.is_ok());
            } else {
                assert_eq!(read.expect_err(payload).kind(), Kind::Claims, "{payload}");
            }
        }
    }

    #[test]
    fn a_numeric_date_is_an_integer_or_a_fraction() {
        let millis = |number| numeric_date(number).map(|time| time.since_epoch().as_millis());
        assert_eq!(millis("0"), Some(0));
        assert_eq!(millis("-0"), Some(0));
        assert_eq!(millis("1703560090"), Some(1_703_560_090_000));
        assert_eq!(millis("1703560090.5"), Some(1_703_560_090_500));
        assert_eq!(millis("1.7e9"), Some(1_700_000_000_000));
        assert_eq!(millis("253402300799"), Some(253_402_300_799_000));
        assert_eq!(millis("253402300800"), None);
        assert_eq!(millis("2.53402300799e11"), Some(253_402_300_799_000));
        assert_eq!(millis("999999999999"), None);
        assert_eq!(millis("9.99e11"), None);
        assert_eq!(millis("1e12"), None);
        assert_eq!(millis("1e999"), None);
        assert_eq!(millis("1e-999"), Some(0));
        assert_eq!(millis("-1e-999"), None);
        assert_eq!(millis("-0.0e99"), Some(0));
        assert_eq!(millis("0.000000001703560090e18"), Some(1_703_560_090_000));
        assert_eq!(millis("17035600905e-1"), Some(1_703_560_090_500));
    }
}
