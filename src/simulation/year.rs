//! What happens in the world, at random, and the process that lives in it.

use std::future::poll_fn;
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use fastrand::Rng;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinSet, yield_now};
use tokio::time::Instant;

use super::access::Access;
use super::foreign::Foreign;
use super::go::{self, AUDIENCE, Go, Token};
use super::seen::{COOLDOWN, FETCH_TIMEOUT, KEY_WAIT, LEEWAY, Seen, Terms};
use super::server::{self, Front, HOST, Place, Source, State};
use super::time::{At, Time};
use super::world::{Issuer, MAX_WAITING, Shared, World, lock};
use super::{file, gateway};
use crate::GoAuth;
use crate::access_token::Api;
use crate::clock::UnixTime;
use crate::config::IssuerConfig;
use crate::file::detached::simulated::set_disk;
use crate::keys::simulated::set_witness;
use crate::net::client::simulated::set_network;
use crate::outbound::Gateway;

/// How often each thing happened.
pub(super) type Tally = std::collections::BTreeMap<&'static str, u64>;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: u64 = 86_400;

/// Which issuers there are, and whose keys are in a file.
const WITH_FILE: [&[bool]; 10] = [
    &[false],
    &[false],
    &[false],
    &[false],
    &[false, false],
    &[false, false],
    &[false, false],
    &[true],
    &[false, true],
    &[true, false, false],
];

/// How long a snapshot is waited for.
const SNAPSHOT_WAIT: Duration = Duration::from_secs(1);

/// How long it may take to notice that nobody drives a task: 10 s after the step that is
/// missing, which is due within a second, and then the next use.
const UNNOTICED: Duration = Duration::from_secs(11 + 60 + 1);

/// How long and how eventful a history is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) minutes: u64,
    /// The mean time between two events of a kind is so many times that in a dense history.
    pub(super) rarer: u64,
    /// The longest trouble, in minutes.
    pub(super) trouble: u64,
}

/// Two hours in which everything happens.
pub(super) const DENSE: Scale = Scale {
    minutes: 2 * 60,
    rarer: 1,
    trouble: 60,
};

/// A year as it may be.
pub(super) const YEAR: Scale = Scale {
    minutes: 365 * 24 * 60,
    rarer: 48,
    trouble: 3 * 24 * 60,
};

#[derive(Debug, Clone)]
pub(super) enum Event {
    /// Somebody sends a token.
    Push(Token),
    /// As many strangers at once, with names of keys that nobody has.
    Flood(u64),
    /// Something of one issuer.
    Of(usize, Change),
    Step,
    StepBack,
    Suspend,
    Restart,
    Reload,
    Refresh,
    Distrust,
    TrustAgain,
    Log(bool),
    Disk(Duration),
    Snapshots(bool),
    /// Another process, whose first runtime is not driven; it goes on existing, or does not.
    Lose(bool),
    PushAccessToken,
    ChangeAccessTokens,
    /// The supplier calls GO.
    Call,
    RotatePair,
    RevokeTokens,
    TokenTrouble,
    TokenHeal,
}

/// What happens to an issuer's keys, and to where they are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    Rotate,
    /// GO signs with this key from now on, and withdraws the previous one so much later.
    Sign(usize, Duration),
    Withdraw(usize),
    PublishAgain,
    ReplaceMaterial,
    Trouble,
    Heal,
    Front,
    MaxAge,
}

type Drawn = fn(&mut World) -> Event;

