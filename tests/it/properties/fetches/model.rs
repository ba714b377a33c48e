//! What requests may do, and when the rules have them cause a fetch.

use derbysoft_go_auth::authenticate::VerifyErrorKind as Kind;
use derbysoft_go_simulator::Fault;

/// What a request brings.
#[derive(Debug, Clone)]
pub(super) enum Token {
    /// Of a key id that GO does not publish.
    Unknown(String),
    /// Under a key id that GO publishes, by another key.
    Forged,
    Good,
    /// Of an unknown key id, and so long expired that no key would help.
    Hopeless(String),
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Requests at once: all have come before one is answered.
    Ask(Vec<Token>),
    /// The same, and all go away without waiting.
    Abandon(Vec<Token>),
    /// The fetch that the first causes, if it does, takes as long; others come before its end.
    Slow(Token, Span, Vec<Token>),
    Pass(Span),
    /// The wall clock is set to so many seconds off.
    SetWall(i64),
    Fail(Fault),
    Heal,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Span {
    /// In thousandths of the cooldown.
    Part(u64),
    /// To the end of the cooldown, and so many milliseconds more or less.
    ToEnd(i64),
}

/// Requests and GO as the rules have them: times in milliseconds since the start.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) cooldown: u64,
    pub(super) now: u64,
    /// The start and the end of the last fetch.
    pub(super) last: Option<(u64, u64)>,
    pub(super) failures: u32,
    pub(super) has_keys: bool,
    pub(super) go_is_down: bool,
    /// The first fetch that a request caused.
    pub(super) first: Option<u64>,
    pub(super) retries: usize,
    pub(super) fetches: usize,
}

impl Model {
    /// Whether these requests cause a fetch.
    pub(super) fn causes(&self, tokens: &[Token]) -> bool {
        let wanted = tokens.iter().any(|token| match token {
            Token::Unknown(_) | Token::Forged => true,
            Token::Good => !self.has_keys,
            Token::Hopeless(_) => false,
        });
        let cooled = (self.last).is_none_or(|(start, _)| self.now >= start + self.cooldown);
        wanted && cooled
    }

    pub(super) fn fetched(&mut self, start: u64) {
        self.fetches += 1;
        self.last = Some((start, self.now));
        if self.go_is_down {
            self.failures += 1;
        } else {
            self.failures = 0;
            self.has_keys = true;
        }
    }

    pub(super) fn caused(&self) -> u64 {
        (self.fetches - self.retries) as u64
    }

    /// The bound of the property, as of now.
    pub(super) fn most(&self) -> u64 {
        self.first
            .map_or(0, |first| 1 + (self.now - first) / self.cooldown)
    }

    /// When `span` from now is, and whether the background task has retried by then. Where it may have
    /// or not, the moment is delayed until it has.
    pub(super) fn after(&self, span: Span) -> (u64, bool) {
        let moment = match (span, self.last) {
            (Span::Part(part), _) => self.now + self.cooldown * part / 1000,
            (Span::ToEnd(_), None) => self.now + self.cooldown,
            (Span::ToEnd(off), Some((start, _))) => (start + self.cooldown)
                .saturating_add_signed(off)
                .max(self.now),
        };
        let Some((_, end)) = self.last.filter(|_| self.failures > 0) else {
            return (moment, false);
        };
        let longest = 1000 * (1 << (self.failures - 1).min(6)).min(60);
        if moment < end + longest / 2 {
            (moment, false)
        } else {
            (moment.max(end + longest), true)
        }
    }

    /// The answer to a token, once no fetch is under way.
    pub(super) fn answer(&self, token: &Token) -> Option<Kind> {
        let unknown = if self.has_keys && self.failures == 0 {
            Kind::UnknownKey
        } else {
            Kind::KeysUnavailable
        };
        match token {
            Token::Forged if self.has_keys => Some(Kind::Signature),
            Token::Good if self.has_keys => None,
            Token::Unknown(_) | Token::Forged | Token::Good => Some(unknown),
            Token::Hopeless(_) => Some(Kind::Expired),
        }
    }
}
