//! What a token must say to be accepted: the rules of one issuer.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::UnixTime;
use crate::error::Reason;
use crate::jwt::claims::{AudienceView, ClaimsView};
use crate::jwt::json::Text;

/// A claim that can be required besides `iss`, `aud` and `exp`, which every token must
/// have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RequiredClaim {
    /// `nbf`
    Nbf,
    /// `iat`
    Iat,
    /// `jti`
    Jti,
    /// `sub`
    Sub,
}

impl RequiredClaim {
    /// The name of the claim.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Nbf => "nbf",
            Self::Iat => "iat",
            Self::Jti => "jti",
            Self::Sub => "sub",
        }
    }

    pub(crate) fn check(self, claims: &ClaimsView<'_>) -> Result<(), Reason> {
        let (is_present, reason) = match self {
            Self::Nbf => (claims.not_before.is_some(), Reason::NoNbf),
            Self::Iat => (claims.issued_at.is_some(), Reason::NoIat),
            Self::Jti => (claims.token_id.is_some(), Reason::NoJti),
            Self::Sub => (claims.subject.is_some(), Reason::NoSub),
        };
        is_present.or(reason)
    }
}

/// The rules for one issuer's tokens; made by the configuration, which has checked them.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) issuer: Box<str>,
    /// What the issuer belongs to; shared with what it verifies.
    pub(crate) environment: Option<Arc<str>>,
    pub(crate) audiences: Names,
    /// Empty accepts any subject, and none.
    pub(crate) subjects: Names,
    pub(crate) required: Box<[RequiredClaim]>,
    pub(crate) leeway: Duration,
    pub(crate) max_lifetime: Option<Duration>,
}

/// Configured names, sorted: a token may bring thousands of audiences, and each is
/// compared with a few of ours instead of all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(Box<[Box<str>]>);

impl<N: Into<Box<str>>> FromIterator<N> for Names {
    fn from_iter<I: IntoIterator<Item = N>>(names: I) -> Self {
        let mut names: Vec<Box<str>> = names.into_iter().map(Into::into).collect();
        names.sort_unstable();
        Self(names.into())
    }
}

impl Names {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }

    fn holds(&self, name: Text<'_>) -> bool {
        (self.0.binary_search_by(|ours| name.compare(ours).reverse())).is_ok()
    }
}

/// The rules for claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    Issuer,
    Audience,
    Expiry,
    NotBefore,
    Required,
    Lifetime,
    Subject,
}

impl Rule {
    /// In the order in which rejections are reported.
    pub(crate) const ALL: [Self; 7] = [
        Self::Issuer,
        Self::Audience,
        Self::Expiry,
        Self::NotBefore,
        Self::Required,
        Self::Lifetime,
        Self::Subject,
    ];

    /// The rules that decide whether a token is addressed to us and within its time:
    /// enough to know, before its signature can be checked, that no key would make it
    /// acceptable.
    const ADDRESS_AND_TIME: [Self; 4] =
        [Self::Issuer, Self::Audience, Self::Expiry, Self::NotBefore];
}

impl Policy {
    /// Checks every rule.
    pub(crate) fn check(&self, claims: &ClaimsView<'_>, now: UnixTime) -> Result<(), Reason> {
        self.check_each(&Rule::ALL, claims, now)
    }

    /// Checks the rules of address and time.
    pub(crate) fn check_address_and_time(
        &self,
        claims: &ClaimsView<'_>,
        now: UnixTime,
    ) -> Result<(), Reason> {
        self.check_each(&Rule::ADDRESS_AND_TIME, claims, now)
    }

    fn check_each(
        &self,
        rules: &[Rule],
        claims: &ClaimsView<'_>,
        now: UnixTime,
    ) -> Result<(), Reason> {
        (rules.iter()).try_for_each(|rule| self.check_one(*rule, claims, now))
    }

    pub(crate) fn check_one(
        &self,
        rule: Rule,
        claims: &ClaimsView<'_>,
        now: UnixTime,
    ) -> Result<(), Reason> {
        match rule {
            Rule::Issuer => {
                let issuer = claims.issuer.ok_or(Reason::NoIss)?;
                // Byte for byte: GO's issuer is the address of a discovery document,
                // which must not be normalised.
                issuer.is(&self.issuer).or(Reason::UntrustedIssuer)
            }
            Rule::Audience => {
                let audience = claims.audience.ok_or(Reason::NoAud)?;
                self.is_for_us(audience).or(Reason::OtherAudience)
            }
            Rule::Expiry => {
                let expires_at = claims.expires_at.ok_or(Reason::NoExp)?;
                self.check_expiry(expires_at, now)
            }
            Rule::NotBefore => self.check_not_before(claims.not_before, now),
            Rule::Required => (self.required.iter()).try_for_each(|it| it.check(claims)),
            Rule::Lifetime => self.check_lifetime(claims),
            Rule::Subject => {
                let is_allowed = self.subjects.is_empty()
                    || (claims.subject).is_some_and(|subject| self.subjects.holds(subject));
                is_allowed.or(Reason::SubjectNotAllowed)
            }
        }
    }

