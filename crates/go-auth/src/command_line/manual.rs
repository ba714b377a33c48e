//! Completions for shells, and the manual.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Arguments;
use crate::console::{Console, Exit, Failure};

pub(crate) fn completions(shell: Shell, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "go-auth", &mut script);
    console.write(&script)?;
    Ok(Exit::Good)
}

/// The page of go-auth, or of one of its commands.
pub(crate) fn page(command: &[String], console: &mut Console<'_>) -> Result<Exit, Failure> {
    let mut root = Arguments::command();
    root.build();
    let found = (command.iter()).try_fold(&root, |within, name| within.find_subcommand(name));
    let page = found
        .cloned()
        .ok_or_else(|| Failure::Usage("unknown command".to_owned()))?;
    let mut text = Vec::new();
    clap_mangen::Man::new(page)
        .manual("derbysoft-go-auth")
        .render(&mut text)
        .map_err(Failure::System)?;
    console.write(&text)?;
    Ok(Exit::Good)
}
