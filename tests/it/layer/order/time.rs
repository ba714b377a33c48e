//! A time-out around this layer, or inside it, while the key address hangs.

use derbysoft_go_auth::GoAuth;
use http::StatusCode;
use tokio::net::TcpListener;
use tower_http::timeout::TimeoutLayer;

use super::{Answer, api, ask, push};
use test_support::{Keys, millis, secs};

fn time_out(after: std::time::Duration) -> TimeoutLayer {
    TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, after)
}

/// A request waits for at most 2 s for keys, which an address that accepts nothing never
/// sends.
async fn waiting() -> (GoAuth, TcpListener, String) {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = silent.local_addr().expect("an address");
    let auth = GoAuth::builder()
        .issuer("https://id/X")
        .audience("ZKT")
        .jwks_url(format!("http://{address}/keys"))
        .configure(|it| it.key_wait = secs(2))
        .build()
        .expect("a good configuration");
    let mint = Keys::new().mint().issuer("https://id/X").audience("ZKT");
    (auth, silent, mint.token())
}

fn is_to_be_repeated(answer: &Answer) -> bool {
    answer.status == 503 && answer.header("retry-after").is_some()
}

#[tokio::test(start_paused = true)]
async fn a_shorter_one_outside_cuts_the_wait_for_keys() {
    let (auth, _silent, token) = waiting().await;
    let app = api().layer(auth.layer()).layer(time_out(millis(1500)));
    let answer = ask(app, push(&*token)).await;
    assert_eq!(answer.status, 408);
    assert_eq!(answer.header("retry-after"), None);
}

#[tokio::test(start_paused = true)]
async fn a_longer_one_outside_leaves_the_answer_to_this_layer() {
    let (auth, _silent, token) = waiting().await;
    let app = api().layer(auth.layer()).layer(time_out(millis(2500)));
    assert!(is_to_be_repeated(&ask(app, push(&*token)).await));
}

#[tokio::test(start_paused = true)]
async fn one_inside_does_not_count_the_wait_for_keys() {
    let (auth, _silent, token) = waiting().await;
    let app = api().layer(time_out(millis(500))).layer(auth.layer());
    assert!(is_to_be_repeated(&ask(app, push(&*token)).await));
}
