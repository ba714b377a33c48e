//! Where two texts begin to differ that should be the same, and whether all that differs
//! is easily overlooked.

use std::iter;

use serde::Serialize;

use super::show::escaped_char;

/// Two texts at least as long can't be compared at a glance.
const LONG: usize = 20;

/// How much is kept of a text on either side of the difference: the widest terminal shows
/// no more.
const MOST: usize = 160;

/// How a text that was found differs from the one that was expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The first character that differs, counted from 1.
    pub at: usize,
    /// All of the difference, where it is easily overlooked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<&'static str>,
    /// What both have before the difference. As all texts here, it is escaped and cut.
    #[serde(skip)]
    pub before: String,
    /// What was expected from there on.
    #[serde(skip)]
    pub expected: String,
    /// What was found from there on.
    #[serde(skip)]
    pub found: String,
}

impl Difference {
    /// The difference from the one that is the most similar. `None` where none is similar
    /// and they are short enough to be compared at a glance.
    pub(super) fn of<'a>(found: &str, expected: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let nearest = (expected.into_iter())
            .map(|expected| (only(expected, found), same(expected, found), expected))
            .max_by_key(|(only, same, _)| (only.is_some(), *same));
        let (only, same, expected) = nearest?;
        let are_long = [expected, found].map(|text| text.chars().count() > LONG);
        if expected == found || (only.is_none() && are_long != [true, true]) {
            return None;
        }
        let rest = |text: &str| {
            let rest = text.chars().skip(same).map(escaped_char);
            let ended = rest.chain(iter::once("\"".to_owned()));
            ended.collect::<String>().chars().take(MOST).collect()
        };
        let before = iter::once("\"".to_owned())
            .chain(found.chars().take(same).map(escaped_char))
            .collect::<String>();
        let cut = before.len().saturating_sub(MOST);
        Some(Self {
            at: same + 1,
            only,
            before: before.chars().skip(cut).collect(),
            expected: rest(expected),
            found: rest(found),
        })
    }
}

/// How many characters they have in common at the beginning.
fn same(expected: &str, found: &str) -> usize {
    let pairs = expected.chars().zip(found.chars());
    pairs.take_while(|(one, other)| one == other).count()
}

/// A difference that is easily overlooked, in words.
fn only(expected: &str, found: &str) -> Option<&'static str> {
    let is_with = |scheme: &str, text: &str, bare: Option<&str>| {
        bare.is_some() && text.strip_prefix(scheme) == bare
    };
    let spaceless = |text: &str| {
        let dense = text.chars().filter(|c| !c.is_whitespace());
        dense.collect::<String>()
    };
    let (http, https) = ("http://", "https://");
    if expected == found {
        None
    } else if is_with(http, found, expected.strip_prefix(https)) {
        Some("http instead of https")
    } else if is_with(https, found, expected.strip_prefix(http)) {
        Some("https instead of http")
    } else if found.strip_suffix('/') == Some(expected) {
        Some("a / at its end, which is not expected")
    } else if expected.strip_suffix('/') == Some(found) {
        Some("the / at the end, which is missing")
    } else if expected.eq_ignore_ascii_case(found) {
        Some("upper and lower case")
    } else if spaceless(expected) == spaceless(found) {
        Some("white space")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GO: &str = "https://id/84A26B2FA77BCD1FF5130636F04C30C5/.well-known/x";

    #[test]
    fn what_is_easily_overlooked_is_said_in_words() {
        for (expected, found, only, at) in [
            ("https://id/A", "http://id/A", "http instead of https", 5),
            ("http://id/A", "https://id/A", "https instead of http", 5),
            ("a", "a/", "a / at its end, which is not expected", 2),
            ("a/", "a", "the / at the end, which is missing", 2),
            ("ZKT", "zkt", "upper and lower case", 1),
            ("ZKT", "ZKT ", "white space", 4),
            ("ZKT", "\u{a0}ZKT", "white space", 1),
            ("Z KT", "ZK\tT", "white space", 2),
        ] {
            let difference = Difference::of(found, [expected]).expect(only);
            assert_eq!(
                (difference.only, difference.at),
                (Some(only), at),
                "{found}"
            );
        }
    }

    #[test]
    fn the_first_difference_of_long_texts_is_found() {
        let found = GO.replace("130636", "13\u{456}636");
        let difference = Difference::of(&found, [GO]).expect("a difference");
        assert_eq!(difference.only, None);
        assert_eq!(difference.at, 32);
        assert_eq!(difference.before, format!("\"{}", &GO[..31]));
        assert!(difference.expected.starts_with("0636F0"));
        assert!(difference.expected.ends_with("/x\""));
        assert!(difference.found.starts_with("\\u{456}636F0"));
        // Short ones can be compared at a glance, and the same ones do not differ.
        assert_eq!(Difference::of("other", ["ZKT"]), None);
        assert_eq!(Difference::of(GO, ["ZKT"]), None);
        assert_eq!(Difference::of(GO, [GO]), None);
        assert_eq!(Difference::of(GO, []), None);
    }

    #[test]
    fn the_nearest_of_several_is_compared() {
        let other = GO.replace("84A2", "99B1");
        let found = format!("{GO}y");
        for expected in [[&*other, GO], [GO, &other]] {
            let difference = Difference::of(&found, expected).expect("a difference");
            assert_eq!(difference.at, GO.len() + 1);
        }
        let words = Difference::of("zkt", ["ZKTX", "ZKT"]).expect("one in words");
        assert_eq!(words.only, Some("upper and lower case"));
    }

    #[test]
    fn little_is_kept_of_long_texts() {
        let long = "\u{10ffff}".repeat(5000);
        let (expected, found) = (format!("{long}a{long}"), format!("{long}b{long}"));
        let difference = Difference::of(&found, [&*expected]).expect("a difference");
        assert_eq!(difference.at, 5001);
        for text in [&difference.before, &difference.expected, &difference.found] {
            assert_eq!(text.len(), MOST);
            assert!(text.is_ascii());
        }
    }
}
