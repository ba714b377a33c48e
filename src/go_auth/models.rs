//! Every order of what an application, its requests and GO do with a handle.

use std::sync::LazyLock;
use std::sync::atomic::Ordering::SeqCst;
use std::time::SystemTime;

use derbysoft_go_simulator::Mint;
use http::header::AUTHORIZATION;
use shuttle::future::block_on;

use super::*;
use crate::authenticate::VerifyErrorKind;
use crate::clock::{ManualClock, UnixTime};
use crate::keys::staged::{COMMON, Staged};
use crate::sync::{ArcSwap, AtomicBool, Handle, any, check, join, join_while, within};

const ISSUER: &str = "https://id.example";
const AUDIENCE: &str = "ZKT";
const START: UnixTime = UnixTime::from_secs(1_800_000_000);

/// Of them two may wait for keys.
const MAX_WAITING: usize = 2;

/// Signed with the key of each document, as soon as it is published.
static TOKENS: LazyLock<[String; 3]> = LazyLock::new(|| {
    [0, 1, 2].map(|number| {
        let issued = START.saturating_add(Duration::from_secs(number));
        mint(number, &number.to_string(), issued)
    })
});

/// Signed with the key of document 0, under the name of a key that is never published.
static FORGED: LazyLock<String> = LazyLock::new(|| mint(0, "forged", START));

fn mint(number: u64, kid: &str, issued: UnixTime) -> String {
    Mint::new(Staged::key(number), kid, ISSUER, AUDIENCE)
        .at(SystemTime::from(issued))
        .expires_in(100_000)
        .token()
}

/// A handle whose token cache has room for some four tokens.
fn handle(staged: &Arc<Staged>, clock: &ManualClock) -> GoAuth {
    let config = Config {
        issuer: ISSUER.to_owned(),
        audience: vec![AUDIENCE.to_owned()],
        ..Config::default()
    };
    let clock: Arc<dyn Clock> = Arc::new(clock.clone());
    let issuer = Issuer {
        verifier: config.verifier().expect("a configuration"),
        keys: KeySource::staged(ISSUER, staged),
    };
    GoAuth {
        authenticator: Arc::new(Authenticator {
            issuers: Issuers {
                trusted: [issuer].into(),
                elsewhere: Box::default(),
                max_token_bytes: config.max_token_bytes,
            },
            access_tokens: None,
            cache: TokenCache::new(4096),
            requests: Arc::new(Requests::new(
                RejectionKind::names(),
                [ISSUER.into()].into(),
                Arc::clone(&clock),
            )),
            clock,
            key_wait: config.key_wait,
            waiting: Arc::new(Semaphore::new(MAX_WAITING)),
            max_waiting: MAX_WAITING,
            distrusted: Mutex::default(),
        }),
        source: CredentialSource::Header(AUTHORIZATION),
        respond: Arc::new(Reject::with_realm(config.body, &config.realm)),
    }
}

fn accepts(auth: &GoAuth, number: usize) -> bool {
    let verified = block_on(auth.verify(&TOKENS[number]));
    if let Ok(verified) = &verified {
        assert_eq!(verified.key_id(), Some(number.to_string().as_str()));
    }
    verified.is_ok()
}

/// Fetches until it succeeds.
fn refresh(auth: &GoAuth) {
    while block_on(auth.refresh()).is_err() {}
}

#[test]
fn a_withdrawn_key_verifies_nothing_not_even_what_is_cached() {
    check(1000, || {
        let clock = ManualClock::new(START);
        let staged = Staged::new(&clock, 1, 6);
        let auth = handle(&staged, &clock);
        let runtime = Handle::new();
        let is_withdrawn = Arc::new(AtomicBool::new(false));
        let pushes = [(); 2].map(|()| {
            let (auth, is_withdrawn) = (auth.clone(), Arc::clone(&is_withdrawn));
            within(&runtime, move || {
                for _ in 0..4 {
                    let is_withdrawn = is_withdrawn.load(SeqCst);
                    assert!(!(accepts(&auth, 0) && is_withdrawn), "accepted");
                    if any(4) == 0 {
                        // In its place in the cache, and under its hash.
                        accepts(&auth, 1);
                    }
                }
            })
        });
        let operator = {
            let auth = auth.clone();
            within(&runtime, move || {
                if any(2) == 0 {
                    staged.rotate();
                    refresh(&auth);
                } else {
                    auth.distrust_keys(["0"]);
                }
                is_withdrawn.store(true, SeqCst);
                assert!(!accepts(&auth, 0), "accepted");
            })
        };
        join(pushes);
        join([operator]);
        assert!(!accepts(&auth, 0), "accepted");
    });
}

