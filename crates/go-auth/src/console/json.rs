//! JSON in ASCII only: it may have text from an attacker, and a terminal would take some
//! characters beyond ASCII for commands.

use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

struct Ascii(CompactFormatter);

impl Formatter for Ascii {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        let mut plain = 0;
        let mut units = [0; 2];
        for (at, c) in fragment
            .char_indices()
            .filter(|(_, c)| !matches!(c, ' '..='~'))
        {
            self.0.write_string_fragment(writer, &fragment[plain..at])?;
            for unit in c.encode_utf16(&mut units) {
                write!(writer, "\\u{unit:04x}")?;
            }
            plain = at + c.len_utf8();
        }
        self.0.write_string_fragment(writer, &fragment[plain..])
    }
}

/// A document on a line of its own.
pub(super) fn line(document: &impl Serialize) -> String {
    let mut text = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut text, Ascii(CompactFormatter));
    // Documents are structs of texts, numbers and lists: all can be written.
    let _ = document.serialize(&mut serializer);
    text.push(b'\n');
    String::from_utf8(text).unwrap_or_default()
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
