//! Reads the token endpoint's answer and how long its token is valid: pure.
//!
//! GO's sample contradicts itself: `expires_in` is 7200, while the token itself is a JWT
//! whose `exp` is 3600 after its `iat`. The earlier one that can be read counts.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Number;
use serde_json::value::RawValue;

use super::error::GatewayErrorKind;
use crate::clock::UnixTime;
use crate::jwt::json::{self, Value};
use crate::jwt::jws::base64url;
use crate::secret::Secret;

/// The longest a token is used, whatever it says: 24 h, twelve times what GO gives. A
/// slip of digits at the gateway must not keep one for years.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// A token and its claimed end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) token: Secret,
    /// Counted from when the token was requested.
    expires_in: Option<Duration>,
    /// The JWT's own `exp`.
    exp: Option<UnixTime>,
}

impl Answer {
    /// Reads an answer of status 200 (RFC 6749, section 5.1). Other members are ignored;
    /// a repeated one makes the answer invalid.
    pub(super) fn read(body: &[u8]) -> Result<Self, GatewayErrorKind> {
        let malformed = GatewayErrorKind::Malformed;
        let body = str::from_utf8(body).map_err(|_| malformed("it is not UTF-8"))?;
        let (mut token, mut token_type, mut expires_in) = (None, None, None);
        json::read_object(body, |name, value| match name {
            "access_token" => token = Some(value),
            "token_type" => token_type = Some(value),
            "expires_in" => expires_in = Some(value),
            _ => {}
        })
        .map_err(|_| malformed("it is not a JSON object that is well-formed"))?;

        let Some(Value::String(token)) = token else {
            return Err(malformed("there is no access_token that is a string"));
        };
        let Some(Value::String(token_type)) = token_type else {
            return Err(malformed("there is no token_type that is a string"));
        };
        if !token_type.is_ignoring_case("Bearer") {
            return Err(GatewayErrorKind::OtherType);
        }
        let expires_in = match expires_in {
            Some(Value::Number(number)) => seconds(number),
            Some(Value::String(text)) => seconds(&text.decode()),
            _ => None,
        };
        let token = Secret::from(token.decode().into_owned());
        Ok(Self {
            exp: exp(token.expose()),
            expires_in,
            token,
        })
    }

    /// How long the token is valid from `asked` on: to the earlier of the two ends, and
    /// at most a day.
    pub(super) fn lifetime(&self, asked: UnixTime) -> Result<Duration, GatewayErrorKind> {
        let own = self.exp.map(|exp| exp.saturating_since(asked));
        let lifetime = (self.expires_in.into_iter().chain(own).min())
            .ok_or(GatewayErrorKind::NoLifetime)?
            .min(LONGEST);
        if lifetime.is_zero() {
            return Err(GatewayErrorKind::Expired);
        }
        Ok(lifetime)
    }
}

/// How long an answer's token is valid, for `fuzz/`.
#[cfg(fuzzing)]
pub(crate) fn token_answer(body: &[u8], asked: UnixTime) -> Option<Duration> {
    Answer::read(body).ok()?.lifetime(asked).ok()
}

/// A number of seconds as spelled in JSON, whole or with a fraction, not below zero;
/// excessive numbers are capped.
fn seconds(number: &str) -> Option<Duration> {
    let number: Number = number.trim().parse().ok()?;
    match number.as_u64() {
        Some(seconds) => Some(Duration::from_secs(seconds)),
        None => Duration::try_from_secs_f64(
            number
                .as_f64()?
                .min(UnixTime::MAX.since_epoch().as_secs_f64()),
        )
        .ok(),
    }
}

