//! How documents are served, and how serving them fails.

use http::HeaderValue;
use tokio_util::sync::DropGuard;

use super::Simulator;
use crate::fault::{Endpoint, Fault, FaultInForce};

/// How the key set and the discovery document are served, and faults of every endpoint.
impl Simulator {
    /// Whether documents have an `ETag` and `If-None-Match` is answered with 304.
    /// Default: yes.
    pub fn set_etag(&self, on: bool) {
        self.state().serving.etag = on;
    }

    /// Whether documents are compressed for clients that accept it. Default: yes.
    pub fn set_gzip(&self, on: bool) {
        self.state().serving.gzip = on;
    }

    /// The `Cache-Control` header, such as `max-age=60`. Default: none.
    ///
    /// # Panics
    ///
    /// Panics when the value isn't valid in a header.
    pub fn set_cache_control(&self, value: Option<&str>) {
        let header = |text| HeaderValue::from_str(text).expect("a header value");
        self.state().serving.cache_control = value.map(header);
    }

    /// Fails every request for the key set or the discovery document from now on, until
    /// [`heal`](Self::heal).
    ///
    /// # Panics
    ///
    /// Panics when a status is outside 200 to 999, or a `Location` isn't valid in a
    /// header.
    pub fn fail(&self, fault: Fault) {
        self.fail_at(Endpoint::Keys, fault.clone());
        self.fail_at(Endpoint::Discovery, fault);
    }

    /// As [`fail`](Self::fail), at one endpoint.
    ///
    /// # Panics
    ///
    /// Panics as [`fail`](Self::fail) does.
    pub fn fail_at(&self, endpoint: Endpoint, fault: Fault) {
        self.add_fault(&[endpoint], None, fault);
    }

    /// Fails the next `n` requests for either document. Calls add up: `fail_next(1, a)`
    /// and `fail_next(2, b)` fail three requests. A fault set by [`fail`](Self::fail)
    /// follows them.
    ///
    /// # Panics
    ///
    /// Panics as [`fail`](Self::fail) does.
    pub fn fail_next(&self, n: usize, fault: Fault) {
        self.add_fault(&[Endpoint::Keys, Endpoint::Discovery], Some(n), fault);
    }

    /// Fails the next `n` requests to one endpoint; calls add up, also with
    /// [`fail_next`](Self::fail_next). A fault set by [`fail_at`](Self::fail_at) follows
    /// them.
    ///
    /// # Panics
    ///
    /// Panics as [`fail`](Self::fail) does.
    pub fn fail_next_at(&self, endpoint: Endpoint, n: usize, fault: Fault) {
        self.add_fault(&[endpoint], Some(n), fault);
    }

    /// Ends all faults, including those still waiting for their turn. Answers already
    /// begun are not changed.
    pub fn heal(&self) {
        self.state().faults.clear();
    }

    /// As [`heal`](Self::heal), at one endpoint.
    pub fn heal_at(&self, endpoint: Endpoint) {
        self.state().faults.clear_at(endpoint);
    }

    /// The active faults, in the order in which they take effect at one endpoint.
    pub fn faults(&self) -> Vec<FaultInForce> {
        self.state().faults.active()
    }

    /// Delays the answers to all requests for the key set from now on, until the [`Hold`]
    /// is released or dropped.
    ///
    /// The answer is decided when its request arrives. So after a rotation during the
    /// hold, the delayed answer is an outdated one that arrives late.
    pub fn hold(&self) -> Hold {
        self.hold_next(usize::MAX)
    }

    /// As [`hold`](Self::hold), but only for the next `n` requests for the key set. A
    /// request is delayed by the oldest hold that still takes one.
    pub fn hold_next(&self, n: usize) -> Hold {
        self.hold_at(Endpoint::Keys, n)
    }

    /// Delays the answers to all requests to the token endpoint from now on, until the
    /// [`Hold`] is released or dropped. They are decided when the requests arrive.
    pub fn hold_tokens(&self) -> Hold {
        self.hold_at(Endpoint::Token, usize::MAX)
    }

    fn hold_at(&self, endpoint: Endpoint, n: usize) -> Hold {
        let barrier = self.state().holds.add(endpoint, n);
        Hold { barrier }
    }

    fn add_fault(&self, at: &[Endpoint], left: Option<usize>, fault: Fault) {
        fault.check();
        let mut state = self.state();
        if fault == Fault::WrongKeys {
            state.ring.make_strangers();
        }
        let at = at.to_vec();
        state.faults.add(FaultInForce { fault, at, left });
    }
}

/// Delays answers; made by [`Simulator::hold`] and its variants.
#[derive(Debug)]
#[must_use = "dropping a `Hold` releases the answers"]
pub struct Hold {
    barrier: DropGuard,
}

impl Hold {
    /// Sends the delayed answers, in no particular order.
    pub fn release(self) {
        drop(self.barrier);
    }
}
