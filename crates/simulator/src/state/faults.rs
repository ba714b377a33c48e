//! The active faults.

use crate::fault::{Endpoint, Fault, FaultInForce};

/// First those that wait for their turn, then the permanent ones, at most one for each
/// endpoint.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<FaultInForce>);

impl Faults {
    pub(crate) fn add(&mut self, added: FaultInForce) {
        match added.left {
            Some(0) => {}
            Some(_) => {
                let waiting = self.0.partition_point(|it| it.left.is_some());
                self.0.insert(waiting, added);
            }
            None => {
                self.0.retain(|it| it.left.is_some() || it.at != added.at);
                self.0.push(added);
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn clear_at(&mut self, endpoint: Endpoint) {
        self.0.retain_mut(|it| {
            it.at.retain(|at| *at != endpoint);
            !it.at.is_empty()
        });
    }

    /// In the order in which they take effect at one endpoint.
    pub(crate) fn active(&self) -> Vec<FaultInForce> {
        self.0.clone()
    }

    /// The fault for a request that has just arrived.
    pub(crate) fn take(&mut self, endpoint: Endpoint) -> Option<Fault> {
        let first = self.0.iter().position(|it| it.at.contains(&endpoint))?;
        let left = &mut self.0[first].left;
        *left = left.map(|left| left - 1);
        Some(if *left == Some(0) {
            self.0.remove(first).fault
        } else {
            self.0[first].fault.clone()
        })
    }
}
