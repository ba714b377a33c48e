//! Everything a key address can do wrong: each is a failed fetch, and none costs a good key.

use derbysoft_go_auth::keys::FetchError;
use derbysoft_go_simulator::{Fault, Simulator};

use test_support::log::Lines;
use test_support::{
    World, eventually, keys, millis, ready, readying, readyz, refresh, secs, settle, soon, verdict,
};

const LIMIT: usize = 256 * 1024;

/// Provokes the fault at the start, and later when there are good keys.
async fn fails(fault: Fault, expected: impl Fn(&FetchError) -> bool) {
    fails_in(World::new().await, fault, expected).await;
}

async fn fails_in(world: World, fault: Fault, expected: impl Fn(&FetchError) -> bool) {
    // A build for tests takes seconds to unpack 100 MiB.
    let builder = world.builder().configure(|it| it.fetch_timeout = secs(30));
    let auth = builder.build().expect("a good configuration");
    world.go.fail(fault.clone());
    let error = ready(&auth).await.expect_err("a failed fetch");
    assert!(expected(&error), "{fault:?} at the start: {error:?}");
    assert_eq!(verdict(&auth, &world.token()).await, "keys_unavailable");
    assert_eq!(keys(&auth), 0);

    world.go.heal();
    refresh(&auth).await.expect("GO is well");
    let known = world.token();
    world.go.rotate();
    world.go.fail(fault.clone());
    let error = refresh(&auth).await.expect_err("a failed fetch");
    assert!(expected(&error), "{fault:?} later: {error:?}");
    assert_eq!(verdict(&auth, &known).await, "ok", "{fault:?}");
    assert_eq!(keys(&auth), 2, "{fault:?}");

    world.go.heal();
    refresh(&auth).await.expect("GO is well again");
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
}

#[tokio::test]
async fn only_status_200_brings_keys() {
    for status in [201, 202, 203, 204, 205, 206, 400, 401, 403, 404, 500, 503] {
        let fault = Fault::Status(status);
        fails(fault, |error| *error == FetchError::Status(status)).await;
    }
}

#[tokio::test]
async fn each_failed_fetch_of_an_address_is_logged() {
    let (lines, _guard) = Lines::capture();
    let world = World::new().await;
    let auth = world.builder().build().expect("a good configuration");
    world.go.fail(Fault::Status(503));
    for failed in 1..=3 {
        refresh(&auth).await.expect_err("a failed fetch");
        let warnings = lines.text().matches("keys could not be fetched").count();
        assert_eq!(warnings, failed);
    }
}

#[tokio::test]
async fn gos_documented_failure_is_not_followed() {
    fails(Fault::RedirectNotFound, |error| {
        *error == FetchError::Status(404)
    })
    .await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Simulator::start().await.unwrap();
    for status in [301, 302, 303, 307, 308] {
        let location = elsewhere.jwks_url();
        let fault = Fault::Redirect { location, status };
        fails(fault, |error| *error == FetchError::Redirect(status)).await;
    }
    assert_eq!(elsewhere.total_requests(), 0);
}

#[tokio::test]
async fn a_redirect_within_the_origin_is_not_followed() {
    let world = World::new().await;
    let location = world.go.discovery_url();
    world.go.fail(Fault::Redirect {
        location,
        status: 302,
    });
    ready(&world.auth()).await.expect_err("a redirect");
    assert_eq!(world.go.total_requests(), 1);
}

#[tokio::test]
async fn what_is_no_key_set_brings_no_keys() {
    for fault in [Fault::Html, Fault::NotJson, Fault::EmptySet] {
        fails(fault, |error| matches!(error, FetchError::KeySet(_))).await;
    }
}

#[tokio::test]
async fn a_good_document_cut_anywhere_brings_no_keys() {
    let world = World::new().await;
    let auth = world.ready().await;
    let whole = world.go.document();
    for kept in [1, whole.len() / 2, whole.len() - 1] {
        world.go.set_document(&whole[..kept]);
        refresh(&auth).await.expect_err("half a document");
    }
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
}

#[tokio::test]
async fn an_answer_that_breaks_off_brings_no_keys() {
    fails(Fault::Truncated, |error| {
        matches!(error, FetchError::Body(_) | FetchError::Unreachable(_))
    })
    .await;
    let garbage = Fault::Raw(b"\x16\x03\x01 not HTTP at all\r\n\r\n".to_vec());
    let teaser = Fault::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n{\"keys\":".to_vec());
    for fault in [Fault::Cut, garbage] {
        fails(fault, |error| matches!(error, FetchError::Unreachable(_))).await;
    }
    fails(teaser, |error| matches!(error, FetchError::Body(_))).await;
}

