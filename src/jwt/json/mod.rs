//! A strict, bounded reader of one JSON object, for JOSE headers and claims.
//!
//! Why not `serde_json`: a token must be rejected for things that a general reader may
//! ignore or accept, depending on the type asked for: duplicate members (RFC 7515,
//! section 4, and RFC 7519, section 4, allow a reader to reject them), members spelled
//! twice with different escapes, lone surrogates and endless nesting inside a claim that
//! nobody reads, numbers that no double can hold. `serde_json` also reads differently
//! when another crate in the build enables its `arbitrary_precision`. This reader behaves
//! one way, keeps no nesting state on the stack, and borrows everything. Every document
//! it accepts is accepted by `serde_json` too; a property test checks that.

mod number;
mod text;

use std::borrow::Cow;

use self::number::fits_a_double;
pub(crate) use self::number::magnitude;
pub(crate) use self::text::Text;
use self::text::is_first_of_pair;
use crate::show::{plain, quoted};

/// Nesting allowed inside a member. GO's own tokens are flat; OpenID Connect's
/// deepest standard claim (`address`) nests once.
const MAX_DEPTH: u32 = 32;

/// Members allowed in the object: GO's tokens have seven, its gateway's eight. Each new
/// name is compared with all before it, so this bounds quadratic work.
const MAX_MEMBERS: usize = 64;

/// Names stored on the stack before the list of names moves to the heap.
const INLINE_NAMES: usize = 12;

/// With so many bytes left a string may be a long one. GO's tokens have half as many.
const LONG: usize = 1024;

/// Why a document is not a JSON object that a token may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsonError {
    /// Not an object at the top level, or not JSON at all.
    Syntax,
    /// One member name twice, however it is spelled.
    Duplicate,
    /// Nested deeper than [`MAX_DEPTH`] or wider than [`MAX_MEMBERS`].
    Excess,
}

type Result<T> = std::result::Result<T, JsonError>;

/// One JSON value; containers are checked but stay text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    String(Text<'a>),
    Number(&'a str),
    /// An array of strings, possibly empty.
    Strings(Strings<'a>),
    Array(&'a str),
    Object(&'a str),
    True,
    False,
    Null,
}

impl Value<'_> {
    /// For display: strings in quotes, others as spelled.
    pub(crate) fn shown(self) -> String {
        match self {
            Self::String(text) => quoted(&text.decode()),
            Self::Number(text) | Self::Array(text) | Self::Object(text) => plain(text),
            Self::Strings(strings) => plain(strings.spelled()),
            Self::True => "true".to_owned(),
            Self::False => "false".to_owned(),
            Self::Null => "null".to_owned(),
        }
    }
}

/// Reads `document` as one object and passes each member to `member`, in order.
///
/// The whole document is checked, whatever `member` does with the values; but a caller
/// must not act on the members before this has returned `Ok`.
pub(crate) fn read_object<'a>(
    document: &'a str,
    mut member: impl FnMut(&str, Value<'a>),
) -> Result<()> {
    let mut reader = Reader::new(document);
    let mut names = Names::default();
    reader.space();
    reader.expect(b'{')?;
    reader.space();
    if !reader.take(b'}') {
        loop {
            let name = reader.string()?.decode();
            reader.space();
            reader.expect(b':')?;
            let value = reader.value()?;
            member(&name, value);
            names.insert(name)?;
            reader.space();
            if reader.take(b'}') {
                break;
            }
            reader.expect(b',')?;
            reader.space();
        }
    }
    reader.space();
    if reader.at == document.len() {
        Ok(())
    } else {
        Err(JsonError::Syntax)
    }
}

/// `document` without a UTF-8 byte order mark at its beginning.
pub(crate) fn without_mark(document: &[u8]) -> &[u8] {
    document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document)
}

/// Whether `document`, if it is JSON, is an object. `serde` fills a struct from an array
/// as well, which no document here may be.
pub(crate) fn is_object(document: &[u8]) -> bool {
    document.trim_ascii_start().first() == Some(&b'{')
}

/// An array of strings, as it is spelled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Strings<'a>(&'a str);

impl<'a> Strings<'a> {
    pub(crate) fn spelled(self) -> &'a str {
        self.0
    }
}

impl<'a> IntoIterator for Strings<'a> {
    type Item = Text<'a>;
    type IntoIter = Texts<'a>;

