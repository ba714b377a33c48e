//! What the token endpoint and the network do that must fail no call and reveal no secret.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use derbysoft_go_auth::clock::Clock;
use derbysoft_go_auth::outbound::{ClientPair, EndpointTokens, Gateway, HttpClient};
use derbysoft_go_simulator::{Endpoint, Fault, GatewayFailure};
use http::{HeaderMap, Request};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tower::Layer;

use super::{Stranger, World, pair, send};
use test_support::log::Lines;
use test_support::{at_once, eventually, secs, settle, soon};

fn jwt(claims: &Value) -> String {
    format!(
        "e30.{}.AA",
        BASE64_URL_SAFE_NO_PAD.encode(claims.to_string())
    )
}

#[tokio::test]
async fn a_token_for_somebody_else_is_opaque() {
    let world = World::new().await;
    let now = world.clock.now().as_secs();
    let many: serde_json::Map<_, _> = (0..70)
        .map(|n| (format!("c{n}"), json!(n)))
        .chain([("exp".to_owned(), json!(now + 60))])
        .collect();
    for (claims, expires_in, left) in [
        (json!({"sub": 7, "exp": now + 60}), json!(7200), 60),
        (json!({"aud": 7, "exp": now + 60}), json!(7200), 60),
        (
            json!({"aud": [7, null], "iss": {}, "exp": now + 60}),
            json!(7200),
            60,
        ),
        (json!({"exp": (now + 60).to_string()}), json!(7200), 60),
        (json!({"exp": "soon"}), json!(600), 600),
        (json!({"exp": -1, "nbf": "x"}), json!(600), 600),
        (Value::Object(many), json!(7200), 60),
        (json!({"exp": now + 7200}), json!("600"), 600),
        (json!({"exp": now + 7200}), json!(null), 7200),
        (json!({"exp": now + 7200}), json!("soon"), 7200),
        (json!({"exp": now + 7200}), json!([]), 7200),
        (json!({}), json!("600"), 600),
    ] {
        let answer = json!({"access_token": jwt(&claims), "token_type": "Bearer",
                            "expires_in": expires_in});
        world.go.set_token_answer(Some(&answer.to_string()));
        let gateway = world.gateway();
        let ready = soon(gateway.ready()).await;
        assert_eq!(ready.err().map(|error| error.to_string()), None, "{answer}");
        assert_eq!(gateway.health().token_left, Some(secs(left)), "{claims}");
    }
}

#[tokio::test]
async fn an_answer_with_odd_headers_gives_its_token() {
    let world = World::new().await;
    let body = r#"{"access_token":"x","token_type":"Bearer","expires_in":60}"#;
    for bad in ["x bad: x\r\n", "x-folded: a\r\n b\r\n", "no colon\r\n"] {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{bad}\r\n",
            body.len()
        );
        let fault = Fault::Raw((head + body).into());
        world.go.fail_at(Endpoint::Token, fault);
        let ready = soon(world.gateway().ready()).await;
        assert_eq!(ready.err().map(|error| error.to_string()), None, "{bad}");
    }
}

