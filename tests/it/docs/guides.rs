//! The guides, as files and as part of the crate's documentation.

use std::fs;

const MODULES: &str = include_str!("../../../src/guide/mod.rs");
const LINKS: &str = include_str!("../../../src/guide/links.md");

/// The name and the text of each guide.
fn guides() -> Vec<(String, String)> {
    let files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guide"));
    files
        .expect("a directory")
        .map(|file| {
            let file = file.expect("its entry");
            let name = file.file_name().into_string().expect("UTF-8");
            (name, fs::read_to_string(file.path()).expect("a text"))
        })
        .collect()
}

/// The names of the links that a text defines.
fn defined(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter_map(|line| Some(line.strip_prefix('[')?.split_once("]: ")?.0))
}

#[test]
fn every_guide_is_in_the_documentation() {
    for (name, _) in guides() {
        assert!(MODULES.contains(&format!("\"{name}\"")), "{name}");
    }
}

/// One without would lead to a file that the documentation does not have.
#[test]
fn every_link_of_a_guide_has_its_place_in_the_documentation() {
    let mut links: Vec<_> = defined(LINKS).collect();
    for (name, text) in guides() {
        for link in defined(&text) {
            assert!(defined(LINKS).any(|known| known == link), "{name}: {link}");
            links.retain(|known| *known != link);
        }
        assert!(!text.contains("](../") && !text.contains(".md)"), "{name}");
    }
    assert!(links.is_empty(), "not used any more: {links:?}");
}
