//! Tokens: minting and signing them, and samples of good and bad ones.

mod mint;
mod sample;
mod signature;

pub use self::mint::{Encoding, Mint};
pub use self::sample::{Expected, SampleToken};
pub use self::signature::{PublicKeyForm, SignatureKind};
