//! Whatever an attacker sends, and at whichever level somebody listens, none of it is logged.

use derbysoft_go_auth::{AccessToken, AccessTokens, Api as Name};
use tracing_subscriber::filter::LevelFilter;

use super::witness::Witness;
use test_support::{Api, World, eventually, refused_tokens, request, secs, strict, verdict};

const ACCESS_TOKEN: &str = "53ac0777aaaaaaaaaaaaaaaaaaaaaaaa";

/// Stands wherever a text of the attacker's can, in each of its forms.
const MARK: &str = "MaRk";

/// Tokens of GO's own key, and refused ones, with the mark in each place.
fn marked(world: &World) -> Vec<String> {
    let mint = || world.mint();
    let mut tokens = vec![
        mint().kid(MARK).token(),
        mint().header("alg", MARK).token(),
        mint().header("typ", MARK).token(),
        mint()
            .header("jku", format!("https://{MARK}.example"))
            .token(),
        mint().issuer(format!("https://{MARK}.example")).token(),
        mint().audience(MARK).token(),
        mint().subject(MARK).token(),
        mint().claim("exp", MARK).token(),
        mint().claim(MARK, MARK).token(),
        mint().claim("jti", MARK).expires_in(-3600).token(),
        mint().raw_header(MARK).token(),
        mint().raw_payload(MARK).token(),
        format!("{MARK}53ac0777"),
        format!("{MARK}.{MARK}.{MARK}"),
    ];
    tokens.extend(
        refused_tokens(&world.mint().claim("x", MARK))
            .into_iter()
            .map(|(_, t)| t),
    );
    tokens
}

/// Each part of a credential that is long enough to give something away.
fn parts(credential: &str) -> impl Iterator<Item = &str> {
    credential.split(['.', ' ']).filter(|part| part.len() > 8)
}

async fn nothing_of_it_is_told_at(level: LevelFilter) {
    let (witness, _guard) = Witness::listening(level);
    #[cfg(feature = "metrics")]
    let recorder = super::recorder();
    #[cfg(feature = "metrics")]
    let _recording = metrics::set_default_local_recorder(&recorder);

    let world = World::new().await;
    let held = AccessToken::new(Name::AVAILABILITY_PEER, ACCESS_TOKEN, world.time());
    let held = AccessTokens::new([held]).expect("a good token");
    let auth = strict(world.builder()).access_tokens(held).build();
    let auth = auth.expect("a good configuration");
    let door = Api::behind(auth.layer());
    let observer = Api::behind(auth.layer().danger_observe_only());
    let genuine = [world.token(), ACCESS_TOKEN.to_owned()];
    let marked = marked(&world);
    for credential in genuine.iter().chain(&marked) {
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
    // What was counted is told, too.
    world.clock.advance(secs(60));
    let counted = || {
        witness
            .told()
            .iter()
            .any(|told| told.message.starts_with("further"))
    };
    if level >= LevelFilter::WARN {
        eventually("the counts are told", counted).await;
    }
    // One that is good in every way but one.
    let foreign = world.mint().kid("4711-foreign").token();
    assert_ne!(verdict(&auth, &foreign).await, "ok");

    let mut told = format!("{:?} {:?}", witness.told(), witness.spans());
    assert_eq!(told.len() < 10, level < LevelFilter::WARN, "{told}");
    #[cfg(feature = "metrics")]
    {
        auth.record_metrics();
        told += &recorder.handle().render();
        assert!(told.contains("go_auth_requests_total"), "{told}");
    }
    let lowercase = told.to_lowercase();
    for secret in [MARK, "4711-foreign", ACCESS_TOKEN] {
        assert!(
            !lowercase.contains(&secret.to_lowercase()),
            "{secret}: {told}"
        );
    }
    for credential in genuine.iter().chain(&marked) {
        for part in parts(credential) {
            assert!(!told.contains(part), "{part}: {told}");
        }
    }
    // Who the genuine caller is can be read at debug, and nowhere else.
    let subject = told.contains("ds-go-module");
    assert_eq!(subject, level >= LevelFilter::DEBUG, "{told}");
    let kid = world.go.signing_kid();
    assert_eq!(
        told.contains(&kid),
        level >= LevelFilter::INFO,
        "its own key: {told}"
    );
}

#[tokio::test]
async fn debug_logs_contain_no_rejected_credential() {
    nothing_of_it_is_told_at(LevelFilter::TRACE).await;
    nothing_of_it_is_told_at(LevelFilter::DEBUG).await;
}

#[tokio::test]
async fn info_logs_contain_no_credential() {
    for level in [
        LevelFilter::INFO,
        LevelFilter::WARN,
        LevelFilter::ERROR,
        LevelFilter::OFF,
    ] {
        nothing_of_it_is_told_at(level).await;
    }
}
