//! One distributor's machine and what is around it: what happens, and whether what was
//! promised holds.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;

use super::access::Access;
use super::gateway::Endpoint;
use super::go::{Document, Go, Token};
use super::seen::{KEY_WAIT, LEEWAY, LONGEST_UNREAD, LONGEST_WAIT, MOST_WELL, Seen, TICK};
use super::server::{Front, Source};
use super::time::{At, Time};
use super::year::Event;
use crate::authenticate::VerifyErrorKind as Kind;
use crate::clock::UnixTime;
use crate::error::VerifyError;
use crate::health::Health;

/// How many of the last notes a report has.
const NOTES: usize = 60;

/// How many requests may wait for keys.
pub(super) const MAX_WAITING: usize = 128;

/// How long a wall clock that was ahead may still make keys seem newer than a token.
const AGES: Duration = Duration::from_secs(10_000);

pub(super) type Shared = Arc<Mutex<World>>;

pub(super) fn lock(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An issuer: what it does, where its keys are, and what the handle can know of them.
pub(super) struct Issuer {
    pub(super) go: Go,
    pub(super) source: Source,
    pub(super) seen: Seen,
    pub(super) snapshot: Option<PathBuf>,
}

impl Issuer {
    /// A good answer has come, or the file was read: `None` confirms the document in use.
    pub(super) fn gives(&mut self, document: Option<Document>, max_age: Option<u64>, now: At) {
        self.seen.good(document, max_age, now);
        if let Some(held) = &self.seen.held {
            self.go.served(&held.document, now);
        }
    }
}

pub(super) struct World {
    pub(super) time: Time,
    pub(super) rng: Rng,
    /// All that the handle trusts, in its order.
    pub(super) issuers: Vec<Issuer>,
    /// Which process runs; each restart and each reload begins another.
    pub(super) process: u64,
    /// When it began, and when the machine last woke up, as elapsed time.
    pub(super) began: Duration,
    pub(super) woke: Duration,
    /// When the wall clock was last stepped, by the true time; and until when it was ahead
    /// by more than the leeway, as elapsed time.
    pub(super) stepped: UnixTime,
    pub(super) ahead: Option<Duration>,
    /// Until then nobody sends anything.
    pub(super) quiet: Duration,
    /// Until then nobody drives the background task.
    pub(super) undriven: Duration,
    pub(super) access: Option<Access>,
    pub(super) endpoint: Endpoint,
    /// How long work on the disk takes.
    pub(super) disk: Duration,
    /// By their text.
    pub(super) documents: HashMap<String, Document>,
    /// How many requests wait for keys.
    pub(super) waiting: usize,
    pub(super) agenda: BTreeMap<(Duration, u64), Event>,
    numbered: u64,
    pub(super) tally: BTreeMap<&'static str, u64>,
    notes: VecDeque<String>,
    prints: bool,
    broken: Option<String>,
}

/// What was so when a request came.
#[expect(clippy::struct_excessive_bools, reason = "facts, not states")]
pub(super) struct Before {
    at: At,
    number: u64,
    comes_again: bool,
    process: u64,
    knew: bool,
    was_distrusted: bool,
    has_name: bool,
    starts: u64,
    was_fetching: bool,
    was_outage: bool,
    cooled: Duration,
    is_crowded: bool,
}

impl World {
    pub(super) fn new(time: Time, rng: Rng, issuers: Vec<Issuer>, prints: bool) -> Self {
        Self {
            rng,
            issuers,
            process: 0,
            began: Duration::ZERO,
            woke: Duration::ZERO,
            stepped: UnixTime::EPOCH,
            ahead: None,
            quiet: Duration::ZERO,
            undriven: Duration::ZERO,
            access: None,
            endpoint: Endpoint::new(time.now()),
            disk: Duration::ZERO,
            documents: HashMap::new(),
            waiting: 0,
            agenda: BTreeMap::new(),
            numbered: 0,
            tally: BTreeMap::new(),
            notes: VecDeque::new(),
            prints,
            broken: None,
            time,
        }
    }

    /// Has something happen so much later.
    pub(super) fn later(&mut self, after: Duration, event: Event) {
        self.numbered += 1;
        let at = self.time.now().elapsed + after;
        self.agenda.insert((at, self.numbered), event);
    }

    pub(super) fn note(&mut self, text: impl FnOnce() -> String) {
        let now = self.time.now();
        let seconds = now.elapsed.as_secs();
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
        let millis = now.elapsed.as_millis() % 60_000;
        let note = format!(
            "day {days} {hours:02}:{minutes:02}:{:02}.{:03}  {}",
            millis / 1000,
            millis % 1000,
            text()
        );
        if self.prints {
            println!("{note}");
        }
        if self.notes.len() == NOTES {
            self.notes.pop_front();
        }
        self.notes.push_back(note);
    }

    /// Of one of the issuers.
    pub(super) fn note_of(&mut self, issuer: usize, text: impl FnOnce() -> String) {
        self.note(|| format!("issuer {issuer}: {}", text()));
    }

    pub(super) fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    /// A promise that was kept, or what is wrong. The first that is broken is reported.
    pub(super) fn must(&mut self, kept: Result<(), String>) {
        if let Err(what) = kept {
            self.note(|| format!("BROKEN: {what}"));
            if self.broken.is_none() {
                let notes: Vec<_> = self.notes.iter().map(String::as_str).collect();
                self.broken = Some(notes.join("\n"));
            }
        }
    }

    pub(super) fn must_of(&mut self, issuer: usize, kept: Result<(), String>) {
        self.must(kept.map_err(|what| format!("issuer {issuer}: {what}")));
    }

    /// The last notes, once a promise was broken.
    pub(super) fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    fn is_driven(&self, now: At) -> bool {
        now.elapsed >= self.undriven
    }

    /// Of the token at this moment: whether it is within its time beyond doubt, and whether
    /// it may still be accepted.
    fn window(token: &Token, now: At) -> (bool, bool) {
        let doubt = Duration::from_secs(5);
        let is_in = now.wall.saturating_add(doubt) < token.expires.saturating_add(LEEWAY)
            && token.issued < now.wall.saturating_add(Duration::from_secs(145));
        (is_in, now.wall < token.expires.saturating_add(LEEWAY))
    }

    pub(super) fn comes(&mut self, token: &Token) -> Before {
        let at = self.time.now();
        let seen = &mut self.issuers[token.issuer].seen;
        let knew = seen.knows(&token.signed_by, at);
        if !knew {
            seen.missed(at);
        }
        self.numbered += 1;
        Before {
            at,
            number: self.numbered,
            comes_again: token.key.is_some() && self.rng.u8(0..4) == 0,
            process: self.process,
            knew,
            was_distrusted: seen.is_distrusted(&token.signed_by.0),
            has_name: seen.has_name(&token.signed_by.0, at),
            starts: seen.starts,
            was_fetching: seen.flight.is_some(),
            was_outage: seen.is_outage(at),
            cooled: seen.cooled(),
            is_crowded: false,
        }
    }

    /// A request is answered without waiting: it may be one too many.
    pub(super) fn answers_at_once(&self, before: &mut Before) {
        before.is_crowded = self.waiting >= MAX_WAITING;
    }

    /// A request waits for keys.
    pub(super) fn waits(&mut self) {
        self.waiting += 1;
        if self.waiting > MAX_WAITING {
            self.must(Err(format!("{} requests wait", self.waiting)));
        }
    }

    /// A verdict has come.
    pub(super) fn judged(
        &mut self,
        token: &Token,
        before: &Before,
        verdict: &Result<(), VerifyError>,
    ) {
        let now = self.time.now();
        if self.process != before.process {
            return;
        }
        let kind = verdict.as_ref().copied().map_err(VerifyError::kind);
        self.count(match kind {
            Ok(()) => "accepted",
            Err(Kind::KeyPending) => "key_pending",
            Err(Kind::KeysUnavailable) => "keys_unavailable",
            Err(Kind::UnknownKey) => "unknown_key",
            Err(Kind::Signature) => "signature",
            Err(_) => "outside its time",
        });
        if kind.is_err() && token.key.is_some() {
            let name = &token.signed_by.0;
            self.note_of(token.issuer, || format!("a token of {name} gets {kind:?}"));
        }
        let waited = now.elapsed - before.at.elapsed;
        let seen = &self.issuers[token.issuer].seen;
        let fault = seen.fault(token, kind, now).or_else(|| {
            (waited > KEY_WAIT + TICK).then(|| format!("a request waited for {waited:?}"))
        });
        let rest = verdict.as_ref().err().and_then(VerifyError::retry_after);
        let fits = rest.is_some_and(|rest| !rest.is_zero() && rest <= KEY_WAIT);
        let fault = fault.or_else(|| {
            (kind == Err(Kind::KeyPending) && fits && waited.is_zero())
                .then(|| format!("{rest:?} of the cooldown are not waited for"))
        });
        let (is_in, may_be) = Self::window(token, now);
        let is_in = is_in && Self::window(token, before.at).0;
        let fault = fault.or_else(|| {
            (kind.is_ok() && !may_be).then(|| "a token is accepted past its time".to_owned())
        });
        let fault = fault.or_else(|| match kind {
            Ok(()) => self.outlived(token, now),
            Err(kind) if is_in => self.lost(token, before, kind, waited, now),
            Err(_) => None,
        });
        if let Some(fault) = fault {
            let name = &token.signed_by.0;
            let fault = format!("{fault}: a token of {name} gets {kind:?}");
            self.must_of(token.issuer, Err(fault));
        }
        if let Err(error) = verdict
            && let Some(retry_after) = error.retry_after()
        {
            if retry_after > LONGEST_WAIT {
                self.must(Err(format!("try again after {retry_after:?}")));
            }
            // In no order of those that are woken at once.
            if before.comes_again && is_in {
                let again = now.elapsed + retry_after + Duration::from_millis(1);
                self.agenda
                    .insert((again, before.number), Event::Push(token.clone()));
            }
        }
    }

    /// Whether an accepted token's key was withdrawn longer ago than the guide promises.
    fn outlived(&self, token: &Token, now: At) -> Option<String> {
        let Issuer {
            go, source, seen, ..
        } = &self.issuers[token.issuer];
        let key = &go.keys[token.key?];
        let withdrawn = go.withdrawn(key)?;
        let served = key.served?;
        let terms = &seen.terms;
        if self.stepped < served.true_time {
            let age = now.true_time.saturating_since(served.true_time);
            if age > terms.max_stale + Duration::from_secs(60) + terms.timeout {
                return Some(format!("a withdrawn key, last seen {age:?} ago"));
            }
        }
        let settled = source.answers? + terms.longest_wait + terms.timeout;
        let from = withdrawn.elapsed.max(settled).max(self.began);
        // At what the answers may be as old as, whatever is in front.
        let confirmed = match source.front {
            _ if source.changed + terms.interval > withdrawn.elapsed => return None,
            Front::Direct { .. } => Duration::ZERO,
            Front::Frozen => LONGEST_UNREAD,
            Front::Cache { keeps, .. } => keeps,
        };
        let life = source.max_age.map_or(terms.interval, |age| {
            Duration::from_secs(age.max(30)).min(terms.interval)
        });
        let mut bound = life.mul_f64(0.9) + terms.timeout + confirmed + TICK;
        let mut from = from.max(self.undriven);
        // Nobody has looked at a file meanwhile, so that it is looked at first.
        if !source.is_file() && self.woke > withdrawn.elapsed {
            bound += Duration::from_secs(60);
            from = from.max(self.woke);
        }
        let since = now.elapsed.saturating_sub(from);
        (since > bound)
            .then(|| format!("withdrawn {since:?} ago, and at most {bound:?} is promised"))
    }

    /// Whether a genuine token was rejected that ought not to be.
    fn lost(
        &self,
        token: &Token,
        before: &Before,
        kind: Kind,
        waited: Duration,
        now: At,
    ) -> Option<String> {
        let Issuer {
            go, source, seen, ..
        } = &self.issuers[token.issuer];
        let key = &go.keys[token.key?];
        let wrong = |what: &str| Some(what.to_owned());
        if before.was_distrusted {
            let at_once = kind == Kind::UnknownKey && waited.is_zero();
            return if at_once {
                None
            } else {
                wrong("a distrusted key is looked for")
            };
        }
        // At the very moment when it came.
        if seen.is_distrusted(&token.signed_by.0) {
            return None;
        }
        if before.knew {
            return wrong("a known key is rejected");
        }
        let since = (key.since)
            .filter(|since| since.elapsed <= before.at.elapsed)
            .filter(|since| since.true_time.as_secs() <= token.issued.as_secs())?;
        let is_undecided = matches!(kind, Kind::KeyPending | Kind::KeysUnavailable);
        let is_replaced = before.has_name && kind == Kind::Signature;
        let was_ahead = (self.ahead).is_some_and(|ahead| ahead + AGES > now.elapsed);
        // By a clock that is ahead the keys seem to be newer than the token.
        if was_ahead && kind == Kind::UnknownKey {
            return None;
        }
        if !is_undecided && !is_replaced {
            return wrong("a genuine token of a published key is rejected for good");
        }
        let well = source.is_well?;
        if before.is_crowded || !self.is_driven(now) {
            return None;
        }
        let settled = well.max(self.began) + seen.terms.longest_wait + seen.terms.timeout;
        let is_direct = matches!(source.front, Front::Direct { .. });
        if is_direct && settled.max(source.changed) <= since.elapsed {
            let after = before.at.elapsed - since.elapsed;
            if after > seen.terms.cooldown + MOST_WELL {
                return Some(format!("a published key is not there after {after:?}"));
            }
        }
        // Only where the last fetch was good is the rest of the cooldown waited for; and a
        // signature that does not fit is a no until newer keys say otherwise.
        let waits = !before.was_outage && !is_replaced;
        let patience = if waits {
            KEY_WAIT - MOST_WELL
        } else {
            Duration::ZERO
        };
        let in_reach = before.cooled <= before.at.elapsed + patience;
        // A fetch of the background may come between, and a cache answer it.
        let own = match seen.starts - before.starts {
            0 => true,
            1 => seen.was_fresh && !is_replaced,
            _ => false,
        };
        let undisturbed = own && !before.was_fetching && well <= before.at.elapsed;
        (in_reach && undisturbed).then(|| "nothing kept the key from being found".to_owned())
    }

    /// A verdict on an Access Token has come.
    pub(super) fn judged_access_token(&mut self, token: &str, verdict: Result<(), Kind>) {
        let (now, undriven) = (self.time.now(), self.undriven);
        self.count("Access Tokens");
        let fault =
            (self.access.as_mut()).and_then(|access| access.fault(token, verdict, now, undriven));
        self.must(fault.map_or(Ok(()), Err));
    }

    /// After each simulated minute.
    pub(super) fn check(&mut self, health: &Health) {
        let now = self.time.now();
        let minute = Duration::from_secs(61);
        let is_settled = self.woke + minute < now.elapsed
            && now.true_time.saturating_since(self.stepped) > minute
            && self.is_driven(now);
        for (issuer, keys) in health.issuers.iter().enumerate() {
            let seen = &mut self.issuers[issuer].seen;
            seen.expire(now);
            let (shown, due) = ((keys.state.as_str(), keys.keys), seen.state(now));
            let overdue = seen.overdue(now).filter(|_| is_settled);
            self.count(due.0);
            if shown != due {
                let fault = format!("the health says {shown:?} and should {due:?}");
                self.must_of(issuer, Err(fault));
            }
            self.must_of(issuer, overdue.map_or(Ok(()), Err));
        }
    }
}