/// The `exp` of a token that is a JWT: three segments, of which the second is a JSON
/// object. It is unverified, and may only shorten a life. The token is for somebody else:
/// whatever else it says, and how, does not matter here.
fn exp(token: &str) -> Option<UnixTime> {
    #[derive(Deserialize)]
    struct Claims<'a> {
        #[serde(borrow)]
        exp: &'a RawValue,
    }
    let mut segments = token.split('.');
    let (Some(_), Some(payload), Some(_), None) = (
        segments.next(),
        segments.next(),
        segments.next(),
        segments.next(),
    ) else {
        return None;
    };
    let payload = base64url(payload).filter(|payload| json::is_object(payload))?;
    let Claims { exp } = serde_json::from_slice(&payload).ok()?;
    let exp = match serde_json::from_str::<Cow<'_, str>>(exp.get()) {
        Ok(text) => seconds(&text)?,
        Err(_) => seconds(exp.get())?,
    };
    Some(UnixTime::checked_from_epoch(exp).unwrap_or(UnixTime::MAX))
}

#[cfg(test)]
mod bounds;

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;

    use super::*;

    const IAT: u64 = 1_725_420_117;

    fn answer(token: &str, rest: &str) -> Result<Duration, GatewayErrorKind> {
        let body = format!(r#"{{"access_token":"{token}","token_type":"Bearer"{rest}}}"#);
        Answer::read(body.as_bytes())?.lifetime(UnixTime::from_secs(IAT))
    }

    fn jwt(payload: &str) -> String {
        format!("e30.{}.AA", BASE64_URL_SAFE_NO_PAD.encode(payload))
    }

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// The answer of "Security Access with OAuth2.0 For PUSH", with the signature
    /// shortened.
    const SAMPLE: &str = concat!(
        r#"{"access_token": "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJrZXkiOiJKV1QtVEVTVCIsIm5iZiI6MTcyNTQxOTk5"#,
        "NywiaXNzIjoiZGVyYnlzb2Z0IiwiaWF0IjoxNzI1NDIwMTE3LCJkaXMiOiJKV1QtVEVTVCIsImp0aSI6ImJmZjZkYjY4OTNlOTQxYWNiM2Y1",
        "MjUwOWIyZDA3ZmU3IiwiZXhwIjoxNzI1NDIzNzE3LCJzdWIiOiJkZXJieXNvZnQgZGdhdGV3YXkgVjIiLCJhdWQiOlsiSldULVRFU1QiXX0.",
        r#"MqBR5kKY", "token_type": "Bearer", "expires_in": 7200}"#
    );

    #[test]
    fn gos_sample_is_good_for_one_hour_instead_of_two() {
        let answer = Answer::read(SAMPLE.as_bytes()).expect("the sample");
        assert_eq!(answer.expires_in, Some(Duration::from_secs(7200)));
        assert_eq!(answer.exp, Some(UnixTime::from_secs(IAT + 3600)));
        assert_eq!(answer.lifetime(UnixTime::from_secs(IAT)), Ok(secs(3600)));
        assert_eq!(
            answer.lifetime(UnixTime::from_secs(IAT + 3599)),
            Ok(secs(1))
        );
        let late = answer.lifetime(UnixTime::from_secs(IAT + 3600));
        assert_eq!(late, Err(GatewayErrorKind::Expired));
        assert!(!format!("{answer:?}").contains("eyJ"));
    }

    #[test]
    fn the_earlier_end_counts_for_any_token() {
        let later = jwt(&format!(r#"{{"exp":{}}}"#, IAT + 7200));
        let no_exp = jwt("{}");
        for (token, rest, expected) in [
            ("opaque", r#","expires_in":60"#, Ok(secs(60))),
            ("a.b", r#","expires_in":60"#, Ok(secs(60))),
            ("a.b.c.d", r#","expires_in":60"#, Ok(secs(60))),
            ("a.!.c", r#","expires_in":60"#, Ok(secs(60))),
            (&jwt("[]"), r#","expires_in":60"#, Ok(secs(60))),
            (&no_exp, r#","expires_in":60"#, Ok(secs(60))),
            (&later, r#","expires_in":60"#, Ok(secs(60))),
            (&later, "", Ok(secs(7200))),
            (&later, r#","expires_in":86400"#, Ok(secs(7200))),
            ("opaque", r#","expires_in":1e3"#, Ok(secs(1000))),
            ("opaque", r#","expires_in":99999999999"#, Ok(secs(86_400))),
            ("opaque", r#","expires_in":1e300"#, Ok(secs(86_400))),
            ("opaque", "", Err(GatewayErrorKind::NoLifetime)),
            (&no_exp, "", Err(GatewayErrorKind::NoLifetime)),
            (
                "opaque",
                r#","expires_in":0"#,
                Err(GatewayErrorKind::Expired),
            ),
        ] {
            assert_eq!(answer(token, rest), expected, "{token} {rest}");
        }
    }

    #[test]
    fn an_answer_is_read_strictly() {
        for malformed in [
            "",
            "[]",
            "<html>",
            "\u{feff}{}",
            "{}",
            r#"{"access_token":"x"}"#,
            r#"{"access_token":1,"token_type":"Bearer","expires_in":60}"#,
            r#"{"access_token":"x","token_type":null,"expires_in":60}"#,
            r#"{"access_token":"x","access_token":"y","token_type":"Bearer","expires_in":60}"#,
            r#"{"access_token":"x","token_type":"Bearer","expires_in":60} x"#,
        ] {
            let error = Answer::read(malformed.as_bytes()).expect_err(malformed);
            assert!(
                matches!(error, GatewayErrorKind::Malformed(_)),
                "{malformed}"
            );
        }
    }

    #[test]
    fn an_unreadable_lifetime_is_ignored() {
        let at = |exp: &str| jwt(&format!(r#"{{"exp":{exp}}}"#));
        let soon = IAT + 60;
        for claims in [
            format!(r#"{{"exp":{soon},"sub":7,"aud":{{}},"nbf":"x","iss":[null]}}"#),
            format!(r#"{{"x":{{"exp":1}},"\u0065xp":"{soon}"}}"#),
            format!(r#"{{"a":1,"a":2,"exp":{soon}.9}}"#),
            format!(r#"{{"exp":" {soon} "{}}}"#, r#","x":0"#.repeat(200)),
        ] {
            let good = answer(&jwt(&claims), r#","expires_in":7200"#);
            assert_eq!(good.map(|good| good.as_secs()), Ok(60), "{claims}");
        }
        for exp in [
            "\"soon\"",
            "-1",
            "null",
            "[1]",
            "1,\"exp\":2",
            "\"\"",
            "\"0x1\"",
            "true",
        ] {
            let rest = r#","expires_in":60"#;
            assert_eq!(answer(&at(exp), rest), Ok(secs(60)), "{exp}");
            let neither = answer(&at(exp), "");
            assert_eq!(neither, Err(GatewayErrorKind::NoLifetime), "{exp}");
        }
        for (exp, expected) in [("1e300", 86_400), ("99999999999999999999", 86_400)] {
            assert_eq!(answer(&at(exp), ""), Ok(secs(expected)), "{exp}");
        }
        let later = at(&(IAT + 7200).to_string());
        for (expires_in, expected) in [
            ("\"60\"", 60),
            ("\"60.0\"", 60),
            ("\"1e3\"", 1000),
            ("null", 7200),
            ("-1", 7200),
            ("\"soon\"", 7200),
            ("{}", 7200),
        ] {
            let rest = format!(r#","expires_in":{expires_in}"#);
            assert_eq!(answer(&later, &rest), Ok(secs(expected)), "{expires_in}");
        }
        let neither = answer("opaque", r#","expires_in":null"#);
        assert_eq!(neither, Err(GatewayErrorKind::NoLifetime));
    }

    #[test]
    fn the_type_is_bearer_ignoring_case() {
        let of_type = |name: &str| {
            let body = format!(r#"{{"access_token":"x","token_type":"{name}","expires_in":60}}"#);
            Answer::read(body.as_bytes()).map(|_| ())
        };
        for good in ["Bearer", "bearer", "BEARER", "\\u0042earer"] {
            assert_eq!(of_type(good), Ok(()), "{good}");
        }
        for other in ["", "mac", "DPoP", "Bearer "] {
            assert_eq!(of_type(other), Err(GatewayErrorKind::OtherType), "{other}");
        }
    }
}
