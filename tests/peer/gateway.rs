//! A gateway that misbehaves: its token endpoint and the API behind it, and what of them must be
//! trusted with what.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use derbysoft_go_auth::Network;
use derbysoft_go_auth::clock::{Clock, ManualClock};
use derbysoft_go_auth::outbound::{
    BoxError, ClientPair, Gateway, GatewayError, GatewayService, HttpClient,
};
use http::Request;
use http_body_util::{BodyExt as _, Limited};
use serde_json::json;
use test_support::company::Company;
use test_support::log::Lines;
use test_support::{eventually, millis, secs, settle, soon};
use tokio::sync::watch;
use tower::{Layer as _, ServiceExt as _};
use tracing::subscriber::DefaultGuard;

use crate::answers::{Draft, LATE, Manner, WELL, Worth, manners};
use crate::certificates::{Openings, Protocol, Trust};
use crate::counts::Counts;
use crate::keys::{retry_after, shuffled, spread};
use crate::server::{Act, Acts, Opening, Peer, Plan, always};

/// How all client IDs begin, and all client secrets. Base64 of a whole one begins with that
/// of these.
const CLIENT_ID: &str = "596a9560dafb4f3c8a1de0cafe4";
const CLIENT_SECRET: &str = "p;fdHalvm27A)2UAa3J8n7NLn5r";
const FETCH_TIMEOUT: Duration = secs(5);
/// How long before its end a token is no longer sent, if another can be fetched.
const MARGIN: Duration = secs(120);
/// How old a token is that the API may have rejected for its age.
const YOUNG: Duration = secs(10);
const DAY: Duration = secs(86_400);
/// How long after a rotation the old client pair works.
const OVERLAP: Duration = secs(7 * 86_400);

/// Answers that are no token for us, though complete.
const USELESS: [&str; 7] = [
    "",
    "{}",
    "[1]",
    r#"{"access_token":"t0ken-1","token_type":"mac","expires_in":60}"#,
    r#"{"access_token":"t0ken-2","token_type":"Bearer"}"#,
    r#"{"access_token":"t0ken-3\r\nx: y","token_type":"Bearer","expires_in":60}"#,
    r#"{"access_token":"t0ken-4","access_token":"t0ken-5","token_type":"Bearer","expires_in":60}"#,
];

/// What the token endpoint answers with.
#[derive(Clone)]
enum Content {
    /// A token, and how long it is good.
    Token(String, Duration),
    Useless,
}

#[derive(Clone)]
struct Hop {
    name: &'static str,
    trust: Trust,
    opening: Opening,
    manner: Manner,
    draft: Draft,
    content: Content,
    retry_after: Option<u64>,
}

impl Hop {
    fn plan(&self) -> Plan {
        plan(
            &self.opening,
            &self.manner,
            self.manner.answers(&self.draft),
        )
    }

    fn worth(&self) -> Worth {
        match (self.trust, self.manner.worth) {
            (Trust::Stranger, _) => Worth::Nothing,
            // Unlike a key document.
            _ if self.manner.name == "a byte order mark" => Worth::Nothing,
            // Nobody asked for it.
            (_, Worth::Confirms) => Worth::Refuses(304),
            (_, worth) => worth,
        }
    }

    /// Whether it may give a token, or may not.
    fn may_be(&self, gives: bool) -> bool {
        let has_token = matches!(self.content, Content::Token(..));
        match self.worth() {
            Worth::Whole => has_token == gives,
            Worth::Perhaps => has_token || !gives,
            _ => !gives,
        }
    }

    fn is_refusal(&self) -> bool {
        matches!(self.worth(), Worth::Refuses(401 | 403))
    }

    fn asks_to_wait(&self) -> Option<u64> {
        matches!(self.worth(), Worth::Refuses(_)).then_some(self.retry_after)?
    }

    /// Whether the other client pair is tried: where there is an answer that may be this
    /// pair's, and no wish to be left alone. `None` where it may be either.
    fn goes_on(&self) -> Option<bool> {
        match self.worth() {
            _ if self.trust == Trust::Stranger => Some(false),
            Worth::Refuses(_) => Some(self.retry_after.is_none()),
            Worth::Whole => Some(matches!(self.content, Content::Useless)),
            _ => None,
        }
    }
}

fn described(hops: &[Hop]) -> Vec<(&'static str, &'static str, &str, String)> {
    let described = hops.iter().map(|hop| {
        let body = String::from_utf8_lossy(&hop.draft.body);
        (
            hop.name,
            hop.manner.name,
            &*hop.draft.headers,
            body.into_owned(),
        )
    });
    described.collect()
}

enum Effect {
    Token(String, Duration),
    /// Whether a client pair was rejected, and how long the endpoint asks to wait.
    Failed {
        is_refusal: bool,
        retry_after: Option<u64>,
    },
}

/// What causes a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Call,
    Itself,
    /// Another client pair, after a rotation at GO or after a revocation.
    Rotated,
    Replaced,
}

