//! What of a command line is not repeated: a token passed as an argument has been shown
//! to enough people.

use std::ffi::OsString;

/// The length of the shortest Access Token that can be configured.
const SHORTEST_TOKEN: usize = 16;

/// A message without the arguments in it that may be tokens.
pub(crate) fn without_tokens(mut text: String, args: &[OsString]) -> String {
    for arg in args.iter().skip(1) {
        let arg = arg.to_string_lossy();
        let value = arg.split_once('=').map(|(_, value)| value);
        let whole = (!arg.starts_with('-')).then_some(&*arg);
        for piece in [whole, value].into_iter().flatten() {
            if may_be_a_token(piece) {
                text = text.replace(piece, &format!("({} bytes)", piece.len()));
            }
        }
    }
    text
}

/// Whether it is as long as the shortest Access Token, and no path or address: neither a
/// JWT nor GO's tokens look like one.
fn may_be_a_token(text: &str) -> bool {
    text.len() >= SHORTEST_TOKEN && !text.contains(['/', '\\', ':', ' '])
}
