//! What systemd is notified of, and the sockets that it passes.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::process::{Command, Stdio};

use derbysoft_go_simulator::Simulator;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::gate_process::{settings_of, with_file};
use crate::process::{Lines, Process};
use test_support::{eventually, soon};

/// GO, a gate that trusts it, and the file of its settings.
async fn go_and_gate() -> (Simulator, Command, TempDir) {
    let go = Simulator::start().await.expect("a free port");
    let (command, directory) = with_file(&settings_of(&go, ""));
    (go, command, directory)
}

/// The next message, as lines; within half a minute.
async fn next(manager: &UnixDatagram) -> Vec<String> {
    let manager = manager.try_clone().expect("a socket");
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = [0; 4096];
        let length = manager.recv(&mut bytes).expect("a message");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    });
    let text = soon(read).await.expect("no panic");
    text.lines().map(str::to_owned).collect()
}

/// Passes over those that only have a status.
async fn next_phase(manager: &UnixDatagram) -> Vec<String> {
    loop {
        let lines = next(manager).await;
        if lines.len() > 1 {
            return lines;
        }
    }
}

fn monotonic_now() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
}

async fn follows(manager: &UnixDatagram, command: Command, settings: &TempDir) {
    let (mut gate, said, log) = Process::with_lines(command);
    let ready = next_phase(manager).await;
    assert_eq!(ready[0], "READY=1");
    assert!(ready[1].starts_with("STATUS="), "{ready:?}");
    assert!(said.enough(|lines| !lines.is_empty()).await.is_some());
    if ready[1] != "STATUS=ready: keys are fresh" {
        assert_eq!(ready[1], "STATUS=not ready: no keys of 1 of 1 issuers");
        assert_eq!(next(manager).await, ["STATUS=ready: keys are fresh"]);
    }

    let refused = "STATUS=ready: keys are fresh; the last reload was rejected, and older \
                   settings are in use";
    let file = settings.path().join("go-auth.toml");
    let good = std::fs::read_to_string(&file).expect("settings");
    let mut before = "STATUS=ready: keys are fresh";
    for (text, outcome) in [
        ("leeway = ", refused),
        (&*good, "STATUS=ready: keys are fresh"),
    ] {
        std::fs::write(&file, text).expect("written");
        let asked = monotonic_now();
        gate.signal(Signal::HUP);
        let reloading = next_phase(manager).await;
        assert_eq!((&*reloading[0], &*reloading[2]), ("RELOADING=1", before));
        let moment = reloading[1]
            .strip_prefix("MONOTONIC_USEC=")
            .expect("a moment");
        let moment = moment.parse().expect("a number");
        assert!((asked..=monotonic_now()).contains(&moment), "{moment}");
        assert_eq!(next_phase(manager).await, ["READY=1", outcome]);
        before = outcome;
    }

    gate.signal(Signal::TERM);
    assert_eq!(next_phase(manager).await[0], "STOPPING=1");
    assert_eq!(gate.exit().await.code(), Some(0));
    let log = log.so_far().join("\n");
    assert!(!log.contains("could not be notified"), "{log}");
}

#[tokio::test]
async fn systemd_is_told_of_start_reload_and_end() {
    let (_go, mut command, settings) = go_and_gate().await;
    let path = settings.path().join("notify");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    command.env("NOTIFY_SOCKET", &path);
    follows(&manager, command, &settings).await;
}

#[tokio::test]
async fn systemd_may_have_an_abstract_socket() {
    let (_go, mut command, settings) = go_and_gate().await;
    let name = format!("go-auth-test-{}", settings.path().display());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let manager = UnixDatagram::bind_addr(&address).expect("a socket");
    command.env("NOTIFY_SOCKET", format!("@{name}"));
    follows(&manager, command, &settings).await;
}

