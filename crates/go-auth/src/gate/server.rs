//! The gate, from its start until the process is stopped.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::events;
use super::listening::Listening;
use super::port::Port;
use super::reload::reload;
use super::routes::Offer;
use super::shared::Shared;
use super::status_line;
use super::supervisor::supervised;
use crate::console::Failure;
use crate::listen::{Access, Address, Listener, Passed};
use crate::process::{Phase, Signal, Signals};

/// How long requests may go on after the signal to stop: as long as
/// [`key_wait`](derbysoft_go_auth::Config::key_wait) may be set to, the longest of what a
/// request waits for. It is also the time that Kubernetes leaves by default.
const DRAIN: Duration = Duration::from_secs(30);

/// How often the service manager is notified of how the gate is, if that has changed.
const STATUS_EVERY: Duration = Duration::from_secs(1);

/// A gate bound to its addresses.
pub(super) struct Gate {
    pub(super) verdicts: Port,
    /// Of `/healthz`, `/readyz` and `/metrics`, where they have an address of their own.
    pub(super) status: Option<Port>,
    shared: Arc<Shared>,
}

impl Gate {
    /// Binds the addresses; fetches nothing yet. May be stopped at any await.
    pub(super) async fn bind(
        listening: &Listening,
        mut passed: Passed,
        shared: Shared,
    ) -> Result<Self, Failure> {
        let Listening {
            verdicts,
            status,
            access,
        } = listening;
        let offer = match status {
            None => Offer::Everything,
            Some(_) => Offer::Verdicts,
        };
        let verdicts = bind(verdicts, offer, *access, &mut passed).await?;
        let status = match status {
            None => None,
            Some(apart) => {
                let port = bind(apart, Offer::Status, *access, &mut passed).await?;
                // The same socket under two names, or two with `ReusePort=`.
                let name = |port: &Port| port.listener.name().ok();
                if name(&verdicts).is_some_and(|taken| name(&port) == Some(taken)) {
                    let error = io::Error::other("it is the address of the verdicts");
                    return Err(Failure::cannot_listen(&apart.to_string(), &error));
                }
                Some(port)
            }
        };
        passed
            .all_used()
            .map_err(|wrong| Failure::cannot("listen", wrong))?;
        Ok(Self {
            verdicts,
            status,
            shared: Arc::new(shared),
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
        if shared.manager.exists() {
            let manager = supervised("service manager", Arc::clone(&shared), keep_notifying);
            background.spawn(manager);
        }
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
                    Signal::Ignored(name) => events::signal_ignored(name),
                },
                never = verdicts.serve(&shared) => match never {},
            }
        }
        let connections = verdicts.close().await;
        shared.draining.cancel();
        notify(&shared, Some(Phase::Stopping));
        events::stopping();
        drain(connections, signals.stop()).await;
        shared.not_http.flush();
    }
}

async fn bind(
    address: &Address,
    offer: Offer,
    access: Access,
    passed: &mut Passed,
) -> Result<Port, Failure> {
    let listener = Listener::bind(address, access, passed).await;
    let listener =
        listener.map_err(|error| Failure::cannot_listen(&address.to_string(), &error))?;
    Ok(Port::new(listener, offer))
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
    // It listens; and after a reload that panicked it goes on.
    notify(&shared, Some(Phase::Ready));
    loop {
        shared.reload.notified().await;
        notify(&shared, Some(Phase::Reloading));
        reload(&shared).await;
        notify(&shared, Some(Phase::Ready));
    }
}

/// Notifies the service manager of the keys, and of anything that it did not take before.
async fn keep_notifying(shared: Arc<Shared>) {
    let mut due = tokio::time::interval(STATUS_EVERY);
    loop {
        due.tick().await;
        notify(&shared, None);
    }
}

/// Notifies the service manager of how the gate is and, if that has changed, of what it
/// does.
fn notify(shared: &Shared, phase: Option<Phase>) {
    let manager = &shared.manager;
    if !manager.exists() {
        return;
    }
    let is_refused = shared.exposition.is_last_reload_refused();
    let line = status_line::of(&shared.live.load().auth.health(), is_refused);
    let sent = match phase {
        Some(phase) => manager.enter(phase, line),
        None => manager.update(line),
    };
    let was_failing = shared
        .manager_failing
        .swap(sent.is_err(), Ordering::Relaxed);
    if let Err(error) = sent {
        events::not_notified(&error, was_failing);
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

    use super::super::settings::Settings;
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
