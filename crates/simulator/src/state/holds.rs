//! Delayed answers.

use tokio::sync::watch;

use crate::fault::Endpoint;

/// By endpoint, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Holds([Vec<Barrier>; Endpoint::ALL.len()]);

/// Opens when the other end of its channel is dropped.
#[derive(Debug)]
struct Barrier {
    opened: watch::Receiver<()>,
    /// How many more requests it delays.
    left: usize,
}

impl Holds {
    /// Delays the next `left` requests until the returned sender is dropped.
    pub(crate) fn add(&mut self, endpoint: Endpoint, left: usize) -> watch::Sender<()> {
        let (barrier, opened) = watch::channel(());
        self.0[endpoint as usize].push(Barrier { opened, left });
        barrier
    }

    /// The oldest closed barrier that takes one more request.
    pub(crate) fn stop(&mut self, endpoint: Endpoint) -> Option<watch::Receiver<()>> {
        let barriers = &mut self.0[endpoint as usize];
        barriers.retain(|barrier| barrier.left > 0 && barrier.opened.has_changed().is_ok());
        let barrier = barriers.first_mut()?;
        barrier.left -= 1;
        Some(barrier.opened.clone())
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
        let stopped = holds.stop(Endpoint::Keys).expect("the first hold");
        assert!(stopped.same_channel(&first.subscribe()));
        let stopped = holds.stop(Endpoint::Keys).expect("the second hold");
        assert!(stopped.same_channel(&second.subscribe()));
        drop(second);
        assert!(holds.stop(Endpoint::Keys).is_none(), "released");
    }
}