/// What happens on average once in so many minutes of a dense history.
const OFTEN: [(u64, Drawn); 23] = [
    (25, |world| Event::Flood(world.rng.u64(1..160))),
    (35, |world| Event::Of(world.any(), Change::Rotate)),
    (90, |world| Event::Of(world.any(), Change::PublishAgain)),
    (120, |world| Event::Of(world.any(), Change::ReplaceMaterial)),
    (25, |world| Event::Of(world.any(), Change::Trouble)),
    (60, |world| Event::Of(world.any(), Change::Front)),
    (80, |world| Event::Of(world.any(), Change::MaxAge)),
    (100, |_| Event::Step),
    (100, |_| Event::Suspend),
    (80, |_| Event::Restart),
    (60, |_| Event::Reload),
    (60, |_| Event::Refresh),
    (150, |_| Event::Distrust),
    (60, |_| Event::Log(true)),
    (30, |_| Event::Log(false)),
    (120, |world| {
        Event::Disk(Duration::from_millis(world.rng.u64(0..3000)))
    }),
    (60, |_| Event::Disk(Duration::ZERO)),
    (90, |world| Event::Snapshots(world.rng.bool())),
    (120, |world| Event::Lose(world.rng.bool())),
    (20, |_| Event::ChangeAccessTokens),
    (90, |_| Event::RotatePair),
    (60, |_| Event::RevokeTokens),
    (40, |_| Event::TokenTrouble),
];

/// A runtime that nobody drives. Dropped, it ends without waiting for anything.
struct Lost(Option<Runtime>);

impl Drop for Lost {
    fn drop(&mut self) {
        self.0.take().expect("only now").shutdown_background();
    }
}

/// A history, and the process in it.
struct Year {
    world: Shared,
    scale: Scale,
    /// Between two refreshes from an address.
    interval: Duration,
    auth: Option<GoAuth>,
    gateway: Option<Gateway>,
    /// What requests are under way.
    requests: JoinSet<()>,
    lost: Option<Lost>,
    foreign: Foreign,
    directory: TempDir,
}

/// Lives through the history of this seed. What was counted; or the last notes, if a promise
/// was broken.
pub(super) fn live(seed: u64, scale: Scale, prints: bool) -> Result<Tally, String> {
    // Its name is random, and must not be by the seed.
    let memory = Path::new("/dev/shm");
    let directory = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    let directory = directory.expect("a directory");
    go::make_materials();
    fastrand::seed(seed);
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let foreign = Foreign::default();
    let result = tracing::dispatcher::with_default(&foreign.log(), || {
        metrics::with_local_recorder(&foreign.recorder(), || {
            runtime.block_on(Year::new(seed, scale, prints, foreign.clone(), directory).run())
        })
    });
    set_network(None);
    set_witness(None);
    set_disk(None);
    result
}

impl Year {
    fn new(seed: u64, scale: Scale, prints: bool, foreign: Foreign, directory: TempDir) -> Self {
        let time = Time::new();
        let mut rng = Rng::with_seed(seed ^ 0x5eed);
        let secs = Duration::from_secs;
        let interval = secs(rng.choice([30, 60, 300, 300]).expect("one"));
        let max_stale = secs(rng.choice([1800, 3600, DAY]).expect("one"));
        let (interval, max_stale) = if scale.rarer == 1 {
            (interval, max_stale)
        } else {
            (secs(300), secs(DAY))
        };
        let now = time.now();
        let snapshots = directory.path().join("snapshots");
        std::fs::create_dir(&snapshots).expect("a directory");
        let with_file = rng.choice(WITH_FILE).expect("one");
        let issuers = with_file.iter().enumerate().map(|(number, in_file)| {
            let (place, terms) = if *in_file {
                let path = directory.path().join(format!("keys-{number}.json"));
                (Place::File(path), Terms::of_file(max_stale))
            } else {
                let path = server::path(number, rng.u8(0..4) == 0);
                let terms = Terms::of_address(interval, max_stale);
                (Place::Address(path), terms)
            };
            let has_snapshot = !in_file && rng.u8(0..3) > 0;
            Issuer {
                go: Go::new(number, now),
                source: Source::new(place),
                seen: Seen::new(terms),
                snapshot: has_snapshot.then(|| snapshots.join(format!("keys-{number}.json"))),
            }
        });
        let issuers: Vec<_> = issuers.collect();
        let mut world = World::new(time, Rng::with_seed(seed), issuers, prints);
        for issuer in 0..world.issuers.len() {
            world.rewrites(issuer);
        }
        let tokens = directory.path().join("tokens.toml");
        let has_tokens = rng.u8(0..3) == 0;
        world.access = has_tokens.then(|| Access::new(tokens, now, &mut rng));
        let world = Arc::new(Mutex::new(world));
        let network = Arc::clone(&world);
        set_network(Some(Arc::new(move |request| {
            Box::pin(server::answer(Arc::clone(&network), request))
        })));
        let reader = Arc::clone(&world);
        set_witness(Some(Box::new(move |path| file::witness(&reader, path))));
        set_disk(Some(Duration::ZERO));
        Self {
            world,
            scale,
            interval,
            auth: None,
            gateway: None,
            requests: JoinSet::new(),
            lost: None,
            foreign,
            directory,
        }
    }

