//! The gate for API servers of any language: a proxy asks it about each request,
//! and lets in what it is told to.
//!
//! ```text
//!  GO ──► nginx, Traefik, Envoy ──► the API: x-go-subject, x-go-issuer, x-go-token-id
//!              │        ▲
//!              ▼ /auth  │ 200 and who it is, 401, 403 or 503
//!            gate ──► GO's key address
//! ```
//!
//! The verdict is the [layer](crate::GoAuthLayer)'s own, around a service that
//! answers 200: there is one code path by which a request gets in, here as in a
//! server that has the layer inside. Any number of gates stand side by side, since
//! they share nothing.
//!
//! `docs/guide/gate.md` is for who runs it. The module is the binary's: it installs a
//! recorder of metrics and a log for the whole process, which is not a library's
//! business.

mod deadline;
mod error;
mod events;
#[cfg(test)]
mod failing_log;
mod identity;
mod live;
mod log;
mod metrics;
mod port;
mod reload;
mod routes;
mod serve;
mod server;
mod settings;
mod shared;
mod signals;
mod supervisor;

pub(crate) use self::deadline::Deadline;
pub(crate) use self::error::ServeError;
pub(crate) use self::log::{LAST_LINES, log_to_stderr};
pub(crate) use self::serve::{DEFAULT_LISTEN, ServeOptions, serve};
pub(crate) use self::settings::Settings;
pub(crate) use self::signals::Signals;
