//! Why a call is not made.

use crate::fault::debug_is_text;

/// Why a request was not sent: it would have carried a token to where it does not belong,
/// or a second credential.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallRefused {
    /// The address is under no base address with a token: relative, another scheme, host,
    /// port or path, or one with user information; or a `Host` header names another host.
    #[error("there is no token for this address")]
    Stranger,
    /// The path has a dot segment, an empty segment, a backslash or an escape, so that a
    /// server may resolve it to another API's path.
    #[error("the path may mean another one to the server")]
    MistakablePath,
    /// The request has an `Authorization` header already. The caller has to decide which
    /// of the two was meant.
    #[error("the request has an Authorization header already")]
    AlreadyAuthorized,
}

debug_is_text!(CallRefused);
