//! The command line with all that is documented of it.

use clap::builder::PossibleValuesParser;
use clap::{Arg, Command, CommandFactory as _, ValueHint};

use super::{Arguments, completions, manual};
use crate::console::{Exit, terminal};
use crate::facts::{Facts, NO_SIGNALS};
use crate::{gate, health, keys, simulate, verify};

/// Every command, from the program's name on.
pub(super) const COMMANDS: &[(&str, &Facts)] = &[
    ("go-auth", &FACTS),
    ("go-auth verify", &verify::FACTS),
    ("go-auth keys", &keys::FACTS),
    ("go-auth serve", &gate::FACTS),
    ("go-auth health", &health::FACTS),
    ("go-auth simulate", &simulate::FACTS),
    ("go-auth simulate push", &simulate::PUSH),
    ("go-auth completions", &completions::FACTS),
    ("go-auth man", &manual::FACTS),
];

const FACTS: Facts = Facts {
    exits: &[
        (
            Exit::Good,
            "done: valid, usable, as expected, printed, or stopped by a signal",
        ),
        (Exit::Bad, "rejected, not usable, or not as expected"),
        (
            Exit::Unknown,
            "no result: something can't be reached, written or listened on",
        ),
        (Exit::Usage, "wrong usage, settings or input"),
    ],
    settings: &[],
    variables: &[terminal::VARIABLES],
    files: &[],
    signals: NO_SIGNALS,
    examples: &[
        ("go-auth help verify", "Shows the flags of a command:"),
        (
            "go-auth man simulate push | man -l -",
            "Shows its manual page:",
        ),
    ],
};

/// The command line, each command with its exit statuses in its help.
pub(super) fn command() -> Command {
    let command = with_help(Arguments::command(), "go-auth");
    let names = COMMANDS
        .iter()
        .flat_map(|(path, _)| path.split(' ').skip(1));
    let mut names: Vec<_> = names.collect();
    names.dedup();
    command.mut_subcommand("man", |man| {
        man.mut_arg("command", |arg| {
            arg.value_parser(PossibleValuesParser::new(names))
        })
    })
}

fn with_help(command: Command, path: &str) -> Command {
    let command = match facts_of(path) {
        Some(facts) => command.after_help(facts.exit_help()),
        None => command,
    };
    (command.mut_args(hinted)).mut_subcommands(|command| {
        let path = format!("{path} {}", command.get_name());
        with_help(command, &path)
    })
}

pub(super) fn facts_of(path: &str) -> Option<&'static Facts> {
    let (_, facts) = COMMANDS.iter().find(|(theirs, _)| *theirs == path)?;
    Some(facts)
}

/// What a shell completes a value with, by its placeholder.
fn hinted(arg: Arg) -> Arg {
    let name = (arg.get_value_names().unwrap_or_default().first()).map(ToString::to_string);
    let hint = match name.as_deref() {
        Some("FILE") => ValueHint::FilePath,
        Some("DIR") => ValueHint::DirPath,
        Some("URL") => ValueHint::Url,
        _ => return arg,
    };
    arg.value_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(command: &Command, path: &str, all: &mut Vec<String>) {
        all.push(path.to_owned());
        for command in command.get_subcommands() {
            paths(command, &format!("{path} {}", command.get_name()), all);
        }
    }

    #[test]
    fn there_are_facts_of_every_command() {
        let mut all = Vec::new();
        paths(&Arguments::command(), "go-auth", &mut all);
        let known: Vec<_> = COMMANDS.iter().map(|(path, _)| *path).collect();
        assert_eq!(known, all);
    }

    #[test]
    fn statuses_are_in_order_and_those_of_the_program_are_all() {
        let codes =
            |facts: &Facts| -> Vec<_> { facts.exits.iter().map(|(exit, _)| exit.code()).collect() };
        let mut all = Vec::new();
        for (path, facts) in COMMANDS {
            let codes = codes(facts);
            assert!(codes.is_sorted(), "{path}");
            all.extend(codes);
        }
        all.sort_unstable();
        all.dedup();
        assert_eq!(codes(&FACTS), all);
    }
}