#[tokio::test]
async fn a_service_manager_that_does_not_read_delays_nothing() {
    let (_go, mut command, settings) = go_and_gate().await;
    let path = settings.path().join("notify");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    let filler = UnixDatagram::unbound().expect("a socket");
    filler.set_nonblocking(true).expect("a socket");
    let mut count = 0;
    while filler.send_to(b"x", &path).is_ok() {
        count += 1;
    }
    command.env("NOTIFY_SOCKET", &path);
    let (mut gate, said, log) = Process::with_lines(command);
    assert!(said.enough(|lines| !lines.is_empty()).await.is_some());
    log.says("the service manager could not be notified").await;
    gate.signal(Signal::HUP);
    log.says("settings reloaded").await;
    // Once there is room again it learns how things are.
    for _ in 0..count {
        next(&manager).await;
    }
    assert_eq!(next_phase(&manager).await[0], "READY=1");
    while filler.send_to(b"x", &path).is_ok() {}
    gate.signal(Signal::TERM);
    assert_eq!(gate.exit().await.code(), Some(0));
}

#[tokio::test]
async fn a_service_manager_out_of_reach_is_reported_once() {
    for socket in ["/nowhere/notify", "@nobody-listens-here", "vsock:2:1234"] {
        let (_go, mut command, _settings) = go_and_gate().await;
        command
            .env("NOTIFY_SOCKET", socket)
            .env("RUST_LOG", "debug");
        let (mut gate, _, log) = Process::with_lines(command);
        let failed = "the service manager could not be notified";
        let failures = || {
            (log.so_far().iter())
                .filter(|line| line.contains(failed))
                .count()
        };
        eventually("it tries again", || failures() >= 3).await;
        gate.signal(Signal::TERM);
        assert_eq!(gate.exit().await.code(), Some(0));
        let log = log.so_far();
        let warnings = log
            .iter()
            .filter(|line| line.contains(failed) && line.contains(" WARN "));
        assert_eq!(warnings.count(), 1, "{log:?}");
    }
}

