//! A real nginx with the shipped configuration, between a client and an API, and the gate
//! beside it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use derbysoft_go_simulator::Simulator;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::net::{TcpListener, UnixStream};
use tokio::task::JoinSet;

use crate::gate_process::{GateProcess, settings_of};
use test_support::wire::{Reply, Wire, head};
use test_support::{Background, eventually, millis, soon};

/// The file that is shipped, which is what is tested.
const CONFIGURATION: &str = include_str!("../../../../../examples/gate/nginx.conf");

/// Puts an address or a path of the test in the place of one of the file's, which has to
/// be there exactly once.
fn substitute(configuration: &str, theirs: &str, ours: &str) -> String {
    assert_eq!(configuration.matches(theirs).count(), 1, "{theirs}");
    configuration.replace(theirs, ours)
}

/// A request as the API got it.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) head: http::request::Parts,
    pub(crate) body: Bytes,
}

impl Received {
    /// The value of a header that is there once, or not at all.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.head.headers.get_all(name).iter();
        let value = values.next()?.to_str().expect("visible ASCII");
        assert!(values.next().is_none(), "{name} is there twice: {self:?}");
        Some(value)
    }

    /// Everything that somebody may take for one of the gate's headers: names that begin
    /// alike once all but letters and digits is the same.
    pub(crate) fn identity(&self) -> Vec<(&str, &str)> {
        let alike = |name: &str| {
            let same = |byte: u8| {
                if byte.is_ascii_alphanumeric() {
                    byte
                } else {
                    b'_'
                }
            };
            name.bytes()
                .map(same)
                .collect::<Vec<_>>()
                .starts_with(b"x_go")
        };
        let mut found: Vec<_> = (self.head.headers.iter())
            .filter(|(name, _)| alike(name.as_str()))
            .map(|(name, value)| (name.as_str(), value.to_str().expect("visible ASCII")))
            .collect();
        found.sort_unstable();
        found
    }
}

/// The API behind nginx: answers `handled`, and remembers what reached it.
pub(crate) struct Api {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    _server: Background,
}

impl Api {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let seen = Arc::clone(&received);
        let server = Background::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let seen = Arc::clone(&seen);
                let handle = service_fn(move |request| handle(request, Arc::clone(&seen)));
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), handle);
                connections.spawn(connection);
            }
        });
        Self {
            address,
            received,
            _server: server,
        }
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        received.clone()
    }

    pub(crate) fn calls(&self) -> usize {
        self.received().len()
    }

    pub(crate) fn last(&self) -> Received {
        self.received().pop().expect("a request reached the API")
    }
}

async fn handle(
    request: Request<Incoming>,
    seen: Arc<Mutex<Vec<Received>>>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.push(Received { head, body });
    Ok(Response::new("handled".into()))
}

/// Runs as one process, which is ended when this is dropped.
struct Nginx {
    process: Child,
    directory: TempDir,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Nginx {
    /// At a socket of its own instead of a port, so that tests can't meet there.
    async fn start(gates: &[SocketAddr], api: SocketAddr, change: fn(String) -> String) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        // Its workers would run as nobody, were it started by root.
        let path = directory.path();
        let gates: Vec<_> = gates.iter().map(|gate| format!("server {gate};")).collect();
        let listen = format!("listen unix:{};", socket(path).display());
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("    {name}_temp_path {};\n", path.join(name).display()))
            .concat();
        let temporary = format!("http {{\n{temporary}");
        let log = path.join("access.log").display().to_string();
        let configuration = substitute(CONFIGURATION, "listen 8000;", &listen);
        let configuration = substitute(&configuration, "server 127.0.0.1:8081;", &gates.join("\n"));
        let configuration = substitute(&configuration, "127.0.0.1:8080", &api.to_string());
        let configuration = substitute(&configuration, "http {\n", &temporary);
        let configuration = substitute(&configuration, "/var/log/nginx/access.log", &log);
        std::fs::write(path.join("nginx.conf"), change(configuration)).expect("written");