    /// Checks that `now` lies within the lifetime of a token verified earlier.
    pub(crate) fn check_window(
        &self,
        expires_at: UnixTime,
        not_before: Option<UnixTime>,
        now: UnixTime,
    ) -> Result<(), Reason> {
        self.check_expiry(expires_at, now)?;
        self.check_not_before(not_before, now)
    }

    /// RFC 7519, section 4.1.4.
    fn check_expiry(&self, expires_at: UnixTime, now: UnixTime) -> Result<(), Reason> {
        (now < expires_at.saturating_add(self.leeway)).or(Reason::Expired)
    }

    /// RFC 7519, section 4.1.5.
    fn check_not_before(&self, not_before: Option<UnixTime>, now: UnixTime) -> Result<(), Reason> {
        let has_come = not_before.is_none_or(|it| it <= now.saturating_add(self.leeway));
        has_come.or(Reason::NotYetValid)
    }

    fn is_for_us(&self, audience: AudienceView<'_>) -> bool {
        (audience.iter()).any(|audience| self.audiences.holds(audience))
    }

    fn check_lifetime(&self, claims: &ClaimsView<'_>) -> Result<(), Reason> {
        let (Some(cap), Some(expires_at)) = (self.max_lifetime, claims.expires_at) else {
            return Ok(());
        };
        let issued_at = claims.issued_at.ok_or(Reason::NoIat)?;
        (expires_at.saturating_since(issued_at) <= cap).or(Reason::TooLongLived)
    }
}

/// Turns `false` into a reason.
trait Or {
    fn or(self, reason: Reason) -> Result<(), Reason>;
}

