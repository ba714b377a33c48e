//! The trace that a request belongs to, by the header `traceparent` (W3C Trace Context,
//! section 3.2), for the lines about rejected requests.
//!
//! Anybody may send one. So only what is exactly of the form of version 00 is logged, 55
//! characters that no reader of a log takes for anything else; what is not of that form
//! counts as absent, as the standard has it.

use http::HeaderMap;

const LENGTH: usize = 55;

/// Its value, if the request has exactly one, of version 00 and valid.
pub(super) fn traceparent(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all("traceparent").iter();
    let value = values.next()?;
    if values.next().is_some() || value.is_sensitive() {
        return None;
    }
    // Visible ASCII.
    let text = value.to_str().ok()?;
    is_valid(text).then_some(text)
}

/// `00-` the trace `-` the parent `-` flags.
fn is_valid(text: &str) -> bool {
    if text.len() != LENGTH {
        return false;
    }
    let mut parts = text.split('-');
    let mut next = |length: usize| {
        let part = parts.next().filter(|part| part.len() == length)?;
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        part.bytes().all(is_hex).then_some(part)
    };
    let is_some_id = |id: &str| id.bytes().any(|byte| byte != b'0');
    next(2) == Some("00")
        && next(32).is_some_and(is_some_id)
        && next(16).is_some_and(is_some_id)
        && next(2).is_some()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// The standard's own example.
    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn read(values: &[&[u8]]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_bytes(value).expect("a value");
            headers.append("traceparent", value);
        }
        traceparent(&headers).map(str::to_owned)
    }

    #[test]
    fn a_valid_value_is_taken_whatever_its_flags() {
        for flags in ["00", "01", "02", "ff"] {
            let value = format!("{}{flags}", &GOOD[..LENGTH - 2]);
            assert_eq!(read(&[value.as_bytes()]), Some(value));
        }
        let smallest = "00-00000000000000000000000000000001-0000000000000001-00";
        assert_eq!(read(&[smallest.as_bytes()]).as_deref(), Some(smallest));
    }

    #[test]
    fn any_other_value_counts_as_absent() {
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[GOOD.as_bytes(), GOOD.as_bytes()]), None);
        for value in [
            "",
            "00",
            // Of another version: longer, and of the same length.
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            // Upper case, no hex.
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
            // Ids of zeros.
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            // Parts of other lengths.
            "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333-101",
            "0-00af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 ",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-\u{e9}",
        ] {
            assert_eq!(read(&[value.as_bytes()]), None, "{value:?}");
        }
    }

    #[test]
    fn a_value_marked_as_sensitive_is_not_logged() {
        let mut value = HeaderValue::from_static(GOOD);
        value.set_sensitive(true);
        let headers = HeaderMap::from_iter([("traceparent".parse().expect("a name"), value)]);
        assert_eq!(traceparent(&headers), None);
    }
}
