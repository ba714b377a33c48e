//! Vectors that others published, through the parts that decide in production.
//!
//! The numbers of tests are written down, so that a file that shrinks is noticed.

mod rfc;
mod rsa;