/// The client pairs of a gateway, by number.
#[derive(Debug, Default)]
struct Pairs {
    current: usize,
    /// The one that follows, and since when.
    next: Option<(usize, Duration)>,
}

impl Pairs {
    /// Those to ask with, in this order.
    fn candidates(&mut self, now: Duration) -> Vec<usize> {
        match self.next {
            Some((next, since)) if now < since + OVERLAP => vec![next, self.current],
            Some((next, _)) => {
                self.worked(next);
                vec![next]
            }
            None => vec![self.current],
        }
    }

    /// This one gave a token.
    fn worked(&mut self, pair: usize) {
        if self.next.is_some_and(|(next, _)| next == pair) {
            (self.current, self.next) = (pair, None);
        }
    }
}

struct Token {
    value: String,
    asked: Duration,
    lifetime: Duration,
}

impl Token {
    fn usable(&self) -> Duration {
        self.lifetime.saturating_sub(MARGIN.min(self.lifetime / 2))
    }
}

/// What must be trusted: the guides' rules, without any of the crate's code.
#[derive(Default)]
struct Model {
    token: Option<Token>,
    pairs: Pairs,
    failures: u32,
    /// Until when no call causes a fetch: at least, and at most.
    cooldown: (Duration, Duration),
    /// Between which times the next fetch comes by itself.
    next: (Duration, Duration),
}

impl Model {
    fn happen(&mut self, asked: Duration, ended: Duration, effect: Effect) {
        let (is_refusal, retry_after) = match effect {
            Effect::Token(value, lifetime) => {
                let token = Token {
                    value,
                    asked,
                    lifetime,
                };
                let usable = token.usable();
                self.next = (asked + usable * 7 / 10, asked + usable * 9 / 10);
                self.token = Some(token);
                (self.failures, self.cooldown) = (0, (ended, ended));
                return;
            }
            Effect::Failed {
                is_refusal,
                retry_after,
            } => (is_refusal, retry_after),
        };
        let asked_to_wait = secs(retry_after.unwrap_or(0));
        let doubled = millis(50) * 2_u32.pow(self.failures.min(6));
        let least = if is_refusal { secs(10) } else { secs(1) };
        let wait = secs(1 << self.failures.min(6)).min(secs(60));
        self.failures += 1;
        let cooling = if is_refusal {
            least
        } else {
            doubled.min(least)
        };
        let [asked, longest] = spread(asked_to_wait);
        self.cooldown = (ended + cooling.max(asked), ended + cooling.max(longest));
        self.next = (
            ended + (wait / 2).max(least).max(asked),
            ended + wait.max(least).max(longest),
        );
    }

    /// The token that may be sent now, if any, and whether without a look for another.
    fn alive(&self, now: Duration) -> Option<(&str, bool)> {
        let token = self.token.as_ref()?;
        let age = now.saturating_sub(token.asked);
        (age < token.lifetime).then(|| (&*token.value, age < token.usable()))
    }
}

pub(crate) struct GatewayRun {
    random: fastrand::Rng,
    clock: ManualClock,
    tokens: Peer,
    api: Peer,
    openings: Openings,
    /// How the API's connections begin, and how it answers.
    api_openings: Openings,
    api_manners: fn() -> Vec<Manner>,
    well: Manner,
    /// Answers by which it says that it has not looked at a request.
    unseen: &'static [&'static str],
    protocol: Protocol,
    gateway: Gateway,
    /// Whose connections serve once.
    client: GatewayService<HttpClient>,
    /// Whose connections serve for as long as they are open.
    pooled: GatewayService<HttpClient>,
    model: Model,
    log: Lines,
    /// How many tokens there were, and how many client pairs.
    issued: usize,
    pairs: usize,
    pub(crate) counts: Counts,
    _guard: DefaultGuard,
}

impl GatewayRun {
    pub(crate) async fn begin(seed: u64, protocol: Protocol) -> Self {
        let (log, guard) = Lines::capture();
        let (clock, company) = (test_support::clock(), Company::new());
        let (tokens, api) = (Peer::start(), Peer::start());
        let network = Network::new().ca_file(company.ca_file());
        let gateway = Gateway::builder()
            .token_url(format!("https://{}/token", tokens.address))
            .api(format!("https://{}/push", api.address))
            .credentials(client_pair(0))
            .network(network.clone())
            .connect_timeout(secs(60))
            .fetch_timeout(FETCH_TIMEOUT)
            .margin(MARGIN)
            .clock(clock.clone())
            .build()
            .expect("good settings");
        let client = |idle| {
            let http = match protocol {
                Protocol::Http1 => HttpClient::builder()
                    .network(network.clone())
                    .http_client(move |client| client.no_proxy().pool_max_idle_per_host(idle))
                    .build()
                    .expect("a client"),
                #[cfg(feature = "http2")]
                Protocol::Http2 => crate::http2::client(&company, idle),
            };
            gateway.layer().layer(http)
        };
        let (well, api_manners, unseen): (_, fn() -> _, &[_]) = match protocol {
            Protocol::Http1 => (WELL, manners, &[]),
            #[cfg(feature = "http2")]
            Protocol::Http2 => {
                use crate::http2::{UNSEEN, WELL, manners};
                (WELL, manners, &UNSEEN)
            }
        };
        let other = Company::new();
        let mut run = Self {
            random: fastrand::Rng::with_seed(seed),
            clock,
            tokens,
            api,
            openings: Openings::of(&company, &other, Protocol::Http1),
            api_openings: Openings::of(&company, &other, protocol),
            api_manners,
            well,
            unseen,
            protocol,
            client: client(0),
            pooled: client(4),
            gateway,
            model: Model::default(),
            log,
            issued: 0,
            pairs: 1,
            counts: Counts::default(),
            _guard: guard,
        };
        run.well().await;
        run
    }

