//! A gate with everything that may fail: log, snapshot, files and sockets.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use derbysoft_go_auth::access_token::Api;
use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_simulator::{Fault, Simulator};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::fault::Begun;
use super::strace;
use crate::gate_process::{GateProcess, settings_of, with_file};
use crate::process::{around, filled_stream, full_disk, full_stream};
use test_support::distributor::{entry, now};
use test_support::wire::{Reply, Wire, head};
use test_support::{eventually, millis, secs};

/// Settings in which as much happens in a second as by default in minutes.
const QUICK: &str = "refresh_interval = \"1s\"\ncooldown = \"1s\"\nkey_wait = \"300ms\"\n\
                     connect_timeout = \"1s\"\nfetch_timeout = \"2s\"";

pub(super) const TOKENS: [&str; 2] = [
    "53ac0777aaaaaaaaaaaaaaaaaaaaaaaa",
    "53ac0777bbbbbbbbbbbbbbbbbbbbbbbb",
];

/// An audience that some settings accept and others do not.
const EXTRA: &str = "EXTRA";

/// Where the keys come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Address,
    /// The same, by a name.
    Name,
    File,
}

/// What standard error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogTo {
    File,
    FullDisk,
    /// A stream that is full, until somebody reads it.
    NobodyReads,
    /// The same, where writing does not wait but fails.
    NobodyReadsNonBlocking,
    ReaderGone,
    Closed,
}

/// What a row may change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Set {
    pub(super) source: Source,
    pub(super) log: LogTo,
    pub(super) format: &'static str,
}

pub(super) struct Stage {
    pub(super) go: Simulator,
    pub(super) gate: GateProcess,
    pub(super) set: Set,
    pub(super) files: Files,
    verdicts: Arc<Client>,
    status: Arc<Client>,
    unread_log: Option<UnixStream>,
    read_log: Arc<Mutex<Vec<u8>>>,
}

/// The files that it reads and writes.
pub(super) struct Files(TempDir);

/// A client that keeps its connection, as a proxy does, and opens another where that has
/// ended.
struct Client {
    address: SocketAddr,
    wire: tokio::sync::Mutex<Option<Wire<TcpStream>>>,
}

impl Files {
    pub(super) fn new() -> Self {
        let files = Self(tempfile::tempdir().expect("a directory"));
        fs::create_dir(files.state()).expect("a directory");
        files
    }

    pub(super) fn directory(&self) -> &Path {
        self.0.path()
    }

    /// The directory of the snapshot.
    pub(super) fn state(&self) -> PathBuf {
        self.0.path().join("state")
    }

    pub(super) fn snapshot(&self) -> PathBuf {
        self.state().join("snapshot.json")
    }

    pub(super) fn tokens(&self) -> PathBuf {
        self.0.path().join("tokens.toml")
    }

    pub(super) fn keys(&self) -> PathBuf {
        self.0.path().join("keys.json")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.0.path().join("gate.log")
    }

    /// Replaces a file as a whole, as the guides ask; also where it was put aside.
    pub(super) fn replace(&self, path: &Path, content: impl AsRef<[u8]>) {
        let temporary = self.0.path().join("new");
        fs::write(&temporary, content).expect("written");
        let aside = aside(path);
        let path = if aside.exists() { &aside } else { path };
        fs::rename(temporary, path).expect("replaced");
    }

    /// Two Access Tokens; the first may be revoked.
    pub(super) fn write_tokens(&self, revoked: bool) {
        let of = |token, issued| entry(&Api::AVAILABILITY_PEER, token, issued);
        // The second is the previous one, for which there are seven days.
        let an_hour_ago = UnixTime::from_secs(now().as_secs() - 60 * 60);
        let (first, second) = (of(TOKENS[0], now()), of(TOKENS[1], an_hour_ago));
        let revoked = if revoked { "revoked = true\n" } else { "" };
        self.replace(&self.tokens(), format!("{first}{revoked}{second}"));
    }

    /// What writers have left beside the snapshot.
    pub(super) fn leftovers(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.state()).expect("a directory");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        paths.filter(|path| *path != self.snapshot()).collect()
    }
}

impl Client {
    fn of(address: SocketAddr) -> Arc<Self> {
        let client = Arc::new(Self {
            address,
            wire: tokio::sync::Mutex::default(),
        });
        let kept = Arc::downgrade(&client);
        // A connection that is idle for ten seconds is closed.
        tokio::spawn(async move {
            while let Some(client) = kept.upgrade() {
                let mut wire = client.wire.lock().await;
                if let Some(open) = &mut *wire
                    && open.ask(&head("GET", "/", &[])).await.is_none()
                {
                    *wire = None;
                }
                drop(wire);
                drop(client);
                tokio::time::sleep(secs(1)).await;
            }
        });
        client
    }