    async fn run(mut self) -> Result<Tally, String> {
        self.start(None).await;
        for minute in 0..self.scale.minutes {
            self.plan();
            let end = Duration::from_secs((minute + 1) * 60);
            loop {
                let next = {
                    let mut world = lock(&self.world);
                    match world.agenda.first_entry() {
                        Some(entry) if entry.key().0 < end => Some((entry.key().0, entry.remove())),
                        _ => None,
                    }
                };
                let Some((at, event)) = next else { break };
                let time = lock(&self.world).time.clone();
                time.until(at).await;
                self.happens(event).await;
            }
            let time = lock(&self.world).time.clone();
            time.until(end).await;
            while self.requests.try_join_next().is_some() {}
            if let Some(auth) = &self.auth {
                let health = auth.health();
                lock(&self.world).check(&health);
            }
            if let Some(notes) = lock(&self.world).broken() {
                return Err(notes.to_owned());
            }
        }
        Ok(lock(&self.world).tally.clone())
    }

    /// What happens in the next minute.
    fn plan(&mut self) {
        let mut world = lock(&self.world);
        let at = |world: &mut World| Duration::from_millis(world.rng.u64(0..60_000));
        for (often, event) in OFTEN {
            if world.rng.u64(0..often * self.scale.rarer) == 0 {
                let (event, at) = (event(&mut world), at(&mut world));
                world.later(at, event);
            }
        }
        let pushes = match self.scale.rarer {
            _ if world.time.now().elapsed < world.quiet => 0,
            1 => 4,
            _ => 1,
        };
        for _ in 0..pushes {
            let at = at(&mut world);
            let token = world.somebodys();
            world.later(at, Event::Push(token));
            let at = Duration::from_millis(world.rng.u64(0..60_000));
            world.later(at, Event::PushAccessToken);
        }
        if world.rng.u8(0..3) == 0 {
            let at = at(&mut world);
            world.later(at, Event::Call);
        }
    }

