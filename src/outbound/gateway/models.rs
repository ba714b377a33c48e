//! Every order of what an application and GO do with a gateway's token.

use std::cell::RefCell;
use std::sync::atomic::Ordering::SeqCst;

use http::header::AUTHORIZATION;
use shuttle::future::block_on;
use tracing::Dispatch;
use tracing::dispatcher::set_default;

use super::fetch::{Fetcher, MAX_ANSWER_BYTES};
use super::token::Answer;
use super::*;
use crate::clock::ManualClock;
use crate::net::bounded_http::FetchSettings;
use crate::net::client::Clients;
use crate::net::network::OpenNetwork;
use crate::outbound::base::Base;
use crate::outbound::form::HeaderForm;
use crate::sync::{
    AtMost, AtomicBool, AtomicU64, Heard, Hears, any, check, is_dropped, join, join_while, pass,
    pause, react, thread, within,
};

const API: &str = "https://solo.example/push";

/// How long a fetch takes at the longest.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Long enough for a task to count as late, and for a call to have waited enough.
const LONG: Duration = Duration::from_secs(40);

/// The token endpoint as a model has it, and the API. Tokens are numbered as they are
/// asked for, and name their client pair. An answer that has come counts, however late.
#[derive(Debug)]
pub(super) struct Staged {
    under_way: AtMost,
    /// The number of the last token.
    issued: AtomicU64,
    /// The API accepts tokens from this number on.
    valid_from: AtomicU64,
    /// One in so many fetches fails; none if 0.
    fails: usize,
    /// It rejects this client ID.
    rejects: &'static str,
    /// How often.
    rejections: AtomicU64,
}

impl Staged {
    /// At most so many fetches are made at a time.
    fn new(most: u64, fails: usize, rejects: &'static str) -> Arc<Self> {
        Arc::new(Self {
            under_way: AtMost::new(most),
            issued: AtomicU64::new(0),
            valid_from: AtomicU64::new(0),
            fails,
            rejects,
            rejections: AtomicU64::new(0),
        })
    }

    pub(super) async fn fetch(&self, pair: &ClientPair) -> Result<Answer, GatewayErrorKind> {
        let _under_way = self.under_way.enter();
        pause().await;
        let id = pair.client_id.expose();
        if id == self.rejects {
            self.rejections.fetch_add(1, SeqCst);
            pause().await;
            return Err(GatewayErrorKind::Refused(GatewayRefusal::Forbidden));
        }
        let number = self.issued.fetch_add(1, SeqCst) + 1;
        pause().await;
        if self.fails > 0 && any(self.fails) == 0 {
            return Err(GatewayErrorKind::Malformed("staged"));
        }
        let answer = format!(
            r#"{{"access_token":"{id}.{number}","token_type":"Bearer","expires_in":3600}}"#
        );
        Answer::read(answer.as_bytes())
    }

    /// The tokens so far are rejected from now on, and none is too young for that.
    fn revoke(&self, clock: &ManualClock) {
        let next = self.issued.load(SeqCst) + 1;
        self.valid_from.store(next, SeqCst);
        clock.advance(renewal::LONG_COOLDOWN);
    }

    fn accepts(&self, headers: &HeaderMap) -> bool {
        let (_, number) = read(&headers[AUTHORIZATION]);
        number >= self.valid_from.load(SeqCst)
    }
}

/// The client ID and the number that a token names.
fn read(value: &http::HeaderValue) -> (String, u64) {
    let token = value.to_str().expect("visible").strip_prefix("Bearer ");
    let (id, number) = token.expect("a token").split_once('.').expect("a number");
    (id.to_owned(), number.parse().expect("a number"))
}

fn pair(id: &str) -> ClientPair {
    ClientPair::new(id, "secret")
}

fn start() -> ManualClock {
    ManualClock::new(UnixTime::from_secs(1_800_000_000))
}

/// With the client pair `a`.
fn gateway(clock: &ManualClock, staged: &Arc<Staged>) -> Gateway {
    let settings = FetchSettings {
        address: "https://solo.example/token".parse().expect("an address"),
        connect_timeout: TIMEOUT,
        timeout: TIMEOUT,
        max_bytes: MAX_ANSWER_BYTES,
    };
    let clients = Clients::new(OpenNetwork::default(), None);
    let mut fetcher = Fetcher::new(settings, &clients).expect("a fetcher");
    fetcher.staged = Some(Arc::clone(staged));
    let shared = Shared::new(
        vec![Base::parse(API, false).expect("a base")],
        fetcher,
        HeaderForm::Bearer,
        Duration::from_secs(120),
        Arc::new(clock.clone()),
        Pairs::new(pair("a")),
    );
    Gateway {
        shared: Arc::new(Refresher::new(shared)),
    }
}

impl Gateway {
    /// The client ID and the number that the current token names.
    fn current(&self) -> Option<(String, u64)> {
        let issued = self.shared.current.load_full()?;
        Some(read(&issued.value))
    }
}

