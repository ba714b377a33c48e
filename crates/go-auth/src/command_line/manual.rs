//! `go-auth man`: the manual.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::described::{self, COMMANDS};
use crate::console::{Console, Exit, Failure};
use crate::facts::{Facts, NO_SIGNALS};

// What stands here as documentation is the help.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The command; without it, the page is that of go-auth itself
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,

    /// Write the pages of all commands into this directory, which has to be there
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    all: Option<PathBuf>,
}

pub(super) const FACTS: Facts = Facts {
    exits: &[
        (Exit::Good, "it is printed, or all are written"),
        (Exit::Unknown, "it can't be written"),
        (Exit::Usage, "wrong usage"),
    ],
    settings: &[],
    variables: &[],
    files: &[(
        "/usr/local/share/man/man1",
        "Where man looks for pages: a directory for --all.",
    )],
    signals: NO_SIGNALS,
    examples: &[
        (
            "go-auth man verify | man -l -",
            "Shows the page of a command:",
        ),
        (
            "go-auth man --all /usr/local/share/man/man1",
            "Installs the pages of all commands:",
        ),
    ],
};

pub(crate) fn run(args: &ManArgs, console: &mut Console<'_>) -> Result<Exit, Failure> {
    if let Some(directory) = &args.all {
        for (path, facts) in COMMANDS {
            let written = write(directory, path, facts);
            written.map_err(|error| Failure::cannot("write the manual", error))?;
        }
        return Ok(Exit::Good);
    }
    let path: Vec<_> = ["go-auth"]
        .into_iter()
        .chain(args.command.iter().map(|it| &**it))
        .collect();
    let path = path.join(" ");
    let facts = described::facts_of(&path);
    let facts = facts.ok_or_else(|| Failure::Usage("unknown command".to_owned()))?;
    console.write(&page(&path, facts).map_err(Failure::System)?)?;
    Ok(Exit::Good)
}

fn write(directory: &Path, path: &str, facts: &Facts) -> io::Result<()> {
    let file = directory.join(format!("{}.1", path.replace(' ', "-")));
    fs::write(file, page(path, facts)?)
}

/// The page of a command: what clap knows of it, and its facts.
fn page(path: &str, facts: &Facts) -> io::Result<Vec<u8>> {
    let program = concat!("go-auth ", env!("CARGO_PKG_VERSION"));
    let mut command = described::command();
    command.build();
    let within = |command: &Command, name| command.find_subcommand(name).cloned();
    let command = (path.split(' ').skip(1)).try_fold(command, |it, name| within(&it, name));
    let command = command.ok_or(io::ErrorKind::NotFound)?;
    let has_commands = command.has_subcommands();
    let man = Man::new(command)
        .title(path.replace(' ', "-").to_uppercase())
        // None. Without the quotes the arguments behind it would move up.
        .date("\"\"")
        .source(program)
        .manual("derbysoft-go-auth");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if has_commands {
        man.render_subcommands_section(&mut text)?;
    }
    sections(path, facts).to_writer(&mut text)?;
    // Of two line breaks clap_mangen makes what mandoc takes for a mistake.
    let text = String::from_utf8_lossy(&text).replace(".br\n\n.br\n", ".sp\n");
    Ok(text.into_bytes())
}

fn sections(path: &str, facts: &Facts) -> Roff {
    let mut roff = Roff::new();
    let exits = facts.exits.iter();
    let exits = exits.map(|(exit, text)| (exit.code().to_string(), (*text).to_owned()));
    list(&mut roff, "EXIT STATUS", exits);
    list(&mut roff, "ENVIRONMENT", facts.all_variables());
    let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    list(&mut roff, "FILES", facts.files.iter().map(owned));
    list(&mut roff, "SIGNALS", facts.signals.iter().map(owned));
    roff.control("SH", ["EXAMPLES"]);
    for (at, (line, what)) in facts.examples.iter().enumerate() {
        if at > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(*what)]);
        roff.control("PP", [])
            .control("RS", ["4"])
            .control("nf", []);
        roff.text([roman(*line)]);
        roff.control("fi", []).control("RE", []);
    }
    roff.control("SH", ["SEE ALSO"]);
    let others = COMMANDS
        .iter()
        .map(|(other, _)| *other)
        .filter(|other| *other != path);
    let others: Vec<_> = others
        .map(|other| format!("{}(1)", other.replace(' ', "-")))
        .collect();
    roff.text([roman(others.join(", "))]);
    roff
}

/// Names and what they are. A section without any says so.
fn list(roff: &mut Roff, title: &str, entries: impl IntoIterator<Item = (String, String)>) {
    roff.control("SH", [title]);
    let mut is_empty = true;
    for (name, text) in entries {
        is_empty = false;
        roff.control("TP", []);
        roff.text([bold(name)]).text([roman(text)]);
    }
    if is_empty {
        roff.text([roman("None.")]);
    }
}