    async fn happens(&mut self, event: Event) {
        match event {
            Event::Push(token) => self.push(token),
            Event::Flood(strangers) => {
                for _ in 0..strangers {
                    let token = lock(&self.world).strangers();
                    self.push(token);
                }
            }
            Event::Suspend => {
                let mut world = lock(&self.world);
                let by = Duration::from_secs(world.rng.u64(30..self.scale.trouble * 60));
                world.note(|| format!("the machine is suspended for {by:?}"));
                world.time.suspend(by);
                world.woke = world.time.now().elapsed;
                if world.rng.bool() {
                    world.quiet = world.woke + MINUTE * 10;
                }
                world.count("suspended");
            }
            Event::Restart => self.restart().await,
            Event::Reload => {
                lock(&self.world).note(|| "the settings are reloaded".to_owned());
                let previous = self.auth.take();
                self.lost = None;
                self.start(previous).await;
            }
            Event::Refresh => self.refresh(),
            Event::Distrust => {
                let kid = {
                    let mut world = lock(&self.world);
                    let of = world.any();
                    let kid = world.issuers[of].go.signs_with().0.to_string();
                    world.note(|| format!("{kid} is distrusted"));
                    world.distrust(&[&kid]);
                    let after = MINUTE * world.rng.u32(1..20);
                    world.later(after, Event::TrustAgain);
                    world.count("distrusted");
                    kid
                };
                if let Some(auth) = &self.auth {
                    auth.distrust_keys([kid]);
                }
            }
            Event::TrustAgain => {
                if let Some(auth) = &self.auth {
                    auth.distrust_keys([] as [&str; 0]);
                    lock(&self.world).distrust(&[]);
                }
            }
            Event::Log(fails) => self.foreign.fails(fails),
            Event::Disk(takes) => {
                lock(&self.world).disk_takes(takes);
                set_disk(Some(takes));
            }
            Event::Snapshots(can_be_written) => {
                let directory = self.directory.path().join("snapshots");
                let _ = if can_be_written {
                    std::fs::create_dir(directory)
                } else {
                    std::fs::remove_dir_all(directory)
                };
            }
            Event::PushAccessToken => self.push_access_token(),
            Event::Call => {
                if let Some(gateway) = self.gateway.clone() {
                    let world = Arc::clone(&self.world);
                    self.requests.spawn(gateway::call(world, gateway));
                }
            }
            Event::RotatePair => {
                if let Some(gateway) = &self.gateway {
                    let world = &mut *lock(&self.world);
                    let now = world.time.now();
                    let note = world.endpoint.rotates(gateway, now, &mut world.rng);
                    world.note(|| note);
                    world.count("client pairs");
                }
            }
            Event::Lose(goes_on) => self.lose(goes_on).await,
            event => lock(&self.world).happens(&event, self.scale),
        }
    }

    fn push(&mut self, token: Token) {
        let Some(auth) = self.auth.clone() else {
            return;
        };
        let world = Arc::clone(&self.world);
        let mut before = lock(&world).comes(&token);
        self.requests.spawn(async move {
            let mut verdict = pin!(auth.verify_for(&token.text, &Api::AVAILABILITY_PEER));
            let at_once = poll_fn(|cx| Poll::Ready(verdict.as_mut().poll(cx))).await;
            let verdict = if let Poll::Ready(verdict) = at_once {
                lock(&world).answers_at_once(&mut before);
                verdict
            } else {
                lock(&world).waits();
                let verdict = verdict.await;
                lock(&world).waiting -= 1;
                verdict
            };
            lock(&world).judged(&token, &before, &verdict.map(drop));
        });
    }

    fn push_access_token(&mut self) {
        let Some(auth) = self.auth.clone() else {
            return;
        };
        let world = Arc::clone(&self.world);
        let token = {
            let world = &mut *lock(&world);
            let Some(access) = &world.access else { return };
            access.token(&mut world.rng)
        };
        self.requests.spawn(async move {
            let verdict = auth.verify_for(&token, &Api::AVAILABILITY_PEER).await;
            let verdict = verdict.map(drop).map_err(|error| error.kind());
            lock(&world).judged_access_token(&token, verdict);
        });
    }

    /// A process ends, and another begins.
    async fn restart(&mut self) {
        (self.auth, self.gateway) = (None, None);
        self.lost = None;
        let down = {
            let mut world = lock(&self.world);
            let down = world.rng.u64(0..30) * world.rng.u64(0..30);
            world.note(|| format!("the process ends, for {down} s"));
            Duration::from_secs(down)
        };
        self.end_requests().await;
        tokio::time::sleep(down).await;
        self.start(None).await;
    }

    async fn end_requests(&mut self) {
        self.requests.shutdown().await;
        lock(&self.world).waiting = 0;
        // The tasks of a dropped handle end with the next turn.
        yield_now().await;
    }

