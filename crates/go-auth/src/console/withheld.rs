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
                text = without(&text, piece);
            }
        }
    }
    text
}

/// A message may have only a token's beginning.
fn without(text: &str, token: &str) -> String {
    let count = format!("({} bytes)", token.len());
    let Some(beginning) = token.get(..SHORTEST_TOKEN) else {
        return text.replace(token, &count);
    };
    let mut kept = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(beginning) {
        let (before, from_there) = rest.split_at(at);
        let same = (from_there.char_indices().zip(token.chars()))
            .find(|((_, shown), of_token)| shown != of_token);
        // Where it ends, the message or the token has no more.
        let shorter = from_there.len().min(token.len());
        let end = same.map_or(shorter, |((end, _), _)| end);
        kept.push_str(before);
        kept.push_str(&count);
        rest = from_there.get(end..).unwrap_or_default();
    }
    kept + rest
}

/// Whether it is as long as the shortest Access Token, and no path or address: neither a
/// JWT nor GO's tokens look like one.
fn may_be_a_token(text: &str) -> bool {
    text.len() >= SHORTEST_TOKEN && !text.contains(['/', '\\', ':', ' '])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_message_has_of_a_token_is_withheld() {
        let token = "0123456789abcdef".repeat(20);
        let args = |arg: &str| ["go-auth".into(), OsString::from(arg)];
        for (text, kept) in [
            (format!("no {token:?} here"), "no \"(320 bytes)\" here"),
            (token.clone(), "(320 bytes)"),
            (
                format!("{:?}... (320 bytes) is no address", &token[..200]),
                "\"(320 bytes)\"... (320 bytes) is no address",
            ),
            (
                format!("{} and {}", &token[..16], &token[..17]),
                "(320 bytes) and (320 bytes)",
            ),
            (token[..15].to_owned(), &token[..15]),
        ] {
            assert_eq!(without_tokens(text.clone(), &args(&token)), kept);
            let flag = format!("--listen={token}");
            assert_eq!(without_tokens(text, &args(&flag)), kept);
        }
        // Not ASCII, and so neither a token nor easily cut.
        let text = "é".repeat(20);
        assert_eq!(without_tokens(text.clone(), &args(&text)), "(40 bytes)");
        let text = format!("{}é", "a".repeat(15));
        assert_eq!(without_tokens(text.clone(), &args(&text)), "(17 bytes)");
    }
}
