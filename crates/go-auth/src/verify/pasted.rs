//! Finds the token in what was pasted: a token, a header, a `curl` line, a line of a log,
//! JSON; in quotes or not, and folded by a mail client or a terminal. Pure.
//!
//! A JWT is known by its form, wherever it stands, and any other token by what stands
//! before it. If there are several, all must be the same. What is none of this is taken
//! for a token as it is, and the verdict says what is wrong with it.

use derbysoft_go_auth::inspect::is_jwt_header;
use zeroize::Zeroizing;

/// The shortest token that is recognised by what stands before it: no Access Token that
/// can be configured is shorter, and prose ("the Bearer token") is.
const SHORTEST: usize = 16;

/// Over how many lines a JWT may be folded: 8 KiB, the longest that is accepted by
/// default, in lines of 64 characters. Bounds the work.
const MOST_LINES: usize = 128;

const QUOTES: &[u8] = b"'\"`";

const HEADER: &str = "in an Authorization header";
const BEARER: &str = "after Bearer";
const IN_QUOTES: &str = "in quotes";
const IN_TEXT: &str = "in a longer text";
const NONE: &str = "nowhere: all of the input is taken for one";

/// What the input is taken for.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(super) enum Given {
    /// The value of an `Authorization` header.
    Header(Zeroizing<Vec<u8>>),
    /// A token, its scheme taken off.
    Token(Zeroizing<Vec<u8>>),
}

#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Pasted {
    pub(super) given: Given,
    /// Where the token was found; `None` if it was given alone.
    pub(super) from: Option<&'static str>,
    /// On how many lines.
    pub(super) lines: usize,
}

/// There is more than one token in the input, and they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Different;

/// A place in the input where a token is, and where it ends.
struct Found {
    pasted: Pasted,
    end: usize,
}

pub(super) fn read(input: &[u8]) -> Result<Pasted, Different> {
    let text = input.trim_ascii();
    let (text, from) = match unquoted(text) {
        Some(inner) => (inner, Some(IN_QUOTES)),
        None => (text, None),
    };
    if let Some(pasted) = header_or_token(text, from) {
        return Ok(pasted);
    }
    // One line that begins with a token and goes on is a token with something wrong in it.
    let begins = jwt_at(text, 0).is_some_and(|found| found.end < text.len());
    if begins && !text.contains(&b'\n') {
        return Ok(as_it_is(text, from));
    }
    let mut pasted: Option<Pasted> = None;
    let mut at = 0;
    while at < text.len() {
        let Some(found) = found_at(text, at) else {
            at += 1;
            continue;
        };
        let is_all = at == 0 && found.end == text.len() && found.pasted.from == Some(IN_TEXT);
        let here = Pasted {
            from: if is_all { from } else { found.pasted.from },
            ..found.pasted
        };
        match &pasted {
            Some(other) if other.given != here.given => return Err(Different),
            Some(_) => {}
            None => pasted = Some(here),
        }
        at = found.end;
    }
    Ok(pasted.unwrap_or_else(|| as_it_is(text, from)))
}

/// What stands between two quotes, if no other is in it.
fn unquoted(text: &[u8]) -> Option<&[u8]> {
    let [first, inner @ .., last] = text else {
        return None;
    };
    let is_quoted = first == last && QUOTES.contains(first) && !inner.contains(first);
    is_quoted.then_some(inner.trim_ascii())
}

/// A whole header on one line, which is read as the gate reads it, or one word after
/// `Bearer`.
fn header_or_token(text: &[u8], from: Option<&'static str>) -> Option<Pasted> {
    if let Some(value) = after(text, b"authorization") {
        let value = value
            .trim_ascii_start()
            .strip_prefix(b":")?
            .trim_ascii_start();
        let is_plain = |byte: &u8| !matches!(byte, b'\n') && !QUOTES.contains(byte);
        return (value.iter().all(is_plain))
            .then(|| Pasted::of(Given::header(value), Some(HEADER)));
    }
    let token = after(text, b"bearer")?;
    let is_scheme = token.first().is_none_or(u8::is_ascii_whitespace);
    let token = token.trim_ascii_start();
    let is_word = is_scheme && !token.iter().any(u8::is_ascii_whitespace);
    is_word.then(|| Pasted::of(Given::token(token), from.or(Some(BEARER))))
}

