//! Access Tokens, and the gateway's client ID and secret.

use axum_core::response::IntoResponse as _;
use serde_json::{Value, json};

use super::{Rejection, Request, Result, reply};
use crate::simulator::Simulator;
use crate::state::issue::Dated;
use crate::state::partner_apis::PartnerApi;

pub(super) fn access_tokens(go: &Simulator, path: &[&str], request: &Request<'_>) -> Result {
    match path {
        [] => request.get(|| json!({ "access_tokens": PartnerApi::ALL.map(|api| token(go, api)) })),
        ["file"] => request
            .is_bare("GET, HEAD")
            .map(|()| file(go).into_response()),
        [name, action @ ("rotate" | "revoke")] => {
            request.is_bare("POST")?;
            let api = PartnerApi::ALL.into_iter().find(|api| api.name() == *name);
            let api = api.ok_or_else(|| {
                let why =
                    "unknown API: there are availability-peer, booking-usb and shopping-engine";
                Rejection::unknown(why)
            })?;
            match *action {
                "rotate" => go.rotate_access_token(api),
                _ => go.revoke_access_token(api),
            };
            Ok(reply(&token(go, api)))
        }
        _ => Err(Rejection::unknown(
            "unknown step: there are file, API/rotate and API/revoke",
        )),
    }
}

fn token(go: &Simulator, api: PartnerApi) -> Value {
    let dated = |it: &Dated<String>| {
        json!({
            "token": it.credential,
            "issued": it.issued_at,
            "expires": it.expires_at,
        })
    };
    let now = go.now();
    let mut state = go.state();
    let issue = state.partners.tokens(api);
    let previous = issue.previous.as_ref().filter(|it| now < it.expires_at);
    let mut token = dated(&issue.current);
    token["api"] = json!(api.name());
    token["previous"] = json!(previous.map(dated));
    token
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
    let client = match path {
        [] => request.is_bare("GET, HEAD").map(|()| go.client()),
        ["rotate"] => request.is_bare("POST").map(|()| go.rotate_client()),
        ["revoke"] => request.is_bare("POST").map(|()| go.revoke_client()),
        _ => Err(Rejection::unknown(
            "unknown step: there are rotate and revoke",
        )),
    }?;
    Ok(reply(&json!({
        "client_id": client.client_id,
        "client_secret": client.client_secret,
    })))
}
