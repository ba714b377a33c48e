//! Whether a contender does what it is compared for.

use derbysoft_go_auth::simulator::{SignatureKind, SigningKey};
use http::StatusCode;

use crate::common::scene::Scene;
use crate::gates::Gate;

/// What is wrong with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Signature,
    Key,
    Issuer,
    Audience,
    Expired,
    NotYetValid,
}

const ALL: [Fault; 6] = [
    Fault::Signature,
    Fault::Key,
    Fault::Issuer,
    Fault::Audience,
    Fault::Expired,
    Fault::NotYetValid,
];

/// Goes on if `gate` lets a genuine token through and refuses all others, but
/// for those that it is known not to check.
pub(crate) fn check(gate: &mut Gate<'_>, scene: &Scene) {
    let name = gate.name;
    assert_eq!(gate.status(&scene.tokens[0]), StatusCode::OK, "{name}");
    if gate.open {
        return;
    }
    for fault in ALL {
        let refused = gate.status(&token(fault, scene)) != StatusCode::OK;
        let expected = !gate.unchecked.contains(&fault);
        assert_eq!(refused, expected, "{name} refuses {fault:?}");
    }
    // Twice more: where there is a cache, it now has the genuine token.
    for _ in 0..2 {
        assert_eq!(gate.status(&scene.tokens[0]), StatusCode::OK, "{name}");
    }
}

fn token(fault: Fault, scene: &Scene) -> String {
    let mint = scene.mint();
    match fault {
        Fault::Signature => mint.signature(SignatureKind::Corrupted),
        Fault::Key => mint.key(SigningKey::pooled()),
        Fault::Issuer => mint.issuer("https://evil.example"),
        Fault::Audience => mint.audience("somebody else"),
        Fault::Expired => mint.expires_in(-3600),
        Fault::NotYetValid => mint.not_before_offset(3600),
    }
    .token()
}