#[test]
fn a_genuine_push_is_never_rejected_for_good() {
    check(1000, || {
        let clock = ManualClock::new(START);
        let staged = Staged::new(&clock, 1, 6);
        let auth = handle(&staged, &clock);
        let runtime = Handle::new();
        let strangers = {
            let auth = auth.clone();
            within(&runtime, move || {
                for _ in 0..2 {
                    if any(2) == 0 {
                        // It gives up.
                        drop(
                            auth.authenticator
                                .check(FORGED.as_bytes(), &Api::AVAILABILITY_PEER),
                        );
                    } else {
                        assert!(block_on(auth.verify(&FORGED)).is_err(), "forged");
                    }
                }
            })
        };
        let number = usize::try_from(staged.rotate()).expect("small");
        let go = {
            let auth = auth.clone();
            within(&runtime, move || {
                for _ in 0..2 {
                    let verdict = block_on(auth.verify(&TOKENS[number]));
                    let Err(error) = verdict else { continue };
                    let is_final = !matches!(
                        error.kind(),
                        VerifyErrorKind::KeysUnavailable | VerifyErrorKind::KeyPending
                    );
                    assert!(!is_final, "{error}");
                }
            })
        };
        join_while([strangers, go], || {
            clock.advance(Duration::from_secs([1, 1, 10, 40][any(4)]));
        });
        let free = auth.authenticator.waiting.available_permits();
        assert_eq!(free, MAX_WAITING, "a place is lost");
    });
}

#[test]
fn a_reload_brings_nothing_withdrawn_back() {
    check(1000, || {
        let clock = ManualClock::new(START);
        let staged = Staged::new(&clock, 2, 6);
        let live = Arc::new(ArcSwap::from_pointee(handle(&staged, &clock)));
        let runtime = Handle::new();
        let push = {
            let live = Arc::clone(&live);
            within(&runtime, move || {
                for _ in 0..3 {
                    accepts(&live.load_full(), 0);
                }
            })
        };
        let operator = {
            let (live, staged) = (Arc::clone(&live), Arc::clone(&staged));
            within(&runtime, move || {
                staged.rotate();
                loop {
                    let auth = live.load_full();
                    refresh(&auth);
                    if Arc::ptr_eq(&auth, &live.load_full()) {
                        return;
                    }
                }
            })
        };
        let reload = {
            let live = Arc::clone(&live);
            within(&runtime, move || reload(&live, handle(&staged, &clock)))
        };
        join([push, operator, reload]);
        let auth = live.load_full();
        join([within(&runtime, move || {
            assert!(!accepts(&auth, 0), "withdrawn");
            let verified = block_on(auth.verify(&mint_of_common()));
            assert!(verified.is_err(), "distrusted");
        })]);
    });
}

/// As the gate does.
fn reload(live: &ArcSwap<GoAuth>, successor: GoAuth) {
    let predecessor = live.load_full();
    successor.take_over(&predecessor);
    let distrusted = [COMMON.into()].into();
    successor.distrust_meanwhile(&distrusted);
    predecessor.distrust_meanwhile(&distrusted);
    let _ = block_on(successor.ready());
    successor.take_over(&predecessor);
    let successor = Arc::new(successor);
    live.store(Arc::clone(&successor));
    successor.take_over(&predecessor);
}

fn mint_of_common() -> String {
    static TOKEN: LazyLock<String> = LazyLock::new(|| {
        let key = crate::keys::staged::common();
        Mint::new(key, COMMON, ISSUER, AUDIENCE)
            .at(SystemTime::from(START))
            .token()
    });
    TOKEN.clone()
}

#[test]
fn the_distrusted_keys_are_those_that_a_successor_inherits() {
    check(500, || {
        let clock = ManualClock::new(START);
        let staged = Staged::new(&clock, 1, 0);
        let auth = handle(&staged, &clock);
        let runtime = Handle::new();
        join([within(&runtime, {
            let auth = auth.clone();
            move || refresh(&auth)
        })]);
        let calls = ["0", COMMON].map(|kid| {
            let auth = auth.clone();
            within(&runtime, move || auth.distrust_keys([kid]))
        });
        join(calls);
        let published = auth.authenticator.issuers.trusted[0].keys.published();
        for kid in &*auth.authenticator.distrusted().by_calls() {
            assert!(!published.has(kid), "{kid} is not distrusted here");
        }
    });
}
