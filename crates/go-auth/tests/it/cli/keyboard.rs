//! A terminal at standard input: what is typed there arrives whole and is not shown, and
//! the terminal is as before when the program has ended.

use std::fs::File;
use std::io::{Read, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::{ffi::OsStr, thread};

use derbysoft_go_simulator::Fault;
use rustix::process::{Pid, Signal, WaitOptions, waitpid};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use tokio::sync::watch;

use super::{file, path};
use crate::process::Process;
use test_support::forge::{AUDIENCE, ISSUER, KID, NOW, document, good, mint};
use test_support::{World, soon};

const PROMPT: &str = "Ctrl-D:";

/// A pseudo-terminal, and what it has shown.
struct Terminal {
    typist: File,
    end: File,
    shown: watch::Receiver<String>,
}

impl Terminal {
    fn new() -> Self {
        let typist = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&typist).expect("granted");
        unlockpt(&typist).expect("unlocked");
        let name = ptsname(&typist, Vec::new()).expect("a name");
        let name = OsStr::from_bytes(name.to_bytes());
        let end = File::options().read(true).write(true).open(name);
        let typist = File::from(typist);
        let (sender, shown) = watch::channel(String::new());
        let mut screen = typist.try_clone().expect("a copy");
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
                sender.send_modify(|shown: &mut String| shown.push_str(&text));
            }
        });
        Self {
            typist,
            end: end.expect("its other end"),
            shown,
        }
    }

    fn stream(&self) -> Stdio {
        self.end.try_clone().expect("a copy").into()
    }

    /// Runs the program there, until it asks for the token.
    async fn asks(&self, command: &mut Command) -> Process {
        command.stdin(self.stream());
        command.stdout(self.stream()).stderr(self.stream());
        let program = Process::spawn(command);
        self.shows(PROMPT, 1).await;
        program
    }

    async fn shows(&self, text: &str, times: usize) {
        let mut shown = self.shown.clone();
        soon(shown.wait_for(|shown| shown.matches(text).count() == times))
            .await
            .expect("it runs");
    }

    async fn type_in(&self, text: &str) {
        let (text, mut to) = (text.to_owned(), self.typist.try_clone().expect("a copy"));
        let typing = tokio::task::spawn_blocking(move || to.write_all(text.as_bytes()));
        soon(typing).await.expect("typed").expect("a terminal");
    }

    fn has(&self, modes: LocalModes) -> bool {
        let now = tcgetattr(&self.end).expect("a terminal").local_modes;
        now.contains(modes)
    }

    /// All that it has shown, when nobody writes to it any more.
    async fn closed(self) -> String {
        drop(self.end);
        let mut shown = self.shown;
        soon(async { while shown.changed().await.is_ok() {} }).await;
        shown.borrow().clone()
    }
}

/// As terminals are by default.
const USUAL: LocalModes = LocalModes::ECHO
    .union(LocalModes::ICANON)
    .union(LocalModes::ISIG);

fn verify(keys: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_go-auth"));
    command
        .args(["verify", "--keys", keys, "--at", &NOW.to_string()])
        .args(["--issuer", ISSUER, "--audience", AUDIENCE])
        .env_clear();
    command
}

