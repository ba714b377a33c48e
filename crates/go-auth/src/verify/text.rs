//! What `go-auth verify` prints for people.

use super::circumstances::Circumstances;
use crate::console::table::{Row, advice, marked, paragraph, table};
use crate::console::terminal::{BAD, FAINT, Mark, PLAIN, Terminal};
use derbysoft_go_auth::Rejection;
use derbysoft_go_auth::inspect::words::{duration, relative};
use derbysoft_go_auth::inspect::{Claimed, Explanation, Outcome, Verdict, show};

/// An issuer's address is broken rather than moving everything else to the right.
const WIDEST_EXPECTED: usize = 30;

pub(super) fn text(
    explanation: &Explanation,
    given: &Circumstances,
    next: Option<&str>,
    terminal: &Terminal,
) -> String {
    let mut text = headline(explanation, given, terminal);
    text.push('\n');
    text.push_str(&checks(explanation, terminal));
    text.push('\n');
    for (label, about) in facts(explanation, given) {
        text.push_str(&paragraph(label, &about, terminal));
    }
    if let Some(next) = next {
        text.push_str(&advice(next, terminal));
    }
    text
}

fn headline(explanation: &Explanation, given: &Circumstances, terminal: &Terminal) -> String {
    let (mark, said) = match &explanation.verdict {
        Verdict::Valid => (Mark::Good, valid(explanation, given)),
        Verdict::Refused(rejection) => (
            Mark::Bad,
            format!("rejected: {rejection} ({})", rejection.kind()),
        ),
        Verdict::Unknown(rejection) => (
            Mark::Open,
            format!("unknown: {rejection} ({})", rejection.kind()),
        ),
    };
    marked(mark, &said, terminal)
}

fn valid(explanation: &Explanation, given: &Circumstances) -> String {
    let claimed = explanation.claimed.as_ref();
    match claimed.and_then(|claimed| claimed.expires_at) {
        Some(expires_at) if expires_at > given.now => format!(
            "valid for another {}",
            duration(expires_at.saturating_since(given.now))
        ),
        Some(_) => "valid, within the leeway".to_owned(),
        None => "valid".to_owned(),
    }
}

fn checks(explanation: &Explanation, terminal: &Terminal) -> String {
    let decisive = explanation.verdict.rejection().map(Rejection::kind);
    let mut rows = vec![Row::head(["check", "expected", "found"])];
    rows.extend(explanation.checks.iter().map(|check| {
        let (mark, style) = match check.outcome {
            Outcome::Passed => (Mark::Good, PLAIN),
            Outcome::Failed(kind) if Some(kind) == decisive => (Mark::Bad, BAD.bold()),
            Outcome::Failed(_) => (Mark::Bad, BAD),
            Outcome::Open => (Mark::Open, FAINT),
        };
        let is_same = check.outcome == Outcome::Passed && check.found == check.expected;
        let found = if is_same { "the same" } else { &check.found };
        let cells = [
            (check.name, style),
            (&check.expected, FAINT),
            (found, style),
        ];
        Row::marked(mark, cells, terminal)
    }));
    table(&rows, &[usize::MAX, usize::MAX, WIDEST_EXPECTED], terminal)
}

/// What is shown beside the checks.
fn facts(explanation: &Explanation, given: &Circumstances) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(claimed) = &explanation.claimed {
        facts.extend(token(claimed, given).map(|about| ("token:", about)));
    }
    if let Some(from) = &given.keys_from {
        facts.push(("keys: ", format!("from {from}")));
    }
    let by = if given.is_now_given {
        "as given by --at"
    } else {
        "by this machine's clock"
    };
    facts.push(("time: ", format!("{} {by}", given.now)));
    facts
}

fn token(claimed: &Claimed, given: &Circumstances) -> Option<String> {
    let id = (claimed.token_id.as_ref()).map(|id| format!("jti {}", show::quoted(id)));
    let issued = claimed
        .issued_at
        .map(|at| format!("issued {at}, {}", relative(at, given.now)));
    let about: Vec<_> = [id, issued].into_iter().flatten().collect();
    (!about.is_empty()).then(|| about.join(", "))
}
