//! A verdict from the token cache is the verdict without one, whatever happened
//! in between: time that goes on or back, keys that are withdrawn, come back or
//! change under their name.

use derbysoft_go_auth::{GoAuth, UnixTime};
use proptest::prelude::*;

use crate::support::{World, refresh, runtime, soon, verdict};

const TOKENS: usize = 6;

/// None, one that holds a token or two, one without a place for frequent tokens,
/// and the default.
const CACHES: [u64; 4] = [0, 4096, 65_536, 16_777_216];

#[derive(Debug, Clone)]
enum Event {
    /// A token comes, so many times in a row.
    Look {
        token: usize,
        times: usize,
    },
    /// The wall clock goes to so many seconds after the start.
    StepTo(u64),
    /// A key is withdrawn, or published again.
    Retire(usize),
    Restore(usize),
    /// Another key takes its name.
    Replace(usize),
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (0..TOKENS, 1..100usize).prop_map(|(token, times)| Event::Look { token, times }),
        2 => (0..500u64).prop_map(Event::StepTo),
        1 => (0..2usize).prop_map(Event::Retire),
        1 => (0..2usize).prop_map(Event::Restore),
        1 => (0..2usize).prop_map(Event::Replace),
    ]
}

/// GO with two keys, and its tokens: three of each key, which end at different times.
struct Stage {
    world: World,
    kids: [String; 2],
    tokens: Vec<String>,
    auths: Vec<GoAuth>,
    start: u64,
}

impl Stage {
    async fn new() -> Self {
        let world = World::new().await;
        let kids = [world.go.signing_kid(), world.go.rotate()];
        let tokens = (0..TOKENS)
            .map(|n| {
                let lifetime = [60, 180, 300][n / 2];
                let mint = world.go.mint_as(&kids[n % 2]).at(world.now() + 120);
                mint.expires_in(lifetime).token()
            })
            .collect();
        let mut auths = Vec::new();
        for bytes in CACHES {
            auths.push(
                world
                    .ready_with(|builder| builder.token_cache_bytes(bytes))
                    .await,
            );
        }
        let start = world.time().as_secs();
        Self {
            world,
            kids,
            tokens,
            auths,
            start,
        }
    }

    async fn happen(&self, event: &Event) {
        let go = &self.world.go;
        match event {
            Event::Look { token, times } => {
                for _ in 0..*times {
                    self.look(&self.tokens[*token]).await;
                }
                return;
            }
            Event::StepTo(seconds) => {
                self.world
                    .clock
                    .step_to(UnixTime::from_secs(self.start + seconds));
                return;
            }
            Event::Retire(key) => go.retire(&self.kids[*key]),
            Event::Restore(key) => go.restore(&self.kids[*key]),
            Event::Replace(key) => go.replace_material(&self.kids[*key]),
        }
        for auth in &self.auths {
            // Where no key is left the fetch counts as failed, and the old ones stay.
            let _ = refresh(auth).await;
        }
    }

    async fn look(&self, token: &str) {
        let without = verdict(&self.auths[0], token).await;
        for (auth, bytes) in self.auths.iter().zip(CACHES).skip(1) {
            assert_eq!(verdict(auth, token).await, without, "with {bytes} bytes");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn given_any_history_the_cache_changes_no_verdict(
        events in prop::collection::vec(any_event(), 1..60),
    ) {
        runtime().block_on(async {
            let stage = Stage::new().await;
            for event in &events {
                soon(stage.happen(event)).await;
            }
        });
    }
}