    fn into_iter(self) -> Texts<'a> {
        Texts(Reader::new(self.0))
    }
}

/// The strings of an array.
#[derive(Debug)]
pub(crate) struct Texts<'a>(Reader<'a>);

impl<'a> Iterator for Texts<'a> {
    type Item = Text<'a>;

    fn next(&mut self) -> Option<Text<'a>> {
        // The array was checked as a whole, so next comes `[` or `,` before a string, or
        // the closing bracket.
        self.0.space();
        self.0.at += 1;
        self.0.space();
        self.0.string().ok()
    }
}

/// The names seen so far in one object: the first ones without escapes are stored apart,
/// which needs no allocation.
#[derive(Default)]
struct Names<'a> {
    inline: [(u64, &'a str); INLINE_NAMES],
    inline_len: usize,
    more: Vec<Cow<'a, str>>,
}

impl<'a> Names<'a> {
    fn insert(&mut self, name: Cow<'a, str>) -> Result<()> {
        let start = start(&name);
        let inline = &self.inline[..self.inline_len];
        if inline.contains(&(start, &name)) || self.more.contains(&name) {
            return Err(JsonError::Duplicate);
        }
        if self.inline_len + self.more.len() == MAX_MEMBERS {
            return Err(JsonError::Excess);
        }
        match (name, self.inline.get_mut(self.inline_len)) {
            (Cow::Borrowed(name), Some(slot)) => {
                *slot = (start, name);
                self.inline_len += 1;
            }
            (name, _) => self.more.push(name),
        }
        Ok(())
    }
}

/// The length and first bytes of a name as one number, which distinguishes most names at
/// once.
fn start(name: &str) -> u64 {
    (name.bytes().take(7)).fold(name.len() as u64, |start, byte| {
        start << 8 | u64::from(byte)
    })
}

#[derive(Debug)]
struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<()> {
        if self.take(byte) {
            Ok(())
        } else {
            Err(JsonError::Syntax)
        }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Result<Value<'a>> {
        self.space();
        let start = self.at;
        match self.peek().ok_or(JsonError::Syntax)? {
            b'[' => {
                let only_strings = self.container()?;
                let array = &self.text[start..self.at];
                Ok(if only_strings {
                    Value::Strings(Strings(array))
                } else {
                    Value::Array(array)
                })
            }
            b'{' => {
                self.container()?;
                Ok(Value::Object(&self.text[start..self.at]))
            }
            _ => self.scalar(),
        }
    }

    fn scalar(&mut self) -> Result<Value<'a>> {
        match self.peek().ok_or(JsonError::Syntax)? {
            b'"' => self.string().map(Value::String),
            b't' => self.word("true", Value::True),
            b'f' => self.word("false", Value::False),
            b'n' => self.word("null", Value::Null),
            _ => self.number().map(Value::Number),
        }
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(JsonError::Syntax)
        }
    }

    /// Skips an array or object and returns whether all values in it are strings. Nesting
    /// is a row of bits (1: object), so no input can exhaust the stack.
    fn container(&mut self) -> Result<bool> {
        let mut kinds: u64 = 0;
        let mut depth: u32 = 0;
        let mut only_strings = true;
        loop {
            // A value comes next.
            self.space();
            match self.peek() {
                Some(open @ (b'[' | b'{')) => {
                    if depth == MAX_DEPTH {
                        return Err(JsonError::Excess);
                    }
                    only_strings &= depth == 0;
                    self.at += 1;
                    kinds = kinds << 1 | u64::from(open == b'{');
                    depth += 1;
                    self.space();
                    if !self.close(kinds) {
                        self.name(kinds)?;
                        continue;
                    }
                    kinds >>= 1;
                    depth -= 1;
                }
                Some(b'"') => {
                    self.string()?;
                }
                Some(_) => {
                    only_strings = false;
                    self.scalar()?;
                }
                None => return Err(JsonError::Syntax),
            }
            // A value has ended.
            loop {
                if depth == 0 {
                    return Ok(only_strings);
                }
                self.space();
                if self.take(b',') {
                    self.space();
                    self.name(kinds)?;
                    break;
                }
                if !self.close(kinds) {
                    return Err(JsonError::Syntax);
                }
                kinds >>= 1;
                depth -= 1;
            }
        }
    }

    fn close(&mut self, kinds: u64) -> bool {
        self.take(if kinds & 1 == 1 { b'}' } else { b']' })
    }

    /// Within an object, the name and colon before a value.
    fn name(&mut self, kinds: u64) -> Result<()> {
        if kinds & 1 == 1 {
            self.string()?;
            self.space();
            self.expect(b':')?;
        }
        Ok(())
    }

    fn string(&mut self) -> Result<Text<'a>> {
        self.expect(b'"')?;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += plain_prefix(&self.bytes[self.at..]);
            match self.peek().ok_or(JsonError::Syntax)? {
                b'"' => {
                    let raw = &self.text[start..self.at];
                    self.at += 1;
                    return Ok(Text::new(raw, escaped));
                }
                b'\\' => {
                    escaped = true;
                    self.at += 1;
                    self.escape()?;
                }
                _ => return Err(JsonError::Syntax),
            }
        }
    }

    fn escape(&mut self) -> Result<()> {
        let letter = self.peek().ok_or(JsonError::Syntax)?;
        self.at += 1;
        match letter {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => match self.code_unit()? {
                first if is_first_of_pair(first) => {
                    self.expect(b'\\')?;
                    self.expect(b'u')?;
                    match self.code_unit()? {
                        0xdc00..=0xdfff => Ok(()),
                        _ => Err(JsonError::Syntax),
                    }
                }
                0xdc00..=0xdfff => Err(JsonError::Syntax),
                _ => Ok(()),
            },
            _ => Err(JsonError::Syntax),
        }
    }

    fn code_unit(&mut self) -> Result<u16> {
        let digits = self
            .bytes
            .get(self.at..self.at + 4)
            .ok_or(JsonError::Syntax)?;
        self.at += 4;
        digits.iter().try_fold(0, |unit: u16, digit| {
            let value = char::from(*digit).to_digit(16).ok_or(JsonError::Syntax)?;
            // A hexadecimal digit is below 16.
            Ok(unit << 4 | u16::try_from(value).unwrap_or(0))
        })
    }

    /// RFC 8259, section 6, and no more than a double can hold (RFC 7493, section 2.2).
    fn number(&mut self) -> Result<&'a str> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        let scaled = matches!(self.peek(), Some(b'e' | b'E'));
        if scaled {
            self.at += 1;
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        let number = &self.text[start..self.at];
        // 20 digits hold any 64-bit integer; nothing so short overflows.
        if (scaled || number.len() > 20) && !fits_a_double(number) {
            return Err(JsonError::Syntax);
        }
        Ok(number)
    }

    fn digits(&mut self) -> Result<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > start {
            Ok(())
        } else {
            Err(JsonError::Syntax)
        }
    }
}

