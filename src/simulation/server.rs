//! The key address: how it answers, and what is in front of it.

use std::time::Duration;

use http::StatusCode;
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH, LOCATION, RETRY_AFTER};
use reqwest::{Request, Response};

use super::gateway;
use super::go::{self, Document};
use super::seen::FETCH_TIMEOUT;
use super::world::{Shared, World, lock};
use super::year::Event;

pub(super) const HOST: &str = "http://127.0.0.1:9";
pub(super) const KEYS: &str = "/keys";
pub(super) const DISCOVERY: &str = "/openid-configuration";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Well,
    /// Each answer takes so long.
    Slow(Duration),
    Down,
    Hanging,
    /// And asks to wait so many seconds.
    Status(u16, Option<u64>),
    NotJson,
    EmptySet,
    Redirect,
}

impl State {
    pub(super) fn answers(self) -> bool {
        match self {
            Self::Well => true,
            Self::Slow(takes) => takes * 2 < FETCH_TIMEOUT,
            _ => false,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) enum Front {
    /// An `ETag` that changes with the document, or none.
    Direct { has_etag: bool },
    /// An `ETag` that never changes.
    Frozen,
    /// A cache that keeps an answer for so long.
    Cache {
        keeps: Duration,
        stored: Option<(Duration, Document)>,
    },
}

pub(super) struct Server {
    pub(super) state: State,
    pub(super) front: Front,
    pub(super) max_age: Option<u64>,
    /// The key address is that of a discovery document.
    pub(super) discovery: bool,
    /// Since when it answers, as elapsed time; and since when promptly.
    pub(super) answers: Option<Duration>,
    pub(super) is_well: Option<Duration>,
    /// When what is in front of it, or its `max-age`, last changed.
    pub(super) changed: Duration,
}

impl Server {
    pub(super) fn new(discovery: bool) -> Self {
        Self {
            state: State::Well,
            front: Front::Direct { has_etag: true },
            max_age: None,
            discovery,
            answers: Some(Duration::ZERO),
            is_well: Some(Duration::ZERO),
            changed: Duration::ZERO,
        }
    }

    pub(super) fn becomes(&mut self, state: State, now: Duration) {
        self.state = state;
        let keep = |since: Option<Duration>, holds: bool| holds.then(|| since.unwrap_or(now));
        self.answers = keep(self.answers, state.answers());
        self.is_well = keep(self.is_well, state == State::Well);
    }

    pub(super) fn address(&self) -> String {
        format!("{HOST}{}", if self.discovery { DISCOVERY } else { KEYS })
    }
}

/// What goes over the wire.
enum Answer {
    Nothing,
    Something(http::response::Builder, String),
}

/// A request of one process; dropped unanswered if that gives up.
struct Asked {
    world: Shared,
    process: u64,
    is_answered: bool,
}

impl Drop for Asked {
    fn drop(&mut self) {
        let mut world = lock(&self.world);
        if !self.is_answered && world.process == self.process {
            let now = world.time.now();
            world.reseed();
            world.note(|| "the fetch is given up".to_owned());
            world.seen.bad(Duration::ZERO, now);
        }
    }
}

pub(super) async fn answer(world: Shared, request: Request) -> reqwest::Result<Response> {
    if request.url().path() == gateway::PATH {
        return gateway::answer(world, request).await;
    }
    let header = |name| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let is_fresh = header(CACHE_CONTROL) == Some("no-cache");
    let (process, takes, early) = lock(&world).asked(request.url().path(), is_fresh);
    let mut asked = Asked {
        world,
        process,
        is_answered: false,
    };
    match takes {
        Some(takes) => tokio::time::sleep(takes).await,
        None => std::future::pending().await,
    }
    asked.is_answered = true;
    let mut world = lock(&asked.world);
    world.reseed();
    let answer = if request.url().path() == DISCOVERY {
        world.discovered()
    } else {
        world.answered(is_fresh, header(IF_NONE_MATCH), early)
    };
    drop(world);
    drop(asked);
    sent(answer)
}

fn sent(answer: Answer) -> reqwest::Result<Response> {
    match answer {
        // reqwest's errors can't be made: any that it gives will do.
        Answer::Nothing => Err(reqwest::Proxy::all("http://[").expect_err("no address")),
        Answer::Something(head, body) => Ok(head.body(body).expect("a response").into()),
    }
}

/// An answer for a test to give.
pub(super) fn response(
    status: u16,
    retry_after: Option<u64>,
    body: String,
) -> reqwest::Result<Response> {
    let mut head = http::Response::builder().status(status);
    if let Some(seconds) = retry_after {
        head = head.header(RETRY_AFTER, seconds);
    }
    sent(Answer::Something(head, body))
}

pub(super) fn unreachable() -> reqwest::Result<Response> {
    sent(Answer::Nothing)
}

impl World {
    /// The jitter of the crate goes by the seed, whatever its token cache has drawn before:
    /// requests that wait for one fetch are woken in any order.
    pub(super) fn reseed(&mut self) {
        fastrand::seed(self.rng.u64(..));
    }

    /// How long the answer takes, and what it says if it was settled at once.
    fn asked(&mut self, path: &str, is_fresh: bool) -> (u64, Option<Duration>, Option<Document>) {
        let now = self.time.now();
        let is_first = (path == DISCOVERY) == self.server.discovery;
        if is_first {
            self.note(|| {
                format!(
                    "a fetch, {}",
                    if is_fresh { "fresh" } else { "conditional" }
                )
            });
            *self.tally.entry("fetches").or_default() += 1;
            let stepped = self.stepped.as_secs();
            let begun = self.seen.begins(is_fresh, stepped, now);
            self.must(begun);
            // An operator, of all moments, now.
            if self.rng.u8(0..60) == 0 {
                let after = Duration::from_millis(self.rng.u64(1..100));
                self.later(after, Event::Refresh);
            }
        }
        self.reseed();
        let takes = match self.server.state {
            State::Hanging => None,
            State::Slow(takes) => Some(takes),
            _ => Some(Duration::from_millis(self.rng.u64(1..140))),
        };
        let early = self.rng.bool().then(|| self.go.document());
        (self.process, takes, early)
    }

    fn discovered(&mut self) -> Answer {
        match self.fault() {
            Some(fault) => fault,
            None => Answer::Something(
                http::Response::builder(),
                format!(r#"{{"issuer":"{}","jwks_uri":"{HOST}{KEYS}"}}"#, go::ISSUER),
            ),
        }
    }

    /// The answer where the server has no keys to give.
    fn fault(&mut self) -> Option<Answer> {
        let now = self.time.now();
        let head = http::Response::builder();
        let mut asked_to_wait = None;
        let fault = match self.server.state {
            State::Well | State::Slow(_) | State::Hanging => return None,
            State::Down => Answer::Nothing,
            State::Status(status, retry_after) => {
                let mut head = head.status(status);
                if let Some(seconds) = retry_after {
                    head = head.header(RETRY_AFTER, seconds);
                    asked_to_wait = matches!(status, 429 | 503).then_some(seconds);
                }
                Answer::Something(head, "busy".to_owned())
            }
            State::NotJson => Answer::Something(head, "<html>".to_owned()),
            State::EmptySet => Answer::Something(head, r#"{"keys":[]}"#.to_owned()),
            State::Redirect => Answer::Something(
                head.status(StatusCode::FOUND)
                    .header(LOCATION, "http://127.0.0.1:8/keys"),
                String::new(),
            ),
        };
        self.note(|| "the fetch fails".to_owned());
        let asked_to_wait = Duration::from_secs(asked_to_wait.unwrap_or_default());
        self.seen.bad(asked_to_wait, now);
        Some(fault)
    }

    fn answered(&mut self, is_fresh: bool, known: Option<&str>, early: Option<Document>) -> Answer {
        let now = self.time.now();
        let from_cache = match &self.server.front {
            Front::Cache {
                keeps,
                stored: Some((at, document)),
            } if !is_fresh && now.elapsed - *at <= *keeps => Some(document.clone()),
            _ => None,
        };
        let document = match from_cache {
            Some(document) => document,
            None => {
                if let Some(fault) = self.fault() {
                    return fault;
                }
                early.unwrap_or_else(|| self.go.document())
            }
        };
        let tag = match &mut self.server.front {
            Front::Direct { has_etag } => {
                let names = document
                    .iter()
                    .map(|(kid, material)| format!("{kid}.{material}"));
                has_etag.then(|| format!("\"{}\"", names.collect::<String>()))
            }
            Front::Frozen => Some("\"frozen\"".to_owned()),
            Front::Cache { stored, .. } => {
                if stored.as_ref().is_none_or(|(_, held)| *held != document) || is_fresh {
                    *stored = Some((now.elapsed, document.clone()));
                }
                None
            }
        };
        let mut head = http::Response::builder();
        let max_age = self.server.max_age;
        if let Some(seconds) = max_age {
            head = head.header(CACHE_CONTROL, format!("max-age={seconds}"));
        }
        if let Some(tag) = &tag {
            head = head.header(ETAG, tag);
        }
        if tag.is_some() && tag.as_deref() == known {
            self.seen.good(None, max_age, now);
            if let Some(held) = &self.seen.held {
                self.go.served(&held.document, now);
            }
            *self.tally.entry("confirmed by 304").or_default() += 1;
            return Answer::Something(head.status(StatusCode::NOT_MODIFIED), String::new());
        }
        self.note(|| format!("the answer has {document:?}"));
        self.seen.good(Some(document.clone()), max_age, now);
        self.go.served(&document, now);
        let text = go::text(&document);
        self.documents.insert(text.clone(), document);
        Answer::Something(head, text)
    }
}
