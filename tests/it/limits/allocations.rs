//! What a request allocates: a known token, and what is no token at all, allocate nothing of their
//! own.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use allocation_counter::{AllocationInfo, measure};
use bytes::Bytes;
use derbysoft_go_auth::access_token::{AccessToken, AccessTokens, Api};
use derbysoft_go_auth::clock::{Clock, ManualClock};
use derbysoft_go_auth::inbound::{GoAuthService, RequestHead};
use derbysoft_go_auth::{GoAuth, Rejection, Verified};
use http::header::AUTHORIZATION;
use http::{Extensions, Request, Response};
use tower::{Layer, Service};

use test_support::{Keys, at_once};

/// So often that the cache takes a token for a frequent one.
const OFTEN: usize = 3000;

const ACCESS_TOKEN: &str = "53ac0777aaaaaaaaaaaaaaaaaaaaaaaa";

/// A service that answers at once and allocates nothing.
#[derive(Clone)]
pub(crate) struct Quiet;

impl Service<Request<()>> for Quiet {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::new(())))
    }
}

fn allocations(f: impl FnOnce()) -> u64 {
    measure(f).count_total
}

/// What the extensions of a message allocate for so many values of a pointer or two.
fn extensions_of(values: usize) -> u64 {
    #[derive(Clone)]
    struct First(#[expect(dead_code)] Arc<()>);
    #[derive(Clone)]
    struct Second(#[expect(dead_code)] Arc<()>);
    let value = Arc::new(());
    let mut extensions = Extensions::new();
    allocations(|| {
        if values > 0 {
            extensions.insert(First(Arc::clone(&value)));
        }
        if values > 1 {
            extensions.insert(Second(Arc::clone(&value)));
        }
    })
}

fn request(token: &str) -> Request<()> {
    Request::post("/ari/daily/push")
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .body(())
        .expect("a request")
}

fn of_a_call(service: &mut GoAuthService<Quiet>, token: &str) -> (u64, u16) {
    let (counted, status) = counted_call(service, request(token));
    (counted.count_total, status)
}

/// What a call allocates, and its status.
pub(crate) fn counted_call(
    service: &mut GoAuthService<Quiet>,
    request: Request<()>,
) -> (AllocationInfo, u16) {
    let mut status = 0;
    let counted = measure(|| match at_once(service.call(request)) {
        Poll::Ready(Ok(response)) => status = response.status().as_u16(),
        Poll::Pending => panic!("nothing here waits"),
    });
    (counted, status)
}

#[test]
fn verifying_a_frequent_token_allocates_nothing() {
    let keys = Keys::new();
    let auth = keys.builder().build().expect("a good configuration");
    let of_a_look = |token: &str| {
        allocations(|| match at_once(auth.verify(token)) {
            Poll::Ready(verdict) => drop(verdict.expect("a good token")),
            Poll::Pending => panic!("nothing here waits"),
        })
    };
    // A thread's first use of keys allocates for the thread.
    of_a_look(&keys.token());
    let token = keys.mint().claim("n", 1).token();
    // The verdict and its claims; what was seen once is not cached.
    assert_eq!(of_a_look(&token), 2);
    for _ in 0..OFTEN {
        of_a_look(&token);
    }
    assert_eq!(of_a_look(&token), 0);
}

/// A service that has seen a token often, and the token.
fn knowing_a_token(keys: &Keys) -> (GoAuthService<Quiet>, String) {
    let mut service = keys.layer().layer(Quiet);
    let token = keys.token();
    for _ in 0..OFTEN {
        of_a_call(&mut service, &token);
    }
    (service, token)
}

#[test]
fn the_layer_allocates_for_extensions_alone() {
    let keys = Keys::new();
    let (mut service, token) = knowing_a_token(&keys);
    // The verdict, and for the extractors how to answer.
    assert_eq!(of_a_call(&mut service, &token), (extensions_of(2), 200));
}

#[cfg(feature = "metrics")]
#[test]
fn metrics_allocate_nothing_more() {
    let recorder = crate::observability::recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let keys = Keys::new();
    let (mut service, token) = knowing_a_token(&keys);
    assert_eq!(of_a_call(&mut service, &token), (extensions_of(2), 200));
    let mut refusing = answering_nothing();
    of_a_call(&mut refusing, "53ac0777");
    assert_eq!(
        of_a_call(&mut refusing, "53ac0777"),
        (extensions_of(1), 200)
    );
    let counted = recorder.handle().render();
    let issuer = keys.builder().build().expect("good").health().issuers[0]
        .issuer
        .clone();
    let accepted = format!(
        "{{outcome=\"accepted\",kind=\"jwt\",issuer=\"{issuer}\"}} {}",
        OFTEN + 1
    );
    let refused = "{outcome=\"refused\",kind=\"malformed\",issuer=\"\"} 2";
    assert!(
        counted.contains(&accepted) && counted.contains(refused),
        "{counted}"
    );
}

#[test]
fn garbage_allocates_for_its_answer_alone() {
    let mut service = answering_nothing();
    // Counters are looked up once.
    of_a_call(&mut service, "53ac0777");
    for garbage in [
        "53ac0777",
        &"53ac0777".repeat(80),
        "a.b.c",
        &"e30.".repeat(80),
    ] {
        assert_eq!(of_a_call(&mut service, garbage), (extensions_of(1), 200));
    }
}

#[test]
fn an_unknown_key_allocates_for_its_answer_alone() {
    let mut service = answering_nothing();
    let token = Keys::new().mint().kid("another").token();
    // A thread's first use of keys allocates for the thread.
    of_a_call(&mut service, &token);
    assert_eq!(of_a_call(&mut service, &token), (extensions_of(1), 200));
}

/// Its answer allocates nothing but the rejection in its extensions.
fn answering_nothing() -> GoAuthService<Quiet> {
    let layer = Keys::new().layer();
    let answer = |_: RequestHead<'_>, _: &Rejection| Response::new(Bytes::new());
    layer.respond_with(answer).layer(Quiet)
}

#[test]
fn an_access_token_allocates_for_extensions_alone() {
    let keys = Keys::new();
    let own = Api::new("own").expect("a name");
    for api in [Api::AVAILABILITY_PEER, own] {
        for builder in [GoAuth::builder(), keys.builder()] {
            let auth = builder.access_tokens(access_token_of(&api)).build();
            let layer = auth.expect("a good configuration").layer().api(api.clone());
            let mut service = layer.layer(Quiet);
            // A thread's first use of tokens allocates for the thread.
            of_a_call(&mut service, ACCESS_TOKEN);
            let (count, status) = of_a_call(&mut service, ACCESS_TOKEN);
            assert_eq!((count, status), (extensions_of(2), 200));
        }
    }
}

#[test]
fn a_bad_access_token_allocates_for_its_answer_alone() {
    let auth = GoAuth::builder().access_tokens(access_token_of(&Api::V3_RESERVATION));
    let answer = |_: RequestHead<'_>, _: &Rejection| Response::new(Bytes::new());
    let auth = auth.respond_with(answer).build();
    let layer = auth.expect("a good configuration").layer();
    let mut service = layer.layer(Quiet);
    // Of another API, unknown, too long.
    let (unknown, too_long) = ("53ac0777", "53ac0777".repeat(33));
    for token in [ACCESS_TOKEN, unknown, &too_long] {
        of_a_call(&mut service, token);
        assert_eq!(of_a_call(&mut service, token), (extensions_of(1), 200));
    }
}

fn access_token_of(api: &Api) -> AccessTokens {
    let now = ManualClock::starting_now().now();
    let token = AccessToken::new(api.clone(), ACCESS_TOKEN, now);
    AccessTokens::new([token]).expect("a good token")
}

#[test]
fn copies_of_a_verdict_share_one_allocation() {
    let keys = Keys::new();
    let auth = keys.builder().build().expect("a good configuration");
    let Poll::Ready(Ok(verified)) = at_once(auth.verify(&keys.token())) else {
        panic!("a good token");
    };
    let copy: fn(&Verified) -> Verified = Clone::clone;
    assert_eq!(allocations(|| drop(copy(&verified))), 0);
}
