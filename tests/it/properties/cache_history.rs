//! A verdict from the token cache is the verdict without one, whatever happened
//! in between: time that goes on or back, keys that are withdrawn, come back,
//! change under their name, are new or grow too old, tokens that take each
//! other's place, and forgeries that end as a cached token does.
//!
//! All handles agree about GO: they fetch at the same moments, and what their
//! background tasks would do in a random order (an early refresh, dropping old
//! keys during an outage) does not occur in a history.

use std::cell::Cell;
use std::collections::HashMap;

use derbysoft_go_auth::GoAuth;
use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_simulator::Fault;
use proptest::prelude::*;
use serde_json::json;
use tokio::runtime::Runtime;

use test_support::forge::{encode, segments};
use test_support::property::{Tally, report, try_all};
use test_support::{World, millis, passive_runtime, refresh, secs, soon, verdict};

/// None, one that holds two tokens, one without a place for frequent tokens, and
/// the default.
const CACHES: [u64; 4] = [0, 4096, 65_536, 16_777_216];

/// How long keys verify without a refresh, so far that none is due before: the
/// longest there is.
const MAX_STALE: u64 = 7 * 86_400;

/// Past that, and within the life of some tokens.
const FAR: i64 = 8 * 86_400;

/// The lives of the tokens of each key, in seconds.
const LIVES: [i64; 3] = [300, 30 * 86_400, 60];

#[derive(Debug, Clone)]
enum Event {
    /// A token comes, or a forgery of it, so many times in a row.
    Look {
        token: usize,
        forged: bool,
        times: usize,
    },
    /// The wall clock is set to so many seconds after the start.
    StepTo(i64),
    /// So many seconds pass.
    Pass(u64),
    /// A key is withdrawn, or published again, or another takes its name.
    Retire(usize),
    Restore(usize),
    Replace(usize),
    /// GO signs with a new key, which nobody has fetched yet.
    Rotate,
    /// GO's key address fails, or works again.
    Outage(bool),
}

fn any_event() -> impl Strategy<Value = Event> {
    // Most often one of the first, so that they come again after whatever happens.
    let token = prop_oneof![3 => 0..4usize, 1 => 0..30usize];
    let times = prop_oneof![30 => 1..4usize, 1 => 120..150usize];
    let look = (token, prop::bool::weighted(0.15), times);
    prop_oneof![
        20 => look.prop_map(|(token, forged, times)| Event::Look { token, forged, times }),
        4 => prop_oneof![1 => -200..-80_i64, 4 => -80..500_i64, 1 => Just(FAR)]
            .prop_map(Event::StepTo),
        2 => (1..30u64).prop_map(Event::Pass),
        1 => (0..2usize).prop_map(Event::Retire),
        2 => (0..2usize).prop_map(Event::Restore),
        1 => (0..2usize).prop_map(Event::Replace),
        1 => Just(Event::Rotate),
        1 => any::<bool>().prop_map(Event::Outage),
    ]
}

/// GO with three keys, of which two come and go; its tokens, which end at
/// different times; and a handle for each cache.
struct Stage<'a> {
    world: World,
    kids: [String; 2],
    tokens: Vec<String>,
    auths: Vec<GoAuth>,
    start: UnixTime,
    far: bool,
    outage: bool,
    /// The verdict on each token when it last came, and how often it was that in a row.
    last: HashMap<String, (&'static str, u32)>,
    looks: u32,
    turns: &'a Tally,
}

impl<'a> Stage<'a> {
    async fn new(turns: &'a Tally) -> Self {
        let world = World::new().await;
        world.go.set_gzip(false);
        let kids = [world.go.signing_kid(), world.go.rotate()];
        world.go.rotate();
        let mut auths = Vec::new();
        for bytes in CACHES {
            let auth = world.ready_with(|builder| {
                builder
                    .configure(|it| it.refresh_interval = secs(MAX_STALE))
                    .configure(|it| it.max_stale = secs(MAX_STALE))
                    .configure(|it| it.token_cache_bytes = bytes)
                    // The clock stands still meanwhile: nobody may wait out a cooldown.
                    .configure(|it| it.key_wait = millis(10))
            });
            auths.push(auth.await);
        }
        let start = world.time();
        let mut stage = Self {
            world,
            kids: kids.clone(),
            tokens: Vec::new(),
            auths,
            start,
            far: false,
            outage: false,
            last: HashMap::new(),
            looks: 0,
            turns,
        };
        for kid in &kids {
            stage.issue(kid);
        }
        // Those of both keys in turn.
        let second = stage.tokens.split_off(LIVES.len());
        stage.tokens = (stage.tokens.into_iter().zip(second))
            .flat_map(<[String; 2]>::from)
            .collect();
        stage
    }

    /// Tokens of this key, good from a minute before the start, less the leeway.
    fn issue(&mut self, kid: &str) {
        let mint = self.world.go.mint_as(kid).at(self.start);
        let mint = mint.not_before_offset(-60);
        let tokens = LIVES.map(|life| mint.clone().expires_in(life).token());
        self.tokens.extend(tokens);
    }

