//! The conformance table names tests that exist: a test that is renamed or removed is missed there.

use std::fs;
use std::path::Path;

const TABLE: &str = include_str!("../../docs/conformance.md");

/// Each row's sentence, and what holds it.
fn rows() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLE.lines().filter_map(|line| {
        let row = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let (sentence, holds) = row.rsplit_once(" | ")?;
        (sentence != "sentence").then_some((sentence, holds))
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

#[test]
fn each_test_that_the_table_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = String::new();
    for directory in ["src", "tests/it"] {
        sources(&root.join(directory), &mut text);
    }
    let missing: Vec<_> = rows()
        .flat_map(|(_, holds)| names(holds))
        .filter(|name| !text.contains(&format!("fn {name}(")))
        .collect();
    assert!(missing.is_empty(), "no test is called {missing:#?}");
}

#[test]
fn each_row_names_a_test_or_says_why_there_is_none() {
    assert!(rows().count() > 40, "the table is not read");
    for (sentence, holds) in rows() {
        assert!(
            names(holds).next().is_some() || holds.starts_with("—"),
            "nothing holds {sentence}"
        );
    }
}
