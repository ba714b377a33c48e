//! poem, whose headers are those of `http` 1.

use std::sync::Arc;

use bytes::Bytes;
use derbysoft_go_auth::inbound::RequestHead;
use derbysoft_go_auth::{GoAuth, Verified};
use poem::web::Data;
use poem::{
    Endpoint, EndpointExt, IntoResponse, Request, Response, Result, Route, get, handler, post,
};

/// Only GO's requests get past the guard, to unknown paths as well.
pub fn app(auth: GoAuth) -> impl Endpoint {
    Route::new()
        .at("/ping", get(ping))
        .at("/ari/daily/push", post(push))
        .around(move |next, request| guard(auth.clone(), next, request))
}

async fn guard<E: Endpoint>(auth: GoAuth, next: Arc<E>, mut request: Request) -> Result<Response> {
    match auth.authenticate(request.headers()).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.call(request).await.map(IntoResponse::into_response)
        }
        Err(rejection) => {
            let head = RequestHead::new(request.method(), request.uri(), request.headers());
            Ok(answer(auth.response_to(head, rejection)))
        }
    }
}

fn answer(of: http::Response<Bytes>) -> Response {
    let (head, body) = of.into_parts();
    let mut answer = Response::from((head.status, body));
    *answer.headers_mut() = head.headers;
    // With the `Rejection`, for middlewares further out.
    *answer.extensions_mut() = head.extensions;
    answer
}

#[handler]
fn ping() -> &'static str {
    "\"ok\""
}

/// Answers 500 where no guard ran.
#[handler]
pub fn push(Data(caller): Data<&Verified>, update: String) -> String {
    format!(
        "{} bytes from {}",
        update.len(),
        caller.subject().unwrap_or("nobody")
    )
}
