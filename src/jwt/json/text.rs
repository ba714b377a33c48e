//! A JSON string as spelled, and its decoded value.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::str::Chars;

/// A string as it stands between its quotes; its escapes are known to be valid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Text<'a> {
    raw: &'a str,
    escaped: bool,
}

impl<'a> Text<'a> {
    pub(super) const fn new(raw: &'a str, escaped: bool) -> Self {
        Self { raw, escaped }
    }

    /// The string itself, with escapes resolved.
    pub(crate) fn decode(self) -> Cow<'a, str> {
        if self.escaped {
            Cow::Owned(self.resolve())
        } else {
            Cow::Borrowed(self.raw)
        }
    }

    #[cold]
    fn resolve(self) -> String {
        // No character is longer than its escape.
        let mut text = String::with_capacity(self.raw.len());
        text.extend(self.chars());
        text
    }

    /// The string itself if it has no escapes.
    pub(crate) fn plain(self) -> Option<&'a str> {
        (!self.escaped).then_some(self.raw)
    }

    /// The string's length as spelled, in bytes: with escapes up to six times that of the
    /// string itself.
    pub(crate) fn spelled_len(self) -> usize {
        self.raw.len()
    }

    /// Whether it equals `other`. Like the next two it allocates nothing and stops at the
    /// first difference, so that a long string costs no more for being compared with
    /// many.
    pub(crate) fn is(self, other: &str) -> bool {
        if self.escaped {
            self.chars().eq(other.chars())
        } else {
            self.raw == other
        }
    }

    /// The same, ignoring ASCII case.
    pub(crate) fn is_ignoring_case(self, other: &str) -> bool {
        let lower = |c: char| c.to_ascii_lowercase();
        if self.escaped {
            self.chars().map(lower).eq(other.chars().map(lower))
        } else {
            self.raw.eq_ignore_ascii_case(other)
        }
    }

    /// Its order relative to `other`, which is that of `str`: by code points.
    pub(crate) fn compare(self, other: &str) -> Ordering {
        if self.escaped {
            self.chars().cmp(other.chars())
        } else {
            self.raw.cmp(other)
        }
    }

    fn chars(self) -> Unescaped<'a> {
        Unescaped(self.raw.chars())
    }
}

/// The characters of a string whose escapes the reader has checked.
struct Unescaped<'a>(Chars<'a>);

impl Unescaped<'_> {
    /// The four digits of a `\u`.
    fn unit(&mut self) -> u16 {
        let digits = self.0.by_ref().take(4);
        digits
            .filter_map(|digit| digit.to_digit(16))
            .fold(0, |unit, digit| {
                // A hexadecimal digit is below 16.
                unit << 4 | u16::try_from(digit).unwrap_or(0)
            })
    }
}

impl Iterator for Unescaped<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let c = self.0.next()?;
        if c != '\\' {
            return Some(c);
        }
        Some(match self.0.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let unit = self.unit();
                // The second half of a pair follows, with its own `\u`.
                let second = if is_first_of_pair(unit) {
                    self.0.nth(1)?;
                    self.unit()
                } else {
                    0
                };
                let first = char::decode_utf16([unit, second]).next()?;
                first.unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            other => other,
        })
    }
}

/// The first of two `\u` that are one character beyond the first 65,536 (RFC 8259,
/// section 7).
pub(super) const fn is_first_of_pair(unit: u16) -> bool {
    matches!(unit, 0xd800..=0xdbff)
}
