//! The gate at a Unix socket.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use derbysoft_go_simulator::Simulator;
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::net::UnixStream;

use crate::gate_process::{settings_of, with_file};
use crate::process::{Lines, Process};
use test_support::wire::{Reply, Wire, head};
use test_support::{eventually, soon};

/// A gate that is to listen at a socket in this directory.
fn gate_at(go: &Simulator, socket: &Path) -> (Command, TempDir) {
    let (mut command, directory) = with_file(&settings_of(go, ""));
    command.arg("--listen").arg(unix(socket));
    (command, directory)
}

fn unix(socket: &Path) -> String {
    format!("unix:{}", socket.display())
}

/// Starts it, and waits until it listens.
async fn started(command: Command) -> (Process, Lines) {
    let (process, said, log) = Process::with_lines(command);
    let listens = said.enough(|lines| !lines.is_empty()).await;
    assert!(listens.is_some(), "it does not listen: {:?}", log.so_far());
    (process, said)
}

/// Why it does not.
async fn refused(command: Command) -> (Option<i32>, String) {
    let (mut process, said, log) = Process::with_lines(command);
    let status = process.exit().await.code();
    log.enough(|_| false).await;
    assert_eq!(said.so_far(), [""; 0]);
    (status, log.so_far().join("\n"))
}

async fn ask(socket: &Path, path: &str, headers: &[(&str, &str)]) -> Reply {
    let stream = soon(UnixStream::connect(socket)).await;
    let mut wire = Wire::new(stream.expect("it listens"));
    wire.write(head("GET", path, headers)).await;
    wire.reply().await
}

fn mode(socket: &Path) -> u32 {
    fs::metadata(socket).expect("a socket").mode() & 0o7777
}

/// GO, and a socket's place in a directory of its own.
async fn go_and_place() -> (Simulator, TempDir, PathBuf) {
    let go = Simulator::start().await.expect("a free port");
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("gate");
    (go, directory, socket)
}

#[tokio::test]
async fn verdicts_and_status_are_given_at_sockets() {
    let (go, directory, socket) = go_and_place().await;
    let status = directory.path().join("status");
    let (mut command, _settings) = gate_at(&go, &socket);
    command.env("STATUS_LISTEN", unix(&status));
    let (mut gate, said) = started(command).await;
    let lines = said
        .enough(|lines| lines.len() == 2)
        .await
        .expect("two lines");
    let expected = [
        format!("listening on {}", unix(&socket)),
        format!("listening on {} for the status", unix(&status)),
    ];
    assert_eq!(lines, expected);
    let token = go.token();
    soon(async {
        while ask(&socket, "/auth", &[("Authorization", &token)])
            .await
            .status
            != 200
        {}
    })
    .await;
    assert_eq!(ask(&socket, "/auth", &[]).await.status, 401);
    assert_eq!(ask(&socket, "/healthz", &[]).await.status, 404);
    assert_eq!(ask(&status, "/healthz", &[]).await.status, 200);
    assert_eq!(ask(&status, "/auth", &[]).await.status, 404);
    assert_eq!((mode(&socket), mode(&status)), (0o660, 0o660));

    gate.signal(Signal::TERM);
    assert_eq!(gate.exit().await.code(), Some(0));
    assert!(!socket.exists() && !status.exists());
}

#[tokio::test]
async fn a_path_breaks_no_line() {
    let (go, directory, _) = go_and_place().await;
    let socket = directory.path().join("a\n\u{1b}[31mb");
    let (_gate, said) = started(gate_at(&go, &socket).0).await;
    let expected = format!(
        "listening on unix:{}/a\\n\\u{{1b}}[31mb",
        directory.path().display()
    );
    assert_eq!(said.so_far(), [expected]);
}

