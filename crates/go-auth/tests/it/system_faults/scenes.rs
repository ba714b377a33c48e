//! What is no row of the table: faults of the start and the end, and strangers.

use std::fs;
use std::future::pending;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use derbysoft_go_simulator::{Fault, Simulator};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::fault::Begun;
use super::rows::{CLONE, HANG, OPEN};
use super::stage::{Files, LogTo, Set, Source, Stage, settings, until};
use super::strace::{Injection, has_delayed, has_ended, let_go, tracer_of};
use crate::gate_process::{GateProcess, settings_of, with_file};
use crate::process::{Lines, Process};
use test_support::wire::{Wire, head};
use test_support::{eventually, millis, secs, settle, soon};

const PLAIN: Set = Set {
    source: Source::Address,
    log: LogTo::File,
    format: "text",
};

/// A gate that is started within strace.
struct Traced {
    process: Process,
    said: Lines,
    log: Lines,
    output: PathBuf,
    _settings: TempDir,
}

impl Traced {
    /// With this fault, of the settings themselves or of this file.
    fn start(settings: &str, calls: &'static str, what: &'static str, of: Of) -> Self {
        let (mut command, directory) = with_file(settings);
        command.env("STATUS_LISTEN", "127.0.0.1:0");
        let of = match of {
            Of::Anything => vec![],
            Of::Settings => vec![directory.path().join("go-auth.toml")],
            Of::File(path) => vec![path],
        };
        let output = directory.path().join("strace");
        let injection = Injection { calls, what, of };
        let command = injection.at_the_start(&command, &output);
        let (process, said, log) = Process::with_lines(command);
        Self {
            process,
            said,
            log,
            output,
            _settings: directory,
        }
    }

    /// A connection to the verdicts; `None` where it ends before it listens.
    async fn connect(&self) -> Option<Wire<TcpStream>> {
        let lines = self.said.enough(|lines| lines.len() == 2).await?;
        let address = lines[0].strip_prefix("listening on http://");
        let stream = TcpStream::connect(address.expect("an address")).await;
        Some(Wire::new(stream.expect("it listens")))
    }

    async fn comes_to(&self, token: &str, status: u16) {
        let mut wire = self.connect().await.expect("it listens");
        let request = head("GET", "/auth", &[("Authorization", token)]);
        until("the verdict is another", async || {
            wire.ask(&request).await.expect("an answer").status == status
        })
        .await;
    }

    async fn ends(&mut self) {
        let process = self.process.0.id();
        let tracer = tracer_of(process);
        self.process.signal(Signal::TERM);
        eventually("it ends", || has_ended(process)).await;
        if let Some(tracer) = tracer {
            let_go(tracer, process);
        }
        assert_eq!(self.process.exit().await.code(), Some(0));
    }
}

enum Of {
    Anything,
    Settings,
    File(PathBuf),
}

async fn go() -> Simulator {
    Simulator::start().await.expect("a free port")
}

/// It serves without that thread, or says why it does not and ends with 2, by which the
/// service manager starts it again.
pub(super) async fn no_thread_at_the_start() {
    const WHICH: [&str; 6] = [
        "error=EAGAIN:when=1",
        "error=EAGAIN:when=2",
        "error=EAGAIN:when=3",
        "error=EAGAIN:when=4",
        "error=EAGAIN:when=1+",
        "error=EAGAIN:when=3+",
    ];
    let go = go().await;
    for what in WHICH {
        let mut gate = Traced::start(&settings_of(&go, ""), CLONE, what, Of::Anything);
        if gate.connect().await.is_some() {
            gate.comes_to(&go.token(), 200).await;
            gate.ends().await;
            gate.log.says("stopped").await;
        } else {
            let status = gate.process.exit().await;
            assert_eq!(status.code(), Some(2), "{what}: {:?}", gate.log.so_far());
            gate.log.says("Resource temporarily unavailable").await;
        }
    }
}

/// It serves from the snapshot while the key address fails, and without it where that
/// can't be read.
pub(super) async fn no_snapshot_at_the_start() {
    let mut stage = Stage::start(PLAIN).await;
    stage.ends(Begun::Over).await;
    let (go, snapshot) = (&stage.go, stage.files.snapshot());
    go.fail(Fault::Cut);
    let settings = settings(go, Source::Address, &stage.files, false);
    let gate = GateProcess::start(&settings).await;
    gate.comes_to(&go.token(), 200).await;
    drop(gate);
    for what in ["error=EIO", HANG] {
        go.fail(Fault::Cut);
        let of = Of::File(snapshot.clone());
        let mut gate = Traced::start(&settings, "read", what, of);
        gate.comes_to(&go.token(), 503).await;
        go.heal();
        gate.comes_to(&go.token(), 200).await;
        gate.ends().await;
    }
}

