//! What all connections share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::live::Live;
use super::metrics::Exposition;
use super::not_http::NotHttp;
use super::settings::Settings;
use crate::process::ServiceManager;

pub(super) struct Shared {
    /// What requests use from now on.
    pub(super) live: ArcSwap<Live>,
    pub(super) settings: Settings,
    /// Of several signals that come during a reload, one more is enough.
    pub(super) reload: Notify,
    /// Cancelled when the gate accepts no more requests and finishes those under way.
    pub(super) draining: CancellationToken,
    /// Held by each connection as long as it is open.
    pub(super) connection: Arc<()>,
    pub(super) exposition: Exposition,
    pub(super) not_http: Arc<NotHttp>,
    pub(super) manager: ServiceManager,
    /// The last attempt to notify it failed.
    pub(super) manager_failing: AtomicBool,
}

impl Shared {
    pub(super) fn new(
        live: Live,
        settings: Settings,
        exposition: Exposition,
        manager: ServiceManager,
    ) -> Self {
        Self {
            live: ArcSwap::from_pointee(live),
            settings,
            reload: Notify::new(),
            draining: CancellationToken::new(),
            connection: Arc::default(),
            exposition,
            not_http: Arc::default(),
            manager,
            manager_failing: AtomicBool::new(false),
        }
    }

    /// One that trusts an issuer whose keys nobody fetches.
    #[cfg(test)]
    pub(super) fn of_nobody() -> Self {
        let settings = Settings::new(None, []);
        let manager = ServiceManager::of(&[]);
        Self::new(Live::of_nobody(), settings, Exposition::apart(), manager)
    }

    /// How many connections are open.
    pub(super) fn connections(&self) -> usize {
        Arc::strong_count(&self.connection) - 1
    }
}
