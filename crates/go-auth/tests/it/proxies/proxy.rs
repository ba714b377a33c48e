//! What is known of each proxy, and a real one with its shipped configuration.

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::api::{ApiAddress, Speaks};
use super::server::Server;
use crate::gate_process::GateProcess;
use test_support::wire::{Wire, head};
use test_support::{millis, secs, soon};

/// One that the suite runs.
pub(crate) struct Proxy {
    pub(crate) program: &'static str,
    /// The files of `examples/gate`, with their names.
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// Addresses and paths of the files, and what the test has in their place. Each is in
    /// the files exactly once.
    pub(crate) substitutes: fn(&Places) -> Vec<(&'static str, String)>,
    /// It runs in the directory of its files.
    pub(crate) arguments: fn(&Path) -> Vec<String>,
    /// Whether it asks at a socket.
    pub(crate) over_a_socket: bool,
    /// Whether it answers everything with 404 until it has read its routes.
    pub(crate) listens_early: bool,
    /// How long it may take until its first check of a gate. Up to then `HAProxy` takes one
    /// that fails once for down.
    pub(crate) checked_within: Duration,
    pub(crate) api: Speaks,
    pub(crate) answers: Answers,
}

/// Where its answers are its own: what the guide says of it.
pub(crate) struct Answers {
    /// To a request of HTTP/1.0, where it does not speak that.
    pub(crate) http_1_0: Option<u16>,
    /// To anybody while no gate answers. To 503 there belongs a `Retry-After`.
    pub(crate) no_gate: u16,
    /// How long it waits for a gate that says nothing.
    pub(crate) patience: Duration,
    /// Whose word `Retry-After` is while the gate has no keys.
    pub(crate) retry_after: RetryAfter,
    /// To more than one `Authorization` header.
    pub(crate) two_credentials: &'static [u16],
    /// Whether an empty `Authorization` header beside another is none to it.
    pub(crate) ignores_empty_credentials: bool,
    /// To a credential of 9,000 bytes.
    pub(crate) too_long: &'static [u16],
    /// Whether it answers a rejected request only once it has read the body, or much of it.
    pub(crate) reads_rejected_bodies: bool,
    /// To methods that nobody knows, where it does not pass them on.
    pub(crate) unknown_method: Option<u16>,
    /// To `OPTIONS *`, by itself and without asking the gate.
    pub(crate) asterisk: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetryAfter {
    Gate,
    /// As where there is no gate.
    Proxy,
    Either,
}

/// As nginx has them, and most.
pub(crate) const ANSWERS: Answers = Answers {
    http_1_0: None,
    no_gate: 503,
    patience: secs(5),
    retry_after: RetryAfter::Gate,
    two_credentials: &[401],
    ignores_empty_credentials: false,
    too_long: &[401],
    reads_rejected_bodies: false,
    unknown_method: None,
    asterisk: None,
};

/// As most are.
pub(crate) const PROXY: Proxy = Proxy {
    program: "",
    files: &[],
    substitutes: |_| Vec::new(),
    arguments: |_| Vec::new(),
    over_a_socket: false,
    listens_early: false,
    checked_within: Duration::ZERO,
    api: Speaks::Http,
    answers: ANSWERS,
};

/// Where everything is in a test.
pub(crate) struct Places {
    /// Where the proxy listens.
    pub(crate) listen: SocketAddr,
    pub(crate) gates: Vec<GateAddress>,
    pub(crate) api: ApiAddress,
    /// Of the proxy's own files.
    pub(crate) directory: PathBuf,
}

#[derive(Debug, Clone)]
pub(crate) struct GateAddress {
    pub(crate) verdicts: Verdicts,
    pub(crate) status: SocketAddr,
}

/// Where a gate answers.
#[derive(Debug, Clone)]
pub(crate) enum Verdicts {
    Port(SocketAddr),
    Socket(String),
}

impl GateAddress {
    pub(crate) fn of(gate: &GateProcess) -> Self {
        let verdicts = match &gate.socket {
            Some(socket) => Verdicts::Socket(socket.display().to_string()),
            None => Verdicts::Port(gate.address),
        };
        Self {
            verdicts,
            status: gate.status_address.expect("one of its own"),
        }
    }

