//! What a caller and the API see of each verdict.

use derbysoft_go_auth::access_token::Api;
use derbysoft_go_simulator::Simulator;

use crate::proxies::proxy::Proxy;
use crate::proxies::stage::{STRICT, Stage};
use test_support::distributor::{TokenFile, entry, now};
use test_support::wire::head;
use test_support::{OTHER, SUBJECT, UNUSABLE, refused_tokens, status_of};

pub(crate) async fn a_genuine_push_reaches_the_api_with_its_caller(proxy: &Proxy) {
    let stage = Stage::set(proxy, "").await;
    let token = stage.go.mint().token_id("wOoSYqfOyuPFZPaLkSVVGQ").token();
    for authorization in [format!("Bearer {token}"), token.clone()] {
        let reply = stage.push_with(&authorization).await;
        assert_eq!((reply.status, &*reply.body), (200, "handled"));
        assert_eq!(reply.header("x-go-subject"), None);
        let received = stage.api.last();
        assert_eq!(received.method, "POST");
        assert_eq!(received.target, "/ari/daily/push?a=b");
        assert_eq!(received.body, "rates");
        assert_eq!(received.header("host"), Some("api.example"));
        let identity = [
            ("x-go-issuer", stage.go.issuer()),
            ("x-go-subject", SUBJECT),
            ("x-go-token-id", "wOoSYqfOyuPFZPaLkSVVGQ"),
        ];
        assert_eq!(received.identity(), identity);
        // It has no use for the token.
        let signature = token.rsplit('.').next().expect("a segment");
        assert_eq!(received.fields_with(signature), Vec::<&_>::new());
        assert_eq!(received.header("authorization"), None);
    }
    assert_eq!(stage.api.calls(), 2);
}

pub(crate) async fn an_access_token_reaches_the_api_as_its_api(proxy: &Proxy) {
    let token = "53ac0777aaaaaaaaaaaaaaaaaaaaaaaa";
    let file = TokenFile::of(entry(&Api::AVAILABILITY_PEER, token, now()));
    let path = file.path().display().to_string();
    let stage = Stage::set(proxy, &format!("access_tokens = {path:?}")).await;
    let reply = stage.push_with(token).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let received = stage.api.last();
    assert_eq!(received.identity(), [("x-go-api", "availability-peer")]);
    assert_eq!(received.fields_with(token), Vec::<&_>::new());
}

/// The one that is rejected is not even read.
pub(crate) async fn a_large_push_reaches_the_api(proxy: &Proxy) {
    let stage = Stage::set(proxy, "").await;
    let token = stage.go.token();
    let update = "x".repeat(3 << 20);
    let length = update.len().to_string();
    let headers = [("Authorization", &*token), ("Content-Length", &length)];
    let request = head("POST", "/ari/los/push", &headers) + &update;
    let reply = stage.send(request).await.expect("an answer");
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(stage.api.last().body.len(), update.len());
    // Its body never comes, but to those that wait for it.
    let headers = [("Authorization", "a.b.c"), ("Content-Length", &length)];
    let mut request = head("POST", "/ari/los/push", &headers);
    if proxy.answers.reads_rejected_bodies {
        request += &update;
    }
    let reply = stage.send(request).await;
    assert_eq!(reply.expect("an answer").status, 401);
    assert_eq!(stage.api.calls(), 1);
}

pub(crate) async fn every_method_gets_its_verdict(proxy: &Proxy) {
    let stage = Stage::set(proxy, "").await;
    let token = stage.go.token();
    for method in [
        "GET", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "X-PUSH",
    ] {
        let request = |authorization| head(method, "/ping", &[("Authorization", authorization)]);
        let reply = stage.send(request(&token)).await.expect("an answer");
        let own = proxy.answers.unknown_method.filter(|_| method == "X-PUSH");
        assert_eq!(reply.status, own.unwrap_or(200), "{method}");
        if own.is_none() {
            assert_eq!(stage.api.last().method, method);
        }
        let reply = stage.send(request("a.b.c")).await.expect("an answer");
        assert_eq!(reply.status, own.unwrap_or(401), "{method}");
    }
    let calls = stage.api.calls();
    let mut wire = stage.connect().await;
    wire.write(head("HEAD", "/ping", &[("Authorization", "a.b.c")]))
        .await;
    assert_eq!(wire.reply_to_head().await.status, 401);
    let mut wire = stage.connect().await;
    wire.write(head("HEAD", "/ping", &[("Authorization", &token)]))
        .await;
    assert_eq!(wire.reply_to_head().await.status, 200);
    assert_eq!(stage.api.calls(), calls + 1);

    let http_1_0 =
        |token: &str| format!("GET /ping HTTP/1.0\r\nHost: x\r\nAuthorization: {token}\r\n\r\n");
    for (token, status) in [(&*token, 200), ("a.b.c", 401)] {
        let reply = stage.send(http_1_0(token)).await.expect("an answer");
        assert_eq!(reply.status, proxy.answers.http_1_0.unwrap_or(status));
    }
    let admitted = usize::from(proxy.answers.http_1_0.is_none());
    assert_eq!(stage.api.calls(), calls + 1 + admitted);
}

