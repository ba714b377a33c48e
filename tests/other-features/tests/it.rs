//! The tests that say what is accepted, in a build where other dependencies have
//! switched on `serde_json`'s features and both of `jsonwebtoken`'s backends. No
//! verdict may depend on either.

#[path = "../../it/keys"]
mod keys {
    mod documents;
    mod fetching;
    mod published_keys;
}
#[path = "../../it/layer"]
mod layer {
    mod answers;
}
#[path = "../../it/properties/mod.rs"]
mod properties;
#[path = "../../it/signatures/mod.rs"]
mod signatures;
#[path = "../../it/tokens"]
mod tokens {
    mod claim_rules;
    mod misleading_headers;
    mod rejections;
    mod seeds;
    mod spelling;
}

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
