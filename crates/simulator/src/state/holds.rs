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
