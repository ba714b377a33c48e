use std::io::{self, Read as _};
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use serde_json::Value;
use tokio::io::AsyncReadExt;

use super::{Seen, TestResult, get, glimpse, raw, send};
use crate::{Endpoint, Fault, FaultInForce, Simulator};

const TICK: Duration = Duration::from_millis(2);

#[tokio::test]
async fn gos_documented_failure_is_sent_verbatim() -> TestResult {
    let go = Simulator::start().await?;
    go.fail(Fault::RedirectNotFound);
    let seen = get(&go, &go.jwks_url(), "").await?;
    assert_eq!(seen.status_line, "HTTP/1.1 404 Found");
    assert_eq!(
        seen.header("location"),
        Some("https://client.example.com/cb?code=SplxlOBeZQQYbYS6WxSbIA&state=xyz")
    );
    assert!(seen.body.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_status_fault_sends_the_document_as_bait() -> TestResult {
    let go = Simulator::start().await?;
    let good = go.document();
    let half = good.len() / 2;
    for (status, body) in [
        (500, &good[..]),
        (503, &good),
        (201, &good),
        (206, &good[..half]),
        (204, &[]),
        (205, &[]),
        (304, &[]),
    ] {
        go.fail(Fault::Status(status));
        let seen = get(&go, &go.jwks_url(), "").await?;
        assert!(seen.status_line.starts_with(&format!("HTTP/1.1 {status} ")));
        assert_eq!(seen.body, body, "{status}");
        if status == 206 {
            let range = format!("bytes 0-{}/{}", half - 1, good.len());
            assert_eq!(seen.header("content-range"), Some(&*range));
        }
    }
    let location = format!("{}?again", go.jwks_url());
    go.fail(Fault::Redirect {
        location: location.clone(),
        status: 302,
    });
    let seen = get(&go, &go.jwks_url(), "").await?;
    assert_eq!(seen.status_line, "HTTP/1.1 302 Found");
    assert_eq!(seen.header("location"), Some(&*location));
    Ok(())
}

#[tokio::test]
async fn hanging_answers_stay_open_until_the_stop() -> TestResult {
    let go = Simulator::start().await?;
    let good = go.document();
    go.fail_next(1, Fault::Hang);
    go.fail_next(1, Fault::HangBody);
    let mut silent = send(&go, &go.jwks_url(), "").await?;
    go.wait_for_fetches(1).await;
    let mut half = send(&go, &go.jwks_url(), "").await?;
    assert_eq!(glimpse(&mut silent).await?, (Vec::new(), false));
    let (begun, closed) = glimpse(&mut half).await?;
    let begun = Seen::parse(&begun).ok_or("no head")?;
    assert!(!closed);
    assert_eq!(
        begun.header("content-length"),
        Some(&*good.len().to_string())
    );
    assert_eq!(begun.body, good[..good.len() / 2]);
    assert_eq!(go.requests()[0].status, None);

    go.stop().await;
    assert!(glimpse(&mut silent).await.is_ok_and(|(_, closed)| closed));
    Ok(())
}

#[tokio::test]
async fn truncated_and_cut_answers_end_early() -> TestResult {
    let go = Simulator::start().await?;
    let good = go.document();
    go.fail(Fault::Truncated);
    let seen = get(&go, &go.jwks_url(), "").await?;
    assert_eq!(
        seen.header("content-length"),
        Some(&*(good.len() + 1).to_string())
    );
    assert_eq!(seen.body, good, "all of it, yet too little");

    go.fail(Fault::Cut);
    let nothing = raw(&go, &go.jwks_url(), "").await;
    assert!(nothing.is_ok_and(|answer| answer.is_empty()));
    go.fail(Fault::Raw(b"SSH-2.0-surprise\r\n".to_vec()));
    assert_eq!(raw(&go, &go.jwks_url(), "").await?, b"SSH-2.0-surprise\r\n");
    Ok(())
}

#[tokio::test]
async fn slow_answers_are_complete_in_the_end() -> TestResult {
    let go = Simulator::start().await?;
    let good = go.document();
    for fault in [
        Fault::Delay(10 * TICK),
        Fault::Drip {
            bytes: good.len() / 8,
            every: TICK,
        },
    ] {
        go.fail(fault);
        let begun = Instant::now();
        let seen = get(&go, &go.jwks_url(), "").await?;
        assert!(begun.elapsed() >= 8 * TICK);
        assert_eq!(seen.body, good);
    }
    Ok(())
}

#[tokio::test]
async fn wrong_documents_come_with_status_200() -> TestResult {
    let go = Simulator::start().await?;
    let mut bodies = Vec::new();
    for fault in [
        Fault::Html,
        Fault::NotJson,
        Fault::EmptySet,
        Fault::Oversized(300_000),
        Fault::WrongKeys,
    ] {
        go.fail(fault);
        let seen = get(&go, &go.jwks_url(), "").await?;
        assert_eq!(seen.status_line, "HTTP/1.1 200 OK");
        bodies.push(seen.body);
    }
    assert!(bodies[0].starts_with(b"<!DOCTYPE html>"));
    assert!(serde_json::from_slice::<Value>(&bodies[1]).is_err());
    assert_eq!(bodies[2], br#"{"keys":[]}"#);
    assert_eq!(bodies[3].len(), 300_000);
    assert_eq!(bodies[3].trim_ascii_end(), go.document());

    let strangers: Value = serde_json::from_slice(&bodies[4])?;
    let strangers = strangers["keys"].as_array().ok_or("no keys")?;
    assert_eq!(strangers.len(), 2);
    for stranger in strangers {
        let own = go.published_keys();
        assert!(own.iter().all(|key| key.jwk()["n"] != stranger["n"]));
        assert!(own.iter().all(|key| key.jwk()["kid"] != stranger["kid"]));
    }
    Ok(())
}

#[tokio::test]
async fn endless_answers_exceed_any_limit() -> TestResult {
    let go = Simulator::start().await?;
    go.fail(Fault::Endless);
    let mut stream = send(&go, &go.jwks_url(), "").await?;
    let mut buffer = vec![0; 1 << 20];
    for _ in 0..4 {
        stream.read_exact(&mut buffer).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_gzip_bomb_is_small_until_unpacked() -> TestResult {
    let go = Simulator::start().await?;
    go.fail(Fault::GzipBomb);
    let seen = get(&go, &go.jwks_url(), "").await?;
    assert_eq!(seen.header("content-encoding"), Some("gzip"));
    assert!(seen.body.len() < 100_000, "{} bytes", seen.body.len());

    let good = go.document();
    let mut unpacked = GzDecoder::new(&seen.body[..]);
    let mut beginning = vec![0; good.len()];
    unpacked.read_exact(&mut beginning)?;
    assert_eq!(beginning, good);
    // Reading to the end checks the checksum and the length as well.
    let rest = io::copy(&mut unpacked, &mut io::sink())?;
    assert_eq!(rest, 65 << 20);
    Ok(())
}

#[tokio::test]
async fn faults_take_effect_in_order_and_end() -> TestResult {
    let go = Simulator::start().await?;
    go.fail(Fault::Status(500));
    go.fail_next(2, Fault::Status(502));
    go.fail_next(1, Fault::Status(503));
    let mut seen = Vec::new();
    for url in [
        go.discovery_url(),
        go.jwks_url(),
        go.jwks_url(),
        go.jwks_url(),
    ] {
        seen.push(get(&go, &url, "").await?.status_line[9..12].to_owned());
    }
    assert_eq!(seen, ["502", "502", "503", "500"]);
    go.fail_next(1, Fault::Hang);
    go.heal();
    assert_eq!(get(&go, &go.jwks_url(), "").await?.body, go.document());

    go.fail_at(Endpoint::Discovery, Fault::Status(500));
    let keys = get(&go, &go.jwks_url(), "").await?;
    let discovery = get(&go, &go.discovery_url(), "").await?;
    assert!(keys.status_line.contains("200") && discovery.status_line.contains("500"));
    Ok(())
}

#[tokio::test]
async fn an_endpoint_fails_and_heals_alone() -> TestResult {
    let go = Simulator::start().await?;
    go.fail_next(2, Fault::Status(502));
    go.fail_next_at(Endpoint::Discovery, 1, Fault::Status(503));
    go.fail_at(Endpoint::Discovery, Fault::Html);
    go.fail_next_at(Endpoint::Token, 3, Fault::Cut);
    let waiting = |fault, at: &[Endpoint], left| FaultInForce {
        fault,
        at: at.to_vec(),
        left,
    };
    let documents = [Endpoint::Keys, Endpoint::Discovery];
    assert_eq!(
        go.faults(),
        [
            waiting(Fault::Status(502), &documents, Some(2)),
            waiting(Fault::Status(503), &[Endpoint::Discovery], Some(1)),
            waiting(Fault::Cut, &[Endpoint::Token], Some(3)),
            waiting(Fault::Html, &[Endpoint::Discovery], None),
        ]
    );

    let mut seen = Vec::new();
    for url in [go.discovery_url(), go.discovery_url(), go.discovery_url()] {
        seen.push(get(&go, &url, "").await?.status_line[9..12].to_owned());
    }
    assert_eq!(seen, ["502", "502", "503"]);
    assert_eq!(get(&go, &go.jwks_url(), "").await?.body, go.document());

    go.fail_next(1, Fault::Status(502));
    go.heal_at(Endpoint::Discovery);
    let left = [
        waiting(Fault::Cut, &[Endpoint::Token], Some(3)),
        waiting(Fault::Status(502), &[Endpoint::Keys], Some(1)),
    ];
    assert_eq!(go.faults(), left);
    let discovery = get(&go, &go.discovery_url(), "").await?;
    let keys = get(&go, &go.jwks_url(), "").await?;
    assert!(discovery.status_line.contains("200") && keys.status_line.contains("502"));
    go.heal_at(Endpoint::Token);
    assert_eq!(go.faults(), []);
    Ok(())
}

#[tokio::test]
#[should_panic(expected = "isn't a final HTTP status")]
async fn an_invalid_status_panics_where_it_is_set() {
    let go = Simulator::start().await.expect("a free port");
    go.fail(Fault::Status(42));
}
