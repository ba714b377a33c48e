//! The faults in force.

use std::collections::VecDeque;

use crate::fault::{Endpoint, Fault, FaultInForce};

/// The faults in force: first those that wait for their turn, then the standing ones.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    keys: Option<Fault>,
    discovery: Option<Fault>,
    token: Option<Fault>,
    next: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    at: Vec<Endpoint>,
    left: usize,
    fault: Fault,
}

impl Faults {
    pub(crate) fn stand(&mut self, endpoint: Endpoint, fault: Fault) {
        *self.standing(endpoint) = Some(fault);
    }

    /// For the next requests to any of these addresses.
    pub(crate) fn queue(&mut self, at: &[Endpoint], left: usize, fault: Fault) {
        if left > 0 {
            let at = at.to_vec();
            self.next.push_back(Waiting { at, left, fault });
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn clear_at(&mut self, endpoint: Endpoint) {
        *self.standing(endpoint) = None;
        for waiting in &mut self.next {
            waiting.at.retain(|at| *at != endpoint);
        }
        self.next.retain(|waiting| !waiting.at.is_empty());
    }

    /// In the order in which they come to pass at one address.
    pub(crate) fn in_force(&self) -> Vec<FaultInForce> {
        let waiting = self.next.iter().map(|waiting| FaultInForce {
            fault: waiting.fault.clone(),
            at: waiting.at.clone(),
            left: Some(waiting.left),
        });
        let standing = [
            (Endpoint::Keys, &self.keys),
            (Endpoint::Discovery, &self.discovery),
            (Endpoint::Token, &self.token),
        ];
        let standing = standing.into_iter().filter_map(|(endpoint, fault)| {
            Some(FaultInForce {
                fault: fault.clone()?,
                at: vec![endpoint],
                left: None,
            })
        });
        waiting.chain(standing).collect()
    }

    fn standing(&mut self, endpoint: Endpoint) -> &mut Option<Fault> {
        match endpoint {
            Endpoint::Keys => &mut self.keys,
            Endpoint::Discovery => &mut self.discovery,
            Endpoint::Token => &mut self.token,
        }
    }

    /// The fault for a request that has just arrived.
    pub(crate) fn take(&mut self, endpoint: Endpoint) -> Option<Fault> {
        let is_for = |waiting: &Waiting| waiting.at.contains(&endpoint);
        if let Some(first) = self.next.iter().position(is_for) {
            let waiting = &mut self.next[first];
            let fault = waiting.fault.clone();
            waiting.left -= 1;
            if waiting.left == 0 {
                self.next.remove(first);
            }
            return Some(fault);
        }
        self.standing(endpoint).clone()
    }
}