/// How a call ends, of which a 401 is repeated once: whether the API accepts it.
fn call(gateway: &Gateway, staged: &Staged) -> Result<bool, super::super::BoxError> {
    let mut headers = HeaderMap::new();
    let authorized = block_on(gateway.authorize(&Uri::from_static(API), &mut headers))?;
    if staged.accepts(&headers) {
        return Ok(true);
    }
    Ok(block_on(authorized.renew(&mut headers))? && staged.accepts(&headers))
}

/// What an application may do with a gateway.
fn use_once(gateway: &Gateway, staged: &Staged) {
    match any(5) {
        0 => {
            let before = gateway.current();
            if block_on(gateway.refresh()).is_ok() {
                let number = |token: Option<(_, u64)>| token.map(|(_, number)| number);
                assert!(number(gateway.current()) > number(before), "not refreshed");
            }
        }
        1 => {
            if block_on(gateway.ready()).is_ok() {
                assert!(gateway.health().is_ready(), "ready without a token");
            }
        }
        2 => drop(call(gateway, staged)),
        // Given up while it waits.
        3 => block_on(async {
            tokio::select! {
                biased;
                _ = gateway.refresh() => {}
                () = pause() => {}
            }
        }),
        _ => drop(gateway.health()),
    }
}

#[test]
fn nobody_waits_for_ever_and_one_fetch_is_made_at_a_time() {
    check(500, || {
        let clock = start();
        let staged = Staged::new(1, 4, "");
        let gateway = gateway(&clock, &staged);
        let (ending, lasting) = (Handle::new(), Handle::new());
        let callers: Vec<_> = [&ending, &ending, &lasting]
            .into_iter()
            .map(|runtime| {
                let (gateway, staged) = (gateway.clone(), Arc::clone(&staged));
                within(runtime, move || {
                    use_once(&gateway, &staged);
                    use_once(&gateway, &staged);
                })
            })
            .collect();
        staged.revoke(&clock);
        if any(2) == 0 {
            ending.shut_down();
        }
        join(callers);
        // Whoever is left gets a token as before.
        let last = gateway.clone();
        join([within(&lasting, move || {
            while block_on(last.ready()).is_err() {
                clock.advance(Duration::from_secs(1));
            }
        })]);
        let held = Arc::downgrade(&staged);
        drop((gateway, staged));
        // The task ends with its last handle.
        is_dropped(&held);
    });
}

#[test]
fn all_calls_that_a_token_fails_for_share_one_fetch() {
    check(500, || {
        let clock = start();
        let staged = Staged::new(1, 0, "");
        let gateway = gateway(&clock, &staged);
        let runtime = Handle::new();
        let first = gateway.clone();
        join([within(&runtime, move || {
            block_on(first.ready()).expect("a token");
        })]);
        staged.revoke(&clock);
        let callers = [true, true, false].map(|can_repeat| {
            let (gateway, staged) = (gateway.clone(), Arc::clone(&staged));
            within(&runtime, move || {
                if can_repeat {
                    assert!(call(&gateway, &staged).expect("a token"), "rejected");
                    return;
                }
                let (uri, mut headers) = (Uri::from_static(API), HeaderMap::new());
                let authorized = block_on(gateway.authorize(&uri, &mut headers));
                if !staged.accepts(&headers) {
                    let (authorized, mut none) = (authorized.expect("a token"), HeaderMap::new());
                    assert_eq!(block_on(authorized.renew(&mut none)), Ok(false));
                    // It is left to the background.
                    while gateway.current().is_none_or(|(_, number)| number < 2) {
                        thread::yield_now();
                    }
                }
            })
        });
        join(callers);
        assert_eq!(staged.issued.load(SeqCst), 2, "fetches");
    });
}

#[test]
fn a_replaced_pair_gives_no_token() {
    check(500, || {
        let clock = start();
        let staged = Staged::new(1, 0, "");
        let gateway = gateway(&clock, &staged);
        let runtime = Handle::new();
        let callers = [(); 2].map(|()| {
            let gateway = gateway.clone();
            within(&runtime, move || {
                let refreshed = block_on(gateway.refresh());
                assert_eq!(refreshed, Ok(()), "of another pair's fetch");
            })
        });
        let is_replaced = any(2) == 0;
        let operator = {
            let gateway = gateway.clone();
            within(&runtime, move || {
                if is_replaced {
                    gateway.replace(pair("b")).expect("a pair");
                } else {
                    gateway.rotate_to(pair("b")).expect("a pair");
                }
                // The next is tried at once. After it none comes of another pair, and after a
                // replacement none at all.
                let (settled, mut rest) = (gateway.current(), 3);
                while rest > 0 {
                    let now = gateway.current();
                    let is_of_next = now.as_ref().is_some_and(|(id, _)| id == "b");
                    assert!(is_of_next || rest == 3, "{now:?} after the next pair's");
                    let is_right = is_of_next || !is_replaced || now == settled;
                    assert!(is_right, "{now:?} after the replacement");
                    rest -= usize::from(is_of_next);
                    thread::yield_now();
                }
            })
        };
        join(callers);
        join([operator]);
    });
}

