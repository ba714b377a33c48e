//! Switching faults on and off.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use http::{HeaderValue, Method, StatusCode};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::{Rejection, Request, Result, reply};
use crate::fault::{Endpoint, Fault};
use crate::simulator::Simulator;
use crate::state::gateway::GatewayFailure;

/// The most requests that one fault applies to: more than any scenario needs.
const MAX_TIMES: usize = 1_000;

/// The most active faults; nobody can follow more than a handful.
const MAX_FAULTS: usize = 100;

/// The longest document: longer than `go-auth` can be configured to read, 16 MiB.
const MAX_BYTES: usize = 20 * 1024 * 1024;

/// The longest wait: longer than anybody waits.
const MAX_WAIT: Duration = Duration::from_secs(60 * 60);

/// Where a fault can be switched on; `None` is the gateway's API, which can only reject.
const PLACES: [(&str, Option<Endpoint>); 4] = [
    ("keys", Some(Endpoint::Keys)),
    ("discovery", Some(Endpoint::Discovery)),
    ("token", Some(Endpoint::Token)),
    ("gateway", None),
];

/// The settings of a fault.
#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// For how many requests; without it, until the fault is switched off.
    times: Option<usize>,
    status: Option<u16>,
    location: Option<String>,
    bytes: Option<usize>,
    #[serde(deserialize_with = "millis")]
    every_ms: Option<Duration>,
    #[serde(deserialize_with = "millis")]
    after_ms: Option<Duration>,
    answer: Option<String>,
}

impl Settings {
    fn check(&self) -> Result<()> {
        let millis = |time: Option<Duration>| time.map(|time| time.as_millis());
        within("times", self.times, 1..=MAX_TIMES)?;
        within("status", self.status, 200..=999)?;
        within("bytes", self.bytes, 1..=MAX_BYTES)?;
        within("every_ms", millis(self.every_ms), 0..=MAX_WAIT.as_millis())?;
        within("after_ms", millis(self.after_ms), 0..=MAX_WAIT.as_millis())?;
        match self.location.as_deref().map(HeaderValue::from_str) {
            Some(Err(_)) => Err(Rejection::bad("location is not a valid header value")),
            _ => Ok(()),
        }
    }

    /// Whether the fault had a use for every setting.
    fn is_used_up(&self) -> Result<()> {
        let settings = json!(self);
        let mut settings = settings.as_object().into_iter().flatten();
        match settings.find(|(_, given)| !given.is_null()) {
            None => Ok(()),
            Some((name, _)) => Err(Rejection::bad(format!("this fault has no setting {name}"))),
        }
    }
}

fn within<T: PartialOrd + Display>(
    name: &str,
    given: Option<T>,
    range: RangeInclusive<T>,
) -> Result<()> {
    if given.is_none_or(|given| range.contains(&given)) {
        return Ok(());
    }
    let (least, most) = range.into_inner();
    Err(Rejection::bad(format!(
        "{name} must be from {least} to {most}"
    )))
}

fn millis<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Option<Duration>, D::Error> {
    let millis = Option::<u64>::deserialize(from)?;
    Ok(millis.map(Duration::from_millis))
}

