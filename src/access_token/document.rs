//! Access tokens as TOML.
//!
//! The document is walked, not deserialized, for three reasons: all faults are
//! named at once, each with its line; nothing of a member that is not understood
//! is repeated, as messages of parsers do; and a token goes from the text straight
//! into a [`Secret`]. (Of a text that is not TOML the parser makes a copy for its
//! message, which is dropped unread, but not wiped.)

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::api::Api;
use super::entry::{AccessToken, TokenDigest};
use super::fault::{AccessTokensError, Faults, Lines, Place, Wrong};
use super::set::{AccessTokens, Located, MAX_TOKENS};
use crate::clock::UnixTime;
use crate::rfc3339;
use crate::secret::Secret;

impl AccessTokens {
    /// The tokens of a TOML document, as of `now`. Each is a table like one of
    /// these; unknown settings are refused.
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
    /// ```
    ///
    /// Of two tokens of one API the later issued is the current one, and the
    /// other the previous.
    ///
    /// # Errors
    /// With every fault, and its line; where the text is not TOML at all, with
    /// that alone.
    pub fn from_toml(text: &str, now: UnixTime) -> Result<Self, AccessTokensError> {
        let mut faults = Faults::default();
        let document = Document {
            lines: Lines::of(text.as_bytes()),
        };
        let tokens = document.read(text, &mut faults);
        Self::of(tokens, now, faults)
    }
}

struct Document {
    lines: Lines,
}

impl Document {
    fn read(&self, text: &str, faults: &mut Faults) -> Vec<Located> {
        let root = match DeTable::parse(text) {
            Ok(root) => root.into_inner(),
            Err(error) => {
                faults.add(error.span().map(|span| self.line(&span)), Wrong::Syntax);
                return Vec::new();
            }
        };
        let mut tokens = Vec::new();
        for (name, value) in root {
            match (name.get_ref().as_ref(), value.get_ref()) {
                ("token", DeValue::Array(_)) => tokens = self.tokens(value.into_inner(), faults),
                ("token", _) => faults.add(self.line(&name.span()), Wrong::NotTokens),
                _ => faults.add(self.line(&name.span()), Wrong::UnknownMember),
            }
        }
        tokens
    }

    fn tokens(&self, value: DeValue<'_>, faults: &mut Faults) -> Vec<Located> {
        let DeValue::Array(entries) = value else {
            return Vec::new();
        };
        if entries.len() > MAX_TOKENS {
            faults.add(None, Wrong::TooMany);
            return Vec::new();
        }
        (entries.into_iter())
            .filter_map(|entry| {
                let place = self.line(&entry.span());
                let DeValue::Table(entry) = entry.into_inner() else {
                    faults.add(place, Wrong::NotTokens);
                    return None;
                };
                self.token(entry, place, faults)
            })
            .collect()
    }

    fn token(&self, entry: DeTable<'_>, place: Place, faults: &mut Faults) -> Option<Located> {
        let mut read = Entry::default();
        for (name, value) in entry {
            let member = (self.line(&value.span()), value.into_inner());
            match name.get_ref().as_ref() {
                "api" => read.api = Some(member),
                "token" => read.token = Some(member),
                "sha256" => read.sha256 = Some(member),
                "issued" => read.issued = Some(member),
                _ => faults.add(self.line(&name.span()), Wrong::UnknownMember),
            }
        }
        read.into_token(place, faults)
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
}

type Member<'a> = (Place, DeValue<'a>);

impl Entry<'_> {
    /// Looks at all members, whatever is wrong with one.
    fn into_token(self, place: Place, faults: &mut Faults) -> Option<Located> {
        let missing = |name| (place, Err(Wrong::Missing(name)));
        let (at, api) = self
            .api
            .map_or_else(|| missing("api"), |(at, value)| (at, text(value, "api")));
        let api = api.and_then(|name| Ok(Api::new(name.expose())?));
        let api = faults.take(at, api);

        let (at, digest) = match (self.token, self.sha256) {
            (Some((at, token)), None) => {
                let token = text(token, "token");
                (at, token.and_then(|it| TokenDigest::of_given(it.expose())))
            }
            (None, Some((at, sha256))) => {
                let sha256 = text(sha256, "sha256");
                (at, sha256.and_then(|it| TokenDigest::from_hex(it.expose())))
            }
            (Some(_), Some((at, _))) => (at, Err(Wrong::TokenAndDigest)),
            (None, None) => (place, Err(Wrong::NeitherTokenNorDigest)),
        };
        let digest = faults.take(at, digest);

        let issued = match self.issued {
            Some((at, value)) => faults.take(at, time(&value)),
            None => faults.take(place, Err(Wrong::Missing("issued"))),
        };
        let token = AccessToken {
            api: api?,
            digest: Ok(digest?),
            issued: issued?,
        };
        Some(Located { place, token })
    }
}

/// A string, wiped when it is dropped: it may be a token, or one at a wrong place.
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
