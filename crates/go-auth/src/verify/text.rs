//! What `go-auth verify` prints for people.

use super::report::Report;
use crate::console::table::{NOTE_INDENT, Row, page, table};
use crate::console::terminal::{FAINT, Mark, Terminal};
use derbysoft_go_auth::inspect::words::{duration, relative};
use derbysoft_go_auth::inspect::{Difference, Verdict, show};

/// An issuer's address is broken rather than moving everything else to the right.
const WIDEST_EXPECTED: usize = 30;

/// In place of what is left out.
const CUT: &str = "...";

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
                note: (check.difference.as_ref())
                    .map(|difference| differs(difference, terminal.width)),
            }
        })
        .collect();
    let caps = [usize::MAX, usize::MAX, WIDEST_EXPECTED];
    table(&["check", "expected", "found"], &rows, &caps, terminal)
}

/// How a claim differs from what was expected: in words where that is all, and with a
/// mark under the first difference.
fn differs(difference: &Difference, width: usize) -> String {
    const LABELS: [&str; 2] = ["expected ", "found    "];
    let Difference {
        at,
        only,
        before,
        expected,
        found,
    } = difference;
    let said = match only {
        Some(only) => format!("differs only in {only}:"),
        None => format!("differs from character {at} on:"),
    };
    let room = width.saturating_sub(NOTE_INDENT + LABELS[0].len());
    let before = end_of(before, room / 2);
    let room = room.saturating_sub(before.len());
    let [expected, found] = [expected, found].map(|rest| beginning_of(rest, room));
    let indent = LABELS[0].len() + before.len();
    let [of_expected, of_found] = LABELS;
    format!(
        "{said}\n{of_expected}{before}{expected}\n{of_found}{before}{found}\n{:indent$}^",
        ""
    )
}

/// As much of an ASCII text as there is room for.
fn beginning_of(text: &str, room: usize) -> String {
    match text.get(..room.saturating_sub(CUT.len())) {
        Some(start) if text.len() > room => format!("{start}{CUT}"),
        _ => text.to_owned(),
    }
}

fn end_of(text: &str, room: usize) -> String {
    let start = (text.len() + CUT.len()).saturating_sub(room);
    match text.get(start..) {
        Some(end) if text.len() > room => format!("{CUT}{end}"),
        _ => text.to_owned(),
    }
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
    if let Some(from) = &report.token_from {
        facts.push(("input:", format!("token found {from}")));
    }
    if !about.is_empty() {
        facts.push(("token:", about.join(", ")));
    }
    if let Some(from) = &report.keys_from {
        facts.push(("keys: ", format!("from {from}")));
    }
    facts.push(("time: ", format!("{} {by}", report.at)));
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(before: &str, expected: &str, found: &str) -> Difference {
        Difference {
            at: before.len(),
            only: None,
            before: before.to_owned(),
            expected: expected.to_owned(),
            found: found.to_owned(),
        }
    }

    #[test]
    fn a_mark_stands_under_the_first_difference() {
        let short = Difference {
            only: Some("http instead of https"),
            ..difference("\"http", "s://id/A\"", "://id/A\"")
        };
        assert_eq!(
            differs(&short, 100),
            "differs only in http instead of https:\n\
             expected \"https://id/A\"\n\
             found    \"http://id/A\"\n         \x20    ^"
        );
    }

    /// Whatever is cut, the mark is under the place from which the lines differ.
    #[test]
    fn what_does_not_fit_is_cut_on_either_side() {
        for (before, after) in [(0, 0), (1, 1), (5, 200), (200, 5), (13, 13), (160, 160)] {
            let (before, rest) = ("b".repeat(before), "x".repeat(after));
            let given = difference(&before, &format!("1{rest}"), &format!("2{rest}"));
            for width in 40..=160 {
                let text = differs(&given, width);
                let lines: Vec<_> = text.lines().skip(1).collect();
                let [expected, found, mark] = lines[..] else {
                    panic!("{text}");
                };
                let at = mark.find('^').expect("a mark");
                assert_eq!((&expected[at..=at], &found[at..=at]), ("1", "2"), "{text}");
                assert_eq!(expected[9..at], found[9..at]);
                let longest = lines.iter().map(|line| line.len()).max();
                assert!(longest <= Some(width - NOTE_INDENT), "{text}");
            }
        }
    }
}
