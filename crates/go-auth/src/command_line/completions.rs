//! `go-auth completions`: for shells.

use clap_complete::Shell;

use super::described;
use crate::console::{Console, Exit, Failure};
use crate::facts::{Facts, NO_SIGNALS, PRINTED};

pub(super) const FACTS: Facts = Facts {
    exits: PRINTED,
    settings: &[],
    variables: &[],
    files: &[
        (
            "~/.local/share/bash-completion/completions/go-auth",
            "Where bash-completion looks for those of bash. Without it, source them in ~/.bashrc.",
        ),
        (
            "~/.config/fish/completions/go-auth.fish",
            "Where fish looks.",
        ),
        (
            "/usr/local/share/zsh/site-functions/_go-auth",
            "Where zsh looks, or another folder of its `fpath`.",
        ),
    ],
    signals: NO_SIGNALS,
    examples: &[(
        "go-auth completions fish > ~/.config/fish/completions/go-auth.fish",
        "Has fish complete the command line:",
    )],
};

pub(crate) fn run(shell: Shell, console: &mut Console<'_>) -> Result<Exit, Failure> {
    console.write(&script(shell))?;
    Ok(Exit::Good)
}

fn script(shell: Shell) -> Vec<u8> {
    let mut command = described::command();
    let mut script = Vec::new();
    if shell == Shell::Bash {
        // With a hyphen in the program's name the script finds none of its own cases for a
        // command (clap-rs/clap#6421): it is written for another name, and registered for
        // this one.
        let mut command = command.name("go_auth");
        clap_complete::generate(shell, &mut command, "go_auth", &mut script);
        let script = String::from_utf8_lossy(&script);
        return script
            .replace("default go_auth\n", "default go-auth\n")
            .into_bytes();
    }
    clap_complete::generate(shell, &mut command, "go-auth", &mut script);
    script
}
