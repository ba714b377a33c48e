//! A key address that misbehaves, and what of it must be trusted. The log fails besides, at each
//! line about keys.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use derbysoft_go_auth::clock::{Clock, ManualClock};
use derbysoft_go_auth::{GoAuth, GoAuthBuilder, Network};
use derbysoft_go_simulator::{Mint, PublishedKey, SigningKey};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use test_support::company::Company;
use test_support::failing_log::failing_log;
use test_support::{eventually, keys, millis, secs, settle, soon, state, verdict};
use tokio::sync::watch;
use tracing::subscriber::DefaultGuard;

use crate::answers::{CONFIRMS, Draft, LATE, Manner, ROOM, WELL, Worth, manners};
use crate::certificates::{Openings, Protocol, Trust};
use crate::counts::Counts;
use crate::server::{Opening, Peer, Plan};

const ISSUER: &str = "https://id/84A26B2FA77BCD1FF5130636F04C30C5/.well-known/openid-configuration";
const INTERVAL: Duration = secs(300);
const COOLDOWN: Duration = secs(10);
const FETCH_TIMEOUT: Duration = secs(5);
const MAX_STALE: Duration = secs(1800);
/// How long a document may be confirmed by 304 alone, by `docs/guide/operations.md`.
const LONGEST_UNREAD: Duration = secs(3600);

/// How many RSA keys there are; `kid`s share them in turn.
const KEYS: usize = 6;
/// Nobody published this one.
const STRANGERS: usize = KEYS;

/// `kid`s, and with which of the keys each verifies.
type Set = BTreeMap<String, usize>;

/// What a document brings a client that takes it.
#[derive(Debug, Clone)]
enum Content {
    Keys(Set),
    /// A discovery document, whose key set is at this path of the same origin.
    At(&'static str),
    Useless,
}

/// One request of a fetch, and its answer.
struct Hop {
    opening_name: &'static str,
    trust: Trust,
    opening: Opening,
    manner: Manner,
    draft: Draft,
    content: Content,
    etag: Option<String>,
    max_age: Option<u64>,
    retry_after: Option<u64>,
}

impl Hop {
    fn plan(&self) -> Plan {
        Plan {
            opening: self.opening.clone(),
            is_early: self.manner.is_early,
            acts: self.manner.answers(&self.draft),
        }
    }
}

/// What a fetch does to the keys.
#[derive(Debug, Clone)]
enum Effect {
    Taken {
        keys: Set,
        validator: Option<(&'static str, String)>,
        max_age: Option<u64>,
    },
    Confirmed {
        max_age: Option<u64>,
    },
    Failed {
        retry_after: Option<u64>,
    },
}

/// What causes a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Operator,
    Request,
    Background,
}

/// What must be trusted: the guides' rules, without any of the crate's code.
#[derive(Debug, Default)]
struct Model {
    keys: Set,
    /// When the keys were asked for that came or were confirmed last.
    asked: Option<Duration>,
    lifetime: Duration,
    validator: Option<(&'static str, String)>,
    /// When the document arrived.
    read: Duration,
    started: Duration,
    ended: Duration,
    asked_to_wait: Duration,
    failures: u32,
    /// Between which times the next fetch comes by itself.
    next: (Duration, Duration),
}

impl Model {
    fn expire(&mut self, now: Duration) {
        if self.asked.is_some_and(|asked| now >= asked + MAX_STALE) {
            self.asked = None;
            self.keys.clear();
            self.validator = None;
        }
    }

    fn state(&self, now: Duration) -> &'static str {
        match self.asked {
            None => "empty",
            Some(asked) if now >= asked + self.lifetime => "stale",
            Some(_) => "fresh",
        }
    }

    /// The tag that a request to this path must carry.
    fn condition(&self, cause: Cause, now: Duration, path: &str) -> Option<&str> {
        let may_be_confirmed = cause == Cause::Background && now < self.read + LONGEST_UNREAD;
        let (of, tag) = self.validator.as_ref().filter(|_| may_be_confirmed)?;
        (*of == path).then_some(tag)
    }

    /// From when on a request may cause a fetch: at the earliest and at the latest.
    fn may_be_asked(&self) -> (Duration, Duration) {
        let [least, most] = spread(self.asked_to_wait);
        let cooled = self.started + COOLDOWN;
        (
            cooled.max(self.ended + least),
            cooled.max(self.ended + most),
        )
    }

