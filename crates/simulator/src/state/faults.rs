//! The active faults.

use crate::fault::{Endpoint, Fault, FaultInForce};

/// First those that wait for their turn, then the permanent ones.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    waiting: Vec<FaultInForce>,
    /// By endpoint.
    standing: [Option<Fault>; Endpoint::ALL.len()],
}

impl Faults {
    pub(crate) fn stand(&mut self, endpoint: Endpoint, fault: Fault) {
        self.standing[endpoint as usize] = Some(fault);
    }

    /// For the next requests to any of these endpoints.
    pub(crate) fn queue(&mut self, at: &[Endpoint], left: usize, fault: Fault) {
        if left > 0 {
            let (at, left) = (at.to_vec(), Some(left));
            self.waiting.push(FaultInForce { fault, at, left });
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn clear_at(&mut self, endpoint: Endpoint) {
        self.standing[endpoint as usize] = None;
        self.waiting.retain_mut(|waiting| {
            waiting.at.retain(|at| *at != endpoint);
            !waiting.at.is_empty()
        });
    }

    /// In the order in which they take effect at one endpoint.
    pub(crate) fn active(&self) -> Vec<FaultInForce> {
        let standing = Endpoint::ALL.into_iter().filter_map(|endpoint| {
            Some(FaultInForce {
                fault: self.standing[endpoint as usize].clone()?,
                at: vec![endpoint],
                left: None,
            })
        });
        self.waiting.iter().cloned().chain(standing).collect()
    }

    /// The fault for a request that has just arrived.
    pub(crate) fn take(&mut self, endpoint: Endpoint) -> Option<Fault> {
        let is_for = |waiting: &FaultInForce| waiting.at.contains(&endpoint);
        let Some(first) = self.waiting.iter().position(is_for) else {
            return self.standing[endpoint as usize].clone();
        };
        let left = &mut self.waiting[first].left;
        *left = left.map(|left| left - 1).filter(|left| *left > 0);
        Some(if left.is_some() {
            self.waiting[first].fault.clone()
        } else {
            self.waiting.remove(first).fault
        })
    }
}
