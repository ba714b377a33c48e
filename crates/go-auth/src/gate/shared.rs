//! What all connections share.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::live::Live;
use super::metrics::Exposition;
use derbysoft_go_simulator::bounded_tcp::Draining;

#[derive(Debug)]
pub(super) struct Shared {
    live: ArcSwap<Live>,
    pub(super) draining: Draining,
    /// Held by each connection.
    connection: Arc<()>,
    pub(super) exposition: Exposition,
}

impl Shared {
    pub(super) fn new(live: Live, exposition: Exposition) -> Self {
        Self {
            live: ArcSwap::from_pointee(live),
            draining: Draining::default(),
            connection: Arc::default(),
            exposition,
        }
    }

    /// One that trusts an issuer whose keys nobody fetches.
    #[cfg(test)]
    pub(super) fn of_nobody() -> Self {
        Self::new(Live::of_nobody(), Exposition::apart())
    }

    pub(super) fn live(&self) -> arc_swap::Guard<Arc<Live>> {
        self.live.load()
    }

    /// Later requests use `live`.
    pub(super) fn replace(&self, live: Live) {
        self.live.store(Arc::new(live));
    }

    /// A connection, which is open as long as this is held.
    pub(super) fn connected(&self) -> Arc<()> {
        Arc::clone(&self.connection)
    }

    /// How many are open.
    pub(super) fn connections(&self) -> usize {
        Arc::strong_count(&self.connection) - 1
    }

    /// As of now, for Prometheus.
    pub(super) fn metrics(&self) -> String {
        self.exposition
            .render(self.live().auth(), self.connections())
    }
}
