//! Access tokens as TOML.
//!
//! The document is walked, not deserialized, for three reasons: all faults are reported
//! at once, each with its line; unknown members are not repeated, as parsers' messages
//! do; and a token goes from the text straight into a [`Secret`]. (If the text is not
//! TOML, the parser copies it for its message, which is dropped unread but not wiped.)

use std::ops::Range;

use toml::de::{DeArray, DeTable, DeValue};

use super::api::Api;
use super::entry::{AccessToken, Given, TokenDigest};
use super::fault::{AccessTokensError, Faults, Lines, Place, Wrong};
use super::set::{AccessTokens, Located, MAX_TOKENS};
use crate::clock::UnixTime;
use crate::clock::rfc3339;
use crate::secret::Secret;

impl AccessTokens {
    /// The tokens of a TOML document. Each is a table like one of these; unknown settings
    /// are faults.
    ///
    /// ```toml
    /// [[token]]
    /// api = "availability-peer"          # see `Api`
    /// token = "53ac0777…"                # as GO Console shows it
    /// issued = 2026-11-01T00:00:00Z      # when it was generated in GO Console
    ///
    /// [[token]]
    /// api = "v3-reservation"
    /// sha256 = "9f86d081…"               # instead: the token's digest, 64 hex digits
    /// issued = 2026-11-01T08:00:00+08:00
    ///
    /// [[token]]
    /// api = "v3-reservation"
    /// token = "p;fdHalv…"
    /// revoked = true                     # refused from now on; needs no `issued`
    /// ```
    ///
    /// Of two tokens of one API, the later issued is the current one and the other the
    /// previous. A token that one entry revokes is revoked, whatever another says about
    /// it. `token = []` states that there are no tokens.
    ///
    /// # Errors
    /// With every fault and its line; if the text is not TOML at all, with that alone.
    pub fn from_toml(text: &str) -> Result<Self, AccessTokensError> {
        read(text, false).map_err(|(error, _)| error)
    }
}

/// `beside_jwts`: a token that looks like a JWT is a fault.
///
/// # Errors
/// With every fault, and the tokens that the text revokes all the same: whoever wrote
/// `revoked` meant it, whatever else is wrong. Any value but `false` counts, and of the
/// other members only the token has to be valid.
pub(super) fn read(
    text: &str,
    beside_jwts: bool,
) -> Result<AccessTokens, (AccessTokensError, Box<[TokenDigest]>)> {
    let mut document = Document {
        lines: Lines::of(text.as_bytes()),
        faults: Faults::default(),
        revoked: Vec::new(),
    };
    let tokens = document.read(text);
    AccessTokens::of(tokens, beside_jwts, document.faults)
        .map_err(|error| (error, document.revoked.into()))
}

/// What is collected while reading.
struct Document {
    lines: Lines,
    faults: Faults,
    revoked: Vec<TokenDigest>,
}

impl Document {
    fn read(&mut self, text: &str) -> Vec<Located> {
        let root = match DeTable::parse(text) {
            Ok(root) => root.into_inner(),
            Err(error) => {
                let place = error.span().map(|span| self.line(&span));
                self.faults.add(place, Wrong::Syntax);
                return Vec::new();
            }
        };
        let mut tokens = None;
        for (name, value) in root {
            let place = self.line(&name.span());
            match (name.get_ref().as_ref(), value.into_inner()) {
                ("token", DeValue::Array(entries)) => tokens = Some(self.tokens(entries)),
                ("token", _) => {
                    self.faults.add(place, Wrong::NotTokens);
                    tokens = Some(Vec::new());
                }
                _ => self.faults.add(place, Wrong::UnknownMember),
            }
        }
        tokens.unwrap_or_else(|| {
            self.faults.add(None, Wrong::Empty);
            Vec::new()
        })
    }

    fn tokens(&mut self, entries: DeArray<'_>) -> Vec<Located> {
        if entries.len() <= MAX_TOKENS {
            return self.each(entries);
        }
        self.faults.add(None, Wrong::TooMany);
        // Read only for what they revoke.
        let faults = std::mem::take(&mut self.faults);
        self.each(entries);
        self.faults = faults;
        Vec::new()
    }

