//! GO's gateway: the token endpoint, and an API behind it that suppliers push to.

use std::collections::HashMap;
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use derbysoft_go_auth::clock::UnixTime;
use http::request::Parts;
use http::{HeaderMap, Method};
use serde_json::Value;

use super::below;
use super::issue::{Issue, credential};
use crate::answer::Answer;
use crate::hex::random_hex;
use crate::keys::SigningKey;
use crate::tokens::Mint;

/// GO's documentation prints the second spelling, its knowledge base the first.
pub(crate) const TOKEN_PATHS: [&str; 2] = ["/authorizer/token", "/authorizer/toker"];

/// The base path of the API that accepts pushes.
pub(crate) const API: &str = "/gateway";

/// How many tokens are valid at once; one more evicts the one that expires first. A
/// client fetches one an hour, so this is enough for thousands of clients, and takes 10
/// MiB.
const MAX_ISSUED: usize = 10_000;

/// The `key` of the sample token.
const USER_KEY: &str = "JWT-TEST";

/// A client ID and client secret as in GO's mail.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientCredentials {
    /// 31 characters in the sample.
    pub client_id: String,
    /// 32 characters in the sample, some of them punctuation.
    pub client_secret: String,
}

impl ClientCredentials {
    pub(crate) fn fresh() -> Self {
        Self {
            client_id: random_hex(31),
            client_secret: format!("p;f{}A)2{}", random_hex(12), random_hex(14)),
        }
    }
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials").finish_non_exhaustive()
    }
}

/// The failures that GO's documentation lists, with their status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayFailure {
    /// 401 `Missing JWT token in request`: no `Authorization`, or no client ID and
    /// secret.
    MissingToken,
    /// 401 `JWT token invalid`: not a JWT.
    InvalidToken,
    /// 401 `missing user key in JWT token`: a JWT without `key`.
    MissingUserKey,
    /// 401 `Invalid user key in JWT token`: an unknown `key`, or an unknown client ID and
    /// secret.
    InvalidUserKey,
    /// 401 `failed to verify jwt`: expired, revoked or signed by somebody else.
    NotVerified,
    /// 403 `The consumer_name is forbidden`; only by
    /// [command](crate::Simulator::refuse_pushes).
    ForbiddenConsumer,
}

impl GatewayFailure {
    /// All six, for a test that covers each.
    pub const ALL: [Self; 6] = [
        Self::MissingToken,
        Self::InvalidToken,
        Self::MissingUserKey,
        Self::InvalidUserKey,
        Self::NotVerified,
        Self::ForbiddenConsumer,
    ];

    /// The status and the message in the documentation's table.
    pub const fn documented(self) -> (u16, &'static str) {
        let (_, status, message) = self.row();
        (status, message)
    }

    pub(crate) const fn name(self) -> &'static str {
        self.row().0
    }

    const fn row(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::MissingToken => ("missing-token", 401, "Missing JWT token in request"),
            Self::InvalidToken => ("invalid-token", 401, "JWT token invalid"),
            Self::MissingUserKey => ("missing-user-key", 401, "missing user key in JWT token"),
            Self::InvalidUserKey => ("invalid-user-key", 401, "Invalid user key in JWT token"),
            Self::NotVerified => ("not-verified", 401, "failed to verify jwt"),
            Self::ForbiddenConsumer => {
                ("forbidden-consumer", 403, "The consumer_name is forbidden")
            }
        }
    }

    fn answer(self) -> Answer {
        let (status, message) = self.documented();
        let body = format!(r#"{{"message":"{message}","source":"Derbysoft DGateway2"}}"#);
        Answer::json(status, body)
    }
}

#[derive(Debug)]
pub(crate) struct Gateway {
    /// Made with the first token.
    key: Option<SigningKey>,
    pub(crate) clients: Issue<ClientCredentials>,
    /// The valid tokens, with their expiry.
    issued: HashMap<String, UnixTime>,
    /// `exp` − `iat`, in seconds.
    pub(crate) lifetime: u64,
    /// The `expires_in` of an answer, in seconds.
    pub(crate) expires_in: u64,
    pub(crate) custom_answer: Option<Vec<u8>>,
    pub(crate) refuse_tokens: Option<GatewayFailure>,
    pub(crate) refuse_pushes: Option<GatewayFailure>,
    pub(crate) pushes: usize,
}

impl Gateway {
    pub(crate) fn new(now: UnixTime) -> Self {
        Self {
            key: None,
            clients: Issue::new(ClientCredentials::fresh(), now),
            issued: HashMap::new(),
            lifetime: 3600,
            expires_in: 7200,
            custom_answer: None,
            refuse_tokens: None,
            refuse_pushes: None,
            pushes: 0,
        }
    }

