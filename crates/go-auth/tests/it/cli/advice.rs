//! What `go-auth verify` says of each kind of rejection: the kind, the status, and what
//! to do next.

use std::collections::{BTreeMap, BTreeSet};

use derbysoft_go_simulator::Fault;

use super::access_tokens::{LAPSED, OTHERS, REVOKED, STRANGERS, held, verify};
use super::{Ran, file, go_auth, path, strict_verify};
use test_support::contract;
use test_support::{World, refused_tokens};

/// The kinds that the command does not meet: an API's own check, a handler that expects
/// other claims, and a key that the gate may look for again.
const OF_OTHERS: [&str; 3] = ["forbidden", "key_pending", "claims_mismatch"];

/// Each kind, with words of its advice alone.
const ADVICE: [(&str, &str); 22] = [
    ("too_long", "raise GO_AUTH_MAX_TOKEN_BYTES"),
    ("malformed", "three parts with two dots"),
    ("header", "`alg` and `kid` in the header"),
    ("algorithm", "GO signs with RS256 only"),
    ("unknown_key", "The key address publishes"),
    ("signature", "changed on its way"),
    ("claims", "a plain JSON object"),
    ("issuer", "the same, byte for byte"),
    ("audience", "GO is set up with another audience"),
    ("expired", "sent late or replayed"),
    ("not_yet_valid", "GO's clock is ahead"),
    ("missing_claim", "are always required"),
    ("lifetime", "raise max_lifetime"),
    ("subject", "not in GO_AUTH_SUBJECTS"),
    ("wrong_environment", "from another environment than"),
    ("keys_unavailable", "The gate answers 503"),
    ("unknown_access_token", "does not have this token"),
    ("access_token_expired", "Renew the token in GO Console"),
    ("access_token_revoked", "marks this token as revoked"),
    ("wrong_api", "but for another API"),
    ("missing_credentials", "A request with another scheme"),
    ("invalid_request", "A header holds one token"),
];

/// Lines are broken to the terminal's width.
fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn assert_advised(ran: &Ran, kind: &str) {
    let (status, word) = match kind {
        "keys_unavailable" => (2, "unknown"),
        _ => (1, "rejected"),
    };
    assert_eq!((ran.status, &*ran.stderr), (status, ""), "{kind}");
    let headline = ran.stdout.lines().next().expect("a line");
    assert!(headline.contains(&format!(" {word}: ")), "{headline}");
    assert!(headline.ends_with(&format!(" ({kind})")), "{headline}");
    let (_, next) = ran.stdout.split_once("\nnext: ").expect("advice");
    let next = in_one_line(next);
    for (other, words) in ADVICE {
        assert_eq!(
            next.contains(words),
            other == kind,
            "{kind}, {other}: {next}"
        );
    }
}

#[tokio::test]
async fn each_kind_of_rejection_has_its_own_advice() {
    let world = World::new().await;
    let refused = refused_tokens(&world.go.mint()).into_iter();
    let mut runs: BTreeMap<_, _> = refused
        .map(|(kind, token)| (kind, strict_verify(&world).stdin(token)))
        .collect();

    let elsewhere = "[[issuers]]\nissuer = \"https://id/elsewhere\"\nenvironment = \"test\"\n";
    let here = format!(
        "issuer = \"{}\"\naudience = \"{}\"\njwks_url = \"{}\"\n",
        world.go.issuer(),
        world.go.audience(),
        world.go.jwks_url()
    );
    let settings = file(format!("environment = \"live\"\n{here}{elsewhere}"));
    let token = world.mint().issuer("https://id/elsewhere").token();
    let run = go_auth(&["verify", "--config", path(&settings)]);
    runs.insert("wrong_environment", run.stdin(token));
    let run = strict_verify(&world).var("GO_AUTH_JWKS_URL", "http://127.0.0.1:1/keys");
    runs.insert("keys_unavailable", run.stdin(world.token()));

    let held = held();
    runs.insert("wrong_api", verify(&held, OTHERS));
    runs.insert("access_token_expired", verify(&held, LAPSED));
    runs.insert("unknown_access_token", verify(&held, STRANGERS));
    runs.insert("access_token_revoked", verify(&held, REVOKED));
    for (kind, header) in [
        (
            "missing_credentials",
            "Authorization: Basic dXNlcjpwYXNzd29yZA==",
        ),
        ("invalid_request", "Authorization: Bearer a b"),
    ] {
        runs.insert(kind, strict_verify(&world).stdin(header));
    }

    // All that there are, by the table that the library's tests hold to its kinds.
    let mut kinds = contract::kinds("refused");
    kinds.retain(|kind| !OF_OTHERS.contains(kind));
    assert_eq!(BTreeSet::from(ADVICE.map(|(kind, _)| kind)), kinds);
    assert_eq!(runs.keys().copied().collect::<BTreeSet<_>>(), kinds);
    for (kind, run) in runs {
        assert_advised(&run.run().await, kind);
    }
}

/// No address was asked, so none is to blame.
#[tokio::test]
async fn a_bad_key_file_is_blamed_and_not_the_address() {
    let world = World::new().await;
    world.go.fail(Fault::Html);
    let keys = file("<html>");
    let run = strict_verify(&world).arg("--keys").arg(path(&keys));
    let ran = run.stdin(world.token()).run().await;
    assert_eq!(ran.status, 2, "{}", ran.all());
    let (_, next) = ran.stdout.split_once("\nnext: ").expect("advice");
    let next = in_one_line(next);
    assert!(next.contains("The file given by --keys"), "{next}");
    assert!(!next.contains("503"), "{next}");
    assert_eq!(world.go.fetches(), 0);
}