    /// Each way to begin and each way to answer once, of the token endpoint and of the API.
    pub(crate) async fn round(&mut self) {
        let rows = |well, manners: Vec<Manner>| {
            let openings = (0..self.openings.count()).map(|n| (Some(n), well));
            let manners = manners.into_iter().map(|manner| (None, manner));
            openings.chain(manners).collect::<Vec<_>>()
        };
        let (fetches, calls) = (rows(WELL, manners()), rows(self.well, (self.api_manners)()));
        let mut calls = shuffled(&mut self.random, calls).into_iter().cycle();
        for (opening, manner) in shuffled(&mut self.random, fetches) {
            let hop = self.hop(opening, manner);
            self.fetch(hop).await;
            let (opening, manner) = calls.next().expect("some");
            self.call(opening, manner).await;
            match self.random.u8(..16) {
                0 | 1 => self.rejected().await,
                2 | 3 => match self.protocol {
                    Protocol::Http1 => self.surplus().await,
                    #[cfg(feature = "http2")]
                    Protocol::Http2 => self.together().await,
                },
                4 => self.overtaken().await,
                _ => {}
            }
        }
        self.well().await;
    }

    /// The endpoint is well: the next fetch gives a token, and a call is let in with it.
    async fn well(&mut self) {
        let hop = self.good();
        self.fetch(hop).await;
        assert!(self.model.failures == 0, "a token once all is well");
        self.call(None, self.well).await;
        self.counts.add("recoveries with the next fetch");
    }

    fn now(&self) -> Duration {
        self.clock.monotonic()
    }

    /// An answer with a new token.
    fn token(&mut self) -> (Vec<u8>, Content) {
        self.issued += 1;
        let value = format!("t0ken-{}-{:x}", self.issued, self.random.u64(..));
        let lifetime = [5, 60, 300, 3600, 7200][self.random.usize(..5)];
        let expires_in = if self.random.bool() {
            json!(lifetime)
        } else {
            json!(lifetime.to_string())
        };
        let answer = json!({
            "access_token": value, "token_type": "Bearer", "expires_in": expires_in,
        });
        let content = Content::Token(value, secs(lifetime));
        (answer.to_string().into(), content)
    }

    /// A token from an endpoint that is well.
    fn good(&mut self) -> Hop {
        let (body, content) = self.token();
        self.with(None, WELL, body, content)
    }

    fn hop(&mut self, opening: Option<usize>, manner: Manner) -> Hop {
        let (body, content) = match manner.worth {
            // A page that repeats what it was sent.
            Worth::Refuses(_) if self.random.bool() => (self.page().into(), Content::Useless),
            Worth::Whole if self.random.u8(..5) == 0 => {
                let body = USELESS[self.random.usize(..USELESS.len())];
                (body.into(), Content::Useless)
            }
            _ => self.token(),
        };
        self.with(opening, manner, body, content)
    }

    fn with(
        &mut self,
        opening: Option<usize>,
        manner: Manner,
        body: Vec<u8>,
        content: Content,
    ) -> Hop {
        let (name, trust, opening) = self.openings.draw(opening, &mut self.random);
        let (retry_after, line) = retry_after(&mut self.random, manner.worth);
        Hop {
            name,
            trust,
            opening,
            manner,
            draft: Draft {
                headers: line.to_owned(),
                body,
                ..Draft::default()
            },
            content,
            retry_after,
        }
    }

    fn page(&mut self) -> String {
        let secrets = credentials(self.model.pairs.current);
        let spelled = &spellings(&secrets[self.random.usize(..2)])[self.random.usize(..6)];
        format!("<p>No such client: {spelled}. Access denied by policy.</p>")
    }

    /// An answer for a further request of a fetch: well, of any row, or one by which a pair or
    /// whoever asks is to be left alone.
    fn any_hop(&mut self) -> Hop {
        let mut rows = manners();
        let manner = match self.random.u8(..4) {
            0 | 1 => WELL,
            drawn => {
                let is_told =
                    |row: &Manner| matches!(row.worth, Worth::Refuses(401 | 403 | 429 | 503));
                rows.retain(|row| drawn == 2 || is_told(row));
                rows.swap_remove(self.random.usize(..rows.len()))
            }
        };
        let opening = self.random.usize(..4 * self.openings.count());
        let opening = (opening < self.openings.count()).then_some(opening);
        self.hop(opening, manner)
    }

