//! actix-web, whose headers are those of `http` 0.2: they are copied into those of `http` 1.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::ErrorBadRequest;
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::web::{Data, ReqData, ServiceConfig, get, post, scope};
use actix_web::{Error, HttpMessage, HttpResponse, middleware, web};
use bytes::Bytes;
use derbysoft_go_auth::inbound::RequestHead;
use derbysoft_go_auth::{GoAuth, Verified};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, Uri};

/// Only GO's requests get past the guard, to unknown paths as well.
pub fn app(auth: GoAuth) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        let routes = scope("")
            .wrap(middleware::from_fn(guard))
            .route("/ping", get().to(async || "\"ok\""))
            .route("/ari/daily/push", post().to(push));
        config.app_data(Data::new(auth)).service(routes);
    }
}

async fn guard(
    auth: Data<GoAuth>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let headers = headers(request.headers()).map_err(ErrorBadRequest)?;
    match auth.authenticate(&headers).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            Ok(next.call(request).await?.map_into_left_body())
        }
        Err(rejection) => {
            // For a custom answer that looks at them, convert method and address as well.
            let (method, uri) = (Method::default(), Uri::default());
            let head = RequestHead::new(&method, &uri, &headers);
            let answer = answer(auth.response_to(head, rejection));
            Ok(request.into_response(answer).map_into_right_body())
        }
    }
}

/// With every line of a header: two credentials must not pass for one.
fn headers(of: &actix_web::http::header::HeaderMap) -> Result<HeaderMap, http::Error> {
    let mut headers = HeaderMap::with_capacity(of.len());
    for (name, value) in of {
        let name = HeaderName::from_bytes(name.as_ref())?;
        headers.append(name, HeaderValue::from_bytes(value.as_bytes())?);
    }
    Ok(headers)
}

fn answer(of: Response<Bytes>) -> HttpResponse {
    let (head, body) = of.into_parts();
    let status = StatusCode::from_u16(head.status.as_u16());
    let mut answer = HttpResponse::build(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    for (name, value) in &head.headers {
        answer.append_header((name.as_str(), value.as_bytes()));
    }
    answer.body(body)
}

/// Answers 500 where no guard ran.
pub async fn push(caller: ReqData<Verified>, update: web::Bytes) -> String {
    format!(
        "{} bytes from {}",
        update.len(),
        caller.subject().unwrap_or("nobody")
    )
}
