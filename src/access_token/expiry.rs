//! Reports on tokens' dates: once at each of GO's reminders, not once a request.

use std::collections::{HashMap, HashSet};

use super::api::Api;
use super::set::AccessTokens;
use crate::clock::UnixTime;
use crate::credential_lifetime::{Notice, Reminders};

/// What was already reported.
#[derive(Debug, Default)]
pub(super) struct Announced {
    /// For each API's current token.
    current: HashMap<Api, Reminders>,
    /// Tokens dated too far ahead, by API and issue.
    ahead: HashSet<(Api, UnixTime)>,
}

/// A token whose issue is dated too far ahead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ahead {
    pub(super) api: Api,
    /// Its line in the file.
    pub(super) line: Option<usize>,
    pub(super) issued: UnixTime,
}

impl Announced {
    /// The tokens that are newly dated too far ahead at `now`; they then count as
    /// reported.
    pub(super) fn ahead(&mut self, tokens: &AccessTokens, now: UnixTime) -> Vec<Ahead> {
        let ahead: Vec<_> = (tokens.accepted())
            .filter_map(|token| {
                Some(Ahead {
                    api: token.api.clone(),
                    line: token.place.line(),
                    issued: token.ahead_at(now)?,
                })
            })
            .collect();
        let said = ahead.iter().map(|it| (it.api.clone(), it.issued));
        let said = std::mem::replace(&mut self.ahead, said.collect());
        (ahead.into_iter())
            .filter(|it| !said.contains(&(it.api.clone(), it.issued)))
            .collect()
    }

    /// The reminders of current tokens due at `now`, which then count as reported.
    pub(super) fn due(&mut self, tokens: &AccessTokens, now: UnixTime) -> Vec<(Api, Notice)> {
        self.current
            .retain(|api, _| tokens.apis().any(|held| held == api));
        (tokens.current())
            .filter_map(|token| {
                let reminders = self.current.entry(token.api.clone()).or_default();
                let notice = reminders.due(token.accepted_until, now)?;
                Some((token.api.clone(), notice))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::entry::AccessToken;
    use super::*;

    const HOUR: u64 = 3_600;

    fn issued() -> UnixTime {
        UnixTime::from_secs(1_800_000_000)
    }

    fn tokens(of: &[(Api, UnixTime)]) -> AccessTokens {
        let tokens = (100_000_000_000_000_000_u64..)
            .zip(of)
            .map(|(number, (api, issued))| {
                AccessToken::new(api.clone(), number.to_string(), *issued)
            });
        AccessTokens::new(tokens).expect("good tokens")
    }

    /// The hours left at each announcement, checking every ten minutes.
    fn watched(
        announced: &mut Announced,
        tokens: &AccessTokens,
        hours: std::ops::Range<u64>,
    ) -> Vec<u64> {
        (hours.start * 6..hours.end * 6)
            .flat_map(|tick| {
                let now = issued().saturating_add(Duration::from_secs(tick * HOUR / 6));
                announced.due(tokens, now)
            })
            .map(|(_, notice)| notice.left.as_secs() / HOUR)
            .collect()
    }

    #[test]
    fn a_token_is_announced_seven_times_in_its_life() {
        let tokens = tokens(&[(Api::AVAILABILITY_PEER, issued())]);
        let days: Vec<_> = watched(&mut Announced::default(), &tokens, 0..200 * 24)
            .iter()
            .map(|hours| hours / 24)
            .collect();
        assert_eq!(days, [30, 20, 10, 3, 2, 1, 0]);
    }

    #[test]
    fn after_renewal_only_the_new_token_is_announced() {
        let mut announced = Announced::default();
        let first = tokens(&[(Api::AVAILABILITY_PEER, issued())]);
        assert_eq!(watched(&mut announced, &first, 0..161 * 24), [720, 480]);
        let renewed = issued().saturating_add(Duration::from_secs(161 * 24 * HOUR));
        let both = tokens(&[
            (Api::AVAILABILITY_PEER, issued()),
            (Api::AVAILABILITY_PEER, renewed),
        ]);
        assert_eq!(watched(&mut announced, &both, 161 * 24..312 * 24), [720]);
    }

    #[test]
    fn each_api_has_its_own_series() {
        let mut announced = Announced::default();
        let both = tokens(&[
            (Api::V3_RESERVATION, issued()),
            (Api::V3_NON_RESERVATION, issued()),
        ]);
        assert_eq!(watched(&mut announced, &both, 0..151 * 24), [720, 720]);
        // Removed and added again, it is announced again.
        let one = tokens(&[(Api::V3_RESERVATION, issued())]);
        assert!(watched(&mut announced, &one, 151 * 24..152 * 24).is_empty());
        assert_eq!(
            watched(&mut announced, &both, 152 * 24..153 * 24),
            [28 * 24]
        );
    }

    #[test]
    fn a_date_ahead_is_reported_once_until_corrected() {
        let mut announced = Announced::default();
        let tokens = tokens(&[
            (Api::V3_RESERVATION, issued()),
            (Api::V3_NON_RESERVATION, UnixTime::EPOCH),
        ]);
        let early = issued().saturating_sub(Duration::from_secs(24 * HOUR + 1));
        let mut ahead = |now| announced.ahead(&tokens, now);
        let expected = Ahead {
            api: Api::V3_RESERVATION,
            line: None,
            issued: issued(),
        };
        assert_eq!(ahead(early), [expected]);
        assert_eq!(ahead(early), []);
        assert_eq!(ahead(issued()), []);
        // The clock is set back again.
        assert_eq!(ahead(early).len(), 1);
    }
}