/// How many bytes come before the first quote, backslash or control character, or the
/// end.
fn plain_prefix(bytes: &[u8]) -> usize {
    if bytes.len() < LONG {
        plain_words(bytes)
    } else {
        plain_chunks(bytes)
    }
}

/// The same where a string may be long: after its first bytes, 64 at a time, which takes a
/// third of the time for each.
#[inline(never)]
fn plain_chunks(bytes: &[u8]) -> usize {
    const CHUNK: usize = 64;
    let plain = plain_words(&bytes[..CHUNK]);
    if plain < CHUNK {
        return plain;
    }
    let (chunks, _) = bytes.as_chunks::<CHUNK>();
    let is_plain =
        |chunk: &&[u8; CHUNK]| !chunk.iter().fold(false, |any, it| any | is_special(*it));
    let plain = CHUNK * (1 + chunks.iter().skip(1).take_while(is_plain).count());
    plain + plain_words(&bytes[plain..])
}

/// The same, eight bytes at a time.
fn plain_words(bytes: &[u8]) -> usize {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // The lowest high bit set belongs to the first byte that is zero.
    const fn zeros(word: u64) -> u64 {
        word.wrapping_sub(LOW) & !word & HIGH
    }
    let (words, tail) = bytes.as_chunks();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let controls = word.wrapping_sub(LOW * 0x20) & !word & HIGH;
        let special = controls | zeros(word ^ (LOW * 0x22)) | zeros(word ^ (LOW * 0x5c));
        if special != 0 {
            return at * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let is_plain = |byte: &&u8| !is_special(**byte);
    bytes.len() - tail.len() + tail.iter().take_while(is_plain).count()
}

const fn is_special(byte: u8) -> bool {
    matches!(byte, 0x00..=0x1f | b'"' | b'\\')
}

#[cfg(test)]
mod tests;
