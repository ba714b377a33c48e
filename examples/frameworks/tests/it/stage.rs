//! GO, its authentication, and a caller.

use std::net::SocketAddr;
use std::time::Duration;

use derbysoft_go_auth::GoAuth;
use derbysoft_go_auth::access_token::{AccessToken, AccessTokens, Api};
use derbysoft_go_auth::clock::{Clock, SystemClock};
use derbysoft_go_simulator::Simulator;
use reqwest::header::HeaderMap;

pub(crate) const ACCESS_TOKEN: &str = "53ac0777aaaaaaaaaaaaaaaaaaaaaaaa";
pub(crate) const PUSH: &str = "/ari/daily/push";

pub(crate) struct Stage {
    pub(crate) go: Simulator,
    pub(crate) auth: GoAuth,
    client: reqwest::Client,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Stage {
    /// One subject may call, and who has the Access Token.
    pub(crate) async fn set() -> Self {
        let issued = SystemClock::default().now();
        let token = AccessToken::new(Api::AVAILABILITY_PEER, ACCESS_TOKEN, issued);
        let go = Simulator::start().await.expect("a free port");
        let auth = GoAuth::builder()
            .issuer(go.issuer())
            .audience(go.audience())
            .jwks_url(go.jwks_url())
            .subject("ds-go-module")
            .access_tokens(AccessTokens::new([token]).expect("one token"));
        let client = reqwest::Client::builder().no_proxy();
        Self {
            go,
            auth: auth.build().expect("a good configuration"),
            client: client.build().expect("a client"),
        }
    }

    /// A push of five bytes with these header lines.
    pub(crate) async fn push(&self, to: SocketAddr, path: &str, lines: &[(&str, &str)]) -> Answer {
        let mut request = self.client.post(format!("http://{to}{path}")).body("rates");
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        let sent = tokio::time::timeout(Duration::from_secs(30), request.send()).await;
        let response = sent.expect("an answer in time").expect("an answer");
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.text().await.expect("a whole body"),
        }
    }
}
