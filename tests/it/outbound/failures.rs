//! What the token endpoint can do wrong, and which error callers get.

use std::task::Poll;

use derbysoft_go_auth::outbound::{
    BoxError, GatewayError, GatewayErrorKind as Kind, GatewayRefusal,
};
use derbysoft_go_simulator::{Endpoint, Fault, GatewayFailure};

use super::{Stranger, World, client, gateway_error, pair, send};
use test_support::log::Lines;
use test_support::{at_once, eventually, millis, passive_runtime, runtime, secs, settle, soon};

#[tokio::test]
async fn all_six_documented_failures_are_typed() {
    for failure in GatewayFailure::ALL {
        let (status, message) = failure.documented();
        let body = format!(r#"{{"message":"{message}"}}"#);
        let refusal = GatewayRefusal::read(status, body.as_bytes()).expect("a documented one");
        let world = World::new().await;
        world.go.refuse_tokens(Some(failure));
        let error: BoxError = send(&client(&world.gateway()), world.push())
            .await
            .expect_err("no token");
        assert_eq!(gateway_error(&error).kind(), &Kind::Refused(refusal));
        let text = error.to_string();
        assert!(
            text.contains(message) && text.contains(&status.to_string()),
            "{text}"
        );
        assert_eq!(world.go.pushes(), 0);
    }
}

#[tokio::test]
async fn an_unknown_failure_keeps_a_bounded_body() {
    let world = World::new().await;
    let client_secret = world.go.client().client_secret;
    world.go.set_token_answer(Some(&format!(
        "no \u{1b}[2J{client_secret}\r\n{}",
        "x".repeat(10_000)
    )));
    world.go.fail_at(Endpoint::Token, Fault::Status(418));
    let error = soon(world.gateway().ready()).await.expect_err("no token");
    let Kind::Answer {
        status: 418, body, ..
    } = error.kind()
    else {
        panic!("{error}");
    };
    assert!(body.as_str().len() <= 512);
    let text = format!("{error} {error:?}");
    assert!(text.contains("status 418: no …"), "{text}");
    assert!(!text.contains('\u{1b}') && !text.contains(&client_secret));
}

#[tokio::test]
async fn faults_of_the_endpoint_are_distinguished() {
    let name = |error: &GatewayError| match error.kind() {
        Kind::Timeout => "timeout",
        Kind::Redirect(_) => "redirect",
        Kind::Answer { .. } => "answer",
        Kind::Unreachable(_) => "unreachable",
        Kind::TooLarge(_) => "too large",
        Kind::Body(_) => "body",
        Kind::Malformed(_) => "malformed",
        _ => "another",
    };
    let world = World::new().await;
    for (fault, expected) in [
        (Fault::Hang, "timeout"),
        (Fault::HangBody, "timeout"),
        (
            Fault::Drip {
                bytes: 1,
                every: secs(1),
            },
            "timeout",
        ),
        (Fault::RedirectNotFound, "answer"),
        (
            Fault::Redirect {
                location: world.go.toker_url(),
                status: 302,
            },
            "redirect",
        ),
        (Fault::Status(500), "answer"),
        (Fault::Status(201), "answer"),
        (Fault::Status(204), "answer"),
        (Fault::Status(206), "answer"),
        (Fault::Status(304), "redirect"),
        (Fault::Truncated, "body"),
        (Fault::Cut, "unreachable"),
        (Fault::Html, "malformed"),
        (Fault::NotJson, "malformed"),
        (Fault::EmptySet, "malformed"),
        (Fault::Endless, "too large"),
        (Fault::GzipBomb, "too large"),
        (Fault::Oversized(65_537), "too large"),
        (Fault::Raw(b"SSH-2.0-x\r\n".to_vec()), "unreachable"),
    ] {
        let gateway = world.gateway();
        let fetches = world.go.token_fetches();
        world.go.fail_at(Endpoint::Token, fault.clone());
        let readying = tokio::spawn({
            let gateway = gateway.clone();
            async move { gateway.ready().await }
        });
        soon(world.go.wait_for_token_fetches(fetches + 1)).await;
        if expected == "timeout" {
            world.clock.advance(secs(5));
        }
        let error = soon(readying).await.unwrap().expect_err("no token");
        assert_eq!(name(&error), expected, "{fault:?}: {error}");
        assert_eq!(world.go.token_fetches(), fetches + 1, "{fault:?}");
        let told = gateway.health().last_error.expect("it failed");
        assert_eq!(told.kind(), error.kind());
    }
}

#[tokio::test]
async fn a_fetch_has_a_total_time_limit_by_the_clock() {
    let world = World::new().await;
    world.go.fail_at(Endpoint::Token, Fault::Hang);
    // Neither does the machine's time end it, nor does it have to pass.
    for (n, limit) in [millis(10), secs(60)].into_iter().enumerate() {
        let gateway = world.builder().fetch_timeout(limit).build().unwrap();
        let readying = tokio::spawn(async move { gateway.ready().await });
        soon(world.go.wait_for_token_fetches(n + 1)).await;
        world.clock.advance(limit.saturating_sub(millis(1)));
        test_support::settle().await;
        assert!(!readying.is_finished(), "{limit:?}");
        world.clock.advance(millis(1));
        let error = soon(readying).await.unwrap().expect_err("no token");
        assert_eq!(error.kind(), &Kind::Timeout);
    }
}

#[tokio::test]
async fn each_useless_answer_has_its_own_error() {
    let world = World::new().await;
    let long = "x".repeat(8193);
    let minute = ",\"expires_in\":60";
    for (token, token_type, expires_in, expected) in [
        ("opaque", "bearer", minute, None),
        ("opaque", "mac", minute, Some(Kind::OtherType)),
        ("opaque", "Bearer", "", Some(Kind::NoLifetime)),
        ("opaque", "Bearer", ",\"expires_in\":0", Some(Kind::Expired)),
        ("", "Bearer", minute, Some(Kind::UnusableToken)),
        ("a b", "Bearer", minute, Some(Kind::UnusableToken)),
        ("a\\r\\nx: y", "Bearer", minute, Some(Kind::UnusableToken)),
        (&long, "Bearer", minute, Some(Kind::UnusableToken)),
    ] {
        let answer =
            format!(r#"{{"access_token":"{token}","token_type":"{token_type}"{expires_in}}}"#);
        world.go.set_token_answer(Some(&answer));
        let result = soon(world.gateway().ready()).await;
        let kind = result.err().map(|error| error.kind().clone());
        assert_eq!(kind, expected, "{answer:.80}");
    }
}

#[tokio::test]
async fn the_endpoints_redirect_carries_no_secret() {
    let world = World::new().await;
    let stranger = Stranger::answering("HTTP/1.1 200 OK").await;
    let door = Stranger::redirecting(&format!("{}/x", stranger.origin)).await;
    let gateway = world
        .builder()
        .token_url(format!("{}/authorizer/token", door.origin))
        .http_client(|client| client.redirect(reqwest::redirect::Policy::limited(5)))
        .build()
        .unwrap();
    let error = soon(gateway.ready()).await.expect_err("not followed");
    assert_eq!(error.kind(), &Kind::Redirect(307));
    assert!(door.heard().contains("client-secret: "));
    assert_eq!(stranger.heard(), "");
}

#[tokio::test]
async fn all_waiting_callers_get_the_same_failure() {
    let world = World::new().await;
    let gateway = world.gateway();
    world
        .go
        .refuse_tokens(Some(GatewayFailure::ForbiddenConsumer));
    let held = world.go.hold_tokens();
    let waiting: Vec<_> = (0..50)
        .map(|_| {
            let gateway = gateway.clone();
            tokio::spawn(async move { gateway.ready().await })
        })
        .collect();
    soon(world.go.wait_for_token_fetches(1)).await;
    test_support::settle().await;
    held.release();
    for waiting in waiting {
        let error = soon(waiting).await.unwrap().expect_err("forbidden");
        let forbidden = Kind::Refused(GatewayRefusal::Forbidden);
        assert_eq!(error.kind(), &forbidden);
    }
    assert_eq!(world.go.token_fetches(), 1);
}

#[tokio::test]
async fn a_refused_pair_is_tried_every_ten_seconds() {
    let world = World::new().await;
    let mut wrong = world.go.client();
    wrong.client_secret.push('x');
    let gateway = world.builder().credentials(pair(&wrong)).build().unwrap();
    for _ in 0..20 {
        let error = soon(gateway.ready()).await.expect_err("refused");
        assert!(error.is_refusal(), "{error}");
        world.clock.advance(millis(300));
        test_support::settle().await;
    }
    assert_eq!(world.go.token_fetches(), 1);
    gateway.replace(pair(&world.go.client())).unwrap();
    soon(world.go.wait_for_token_fetches(2)).await;
    world.clock.advance(secs(1));
    test_support::eventually("the right pair serves at once", || {
        gateway.health().is_ready()
    })
    .await;
}

#[test]
fn a_fetch_whose_runtime_goes_has_failed() {
    let (lines, _guard) = Lines::capture();
    let of_go = runtime();
    let world = of_go.block_on(World::new());
    world.go.fail_at(Endpoint::Token, Fault::Hang);
    let gateway = world.gateway();
    let readying = || {
        let gateway = gateway.clone();
        async move { gateway.ready().await }
    };
    let (own, other) = (passive_runtime(), runtime());
    own.block_on(async {
        tokio::spawn(readying());
        soon(world.go.wait_for_token_fetches(1)).await;
    });
    let waiting = other.spawn(readying());
    other.block_on(settle());
    drop(own);
    let error = other.block_on(soon(waiting)).unwrap().expect_err("stopped");
    assert_eq!(error.kind(), &Kind::Stopped);
    let told = gateway.health().last_error.expect("it failed");
    assert_eq!(told.kind(), &Kind::Stopped);
    other.block_on(eventually("it is logged", || {
        lines
            .text()
            .contains("the runtime shut down during a fetch")
    }));
}

/// The token was fetched in another runtime; here there is none to wait in.
#[test]
fn outside_a_runtime_no_call_waits() {
    let own = runtime();
    let (world, gateway) = own.block_on(async {
        let world = World::new().await;
        let gateway = world.ready().await;
        (world, gateway)
    });
    world.go.fail_at(Endpoint::Token, Fault::Hang);
    assert!(matches!(at_once(gateway.ready()), Poll::Ready(Ok(()))));
    world.clock.advance(secs(86_400));
    let Poll::Ready(Err(error)) = at_once(gateway.ready()) else {
        panic!("an answer at once");
    };
    assert_eq!(error.kind(), &Kind::NoRuntime);
}
