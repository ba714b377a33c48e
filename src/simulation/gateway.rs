//! GO's token endpoint for pushes, and a supplier's client pairs.

use std::time::Duration;

use fastrand::Rng;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use reqwest::{Request, Response};

use super::seen::{FETCH_TIMEOUT, TICK};
use super::server::{self, HOST, State};
use super::time::At;
use super::world::{Shared, World, lock};
use crate::clock::UnixTime;
use crate::outbound::{ClientPair, Gateway};

pub(super) const PATH: &str = "/token";
const API: &str = "http://127.0.0.1:9/push";
const SECRET: &str = "p;fdHalvm27A)2UAa3J8n7NLn5roVP1";
const WEEK: Duration = Duration::from_secs(7 * 86_400);
/// How long a pair that was refused is not sent again.
const REFUSED: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
struct Pair {
    id: String,
    issued: UnixTime,
    /// When GO accepts it.
    from: UnixTime,
    until: UnixTime,
    /// When GO last refused it, as elapsed time, and by which change of pairs.
    refused: Option<(Duration, u64)>,
}

pub(super) struct Endpoint {
    pub(super) state: State,
    well: Option<Duration>,
    pairs: Vec<Pair>,
    /// What the supplier has: the pair in use, and the one that follows.
    current: usize,
    next: Option<usize>,
    /// How often the supplier has changed its pairs.
    changes: u64,
    tokens: Vec<Issued>,
    /// How many gateways there were: one after the other.
    gateways: u64,
    is_fetching: bool,
    /// The end of the last fetch that failed, and how long it asked to wait.
    failed: Option<(Duration, Duration)>,
}

struct Issued {
    at: At,
    life: Duration,
    is_revoked: bool,
}

impl Endpoint {
    pub(super) fn new(now: At) -> Self {
        let mut endpoint = Self {
            state: State::Well,
            well: Some(Duration::ZERO),
            pairs: Vec::new(),
            current: 0,
            next: None,
            changes: 0,
            tokens: Vec::new(),
            gateways: 0,
            is_fetching: false,
            failed: None,
        };
        endpoint.pair(now.true_time, now.true_time);
        endpoint
    }

    fn pair(&mut self, issued: UnixTime, from: UnixTime) -> usize {
        let id = format!("c{}", self.pairs.len());
        let until = issued.saturating_add(Duration::from_secs(180 * 86_400));
        self.pairs.push(Pair {
            id,
            issued,
            from,
            until,
            refused: None,
        });
        self.pairs.len() - 1
    }

    fn client_pair(&self, pair: usize) -> ClientPair {
        let Pair { id, issued, .. } = &self.pairs[pair];
        ClientPair::new(id.clone(), SECRET).issued_at(*issued)
    }

    pub(super) fn gateway(&mut self, time: &super::time::Time) -> Gateway {
        self.gateways += 1;
        self.is_fetching = false;
        self.failed = None;
        self.changes += 1;
        let mut builder = Gateway::builder()
            .token_url(format!("{HOST}{PATH}"))
            .api(API)
            .credentials(self.client_pair(self.current))
            .fetch_timeout(FETCH_TIMEOUT)
            .clock(time.clone());
        if let Some(next) = self.next {
            builder = builder.next_credentials(self.client_pair(next));
        }
        builder.build().expect("good settings")
    }

    pub(super) fn becomes(&mut self, state: State, now: Duration) {
        self.state = state;
        self.well = (state == State::Well).then(|| self.well.unwrap_or(now));
    }

    /// GO issues another pair, and the supplier gets it: after a rotation the old one works
    /// for 7 more days, after a revocation no more; and the new one works at once, soon or
    /// never.
    pub(super) fn rotates(&mut self, gateway: &Gateway, now: At, rng: &mut Rng) -> String {
        let is_revoked = rng.u8(0..3) == 0;
        let near_its_end = 7 * 86_400 - rng.u64(1..7200);
        let ago = rng.choice([0, 0, near_its_end]).expect("one");
        let issued = now.true_time.saturating_sub(Duration::from_secs(ago));
        let soon = rng.u64(0..7200);
        let after = rng.choice([0, 0, soon, u64::MAX >> 8]).expect("one");
        let from = now.true_time.saturating_add(Duration::from_secs(after));
        let from = if is_revoked { issued } else { from };
        let new = self.pair(issued, from);
        for pair in &mut self.pairs[..new] {
            let until = if is_revoked {
                now.true_time
            } else {
                issued.saturating_add(WEEK)
            };
            pair.until = pair.until.min(until);
        }
        let pair = self.client_pair(new);
        let replaces = is_revoked && rng.bool();
        self.changes += 1;
        // Another pair's failure is no reason to wait with this one.
        self.failed = None;
        let changed = if replaces {
            (self.current, self.next) = (new, None);
            gateway.replace(pair)
        } else {
            self.next = Some(new);
            gateway.rotate_to(pair)
        };
        changed.expect("a pair that can be sent");
        format!(
            "client pair c{new}: revoked {is_revoked}, replaced {replaces}, works after {after} s"
        )
    }

