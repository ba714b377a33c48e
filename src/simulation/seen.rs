//! What the handle can know of an issuer's keys, by what the key address has answered, or
//! what was read of the file; and what it owes by that.

use std::time::Duration;

use super::go::{Document, Published, Token};
use super::time::At;
use crate::authenticate::VerifyErrorKind as Kind;
use crate::clock::UnixTime;

pub(super) const COOLDOWN: Duration = Duration::from_secs(10);
pub(super) const KEY_WAIT: Duration = Duration::from_secs(2);
pub(super) const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
pub(super) const LEEWAY: Duration = Duration::from_secs(30);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(60);
/// As an answer may ask for, and up to half as long again.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(90);
/// How long keys of a file count after it was last looked at.
const UNATTENDED: Duration = Duration::from_secs(15);
/// How long a 304 alone may confirm a document.
pub(super) const LONGEST_UNREAD: Duration = Duration::from_secs(3600);

/// How long a fetch takes at most where all is well.
pub(super) const MOST_WELL: Duration = Duration::from_millis(300);

/// Timers are exact to the millisecond.
pub(super) const TICK: Duration = Duration::from_millis(5);

/// How an issuer's keys are fetched, or read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) interval: Duration,
    pub(super) max_stale: Duration,
    pub(super) cooldown: Duration,
    /// The longest time that one fetch takes.
    pub(super) timeout: Duration,
    longest_back_off: Duration,
    pub(super) longest_wait: Duration,
    pub(super) is_file: bool,
}

impl Terms {
    pub(super) fn of_address(interval: Duration, max_stale: Duration) -> Self {
        Self {
            interval,
            max_stale,
            cooldown: COOLDOWN,
            timeout: FETCH_TIMEOUT,
            longest_back_off: LONGEST_BACK_OFF,
            longest_wait: LONGEST_WAIT,
            is_file: false,
        }
    }

    pub(super) fn of_file(max_stale: Duration) -> Self {
        let secs = Duration::from_secs;
        Self {
            interval: secs(10),
            max_stale,
            cooldown: secs(3),
            timeout: secs(5),
            longest_back_off: secs(9),
            longest_wait: secs(9),
            is_file: true,
        }
    }

    /// Between what the wait after so many failures may be.
    fn back_off(&self, failures: u32) -> (Duration, Duration) {
        let doubled = Duration::from_secs(1 << (failures - 1).min(6));
        let doubled = doubled.min(LONGEST_BACK_OFF);
        let longest = self.longest_back_off;
        ((doubled / 2).min(longest), doubled.min(longest))
    }
}

/// A moment that is so long ago; longer, if it was another process's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    at: At,
    ago: Duration,
}

impl Mark {
    pub(super) fn is_after(self, moment: At) -> bool {
        self.ago.is_zero() && self.at.elapsed >= moment.elapsed
    }

    pub(super) fn age(self, now: At) -> Duration {
        self.ago + now.since(self.at)
    }

    fn moved(self, now: At) -> Self {
        Self {
            at: now,
            ago: self.age(now),
        }
    }
}

/// The document in use.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) document: Document,
    pub(super) asked: Mark,
    pub(super) life: Duration,
    /// When it arrived whole, by the true time in seconds.
    pub(super) read: u64,
    /// Restored or taken over: refreshed at once.
    due: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt {
    pub(super) started: Duration,
    pub(super) ended: Duration,
    pub(super) is_good: bool,
    pub(super) asked_to_wait: Duration,
}

impl Attempt {
    /// When requests may cause another fetch: at the earliest and at the latest.
    fn cooled(&self, cooldown: Duration) -> (Duration, Duration) {
        let after = |wait| (self.started + cooldown).max(self.ended + wait);
        (after(self.asked_to_wait), after(self.longest_wait()))
    }

    /// What an answer asks for is lengthened at random by up to a half.
    fn longest_wait(&self) -> Duration {
        self.asked_to_wait.mul_f64(1.5)
    }
}

/// A fetch under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flight {
    pub(super) started: At,
    pub(super) is_fresh: bool,
}

/// One process's view.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) terms: Terms,
    pub(super) held: Option<Held>,
    /// When a good answer was asked for that no cache and no 304 could give.
    looked: Option<Mark>,
    attempt: Option<Attempt>,
    /// When the file was last looked at, by the wall clock.
    attended: UnixTime,
    pub(super) failures: u32,
    /// A fetch ended with its runtime: a failed one that the key address has not seen.
    pub(super) was_stopped: bool,
    pub(super) flight: Option<Flight>,
    pub(super) starts: u64,
    /// Whether no cache and no 304 could answer the last fetch.
    pub(super) was_fresh: bool,
    /// When a request last missed a key.
    demanded: Option<Duration>,
    /// An operator wants a fetch whatever the cooldown.
    pub(super) ordered: bool,
    pub(super) distrusted: Vec<String>,
}

