use serde_json::{Value, json};

use super::TestResult;
use crate::{PublishedKey, SigningKey, Simulator};

fn kids(go: &Simulator) -> Vec<String> {
    let keys = go.published_keys();
    keys.iter()
        .filter_map(|key| key.kid().map(str::to_owned))
        .collect()
}

/// The `n` published under a name.
fn modulus(go: &Simulator, kid: &str) -> Option<Value> {
    let keys = go.published_keys();
    let key = keys.iter().find(|key| key.kid() == Some(kid))?;
    key.jwk().get("n").cloned()
}

#[tokio::test]
async fn rotation_keeps_the_old_keys_until_they_retire() -> TestResult {
    let go = Simulator::start().await?;
    let old = kids(&go);
    assert_eq!(old.len(), 2);
    assert_eq!(go.signing_kid(), old[0]);

    let new = go.rotate();
    assert_eq!(go.signing_kid(), new);
    assert_eq!(kids(&go), [&old[..], std::slice::from_ref(&new)].concat());
    go.retire(&old[0]);
    assert_eq!(kids(&go), [old[1].clone(), new.clone()]);
    go.retire_all_but_current();
    assert_eq!(kids(&go), [new]);
    assert!(go.key(&old[0]).is_some(), "a retired key can still mint");
    Ok(())
}

#[tokio::test]
async fn publishing_and_signing_are_separate_steps() -> TestResult {
    let go = Simulator::start().await?;
    let first = go.signing_kid();
    let staged = go.stage();
    assert!(kids(&go).contains(&staged));
    assert_eq!(go.signing_kid(), first);
    go.sign_with(&staged);
    assert_eq!(go.signing_kid(), staged);

    let early = go.rotate_unpublished();
    assert_eq!(go.signing_kid(), early);
    assert!(!kids(&go).contains(&early));
    go.restore(&early);
    assert!(kids(&go).contains(&early));
    Ok(())
}

#[tokio::test]
async fn key_material_changes_under_the_same_kid() -> TestResult {
    let go = Simulator::start().await?;
    let kid = go.signing_kid();
    let mut seen = vec![modulus(&go, &kid)];
    for _ in 0..2 {
        go.replace_material(&kid);
        assert_eq!(go.signing_kid(), kid);
        let now = modulus(&go, &kid);
        assert!(
            now.is_some() && !seen.contains(&now),
            "material never comes back"
        );
        seen.push(now);
    }
    Ok(())
}

#[tokio::test]
async fn a_set_replaces_the_keys_and_keeps_a_signer() -> TestResult {
    let go = Simulator::start().await?;
    let first = go.signing_kid();
    let key = SigningKey::pooled();
    go.set_keys([
        PublishedKey::raw(json!("junk")),
        PublishedKey::new(key.clone())
            .with_kid("1")
            .without("use")
            .with("extra", 7),
    ]);
    assert_eq!(go.signing_kid(), "1");
    let document: Value = serde_json::from_slice(&go.document())?;
    let members: Vec<_> = document["keys"][1]
        .as_object()
        .ok_or("no object")?
        .keys()
        .collect();
    assert_eq!(document["keys"][0], "junk");
    assert_eq!(members, ["alg", "e", "extra", "kid", "kty", "n"]);

    go.set_keys([]);
    assert_eq!(go.document(), br#"{"keys":[]}"#);
    assert_eq!(go.signing_kid(), "1");
    go.set_keys([PublishedKey::new(key).with_kid(first.clone())]);
    assert_eq!(go.signing_kid(), first);
    assert_eq!(kids(&go), [first]);
    Ok(())
}

#[tokio::test]
async fn simulators_share_neither_kids_nor_key_material() -> TestResult {
    let one = Simulator::start().await?;
    let two = Simulator::builder().account("0".repeat(32)).start().await?;
    let of = |go: &Simulator| {
        let keys = go.published_keys();
        let parts = keys
            .iter()
            .map(|key| (key.kid().map(str::to_owned), key.jwk()["n"].clone()));
        parts.collect::<Vec<_>>()
    };
    for (kid, n) in of(&one) {
        assert!(of(&two).iter().all(|other| other.0 != kid && other.1 != n));
    }
    assert_ne!(one.issuer(), two.issuer());
    Ok(())
}

#[test]
fn the_pool_never_hands_out_a_key_in_use() {
    let key = SigningKey::pooled();
    let clone = key.clone();
    let thumbprint = key.thumbprint();
    drop(key);
    assert_ne!(
        SigningKey::pooled().thumbprint(),
        thumbprint,
        "a clone still holds it"
    );
    drop(clone);
}

#[tokio::test]
#[should_panic(expected = "no signing key")]
async fn signing_with_an_unknown_kid_panics() {
    let go = Simulator::start().await.expect("a free port");
    go.sign_with("no such key");
}
