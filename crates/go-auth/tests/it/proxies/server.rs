//! A program that serves, and what it started, until it is dropped.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

use test_support::millis;

pub(crate) struct Server(Child);

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
        let mut server = Self(child.unwrap_or_else(|error| panic!("{program}: {error}")));
        for _ in 0..2000 {
            if connect().await.is_ok() {
                return server;
            }
            if server.0.try_wait().expect("a child").is_some() {
                break;
            }
            tokio::time::sleep(millis(10)).await;
        }
        drop(server);
        let said = std::fs::read_to_string(log).expect("a log");
        panic!("{program} does not listen: {said}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}