impl Or for bool {
    fn or(self, reason: Reason) -> Result<(), Reason> {
        if self { Ok(()) } else { Err(reason) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::VerifyErrorKind as Kind;

    fn policy() -> Policy {
        Policy {
            issuer: "https://id/X".into(),
            environment: None,
            audiences: ["ZKT-2", "ZKT"].into_iter().collect(),
            subjects: Names::default(),
            required: Box::default(),
            leeway: Duration::from_secs(30),
            max_lifetime: None,
        }
    }

    fn judge(policy: &Policy, payload: &str, now: u64) -> Option<Kind> {
        let claims = ClaimsView::read(payload).expect("well-formed claims");
        policy
            .check(&claims, UnixTime::from_secs(now))
            .err()
            .map(Reason::kind)
    }

    /// Claims that are valid at 1000, with `change` replacing members of the same name.
    fn payload(change: &str) -> String {
        let unchanged: String = [
            ("iss", r#""https://id/X""#),
            ("aud", r#""ZKT""#),
            ("exp", "1300"),
        ]
        .into_iter()
        .filter(|(name, _)| !change.contains(&format!("\"{name}\"")))
        .map(|(name, value)| format!(r#""{name}":{value},"#))
        .collect();
        format!("{{{unchanged}{change}}}")
    }

    #[test]
    fn claims_by_the_rules_are_accepted() {
        assert_eq!(judge(&policy(), &payload(r#""sub":"s""#), 1000), None);
    }

    #[test]
    fn the_issuer_is_compared_byte_for_byte() {
        for issuer in [
            "",
            "https://id/x",
            "https://id/X/",
            "https://id/X ",
            "HTTPS://id/X",
            "https://id/%58",
        ] {
            let payload = payload(&format!(r#""iss":"{issuer}""#));
            assert_eq!(
                judge(&policy(), &payload, 1000),
                Some(Kind::Issuer),
                "{issuer}"
            );
        }
    }

    #[test]
    fn one_of_the_audiences_must_be_ours() {
        for (audience, verdict) in [
            (r#""ZKT""#, None),
            (r#""ZKT-2""#, None),
            (r#"["other","ZKT"]"#, None),
            (r#"["ZKT"]"#, None),
            (r#""zkt""#, Some(Kind::Audience)),
            (r#""ZKT ""#, Some(Kind::Audience)),
            (r#""ZKT,ZKT-2""#, Some(Kind::Audience)),
            (r#""""#, Some(Kind::Audience)),
            ("[]", Some(Kind::Audience)),
            (r#"["other"]"#, Some(Kind::Audience)),
        ] {
            let payload = payload(&format!(r#""aud":{audience}"#));
            assert_eq!(judge(&policy(), &payload, 1000), verdict, "{audience}");
        }
    }

    #[test]
    fn any_of_many_audiences_is_found_in_any_spelling() {
        let names = [
            "", "A", "AA", "AB", "B", "ZKT", "ZKT-2", "a", "é", "\u{ff5e}", "😀",
        ];
        for order in [1, 3, 7] {
            // Steps through all of them, since their number is prime.
            let shuffled = (0..names.len()).map(|at| names[at * order % names.len()]);
            let policy = Policy {
                audiences: shuffled.collect(),
                ..policy()
            };
            for name in names {
                let units = name.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
                let escaped = units.collect::<String>();
                for spelled in [name, &escaped] {
                    let for_us = payload(&format!(r#""aud":["other","{spelled}"]"#));
                    assert_eq!(judge(&policy, &for_us, 1000), None, "{spelled}");
                    let other = payload(&format!(r#""aud":["other","{spelled}!"]"#));
                    assert_eq!(
                        judge(&policy, &other, 1000),
                        Some(Kind::Audience),
                        "{spelled}"
                    );
                }
            }
        }
    }

    #[test]
    fn iss_aud_and_exp_are_required() {
        for payload in [
            r#"{"aud":"ZKT","exp":1300}"#,
            r#"{"iss":"https://id/X","exp":1300}"#,
            r#"{"iss":"https://id/X","aud":"ZKT"}"#,
            "{}",
        ] {
            assert_eq!(
                judge(&policy(), payload, 1000),
                Some(Kind::MissingClaim),
                "{payload}"
            );
        }
    }

    #[test]
    fn exp_ends_the_token_at_its_second_plus_leeway() {
        for (exp, now, verdict) in [
            ("1000", 1029, None),
            ("1000", 1030, Some(Kind::Expired)),
            ("1000.5", 1030, None),
            ("1000.5", 1031, Some(Kind::Expired)),
            ("0", 29, None),
            ("0", 30, Some(Kind::Expired)),
            ("253402300799", 1030, None),
        ] {
            let payload = payload(&format!(r#""exp":{exp}"#));
            assert_eq!(
                judge(&policy(), &payload, now),
                verdict,
                "exp {exp} at {now}"
            );
        }
    }

    #[test]
    fn nbf_starts_the_token_at_its_second_less_leeway() {
        for (nbf, now, verdict) in [
            ("1000", 970, None),
            ("1000", 969, Some(Kind::NotYetValid)),
            ("1000.5", 970, Some(Kind::NotYetValid)),
            ("0", 0, None),
            ("1100", 1000, Some(Kind::NotYetValid)),
        ] {
            let payload = payload(&format!(r#""nbf":{nbf}"#));
            assert_eq!(
                judge(&policy(), &payload, now),
                verdict,
                "nbf {nbf} at {now}"
            );
        }
    }

    #[test]
    fn without_leeway_the_second_of_exp_is_too_late() {
        let policy = Policy {
            leeway: Duration::ZERO,
            ..policy()
        };
        assert_eq!(judge(&policy, &payload(r#""exp":1000"#), 999), None);
        assert_eq!(
            judge(&policy, &payload(r#""exp":1000"#), 1000),
            Some(Kind::Expired)
        );
        assert_eq!(judge(&policy, &payload(r#""nbf":1000"#), 1000), None);
    }

    #[test]
    fn further_claims_can_be_required() {
        for (claim, present) in [
            (RequiredClaim::Nbf, r#""nbf":1"#),
            (RequiredClaim::Iat, r#""iat":1"#),
            (RequiredClaim::Jti, r#""jti":"j""#),
            (RequiredClaim::Sub, r#""sub":"s""#),
        ] {
            let policy = Policy {
                required: [claim].into(),
                ..policy()
            };
            assert_eq!(judge(&policy, &payload(present), 1000), None, "{claim:?}");
            assert_eq!(
                judge(&policy, &payload(r#""y":1"#), 1000),
                Some(Kind::MissingClaim),
                "{claim:?}"
            );
        }
    }

    #[test]
    fn the_lifetime_can_be_limited() {
        let policy = Policy {
            max_lifetime: Some(Duration::from_secs(300)),
            ..policy()
        };
        assert_eq!(judge(&policy, &payload(r#""iat":1000"#), 1000), None);
        assert_eq!(
            judge(&policy, &payload(r#""iat":999"#), 1000),
            Some(Kind::Lifetime)
        );
        assert_eq!(judge(&policy, &payload(r#""iat":2000"#), 1000), None);
        assert_eq!(
            judge(&policy, &payload(r#""y":1"#), 1000),
            Some(Kind::MissingClaim)
        );
    }

    #[test]
    fn the_accepted_subjects_can_be_limited() {
        let policy = Policy {
            subjects: ["ds-go-module"].into_iter().collect(),
            ..policy()
        };
        assert_eq!(
            judge(&policy, &payload(r#""sub":"ds-go-module""#), 1000),
            None
        );
        for sub in [r#""sub":"other""#, r#""sub":"""#, r#""y":1"#] {
            assert_eq!(
                judge(&policy, &payload(sub), 1000),
                Some(Kind::Subject),
                "{sub}"
            );
        }
    }
}