#[tokio::test]
async fn mode_and_group_are_those_asked_for() {
    let (go, _directory, socket) = go_and_place().await;
    let own = rustix::process::getgid().as_raw();
    for (asked, has) in [("0600", 0o600), ("666", 0o666)] {
        let (mut command, _settings) = gate_at(&go, &socket);
        command
            .args(["--socket-mode", asked])
            .env("SOCKET_GROUP", own.to_string());
        let (mut gate, _) = started(command).await;
        let found = fs::metadata(&socket).expect("a socket");
        assert_eq!((mode(&socket), found.gid()), (has, own));
        gate.signal(Signal::TERM);
        gate.exit().await;
    }
}

#[tokio::test]
async fn a_stale_socket_is_replaced() {
    let (go, _directory, socket) = go_and_place().await;
    drop(UnixListener::bind(&socket).expect("a socket"));
    let (mut killed, _) = started(gate_at(&go, &socket).0).await;
    assert_eq!(ask(&socket, "/healthz", &[]).await.status, 200);
    killed.0.kill().expect("it runs");
    killed.exit().await;
    assert!(socket.exists());
    let (_gate, _) = started(gate_at(&go, &socket).0).await;
    assert_eq!(ask(&socket, "/healthz", &[]).await.status, 200);
}

#[tokio::test]
async fn a_socket_in_use_is_left_alone() {
    let (go, _directory, socket) = go_and_place().await;
    let (_first, _) = started(gate_at(&go, &socket).0).await;
    let (status, text) = refused(gate_at(&go, &socket).0).await;
    assert_eq!(status, Some(2));
    assert!(text.contains("another process listens there"), "{text}");
    assert_eq!(ask(&socket, "/healthz", &[]).await.status, 200);

    // Nobody accepts here, and no more connections fit into its queue.
    fs::remove_file(&socket).expect("removed");
    let full = full_queue(&socket);
    let (_, text) = refused(gate_at(&go, &socket).0).await;
    assert!(text.contains("another process listens there"), "{text}");
    drop(full);
    drop(UnixDatagram::bind(socket.with_extension("x")).expect("a socket"));
    let kept = socket.with_extension("kept");
    let _datagrams = UnixDatagram::bind(&kept).expect("a socket");
    let (_, text) = refused(gate_at(&go, &kept).0).await;
    assert!(text.contains("a socket of another kind is there"), "{text}");
}