    pub(crate) fn token_endpoint(&mut self, head: &Parts, now: UnixTime) -> Answer {
        if head.method != Method::GET {
            return Answer::method_not_allowed();
        }
        let client = |name: &str| head.headers.get(name)?.to_str().ok();
        let failure = match client("client-id").zip(client("client-secret")) {
            _ if self.refuse_tokens.is_some() => self.refuse_tokens,
            None => Some(GatewayFailure::MissingToken),
            Some((id, secret)) => {
                let is_it =
                    |it: &ClientCredentials| it.client_id == id && it.client_secret == secret;
                (!self.clients.accepts(is_it, now)).then_some(GatewayFailure::InvalidUserKey)
            }
        };
        match failure {
            Some(failure) => failure.answer(),
            None => Answer::json(200, self.new_token_document(now)),
        }
    }

    /// An answer with a new token.
    pub(crate) fn new_token_document(&mut self, now: UnixTime) -> Vec<u8> {
        if let Some(answer) = &self.custom_answer {
            return answer.clone();
        }
        let (token, expires_in) = (self.new_token(now), self.expires_in);
        format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":{expires_in}}}"#)
            .into_bytes()
    }

    pub(crate) fn new_token(&mut self, now: UnixTime) -> String {
        let iat = now.as_secs();
        let exp = iat + self.lifetime;
        // The members of the sample token, in their order.
        let payload = format!(
            r#"{{"key":"{USER_KEY}","nbf":{nbf},"iss":"derbysoft","iat":{iat},"dis":"JWT-TEST","jti":"{jti}","exp":{exp},"sub":"derbysoft dgateway V2","aud":["JWT-TEST"]}}"#,
            nbf = iat.saturating_sub(120),
            jti = random_hex(32),
        );
        let key = self.key.get_or_insert_with(SigningKey::pooled).clone();
        let token = Mint::new(key, "", "", "")
            .raw_header(r#"{"typ":"JWT","alg":"RS256"}"#)
            .raw_payload(payload)
            .token();
        self.evict(now);
        self.issued.insert(token.clone(), UnixTime::from_secs(exp));
        token
    }

    /// Invalidates all tokens issued so far.
    pub(crate) fn revoke_tokens(&mut self) {
        self.issued.clear();
    }

    /// Makes room for one more token.
    fn evict(&mut self, now: UnixTime) {
        if self.issued.len() >= MAX_ISSUED {
            self.issued.retain(|_, exp| now < *exp);
        }
        if self.issued.len() >= MAX_ISSUED {
            let first = self.issued.iter().min_by_key(|(_, exp)| **exp);
            if let Some(token) = first.map(|(token, _)| token.clone()) {
                self.issued.remove(&token);
            }
        }
    }

    /// The API; `None` for any other path.
    pub(crate) fn api(&mut self, head: &Parts, now: UnixTime) -> Option<Answer> {
        below(API, head)?;
        let failure = self
            .refuse_pushes
            .or_else(|| self.failure_of(&head.headers, now));
        if let Some(failure) = failure {
            return Some(failure.answer());
        }
        self.pushes += 1;
        Some(Answer::json(200, r#"{"success":true}"#))
    }

    fn failure_of(&self, headers: &HeaderMap, now: UnixTime) -> Option<GatewayFailure> {
        let Some(token) = credential(headers) else {
            return Some(GatewayFailure::MissingToken);
        };
        if let Some(exp) = self.issued.get(token) {
            return (now >= *exp).then_some(GatewayFailure::NotVerified);
        }
        let segments: Vec<_> = token.split('.').collect();
        let payload = (segments.len() == 3).then(|| BASE64_URL_SAFE_NO_PAD.decode(segments[1]));
        let claims = payload
            .and_then(Result::ok)
            .and_then(|payload| serde_json::from_slice::<Value>(&payload).ok());
        Some(match claims.as_ref().map(|claims| claims.get("key")) {
            None => GatewayFailure::InvalidToken,
            Some(None) => GatewayFailure::MissingUserKey,
            Some(Some(key)) if key != USER_KEY => GatewayFailure::InvalidUserKey,
            Some(Some(_)) => GatewayFailure::NotVerified,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_ten_thousand_tokens_are_valid_at_once() {
        let now = UnixTime::from_secs(1_800_000_000);
        let at = |seconds: u64| UnixTime::from_secs(1_800_000_000 + seconds);
        let mut gateway = Gateway::new(now);
        for n in 0..MAX_ISSUED as u64 {
            gateway.issued.insert(n.to_string(), at(n + 1));
        }
        let token = gateway.new_token(now);
        assert_eq!(gateway.issued.len(), MAX_ISSUED);
        assert!(gateway.issued.contains_key(&token) && gateway.issued.contains_key("1"));
        assert!(
            !gateway.issued.contains_key("0"),
            "it would have expired first"
        );
        // A thousand have expired by then.
        gateway.new_token(at(1_000));
        assert_eq!(gateway.issued.len(), MAX_ISSUED - 1_000 + 2);
    }
}
