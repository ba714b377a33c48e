//! `docs/guide/cli.md` matches what the command prints.

use std::collections::BTreeSet;

use axum::Router;
use derbysoft_go_simulator::{Fault, PartnerApi, SampleToken, Simulator};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::{GoAuth, file, go_auth, path, strict_verify};
use test_support::distributor::Server;
use test_support::forge::decode;
use test_support::seeds;
use test_support::{World, soon};

pub(super) const PAGE: &str = include_str!("../../../../../docs/guide/cli.md");

/// GO's sample token, as the page has it judged.
fn sample(keys: &str) -> GoAuth {
    go_auth(&["verify", "--at", "2023-12-26T03:11:10Z", "--keys", keys])
        .var("GO_AUTH_ISSUER", seeds::ISSUER)
        .var("GO_AUTH_AUDIENCE", "ZKT")
        .var("LANG", "C.UTF-8")
        .var("COLUMNS", "80")
        .stdin(seeds::TOKEN)
}

#[test]
fn the_transcript_of_verify_is_what_it_prints() {
    let keys = file(seeds::KEY_DOCUMENT);
    let ran = sample(path(&keys)).run_here();
    assert!(
        PAGE.contains(&format!("```text\n{}```\n", ran.stdout)),
        "{}",
        ran.stdout
    );
}

/// An API whose author took a token for checked once it could be read.
async fn credulous(headers: HeaderMap) -> (StatusCode, &'static str) {
    let claims = || -> Option<Value> {
        let token = headers.get("authorization")?.to_str().ok()?;
        let payload = token.split('.').nth(1)?;
        serde_json::from_slice(&decode(payload)).ok()
    };
    let is_in_time = |claims: &Value| claims["exp"].as_u64() > Some(test_support::corpus::now());
    match claims() {
        Some(claims) if claims["aud"] == "ZKT" && is_in_time(&claims) => (StatusCode::OK, "ok"),
        _ => (StatusCode::UNAUTHORIZED, ""),
    }
}

#[tokio::test]
async fn the_transcript_of_push_is_what_it_prints() {
    let go = Simulator::builder().with_control().start().await;
    let go = go.expect("a free port");
    let server = Server::start(Router::new().fallback(credulous)).await;
    let command = go_auth(&[
        "simulate",
        "push",
        &server.base,
        "--simulator",
        &go.origin(),
    ]);
    let some = "good,none,unsigned,other-key,other-issuer,other-audience,expired";
    assert!(
        PAGE.replace('\n', " ")
            .contains(&format!("`--token {some}`"))
    );
    let command = command.arg("--token").arg(some);
    let ran = command
        .var("LANG", "C.UTF-8")
        .var("COLUMNS", "80")
        .run()
        .await;
    let text = ran.stdout.replace(&server.base, "http://127.0.0.1:8080");
    assert!(PAGE.contains(&format!("```text\n{text}```\n")), "{text}");
}

/// The names in backticks at the beginning of the page's table rows, and those within
/// them.
fn documented() -> BTreeSet<&'static str> {
    (PAGE.split('`').skip(1).step_by(2))
        .filter(|name| !name.contains('\n'))
        .collect()
}

/// Every name of a document's members, whatever their depth.
fn members<'a>(document: &'a Value, names: &mut BTreeSet<&'a str>) {
    match document {
        Value::Object(members_here) => {
            for (name, value) in members_here {
                names.insert(name);
                members(value, names);
            }
        }
        Value::Array(elements) => {
            for element in elements {
                members(element, names);
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn every_name_in_the_json_is_on_the_page() {
    let world = World::new().await;
    let discovery = world.go.discovery_url();
    let mut said = Vec::new();
    for command in [
        go_auth(&["keys", "--json", "--jwks-url", &discovery]),
        go_auth(&["keys", "--json"]).knowing(&world),
        go_auth(&["keys", "--json", "--jwks-url", "http://127.0.0.1:1/"]),
        go_auth(&["keys", "--json"]),
        go_auth(&["serve", "--check", "--online", "--json"]).knowing(&world),
        go_auth(&["health", "--json", "--status", "127.0.0.1:1"]),
        go_auth(&[
            "health",
            "--json",
            "--status",
            &world.go.address().to_string(),
        ]),
        strict_verify(&world).arg("--json").stdin(world.token()),
        strict_verify(&world).arg("--json"),
        strict_verify(&world)
            .arg("--json")
            .stdin("Authorization: Basic x"),
    ] {
        said.push(command.run().await.json());
    }
    for (kind, token) in test_support::refused_tokens(&world.go.mint()) {
        let ran = strict_verify(&world).arg("--json").stdin(token).run().await;
        assert!(
            documented().contains(kind),
            "the kind {kind} is not on the page"
        );
        said.push(ran.json());
    }
    assert_on_page(&said, BTreeSet::new(), 50);
}

#[tokio::test]
async fn every_name_of_the_simulator_is_on_the_page() {
    let go = Simulator::builder().with_control().start().await;
    let go = go.expect("a free port");
    let mut said = Vec::new();
    for distributor in [&*go.origin(), "http://127.0.0.1:1"] {
        let command = go_auth(&["simulate", "push", distributor, "--all", "--json"]);
        let command = command.arg("--simulator").arg(go.origin());
        said.push(command.run().await.json());
    }
    go.fail_next(2, Fault::Status(500));
    go.rotate_access_token(PartnerApi::AvailabilityPeer);
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]);
    let client = client.build().expect("a client");
    for place in [
        "",
        "/requests",
        "/tokens",
        "/keys",
        "/faults",
        "/access-tokens",
        "/client",
        "/nothing",
    ] {
        let url = format!("{}/simulator{place}", go.origin());
        let answer = soon(client.get(url).send()).await.expect("an answer");
        let text = soon(answer.text()).await.expect("a whole body");
        said.push(serde_json::from_str(&text).expect("JSON"));
    }
    // What is listed is a name as well.
    let mut names: BTreeSet<_> = SampleToken::all().map(|sample| sample.name).collect();
    for document in &said {
        for list in ["faults", "refusals", "pushes"] {
            for entry in document[list].as_array().into_iter().flatten() {
                names.extend(entry["name"].as_str().or(entry["push"].as_str()));
            }
        }
        for place in document["places"].as_array().into_iter().flatten() {
            names.insert(place.as_str().expect("a name"));
        }
    }
    assert_on_page(&said, names, 120);
}

/// Each name of a member or check, and each of these, at least so many.
#[track_caller]
fn assert_on_page<'a>(said: &'a [Value], mut names: BTreeSet<&'a str>, least: usize) {
    for document in said {
        members(document, &mut names);
        for check in document["checks"].as_array().into_iter().flatten() {
            names.insert(check["check"].as_str().expect("a name"));
        }
    }
    let documented = documented();
    let absent: Vec<_> = names.difference(&documented).collect();
    assert!(absent.is_empty(), "not on the page: {absent:?}");
    assert!(names.len() > least, "{names:?}");
}
