//! Keys, tokens and verifiers that the contenders share.

use std::hint::black_box;

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_auth::keys::KeySet;
use derbysoft_go_auth::{GoAuth, GoAuthBuilder};
use derbysoft_go_simulator::{Mint, PublishedKey, SigningKey, Simulator};
use serde_json::json;

use super::calls::measured;
use super::clock::PlainClock;
use super::rounds::Contender;

/// GO's samples.
pub(crate) const ISSUER: &str =
    "https://id/84A26B2FA77BCD1FF5130636F04C30C5/.well-known/openid-configuration";
pub(crate) const AUDIENCE: &str = "ZKT";
pub(crate) const KID: &str = "394b56c3ea524ee59015f9a7e8866312";

/// Calls of each contender in each round.
pub(crate) const CALLS: u32 = 64;

/// A cache large enough for everything stored in it.
pub(crate) const CACHE: u64 = 1 << 24;

/// A token's life, in seconds: GO's tokens live five minutes, but those of a long run
/// must outlive it. The number of digits, and so the token's size, is the same.
const LIFETIME: i64 = 24 * 60 * 60;

pub(crate) struct Scene {
    pub(crate) now: UnixTime,
    pub(crate) key: SigningKey,
    /// Two keys, as GO publishes.
    pub(crate) document: Vec<u8>,
    /// Genuine and all different; as many as a round needs. 687 bytes each, like GO's
    /// sample.
    pub(crate) tokens: Vec<String>,
    floor: ParsedPublicKey,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let key = SigningKey::generate(2048).expect("a key");
        let now = UnixTime::from(std::time::SystemTime::now());
        let published = PublishedKey::new(key.clone()).with_kid(KID);
        let document = json!({ "keys": [published.jwk(), PublishedKey::fresh().jwk()] });
        let components = RsaPublicKeyComponents {
            n: key.modulus(),
            e: key.exponent(),
        };
        Self {
            now,
            document: document.to_string().into_bytes(),
            tokens: vec_of(CALLS as usize, || mint(&key, now).token()),
            floor: components
                .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
                .expect("a key"),
            key,
        }
    }

    /// The signing key, as GO publishes it.
    pub(crate) fn published(&self) -> PublishedKey {
        PublishedKey::new(self.key.clone()).with_kid(KID)
    }

    /// GO on a loopback port, with two keys.
    pub(crate) async fn go(&self) -> std::io::Result<Simulator> {
        let keys = [self.published(), PublishedKey::fresh()];
        Simulator::builder().keys(keys).start().await
    }

    /// Makes tokens like GO's, issued now.
    pub(crate) fn mint(&self) -> Mint {
        mint(&self.key, self.now)
    }

    /// Many tokens, which takes all cores and most of a millisecond each.
    pub(crate) fn many_tokens(&self, count: usize) -> Vec<String> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let share = count.div_ceil(cores);
        std::thread::scope(|scope| {
            let shares: Vec<_> = (0..cores)
                .map(|core| share.min(count.saturating_sub(core * share)))
                .map(|share| scope.spawn(move || vec_of(share, || self.mint().token())))
                .collect();
            (shares.into_iter())
                .flat_map(|share| share.join().expect("minting does not fail"))
                .collect()
        })
    }

    pub(crate) fn keys(&self) -> KeySet {
        KeySet::from_document(&self.document).expect("a key set")
    }

    pub(crate) fn auth(&self, cache: u64) -> GoAuth {
        builder(cache)
            .keys(self.keys())
            .build()
            .expect("a configuration")
    }

    /// The signature check of the tokens' messages, and nothing else.
    pub(crate) fn floor<'a>(&'a self, name: &str, tokens: &'a [String]) -> Contender<'a> {
        let check = self.signature_checks(tokens);
        let calls = u32::try_from(tokens.len()).expect("a few");
        Contender::new(name, calls, move || measured(&check))
    }

    /// Checks each token's signature.
    pub(crate) fn signature_checks<'a>(
        &'a self,
        tokens: &'a [String],
    ) -> impl Fn() + Sync + use<'a> {
        let parts: Vec<_> = (tokens.iter())
            .map(|token| {
                let (message, signature) = token.rsplit_once('.').expect("a token");
                let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64");
                (message.as_bytes(), signature)
            })
            .collect();
        move || {
            for (message, signature) in &parts {
                (self.floor.verify_sig(black_box(message), signature)).expect("genuine");
            }
        }
    }
}

/// A configuration for the scene's tokens, without keys.
pub(crate) fn builder(cache: u64) -> GoAuthBuilder {
    GoAuth::builder()
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .clock(PlainClock::default())
        .configure(|it| it.token_cache_bytes = cache)
}

fn vec_of<T>(count: usize, make: impl FnMut() -> T) -> Vec<T> {
    std::iter::repeat_with(make).take(count).collect()
}

fn mint(key: &SigningKey, now: UnixTime) -> Mint {
    Mint::new(key.clone(), KID, ISSUER, AUDIENCE)
        .at(now)
        .expires_in(LIFETIME)
}
