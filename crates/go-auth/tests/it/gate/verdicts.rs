//! What the gate answers at `/auth`.

use derbysoft_go_auth::access_token::Api;
use derbysoft_go_simulator::{Fault, Simulator};

use crate::gate_process::{GateProcess, settings_of};
use test_support::distributor::{TokenFile, entry, now};
use test_support::wire::{Reply, head};
use test_support::{OTHER, SUBJECT, UNUSABLE, refused_tokens, status_of};

/// Demands all that [`refused_tokens`] violates.
const STRICT: &str =
    "subjects = [\"ds-go-module\"]\nmax_lifetime = \"300s\"\nrequired_claims = [\"jti\"]";

const IDENTITY: [&str; 4] = ["x-go-subject", "x-go-issuer", "x-go-token-id", "x-go-api"];

/// GO, and a gate that trusts it.
async fn stage(more: &str) -> (Simulator, GateProcess) {
    let go = Simulator::start().await.expect("a free port");
    let gate = GateProcess::start(&settings_of(&go, more)).await;
    (go, gate)
}

fn identity(reply: &Reply) -> [Option<&str>; 4] {
    IDENTITY.map(|name| reply.header(name))
}

/// That a verdict accepts this caller, with all that belongs to it.
fn assert_accepted(reply: &Reply, caller: [&str; 4]) {
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(identity(reply), caller.map(Some));
    assert_eq!(reply.body, "");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn any_method_and_path_under_auth_is_accepted() {
    let (go, gate) = stage("").await;
    let token = go.mint().token_id("wOoSYqfOyuPFZPaLkSVVGQ").token();
    let caller = [SUBJECT, go.issuer(), "wOoSYqfOyuPFZPaLkSVVGQ", ""];
    let mut wire = gate.connect().await;
    for authorization in [format!("Bearer {token}"), token] {
        for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"] {
            for target in [
                "/auth",
                "/auth?a=b",
                "/auth/",
                "/auth/ari/daily/push",
                "http://gate.example/auth/ping?x",
            ] {
                let request = head(method, target, &[("Authorization", &authorization)]);
                wire.write(request).await;
                assert_accepted(&wire.reply().await, caller);
            }
        }
        let request = head("HEAD", "/auth", &[("Authorization", &authorization)]);
        wire.write(request).await;
        assert_accepted(&wire.reply_to_head().await, caller);
    }
}

