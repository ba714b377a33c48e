//! One configured access token: its API, its digest, when it was issued.

use std::fmt;

use aws_lc_rs::{constant_time, digest};
use zeroize::Zeroizing;

use super::api::Api;
use super::fault::Wrong;
use crate::clock::UnixTime;
use crate::secret::Secret;

/// The longest token, configured or presented, in bytes. GO's current ones have 32 to 58
/// characters; an old one is a JWT with HS256, which with the claims of GO's own JWTs has
/// 400. This bounds what a caller can have hashed (17 blocks of SHA-256).
pub(crate) const MAX_TOKEN_BYTES: usize = 1024;

/// The shortest token that can be configured, in bytes: half of GO's. As hex digits these
/// are 64 bits; a digest of fewer could be brute-forced.
const MIN_TOKEN_BYTES: usize = 16;

const DIGEST_BYTES: usize = digest::SHA256_OUTPUT_LEN;

/// One of GO's access tokens: its API, and when it was issued.
///
/// The token itself is not stored, only its digest.
/// [`AccessTokens::new`](super::AccessTokens::new) checks whether it can be used, and
/// reports the faults of all tokens.
#[derive(Clone)]
pub struct AccessToken {
    pub(super) api: Api,
    pub(super) given: Result<Given, Wrong>,
    /// Not needed for a revoked token.
    pub(super) issued: Option<UnixTime>,
    pub(super) is_revoked: bool,
}

/// What is stored of a token.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) digest: TokenDigest,
    /// It has two dots: beside JWTs it would be read as one. Unknown for a digest.
    pub(super) is_jwt_by_form: bool,
}

impl AccessToken {
    /// A token as GO Console shows it: 16 to 1024 characters of visible ASCII, without a
    /// comma. One with two dots can't be used where JWTs are accepted too: it would be
    /// read as one.
    ///
    /// `issued` is when it was generated in GO Console: its 180 days and its
    /// predecessor's last 7 begin then.
    pub fn new(api: Api, token: impl Into<Secret>, issued: UnixTime) -> Self {
        Self::of(api, Given::token(token.into().expose()), issued)
    }

    /// A token by its SHA-256, as 64 hex digits, so that reading the configuration gives
    /// nobody access: `printf %s "$TOKEN" | sha256sum`. (Not `echo`, which appends a line
    /// feed.)
    pub fn from_sha256(api: Api, sha256: &str, issued: UnixTime) -> Self {
        Self::of(api, Given::sha256(sha256), issued)
    }

    fn of(api: Api, given: Result<Given, Wrong>, issued: UnixTime) -> Self {
        Self {
            api,
            given,
            issued: Some(issued),
            is_revoked: false,
        }
    }

    /// The same token, revoked: it is rejected with the kind
    /// [`AccessTokenRevoked`](crate::authenticate::VerifyErrorKind::AccessTokenRevoked),
    /// whatever else is configured for it. It is neither the current nor the previous
    /// token of its API, but its predecessor still ends 7 days after its issue.
    pub fn revoked(self) -> Self {
        Self {
            is_revoked: true,
            ..self
        }
    }
}

impl Given {
    /// For a token that a request could contain.
    pub(super) fn token(token: &str) -> Result<Self, Wrong> {
        let token = checked(token)?;
        Ok(Self {
            digest: TokenDigest::of(token),
            is_jwt_by_form: token.bytes().filter(|byte| *byte == b'.').count() == 2,
        })
    }

    pub(super) fn sha256(hex: &str) -> Result<Self, Wrong> {
        Ok(Self {
            digest: TokenDigest::from_hex(hex)?,
            is_jwt_by_form: false,
        })
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("api", &self.api)
            .field("issued", &self.issued)
            .field("is_revoked", &self.is_revoked)
            .finish_non_exhaustive()
    }
}

/// The SHA-256 of a token; wiped when it is dropped.
#[derive(Clone)]
pub(super) struct TokenDigest(Zeroizing<[u8; DIGEST_BYTES]>);

impl TokenDigest {
    /// Of any bytes. Allocates nothing.
    pub(super) fn of(token: impl AsRef<[u8]>) -> Self {
        let digest = digest::digest(&digest::SHA256, token.as_ref());
        let mut bytes = Zeroizing::new([0; DIGEST_BYTES]);
        bytes.copy_from_slice(digest.as_ref());
        Self(bytes)
    }

