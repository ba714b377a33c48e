//! The token: from standard input or a file.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

use super::pasted::{self, Given, Pasted};
use crate::console::{Console, Failure};

/// How much is read. It is the most that `max_token_bytes` can be set to: anything
/// longer is rejected for its length, and need not be known whole.
const MAX_BYTES: usize = 64 * 1024;

const PROMPT: &str = "Paste the token (it is not shown), then press Enter and Ctrl-D:";

pub(super) fn read(file: Option<&Path>, console: &mut Console<'_>) -> Result<Pasted, Failure> {
    let bytes = if let Some(path) = file {
        let read = File::open(path).and_then(bounded);
        read.map_err(|error| Failure::of_file("--token-file", &error))?
    } else {
        let read = match console.surroundings.keyboard.take() {
            Some(keyboard) => keyboard.read(MAX_BYTES + 1, || console.note(PROMPT)),
            None => bounded(&mut *console.surroundings.stdin),
        };
        read.map_err(|error| Failure::Usage(format!("can't read standard input: {error}")))?
    };
    let pasted = pasted_in(&bytes)?;
    match &pasted.given {
        Given::Token(token) if token.is_empty() => Err(Failure::Usage(
            "no token: pass it on standard input, or in a file with --token-file".to_owned(),
        )),
        Given::Header(_) | Given::Token(_) => Ok(pasted),
    }
}

fn pasted_in(bytes: &[u8]) -> Result<Pasted, Failure> {
    // A truncated input stays as it came.
    if bytes.len() > MAX_BYTES {
        return Ok(pasted::as_it_is(bytes, None));
    }
    pasted::read(bytes).map_err(|pasted::Different| {
        Failure::Usage("there are different tokens in the input: pass one of them".to_owned())
    })
}

fn bounded(from: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    // Never grown: what is left behind by growing is not wiped.
    let most = MAX_BYTES + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(most));
    from.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_truncated_input_stays_as_it_came() {
        let input = format!("Bearer {}\n", "a".repeat(64 * 1024));
        let bytes = bounded(input.as_bytes()).expect("readable");
        assert_eq!(bytes.len(), 64 * 1024 + 1);
        let given = Given::Token(input.as_bytes()[..=64 * 1024].to_vec().into());
        assert_eq!(pasted_in(&bytes).expect("one token").given, given);
    }
}
