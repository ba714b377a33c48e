//! What `go-auth verify` prints for people.

use super::report::Report;
use crate::console::table::{Row, page, table};
use crate::console::terminal::{FAINT, Mark, Terminal};
use derbysoft_go_auth::inspect::words::{duration, relative};
use derbysoft_go_auth::inspect::{Verdict, show};

/// An issuer's address is broken rather than moving everything else to the right.
const WIDEST_EXPECTED: usize = 30;

pub(super) fn text(report: &Report, terminal: &Terminal) -> String {
    let checks = checks(report, terminal);
    let next = report.next.as_deref();
    page(headline(report), &checks, &facts(report), next, terminal)
}

fn headline(report: &Report) -> (Mark, String) {
    let detail = report.detail.unwrap_or_default();
    let kind = report.kind.unwrap_or_default();
    match report.verdict {
        Verdict::Valid => (Mark::Good, valid(report)),
        Verdict::Refused => (Mark::Bad, format!("rejected: {detail} ({kind})")),
        Verdict::Unknown => (Mark::Open, format!("unknown: {detail} ({kind})")),
    }
}

fn valid(report: &Report) -> String {
    match report.token.as_ref().and_then(|token| token.expires_at) {
        Some(end) if end > report.at => {
            let left = duration(end.saturating_since(report.at));
            format!("valid for another {left}")
        }
        Some(_) => "valid, within the leeway".to_owned(),
        None => "valid".to_owned(),
    }
}

fn checks(report: &Report, terminal: &Terminal) -> String {
    let rows: Vec<_> = (report.checks.iter())
        .map(|check| {
            let mark = Mark::from(check.ok);
            let style = if check.kind.is_some() && check.kind == report.kind {
                mark.cell().bold()
            } else {
                mark.cell()
            };
            let is_same = mark == Mark::Good && check.found == check.expected;
            let found = if is_same { "the same" } else { &check.found };
            Row {
                mark,
                cells: vec![
                    (check.name.to_owned(), style),
                    (check.expected.clone(), FAINT),
                    (found.to_owned(), style),
                ],
                note: None,
            }
        })
        .collect();
    let caps = [usize::MAX, usize::MAX, WIDEST_EXPECTED];
    table(&["check", "expected", "found"], &rows, &caps, terminal)
}

/// What is shown beside the checks.
fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let token = report.token.as_ref();
    let id = token.and_then(|token| token.token_id.as_deref());
    let issued = token.and_then(|token| token.issued_at);
    let about: Vec<_> = (id.map(|id| format!("jti {}", show::quoted(id))).into_iter())
        .chain(issued.map(|at| format!("issued {at}, {}", relative(at, report.at))))
        .collect();
    let by = if report.is_at_given {
        "as given by --at"
    } else {
        "by this machine's clock"
    };
    let mut facts = Vec::new();
    if !about.is_empty() {
        facts.push(("token:", about.join(", ")));
    }
    if let Some(from) = &report.keys_from {
        facts.push(("keys: ", format!("from {from}")));
    }
    facts.push(("time: ", format!("{} {by}", report.at)));
    facts
}
