//! Switching faults on and off.

use std::time::Duration;

use http::{HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Rejection, Reply, Request, Result};
use crate::fault::{Endpoint, Fault, is_final_status};
use crate::simulator::Simulator;
use crate::state::gateway::GatewayFailure;

/// The most requests that one fault applies to: more than any scenario needs.
const MAX_TIMES: usize = 1_000;

/// The most active faults; nobody can follow more than a handful.
const MAX_FAULTS: usize = 100;

/// The longest document: longer than `go-auth` can be configured to read, 16 MiB.
const MAX_BYTES: usize = 20 * 1024 * 1024;

/// The longest wait, in milliseconds: an hour, longer than anybody waits.
const MAX_MS: u64 = 60 * 60 * 1_000;

/// The settings of a fault.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// For how many requests; without it, until the fault is switched off.
    times: Option<usize>,
    status: Option<u16>,
    location: Option<String>,
    bytes: Option<usize>,
    every_ms: Option<u64>,
    after_ms: Option<u64>,
    answer: Option<String>,
}

/// Makes three functions of one table. A row is a fault's name, its description, its
/// pattern, the fault with default settings, and its settings by their names in JSON.
macro_rules! faults {
    ($($name:literal, $about:literal, $fault:pat = $plain:expr, [$($setting:ident: $slot:ident),*];)*) => {
        /// All faults, with default settings.
        fn all() -> [Fault; [$($name),*].len()] {
            [$($plain),*]
        }

        /// A fault's name, description and settings.
        fn described(fault: &Fault) -> (&'static str, &'static str, Vec<(&'static str, Value)>) {
            match fault {
                $($fault => ($name, $about, vec![$((stringify!($setting), $slot.listed())),*]),)*
            }
        }

        /// Takes those of the given settings that the fault has.
        fn set(fault: &mut Fault, given: &mut Settings) -> Result<()> {
            match fault {
                $($fault => {
                    $(if let Some(given) = given.$setting.take() {
                        *$slot = Setting::checked(given, stringify!($setting))?;
                    })*
                })*
            }
            Ok(())
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
        }, [location: location, status: status];
    "status", "this status, 500 otherwise, with the good document",
        Fault::Status(status) = Fault::Status(500), [status: status];
    "hang", "no answer", Fault::Hang = Fault::Hang, [];
    "hang-body", "half of the answer, then nothing more", Fault::HangBody = Fault::HangBody, [];
    "drip", "the answer in pieces, a byte every 100 ms otherwise",
        Fault::Drip { bytes, every } = Fault::Drip {
            bytes: 1,
            every: Duration::from_millis(100),
        }, [bytes: bytes, every_ms: every];
    "delay", "the answer late, after 3 s otherwise",
        Fault::Delay(time) = Fault::Delay(Duration::from_secs(3)), [after_ms: time];
    "truncated", "the answer without its last byte", Fault::Truncated = Fault::Truncated, [];
    "cut", "the connection closed without an answer", Fault::Cut = Fault::Cut, [];
    "html", "a login page", Fault::Html = Fault::Html, [];
    "empty-set", "no keys", Fault::EmptySet = Fault::EmptySet, [];
    "wrong-keys", "the keys of a stranger", Fault::WrongKeys = Fault::WrongKeys, [];
    "not-json", "a document that is not JSON", Fault::NotJson = Fault::NotJson, [];
    "endless", "a document without end", Fault::Endless = Fault::Endless, [];
    "gzip-bomb", "64 KiB that unpack to 65 MiB", Fault::GzipBomb = Fault::GzipBomb, [];
    "oversized", "the document with spaces after it, 1 MiB otherwise",
        Fault::Oversized(bytes) = Fault::Oversized(1 << 20), [bytes: bytes];
    "raw", "these bytes in place of HTTP",
        Fault::Raw(answer) = Fault::Raw(Vec::new()), [answer: answer];
}

/// A setting of a fault, by its type there.
trait Setting: Serialize + Sized {
    type Given;

    fn listed(&self) -> Value {
        json!(self)
    }

    fn checked(given: Self::Given, name: &str) -> Result<Self>;
}

/// A status.
impl Setting for u16 {
    type Given = Self;

    fn checked(given: Self, name: &str) -> Result<Self> {
        check(is_final_status(given), given, || {
            format!("{name} must be from 200 to 999")
        })
    }
}

/// A number of bytes.
impl Setting for usize {
    type Given = Self;

    fn checked(given: Self, name: &str) -> Result<Self> {
        let is_good = (1..=MAX_BYTES).contains(&given);
        check(is_good, given, || {
            format!("{name} must be from 1 to {MAX_BYTES}")
        })
    }
}

/// A time, in milliseconds.
impl Setting for Duration {
    type Given = u64;

    fn listed(&self) -> Value {
        json!(u64::try_from(self.as_millis()).unwrap_or(u64::MAX))
    }

    fn checked(given: u64, name: &str) -> Result<Self> {
        let time = Self::from_millis(given);
        check(given <= MAX_MS, time, || {
            format!("{name} must be at most {MAX_MS}")
        })
    }
}

/// A `Location`.
impl Setting for String {
    type Given = Self;

    fn checked(given: Self, name: &str) -> Result<Self> {
        let is_good = HeaderValue::from_str(&given).is_ok();
        check(is_good, given, || {
            format!("{name} is not a valid header value")
        })
    }
}

/// Raw bytes; these are not listed.
impl Setting for Vec<u8> {
    type Given = String;

    fn listed(&self) -> Value {
        Value::Null
    }

    fn checked(given: String, _name: &str) -> Result<Self> {
        Ok(given.into_bytes())
    }
}

fn check<T>(is_good: bool, setting: T, why: impl FnOnce() -> String) -> Result<T> {
    if is_good {
        Ok(setting)
    } else {
        Err(Rejection::bad(why()))
    }
}

/// The gateway's documented failures: for its token endpoint, beside the faults, and for
/// pushes.
const REFUSALS: [(&str, GatewayFailure); 6] = [
    ("missing-token", GatewayFailure::MissingToken),
    ("invalid-token", GatewayFailure::InvalidToken),
    ("missing-user-key", GatewayFailure::MissingUserKey),
    ("invalid-user-key", GatewayFailure::InvalidUserKey),
    ("not-verified", GatewayFailure::NotVerified),
    ("forbidden-consumer", GatewayFailure::ForbiddenConsumer),
];

/// Where a fault can be switched on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Endpoint(Endpoint),
    /// The gateway's API, which can only reject.
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

pub(super) fn answer(go: &Simulator, path: &[&str], request: &Request<'_>) -> Result {
    match path {
        [] if request.head.method == Method::DELETE => {
            request.has_no_body()?;
            for place in Place::ALL {
                switch_off(go, place);
            }
        }
        [] => {
            request.is(&[Method::GET, Method::HEAD], "GET, HEAD, DELETE")?;
            request.has_no_body()?;
            return Ok(Reply::Json(list(go)));
        }
        [place] => {
            request.is(&[Method::DELETE], "DELETE")?;
            request.has_no_body()?;
            switch_off(go, named(place)?);
        }
        [place, fault] => {
            request.is(&[Method::PUT], "PUT")?;
            switch_on(go, named(place)?, fault, request.json()?)?;
        }
        _ => return Err(super::unknown_path()),
    }
    Ok(Reply::Json(json!({ "on": active(go) })))
}

fn list(go: &Simulator) -> Value {
    json!({
        "on": active(go),
        "places": Place::ALL.map(Place::name),
        "faults": all().map(|fault| {
            let (name, about, settings) = described(&fault);
            let takes: Vec<_> = settings.into_iter().map(|(name, _)| name).collect();
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
    found.ok_or_else(|| {
        Rejection::unknown("unknown place: there are keys, discovery, token and gateway")
    })
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

fn switch_on(go: &Simulator, place: Place, name: &str, mut settings: Settings) -> Result<()> {
    if let Some((_, failure)) = REFUSALS.iter().find(|(known, _)| *known == name) {
        settings.is_used_up()?;
        match place {
            Place::Gateway => go.refuse_pushes(Some(*failure)),
            Place::Endpoint(Endpoint::Token) => go.refuse_tokens(Some(*failure)),
            Place::Endpoint(_) => {
                return Err(Rejection::bad("only token and gateway have this failure"));
            }
        }
        return Ok(());
    }
    let Place::Endpoint(endpoint) = place else {
        let why = "the gateway has no faults, only the `refusals` of GET /simulator/faults";
        return Err(Rejection::bad(why));
    };
    let times = settings.times.take();
    let mut fault =
        (all().into_iter().find(|fault| described(fault).0 == name)).ok_or_else(|| {
            Rejection::unknown("unknown fault name: GET /simulator/faults lists them")
        })?;
    set(&mut fault, &mut settings)?;
    settings.is_used_up()?;
    if go.faults().len() >= MAX_FAULTS {
        let why = "100 faults are on: switch some off";
        return Err(Rejection::new(StatusCode::CONFLICT, why));
    }
    match times {
        None => go.fail_at(endpoint, fault),
        Some(times @ 1..=MAX_TIMES) => go.fail_next_at(endpoint, times, fault),
        Some(_) => return Err(Rejection::bad("times must be from 1 to 1000")),
    }
    Ok(())
}

impl Settings {
    /// Whether the fault had a use for every setting.
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
            Some((name, _)) => Err(Rejection::bad(format!("this fault has no setting {name}"))),
        }
    }
}

/// The active faults, in the order in which they take effect at one place.
pub(super) fn active(go: &Simulator) -> Vec<Value> {
    let faults = go.faults().into_iter().map(|on| {
        let (name, _, settings) = described(&on.fault);
        let settings = settings.into_iter().filter(|(_, value)| !value.is_null());
        let mut entry: Value = settings.collect();
        entry["fault"] = json!(name);
        let at = on.at.into_iter().map(|at| Place::Endpoint(at).name());
        entry["at"] = at.collect();
        if let Some(left) = on.left {
            entry["left"] = json!(left);
        }
        entry
    });
    let refused = {
        let gateway = &go.state().gateway;
        [
            (Place::Endpoint(Endpoint::Token), gateway.refuse_tokens),
            (Place::Gateway, gateway.refuse_pushes),
        ]
    };
    let refusals = refused.into_iter().filter_map(|(place, failure)| {
        let (name, _) = REFUSALS.iter().find(|(_, it)| Some(*it) == failure)?;
        Some(json!({ "fault": name, "at": [place.name()] }))
    });
    faults.chain(refusals).collect()
}