    async fn ask(&self, request: &str) -> Reply {
        let asked = async {
            let mut wire = self.wire.lock().await;
            loop {
                if wire.is_none() {
                    *wire = TcpStream::connect(self.address).await.ok().map(Wire::new);
                }
                if let Some(open) = &mut *wire
                    && let Some(reply) = open.ask(request).await
                {
                    return reply;
                }
                *wire = None;
                tokio::time::sleep(millis(20)).await;
            }
        };
        let Ok(reply) = tokio::time::timeout(secs(30), asked).await else {
            panic!(
                "no answer to {}",
                request.lines().next().unwrap_or_default()
            );
        };
        reply
    }
}

/// Where a file is while something else is in its place.
pub(super) fn aside(path: &Path) -> PathBuf {
    path.with_extension("aside")
}

/// Waits until it holds; panics where it does not.
pub(super) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waited = async {
        while !holds().await {
            tokio::time::sleep(millis(50)).await;
        }
    };
    let held = tokio::time::timeout(secs(40), waited).await;
    assert!(held.is_ok(), "this never happened: {what}");
}

impl Stage {
    /// A gate that serves, accepts what is genuine, and has written its snapshot.
    pub(super) async fn start(set: Set) -> Self {
        let go = Simulator::start().await.expect("a free port");
        go.retire_all_but_current();
        let files = Files::new();
        files.write_tokens(false);
        if set.source == Source::File {
            files.replace(&files.keys(), go.document());
        }
        let (unread_log, log) = log_of(set.log, &files);
        let settings = settings(&go, set.source, &files, false);
        let gate = if let Some(log) = log {
            GateProcess::start_with_log(&settings, set.format, log).await
        } else {
            let (mut command, directory) = with_file(&settings);
            command.env("STATUS_LISTEN", "127.0.0.1:0");
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", r#"exec "$0" "$@" 2>&-"#]);
            GateProcess::spawn(around(&command, shell), directory, 2).await
        };
        let status = gate.status_address.expect("one of its own");
        let stage = Self {
            verdicts: Client::of(gate.address),
            status: Client::of(status),
            go,
            gate,
            set,
            files,
            unread_log,
            read_log: Arc::default(),
        };
        stage.accepts(&stage.go.token()).await;
        stage.accepts(TOKENS[0]).await;
        stage.has_written(&stage.go.signing_kid()).await;
        stage
    }

    /// The status of the verdict.
    pub(super) async fn verdict(&self, token: &str) -> u16 {
        let request = head("GET", "/auth", &[("Authorization", token)]);
        self.verdicts.ask(&request).await.status
    }

    /// A genuine token gets 200, and until then 503.
    pub(super) async fn accepts(&self, token: &str) {
        let so = until("a genuine token is accepted", async || {
            let status = self.verdict(token).await;
            assert!([200, 503].contains(&status), "{status} for a genuine token");
            status == 200
        });
        so.await;
    }

    pub(super) async fn status(&self, path: &str) -> Reply {
        self.status.ask(&head("GET", path, &[])).await
    }

    /// A metric without labels, or with these.
    pub(super) async fn metric(&self, name: &str) -> u64 {
        let metrics = self.status("/metrics").await.body;
        let mut lines = metrics.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.expect(name).parse().expect("a number")
    }

    /// Waits until the snapshot has this key.
    pub(super) async fn has_written(&self, kid: &str) {
        if self.set.source != Source::File {
            let so = until("the snapshot is written", async || {
                self.snapshot().is_some_and(|text| text.contains(kid))
            });
            so.await;
        }
    }

    /// What is in the snapshot, which is never half written.
    pub(super) fn snapshot(&self) -> Option<String> {
        let path = self.files.snapshot();
        // A pipe would never be read to its end.
        let is_file = fs::metadata(&path).is_ok_and(|found| found.is_file());
        let text = is_file.then(|| fs::read_to_string(path))?.ok()?;
        serde_json::from_str::<serde_json::Value>(&text).expect("a whole snapshot");
        Some(text)
    }

    /// Another key signs, and no other is published. The token of the one before.
    pub(super) fn rotate(&self) -> String {
        let withdrawn = self.go.mint().expires_in(3600).token();
        let kid = self.go.signing_kid();
        self.go.rotate();
        self.go.retire(&kid);
        self.publish();
        withdrawn
    }

    fn publish(&self) {
        if self.set.source == Source::File {
            self.files.replace(&self.files.keys(), self.go.document());
        }
    }

    /// GO's keys can't be fetched.
    pub(super) fn outage(&self) {
        self.go.fail(Fault::Cut);
        if self.set.source == Source::File {
            self.files.replace(&self.files.keys(), "{");
        }
    }

    pub(super) fn heal(&self) {
        self.go.heal();
        self.publish();
    }

