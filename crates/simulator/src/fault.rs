//! What can go wrong with the key set, the discovery document and the token endpoint.

use std::time::Duration;

use http::HeaderValue;

/// The `Location` of the failure sample in GO's documentation: a foreign host, with a
/// code.
pub(crate) const SAMPLE_LOCATION: &str =
    "https://client.example.com/cb?code=SplxlOBeZQQYbYS6WxSbIA&state=xyz";

/// A failure of the key address, the discovery document or the token endpoint.
///
/// "The good document" is what the address would serve without a fault, computed when the
/// request arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// GO's documented failure, verbatim: status line `404 Found` with a `Location` on a
    /// foreign host that carries `code=` and `state=`. A client must not follow it.
    RedirectNotFound,
    /// A redirect (or any other status) with this `Location` and no body.
    Redirect {
        /// The `Location`, as sent.
        location: String,
        /// The status: 301, 302, 303, 307, 308.
        status: u16,
    },
    /// This status with the good document as its body: bait for a client that forgets to
    /// check the status. 206 comes with the first half and its `Content-Range`; 204, 205
    /// and 304 have no body (304 is sent even to an unconditional request).
    Status(u16),
    /// Reads the request and never answers.
    Hang,
    /// Sends the head and half of the good document, then nothing more.
    HangBody,
    /// Sends the good document slowly, by the simulator's
    /// [clock](crate::SimulatorBuilder::clock).
    Drip {
        /// Bytes in each piece, at least one.
        bytes: usize,
        /// The time before the first piece, and between two of them.
        every: Duration,
    },
    /// Sends the good document so long after its request, by the simulator's
    /// [clock](crate::SimulatorBuilder::clock).
    Delay(Duration),
    /// Sends the complete good document with a `Content-Length` one byte too large, then
    /// closes the connection: complete JSON, incomplete answer.
    Truncated,
    /// Closes the connection without sending a byte.
    Cut,
    /// Status 200 with an HTML login page.
    Html,
    /// `{"keys":[]}`.
    EmptySet,
    /// A well-formed set of two keys that aren't GO's, under other `kid`s.
    WrongKeys,
    /// Status 200 and `application/json` with a body that isn't JSON.
    NotJson,
    /// A body without a length that begins like a key set and goes on with spaces
    /// forever.
    Endless,
    /// `Content-Encoding: gzip`, whether accepted or not: about 64 KiB that unpack to the
    /// good document and more than 64 MiB of spaces.
    GzipBomb,
    /// The good document, padded with spaces to this many bytes: still valid JSON.
    Oversized(usize),
    /// Exactly these bytes instead of an HTTP answer; then the connection is closed.
    Raw(Vec<u8>),
}

/// One of the simulator's addresses that can [fail](Fault).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The key set, `/id/{32 HEX}/keys`.
    Keys,
    /// The discovery document, `/id/{32 HEX}/.well-known/openid-configuration`.
    Discovery,
    /// The gateway's token endpoint, `/authorizer/token` or `/authorizer/toker`. Its good
    /// document is an answer with a new token.
    Token,
}

impl Endpoint {
    pub(crate) const ALL: [Self; 3] = [Self::Keys, Self::Discovery, Self::Token];
}

impl Fault {
    /// Panics where the fault is set, not out of sight in the server.
    pub(crate) fn check(&self) {
        match self {
            Self::Status(status) => check_status(*status),
            Self::Redirect { location, status } => {
                check_status(*status);
                assert!(
                    HeaderValue::from_str(location).is_ok(),
                    "{location:?} isn't a valid Location"
                );
            }
            _ => {}
        }
    }
}

fn check_status(status: u16) {
    assert!(
        (200..=999).contains(&status),
        "{status} isn't a final HTTP status (200 to 999)"
    );
}

/// An active [`Fault`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FaultInForce {
    /// What goes wrong.
    pub fault: Fault,
    /// Where. Both addresses, for a fault that waits for a request to either.
    pub at: Vec<Endpoint>,
    /// For how many more requests; `None` if it lasts until it is
    /// [healed](crate::Simulator::heal).
    pub left: Option<usize>,
}
