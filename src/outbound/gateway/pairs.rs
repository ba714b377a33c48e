//! Client ID and client secret, and the pair that follows: pure.
//!
//! After a *rotate* at GO both pairs are valid for 7 days; after a *revoke* the old one
//! is dead at once. With a next pair one need not know which it was: the next pair is
//! tried first, the current one is used where it does not work yet, and is dropped once
//! it does, or after the 7 days.

use std::sync::Arc;

use crate::clock::UnixTime;
use crate::credential_lifetime::{OVERLAP, end_of};
use crate::secret::Secret;

/// A client ID and client secret, and when GO issued them if known. They end 180 days
/// later.
#[derive(Debug, Clone)]
pub struct ClientPair {
    pub(super) client_id: Secret,
    pub(super) client_secret: Secret,
    issued_at: Option<UnixTime>,
}

impl ClientPair {
    /// A pair whose end is unknown.
    pub fn new(client_id: impl Into<Secret>, client_secret: impl Into<Secret>) -> Self {
        Self {
            client_id: client_id.into(),
            client_secret: client_secret.into(),
            issued_at: None,
        }
    }

    /// When GO issued it.
    pub fn issued_at(mut self, issued_at: UnixTime) -> Self {
        self.issued_at = Some(issued_at);
        self
    }
}

/// The pair in use, and the next one.
#[derive(Debug)]
pub(super) struct Pairs {
    current: Arc<ClientPair>,
    next: Option<Next>,
}

#[derive(Debug)]
struct Next {
    pair: Arc<ClientPair>,
    /// When it was issued or, if unknown, given here.
    since: UnixTime,
}

impl Pairs {
    pub(super) fn new(current: ClientPair) -> Self {
        Self {
            current: Arc::new(current),
            next: None,
        }
    }

    /// Sets another next pair, replacing an earlier one.
    pub(super) fn rotate_to(&mut self, next: ClientPair, now: UnixTime) {
        self.next = Some(Next {
            since: next.issued_at.unwrap_or(now),
            pair: Arc::new(next),
        });
    }

    /// The pairs to try, in this order.
    pub(super) fn candidates(
        &mut self,
        now: UnixTime,
    ) -> (Arc<ClientPair>, Option<Arc<ClientPair>>) {
        if let Some(next) = &self.next
            && now >= next.since.saturating_add(OVERLAP)
        {
            self.current = Arc::clone(&next.pair);
            self.next = None;
        }
        let current = Arc::clone(&self.current);
        match &self.next {
            Some(next) => (Arc::clone(&next.pair), Some(current)),
            None => (current, None),
        }
    }

    /// A pair gave a token. `true` if it was the next one, which has taken over.
    pub(super) fn worked(&mut self, pair: &Arc<ClientPair>) -> bool {
        let is_next = self.is_next(pair);
        if is_next {
            self.current = Arc::clone(pair);
            self.next = None;
        }
        is_next
    }

    pub(super) fn is_next(&self, pair: &Arc<ClientPair>) -> bool {
        (self.next.as_ref()).is_some_and(|next| Arc::ptr_eq(&next.pair, pair))
    }

    /// Whether the pair is in use or the next one.
    pub(super) fn has(&self, pair: &Arc<ClientPair>) -> bool {
        Arc::ptr_eq(&self.current, pair) || self.is_next(pair)
    }

    pub(super) const fn has_next(&self) -> bool {
        self.next.is_some()
    }

    /// The end of the current pair, at the latest 7 days after the next one was issued.
    pub(super) fn end_of_current(&self) -> Option<UnixTime> {
        let own = self.current.issued_at.map(end_of);
        let overlap = (self.next.as_ref()).map(|next| next.since.saturating_add(OVERLAP));
        own.into_iter().chain(overlap).min()
    }

    /// The end of the next pair, if there is one and its end is known.
    pub(super) fn end_of_next(&self) -> Option<UnixTime> {
        self.next.as_ref()?.pair.issued_at.map(end_of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    fn day(day: u64) -> UnixTime {
        UnixTime::from_secs(1_700_000_000 + day * DAY)
    }

    fn pair(id: &str) -> ClientPair {
        ClientPair::new(id, "p;fdHalvm27A)2UAa3J8n7NLn5roVP1")
    }

    fn ids(pairs: &mut Pairs, now: UnixTime) -> Vec<String> {
        let (first, second) = pairs.candidates(now);
        let ids = [Some(first), second].into_iter().flatten();
        ids.map(|pair| pair.client_id.expose().to_owned()).collect()
    }

    #[test]
    fn the_next_pair_is_first_but_both_serve_at_first() {
        let mut pairs = Pairs::new(pair("a"));
        assert_eq!(ids(&mut pairs, day(0)), ["a"]);
        pairs.rotate_to(pair("b"), day(0));
        assert_eq!(ids(&mut pairs, day(1)), ["b", "a"]);
        let (_, current) = pairs.candidates(day(1));
        assert!(!pairs.worked(&current.expect("the current one")));
        assert_eq!(ids(&mut pairs, day(6)), ["b", "a"]);
        let (next, _) = pairs.candidates(day(6));
        assert!(pairs.worked(&next));
        assert_eq!(ids(&mut pairs, day(6)), ["b"]);
    }

    #[test]
    fn the_current_pair_is_dropped_after_7_days() {
        for next in [pair("b"), pair("b").issued_at(day(3))] {
            let since = if next.issued_at.is_some() { 3 } else { 5 };
            let mut pairs = Pairs::new(pair("a"));
            pairs.rotate_to(next, day(5));
            assert_eq!(ids(&mut pairs, day(since + 6)), ["b", "a"]);
            assert_eq!(ids(&mut pairs, day(since + 7)), ["b"]);
            assert_eq!(ids(&mut pairs, day(since)), ["b"], "for good");
        }
    }

    #[test]
    fn a_replaced_pair_gives_no_token() {
        let mut pairs = Pairs::new(pair("a"));
        let (old, _) = pairs.candidates(day(0));
        pairs = Pairs::new(pair("b"));
        assert!(!pairs.worked(&old));
        assert!(!pairs.has(&old));
        pairs.rotate_to(pair("c"), day(0));
        pairs.rotate_to(pair("d"), day(0));
        assert_eq!(ids(&mut pairs, day(0)), ["d", "b"]);
    }

    #[test]
    fn a_pair_ends_after_180_days_or_7_if_followed() {
        let ends = |pairs: &Pairs| (pairs.end_of_current(), pairs.end_of_next());
        let mut pairs = Pairs::new(pair("a").issued_at(day(0)));
        assert_eq!(ends(&pairs), (Some(day(180)), None));
        pairs.rotate_to(pair("b").issued_at(day(100)), day(101));
        assert_eq!(ends(&pairs), (Some(day(107)), Some(day(280))));
        pairs.rotate_to(pair("c").issued_at(day(175)), day(175));
        assert_eq!(ends(&pairs), (Some(day(180)), Some(day(355))));
        pairs.rotate_to(pair("d"), day(100));
        assert_eq!(ends(&pairs), (Some(day(107)), None));
        assert_eq!(ends(&Pairs::new(pair("a"))), (None, None));
    }

    #[test]
    fn a_pair_does_not_print_its_secrets() {
        let printed = format!("{:?}", Pairs::new(pair("596a9560").issued_at(day(0))));
        assert!(
            !printed.contains("596a") && !printed.contains("p;fd"),
            "{printed}"
        );
    }
}
