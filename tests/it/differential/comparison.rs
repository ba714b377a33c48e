//! Every verdict on every token, ours and the others', and where they part.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use derbysoft_go_auth::Verified;
use derbysoft_go_auth::authenticate::VerifyError;
use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_auth::keys::KeySet;
use serde_json::Value;

use super::desk::Case;
use super::peers::Opinion;
use super::table::{self, Found};
use super::valid::TYPED;
use test_support::forge::verifier;

pub(crate) struct Comparison<'c> {
    corpus: &'c [Case],
    now: UnixTime,
    ours: Vec<Result<Verified, VerifyError>>,
    theirs: Vec<(&'static str, Vec<Opinion>)>,
}

impl<'c> Comparison<'c> {
    pub(crate) fn new(corpus: &'c [Case], document: &str) -> Self {
        let keys = KeySet::from_document(document.as_bytes()).expect("a usable key set");
        let (verifier, now) = (verifier(), UnixTime::from(SystemTime::now()));
        let judge = |case: &Case| verifier.verify(&case.token, &keys, now);
        Self {
            corpus,
            now,
            ours: corpus.iter().map(judge).collect(),
            theirs: Vec::new(),
        }
    }

    /// Adds somebody's opinions, in the corpus' order.
    pub(crate) fn ask(&mut self, peer: &'static str, opinions: Vec<Opinion>) {
        assert_eq!(opinions.len(), self.corpus.len(), "one opinion a token");
        self.theirs.push((peer, opinions));
    }

    #[track_caller]
    pub(crate) fn assert_holds(&self) {
        let (found, mut faults) = self.compare();
        let asked: Vec<_> = self.theirs.iter().map(|(peer, _)| *peer).collect();
        faults.extend(table::faults(&found, &asked));
        // What needs no other opinion.
        for (case, ours) in self.corpus.iter().zip(&self.ours) {
            if case.good.is_some_and(|good| good != ours.is_ok()) {
                faults.push(format!("we say {:?} to {case:?}", ours.as_ref().err()));
            }
        }
        // Neither verdict is rare, or the comparison would compare nothing.
        for (who, accepted) in self.accepted() {
            let (all, share) = (self.corpus.len(), self.corpus.len() / 10);
            if accepted < share || all - accepted < share {
                faults.push(format!("{who} accepts {accepted} of {all}"));
            }
        }
        assert!(
            faults.is_empty(),
            "{} faults:\n{}",
            faults.len(),
            faults.join("\n")
        );
    }

    /// Where a rule of one side explains a difference; and as faults, what no rule explains.
    fn compare(&self) -> (Found<'c>, Vec<String>) {
        let (mut found, mut faults) = (Found::new(), Vec::new());
        for (peer, opinions) in &self.theirs {
            for ((case, ours), theirs) in self.corpus.iter().zip(&self.ours).zip(opinions) {
                match self.parting(case, ours, theirs) {
                    Ok(None) => {}
                    Ok(Some(rule)) => found.entry((rule, *peer)).or_default().push(case),
                    Err(difference) => faults.push(format!("{peer}: {difference}: {case:?}")),
                }
            }
        }
        (found, faults)
    }

    /// The rule by which one accepts what the other rejects. That another rejects a token which we
    /// accept, or reads it differently, is an error unless it is by a rule of its own.
    fn parting(
        &self,
        case: &Case,
        ours: &Result<Verified, VerifyError>,
        theirs: &Opinion,
    ) -> Result<Option<&'static str>, String> {
        match (ours, theirs) {
            (Err(error), Opinion::Accepted { .. }) => Ok(Some(error.detail())),
            (Err(_), _) => Ok(None),
            (Ok(ours), theirs) => match same_reading(ours, theirs) {
                Ok(()) => Ok(None),
                Err(difference) => (self.rule_of_theirs(case, ours, theirs))
                    .map(Some)
                    .ok_or(difference),
            },
        }
    }

    /// The two rules that others have and we don't. Each is recognised by more than the other's words, so
    /// that it hides nothing else.
    fn rule_of_theirs(
        &self,
        case: &Case,
        ours: &Verified,
        theirs: &Opinion,
    ) -> Option<&'static str> {
        let Opinion::Refused { reason } = theirs else {
            return None;
        };
        let latest = self.now.saturating_add(Duration::from_secs(30));
        let issued_at = ours.claims()?.issued_at();
        if reason == "ImmatureSignatureError: The token is not yet valid (iat)" {
            return issued_at
                .is_some_and(|iat| iat > latest)
                .then_some("iat has not come yet");
        }
        (case.class == TYPED && reason.starts_with("JSON error: ")).then_some("jwk is not a key")
    }

    fn accepted(&self) -> Vec<(&'static str, usize)> {
        let ours = self.ours.iter().filter(|verdict| verdict.is_ok()).count();
        let theirs = self.theirs.iter().map(|(peer, opinions)| {
            let accepted = |opinion: &&Opinion| matches!(opinion, Opinion::Accepted { .. });
            (*peer, opinions.iter().filter(accepted).count())
        });
        [("us", ours)].into_iter().chain(theirs).collect()
    }
}

