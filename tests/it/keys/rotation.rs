//! GO changes its keys while requests arrive.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use derbysoft_go_auth::GoAuth;
use tokio::sync::watch;
use tokio::task::JoinSet;

use test_support::{
    World, agreed, at_once, crowd, eventually, refresh, secs, settle, soon, verdict,
};

/// The tokens that are valid, and since which rotation.
type Valid = (u64, Vec<String>);

/// Verifies all valid tokens over and over until there are none, and notes the last rotation
/// whose tokens were all accepted.
async fn caller(auth: GoAuth, valid: watch::Receiver<Valid>, done: Arc<AtomicU64>) -> usize {
    let mut accepted = 0;
    loop {
        let (rotation, tokens) = valid.borrow().clone();
        if tokens.is_empty() {
            return accepted;
        }
        for token in &tokens {
            assert_eq!(verdict(&auth, token).await, "ok", "in rotation {rotation}");
            accepted += 1;
            tokio::task::yield_now().await;
        }
        done.store(rotation, Ordering::Release);
        tokio::time::sleep(test_support::millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_rotations_under_load_reject_no_token() {
    let world = World::new().await;
    let auth = world
        .ready_with(|builder| builder.configure(|it| it.max_waiting = 200))
        .await;
    let mut previous = world.token();
    let (publish, valid) = watch::channel((0, vec![previous.clone()]));
    let mut callers = JoinSet::new();
    let progress: Vec<Arc<AtomicU64>> = (0..200).map(|_| Arc::default()).collect();
    for done in &progress {
        callers.spawn(caller(auth.clone(), valid.clone(), Arc::clone(done)));
    }

    for rotation in 1..=10 {
        // A rotation within the cooldown of the one before is another matter.
        world.clock.advance(secs(10));
        let outgoing = world.go.signing_kid();
        world.go.rotate();
        let current = world.token();
        publish.send_replace((rotation, vec![current.clone(), previous]));
        previous = current;
        let what = format!("all callers are past rotation {rotation}");
        eventually(&what, || {
            let done = |done: &Arc<AtomicU64>| done.load(Ordering::Acquire) == rotation;
            callers.len() < 200 || progress.iter().all(done)
        })
        .await;
        // Nobody presents tokens of the key before the outgoing one any more.
        for key in world.go.published_keys() {
            let kid = key.kid().expect("a named key");
            if kid != outgoing && kid != world.go.signing_kid() {
                world.go.retire(kid);
            }
        }
    }
    publish.send_replace((11, Vec::new()));
    let mut accepted = 0;
    while let Some(caller) = soon(callers.join_next()).await {
        accepted += caller.expect("no valid token was rejected");
    }
    assert!(accepted >= 200 * 20, "{accepted}");
    // One fetch at the start and one for each rotation.
    assert_eq!(world.go.fetches(), 11);
}

#[tokio::test]
async fn a_key_published_ahead_costs_no_fetch_or_wait() {
    let world = World::new().await;
    let auth = world.ready().await;
    let next = world.go.stage();
    world.advance_to_fetch(secs(270), 2).await;
    assert_eq!(world.last_attempt(&auth).await, "unknown_key");
    world.go.sign_with(&next);
    world.clock.advance(secs(10));
    match at_once(auth.verify(&world.token())) {
        std::task::Poll::Ready(Ok(verified)) => assert_eq!(verified.key_id(), Some(&*next)),
        other => panic!("{other:?}"),
    }
    settle().await;
    assert_eq!(world.go.fetches(), 2);
}

#[tokio::test]
async fn both_keys_of_an_overlap_verify_until_removed() {
    let world = World::new().await;
    let auth = world.ready().await;
    let old_kid = world.go.signing_kid();
    let old = world.token();
    world.clock.advance(secs(10));
    world.go.rotate();
    let new = world.token();
    let both = [old.clone(), new.clone()];
    assert_eq!(
        agreed(crowd(&auth, both.iter().cycle().take(50).cloned())).await,
        "ok"
    );

    world.go.retire(&old_kid);
    // The withdrawal is not known yet.
    assert_eq!(verdict(&auth, &old).await, "ok");
    // An unknown kid causes the fetch that shows it.
    world.clock.advance(secs(10));
    assert_eq!(verdict(&auth, &world.unknown()).await, "unknown_key");
    assert_eq!(verdict(&auth, &old).await, "key_pending");
    assert_eq!(verdict(&auth, &new).await, "ok");
    assert_eq!(world.go.fetches(), 3);
}

#[tokio::test]
async fn all_who_wait_for_a_new_key_share_one_fetch() {
    let world = World::new().await;
    let auth = world.ready().await;
    let old = world.token();
    world.clock.advance(secs(10));
    world.withdraw();
    let hold = world.go.hold();
    let waiting = crowd(&auth, vec![world.token(); 50]);
    let strangers = crowd(&auth, vec![world.unknown(); 50]);
    world.fetches(2).await;
    // Until the answer arrives the old key verifies.
    assert_eq!(verdict(&auth, &old).await, "ok");
    settle().await;
    hold.release();
    assert_eq!(agreed(waiting).await, "ok");
    assert_eq!(agreed(strangers).await, "unknown_key");
    assert_eq!(verdict(&auth, &old).await, "key_pending");
    assert_eq!(world.go.fetches(), 2);
}

#[tokio::test]
async fn new_material_under_an_old_kid_is_fetched_once() {
    let world = World::new().await;
    let auth = world.ready().await;
    let old = world.token();
    world.go.replace_material(&world.go.signing_kid());
    let new = world.token();
    // Within the cooldown there is no fetch, and no 503 either: the verdict stands.
    assert_eq!(verdict(&auth, &new).await, "signature");
    assert_eq!(world.go.fetches(), 1);

    world.clock.advance(secs(10));
    let hold = world.go.hold();
    let waiting = crowd(&auth, vec![new; 50]);
    world.fetches(2).await;
    settle().await;
    hold.release();
    assert_eq!(agreed(waiting).await, "ok");
    assert_eq!(agreed(crowd(&auth, vec![old; 50])).await, "signature");
    assert_eq!(world.go.fetches(), 2);
}

#[tokio::test]
async fn a_key_removed_and_restored_follows_the_document() {
    let world = World::new().await;
    let auth = world.ready().await;
    let kid = world.go.signing_kid();
    let token = world.token();
    for _ in 0..5 {
        assert_eq!(verdict(&auth, &token).await, "ok");
        world.go.retire(&kid);
        refresh(&auth).await.unwrap();
        assert_eq!(verdict(&auth, &token).await, "key_pending");
        world.go.restore(&kid);
        refresh(&auth).await.unwrap();
    }
}

#[tokio::test]
async fn a_key_published_late_serves_after_a_cooldown() {
    let world = World::new().await;
    let auth = world.ready().await;
    let early = world.go.rotate_unpublished();
    world.clock.advance(secs(10));
    assert_eq!(verdict(&auth, &world.token()).await, "key_pending");
    world.go.restore(&early);
    assert_eq!(verdict(&auth, &world.token()).await, "key_pending");
    world.clock.advance(secs(10));
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    assert_eq!(world.go.fetches(), 3);
}
