//! `go-auth simulate push` against distributors that answer as expected, and others.

mod sent;
mod shown;
mod verdicts;

use axum::Router;
use axum::response::IntoResponse;
use derbysoft_go_simulator::{Expected, SampleToken, Simulator};
use serde_json::Value;

use super::{GoAuth as Command, go_auth};
use test_support::distributor::Server;

async fn simulator() -> Simulator {
    let builder = Simulator::builder().with_control();
    builder.start().await.expect("a free port")
}

/// A distributor's API behind this crate's gate.
async fn gated(go: &Simulator) -> Server {
    let builder = test_support::builder_for(go);
    Server::of(&builder.build().expect("a good configuration")).await
}

/// One that answers so, whatever comes.
async fn answering(answer: impl IntoResponse + Clone + Send + Sync + 'static) -> Server {
    Server::start(Router::new().fallback(move || std::future::ready(answer.clone()))).await
}

fn push(go: &Simulator, distributor: &str) -> Command {
    go_auth(&["simulate", "push", "--simulator", &go.origin(), distributor])
}

/// How many are sent without `--all`, and with it.
fn counts() -> (usize, usize) {
    let beside = ["bare", "none", "basic"].len();
    let is_sent = |sample: &SampleToken| sample.expected != Expected::Either;
    let sent = SampleToken::all().filter(is_sent).count();
    (sent + beside, SampleToken::all().count() + beside)
}

fn pushes(shown: &Value) -> &[Value] {
    shown["pushes"].as_array().expect("a list")
}

#[track_caller]
fn named<'a>(shown: &'a Value, name: &str) -> &'a Value {
    let found = pushes(shown).iter().find(|push| push["push"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {shown}"))
}

/// The only status that came.
#[track_caller]
fn status(push: &Value) -> u64 {
    let answers = push["answers"].as_array().expect("a list");
    assert_eq!(answers.len(), 1, "{push}");
    answers[0]["status"].as_u64().expect("a status")
}
