//! Why a call is not made.

/// Why a request was not sent: it would have carried a token to where the token
/// does not belong, or another credential beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallRefused {
    /// The address is under no base address that has a token: relative, another
    /// scheme, host, port or path, or one with user information; or a `Host`
    /// header names another host.
    #[error("there is no token for this address")]
    Stranger,
    /// The path has dots for a segment, an empty segment, a backslash or an
    /// escape, so that a server may resolve it to that of another API.
    #[error("the path may mean another one to the server")]
    MistakablePath,
    /// The request has an `Authorization` header already. Which of the two was
    /// meant is the caller's to decide.
    #[error("the request has an Authorization header already")]
    AlreadyAuthorized,
}
