//! Where an issuer's keys are: an address that answers, and what is in front of it; or a
//! [file](super::file).

use std::path::PathBuf;
use std::time::Duration;

use http::StatusCode;
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH, LOCATION, RETRY_AFTER};
use reqwest::{Request, Response};

use super::gateway;
use super::go::{self, Document, Go};
use super::seen::{FETCH_TIMEOUT, MOST_WELL};
use super::world::{Shared, World, lock};
use super::year::Event;

pub(super) const HOST: &str = "http://127.0.0.1:9";
const KEYS: &str = "/keys";
const DISCOVERY: &str = "/openid-configuration";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Well,
    /// Each answer takes so long.
    Slow(Duration),
    /// Nobody answers; there is no file.
    Down,
    Hanging,
    /// And asks to wait so many seconds.
    Status(u16, Option<u64>),
    NotJson,
    EmptySet,
    /// The first half of the document.
    Half,
    /// Elsewhere: an answer that redirects there, a discovery document in the file.
    Elsewhere,
    /// Everybody may write the file.
    Writable,
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

#[derive(Debug)]
pub(super) enum Place {
    /// Its path, which may be that of a discovery document.
    Address(String),
    File(PathBuf),
}

pub(super) struct Source {
    pub(super) place: Place,
    pub(super) state: State,
    pub(super) front: Front,
    pub(super) max_age: Option<u64>,
    /// When it came into its state, as elapsed time.
    pub(super) became: Duration,
    /// Since when it answers, as elapsed time; and since when promptly.
    pub(super) answers: Option<Duration>,
    pub(super) is_well: Option<Duration>,
    /// When what is in front of it, or its `max-age`, last changed.
    pub(super) changed: Duration,
}

impl Source {
    pub(super) fn new(place: Place) -> Self {
        Self {
            place,
            state: State::Well,
            front: Front::Direct { has_etag: true },
            max_age: None,
            became: Duration::ZERO,
            answers: Some(Duration::ZERO),
            is_well: Some(Duration::ZERO),
            changed: Duration::ZERO,
        }
    }

    pub(super) fn becomes(&mut self, state: State, disk: Duration, now: Duration) {
        (self.state, self.became) = (state, now);
        let keep = |since: Option<Duration>, holds: bool| holds.then(|| since.unwrap_or(now));
        self.answers = keep(self.answers, state.answers());
        let is_prompt = !self.is_file() || disk <= MOST_WELL;
        self.is_well = keep(self.is_well, state == State::Well && is_prompt);
    }

    pub(super) fn is_file(&self) -> bool {
        matches!(self.place, Place::File(_))
    }

    pub(super) fn starts_at(&self, path: &str) -> bool {
        matches!(&self.place, Place::Address(first) if first == path)
    }
}

/// The address of this issuer's keys, or of its discovery document.
pub(super) fn path(issuer: usize, discovery: bool) -> String {
    format!("/{issuer}{}", if discovery { DISCOVERY } else { KEYS })
}

/// What goes over the wire.
enum Answer {
    Nothing,
    Something(http::response::Builder, String),
}

/// A request of one process; dropped unanswered if that gives up.
pub(super) struct Asked {
    pub(super) world: Shared,
    pub(super) issuer: usize,
    pub(super) process: u64,
    pub(super) is_answered: bool,
}