    fn happen(&mut self, started: Duration, ended: Duration, effect: &Effect) {
        (self.started, self.ended) = (started, ended);
        self.asked_to_wait = Duration::ZERO;
        let max_age = match effect {
            Effect::Taken {
                keys,
                validator,
                max_age,
            } => {
                self.keys.clone_from(keys);
                self.validator.clone_from(validator);
                self.read = ended;
                *max_age
            }
            Effect::Confirmed { max_age } => *max_age,
            Effect::Failed { retry_after } => {
                self.failures += 1;
                let asked = secs(retry_after.unwrap_or(0)).min(secs(60));
                let wait = secs(1 << (self.failures - 1).min(6)).min(secs(60));
                self.asked_to_wait = asked;
                let [least, most] = spread(asked);
                self.next = (ended + (wait / 2).max(least), ended + wait.max(most));
                return;
            }
        };
        self.failures = 0;
        self.asked = Some(started);
        self.lifetime = max_age.map_or(INTERVAL, |max_age| secs(max_age).clamp(secs(30), INTERVAL));
        self.next = (
            started + self.lifetime * 7 / 10,
            started + self.lifetime * 9 / 10,
        );
    }
}

/// How long an answer is heeded that asks for this wait: at least, and at most.
pub(crate) fn spread(asked: Duration) -> [Duration; 2] {
    [asked, asked * 3 / 2]
}

pub(crate) struct KeysRun {
    random: fastrand::Rng,
    clock: ManualClock,
    peer: Peer,
    /// Another server, which the same authority vouches for, with a stranger's keys.
    elsewhere: Peer,
    /// Whose servers are trusted, and the file that says so.
    company: Company,
    ca_file: NamedTempFile,
    openings: Openings,
    auth: GoAuth,
    /// Nobody has used it so far.
    is_new: bool,
    model: Model,
    material: Vec<SigningKey>,
    /// By `kid` and key.
    tokens: BTreeMap<(String, usize), String>,
    /// The number of the key that GO signs with.
    current: usize,
    unknown: String,
    pub(crate) counts: Counts,
    _log: DefaultGuard,
}

/// Each row of each table once, in random order.
pub(crate) fn shuffled<T>(random: &mut fastrand::Rng, mut rows: Vec<T>) -> Vec<T> {
    random.shuffle(&mut rows);
    rows
}

impl KeysRun {
    pub(crate) async fn begin(seed: u64) -> Self {
        let (clock, company) = (test_support::clock(), Company::new());
        let (peer, ca_file) = (Peer::start(), NamedTempFile::new().expect("a file"));
        fs::write(&ca_file, company.pem()).expect("written");
        let auth = builder(&peer, ca_file.path(), &clock).build();
        let auth = auth.expect("good settings");
        let material: Vec<_> = (0..=KEYS).map(|_| SigningKey::pooled()).collect();
        let mut run = Self {
            random: fastrand::Rng::with_seed(seed),
            elsewhere: Peer::start(),
            clock,
            peer,
            openings: Openings::of(&company, &Company::new(), Protocol::Http1),
            company,
            ca_file,
            auth,
            is_new: true,
            model: Model::default(),
            unknown: token(&material[0], "nobody's"),
            material,
            tokens: BTreeMap::new(),
            current: 3,
            counts: Counts::default(),
            _log: tracing::dispatcher::set_default(&failing_log(|logged| {
                if logged.starts_with("keys ") {
                    // A panic without the line that it prints.
                    std::panic::resume_unwind(Box::new("the log fails"));
                }
            })),
        };
        run.well().await;
        run
    }

    /// Each way to begin and each way to answer once, the authorities meanwhile replaced, some
    /// quiet hours, and an outage.
    pub(crate) async fn round(&mut self) {
        let openings = (0..self.openings.count()).map(Some);
        let openings: Vec<_> = openings.chain((0..manners().len()).map(|_| None)).collect();
        let mut manners = shuffled(&mut self.random, manners());
        let (rows, mut other) = (openings.len(), None);
        for (row, opening) in shuffled(&mut self.random, openings).into_iter().enumerate() {
            if row == rows / 4 {
                other = Some(Company::new());
                self.write_authority(other.as_ref());
            } else if row == rows / 2 {
                self.reload(other.take()).await;
            } else if row == rows * 3 / 4 {
                self.write_authority(None);
                self.reload(None).await;
            }
            let manner = match opening {
                Some(_) => WELL,
                None => manners.pop().expect("as many as there are"),
            };
            let hop = self.hop(opening, manner);
            self.step(hop).await;
        }
        self.quiet_hours().await;
        self.outage().await;
        self.well().await;
    }

