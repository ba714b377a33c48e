//! One request for a token: bounded in time and size, and never redirected.
//!
//! It carries the client secret, so no redirect is followed, plain http is limited to
//! this machine's own addresses, and the answer is not repeated if the secret could be in
//! it.

use std::time::Duration;

use http::header::ACCEPT;
use http::{HeaderValue, StatusCode};
use zeroize::Zeroizing;

use super::error::{GatewayErrorKind, GatewayRefusal};
use super::excerpt::Excerpt;
use super::pairs::ClientPair;
use super::token::Answer;
use crate::clock::Clock;
use crate::net::bounded_http::{self, FetchSettings};
use crate::net::client::{self, Clients, LazyClient};
use crate::secret::Secret;

/// The longest client ID or client secret, in bytes. GO's have 31 and 32.
const MAX_CREDENTIAL_BYTES: usize = 1024;

/// The largest answer, decompressed: eight times the longest token.
pub(super) const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Fetches from one address.
#[derive(Debug)]
pub(super) struct Fetcher {
    settings: FetchSettings,
    client: LazyClient,
}

impl Fetcher {
    /// # Errors
    /// If a custom client can't be set up.
    pub(super) fn new(settings: FetchSettings, clients: &Clients) -> Result<Self, String> {
        let client = LazyClient::checked(clients, &settings)?;
        Ok(Self { settings, client })
    }

    /// How long a renewal takes at the longest: each of two pairs is tried at most twice.
    pub(super) fn longest(&self) -> Duration {
        self.settings.timeout * 4
    }

    pub(super) async fn fetch(
        &self,
        clock: &dyn Clock,
        pair: &ClientPair,
    ) -> Result<Answer, GatewayErrorKind> {
        bounded_http::within(clock, self.settings.timeout, self.get(pair)).await
    }

    async fn get(&self, pair: &ClientPair) -> Result<Answer, GatewayErrorKind> {
        let header = |secret: &Secret| {
            credential(secret.expose()).ok_or(GatewayErrorKind::UnusableCredentials)
        };
        let client = self.client.get(&self.settings)?;
        let request = client
            .client
            .get(self.settings.address.clone())
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header("client-id", header(&pair.client_id)?)
            .header("client-secret", header(&pair.client_secret)?);
        let response = (client::send(request).await).map_err(|error| client.fault(&error))?;
        if let Some(fault) = client.fault_of(&response) {
            return Err(fault.into());
        }
        let status = response.status();
        if status.is_redirection() {
            return Err(GatewayErrorKind::Redirect(status.as_u16()));
        }
        let retry_after = bounded_http::retry_after(&response);
        // Wiped after reading.
        let mut body = Zeroizing::new(Vec::with_capacity(MAX_ANSWER_BYTES));
        bounded_http::read_body(response, self.settings.max_bytes, &mut body).await?;
        if status == StatusCode::OK {
            return Answer::read(&body);
        }
        let status = status.as_u16();
        Err(match GatewayRefusal::read(status, &body) {
            Some(refusal) => GatewayErrorKind::Refused(refusal),
            None => GatewayErrorKind::Answer {
                status,
                body: Excerpt::of(
                    status,
                    &body,
                    [pair.client_secret.expose(), pair.client_id.expose()],
                ),
                retry_after,
            },
        })
    }
}

/// A client ID or secret as a header value, marked sensitive; `None` if it is not 1 to
/// [`MAX_CREDENTIAL_BYTES`] of visible ASCII.
pub(super) fn credential(text: &str) -> Option<HeaderValue> {
    let is_visible = |byte: u8| matches!(byte, b'!'..=b'~');
    if !(1..=MAX_CREDENTIAL_BYTES).contains(&text.len()) || !text.bytes().all(is_visible) {
        return None;
    }
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use reqwest::Response;

    use super::*;
    use crate::clock::SystemClock;
    use crate::net::address;
    use crate::net::client::simulated::set_network;

    #[tokio::test]
    async fn an_answer_has_up_to_64_kib() {
        let settings = FetchSettings {
            address: "http://127.0.0.1/token".parse().expect("an address"),
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            max_bytes: MAX_ANSWER_BYTES,
        };
        let fetcher = Fetcher::new(settings, &Clients::default()).expect("a client");
        let pair = ClientPair::new("id", "secret");
        for (bytes, is_read) in [(64 * 1024, true), (64 * 1024 + 1, false)] {
            set_network(Some(Arc::new(move |_| {
                let answer = r#"{"access_token":"opaque","token_type":"Bearer"}"#;
                let padding = " ".repeat(bytes - answer.len());
                let padded = http::Response::new(answer.to_owned() + &padding);
                Box::pin(async { Ok(Response::from(padded)) })
            })));
            let result = fetcher.fetch(&SystemClock::default(), &pair).await;
            assert_eq!(result.is_ok(), is_read, "{bytes}");
        }
        set_network(None);
    }

    #[test]
    fn the_endpoint_is_https_or_http_to_this_machine() {
        for good in [
            "https://solo.example/authorizer/toker",
            "https://solo.example/authorizer/token?env=cert",
            "http://127.0.0.1:8080/authorizer/token",
            "http://localhost/authorizer/token",
            "http://[::1]/authorizer/token",
        ] {
            assert!(address::parse(good, false).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/authorizer/token",
            "http://solo.example/authorizer/token",
            "ftp://solo.example/",
            "https://user@solo.example/",
            "https://:password@solo.example/",
            "https://solo.example/#token",
        ] {
            assert!(address::parse(bad, false).is_err(), "{bad}");
        }
        assert!(address::parse("http://solo.example/authorizer/token", true).is_ok());
    }

    #[test]
    fn credentials_are_sensitive_visible_ascii() {
        let value = credential("p;fdHalvm27A)2UAa3J8n7NLn5roVP1").expect("GO's sample");
        assert!(value.is_sensitive());
        for bad in [
            "",
            "a b",
            "a\r\nb",
            "é",
            &"x".repeat(MAX_CREDENTIAL_BYTES + 1),
        ] {
            assert_eq!(credential(bad), None, "{bad:.10}");
        }
    }
}
