//! A proxy between a client and an API, and the gate beside it: all that takes part.

use derbysoft_go_simulator::Simulator;
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::api::Api;
use super::proxy::{GateAddress, Proxy, Running, own_address};
use crate::gate_process::{GateProcess, settings_of};
use test_support::wire::{Reply, Wire, head};

/// Demands all that `refused_tokens` violates.
pub(crate) const STRICT: &str =
    "subjects = [\"ds-go-module\"]\nmax_lifetime = \"300s\"\nrequired_claims = [\"jti\"]";

pub(crate) struct Stage {
    pub(crate) go: Simulator,
    pub(crate) gates: Vec<GateProcess>,
    /// Where they are started again.
    places: Vec<Place>,
    settings: String,
    pub(crate) api: Api,
    pub(crate) proxy: Running,
}

/// Of one gate: its addresses, which are its own alone.
struct Place {
    verdicts: String,
    status: String,
    _directory: TempDir,
}

impl Place {
    fn of(proxy: &Proxy) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let verdicts = if proxy.over_a_socket {
            format!("unix:{}", directory.path().join("gate").display())
        } else {
            own_address().to_string()
        };
        Self {
            verdicts,
            status: own_address().to_string(),
            _directory: directory,
        }
    }

    async fn start(&self, settings: &str) -> GateProcess {
        GateProcess::start_at(settings, &self.verdicts, &self.status).await
    }
}

impl Stage {
    pub(crate) async fn set(proxy: &Proxy, settings: &str) -> Self {
        let go = Simulator::start().await.expect("a free port");
        Self::of(go, proxy, settings, 1, |shipped| shipped).await
    }

    pub(crate) async fn of(
        go: Simulator,
        proxy: &Proxy,
        settings: &str,
        gates: usize,
        change: fn(String) -> String,
    ) -> Self {
        let settings = settings_of(&go, settings);
        let places: Vec<_> = (0..gates).map(|_| Place::of(proxy)).collect();
        let mut started = Vec::new();
        for place in &places {
            started.push(place.start(&settings).await);
        }
        let stage = Self::with(go, proxy, started, change).await;
        Self {
            places,
            settings,
            ..stage
        }
    }

    /// With gates that run already, and have their status apart.
    pub(crate) async fn with(
        go: Simulator,
        proxy: &Proxy,
        gates: Vec<GateProcess>,
        change: fn(String) -> String,
    ) -> Self {
        let api = Api::start(proxy.api).await;
        let addresses = gates.iter().map(GateAddress::of).collect();
        Self {
            proxy: Running::start(proxy, addresses, api.address.clone(), change).await,
            go,
            gates,
            places: Vec::new(),
            settings: String::new(),
            api,
        }
    }

    /// Ends a gate, and starts it where it was; it may have no keys yet.
    pub(crate) async fn restart(&mut self, gate: usize) {
        self.gates[gate].signal(Signal::TERM);
        assert_eq!(self.gates[gate].exit().await.code(), Some(0));
        self.gates[gate] = self.places[gate].start(&self.settings).await;
    }

    pub(crate) fn gate(&self) -> &GateProcess {
        &self.gates[0]
    }

    pub(crate) async fn connect(&self) -> Wire<TcpStream> {
        self.proxy.connect().await
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

/// Whether a proxy, or the gate behind it, would have none of a request.
pub(crate) fn is_rejection(reply: Option<&Reply>) -> bool {
    // 501 and 505: a method, a coding or a version that it does not know.
    reply.is_none_or(|reply| matches!(reply.status, 400..=499 | 501 | 505))
}

/// What GO takes for an outage.
pub(crate) fn assert_come_again(reply: &Reply) {
    assert_eq!(reply.status, 503, "{reply:?}");
    let retry_after = reply.header("retry-after").expect("when to come again");
    assert!((1..=60).contains(&retry_after.parse().expect("whole seconds")));
    assert_eq!(reply.header("www-authenticate"), None);
}
