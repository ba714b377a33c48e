//! The tables of conformance and of threats name tests that exist: one that is renamed or removed is
//! noticed.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

const TABLE: &str = include_str!("../../../docs/evidence/conformance.md");
const THREATS: &str = include_str!("../../../docs/evidence/threats.md");

/// The first words and the last cell of each row of those tables whose last column says what holds
/// the rest.
fn rows(document: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut in_table = false;
    document.lines().filter_map(move |line| {
        let row = line
            .strip_prefix("| ")
            .and_then(|row| row.strip_suffix(" |"));
        let cells = row.and_then(|row| row.rsplit_once(" | "));
        match cells {
            Some((_, "what holds it" | "held by")) => in_table = true,
            Some(cells) if in_table => return Some(cells),
            _ => in_table &= line.starts_with('|'),
        }
        None
    })
}

/// What stands between backticks.
fn names(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// All Rust text below a directory.
fn sources(directory: &Path, text: &mut String) {
    for entry in fs::read_dir(directory).expect("a directory of this crate") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            *text += &fs::read_to_string(&path).expect("Rust text");
        }
    }
}

/// Whether it looks like the name of a test, rather than a member, a file or a setting.
fn is_a_test(name: &str) -> bool {
    name.matches('_').count() >= 2
        && (name.bytes()).all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// The names of the tests in Rust text: of the functions that have the attribute of one,
/// or are cases for every proxy.
fn tests(text: &str) -> HashSet<&str> {
    let mut names = HashSet::new();
    let mut is_next = false;
    for line in text.lines().map(str::trim) {
        is_next |= line.ends_with("(proxy: &Proxy) {");
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_next = true;
        } else if is_next && let Some((_, rest)) = line.split_once("fn ") {
            names.extend(rest.split('(').next());
            is_next = false;
        }
    }
    names
}

#[test]
fn each_test_that_the_tables_name_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = String::new();
    for directory in ["src", "tests", "crates"] {
        sources(&root.join(directory), &mut text);
    }
    let tests = tests(&text);
    let missing: Vec<_> = (rows(TABLE).chain(rows(THREATS)))
        .flat_map(|(_, holds)| names(holds).filter(|name| is_a_test(name)))
        .filter(|name| !tests.contains(name))
        .collect();
    assert!(missing.is_empty(), "no test is called {missing:#?}");
}

#[test]
fn each_row_names_a_test_or_says_why_not() {
    assert!(rows(TABLE).count() > 40, "the table is not read");
    for (sentence, holds) in rows(TABLE) {
        assert!(
            names(holds).next().is_some() || holds.starts_with("—"),
            "nothing holds {sentence}"
        );
    }
}

#[test]
fn each_threat_names_a_test_outside_the_build() {
    assert!(rows(THREATS).count() > 35, "the tables are not read");
    let without: Vec<_> = rows(THREATS)
        .filter(|(_, holds)| !names(holds).any(is_a_test))
        .map(|(threat, _)| threat.split(" | ").next().unwrap_or(threat))
        .collect();
    // Held by the compiler, `cargo deny` and `.ci/run`.
    let of_the_build = [
        "Another dependency's features that change how a token is read",
        "A feature of this crate that changes what is accepted",
        "A dependency with another licence, source or cryptographic library",
        "Memory errors of ours",
    ];
    assert_eq!(without, of_the_build);
}
