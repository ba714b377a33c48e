//! Faults of system calls, by strace: it attaches to a gate that runs, makes the calls of
//! all its threads fail or hang, and lets go of it again.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process};

use crate::process::around;
use test_support::eventually;

const STRACE: &str = "strace";

/// What strace writes once it has attached.
const ATTACHED: &str = " attached";

/// Which calls, and what becomes of them, as strace's option `inject` has it; and the files,
/// directories or sockets that they are of, if they are of some.
#[derive(Debug, Clone)]
pub(super) struct Injection {
    pub(super) calls: &'static str,
    pub(super) what: &'static str,
    pub(super) of: Vec<PathBuf>,
}

/// strace, attached to a process. Dropping it ends the fault.
pub(super) struct Strace {
    process: Child,
    /// The traced process.
    of: u32,
    said: Arc<Mutex<String>>,
}

impl Injection {
    fn arguments(&self) -> Vec<String> {
        let Self { calls, what, of } = self;
        let (trace, inject) = (format!("trace={calls}"), format!("inject={calls}:{what}"));
        let fixed = ["-f", "-e", "signal=none", "-e", &trace, "-e", &inject];
        let mut arguments: Vec<_> = fixed.map(str::to_owned).into();
        for path in of {
            // A socket has a name and no place.
            let path = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
            arguments.extend(["-P".to_owned(), path.to_string_lossy().into_owned()]);
        }
        arguments
    }

    /// Attaches to a process.
    pub(super) async fn begin(&self, process: u32) -> Strace {
        let mut command = Command::new(STRACE);
        command.args(self.arguments());
        let strace = Strace::attach(command, process).expect("it was tried");
        eventually("strace attaches", || strace.said().contains(ATTACHED)).await;
        strace
    }

    /// Whether strace has written of a call that was hit. A call that hangs is written as
    /// far as it has come.
    pub(super) fn has_hit(&self, strace: &Strace) -> bool {
        let hit = if self.what.starts_with("delay") {
            "("
        } else {
            "(INJECTED)"
        };
        strace.said().contains(hit)
    }

    /// The program with this fault from its first moment on, as the child that is spawned.
    /// What strace writes goes to a file.
    pub(super) fn at_the_start(&self, program: &Command, output: &Path) -> Command {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut found = std::env::split_paths(&path).map(|directory| directory.join(STRACE));
        let strace = found.find(|path| path.exists());
        let mut strace = Command::new(strace.expect("it was tried"));
        strace.args(["-D", "-I2", "-qq", "-o"]).arg(output);
        strace.args(self.arguments());
        around(program, strace)
    }
}

impl Strace {
    fn attach(mut command: Command, of: u32) -> io::Result<Self> {
        command.args(["-p", &of.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut process = command.stderr(Stdio::piped()).spawn()?;
        let mut stderr = process.stderr.take().expect("piped");
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = stderr.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..length]);
                let mut said = heard.lock().unwrap_or_else(PoisonError::into_inner);
                said.push_str(&text);
            }
        });
        Ok(Self { process, of, said })
    }

    fn said(&self) -> String {
        (self.said.lock().unwrap_or_else(PoisonError::into_inner)).clone()
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        let_go(Pid::from_child(&self.process), self.of);
        let _ = self.process.wait();
    }
}

/// Whether strace has written to this file of a call that it has delayed.
pub(super) fn has_delayed(output: &Path) -> bool {
    fs::read_to_string(output).is_ok_and(|text| text.contains('('))
}

/// Whether a process, of which nobody has taken the exit status yet, has ended. strace
/// delays no end, but that status: until the calls that it delays have ended, too.
pub(super) fn has_ended(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ");
    state.is_none_or(|(_, state)| state.starts_with('Z'))
}

/// Ends the fault: calls that hang go on. One that is about to fail may fail as one that
/// the system does not have (`ENOSYS`).
pub(super) fn let_go(tracer: Pid, process: u32) {
    // Interrupted, it lets go; but it waits for ever for a process that has ended.
    let signal = if has_ended(process) {
        Signal::KILL
    } else {
        Signal::INT
    };
    let _ = kill_process(tracer, signal);
}

/// What traces a process that was started [within strace](Injection::at_the_start), as
/// long as that runs.
pub(super) fn tracer_of(process: u32) -> Option<Pid> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let mut lines = status.lines();
    let tracer = lines.find_map(|line| line.strip_prefix("TracerPid:\t"));
    Pid::from_raw(tracer?.parse().ok()?)
}

/// The TCP connections that a process has, as strace names them.
pub(super) fn connections(process: u32) -> Vec<PathBuf> {
    let table = fs::read_to_string(format!("/proc/{process}/net/tcp")).expect("Linux has it");
    let established = table.lines().filter_map(|line| {
        let mut columns = line.split_ascii_whitespace().skip(3);
        let state = columns.next()?;
        let inode = columns.nth(5)?;
        (state == "01").then(|| PathBuf::from(format!("socket:[{inode}]")))
    });
    let established: Vec<_> = established.collect();
    let files = fs::read_dir(format!("/proc/{process}/fd")).expect("it runs");
    let files = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    files.filter(|file| established.contains(file)).collect()
}

/// Why there can be no faults of system calls here: strace is not installed, or may not
/// attach to a process of the same user.
pub(super) async fn missing() -> Option<String> {
    let mut sleeping = Command::new("sleep")
        .arg("60")
        .spawn()
        .expect("POSIX has it");
    let mut command = Command::new(STRACE);
    command.args(["-e", "trace=none"]);
    let missing = match Strace::attach(command, sleeping.id()) {
        Err(error) => Some(format!("strace can't be run: {error}")),
        Ok(mut strace) => {
            let said = Arc::clone(&strace.said);
            let said = || said.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let process = Mutex::new(&mut strace.process);
            let has_ended = || {
                let ended = process.lock().expect("one thread").try_wait();
                ended.is_ok_and(|status| status.is_some())
            };
            eventually("strace tries", || said().contains(ATTACHED) || has_ended()).await;
            (!said().contains(ATTACHED)).then(|| format!("strace can't attach here: {}", said()))
        }
    };
    let _ = sleeping.kill();
    let _ = sleeping.wait();
    missing
}
