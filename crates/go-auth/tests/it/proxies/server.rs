//! A program that serves, and what it started, until it is dropped.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

use test_support::millis;

/// So much of the log belongs to a failure.
const LOG_LINES: usize = 50;

pub(crate) struct Server {
    process: Child,
    log: PathBuf,
}

impl Server {
    /// Returns once it accepts connections.
    pub(crate) async fn start<S, F>(
        mut command: Command,
        directory: &Path,
        connect: impl Fn() -> F,
    ) -> Self
    where
        F: Future<Output = std::io::Result<S>>,
    {
        let log = directory.join("log");
        let file = File::create(&log).expect("a file");
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a file"))
            .stderr(file)
            .spawn();
        let program = command.get_program().display();
        let process = child.unwrap_or_else(|error| panic!("{program}: {error}"));
        let mut server = Self { process, log };
        for _ in 0..2000 {
            if connect().await.is_ok() {
                return server;
            }
            if server.process.try_wait().expect("a child").is_some() {
                break;
            }
            tokio::time::sleep(millis(10)).await;
        }
        panic!("{program} does not listen");
    }
}

impl Drop for Server {
    #[expect(clippy::print_stdout, reason = "shown where a test has failed")]
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.process), Signal::KILL);
        let _ = self.process.wait();
        if std::thread::panicking()
            && let Ok(log) = std::fs::read_to_string(&self.log)
        {
            let lines: Vec<_> = log.lines().collect();
            let last = lines.len().saturating_sub(LOG_LINES);
            println!("its log ends so:\n{}", lines[last..].join("\n"));
        }
    }
}
