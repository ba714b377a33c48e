//! Renewed and withdrawn Access Tokens at a distributor's API: by their dates, and by the file that
//! they are in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use derbysoft_go_auth::access_token::Api;
use derbysoft_go_auth::clock::{Clock, UnixTime};
use derbysoft_go_auth::{GoAuth, GoAuthBuilder};
use derbysoft_go_simulator::{PartnerApi, PushCredential};

use test_support::distributor::{PUSH, Server, TokenFile, days, entry, now};
use test_support::{eventually, go_with, secs, soon};

const PEER: Api = Api::AVAILABILITY_PEER;
const TOKEN: &str = "53ac0777aaaaaaaaaaaaaaaaaaaaaaaa";
const NEW: &str = "53ac0777bbbbbbbbbbbbbbbbbbbbbbbb";

fn days_ago(ago: u64) -> UnixTime {
    now().saturating_sub(days(ago))
}

fn built(builder: GoAuthBuilder) -> GoAuth {
    builder.build().expect("a good configuration")
}

#[tokio::test]
async fn a_previous_token_is_accepted_for_7_more_days() {
    // Renewed early, and within its last 7 days.
    for (age, left) in [(days(100), days(7)), (days(178), days(2))] {
        let file = TokenFile::of("");
        let clock = &file.clock;
        let go = go_with(clock).await;
        let previous = go.access_token(PartnerApi::AvailabilityPeer);
        let issued = clock.now();
        file.write(entry(&PEER, &previous, issued));
        let auth = GoAuth::builder().access_tokens_file(file.path());
        let auth = built(auth.clock(clock.clone()));
        let server = Server::of(&auth).await;
        let push = async |credential: &PushCredential| {
            let push = || go.push(&*server.base).credential(credential.clone());
            let status = soon(push().send()).await.expect("an answer");
            assert_eq!(soon(push().bare().send()).await.expect("an answer"), status);
            status
        };
        let current = PushCredential::AccessToken;
        assert_eq!(push(&current).await, 200);

        clock.advance(age);
        let renewed = go.rotate_access_token(PartnerApi::AvailabilityPeer);
        file.write(entry(&PEER, &previous, issued) + &entry(&PEER, &renewed, clock.now()));
        soon(auth.reload_access_tokens())
            .await
            .expect("a good file");
        let old = PushCredential::Token(previous.clone());
        assert_eq!((push(&current).await, push(&old).await), (200, 200));
        let told = server.answer(PUSH, &previous).await;
        assert_eq!(told.body, "previous token of availability-peer");
        clock.advance(left.saturating_sub(secs(1)));
        assert_eq!((push(&current).await, push(&old).await), (200, 200));
        clock.advance(secs(1));
        assert_eq!((push(&current).await, push(&old).await), (200, 401));
        assert_eq!(server.kind(&previous).await, "access_token_expired");
    }
}

#[tokio::test]
async fn a_removed_token_is_rejected_after_the_reload() {
    let file = TokenFile::of(entry(&PEER, TOKEN, now()));
    let auth = built(GoAuth::builder().access_tokens_file(file.path()));
    let server = Server::of(&auth).await;
    assert_eq!(server.kind(TOKEN).await, "ok");
    file.write(entry(&PEER, NEW, now()));
    soon(auth.reload_access_tokens())
        .await
        .expect("a good file");
    assert_eq!(server.kind(TOKEN).await, "unknown_access_token");
    assert_eq!(server.kind(NEW).await, "ok");
}

