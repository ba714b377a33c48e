//! What to do next, for each kind of rejection.

use derbysoft_go_auth::Rejection;
use derbysoft_go_auth::RejectionKind::{self, Token};
use derbysoft_go_auth::authenticate::VerifyErrorKind as Kind;
use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_auth::inspect::{is_of_access_token, show};

/// What a token was verified with, beside the settings.
#[derive(Debug)]
pub(super) struct Circumstances {
    pub(super) now: UnixTime,
    pub(super) is_now_given: bool,
    pub(super) are_keys_given: bool,
    /// The kids of the available keys.
    pub(super) kids: Vec<String>,
    pub(super) max_token_bytes: usize,
}

/// In sentences that are fixed but for times, kids and limits.
#[expect(clippy::too_many_lines, reason = "one table")]
pub(super) fn next(rejection: &Rejection, given: &Circumstances) -> String {
    let fixed = match rejection.kind() {
        RejectionKind::MissingCredentials => {
            "GO sends `Authorization: Bearer TOKEN` or `Authorization: TOKEN`. A request with \
             another scheme is not from GO, or something between GO and this API has replaced the \
             header."
        }
        RejectionKind::InvalidRequest => {
            "A header holds one token, of visible ASCII without spaces, tabs and commas. If GO \
             sent it, look for something between GO and this API that joins or changes headers."
        }
        Token(Kind::TooLong) if is_of_access_token(rejection) => {
            "GO's Access Tokens have 32 to 58 characters. Copy the token again. Where no issuer is \
             set, a JWT is taken for an Access Token."
        }
        Token(Kind::TooLong) => {
            return format!(
                "GO's JWTs have fewer than 1000 bytes. If this one is from GO, raise \
                 GO_AUTH_MAX_TOKEN_BYTES (now {}, at most 65536).",
                given.max_token_bytes
            );
        }
        Token(Kind::UnknownKey) => {
            return format!(
                "The key address publishes {}. If GO has just changed its key, try again in a \
                 minute. Otherwise the token is from another account or environment: compare \
                 GO_AUTH_JWKS_URL with the JWK address in GO Console, and see `go-auth keys`.",
                kids(&given.kids)
            );
        }
        Token(Kind::Expired) => {
            let so = "the token was sent late or replayed: GO's tokens live 5 minutes.";
            return clock(given, so);
        }
        Token(Kind::NotYetValid) if is_of_access_token(rejection) => {
            let so = "the token's `issued` date in the file of GO_AUTH_ACCESS_TOKENS is wrong: \
                      correct it.";
            return clock(given, so);
        }
        Token(Kind::NotYetValid) => {
            let so = "GO's clock is ahead: GO_AUTH_LEEWAY tolerates a few seconds, at most 5m.";
            return clock(given, so);
        }
        Token(Kind::KeysUnavailable) if given.are_keys_given => {
            "The file given by --keys has to hold what the key address serves: see `go-auth \
             keys`, or leave out --keys to fetch it."
        }
        Token(Kind::Malformed) => {
            "Copy the whole token again: a JWT is three parts with two dots between them. If GO \
             sends Access Tokens to this API, which have no dots, name their file in \
             GO_AUTH_ACCESS_TOKENS."
        }
        Token(Kind::Header) => {
            "GO's tokens have `alg` and `kid` in the header and nothing that changes their \
             meaning. This one is from another system, or forged: find out who sends it."
        }
        Token(Kind::Algorithm) => {
            "GO signs with RS256 only. This token is from another system, or forged: find out who \
             sends it."
        }
        Token(Kind::Signature) => {
            "The token was changed on its way, truncated when it was copied, or signed with a key \
             that only has the name of GO's. Copy the whole token again; if the signature is still \
             wrong, it is forged."
        }
        Token(Kind::Claims) => {
            "GO's claims are a plain JSON object with times as numbers. This token is from another \
             system, or forged: find out who sends it."
        }
        Token(Kind::Issuer) => {
            "GO's `iss` and GO_AUTH_ISSUER have to be the same, byte for byte: copy it from a \
             genuine token. It looks like the address of a discovery document, but is only a \
             name; nothing is added to it."
        }
        Token(Kind::Audience) => {
            "GO is set up with another audience: compare the audience in GO Console with \
             GO_AUTH_AUDIENCE."
        }
        Token(Kind::MissingClaim) => {
            "`iss`, `aud` and `exp` are always required, others where GO_AUTH_REQUIRED_CLAIMS \
             names them or a limit on the lifetime needs `iat`. GO's own tokens have all of iss, \
             aud, exp, nbf, iat, jti and sub: one without is not from GO."
        }
        Token(Kind::Lifetime) => {
            "GO's tokens live 5 minutes. If this one is from GO, raise max_lifetime; otherwise \
             find out who sends it."
        }
        Token(Kind::Subject) => {
            "The token is genuine, but its `sub` is not in GO_AUTH_SUBJECTS. GO's own is \
             ds-go-module; add this one if it may call, too."
        }
        Token(Kind::WrongEnvironment) => {
            "The token says that it is from another environment than the one served here; whether \
             it is genuine was not checked. If it is, check in GO Console which account calls this address."
        }
        Token(Kind::KeysUnavailable | Kind::KeyPending) => {
            "The gate answers 503 to such a token, and GO may send it again. See `go-auth keys` \
             for what the key address answers."
        }
        Token(Kind::UnknownAccessToken) => {
            "The file of GO_AUTH_ACCESS_TOKENS does not have this token. If it was renewed in GO \
             Console, add the new one to the file and leave the old one for 7 days; otherwise \
             compare it with the one that GO Console shows for this API. Where no issuer is set, a \
             JWT is taken for an Access Token."
        }
        Token(Kind::AccessTokenExpired) => {
            "Renew the token in GO Console and put the new one into the file of \
             GO_AUTH_ACCESS_TOKENS. A token lives 180 days, and at most 7 more once it has a \
             successor."
        }
        Token(Kind::AccessTokenRevoked) => {
            "The file of GO_AUTH_ACCESS_TOKENS marks this token as revoked. If GO still sends it, \
             put the one that GO Console shows now into the file; otherwise a leaked token is in \
             use."
        }
        Token(Kind::WrongApi) => {
            "The token is genuine, but for another API: see `api` above. Each of GO's APIs has a \
             token of its own; name the API that is called here with --api."
        }
        // For `forbidden`, a check that only an API has, and for kinds that the library adds:
        // `tests/it/cli/advice.rs` fails until they have their own advice.
        other => return format!("docs/guide/refused.md explains {other}."),
    };
    fixed.to_owned()
}

fn kids(kids: &[String]) -> String {
    match kids {
        [] => "no key".to_owned(),
        [one] => format!("the kid {one}"),
        many => format!("the kids {}", show::list(many.iter().cloned())),
    }
}

/// What follows if the time is right that the token was verified at.
fn clock(given: &Circumstances, so: &str) -> String {
    let now = given.now;
    if given.is_now_given {
        format!("This was verified as of {now}. If that is right, {so}")
    } else {
        format!(
            "This machine's clock says {now}. If it is right, {so} If it is wrong, set the clock \
             (NTP)."
        )
    }
}