pub(crate) async fn a_rejected_request_never_reaches_the_api(proxy: &Proxy) {
    let stage = Stage::set(proxy, STRICT).await;
    for (kind, token) in refused_tokens(&stage.go.mint()) {
        for authorization in [format!("Bearer {token}"), token] {
            let reply = stage.push_with(&authorization).await;
            if kind == "too_long" {
                // The proxy's own limit may come first.
                let expected = proxy.answers.too_long;
                assert!(expected.contains(&reply.status), "{reply:?}");
                continue;
            }
            assert_eq!(reply.status, status_of(kind), "{kind}");
            let challenge = reply.header("www-authenticate");
            if reply.status == 401 {
                let challenge = challenge.expect("a challenge");
                assert!(
                    challenge.contains(r#"error="invalid_token""#),
                    "{challenge}"
                );
            }
        }
    }
    let token = stage.go.mint().token_id("1").token();
    let genuine = format!("Bearer {token}").into_bytes();
    let joined = format!("Bearer {token}, Bearer {token}").into_bytes();
    let among_others = [
        vec![&*genuine, b"Basic dXNlcjpwYXNz"],
        vec![b"Basic dXNlcjpwYXNz", &*genuine],
        vec![b"Bearer", &*genuine],
        vec![&*genuine, &*genuine],
        vec![&*joined],
    ];
    let lines = OTHER.iter().chain(&UNUSABLE).map(|lines| lines.to_vec());
    for lines in lines.chain(among_others) {
        let mut request = b"GET /ping HTTP/1.1\r\nHost: x\r\n".to_vec();
        for line in &lines {
            request.extend([b"Authorization: ", *line, b"\r\n"].concat());
        }
        let reply = stage.send([&request[..], b"\r\n"].concat()).await;
        let reply = reply.expect("an answer");
        if lines.len() > 1 {
            // Some proxies reject it themselves.
            let expected = proxy.answers.two_credentials;
            let lines: Vec<_> = lines
                .iter()
                .map(|line| line.escape_ascii().to_string())
                .collect();
            assert!(expected.contains(&reply.status), "{lines:?}: {reply:?}");
            continue;
        }
        assert_eq!(reply.status, 401, "{lines:?}");
        assert!(reply.header("www-authenticate").is_some(), "{lines:?}");
    }
    assert_eq!(stage.api.calls(), 0);
    let beside_nothing = head(
        "GET",
        "/ping",
        &[("Authorization", ""), ("Authorization", &token)],
    );
    let reply = stage.send(beside_nothing).await.expect("an answer");
    if proxy.answers.ignores_empty_credentials {
        assert_eq!(reply.status, 200);
    } else {
        assert!(proxy.answers.two_credentials.contains(&reply.status));
    }
}

pub(crate) async fn claims_of_any_characters_are_one_header_each(proxy: &Proxy) {
    let go = Simulator::start().await.expect("a free port");
    let stage = Stage::of(go, proxy, "", 1, |shipped| shipped).await;
    let subject = "a,b\r\nx-go-api: c\r\n\r\nGET /bad HTTP/1.1\r\n\r\n";
    let token = stage
        .go
        .mint()
        .subject(subject)
        .token_id("$host \"ü\"")
        .token();
    assert_eq!(stage.push_with(&token).await.status, 200);
    let received = stage.api.last();
    let identity = [
        ("x-go-issuer", stage.go.issuer()),
        (
            "x-go-subject",
            "a%2Cb%0D%0Ax-go-api:%20c%0D%0A%0D%0AGET%20/bad%20HTTP/1.1%0D%0A%0D%0A",
        ),
        ("x-go-token-id", "$host%20\"%C3%BC\""),
    ];
    assert_eq!(received.identity(), identity);
    // The longest values of the gate fit.
    let longest = "a".repeat(1024);
    let token = stage.go.mint().subject(&longest).token_id(&longest).token();
    assert_eq!(stage.push_with(&token).await.status, 200);
    assert_eq!(stage.api.last().header("x-go-token-id"), Some(&*longest));
    assert_eq!(stage.api.calls(), 2);
}
