//! Compact tokens: no text but the genuine one is accepted, whether it was made up
//! or is the genuine one with changes.
#![no_main]

use std::sync::LazyLock;

use derbysoft_go_auth::Config;
use derbysoft_go_auth::authenticate::Verifier;
use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_auth::keys::KeySet;
use derbysoft_go_simulator::{Mint, PublishedKey};
use libfuzzer_sys::fuzz_target;

const NOW: u64 = 1_800_000_000;

struct Scene {
    verifier: Verifier,
    keys: KeySet,
    genuine: String,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let (issuer, audience) = ("https://id/X/.well-known/openid-configuration", "ZKT");
    let key = PublishedKey::fresh();
    let signing = key.signing_key().expect("a key that signs").clone();
    let kid = key.kid().expect("a named key");
    let document = serde_json::json!({ "keys": [key.jwk()] }).to_string();
    let mut config = Config::default();
    issuer.clone_into(&mut config.issuer);
    config.audience = vec![audience.to_owned()];
    Scene {
        verifier: config.verifier().expect("a good configuration"),
        keys: KeySet::from_document(document.as_bytes()).expect("a good document"),
        genuine: Mint::new(signing, kid, issuer, audience)
            .at(UnixTime::from_secs(NOW))
            .token(),
    }
});

fuzz_target!(|input: &[u8]| {
    let scene = &*SCENE;
    let token = match input.split_first() {
        Some((0, edits)) => edited(&scene.genuine, edits),
        Some((_, text)) => String::from_utf8_lossy(text).into_owned(),
        None => scene.genuine.clone(),
    };
    let verdict = (scene.verifier).verify(&token, &scene.keys, UnixTime::from_secs(NOW));
    assert_eq!(verdict.is_ok(), token == scene.genuine, "{token}");
});

/// The token after edits of four bytes each: what to do, where (two bytes), and
/// with which character.
fn edited(token: &str, edits: &[u8]) -> String {
    let mut bytes = token.as_bytes().to_vec();
    let (edits, _) = edits.as_chunks::<4>();
    for [what, high, low, byte] in edits.iter().take(16) {
        let at = usize::from(u16::from_be_bytes([*high, *low])) % (bytes.len() + 1);
        match what % 5 {
            0 if at < bytes.len() => bytes[at] = *byte,
            1 => bytes.insert(at, *byte),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 => bytes.truncate(at),
            _ if at > 0 && at < bytes.len() => bytes.swap(at, usize::from(*byte) % at),
            _ => {}
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
