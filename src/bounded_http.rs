//! Asking one address, within bounds: what a fetch of keys and one of a token have
//! in common.

use std::error::Error;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response, Url};

/// A client for `address` that keeps to the limits, whatever its builder was told,
/// and is never led elsewhere.
pub(crate) fn client(
    builder: ClientBuilder,
    address: &Url,
    connect_timeout: Duration,
    timeout: Duration,
) -> reqwest::Result<Client> {
    let builder = builder
        .user_agent(concat!("derbysoft-go-auth/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .referer(false)
        .connect_timeout(connect_timeout)
        .timeout(timeout)
        // One request in minutes or an hour: a connection kept would only go stale.
        .pool_max_idle_per_host(0);
    if address.scheme() == "https" {
        builder.https_only(true).build()
    } else {
        // Plain http is for this machine's own addresses, which a proxy would look
        // for on itself, or else in danger enough without one; and no certificate
        // is ever asked for.
        builder.no_proxy().tls_certs_only([]).build()
    }
}

/// Why a body was not read to its end.
#[derive(Debug)]
pub(crate) enum BodyFault {
    Timeout,
    /// It ended early or could not be decompressed.
    Broken(String),
    TooLarge,
}

/// Reads at most `max_bytes`, decompressed, into `body`.
pub(crate) async fn read_body(
    mut response: Response,
    max_bytes: usize,
    body: &mut Vec<u8>,
) -> Result<(), BodyFault> {
    while let Some(chunk) = response.chunk().await.map_err(|error| {
        if error.is_timeout() {
            BodyFault::Timeout
        } else {
            BodyFault::Broken(describe(&error))
        }
    })? {
        if body.len() + chunk.len() > max_bytes {
            return Err(BodyFault::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(())
}

/// The innermost causes of a client's error, on one line, without what a peer
/// could have put into it unescaped.
pub(crate) fn describe(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.extend(error.to_string().escape_debug().take(200));
        cause = error.source();
    }
    if text.is_empty() {
        "no cause given".clone_into(&mut text);
    }
    text
}