    /// Gives the gateway another client pair, which it tries at once: another pair's failure
    /// is no reason to wait.
    fn change(&mut self, cause: Cause) {
        let (number, now) = (self.pairs, self.now());
        self.pairs += 1;
        let pairs = &mut self.model.pairs;
        let changed = if cause == Cause::Rotated {
            pairs.next = Some((number, now));
            self.gateway.rotate_to(client_pair(number))
        } else {
            *pairs = Pairs {
                current: number,
                next: None,
            };
            self.gateway.replace(client_pair(number))
        };
        changed.expect("a pair that can be sent");
        (self.model.failures, self.model.cooldown) = (0, (now, now));
    }

    /// A fetch for some reason, whose first answer is this one.
    async fn fetch(&mut self, hop: Hop) {
        let mut hops = vec![hop, self.any_hop()];
        let (before, heads) = self.asked();
        let change = match self.random.u8(..16) {
            _ if before == 0 => None,
            0 | 1 => Some(Cause::Rotated),
            2 => Some(Cause::Replaced),
            _ => None,
        };
        if change != Some(Cause::Rotated) && self.model.pairs.next.is_none() {
            hops.truncate(1);
        }
        let what = format!("token: {change:?}, {:?}", described(&hops));
        self.tokens.plan(hops.iter().map(Hop::plan));
        let mut stalls = self.tokens.stalls();
        stalls.mark_unchanged();
        self.log.take();

        // After a failure nothing is asked before its time, whatever calls come.
        let early = self.model.cooldown.0.saturating_sub(self.now() + millis(1));
        if self.model.failures > 0 && !early.is_zero() {
            self.clock.advance(early);
            let refused = soon(self.gateway.refresh()).await;
            refused.expect_err("there was none a moment ago");
            assert_eq!(self.asked().0, before, "asked again: {what}");
            self.counts
                .add("calls soon after a failure, which ask nobody");
        }
        let (lo, hi) = self.model.next;
        let due = self.model.cooldown.1.max(self.now());
        let cause = change.unwrap_or_else(|| {
            if due < lo && self.random.bool() || before == 0 {
                Cause::Call
            } else {
                Cause::Itself
            }
        });
        let due = match cause {
            Cause::Call => due,
            Cause::Itself => hi.max(self.now()),
            Cause::Rotated | Cause::Replaced => self.now(),
        };
        let quiet_until = if cause == Cause::Itself { lo } else { due };
        let quiet = quiet_until.saturating_sub(self.now() + millis(1));
        if !quiet.is_zero() && self.random.u8(..4) == 0 {
            self.clock.advance(quiet);
            settle().await;
            assert_eq!(self.asked().0, before, "too early: {what}");
            self.counts.add("waits in which nothing came");
        }
        // Now and then the machine sleeps, past the days in which both pairs work.
        let seldom = if self.model.pairs.next.is_some() {
            3
        } else {
            16
        };
        let late = if cause == Cause::Itself && self.random.u8(..seldom) == 0 {
            DAY * self.random.u32(..10)
        } else {
            Duration::ZERO
        };
        self.clock.advance((due + late).saturating_sub(self.now()));
        if change.is_some() {
            self.change(cause);
        }
        let asked = self.now();
        let calling = (cause == Cause::Call).then(|| {
            let gateway = self.gateway.clone();
            tokio::spawn(async move { gateway.refresh().await })
        });
        let came = tokio::time::timeout(secs(30), self.tokens.connected(before + 1)).await;
        assert!(came.is_ok(), "no fetch comes: {what}");
        let logged = self.end_of_fetches(1, &mut stalls, &what).await;
        let failed = self.judge(asked, &hops, (before, heads), &logged, &what);
        if let Some(calling) = calling {
            let result = soon(calling).await.expect("no panic");
            assert_eq!(result.is_err(), failed, "{what}");
        }
        self.counts.add(match cause {
            Cause::Call => "token fetches: for a call",
            Cause::Itself => "token fetches: in time",
            Cause::Rotated => "token fetches: for a client pair that follows",
            Cause::Replaced => "token fetches: for a client pair that replaces all",
        });
    }

