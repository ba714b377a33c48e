//! What is pushed to a distributor.

use super::go::AccessTokens;
use super::report::{Credential, PushReport};
use derbysoft_go_simulator::{Expected, SampleToken};

/// No credential, and one of another scheme, as curl makes it of a user and a password.
fn none_and_basic() -> [PushReport; 2] {
    let header = Credential::Fixed("Basic dXNlcjpwYXNzd29yZA==".to_owned());
    let bad = Expected::Refused;
    [
        PushReport::unsent("none", "no credentials", bad, Credential::None),
        PushReport::unsent("basic", "another scheme", bad, header),
    ]
}

/// All that can be pushed with JWTs.
pub(super) fn of_jwts() -> Vec<PushReport> {
    let minted = |sample: SampleToken| {
        let credential = Credential::Minted {
            sample,
            bare: false,
        };
        PushReport::unsent(sample.name, sample.about, sample.expected, credential)
    };
    let (sample, bare) = (SampleToken::GOOD, true);
    let bare = Credential::Minted { sample, bare };
    let bare = PushReport::unsent("bare", "good, without Bearer", Expected::LetIn, bare);
    let mut pushes = vec![minted(sample), bare];
    pushes.extend(none_and_basic());
    // The first of all is the good one.
    pushes.extend(SampleToken::all().skip(1).map(minted));
    pushes
}

/// All that can be pushed with these.
pub(super) fn of_access_tokens(tokens: &AccessTokens) -> Vec<PushReport> {
    let fixed = |name, about, expected, header: String| {
        PushReport::unsent(name, about, expected, Credential::Fixed(header))
    };
    let bearer = |name, about, expected, token: &str| {
        fixed(name, about, expected, format!("Bearer {token}"))
    };
    let (good, bad) = (Expected::LetIn, Expected::Refused);
    let current = &tokens.current;
    let mut pushes = vec![
        bearer("good", "the AvailabilityPeer's token", good, current),
        fixed("bare", "good, without Bearer", good, current.clone()),
    ];
    pushes.extend(tokens.previous.as_deref().map(|token| {
        bearer(
            "previous",
            "the previous one, within its 7 days",
            good,
            token,
        )
    }));
    pushes.extend(none_and_basic());
    pushes.extend([
        bearer("other-api", "the token of another API", bad, &tokens.other),
        bearer(
            "unknown",
            "a token that GO never issued",
            bad,
            &unlike(current),
        ),
    ]);
    pushes
}

/// The token with its last digit changed: as similar as a wrong token can be.
fn unlike(token: &str) -> String {
    let mut other = token.to_owned();
    let last = other.pop();
    other.push(if last == Some('0') { '1' } else { '0' });
    other
}