    /// Builds a handle, which may take over from another, and uses it for the first time.
    async fn start(&mut self, previous: Option<GoAuth>) {
        let auth = {
            let mut world = lock(&self.world);
            let now = world.time.now();
            // Where nobody drives it, nobody knows when it is read; and after a step nobody
            // knows whether the predecessor has seen its keys expire.
            let is_known = match &previous {
                Some(_) => world.stepped == UnixTime::EPOCH,
                None => self.lost.is_none(),
            };
            let mut builder = GoAuth::builder()
                .clock(world.time.clone())
                .leeway(LEEWAY)
                .configure(|it| {
                    it.refresh_interval = self.interval;
                    it.max_stale = world.issuers[0].seen.terms.max_stale;
                    it.max_waiting = MAX_WAITING;
                    it.cooldown = COOLDOWN;
                    it.key_wait = KEY_WAIT;
                    it.fetch_timeout = FETCH_TIMEOUT;
                });
            for issuer in &world.issuers {
                builder = builder.another_issuer(issuer.settings(is_known));
            }
            world.process += 1;
            world.began = now.elapsed;
            match &previous {
                Some(previous) => {
                    builder = builder.successor_of(previous);
                    world.count("reloads");
                }
                None => world.count("starts"),
            }
            for issuer in 0..world.issuers.len() {
                let it = &mut world.issuers[issuer];
                it.seen = match &previous {
                    Some(_) => it.seen.succeeded(now),
                    None => Seen::new(it.seen.terms),
                };
                if is_known {
                    world.restores(issuer, now);
                }
            }
            if let Some(access) = &mut world.access {
                access.starts();
                builder = builder.access_tokens_file(access.path());
            }
            builder.build().expect("good settings")
        };
        drop(previous);
        self.end_requests().await;
        // Not within a reload, which is none for calls.
        if self.gateway.is_none() {
            let world = &mut *lock(&self.world);
            self.gateway = Some(world.endpoint.gateway(&world.time));
        }
        if let Some(Lost(Some(lost))) = &self.lost {
            let time = lock(&self.world).time.clone();
            time.freeze();
            let entered = lost.enter();
            auth.health();
            drop(entered);
            time.thaw();
        } else {
            auth.health();
        }
        self.auth = Some(auth);
        // The snapshot is read, or given up, before anybody comes.
        if !lock(&self.world).disk.is_zero() {
            tokio::time::sleep(SNAPSHOT_WAIT + Duration::from_millis(100)).await;
        }
        yield_now().await;
    }

    /// Another process, whose background tasks begin in a runtime that nobody drives; or that
    /// is shut down, which the next use notices.
    async fn lose(&mut self, goes_on: bool) {
        (self.auth, self.gateway) = (None, None);
        self.end_requests().await;
        let lost = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        // Its time is as late as ours.
        let now = Instant::now();
        let lost = std::thread::spawn(move || {
            let behind = now.saturating_duration_since(Instant::now());
            lost.block_on(tokio::time::advance(behind));
            lost
        });
        self.lost = Some(Lost(Some(lost.join().expect("a runtime"))));
        {
            let mut world = lock(&self.world);
            world.note(|| format!("nobody drives the runtime, and it goes on: {goes_on}"));
            world.undriven = world.time.now().elapsed + UNNOTICED;
            world.count("runtimes lost");
        }
        self.start(None).await;
        if !goes_on {
            self.lost = None;
            for issuer in &mut lock(&self.world).issuers {
                issuer.seen.was_stopped = true;
            }
        }
    }

    fn refresh(&mut self) {
        let Some(auth) = self.auth.clone() else {
            return;
        };
        let world = Arc::clone(&self.world);
        self.requests.spawn(async move {
            let began = lock(&world).refreshes();
            let refreshed = auth.refresh().await.is_ok();
            lock(&world).refreshed(refreshed, began);
        });
    }
}

