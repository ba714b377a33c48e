//! What is reported: events, metrics, the dashboard and the alerts, held to the tables of
//! `docs/guide/observability.md`; and that none of it contains a credential.

#[cfg(feature = "metrics")]
mod boards;
mod client_log;
mod events;
mod floods;
#[cfg(feature = "metrics")]
mod gauges;
mod hostile;
mod marks;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(feature = "metrics")]
mod recorder;
mod scene;
mod secrecy;
mod traces;
mod witness;

#[cfg(feature = "metrics")]
pub(crate) use self::recorder::recorder;
