//! What an unknown answer says, without what it may leak.
//!
//! An error page may repeat the request's headers in any form: as HTML entities,
//! percent-encoded, in base64, encoded twice, split by tags. A list of encodings to look
//! for would never be complete. So only plain words are kept, which no encoding of a
//! secret consists of, and none of them if one could be part of a secret that itself
//! consists of words.

use std::fmt;

use memchr::memmem;
use zeroize::Zeroizing;

/// The most of an answer's words kept for an error, in bytes: GO's own error texts take
/// about 80.
const EXCERPT_BYTES: usize = 512;

/// The longest plain word. Base64 of a 12-byte secret has 16 letters.
const WORD_BYTES: usize = 15;

/// The longest plain word in capitals: `HTTP`, `OAUTH`.
const CAPITALS: usize = 5;

/// So many letters in a row shared with a secret are taken for a part of it.
const PART: usize = 4;

/// Marks omitted words.
const GAP: &str = "…";

/// The plain words of an answer's body, at most 512 bytes. A word has only ASCII letters,
/// 15 at most; whatever else the body has becomes `…`. So does the whole body if its
/// words share four letters in a row with the client ID or client secret, or if the
/// answer may hold a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt(String);

impl Excerpt {
    /// `secrets`: what the client sent in confidence.
    pub(super) fn of<'a>(
        status: u16,
        body: &[u8],
        secrets: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let may_hold_token =
            (200..300).contains(&status) || memmem::find(body, b"access_token").is_some();
        if may_hold_token {
            return Self(GAP.to_owned());
        }
        let words = plain_words(body);
        let kept = letters(&words);
        let betrays = |secret: &str| {
            let secret = letters(secret);
            let size = PART.min(secret.len()).max(1);
            let mut parts = secret.windows(size);
            parts.any(|part| memmem::find(&kept, part).is_some())
        };
        if secrets.into_iter().any(betrays) {
            return Self(GAP.to_owned());
        }
        Self(words)
    }

    /// The words, with one space between them.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The words of a text or a page, without its tags and their attributes.
fn plain_words(body: &[u8]) -> String {
    let mut in_tag = false;
    let is_between = |byte: &u8| {
        match byte {
            b'<' => in_tag = true,
            b'>' => in_tag = false,
            byte => return in_tag || byte.is_ascii_whitespace() || b"\"'()[]{}:,".contains(byte),
        }
        true
    };
    let mut words = String::new();
    for chunk in body.split(is_between) {
        let last = chunk.iter().rposition(|byte| !b".;!?".contains(byte));
        let chunk = &chunk[..last.map_or(0, |last| last + 1)];
        let word = match plain(chunk) {
            _ if chunk.is_empty() => continue,
            None if words.ends_with(GAP) => continue,
            word => word.unwrap_or(GAP),
        };
        if words.len() + 1 + word.len() > EXCERPT_BYTES {
            break;
        }
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    words
}

/// A word as people write it: no digits and no capitals inside, as encodings have.
fn plain(chunk: &[u8]) -> Option<&str> {
    let (first, rest) = chunk.split_first()?;
    let is_word = first.is_ascii_alphabetic()
        && rest.iter().all(u8::is_ascii_lowercase)
        && chunk.len() <= WORD_BYTES;
    let is_capitals = chunk.iter().all(u8::is_ascii_uppercase) && chunk.len() <= CAPITALS;
    (is_word || is_capitals)
        .then(|| str::from_utf8(chunk).ok())
        .flatten()
}

/// The letters of a text in lower case.
fn letters(text: &str) -> Zeroizing<Vec<u8>> {
    let mut letters = Zeroizing::new(Vec::with_capacity(text.len()));
    letters.extend(text.bytes().filter(u8::is_ascii_alphabetic));
    letters.make_ascii_lowercase();
    letters
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(body: &str, secret: &str) -> String {
        Excerpt::of(400, body.as_bytes(), [secret])
            .as_str()
            .to_owned()
    }

    #[test]
    fn plain_words_are_kept_and_nothing_else() {
        for (body, kept) in [
            ("Rate limit exceeded.", "Rate limit exceeded"),
            (
                r#"{"error":"no such client","id":7}"#,
                "error no such client id …",
            ),
            ("<p class='a1'>Not <b>found</b>!</p>", "Not found"),
            ("HTTP GATEWAY aBc a1 a_b a-b é %61 &amp; \\u0061", "HTTP …"),
            ("\u{1b}[31mred\r\nblue \0", "… blue …"),
            ("word <unclosed tag", "word"),
            ("aaaaabbbbbccccc aaaaabbbbbcccccd", "aaaaabbbbbccccc …"),
            ("...", ""),
            ("", ""),
        ] {
            assert_eq!(excerpt(body, ""), kept, "{body:?}");
        }
        let long = excerpt(&"words and more ".repeat(100), "");
        assert!((500..=EXCERPT_BYTES).contains(&long.len()));
        for (last, length) in [("ab", EXCERPT_BYTES), ("abc", EXCERPT_BYTES - 3)] {
            let fits = excerpt(&("word ".repeat(102) + last), "");
            assert_eq!(fits.len(), length, "{last}");
        }
        assert_eq!(Excerpt::of(400, b"\xff\xfe", []).0, GAP);
    }

    #[test]
    fn one_word_of_a_secret_removes_all_words() {
        for (secret, body) in [
            ("correct-horse", "the client correct was"),
            ("correct-horse", "the client COR rect was"),
            ("correct-horse", "o r s e"),
            ("c1o2r3r4", "corr"),
            ("abc", "a b <b>c</b>"),
        ] {
            assert_eq!(excerpt(body, secret), GAP, "{secret}: {body}");
        }
        assert_eq!(excerpt("no such client", "12345"), "no such client");
    }

    #[test]
    fn an_answer_that_may_hold_a_token_is_not_shown() {
        let token = br#"{"access_token":"opaque","token_type":"Bearer"}"#;
        assert_eq!(Excerpt::of(400, token, []).0, GAP);
        assert_eq!(Excerpt::of(201, b"opaque", []).0, GAP);
    }
}