    /// The server is well, and after one interval the keys are its own.
    async fn well(&mut self) {
        self.current += 1;
        let current = set([self.current, self.current + 1]);
        let hop = self.plain(WELL, &current);
        let by = self.model.next.1.saturating_sub(self.now());
        assert!(by <= INTERVAL, "the next fetch is {by:?} away");
        let cause = if self.model.started.is_zero() {
            Cause::Operator
        } else {
            Cause::Background
        };
        self.fetch(cause, vec![hop], Duration::ZERO).await;
        assert_eq!(self.model.keys, current, "current after one interval");
        self.counts.add("recoveries within one interval");
    }

    /// Another authority is in the file, or the same in other words. Nothing changes before
    /// the file is read once more.
    fn write_authority(&self, other: Option<&Company>) {
        let text = other.map_or_else(
            || "# renewed\n".to_owned() + &self.company.pem(),
            Company::pem,
        );
        fs::write(&self.ca_file, text).expect("written");
    }

    /// The settings are loaded once more, maybe while the key address takes its time. What a
    /// server has sent that is a stranger from now on counts no more, nor does what was under
    /// way.
    async fn reload(&mut self, other: Option<Company>) {
        let is_under_way = self.random.bool();
        if is_under_way {
            let hop = self.plain(LATE, &set([self.current + 1]));
            self.peer.plan([hop.plan()]);
            let mut delays = self.peer.delays();
            delays.mark_unchanged();
            let due = self.model.next.1.saturating_sub(self.now());
            self.clock.advance(due);
            soon(delays.changed()).await.expect("the peer is alive");
            self.counts.add("reloads while a fetch is under way");
        }
        let now = self.now();
        self.model.expire(now);
        let successor = builder(&self.peer, self.ca_file.path(), &self.clock);
        let successor = successor.successor_of(&self.auth).build();
        self.auth = successor.expect("good settings");
        self.is_new = true;
        if is_under_way {
            self.peer.proceed();
        }
        if let Some(other) = other {
            self.openings = Openings::of(&other, &self.company, Protocol::Http1);
            self.company = other;
            self.model = Model::default();
            self.counts.add("reloads with another authority");
        } else {
            self.model.lifetime = INTERVAL;
            if self.model.failures == 0 {
                self.model.next = (now, now);
            }
            self.counts.add("reloads with the same authority");
        }
    }

    /// No answer until the keys may not be used any more, and a moment before that.
    async fn outage(&mut self) {
        // Keys are as old as the request for them.
        let keys = set([self.current, self.current + 1]);
        let hop = self.plain(LATE, &keys);
        self.fetch(Cause::Background, vec![hop], Duration::ZERO)
            .await;
        let deadline = self.model.asked.expect("keys") + MAX_STALE;
        for moment in [deadline.saturating_sub(secs(1)), deadline] {
            let row = manners()
                .into_iter()
                .find(|row| row.name == "closed before the head");
            let hop = self.plain(row.expect("a row"), &keys);
            let by_itself = self.model.next.1.max(self.now());
            let late = moment.saturating_sub(by_itself);
            self.fetch(Cause::Background, vec![hop], late).await;
        }
        assert!(self.model.keys.is_empty(), "the deadline is past");
        self.counts.add("outages past max_stale");
    }

    /// Nothing but refreshes, of which the server confirms all that it may; and it wants none.
    async fn quiet_hours(&mut self) {
        let current = set([self.current, self.current + 1]);
        for _ in 0..=20 {
            let now = self.model.next.1.max(self.now());
            let condition = self.model.condition(Cause::Background, now, "/main");
            let may_confirm = condition == Some("\"quiet\"");
            let mut hop = self.plain(if may_confirm { CONFIRMS } else { WELL }, &current);
            let headers = "etag: \"quiet\"\r\ncache-control: max-age=31536000\r\n";
            hop.draft.headers.push_str(headers);
            hop.etag = Some("\"quiet\"".to_owned());
            hop.max_age = Some(31_536_000);
            self.fetch(Cause::Background, vec![hop], Duration::ZERO)
                .await;
            self.counts.add(if may_confirm {
                "quiet: confirmed"
            } else {
                "quiet: read"
            });
        }
    }