/// The wrong clock of a machine, in seconds.
fn wrong_clock(rng: &mut Rng) -> i64 {
    let by = rng.i64(1..=4) * 10_i64.pow(rng.u32(0..8));
    if rng.bool() { by } else { -by }
}

impl Issuer {
    /// Of the handle for it.
    fn settings(&self, may_restore: bool) -> IssuerConfig {
        let mut settings = IssuerConfig::new(self.go.issuer(), AUDIENCE, "");
        match &self.source.place {
            Place::Address(path) => settings.jwks_url = format!("{HOST}{path}"),
            Place::File(path) => settings.jwks_file = Some(path.clone()),
        }
        settings.snapshot = self.snapshot.clone().filter(|_| may_restore);
        settings
    }
}

impl World {
    /// One of the issuers.
    fn any(&mut self) -> usize {
        self.rng.usize(0..self.issuers.len())
    }

    /// The operator trusts all keys but these.
    fn distrust(&mut self, kids: &[&str]) {
        for issuer in &mut self.issuers {
            issuer.seen.distrusted = kids.iter().map(ToString::to_string).collect();
        }
    }

    fn disk_takes(&mut self, takes: Duration) {
        let now = self.time.now();
        self.disk = takes;
        for issuer in &mut self.issuers {
            let state = issuer.source.state;
            issuer.source.becomes(state, takes, now.elapsed);
        }
    }

    /// A token of GO's, mostly; of a key that was withdrawn, or of a stranger.
    fn somebodys(&mut self) -> Token {
        let now = self.time.now();
        let (of, other) = (self.any(), self.any());
        let go = &mut self.issuers[of].go;
        let keys = go.keys.len();
        match self.rng.u8(0..20) {
            0..12 => go.token(go.signing, now),
            12 => {
                let published = |key: &usize| go.keys[*key].since.is_some();
                let key = (0..keys).rev().find(published).expect("one is");
                go.token(key, now)
            }
            // Whoever has stolen a key uses it soon after it was withdrawn.
            13..17 => {
                let key = keys - 1 - self.rng.usize(0..keys.min(4));
                go.token(key, now)
            }
            17 if of != other => {
                self.count("of another issuer's key");
                let [own, theirs] = [of, other].map(|it| self.issuers[it].go.signs_with().clone());
                let kid = if self.rng.bool() { own.0 } else { theirs.0 };
                self.issuers[of].go.crossed((kid, theirs.1), now)
            }
            17 => {
                let kid = go.signs_with().0.clone();
                go.forged(&kid, now.true_time)
            }
            _ => self.strangers(),
        }
    }

    /// A token of a key that nobody has: issued just now, or long ago.
    fn strangers(&mut self) -> Token {
        let ago = if self.rng.bool() {
            0
        } else {
            self.rng.u64(0..3000)
        };
        let issued = UnixTime::from_secs(self.time.now().true_time.as_secs() - ago);
        let (of, kid) = (self.any(), self.rng.u32(..));
        self.issuers[of].go.forged(&format!("{kid:08x}"), issued)
    }

    /// What a process that begins finds on its disk.
    fn restores(&mut self, issuer: usize, now: At) {
        if self.disk >= SNAPSHOT_WAIT {
            return;
        }
        let Issuer { snapshot, seen, .. } = &mut self.issuers[issuer];
        let Some((fetched, read, document)) = snapshot.as_deref().and_then(record) else {
            return;
        };
        let Some(document) = self.documents.get(&document).cloned() else {
            return;
        };
        let age = now.wall.saturating_since(UnixTime::from_secs(fetched));
        let is_ahead = fetched > now.wall.as_secs() + 60;
        if age < seen.terms.max_stale && !is_ahead {
            let read = read.saturating_add_signed(-self.time.skew());
            seen.restored(document, read, age, now);
            self.count("restored");
        }
    }

