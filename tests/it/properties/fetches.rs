//! Fetches ≤ 1 + elapsed ÷ cooldown, whatever key ids requests bring, how many at once, and how GO
//! answers.
//!
//! The bound is on the fetches that requests cause, from the first of them on. The key set's
//! lifetime is set so long that no refresh is due; all that the background task does is then to
//! retry after a failure, 1 s after it, doubling to 60 s, each less up to a half. These retries are
//! counted apart, as they come: time is never left standing where one may have come or not. So the
//! number of all fetches is known exactly after each step, and with it that requests cause no fewer
//! than they need.

mod model;

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use derbysoft_go_auth::GoAuth;
use derbysoft_go_auth::authenticate::VerifyErrorKind as Kind;
use derbysoft_go_auth::clock::{Clock, ManualClock, UnixTime};
use derbysoft_go_simulator::{Fault, Simulator};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use self::model::{Model, Span, Step, Token};
use test_support::forge::{NOW, encode, segments};
use test_support::property::{Tally, report, try_all};
use test_support::{millis, refresh, runtime, secs, soon};

/// A week, the longest there is: nothing is refreshed ahead within four and a half days of it, and
/// no history lasts as long.
const LIFETIME: Duration = secs(7 * 86_400);

/// The longest that can be set, in milliseconds: no fetch takes that long.
const FETCH_TIMEOUT: u64 = 60_000;

/// GO on loopback, for all histories.
struct Stage {
    go: Simulator,
    good: String,
    forged: String,
    hopeless: String,
}

impl Stage {
    async fn new() -> Self {
        let go = Simulator::start().await.expect("a free port");
        // For any time that a history may come to.
        // And issued before any time at which keys may be fetched.
        let mint = || {
            go.mint()
                .at(UnixTime::from_secs(NOW))
                .not_before_offset(-100_000_000)
                .claim("iat", NOW - 100_000_000)
        };
        let good = mint().expires_in(100_000_000).token();
        let [header, payload, signature] = segments(&good);
        let (first, rest) = signature.split_at(1);
        let other = if first == "A" { "B" } else { "A" };
        Self {
            forged: format!("{header}.{payload}.{other}{rest}"),
            hopeless: mint().expires_in(-90_000_000).token(),
            good,
            go,
        }
    }

    fn spell(&self, token: &Token) -> String {
        let (like, kid) = match token {
            Token::Good => return self.good.clone(),
            Token::Forged => return self.forged.clone(),
            Token::Unknown(kid) => (&self.good, kid),
            Token::Hopeless(kid) => (&self.hopeless, kid),
        };
        let [_, payload, signature] = segments(like);
        let header = encode(json!({"alg": "RS256", "kid": kid}).to_string());
        format!("{header}.{payload}.{signature}")
    }
}

type Answering = Pin<Box<dyn Future<Output = Option<Kind>> + Send>>;

/// One history: the handle, and what the model makes of it.
struct Play<'a> {
    stage: &'a Stage,
    clock: ManualClock,
    auth: GoAuth,
    model: Model,
    before: usize,
}

impl<'a> Play<'a> {
    fn new(stage: &'a Stage, cooldown: u64) -> Self {
        stage.go.heal();
        let clock = ManualClock::new(UnixTime::from_secs(NOW));
        let auth = GoAuth::builder()
            .issuer(stage.go.issuer())
            .audience(stage.go.audience())
            .jwks_url(stage.go.jwks_url())
            .clock(clock.clone())
            .configure(|it| it.refresh_interval = LIFETIME)
            .configure(|it| it.max_stale = LIFETIME)
            .configure(|it| it.cooldown = millis(cooldown))
            .configure(|it| it.fetch_timeout = millis(FETCH_TIMEOUT))
            .build()
            .expect("a good configuration");
        Self {
            stage,
            clock,
            auth,
            model: Model {
                cooldown,
                ..Model::default()
            },
            before: stage.go.fetches(),
        }
    }

    /// A request that has come: it is answered, or waits for a fetch.
    async fn come(&self, token: &Token) -> Answering {
        let (auth, token) = (self.auth.clone(), self.stage.spell(token));
        let mut request: Answering =
            Box::pin(async move { auth.verify(&token).await.err().map(|error| error.kind()) });
        let mut answered = None;
        std::future::poll_fn(|cx| {
            if let Poll::Ready(answer) = request.as_mut().poll(cx) {
                answered = Some(answer);
            }
            Poll::Ready(())
        })
        .await;
        match answered {
            Some(answer) => Box::pin(std::future::ready(answer)),
            None => request,
        }
    }