impl Drop for Asked {
    fn drop(&mut self) {
        let mut world = lock(&self.world);
        if !self.is_answered && world.process == self.process {
            let now = world.time.now();
            world.reseed();
            world.note_of(self.issuer, || "the fetch is given up".to_owned());
            world.issuers[self.issuer].seen.bad(Duration::ZERO, now);
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
    let path = request.url().path();
    let issuer = path
        .split('/')
        .nth(1)
        .and_then(|number| number.parse().ok());
    let issuer = issuer.expect("an issuer's address");
    let (process, takes, early) = lock(&world).asked(issuer, path, is_fresh);
    let mut asked = Asked {
        world,
        issuer,
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
    let answer = if path.ends_with(DISCOVERY) {
        world.discovered(issuer)
    } else {
        world.answered(issuer, is_fresh, header(IF_NONE_MATCH), early)
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
    fn asked(
        &mut self,
        issuer: usize,
        path: &str,
        is_fresh: bool,
    ) -> (u64, Option<Duration>, Option<Document>) {
        if self.issuers[issuer].source.starts_at(path) {
            let how = if is_fresh { "fresh" } else { "conditional" };
            self.note_of(issuer, || format!("a fetch, {how}"));
            self.count("fetches");
            self.begins(issuer, is_fresh);
            // An operator, of all moments, now.
            if self.rng.u8(0..60) == 0 {
                let after = Duration::from_millis(self.rng.u64(1..100));
                self.later(after, Event::Refresh);
            }
        }
        self.reseed();
        let takes = match self.issuers[issuer].source.state {
            State::Hanging => None,
            State::Slow(takes) => Some(takes),
            _ => Some(Duration::from_millis(self.rng.u64(1..140))),
        };
        let early = self.rng.bool().then(|| self.issuers[issuer].go.document());
        (self.process, takes, early)
    }

    /// A request reaches the key address, or the file is about to be read.
    pub(super) fn begins(&mut self, issuer: usize, is_fresh: bool) {
        let (now, stepped) = (self.time.now(), self.stepped.as_secs());
        let begun = self.issuers[issuer].seen.begins(is_fresh, stepped, now);
        self.must_of(issuer, begun);
    }

    fn discovered(&mut self, issuer: usize) -> Answer {
        if let Some(fault) = self.fault(issuer) {
            return fault;
        }
        let (name, keys) = (self.issuers[issuer].go.issuer(), path(issuer, false));
        let document = format!(r#"{{"issuer":"{name}","jwks_uri":"{HOST}{keys}"}}"#);
        Answer::Something(http::Response::builder(), document)
    }

    /// The answer where the server has no keys to give.
    fn fault(&mut self, issuer: usize) -> Option<Answer> {
        let now = self.time.now();
        let head = http::Response::builder();
        let mut asked_to_wait = None;
        let fault = match self.issuers[issuer].source.state {
            State::Well | State::Slow(_) | State::Hanging | State::Writable => return None,
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
            State::Half => Answer::Something(head, half(&self.issuers[issuer].go)),
            State::Elsewhere => Answer::Something(
                head.status(StatusCode::FOUND)
                    .header(LOCATION, "http://127.0.0.1:8/keys"),
                String::new(),
            ),
        };
        self.note_of(issuer, || "the fetch fails".to_owned());
        let asked_to_wait = Duration::from_secs(asked_to_wait.unwrap_or_default());
        self.issuers[issuer].seen.bad(asked_to_wait, now);
        Some(fault)
    }

    fn answered(
        &mut self,
        issuer: usize,
        is_fresh: bool,
        known: Option<&str>,
        early: Option<Document>,
    ) -> Answer {
        let now = self.time.now();
        let from_cache = match &self.issuers[issuer].source.front {
            Front::Cache {
                keeps,
                stored: Some((at, document)),
            } if !is_fresh && now.elapsed - *at <= *keeps => Some(document.clone()),
            _ => None,
        };
        let document = if let Some(document) = from_cache {
            document
        } else if let Some(fault) = self.fault(issuer) {
            return fault;
        } else {
            early.unwrap_or_else(|| self.issuers[issuer].go.document())
        };
        let source = &mut self.issuers[issuer].source;
        let tag = match &mut source.front {
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
        let max_age = source.max_age;
        if let Some(seconds) = max_age {
            head = head.header(CACHE_CONTROL, format!("max-age={seconds}"));
        }
        if let Some(tag) = &tag {
            head = head.header(ETAG, tag);
        }
        if tag.is_some() && tag.as_deref() == known {
            self.issuers[issuer].gives(None, max_age, now);
            self.count("confirmed by 304");
            return Answer::Something(head.status(StatusCode::NOT_MODIFIED), String::new());
        }
        self.note_of(issuer, || format!("the answer has {document:?}"));
        self.issuers[issuer].gives(Some(document.clone()), max_age, now);
        let text = go::text(&document);
        self.documents.insert(text.clone(), document);
        Answer::Something(head, text)
    }
}

/// What is there of a document that is still being written.
pub(super) fn half(go: &Go) -> String {
    let mut text = go::text(&go.document());
    text.truncate(text.len() / 2);
    text
}
