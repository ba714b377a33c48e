//! What all connections share.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use super::live::Live;
use super::metrics::Exposition;
use super::settings::Settings;
use derbysoft_go_simulator::bounded_tcp::Draining;

pub(super) struct Shared {
    /// What requests use from now on.
    pub(super) live: ArcSwap<Live>,
    pub(super) settings: Settings,
    /// Of several signals that come during a reload, one more is enough.
    pub(super) reload: Notify,
    pub(super) draining: Draining,
    /// Held by each connection as long as it is open.
    pub(super) connection: Arc<()>,
    pub(super) exposition: Exposition,
}

impl Shared {
    pub(super) fn new(live: Live, settings: Settings, exposition: Exposition) -> Self {
        Self {
            live: ArcSwap::from_pointee(live),
            settings,
            reload: Notify::new(),
            draining: Draining::default(),
            connection: Arc::default(),
            exposition,
        }
    }

    /// One that trusts an issuer whose keys nobody fetches.
    #[cfg(test)]
    pub(super) fn of_nobody() -> Self {
        let settings = Settings::new(None, []);
        Self::new(Live::of_nobody(), settings, Exposition::apart())
    }

    /// How many connections are open.
    pub(super) fn connections(&self) -> usize {
        Arc::strong_count(&self.connection) - 1
    }
}