    /// Sends SIGHUP with settings that accept the further audience or do not, and waits
    /// for what becomes of it. A reload may be refused if it `may_fail`; `known` signs.
    pub(super) async fn reload(&self, extra: bool, known: &str, may_fail: bool) {
        let settings = settings(&self.go, self.set.source, &self.files, extra);
        self.files.replace(&self.gate.settings(), settings);
        if may_fail {
            let ended = async || {
                let of = |result| format!("go_auth_gate_reloads_total{{result=\"{result}\"}}");
                self.metric(&of("done")).await + self.metric(&of("refused")).await
            };
            let before = ended().await;
            self.gate.signal(Signal::HUP);
            until("the reload is done or refused", async || {
                ended().await > before
            })
            .await;
        } else {
            self.gate.signal(Signal::HUP);
            let token = self.go.mint_as(known).audience(EXTRA).token();
            let expected = if extra { 200 } else { 401 };
            until("the reload takes effect", async || {
                self.verdict(&token).await == expected
            })
            .await;
        }
    }

    /// A token of a key that nobody knows, otherwise as GO's.
    pub(super) fn unknown(&self) -> String {
        let kid = format!("{:x}", fastrand::u64(..));
        self.go.mint().kid(kid).token()
    }

    /// What is in the log.
    pub(super) fn log(&self) -> String {
        let bytes = match self.set.log {
            LogTo::File => fs::read(self.files.log()).expect("a log"),
            _ => (self.read_log.lock().unwrap_or_else(PoisonError::into_inner)).clone(),
        };
        // What the stream was filled with.
        let text = String::from_utf8(bytes).expect("UTF-8");
        text.trim_start_matches('.').to_owned()
    }

    /// Reads a log that nobody has read so far, where somebody can.
    pub(super) fn read_log(&self) {
        let Some(log) = &self.unread_log else {
            return;
        };
        let mut log = log.try_clone().expect("a socket");
        let read = Arc::clone(&self.read_log);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = log.read(&mut bytes) {
                let mut read = read.lock().unwrap_or_else(PoisonError::into_inner);
                read.write_all(&bytes[..length]).expect("memory");
            }
        });
    }

    /// How many files and threads it has.
    pub(super) fn files_and_threads(&self) -> [usize; 2] {
        ["fd", "task"].map(|what| {
            let path = format!("/proc/{}/{what}", self.gate.id());
            fs::read_dir(path).map_or(0, Iterator::count)
        })
    }

    /// It ends by SIGTERM, while the fault lasts.
    pub(super) async fn ends(&mut self, fault: Begun) {
        self.gate.signal(Signal::TERM);
        eventually("it ends", || strace::has_ended(self.gate.id())).await;
        drop(fault);
        assert_eq!(self.gate.exit().await.code(), Some(0));
    }
}

/// With these files, and the further audience or not.
pub(super) fn settings(go: &Simulator, source: Source, files: &Files, extra: bool) -> String {
    let paths = [files.tokens(), files.snapshot(), files.keys()];
    let [tokens, snapshot, keys] = paths.map(|path| path.display().to_string());
    let tokens = format!("access_tokens = {tokens:?}\n{QUICK}\n");
    let settings = match source {
        Source::Address | Source::Name => {
            let snapshot = format!("{tokens}snapshot = {snapshot:?}");
            let settings = settings_of(go, &snapshot);
            if source == Source::Name {
                settings.replace("http://127.0.0.1:", "http://localhost:")
            } else {
                settings
            }
        }
        Source::File => {
            let keys = format!("jwks_file = {keys:?}");
            let address = format!("jwks_url = \"{}\"", go.jwks_url());
            settings_of(go, &tokens).replace(&address, &keys)
        }
    };
    let audience = format!("audience = [\"{}\"", go.audience());
    let more = format!("{audience}, \"{EXTRA}\"");
    if extra {
        settings.replace(&audience, &more)
    } else {
        settings
    }
}

/// A stream that nobody reads, and standard error; `None` if that is closed.
fn log_of(log: LogTo, files: &Files) -> (Option<UnixStream>, Option<Stdio>) {
    match log {
        LogTo::File => {
            let file = fs::OpenOptions::new();
            let file = { file }.append(true).create(true).open(files.log());
            (None, Some(file.expect("a log").into()))
        }
        LogTo::FullDisk => (None, Some(full_disk())),
        LogTo::NobodyReads => {
            let (reader, log) = full_stream();
            (Some(reader), Some(log))
        }
        LogTo::NobodyReadsNonBlocking => {
            let (reader, log) = filled_stream();
            (Some(reader), Some(OwnedFd::from(log).into()))
        }
        LogTo::ReaderGone => (None, Some(std::io::pipe().expect("a pipe").1.into())),
        LogTo::Closed => (None, None),
    }
}
