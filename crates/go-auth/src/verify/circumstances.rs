//! What stands around a verdict.

use derbysoft_go_auth::UnixTime;

/// What a token was judged by, beside the settings.
#[derive(Debug)]
pub(super) struct Circumstances {
    pub(super) now: UnixTime,
    pub(super) is_now_given: bool,
    /// Where the keys are from; `None` where none were looked for.
    pub(super) keys_from: Option<String>,
    pub(super) are_keys_given: bool,
    /// The kids of the keys that there are.
    pub(super) kids: Vec<String>,
    pub(super) max_token_bytes: usize,
}
