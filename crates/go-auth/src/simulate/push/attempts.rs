//! What is pushed to a distributor.

use super::go::AccessTokens;
use derbysoft_go_simulator::{Expected, SampleToken};

/// One push of a kind.
pub(super) struct Attempt {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) expected: Expected,
    pub(super) credential: Credential,
}

pub(super) enum Credential {
    None,
    /// The header's value.
    Fixed(String),
    /// A token that the simulator makes for each push.
    Minted {
        sample: SampleToken,
        bare: bool,
    },
}

const fn attempt(
    name: &'static str,
    about: &'static str,
    expected: Expected,
    credential: Credential,
) -> Attempt {
    Attempt {
        name,
        about,
        expected,
        credential,
    }
}

const NONE: Attempt = attempt(
    "none",
    "no credentials",
    Expected::Refused,
    Credential::None,
);

/// As curl makes it of a user and a password.
fn basic() -> Attempt {
    let header = Credential::Fixed("Basic dXNlcjpwYXNzd29yZA==".to_owned());
    attempt("basic", "another scheme", Expected::Refused, header)
}

/// All that can be pushed with JWTs.
pub(super) fn of_jwts() -> Vec<Attempt> {
    let minted = |sample: SampleToken| {
        let credential = Credential::Minted {
            sample,
            bare: false,
        };
        attempt(sample.name(), sample.about(), sample.expected(), credential)
    };
    let bare = Credential::Minted {
        sample: SampleToken::GOOD,
        bare: true,
    };
    let bare = attempt("bare", "good, without Bearer", Expected::LetIn, bare);
    let good = minted(SampleToken::GOOD);
    let others = SampleToken::all().filter(|sample| *sample != SampleToken::GOOD);
    [good, bare, NONE, basic()]
        .into_iter()
        .chain(others.map(minted))
        .collect()
}

/// All that can be pushed with these.
pub(super) fn of_access_tokens(tokens: &AccessTokens) -> Vec<Attempt> {
    let bearer = |token: &str| Credential::Fixed(format!("Bearer {token}"));
    let (good, refused) = (Expected::LetIn, Expected::Refused);
    let mut attempts = vec![
        attempt(
            "good",
            "the AvailabilityPeer's token",
            good,
            bearer(&tokens.current),
        ),
        attempt(
            "bare",
            "good, without Bearer",
            good,
            Credential::Fixed(tokens.current.clone()),
        ),
    ];
    if let Some(previous) = &tokens.previous {
        let about = "the previous one, within its 7 days";
        attempts.push(attempt("previous", about, good, bearer(previous)));
    }
    attempts.extend([
        NONE,
        basic(),
        attempt(
            "other-api",
            "the token of another API",
            refused,
            bearer(&tokens.other),
        ),
        attempt(
            "unknown",
            "a token that GO never issued",
            refused,
            bearer(&unlike(&tokens.current)),
        ),
    ]);
    attempts
}

/// The token with its last digit changed: as similar as a wrong token can be.
fn unlike(token: &str) -> String {
    let mut other = token.to_owned();
    let last = other.pop();
    other.push(if last == Some('0') { '1' } else { '0' });
    other
}
