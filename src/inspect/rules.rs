//! The checks of a JWT's claims: what they are, and what the policy makes of them.

use humantime::format_duration;

use super::reading::{ReadClaims, Reading};
use super::show::{list, quoted, value};
use super::words::{duration, relative};
use super::{Check, Ground, NOT_READABLE, Outcome};
use crate::authenticate::authority::Issuer;
use crate::clock::UnixTime;
use crate::error::Reason;
use crate::jwt::policy::Policy;

pub(super) fn checks(
    ground: &Ground<'_>,
    reading: &Reading<'_>,
    picked: Result<&Issuer, Reason>,
) -> Vec<Check> {
    let of_issuer = picked.ok();
    // The other rules are the same for every issuer.
    let of_any = of_issuer.or_else(|| ground.authority.issuers.trusted.first());
    let rule = |name, issuer, judge: Rule| rule(name, reading, issuer, judge, ground.now);
    vec![
        claims(reading),
        issuer(ground, reading, picked),
        rule("aud", of_issuer, audience),
        rule("exp", of_any, expiry),
        rule("nbf", of_any, not_before),
        rule("required", of_any, required),
        rule("lifetime", of_any, lifetime),
        rule("sub", of_any, subject),
    ]
}

fn claims(reading: &Reading<'_>) -> Check {
    let (found, outcome) = match &reading.claims {
        None => (NOT_READABLE.to_owned(), Outcome::Open),
        Some(Err(reason)) => (reason.text().to_owned(), Err(*reason).into()),
        Some(Ok(claims)) => match claims.faults.first() {
            None => (format!("{} claims", claims.len()), Outcome::Passed),
            Some(first) => (
                list(claims.faults.iter().map(|fault| fault.text().to_owned())),
                Err(*first).into(),
            ),
        },
    };
    let expected = "strict, of the right types";
    Check::new("claims", expected, found, outcome)
}

fn issuer(ground: &Ground<'_>, reading: &Reading<'_>, picked: Result<&Issuer, Reason>) -> Check {
    let trusted = &ground.authority.issuers.trusted;
    let names = list(
        trusted
            .iter()
            .map(|issuer| quoted(issuer.verifier.issuer())),
    );
    let expected = match trusted.len() {
        0 | 1 => names,
        _ => format!("one of {names}"),
    };
    let Some(claims) = reading.read_claims() else {
        return Check::new("iss", expected, NOT_READABLE, Outcome::Open);
    };
    if let Some(check) = ill_typed("iss", &expected, claims) {
        return check;
    }
    let result = picked.and_then(|issuer| issuer.verifier.policy.check_issuer(&claims.view));
    let found = claims.view.issuer.map_or_else(
        || "absent".to_owned(),
        |issuer| {
            let hint = match (result, &**trusted) {
                (Err(Reason::OtherEnvironment), _) => ", of another environment",
                (Err(_), [only]) => difference(&issuer.decode(), only.verifier.issuer()),
                _ => "",
            };
            format!("{}{hint}", quoted(&issuer.decode()))
        },
    );
    Check::new("iss", expected, found, result)
}

/// What the eye passes over.
fn difference(theirs: &str, ours: &str) -> &'static str {
    if theirs.eq_ignore_ascii_case(ours) {
        ", which differs in upper and lower case"
    } else if theirs.trim_end_matches('/') == ours.trim_end_matches('/') {
        ", which differs in a slash at its end"
    } else if theirs.trim() == ours.trim() {
        ", which differs in spaces"
    } else {
        ""
    }
}