    /// An operator refreshes the keys: of which process, and when.
    fn refreshes(&mut self) -> (u64, At) {
        for issuer in &mut self.issuers {
            issuer.seen.ordered = true;
        }
        self.note(|| "an operator refreshes the keys".to_owned());
        (self.process, self.time.now())
    }

    /// An operator's refresh has ended.
    fn refreshed(&mut self, is_good: bool, (process, began): (u64, At)) {
        let now = self.time.now();
        self.note(|| format!("refreshed: {is_good}"));
        if !is_good || process != self.process {
            return;
        }
        self.count("refreshes");
        for issuer in 0..self.issuers.len() {
            let Issuer { go, seen, .. } = &self.issuers[issuer];
            let is_anew = (seen.held.as_ref()).is_some_and(|held| held.asked.is_after(began));
            let kept = go.keys.iter().find(|key| {
                let withdrawn = go.withdrawn(key);
                withdrawn.is_some_and(|withdrawn| withdrawn.elapsed < began.elapsed)
                    && seen.knows(&key.published, now)
            });
            let fault = match kept {
                _ if !is_anew => Err("a refresh counts that began before it was asked for".into()),
                Some(key) => Err(format!("{} counts after a refresh", key.published.0)),
                None => Ok(()),
            };
            self.must_of(issuer, fault);
        }
    }

    /// So many minutes at most, and as many short times as long ones.
    fn minutes(&mut self, most: u64) -> Duration {
        let most = most * 60;
        let most = most >> self.rng.u32(0..most.ilog2());
        Duration::from_secs(self.rng.u64(5..most.max(6)))
    }

    fn changes(&mut self, of: usize, change: Change, scale: Scale) {
        let now = self.time.now();
        let Issuer { go, source, .. } = &mut self.issuers[of];
        match change {
            Change::Rotate => {
                let key = go.publish(now);
                let old = go.signing;
                let overlap = self.rng.bool();
                let kid = go.keys[key].published.clone();
                if !overlap {
                    go.signing = key;
                    go.withdraw(old, now);
                }
                self.note_of(of, || {
                    format!("{kid:?} is published, with overlap: {overlap}")
                });
                self.count("rotations");
                if overlap {
                    let (sign, withdraw) = (self.minutes(30), self.minutes(60));
                    self.later(sign, Event::Of(of, Change::Sign(key, withdraw)));
                } else {
                    // GO goes on sending, and the cooldown passes meanwhile.
                    let token = self.issuers[of].go.token(key, now);
                    for _ in 0..6 {
                        let after = Duration::from_millis(self.rng.u64(1..13_000));
                        self.later(after, Event::Push(token.clone()));
                    }
                }
            }
            Change::Sign(key, after) => {
                if go.keys[key].since.is_some() && key > go.signing {
                    let old = std::mem::replace(&mut go.signing, key);
                    self.later(after, Event::Of(of, Change::Withdraw(old)));
                }
            }
            Change::Withdraw(key) => {
                if key != go.signing {
                    let kid = go.keys[key].published.clone();
                    go.withdraw(key, now);
                    self.note_of(of, || format!("{kid:?} is withdrawn"));
                }
            }
            Change::PublishAgain => {
                let keys = go.keys.len();
                let key = keys - 1 - self.rng.usize(0..keys.min(4));
                go.publish_again(key, now);
                self.later(MINUTE * 10, Event::Of(of, Change::Withdraw(key)));
            }
            Change::ReplaceMaterial => {
                go.replace_material(now);
                self.note_of(of, || "new material under the old name".to_owned());
            }
            Change::Trouble => {
                let state = if source.is_file() {
                    self.count("troubles of a file");
                    let states = [
                        State::Down,
                        State::NotJson,
                        State::EmptySet,
                        State::Half,
                        State::Elsewhere,
                        State::Writable,
                    ];
                    self.rng.choice(states).expect("one")
                } else {
                    self.count("troubles");
                    self.trouble()
                };
                let lasts = self.minutes(scale.trouble);
                self.note_of(of, || format!("{state:?}, for {lasts:?}"));
                let source = &mut self.issuers[of].source;
                source.becomes(state, self.disk, now.elapsed);
                self.later(lasts, Event::Of(of, Change::Heal));
            }
            Change::Heal => {
                source.becomes(State::Well, self.disk, now.elapsed);
                self.note_of(of, || "all is well".to_owned());
            }
            // Nothing is in front of a file.
            Change::Front | Change::MaxAge if source.is_file() => {}
            Change::Front => {
                source.front = match self.rng.u8(0..5) {
                    0 => Front::Frozen,
                    1 => Front::Cache {
                        keeps: Duration::from_secs(self.rng.u64(10..3600)),
                        stored: None,
                    },
                    other => Front::Direct {
                        has_etag: other < 4,
                    },
                };
                source.changed = now.elapsed;
                let front = format!("in front: {:?}", source.front);
                self.note_of(of, || front);
            }
            Change::MaxAge => {
                source.max_age = self.rng.bool().then(|| self.rng.u64(0..400));
                source.changed = now.elapsed;
            }
        }
        self.rewrites(of);
    }

