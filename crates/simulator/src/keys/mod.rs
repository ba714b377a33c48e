//! GO's keys: what signs, what is published, and the ring of both.

mod published;
mod ring;
mod signing;

pub use self::published::PublishedKey;
pub(crate) use self::ring::KeyRing;
pub use self::signing::{KeyError, SigningKey};
