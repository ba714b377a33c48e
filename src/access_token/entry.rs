//! One access token as it is given: its API, its digest, its issue.

use std::fmt;

use aws_lc_rs::{constant_time, digest};
use zeroize::Zeroizing;

use super::api::Api;
use super::fault::Wrong;
use crate::clock::UnixTime;
use crate::secret::Secret;

/// The longest token, given or presented, in bytes. GO's of today have 32 to 58
/// characters; an old one is a JWT with HS256, which with the claims of GO's own JWTs
/// has 400. It bounds what a caller can have hashed (17 blocks of SHA-256).
pub(crate) const MAX_TOKEN_BYTES: usize = 1024;

/// The shortest token that may be given, in bytes: half of GO's. Of hex digits,
/// these are 64 bits; a digest of fewer could be undone by trying.
const MIN_TOKEN_BYTES: usize = 16;

const DIGEST_BYTES: usize = digest::SHA256_OUTPUT_LEN;

/// An access token of GO's: what API it belongs to, and when it was issued.
///
/// The token itself is not kept, only its digest. Whether it can be used is told
/// by [`AccessTokens::new`](super::AccessTokens::new), with the faults of all.
#[derive(Clone)]
pub struct AccessToken {
    pub(super) api: Api,
    pub(super) given: Result<Given, Wrong>,
    /// Not needed of a revoked one.
    pub(super) issued: Option<UnixTime>,
    pub(super) is_revoked: bool,
}

/// What is kept of a token.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) digest: TokenDigest,
    /// Two dots: beside JWTs it would be taken for one. Of a digest nobody knows.
    pub(super) is_jwt_by_form: bool,
}

impl AccessToken {
    /// A token as GO Console shows it: 16 to 1024 characters of visible ASCII,
    /// without a comma. One with two dots can't be used where JWTs are accepted too:
    /// it would be taken for one.
    ///
    /// `issued` is when it was generated in GO Console, which is when its 180
    /// days and its predecessor's last 7 begin.
    pub fn new(api: Api, token: impl Into<Secret>, issued: UnixTime) -> Self {
        Self::of(api, Given::token(token.into().expose()), issued)
    }

    /// A token by its SHA-256, as 64 hex digits, so that what is configured gives
    /// nobody access: `printf %s "$TOKEN" | sha256sum`. (Not `echo`, which ends
    /// its output with a line feed.)
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

    /// The same token as one to refuse, with the kind
    /// [`AccessTokenRevoked`](crate::authenticate::VerifyErrorKind::AccessTokenRevoked), whatever else
    /// is said of it. It is neither the current nor the previous token of its API; its
    /// predecessor ends 7 days after its issue all the same.
    pub fn revoked(self) -> Self {
        Self {
            is_revoked: true,
            ..self
        }
    }
}

impl Given {
    /// Of a token that a request could bring.
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
    /// Of anything. Allocates nothing.
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
                *byte = *byte << 4 | u8::try_from(value).map_err(|_| Wrong::NotADigest)?;
            }
        }
        let digest = Self(bytes);
        // What the command above makes of a variable that is not set.
        if digest.is(&Self::of("")) {
            return Err(Wrong::DigestOfNothing);
        }
        Ok(digest)
    }

    /// Whether they are the same, in constant time.
    pub(super) fn is(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&*self.0, &*other.0).is_ok()
    }
}

impl PartialEq for TokenDigest {
    fn eq(&self, other: &Self) -> bool {
        self.is(other)
    }
}

impl Eq for TokenDigest {}

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

    /// Of GO's knowledge base, and the length of its tokens.
    const TOKEN: &str = "53ac077700000000000000000000abcd";

    fn given(token: &str) -> Result<Given, Wrong> {
        AccessToken::new(Api::AVAILABILITY_PEER, token, UnixTime::EPOCH).given
    }

    fn hex(sha256: &str) -> Result<TokenDigest, Wrong> {
        let token = AccessToken::from_sha256(Api::AVAILABILITY_PEER, sha256, UnixTime::EPOCH);
        token.given.map(|given| given.digest)
    }

    #[test]
    fn a_token_is_of_16_to_1024_visible_characters() {
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
    fn two_dots_are_the_form_of_a_jwt() {
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
    fn a_digest_is_that_of_the_token_in_either_case() {
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
    fn the_digest_of_an_unset_variable_is_a_fault() {
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
