//! What a server without tower asks: the same verdicts, logged and counted the same.

use bytes::Bytes;
use derbysoft_go_auth::Rejection;
use derbysoft_go_auth::inbound::RequestHead;
use http::header::{AUTHORIZATION, HeaderMap};
use http::{Request, Response};

use test_support::{Api, Keys, OTHER, SUBJECT, UNUSABLE, World, refused_tokens, request, strict};

fn headers(authorization: &[&[u8]]) -> HeaderMap {
    request(authorization).into_parts().0.headers
}

#[tokio::test]
async fn a_servers_own_call_decides_as_the_layer_does() {
    let keys = Keys::new();
    let auth = strict(keys.builder())
        .build()
        .expect("a good configuration");
    let api = Api::behind(auth.layer());
    let tokens = refused_tokens(&keys.mint());
    let tokens = tokens.iter().map(|(_, token)| vec![token.as_bytes()]);
    let unusable = OTHER.iter().chain(&UNUSABLE).map(|lines| lines.to_vec());
    for lines in tokens.chain(unusable) {
        let answered = api.send(request(&lines)).await;
        let head = request(&lines).into_parts().0;
        let rejection = auth
            .authenticate(&head.headers)
            .await
            .expect_err("rejected");
        assert_eq!(Some(rejection.kind().as_str()), answered.kind());
        let response = auth.response_to((&head).into(), rejection);
        assert_eq!(response.status(), answered.status());
        assert_eq!(response.headers(), &answered.head.headers);
        assert_eq!(response.body(), &answered.body);
        assert!(response.extensions().get::<Rejection>().is_some());
    }
    let caller = auth
        .authenticate(&headers(&[keys.token().as_bytes()]))
        .await;
    assert_eq!(caller.expect("GO's own").subject(), Some(SUBJECT));
}

#[tokio::test]
async fn a_servers_own_call_waits_for_keys() {
    let world = World::new().await;
    let auth = world.auth();
    let caller = auth
        .authenticate(&headers(&[world.token().as_bytes()]))
        .await;
    assert_eq!(caller.expect("GO's own").subject(), Some(SUBJECT));
    assert_eq!(world.go.fetches(), 1);
}

#[tokio::test]
async fn a_custom_answer_is_given_the_head_that_the_server_has() {
    let keys = Keys::new();
    let respond = |request: RequestHead<'_>, rejection: &Rejection| {
        Response::new(Bytes::from(format!("{} {rejection}", request.uri)))
    };
    let auth = keys.builder().respond_with(respond).build();
    let auth = auth.expect("a good configuration");
    let head = Request::get("/ping").body(()).expect("a request");
    let rejection = auth.authenticate(head.headers()).await;
    let rejection = rejection.expect_err("no credentials");
    let head = RequestHead::new(head.method(), head.uri(), head.headers());
    let answer = auth.response_to(head, rejection);
    assert_eq!(answer.body(), "/ping the request has no credentials");
}

#[cfg(feature = "metrics")]
#[tokio::test]
async fn a_servers_own_calls_are_counted() {
    use test_support::recorded::series;

    let recorder = crate::observability::recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let keys = Keys::new();
    let auth = keys.builder().build().expect("a good configuration");
    for _ in 0..3 {
        let good = auth
            .authenticate(&headers(&[keys.token().as_bytes()]))
            .await;
        good.expect("GO's own");
    }
    auth.authenticate(&HeaderMap::new())
        .await
        .expect_err("none");
    let counted: Vec<_> = (series(&recorder.handle().render()).into_iter())
        .filter(|it| it.name == "go_auth_requests_total" && it.value > 0.0)
        .map(|it| (it.label("outcome").to_owned(), it.label("kind").to_owned()))
        .collect();
    let expected = [("accepted", "jwt"), ("refused", "missing_credentials")];
    let expected = expected.map(|(one, other)| (one.to_owned(), other.to_owned()));
    assert!(
        expected.iter().all(|it| counted.contains(it)),
        "{counted:?}"
    );
    assert_eq!(counted.len(), 2);
}

/// A proxy of the company's own may need `Authorization` for itself.
#[tokio::test]
async fn the_credential_header_is_the_only_one_that_is_read() {
    let keys = Keys::new();
    let auth = (keys.builder())
        .configure(|it| it.credential_header = "X-Go-Authorization".to_owned())
        .build()
        .expect("a good configuration");
    let token = keys.token();
    let of = |name: &str| {
        Request::get("/")
            .header(name, &token)
            .body(())
            .expect("good")
    };

    let api = Api::behind(auth.layer());
    assert_eq!(
        api.send(of("authorization")).await.kind(),
        Some("missing_credentials")
    );
    assert_eq!(api.send(of("x-go-authorization")).await.status(), 200);
    let seen = api.seen();
    assert!(seen[0].headers["x-go-authorization"].is_sensitive());

    let stripped = Api::behind(auth.layer().strip_credentials());
    let mut both = of("x-go-authorization");
    both.headers_mut()
        .insert(AUTHORIZATION, "Basic b3Vycw==".parse().expect("good"));
    assert_eq!(stripped.send(both).await.status(), 200);
    let left: Vec<_> = stripped.seen()[0].headers.keys().cloned().collect();
    assert_eq!(left, [AUTHORIZATION]);

    let own = auth.authenticate(of("x-go-authorization").headers()).await;
    assert_eq!(own.expect("GO's own").subject(), Some(SUBJECT));
}

#[test]
fn a_credential_header_that_no_request_can_have_is_a_fault() {
    let keys = Keys::new();
    for name in ["", "x go", "x-go:", "x-gö"] {
        let built = keys
            .builder()
            .configure(|it| it.credential_header = name.to_owned());
        let error = built.build().expect_err(name);
        let faults: Vec<_> = error.faults().collect();
        assert_eq!(
            faults,
            ["credential_header is not the name of a header"],
            "{name}"
        );
    }
}
