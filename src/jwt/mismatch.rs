//! What a policy expects of a claim and what a genuine token says instead, for the log.
//!
//! Only for a token whose signature is good: its text is the issuer's, not a stranger's.
//! It is escaped and bounded all the same.

use humantime::format_duration;

use crate::clock::UnixTime;
use crate::error::Reason;
use crate::jwt::claims::ClaimsView;
use crate::jwt::json;
use crate::jwt::policy::{Names, Policy};
use crate::show::{list, quoted};

/// A claim that is rejected.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mismatch {
    pub(crate) claim: &'static str,
    pub(crate) expected: String,
    pub(crate) found: String,
}

impl Policy {
    /// Which claim of `payload` was rejected for `reason` at `now`; `None` if the payload
    /// is no object of claims.
    pub(crate) fn mismatch(
        &self,
        reason: Reason,
        payload: &str,
        now: UnixTime,
    ) -> Option<Mismatch> {
        use Reason::{
            AudType, ExpType, Expired, IatType, IssType, JtiType, NbfType, NoAud, NoExp, NoIat,
            NoIss, NoJti, NoNbf, NoSub, NotYetValid, OtherAudience, SubType, SubjectNotAllowed,
            TooLongLived, UntrustedIssuer,
        };

        const DATE: &str = "a NumericDate";
        const PRESENT: &str = "present";
        const STRING: &str = "a string";
        let (claim, expected) = match reason {
            NoIss | IssType | UntrustedIssuer => ("iss", quoted(&self.issuer)),
            NoAud | AudType | OtherAudience => ("aud", one_of(&self.audiences)),
            NoExp | ExpType => ("exp", DATE.to_owned()),
            Expired => ("exp", format!("after {}", now.saturating_sub(self.leeway))),
            TooLongLived => {
                let cap = self.max_lifetime.unwrap_or_default();
                ("exp", format!("at most {} after iat", format_duration(cap)))
            }
            NoNbf => ("nbf", PRESENT.to_owned()),
            NbfType => ("nbf", DATE.to_owned()),
            NotYetValid => {
                let latest = now.saturating_add(self.leeway);
                ("nbf", format!("not after {latest}"))
            }
            NoIat => ("iat", PRESENT.to_owned()),
            IatType => ("iat", DATE.to_owned()),
            NoJti => ("jti", PRESENT.to_owned()),
            JtiType => ("jti", STRING.to_owned()),
            NoSub => ("sub", PRESENT.to_owned()),
            SubType => ("sub", STRING.to_owned()),
            SubjectNotAllowed => ("sub", one_of(&self.subjects)),
            _ => return None,
        };
        Some(Mismatch {
            claim,
            expected,
            found: found(claim, payload),
        })
    }
}

fn one_of(names: &Names) -> String {
    let shown = list(names.iter().map(quoted));
    if names.iter().len() > 1 {
        format!("one of {shown}")
    } else {
        shown
    }
}

/// The claim as it is spelled, and a date in words.
fn found(claim: &str, payload: &str) -> String {
    let mut found = None;
    let view = ClaimsView::read_with_faults(payload, |_| ()).unwrap_or_default();
    // It was read before.
    let _ = json::read_object(payload, |name, value| {
        if name == claim {
            found = Some(value.shown());
        }
    });
    let date = match claim {
        "exp" => view.expires_at,
        "nbf" => view.not_before,
        _ => None,
    };
    match (found, date) {
        (None, _) => "absent".to_owned(),
        (Some(found), Some(date)) => format!("{found} ({date})"),
        (Some(found), None) => found,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::jwt::policy::RequiredClaim;

    /// Of everything but the claims given here, nothing is wrong.
    fn mismatch(claims: &str) -> Option<(&'static str, String, String)> {
        let policy = Policy {
            issuer: "https://id/X".into(),
            audiences: ["ZKT-2", "ZKT"].into_iter().collect(),
            subjects: ["ds-go-module"].into_iter().collect(),
            required: [RequiredClaim::Jti].into(),
            leeway: Duration::from_secs(30),
            max_lifetime: Some(Duration::from_secs(300)),
            environment: None,
        };
        let now = UnixTime::from_secs(1_703_560_990);
        let mut members = vec![claims.to_owned()];
        for (name, value) in [
            ("iss", r#""https://id/X""#),
            ("aud", r#""ZKT""#),
            ("iat", "1703560990"),
            ("exp", "1703561290"),
            ("jti", r#""1""#),
            ("sub", r#""ds-go-module""#),
        ] {
            if !claims.contains(&format!("\"{name}\"")) {
                members.push(format!("\"{name}\":{value}"));
            }
        }
        let payload = format!("{{{}}}", members.join(","));
        let claims = ClaimsView::read(&payload);
        let reason = claims.and_then(|claims| policy.check(&claims, now)).err()?;
        let Mismatch {
            claim,
            expected,
            found,
        } = policy.mismatch(reason, &payload, now)?;
        Some((claim, expected, found))
    }

    #[test]
    fn each_claim_says_what_was_expected_and_found() {
        let long = format!(r#""iss":"{}""#, "x".repeat(4000));
        let longest = format!("\"{}\"... (4000 bytes)", "x".repeat(200));
        for (claims, expected) in [
            (
                r#""iss":"http://id/X""#,
                Some(("iss", r#""https://id/X""#, r#""http://id/X""#)),
            ),
            (&long, Some(("iss", r#""https://id/X""#, &*longest))),
            (
                r#""aud":"ZTK""#,
                Some(("aud", r#"one of "ZKT", "ZKT-2""#, r#""ZTK""#)),
            ),
            (
                r#""aud":["a","b"]"#,
                Some(("aud", r#"one of "ZKT", "ZKT-2""#, r#"["a","b"]"#)),
            ),
            (r#""aud":7"#, Some(("aud", r#"one of "ZKT", "ZKT-2""#, "7"))),
            (
                r#""exp":1703560960"#,
                Some((
                    "exp",
                    "after 2023-12-26T03:22:40Z",
                    "1703560960 (2023-12-26T03:22:40Z)",
                )),
            ),
            (
                r#""exp":"soon""#,
                Some(("exp", "a NumericDate", r#""soon""#)),
            ),
            (
                r#""exp":1703561291"#,
                Some((
                    "exp",
                    "at most 5m after iat",
                    "1703561291 (2023-12-26T03:28:11Z)",
                )),
            ),
            (
                r#""nbf":1703561021"#,
                Some((
                    "nbf",
                    "not after 2023-12-26T03:23:40Z",
                    "1703561021 (2023-12-26T03:23:41Z)",
                )),
            ),
            (
                "\"sub\":\"a\\\"b\\u001b\"",
                Some(("sub", r#""ds-go-module""#, r#""a\"b\u{1b}""#)),
            ),
            (r#""jti":null"#, Some(("jti", "a string", "null"))),
            (r#""x":1"#, None),
        ] {
            let expected = expected
                .map(|(claim, expected, found)| (claim, expected.to_owned(), found.to_owned()));
            assert_eq!(mismatch(claims), expected, "{claims:.40}");
        }
    }
}
