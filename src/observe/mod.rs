//! Every event and every metric that this crate reports.
//!
//! Their names are a contract: tests compare them with the tables of
//! [the guide](crate::guide::observability).

mod events;
mod foreign;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(not(feature = "metrics"))]
#[path = "metrics_off.rs"]
mod metrics;
pub(crate) mod refusals;
mod requests;

pub(crate) use self::events::*;
pub use self::foreign::{dropped_log_events, flush_log};
#[cfg(feature = "metrics")]
pub use self::metrics::VERIFY_SECONDS_BUCKETS;
pub(crate) use self::metrics::{
    Stopwatch, access_token_gone, access_token_left, credential_left, key_refreshes, key_set,
};
pub(crate) use self::requests::{Caller, Rejected, Requests};

/// The targets of the events.
const REQUEST: &str = "derbysoft_go_auth::request";
const KEYS: &str = "derbysoft_go_auth::keys";
const ACCESS_TOKENS: &str = "derbysoft_go_auth::access_tokens";
const CONFIG: &str = "derbysoft_go_auth::config";
const OUTBOUND: &str = "derbysoft_go_auth::outbound";
