//! What `go-auth keys` prints for people.

use std::fmt::Write as _;

use super::report::{AddressReport, KeyReport, Verdict};
use crate::console::table::{Row, page, table};
use crate::console::terminal::{Mark, Terminal};
use derbysoft_go_auth::inspect::show::{plain, quoted};
use derbysoft_go_auth::inspect::words::duration;
use derbysoft_go_auth::inspect::{Answer, Refresh};

pub(super) fn text(report: &AddressReport, terminal: &Terminal) -> String {
    let keys = keys(report, terminal);
    page(
        headline(report),
        &keys,
        &facts(report),
        report.next,
        terminal,
    )
}

fn headline(report: &AddressReport) -> (Mark, String) {
    let address = plain(&report.address);
    let error = report.error.as_deref().unwrap_or_default();
    let usable = report.keys.iter().filter(|key| key.usable).count();
    match report.verdict {
        Verdict::Usable if usable == 1 => (Mark::Good, format!("1 usable key at {address}")),
        Verdict::Usable => (Mark::Good, format!("{usable} usable keys at {address}")),
        Verdict::Unusable => (Mark::Bad, format!("no usable keys at {address}: {error}")),
        Verdict::Unknown => (Mark::Open, format!("can't reach {address}: {error}")),
    }
}

fn keys(report: &AddressReport, terminal: &Terminal) -> String {
    let heads = ["kid", "kty", "bits", "alg", "use"];
    let rows: Vec<_> = report.keys.iter().map(row).collect();
    let mut text = table(&heads, &rows, &[], terminal);
    if let Some(more) = report.more_keys {
        let _ = writeln!(text, "and {more} more");
    }
    text
}

fn row(key: &KeyReport) -> Row {
    let mark = Mark::from(Some(key.usable));
    let text = |text: &Option<String>, shown: fn(&str) -> String| {
        text.as_deref().map_or_else(|| "-".to_owned(), shown)
    };
    let cells = [
        text(&key.kid, quoted),
        text(&key.kty, plain),
        (key.bits).map_or_else(|| "-".to_owned(), |bits| bits.to_string()),
        text(&key.alg, plain),
        text(&key.usage, plain),
    ];
    Row {
        mark,
        cells: cells.map(|cell| (cell, mark.cell())).into(),
        note: key.why.as_ref().map(|why| format!("not usable: {why}")),
    }
}

/// What is shown beside the keys.
fn facts(report: &AddressReport) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let issuer = report.issuer.as_ref();
    facts.extend(issuer.map(|issuer| ("issuer:   ", quoted(issuer))));
    facts.extend((report.answers.iter()).map(|answer| ("answer:   ", answered(answer))));
    facts.extend(report.discovery.as_ref().map(|discovery| {
        let names = plain(&discovery.names);
        let about = if discovery.followed {
            format!("a discovery document, followed to {names}")
        } else {
            format!("a discovery document that names {names}, not followed")
        };
        ("discovery:", about)
    }));
    facts.extend(report.answers.iter().filter_map(|answer| {
        let to = plain(answer.location.as_deref()?);
        Some(("redirect: ", format!("to {to}, not followed")))
    }));
    if let Some(answer) = report.answers.last() {
        facts.extend(answer.etag.as_ref().map(|etag| ("ETag:     ", plain(etag))));
    }
    let planned = report.refresh.as_ref();
    facts.extend(planned.map(|it| ("refresh:  ", refresh(it))));
    facts
}

fn answered(answer: &Answer) -> String {
    let mut about = format!("status {}", answer.status);
    if let Some(content_type) = &answer.content_type {
        let _ = write!(about, ", {}", plain(content_type));
    }
    if let Some(cache_control) = &answer.cache_control {
        let _ = write!(about, ", Cache-Control: {}", plain(cache_control));
    }
    about
}

fn refresh(refresh: &Refresh) -> String {
    let fresh = duration(refresh.fresh);
    let why = match refresh.max_age {
        None => String::new(),
        Some(max_age) if max_age < refresh.fresh => {
            format!(" (max-age asks for {})", duration(max_age))
        }
        Some(max_age) if max_age > refresh.fresh => {
            format!(" (max-age would allow {})", duration(max_age))
        }
        Some(_) => " (as max-age asks)".to_owned(),
    };
    let (earliest, latest) = (duration(refresh.earliest), duration(refresh.latest));
    format!("keys are fresh for {fresh}{why}, and refreshed after {earliest} to {latest}")
}
