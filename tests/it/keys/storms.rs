//! Floods of tokens that match no key.

use std::task::Poll;

use derbysoft_go_simulator::{Fault, SigningKey};
use tokio::runtime::Handle;

use test_support::{
    World, agreed, at_once, crowd, eventually, invented, millis, secs, settle, soon, verdict,
};

#[tokio::test]
async fn unknown_kids_cause_one_fetch_each_cooldown() {
    let world = World::new().await;
    let auth = world.ready().await;
    let token = world.token();
    let long_ago = world.mint().claim("iat", 1_600_000_000).token();
    for second in 0..100 {
        world.clock.advance(secs(1));
        for stranger in invented(&long_ago, second * 100..second * 100 + 100) {
            assert_eq!(verdict(&auth, &stranger).await, "unknown_key");
        }
    }
    // The start, and one each 10 s.
    assert_eq!(world.go.fetches(), 11);
    assert_eq!(verdict(&auth, &token).await, "ok");
}

#[tokio::test]
async fn ten_thousand_unknown_kids_share_one_fetch() {
    let world = World::new().await;
    let auth = world
        .ready_with(|builder| builder.configure(|it| it.max_waiting = 10_000))
        .await;
    world.clock.advance(secs(10));
    let hold = world.go.hold();
    let flood = crowd(&auth, invented(&world.token(), 0..10_000));
    world.fetches(2).await;
    settle().await;
    hold.release();
    assert_eq!(agreed(flood).await, "key_pending");
    assert_eq!(world.go.fetches(), 2);
}

#[tokio::test]
async fn forgeries_cause_one_fetch_each_cooldown() {
    let world = World::new().await;
    let auth = world.ready().await;
    let token = world.token();
    let forged = world.mint().key(SigningKey::pooled()).token();
    for _ in 0..30 {
        world.clock.advance(secs(1));
        for _ in 0..20 {
            assert_eq!(verdict(&auth, &forged).await, "signature");
            assert_eq!(verdict(&auth, &token).await, "ok");
        }
    }
    assert_eq!(world.go.fetches(), 4);
}

#[tokio::test]
async fn a_known_kid_never_waits_for_a_hanging_fetch() {
    let world = World::new().await;
    let auth = world
        .ready_with(|builder| builder.configure(|it| it.max_waiting = 3_000))
        .await;
    world.go.fail(Fault::Hang);
    world.clock.advance(secs(10));
    let mut flood = crowd(&auth, invented(&world.token(), 0..2_000));
    world.fetches(2).await;
    for _ in 0..20 {
        let token = world.mint().token();
        assert!(matches!(at_once(auth.verify(&token)), Poll::Ready(Ok(_))));
        assert!(matches!(at_once(auth.verify(&token)), Poll::Ready(Ok(_))));
        let forged = world.mint().subject("x").key(SigningKey::pooled()).token();
        // A forgery may wait for the fetch, and delays nobody.
        assert!(at_once(auth.verify(&forged)).is_pending());
    }
    assert_eq!(flood.len(), 2_000);
    flood.shutdown().await;
}

#[test]
fn a_flood_of_waiters_leaves_nothing_behind() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let world = World::new().await;
        let auth = world
            .ready_with(|builder| {
                builder
                    .configure(|it| it.fetch_timeout = secs(60))
                    .configure(|it| it.max_waiting = 10_000)
            })
            .await;
        let alive = || Handle::current().metrics().num_alive_tasks();
        eventually("the first fetch is cleared away", || alive() <= 2).await;
        let at_rest = alive();
        world.go.fail(Fault::Hang);
        // Longer than the flood waits, however slow the machine is.
        let token = world.mint().expires_in(86_000).token();
        for round in 0..3 {
            world.clock.advance(secs(10));
            let flood = crowd(&auth, invented(&token, 0..10_000));
            if round == 0 {
                world.fetches(2).await;
            }
            soon(world.clock.wait_for_sleepers(10_000)).await;
            assert!(alive() >= 10_000);
            world.clock.advance(secs(2));
            assert_eq!(agreed(flood).await, "key_pending");
            // The background task, GO, and both ends of the one connection that hangs.
            eventually("the waiters are gone", || alive() <= at_rest + 3).await;
        }
        assert_eq!(world.go.fetches(), 2);
        assert_eq!(verdict(&auth, &token).await, "ok");
    });
}

#[tokio::test]
async fn a_flood_delays_a_new_key_one_cooldown_at_most() {
    let world = World::new().await;
    let auth = world.ready().await;
    // Longer than a request waits, each.
    for pauses in [1, 3, 4] {
        // The flood takes the fetch of this cooldown; the rotation comes right after it.
        world.clock.advance(secs(10));
        assert_eq!(verdict(&auth, &world.unknown()).await, "unknown_key");
        world.go.rotate();
        let token = world.token();
        for _ in 0..pauses {
            for stranger in invented(&token, 0..20) {
                assert_eq!(verdict(&auth, &stranger).await, "key_pending");
            }
            world.clock.advance(secs(10) / pauses);
        }
        world.clock.advance(millis(1));
        assert_eq!(verdict(&auth, &world.token()).await, "ok");
    }
    assert_eq!(world.go.fetches(), 7);
}

#[tokio::test]
async fn failed_fetches_cool_down_under_a_flood() {
    let world = World::new().await;
    world.go.fail(Fault::Status(500));
    let auth = world.auth();
    let token = world.token();
    for _ in 0..120 {
        for stranger in invented(&token, 0..50) {
            assert_eq!(verdict(&auth, &stranger).await, "keys_unavailable");
        }
        world.clock.advance(secs(1));
        tokio::task::yield_now().await;
    }
    // One each 10 s that requests cause; retries are at most these six: after 1, 2, 4,
    // 8, 16 and 32 s.
    let fetches = world.go.fetches();
    assert!((12..=19).contains(&fetches), "{fetches}");
}

#[tokio::test]
async fn requests_within_the_cooldown_do_not_prolong_it() {
    let world = World::new().await;
    let auth = world.ready().await;
    let cools_down = async || {
        for _ in 0..3 {
            assert_eq!(verdict(&auth, &world.unknown()).await, "unknown_key");
        }
    };
    for _ in 0..99 {
        world.clock.advance(millis(100));
        cools_down().await;
    }
    world.clock.advance(millis(99));
    cools_down().await;
    assert_eq!(world.go.fetches(), 1);
    world.clock.advance(millis(1));
    world.go.rotate();
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    // From then on it cools down again.
    cools_down().await;
    assert_eq!(world.go.fetches(), 2);
}
