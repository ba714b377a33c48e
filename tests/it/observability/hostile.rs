//! Whatever an attacker sends, and at whichever level somebody listens, none of it is logged.

use derbysoft_go_auth::access_token::{AccessToken, AccessTokens, Api as Name};
use tracing_subscriber::filter::LevelFilter;

use super::marks::{marked, parts};
use super::witness::Witness;
use test_support::{Api, World, eventually, refused_tokens, request, secs, strict, verdict};

const ACCESS_TOKEN: &str = "53ac0777aaaaaaaaaaaaaaaaaaaaaaaa";

/// Stands wherever an attacker's text can.
const MARK: &str = "MaRk";

/// Tokens of GO's own key, and bad ones, with the mark in each place.
fn hostile(world: &World) -> Vec<String> {
    let mint = || world.mint();
    let address = format!("https://{MARK}.example");
    let mut tokens = marked(&mint(), MARK);
    tokens.extend([
        mint().header("jku", &*address).token(),
        mint().issuer(address).token(),
        mint().claim(MARK, MARK).token(),
        mint().claim("jti", MARK).expires_in(-3600).token(),
        format!("{MARK}53ac0777"),
    ]);
    let bad = refused_tokens(&mint().claim("x", MARK));
    tokens.extend(bad.into_iter().map(|(_, token)| token));
    tokens
}

async fn nothing_of_it_is_logged_at(level: LevelFilter) {
    let (witness, _guard) = Witness::listening(level);
    #[cfg(feature = "metrics")]
    let recorder = super::recorder();
    #[cfg(feature = "metrics")]
    let _recording = metrics::set_default_local_recorder(&recorder);

    let world = World::new().await;
    let tokens = AccessToken::new(Name::AVAILABILITY_PEER, ACCESS_TOKEN, world.time());
    let tokens = AccessTokens::new([tokens]).expect("a good token");
    let auth = strict(world.builder()).access_tokens(tokens).build();
    let auth = auth.expect("a good configuration");
    let door = Api::behind(auth.layer());
    let observer = Api::behind(auth.layer().danger_observe_only());
    let genuine = [world.token(), ACCESS_TOKEN.to_owned()];
    let hostile = hostile(&world);
    for credential in genuine.iter().chain(&hostile) {
        for _ in 0..3 {
            door.call(&format!("Bearer {credential}")).await;
            observer.call(credential).await;
            verdict(&auth, credential).await;
        }
    }
    for header in [
        format!("Basic {MARK}"),
        format!("Bearer {MARK} {MARK}"),
        format!("Bearer \t{MARK}"),
        format!("Bearer {MARK}\u{e9}"),
    ] {
        for _ in 0..2 {
            door.send(request(&[header.as_bytes()])).await;
            door.send(request(&[header.as_bytes(), header.as_bytes()]))
                .await;
        }
    }
    // Counts are logged too.
    world.clock.advance(secs(60));
    let counted = || {
        witness
            .events()
            .iter()
            .any(|logged| logged.message.starts_with("further"))
    };
    if level >= LevelFilter::WARN {
        eventually("the counts are logged", counted).await;
    }
    // One that is good in every way but one.
    let foreign = world.mint().kid("4711-foreign").token();
    assert_ne!(verdict(&auth, &foreign).await, "ok");

    // What GO itself has signed is shown, escaped, at debug.
    let mut events = witness.events();
    events.retain(|logged| logged.message != "claim rejected");
    let mut logged = format!("{events:?} {:?}", witness.spans());
    assert_eq!(logged.len() < 10, level < LevelFilter::WARN, "{logged}");
    #[cfg(feature = "metrics")]
    {
        auth.record_metrics();
        logged += &recorder.handle().render();
        assert!(logged.contains("go_auth_requests_total"), "{logged}");
    }
    let lowercase = logged.to_lowercase();
    for secret in [MARK, "4711-foreign", ACCESS_TOKEN] {
        assert!(
            !lowercase.contains(&secret.to_lowercase()),
            "{secret}: {logged}"
        );
    }
    for credential in genuine.iter().chain(&hostile) {
        for part in parts(credential) {
            assert!(!logged.contains(part), "{part}: {logged}");
        }
    }
    // Who the genuine caller is can be read at debug, and nowhere else.
    let subject = logged.contains("ds-go-module");
    assert_eq!(subject, level >= LevelFilter::DEBUG, "{logged}");
    let kid = world.go.signing_kid();
    assert_eq!(
        logged.contains(&kid),
        level >= LevelFilter::INFO,
        "its own key: {logged}"
    );
}

#[tokio::test]
async fn debug_logs_contain_no_rejected_credential() {
    nothing_of_it_is_logged_at(LevelFilter::TRACE).await;
    nothing_of_it_is_logged_at(LevelFilter::DEBUG).await;
}

#[tokio::test]
async fn info_logs_contain_no_credential() {
    for level in [
        LevelFilter::INFO,
        LevelFilter::WARN,
        LevelFilter::ERROR,
        LevelFilter::OFF,
    ] {
        nothing_of_it_is_logged_at(level).await;
    }
}