    fn now(&self) -> Duration {
        self.clock.monotonic()
    }

    /// What strangers would have us trust: their key, also under a name of GO's.
    fn lure(&self) -> Set {
        let names = [format!("key-{}", self.current), "strangers".to_owned()];
        names.map(|kid| (kid, STRANGERS)).into()
    }

    fn jwk(&self, kid: &str, key: usize) -> Value {
        let key = PublishedKey::new(self.material[key].clone());
        key.with_kid(kid).jwk().clone()
    }

    fn document(&self, keys: &Set) -> Value {
        let keys: Vec<_> = keys.iter().map(|(kid, key)| self.jwk(kid, *key)).collect();
        json!({ "keys": keys })
    }

    /// An answer without frills.
    fn plain(&self, manner: Manner, keys: &Set) -> Hop {
        Hop {
            opening_name: "genuine",
            trust: Trust::Genuine,
            opening: self.openings.well().clone(),
            manner,
            draft: Draft {
                headers: String::new(),
                body: self.document(keys).to_string().into(),
                ..Draft::default()
            },
            content: Content::Keys(keys.clone()),
            etag: None,
            max_age: None,
            retry_after: None,
        }
    }

    /// A document of GO's, and what it brings.
    fn genuine(&mut self) -> (Value, Content) {
        let drawn = self.random.u8(..16);
        let n = self.current;
        let of = |keys: Set| (self.document(&keys), Content::Keys(keys));
        match drawn {
            0..6 => of(set([n, n + 1])),
            6..9 => {
                self.current += 1;
                let n = self.current;
                let keys = set([n, n + 1]);
                (self.document(&keys), Content::Keys(keys))
            }
            // A copy from before: nobody can know, and it is the server's own.
            9 => of(set([n - 2, n - 1])),
            // Other material under an old name.
            10 => of(Set::from([(format!("key-{n}"), (n + 3) % KEYS)])),
            11 => {
                let (twice, once) = (format!("key-{n}"), set([n + 1]));
                let mut document = self.document(&once);
                let keys = document["keys"].as_array_mut().expect("an array");
                keys.push(self.jwk(&twice, n % KEYS));
                keys.push(self.jwk(&twice, (n + 3) % KEYS));
                (document, Content::Keys(once))
            }
            12 => {
                let keys = set([n, n + 1]);
                let mut document = self.document(&keys);
                let all = document["keys"].as_array_mut().expect("an array");
                all.push(all[0].clone());
                all.push(json!({"kty": "EC", "kid": "e", "crv": "P-256"}));
                all.push(Value::Null);
                (document, Content::Keys(keys))
            }
            13 => (json!({ "keys": [] }), Content::Useless),
            14 => (
                json!({ "keys": [{"kty": "oct", "kid": "o", "k": "AA"}] }),
                Content::Useless,
            ),
            _ => (json!(["keys"]), Content::Useless),
        }
    }

    /// A discovery document: its key set at this server, or somewhere that is not followed.
    fn discovery(&mut self) -> (Value, Content) {
        let origin = format!("https://{}", self.peer.address);
        let (uri, content) = match self.random.u8(..10) {
            0..5 => (format!("{origin}/keys"), Content::At("/keys")),
            5 => (format!("{origin}/keys#a-fragment"), Content::At("/keys")),
            6 => (origin.replace("https", "http") + "/keys", Content::Useless),
            7 => {
                let elsewhere = format!("https://{}/keys", self.elsewhere.address);
                (elsewhere, Content::Useless)
            }
            8 => ("/keys".to_owned(), Content::Useless),
            _ => (origin.replace("//", "//user@") + "/keys", Content::Useless),
        };
        (json!({ "issuer": ISSUER, "jwks_uri": uri }), content)
    }

