//! What tasks and threads meet at: locks, atomics, swaps, the runtime and real time.
//!
//! They are the standard library's, arc-swap's and tokio's. A [model](model), which tries
//! the orders in which things can happen, replaces them with its own, so that each use is
//! a step after which anyone else may be next.

#[cfg(not(shuttle))]
mod real {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64};
    pub(crate) use std::sync::{Mutex, MutexGuard, mpsc};
    pub(crate) use std::{thread, thread_local};

    pub(crate) use arc_swap::{ArcSwap, ArcSwapOption};
    pub(crate) use tokio::runtime::Handle;
    pub(crate) use tokio::task::AbortHandle;
    pub(crate) use tokio::time::{Instant, sleep, timeout};
}

#[cfg(shuttle)]
pub(crate) mod model;

#[cfg(shuttle)]
pub(crate) use self::model::*;
#[cfg(not(shuttle))]
pub(crate) use self::real::*;