/// A listener whose queue is full, and what fills it.
fn full_queue(path: &Path) -> impl Sized {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
    use rustix::net::{bind, connect, listen, socket_with};
    let address = SocketAddrUnix::new(path).expect("a path");
    let socket = || {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).expect("a socket")
    };
    let listener = socket();
    bind(&listener, &address).expect("a free path");
    listen(&listener, 0).expect("a listener");
    let mut open = vec![listener];
    loop {
        let client = socket();
        match connect(&client, &address) {
            Ok(()) => open.push(client),
            Err(error) => {
                assert_eq!(error, rustix::io::Errno::AGAIN);
                return open;
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_socket_is_never_removed() {
    let (go, directory, socket) = go_and_place().await;
    fs::write(&socket, "precious").expect("written");
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&socket, &link).expect("linked");
    for place in [&socket, &link, &directory.path().to_owned()] {
        let (status, text) = refused(gate_at(&go, place).0).await;
        assert_eq!(status, Some(2));
        assert!(
            text.contains("a file that is not a socket is there"),
            "{text}"
        );
    }
    assert_eq!(fs::read_to_string(&socket).expect("there"), "precious");
}

#[tokio::test]
async fn only_the_gates_own_socket_is_removed_at_the_end() {
    let (go, _directory, socket) = go_and_place().await;
    let (mut gate, _) = started(gate_at(&go, &socket).0).await;
    fs::remove_file(&socket).expect("removed");
    let _another = UnixListener::bind(&socket).expect("a free path");
    gate.signal(Signal::TERM);
    assert_eq!(gate.exit().await.code(), Some(0));
    assert!(fs::metadata(&socket).is_ok_and(|found| found.file_type().is_socket()));
}

#[tokio::test]
async fn a_successor_takes_the_place_of_a_gate_that_ends() {
    let (go, _directory, socket) = go_and_place().await;
    let hold = go.hold();
    let (mut command, _settings) = gate_at(&go, &socket);
    command.env("GO_AUTH_KEY_WAIT", "30s");
    let (mut old, _) = started(command).await;
    let stream = UnixStream::connect(&socket).await.expect("it listens");
    let mut waiting = Wire::new(stream);
    let token = go.token();
    waiting
        .write(head("GET", "/auth", &[("Authorization", &token)]))
        .await;
    assert_eq!(ask(&socket, "/healthz", &[]).await.status, 200);
    old.signal(Signal::TERM);
    eventually("its socket is removed", || !socket.exists()).await;

    let (_new, _) = started(gate_at(&go, &socket).0).await;
    hold.release();
    assert_eq!(waiting.reply().await.status, 200);
    assert_eq!(old.exit().await.code(), Some(0));
    assert_eq!(ask(&socket, "/healthz", &[]).await.status, 200);
}

#[tokio::test]
async fn of_two_that_start_at_once_one_is_refused() {
    let (go, _directory, socket) = go_and_place().await;
    for _ in 0..5 {
        if !socket.exists() {
            drop(UnixListener::bind(&socket).expect("a socket"));
        }
        let gates = [gate_at(&go, &socket), gate_at(&go, &socket)];
        let gates = gates.map(|(command, settings)| (Process::with_lines(command), settings));
        let mut listening = 0;
        for ((_, said, _), _) in &gates {
            listening += usize::from(said.enough(|lines| !lines.is_empty()).await.is_some());
        }
        assert_eq!(listening, 1);
        assert_eq!(ask(&socket, "/healthz", &[]).await.status, 200);
    }
}

#[tokio::test]
async fn a_place_that_cannot_be_used_is_named() {
    let (go, directory, socket) = go_and_place().await;
    let missing = directory.path().join("missing/gate");
    let (status, text) = refused(gate_at(&go, &missing).0).await;
    assert_eq!(status, Some(2));
    let error = "its directory: No such file";
    assert!(text.contains(error), "{text}");
    assert!(
        text.contains(&format!("can't listen on \"{}\"", unix(&missing))),
        "{text}"
    );

    // To open it would wait for somebody who writes to it.
    let pipe = directory.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("it runs").success());
    let (status, text) = refused(gate_at(&go, &pipe.join("gate")).0).await;
    assert_eq!(status, Some(2));
    assert!(text.contains("its directory: Not a directory"), "{text}");

    // Anybody could put another socket there.
    let open = Permissions::from_mode(0o777);
    fs::set_permissions(directory.path(), open).expect("our own");
    let (status, text) = refused(gate_at(&go, &socket).0).await;
    assert_eq!(status, Some(2));
    assert!(text.contains("everybody can write its directory"), "{text}");
    let sticky = Permissions::from_mode(0o1777);
    fs::set_permissions(directory.path(), sticky).expect("our own");
    let (_gate, _) = started(gate_at(&go, &socket).0).await;
}

#[tokio::test]
async fn a_socket_removed_under_the_gate_harms_nobody_else() {
    let (go, _directory, socket) = go_and_place().await;
    let (mut command, _settings) = gate_at(&go, &socket);
    command.env("STATUS_LISTEN", "127.0.0.1:0");
    let (mut gate, _) = started(command).await;
    let stream = UnixStream::connect(&socket).await.expect("it listens");
    let mut open = Wire::new(stream);
    fs::remove_file(&socket).expect("removed");
    open.write(head("GET", "/auth", &[])).await;
    assert_eq!(open.reply().await.status, 401);
    fs::File::create(&socket)
        .expect("a file")
        .write_all(b"x")
        .expect("written");
    gate.signal(Signal::TERM);
    assert_eq!(gate.exit().await.code(), Some(0));
    assert!(socket.exists());
}
