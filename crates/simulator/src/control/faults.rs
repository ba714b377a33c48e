//! The fault switches.

use std::time::Duration;

use http::{HeaderValue, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Asked, Refusal, Result, Said};
use crate::{Endpoint, Fault, GatewayFailure, Simulator};

/// The most requests that a fault can wait for.
const MAX_TIMES: usize = 1_000;

/// The most faults in force at once; a handful is what anybody can follow.
const MAX_FAULTS: usize = 100;

/// The longest document: longer than the longest that this crate's gate can be set to take, 16 MiB.
const MAX_BYTES: usize = 20 * 1024 * 1024;

/// The longest wait, in milliseconds: an hour, longer than anybody's patience.
const MAX_MS: u64 = 60 * 60 * 1_000;

/// How a fault is told from others of its name.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Details {
    /// For how many requests; until it is switched off without.
    times: Option<usize>,
    status: Option<u16>,
    location: Option<String>,
    bytes: Option<usize>,
    every_ms: Option<u64>,
    after_ms: Option<u64>,
    answer: Option<String>,
}

/// What can go wrong: its name, what it is, and what may be said about it.
const FAULTS: [(&str, &str, &[&str]); 17] = [
    (
        "redirect-not-found",
        "404 Found, with a Location elsewhere: GO's documented failure",
        &[],
    ),
    ("redirect", "a redirect elsewhere", &["location", "status"]),
    (
        "status",
        "this status, 500 otherwise, with the good document",
        &["status"],
    ),
    ("hang", "no answer", &[]),
    ("hang-body", "half of the answer, then nothing more", &[]),
    (
        "drip",
        "the answer in pieces, a byte every 100 ms otherwise",
        &["bytes", "every_ms"],
    ),
    (
        "delay",
        "the answer late, after 3 s otherwise",
        &["after_ms"],
    ),
    ("truncated", "the answer without its last byte", &[]),
    ("cut", "the connection closed without an answer", &[]),
    ("html", "a login page", &[]),
    ("empty-set", "no keys", &[]),
    ("wrong-keys", "the keys of a stranger", &[]),
    ("not-json", "a document that is not JSON", &[]),
    ("endless", "a document without end", &[]),
    ("gzip-bomb", "64 KiB that unpack to 65 MiB", &[]),
    (
        "oversized",
        "the document with spaces after it, 1 MiB otherwise",
        &["bytes"],
    ),
    ("raw", "these bytes in place of HTTP", &["answer"]),
];

/// What the gateway can say at its token endpoint and to pushes, beside the faults of the former.
const REFUSALS: [(&str, GatewayFailure); 6] = [
    ("missing-token", GatewayFailure::MissingToken),
    ("invalid-token", GatewayFailure::InvalidToken),
    ("missing-user-key", GatewayFailure::MissingUserKey),
    ("invalid-user-key", GatewayFailure::InvalidUserKey),
    ("not-verified", GatewayFailure::NotVerified),
    ("forbidden-consumer", GatewayFailure::ForbiddenConsumer),
];

/// Where something can go wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Endpoint(Endpoint),
    /// The gateway's API, which refuses and has no other faults.
    Gateway,
}

impl Place {
    const ALL: [Self; 4] = [
        Self::Endpoint(Endpoint::Keys),
        Self::Endpoint(Endpoint::Discovery),
        Self::Endpoint(Endpoint::Token),
        Self::Gateway,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Endpoint(Endpoint::Keys) => "keys",
            Self::Endpoint(Endpoint::Discovery) => "discovery",
            Self::Endpoint(Endpoint::Token) => "token",
            Self::Gateway => "gateway",
        }
    }
}

pub(super) fn answer(go: &Simulator, path: &[&str], asked: &Asked<'_>) -> Result {
    match path {
        [] if asked.head.method == Method::DELETE => {
            asked.has_no_body()?;
            for place in Place::ALL {
                switch_off(go, place);
            }
        }
        [] => {
            asked.is(&[Method::GET, Method::HEAD], "GET, HEAD, DELETE")?;
            asked.has_no_body()?;
            return Ok(Said::Json(list(go)));
        }
        [place] => {
            asked.is(&[Method::DELETE], "DELETE")?;
            asked.has_no_body()?;
            switch_off(go, named(place)?);
        }
        [place, fault] => {
            asked.is(&[Method::PUT], "PUT")?;
            switch_on(go, named(place)?, fault, asked.says()?)?;
        }
        _ => return Err(super::nowhere()),
    }
    Ok(Said::Json(json!({ "on": in_force(go) })))
}

