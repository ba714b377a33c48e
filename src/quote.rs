//! Foreign text, made safe for a line of our output.

use std::fmt::{self, Write};

/// The most characters that are shown: GO's longest `kid` has 40.
const MAX_CHARS: usize = 64;

/// A text in quotes, escaped and truncated.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for (at, c) in self.0.chars().enumerate() {
            if at == MAX_CHARS {
                f.write_char('…')?;
                break;
            }
            write!(f, "{}", c.escape_debug())?;
        }
        f.write_char('"')
    }
}
