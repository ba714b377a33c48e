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

type Row = (&'static str, &'static str, Expected, Credential);

fn attempts(rows: impl IntoIterator<Item = Row>) -> Vec<Attempt> {
    let rows = rows.into_iter();
    rows.map(|(name, about, expected, credential)| Attempt {
        name,
        about,
        expected,
        credential,
    })
    .collect()
}

const NONE: Row = (
    "none",
    "no credentials",
    Expected::Refused,
    Credential::None,
);

/// As curl makes it of a user and a password.
fn basic() -> Row {
    let header = Credential::Fixed("Basic dXNlcjpwYXNzd29yZA==".to_owned());
    ("basic", "another scheme", Expected::Refused, header)
}

/// All that can be pushed with JWTs.
pub(super) fn of_jwts() -> Vec<Attempt> {
    let minted = |sample, bare| Credential::Minted { sample, bare };
    let row = |sample: SampleToken| {
        let credential = minted(sample, false);
        (sample.name(), sample.about(), sample.expected(), credential)
    };
    let bare = minted(SampleToken::GOOD, true);
    let bare = ("bare", "good, without Bearer", Expected::LetIn, bare);
    let others = SampleToken::all().filter(|sample| *sample != SampleToken::GOOD);
    let first = [row(SampleToken::GOOD), bare, NONE, basic()];
    attempts(first.into_iter().chain(others.map(row)))
}

/// All that can be pushed with these.
pub(super) fn of_access_tokens(tokens: &AccessTokens) -> Vec<Attempt> {
    let bearer = |token: &str| Credential::Fixed(format!("Bearer {token}"));
    let bare = Credential::Fixed(tokens.current.clone());
    let current = bearer(&tokens.current);
    let previous = tokens.previous.as_deref().map(bearer);
    let (other, unknown) = (bearer(&tokens.other), bearer(&unlike(&tokens.current)));
    let (good, bad) = (Expected::LetIn, Expected::Refused);
    let mut rows = vec![
        ("good", "the AvailabilityPeer's token", good, current),
        ("bare", "good, without Bearer", good, bare),
    ];
    let about = "the previous one, within its 7 days";
    rows.extend(previous.map(|header| ("previous", about, good, header)));
    rows.extend([
        NONE,
        basic(),
        ("other-api", "the token of another API", bad, other),
        ("unknown", "a token that GO never issued", bad, unknown),
    ]);
    attempts(rows)
}

/// The token with its last digit changed: as similar as a wrong token can be.
fn unlike(token: &str) -> String {
    let mut other = token.to_owned();
    let last = other.pop();
    other.push(if last == Some('0') { '1' } else { '0' });
    other
}
