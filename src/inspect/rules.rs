//! The checks of a JWT's claims: what they say, and how the policy judges it.

use std::iter;

use humantime::format_duration;

use super::difference::Difference;
use super::reading::{ReadClaims, Reading};
use super::show::{list, quoted};
use super::words::{duration, relative};
use super::{Check, Ground, NOT_READABLE};
use crate::authenticate::authenticator::Issuer;
use crate::clock::UnixTime;
use crate::error::Reason;
use crate::jwt::claims::{AudienceView, ClaimsView};
use crate::jwt::json::Value;
use crate::jwt::policy::{Policy, Rule};

pub(super) fn checks(
    ground: &Ground<'_>,
    reading: &Reading<'_>,
    picked: Result<&Issuer, Reason>,
) -> Vec<Check> {
    let rules = Rule::ALL.map(|rule| check(rule, ground, reading, picked));
    iter::once(claims(reading)).chain(rules).collect()
}

fn claims(reading: &Reading<'_>) -> Check {
    let (found, outcome) = match &reading.claims {
        None => (NOT_READABLE.to_owned(), None),
        Some(Err(reason)) => (reason.text().to_owned(), Some(Err(*reason))),
        Some(Ok(claims)) => match claims.faults.first() {
            None => (format!("{} claims", claims.members.len()), Some(Ok(()))),
            Some(first) => (
                list(claims.faults.iter().map(|fault| fault.text().to_owned())),
                Some(Err(*first)),
            ),
        },
    };
    Check::new("claims", "strict, of the right types", found, outcome)
}

/// A rule of the policy, if there are claims and an issuer to check them against.
fn check(
    rule: Rule,
    ground: &Ground<'_>,
    reading: &Reading<'_>,
    picked: Result<&Issuer, Reason>,
) -> Check {
    let (name, ill_typed) = name(rule);
    let (now, trusted) = (ground.now, &ground.authenticator.issuers.trusted);
    let issuer = match rule {
        Rule::Issuer | Rule::Audience => picked,
        // The others are the same for every issuer.
        _ => picked.or_else(|reason| trusted.first().ok_or(reason)),
    };
    let nothing = ReadClaims::default();
    let claims = reading.read_claims().unwrap_or(&nothing);
    let result =
        issuer.and_then(|issuer| (issuer.verifier.policy).check_one(rule, &claims.view, now));
    let view = &claims.view;
    let (expected, found) = match (rule, issuer.map(|issuer| &issuer.verifier.policy)) {
        (Rule::Issuer, _) => self::issuer(trusted, view, result),
        (_, Err(_)) => {
            let expected = "as the token's issuer has it";
            return Check::new(name, expected, "not looked at", None);
        }
        (Rule::Audience, Ok(policy)) => (
            one_of(policy.audiences.iter()),
            view.audience.map_or_else(none, audience),
        ),
        (Rule::Expiry, Ok(policy)) => (
            format!("in the future (leeway {})", format_duration(policy.leeway)),
            (view.expires_at).map_or_else(none, |at| expiry(at, now, result.is_ok())),
        ),
        (Rule::NotBefore, Ok(policy)) => (
            format!("absent or past (leeway {})", format_duration(policy.leeway)),
            (view.not_before).map_or_else(none, |at| not_before(at, now, result.is_ok())),
        ),
        (Rule::Required, Ok(policy)) => required(policy, claims),
        (Rule::Lifetime, Ok(policy)) => lifetime(policy, view, now),
        (Rule::Subject, Ok(policy)) => (
            one_of(policy.subjects.iter()),
            (view.subject).map_or_else(none, |subject| quoted(&subject.decode())),
        ),
    };
    if reading.read_claims().is_none() {
        return Check::new(name, expected, NOT_READABLE, None);
    }
    if let Some(fault) = ill_typed.filter(|fault| claims.faults.contains(fault)) {
        let found = claims.raw(name).map_or_else(String::new, Value::shown);
        let found = format!("{found}: {}", fault.text());
        return Check::new(name, expected, found, Some(Err(fault)));
    }
    // A claim that is there but of a wrong type is reported elsewhere.
    let is_elsewhere = match (rule, issuer) {
        (Rule::Required, Ok(issuer)) => absent(&issuer.verifier.policy, claims).next().is_none(),
        (Rule::Lifetime, _) => {
            let ill_typed = [Reason::IatType, Reason::ExpType];
            ill_typed.iter().any(|fault| claims.faults.contains(fault))
        }
        _ => false,
    };
    let outcome = Some(result).filter(|result| result.is_ok() || !is_elsewhere);
    let difference = match result {
        Ok(()) | Err(Reason::OtherEnvironment) => None,
        Err(_) => difference(rule, trusted, issuer.ok(), view),
    };
    Check {
        difference,
        ..Check::new(name, expected, found, outcome)
    }
}

