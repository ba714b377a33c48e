//! The tests that say what is accepted, in a build where other dependencies have
//! switched on `serde_json`'s features and both of `jsonwebtoken`'s backends. No
//! verdict may depend on either.

#[path = "../../it/attacks.rs"]
mod attacks;
#[path = "../../it/cache_history.rs"]
mod cache_history;
#[path = "../../it/claim_rules.rs"]
mod claim_rules;
#[path = "../../it/forgeries.rs"]
mod forgeries;
#[path = "../../it/key_documents.rs"]
mod key_documents;
#[path = "../../it/layer.rs"]
mod layer;
#[path = "../../it/properties/mod.rs"]
mod properties;
#[path = "../../it/published_keys.rs"]
mod published_keys;
#[path = "../../it/refusals.rs"]
mod refusals;
#[path = "../../it/remote_keys.rs"]
mod remote_keys;
#[path = "../../it/seeds.rs"]
mod seeds;
#[path = "../../it/signature_classes/mod.rs"]
mod signature_classes;
#[path = "../../it/token_forms.rs"]
mod token_forms;

/// Where one of these fails, the tests above have not shown what they are for.
mod the_features_are_on {
    use std::panic;

    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
    use serde_json::Value;

    #[test]
    fn numbers_have_any_precision_and_members_keep_their_order() {
        let text = r#"{"z":1.00000000000000000000000000000000000001,"a":1E400}"#;
        let value: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(value.to_string(), text.replace("E400", "e+400"));
    }

    #[test]
    fn jsonwebtoken_does_not_know_which_backend_to_take() {
        let decoded = panic::catch_unwind(|| {
            let key = DecodingKey::from_rsa_components("AQAB", "AQAB").expect("base64");
            let token = "eyJhbGciOiJSUzI1NiJ9.e30.AA";
            decode::<Value>(token, &key, &Validation::new(Algorithm::RS256)).is_ok()
        });
        assert!(decoded.is_err(), "it answered {decoded:?}");
    }
}
