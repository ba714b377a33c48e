//! GO's server and a clock under the test's control.

use std::time::Duration;

use derbysoft_go_auth::clock::{Clock, ManualClock, UnixTime};
use derbysoft_go_auth::{GoAuth, GoAuthBuilder};
use derbysoft_go_simulator::{Mint, Simulator, SimulatorBuilder};

use crate::{ready, settle, soon, verdict};

/// A clock that only the test moves: it starts now, on a whole second, as tokens do.
pub fn clock() -> ManualClock {
    let now = ManualClock::starting_now().now().as_secs();
    ManualClock::new(UnixTime::from_secs(now))
}

/// GO's server, told the time by this clock.
pub async fn go_with(clock: &ManualClock) -> Simulator {
    World::at(clock.clone(), Simulator::builder()).await.go
}

/// Trusts this GO, by the machine's clock.
pub fn builder_for(go: &Simulator) -> GoAuthBuilder {
    GoAuth::builder()
        .issuer(go.issuer())
        .audience(go.audience())
        .jwks_url(go.jwks_url())
}

/// GO on a loopback port, and a clock that only the test moves, for GO and its clients.
pub struct World {
    pub go: Simulator,
    pub clock: ManualClock,
}

impl World {
    pub async fn new() -> Self {
        Self::of(Simulator::builder()).await
    }

    pub async fn of(builder: SimulatorBuilder) -> Self {
        Self::at(clock(), builder).await
    }

    /// With another GO or client by this clock.
    pub async fn at(clock: ManualClock, builder: SimulatorBuilder) -> Self {
        let go = builder.clock(clock.clone()).start();
        let go = go.await.expect("a free port");
        Self { go, clock }
    }

    pub fn builder(&self) -> GoAuthBuilder {
        builder_for(&self.go).clock(self.clock.clone())
    }

    pub fn auth(&self) -> GoAuth {
        self.builder().build().expect("a good configuration")
    }

    /// With its keys, after one fetch.
    pub async fn ready(&self) -> GoAuth {
        self.ready_with(|builder| builder).await
    }

    pub async fn ready_with(&self, set: impl FnOnce(GoAuthBuilder) -> GoAuthBuilder) -> GoAuth {
        let auth = set(self.builder()).build().expect("a good configuration");
        ready(&auth).await.expect("GO is well");
        auth
    }

    pub fn time(&self) -> UnixTime {
        self.clock.now()
    }

    /// Signs with GO's current key, from now on.
    pub fn mint(&self) -> Mint {
        self.go.mint()
    }

    pub fn token(&self) -> String {
        self.mint().token()
    }

    /// Good in all but its key, which nobody publishes, and issued long ago: any fetch since
    /// then settles that the key is unknown.
    pub fn unknown(&self) -> String {
        let mint = self.mint().kid("nobody's");
        mint.claim("iat", 1_600_000_000).token()
    }

    /// GO signs with another key, and takes the one before out of its document.
    pub fn withdraw(&self) {
        self.go.rotate();
        self.go.retire_all_but_current();
    }

    pub async fn fetches(&self, n: usize) {
        soon(self.go.wait_for_fetches(n)).await;
    }

    /// Lets time pass, in which no fetch may come.
    pub async fn advance_quietly(&self, by: Duration) {
        let before = self.go.fetches();
        self.clock.advance(by);
        settle().await;
        assert_eq!(self.go.fetches(), before, "a fetch came too early");
    }

    /// Lets time pass, after which the `n`th fetch must come.
    pub async fn advance_to_fetch(&self, by: Duration, n: usize) {
        self.clock.advance(by);
        self.fetches(n).await;
    }

    /// Waits for a fetch that is under way, and returns how the last one went: `unknown_key`
    /// after a success, `keys_unavailable` after a failure. A token of an unknown key waits for
    /// a fetch, and causes none within the cooldown.
    pub async fn last_attempt(&self, auth: &GoAuth) -> &'static str {
        verdict(auth, &self.unknown()).await
    }
}
