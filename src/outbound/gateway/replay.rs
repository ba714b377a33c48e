//! A request's body, produced again for the one repetition after a 401.

/// Produces a request's body again.
///
/// Any `Fn(&B) -> Option<B>` is one; if it returns `None` the request is not repeated.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't produce a body of `{B}` again",
    label = "not a `Replay<{B}>`",
    note = "a `Fn(&B) -> Option<B>` is one; `Cloned` is one for bodies that are `Clone`"
)]
pub trait Replay<B> {
    /// The same body again; called before any of it is sent.
    fn replay(&self, body: &B) -> Option<B>;
}

impl<B, F: Fn(&B) -> Option<B>> Replay<B> for F {
    fn replay(&self, body: &B) -> Option<B> {
        self(body)
    }
}

/// For bodies that are `Clone`: `()`, `Bytes`, `String`, `Full<Bytes>`, `Empty<Bytes>`.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Cloned;

impl<B: Clone> Replay<B> for Cloned {
    fn replay(&self, body: &B) -> Option<B> {
        Some(body.clone())
    }
}

/// For [`reqwest::Body`]: a copy of a body in memory; `None` for a stream. (`Bytes` as
/// the body, which [`HttpClient`](crate::outbound::HttpClient) accepts as well, saves the
/// copy.)
pub fn reqwest_body(body: &reqwest::Body) -> Option<reqwest::Body> {
    body.as_bytes().map(|bytes| bytes.to_vec().into())
}