    /// Another client pair arrives while the endpoint takes its time over a request.
    async fn overtaken(&mut self) {
        let late = self.good();
        let late = Hop {
            manner: LATE,
            ..late
        };
        let mut hops = vec![late, self.any_hop(), self.any_hop()];
        let cause = if self.random.bool() {
            Cause::Rotated
        } else {
            hops.pop();
            Cause::Replaced
        };
        let what = format!("overtaken: {cause:?}, {:?}", described(&hops));
        let (before, heads) = self.asked();
        self.tokens.plan(hops.iter().map(Hop::plan));
        let (mut stalls, mut delays) = (self.tokens.stalls(), self.tokens.delays());
        stalls.mark_unchanged();
        delays.mark_unchanged();
        self.log.take();
        let due = self.model.cooldown.1.max(self.now());
        self.clock.advance(due.saturating_sub(self.now()));
        let began = self.now();
        let gateway = self.gateway.clone();
        let calling = tokio::spawn(async move { gateway.refresh().await });
        soon(delays.changed()).await.expect("the peer is alive");
        let asking = self.model.pairs.candidates(began)[0];
        self.change(cause);
        self.clock.advance(secs(2));
        self.tokens.proceed();
        // What a pair brings that is no longer one of ours does not count.
        let counts = asking == self.model.pairs.current;
        let logged = self
            .end_of_fetches(1 + usize::from(counts), &mut stalls, &what)
            .await;
        let ended = began + secs(2);
        let late = hops.remove(0);
        self.carries_pair(heads, asking, &what);
        if counts && let Content::Token(value, lifetime) = late.content {
            let effect = Effect::Token(value, lifetime);
            self.model.happen(began, ended, effect);
        }
        let failed = self.judge(ended, &hops, (before + 1, heads + 1), &logged, &what);
        let result = soon(calling).await.expect("no panic");
        assert_eq!(result.is_err(), failed && !counts, "{what}");
        self.counts.add(if counts {
            "client pairs that follow while another is sent"
        } else {
            "client pairs that replace one that is sent"
        });
    }

    /// How many connections and requests the endpoint has seen.
    fn asked(&self) -> (usize, usize) {
        let seen = self.tokens.seen();
        (seen.connections, seen.heads.len())
    }

    /// That this request for a token has this client pair.
    fn carries_pair(&self, request: usize, pair: usize, what: &str) {
        let [id, secret] = credentials(pair);
        let head = &self.tokens.seen().heads[request];
        assert!(head.starts_with("GET /token HTTP/1.1\r\n"), "{head}");
        for line in [
            format!("\r\nclient-id: {id}\r\n"),
            format!("\r\nclient-secret: {secret}\r\n"),
        ] {
            assert!(head.contains(&line), "{line:?}: {head}: {what}");
        }
    }

    /// Compares a fetch that began at `asked`, when there were so many connections and
    /// requests, with what it may do, by the rules; whether it has failed.
    fn judge(
        &mut self,
        asked: Duration,
        hops: &[Hop],
        (before, heads): (usize, usize),
        logged: &str,
        what: &str,
    ) -> bool {
        let candidates = self.model.pairs.candidates(asked);
        let (connections, requests) = self.asked();
        let tried = connections - before;
        assert!((1..=candidates.len()).contains(&tried), "{tried}: {what}");
        if candidates.len() > 1
            && let Some(goes_on) = hops[0].goes_on()
        {
            assert_eq!(tried == 2, goes_on, "the other pair: {what}");
        }
        let failed = logged.contains("no token could be had");
        let why = self.gateway.health().last_error;
        for (n, hop) in hops[..tried].iter().enumerate() {
            let gives = n + 1 == tried && !failed;
            assert!(hop.may_be(gives), "{n}, {failed}, {why:?}: {what}");
            self.counts.behaved(hop.name, hop.manner.name);
        }
        assert_eq!(self.tokens.seen().unexpected, 0, "{what}");
        assert_eq!(self.tokens.left(), hops.len() - tried, "{what}");
        let genuine = (0..tried).filter(|n| hops[*n].trust == Trust::Genuine);
        let genuine: Vec<_> = genuine.collect();
        // Who answers first does not listen.
        let is_early = hops[..tried].iter().any(|hop| hop.manner.is_early);
        assert!(
            requests - heads <= genuine.len(),
            "a stranger was asked: {what}"
        );
        if !is_early {
            for (request, n) in (heads..requests).zip(&genuine) {
                self.carries_pair(request, candidates[*n], what);
            }
        }
        let used = candidates[tried - 1];
        let effect = match &hops[tried - 1].content {
            Content::Token(value, lifetime) if !failed => {
                self.model.pairs.worked(used);
                self.counts.add("token fetches: taken");
                Effect::Token(value.clone(), *lifetime)
            }
            _ => {
                self.counts.add("token fetches: failed");
                let refusals = hops[..tried].iter().map(Hop::is_refusal);
                let waits = hops[..tried].iter().filter_map(Hop::asks_to_wait);
                Effect::Failed {
                    is_refusal: refusals.into_iter().any(|it| it),
                    retry_after: waits.max(),
                }
            }
        };
        if tried == 2 {
            self.counts.add(if failed {
                "token fetches: with two client pairs, in vain"
            } else {
                "token fetches: with the pair that the next one follows"
            });
        }
        let ended = self.now();
        self.model.happen(asked, ended, effect);
        self.nothing_leaks(logged, what);
        failed
    }

