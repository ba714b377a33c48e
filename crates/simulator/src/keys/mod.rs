//! GO's keys: key pairs, their published form, and the ring of all keys.

mod published;
mod ring;
mod signing;

pub use self::published::PublishedKey;
pub(crate) use self::ring::KeyRing;
pub use self::signing::{KeyError, SigningKey};