/// The input itself.
pub(super) fn as_it_is(text: &[u8], from: Option<&'static str>) -> Pasted {
    let header = after(text, b"authorization").and_then(|rest| rest.strip_prefix(b":"));
    if let Some(value) = header {
        return Pasted::of(Given::header(value.trim_ascii()), Some(HEADER));
    }
    let is_more = text.iter().any(u8::is_ascii_whitespace);
    let from = if is_more { Some(NONE) } else { from };
    Pasted::of(Given::token(text), from)
}

/// What stands behind a word, in upper or lower case.
fn after<'a>(text: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = text.split_at_checked(word.len())?;
    start.eq_ignore_ascii_case(word).then_some(rest)
}

fn found_at(text: &[u8], at: usize) -> Option<Found> {
    let is_inside = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.+/%~".contains(byte);
    if at
        .checked_sub(1)
        .is_some_and(|before| is_inside(&text[before]))
    {
        return None;
    }
    (header_at(text, at))
        .or_else(|| bearer_at(text, at))
        .or_else(|| jwt_at(text, at))
}

/// `authorization: …` within a text, with the quotes of a shell or of JSON.
fn header_at(text: &[u8], at: usize) -> Option<Found> {
    let of = |rest: &[u8]| text.len() - rest.len();
    let rest = after(&text[at..], b"authorization")?;
    let (name_quote, rest) = quote(rest);
    let rest = rest.trim_ascii_start();
    let rest = (rest.strip_prefix(b":")).or_else(|| rest.strip_prefix(b"="))?;
    let (value_quote, value) = quote(rest.trim_ascii_start());
    let before = at.checked_sub(1).map(|before| text[before]);
    let around = before.filter(|byte| name_quote.is_none() && QUOTES.contains(byte));
    let quoted = value_quote.or(around).and_then(|quote| {
        let end = value.iter().position(|byte| *byte == quote)?;
        let inner = &value[..end];
        Some((inner.strip_suffix(b"\\").unwrap_or(inner), of(value) + end))
    });
    let found = if let Some((value, end)) = quoted {
        let pasted = quoted_header(value)?;
        Found { pasted, end }
    } else {
        let at = of(value);
        (bearer_at(text, at))
            .or_else(|| jwt_at(text, at))
            .or_else(|| word_at(text, at))?
    };
    Some(Found {
        pasted: Pasted {
            from: Some(HEADER),
            ..found.pasted
        },
        ..found
    })
}

/// A quote at the beginning, also one that is escaped.
fn quote(text: &[u8]) -> (Option<u8>, &[u8]) {
    let unescaped = text.strip_prefix(b"\\").unwrap_or(text);
    match unescaped.split_first() {
        Some((first, rest)) if QUOTES.contains(first) => (Some(*first), rest),
        _ => (None, text),
    }
}

/// A header's value that quotes delimit, so that line breaks in it are none of it.
fn quoted_header(value: &[u8]) -> Option<Pasted> {
    let value = value.trim_ascii();
    let bearer =
        after(value, b"bearer").filter(|rest| rest.first().is_some_and(u8::is_ascii_whitespace));
    let (token, lines) = unfolded(bearer.unwrap_or(value).trim_ascii());
    let is_word = token.iter().all(|byte| is_of_word(*byte));
    let given = match (is_word, bearer) {
        (true, Some(_)) => Given::Token(token),
        (true, None) if token.len() >= SHORTEST => Given::Token(token),
        (true, None) => return None,
        // Another scheme, or no token: as the gate reads it.
        (false, _) => Given::Header(unfolded(value).0),
    };
    Some(Pasted {
        lines,
        ..Pasted::of(given, None)
    })
}

fn bearer_at(text: &[u8], at: usize) -> Option<Found> {
    let rest = after(&text[at..], b"bearer")?;
    let word = rest.trim_ascii_start();
    if word.len() == rest.len() {
        return None;
    }
    let at = text.len() - word.len();
    let found = jwt_at(text, at).or_else(|| word_at(text, at))?;
    Some(Found {
        pasted: Pasted {
            from: Some(BEARER),
            ..found.pasted
        },
        ..found
    })
}

