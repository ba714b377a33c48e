//! What the tests and benches of this workspace share.
//!
//! | looking for | module |
//! |---|---|
//! | GO on a loopback port, and a clock that only the test moves | [`World`], over TLS [`front`] |
//! | a company's proxy, authority and client certificates | [`proxy`], [`company`] |
//! | keys given in code | [`Keys`] |
//! | verdicts, alone and of many at once; waits that end | at the root |
//! | a service behind the layer, in process or over TCP | [`Api`], [`distributor`] |
//! | tokens made by hand, at random, at the limits, or printed by GO | [`forge`], [`corpus`], [`hostile`], [`seeds`] |
//! | keys that cannot be used, and documents that ought to cost the most | [`strange_keys`], [`hostile_documents`] |
//! | servers and clients that write any bytes | [`raw_server`], [`wire`] |
//! | properties | [`property`] |
//! | the log of a test as text, logs and recorders that panic, or worse | [`log`], [`failing_log`], [`recorder`] |
//! | the tables of `docs/guide/observability.md`, and what a recorder renders | [`contract`], [`recorded`] |

#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::new_without_default,
    reason = "for the tests of this workspace alone"
)]

mod api;
mod background;
mod known_keys;
mod rejections;
mod verdicts;
mod waits;
mod world;

pub mod company;
pub mod contract;
pub mod corpus;
pub mod distributor;
pub mod failing_log;
pub mod forge;
pub mod front;
pub mod hostile;
pub mod hostile_documents;
pub mod log;
pub mod property;
pub mod proxy;
pub mod raw_server;
pub mod recorded;
pub mod recorder;
pub mod seeds;
pub mod strange_keys;
pub mod wire;

pub use self::api::{Answer, Api, OTHER, UNUSABLE, request};
pub use self::background::Background;
pub use self::known_keys::Keys;
pub use self::rejections::{SUBJECT, refused_tokens, status_of, strict};
pub use self::verdicts::{
    agreed, crowd, invented, keys, passes, ready, readying, readyz, refresh, refreshing, remember,
    state, verdict, verifying,
};
pub use self::waits::{at_once, eventually, millis, passive_runtime, runtime, secs, settle, soon};
pub use self::world::{World, builder_for, clock, go_with};