    /// One request's answer, of this row of the openings or another genuine one.
    fn hop(&mut self, opening: Option<usize>, manner: Manner) -> Hop {
        let (opening_name, trust, opening) = self.openings.draw(opening, &mut self.random);
        let must_fail = trust == Trust::Stranger
            || !matches!(
                manner.worth,
                Worth::Whole | Worth::Perhaps | Worth::Confirms
            );
        let (document, content) = if manner.worth == Worth::Perhaps {
            let keys = set([self.current, self.current + 1]);
            (self.document(&keys), Content::Keys(keys))
        } else if must_fail && self.random.u8(..4) > 0 {
            let lure = self.lure();
            (self.document(&lure), Content::Keys(lure))
        } else if manner.worth == Worth::Whole && self.random.u8(..5) == 0 {
            self.discovery()
        } else {
            self.genuine()
        };
        let (etag, etag_line) = self.etag();
        let (max_age, cache_line) = draw(&mut self.random, &MAX_AGES);
        let (retry_after, retry_line) = retry_after(&mut self.random, manner.worth);
        Hop {
            opening_name,
            trust,
            opening,
            manner,
            draft: Draft {
                headers: etag_line + cache_line + retry_line,
                body: document.to_string().into(),
                ..Draft::default()
            },
            content,
            etag,
            max_age,
            retry_after,
        }
    }

    /// A tag to remember, and the header lines.
    fn etag(&mut self) -> (Option<String>, String) {
        let tag = match self.random.u8(..8) {
            0 | 1 => return (None, String::new()),
            // The same for other content.
            2 => "\"same\"".to_owned(),
            3 => "W/\"same\"".to_owned(),
            4 => format!("\"{:x}\"", self.random.u64(..)),
            5 => format!("\"{}\"", "x".repeat(510)),
            6 => return (None, format!("etag: \"{}\"\r\n", "x".repeat(511))),
            _ => return (None, "etag: \"\u{e9}\"\r\n".to_owned()),
        };
        let line = format!("etag: {tag}\r\n");
        (Some(tag), line)
    }

    /// A fetch for some reason, of whose answers the first is this one.
    async fn step(&mut self, hop: Hop) {
        let mut hops = vec![hop];
        if matches!(hops[0].content, Content::At(_)) {
            let rows = manners();
            let manner = rows.into_iter().filter(|row| row.worth != Worth::Perhaps);
            let mut rows: Vec<_> = manner.collect();
            let manner = rows.swap_remove(self.random.usize(..rows.len()));
            let manner = if self.random.bool() { WELL } else { manner };
            let mut second = self.hop(None, manner);
            // A second discovery document is not followed.
            if matches!(second.content, Content::At(_)) {
                second.content = Content::Useless;
            }
            hops.push(second);
        }
        let now = self.now();
        let cause = match self.random.u8(..4) {
            // It fetches nothing by itself before it is used.
            n if self.is_new && self.model.keys.is_empty() => {
                if n < 2 && self.model.failures == 0 {
                    Cause::Request
                } else {
                    Cause::Operator
                }
            }
            0 => Cause::Operator,
            1 if self.model.may_be_asked().1.max(now) < self.model.next.0 => Cause::Request,
            _ => Cause::Background,
        };
        // Now and then the machine sleeps.
        let late = if cause == Cause::Background && self.random.u8(..16) == 0 {
            secs(self.random.u64(..2400))
        } else {
            Duration::ZERO
        };
        self.fetch(cause, hops, late).await;
    }

    async fn fetch(&mut self, cause: Cause, hops: Vec<Hop>, late: Duration) {
        let what = format!(
            "{cause:?}: {:?}",
            hops.iter()
                .map(|hop| (
                    hop.opening_name,
                    hop.manner.name,
                    &hop.content,
                    &hop.draft.headers
                ))
                .collect::<Vec<_>>()
        );
        let (before, heads) = {
            let seen = self.peer.seen();
            (seen.connections, seen.heads.len())
        };
        self.peer.plan(hops.iter().map(Hop::plan));
        let lure = self.plain(WELL, &self.lure());
        self.elsewhere.plan([lure.plan()]);
        let signals = (self.peer.stalls(), self.peer.delays());

        self.let_it_come(cause, late, before, &what).await;
        let started = self.now();
        self.model.expire(started);
        let effects = self.effects(cause, started, &hops);

        let outcome = self.end_of_fetch(cause, before, signals, &what).await;
        self.is_new = false;
        let ended = self.now();
        assert!(ended <= started + FETCH_TIMEOUT, "{what}");

        // What it did.
        let succeeded = match outcome {
            "unknown_key" => true,
            "keys_unavailable" => false,
            other => panic!("{other}: {what}"),
        };
        let effect = effects
            .into_iter()
            .find(|effect| succeeded != matches!(effect, Effect::Failed { .. }));
        let effect = effect.unwrap_or_else(|| {
            let why = self.auth.health().issuers[0].state.last_error().cloned();
            panic!("{outcome}, {why:?}: {what}")
        });
        self.heads(cause, started, &hops, heads, &effect, &what);
        self.model.happen(started, ended, &effect);
        self.model.expire(ended);
        self.counts.add(match effect {
            Effect::Taken { .. } => "fetches: taken",
            Effect::Confirmed { .. } => "fetches: confirmed",
            Effect::Failed { .. } => "fetches: failed",
        });
        for hop in &hops {
            self.counts.behaved(hop.opening_name, hop.manner.name);
        }
        self.compare(&what).await;
        {
            let seen = self.peer.seen();
            assert_eq!(seen.unexpected, 0, "another connection: {what}");
            let elsewhere = self.elsewhere.seen().connections;
            assert_eq!(elsewhere, 0, "another server was asked: {what}");
        }
    }