    async fn ask(&mut self, tokens: &[Token]) {
        let mut requests = Vec::new();
        for token in tokens {
            requests.push(self.come(token).await);
        }
        self.account(tokens);
        for (token, request) in tokens.iter().zip(requests) {
            assert_eq!(soon(request).await, self.model.answer(token), "{token:?}");
        }
    }

    /// Of requests that have come.
    fn account(&mut self, tokens: &[Token]) {
        if self.model.causes(tokens) {
            self.model.first.get_or_insert(self.model.now);
            self.model.fetched(self.model.now);
        }
    }

    /// A token of an unknown key waits for the end of a fetch, and causes none within the
    /// cooldown.
    async fn fetch_has_ended(&mut self) {
        soon(
            self.stage
                .go
                .wait_for_fetches(self.before + self.model.fetches),
        )
        .await;
        self.ask(&[Token::Unknown("nobody's".to_owned())]).await;
    }

    async fn pass(&mut self, span: Span) {
        let (moment, retried) = self.model.after(span);
        self.clock.advance(millis(moment - self.model.now));
        self.model.now = moment;
        if retried {
            self.model.retries += 1;
            self.model.fetched(moment);
            self.fetch_has_ended().await;
        }
    }

    async fn slow(&mut self, first: &Token, takes: Span, meanwhile: &[Token]) {
        if !self.model.causes(std::slice::from_ref(first)) {
            return self.ask(std::slice::from_ref(first)).await;
        }
        let hold = self.stage.go.hold_next(1);
        let request = self.come(first).await;
        soon((self.stage.go).wait_for_fetches(self.before + self.model.fetches + 1)).await;
        let start = self.model.now;
        // No retry is due while a fetch is under way.
        let takes = match takes {
            Span::Part(part) => self.model.cooldown * part / 1000,
            Span::ToEnd(off) => self.model.cooldown.saturating_add_signed(off),
        };
        let takes = takes.min(FETCH_TIMEOUT - 1);
        self.clock.advance(millis(takes));
        self.model.now += takes;
        let mut requests = Vec::new();
        let last = Token::Unknown("last".to_owned());
        for token in meanwhile.iter().chain([&last]) {
            requests.push((token, self.come(token).await));
        }
        hold.release();
        self.model.first.get_or_insert(start);
        let had_keys = self.model.has_keys;
        self.model.fetched(start);
        for (token, request) in requests {
            let answer = soon(request).await;
            assert_eq!(answer, self.model.answer(token), "{token:?}");
        }
        // Whose wait may have been too long for it, without the keys.
        let answer = soon(request).await;
        let late = Some(Kind::KeysUnavailable);
        let early = matches!(first, Token::Unknown(_)) || !had_keys;
        assert!(answer == self.model.answer(first) || early && answer == late);
    }

    async fn happen(&mut self, step: &Step) {
        match step {
            Step::Ask(tokens) => self.ask(tokens).await,
            Step::Abandon(tokens) => {
                for token in tokens {
                    drop(self.come(token).await);
                }
                let fetches = self.model.fetches;
                self.account(tokens);
                if self.model.fetches > fetches {
                    self.fetch_has_ended().await;
                }
            }
            Step::Slow(first, takes, meanwhile) => self.slow(first, *takes, meanwhile).await,
            Step::Pass(span) => self.pass(*span).await,
            Step::SetWall(off) => {
                let true_time = NOW + self.clock.monotonic().as_secs();
                let wall = true_time.saturating_add_signed(*off);
                self.clock.step_to(UnixTime::from_secs(wall));
            }
            Step::Fail(fault) => {
                self.stage.go.fail(fault.clone());
                self.model.go_is_down = true;
            }
            Step::Heal => {
                self.stage.go.heal();
                self.model.go_is_down = false;
            }
        }
        let fetches = self.stage.go.fetches() - self.before;
        assert_eq!(
            fetches, self.model.fetches,
            "after {step:?}: {:?}",
            self.model
        );
        let caused = (fetches - self.model.retries) as u64;
        assert!(
            caused <= self.model.most(),
            "after {step:?}: {:?}",
            self.model
        );
    }
}