    pub(super) fn revokes_tokens(&mut self) {
        for token in &mut self.tokens {
            token.is_revoked = true;
        }
    }

    fn works(&self, pair: usize, now: At) -> bool {
        let pair = &self.pairs[pair];
        (pair.from..pair.until).contains(&now.true_time)
    }

    /// A request reaches the endpoint.
    fn begins(&mut self, id: &str, now: At) -> Result<usize, String> {
        if std::mem::replace(&mut self.is_fetching, true) {
            return Err("two requests for a token at once".to_owned());
        }
        let pair = (self.pairs.iter().position(|pair| pair.id == id)).expect("one of GO's");
        if let Some(next) = self.next
            && now.wall
                >= self.pairs[next]
                    .issued
                    .saturating_add(WEEK + Duration::from_secs(20))
        {
            if pair == self.current {
                return Err(format!(
                    "{id} is sent more than 7 days after its successor was issued"
                ));
            }
            // For good, whatever becomes of the clock.
            (self.current, self.next) = (next, None);
        }
        if pair != self.current && Some(pair) != self.next {
            return Err(format!("{id} is sent, which was replaced"));
        }
        if let Some((at, changes)) = self.pairs[pair].refused
            && changes == self.changes
            && now.elapsed + TICK < at + REFUSED
        {
            return Err(format!(
                "{id} is sent again {:?} after it was refused",
                now.elapsed - at
            ));
        }
        if let Some((ended, asked_to_wait)) = self.failed
            && now.elapsed + TICK < ended + asked_to_wait
        {
            return Err(format!("the endpoint asked to wait for {asked_to_wait:?}"));
        }
        Ok(pair)
    }
}

struct Asked {
    world: Shared,
    gateway: u64,
    changes: u64,
    is_answered: bool,
}

impl Drop for Asked {
    fn drop(&mut self) {
        let mut world = lock(&self.world);
        if world.endpoint.gateways == self.gateway {
            let now = world.time.now();
            world.endpoint.is_fetching = false;
            if !self.is_answered && world.endpoint.changes == self.changes {
                world.endpoint.failed = Some((now.elapsed, Duration::ZERO));
            }
        }
    }
}

pub(super) async fn answer(world: Shared, request: Request) -> reqwest::Result<Response> {
    let id = request.headers()["client-id"]
        .to_str()
        .expect("an ID")
        .to_owned();
    let (takes, pair, mut asked) = {
        let mut guard = lock(&world);
        let now = guard.time.now();
        let begun = guard.endpoint.begins(&id, now);
        let pair = begun.clone().unwrap_or_default();
        guard.count("requests for a token");
        guard.must(begun.map(drop));
        let takes = match guard.endpoint.state {
            State::Hanging => None,
            State::Slow(takes) => Some(takes),
            _ => Some(Duration::from_millis(guard.rng.u64(1..140))),
        };
        let asked = Asked {
            gateway: guard.endpoint.gateways,
            changes: guard.endpoint.changes,
            is_answered: false,
            world: std::sync::Arc::clone(&world),
        };
        (takes, pair, asked)
    };
    match takes {
        Some(takes) => tokio::time::sleep(takes).await,
        None => std::future::pending().await,
    }
    asked.is_answered = true;
    lock(&world).gives(pair, asked.changes)
}

