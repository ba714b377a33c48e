//! Access Tokens, and the gateway's client ID and secret.

use serde_json::{Value, json};

use super::{Rejection, Reply, Request, Result};
use crate::simulator::Simulator;
use crate::state::issue::Dated;
use crate::state::partner_apis::PartnerApi;

/// By the names that the settings of `go-auth` use.
const APIS: [(&str, PartnerApi); 3] = [
    ("availability-peer", PartnerApi::AvailabilityPeer),
    ("booking-usb", PartnerApi::BookingUsb),
    ("shopping-engine", PartnerApi::ShoppingEngine),
];

pub(super) fn access_tokens(go: &Simulator, path: &[&str], request: &Request<'_>) -> Result {
    match path {
        [] => request.is_get().map(|()| {
            let tokens = APIS.map(|(name, api)| token(go, name, api));
            Reply::Json(json!({ "access_tokens": tokens }))
        }),
        ["file"] => request.is_get().map(|()| Reply::Text(file(go))),
        [name, action @ ("rotate" | "revoke")] => {
            request.is_post()?;
            let api = APIS.iter().find(|(known, _)| known == name);
            let Some((name, api)) = api.copied() else {
                let why =
                    "unknown API: there are availability-peer, booking-usb and shopping-engine";
                return Err(Rejection::unknown(why));
            };
            match *action {
                "rotate" => go.rotate_access_token(api),
                _ => go.revoke_access_token(api),
            };
            Ok(Reply::Json(token(go, name, api)))
        }
        _ => Err(Rejection::unknown(
            "unknown step: there are file, API/rotate and API/revoke",
        )),
    }
}

fn token(go: &Simulator, name: &str, api: PartnerApi) -> Value {
    let now = go.now();
    let mut state = go.state();
    let issue = state.partners.tokens(api);
    let current = &issue.current;
    let previous = issue.previous.as_ref().filter(|it| now < it.expires_at);
    json!({
        "api": name,
        "token": current.credential,
        "issued": current.issued_at.to_string(),
        "expires": current.expires_at.to_string(),
        "previous": previous.map(|it| json!({
            "token": it.credential,
            "issued": it.issued_at.to_string(),
            "expires": it.expires_at.to_string(),
        })),
    })
}

/// The tokens that GO calls with, as a file for `go-auth serve`.
fn file(go: &Simulator) -> String {
    let mut state = go.state();
    let issue = state.partners.tokens(PartnerApi::AvailabilityPeer);
    // To the nanosecond: of two tokens issued at the same time, neither is the previous
    // one.
    let entry = |it: &Dated<String>| {
        let issued = humantime::format_rfc3339_nanos(it.issued_at.into());
        let token = &it.credential;
        format!("[[token]]\napi = \"availability-peer\"\nissued = {issued}\ntoken = \"{token}\"\n")
    };
    let previous = issue.previous.iter();
    previous.chain([&issue.current]).map(entry).collect()
}

pub(super) fn client(go: &Simulator, path: &[&str], request: &Request<'_>) -> Result {
    match path {
        [] => request.is_get()?,
        [action @ ("rotate" | "revoke")] => {
            request.is_post()?;
            match *action {
                "rotate" => go.rotate_client(),
                _ => go.revoke_client(),
            };
        }
        _ => {
            return Err(Rejection::unknown(
                "unknown step: there are rotate and revoke",
            ));
        }
    }
    let client = go.client();
    Ok(Reply::Json(json!({
        "client_id": client.client_id,
        "client_secret": client.client_secret,
    })))
}
