//! Log and output fail, or nobody reads them: verdicts, keys and signals work on.

use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use derbysoft_go_simulator::Simulator;
use rustix::net::sockopt::set_socket_send_buffer_size;
use rustix::process::Signal;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::gate_process::{GateProcess, settings_of, with_file};
use crate::process::{Process, command, full_stream};
use test_support::wire::{Wire, head};
use test_support::{millis, secs, soon};

const QUICK: &str = "refresh_interval = \"1s\"\ncooldown = \"100ms\"";

async fn go() -> Simulator {
    Simulator::start().await.expect("a free port")
}

/// Pushes, a rotation, reloads and the end, with a log of either format.
async fn lives_well(log: impl Fn() -> Stdio) {
    tokio::join!(
        lives_well_with("text", log()),
        lives_well_with("json", log())
    );
}

async fn lives_well_with(format: &str, log: Stdio) {
    let (go, other) = (
        go().await,
        Simulator::builder().audience("OTHER").start().await,
    );
    let other = other.expect("a free port");
    let settings = settings_of(&go, QUICK);
    let mut gate = GateProcess::start_with_log(&settings, format, log).await;
    let (kid, old) = (go.signing_kid(), go.token());
    gate.comes_to(&old, 200).await;
    for _ in 0..3 {
        assert_eq!(gate.verdict("a.b.c").await.status, 401);
    }

    go.rotate();
    gate.comes_to(&go.token(), 200).await;
    assert_eq!(gate.verdict(&old).await.status, 200);
    go.retire(&kid);
    // Of just now: its key might be on its way.
    gate.comes_to(&old, 503).await;

    for (theirs, ours) in [(&other, &go), (&go, &other), (&other, &go)] {
        gate.configure(&settings_of(theirs, QUICK));
        gate.signal(Signal::HUP);
        gate.comes_to(&theirs.token(), 200).await;
        gate.comes_to(&ours.token(), 401).await;
    }
    gate.configure("leeway = ");
    gate.signal(Signal::HUP);
    assert_eq!(gate.verdict(&other.token()).await.status, 200);
    gate.signal(Signal::TERM);
    assert_eq!(gate.exit().await.code(), Some(0));
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_log_on_a_full_disk_changes_nothing() {
    lives_well(crate::process::full_disk).await;
}

#[tokio::test]
async fn a_log_that_nobody_reads_changes_nothing() {
    let readers = Mutex::new(Vec::new());
    let log = || {
        let (reader, log) = full_stream();
        readers.lock().expect("a lock").push(reader);
        log
    };
    lives_well(log).await;
}

#[tokio::test]
async fn a_log_whose_reader_is_gone_changes_nothing() {
    lives_well(|| std::io::pipe().expect("a pipe").1.into()).await;
}

/// Two kinds at once: two lines that wait would take both of the smallest machine's
/// workers.
#[tokio::test]
async fn rejections_flooding_a_stuck_log_delay_no_push() {
    let go = go().await;
    let (_reader, log) = full_stream();
    let gate = GateProcess::start_logging_to(&settings_of(&go, ""), log).await;
    gate.comes_to(&go.token(), 200).await;
    let mut floods = JoinSet::new();
    for token in ["a.b.c".to_owned(), go.mint().audience("another").token()] {
        for _ in 0..4 {
            let (address, token) = (gate.address, token.clone());
            floods.spawn(async move {
                let stream = TcpStream::connect(address).await.expect("it listens");
                let mut wire = Wire::new(stream);
                loop {
                    let request = head("GET", "/auth", &[("Authorization", &token)]);
                    wire.write(request).await;
                    assert_eq!(wire.reply().await.status, 401);
                }
            });
        }
    }
    for _ in 0..50 {
        let token = go.token();
        let verdict = tokio::time::timeout(secs(1), gate.verdict(&token)).await;
        assert_eq!(verdict.expect("within a second").status, 200);
    }
    assert!(floods.try_join_next().is_none(), "the floods go on");
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn dropped_log_lines_are_counted() {
    let go = go().await;
    let log = crate::process::full_disk();
    let gate = GateProcess::start_logging_to(&settings_of(&go, ""), log).await;
    gate.comes_to(&go.token(), 200).await;
    let lost = async || {
        let metrics = gate.get_status("/metrics").await.body;
        let mut lines = metrics.lines();
        let line = lines.find_map(|line| line.strip_prefix("go_auth_gate_log_dropped_total "));
        line.expect("the metric").parse::<u64>().expect("a number")
    };
    soon(async {
        while lost().await == 0 {
            tokio::time::sleep(millis(20)).await;
        }
    })
    .await;
    let before = lost().await;
    gate.signal(Signal::HUP);
    soon(async {
        while lost().await == before {
            tokio::time::sleep(millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_faults_are_written_whole_before_the_end() {
    let settings: String = (0..100)
        .map(|number| {
            format!("[[issuers]]\nissuer = \"https://{number}\"\naudience = []\njwks_url = \"x\"\n")
        })
        .collect();
    let (mut command, _directory) = with_file(&settings);
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = soon(output).await.expect("it ran").expect("it runs");
    assert_eq!(output.status.code(), Some(64));
    let shown = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(shown.lines().count() > 100, "{shown}");
    assert!(shown.ends_with("the first of them counts.\n"), "{shown}");
}

/// How a process ends that can't write its output.
async fn ends(settings: &str, stdout: impl Into<Stdio>, stderr: impl Into<Stdio>) -> Option<i32> {
    let (mut command, _directory) = with_file(settings);
    let mut process = Process::spawn(command.stdout(stdout).stderr(stderr));
    process.exit().await.code()
}

#[tokio::test]
async fn faults_that_nobody_reads_delay_no_end() {
    for settings in ["", "leeway = "] {
        let (_reader, stderr) = full_stream();
        let started = Instant::now();
        assert_eq!(ends(settings, Stdio::null(), stderr).await, Some(64));
        assert!(started.elapsed() < secs(5), "{:?}", started.elapsed());
    }
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn exit_statuses_are_right_without_any_output() {
    use crate::process::full_disk;
    let go = go().await;
    assert_eq!(ends("", full_disk(), full_disk()).await, Some(64));
    let good = settings_of(&go, "");
    assert_eq!(ends(&good, full_disk(), full_disk()).await, Some(2));
}

/// It still serves, and ends in time at a signal.
async fn serves_and_ends(mut command: Command, request: &str) -> Duration {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let (_stdout_reader, stdout) = full_stream();
    let (_stderr_reader, stderr) = full_stream();
    command.env("LISTEN", address.to_string());
    let mut process = Process::spawn(command.stdout(stdout).stderr(stderr));
    let answered = soon(async {
        loop {
            if let Ok(stream) = TcpStream::connect(address).await {
                let mut wire = Wire::new(stream);
                wire.write(request).await;
                break wire.reply().await;
            }
            tokio::time::sleep(millis(5)).await;
        }
    });
    assert_eq!(answered.await.status, 200);
    let shown = Instant::now();
    process.signal(Signal::TERM);
    assert_eq!(process.exit().await.code(), Some(0));
    shown.elapsed()
}

#[tokio::test]
async fn an_output_that_nobody_reads_blocks_nothing() {
    let go = go().await;
    let (gate, _directory) = with_file(&settings_of(&go, ""));
    let request = head("GET", "/auth", &[("Authorization", &go.token())]);
    let took = serves_and_ends(gate, &request).await;
    assert!(took < secs(9), "{took:?}");

    let mut simulator = command();
    simulator.arg("simulate");
    let request = head("GET", "/simulator/tokens", &[]);
    let took = serves_and_ends(simulator, &request).await;
    assert!(took < secs(9), "{took:?}");
}

/// A pipe that has no writer for as long as the test runs.
fn fifo(directory: &tempfile::TempDir) -> std::path::PathBuf {
    let path = directory.path().join("snapshot");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.expect("POSIX has it").success());
    path
}

#[tokio::test]
async fn a_snapshot_path_that_hangs_delays_no_end() {
    let go = go().await;
    let directory = tempfile::tempdir().expect("a directory");
    let path = fifo(&directory);
    let settings = settings_of(&go, &format!("snapshot = {path:?}"));
    let mut gate = GateProcess::start(&settings).await;
    gate.comes_to(&go.token(), 200).await;
    let shown = Instant::now();
    gate.signal(Signal::TERM);
    assert_eq!(gate.exit().await.code(), Some(0));
    assert!(shown.elapsed() < secs(9), "{:?}", shown.elapsed());
}

/// Whether the process has its own handler for SIGHUP (proc(5), `SigCgt`).
#[cfg(target_os = "linux")]
fn heeds_hangups(process: &Process) -> bool {
    let path = format!("/proc/{}/status", process.0.id());
    let status = std::fs::read_to_string(path).unwrap_or_default();
    let caught = status
        .lines()
        .find_map(|line| line.strip_prefix("SigCgt:\t"));
    caught.is_some_and(|mask| u64::from_str_radix(mask, 16).is_ok_and(|mask| mask & 1 == 1))
}

/// A gate that is about to start, at the first moment in which a signal does not end it.
#[cfg(target_os = "linux")]
fn just_begun(settings: &str) -> (Process, tempfile::TempDir) {
    let (mut command, directory) = with_file(settings);
    let mut process = Process::spawn(&mut command);
    while !heeds_hangups(&process) {
        assert!(process.0.try_wait().expect("a child").is_none());
        std::hint::spin_loop();
    }
    (process, directory)
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_signal_during_the_start_ends_it_well() {
    let go = go().await;
    for wait in [0, 0, 1, 3, 10, 30] {
        let (mut process, _directory) = just_begun(&settings_of(&go, ""));
        tokio::time::sleep(millis(wait)).await;
        process.signal(Signal::TERM);
        assert_eq!(process.exit().await.code(), Some(0));
    }
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn hangups_are_handled_from_the_first_moment_on() {
    let go = go().await;
    let (mut process, _directory) = just_begun(&settings_of(&go, ""));
    for _ in 0..300 {
        process.signal(Signal::HUP);
        tokio::time::sleep(millis(1)).await;
    }
    process.signal(Signal::TERM);
    assert_eq!(process.exit().await.code(), Some(0));
}

#[tokio::test]
async fn a_check_whose_reader_stops_reading_ends_by_a_signal() {
    let audience: Vec<_> = (0..2000)
        .map(|number| format!("AUDIENCE-{number}"))
        .collect();
    let settings = format!(
        "issuer = \"https://id/X\"\njwks_url = \"https://id.example/keys\"\naudience = {audience:?}"
    );
    let (mut check, _directory) = with_file(&settings);
    let (mut reader, writer) = UnixStream::pair().expect("a pair of sockets");
    set_socket_send_buffer_size(&writer, 4096).expect("a size");
    check
        .args(["--check", "--json"])
        .stdout(OwnedFd::from(writer));
    let mut check = Process::spawn(&mut check);
    let begun = tokio::task::spawn_blocking(move || {
        reader.read_exact(&mut [0]).expect("the beginning");
        reader
    });
    let _reader = soon(begun).await.expect("no panic");
    check.signal(Signal::TERM);
    assert_eq!(check.exit().await.code(), Some(2));
}
