//! Addresses to listen at: TCP, a Unix socket, or a socket that systemd passes.

mod address;
mod listener;
#[cfg(unix)]
mod passed;
#[cfg(unix)]
mod unix_socket;

pub(crate) use self::address::{Access, Address, Nearby};
pub(crate) use self::listener::{Listener, Passed, Stream};
