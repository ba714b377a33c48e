//! What is reported of a key address, to people and to machines.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use derbysoft_go_auth::inspect::show::cut;
use derbysoft_go_auth::inspect::{
    self, Answer, Inspected, KeyAddress, Refresh, Visit, without_query,
};
use derbysoft_go_auth::keys::{FetchError, KeySetError, MAX_KEYS};

/// How many keys of a document are listed: twice as many as are used.
const MAX_LISTED: usize = 2 * MAX_KEYS;

/// Of all addresses. A contract: see `docs/guide/cli.md`.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(super) verdict: Verdict,
    pub(super) addresses: Vec<AddressReport>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Usable,
    Unusable,
    /// The address could not be reached.
    Unknown,
}

/// Of one address. Texts of the peer's are cut.
#[derive(Serialize)]
pub(super) struct AddressReport {
    pub(super) verdict: Verdict,
    pub(super) address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) issuer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<&'static str>,
    pub(super) answers: Vec<Answer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) discovery: Option<Discovery>,
    pub(super) keys: Vec<KeyReport>,
    /// How many further keys there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) more_keys: Option<NonZeroUsize>,
    /// How long the gate uses such an answer, and when it refreshes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refresh: Option<Refresh>,
}

#[derive(Serialize)]
pub(super) struct Discovery {
    pub(super) names: String,
    pub(super) followed: bool,
}

#[derive(Serialize)]
pub(super) struct KeyReport {
    pub(super) kid: Option<String>,
    pub(super) kty: Option<String>,
    pub(super) alg: Option<String>,
    #[serde(rename = "use")]
    pub(super) usage: Option<String>,
    pub(super) bits: Option<usize>,
    pub(super) usable: bool,
    pub(super) why: Option<String>,
}

impl AddressReport {
    pub(super) fn of(address: &KeyAddress, visit: Visit) -> Self {
        let error = visit.keys.as_ref().err();
        let mut keys: Vec<_> = (inspect::inspect(&visit.document).unwrap_or_default())
            .into_iter()
            .map(KeyReport::of)
            .collect();
        let more_keys = NonZeroUsize::new(keys.len().saturating_sub(MAX_LISTED));
        if more_keys.is_some() {
            // Usable keys are listed, wherever they stand.
            keys.sort_by_key(|key| !key.usable);
        }
        keys.truncate(MAX_LISTED);
        Self {
            verdict: verdict(error),
            address: cut(&address.name()),
            issuer: Some(cut(&address.issuer)).filter(|issuer| !issuer.is_empty()),
            next: error.map(next),
            discovery: Discovery::of(&visit),
            error: visit.fault,
            answers: visit.answers,
            keys,
            more_keys,
            refresh: visit.refresh,
        }
    }
}

/// An address that answers without keys differs from one that is out of reach.
const fn verdict(error: Option<&FetchError>) -> Verdict {
    match error {
        None => Verdict::Usable,
        Some(
            FetchError::Unreachable(_)
            | FetchError::Proxy(_)
            | FetchError::ProxyCredentials(_)
            | FetchError::Timeout
            | FetchError::Stopped
            | FetchError::NoRuntime,
        ) => Verdict::Unknown,
        Some(_) => Verdict::Unusable,
    }
}

const fn next(error: &FetchError) -> &'static str {
    match error {
        FetchError::Unreachable(_) => {
            "Try the address from this machine (curl -v): its name, the port, a firewall or proxy, \
             the certificate. Until it answers, the gate answers 503."
        }
        FetchError::Proxy(_) => {
            "Check the proxy's host and port in GO_AUTH_PROXY or HTTPS_PROXY, and whether it may \
             connect to the key address. Until there is a connection, the gate answers 503."
        }
        FetchError::ProxyCredentials(_) => {
            "Check the user name and the password in GO_AUTH_PROXY or HTTPS_PROXY: @, :, / and % in \
             them are written %40, %3A, %2F and %25."
        }
        FetchError::Timeout => {
            "Try the address from this machine (curl -v). If it is merely slow, raise \
             GO_AUTH_FETCH_TIMEOUT or connect_timeout."
        }
        FetchError::Redirect(_) => {
            "Redirects are not followed, since whoever can redirect could supply keys. Set \
             GO_AUTH_JWKS_URL to the address itself, as GO Console shows it."
        }
        FetchError::Status(406) => {
            "The gate accepts any form of the document (Accept: */*), so the server is at fault, \
             or a proxy that drops the header: look at it with curl -v."
        }
        FetchError::Status(429) => {
            "The address is asked too often, perhaps by others from the same address. Raise \
             GO_AUTH_REFRESH_INTERVAL; the gate waits as long as Retry-After says, 90 s at the longest."
        }
        FetchError::Status(500..) => {
            "The server, or a proxy before it, has failed. The gate keeps trying, and goes on with \
             the keys that it has for GO_AUTH_MAX_STALE."
        }
        FetchError::Status(_) | FetchError::UnexpectedNotModified => {
            "Compare GO_AUTH_JWKS_URL with the JWK address in GO Console: the account in it, and \
             the environment."
        }
        FetchError::TooLarge(_) => {
            "GO's document is about 1 KiB. If this one is from GO, raise max_document_bytes."
        }
        FetchError::KeySet(KeySetError::NoUsableKey(_)) => {
            "Compare GO_AUTH_JWKS_URL with the JWK address in GO Console. If it is right, GO has \
             to publish an RSA key of 2048 bits or more."
        }
        FetchError::Body(_) | FetchError::KeySet(_) => {
            "Compare GO_AUTH_JWKS_URL with the JWK address in GO Console, and look at what it \
             serves (curl -v): a login page or a proxy's error page is not a key set."
        }
        FetchError::ForeignKeySet(_) => {
            "A discovery document is only followed to an absolute address at its own origin. If \
             the key set is GO's, set GO_AUTH_JWKS_URL to its address."
        }
        FetchError::File { .. } => {
            "Correct the file, or replace it as a whole (mv): a JSON Web Key Set that not everybody \
             may write. Until then the gate goes on with the keys that it has for \
             GO_AUTH_MAX_STALE, and a new one answers 503."
        }
        FetchError::Distrusted => "Compare GO_AUTH_DISTRUSTED_KEYS with what GO publishes.",
        _ => "Try again.",
    }
}

impl Discovery {
    fn of(visit: &Visit) -> Option<Self> {
        #[derive(Deserialize)]
        struct Document {
            jwks_uri: String,
        }
        if let [_, followed] = &*visit.answers {
            return Some(Self {
                names: followed.from.clone(),
                followed: true,
            });
        }
        if !matches!(visit.keys, Err(FetchError::ForeignKeySet(_))) {
            return None;
        }
        let document: Document = serde_json::from_slice(&visit.document).ok()?;
        Some(Self {
            names: without_query(&document.jwks_uri),
            followed: false,
        })
    }
}

impl KeyReport {
    fn of(key: Inspected) -> Self {
        let text = |text: Option<String>| text.as_deref().map(cut);
        Self {
            kid: text(key.kid),
            kty: text(key.kty),
            alg: text(key.alg),
            usage: text(key.usage),
            bits: key.bits,
            usable: key.unusable.is_none(),
            why: key.unusable.map(|reason| reason.to_string()),
        }
    }
}
