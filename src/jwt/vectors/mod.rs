//! Published test vectors, run through the parts that decide in production.
//!
//! The numbers of tests are written down, so that a shrinking file is noticed.

mod rfc;
mod rsa;