fn list(go: &Simulator) -> Value {
    json!({
        "on": in_force(go),
        "places": Place::ALL.map(Place::name),
        "faults": FAULTS.map(|(name, about, takes)| {
            json!({ "name": name, "about": about, "takes": takes })
        }),
        "refusals": REFUSALS.map(|(name, failure)| {
            let (status, message) = failure.documented();
            json!({ "name": name, "about": format!("{status} {message}") })
        }),
    })
}

fn named(place: &str) -> Result<Place> {
    let found = Place::ALL.into_iter().find(|known| known.name() == place);
    found.ok_or_else(|| Refusal::unknown("the places are keys, discovery, token and gateway"))
}

fn switch_off(go: &Simulator, place: Place) {
    match place {
        Place::Endpoint(endpoint) => {
            go.heal_at(endpoint);
            if endpoint == Endpoint::Token {
                go.refuse_tokens(None);
            }
        }
        Place::Gateway => go.refuse_pushes(None),
    }
}

fn switch_on(go: &Simulator, place: Place, name: &str, mut details: Details) -> Result<()> {
    if let Some((_, failure)) = REFUSALS.iter().find(|(known, _)| *known == name) {
        details.is_used_up()?;
        match place {
            Place::Gateway => go.refuse_pushes(Some(*failure)),
            Place::Endpoint(Endpoint::Token) => go.refuse_tokens(Some(*failure)),
            Place::Endpoint(_) => {
                return Err(Refusal::bad("only token and gateway refuse so"));
            }
        }
        return Ok(());
    }
    let Place::Endpoint(endpoint) = place else {
        let why = "the gateway only refuses: see `refusals` of GET /simulator/faults";
        return Err(Refusal::bad(why));
    };
    let times = details.times.take();
    let fault = fault(name, &mut details)?;
    details.is_used_up()?;
    if go.faults().len() >= MAX_FAULTS {
        let why = "100 faults are on: switch some off";
        return Err(Refusal::new(StatusCode::CONFLICT, why));
    }
    match times {
        None => go.fail_at(endpoint, fault),
        Some(times @ 1..=MAX_TIMES) => go.fail_next_at(endpoint, times, fault),
        Some(_) => return Err(Refusal::bad("times is not from 1 to 1000")),
    }
    Ok(())
}

fn fault(name: &str, details: &mut Details) -> Result<Fault> {
    Ok(match name {
        "redirect-not-found" => Fault::RedirectNotFound,
        "redirect" => {
            let location = details.location.take();
            let location = location.unwrap_or_else(|| "https://attacker.example/keys".to_owned());
            if HeaderValue::from_str(&location).is_err() {
                return Err(Refusal::bad("location can't stand in a header"));
            }
            let status = status(details.status.take(), 302)?;
            Fault::Redirect { location, status }
        }
        "status" => Fault::Status(status(details.status.take(), 500)?),
        "hang" => Fault::Hang,
        "hang-body" => Fault::HangBody,
        "drip" => Fault::Drip {
            bytes: bytes(details.bytes.take(), 1)?,
            every: wait("every_ms", details.every_ms.take(), 100)?,
        },
        "delay" => Fault::Delay(wait("after_ms", details.after_ms.take(), 3_000)?),
        "truncated" => Fault::Truncated,
        "cut" => Fault::Cut,
        "html" => Fault::Html,
        "empty-set" => Fault::EmptySet,
        "wrong-keys" => Fault::WrongKeys,
        "not-json" => Fault::NotJson,
        "endless" => Fault::Endless,
        "gzip-bomb" => Fault::GzipBomb,
        "oversized" => Fault::Oversized(bytes(details.bytes.take(), 1 << 20)?),
        "raw" => {
            let answer = details.answer.take().unwrap_or_default();
            Fault::Raw(answer.into_bytes())
        }
        _ => {
            let why = "no fault is called so: GET /simulator/faults lists them";
            return Err(Refusal::unknown(why));
        }
    })
}

