//! A real PHP-FPM, and a script that records what PHP shows it of a request.

use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::UnixStream;

use super::api::Received;
use super::server::Server;

const SCRIPT: &str = r"<?php
$line = json_encode([
    'server' => $_SERVER,
    'headers' => (object) getallheaders(),
    'body' => base64_encode(file_get_contents('php://input')),
], JSON_INVALID_UTF8_SUBSTITUTE);
file_put_contents(getenv('RECORD'), $line . PHP_EOL, FILE_APPEND | LOCK_EX);
header('Content-Type: text/plain');
header('Content-Length: 7');
echo 'handled';
";

pub(crate) struct Php {
    _server: Server,
    directory: TempDir,
}

impl Php {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        let shown = path.display();
        std::fs::write(path.join("index.php"), SCRIPT).expect("written");
        // Whoever is not root can't change the user, and need not.
        let configuration = format!(
            "[global]\ndaemonize = no\nerror_log = {shown}/fpm.log\n\
             [api]\nuser = root\ngroup = root\nlisten = {shown}/php.sock\n\
             pm = static\npm.max_children = 2\nenv[RECORD] = {shown}/received\n"
        );
        std::fs::write(path.join("fpm.conf"), configuration).expect("written");
        let mut command = Command::new(program());
        command.args(["--nodaemonize", "--allow-to-run-as-root", "--fpm-config"]);
        command.arg(path.join("fpm.conf"));
        let socket = path.join("php.sock");
        let server = Server::start(command, path, || UnixStream::connect(socket.clone())).await;
        Self {
            _server: server,
            directory,
        }
    }

    pub(crate) fn socket(&self) -> String {
        self.file("php.sock").display().to_string()
    }

    pub(crate) fn script(&self) -> String {
        self.file("index.php").display().to_string()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn calls(&self) -> usize {
        self.lines().lines().count()
    }

    pub(crate) fn since(&self, calls: usize) -> Vec<Received> {
        self.lines().lines().skip(calls).map(received).collect()
    }

    fn lines(&self) -> String {
        std::fs::read_to_string(self.file("received")).unwrap_or_default()
    }
}

fn received(line: &str) -> Received {
    let line: Value = serde_json::from_str(line).expect("JSON");
    let pairs = |value: &Value| -> Vec<(String, String)> {
        let object = value.as_object().expect("names and values");
        let pair = |(name, value): (&String, &Value)| {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), value)
        };
        object.iter().map(pair).collect()
    };
    let body = line["body"].as_str().expect("a text");
    let body = BASE64_STANDARD.decode(body).expect("base64");
    let received = Received::of_variables(&pairs(&line["server"]), body.into());
    // The other way by which a script reads headers shows it no other caller.
    let headers = Received {
        fields: (pairs(&line["headers"]).into_iter())
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect(),
        ..received.clone()
    };
    assert_eq!(headers.identity(), received.identity());
    received
}

/// Debian's has its version in its name.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).find_map(|directory| {
        let mut entries = std::fs::read_dir(directory).ok()?.flatten();
        entries.find(|entry| entry.file_name().to_string_lossy().starts_with("php-fpm"))
    });
    found.expect("php-fpm is installed").path()
}