    /// What was logged until so many fetches had ended.
    async fn end_of_fetches(
        &self,
        fetches: usize,
        stalls: &mut watch::Receiver<usize>,
        what: &str,
    ) -> String {
        let mut logged = String::new();
        let ended = |logged: &str| {
            let outcomes = ["no token could be had", "GO's gateway gave a token"];
            let times = outcomes.map(|outcome| logged.matches(outcome).count());
            times.iter().sum::<usize>()
        };
        let patience = std::time::Instant::now() + secs(30);
        while ended(&logged) < fetches {
            assert!(
                std::time::Instant::now() < patience,
                "this fetch never ends: {what}"
            );
            tokio::select! {
                changed = stalls.changed() => {
                    changed.expect("the peer is alive");
                    self.clock.advance(FETCH_TIMEOUT);
                }
                () = tokio::time::sleep(millis(1)) => {}
            }
            logged += &self.log.take();
        }
        logged
    }

    /// Neither a secret nor a token, in any form.
    fn nothing_leaks(&self, logged: &str, what: &str) {
        let health = self.gateway.health();
        let json = serde_json::to_string(&health).expect("JSON");
        let told = format!("{logged} {health:?} {json} {:?}", self.gateway);
        for secret in [CLIENT_ID, CLIENT_SECRET] {
            for spelled in spellings(secret) {
                assert!(!told.contains(&spelled), "{spelled} in {told}: {what}");
            }
        }
        assert!(!told.contains("t0ken"), "{told}: {what}");
    }

    /// A call, where it is clear which token it must carry.
    async fn call(&mut self, opening: Option<usize>, manner: Manner) {
        let now = self.now();
        let expected = match self.model.alive(now) {
            Some((token, true)) => Some(token.to_owned()),
            // Only what is left until another fetch.
            _ if now >= self.model.cooldown.0 => return,
            alive => alive.map(|(token, _)| token.to_owned()),
        };
        let (name, trust, opening) = self.api_openings.draw(opening, &mut self.random);
        let what = format!("call: {:?}", (name, manner.name));
        let draft = Draft {
            body: b"an answer".to_vec(),
            ..Draft::default()
        };
        let mut plans = vec![plan(&opening, &manner, manner.answers(&draft))];
        let is_sent_again = trust == Trust::Genuine && self.unseen.contains(&manner.name);
        if is_sent_again {
            let opening = self.api_openings.well();
            plans.push(plan(opening, &self.well, self.well.answers(&draft)));
        }
        let client = self.client.clone();
        let (result, heads) = self.send(client, plans, &what).await;
        if let Some(Err(error)) = &result {
            let text = format!("{error} {error:?}");
            self.nothing_leaks(&text, &what);
        }
        match expected {
            None => {
                let Some(Err(error)) = result else {
                    panic!("a call without a token: {what}");
                };
                assert!(
                    error.downcast_ref::<GatewayError>().is_some(),
                    "{error}: {what}"
                );
                assert_eq!(heads, [""; 0], "{what}");
                self.counts.add("calls: no token, nothing sent");
            }
            Some(_) if trust == Trust::Stranger => {
                assert!(!matches!(result, Some(Ok(_))), "{what}");
                assert_eq!(heads, [""; 0], "a stranger was asked: {what}");
                self.counts.add("calls: a stranger, nothing sent");
            }
            Some(token) => {
                let sent = heads.iter().filter(|head| carries(head, &token)).count();
                // Who answers first does not listen.
                let least = usize::from(!manner.is_early);
                let most = 1 + usize::from(is_sent_again);
                assert!((least..=most).contains(&sent), "{heads:?}: {what}");
                assert_eq!(sent, heads.len(), "{heads:?}: {what}");
                let whole = Some((200, &b"an answer"[..]));
                let got = match &result {
                    Some(Ok((status, body))) => Some((*status, &**body)),
                    _ => None,
                };
                // Marks, padding and doubling are the caller's business.
                let is_plain =
                    !["a byte order mark", "as long as the limit"].contains(&manner.name);
                if manner.worth == Worth::Whole && is_plain {
                    assert_eq!(got, whole, "{what}");
                }
                if let Worth::Refuses(status) = manner.worth {
                    assert_eq!(got.map(|(status, _)| status), Some(status), "{what}");
                }
                self.counts.add("calls: sent once");
            }
        }
        self.counts.behaved(name, manner.name);
    }