fn in_millis(time: &Duration) -> Value {
    json!(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// Makes three functions of one table. A row is a fault's name, its description, its
/// pattern, the fault with default settings, and its settings: their names in JSON, where
/// they are, and how they are listed.
macro_rules! faults {
    ($(
        $name:literal, $about:literal, $fault:pat = $plain:expr,
        [$($setting:ident: $slot:ident => $listed:expr),*];
    )*) => {
        /// All faults, with default settings.
        fn all() -> [Fault; [$($name),*].len()] {
            [$($plain),*]
        }

        /// A fault's name, description and settings.
        #[expect(unused_variables, reason = "raw bytes are not listed")]
        fn described(fault: &Fault) -> (&'static str, &'static str, Vec<(&'static str, Value)>) {
            match fault {
                $($fault => ($name, $about, vec![$((stringify!($setting), $listed)),*]),)*
            }
        }

        /// Takes those of the given settings that the fault has.
        fn set(fault: &mut Fault, given: &mut Settings) {
            match fault {
                $($fault => {
                    $(if let Some(given) = given.$setting.take() {
                        *$slot = given.into();
                    })*
                })*
            }
        }
    };
}

faults! {
    "redirect-not-found", "404 Found, with a Location elsewhere: GO's documented failure",
        Fault::RedirectNotFound = Fault::RedirectNotFound, [];
    "redirect", "a redirect elsewhere",
        Fault::Redirect { location, status } = Fault::Redirect {
            location: "https://attacker.example/keys".to_owned(),
            status: 302,
        }, [location: location => json!(location), status: status => json!(status)];
    "status", "this status, 500 otherwise, with the good document",
        Fault::Status(status) = Fault::Status(500), [status: status => json!(status)];
    "hang", "no answer", Fault::Hang = Fault::Hang, [];
    "hang-body", "half of the answer, then nothing more", Fault::HangBody = Fault::HangBody, [];
    "drip", "the answer in pieces, a byte every 100 ms otherwise",
        Fault::Drip { bytes, every } = Fault::Drip {
            bytes: 1,
            every: Duration::from_millis(100),
        }, [bytes: bytes => json!(bytes), every_ms: every => in_millis(every)];
    "delay", "the answer late, after 3 s otherwise",
        Fault::Delay(time) = Fault::Delay(Duration::from_secs(3)), [after_ms: time => in_millis(time)];
    "truncated", "the answer without its last byte", Fault::Truncated = Fault::Truncated, [];
    "cut", "the connection closed without an answer", Fault::Cut = Fault::Cut, [];
    "html", "a login page", Fault::Html = Fault::Html, [];
    "empty-set", "no keys", Fault::EmptySet = Fault::EmptySet, [];
    "wrong-keys", "the keys of a stranger", Fault::WrongKeys = Fault::WrongKeys, [];
    "not-json", "a document that is not JSON", Fault::NotJson = Fault::NotJson, [];
    "endless", "a document without end", Fault::Endless = Fault::Endless, [];
    "gzip-bomb", "64 KiB that unpack to 65 MiB", Fault::GzipBomb = Fault::GzipBomb, [];
    "oversized", "the document with spaces after it, 1 MiB otherwise",
        Fault::Oversized(bytes) = Fault::Oversized(1 << 20), [bytes: bytes => json!(bytes)];
    "raw", "these bytes in place of HTTP",
        Fault::Raw(answer) = Fault::Raw(Vec::new()), [answer: answer => Value::Null];
}

pub(super) fn answer(go: &Simulator, path: &[&str], request: &Request<'_>) -> Result {
    match path {
        [] => {
            request.is_bare("GET, HEAD, DELETE")?;
            if request.head.method != Method::DELETE {
                return Ok(reply(&list(go)));
            }
            for (_, place) in PLACES {
                switch_off(go, place);
            }
        }
        [place] => {
            request.is_bare("DELETE")?;
            switch_off(go, named(place)?);
        }
        [place, fault] => {
            request.is("PUT")?;
            switch_on(go, named(place)?, fault, request.json()?)?;
        }
        _ => return Err(super::unknown_path()),
    }
    Ok(reply(&json!({ "on": active(go) })))
}

fn list(go: &Simulator) -> Value {
    json!({
        "on": active(go),
        "places": PLACES.map(|(name, _)| name),
        "faults": all().map(|fault| {
            let (name, about, settings) = described(&fault);
            let takes: Vec<_> = settings.into_iter().map(|(name, _)| name).collect();
            json!({ "name": name, "about": about, "takes": takes })
        }),
        "refusals": GatewayFailure::ALL.map(|failure| {
            let (status, message) = failure.documented();
            json!({ "name": failure.name(), "about": format!("{status} {message}") })
        }),
    })
}

fn named(name: &str) -> Result<Option<Endpoint>> {
    let place = PLACES.into_iter().find(|(known, _)| *known == name);
    place.map(|(_, place)| place).ok_or_else(|| {
        Rejection::unknown("unknown place: there are keys, discovery, token and gateway")
    })
}

fn switch_off(go: &Simulator, place: Option<Endpoint>) {
    match place {
        Some(endpoint) => {
            go.heal_at(endpoint);
            if endpoint == Endpoint::Token {
                go.refuse_tokens(None);
            }
        }
        None => go.refuse_pushes(None),
    }
}

fn switch_on(
    go: &Simulator,
    place: Option<Endpoint>,
    name: &str,
    mut given: Settings,
) -> Result<()> {
    given.check()?;
    let refusal = GatewayFailure::ALL
        .into_iter()
        .find(|failure| failure.name() == name);
    if refusal.is_some() {
        given.is_used_up()?;
        match place {
            None => go.refuse_pushes(refusal),
            Some(Endpoint::Token) => go.refuse_tokens(refusal),
            Some(_) => return Err(Rejection::bad("only token and gateway have this failure")),
        }
        return Ok(());
    }
    let Some(endpoint) = place else {
        let why = "the gateway has no faults, only the `refusals` of GET /simulator/faults";
        return Err(Rejection::bad(why));
    };
    let fault = all().into_iter().find(|fault| described(fault).0 == name);
    let mut fault = fault.ok_or_else(|| {
        Rejection::unknown("unknown fault name: GET /simulator/faults lists them")
    })?;
    let times = given.times.take();
    set(&mut fault, &mut given);
    given.is_used_up()?;
    if go.faults().len() >= MAX_FAULTS {
        let why = "100 faults are on: switch some off";
        return Err(Rejection::new(StatusCode::CONFLICT, why));
    }
    match times {
        None => go.fail_at(endpoint, fault),
        Some(times) => go.fail_next_at(endpoint, times, fault),
    }
    Ok(())
}

/// The active faults, in the order in which they take effect at one place.
pub(super) fn active(go: &Simulator) -> Vec<Value> {
    let faults = go.faults().into_iter().map(|on| {
        let (name, _, settings) = described(&on.fault);
        let settings = settings.into_iter().filter(|(_, value)| !value.is_null());
        let mut entry: Value = settings.collect();
        let is_at = |place: &Option<Endpoint>| place.is_some_and(|place| on.at.contains(&place));
        let at = PLACES.into_iter().filter(|(_, place)| is_at(place));
        entry["fault"] = json!(name);
        entry["at"] = at.map(|(name, _)| name).collect();
        if let Some(left) = on.left {
            entry["left"] = json!(left);
        }
        entry
    });
    let gateway = &go.state().gateway;
    let refusals = [
        ("token", gateway.refuse_tokens),
        ("gateway", gateway.refuse_pushes),
    ];
    let refusals = refusals
        .into_iter()
        .filter_map(|(place, failure)| Some(json!({ "fault": failure?.name(), "at": [place] })));
    faults.chain(refusals).collect()
}