/// Neither ends it; it begins once the disk answers, and then reloads.
pub(super) async fn settings_hang_at_the_start() {
    let go = go().await;
    for signal in [Signal::HUP, Signal::TERM] {
        let settings = settings_of(&go, "");
        let mut gate = Traced::start(&settings, OPEN, HANG, Of::Settings);
        eventually("it hangs", || has_delayed(&gate.output)).await;
        gate.process.signal(signal);
        settle().await;
        if signal == Signal::HUP {
            assert!(gate.process.0.try_wait().expect("a child").is_none());
            let process = gate.process.0.id();
            let_go(tracer_of(process).expect("strace"), process);
            gate.comes_to(&go.token(), 200).await;
            gate.log.says("settings reloaded").await;
        }
        gate.ends().await;
    }
}

pub(super) async fn files_fail_at_the_start() {
    let (go, files) = (go().await, Files::new());
    files.write_tokens(false);
    let settings = settings(&go, Source::Address, &files, false);
    for (calls, what) in [(OPEN, "error=EIO"), ("read", "error=EIO:when=2+")] {
        for of in [Of::Settings, Of::File(files.tokens())] {
            let mut gate = Traced::start(&settings, calls, what, of);
            assert_eq!(gate.process.exit().await.code(), Some(64));
            gate.log.says("Input/output error").await;
        }
    }
}

/// The snapshot stays as it was, serves the next start, and what was begun is removed.
pub(super) async fn killed_while_it_writes() {
    let mut stage = Stage::start(PLAIN).await;
    let (go, known) = (&stage.go, stage.go.signing_kid());
    let injection = Injection {
        calls: "fsync",
        what: HANG,
        of: vec![],
    };
    let strace = injection.begin(stage.gate.id()).await;
    eventually("it writes", || injection.has_hit(&strace)).await;
    let genuine = go.mint_as(&known).token();
    go.fail(Fault::Cut);
    assert_eq!(stage.files.leftovers().len(), 1);
    let settings = settings(go, Source::Address, &stage.files, false);
    stage.gate.signal(Signal::KILL);
    drop(strace);
    stage.gate.exit().await;
    assert!(stage.snapshot().expect("a snapshot").contains(&known));

    let gate = GateProcess::start(&settings).await;
    gate.comes_to(&genuine, 200).await;
    go.heal();
    eventually("what was begun is removed", || {
        stage.files.leftovers().is_empty()
    })
    .await;
}

/// They have all connections of the status, and read nothing of what they ask for.
pub(super) async fn strangers_never_read() {
    let stage = Stage::start(PLAIN).await;
    let status = stage.gate.status_address.expect("one of its own");
    let mut strangers = Vec::new();
    for _ in 0..16 {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a size");
        let mut stranger = socket.connect(status).await.expect("it listens");
        strangers.push(tokio::spawn(async move {
            let requests = head("GET", "/metrics", &[]).repeat(2000);
            let _ = stranger.write_all(requests.as_bytes()).await;
            pending::<()>().await;
        }));
    }
    tokio::time::sleep(secs(1)).await;
    assert_eq!(stage.verdict(&stage.go.token()).await, 200);
    let mut answer = stage.gate.connect_for_status().await;
    answer.write(head("GET", "/healthz", &[])).await;
    // Thirty seconds at the longest, and the rest for a busy machine, which has to render
    // what nobody reads.
    assert_eq!(answer.reply_within(secs(120)).await.status, 200);
    drop(strangers);
}

/// More than may be connected at once, and the key address hangs.
pub(super) async fn strangers_wait_for_keys() {
    let go = go().await;
    let settings = settings_of(
        &go,
        "key_wait = \"30s\"\nfetch_timeout = \"1m\"\ncooldown = \"100ms\"",
    );
    let gate = GateProcess::start(&settings).await;
    gate.comes_to(&go.token(), 200).await;
    tokio::time::sleep(millis(200)).await;
    let _hold = go.hold();
    let token = go.mint().kid("nobody-knows-it").token();
    let request = head("GET", "/auth", &[("Authorization", &token)]);
    let mut strangers = Vec::new();
    for _ in 0..600 {
        let stranger = soon(TcpStream::connect(gate.address))
            .await
            .expect("it listens");
        let mut wire = Wire::new(stranger);
        wire.write(&request).await;
        strangers.push(wire);
    }
    let verdict = timeout(secs(20), gate.verdict(&go.token())).await;
    assert_eq!(verdict.expect("it waits for no stranger").status, 200);
}

/// The service manager is not there yet, or has restarted.
pub(super) async fn no_service_manager() {
    let (go, directory) = (go().await, tempfile::tempdir().expect("a directory"));
    let path = directory.path().join("notify");
    let name = path.to_string_lossy().into_owned();
    let gate = GateProcess::start_over(&settings_of(&go, ""), &[("NOTIFY_SOCKET", &*name)]).await;
    gate.comes_to(&go.token(), 200).await;
    gate.says("the service manager could not be notified").await;
    let manager = UnixDatagram::bind(&path).expect("a socket");
    manager.set_read_timeout(Some(secs(30))).expect("a time");
    let mut message = [0; 4096];
    let length = manager.recv(&mut message).expect("a message");
    assert!(message[..length].starts_with(b"READY=1"));
    fs::remove_file(path).expect("removed");
    gate.reload().await;
}