#[test]
fn a_rejected_pair_is_left_alone_until_it_is_replaced() {
    check(500, || {
        let clock = start();
        let staged = Staged::new(1, 0, "a");
        let gateway = gateway(&clock, &staged);
        let (ending, lasting) = (Handle::new(), Handle::new());
        let callers = [&ending, &ending, &lasting].map(|runtime| {
            let (gateway, staged) = (gateway.clone(), Arc::clone(&staged));
            within(runtime, move || {
                use_once(&gateway, &staged);
                use_once(&gateway, &staged);
            })
        });
        let operator = {
            let (gateway, clock) = (gateway.clone(), clock.clone());
            thread::spawn(move || {
                if any(2) == 0 {
                    ending.shut_down();
                }
                // Outside of any runtime.
                gateway.replace(pair("b")).expect("a pair");
                lasting.enter();
                while let Err(error) = block_on(gateway.ready()) {
                    assert!(!error.is_refusal(), "of the rejected pair");
                    clock.advance(Duration::from_secs(1));
                }
            })
        };
        join(callers);
        join([operator]);
        let rejections = staged.rejections.load(SeqCst);
        assert!(rejections <= 1, "asked {rejections} times");
    });
}

#[test]
fn another_task_takes_over_from_one_that_nobody_drives() {
    check(500, || {
        let clock = start();
        let staged = Staged::new(2, 0, "");
        let gateway = gateway(&clock, &staged);
        let (idle, driven) = (Handle::new(), Handle::new());
        let is_over = Arc::new(AtomicBool::new(false));
        let watcher = {
            let (gateway, is_over) = (gateway.clone(), Arc::clone(&is_over));
            thread::spawn(move || {
                let mut latest = None;
                while !is_over.load(SeqCst) {
                    let now = gateway.current();
                    assert!(now >= latest, "{now:?} has replaced {latest:?}");
                    latest = now;
                    thread::yield_now();
                }
            })
        };
        let early = {
            let gateway = gateway.clone();
            // Its task may have ended in time, or not.
            within(&idle, move || {
                let _ = block_on(gateway.refresh());
            })
        };
        let late = {
            let (gateway, idle, clock) = (gateway.clone(), idle.clone(), clock.clone());
            within(&driven, move || {
                idle.abandon();
                clock.advance(LONG);
                pass(LONG);
                while block_on(gateway.refresh()).is_err() {
                    clock.advance(LONG);
                    pass(LONG);
                }
                idle.resume();
            })
        };
        // Once the time is over that they wait at the longest, nobody waits any more.
        join_while([early, late], || {
            if any(8) == 0 {
                clock.advance(LONG);
                pass(LONG);
            }
        });
        is_over.store(true, SeqCst);
        join([watcher]);
        let held = Arc::downgrade(&staged);
        drop((gateway, staged));
        is_dropped(&held);
    });
}

#[test]
fn what_is_reported_is_in_force_and_no_lock_is_held() {
    thread_local! {
        static HEARD: RefCell<Heard> = RefCell::default();
    }
    let subscriber = Dispatch::new(Hears(|heard| HEARD.set(heard)));
    let _default = set_default(&subscriber);
    check(500, || {
        HEARD.take();
        let clock = start();
        let staged = Staged::new(1, 3, "");
        let gateway = gateway(&clock, &staged);
        let (asked, shuts_down) = (Arc::downgrade(&gateway.shared), any(2) == 0);
        react(move || {
            let Heard { message, error, .. } = HEARD.take();
            let is_stopped = error == GatewayErrorKind::Stopped.to_string();
            assert!(shuts_down || !is_stopped, "nobody needs it any more");
            let Some(shared) = asked.upgrade() else {
                return;
            };
            let health = Gateway { shared }.health();
            let has_moved = message.ends_with("to the next client pair");
            let is_done = health.is_ready() && health.credentials.len() == 1;
            assert!(!has_moved || is_done, "it has not taken over");
            // Of a task that was stopped: another may have been faster.
            let is_failure = message.starts_with("no token") && !is_stopped;
            assert!(!is_failure || health.last_error.is_some(), "not failed yet");
        });
        let (ending, lasting) = (Handle::new(), Handle::new());
        let callers = [&ending, &lasting].map(|runtime| {
            let (gateway, staged) = (gateway.clone(), Arc::clone(&staged));
            within(runtime, move || {
                use_once(&gateway, &staged);
                use_once(&gateway, &staged);
            })
        });
        if any(2) == 0 {
            gateway.rotate_to(pair("b")).expect("a pair");
        }
        if shuts_down {
            ending.shut_down();
        }
        // They may be the last that hold it, while it is fetched for them.
        drop(gateway);
        join(callers);
        let held = Arc::downgrade(&staged);
        drop(staged);
        is_dropped(&held);
    });
}
