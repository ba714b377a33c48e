//! GO's keys: what there is, and rotation.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Asked, Refusal, Result, Said};
use crate::Simulator;

/// How many keys are made in all: as many as a document may have for this crate's gate. Each is
/// kept for the simulator's life.
const MAX_KEYS: usize = 100;

pub(super) fn answer(go: &Simulator, path: &[&str], asked: &Asked<'_>) -> Result {
    match path {
        [] => {
            asked.gets()?;
            Ok(Said::Json(list(go)))
        }
        [action @ ("rotate" | "stage" | "rotate-unpublished")] => {
            asked.posts()?;
            has_room(go)?;
            match *action {
                "rotate" => go.rotate(),
                "stage" => go.stage(),
                _ => go.rotate_unpublished(),
            };
            Ok(Said::Json(list(go)))
        }
        ["retire-all-but-current"] => {
            asked.posts()?;
            go.retire_all_but_current();
            Ok(Said::Json(list(go)))
        }
        [kid, action @ ("sign" | "retire" | "restore" | "replace")] => {
            asked.posts()?;
            if go.key(kid).is_none() {
                let why = "no key is called so: GET /simulator/keys lists them";
                return Err(Refusal::unknown(why));
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
            Ok(Said::Json(list(go)))
        }
        _ => Err(Refusal::unknown(
            "keys take rotate, stage, rotate-unpublished and retire-all-but-current, and KID/sign, \
             KID/retire, KID/restore and KID/replace",
        )),
    }
}

fn has_room(go: &Simulator) -> Result<()> {
    if go.state().ring.size() < MAX_KEYS {
        return Ok(());
    }
    let why = "there have been 100 keys, which is all that a simulator has: start another";
    Err(Refusal::new(StatusCode::CONFLICT, why))
}

fn list(go: &Simulator) -> Value {
    let state = go.state();
    let signing = state.ring.signing();
    let keys = state.ring.all().map(|(key, is_published)| {
        let kid = key.kid();
        json!({ "kid": kid, "published": is_published, "signs": kid == Some(signing) })
    });
    json!({ "keys": keys.collect::<Vec<_>>() })
}