type Rule = fn(&Policy, &ReadClaims<'_>, UnixTime) -> Judged;

/// What a rule expects, what it finds, and how it ends.
struct Judged {
    expected: String,
    found: String,
    outcome: Outcome,
}

impl Judged {
    fn new(expected: String, found: String, outcome: impl Into<Outcome>) -> Self {
        Self {
            expected,
            found,
            outcome: outcome.into(),
        }
    }
}

/// A rule of the policy, where there are claims and an issuer to hold them to.
fn rule(
    name: &'static str,
    reading: &Reading<'_>,
    issuer: Option<&Issuer>,
    judge: Rule,
    now: UnixTime,
) -> Check {
    let Some(issuer) = issuer else {
        let expected = "as the token's issuer has it";
        return Check::new(name, expected, "not looked at", Outcome::Open);
    };
    let policy = &issuer.verifier.policy;
    let Some(claims) = reading.read_claims() else {
        let expected = judge(policy, &ReadClaims::default(), now).expected;
        return Check::new(name, expected, NOT_READABLE, Outcome::Open);
    };
    let Judged {
        expected,
        found,
        outcome,
    } = judge(policy, claims, now);
    match ill_typed(name, &expected, claims) {
        Some(check) => check,
        None => Check::new(name, expected, found, outcome),
    }
}

/// The check of a claim that is of a wrong type.
fn ill_typed(name: &'static str, expected: &str, claims: &ReadClaims<'_>) -> Option<Check> {
    let fault = match name {
        "iss" => Reason::IssType,
        "aud" => Reason::AudType,
        "exp" => Reason::ExpType,
        "nbf" => Reason::NbfType,
        "sub" => Reason::SubType,
        _ => return None,
    };
    let is_there = claims.faults.contains(&fault);
    is_there.then(|| {
        let found = claims.raw(name).map_or_else(String::new, value);
        let found = format!("{found}: {}", fault.text());
        Check::new(name, expected, found, Err(fault))
    })
}

fn audience(policy: &Policy, claims: &ReadClaims<'_>, _: UnixTime) -> Judged {
    let ours = list(policy.audiences.iter().map(quoted));
    let expected = match policy.audiences.iter().len() {
        1 => ours,
        _ => format!("one of {ours}"),
    };
    let found = claims.view.audience.map_or_else(
        || "absent".to_owned(),
        |audience| match list(audience.iter().map(|one| quoted(&one.decode()))) {
            none if none.is_empty() => "an empty list".to_owned(),
            found => found,
        },
    );
    Judged::new(expected, found, policy.check_audience(&claims.view))
}

fn expiry(policy: &Policy, claims: &ReadClaims<'_>, now: UnixTime) -> Judged {
    let expected = format!("in the future (leeway {})", format_duration(policy.leeway));
    let Some(expires_at) = claims.view.expires_at else {
        return Judged::new(expected, "absent".to_owned(), Err(Reason::NoExp));
    };
    let result = policy.check_expiry(expires_at, now);
    let words = if now < expires_at {
        format!(
            "valid for another {}",
            duration(expires_at.saturating_since(now))
        )
    } else if result.is_ok() {
        format!("expired {}, within the leeway", relative(expires_at, now))
    } else {
        format!("expired {}", relative(expires_at, now))
    };
    Judged::new(expected, format!("{words} ({expires_at})"), result)
}

fn not_before(policy: &Policy, claims: &ReadClaims<'_>, now: UnixTime) -> Judged {
    let expected = format!("absent or past (leeway {})", format_duration(policy.leeway));
    let Some(not_before) = claims.view.not_before else {
        return Judged::new(expected, "absent".to_owned(), Ok(()));
    };
    let result = policy.check_not_before(not_before, now);
    let words = if not_before <= now {
        format!("became valid {}", relative(not_before, now))
    } else if result.is_ok() {
        format!("valid {}, within the leeway", relative(not_before, now))
    } else {
        format!(
            "not valid for another {}",
            duration(not_before.saturating_since(now))
        )
    };
    Judged::new(expected, format!("{words} ({not_before})"), result)
}

fn required(policy: &Policy, claims: &ReadClaims<'_>, _: UnixTime) -> Judged {
    if policy.required.is_empty() {
        let none = "no further claims".to_owned();
        return Judged::new(none, "none needed".to_owned(), Ok(()));
    }
    let names = |of: &mut dyn Iterator<Item = &'static str>| of.collect::<Vec<_>>().join(", ");
    let expected = names(&mut policy.required.iter().map(|claim| claim.name()));
    let absent = names(
        &mut (policy.required.iter())
            .map(|claim| claim.name())
            .filter(|name| claims.raw(name).is_none()),
    );
    let found = if absent.is_empty() {
        "all there".to_owned()
    } else {
        format!("no {absent}")
    };
    let outcome = match policy.check_required(&claims.view) {
        // There, but of a wrong type, which is told of elsewhere.
        Err(_) if absent.is_empty() => Outcome::Open,
        result => result.into(),
    };
    Judged::new(expected, found, outcome)
}

fn lifetime(policy: &Policy, claims: &ReadClaims<'_>, now: UnixTime) -> Judged {
    let expected = policy.max_lifetime.map_or_else(
        || "any".to_owned(),
        |cap| format!("at most {}", format_duration(cap)),
    );
    let found = match (claims.view.issued_at, claims.view.expires_at) {
        (Some(issued_at), Some(expires_at)) => format!(
            "{}, issued {}",
            duration(expires_at.saturating_since(issued_at)),
            relative(issued_at, now)
        ),
        (None, _) => "no iat".to_owned(),
        (_, None) => "no exp".to_owned(),
    };
    let ill_typed = [Reason::IatType, Reason::ExpType];
    let outcome = match policy.check_lifetime(&claims.view) {
        Err(_) if ill_typed.iter().any(|fault| claims.faults.contains(fault)) => Outcome::Open,
        result => result.into(),
    };
    Judged::new(expected, found, outcome)
}

fn subject(policy: &Policy, claims: &ReadClaims<'_>, _: UnixTime) -> Judged {
    let ours = list(policy.subjects.iter().map(quoted));
    let expected = match policy.subjects.iter().len() {
        0 => "any".to_owned(),
        1 => ours,
        _ => format!("one of {ours}"),
    };
    let found = (claims.view.subject)
        .map_or_else(|| "absent".to_owned(), |subject| quoted(&subject.decode()));
    Judged::new(expected, found, policy.check_subject(&claims.view))
}
