//! What is told: events, metrics, the dashboard and the alerts, held to the tables of
//! `docs/observability.md`.

#[cfg(feature = "metrics")]
mod boards;
mod contract;
mod events;
mod floods;
#[cfg(all(feature = "metrics", target_os = "linux"))]
mod gate;
mod hostile;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(feature = "metrics")]
mod recorded;
mod scene;
mod witness;

#[cfg(feature = "metrics")]
pub(crate) use self::recorded::recorder;
