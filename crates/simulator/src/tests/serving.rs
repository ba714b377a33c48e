use std::io::{self, Read as _};
use std::time::Duration;

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Seen, TestResult, get, glimpse, send};
use crate::Simulator;

#[tokio::test]
async fn the_key_set_has_the_samples_shape() -> TestResult {
    let go = Simulator::start().await?;
    let path = "/id/84A26B2FA77BCD1FF5130636F04C30C5/keys";
    assert_eq!(
        go.jwks_url(),
        format!("http://127.0.0.1:{}{path}", go.address().port())
    );

    let seen = get(&go, &go.jwks_url(), "").await?;
    assert_eq!(seen.status_line, "HTTP/1.1 200 OK");
    assert_eq!(
        seen.header("content-type"),
        Some("application/json;charset=utf-8")
    );
    assert_eq!(seen.header("cache-control"), None);
    assert_eq!(seen.body, go.document());
    let document: Value = serde_json::from_slice(&seen.body)?;
    let keys = document["keys"].as_array().ok_or("no keys")?;
    assert_eq!(keys.len(), 2);
    for key in keys {
        let members: Vec<_> = key.as_object().ok_or("no object")?.keys().collect();
        assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"]);
        assert_eq!(
            [&key["alg"], &key["e"], &key["kty"]],
            ["RS256", "AQAB", "RSA"]
        );
        assert_eq!(key["use"], "sig");
        assert_eq!(
            key["n"].as_str().map(str::len),
            Some(342),
            "as long as the sample's"
        );
        let kid = key["kid"].as_str().ok_or("no kid")?;
        assert!(kid.len() == 40 && kid.bytes().all(|digit| digit.is_ascii_hexdigit()));
    }
    Ok(())
}

#[tokio::test]
async fn discovery_names_the_issuer_and_the_key_set() -> TestResult {
    let go = Simulator::start().await?;
    let sample = "https://id/84A26B2FA77BCD1FF5130636F04C30C5/.well-known/openid-configuration";
    assert_eq!(go.issuer(), sample);
    let document = |seen: Seen| serde_json::from_slice::<Value>(&seen.body);

    let seen = document(get(&go, &go.discovery_url(), "").await?)?;
    assert_eq!(seen["issuer"], sample);
    assert_eq!(seen["jwks_uri"], go.jwks_url());
    go.set_jwks_uri("https://elsewhere.example/keys");
    let seen = document(get(&go, &go.discovery_url(), "").await?)?;
    assert_eq!(seen["jwks_uri"], "https://elsewhere.example/keys");
    assert_eq!(go.fetches(), 0, "discovery isn't a fetch of keys");
    Ok(())
}

#[tokio::test]
async fn an_etag_gets_304_until_the_document_changes() -> TestResult {
    let go = Simulator::start().await?;
    let url = go.jwks_url();
    go.set_cache_control(Some("max-age=60"));
    let tag = |seen: &Seen| seen.header("etag").map(str::to_owned).ok_or("no ETag");
    let first = tag(&get(&go, &url, "").await?)?;
    let packed = tag(&get(&go, &url, "accept-encoding: gzip\r\n").await?)?;
    assert!(first.starts_with('"') && packed.starts_with('"'), "strong");
    assert_ne!(first, packed);

    for known in [&first, &packed, "*", &format!("\"x\", W/{first}")] {
        let seen = get(&go, &url, &format!("if-none-match: {known}\r\n")).await?;
        assert_eq!(seen.status_line, "HTTP/1.1 304 Not Modified");
        assert_eq!(seen.header("cache-control"), Some("max-age=60"));
        assert_eq!(tag(&seen)?, first);
        assert!(seen.body.is_empty());
    }
    let condition = format!("if-none-match: {first}\r\n");
    go.rotate();
    let seen = get(&go, &url, &condition).await?;
    assert_eq!(seen.status_line, "HTTP/1.1 200 OK");
    assert_ne!(tag(&seen)?, first);

    go.set_etag(false);
    let seen = get(&go, &url, "if-none-match: *\r\n").await?;
    assert_eq!(seen.status_line, "HTTP/1.1 200 OK");
    assert_eq!(seen.header("etag"), None);
    Ok(())
}

#[tokio::test]
async fn gzip_is_only_for_clients_that_accept_it() -> TestResult {
    let go = Simulator::start().await?;
    let url = go.jwks_url();
    let seen = get(&go, &url, "accept-encoding: br, GZIP;q=0.5\r\n").await?;
    assert_eq!(seen.header("content-encoding"), Some("gzip"));
    assert_eq!(seen.header("vary"), Some("accept-encoding"));
    let mut unpacked = Vec::new();
    GzDecoder::new(&seen.body[..]).read_to_end(&mut unpacked)?;
    assert_eq!(unpacked, go.document());

    let refused = get(&go, &url, "accept-encoding: gzip;q=0, br\r\n").await?;
    go.set_gzip(false);
    let off = get(&go, &url, "accept-encoding: gzip\r\n").await?;
    for seen in [refused, off] {
        assert_eq!(seen.header("content-encoding"), None);
        assert_eq!(seen.body, go.document());
    }
    Ok(())
}