/// A word that may be an Access Token.
fn word_at(text: &[u8], at: usize) -> Option<Found> {
    let length = text[at..]
        .iter()
        .take_while(|byte| is_of_word(**byte))
        .count();
    let end = at + length;
    (length >= SHORTEST).then(|| Found {
        pasted: Pasted::of(Given::token(&text[at..end]), None),
        end,
    })
}

/// Three segments of base64url, of which the first is a JSON object, also where they are
/// broken over lines.
fn jwt_at(text: &[u8], at: usize) -> Option<Found> {
    let word = |at: usize| {
        let length = text[at..]
            .iter()
            .take_while(|byte| is_of_jwt(**byte))
            .count();
        &text[at..at + length]
    };
    let dots = |word: &[u8]| word.split(|byte| *byte == b'.').count() - 1;
    let first = word(at);
    let (mut end, mut seen) = (at + first.len(), dots(first));
    // `{` in base64url.
    if first.first() != Some(&b'e') || seen > 2 {
        return None;
    }
    let mut lines = vec![first];
    while let Some(next) = fold(text, end) {
        let more = word(next);
        // A line that goes on after this word begins something else.
        let after = next + more.len();
        let is_alone = (text.get(after)).is_none_or(|byte| QUOTES.contains(byte))
            || fold(text, after).is_some();
        if lines.len() == MOST_LINES || more.is_empty() || !is_alone || seen + dots(more) > 2 {
            break;
        }
        lines.push(more);
        (end, seen) = (after, seen + dots(more));
    }
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b",;)]}<>\\&|'\"`".contains(byte);
    // One without a signature may be a part of one.
    let is_whole = seen == 2 && text[end - 1] != b'.' && text.get(end).is_none_or(ends);
    if !is_whole {
        return None;
    }
    let mut token = Zeroizing::new(Vec::with_capacity(end - at));
    for line in &lines {
        token.extend_from_slice(line);
    }
    let header = token.split(|byte| *byte == b'.').next()?;
    if !is_jwt_header(header) {
        return None;
    }
    Some(Found {
        pasted: Pasted {
            lines: lines.len(),
            ..Pasted::of(Given::Token(token), Some(IN_TEXT))
        },
        end,
    })
}

/// Where the text goes on after a line break at `at`: with the spaces around it, and the
/// backslash before it that a shell needs.
fn fold(text: &[u8], at: usize) -> Option<usize> {
    let blank = |byte: &&u8| matches!(byte, b' ' | b'\t');
    let mut rest = text.get(at..)?;
    rest = rest.strip_prefix(b"\\").unwrap_or(rest);
    rest = &rest[rest.iter().take_while(blank).count()..];
    rest = rest
        .strip_prefix(b"\r")
        .unwrap_or(rest)
        .strip_prefix(b"\n")?;
    rest = &rest[rest.iter().take_while(blank).count()..];
    Some(text.len() - rest.len())
}

/// The text without its line breaks, and its number of lines.
fn unfolded(text: &[u8]) -> (Zeroizing<Vec<u8>>, usize) {
    let mut whole = Zeroizing::new(Vec::with_capacity(text.len()));
    let (mut at, mut lines) = (0, 1);
    while let Some(byte) = text.get(at) {
        if let Some(next) = fold(text, at) {
            (at, lines) = (next, lines + 1);
        } else {
            whole.push(*byte);
            at += 1;
        }
    }
    (whole, lines)
}

const fn is_of_jwt(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

/// As in an Access Token, which is visible ASCII without commas; but quotes and
/// backslashes end one.
const fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b',' | b'\'' | b'"' | b'`' | b'\\')
}

impl Pasted {
    const fn of(given: Given, from: Option<&'static str>) -> Self {
        Self {
            given,
            from,
            lines: 1,
        }
    }

    /// Where the token was found, for whoever pasted it.
    pub(super) fn place(&self) -> Option<String> {
        match (self.from, self.lines) {
            (None, 1) => None,
            (None, lines) => Some(format!("on {lines} lines")),
            (Some(from), 1) => Some(from.to_owned()),
            (Some(from), lines) => Some(format!("{from}, on {lines} lines")),
        }
    }
}

impl Given {
    fn header(value: &[u8]) -> Self {
        Self::Header(value.to_vec().into())
    }

    fn token(token: &[u8]) -> Self {
        Self::Token(token.to_vec().into())
    }
}

#[cfg(test)]
mod tests;
