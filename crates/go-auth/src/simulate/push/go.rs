//! A running simulator, as `push` asks it.

use std::time::Duration;

use http::header::CONTENT_LENGTH;
use reqwest::{Client, Method, StatusCode, Url};
use serde_json::Value;

use crate::connection_error;
use derbysoft_go_auth::inspect::bounded_http::{self, Fault, describe, read_body};
use derbysoft_go_simulator::SampleToken;

/// A simulator is nearby; a token of a new key takes it a fraction of a second. A push may
/// be stored before it is answered; GO's own patience is not known.
const CONNECT: Duration = Duration::from_secs(2);
pub(super) const TOTAL: Duration = Duration::from_secs(10);

/// The longest answer: its longest token has 12 KiB, its list of Access Tokens less
/// than one.
const MAX_ANSWER: usize = 64 * 1024;

/// A simulated GO that runs somewhere.
pub(super) struct Go {
    client: Client,
    address: Url,
}

/// The Access Tokens that matter to a distributor.
pub(super) struct AccessTokens {
    pub(super) current: String,
    pub(super) previous: Option<String>,
    /// Of another API.
    pub(super) other: String,
}

impl Go {
    pub(super) fn new(address: Url) -> Result<Self, String> {
        let client = client(&address)?;
        Ok(Self { client, address })
    }

    /// A token, made now.
    pub(super) async fn token(&self, sample: SampleToken) -> Result<String, String> {
        let path = format!("tokens/{}", sample.name);
        let answer = self.ask(Method::POST, &path).await?;
        let token = String::from_utf8(answer).ok();
        // Whatever answers there must not add other headers.
        let is_token = |token: &String| token.bytes().all(|byte| byte.is_ascii_graphic());
        token.filter(is_token).ok_or_else(|| self.no_simulator())
    }

    pub(super) async fn access_tokens(&self) -> Result<AccessTokens, String> {
        let answer = self.ask(Method::GET, "access-tokens").await?;
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        let mut entries: Vec<_> = (answer["access_tokens"].as_array().into_iter())
            .flatten()
            .collect();
        entries.sort_by_key(|entry| entry["api"] != "availability-peer");
        let token = |entry: &Value| entry["token"].as_str().map(str::to_owned);
        let tokens = match entries[..] {
            [own, other, ..] => token(own).zip(token(other)),
            _ => None,
        };
        let (current, other) = tokens.ok_or_else(|| self.no_simulator())?;
        Ok(AccessTokens {
            current,
            previous: token(&entries[0]["previous"]),
            other,
        })
    }

    async fn ask(&self, method: Method, path: &str) -> Result<Vec<u8>, String> {
        let url = below(&self.address, &format!("/simulator/{path}"));
        let mut request = self.client.request(method.clone(), url).timeout(TOTAL);
        if method == Method::POST {
            request = request.header(CONTENT_LENGTH, 0);
        }
        let response = request.send().await.map_err(|error| {
            let why = words(&error);
            format!("can't reach the simulator at {}: {why}", self.address)
        })?;
        if response.status() != StatusCode::OK {
            return Err(self.no_simulator());
        }
        let mut body = Vec::new();
        match read_body(response, MAX_ANSWER, &mut body).await {
            Ok(()) => Ok(body),
            Err(Fault::TooLarge(_)) => Err(self.no_simulator()),
            Err(_) => Err(format!(
                "the simulator at {} broke off its answer",
                self.address
            )),
        }
    }

    fn no_simulator(&self) -> String {
        format!(
            "the server at {} is not a simulator of this version",
            self.address
        )
    }
}

pub(super) fn client(address: &Url) -> Result<Client, String> {
    bounded_http::client(address, CONNECT)
}

/// The address of this path below a base address.
pub(super) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}

/// Why there was no answer.
pub(super) fn words(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    connection_error::words(error).unwrap_or_else(|| describe(error))
}
