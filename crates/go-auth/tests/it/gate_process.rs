//! `go-auth serve` as a process.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

use derbysoft_go_simulator::Simulator;
use rustix::process::Signal;
#[cfg(target_os = "linux")]
use rustix::process::{Pid, Resource, getrlimit, prlimit};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::process::{Lines, Process, command};
use test_support::wire::{Reply, Wire, head};
use test_support::{millis, settle, soon};

const LISTENING: &str = "listening on http://";
const LISTENING_AT_SOCKET: &str = "listening on unix:";
const STATUS: &str = " for the status";

/// A gate that serves, and ends when it is dropped.
pub(crate) struct GateProcess {
    /// Port 0 of no host where it listens at a socket.
    pub(crate) address: SocketAddr,
    /// Of the verdicts, where it listens at one.
    pub(crate) socket: Option<PathBuf>,
    /// Of the status, where that has a separate one over TCP.
    pub(crate) status_address: Option<SocketAddr>,
    directory: TempDir,
    process: Process,
    said: Lines,
    log: Lines,
}

/// Settings that trust this GO, and what is given of others.
pub(crate) fn settings_of(go: &Simulator, more: &str) -> String {
    format!(
        "issuer = \"{}\"\naudience = [\"{}\"]\njwks_url = \"{}\"\n{more}\n",
        go.issuer(),
        go.audience(),
        go.jwks_url()
    )
}

/// A gate that is to be run with a file of these settings, and the file's directory.
pub(crate) fn with_file(settings: &str) -> (Command, TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("go-auth.toml");
    std::fs::write(&file, settings).expect("written");
    let mut command = command();
    command.args(["serve", "--config"]).arg(file);
    (command, directory)
}

async fn connect_to(address: SocketAddr) -> Wire<TcpStream> {
    let stream = soon(TcpStream::connect(address)).await;
    Wire::new(stream.expect("it listens"))
}

/// Connections that each got their answer to this request, and are kept open.
pub(crate) async fn kept_open(
    address: SocketAddr,
    most: usize,
    request: &str,
) -> Vec<Wire<TcpStream>> {
    let mut open = Vec::new();
    for _ in 0..most {
        let mut wire = connect_to(address).await;
        wire.write(request).await;
        assert_eq!(wire.reply().await.status, 200);
        open.push(wire);
    }
    open
}

/// A connection whose request is sent, and gets no answer for now.
pub(crate) async fn unanswered(address: SocketAddr, request: &str) -> Wire<TcpStream> {
    let stream = TcpStream::connect(address).await.expect("it listens");
    stream.writable().await.expect("connected");
    let written = stream.try_write(request.as_bytes()).expect("written");
    assert_eq!(written, request.len());
    settle().await;
    let nothing = stream.try_read(&mut [0]).expect_err("no answer yet");
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    Wire::new(stream)
}

async fn get_over(mut wire: Wire<TcpStream>, path: &str) -> Reply {
    wire.write(head("GET", path, &[])).await;
    wire.reply().await
}

async fn verdict_over<S>(mut wire: Wire<S>, token: &str) -> Reply
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    wire.write(head("GET", "/auth", &[("Authorization", token)]))
        .await;
    wire.reply().await
}

impl GateProcess {
    /// With a file of these settings.
    pub(crate) async fn start(settings: &str) -> Self {
        Self::start_over(settings, &[]).await
    }

    /// With such a file, and with these variables.
    pub(crate) async fn start_over(settings: &str, variables: &[(&str, &str)]) -> Self {
        Self::start_given(settings, &[], variables, 1).await
    }

    /// With such a file, and a separate address for the status.
    pub(crate) async fn start_apart(settings: &str) -> Self {
        Self::start_given(settings, &[], &[("STATUS_LISTEN", "127.0.0.1:0")], 2).await
    }

    /// With such a file, at these addresses of the verdicts and the status.
    pub(crate) async fn start_at(settings: &str, verdicts: &str, status: &str) -> Self {
        let arguments = ["--listen", verdicts, "--status-listen", status];
        Self::start_given(settings, &arguments, &[], 2).await
    }

    /// With these variables, and no file.
    pub(crate) async fn start_with(variables: &[(&str, &str)]) -> Self {
        let mut command = command();
        command.arg("serve").envs(variables.iter().copied());
        Self::spawn(command, tempfile::tempdir().expect("a directory"), 1).await
    }

    /// With this file of settings, these further arguments and these variables, which
    /// make it listen at so many addresses.
    pub(crate) async fn start_given(
        settings: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
        addresses: usize,
    ) -> Self {
        let (mut command, directory) = with_file(settings);
        command.args(arguments).envs(variables.iter().copied());
        Self::spawn(command, directory, addresses).await
    }

    /// With this file of settings, a separate address for the status, and a log that no
    /// test reads.
    pub(crate) async fn start_logging_to(settings: &str, log: impl Into<Stdio>) -> Self {
        Self::start_with_log(settings, "text", log).await
    }

