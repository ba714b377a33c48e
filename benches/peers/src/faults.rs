//! Tokens that a contender has to reject.

use derbysoft_go_simulator::{SignatureKind, SigningKey};

use crate::common::scene::Scene;

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

impl Fault {
    pub(crate) const ALL: [Self; 6] = [
        Self::Signature,
        Self::Key,
        Self::Issuer,
        Self::Audience,
        Self::Expired,
        Self::NotYetValid,
    ];

    pub(crate) fn token(self, scene: &Scene) -> String {
        let mint = scene.mint();
        match self {
            Self::Signature => mint.signature(SignatureKind::Corrupted),
            Self::Key => mint.key(SigningKey::pooled()),
            Self::Issuer => mint.issuer("https://evil.example"),
            Self::Audience => mint.audience("somebody else"),
            Self::Expired => mint.expires_in(-3600),
            Self::NotYetValid => mint.not_before_offset(3600),
        }
        .token()
    }
}