#[tokio::test]
async fn a_leaked_token_is_rejected_once_revoked() {
    let file = TokenFile::of(entry(&PEER, TOKEN, now()) + &entry(&PEER, NEW, days_ago(1)));
    let auth = built(GoAuth::builder().access_tokens_file(file.path()));
    let server = Server::of(&auth).await;
    assert_eq!(server.kind(TOKEN).await, "ok");
    // In a hurry: appended to the file as it is, without a date.
    let revoking = format!("[[token]]\napi = \"{PEER}\"\ntoken = \"{TOKEN}\"\nrevoked = true\n");
    file.write(std::fs::read_to_string(file.path()).expect("the file") + &revoking);
    soon(auth.reload_access_tokens())
        .await
        .expect("a good file");
    let rejected = server.answer(PUSH, TOKEN).await;
    assert_eq!(rejected.verdict(), (401, "access_token_revoked"));
    let challenge = rejected.challenge.expect("a challenge");
    let description = "error_description=\"the access token has been revoked\"";
    assert!(challenge.contains(description), "{challenge}");
    assert_eq!(server.kind(NEW).await, "ok");
}

#[tokio::test]
async fn a_server_follows_its_file_and_survives_a_bad_one() {
    let file = TokenFile::of("");
    let issued = file.clock.now();
    file.write(entry(&PEER, TOKEN, issued));
    let auth = GoAuth::builder().access_tokens_file(file.path());
    let auth = built(auth.clock(file.clock.clone()));
    let server = Server::of(&auth).await;
    let last_error = || {
        let health = auth.health().access_tokens.expect("tokens are accepted");
        let error = health.file.expect("they are in a file").last_error;
        error.map(|error| error.to_string())
    };
    assert_eq!(server.kind(NEW).await, "unknown_access_token");
    assert_eq!(last_error(), None);

    // Half a line, as in the middle of a copy.
    file.write(format!(
        "{}[[token]]\napi = \"avail",
        entry(&PEER, NEW, issued)
    ));
    eventually("health reports the bad file", || {
        file.clock.advance(secs(10));
        last_error().is_some()
    })
    .await;
    let error = last_error().expect("a fault");
    assert!(error.contains("line 6: this is not TOML"), "{error}");
    assert!(error.contains("tokens.toml"), "{error}");
    let json = serde_json::to_string(&auth.health()).expect("JSON");
    assert!(json.contains("line 6"), "{json}");
    assert!(auth.health().is_ready());
    assert_eq!(server.kind(TOKEN).await, "ok");
    assert_eq!(server.kind(NEW).await, "unknown_access_token");

    file.write(entry(&PEER, NEW, issued));
    eventually("the good file is applied", || {
        file.clock.advance(secs(10));
        last_error().is_none()
    })
    .await;
    assert_eq!(server.kind(NEW).await, "ok");
    assert_eq!(server.kind(TOKEN).await, "unknown_access_token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_swapped_under_load_rejects_no_request() {
    let earlier = now().saturating_sub(days(1));
    let both = entry(&PEER, TOKEN, earlier) + &entry(&PEER, NEW, now());
    let file = TokenFile::of(&both);
    let auth = built(GoAuth::builder().access_tokens_file(file.path()));
    let server = Arc::new(Server::of(&auth).await);
    let (done, unsatisfied) = (Arc::<AtomicBool>::default(), Arc::new(AtomicUsize::new(4)));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let server = Arc::clone(&server);
            let (done, unsatisfied) = (Arc::clone(&done), Arc::clone(&unsatisfied));
            tokio::spawn(async move {
                // How often each file answered.
                let mut seen = [0; 2];
                while !done.load(Ordering::SeqCst) {
                    let answer = server.post(PUSH, TOKEN).await;
                    assert_eq!(answer.verdict(), (200, "ok"));
                    let previous = usize::from(answer.body.starts_with("previous"));
                    seen[previous] += 1;
                    if seen[previous] == 20 && seen[1 - previous] >= 20 {
                        unsatisfied.fetch_sub(1, Ordering::SeqCst);
                    }
                }
            })
        })
        .collect();
    let swaps = async {
        while unsatisfied.load(Ordering::SeqCst) > 0 {
            for text in [&*entry(&PEER, TOKEN, earlier), "[[token]]", &both] {
                file.write(text);
                // The second is an error.
                let _ = auth.reload_access_tokens().await;
            }
        }
    };
    soon(swaps).await;
    done.store(true, Ordering::SeqCst);
    for caller in callers {
        soon(caller).await.expect("no rejection");
    }
}