impl Seen {
    pub(super) fn new(terms: Terms) -> Self {
        Self {
            terms,
            held: None,
            looked: None,
            attempt: None,
            attended: UnixTime::EPOCH,
            failures: 0,
            was_stopped: false,
            flight: None,
            starts: 0,
            was_fresh: true,
            demanded: None,
            ordered: false,
            distrusted: Vec::new(),
        }
    }

    /// A handle that takes over.
    pub(super) fn succeeded(&self, now: At) -> Self {
        let mut seen = self.clone();
        seen.flight = None;
        seen.looked = self.looked.map(|mark| mark.moved(now));
        if let Some(held) = &mut seen.held {
            held.asked = held.asked.moved(now);
            (held.life, held.due) = (self.terms.interval, true);
        }
        seen
    }

    /// From a snapshot of this age.
    pub(super) fn restored(&mut self, document: Document, read: u64, age: Duration, now: At) {
        if self
            .held
            .as_ref()
            .is_none_or(|held| age < held.asked.age(now))
        {
            self.held = Some(Held {
                document,
                asked: Mark { at: now, ago: age },
                life: self.terms.interval,
                read,
                due: true,
            });
        }
    }

    /// A document that is past the bound is not used any more, whatever the clocks say later.
    pub(super) fn expire(&mut self, now: At) {
        if self.age(now).is_some_and(|age| age >= self.terms.max_stale) {
            self.held = None;
        }
    }

    pub(super) fn age(&self, now: At) -> Option<Duration> {
        self.held.as_ref().map(|held| held.asked.age(now))
    }

    fn in_time(&self, now: At) -> Option<&Held> {
        (self.held.as_ref()).filter(|held| held.asked.age(now) < self.terms.max_stale)
    }

    fn usable(&self, now: At) -> Option<&Held> {
        let attended = !self.terms.is_file || now.wall < self.attended.saturating_add(UNATTENDED);
        self.in_time(now).filter(|_| attended)
    }

    pub(super) fn is_distrusted(&self, kid: &str) -> bool {
        self.distrusted.iter().any(|it| it == kid)
    }

    /// Whether the key verifies.
    pub(super) fn knows(&self, key: &Published, now: At) -> bool {
        !self.is_distrusted(&key.0)
            && (self.usable(now)).is_some_and(|held| held.document.contains(key))
    }

    /// Whether the last good answer has a key of this name, whatever its material.
    pub(super) fn has_name(&self, kid: &str, now: At) -> bool {
        !self.is_distrusted(kid)
            && (self.in_time(now))
                .is_some_and(|held| held.document.iter().any(|(name, _)| **name == *kid))
    }

    /// What the health says.
    pub(super) fn state(&self, now: At) -> (&'static str, usize) {
        let trusted = |(kid, _): &&Published| !self.is_distrusted(kid);
        let keys = |held: &Held| held.document.iter().filter(trusted).count();
        let keys = self.usable(now).map_or(0, keys);
        let state = match self.usable(now) {
            _ if keys == 0 => "empty",
            Some(held) if held.asked.age(now) < held.life => "fresh",
            _ => "stale",
        };
        (state, keys)
    }

    /// Whether the last attempt failed, or there are no keys.
    pub(super) fn is_outage(&self, now: At) -> bool {
        self.in_time(now).is_none() || !self.attempt.is_some_and(|attempt| attempt.is_good)
    }

    /// By when requests may cause another fetch for sure.
    pub(super) fn cooled(&self) -> Duration {
        let cooled = |attempt: Attempt| attempt.cooled(self.terms.cooldown).1;
        self.attempt.map_or(Duration::ZERO, cooled)
    }

    /// A request whose key is not there.
    pub(super) fn missed(&mut self, now: At) {
        self.demanded = Some(now.elapsed);
    }

    /// Whether keys were looked for after this token was issued, by more than the leeway.
    fn has_looked_for(&self, token: &Token, now: At) -> bool {
        self.looked.is_some_and(|looked| {
            let at = now.wall.saturating_sub(looked.age(now));
            token.issued.saturating_add(LEEWAY) < at
        })
    }

