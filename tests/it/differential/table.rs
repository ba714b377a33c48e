//! The tables of `docs/evidence/differential.md`, held against what was found.

use std::collections::{BTreeMap, BTreeSet};

use super::desk::Case;

pub(crate) const PAGE: &str = include_str!("../../../docs/evidence/differential.md");

/// Who is compared with us, in the order of the tables' columns.
pub(crate) const PEERS: [&str; 2] = ["jsonwebtoken", "PyJWT"];

/// The cases in which a rule and a peer differ, whichever of the two tables the rule is in.
pub(crate) type Found<'c> = BTreeMap<(&'static str, &'static str), Vec<&'c Case>>;

/// A rule, the peers that differ from us by it, and cases that show it.
struct Row {
    rule: &'static str,
    peers: Vec<&'static str>,
    examples: Vec<&'static str>,
}

fn rows() -> impl Iterator<Item = Row> {
    PAGE.lines().filter_map(|line| {
        let row = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let cells: Vec<_> = row.split(" | ").collect();
        let [rule, first, second, examples, _why] = *cells else {
            return None;
        };
        let columns = PEERS.into_iter().zip([first, second]);
        let row = Row {
            rule,
            peers: columns
                .filter(|(_, cell)| *cell == "yes")
                .map(|(peer, _)| peer)
                .collect(),
            examples: examples.split('`').skip(1).step_by(2).collect(),
        };
        (!row.examples.is_empty()).then_some(row)
    })
}

/// In what the tables and the cases found with these peers differ.
pub(crate) fn faults(found: &Found<'_>, asked: &[&'static str]) -> Vec<String> {
    let listed: BTreeSet<_> = rows()
        .flat_map(|row| row.peers.into_iter().map(move |peer| (row.rule, peer)))
        .collect();
    assert!(listed.len() > 20, "the tables are not read");
    let unlisted = found.iter().filter(|(pair, _)| !listed.contains(*pair));
    let mut faults: Vec<_> = unlisted
        .map(|((rule, peer), cases)| format!("not listed for {peer}: {rule}: {:?}", cases[0]))
        .collect();
    for row in rows() {
        let cases = |peer| found.get(&(row.rule, peer)).into_iter().flatten();
        let shows = |example: &str, peer| cases(peer).any(|case| case.given == example);
        let asked = || row.peers.iter().filter(|peer| asked.contains(peer));
        for peer in asked() {
            if cases(peer).next().is_none() {
                faults.push(format!("listed for {peer} and never found: {}", row.rule));
            } else if !row.examples.iter().any(|example| shows(example, peer)) {
                faults.push(format!("no example for {peer}: {}", row.rule));
            }
        }
        for example in &row.examples {
            if asked().count() == row.peers.len() && !asked().any(|peer| shows(example, peer)) {
                faults.push(format!("no example: {}: {example}", row.rule));
            }
        }
    }
    faults
}