    /// The API rejects a token that is no longer young: another is fetched, and the call repeated
    /// once. If none can be fetched, or the API stays with it, the 401 is the answer.
    async fn rejected(&mut self) {
        self.well_enough().await;
        let Some(token) = &self.model.token else {
            return;
        };
        if token.usable() * 7 / 10 < YOUNG + secs(1) {
            return;
        }
        let old = token.value.clone();
        let age = self.now().saturating_sub(token.asked);
        self.clock.advance(YOUNG.saturating_sub(age));
        let named = |rows: Vec<Manner>, name| {
            let row = rows.into_iter().find(|row| row.name == name);
            row.expect("a row")
        };
        let reject = named((self.api_manners)(), "401");
        let is_given = self.random.bool();
        let mut hop = self.good();
        if !is_given {
            hop.manner = named(manners(), "closed in the body");
        }
        // The same for the other pair, where there are two.
        let candidates = self.model.pairs.candidates(self.now()).len();
        let hops = vec![hop; candidates];
        let before = self.asked();
        self.tokens.plan(hops.iter().map(Hop::plan));
        self.log.take();
        let draft = Draft {
            body: b"an answer".to_vec(),
            ..Draft::default()
        };
        let opening = self.api_openings.well().clone();
        let plans = vec![
            plan(&opening, &reject, reject.answers(&draft)),
            plan(&opening, &reject, reject.answers(&draft)),
        ];
        let asked = self.now();
        let client = self.client.clone();
        let (result, heads) = self.send(client, plans, "rejected").await;
        let Some(Ok((status, _))) = result else {
            panic!("no answer to a rejected call");
        };
        assert_eq!(status, 401);
        assert!(carries(&heads[0], &old), "{heads:?}");
        let logged = self.log.take();
        let failed = self.judge(asked, &hops, before, &logged, "rejected");
        assert_ne!(failed, is_given);
        if is_given {
            let token = self.model.token.as_ref().expect("another");
            assert_eq!(heads.len(), 2, "{heads:?}");
            assert!(carries(&heads[1], &token.value), "{heads:?}");
            self.counts
                .add("calls: rejected, repeated once with another token");
        } else {
            assert_eq!(heads.len(), 1, "{heads:?}");
            self.counts
                .add("calls: rejected, no other token, not repeated");
        }
    }

    /// Answers that nobody asked for, on a connection that serves more than one request.
    async fn surplus(&mut self) {
        self.well_enough().await;
        if !self
            .model
            .alive(self.now())
            .is_some_and(|(_, usable)| usable)
        {
            return;
        }
        let opening = self.openings.well().clone();
        for n in 0..4 {
            let body = format!("answer {n}");
            let draft = Draft {
                body: body.clone().into(),
                ..Draft::default()
            };
            let mut acts = vec![Act::Send(draft.whole())];
            let lure = Draft {
                headers: "x-lure: yes\r\n".to_owned(),
                body: b"a lure".to_vec(),
                ..Draft::default()
            };
            let is_closed = match self.random.u8(..4) {
                0 => {
                    acts = vec![Act::Send([draft.whole(), lure.whole()].concat()), Act::Open];
                    false
                }
                1 => {
                    acts.extend([Act::Pause, Act::Send(lure.whole()), Act::Open]);
                    false
                }
                2 => {
                    acts.push(Act::Open);
                    false
                }
                _ => {
                    acts.push(Act::Close);
                    true
                }
            };
            let mut pauses = self.api.pauses();
            pauses.mark_unchanged();
            let client = self.pooled.clone();
            // One more where the first connection turns out to be closed.
            let plans = vec![plan(&opening, &WELL, always(acts)); 2];
            let (result, heads) = self.send(client, plans, "surplus").await;
            if let Some(Ok((status, got))) = result {
                assert_eq!((status, &*got), (200, body.as_bytes()), "another's answer");
                self.counts
                    .add("calls: answered beside answers that nobody asked for");
            }
            assert!(heads.len() <= 1, "sent twice: {heads:?}");
            // What comes once the next request is under way is an answer to it for all that
            // HTTP/1.1 can say. What has come before is none.
            if !is_closed {
                // In vain where the client has closed the connection meanwhile.
                let _ = tokio::time::timeout(secs(5), pauses.changed()).await;
                tokio::time::sleep(millis(2)).await;
            }
        }
    }

    /// Two calls at once, on one connection where the client sees to it: each gets its own
    /// answer, and what the server has not looked at is sent once more.
    #[cfg(feature = "http2")]
    async fn together(&mut self) {
        use crate::http2::{TOGETHER, acts, answered};

        self.well_enough().await;
        let Some((token, true)) = self.model.alive(self.now()) else {
            return;
        };
        let token = token.to_owned();
        let opening = self.api_openings.well().clone();
        let (name, [first, second]) = TOGETHER[self.random.usize(..TOGETHER.len())];
        // The connection is there.
        let of = |write| plan(&opening, &WELL, acts(write));
        let before = self.api.seen().heads.len();
        let plans = [answered, first, second].map(of);
        // One for what is sent once more, and one for a connection that is not shared.
        self.api
            .plan(plans.into_iter().chain([of(answered), of(answered)]));
        let call = async |path: &str| {
            let uri = format!("https://{}/push/{path}", self.api.address);
            let request = Request::post(uri).body(Bytes::from_static(b"{}"));
            let client = self.pooled.clone();
            let answer = client.oneshot(request.expect("a request")).await;
            let answer = answer.unwrap_or_else(|error| panic!("{error:?}: {name}"));
            let body = answer.into_body().collect().await.expect("a body");
            assert_eq!(body.to_bytes(), format!("/push/{path}"), "{name}");
        };
        soon(call("0")).await;
        soon(async { tokio::join!(call("1"), call("2")) }).await;
        let seen = self.api.seen();
        for head in &seen.heads[before..] {
            assert!(carries(head, &token), "{head}: {name}");
        }
        let sent = |path| {
            let heads = seen.heads[before..].iter();
            heads.filter(|head| head.contains(path)).count()
        };
        let again = usize::from(name.contains("second"));
        assert_eq!(sent("/push/0 "), 1, "{name}");
        assert_eq!(sent("/push/1 ") + sent("/push/2 "), 2 + again, "{name}");
        drop(seen);
        self.counts.add("calls: two at once on one connection");
    }

