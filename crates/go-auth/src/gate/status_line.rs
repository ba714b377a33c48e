//! The gate's state in one line, for the service manager. Pure.

use derbysoft_go_auth::Health;
use derbysoft_go_auth::keys::KeysState;

/// `reload_refused`: the last reload was.
pub(super) fn of(health: &Health, reload_refused: bool) -> String {
    let all = health.issuers.len();
    let worst = health.state();
    let so = (health.issuers.iter()).filter(|issuer| issuer.state.as_str() == worst.as_str());
    let so = so.count();
    let keys = match worst {
        KeysState::Fresh => "ready: keys are fresh".to_owned(),
        KeysState::Stale { .. } => {
            format!("ready, but keys of {so} of {all} issuers can't be refreshed")
        }
        _ => format!("not ready: no keys of {so} of {all} issuers"),
    };
    let reload = if reload_refused {
        "; the last reload was rejected, and older settings are in use"
    } else {
        ""
    };
    keys + reload
}