#[tokio::test]
async fn an_access_token_is_answered_with_its_api() {
    let token = "53ac0777aaaaaaaaaaaaaaaaaaaaaaaa";
    let others = "53ac0777bbbbbbbbbbbbbbbbbbbbbbbb";
    let file = TokenFile::of(format!(
        "{}{}",
        entry(&Api::AVAILABILITY_PEER, token, now()),
        entry(&Api::V3_RESERVATION, others, now())
    ));
    let gate = GateProcess::start(&format!("access_tokens = {:?}", file.path())).await;

    let caller = ["", "", "", "availability-peer"];
    assert_accepted(&gate.verdict(token).await, caller);
    assert_eq!(gate.verdict(others).await.status, 403);
    assert_eq!(
        gate.verdict("53ac0777cccccccccccccccccccccccc")
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn a_missing_claim_is_an_empty_header() {
    let (go, gate) = stage("").await;
    let token = go.mint().without("sub").without("jti").token();
    assert_accepted(&gate.verdict(&token).await, ["", go.issuer(), "", ""]);
}

#[tokio::test]
async fn claims_of_any_characters_are_escaped_in_headers() {
    let (go, gate) = stage("").await;
    let token = go
        .mint()
        .subject("a,b\r\nx-go-api: c")
        .token_id("ü 100%")
        .token();
    let caller = [
        "a%2Cb%0D%0Ax-go-api:%20c",
        go.issuer(),
        "%C3%BC%20100%25",
        "",
    ];
    assert_accepted(&gate.verdict(&token).await, caller);
}

#[tokio::test]
async fn a_claim_too_long_for_a_header_is_rejected() {
    let (go, gate) = stage("").await;
    let longest = go.mint().subject("a".repeat(1024)).token();
    assert_eq!(gate.verdict(&longest).await.status, 200);
    for token in [
        go.mint().subject("a".repeat(1025)).token(),
        go.mint().token_id(" ".repeat(342)).token(),
    ] {
        let reply = gate.verdict(&token).await;
        assert_eq!(reply.status, 403);
        assert_eq!(identity(&reply), [None; 4]);
    }
    gate.says("too long for a header").await;
}

#[tokio::test]
async fn a_bad_token_is_answered_as_by_the_layer() {
    let (go, gate) = stage(STRICT).await;
    for (kind, token) in refused_tokens(&go.mint()) {
        let reply = gate.verdict(&token).await;
        assert_eq!(reply.status, status_of(kind), "{kind}");
        let challenge = reply.header("www-authenticate").expect("a challenge");
        let error = if kind == "subject" {
            r#"error="insufficient_scope""#
        } else {
            r#"error="invalid_token", error_description=""#
        };
        assert!(challenge.contains(error), "{kind}: {challenge}");
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert!(reply.body.ends_with(r#","source":"derbysoft-go-auth"}"#));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(identity(&reply), [None; 4]);
    }
}

#[tokio::test]
async fn a_missing_or_unusable_credential_gets_401() {
    let (_go, gate) = stage("").await;
    let challenges = [
        (&OTHER[..], r#"Bearer realm="derbysoft-go""#),
        (
            &UNUSABLE,
            r#"Bearer realm="derbysoft-go", error="invalid_request""#,
        ),
    ];
    for (cases, challenge) in challenges {
        for lines in cases {
            let mut request = b"POST /auth HTTP/1.1\r\nHost: x\r\n".to_vec();
            for line in *lines {
                request.extend([b"Authorization: ", *line, b"\r\n"].concat());
            }
            let mut wire = gate.connect().await;
            wire.write([&request[..], b"\r\n"].concat()).await;
            let reply = wire.reply().await;
            assert_eq!(reply.status, 401, "{lines:?}");
            assert_eq!(
                reply.header("www-authenticate"),
                Some(challenge),
                "{lines:?}"
            );
        }
    }
}

#[tokio::test]
async fn body_and_realm_are_those_of_the_settings() {
    let (_go, gate) = stage("body = \"key-not-authorised\"\nrealm = \"hotels\"").await;
    let reply = gate.verdict("a.b.c").await;
    assert_eq!(reply.body, r#"{"error":"Key not authorised"}"#);
    let challenge = reply.header("www-authenticate").expect("a challenge");
    assert!(
        challenge.starts_with(r#"Bearer realm="hotels", "#),
        "{challenge}"
    );
}

#[tokio::test]
async fn an_outage_of_the_keys_gets_503_until_it_ends() {
    let go = Simulator::start().await.expect("a free port");
    go.fail(Fault::Cut);
    let gate = GateProcess::start(&settings_of(&go, "cooldown = \"100ms\"")).await;
    let reply = gate.verdict(&go.token()).await;
    assert_eq!(reply.status, 503);
    let retry_after = reply.header("retry-after").expect("when to come again");
    assert!((1..=60).contains(&retry_after.parse().expect("whole seconds")));
    assert_eq!(reply.header("www-authenticate"), None);
    assert_eq!(identity(&reply), [None; 4]);

    go.heal();
    // Within the cooldown it is 503 once more.
    let mut status = 503;
    for _ in 0..100 {
        status = gate.verdict(&go.token()).await.status;
        if status != 503 {
            break;
        }
        tokio::time::sleep(test_support::millis(20)).await;
    }
    assert_eq!(status, 200);
}

#[tokio::test]
async fn identity_headers_of_a_client_are_not_used() {
    let (go, gate) = stage("").await;
    let token = go.mint().without("sub").token_id("1").token();
    let mut wire = gate.connect().await;
    let forged = |authorization| {
        let mut headers = IDENTITY.map(|name| (name, "admin")).to_vec();
        headers.extend([("Connection", "x-go-subject, keep-alive")]);
        headers.extend([("Authorization", authorization)]);
        head("GET", "/auth", &headers)
    };
    wire.write(forged(&token)).await;
    assert_accepted(&wire.reply().await, ["", go.issuer(), "1", ""]);
    wire.write(forged("a.b.c")).await;
    let reply = wire.reply().await;
    assert_eq!(reply.status, 401);
    assert!(!format!("{reply:?}").contains("admin"), "{reply:?}");
}
