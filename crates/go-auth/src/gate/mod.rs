//! `go-auth serve`: the gate for API servers of any language. A proxy asks it about each
//! request, and lets in what it accepts.
//!
//! ```text
//!  GO ──► proxy ─────────────► API: x-go-subject, x-go-issuer, x-go-token-id, x-go-api
//!          │ ▲
//!    /auth ▼ │ 200 and who it is; 401, 403 or 503
//!         gate ──► GO's key address
//! ```
//!
//! The verdict is that of the library's [layer](derbysoft_go_auth::GoAuthLayer), around a
//! service that answers 200: a request is accepted by one code path, here as in a server
//! that has the layer inside. Any number of gates run side by side, since they share
//! nothing.
//!
//! `docs/guide/gate.md` is for those who run it.

mod check;
mod events;
mod facts;
mod identity;
mod listening;
mod live;
mod metrics;
mod not_http;
mod port;
mod reload;
mod routes;
mod serve;
mod server;
mod settings;
mod shared;
mod status_line;
mod supervisor;

pub(crate) use self::facts::FACTS;
pub(crate) use self::listening::status_address;
pub(crate) use self::serve::{ServeArgs, run};