/// How a claim that failed differs from what was expected.
fn difference(
    rule: Rule,
    trusted: &[Issuer],
    issuer: Option<&Issuer>,
    claims: &ClaimsView<'_>,
) -> Option<Difference> {
    let policy = issuer.map(|issuer| &issuer.verifier.policy);
    match rule {
        Rule::Issuer => {
            let found = claims.issuer?.decode();
            let names = trusted.iter().map(|issuer| issuer.verifier.issuer());
            Difference::of(&found, names)
        }
        Rule::Audience => {
            let found = claims.audience?.iter().next()?.decode();
            Difference::of(&found, policy?.audiences.iter())
        }
        Rule::Subject => {
            let found = claims.subject?.decode();
            Difference::of(&found, policy?.subjects.iter())
        }
        Rule::Expiry | Rule::NotBefore | Rule::Required | Rule::Lifetime => None,
    }
}

/// A stable name, and the fault of a claim of a wrong type.
const fn name(rule: Rule) -> (&'static str, Option<Reason>) {
    match rule {
        Rule::Issuer => ("iss", Some(Reason::IssType)),
        Rule::Audience => ("aud", Some(Reason::AudType)),
        Rule::Expiry => ("exp", Some(Reason::ExpType)),
        Rule::NotBefore => ("nbf", Some(Reason::NbfType)),
        Rule::Required => ("required", None),
        Rule::Lifetime => ("lifetime", None),
        Rule::Subject => ("sub", Some(Reason::SubType)),
    }
}

/// What the rule expects, and what it finds.
fn issuer(
    trusted: &[Issuer],
    claims: &ClaimsView<'_>,
    result: Result<(), Reason>,
) -> (String, String) {
    let expected = one_of(trusted.iter().map(|issuer| issuer.verifier.issuer()));
    let found = claims.issuer.map(|issuer| {
        let hint = match result {
            Err(Reason::OtherEnvironment) => ", of another environment",
            _ => "",
        };
        format!("{}{hint}", quoted(&issuer.decode()))
    });
    (expected, found.unwrap_or_else(none))
}

fn audience(audience: AudienceView<'_>) -> String {
    match list(audience.iter().map(|one| quoted(&one.decode()))) {
        found if found.is_empty() => "an empty list".to_owned(),
        found => found,
    }
}

fn none() -> String {
    "absent".to_owned()
}

fn one_of<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    match names.len() {
        0 => "any".to_owned(),
        1 => list(names.map(quoted)),
        _ => format!("one of {}", list(names.map(quoted))),
    }
}

fn expiry(at: UnixTime, now: UnixTime, is_good: bool) -> String {
    let seen = relative(at, now);
    match (now < at, is_good) {
        (true, _) => {
            let left = duration(at.saturating_since(now));
            format!("valid for another {left} ({at})")
        }
        (false, true) => format!("expired {seen}, within the leeway ({at})"),
        (false, false) => format!("expired {seen} ({at})"),
    }
}

fn not_before(at: UnixTime, now: UnixTime, is_good: bool) -> String {
    let seen = relative(at, now);
    match (at <= now, is_good) {
        (true, _) => format!("became valid {seen} ({at})"),
        (false, true) => format!("valid {seen}, within the leeway ({at})"),
        (false, false) => {
            let left = duration(at.saturating_since(now));
            format!("not valid for another {left} ({at})")
        }
    }
}

/// The names of the required claims that are missing.
fn absent(policy: &Policy, claims: &ReadClaims<'_>) -> impl Iterator<Item = &'static str> {
    let names = policy.required.iter().map(|claim| claim.name());
    names.filter(|name| claims.raw(name).is_none())
}

fn required(policy: &Policy, claims: &ReadClaims<'_>) -> (String, String) {
    if policy.required.is_empty() {
        return ("no further claims".to_owned(), "none needed".to_owned());
    }
    let names: Vec<_> = policy.required.iter().map(|claim| claim.name()).collect();
    let absent: Vec<_> = absent(policy, claims).collect();
    let found = if absent.is_empty() {
        "all there".to_owned()
    } else {
        format!("no {}", absent.join(", "))
    };
    (names.join(", "), found)
}

fn lifetime(policy: &Policy, claims: &ClaimsView<'_>, now: UnixTime) -> (String, String) {
    let expected = policy.max_lifetime.map_or_else(
        || "any".to_owned(),
        |cap| format!("at most {}", format_duration(cap)),
    );
    let found = match (claims.issued_at, claims.expires_at) {
        (Some(issued_at), Some(expires_at)) => format!(
            "{}, issued {}",
            duration(expires_at.saturating_since(issued_at)),
            relative(issued_at, now)
        ),
        (None, _) => "no iat".to_owned(),
        (_, None) => "no exp".to_owned(),
    };
    (expected, found)
}
