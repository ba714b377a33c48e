//! HTTP/2 without TLS, which some proxies speak at the port of HTTP/1.1.

use http::{Method, Request};
use tokio::net::TcpStream;

use crate::proxies::proxy::Proxy;
use crate::proxies::stage::Stage;
use test_support::{Background, SUBJECT, soon};

/// A connection.
struct Http2 {
    requests: h2::client::SendRequest<bytes::Bytes>,
    _connection: Background,
}

impl Http2 {
    async fn to(stage: &Stage) -> Self {
        let stream = TcpStream::connect(stage.proxy.listen).await;
        let handshake = h2::client::handshake(stream.expect("it listens"));
        let (requests, connection) = soon(handshake).await.expect("it speaks HTTP/2");
        let connection = Background::spawn(async move {
            let _ = connection.await;
        });
        Self {
            requests,
            _connection: connection,
        }
    }

    /// The status of the answer; `None` where the stream is reset instead.
    async fn send(&self, method: Method, headers: &[(&str, &str)]) -> Option<u16> {
        let target = if method == Method::CONNECT {
            "127.0.0.1:8080"
        } else {
            "http://api.example/ping"
        };
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).expect("a request");
        let answer = async {
            let mut requests = self.requests.clone().ready().await.ok()?;
            let (answer, _) = requests.send_request(request, true).ok()?;
            Some(answer.await.ok()?.status().as_u16())
        };
        soon(answer).await
    }
}

pub(crate) async fn http_2_gets_the_same_verdicts(proxy: &Proxy) {
    let stage = Stage::set(proxy, "").await;
    let token = stage.go.mint().token_id("1").token();
    let genuine = ("authorization", &*token);
    for headers in [
        &[][..],
        &[("authorization", "a.b.c")],
        &[("x-go-subject", "admin")],
    ] {
        let status = Http2::to(&stage).await.send(Method::POST, headers).await;
        assert_eq!(status, Some(401), "{headers:?}");
    }
    for headers in [[genuine, genuine], [("authorization", "Basic b"), genuine]] {
        let status = Http2::to(&stage).await.send(Method::GET, &headers).await;
        let status = status.expect("an answer");
        assert!(proxy.answers.two_credentials.contains(&status), "{status}");
    }
    // No tunnel to the API.
    let status = Http2::to(&stage)
        .await
        .send(Method::CONNECT, &[genuine])
        .await;
    assert!(status.is_none_or(|status| status >= 400), "{status:?}");
    assert_eq!(stage.api.calls(), 0);

    let identity = [
        ("x-go-issuer", stage.go.issuer()),
        ("x-go-subject", SUBJECT),
        ("x-go-token-id", "1"),
    ];
    let mut accepted = 0;
    for name in ["x-go-subject", "x-go-api"] {
        for separator in ["-", "_", ".", "!", "~", "+", "*", "'", "|"] {
            let alias = name.replace('-', separator);
            for headers in [
                vec![genuine, (&*alias, "admin")],
                vec![(&*alias, "admin"), (name, "root"), genuine],
                vec![
                    (name, "root"),
                    genuine,
                    (&*alias, "admin"),
                    (&*alias, "root"),
                ],
            ] {
                let calls = stage.api.calls();
                let status = Http2::to(&stage).await.send(Method::GET, &headers).await;
                let received = stage.api.since(calls);
                let Some(received) = received.first() else {
                    let is_rejection = status.is_none_or(|status| (400..500).contains(&status));
                    assert!(is_rejection, "{alias}: {status:?}");
                    continue;
                };
                assert_eq!(status, Some(200), "{alias}");
                assert_eq!(received.identity(), identity, "{alias}");
                accepted += 1;
            }
        }
    }
    // Or nothing was shown.
    assert!(accepted >= 6, "{accepted}");
}
