//! The tests that say what is accepted, in a build where other dependencies have
//! switched on `serde_json`'s features, both of `jsonwebtoken`'s backends and reqwest's
//! HTTP/2. No verdict may depend on any.

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

/// A custom client that would speak HTTP/2 and nothing else.
mod http2 {
    use derbysoft_go_auth::outbound::{ClientPair, Gateway};
    use test_support::{World, ready, soon, verdict};

    #[tokio::test]
    async fn keys_and_tokens_come_over_http_1() {
        let world = World::new().await;
        let builder = world.builder();
        let auth = builder.http_client(reqwest::ClientBuilder::http2_prior_knowledge);
        let auth = auth.build().expect("good settings");
        ready(&auth).await.expect("keys over HTTP/1.1");
        assert_eq!(verdict(&auth, &world.token()).await, "ok");

        let pair = world.go.client();
        let gateway = Gateway::builder()
            .token_url(world.go.token_url())
            .api(world.go.gateway_url())
            .credentials(ClientPair::new(pair.client_id, pair.client_secret))
            .clock(world.clock.clone())
            .http_client(reqwest::ClientBuilder::http2_prior_knowledge)
            .build()
            .expect("good settings");
        soon(gateway.ready()).await.expect("a token over HTTP/1.1");
    }
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
