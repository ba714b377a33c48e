//! The public interface, by the listing that `.ci/public-api` compares with the code.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

const LISTING: &str = include_str!("../../../docs/evidence/public-api/derbysoft-go-auth.txt");

/// The words of what shows how to use the crate: guides, examples, the command, and the
/// code in the documentation.
fn shown() -> HashSet<String> {
    let mut texts = String::new();
    for place in ["README.md", "docs/guide", "examples", "crates/go-auth"] {
        each_file(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join(place),
            &mut |text| {
                texts.push_str(text);
            },
        );
    }
    each_file(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut |text| {
            let mut is_code = false;
            for line in text.lines() {
                let Some(doc) = (line.trim_start().strip_prefix("///"))
                    .or_else(|| line.trim_start().strip_prefix("//!"))
                else {
                    continue;
                };
                if doc.trim_start().starts_with("```") {
                    is_code = !is_code;
                } else if is_code {
                    texts.push_str(doc);
                    texts.push('\n');
                }
            }
        },
    );
    words(&texts).map(str::to_owned).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

fn each_file(place: &Path, read: &mut impl FnMut(&str)) {
    if place.is_dir() {
        for entry in fs::read_dir(place).expect("a folder") {
            let entry = entry.expect("an entry");
            if entry.file_name() != "tests" {
                each_file(&entry.path(), read);
            }
        }
    } else if let Ok(text) = fs::read_to_string(place) {
        read(&text);
    }
}

/// The names of functions, constants and types, each with the line that exports it; not
/// those of fields and variants, nor those that a trait demands.
fn exported() -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut of_trait = false;
    LISTING.lines().filter_map(move |line| {
        let item = line.strip_prefix("#[non_exhaustive] ").unwrap_or(line);
        if item.starts_with("impl") {
            of_trait = item.contains(" for ");
            return None;
        }
        let mut rest = item.strip_prefix("pub ")?;
        for qualifier in ["async ", "const "] {
            rest = rest.strip_prefix(qualifier).unwrap_or(rest);
        }
        let kind = ["struct ", "enum ", "trait "]
            .iter()
            .find(|kind| rest.starts_with(**kind));
        if let Some(kind) = kind {
            // A trait's own functions are shown by those who implement it.
            of_trait = *kind == "trait ";
        }
        let is_function = rest.starts_with("fn ") || item.starts_with("pub const ");
        if kind.is_none() && (of_trait || !is_function) {
            return None;
        }
        let path = rest
            .split(['(', '<', ' '])
            .find(|word| word.contains("::"))?;
        let name = path.trim_end_matches(':').rsplit("::").next()?;
        Some((name, line))
    })
}

#[test]
fn every_exported_name_is_shown_or_in_the_signature_of_another() {
    let shown = shown();
    let unused: Vec<_> = exported()
        .filter(|(name, _)| !shown.contains(*name))
        .filter(|(name, line)| {
            let signatures = LISTING.lines().filter(|other| other != line);
            // What follows the item's own path: arguments, results, types of fields.
            let mut mentions = signatures.filter_map(|other| {
                let places = ["(", ": ", " = "]
                    .into_iter()
                    .filter_map(|mark| other.find(mark));
                Some(&other[places.min()?..])
            });
            let is_type = name.starts_with(char::is_uppercase);
            !(is_type && mentions.any(|signature| words(signature).any(|word| word == *name)))
        })
        .collect();
    assert!(unused.is_empty(), "{unused:#?}");
}