    fn from_hex(hex: &str) -> Result<Self, Wrong> {
        let mut bytes = Zeroizing::new([0; DIGEST_BYTES]);
        if hex.len() != 2 * DIGEST_BYTES {
            return Err(Wrong::NotADigest);
        }
        for (byte, digits) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            for digit in digits {
                let value = char::from(*digit).to_digit(16).ok_or(Wrong::NotADigest)?;
                *byte = 16 * *byte + u8::try_from(value).map_err(|_| Wrong::NotADigest)?;
            }
        }
        let digest = Self(bytes);
        // What the documented command prints for an unset variable.
        if digest.is(&Self::of("")) {
            return Err(Wrong::DigestOfNothing);
        }
        Ok(digest)
    }

    /// Whether they are equal, in constant time.
    pub(super) fn is(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&*self.0, &*other.0).is_ok()
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(…)")
    }
}

fn checked(token: &str) -> Result<&str, Wrong> {
    if token.len() < MIN_TOKEN_BYTES {
        return Err(Wrong::TooShort);
    }
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Wrong::TooLong);
    }
    if !(token.bytes()).all(|byte| matches!(byte, b'!'..=b'~') && byte != b',') {
        return Err(Wrong::Characters);
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From GO's knowledge base, at the length of its tokens.
    const TOKEN: &str = "53ac077700000000000000000000abcd";

    fn given(token: &str) -> Result<Given, Wrong> {
        AccessToken::new(Api::AVAILABILITY_PEER, token, UnixTime::EPOCH).given
    }

    fn hex(sha256: &str) -> Result<TokenDigest, Wrong> {
        let token = AccessToken::from_sha256(Api::AVAILABILITY_PEER, sha256, UnixTime::EPOCH);
        token.given.map(|given| given.digest)
    }

    #[test]
    fn a_token_has_16_to_1024_visible_characters() {
        for good in [16, 32, 1024] {
            assert!(given(&"a".repeat(good)).is_ok(), "{good}");
        }
        assert!(given("p;fdHalvm27A)2UAa3J8n7NLn5roVP1").is_ok());
        let table = [
            (String::new(), Wrong::TooShort),
            ("a".repeat(15), Wrong::TooShort),
            ("a".repeat(1025), Wrong::TooLong),
            (format!("{TOKEN}\n"), Wrong::Characters),
            (format!("{TOKEN} "), Wrong::Characters),
            (format!("{TOKEN},"), Wrong::Characters),
            (format!("{TOKEN}é"), Wrong::Characters),
            (format!("{TOKEN}\u{7f}"), Wrong::Characters),
        ];
        for (token, wrong) in table {
            assert_eq!(given(&token).err(), Some(wrong), "{token:?}");
        }
    }

    #[test]
    fn two_dots_make_a_token_look_like_a_jwt() {
        for (token, is_jwt) in [
            (TOKEN, false),
            ("a.53ac077700000000000000000000abcd", false),
            ("a.53ac077700000000000000000000abcd.b", true),
            ("..53ac077700000000000000000000abcd", true),
            ("one.dot.two.dots.three", false),
        ] {
            assert_eq!(given(token).expect("a token").is_jwt_by_form, is_jwt);
        }
    }

    #[test]
    fn a_digest_matches_in_upper_and_lower_case() {
        // printf %s abc | sha256sum
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for sha256 in [abc.to_owned(), abc.to_uppercase()] {
            assert!(hex(&sha256).expect("a digest").is(&TokenDigest::of("abc")));
        }
        for bad in [
            "",
            &abc[1..],
            &format!("{abc}0"),
            &abc.replace('b', "g"),
            &abc.replacen("ba", "+a", 1),
            &abc.replacen("ba", "é", 1),
        ] {
            assert_eq!(hex(bad).err(), Some(Wrong::NotADigest), "{bad}");
        }
    }

    #[test]
    fn the_digest_of_an_empty_text_is_a_fault() {
        let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hex(nothing).err(), Some(Wrong::DigestOfNothing));
    }

    #[test]
    fn neither_token_nor_digest_is_printed() {
        let token = AccessToken::new(Api::AVAILABILITY_PEER, TOKEN, UnixTime::EPOCH);
        assert_eq!(
            format!("{token:?}"),
            "AccessToken { api: Api(availability-peer), issued: Some(1970-01-01T00:00:00Z), \
             is_revoked: false, .. }"
        );
        assert_eq!(format!("{:?}", TokenDigest::of(TOKEN)), "TokenDigest(…)");
    }
}
