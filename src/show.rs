//! Makes untrusted text safe to display.
//!
//! Only printable ASCII is shown as it is. So nothing can steer a terminal, and a
//! lookalike letter from another alphabet is visible where two texts look the same but
//! are not. Long text is cut.

use std::fmt::Write as _;

/// The longest text that is shown, in characters: GO's longest claim, the issuer, has 76.
/// The limit leaves room for addresses twice as long, and bounds how long a line can get.
pub const MAX_SHOWN: usize = 200;

/// How many elements of a list are shown; GO's tokens have one audience.
const MAX_LISTED: usize = 8;

/// What is escaped between quotes, though it is printable.
const IN_QUOTES: [char; 2] = ['"', '\\'];

/// A text in quotes: `"ZKT"`.
pub fn quoted(text: &str) -> String {
    let (shown, cut) = escaped(text, &IN_QUOTES);
    format!("\"{shown}\"{cut}")
}

/// A text without quotes, such as an address or a header's value.
pub fn plain(text: &str) -> String {
    let (shown, cut) = escaped(text, &[]);
    shown + &cut
}

/// The beginning of a text, not escaped: for a machine.
pub fn cut(text: &str) -> String {
    text.chars().take(MAX_SHOWN).collect()
}

/// A character as it is shown in quotes.
pub(crate) fn escaped_char(c: char) -> String {
    let mut shown = String::new();
    push_escaped(&mut shown, c, &IN_QUOTES);
    shown
}

/// The text as far as it is shown, and a note if that is not all.
fn escaped(text: &str, quotes: &[char]) -> (String, String) {
    let mut shown = String::new();
    for c in text.chars() {
        if shown.len() >= MAX_SHOWN {
            return (shown, format!("... ({} bytes)", text.len()));
        }
        push_escaped(&mut shown, c, quotes);
    }
    (shown, String::new())
}

fn push_escaped(shown: &mut String, c: char, quotes: &[char]) {
    match c {
        ' '..='~' => {
            if quotes.contains(&c) {
                shown.push('\\');
            }
            shown.push(c);
        }
        _ => shown.extend(c.escape_default()),
    }
}

/// Some of the elements, separated by commas, and how many more there are.
pub fn list(elements: impl IntoIterator<Item = String>) -> String {
    let mut elements = elements.into_iter();
    let mut shown = elements
        .by_ref()
        .take(MAX_LISTED)
        .collect::<Vec<_>>()
        .join(", ");
    match elements.count() {
        0 => {}
        more => {
            let _ = write!(shown, " and {more} more");
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_printable_ascii_is_shown_as_it_is() {
        for (text, shown) in [
            ("ZKT", r#""ZKT""#),
            ("", r#""""#),
            (r#"a"b\c"#, r#""a\"b\\c""#),
            ("it's", r#""it's""#),
            ("\u{1b}[2J", r#""\u{1b}[2J""#),
            ("a\r\nb\t", r#""a\r\nb\t""#),
            ("\u{9b}1m", r#""\u{9b}1m""#),
            ("\u{202e}KT", r#""\u{202e}KT""#),
            // A Cyrillic letter that looks like a Latin one.
            ("https://\u{456}d", r#""https://\u{456}d""#),
        ] {
            assert_eq!(quoted(text), shown);
        }
        assert_eq!(plain("\"a\"\u{7f}"), "\"a\"\\u{7f}");
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        let longest = "x".repeat(MAX_SHOWN);
        assert_eq!(quoted(&longest), format!("\"{longest}\""));
        assert_eq!(
            quoted(&"x".repeat(8000)),
            format!("\"{longest}\"... (8000 bytes)")
        );
        let names = |n: usize| list((0..n).map(|n| n.to_string()));
        assert_eq!(names(3), "0, 1, 2");
        assert_eq!(names(10), "0, 1, 2, 3, 4, 5, 6, 7 and 2 more");
    }
}