impl World {
    fn gives(&mut self, number: usize, changes: u64) -> reqwest::Result<Response> {
        let now = self.time.now();
        self.reseed();
        let endpoint = &mut self.endpoint;
        let is_current = changes == endpoint.changes;
        let mut fails = |wait| {
            if is_current {
                endpoint.failed = Some((
                    now.elapsed,
                    Duration::from_secs(wait).min(Duration::from_secs(60)),
                ));
            }
        };
        match endpoint.state {
            State::Well | State::Slow(_) | State::Hanging => {}
            State::Down => {
                fails(0);
                return server::unreachable();
            }
            State::Status(status, retry_after) => {
                fails(
                    retry_after
                        .filter(|_| matches!(status, 429 | 503))
                        .unwrap_or_default(),
                );
                return server::response(status, retry_after, "busy".to_owned());
            }
            _ => {
                fails(0);
                return server::response(200, None, "{}".to_owned());
            }
        }
        if !endpoint.works(number, now) {
            endpoint.pairs[number].refused = Some((now.elapsed, changes));
            let id = endpoint.pairs[number].id.clone();
            self.note(|| format!("{id} is refused"));
            self.count("client pairs refused");
            let body =
                r#"{"message":"The consumer_name is forbidden","source":"Derbysoft DGateway2"}"#;
            return server::response(403, None, body.to_owned());
        }
        if is_current && endpoint.next == Some(number) {
            (endpoint.current, endpoint.next) = (number, None);
        }
        if is_current {
            endpoint.failed = None;
            // The next request for a token is another matter.
            for pair in &mut endpoint.pairs {
                pair.refused = None;
            }
        }
        let life = self.rng.u64(60..7200);
        let endpoint = &mut self.endpoint;
        endpoint.tokens.push(Issued {
            at: now,
            life: Duration::from_secs(life),
            is_revoked: false,
        });
        let token = endpoint.tokens.len() - 1;
        let body =
            format!(r#"{{"access_token":"t{token}","token_type":"Bearer","expires_in":{life}}}"#);
        server::response(200, None, body)
    }

    /// The supplier has a token, or none; and whether GO's API accepts it.
    fn sends(&mut self, headers: Option<&HeaderMap>, began: At, changes: u64) -> bool {
        let now = self.time.now();
        self.count(if headers.is_some() {
            "calls"
        } else {
            "calls without a token"
        });
        if now.elapsed - began.elapsed > FETCH_TIMEOUT * 4 + TICK {
            self.must(Err("a call waits for ever".to_owned()));
        }
        let endpoint = &self.endpoint;
        let Some(headers) = headers else {
            let settled = endpoint
                .well
                .is_some_and(|well| well.max(self.began) + Duration::from_secs(65) < began.elapsed);
            let was_refused = endpoint.pairs.iter().any(|pair| {
                pair.refused
                    .is_some_and(|(at, _)| at + REFUSED * 2 > began.elapsed)
            });
            let works = endpoint.works(endpoint.current, now)
                || endpoint.next.is_some_and(|next| endpoint.works(next, now));
            if settled && works && !was_refused && changes == endpoint.changes {
                self.must(Err(
                    "a call gets no token from an endpoint that is well".to_owned()
                ));
            }
            return true;
        };
        let token = headers[AUTHORIZATION].to_str().expect("a token");
        let number: usize = (token.strip_prefix("Bearer t"))
            .expect("the form")
            .parse()
            .expect("a number");
        let Issued {
            at,
            life,
            is_revoked,
        } = endpoint.tokens[number];
        let age = now.true_time.saturating_since(at.true_time);
        if age > life && self.stepped < at.true_time {
            self.must(Err(format!("a token of {life:?} is sent after {age:?}")));
        }
        age <= life && !is_revoked
    }
}

/// One call of the supplier's to GO's API, repeated once where that answers 401.
pub(super) async fn call(world: Shared, gateway: Gateway) {
    let uri = http::Uri::from_static("http://127.0.0.1:9/push/ari");
    let mut headers = HeaderMap::new();
    let (began, changes) = {
        let world = lock(&world);
        (world.time.now(), world.endpoint.changes)
    };
    let authorized = gateway.authorize(&uri, &mut headers).await;
    let given = authorized.is_ok().then_some(&headers);
    let is_accepted = lock(&world).sends(given, began, changes);
    if is_accepted {
        return;
    }
    let Ok(authorized) = authorized else { return };
    let refused = headers[AUTHORIZATION].clone();
    if let Ok(true) = authorized.renew(&mut headers).await {
        let mut world = lock(&world);
        world.count("tokens renewed");
        if headers[AUTHORIZATION] == refused {
            world.must(Err("a refused token is sent again".to_owned()));
        }
    }
}