    /// A request reaches the key address.
    pub(super) fn begins(&mut self, is_fresh: bool, stepped: u64, now: At) -> Result<(), String> {
        if self.flight.is_some() {
            return Err("two fetches at once".to_owned());
        }
        let ordered = std::mem::take(&mut self.ordered);
        let demanded = self
            .demanded
            .take()
            .is_some_and(|demanded| now.elapsed.saturating_sub(demanded) <= KEY_WAIT + TICK);
        if let Some(attempt) = self.attempt
            && !ordered
        {
            let since = now.elapsed - attempt.ended;
            if since + TICK < attempt.asked_to_wait {
                return Err(format!(
                    "asked to wait for {:?}, and fetched after {since:?}",
                    attempt.asked_to_wait
                ));
            }
            let planned = if self.failures > 0 {
                let is_due = self.held.as_ref().is_some_and(|held| held.due);
                is_due || since + TICK >= self.terms.back_off(self.failures).0
            } else {
                (self.held.as_ref()).is_none_or(|held| {
                    held.due || held.asked.age(now) + TICK >= held.life.mul_f64(0.7)
                })
            };
            let on_demand = demanded && now.elapsed >= attempt.cooled(self.terms.cooldown).0;
            if !planned && !on_demand {
                return Err(format!(
                    "a fetch {since:?} after the last, which nothing allows"
                ));
            }
            if !planned && !is_fresh {
                return Err("a cache may answer what a request asked for".to_owned());
            }
        }
        if let Some(held) = &mut self.held {
            held.due = false;
            let unread = now.true_time.as_secs().saturating_sub(held.read);
            if !is_fresh && stepped <= held.read && unread > LONGEST_UNREAD.as_secs() + 1 {
                return Err(format!("not read for {unread} s, and a 304 would do"));
            }
        }
        self.starts += 1;
        self.was_fresh = is_fresh;
        self.flight = Some(Flight {
            started: now,
            is_fresh,
        });
        Ok(())
    }

    /// A good answer has come: `None` confirms the document in use.
    pub(super) fn good(&mut self, document: Option<Document>, max_age: Option<u64>, now: At) {
        let Some(flight) = self.flight.take() else {
            return;
        };
        let life = max_age.map_or(self.terms.interval, |age| {
            Duration::from_secs(age.max(30)).min(self.terms.interval)
        });
        let asked = Mark {
            at: flight.started,
            ago: Duration::ZERO,
        };
        if let Some(held) = &mut self.held {
            (held.asked, held.life, held.due) = (asked, life, false);
        }
        if let Some(document) = document {
            self.held = Some(Held {
                document,
                asked,
                life,
                read: now.true_time.as_secs(),
                due: false,
            });
        }
        if flight.is_fresh {
            self.looked = Some(asked);
        }
        (self.failures, self.was_stopped) = (0, false);
        self.attempt = Some(Attempt {
            started: flight.started.elapsed,
            ended: now.elapsed,
            is_good: true,
            asked_to_wait: Duration::ZERO,
        });
    }

    /// The file was looked at, with whatever result.
    pub(super) fn attended(&mut self, now: At) {
        self.attended = now.wall;
    }

    pub(super) fn bad(&mut self, asked_to_wait: Duration, now: At) {
        if let Some(flight) = self.flight.take() {
            self.failures += 1;
            self.attempt = Some(Attempt {
                started: flight.started.elapsed,
                ended: now.elapsed,
                is_good: false,
                asked_to_wait: asked_to_wait.min(LONGEST_BACK_OFF),
            });
        }
    }

    /// Whether the background still does what it owes.
    pub(super) fn overdue(&self, now: At) -> Option<String> {
        if let Some(flight) = self.flight {
            let takes = now.elapsed - flight.started.elapsed;
            return (takes > self.terms.timeout + TICK).then(|| format!("a fetch takes {takes:?}"));
        }
        if self.failures > 0 {
            let attempt = self.attempt?;
            let failures = self.failures + u32::from(self.was_stopped);
            let wait = self.terms.back_off(failures).1.max(attempt.longest_wait());
            let since = now.elapsed - attempt.ended;
            return (since > wait + TICK).then(|| format!("no fetch {since:?} after a failed one"));
        }
        let held = self.held.as_ref()?;
        let age = held.asked.age(now);
        (age > held.life.mul_f64(0.9) + TICK).then(|| format!("no refresh at an age of {age:?}"))
    }

    /// What is wrong with a verdict, by what was known when it came.
    pub(super) fn fault(
        &self,
        token: &Token,
        verdict: Result<(), Kind>,
        now: At,
    ) -> Option<String> {
        let known = self.knows(&token.signed_by, now);
        let wrong = |what: &str| Some(what.to_owned());
        match verdict {
            Ok(()) if token.key.is_none() => wrong("a forged token is accepted"),
            Ok(()) if self.is_distrusted(&token.signed_by.0) => wrong("a distrusted key counts"),
            Ok(()) if !known => wrong("a key counts that the last answer did not have"),
            Err(Kind::UnknownKey)
                if !self.is_distrusted(&token.signed_by.0) && !self.has_looked_for(token, now) =>
            {
                wrong("a final no, though nobody has looked since the token was issued")
            }
            Err(Kind::KeysUnavailable) if !self.is_outage(now) => {
                wrong("keys_unavailable, though the last fetch was good")
            }
            Err(Kind::KeyPending) if self.is_outage(now) => {
                wrong("key_pending, though the last fetch failed")
            }
            _ => None,
        }
    }
}
