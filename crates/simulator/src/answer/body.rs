//! A response body that follows a script: pieces, pauses, and the ways not to end.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

#[derive(Debug)]
pub(crate) enum Step {
    Send(Bytes),
    /// Sends this forever.
    Repeat(Bytes),
    Wait(Duration),
    /// Lets the connection write out what is buffered.
    Flush,
    Stall,
    Break,
}

#[derive(Debug, Default)]
pub(crate) struct Script {
    steps: VecDeque<Step>,
    length: Option<u64>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Script {
    pub(crate) fn empty() -> Self {
        Self::whole(Bytes::new())
    }

    /// A complete body of known length.
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let length = Some(bytes.len() as u64);
        let steps = if bytes.is_empty() {
            VecDeque::new()
        } else {
            VecDeque::from([Step::Send(bytes)])
        };
        Self {
            steps,
            length,
            sleep: None,
        }
    }

    /// A body of unknown length.
    pub(crate) fn of(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            steps: steps.into_iter().collect(),
            ..Self::default()
        }
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        loop {
            match self.steps.front() {
                None => return Poll::Ready(None),
                Some(Step::Stall) => return Poll::Pending,
                Some(Step::Repeat(bytes)) => {
                    return Poll::Ready(Some(Ok(Frame::data(bytes.clone()))));
                }
                Some(Step::Wait(time)) => {
                    let time = *time;
                    let pause = self.sleep.get_or_insert_with(|| Box::pin(sleep(time)));
                    ready!(pause.as_mut().poll(cx));
                    self.sleep = None;
                }
                Some(Step::Send(_) | Step::Flush | Step::Break) => {}
            }
            match self.steps.pop_front() {
                Some(Step::Send(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Some(Step::Flush) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Step::Break) => {
                    let reason = "the simulator cuts this answer short";
                    return Poll::Ready(Some(Err(io::Error::other(reason))));
                }
                _ => {}
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.length
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
