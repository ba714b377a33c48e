//! Delayed answers.

use tokio_util::sync::{CancellationToken, DropGuard};

use crate::fault::Endpoint;

/// By endpoint, oldest first: a barrier, and how many more requests it delays.
#[derive(Debug, Default)]
pub(crate) struct Holds([Vec<(CancellationToken, usize)>; Endpoint::ALL.len()]);

impl Holds {
    /// Delays the next `left` requests until the returned guard is dropped.
    pub(crate) fn add(&mut self, endpoint: Endpoint, left: usize) -> DropGuard {
        let barrier = CancellationToken::new();
        self.0[endpoint as usize].push((barrier.clone(), left));
        barrier.drop_guard()
    }

    /// The oldest closed barrier that takes one more request.
    pub(crate) fn stop(&mut self, endpoint: Endpoint) -> Option<CancellationToken> {
        let barriers = &mut self.0[endpoint as usize];
        barriers.retain(|(barrier, left)| *left > 0 && !barrier.is_cancelled());
        let (barrier, left) = barriers.first_mut()?;
        *left -= 1;
        Some(barrier.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_open_hold_takes_the_request() {
        let mut holds = Holds::default();
        let first = holds.add(Endpoint::Keys, 1);
        let second = holds.add(Endpoint::Keys, 2);
        assert!(holds.stop(Endpoint::Token).is_none());
        let by_first = holds.stop(Endpoint::Keys).expect("the first hold");
        let by_second = holds.stop(Endpoint::Keys).expect("the second hold");
        assert!(!by_first.is_cancelled() && !by_second.is_cancelled());
        drop(first);
        assert!(by_first.is_cancelled() && !by_second.is_cancelled());
        drop(second);
        assert!(by_second.is_cancelled());
        assert!(holds.stop(Endpoint::Keys).is_none(), "released");
    }
}
