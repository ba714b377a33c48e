//! The command `go-auth` as a process of its own, and `go-auth serve` above all.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use derbysoft_go_simulator::Simulator;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::watch;

use test_support::wire::{Reply, Wire, head};
use test_support::{millis, soon};

const LISTENING: &str = "listening on http://";
const STATUS: &str = " for the status";

/// A gate that serves, and ends when it is dropped.
pub(crate) struct GateProcess {
    pub(crate) address: SocketAddr,
    /// Of the status, where that has one of its own.
    pub(crate) status_address: Option<SocketAddr>,
    directory: TempDir,
    process: Process,
    said: watch::Receiver<Vec<String>>,
    log: watch::Receiver<Vec<String>>,
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

/// A gate that is to be run with a file of these settings, and the file's directory.
pub(crate) fn with_file(settings: &str) -> (Command, TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("go-auth.toml");
    std::fs::write(&file, settings).expect("written");
    let mut command = command();
    command.args(["serve", "--config"]).arg(file);
    (command, directory)
}

/// What takes nothing for a reader that does not read: a stream that is full.
pub(crate) fn full_stream() -> (UnixStream, Stdio) {
    let (reader, mut writer) = UnixStream::pair().expect("a pair of sockets");
    writer.set_nonblocking(true).expect("a socket");
    while writer.write(&[b'.'; 4096]).is_ok() {}
    writer.set_nonblocking(false).expect("a socket");
    (reader, OwnedFd::from(writer).into())
}

/// What fails each time it is written to, as a file on a full disk does.
#[cfg(target_os = "linux")]
pub(crate) fn full_disk() -> Stdio {
    let device = std::fs::OpenOptions::new().write(true).open("/dev/full");
    device.expect("Linux has it").into()
}

/// What a process that does not serve says, and its exit status.
pub(crate) async fn fails(set: impl FnOnce(&mut Command)) -> (Option<i32>, String) {
    let mut command = command();
    set(&mut command);
    let mut process = Process(command.spawn().expect("it runs"));
    let status = process.exit().await;
    let text = |stream: &mut dyn Read| {
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("UTF-8");
        text
    };
    let said = text(process.0.stdout.as_mut().expect("piped"));
    assert_eq!(said, "", "it does not listen");
    let told = text(process.0.stderr.as_mut().expect("piped"));
    (status.code(), told)
}

/// Ends when it is dropped.
pub(crate) struct Process(pub(crate) Child);

impl Process {
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

/// The lines of a stream, as they come.
fn lines_of(stream: impl Read + Send + 'static) -> watch::Receiver<Vec<String>> {
    let (sender, lines) = watch::channel(Vec::new());
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            sender.send_modify(|lines: &mut Vec<String>| lines.push(line));
        }
    });
    lines
}

async fn connect_to(address: SocketAddr) -> Wire<TcpStream> {
    let stream = soon(TcpStream::connect(address)).await;
    Wire::new(stream.expect("it listens"))
}

