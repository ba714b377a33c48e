//! What `docs/cli.md` says is what the command does.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{GoAuth, file, go_auth, path, strict_verify};
use crate::seeds;
use crate::support::World;

const PAGE: &str = include_str!("../../../docs/cli.md");

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
fn given_the_sample_token_when_it_is_verified_then_the_pages_transcript_is_what_comes() {
    let keys = file(seeds::KEY_DOCUMENT);
    let ran = sample(path(&keys)).run_here();
    assert!(
        PAGE.contains(&format!("```text\n{}```\n", ran.stdout)),
        "{}",
        ran.stdout
    );
}

/// The names in backticks at the beginning of the page's table rows, and those within them.
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
async fn given_each_kind_of_document_when_it_is_looked_through_then_every_name_is_on_the_page() {
    let world = World::new().await;
    let discovery = world.go.discovery_url();
    let mut said = Vec::new();
    for command in [
        go_auth(&["keys", "--json", "--jwks-url", &discovery]),
        go_auth(&["keys", "--json"]).knowing(&world),
        go_auth(&["keys", "--json", "--jwks-url", "http://127.0.0.1:1/"]),
        go_auth(&["keys", "--json"]),
        strict_verify(&world).arg("--json").stdin(world.token()),
        strict_verify(&world).arg("--json"),
        strict_verify(&world)
            .arg("--json")
            .stdin("Authorization: Basic x"),
    ] {
        said.push(command.run().await.json());
    }
    for (kind, token) in crate::support::refused_tokens(&world.go.mint()) {
        let ran = strict_verify(&world).arg("--json").stdin(token).run().await;
        assert!(
            documented().contains(kind),
            "the kind {kind} is not on the page"
        );
        said.push(ran.json());
    }
    let mut names = BTreeSet::new();
    for document in &said {
        members(document, &mut names);
        for check in document["checks"].as_array().into_iter().flatten() {
            names.insert(check["check"].as_str().expect("a name"));
        }
    }
    let documented = documented();
    let absent: Vec<_> = names.difference(&documented).collect();
    assert!(absent.is_empty(), "not on the page: {absent:?}");
    assert!(names.len() > 50, "{names:?}");
}
