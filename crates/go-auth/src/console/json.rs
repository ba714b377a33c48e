//! JSON in ASCII only: it may have text from an attacker, and a terminal would take some
//! characters beyond ASCII for commands.

use std::fmt::Write as _;

use serde::Serialize;

/// A document on a line of its own.
pub(super) fn line(document: &impl Serialize) -> String {
    // Documents are structs of texts, numbers and lists: all can be written.
    let text = serde_json::to_string(document).unwrap_or_default();
    let mut line = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        if matches!(c, ' '..='~') {
            line.push(c);
            continue;
        }
        // Within a string, as everything beyond ASCII.
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(line, "\\u{unit:04x}");
        }
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_ascii_and_reads_as_what_it_was() {
        let text = "a\"\\\n\u{1b}\u{7f}\u{9b}é\u{202e}😀/";
        let written = line(&[text]);
        assert_eq!(
            written,
            "[\"a\\\"\\\\\\n\\u001b\\u007f\\u009b\\u00e9\\u202e\\ud83d\\ude00/\"]\n"
        );
        let read: Vec<String> = serde_json::from_str(&written).expect("JSON");
        assert_eq!(read, [text]);
    }
}