#[tokio::test]
async fn what_is_typed_is_whole_and_not_shown() {
    let keys = file(document(&[good().jwk(KID)]));
    let short = mint().token();
    // Longer than a line that Linux hands on, and folded as by a mail client.
    let long = mint().audiences([AUDIENCE, &"x".repeat(5000)]).token();
    let (head, tail) = long.split_at(3000);
    for (typed, shown, status) in [
        (format!("{short}\n\u{4}"), "valid", 0),
        (format!("{short}\u{4}"), "valid", 0),
        (format!("Authorization: Bearer {short}\r\u{4}"), "valid", 0),
        (format!("{long}\n\u{4}"), "valid", 0),
        (format!("{head}\n  {tail}\n\u{4}"), "valid", 0),
        (format!("wrong\u{15}{short}x\u{7f}\n\u{4}"), "valid", 0),
        (format!("{}\n\u{4}", "q".repeat(100_000)), "too_long", 1),
        ("\u{4}".to_owned(), "no token", 64),
    ] {
        let terminal = Terminal::new();
        assert!(terminal.has(USUAL));
        let mut program = terminal.asks(&mut verify(path(&keys))).await;
        assert!(!terminal.has(LocalModes::ECHO) && !terminal.has(LocalModes::ICANON));
        assert!(terminal.has(LocalModes::ISIG), "Ctrl-C ends it");
        terminal.type_in(&typed).await;
        let ended = program.exit().await;
        assert!(terminal.has(USUAL));
        let text = terminal.closed().await;
        assert_eq!(ended.code(), Some(status), "{text}");
        assert!(text.contains(shown), "{text}");
        for secret in [&short[..20], &long[long.len() - 20..], "qqqqq"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[tokio::test]
async fn a_signal_sets_the_terminal_back() {
    let keys = file(document(&[good().jwk(KID)]));
    let folder = tempfile::tempdir().expect("a folder");
    for signal in [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM] {
        let terminal = Terminal::new();
        let command = &mut verify(path(&keys));
        // Where one of them leaves a core.
        let mut program = terminal.asks(command.current_dir(&folder)).await;
        terminal.type_in("half a tok").await;
        program.signal(signal);
        let ended = program.exit().await;
        assert_eq!(ended.signal(), Some(signal.as_raw()));
        assert!(terminal.has(USUAL), "{signal:?}");
    }
}

#[tokio::test]
async fn a_stop_sets_the_terminal_back_and_asks_anew() {
    let keys = file(document(&[good().jwk(KID)]));
    let terminal = Terminal::new();
    let mut program = terminal.asks(&mut verify(path(&keys))).await;
    // Nobody sees it afterwards.
    terminal.type_in("half a tok").await;
    program.signal(Signal::TSTP);
    let pid = Pid::from_child(&program.0);
    let stopped = tokio::task::spawn_blocking(move || waitpid(Some(pid), WaitOptions::UNTRACED));
    let stopped = soon(stopped).await.expect("waited").expect("a child");
    assert!(stopped.is_some_and(|(_, status)| status.stopped()));
    assert!(terminal.has(USUAL));

    program.signal(Signal::CONT);
    terminal.shows(PROMPT, 2).await;
    assert!(!terminal.has(LocalModes::ECHO));
    let token = mint().token();
    terminal.type_in(&format!("{token}\n\u{4}")).await;
    assert_eq!(program.exit().await.code(), Some(0));
    assert!(terminal.has(USUAL));
    assert!(!terminal.closed().await.contains(&token));
}

/// A shell has its terminal otherwise while it reads a line itself.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_was_started_in_the_background_sets_the_terminal_back() {
    const SHELL: &str = "set -m; stty -echo -icanon; \"$@\" & \
        until grep -q '^State:.T' /proc/$!/status; do :; done; \
        stty echo icanon; fg; stty -a | tr ' ;' '\\n\\n' | grep -x -e '-*echo' -e '-*icanon'";
    let keys = file(document(&[good().jwk(KID)]));
    let terminal = Terminal::new();
    let typed = verify(path(&keys));
    let mut command = Command::new("setsid");
    command
        .args(["--ctty", "--wait", "sh", "-c", SHELL, "sh"])
        .arg(typed.get_program())
        .args(typed.get_args())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let mut shell = terminal.asks(&mut command).await;
    // It has the terminal open.
    drop(command);
    terminal
        .type_in(&format!("{}\n\u{4}", mint().token()))
        .await;
    shell.exit().await;
    let text = terminal.closed().await;
    assert!(text.contains("valid"), "{text}");
    let modes: Vec<_> = (text.lines().map(str::trim))
        .filter(|line| line.ends_with("echo") || line.ends_with("icanon"))
        .collect();
    assert_eq!(modes.len(), 2, "{text}");
    assert!(!modes.iter().any(|it| it.starts_with('-')), "{text}");
}

/// It was caught only while somebody typed.
#[tokio::test]
async fn a_signal_after_the_typing_ends_it_too() {
    let world = World::new().await;
    world.go.fail(Fault::Hang);
    let terminal = Terminal::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_go-auth"));
    command
        .args(["verify", "--jwks-url", &world.go.jwks_url()])
        .args(["--fetch-timeout", "1m"])
        .args(["--issuer", world.go.issuer()])
        .args(["--audience", world.go.audience()])
        .env_clear();
    let mut program = terminal.asks(&mut command).await;
    terminal.type_in(&format!("{}\n\u{4}", world.token())).await;
    soon(world.go.wait_for_fetches(1)).await;
    assert!(terminal.has(USUAL));
    program.signal(Signal::INT);
    assert_eq!(program.exit().await.signal(), Some(Signal::INT.as_raw()));
}