#[tokio::test]
async fn any_bytes_can_be_the_document() -> TestResult {
    let go = Simulator::start().await?;
    go.set_document(*b"\xff{}");
    assert_eq!(get(&go, &go.jwks_url(), "").await?.body, b"\xff{}");
    go.reset_document();
    assert!(serde_json::from_slice::<Value>(&go.document()).is_ok());
    go.publish_raw(json!(null));
    assert!(go.document().ends_with(b",null]}"));
    Ok(())
}

#[tokio::test]
async fn other_paths_and_methods_are_rejected() -> TestResult {
    let go = Simulator::start().await?;
    let seen = get(&go, "/id/other/keys", "").await?;
    assert_eq!(seen.status_line, "HTTP/1.1 404 Not Found");

    let mut stream = TcpStream::connect(go.address()).await?;
    let path = go.jwks_url().replace(&go.origin(), "");
    let request = format!("POST {path} HTTP/1.1\r\nhost: go\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    assert!(answer.starts_with(b"HTTP/1.1 405 "));
    Ok(())
}

#[tokio::test]
async fn requests_are_logged_and_counted() -> TestResult {
    let go = Simulator::start().await?;
    let headers = "if-none-match: \"x\"\r\naccept-encoding: gzip\r\nuser-agent: me\r\n";
    get(&go, &go.jwks_url(), headers).await?;
    get(&go, "/elsewhere?query", "").await?;
    assert_eq!((go.fetches(), go.total_requests()), (1, 2));
    let requests = go.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].status, Some(200));
    assert_eq!(requests[0].if_none_match.as_deref(), Some("\"x\""));
    assert_eq!(requests[0].accept_encoding.as_deref(), Some("gzip"));
    assert_eq!(requests[0].user_agent.as_deref(), Some("me"));
    assert_eq!(
        (&*requests[1].path, requests[1].status),
        ("/elsewhere", Some(404))
    );
    assert!(requests[0].time <= requests[1].time);
    let long = format!("/{}", "x".repeat(5_000));
    get(&go, &long, &format!("user-agent: {long}\r\n")).await?;
    let last = go.requests().pop().ok_or("a request")?;
    assert_eq!(last.path, long[..1_024]);
    assert_eq!(last.user_agent.as_deref(), Some(&long[..1_024]));
    Ok(())
}

#[tokio::test]
async fn a_delayed_answer_is_that_of_its_request() -> TestResult {
    let go = Simulator::start().await?;
    let hold = go.hold_next(1);
    let old = go.document();
    let mut waiting = send(&go, &go.jwks_url(), "").await?;
    go.wait_for_fetches(1).await;

    go.rotate();
    let passing = get(&go, &go.jwks_url(), "").await?;
    assert_eq!(passing.body, go.document());
    assert_eq!(glimpse(&mut waiting).await?, (Vec::new(), false));
    hold.release();
    let mut late = Vec::new();
    waiting.read_to_end(&mut late).await?;
    let late = Seen::parse(&late).ok_or("no answer")?;
    assert_eq!(late.body, old);
    assert_ne!(late.body, passing.body);
    Ok(())
}

#[tokio::test]
async fn a_dropped_hold_releases_every_answer() -> TestResult {
    let go = Simulator::start().await?;
    let hold = go.hold();
    let discovery = get(&go, &go.discovery_url(), "").await?;
    assert_eq!(
        discovery.status_line, "HTTP/1.1 200 OK",
        "only keys are held"
    );
    let waiting = [
        send(&go, &go.jwks_url(), "").await?,
        send(&go, &go.jwks_url(), "").await?,
    ];
    go.wait_for_fetches(2).await;
    drop(hold);
    for mut stream in waiting {
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        assert!(answer.starts_with(b"HTTP/1.1 200 OK"));
    }
    assert!(get(&go, &go.jwks_url(), "").await.is_ok());
    Ok(())
}

#[tokio::test]
async fn stopping_closes_the_port_and_the_connections() -> TestResult {
    let go = Simulator::start().await?;
    let address = go.address();
    let keys = go.published_keys();
    let mut idle = TcpStream::connect(address).await?;
    go.stop().await;
    assert_eq!(idle.read(&mut [0]).await.unwrap_or(0), 0);
    let refused = TcpStream::connect(address).await.map(|_| ());
    assert_eq!(
        refused.map_err(|error| error.kind()),
        Err(io::ErrorKind::ConnectionRefused)
    );

    let again = Simulator::builder()
        .address(address)
        .keys(keys)
        .start()
        .await?;
    assert_eq!(again.address(), address);
    drop(again);
    for _ in 0..100 {
        if TcpStream::connect(address).await.is_err() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Err("dropping leaves the port open".into())
}

#[tokio::test]
async fn an_account_has_32_hexadecimal_digits() {
    for account in ["", "84A2", "84A26B2FA77BCD1FF5130636F04C30CX"] {
        let refused = Simulator::builder().account(account).start().await;
        let kind = refused.map(|_| ()).map_err(|error| error.kind());
        assert_eq!(kind, Err(io::ErrorKind::InvalidInput));
    }
}