        let log = std::fs::File::create(path.join("stderr")).expect("a file");
        let mut process = Command::new("nginx")
            .env(
                "PATH",
                "/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin:/sbin:/bin",
            )
            .arg("-p")
            .arg(path)
            .args(["-c", "nginx.conf", "-g"])
            .arg(format!(
                "daemon off; master_process off; error_log stderr; pid {};",
                path.join("pid").display()
            ))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("nginx is installed");
        for _ in 0..1000 {
            if UnixStream::connect(socket(path)).await.is_ok() {
                return Self { process, directory };
            }
            if process.try_wait().expect("a child").is_some() {
                break;
            }
            tokio::time::sleep(millis(5)).await;
        }
        let _ = process.kill();
        let said = std::fs::read_to_string(path.join("stderr"));
        panic!("nginx does not listen: {said:?}");
    }

    async fn connect(&self) -> Wire<UnixStream> {
        let stream = soon(UnixStream::connect(socket(self.directory.path()))).await;
        Wire::new(stream.expect("it listens"))
    }

    /// The access log once it has so many lines: each is written after its answer.
    async fn logged(&self, lines: usize) -> String {
        let path = self.directory.path().join("access.log");
        let log = || std::fs::read_to_string(&path).expect("a log");
        eventually("all are logged", || log().lines().count() >= lines).await;
        log()
    }
}

fn socket(directory: &Path) -> PathBuf {
    directory.join("socket")
}

/// All that takes part.
pub(crate) struct Stage {
    pub(crate) go: Simulator,
    pub(crate) gates: Vec<GateProcess>,
    pub(crate) api: Api,
    nginx: Nginx,
}

impl Stage {
    pub(crate) async fn set(settings: &str) -> Self {
        let go = Simulator::start().await.expect("a free port");
        Self::of(go, settings, 1, |shipped| shipped).await
    }

    pub(crate) async fn of(
        go: Simulator,
        settings: &str,
        gates: usize,
        change: fn(String) -> String,
    ) -> Self {
        let settings = settings_of(&go, settings);
        let mut started = Vec::new();
        for _ in 0..gates {
            started.push(GateProcess::start(&settings).await);
        }
        Self::with(go, started, change).await
    }

    /// With gates that run already.
    pub(crate) async fn with(
        go: Simulator,
        started: Vec<GateProcess>,
        change: fn(String) -> String,
    ) -> Self {
        let api = Api::start().await;
        let addresses: Vec<_> = started.iter().map(|gate| gate.address).collect();
        Self {
            nginx: Nginx::start(&addresses, api.address, change).await,
            go,
            gates: started,
            api,
        }
    }

    pub(crate) fn gate(&self) -> &GateProcess {
        &self.gates[0]
    }

    pub(crate) async fn connect(&self) -> Wire<UnixStream> {
        self.nginx.connect().await
    }

    /// nginx's access log of so many requests.
    pub(crate) async fn logged(&self, requests: usize) -> String {
        self.nginx.logged(requests).await
    }

    /// The answer to bytes on a connection of their own; `None` where there is none.
    pub(crate) async fn send(&self, bytes: impl AsRef<[u8]>) -> Option<Reply> {
        let mut wire = self.connect().await;
        wire.write(bytes).await;
        wire.reply_if_any().await
    }

    /// The answer to a push with these headers.
    pub(crate) async fn push(&self, headers: &[(&str, &str)]) -> Reply {
        let headers = [headers, &[("Content-Length", "5")]].concat();
        let request = head("POST", "/ari/daily/push?a=b", &headers) + "rates";
        self.send(request).await.expect("an answer")
    }

    /// The same, of one with this credential.
    pub(crate) async fn push_with(&self, authorization: &str) -> Reply {
        self.push(&[("Authorization", authorization)]).await
    }
}