    /// Its port, behind those that ask at one.
    pub(crate) fn port(&self) -> SocketAddr {
        match self.verdicts {
            Verdicts::Port(address) => address,
            Verdicts::Socket(_) => unreachable!("it listens at a socket"),
        }
    }
}

impl Places {
    /// The first gate.
    pub(crate) fn gate(&self) -> &GateAddress {
        &self.gates[0]
    }

    /// The API's address, where it speaks HTTP.
    pub(crate) fn api(&self) -> String {
        match &self.api {
            ApiAddress::Http(address) => address.to_string(),
            ApiAddress::Php(..) => unreachable!("it speaks FastCGI"),
        }
    }

    /// PHP-FPM's socket, and the script.
    pub(crate) fn php(&self) -> (&str, &str) {
        match &self.api {
            ApiAddress::Php(socket, script) => (socket, script),
            ApiAddress::Http(_) => unreachable!("it speaks HTTP"),
        }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }
}

/// Ends when it is dropped.
pub(crate) struct Running {
    pub(crate) listen: SocketAddr,
    /// Before its directory, which has its log.
    _server: Server,
    directory: TempDir,
}

impl Running {
    /// With its files as shipped, and what else a test changes in them.
    pub(crate) async fn start(
        proxy: &Proxy,
        gates: Vec<GateAddress>,
        api: ApiAddress,
        change: fn(String) -> String,
    ) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        // Started by root, some run as somebody else.
        std::fs::set_permissions(path, Permissions::from_mode(0o755)).expect("its own");
        let listen = own_address();
        let places = Places {
            listen,
            gates,
            api,
            directory: path.to_owned(),
        };
        let owned = |(name, text): &(&'static str, &str)| (*name, (*text).to_owned());
        let mut files: Vec<(&str, String)> = proxy.files.iter().map(owned).collect();
        for (theirs, ours) in (proxy.substitutes)(&places) {
            let found: usize = files
                .iter()
                .map(|(_, text)| text.matches(theirs).count())
                .sum();
            assert_eq!(found, 1, "{theirs}");
            for (_, text) in &mut files {
                *text = text.replace(theirs, &ours);
            }
        }
        for (name, text) in files {
            std::fs::write(path.join(name), change(text)).expect("written");
        }
        let mut command = Command::new(proxy.program);
        command.current_dir(path).args((proxy.arguments)(path));
        let server = Server::start(command, path, || TcpStream::connect(listen)).await;
        let running = Self {
            listen,
            directory,
            _server: server,
        };
        if proxy.listens_early {
            soon(running.routed()).await;
        }
        running
    }

    async fn routed(&self) {
        loop {
            let mut wire = self.connect().await;
            wire.write(head("GET", "/", &[])).await;
            if wire.reply().await.status != 404 {
                return;
            }
            tokio::time::sleep(millis(10)).await;
        }
    }

    pub(crate) async fn connect(&self) -> Wire<TcpStream> {
        let stream = soon(TcpStream::connect(self.listen)).await;
        Wire::new(stream.expect("it listens"))
    }

    /// Everything that is said to a client that has no more than this to say.
    pub(crate) async fn all_of(&self, bytes: &[u8]) -> Vec<u8> {
        let mut said = Vec::new();
        soon(async {
            let mut stream = TcpStream::connect(self.listen).await.expect("it listens");
            stream.write_all(bytes).await.expect("it reads");
            stream.shutdown().await.expect("it reads");
            // A reset ends it too.
            let _ = stream.read_to_end(&mut said).await;
        })
        .await;
        said
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// Of one test alone: few proxies can be asked for any free port, and say which it is.
/// All of 127.0.0.0/8 is the loopback, and the ports are none that are given to who asks
/// for any.
pub(crate) fn own_address() -> SocketAddr {
    let host = [
        127,
        fastrand::u8(1..),
        fastrand::u8(..),
        fastrand::u8(1..255),
    ];
    (host, fastrand::u16(10_000..30_000)).into()
}