    /// Lets time pass until the fetch is due. Nothing comes before.
    async fn let_it_come(&mut self, cause: Cause, late: Duration, before: usize, what: &str) {
        let now = self.now();
        let due = match cause {
            Cause::Operator => now,
            Cause::Request => self.model.may_be_asked().1.max(now),
            Cause::Background => self.model.next.1.max(now) + late,
        };
        let quiet_until = match cause {
            Cause::Background => self.model.next.0,
            Cause::Request => self.model.may_be_asked().0,
            Cause::Operator => due,
        };
        let quiet = quiet_until.saturating_sub(now + millis(1));
        let is_told_to_wait = !self.model.asked_to_wait.is_zero();
        if !quiet.is_zero() && (is_told_to_wait || self.random.u8(..4) == 0) {
            self.clock.advance(quiet);
            if self.now() < self.model.may_be_asked().0 {
                // Nor does it for a stranger's token.
                assert_ne!(verdict(&self.auth, &self.unknown).await, "ok");
            }
            settle().await;
            assert_eq!(self.peer.seen().connections, before, "too early: {what}");
            self.counts.add("waits in which nothing came");
        }
        self.clock.advance(due.saturating_sub(self.now()));
    }

    /// Has the fetch take place, where it does not by itself; how it went.
    async fn end_of_fetch(
        &self,
        cause: Cause,
        before: usize,
        (mut stalls, mut delays): (watch::Receiver<usize>, watch::Receiver<usize>),
        what: &str,
    ) -> &'static str {
        let unknown = self.unknown.clone();
        // It causes no fetch, but a successor begins to refresh its keys with its first use.
        let known = self.model.keys.first_key_value();
        let known = known.map_or_else(String::new, |(kid, key)| token(&self.material[*key], kid));
        let auth = self.auth.clone();
        let asked = tokio::spawn(async move {
            match cause {
                Cause::Operator => drop(auth.refresh().await),
                Cause::Request => drop(auth.verify(&unknown).await),
                Cause::Background => drop(auth.verify(&known).await),
            }
        });
        let came = tokio::time::timeout(secs(30), self.peer.connected(before + 1)).await;
        assert!(came.is_ok(), "no fetch comes: {what}, {:?}", self.model);
        let ended = async {
            loop {
                tokio::select! {
                    biased;
                    outcome = self.outcome() => break outcome,
                    changed = stalls.changed() => {
                        changed.expect("the peer is alive");
                        self.clock.advance(FETCH_TIMEOUT);
                    }
                    changed = delays.changed() => {
                        changed.expect("the peer is alive");
                        self.clock.advance(secs(2));
                        self.peer.proceed();
                    }
                }
            }
        };
        let outcome = tokio::time::timeout(secs(30), ended).await;
        let outcome = outcome.unwrap_or_else(|_| panic!("this fetch never ends: {what}"));
        soon(asked).await.expect("no panic");
        outcome
    }