#[tokio::test]
async fn the_body_is_bounded_after_decompression() {
    for fault in [Fault::Oversized(LIMIT + 1), Fault::GzipBomb, Fault::Endless] {
        fails(fault, |error| *error == FetchError::TooLarge(LIMIT)).await;
    }
    // What is far too large is not received whole, in either form.
    for gzip in [true, false] {
        let world = World::new().await;
        world.go.set_gzip(gzip);
        let fault = Fault::Oversized(100 << 20);
        fails_in(world, fault, |error| *error == FetchError::TooLarge(LIMIT)).await;
    }
}

#[tokio::test]
async fn the_bodys_bound_is_exact_and_can_be_set() {
    let world = World::new().await;
    world.go.fail(Fault::Oversized(LIMIT));
    let auth = world.ready().await;
    assert_eq!(verdict(&auth, &world.token()).await, "ok");

    for gzip in [true, false] {
        world.go.set_gzip(gzip);
        world.go.fail(Fault::Oversized(2049));
        let auth = world
            .builder()
            .configure(|it| it.max_document_bytes = 2048)
            .build()
            .unwrap();
        assert_eq!(ready(&auth).await, Err(FetchError::TooLarge(2048)));
        world.go.fail(Fault::Oversized(2048));
        ready(&auth).await.unwrap();
    }
}

#[tokio::test]
async fn a_fetch_has_a_total_time_limit_by_the_clock() {
    let slow = Fault::Drip {
        bytes: 1,
        every: secs(1),
    };
    for fault in [Fault::Hang, Fault::HangBody, slow, Fault::Delay(secs(90))] {
        let world = World::new().await;
        let limit = |limit| world.builder().configure(|it| it.fetch_timeout = limit);
        world.go.fail(fault.clone());
        // The machine's time does not end it,
        let waiting = readying(&limit(millis(10)).build().unwrap());
        world.fetches(1).await;
        settle().await;
        assert!(!waiting.is_finished(), "{fault:?}");
        world.clock.advance(millis(10));
        assert_eq!(soon(waiting).await.unwrap(), Err(FetchError::Timeout));
        // and does not have to pass.
        let waiting = readying(&limit(secs(60)).build().unwrap());
        world.fetches(2).await;
        world.clock.advance(millis(59_999));
        settle().await;
        assert!(!waiting.is_finished(), "{fault:?}");
        world.clock.advance(millis(1));
        assert_eq!(soon(waiting).await.unwrap(), Err(FetchError::Timeout));
    }
}

#[tokio::test]
async fn a_slow_answer_in_time_brings_keys() {
    let world = World::new().await;
    let slow = Fault::Drip {
        bytes: 100,
        every: millis(2),
    };
    for fault in [slow, Fault::Delay(secs(4))] {
        world.go.fail(fault);
        let auth = world.auth();
        let before = world.go.fetches();
        let waiting = readying(&auth);
        world.fetches(before + 1).await;
        settle().await;
        assert!(!waiting.is_finished());
        world.clock.advance(secs(4));
        soon(waiting).await.unwrap().expect("in time");
        assert_eq!(verdict(&auth, &world.token()).await, "ok");
    }
}

#[tokio::test]
async fn a_closed_port_costs_no_keys_and_recovers() {
    let world = World::new().await;
    let auth = world.ready().await;
    let known = world.token();
    let World { go, clock } = world;
    let address = go.address();
    let published = go.published_keys();
    go.stop().await;
    let error = refresh(&auth).await.expect_err("nobody is there");
    assert!(matches!(error, FetchError::Unreachable(_)), "{error:?}");
    assert_eq!(verdict(&auth, &known).await, "ok");

    let back = Simulator::builder().address(address).keys(published);
    let world = World::at(clock, back).await;
    refresh(&auth).await.unwrap();
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
}

#[tokio::test]
async fn a_closed_port_at_the_start_recovers_by_itself() {
    let world = World::new().await;
    let (auth, token) = (world.auth(), world.token());
    let World { go, clock } = world;
    let (address, published) = (go.address(), go.published_keys());
    go.stop().await;

    let error = ready(&auth).await.expect_err("nobody is there");
    assert!(matches!(error, FetchError::Unreachable(_)), "{error:?}");
    assert_eq!(verdict(&auth, &token).await, "keys_unavailable");
    assert_eq!(readyz(&auth), 503);

    let back = Simulator::builder().address(address).keys(published);
    let world = World::at(clock, back).await;
    world.advance_to_fetch(secs(1), 1).await;
    eventually("the keys came by themselves", || readyz(&auth) == 200).await;
    assert_eq!(verdict(&auth, &token).await, "ok");
    assert_eq!(world.go.fetches(), 1);
}