fn status(status: Option<u16>, otherwise: u16) -> Result<u16> {
    let status = status.unwrap_or(otherwise);
    if status >= 200 && StatusCode::from_u16(status).is_ok() {
        Ok(status)
    } else {
        Err(Refusal::bad("status is not from 200 to 999"))
    }
}

fn bytes(bytes: Option<usize>, otherwise: usize) -> Result<usize> {
    match bytes.unwrap_or(otherwise) {
        bytes @ 1..=MAX_BYTES => Ok(bytes),
        _ => Err(Refusal::bad("bytes is not from 1 to 20971520")),
    }
}

fn wait(name: &str, ms: Option<u64>, otherwise: u64) -> Result<Duration> {
    match ms.unwrap_or(otherwise) {
        ms @ ..=MAX_MS => Ok(Duration::from_millis(ms)),
        _ => Err(Refusal::bad(format!("{name} is more than 3600000"))),
    }
}

impl Details {
    /// Whether the fault had a use for all that was said.
    fn is_used_up(&self) -> Result<()> {
        let left = [
            ("times", self.times.is_some()),
            ("status", self.status.is_some()),
            ("location", self.location.is_some()),
            ("bytes", self.bytes.is_some()),
            ("every_ms", self.every_ms.is_some()),
            ("after_ms", self.after_ms.is_some()),
            ("answer", self.answer.is_some()),
        ];
        match left.iter().find(|(_, is_left)| *is_left) {
            None => Ok(()),
            Some((name, _)) => Err(Refusal::bad(format!("this fault takes no {name}"))),
        }
    }
}

/// What is on, in the order in which it comes to pass at one place.
pub(super) fn in_force(go: &Simulator) -> Vec<Value> {
    let faults = go.faults().into_iter().map(|on| {
        let (name, mut told) = told(&on.fault);
        told["fault"] = json!(name);
        let at = on.at.into_iter().map(|at| Place::Endpoint(at).name());
        told["at"] = at.collect();
        if let Some(left) = on.left {
            told["left"] = json!(left);
        }
        told
    });
    let state_of_refusals = {
        let state = go.state();
        [
            (
                Place::Endpoint(Endpoint::Token),
                state.gateway.refuse_tokens,
            ),
            (Place::Gateway, state.gateway.refuse_pushes),
        ]
    };
    let refusals = state_of_refusals
        .into_iter()
        .filter_map(|(place, failure)| {
            let (name, _) = REFUSALS.iter().find(|(_, it)| Some(*it) == failure)?;
            Some(json!({ "fault": name, "at": [place.name()] }))
        });
    faults.chain(refusals).collect()
}

/// A fault's name and details.
fn told(fault: &Fault) -> (&'static str, Value) {
    let ms = |time: &Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    match fault {
        Fault::RedirectNotFound => ("redirect-not-found", json!({})),
        Fault::Redirect { location, status } => (
            "redirect",
            json!({ "location": location, "status": status }),
        ),
        Fault::Status(status) => ("status", json!({ "status": status })),
        Fault::Hang => ("hang", json!({})),
        Fault::HangBody => ("hang-body", json!({})),
        Fault::Drip { bytes, every } => ("drip", json!({ "bytes": bytes, "every_ms": ms(every) })),
        Fault::Delay(time) => ("delay", json!({ "after_ms": ms(time) })),
        Fault::Truncated => ("truncated", json!({})),
        Fault::Cut => ("cut", json!({})),
        Fault::Html => ("html", json!({})),
        Fault::EmptySet => ("empty-set", json!({})),
        Fault::WrongKeys => ("wrong-keys", json!({})),
        Fault::NotJson => ("not-json", json!({})),
        Fault::Endless => ("endless", json!({})),
        Fault::GzipBomb => ("gzip-bomb", json!({})),
        Fault::Oversized(bytes) => ("oversized", json!({ "bytes": bytes })),
        Fault::Raw(_) => ("raw", json!({})),
    }
}
