//! What holds for every proxy.

pub(crate) mod connections;
pub(crate) mod http2;
pub(crate) mod logs;
pub(crate) mod outages;
pub(crate) mod several;
pub(crate) mod smuggling;
pub(crate) mod targets;
pub(crate) mod verdicts;
