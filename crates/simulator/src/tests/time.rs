//! By which clock GO issues, delays and logs: the one it was given.

use std::time::Duration;

use derbysoft_go_auth::clock::{Clock, ManualClock, UnixTime};
use serde_json::Value;
use tokio::io::AsyncReadExt;

use super::{Seen, TestResult, decoded, get, glimpse, segments, send};
use crate::{Fault, SampleToken, Simulator};
use test_support::soon;

const START: u64 = 1_800_000_000;
const HOUR: Duration = Duration::from_secs(3600);

async fn scene() -> std::io::Result<(ManualClock, Simulator)> {
    let clock = ManualClock::new(UnixTime::from_secs(START));
    let go = Simulator::builder().clock(clock.clone()).start().await?;
    Ok((clock, go))
}

fn issued_at(token: &str) -> Option<u64> {
    let claims: Value = serde_json::from_slice(&decoded(segments(token)[1])).ok()?;
    claims["iat"].as_u64()
}

#[tokio::test]
async fn every_token_is_issued_by_gos_clock() -> TestResult {
    let (clock, go) = scene().await?;
    let mint = go.mint();
    for time in [START, START + 3600] {
        for token in [
            go.token(),
            mint.token(),
            go.mint_as(&go.signing_kid()).token(),
            go.sample_token(SampleToken::GOOD),
            go.gateway_token(),
        ] {
            assert_eq!(issued_at(&token), Some(time));
        }
        clock.advance(HOUR);
    }
    let earlier = UnixTime::from_secs(START - 60);
    assert_eq!(issued_at(&mint.at(earlier).token()), Some(START - 60));
    Ok(())
}

#[tokio::test]
async fn requests_are_logged_by_gos_clock() -> TestResult {
    let (clock, go) = scene().await?;
    get(&go, &go.jwks_url(), "").await?;
    clock.advance(HOUR);
    get(&go, &go.jwks_url(), "").await?;
    let times: Vec<_> = go.requests().iter().map(|it| it.time.as_secs()).collect();
    assert_eq!(times, [START, START + 3600]);
    Ok(())
}

#[tokio::test]
async fn a_delay_ends_by_gos_clock_counted_from_the_request() -> TestResult {
    let (clock, go) = scene().await?;
    let good = go.document();
    let bytes = good.len() / 8;
    let every = HOUR / 10;
    for (n, fault) in [Fault::Delay(HOUR), Fault::Drip { bytes, every }]
        .into_iter()
        .enumerate()
    {
        go.fail(fault.clone());
        let mut stream = send(&go, &go.jwks_url(), "").await?;
        go.wait_for_fetches(n + 1).await;
        let (mut begin, closed) = glimpse(&mut stream).await?;
        assert!(!closed && !begin.ends_with(&good), "{fault:?}");
        // All at once, though the pieces are due one after the other.
        clock.advance(HOUR);
        soon(stream.read_to_end(&mut begin)).await?;
        assert_eq!(Seen::parse(&begin).ok_or("an answer")?.body, good);
    }
    assert_eq!(clock.monotonic(), 2 * HOUR);
    Ok(())
}
