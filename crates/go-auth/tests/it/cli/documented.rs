//! What is documented of every command beyond its flags, in its help and on its manual
//! page.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use super::{go_auth, path};

pub(super) fn help(command: &str) -> String {
    let args: Vec<_> = command.split(' ').skip(1).chain(["--help"]).collect();
    go_auth(&args).run_here().stdout
}

/// Every command, as its help and that of its parents list them.
pub(super) fn commands() -> Vec<String> {
    let mut all = vec!["go-auth".to_owned()];
    let mut at = 0;
    while let Some(command) = all.get(at).cloned() {
        let help = help(&command);
        let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        let listed = listed.take_while(|line| !line.is_empty());
        let names = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
        let names = names.filter(|name| !name.is_empty() && *name != "help");
        all.extend(names.map(|name| format!("{command} {name}")));
        at += 1;
    }
    assert!(all.contains(&"go-auth simulate push".to_owned()), "{all:?}");
    all
}

/// The statuses in its help, and what they mean.
pub(super) fn statuses(command: &str) -> BTreeMap<u8, String> {
    let help = help(command);
    let (_, lines) = help.split_once("\nExit status:\n").expect("a list");
    let of = |line: &str| {
        let (status, text) = line.trim().split_once(' ').expect("a status and a text");
        (status.parse().expect("a status"), text.trim().to_owned())
    };
    lines.lines().map(of).collect()
}

fn man(command: &str) -> String {
    let args: Vec<_> = ["man"]
        .into_iter()
        .chain(command.split(' ').skip(1))
        .collect();
    go_auth(&args).run_here().stdout
}

/// The names in a section of a page.
fn names<'a>(page: &'a str, section: &str) -> BTreeSet<&'a str> {
    let (_, text) = page
        .split_once(&format!("\n.SH \"{section}\"\n"))
        .or_else(|| page.split_once(&format!("\n.SH {section}\n")))
        .unwrap_or_else(|| panic!("no {section}: {page}"));
    let text = text.split("\n.SH ").next().unwrap_or_default();
    let bold = text
        .lines()
        .filter_map(|line| line.strip_prefix("\\fB")?.strip_suffix("\\fR"));
    bold.flat_map(|names| names.split(", ")).collect()
}

#[test]
fn every_page_has_all_sections() {
    for command in commands() {
        let page = man(&command);
        let title = command.replace(' ', "-").to_uppercase();
        assert!(page.contains(&format!("\n.TH {title} 1 \"\" ")), "{page}");
        for section in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "FILES",
            "EXAMPLES",
        ] {
            assert!(
                page.contains(&format!("\n.SH {section}\n")),
                "{command}: {section}"
            );
        }
        assert!(!names(&page, "SIGNALS").is_empty(), "{command}");
        let listed: BTreeSet<String> = statuses(&command).keys().map(u8::to_string).collect();
        let shown = names(&page, "EXIT STATUS").into_iter().map(str::to_owned);
        assert_eq!(shown.collect::<BTreeSet<_>>(), listed, "{command}");
        assert!(
            page.contains(&format!("\n{} ", command.replace('-', "\\-"))),
            "{command}"
        );
    }
}

/// Those in the help of its flags, in words or in brackets.
#[test]
fn every_page_has_the_variables_of_its_flags() {
    let mut count = 0;
    for command in commands() {
        let page = man(&command);
        let known = names(&page, "ENVIRONMENT");
        let help = help(&command)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let in_words = help.split("the variable ").skip(1);
        let in_brackets = help.split("[GO_AUTH").skip(1);
        let all = in_words
            .map(str::to_owned)
            .chain(in_brackets.map(|rest| format!("GO_AUTH{rest}")));
        for rest in all {
            let is_name = |c: char| c.is_ascii_uppercase() || c == '_';
            let name: String = rest.chars().take_while(|c| is_name(*c)).collect();
            assert!(known.contains(&*name), "{command}: {name}");
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}

/// What looks like a variable in the code is one on some page, a signal, the title of a
/// section, the placeholder of a flag's value, or one of these.
#[test]
fn every_variable_of_the_code_is_on_a_page() {
    const OTHERS: [&str; 4] = ["ASCII", "CARGO_PKG_VERSION", "ERROR", "FAIL"];
    let pages: Vec<_> = commands().iter().map(|command| man(command)).collect();
    let help: String = commands().iter().map(|command| help(command)).collect();
    let known: BTreeSet<_> = (pages.iter())
        .flat_map(|page| [names(page, "ENVIRONMENT"), names(page, "SIGNALS")])
        .flatten()
        .collect();
    let mut count = 0;
    for text in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for word in code.split('"') {
            let is_name = word.len() > 2
                && word.starts_with(|c: char| c.is_ascii_uppercase())
                && word.bytes().all(|it| it.is_ascii_uppercase() || it == b'_');
            let is_known = known.contains(word)
                || pages[0].contains(&format!("\n.SH {word}\n"))
                || pages[0].contains(&format!("\n.SH \"{word}\"\n"))
                || OTHERS.contains(&word)
                || help.contains(&format!("<{word}>"));
            assert!(!is_name || is_known, "{word} is on no page");
            count += usize::from(is_name);
        }
    }
    assert!(count > 15, "{count}");
}

/// The text of every source below, but for tests.
fn sources(folder: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry").path();
        if entry.is_dir() {
            texts.extend(sources(&entry));
        } else if !entry.ends_with("tests.rs") {
            texts.push(std::fs::read_to_string(entry).expect("a source"));
        }
    }
    texts
}

#[test]
fn all_pages_are_written_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let ran = go_auth(&["man", "--all", path(&folder)]).run_here();
    assert_eq!((ran.status, &*ran.all()), (0, ""));
    let written = std::fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(written, commands().len());
    for command in commands() {
        let file = folder
            .path()
            .join(format!("{}.1", command.replace(' ', "-")));
        assert_eq!(
            std::fs::read_to_string(file).expect("a page"),
            man(&command)
        );
    }
}

/// Only the date is not there: a page is the same whenever it is made.
#[test]
#[ignore = "needs mandoc"]
fn mandoc_has_nothing_to_say_of_the_pages() {
    let folder = tempfile::tempdir().expect("a folder");
    let ran = go_auth(&["man", "--all", path(&folder)]).run_here();
    assert_eq!(ran.status, 0);
    for command in commands() {
        let page = folder
            .path()
            .join(format!("{}.1", command.replace(' ', "-")));
        let output = Command::new("mandoc")
            .args(["-T", "lint", "-W", "warning"])
            .arg(&page)
            .output();
        let said = String::from_utf8(output.expect("mandoc").stdout).expect("UTF-8");
        let said: Vec<_> = said
            .lines()
            .filter(|line| !line.contains("missing date"))
            .collect();
        assert!(said.is_empty(), "{said:?}");
        let output = Command::new("mandoc")
            .args(["-T", "ascii"])
            .arg(&page)
            .output();
        assert!(output.expect("mandoc").stdout.len() > 1000, "{command}");
    }
}