async fn get_over(mut wire: Wire<TcpStream>, path: &str) -> Reply {
    wire.write(head("GET", path, &[])).await;
    wire.reply().await
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl GateProcess {
    /// With a file of these settings.
    pub(crate) async fn start(settings: &str) -> Self {
        Self::start_over(settings, &[]).await
    }

    /// With such a file, and with these variables.
    pub(crate) async fn start_over(settings: &str, variables: &[(&str, &str)]) -> Self {
        Self::start_told(settings, &[], variables, 1).await
    }

    /// With such a file, and an address of its own for the status.
    pub(crate) async fn start_apart(settings: &str) -> Self {
        Self::start_told(settings, &[], &[("STATUS_LISTEN", "127.0.0.1:0")], 2).await
    }

    /// With these variables, and no file.
    pub(crate) async fn start_with(variables: &[(&str, &str)]) -> Self {
        let mut command = command();
        command.arg("serve").envs(variables.iter().copied());
        Self::spawn(command, tempfile::tempdir().expect("a directory"), 1).await
    }

    /// With this file of settings, these further arguments and these variables, which
    /// make it listen at so many addresses.
    pub(crate) async fn start_told(
        settings: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
        addresses: usize,
    ) -> Self {
        let (mut command, directory) = with_file(settings);
        command.args(arguments).envs(variables.iter().copied());
        Self::spawn(command, directory, addresses).await
    }

    /// With this file of settings, an address of its own for the status, and its log
    /// going where no test reads it.
    pub(crate) async fn start_logging_to(settings: &str, log: impl Into<Stdio>) -> Self {
        let (mut command, directory) = with_file(settings);
        command.stderr(log).env("STATUS_LISTEN", "127.0.0.1:0");
        Self::spawn(command, directory, 2).await
    }

    async fn spawn(mut command: Command, directory: TempDir, addresses: usize) -> Self {
        let mut process = Process(command.spawn().expect("it runs"));
        let child = &mut process.0;
        let mut said = lines_of(child.stdout.take().expect("piped"));
        let log = match child.stderr.take() {
            Some(log) => lines_of(log),
            None => lines_of(std::io::empty()),
        };
        let Ok(lines) = soon(said.wait_for(|lines| lines.len() >= addresses)).await else {
            panic!("it does not listen: {:?}", *log.borrow());
        };
        let address = |line: &String| {
            let address = line.strip_prefix(LISTENING).expect("an address");
            let address = address.strip_suffix(STATUS).unwrap_or(address);
            address.parse().expect("an address")
        };
        let (address, status_address) = (address(&lines[0]), lines.get(1).map(address));
        drop(lines);
        Self {
            address,
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
        use rustix::process::{Resource, getrlimit, prlimit};
        // It has inherited the limits of the tests.
        let mut limit = getrlimit(Resource::Nofile);
        if !may {
            limit.current = Some(0);
        }
        let pid = Pid::from_child(&self.process.0);
        prlimit(Some(pid), Resource::Nofile, limit).expect("it runs");
    }

    /// Has the settings read again, and waits for the line that tells how that went.
    pub(crate) async fn reload(&self) -> String {
        const OUTCOMES: [&str; 2] = ["settings reloaded", "the last good ones stay"];
        let outcomes = |lines: &[String]| -> Vec<String> {
            let is_outcome = |line: &&String| OUTCOMES.iter().any(|text| line.contains(text));
            lines.iter().filter(is_outcome).cloned().collect()
        };
        let before = outcomes(&self.log.borrow()).len();
        self.signal(Signal::HUP);
        let mut log = self.log.clone();
        let lines = soon(log.wait_for(|lines| outcomes(lines).len() > before)).await;
        outcomes(&lines.expect("it runs")).swap_remove(before)
    }

    /// Waits for a line of the log.
    pub(crate) async fn says(&self, text: &str) {
        let mut log = self.log.clone();
        let said = log.wait_for(|lines| lines.iter().any(|line| line.contains(text)));
        drop(soon(said).await.expect("it runs"));
    }

    /// All lines so far.
    pub(crate) fn log(&self) -> String {
        self.log.borrow().join("\n")
    }

    /// All lines on standard output so far.
    pub(crate) fn said(&self) -> Vec<String> {
        self.said.borrow().clone()
    }

    pub(crate) async fn connect(&self) -> Wire<TcpStream> {
        connect_to(self.address).await
    }

    /// Where the status is told, which has an address of its own.
    pub(crate) async fn connect_for_status(&self) -> Wire<TcpStream> {
        connect_to(self.status_address.expect("one of its own")).await
    }

    /// On a connection of its own, and without credentials.
    pub(crate) async fn get(&self, path: &str) -> Reply {
        get_over(self.connect().await, path).await
    }

    /// The same, where the status is told.
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

    /// The verdict on a token, on a connection of its own.
    pub(crate) async fn verdict(&self, token: &str) -> Reply {
        let mut wire = self.connect().await;
        wire.write(head("GET", "/auth", &[("Authorization", token)]))
            .await;
        wire.reply().await
    }

    /// Waits for it to end.
    pub(crate) async fn exit(&mut self) -> ExitStatus {
        self.process.exit().await
    }
}
