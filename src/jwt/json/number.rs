//! The size of a number, from its digits.

use std::cmp::Ordering;

/// The largest number that a double holds is 1.797…e308: its exponent, and as many of its
/// digits as distinguish it from every other (`f64::MAX` prints them).
const LARGEST_MAGNITUDE: i64 = 308;
const LARGEST_DIGITS: &[u8; 17] = b"17976931348623157";

/// Whether a number in JSON's form is at most `f64::MAX` in size.
///
/// Decided by its digits: `parse` takes microseconds for a number half-way between two
/// doubles, and a token has room for hundreds of them.
pub(super) fn fits_a_double(number: &str) -> bool {
    match magnitude(number).map_or(Ordering::Less, |magnitude| {
        magnitude.cmp(&LARGEST_MAGNITUDE)
    }) {
        Ordering::Less => true,
        Ordering::Equal => significant_digits(number)
            .take(LARGEST_DIGITS.len())
            .le(LARGEST_DIGITS.iter().copied()),
        Ordering::Greater => false,
    }
}

/// The power of ten of the first digit that is not zero, for a number in JSON's form: 0
/// for `7`, 2 for `700` and `7e2`, -1 for `0.7`; `None` for zero.
pub(crate) fn magnitude(number: &str) -> Option<i64> {
    let (digits, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let digits = digits.trim_start_matches('-');
    let whole = digits.find('.').unwrap_or(digits.len());
    // The places before the point count from 0 up, those after it from -1 down.
    let first = digits
        .bytes()
        .position(|byte| matches!(byte, b'1'..=b'9'))?;
    let place = if first < whole {
        whole - first - 1
    } else {
        first - whole
    };
    let place = i64::try_from(place).unwrap_or(i64::MAX);
    let place = if first < whole { place } else { -place };
    // No digits make up for an exponent beyond 64 bits, zeros aside.
    let exponent = exponent.parse().unwrap_or(if exponent.starts_with('-') {
        i64::MIN
    } else {
        i64::MAX
    });
    Some(place.saturating_add(exponent))
}

/// The digits from the first one that is not zero.
fn significant_digits(number: &str) -> impl Iterator<Item = u8> {
    (number.bytes())
        .take_while(|byte| !matches!(byte, b'e' | b'E'))
        .filter(u8::is_ascii_digit)
        .skip_while(|digit| *digit == b'0')
}
