//! The gate, from its start until the process is stopped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tokio::task::JoinSet;

use super::events;
use super::live::Live;
use super::metrics::Exposition;
use super::port::Port;
use super::reload::reload;
use super::routes::Offer;
use super::settings::Settings;
use super::shared::Shared;
use super::supervisor::supervised;
use crate::console::Failure;
use crate::process::{Signal, Signals};

/// How long requests may go on after the signal to stop: as long as
/// [`key_wait`](derbysoft_go_auth::Config::key_wait) may be set to, the longest of what a
/// request waits for. It is also the time that Kubernetes leaves by default.
const DRAIN: Duration = Duration::from_secs(30);

/// A gate bound to its addresses.
#[derive(Debug)]
pub(super) struct Gate {
    verdicts: Port,
    /// Where the status has an address of its own.
    status: Option<Port>,
    settings: Settings,
    shared: Arc<Shared>,
}

/// Where the gate listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    /// Of the verdicts.
    pub(crate) verdicts: SocketAddr,
    /// Of `/healthz`, `/readyz` and `/metrics`, where they have their own.
    pub(crate) status: Option<SocketAddr>,
}

impl Gate {
    /// Reads the settings and binds the addresses; fetches nothing yet. May be stopped at
    /// any await.
    pub(super) async fn bind(
        listen: &str,
        status_listen: Option<&str>,
        settings: Settings,
        exposition: Exposition,
    ) -> Result<Self, Failure> {
        let reading = tokio::task::spawn_blocking({
            let settings = settings.clone();
            move || Live::read(&settings, None)
        });
        let live = (reading.await).map_err(|error| Failure::cannot("read the settings", error))?;
        let live = live.map_err(|error| Failure::Settings {
            error,
            have_flags: false,
        })?;
        let (verdicts, status) = match status_listen {
            None => (Port::bind(listen, Offer::Everything).await?, None),
            Some(apart) => (
                Port::bind(listen, Offer::Verdicts).await?,
                Some(Port::bind(apart, Offer::Status).await?),
            ),
        };
        Ok(Self {
            verdicts,
            status,
            settings,
            shared: Arc::new(Shared::new(live, exposition)),
        })
    }

    pub(super) fn addresses(&self) -> Result<Addresses, Failure> {
        Ok(Addresses {
            verdicts: self.verdicts.address()?,
            status: self.status.as_ref().map(Port::address).transpose()?,
        })
    }

    /// Serves until a signal to stop, and ends when all requests have.
    pub(super) async fn run(self, mut signals: Signals) {
        let Self {
            mut verdicts,
            status,
            settings,
            shared,
        } = self;
        // Of several that come during a reload, one more is enough.
        let wanted = Arc::new(Notify::new());
        // Stopped by the end of this function.
        let mut background = JoinSet::new();
        let exposition = shared.exposition.clone();
        background.spawn(supervised("metrics", move || exposition.clone().keep_up()));
        let all = Arc::clone(&shared);
        background.spawn(supervised("first keys", move || {
            fetch_keys(Arc::clone(&all))
        }));
        let (all, reload) = (Arc::clone(&shared), Arc::clone(&wanted));
        background.spawn(supervised("reloads", move || {
            keep_reloading(Arc::clone(&all), settings.clone(), Arc::clone(&reload))
        }));
        // To the end: shutting down is a status, too.
        if let Some(status) = status {
            let (status, all) = (Arc::new(Mutex::new(status)), Arc::clone(&shared));
            background.spawn(supervised("status", move || {
                keep_serving(Arc::clone(&status), Arc::clone(&all))
            }));
        }

        loop {
            tokio::select! {
                biased;
                signal = signals.next() => match signal {
                    Signal::Reload => wanted.notify_one(),
                    Signal::Stop => break,
                },
                never = verdicts.serve(&shared) => match never {},
            }
        }
        let connections = verdicts.close();
        shared.draining.begin();
        events::stopping();
        drain(connections, signals.stop()).await;
    }
}

/// Requests get 503 until there are keys, so they are fetched at once. The library keeps
/// trying.
async fn fetch_keys(shared: Arc<Shared>) {
    let auth = shared.live().auth().clone();
    // A failure is in the log already.
    let _ = auth.ready().await;
}

async fn keep_reloading(shared: Arc<Shared>, settings: Settings, wanted: Arc<Notify>) {
    loop {
        wanted.notified().await;
        reload(&shared, &settings).await;
    }
}

async fn keep_serving(status: Arc<Mutex<Port>>, shared: Arc<Shared>) {
    match status.lock().await.serve(&shared).await {}
}

/// Waits for the connections to end: for [`DRAIN`] at most, or until a second signal.
async fn drain(mut connections: JoinSet<()>, signalled_again: impl Future<Output = ()>) {
    let ended = async { while connections.join_next().await.is_some() {} };
    tokio::select! {
        () = ended => events::stopped(),
        () = signalled_again => events::stopped_by_a_second_signal(),
        () = tokio::time::sleep(DRAIN) => events::stopped_after_the_time_limit(),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::Instant;

    use super::super::failing_log::panics_at;
    use super::*;
    use derbysoft_go_simulator::Simulator;

    /// The log line that panics is written when the new settings are in use already.
    #[tokio::test]
    async fn a_reload_after_a_panicking_one_works() {
        let _failing = panics_at("settings reloaded");
        let go = Simulator::start().await.expect("a free port");
        let variables = [
            ("GO_AUTH_ISSUER", go.issuer().to_owned()),
            ("GO_AUTH_AUDIENCE", go.audience().to_owned()),
            ("GO_AUTH_JWKS_URL", go.jwks_url()),
        ];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let settings = Settings::new(None, variables);
        let shared = Arc::new(Shared::of_nobody());
        let wanted = Arc::new(Notify::new());
        let _reloads = tokio::spawn(supervised("reloads", {
            let (shared, wanted) = (Arc::clone(&shared), Arc::clone(&wanted));
            move || keep_reloading(Arc::clone(&shared), settings.clone(), Arc::clone(&wanted))
        }));
        for _ in 0..2 {
            let before = Arc::clone(&shared.live());
            wanted.notify_one();
            let replaced = async {
                while Arc::ptr_eq(&before, &shared.live()) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            let replaced = tokio::time::timeout(Duration::from_secs(10), replaced).await;
            replaced.expect("the other settings are at work");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn hanging_requests_delay_the_end_by_thirty_seconds() {
        let mut connections = JoinSet::new();
        connections.spawn(pending());
        let started = Instant::now();
        drain(connections, pending()).await;
        assert_eq!(started.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_waits_no_longer_than_requests_take() {
        let mut connections = JoinSet::new();
        connections.spawn(tokio::time::sleep(Duration::from_secs(7)));
        let started = Instant::now();
        drain(connections, pending()).await;
        assert_eq!(started.elapsed().as_secs(), 7);
    }
}
