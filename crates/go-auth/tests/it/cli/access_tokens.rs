//! Access Tokens in `go-auth verify`: judged as the gate judges them, and never shown.

use derbysoft_go_auth::access_token::Api;

use super::{GoAuth, check, go_auth};
use test_support::distributor::{TokenFile, days, entry, now};

const CURRENT: &str = "53ac0777aaaaaaaaaaaaaaaaaaaaaaaa";
const PREVIOUS: &str = "53ac0777bbbbbbbbbbbbbbbbbbbbbbbb";
pub(super) const OTHERS: &str = "53ac0777cccccccccccccccccccccccc";
pub(super) const LAPSED: &str = "53ac0777dddddddddddddddddddddddd";
pub(super) const REVOKED: &str = "53ac0777ffffffffffffffffffffffff";
const AHEAD: &str = "53ac077799999999999999999999999a";
pub(super) const STRANGERS: &str = "53ac0777eeeeeeeeeeeeeeeeeeeeeeee";

pub(super) fn held() -> TokenFile {
    let ago = |days_ago| now().saturating_sub(days(days_ago));
    let lapsed = Api::new("lapsed").expect("a name");
    let ahead = Api::new("ahead").expect("a name");
    TokenFile::of(
        entry(&Api::AVAILABILITY_PEER, CURRENT, ago(3))
            + &entry(&Api::AVAILABILITY_PEER, PREVIOUS, ago(100))
            + &entry(&Api::V3_RESERVATION, OTHERS, ago(10))
            + &entry(&lapsed, LAPSED, ago(181))
            + &entry(&Api::AVAILABILITY_PEER, REVOKED, ago(150))
            + "revoked = true\n"
            + &entry(&ahead, AHEAD, now().saturating_add(days(10))),
    )
}

pub(super) fn verify(file: &TokenFile, token: &str) -> GoAuth {
    let path = file.path();
    go_auth(&["verify", "--access-tokens"])
        .arg(path.to_str().expect("UTF-8"))
        .var("COLUMNS", "160")
        .stdin(token)
}

#[tokio::test]
async fn access_tokens_are_judged_as_by_the_gate() {
    let file = held();
    for (token, status, kind, shown) in [
        (CURRENT, 0, "", "the current token of its API"),
        (PREVIOUS, 0, "", "the previous token of its API"),
        (OTHERS, 1, "wrong_api", "a token of v3-reservation"),
        (LAPSED, 1, "access_token_expired", "1 day ago"),
        (STRANGERS, 1, "unknown_access_token", "none of them"),
        (REVOKED, 1, "access_token_revoked", "revoked"),
        (AHEAD, 1, "not_yet_valid", "in 8 days 23 hours"),
        (
            "a.b.c",
            1,
            "unknown_access_token",
            "2 dots; only Access Tokens are accepted here",
        ),
    ] {
        let ran = verify(&file, token).run().await;
        assert_eq!(
            (ran.status, &*ran.stderr),
            (status, ""),
            "{token}: {}",
            ran.stdout
        );
        ran.shows(shown);
        assert!(!ran.stdout.contains(token), "{}", ran.stdout);
        let said = verify(&file, token).arg("--json").run().await;
        assert_eq!(said.json()["kind"].as_str().unwrap_or_default(), kind);
        assert!(!said.stdout.contains("53ac0777"), "{}", said.stdout);
    }
}

/// Everything wrong with it is shown, as with a JWT.
#[tokio::test]
async fn everything_wrong_with_an_access_token_is_shown() {
    let ran = verify(&held(), LAPSED).arg("--json").run().await;
    let said = ran.json();
    assert_eq!(check(&said, "exp")["kind"], "access_token_expired");
    assert_eq!(check(&said, "api")["kind"], "wrong_api");
    assert_eq!(check(&said, "token")["ok"], true);
    assert!(said.get("token").is_none(), "{said}");
}

#[tokio::test]
async fn a_token_of_the_api_given_is_valid() {
    let ran = verify(&held(), OTHERS)
        .arg("--api=v3-reservation")
        .run()
        .await;
    assert_eq!(ran.status, 0, "{}", ran.all());
    let ran = verify(&held(), CURRENT)
        .arg("--api=v3-reservation")
        .run()
        .await;
    assert_eq!(ran.status, 1, "{}", ran.all());
    let ran = verify(&held(), CURRENT).arg("--api=No API").run().await;
    assert_eq!(ran.status, 64, "{}", ran.all());
}

#[tokio::test]
async fn an_access_token_is_judged_as_of_another_time() {
    let file = held();
    for (ahead, status) in [(0, 0), (176, 0), (178, 1)] {
        let at = now().saturating_add(days(ahead)).to_string();
        let ran = verify(&file, CURRENT).arg("--at").arg(at).run().await;
        assert_eq!(ran.status, status, "{ahead}: {}", ran.all());
    }
}

#[tokio::test]
async fn faults_of_the_file_are_named_without_tokens() {
    let file = TokenFile::of(format!("[[token]]\ntoken = \"{CURRENT}\"\nfoo = 1\n"));
    let ran = verify(&file, CURRENT).run().await;
    assert_eq!((ran.status, &*ran.stdout), (64, ""));
    for fault in [
        "line 3: there is no such setting",
        "api is missing",
        "issued is missing",
    ] {
        ran.reports(fault);
    }
    assert!(!ran.stderr.contains("53ac0777"), "{}", ran.stderr);
}