    /// The same, with a log of this format.
    pub(crate) async fn start_with_log(
        settings: &str,
        format: &str,
        log: impl Into<Stdio>,
    ) -> Self {
        let (mut command, directory) = with_file(settings);
        command.stderr(log).env("LOG_FORMAT", format);
        command.env("STATUS_LISTEN", "127.0.0.1:0");
        Self::spawn(command, directory, 2).await
    }

    /// By this command, with this directory of its settings, at so many addresses.
    pub(crate) async fn spawn(command: Command, directory: TempDir, addresses: usize) -> Self {
        let (process, said, log) = Process::with_lines(command);
        let lines = said.enough(|lines| lines.len() >= addresses).await;
        let lines = lines.unwrap_or_else(|| panic!("it does not listen: {:?}", log.so_far()));
        let address = |line: &String| {
            let address = line.strip_prefix(LISTENING).expect("an address");
            let address = address.strip_suffix(STATUS).unwrap_or(address);
            address.parse().expect("an address")
        };
        let is_tcp = |line: &&String| line.starts_with(LISTENING);
        let status_address = lines.get(1).filter(is_tcp).map(address);
        let socket = lines[0]
            .strip_prefix(LISTENING_AT_SOCKET)
            .map(PathBuf::from);
        let address = match socket {
            Some(_) => SocketAddr::from(([0; 4], 0)),
            None => address(&lines[0]),
        };
        Self {
            address,
            socket,
            status_address,
            directory,
            process,
            said,
            log,
        }
    }

    /// Replaces the settings as a whole; they are read at the next reload.
    pub(crate) fn configure(&self, settings: &str) {
        let temporary = self.directory.path().join("new.toml");
        std::fs::write(&temporary, settings).expect("written");
        std::fs::rename(temporary, self.directory.path().join("go-auth.toml")).expect("replaced");
    }

    /// The file of its settings.
    pub(crate) fn settings(&self) -> PathBuf {
        self.directory.path().join("go-auth.toml")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Lets it open files, connections among them, or no more of them.
    #[cfg(target_os = "linux")]
    pub(crate) fn let_open_files(&self, may: bool) {
        self.limit(Resource::Nofile, (!may).then_some(0));
    }

    /// Sets a limit for it, or the one that it has inherited from the tests.
    #[cfg(target_os = "linux")]
    pub(crate) fn limit(&self, resource: Resource, most: Option<u64>) {
        let mut limit = getrlimit(resource);
        limit.current = most.or(limit.current);
        let pid = Pid::from_child(&self.process.0);
        prlimit(Some(pid), resource, limit).expect("it runs");
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.process.0.id()
    }

    /// Reloads the settings, and waits for the line with the outcome.
    pub(crate) async fn reload(&self) -> String {
        const OUTCOMES: [&str; 2] = ["settings reloaded", "the last good ones stay"];
        let outcomes = |lines: &[String]| -> Vec<String> {
            let is_outcome = |line: &&String| OUTCOMES.iter().any(|text| line.contains(text));
            lines.iter().filter(is_outcome).cloned().collect()
        };
        let before = outcomes(&self.log.so_far()).len();
        self.signal(Signal::HUP);
        let enough = self.log.enough(|lines| outcomes(lines).len() > before);
        outcomes(&enough.await.expect("it runs")).swap_remove(before)
    }

    /// Waits for a line of the log.
    pub(crate) async fn says(&self, text: &str) {
        self.log.says(text).await;
    }

    /// All lines so far.
    pub(crate) fn log(&self) -> String {
        self.log.so_far().join("\n")
    }

    /// All lines on standard output so far.
    pub(crate) fn said(&self) -> Vec<String> {
        self.said.so_far()
    }

    pub(crate) async fn connect(&self) -> Wire<TcpStream> {
        connect_to(self.address).await
    }

    /// To the separate address of the status.
    pub(crate) async fn connect_for_status(&self) -> Wire<TcpStream> {
        connect_to(self.status_address.expect("one of its own")).await
    }

    /// On a new connection, without credentials.
    pub(crate) async fn get(&self, path: &str) -> Reply {
        get_over(self.connect().await, path).await
    }

    /// The same, at the address of the status.
    pub(crate) async fn get_status(&self, path: &str) -> Reply {
        get_over(self.connect_for_status().await, path).await
    }

    /// Waits until the verdict on a token is this one.
    pub(crate) async fn comes_to(&self, token: &str, status: u16) {
        soon(async {
            while self.verdict(token).await.status != status {
                tokio::time::sleep(millis(20)).await;
            }
        })
        .await;
    }

    /// The verdict on a token, on a new connection.
    pub(crate) async fn verdict(&self, token: &str) -> Reply {
        match &self.socket {
            Some(socket) => {
                let stream = soon(UnixStream::connect(socket)).await;
                verdict_over(Wire::new(stream.expect("it listens")), token).await
            }
            None => verdict_over(self.connect().await, token).await,
        }
    }

    /// Waits for it to end.
    pub(crate) async fn exit(&mut self) -> ExitStatus {
        self.process.exit().await
    }
}