    fn each(&mut self, entries: DeArray<'_>) -> Vec<Located> {
        let mut tokens = Vec::new();
        for entry in entries {
            let place = self.line(&entry.span());
            match entry.into_inner() {
                DeValue::Table(entry) => tokens.extend(self.token(entry, place)),
                _ => self.faults.add(place, Wrong::NotTokens),
            }
        }
        tokens
    }

    fn token(&mut self, entry: DeTable<'_>, place: Place) -> Option<Located> {
        let mut read = Entry::default();
        for (name, value) in entry {
            let member = (self.line(&value.span()), value.into_inner());
            match name.get_ref().as_ref() {
                "api" => read.api = Some(member),
                "token" => read.token = Some(member),
                "sha256" => read.sha256 = Some(member),
                "issued" => read.issued = Some(member),
                "revoked" => read.revoked = Some(member),
                _ => (self.faults).add(self.line(&name.span()), Wrong::UnknownMember),
            }
        }
        read.into_token(place, &mut self.faults, &mut self.revoked)
    }

    fn line(&self, span: &Range<usize>) -> Place {
        self.lines.at(span.start)
    }
}

/// The members of one table, each with its place.
#[derive(Default)]
struct Entry<'a> {
    api: Option<Member<'a>>,
    token: Option<Member<'a>>,
    sha256: Option<Member<'a>>,
    issued: Option<Member<'a>>,
    revoked: Option<Member<'a>>,
}

type Member<'a> = (Place, DeValue<'a>);

impl Entry<'_> {
    /// Checks all members, whatever is wrong with one.
    fn into_token(
        self,
        place: Place,
        faults: &mut Faults,
        revoked: &mut Vec<TokenDigest>,
    ) -> Option<Located> {
        let missing = |name| (place, Err(Wrong::Missing(name)));
        let (at, api) = self
            .api
            .map_or_else(|| missing("api"), |(at, value)| (at, text(value, "api")));
        let api = api.and_then(|name| Ok(Api::new(name.expose())?));
        let api = faults.take(at, api);

        let (at, given) = match (self.token, self.sha256) {
            (Some((at, token)), None) => {
                let token = text(token, "token");
                (at, token.and_then(|it| Given::token(it.expose())))
            }
            (None, Some((at, sha256))) => {
                let sha256 = text(sha256, "sha256");
                (at, sha256.and_then(|it| Given::sha256(it.expose())))
            }
            (Some(_), Some((at, _))) => (at, Err(Wrong::TokenAndDigest)),
            (None, None) => (place, Err(Wrong::NeitherTokenNorDigest)),
        };
        let given = faults.take(at, given);

        let is_revoked = match self.revoked {
            None | Some((_, DeValue::Boolean(false))) => false,
            Some((at, value)) => {
                if !matches!(value, DeValue::Boolean(true)) {
                    faults.add(at, Wrong::NotABoolean);
                }
                revoked.extend(given.iter().map(|given| given.digest.clone()));
                true
            }
        };
        let issued = match self.issued {
            Some((at, value)) => faults.take(at, time(&value)).map(Some),
            None if is_revoked => Some(None),
            None => faults.take(place, Err(Wrong::Missing("issued"))),
        };
        let token = AccessToken {
            api: api?,
            given: Ok(given?),
            issued: issued?,
            is_revoked,
        };
        Some((place, token))
    }
}

/// A string, wiped when it is dropped: it may be a token, even in the wrong place.
fn text(value: DeValue<'_>, name: &'static str) -> Result<Secret, Wrong> {
    match value {
        DeValue::String(text) => Ok(text.into_owned().into()),
        _ => Err(Wrong::NotAString(name)),
    }
}

fn time(value: &DeValue<'_>) -> Result<UnixTime, Wrong> {
    match value {
        DeValue::Datetime(time) => rfc3339::unix_time(time).ok_or(Wrong::NotATime),
        _ => Err(Wrong::NotATime),
    }
}

#[cfg(test)]
mod tests;
