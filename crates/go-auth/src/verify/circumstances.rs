//! What a verdict depends on beside the token.

use derbysoft_go_auth::clock::UnixTime;

/// What a token was verified with, beside the settings.
#[derive(Debug)]
pub(super) struct Circumstances {
    pub(super) now: UnixTime,
    pub(super) is_now_given: bool,
    /// Where the keys are from; `None` where none were needed.
    pub(super) keys_from: Option<String>,
    pub(super) are_keys_given: bool,
    /// The kids of the available keys.
    pub(super) kids: Vec<String>,
    pub(super) max_token_bytes: usize,
}