/// A gate that gets these sockets as systemd passes them, under these names. Its standard
/// output is in its log.
async fn passed(
    sockets: Vec<OwnedFd>,
    names: &str,
    arguments: &[&str],
) -> ((Process, Lines), (TempDir, Simulator)) {
    let (go, gate, settings) = go_and_gate().await;
    let count = sockets.len();
    let script = format!(
        "exec 3<&0 4<&1 </dev/null >&2
         LISTEN_PID=$$ LISTEN_FDS={count} LISTEN_FDNAMES={names}
         export LISTEN_PID LISTEN_FDS LISTEN_FDNAMES
         exec \"$@\""
    );
    let mut command = Command::new("/bin/sh");
    command.env_clear().args(["-c", &script, "sh"]);
    command
        .arg(gate.get_program())
        .args(gate.get_args())
        .args(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut sockets = sockets.into_iter();
    if let Some(first) = sockets.next() {
        command.stdin(first);
    }
    if let Some(second) = sockets.next() {
        command.stdout(second);
    }
    let (process, _, log) = Process::with_lines(command);
    ((process, log), (settings, go))
}

fn tcp() -> (OwnedFd, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let name = format!("http://{}", listener.local_addr().expect("an address"));
    (listener.into(), name)
}

async fn status_at(address: &str, path: &str) -> u16 {
    let client = reqwest::Client::builder().no_proxy().build();
    let answer = client
        .expect("a client")
        .get(format!("{address}{path}"))
        .send();
    soon(answer).await.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn a_passed_socket_is_served_and_left() {
    let (socket, address) = tcp();
    let ((mut gate, log), _kept) =
        passed(vec![socket], "gate.socket", &["--listen", "systemd"]).await;
    log.says(&format!("listening on {address}")).await;
    assert_eq!(status_at(&address, "/healthz").await, 200);
    gate.signal(Signal::TERM);
    assert_eq!(gate.exit().await.code(), Some(0));

    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("gate");
    let socket = UnixListener::bind(&path).expect("a socket");
    let ((mut gate, log), _kept) =
        passed(vec![socket.into()], "gate.socket", &["--listen", "systemd"]).await;
    log.says(&format!("listening on unix:{}", path.display()))
        .await;
    gate.signal(Signal::TERM);
    assert_eq!(gate.exit().await.code(), Some(0));
    assert!(path.exists(), "it is the service manager's");
}

#[tokio::test]
async fn passed_sockets_are_told_apart_by_name() {
    let ((status, status_address), (gate, gate_address)) = (tcp(), tcp());
    let arguments = [
        "--listen",
        "systemd:gate",
        "--status-listen",
        "systemd:status",
    ];
    let ((_gate, log), _kept) = passed(vec![status, gate], "status:gate", &arguments).await;
    log.says(&format!("listening on {gate_address}")).await;
    log.says(&format!("listening on {status_address} for the status"))
        .await;
    assert_eq!(status_at(&gate_address, "/auth").await, 401);
    assert_eq!(status_at(&status_address, "/healthz").await, 200);
}

#[tokio::test]
async fn sockets_that_do_not_fit_are_named() {
    let connected = || {
        let (one, other) = std::os::unix::net::UnixStream::pair().expect("a pair");
        drop(other);
        OwnedFd::from(one)
    };
    let file = || OwnedFd::from(std::fs::File::open("/dev/null").expect("a file"));
    let twice = |socket: OwnedFd| vec![socket.try_clone().expect("a copy"), socket];
    let cannot =
        |address: &str| format!("can't listen on \"{address}\": the service manager has passed");
    for (sockets, names, arguments, fault) in [
        (
            vec![],
            "''",
            &["--listen", "systemd"][..],
            cannot("systemd") + " no socket",
        ),
        (
            vec![tcp().0],
            "a",
            &["--listen", "systemd:b"],
            cannot("systemd:b") + " only \"a\"",
        ),
        (
            vec![tcp().0, tcp().0],
            "a:b",
            &["--listen", "systemd"],
            cannot("systemd") + " several: \"a\", \"b\"",
        ),
        (
            vec![tcp().0, tcp().0],
            "a:b",
            &["--listen", "systemd:b"],
            "sockets that no address names: \"a\"".to_owned(),
        ),
        (
            twice(tcp().0),
            "a:b",
            &["--listen", "systemd:a", "--status-listen", "systemd:b"],
            "can't listen on \"systemd:b\": it is the address of the verdicts".to_owned(),
        ),
        (
            vec![tcp().0],
            "a",
            &["--listen", "127.0.0.1:0"],
            "sockets that no address names: \"a\"".to_owned(),
        ),
        (
            vec![tcp().0],
            "a:b",
            &["--listen", "systemd"],
            "LISTEN_FDNAMES has not as many names as LISTEN_FDS says".to_owned(),
        ),
        (
            vec![connected()],
            "a",
            &["--listen", "systemd"],
            "is not a listening stream socket".to_owned(),
        ),
        (
            vec![file()],
            "a",
            &["--listen", "systemd"],
            "is not a listening stream socket".to_owned(),
        ),
    ] {
        let ((mut gate, log), _kept) = passed(sockets, names, arguments).await;
        assert_eq!(gate.exit().await.code(), Some(2), "{arguments:?}");
        log.enough(|_| false).await;
        let log = log.so_far().join("\n");
        assert!(log.contains(&fault), "{fault}: {log}");
    }
}

/// An ancestor's, which was not for its children.
#[tokio::test]
async fn sockets_of_another_process_are_not_used() {
    let (_go, mut gate, _settings) = go_and_gate().await;
    gate.args(["--listen", "systemd"]);
    gate.env("LISTEN_PID", "1").env("LISTEN_FDS", "1");
    let (mut gate, _, log) = Process::with_lines(gate);
    assert_eq!(gate.exit().await.code(), Some(2));
    log.says("the service manager has passed no socket").await;
}