    /// What may become of a key address.
    fn trouble(&mut self) -> State {
        let secs = self.rng.u64(0..100);
        let millis = Duration::from_millis(self.rng.u64(300..4900));
        let states = [
            State::Slow(millis),
            State::Slow(millis),
            State::Down,
            State::Hanging,
            State::Status(500, None),
            State::Status(503, Some(secs)),
            State::Status(429, Some(secs)),
            State::NotJson,
            State::EmptySet,
            State::Half,
            State::Elsewhere,
        ];
        self.rng.choice(states).expect("one")
    }

    fn happens(&mut self, event: &Event, scale: Scale) {
        let now = self.time.now();
        match *event {
            Event::Of(issuer, change) => self.changes(issuer, change, scale),
            Event::ChangeAccessTokens => {
                let (takes, undriven) = (self.disk, self.undriven);
                if let Some(access) = &mut self.access
                    && let Some(note) = access.changes(now, takes, undriven, &mut self.rng)
                {
                    self.note(|| note);
                    self.count("changes of Access Tokens");
                }
            }
            Event::RevokeTokens => self.endpoint.revokes_tokens(),
            Event::TokenTrouble => {
                let secs = self.rng.u64(0..100);
                let states = [
                    State::Slow(Duration::from_millis(secs * 45)),
                    State::Down,
                    State::Hanging,
                    State::Status(503, Some(secs)),
                    State::NotJson,
                ];
                let state = self.rng.choice(states).expect("one");
                self.note(|| format!("the token endpoint: {state:?}"));
                self.endpoint.becomes(state, now.elapsed);
                let lasts = self.minutes(scale.trouble);
                self.later(lasts, Event::TokenHeal);
            }
            Event::TokenHeal => self.endpoint.becomes(State::Well, now.elapsed),
            Event::Step => {
                let by = wrong_clock(&mut self.rng);
                self.step(by);
                let lasts = self.minutes(60) + MINUTE * 3;
                self.later(lasts, Event::StepBack);
            }
            Event::StepBack => self.step(0),
            _ => {}
        }
    }

    fn step(&mut self, skew: i64) {
        let now = self.time.now();
        self.note(|| format!("the wall clock is wrong by {skew} s"));
        if self.time.skew() > 25 || skew > 25 {
            self.ahead = Some(now.elapsed);
        }
        self.time.set_skew(skew);
        self.stepped = now.true_time;
        self.count("steps of the clock");
    }
}

/// Of a snapshot: when it was fetched and read, and its document.
fn record(path: &Path) -> Option<(u64, u64, String)> {
    let record: serde_json::Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    Some((
        record["fetched_at"].as_u64()?,
        record["read_at"].as_u64()?,
        record["document"].as_str()?.to_owned(),
    ))
}