/// Plays a history, and returns the model at its end.
async fn play(stage: &Stage, cooldown: u64, history: &[Step]) -> Model {
    let mut play = Play::new(stage, cooldown);
    for step in history {
        play.happen(step).await;
    }
    // A fetch that was requested, and awaited by nobody, comes no later than this one.
    let _ = refresh(&play.auth).await;
    let fetches = stage.go.fetches() - play.before;
    assert_eq!(fetches, play.model.fetches + 1, "{:?}", play.model);
    play.model
}

fn tokens(known: &str) -> impl Strategy<Value = Token> + use<> {
    let almost = vec![
        known[1..].to_owned(),
        format!("{known} "),
        format!("{known}\0"),
        known.to_uppercase(),
    ];
    let kid = prop_oneof![
        4 => "[0-9a-f]{32}",
        2 => "\\PC{1,40}",
        1 => select(almost),
        1 => select(vec!["../../evil", "?kid=1", "", "*"]).prop_map(|kid| format!("{kid}x")),
    ];
    prop_oneof![
        8 => kid.clone().prop_map(Token::Unknown),
        2 => Just(Token::Forged),
        2 => Just(Token::Good),
        1 => kid.prop_map(Token::Hopeless),
    ]
}

fn steps(known: &str) -> impl Strategy<Value = Step> + use<> {
    let span = || {
        prop_oneof![
            1 => (0..1000_u64).prop_map(Span::Part),
            1 => (1000..3000_u64).prop_map(Span::Part),
            6 => select(vec![-1, 0, 0, 1]).prop_map(Span::ToEnd),
        ]
    };
    let faults = vec![
        Fault::Status(500),
        Fault::Cut,
        Fault::Truncated,
        Fault::NotJson,
        Fault::EmptySet,
        Fault::RedirectNotFound,
    ];
    let some = |least| vec(tokens(known), least..4);
    prop_oneof![
        8 => some(1).prop_map(Step::Ask),
        2 => some(1).prop_map(Step::Abandon),
        2 => (tokens(known), span(), some(0))
            .prop_map(|(first, takes, meanwhile)| Step::Slow(first, takes, meanwhile)),
        8 => span().prop_map(Step::Pass),
        1 => (-3600..3600_i64).prop_map(Step::SetWall),
        1 => select(faults).prop_map(Step::Fail),
        1 => Just(Step::Heal),
    ]
}

#[test]
fn any_history_fetches_once_each_cooldown_at_most() {
    let runtime = runtime();
    let stage = runtime.block_on(Stage::new());
    let cooldown = prop_oneof![
        3 => 100..500_u64,
        2 => 500..20_000_u64,
        1 => 20_000..=600_000_u64,
    ];
    let history = vec(steps(&stage.go.signing_kid()), 1..40);
    let tally = Tally::default();
    let (name, cases) = ("fetches ≤ 1 + elapsed ÷ cooldown", 128);
    try_all(name, cases, (cooldown, history), |(cooldown, history)| {
        let end = runtime.block_on(play(&stage, cooldown, &history));
        if end.caused() > 2 {
            let at_bound = end.caused() == end.most();
            tally.count(if at_bound { "at the bound" } else { "below" });
        }
        (0..end.retries).for_each(|_| tally.count("retry"));
        Ok(())
    });
    tally.assert_each(&["at the bound", "below", "retry"], 1);
    report(name, cases);
}

#[test]
fn both_ends_of_the_cooldown_are_exact() {
    let runtime = runtime();
    runtime.block_on(async {
        let stage = Stage::new().await;
        let unknown = || Step::Ask(vec![Token::Unknown("nobody's".to_owned()); 3]);
        for down in [false, true] {
            let mut history = Vec::from_iter(down.then_some(Step::Fail(Fault::Cut)));
            history.push(unknown());
            for _ in 0..9 {
                let early = Step::Pass(Span::ToEnd(-1));
                history.extend([early, unknown(), Step::Pass(Span::ToEnd(0)), unknown()]);
            }
            // Shorter than the first back-off after a failure, so that the retry never comes first.
            let end = play(&stage, 250, &history).await;
            assert_eq!((end.caused(), end.most(), end.retries), (10, 10, 0));
        }
    });
}
