//! The checks of a JWT's claims: what they say, and how the policy judges it.

use std::iter;

use humantime::format_duration;

use super::reading::{ReadClaims, Reading};
use super::show::{list, quoted, value};
use super::words::{duration, relative};
use super::{Check, Ground, NOT_READABLE, Outcome};
use crate::authenticate::authenticator::Issuer;
use crate::clock::UnixTime;
use crate::error::Reason;
use crate::jwt::policy::{Names, Policy, Rule};

pub(super) fn checks(
    ground: &Ground<'_>,
    reading: &Reading<'_>,
    picked: Result<&Issuer, Reason>,
) -> Vec<Check> {
    let first = claims(reading);
    let rules = Rule::ALL.into_iter().map(|rule| match rule {
        Rule::Issuer => issuer(ground, reading, picked),
        Rule::Audience => check(rule, reading, picked.ok(), ground.now),
        // The others are the same for every issuer.
        _ => {
            let any = picked.ok().or(ground.authenticator.issuers.trusted.first());
            check(rule, reading, any, ground.now)
        }
    });
    iter::once(first).chain(rules).collect()
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
    let trusted = &ground.authenticator.issuers.trusted;
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
    let result = picked.and_then(|issuer| {
        let policy = &issuer.verifier.policy;
        policy.check_one(Rule::Issuer, &claims.view, ground.now)
    });
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

/// A difference that is easily overlooked.
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

/// What a rule expects, and what it finds.
struct Terms {
    expected: String,
    found: String,
}

/// A rule of the policy, if there are claims and an issuer to check them against.
fn check(rule: Rule, reading: &Reading<'_>, issuer: Option<&Issuer>, now: UnixTime) -> Check {
    let name = name(rule);
    let Some(issuer) = issuer else {
        let expected = "as the token's issuer has it";
        return Check::new(name, expected, "not looked at", Outcome::Open);
    };
    let policy = &issuer.verifier.policy;
    let Some(claims) = reading.read_claims() else {
        let claims = ReadClaims::default();
        let result = policy.check_one(rule, &claims.view, now);
        let expected = terms(rule, policy, &claims, now, result).expected;
        return Check::new(name, expected, NOT_READABLE, Outcome::Open);
    };
    let result = policy.check_one(rule, &claims.view, now);
    let Terms { expected, found } = terms(rule, policy, claims, now, result);
    if let Some(check) = ill_typed(name, &expected, claims) {
        return check;
    }
    // A claim that is there but of a wrong type is reported elsewhere.
    let is_elsewhere = match rule {
        Rule::Required => absent(policy, claims).next().is_none(),
        Rule::Lifetime => {
            let ill_typed = [Reason::IatType, Reason::ExpType];
            ill_typed.iter().any(|fault| claims.faults.contains(fault))
        }
        _ => false,
    };
    let outcome = match result {
        Err(_) if is_elsewhere => Outcome::Open,
        result => result.into(),
    };
    Check::new(name, expected, found, outcome)
}

/// A stable name.
const fn name(rule: Rule) -> &'static str {
    match rule {
        Rule::Issuer => "iss",
        Rule::Audience => "aud",
        Rule::Expiry => "exp",
        Rule::NotBefore => "nbf",
        Rule::Required => "required",
        Rule::Lifetime => "lifetime",
        Rule::Subject => "sub",
    }
}

fn terms(
    rule: Rule,
    policy: &Policy,
    claims: &ReadClaims<'_>,
    now: UnixTime,
    result: Result<(), Reason>,
) -> Terms {
    let is_good = result.is_ok();
    let (expected, found) = match rule {
        Rule::Issuer => (quoted(&policy.issuer), String::new()),
        Rule::Audience => audience(policy, claims),
        Rule::Expiry => expiry(policy, claims, now, is_good),
        Rule::NotBefore => not_before(policy, claims, now, is_good),
        Rule::Required => required(policy, claims),
        Rule::Lifetime => lifetime(policy, claims, now),
        Rule::Subject => subject(policy, claims),
    };
    Terms { expected, found }
}

/// The check of a claim of a wrong type.
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

fn one_of(names: &Names) -> String {
    let names_listed = list(names.iter().map(quoted));
    match names.iter().len() {
        0 => "any".to_owned(),
        1 => names_listed,
        _ => format!("one of {names_listed}"),
    }
}

fn audience(policy: &Policy, claims: &ReadClaims<'_>) -> (String, String) {
    let found = claims.view.audience.map_or_else(
        || "absent".to_owned(),
        |audience| match list(audience.iter().map(|one| quoted(&one.decode()))) {
            none if none.is_empty() => "an empty list".to_owned(),
            found => found,
        },
    );
    (one_of(&policy.audiences), found)
}

fn expiry(
    policy: &Policy,
    claims: &ReadClaims<'_>,
    now: UnixTime,
    is_good: bool,
) -> (String, String) {
    let expected = format!("in the future (leeway {})", format_duration(policy.leeway));
    let Some(expires_at) = claims.view.expires_at else {
        return (expected, "absent".to_owned());
    };
    let words = if now < expires_at {
        format!(
            "valid for another {}",
            duration(expires_at.saturating_since(now))
        )
    } else if is_good {
        format!("expired {}, within the leeway", relative(expires_at, now))
    } else {
        format!("expired {}", relative(expires_at, now))
    };
    (expected, format!("{words} ({expires_at})"))
}

fn not_before(
    policy: &Policy,
    claims: &ReadClaims<'_>,
    now: UnixTime,
    is_good: bool,
) -> (String, String) {
    let expected = format!("absent or past (leeway {})", format_duration(policy.leeway));
    let Some(not_before) = claims.view.not_before else {
        return (expected, "absent".to_owned());
    };
    let words = if not_before <= now {
        format!("became valid {}", relative(not_before, now))
    } else if is_good {
        format!("valid {}, within the leeway", relative(not_before, now))
    } else {
        format!(
            "not valid for another {}",
            duration(not_before.saturating_since(now))
        )
    };
    (expected, format!("{words} ({not_before})"))
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

fn lifetime(policy: &Policy, claims: &ReadClaims<'_>, now: UnixTime) -> (String, String) {
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
    (expected, found)
}

fn subject(policy: &Policy, claims: &ReadClaims<'_>) -> (String, String) {
    let found = (claims.view.subject)
        .map_or_else(|| "absent".to_owned(), |subject| quoted(&subject.decode()));
    (one_of(&policy.subjects), found)
}
