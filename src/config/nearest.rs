//! The name that was probably meant.

/// The longest name that is checked; no setting's is half as long.
const MAX_BYTES: usize = 48;

/// The known name nearest to `name`, if at most a third of it differs: the same threshold
/// as rustc's suggestions.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > MAX_BYTES {
        return None;
    }
    let name = name.to_lowercase().replace('-', "_");
    let name = name.strip_prefix("go_auth_").unwrap_or(&name);
    let near = |known: &'a str| (distance(name, known), known);
    let (distance, known) = known.into_iter().map(near).min_by_key(|near| near.0)?;
    (distance <= name.len().max(3) / 3).then_some(known)
}

/// The number of letters to insert, remove or replace between two names (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, one) in one.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (column, other) in other.bytes().enumerate() {
            let exchanged = diagonal + usize::from(one != other);
            diagonal = row[column + 1];
            row[column + 1] = exchanged.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_only_if_close() {
        let known = ["leeway", "key_wait", "audience", "issuer", "body"];
        for (name, expected) in [
            ("leway", Some("leeway")),
            ("LEEWAYS", Some("leeway")),
            ("GO_AUTH_LEEWAY", Some("leeway")),
            ("leewya", Some("leeway")),
            ("key-wait", Some("key_wait")),
            ("keywait", Some("key_wait")),
            ("audiance", Some("audience")),
            ("isuer", Some("issuer")),
            ("token", None),
            ("by", None),
            ("", None),
            ("é", None),
            (&*"leeway".repeat(9), None),
        ] {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
