//! The token: from standard input or a file, bare or as a header.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

use crate::console::{Console, Failure};

/// How much is read. It is the most that `max_token_bytes` can be set to: anything
/// longer is rejected for its length, and need not be known whole.
const MAX_BYTES: u64 = 64 * 1024;

/// What the input is taken for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Given<'a> {
    /// The value of an `Authorization` header.
    Header(&'a [u8]),
    /// A token, its scheme taken off.
    Token(&'a [u8]),
}

pub(super) fn read(
    file: Option<&Path>,
    console: &mut Console<'_>,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let bytes = if let Some(path) = file {
        let read = File::open(path).and_then(bounded);
        read.map_err(|error| Failure::of_file("--token-file", &error))?
    } else {
        if console.surroundings.stdin_is_terminal {
            console.note("Paste the token, then press Enter and Ctrl-D:");
        }
        bounded(&mut *console.surroundings.stdin)
            .map_err(|error| Failure::Usage(format!("can't read standard input: {error}")))?
    };
    if given(&bytes) == Given::Token(b"") {
        return Err(Failure::Usage(
            "no token: pass it on standard input, or in a file with --token-file".to_owned(),
        ));
    }
    Ok(bytes)
}

fn bounded(from: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    // Never grown: what is left behind by growing is not wiped.
    let most = MAX_BYTES + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(most).unwrap_or(0)));
    from.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What is in the input: line ends after it are no part of it, and what stands before a
/// token in a header is removed.
pub(super) fn given(input: &[u8]) -> Given<'_> {
    // A truncated input stays as it came.
    if input.len() as u64 > MAX_BYTES {
        return Given::Token(input);
    }
    let ends = input
        .iter()
        .rev()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'));
    let input = &input[..input.len() - ends.count()];
    if let Some(value) = without(input, b"authorization:") {
        return Given::Header(value);
    }
    let scheme = without(input, b"bearer ");
    Given::Token(scheme.unwrap_or(input))
}

/// What follows a word, in upper or lower case, and spaces.
fn without<'a>(input: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = input.split_at_checked(word.len())?;
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    start.eq_ignore_ascii_case(word).then(|| &rest[spaces..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_surrounds_a_token_is_removed() {
        for (input, given_as) in [
            ("a.b.c", Given::Token(&b"a.b.c"[..])),
            ("a.b.c\n", Given::Token(b"a.b.c")),
            ("a.b.c\r\n\n", Given::Token(b"a.b.c")),
            ("Bearer a.b.c\n", Given::Token(b"a.b.c")),
            ("bEARER   a.b.c", Given::Token(b"a.b.c")),
            (
                "Authorization: Bearer a.b.c\r\n",
                Given::Header(b"Bearer a.b.c"),
            ),
            ("authorization:a.b.c", Given::Header(b"a.b.c")),
            // Part of the token, and rejected.
            (" a.b.c", Given::Token(b" a.b.c")),
            ("a.b.c ", Given::Token(b"a.b.c ")),
            ("Bearera.b.c", Given::Token(b"Bearera.b.c")),
            ("a.b\n.c", Given::Token(b"a.b\n.c")),
            ("\n", Given::Token(b"")),
            ("", Given::Token(b"")),
            ("Bearer ", Given::Token(b"")),
            ("Authorization:", Given::Header(b"")),
        ] {
            assert_eq!(given(input.as_bytes()), given_as, "{input:?}");
        }
    }

    #[test]
    fn a_truncated_input_stays_as_it_came() {
        let input = format!("Bearer {}\n", "a".repeat(64 * 1024));
        let bytes = bounded(input.as_bytes()).expect("readable");
        assert_eq!(bytes.len(), 64 * 1024 + 1);
        assert_eq!(given(&bytes), Given::Token(&input.as_bytes()[..=64 * 1024]));
    }
}
