//! What to do next, for each kind of refusal.

use super::circumstances::Circumstances;
use derbysoft_go_auth::VerifyErrorKind as Kind;
use derbysoft_go_auth::inspect::{is_of_access_token, show};
use derbysoft_go_auth::{Rejection, RejectionKind};

/// In sentences that are fixed but for times, kids and limits.
pub(super) fn next(rejection: &Rejection, given: &Circumstances) -> String {
    match rejection.kind() {
        RejectionKind::MissingCredentials => "GO sends `Authorization: Bearer TOKEN` or \
             `Authorization: TOKEN`. A request with another scheme is not GO's, or something \
             between GO and this API has replaced the header."
            .to_owned(),
        RejectionKind::InvalidRequest => "A header holds one token, of visible ASCII without \
             spaces, tabs and commas. If GO sent it, look for what is between GO and this API and \
             joins or changes headers."
            .to_owned(),
        RejectionKind::Forbidden => "The token is good; a check of the API's own turned its \
             caller away."
            .to_owned(),
        RejectionKind::Token(kind) => of_token(kind, rejection, given),
        other => unknown(other),
    }
}

fn of_token(kind: Kind, rejection: &Rejection, given: &Circumstances) -> String {
    match kind {
        Kind::TooLong if is_of_access_token(rejection) => "GO's Access Tokens have 32 to 58 characters. \
             Copy the token again; a JWT is taken for an Access Token where no issuer is set."
            .to_owned(),
        Kind::TooLong => format!(
            "GO's JWTs have fewer than 1000 bytes. If this one is GO's, raise \
             GO_AUTH_MAX_TOKEN_BYTES ({} now, at most 65536).",
            given.max_token_bytes
        ),
        Kind::Malformed => "Copy the token again, whole: a JWT is three parts with two dots \
             between them, on one line. If GO sends Access Tokens to this API, which have no dots, \
             name their file in GO_AUTH_ACCESS_TOKENS."
            .to_owned(),
        Kind::Header => "GO's tokens have `alg` and `kid` in the header and nothing that changes \
             their meaning. This one is of another system, or forged: find out who sends it."
            .to_owned(),
        Kind::Algorithm => "GO signs with RS256 alone. This token is of another system, or forged: \
             find out who sends it."
            .to_owned(),
        Kind::UnknownKey => format!(
            "The key address publishes {}. If GO has just changed its key, try again in a minute. \
             Otherwise the token is of another account or environment: compare GO_AUTH_JWKS_URL \
             with the JWK address in GO Console, and see `go-auth keys`.",
            kids(&given.kids)
        ),
        Kind::Signature => "The token was changed on its way, or cut when it was copied, or signed \
             with a key that only bears the name of GO's. Copy it again, whole; if the signature \
             stays wrong, it is forged."
            .to_owned(),
        Kind::Claims => "GO's claims are a plain JSON object with times as numbers. This token is \
             of another system, or forged: find out who sends it."
            .to_owned(),
        Kind::Issuer => "GO's `iss` and GO_AUTH_ISSUER have to be the same, byte for byte: copy it \
             from a genuine token. It is the address of a discovery document, as a name; nothing is \
             added to it."
            .to_owned(),
        Kind::Audience => "GO was told another audience: compare the audience in GO Console with \
             GO_AUTH_AUDIENCE."
            .to_owned(),
        Kind::Expired => clock(
            given,
            "the token was sent late or replayed: GO's tokens live 5 minutes.",
        ),
        Kind::NotYetValid if is_of_access_token(rejection) => clock(
            given,
            "the token's `issued` is wrong, in the file of GO_AUTH_ACCESS_TOKENS: correct it.",
        ),
        Kind::NotYetValid => clock(
            given,
            "GO's clock is ahead: a few seconds are what GO_AUTH_LEEWAY is for, at most 5m.",
        ),
        Kind::MissingClaim => "`iss`, `aud` and `exp` are demanded always, others where \
             GO_AUTH_REQUIRED_CLAIMS names them or a cap on the lifetime needs `iat`. GO's own \
             tokens have all of iss, aud, exp, nbf, iat, jti and sub: one without is not GO's."
            .to_owned(),
        Kind::Lifetime => "GO's tokens live 5 minutes. If this one is GO's, raise max_lifetime; \
             otherwise find out who sends it."
            .to_owned(),
        Kind::Subject => "The token is genuine, but its `sub` is not among GO_AUTH_SUBJECTS. GO's \
             own is ds-go-module; add this one if it may call, too."
            .to_owned(),
        Kind::WrongEnvironment => "The token is genuine elsewhere: its issuer is configured for \
             another environment than the one served here. Look in GO Console which account calls \
             this address."
            .to_owned(),
        Kind::KeysUnavailable if given.are_keys_given => "The file of --keys is to hold what the \
             key address serves: see `go-auth keys`, or leave --keys out and it is fetched."
            .to_owned(),
        Kind::KeysUnavailable | Kind::KeyPending => "The gate answers 503 to such a token, and GO may send it again. \
             See `go-auth keys` for what the key address answers."
            .to_owned(),
        Kind::UnknownAccessToken => "The file of GO_AUTH_ACCESS_TOKENS does not have this token. If it \
             was renewed in GO Console, add the new one to the file and leave the old one for 7 \
             days; otherwise compare it with the one that GO Console shows for this API. A JWT is \
             taken for an Access Token where no issuer is set."
            .to_owned(),
        Kind::AccessTokenExpired => "Renew the token in GO Console and put the new one into the file of \
             GO_AUTH_ACCESS_TOKENS. A token lives 180 days, and 7 more at most once it has a \
             successor."
            .to_owned(),
        Kind::AccessTokenRevoked => "The file of GO_AUTH_ACCESS_TOKENS says that this token is \
             revoked. If GO still sends it, put the one that GO Console shows now into the file; \
             otherwise somebody has a token that has leaked."
            .to_owned(),
        Kind::WrongApi => "The token is good, but for another API: see `api` above. Each of GO's \
             APIs has a token of its own; say with --api which one is called here."
            .to_owned(),
        other => unknown(RejectionKind::Token(other)),
    }
}

/// For kinds that the library may add: the command is always of the same version, and a
/// test holds that each has its own advice.
fn unknown(kind: RejectionKind) -> String {
    format!("The documentation says what {kind} means.")
}

fn kids(kids: &[String]) -> String {
    match kids {
        [] => "no key".to_owned(),
        [one] => format!("the kid {one}"),
        many => format!("the kids {}", show::list(many.iter().cloned())),
    }
}

/// What follows if the time is right that the token was judged by.
fn clock(given: &Circumstances, so: &str) -> String {
    let now = given.now;
    if given.is_now_given {
        format!("This was judged as of {now}. If that is right, {so}")
    } else {
        format!(
            "This machine's clock says {now}. If it is right, {so} If it is wrong, set the clock \
             (NTP)."
        )
    }
}