    /// How the last fetch went; waits for its end where it is under way.
    async fn outcome(&self) -> &'static str {
        let verified = self.auth.verify(&self.unknown).await;
        verified.expect_err("nobody's key").kind().as_str()
    }

    /// What this fetch may do, by the rules.
    fn effects(&self, cause: Cause, now: Duration, hops: &[Hop]) -> Vec<Effect> {
        let failed = Effect::Failed { retry_after: None };
        let mut path = "/main";
        for hop in hops {
            if hop.trust == Trust::Stranger {
                return vec![failed];
            }
            let is_conditional = self.model.condition(cause, now, path).is_some();
            let max_age = hop.max_age;
            match hop.manner.worth {
                Worth::Confirms if is_conditional => return vec![Effect::Confirmed { max_age }],
                Worth::Nothing | Worth::Confirms => return vec![failed],
                Worth::Refuses(_) => {
                    let retry_after = hop.retry_after;
                    return vec![Effect::Failed { retry_after }];
                }
                Worth::Whole | Worth::Perhaps => {}
            }
            match &hop.content {
                Content::At(there) => path = there,
                Content::Useless => return vec![failed],
                Content::Keys(keys) => {
                    let taken = Effect::Taken {
                        keys: keys.clone(),
                        validator: hop.etag.clone().map(|etag| (path, etag)),
                        max_age,
                    };
                    let mut effects = vec![taken];
                    effects.extend((hop.manner.worth == Worth::Perhaps).then_some(failed));
                    return effects;
                }
            }
        }
        unreachable!("a discovery document is followed by another answer")
    }

    /// What was asked: no more than it takes, of nobody else, and with the right condition.
    fn heads(
        &self,
        cause: Cause,
        started: Duration,
        hops: &[Hop],
        before: usize,
        effect: &Effect,
        what: &str,
    ) {
        let seen = self.peer.seen();
        let heads = &seen.heads[before..];
        let mut path = "/main";
        for (head, hop) in heads.iter().zip(hops) {
            let line = format!("GET {path} HTTP/1.1\r\n");
            assert!(head.starts_with(&line), "{head}: {what}");
            let accept = "\r\naccept: application/jwk-set+json, application/json, */*;q=0.1\r\n";
            assert!(head.contains(accept), "{head}: {what}");
            let asked = head
                .lines()
                .find_map(|line| line.strip_prefix("if-none-match: "));
            let condition = self.model.condition(cause, started, path);
            assert_eq!(asked, condition, "{what}");
            let is_fresh = head.contains("\r\ncache-control: no-cache\r\n");
            if cause != Cause::Background {
                assert!(is_fresh && asked.is_none(), "{head}: {what}");
            }
            assert_eq!(hop.trust, Trust::Genuine, "a stranger was asked: {what}");
            if let Content::At(there) = hop.content {
                path = there;
            }
        }
        let is_followed = hops.len() == 2
            && matches!(hops[0].content, Content::At(_))
            && hops[0].manner.worth == Worth::Whole
            && hops[0].trust == Trust::Genuine;
        if hops.len() == 2 && !is_followed {
            assert_eq!(self.peer.left(), 1, "{what}");
        } else {
            assert_eq!(self.peer.left(), 0, "{what}");
        }
        assert!(heads.len() <= hops.len(), "{effect:?}: {what}");
        let overheard = String::from_utf8_lossy(&seen.overheard);
        assert!(!overheard.contains("GET "), "asked in the clear: {what}");
    }

    /// Each token against what must be trusted.
    async fn compare(&mut self, what: &str) {
        let now = self.now();
        let n = self.current;
        let mut asked: Vec<(String, usize)> = Vec::new();
        for number in n.saturating_sub(3)..=n + 1 {
            let kid = format!("key-{number}");
            asked.push((kid.clone(), number % KEYS));
            asked.push((kid.clone(), (number + 3) % KEYS));
            asked.push((kid, STRANGERS));
        }
        asked.push(("strangers".to_owned(), STRANGERS));
        for (kid, key) in asked {
            let is_trusted = self.model.keys.get(&kid) == Some(&key);
            let material = &self.material[key];
            let name = (kid, key);
            let known = self.tokens.entry(name.clone());
            let known = known.or_insert_with(|| token(material, &name.0)).clone();
            let shown = verdict(&self.auth, &known).await;
            assert_eq!(shown == "ok", is_trusted, "{name:?} is {shown}: {what}");
            self.counts.add("verdicts compared");
            if is_trusted {
                self.counts.add("genuine pushes accepted");
                // One that is in no cache.
                let fresh = token(material, &name.0);
                assert_eq!(verdict(&self.auth, &fresh).await, "ok", "{name:?}: {what}");
            }
        }
        self.tokens.retain(|(kid, _), _| {
            let number = kid
                .strip_prefix("key-")
                .and_then(|number| number.parse().ok());
            number.is_none_or(|number: usize| number + 3 >= n)
        });
        assert_eq!(keys(&self.auth), self.model.keys.len(), "{what}");
        assert_eq!(state(&self.auth).as_str(), self.model.state(now), "{what}");
    }

    /// Ends it, and waits until the last connection is closed.
    pub(crate) async fn end(self) -> Counts {
        let Self {
            peer,
            auth,
            mut counts,
            ..
        } = self;
        drop(auth);
        eventually("all connections are closed", || peer.seen().open == 0).await;
        let seen = peer.seen();
        counts.set("connections", seen.connections);
        counts.set("requests", seen.heads.len());
        drop(seen);
        counts
    }
}

