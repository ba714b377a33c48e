//! The gate, from its start until the process is stopped.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
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
pub(super) struct Gate {
    pub(super) verdicts: Port,
    /// Of `/healthz`, `/readyz` and `/metrics`, where they have an address of their own.
    pub(super) status: Option<Port>,
    shared: Arc<Shared>,
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
            shared: Arc::new(Shared::new(live, settings, exposition)),
        })
    }

    /// Serves until a signal to stop, and ends when all requests have.
    pub(super) async fn run(self, mut signals: Signals) {
        let (mut verdicts, shared) = (self.verdicts, self.shared);
        // Stopped by the end of this function.
        let mut background = JoinSet::new();
        background.spawn(supervised("metrics", Arc::clone(&shared), keep_up));
        background.spawn(supervised("first keys", Arc::clone(&shared), fetch_keys));
        background.spawn(supervised("reloads", Arc::clone(&shared), keep_reloading));
        // To the end: shutting down is a status, too.
        if let Some(status) = self.status {
            let status = Arc::new((Mutex::new(status), Arc::clone(&shared)));
            background.spawn(supervised("status", status, keep_serving));
        }

        loop {
            tokio::select! {
                biased;
                signal = signals.next() => match signal {
                    Signal::Reload => shared.reload.notify_one(),
                    Signal::Stop => break,
                },
                never = verdicts.serve(&shared) => match never {},
            }
        }
        let connections = verdicts.close();
        shared.draining.cancel();
        events::stopping();
        drain(connections, signals.stop()).await;
    }
}

async fn keep_up(shared: Arc<Shared>) {
    shared.exposition.keep_up().await;
}

/// Requests get 503 until there are keys, so they are fetched at once. The library keeps
/// trying.
async fn fetch_keys(shared: Arc<Shared>) {
    let auth = shared.live.load().auth.clone();
    // A failure is in the log already.
    let _ = auth.ready().await;
}

async fn keep_reloading(shared: Arc<Shared>) {
    loop {
        shared.reload.notified().await;
        reload(&shared).await;
    }
}

async fn keep_serving(status: Arc<(Mutex<Port>, Arc<Shared>)>) {
    let (port, shared) = &*status;
    match port.lock().await.serve(shared).await {}
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

    use super::*;
    use derbysoft_go_simulator::Simulator;
    use test_support::failing_log::panics_at;

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
        let mut shared = Shared::of_nobody();
        shared.settings = Settings::new(None, variables);
        let shared = Arc::new(shared);
        let _reloads = tokio::spawn(supervised("reloads", Arc::clone(&shared), keep_reloading));
        for _ in 0..2 {
            let before = shared.live.load_full();
            shared.reload.notify_one();
            let replaced = async {
                while Arc::ptr_eq(&before, &shared.live.load()) {
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
