//! Access Tokens, and the client ID and secret of the gateway.

use serde_json::{Value, json};

use super::{Asked, Refusal, Result, Said};
use crate::{PartnerApi, Simulator};
use derbysoft_go_auth::UnixTime;

/// By the names that this crate's settings have for them.
const APIS: [(&str, PartnerApi); 3] = [
    ("availability-peer", PartnerApi::AvailabilityPeer),
    ("booking-usb", PartnerApi::BookingUsb),
    ("shopping-engine", PartnerApi::ShoppingEngine),
];

pub(super) fn access_tokens(go: &Simulator, path: &[&str], asked: &Asked<'_>) -> Result {
    match path {
        [] => {
            asked.gets()?;
            let tokens = APIS.map(|(name, api)| token(go, name, api));
            Ok(Said::Json(json!({ "access_tokens": tokens })))
        }
        ["file"] => {
            asked.gets()?;
            Ok(Said::Text(file(go)))
        }
        [name, action @ ("rotate" | "revoke")] => {
            asked.posts()?;
            let api = APIS.iter().find(|(known, _)| known == name);
            let Some((name, api)) = api.copied() else {
                let why = "the APIs are availability-peer, booking-usb and shopping-engine";
                return Err(Refusal::unknown(why));
            };
            match *action {
                "rotate" => go.rotate_access_token(api),
                _ => go.revoke_access_token(api),
            };
            Ok(Said::Json(token(go, name, api)))
        }
        _ => Err(Refusal::unknown(
            "access-tokens take file, API/rotate and API/revoke",
        )),
    }
}

fn token(go: &Simulator, name: &str, api: PartnerApi) -> Value {
    let now = go.now();
    let mut state = go.state();
    let issue = state.partners.tokens(api);
    let previous = issue.previous().filter(|it| now < it.expires_at);
    json!({
        "api": name,
        "token": issue.current(),
        "issued": issue.issued_at().to_string(),
        "expires": issue.expires_at().to_string(),
        "previous": previous.map(|it| json!({
            "token": it.credential,
            "issued": it.issued_at.to_string(),
            "expires": it.expires_at.to_string(),
        })),
    })
}

/// The tokens that GO calls with, as this crate's gate takes them from a file.
fn file(go: &Simulator) -> String {
    let mut state = go.state();
    let issue = state.partners.tokens(PartnerApi::AvailabilityPeer);
    // To the nanosecond: one of two that were issued at the same time is nobody's previous.
    let entry = |token: &str, issued: UnixTime| {
        let issued = humantime::format_rfc3339_nanos(issued.into());
        format!("[[token]]\napi = \"availability-peer\"\nissued = {issued}\ntoken = \"{token}\"\n")
    };
    let previous = issue.previous();
    previous.map_or_else(String::new, |it| entry(&it.credential, it.issued_at))
        + &entry(issue.current(), issue.issued_at())
}

pub(super) fn client(go: &Simulator, path: &[&str], asked: &Asked<'_>) -> Result {
    match path {
        [] => asked.gets()?,
        [action @ ("rotate" | "revoke")] => {
            asked.posts()?;
            match *action {
                "rotate" => go.rotate_client(),
                _ => go.revoke_client(),
            };
        }
        _ => return Err(Refusal::unknown("client takes rotate and revoke")),
    }
    let client = go.client();
    Ok(Said::Json(json!({
        "client_id": client.client_id,
        "client_secret": client.client_secret,
    })))
}
