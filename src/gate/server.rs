//! The gate at work, until the process is told to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::error::ServeError;
use super::events;
use super::live::Live;
use super::metrics::Exposition;
use super::port::Port;
use super::reload::reload;
use super::routes::Offer;
use super::settings::Settings;
use super::shared::Shared;
use super::signals::{Signal, Signals};

/// How long requests may go on after the process was told to stop: as long as
/// [`key_wait`](crate::Config::key_wait) may be set to, the longest of what a request
/// waits for. It is also the time that Kubernetes leaves by default.
const DRAIN: Duration = Duration::from_secs(30);

/// A gate that is bound to its addresses.
#[derive(Debug)]
pub(super) struct Gate {
    verdicts: Port,
    /// Where the status is not told there.
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
    /// Reads the settings and binds the addresses; fetches nothing yet.
    pub(super) async fn bind(
        listen: &str,
        status_listen: Option<&str>,
        settings: Settings,
        exposition: Exposition,
    ) -> Result<Self, ServeError> {
        let live = Live::read(&settings, None)?;
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

    pub(super) fn addresses(&self) -> std::io::Result<Addresses> {
        Ok(Addresses {
            verdicts: self.verdicts.address()?,
            status: self.status.as_ref().map(Port::address).transpose()?,
        })
    }

    /// Serves until it is told to stop, and ends when all requests have.
    pub(super) async fn run(self, mut signals: Signals) {
        let Self {
            mut verdicts,
            status,
            settings,
            shared,
        } = self;
        // Stopped by the end of this function.
        let mut background = JoinSet::new();
        background.spawn(shared.exposition.clone().keep_up());
        background.spawn(fetch_keys(Arc::clone(&shared)));
        // Of several that come during a reload, one more is enough.
        let wanted = Arc::new(Notify::new());
        background.spawn(keep_reloading(
            Arc::clone(&shared),
            settings,
            Arc::clone(&wanted),
        ));
        // To the end: that it ends is a status, too.
        if let Some(status) = status {
            background.spawn(keep_telling(status, Arc::clone(&shared)));
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
        drain(connections, told_to_stop(signals)).await;
    }
}

/// Until there are keys requests are answered 503, so they are fetched at once. The
/// keeper goes on trying.
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

async fn keep_telling(mut status: Port, shared: Arc<Shared>) {
    match status.serve(&shared).await {}
}

async fn told_to_stop(mut signals: Signals) {
    while signals.next().await != Signal::Stop {}
}

/// Waits for the connections to end: for [`DRAIN`] at the longest, or until it is
/// told to stop a second time.
async fn drain(mut connections: JoinSet<()>, told_again: impl Future<Output = ()>) {
    let ended = async { while connections.join_next().await.is_some() {} };
    tokio::select! {
        () = ended => events::stopped(),
        () = told_again => events::stopped_when_told_again(),
        () = tokio::time::sleep(DRAIN) => events::stopped_when_time_was_up(),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_does_not_end_is_waited_for_thirty_seconds() {
        let mut connections = JoinSet::new();
        connections.spawn(pending());
        let started = Instant::now();
        drain(connections, pending()).await;
        assert_eq!(started.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn what_ends_is_not_waited_for_longer() {
        let mut connections = JoinSet::new();
        connections.spawn(tokio::time::sleep(Duration::from_secs(7)));
        let started = Instant::now();
        drain(connections, pending()).await;
        assert_eq!(started.elapsed().as_secs(), 7);
    }
}