/// For the keys at this peer.
fn builder(peer: &Peer, ca_file: &Path, clock: &ManualClock) -> GoAuthBuilder {
    GoAuth::builder()
        .issuer(ISSUER)
        .audience("ZKT")
        .jwks_url(format!("https://{}/main", peer.address))
        .network(Network::new().ca_file(ca_file))
        .clock(clock.clone())
        .configure(|it| it.refresh_interval = INTERVAL)
        .configure(|it| it.cooldown = COOLDOWN)
        .configure(|it| it.key_wait = millis(10))
        // By the machine's time, which says nothing here.
        .configure(|it| it.connect_timeout = secs(60))
        .configure(|it| it.fetch_timeout = FETCH_TIMEOUT)
        .configure(|it| it.max_stale = MAX_STALE)
        .configure(|it| it.max_document_bytes = ROOM)
}

/// The keys of these numbers.
fn set(numbers: impl IntoIterator<Item = usize>) -> Set {
    let kid = |number: usize| (format!("key-{number}"), number % KEYS);
    numbers.into_iter().map(kid).collect()
}

/// A token that is good for ever, issued long ago.
fn token(key: &SigningKey, kid: &str) -> String {
    let mint = Mint::new(key.clone(), kid, ISSUER, "ZKT");
    let mint = mint.at(derbysoft_go_auth::clock::UnixTime::from_secs(1_600_000_000));
    mint.expires_in(7_000_000_000).token()
}

/// `max-age`, and the header lines.
const MAX_AGES: [(Option<u64>, &str); 12] = [
    (None, ""),
    (None, ""),
    (None, "cache-control: no-store\r\n"),
    (Some(0), "cache-control: max-age=0\r\n"),
    (
        Some(31),
        "cache-control: public, max-age=31, must-revalidate\r\n",
    ),
    (Some(120), "CACHE-CONTROL: MAX-AGE=\"120\"\r\n"),
    (
        Some(31_536_000),
        "cache-control: max-age=31536000, immutable\r\n",
    ),
    (
        Some(60),
        "cache-control: max-age=60\r\ncache-control: max-age=9\r\n",
    ),
    (None, "cache-control: max-age=-1\r\n"),
    (None, "cache-control: max-age=99999999999999999999\r\n"),
    (None, "cache-control: s-maxage=1, x-max-age=2\r\n"),
    (None, "cache-control: max-age\r\nage: 7\r\nexpires: 0\r\n"),
];

/// `Retry-After` as it must be heeded, and the header lines: first those that count.
const RETRY_AFTERS: [(Option<u64>, &str); 9] = [
    (Some(7), "retry-after: 7\r\n"),
    (Some(45), "retry-after: 45\r\n"),
    (Some(60), "retry-after: 86400\r\n"),
    (Some(60), "retry-after: 99999999999999999999999\r\n"),
    (
        Some(30),
        "date: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:50:07 GMT\r\n",
    ),
    (Some(0), "retry-after: 0\r\n"),
    (None, "retry-after: -5\r\n"),
    (None, "retry-after: soon\r\n"),
    (None, "retry-after: Sun, 06 Nov 1994 08:50:07 GMT\r\n"),
];

/// What an answer of this worth asks to wait, and the header lines.
pub(crate) fn retry_after(random: &mut fastrand::Rng, worth: Worth) -> (Option<u64>, &'static str) {
    match worth {
        Worth::Refuses(429) => draw(random, &RETRY_AFTERS[..5]),
        Worth::Refuses(503) => draw(random, &RETRY_AFTERS),
        _ => (None, ""),
    }
}

fn draw(
    random: &mut fastrand::Rng,
    rows: &[(Option<u64>, &'static str)],
) -> (Option<u64>, &'static str) {
    rows[random.usize(..rows.len())]
}
