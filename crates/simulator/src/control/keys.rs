//! Listing and rotating GO's keys.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Rejection, Request, Result, reply};
use crate::simulator::Simulator;

/// How many keys there can be in all: as many as a document may have for `go-auth`. Each
/// is stored for the simulator's life.
const MAX_KEYS: usize = 100;

pub(super) fn answer(go: &Simulator, path: &[&str], request: &Request<'_>) -> Result {
    match path {
        [] => return request.get(|| list(go)),
        [action @ ("rotate" | "stage" | "rotate-unpublished")] => {
            request.is_bare("POST")?;
            has_room(go)?;
            match *action {
                "rotate" => go.rotate(),
                "stage" => go.stage(),
                _ => go.rotate_unpublished(),
            };
        }
        ["retire-all-but-current"] => {
            request.is_bare("POST")?;
            go.retire_all_but_current();
        }
        [kid, action @ ("sign" | "retire" | "restore" | "replace")] => {
            request.is_bare("POST")?;
            if go.key(kid).is_none() {
                let why = "unknown kid: GET /simulator/keys lists them";
                return Err(Rejection::unknown(why));
            }
            match *action {
                "sign" => go.sign_with(kid),
                "retire" => go.retire(kid),
                "restore" => go.restore(kid),
                _ => {
                    has_room(go)?;
                    go.replace_material(kid);
                }
            }
        }
        _ => {
            let why = "unknown step: there are rotate, stage, rotate-unpublished and \
                       retire-all-but-current, and KID/sign, KID/retire, KID/restore and \
                       KID/replace";
            return Err(Rejection::unknown(why));
        }
    }
    Ok(reply(&list(go)))
}

fn has_room(go: &Simulator) -> Result<()> {
    if go.state().ring.size() < MAX_KEYS {
        return Ok(());
    }
    let why = "the limit of 100 keys is reached: start another simulator";
    Err(Rejection::new(StatusCode::CONFLICT, why))
}

fn list(go: &Simulator) -> Value {
    let state = go.state();
    let keys = state.ring.all().map(|(key, is_published)| {
        let kid = key.kid();
        json!({ "kid": kid, "published": is_published, "signs": kid == Some(&state.ring.signing) })
    });
    json!({ "keys": keys.collect::<Vec<_>>() })
}