    async fn happen(&mut self, event: &Event) {
        match event {
            Event::Look {
                token,
                forged,
                times,
            } => {
                let token = self.tokens[token % self.tokens.len()].clone();
                let token = if *forged { forgery(&token) } else { token };
                for _ in 0..*times {
                    self.look(&token).await;
                }
            }
            Event::StepTo(seconds) => {
                if *seconds < FAR || !self.outage {
                    self.far = *seconds == FAR;
                    let wall = self.start.as_secs().saturating_add_signed(*seconds);
                    self.world.clock.step_to(UnixTime::from_secs(wall));
                }
            }
            Event::Pass(seconds) => {
                self.world.clock.advance(secs(*seconds));
                // The background tasks check the clock, and sleep on.
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                if self.far {
                    self.refresh().await;
                }
            }
            Event::Retire(key) => {
                self.world.go.retire(&self.kids[*key]);
                self.refresh().await;
            }
            Event::Restore(key) => {
                self.world.go.restore(&self.kids[*key]);
                self.refresh().await;
            }
            Event::Replace(key) => {
                self.world.go.replace_material(&self.kids[*key]);
                self.refresh().await;
            }
            // Twice at most: keys take a while to make.
            Event::Rotate if self.tokens.len() >= 4 * LIVES.len() => {}
            Event::Rotate => {
                let kid = self.world.go.rotate();
                self.issue(&kid);
            }
            Event::Outage(true) if !self.far => {
                self.world.go.fail(Fault::Status(503));
                self.outage = true;
            }
            Event::Outage(_) => {
                self.world.go.heal();
                self.outage = false;
                self.refresh().await;
            }
        }
    }

    async fn refresh(&self) {
        for auth in &self.auths {
            // It fails during an outage, and the keys stay.
            let _ = refresh(auth).await;
        }
    }

    async fn look(&mut self, token: &str) {
        self.looks += 1;
        let without = verdict(&self.auths[0], token).await;
        for (auth, bytes) in self.auths.iter().zip(CACHES).skip(1) {
            assert_eq!(verdict(auth, token).await, without, "with {bytes} bytes");
        }
        let last = self.last.entry(token.to_owned()).or_insert((without, 0));
        let (before, times) = *last;
        if before == without {
            *last = (without, times + 1);
            return;
        }
        *last = (without, 1);
        // It is cached from the second time on.
        if before == "ok" && times >= 2 {
            self.turns.count(format!("remembered, then {without}"));
        } else if without == "ok" {
            self.turns.count("rejected, then ok");
        }
    }
}

/// Other claims under the signature of a token, by whose bytes it is cached.
fn forgery(token: &str) -> String {
    let [header, _, signature] = segments(token);
    let payload = encode(json!({"sub": "another"}).to_string());
    format!("{header}.{payload}.{signature}")
}

/// Plays these histories, each by itself, on a runtime whose only thread leaves a background task
/// when it has nothing left to do, and not before: none sees a step of the clock that another
/// does not.
struct Theatre {
    runtime: Runtime,
    looks: Cell<u32>,
    turns: Tally,
}

impl Theatre {
    fn new() -> Self {
        Self {
            runtime: passive_runtime(),
            looks: Cell::new(0),
            turns: Tally::default(),
        }
    }

    fn play(&self, history: &[Event]) {
        self.runtime.block_on(async {
            let mut stage = Stage::new(&self.turns).await;
            for event in history {
                soon(stage.happen(event)).await;
            }
            self.looks.set(self.looks.get() + stage.looks);
            // Which frees its keys, for the next one.
            drop(stage.auths);
            stage.world.go.stop().await;
        });
    }
}

#[test]
fn in_any_history_the_cache_changes_no_verdict() {
    let theatre = Theatre::new();
    let histories = prop::collection::vec(any_event(), 1..100);
    try_all("cache", 20, histories, |history| {
        theatre.play(&history);
        Ok(())
    });
    let rejected = [
        "expired",
        "not_yet_valid",
        "key_pending",
        "signature",
        "keys_unavailable",
    ];
    let forgotten = rejected.map(|kind| theatre.turns.of(&format!("remembered, then {kind}")));
    assert!(forgotten.iter().sum::<u32>() > 5, "{:?}", theatre.turns);
    theatre.turns.assert_each(&["rejected, then ok"], 5);
    report("cached verdict = uncached verdict", theatre.looks.get());
}

/// All that a random history may leave out: tokens of each key are cached, the first two as
/// frequent ones and the others in each other's place, before whatever happens.
#[test]
fn no_reason_to_forget_changes_a_verdict() {
    let theatre = Theatre::new();
    let mut history = Vec::new();
    for event in [
        Event::StepTo(0),
        Event::StepTo(200),
        Event::StepTo(400),
        Event::StepTo(-100),
        Event::StepTo(30),
        Event::Retire(0),
        Event::Pass(8),
        Event::Restore(0),
        Event::StepTo(FAR),
        Event::StepTo(31),
        Event::Replace(1),
        Event::Pass(11),
        Event::Rotate,
    ] {
        history.push(event);
        for token in 0..3 * LIVES.len() {
            let genuine = if token < 2 { 130 } else { 2 };
            for (forged, times) in [(false, genuine), (true, 2)] {
                history.push(Event::Look {
                    token,
                    forged,
                    times,
                });
            }
        }
    }
    theatre.play(&history);
    // Not `keys_unavailable`: where the keys are too old, the first request has them fetched.
    let turns = [
        "remembered, then expired",
        "remembered, then not_yet_valid",
        "remembered, then key_pending",
        "remembered, then signature",
        "rejected, then ok",
    ];
    theatre.turns.assert_each(&turns, 2);
}
