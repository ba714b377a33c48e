//! The command `go-auth` as a process.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::watch;

use test_support::{millis, soon};

/// Without the environment of the tests, which may name a proxy.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_go-auth"));
    command
        .env_clear()
        .env("LISTEN", "127.0.0.1:0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Another command around one: its program, arguments and environment.
#[cfg(target_os = "linux")]
pub(crate) fn around(command: &Command, mut other: Command) -> Command {
    other.env_clear();
    for (name, value) in command.get_envs() {
        other.env(name, value.unwrap_or_default());
    }
    other.arg(command.get_program()).args(command.get_args());
    other.stdin(Stdio::null());
    other.stdout(Stdio::piped()).stderr(Stdio::piped());
    other
}

/// A reader that does not read: a stream that is full.
pub(crate) fn full_stream() -> (UnixStream, Stdio) {
    let (reader, writer) = filled_stream();
    writer.set_nonblocking(false).expect("a socket");
    (reader, OwnedFd::from(writer).into())
}

/// The same, where writing does not wait but fails.
pub(crate) fn filled_stream() -> (UnixStream, UnixStream) {
    let (reader, mut writer) = UnixStream::pair().expect("a pair of sockets");
    writer.set_nonblocking(true).expect("a socket");
    while writer.write(&[b'.'; 4096]).is_ok() {}
    (reader, writer)
}

/// Fails at each write, as a file on a full disk does.
#[cfg(target_os = "linux")]
pub(crate) fn full_disk() -> Stdio {
    let device = std::fs::OpenOptions::new().write(true).open("/dev/full");
    device.expect("Linux has it").into()
}

/// The exit status of a process that does not serve, and its standard error.
pub(crate) async fn fails(set: impl FnOnce(&mut Command)) -> (Option<i32>, String) {
    let mut command = command();
    set(&mut command);
    let mut process = Process::spawn(&mut command);
    let status = process.exit().await;
    let text = |stream: &mut dyn Read| {
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("UTF-8");
        text
    };
    let stdout = text(process.0.stdout.as_mut().expect("piped"));
    assert_eq!(stdout, "", "it does not listen");
    let stderr = text(process.0.stderr.as_mut().expect("piped"));
    (status.code(), stderr)
}

/// Ends when it is dropped.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self(command.spawn().expect("it runs"))
    }

    /// A process, the lines of its standard output, and those of its log, where these are
    /// piped.
    pub(crate) fn with_lines(mut command: Command) -> (Self, Lines, Lines) {
        let mut process = Self::spawn(&mut command);
        let stdout = Lines::of_some(process.0.stdout.take());
        let log = Lines::of_some(process.0.stderr.take());
        (process, stdout, log)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).expect("it runs");
    }

    pub(crate) async fn exit(&mut self) -> ExitStatus {
        soon(async {
            loop {
                if let Some(status) = self.0.try_wait().expect("a child") {
                    return status;
                }
                tokio::time::sleep(millis(5)).await;
            }
        })
        .await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The lines of a stream, as they come.
pub(crate) struct Lines(watch::Receiver<Vec<String>>);

impl Lines {
    fn of_some(stream: Option<impl Read + Send + 'static>) -> Self {
        match stream {
            Some(stream) => Self::of(stream),
            None => Self::of(std::io::empty()),
        }
    }

    fn of(stream: impl Read + Send + 'static) -> Self {
        let (sender, lines) = watch::channel(Vec::new());
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                sender.send_modify(|lines: &mut Vec<String>| lines.push(line));
            }
        });
        Self(lines)
    }

    /// Waits until there are enough; `None` where the stream ends before.
    pub(crate) async fn enough(
        &self,
        is_enough: impl Fn(&[String]) -> bool,
    ) -> Option<Vec<String>> {
        let mut lines = self.0.clone();
        let enough = soon(lines.wait_for(|lines| is_enough(lines))).await;
        enough.ok().map(|lines| lines.clone())
    }

    /// Waits for a line with this text.
    pub(crate) async fn says(&self, text: &str) {
        let said = self.enough(|lines| lines.iter().any(|line| line.contains(text)));
        said.await.expect("it runs");
    }

    pub(crate) fn so_far(&self) -> Vec<String> {
        self.0.borrow().clone()
    }
}