    /// Fetches a token where there is none that can be used, or the last fetch failed.
    async fn well_enough(&mut self) {
        if self.model.failures > 0
            || !self
                .model
                .alive(self.now())
                .is_some_and(|(_, usable)| usable)
        {
            let hop = self.good();
            self.fetch(hop).await;
        }
    }

    /// The answer, if the call was not given up; and the requests that came.
    async fn send(
        &mut self,
        client: GatewayService<HttpClient>,
        plans: Vec<Plan>,
        what: &str,
    ) -> (Option<Result<(u16, Bytes), BoxError>>, Vec<String>) {
        let before = self.api.seen().heads.len();
        let token_fetches = self.tokens.seen().connections;
        self.api.plan(plans);
        let mut stalls = self.api.stalls();
        stalls.mark_unchanged();
        let request = Request::post(format!("https://{}/push/ari", self.api.address))
            .body(Bytes::from_static(b"{}"))
            .expect("a request");
        let call = async {
            let answer = client.oneshot(request).await?;
            let status = answer.status().as_u16();
            assert!(!answer.headers().contains_key("x-lure"), "a lure: {what}");
            let body = Limited::new(answer.into_body(), 1 << 20);
            let body = body.collect().await?.to_bytes();
            Ok((status, body))
        };
        // A caller's own limits.
        let result = tokio::select! {
            biased;
            result = call => Some(result),
            _ = stalls.changed() => None,
            () = tokio::time::sleep(secs(30)) => panic!("this call never ends: {what}"),
        };
        let seen = self.api.seen();
        assert_eq!(seen.unexpected, 0, "another connection: {what}");
        let heads: Vec<String> = seen.heads[before..].to_vec();
        for head in &heads {
            let version = match self.protocol {
                Protocol::Http1 => "1.1",
                #[cfg(feature = "http2")]
                Protocol::Http2 => "2",
            };
            let line = format!("POST /push/ari HTTP/{version}\r\n");
            assert!(head.starts_with(&line), "{head}");
            assert!(!head.contains(CLIENT_SECRET), "{head}");
        }
        if what != "rejected" {
            assert_eq!(self.tokens.seen().connections, token_fetches, "{what}");
        }
        (result, heads)
    }

    /// Ends it, and waits until the last connection is closed.
    pub(crate) async fn end(self) -> Counts {
        let Self {
            tokens,
            api,
            gateway,
            client,
            pooled,
            mut counts,
            ..
        } = self;
        drop((gateway, client, pooled));
        let peers = [("tokens", tokens), ("api", api)];
        for (name, peer) in &peers {
            eventually(name, || peer.seen().open == 0).await;
            let overheard = String::from_utf8_lossy(&peer.seen().overheard).into_owned();
            for told in [CLIENT_ID, CLIENT_SECRET, "t0ken", "GET ", "POST "] {
                assert!(!overheard.contains(told), "{told} in the clear");
            }
        }
        let sum = |of: fn(&crate::server::Seen) -> usize| {
            peers.iter().map(|(_, peer)| of(&peer.seen())).sum()
        };
        counts.set("connections", sum(|seen| seen.connections));
        counts.set("requests", sum(|seen| seen.heads.len()));
        counts
    }
}

/// The client ID and client secret of the pair of this number.
fn credentials(number: usize) -> [String; 2] {
    [CLIENT_ID, CLIENT_SECRET].map(|begin| format!("{begin}{number:04x}"))
}

fn client_pair(number: usize) -> ClientPair {
    let [id, secret] = credentials(number);
    ClientPair::new(id, secret)
}

fn plan(opening: &Opening, manner: &Manner, acts: Acts) -> Plan {
    Plan {
        opening: opening.clone(),
        is_early: manner.is_early,
        acts,
    }
}

/// Whether a request has this token, and no other.
fn carries(head: &str, token: &str) -> bool {
    let line = format!("\r\nauthorization: Bearer {token}\r\n");
    head.contains(&line) && head.matches("authorization").count() == 1
}

/// Ways to write a secret, in which it must not be told.
fn spellings(secret: &str) -> [String; 6] {
    let each = |spell: fn(u8) -> String| secret.bytes().map(spell).collect::<String>();
    [
        secret.to_owned(),
        BASE64_STANDARD.encode(secret),
        each(|byte| format!("%{byte:02X}")),
        each(|byte| format!("&#{byte};")),
        each(|byte| format!("\\u{byte:04x}")),
        each(|byte| format!("{byte:02x}")),
    ]
}