/// Ways in which a page may repeat what it was sent.
fn spellings(secret: &str) -> Vec<String> {
    let each = |spell: fn(u8) -> String| secret.bytes().map(spell).collect::<String>();
    let halves = secret.split_at(secret.len() / 2);
    vec![
        secret.to_owned(),
        each(|byte| format!("&#{byte};")),
        each(|byte| format!("&#x{byte:x};")),
        each(|byte| format!("&#X{byte:04X};")),
        each(|byte| format!("\\u{byte:04x}")),
        each(|byte| format!("\\x{byte:x}")),
        each(|byte| format!("%{byte:x}")),
        each(|byte| format!("%{byte:X}")),
        each(|byte| format!("%25{byte:x}")),
        each(|byte| format!("&amp;#{byte};")),
        each(|byte| format!("={byte:X}")),
        each(|byte| format!("{byte:x}")),
        each(|byte| format!("{byte:02x} ")),
        each(|byte| format!("{} ", byte as char)),
        each(|byte| format!("<b>{}</b>", byte as char)),
        each(|byte| format!("{}\0", byte as char)),
        each(|byte| format!("{}\u{200b}", byte as char)),
        format!("{}<wbr>{}", halves.0, halves.1),
        format!("{}<!-- -->{}", halves.0, halves.1),
        format!("{}, {}", halves.0, halves.1),
        format!("{}...", halves.0),
        secret.to_uppercase(),
        secret.replace(|c: char| !c.is_ascii_alphanumeric(), "_"),
        secret.replace(';', "&semi;").replace(')', "&rpar;"),
        BASE64_STANDARD.encode(secret),
        BASE64_URL_SAFE_NO_PAD.encode(secret),
        BASE64_STANDARD.encode(BASE64_STANDARD.encode(secret)),
        BASE64_STANDARD.encode(format!("client:{secret}")),
        format!(r#"{{"client-secret":"{secret}"}}"#),
        format!("<input value='{secret}'>"),
        format!("client-secret={secret}&x=1"),
    ]
}

/// Whether a text has four letters or digits in a row of a secret, or so much of a spelling.
fn betrays(text: &str, secret: &str, spelled: &str) -> Option<String> {
    let plain = |text: &str| -> Vec<u8> {
        let letters = text.bytes().filter(u8::is_ascii_alphanumeric);
        letters.map(|byte| byte.to_ascii_lowercase()).collect()
    };
    let (kept, secret, spelled) = (plain(text), plain(secret), plain(spelled));
    let parts = secret.windows(4).chain(spelled.windows(12));
    let mut found = parts.filter(|part| kept.windows(part.len()).any(|window| window == *part));
    found
        .next()
        .map(|part| String::from_utf8_lossy(part).into_owned())
}

#[tokio::test]
async fn no_spelling_of_a_secret_is_repeated() {
    let (lines, _guard) = Lines::capture();
    let world = World::new().await;
    for secret in [
        "p;fdHalvm27A)2UAa3J8n7NLn5roVP1",
        "596a9560dafb4f3c8a1de0cafe4b2d1",
        "correct:horse,battery(staple)",
        "correcthorsebatterystaple",
    ] {
        for pair in [ClientPair::new(secret, "x1"), ClientPair::new("x1", secret)] {
            for spelled in spellings(secret) {
                world
                    .go
                    .set_token_answer(Some(&format!("No such client: {spelled} is unknown")));
                world.go.fail_at(Endpoint::Token, Fault::Status(400));
                let gateway = world.builder().credentials(pair.clone()).build().unwrap();
                let error = soon(gateway.ready()).await.expect_err("no token");
                let told = format!("{error} {error:?} {:?}", gateway.health());
                assert_eq!(betrays(&told, secret, &spelled), None, "{spelled}: {told}");
                let logged = lines.text();
                assert!(
                    logged.contains("no token could be had"),
                    "logs are captured"
                );
                let ours = logged
                    .lines()
                    .filter(|line| line.contains("no token could be had"));
                for line in ours {
                    assert!(!line.contains(secret) && !line.contains(&spelled), "{line}");
                }
                lines.take();
            }
        }
    }
}

#[tokio::test]
async fn what_a_page_says_in_plain_words_is_kept() {
    let world = World::new().await;
    for (page, kept) in [
        (
            r#"{"message":"Rate limit exceeded.","code":"RL_42"}"#,
            "message Rate limit exceeded code …",
        ),
        (
            "<html><head><title>403 Forbidden</title></head><body bgcolor=x>Access denied by policy</body>",
            "… Forbidden Access denied by policy",
        ),
        (
            "upstream connect error or disconnect/reset before headers",
            "upstream connect error or … before headers",
        ),
        ("\u{1b}[2J\u{1b}]0;title\u{7}", "…"),
        ("", ""),
    ] {
        world.go.set_token_answer(Some(page));
        world.go.fail_at(Endpoint::Token, Fault::Status(418));
        // Without letters, which a random pair could share with the page.
        let pair = ClientPair::new("4711", "0815");
        let gateway = world.builder().credentials(pair).build();
        let gateway = gateway.expect("good settings");
        let error = soon(gateway.ready()).await.expect_err("no token");
        let expected = format!("status 418: {kept}");
        assert!(error.to_string().ends_with(&expected), "{error}");
    }
}

#[tokio::test]
async fn plain_http_to_this_machine_uses_no_proxy() {
    let proxy = Stranger::answering("HTTP/1.1 418 A Proxy").await;
    // Odd headers do not matter either.
    let api = Stranger::answering("HTTP/1.1 200 OK\r\nno colon\r\nx-folded: a\r\n b").await;
    let port = api.origin.rsplit(':').next().expect("a port");
    for host in ["127.0.0.1", "localhost", "LOCALHOST"] {
        let base = format!("http://{host}:{port}");
        let tokens = EndpointTokens::builder()
            .booking_usb(&*base, "s3cr3t-t0ken")
            .build()
            .unwrap();
        let client = tokens.layer().layer(http_client_behind(&proxy));
        let request = Request::get(format!("{base}/ping")).body(Bytes::new());
        let answer = send(&client, request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200, "{host}");
    }
    assert_eq!(proxy.heard(), "");
    assert!(api.heard().contains("s3cr3t-t0ken"));
    // To other machines it uses one.
    let request = Request::get("http://id.example/x").body(Bytes::new());
    let answer = send(&http_client_behind(&proxy), request.unwrap()).await;
    assert_eq!(answer.unwrap().status(), 418);
}

fn http_client_behind(proxy: &Stranger) -> HttpClient {
    let proxy = reqwest::Proxy::all(&proxy.origin).expect("an address");
    let builder = HttpClient::builder().http_client(move |client| client.proxy(proxy.clone()));
    builder.build().expect("a client")
}

fn raw(status: u16, headers: &str) -> Fault {
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n{headers}\r\n");
    Fault::Raw(head.into())
}

#[tokio::test]
async fn retry_after_of_up_to_a_minute_is_obeyed() {
    for (asked, waits) in [("30", 30), ("3600", 60)] {
        for status in [429, 503] {
            let world = World::new().await;
            let fault = raw(status, &format!("retry-after: {asked}\r\n"));
            world.go.fail_next_at(Endpoint::Token, 1, fault);
            let gateway = world.gateway();
            soon(gateway.ready()).await.expect_err("asked to wait");
            for _ in 1..waits {
                world.clock.advance(secs(1));
                soon(gateway.ready()).await.expect_err("asked to wait");
            }
            settle().await;
            assert_eq!(world.go.token_fetches(), 1, "{status} {asked}");
            world.clock.advance(secs(1 + waits / 2));
            eventually("it tries again", || gateway.health().is_ready()).await;
            assert_eq!(world.go.token_fetches(), 2);
        }
    }
}

#[tokio::test]
async fn an_error_says_how_long_no_call_causes_a_fetch() {
    let world = World::new().await;
    let gateway = world.gateway();
    // Another pair is not tried at once either.
    gateway.rotate_to(ClientPair::new("next", "x1")).unwrap();
    let failure = async || soon(gateway.ready()).await.expect_err("no token");
    world
        .go
        .fail_at(Endpoint::Token, raw(503, "retry-after: 20\r\n"));
    let wait = failure().await.retry_after().expect("a time");
    assert!((secs(20)..=secs(30)).contains(&wait), "{wait:?}");
    world.clock.advance(secs(15));
    let error = failure().await;
    assert_eq!(error.retry_after(), Some(wait.saturating_sub(secs(15))));
    assert!(error.is_transient());
    let told = gateway.health().last_error.expect("it failed");
    assert_eq!(told, error);
    assert_eq!(world.go.token_fetches(), 1);
    // What a person has to fix is not transient.
    world.go.heal();
    world
        .go
        .refuse_tokens(Some(GatewayFailure::ForbiddenConsumer));
    world.clock.advance(secs(60));
    eventually("it tries again", || {
        let error = gateway.health().last_error;
        error.is_some_and(|error| error.is_refusal() && !error.is_transient())
    })
    .await;
    assert_eq!(failure().await.retry_after(), None);
}

/// Pushes as a client without tower does; its status, and the outcome of the renewal.
async fn push_by_hand(world: &World, gateway: &Gateway) -> (u16, Option<bool>) {
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let address = format!("{}/ari", world.go.gateway_url());
    let mut request = client.post(&address).body("{}").build().expect("a request");
    let uri = address.parse().expect("an address");
    let authorized = soon(gateway.authorize(&uri, request.headers_mut())).await;
    let authorized = authorized.expect("a token");
    let mut again = request.try_clone().expect("a body in memory");
    let answer = soon(client.execute(request)).await.expect("an answer");
    if answer.status() != 401 {
        return (answer.status().as_u16(), None);
    }
    match soon(authorized.renew(again.headers_mut())).await {
        Ok(true) => {
            let answer = soon(client.execute(again)).await.expect("an answer");
            (answer.status().as_u16(), Some(true))
        }
        Ok(false) => (401, Some(false)),
        Err(_) => (401, None),
    }
}

#[tokio::test]
async fn without_tower_a_revoked_token_is_renewed() {
    let world = Arc::new(World::new().await);
    let gateway = world.ready().await;
    assert_eq!(push_by_hand(&world, &gateway).await, (200, None));
    world.clock.advance(secs(60));
    world.go.revoke_gateway_tokens();
    assert_eq!(push_by_hand(&world, &gateway).await, (200, Some(true)));
    assert_eq!(world.go.token_fetches(), 2);
    assert_eq!(push_by_hand(&world, &gateway).await, (200, None));

    // A young token was refused for another reason.
    world.go.refuse_pushes(Some(GatewayFailure::NotVerified));
    for _ in 0..10 {
        assert_eq!(push_by_hand(&world, &gateway).await, (401, Some(false)));
    }
    assert_eq!(world.go.token_fetches(), 2);

    // Of the callers refused with one token, one causes a fetch.
    world.go.refuse_pushes(None);
    world.clock.advance(secs(60));
    world.go.revoke_gateway_tokens();
    let pushes: JoinSet<_> = (0..20)
        .map(|_| {
            let (world, gateway) = (Arc::clone(&world), gateway.clone());
            async move { push_by_hand(&world, &gateway).await }
        })
        .collect();
    for (status, _) in soon(pushes.join_all()).await {
        assert_eq!(status, 200);
    }
    assert_eq!(world.go.token_fetches(), 3);

    // None does while the endpoint fails.
    world.clock.advance(secs(60));
    world.go.revoke_gateway_tokens();
    world.go.fail_at(Endpoint::Token, Fault::Status(500));
    for _ in 0..10 {
        assert_eq!(push_by_hand(&world, &gateway).await, (401, None));
    }
    assert_eq!(world.go.token_fetches(), 4);
}

#[tokio::test]
async fn headers_without_the_refused_token_get_none() {
    let world = World::new().await;
    let gateway = world.ready().await;
    let uri = world.push().uri().clone();
    world.clock.advance(secs(60));
    for own in [None, Some("Bearer mine")] {
        let mut headers = HeaderMap::new();
        let authorized = soon(gateway.authorize(&uri, &mut headers)).await.unwrap();
        let mut others = HeaderMap::new();
        if let Some(own) = own {
            others.insert("authorization", own.parse().unwrap());
        }
        let before = others.clone();
        assert_eq!(soon(authorized.renew(&mut others)).await, Ok(false));
        assert_eq!(others, before);
    }
    // But later callers get another.
    soon(world.go.wait_for_token_fetches(2)).await;
}

#[tokio::test]
async fn a_refused_token_that_was_replaced_causes_no_fetch() {
    let world = World::new().await;
    let gateway = world.ready().await;
    let uri = world.push().uri().clone();
    let mut headers = HeaderMap::new();
    let first = soon(gateway.authorize(&uri, &mut headers)).await.unwrap();
    let second = soon(gateway.authorize(&uri, &mut HeaderMap::new())).await;
    gateway.replace(pair(&world.go.client())).unwrap();
    let present = || {
        let mut headers = HeaderMap::new();
        assert!(at_once(gateway.authorize(&uri, &mut headers)).is_ready());
        headers
    };
    eventually("another token serves", || present() != headers).await;
    // Neither for a call that is sent again, young as the token was, nor for one that is not.
    assert_eq!(soon(first.renew(&mut headers)).await, Ok(true));
    assert_eq!(headers, present());
    let outcome = soon(second.unwrap().renew(&mut HeaderMap::new())).await;
    assert_eq!(outcome, Ok(false));
    settle().await;
    assert_eq!(world.go.token_fetches(), 2);
}

#[tokio::test]
async fn after_a_failure_no_refused_token_causes_a_fetch_at_once() {
    let world = World::new().await;
    let gateway = world.ready().await;
    let uri = world.push().uri().clone();
    world.clock.advance(secs(60));
    world.go.fail_at(Endpoint::Token, Fault::Status(500));
    for _ in 0..3 {
        let authorized = soon(gateway.authorize(&uri, &mut HeaderMap::new())).await;
        let outcome = soon(authorized.unwrap().renew(&mut HeaderMap::new())).await;
        assert_eq!(outcome, Ok(false));
        eventually("it fails", || gateway.health().last_error.is_some()).await;
        settle().await;
        assert_eq!(world.go.token_fetches(), 2);
    }
}