/// The summary.
impl fmt::Display for Comparison<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "proof: differential: {} tokens", self.corpus.len())?;
        for (who, tokens) in self.accepted() {
            write!(f, ", {tokens} accepted by {who}")?;
        }
        write!(f, "; disagreements:")?;
        for ((rule, peer), cases) in self.compare().0 {
            write!(f, "\n{:6} with {peer}: {rule}", cases.len())?;
        }
        write!(f, "\nby class:")?;
        let mut classes = BTreeMap::<_, usize>::new();
        for case in self.corpus {
            *classes.entry(case.class).or_default() += 1;
        }
        for (class, tokens) in classes {
            write!(f, "\n{tokens:6} {class}")?;
        }
        for (peer, opinions) in &self.theirs {
            let crashes: Vec<_> = (opinions.iter())
                .filter_map(|opinion| match opinion {
                    Opinion::Crashed { reason } => Some(reason),
                    _ => None,
                })
                .collect();
            write!(f, "\n{peer} crashed {} times {crashes:?}", crashes.len())?;
        }
        Ok(())
    }
}

/// In what the other's reading of a token that we accept differs.
pub(crate) fn same_reading(ours: &Verified, theirs: &Opinion) -> Result<(), String> {
    let (kid, theirs) = match theirs {
        Opinion::Accepted { kid, claims } => (kid, claims),
        Opinion::Refused { reason } | Opinion::Crashed { reason } => {
            return Err(format!("only we accept ({reason})"));
        }
    };
    let claims = ours.claims().ok_or("not a JWT")?;
    let audiences = match &theirs["aud"] {
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        one => Vec::from_iter(one.as_str()),
    };
    let same_time = |ours: Option<UnixTime>, theirs: &Value| match (ours, theirs.as_f64()) {
        (Some(ours), Some(theirs)) => (ours.since_epoch().as_secs_f64() - theirs).abs() < 1e-3,
        (None, None) => theirs.is_null(),
        _ => false,
    };
    let whole = claims.deserialize::<Value>().unwrap_or_default();
    let checks = [
        ("kid", ours.key_id() == Some(kid)),
        ("iss", theirs["iss"].as_str() == Some(claims.issuer())),
        ("aud", audiences == claims.audiences().collect::<Vec<_>>()),
        ("sub", theirs["sub"].as_str() == claims.subject()),
        ("jti", theirs["jti"].as_str() == claims.token_id()),
        ("exp", same_time(Some(claims.expires_at()), &theirs["exp"])),
        ("nbf", same_time(claims.not_before(), &theirs["nbf"])),
        ("iat", same_time(claims.issued_at(), &theirs["iat"])),
        ("the whole", same_json(&whole, theirs)),
    ];
    match checks.into_iter().find(|check| !check.1) {
        Some((claim, _)) => Err(format!("{claim} is read differently")),
        None => Ok(()),
    }
}

/// Whether two documents say the same. Numbers that are no integers of 64 bits are doubles, which
/// `serde_json` reads to the last bit or the next.
fn same_json(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            let (a, b) = (
                one.as_f64().unwrap_or(f64::NAN),
                other.as_f64().unwrap_or(f64::NAN),
            );
            one == other
                || (!(one.is_u64() && other.is_u64())
                    && (a - b).abs() <= a.abs() * 4.0 * f64::EPSILON)
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| same_json(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| {
                    other.get(name).is_some_and(|other| same_json(value, other))
                })
        }
        _ => one == other,
    }
}
