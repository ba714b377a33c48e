//! Completions, as the shells give them.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::{go_auth, path};

/// What a shell completes this line with, in a folder with the file `settings.toml`. The
/// last word of a line is the one that is completed, and may be empty.
type Complete = fn(folder: &Path, line: &str) -> BTreeSet<String>;

/// A line, what it has to be completed with, and what not.
type Case = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

const CASES: &[Case] = &[
    (
        "go-auth ",
        &["verify", "keys", "serve", "simulate", "completions", "man"],
        &["push"],
    ),
    ("go-auth ve", &["verify"], &["keys"]),
    ("go-auth simulate ", &["push"], &["verify"]),
    ("go-auth simulate p", &["push"], &[]),
    ("go-auth --json simulate p", &["push"], &[]),
    (
        "go-auth verify --",
        &["--token-file", "--config", "--json", "--color"],
        &["--listen"],
    ),
    ("go-auth keys --jw", &["--jwks-url"], &[]),
    ("go-auth serve --", &["--status-listen"], &["--token-file"]),
    (
        "go-auth simulate push --",
        &["--sample", "--access-token", "--color"],
        &["--origin"],
    ),
    ("go-auth keys --color ", &["always", "auto", "never"], &[]),
    ("go-auth simulate push --sample ", &["daily", "los"], &[]),
    ("go-auth verify --token-file sett", &["settings.toml"], &[]),
    ("go-auth serve --config ", &["settings.toml"], &["--json"]),
    ("go-auth keys --ca-file sett", &["settings.toml"], &[]),
];

/// What fish does not complete: the value of an argument without a flag.
const VALUES_OF_ARGUMENTS: &[Case] = &[
    ("go-auth man ", &["verify", "simulate"], &[]),
    ("go-auth man simulate p", &["push"], &["verify"]),
    ("go-auth completions ", &["bash", "fish", "zsh"], &[]),
];

#[track_caller]
fn assert_completes(complete: Complete, cases: &[&[Case]]) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("settings.toml"), "").expect("written");
    for (line, with, without) in cases.iter().copied().flatten() {
        let given = complete(folder.path(), line);
        for word in *with {
            assert!(given.contains(*word), "{line}: no {word} in {given:?}");
        }
        for word in *without {
            assert!(!given.contains(*word), "{line}: {word}");
        }
    }
}

/// Writes the completions for this shell, once a folder.
fn installed(shell: &str, file: &Path) {
    if !file.exists() {
        let ran = go_auth(&["completions", shell]).run_here();
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(file, ran.stdout).expect("written");
    }
}

/// The lines that a shell prints.
fn printed(command: &mut Command) -> BTreeSet<String> {
    let output = command.output().expect("a shell");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaints}");
    assert_eq!(complaints, "");
    text.lines().map(str::to_owned).collect()
}

/// fish completes only commands that can be found.
fn shell(name: &str, folder: &Path) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_go-auth"));
    let mut places = vec![program.parent().expect("a folder").to_owned()];
    places.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    let mut command = Command::new(name);
    command
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::join_paths(places).expect("a path"))
        .env("HOME", folder)
        .env("TERM", "dumb");
    command
}

fn script(name: &str) -> String {
    format!(
        "{}/tests/it/cli/completions/{name}",
        env!("CARGO_MANIFEST_DIR")
    )
}

fn bash(folder: &Path, line: &str) -> BTreeSet<String> {
    let file = folder.join(".complete.bash");
    installed("bash", &file);
    let mut bash = shell("bash", folder);
    bash.args(["--norc", &script("complete.bash"), path(&file)]);
    printed(bash.args(line.split(' ')))
}

/// As bash-completion has them: loaded at the first TAB.
fn bash_with_its_completion(folder: &Path, line: &str) -> BTreeSet<String> {
    let file = folder.join(".local/share/bash-completion/completions/go-auth");
    installed("bash", &file);
    let mut bash = shell("bash", folder);
    bash.env(
        "BASH_COMPLETION",
        "/usr/share/bash-completion/bash_completion",
    );
    bash.args(["--norc", &script("complete.bash"), path(&file)]);
    printed(bash.args(line.split(' ')))
}

fn zsh(folder: &Path, line: &str) -> BTreeSet<String> {
    let functions = folder.join(".functions");
    installed("zsh", &functions.join("_go-auth"));
    let out = folder.join(".candidates");
    let _ = std::fs::remove_file(&out);
    let mut zsh = shell("zsh", folder);
    zsh.args([
        "-f",
        &script("complete.zsh"),
        path(&functions),
        path(&out),
        line,
    ]);
    printed(&mut zsh);
    let text = std::fs::read_to_string(&out).expect("candidates");
    text.lines().map(|word| word.trim().to_owned()).collect()
}

fn fish(folder: &Path, line: &str) -> BTreeSet<String> {
    let file = folder.join(".config/fish/completions/go-auth.fish");
    installed("fish", &file);
    let mut fish = shell("fish", folder);
    let given = printed(fish.args(["-c", "complete --do-complete $argv[1]", line]));
    // Each with what it is, behind a tab.
    let word = |line: String| line.split('\t').next().unwrap_or_default().to_owned();
    given.into_iter().map(word).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn bash_completes_commands_flags_and_values() {
    assert_completes(bash, &[CASES, VALUES_OF_ARGUMENTS]);
}

/// Whatever flags there will be: those in its help.
#[cfg(target_os = "linux")]
#[test]
fn bash_completes_every_flag_of_every_command() {
    let folder = tempfile::tempdir().expect("a folder");
    for command in super::documented::commands() {
        let help = super::documented::help(&command);
        let lines = help.lines().map(str::trim_start);
        let lines = lines.map(|line| line.strip_prefix("-h, ").unwrap_or(line));
        let flags = lines.filter(|line| line.starts_with("--"));
        let flags: BTreeSet<_> = flags
            .filter_map(|line| line.split([' ', ',']).next())
            .map(str::to_owned)
            .collect();
        assert!(flags.contains("--json"), "{help}");
        let given = bash(folder.path(), &format!("{command} --"));
        let absent: Vec<_> = flags.difference(&given).collect();
        assert!(absent.is_empty(), "{command}: {absent:?}");
    }
}

#[test]
#[ignore = "needs bash-completion"]
fn bash_completion_loads_the_completions_of_bash() {
    assert_completes(bash_with_its_completion, &[CASES, VALUES_OF_ARGUMENTS]);
}

#[test]
#[ignore = "needs zsh"]
fn zsh_completes_commands_flags_and_values() {
    assert_completes(zsh, &[CASES, VALUES_OF_ARGUMENTS]);
}

#[test]
#[ignore = "needs fish"]
fn fish_completes_commands_flags_and_values() {
    assert_completes(fish, &[CASES]);
}
