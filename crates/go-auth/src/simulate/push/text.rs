//! What `go-auth simulate push` prints for people.

use std::fmt::Write as _;

use super::report::{PushReport, Report, Verdict};
use crate::console::table::{Row, page, table};
use crate::console::terminal::{FAINT, Mark, Terminal};
use derbysoft_go_auth::inspect::show::plain;
use derbysoft_go_simulator::Expected;

/// On narrower terminals the names have to do.
const FIVE_COLUMNS: usize = 60;
const WHAT_IT_IS: usize = 1;

pub(super) fn text(report: &Report, terminal: &Terminal) -> String {
    let pushes = pushes(report, terminal);
    page(headline(report), &pushes, &[], report.next, terminal)
}

fn headline(report: &Report) -> (Mark, String) {
    let to = plain(&report.distributor);
    let all = report.pushes.len();
    let bad = report.pushes.iter().filter(|push| push.ok == Some(false));
    let bad = bad.count();
    let (mark, mut said) = match report.verdict {
        Verdict::AsExpected => (Mark::Good, format!("{to} answers as expected")),
        Verdict::Unexpected => (
            Mark::Bad,
            format!("{bad} of {all} pushes to {to} got an unexpected answer"),
        ),
        Verdict::Unknown => (Mark::Open, format!("no verdict on {to}")),
    };
    if let Some(error) = &report.error {
        let _ = write!(said, ": {}", plain(error));
    }
    (mark, said)
}

fn pushes(report: &Report, terminal: &Terminal) -> String {
    let mut heads = vec!["push", "what it is", "expected", "status"];
    let mut rows: Vec<_> = report.pushes.iter().map(row).collect();
    if terminal.width < FIVE_COLUMNS {
        heads.remove(WHAT_IT_IS);
        for row in &mut rows {
            row.cells.remove(WHAT_IT_IS);
        }
    }
    table(&heads, &rows, &[], terminal)
}

fn row(push: &PushReport) -> Row {
    let mark = Mark::from(push.ok);
    let expected = match push.expected {
        Expected::LetIn => "accepted",
        Expected::Refused => "rejected",
        _ => "either",
    };
    // The answer to an accepted push is of no interest.
    let is_shown = push.ok == Some(false) && !push.was_accepted();
    let body = push.body.as_ref().filter(|_| is_shown);
    Row {
        mark,
        cells: vec![
            (push.name.to_owned(), mark.cell()),
            (push.about.to_owned(), FAINT),
            (expected.to_owned(), FAINT),
            (statuses(push), mark.cell()),
        ],
        note: body.map(|body| format!("answered: {}", plain(body))),
    }
}

/// `200`, or `200 (999 times), 503`.
fn statuses(push: &PushReport) -> String {
    let answers = push.answers.iter().map(|answer| match answer.times {
        1 => answer.status.to_string(),
        times => format!("{} ({times} times)", answer.status),
    });
    match &*answers.collect::<Vec<_>>() {
        [] => "-".to_owned(),
        answers => answers.join(", "),
    }
}
