//! The simulator's control room over HTTP, as a test in another language uses it.

mod bounds;
mod credentials;
mod faults;
mod keys;
mod tokens;

use derbysoft_go_auth::GoAuth;
use derbysoft_go_simulator::{Simulator, SimulatorBuilder};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

use test_support::soon;

/// A simulator with a control room, and a client of it.
struct Room {
    go: Simulator,
    client: Client,
}

/// What came back.
#[derive(Debug)]
struct Reply {
    status: u16,
    allow: Option<String>,
    text: String,
}

impl Reply {
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The JSON of a success.
    #[track_caller]
    fn done(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }

    /// The text of an error.
    #[track_caller]
    fn error(&self) -> String {
        let json = self.json();
        let members = json.as_object().expect("an object");
        assert_eq!(members.len(), 1, "{self:?}");
        json["error"].as_str().expect("a text").to_owned()
    }
}

impl Room {
    async fn open() -> Self {
        Self::of(Simulator::builder()).await
    }

    async fn of(builder: SimulatorBuilder) -> Self {
        Self::at(builder.with_control()).await
    }

    /// With a control room only if the builder has one.
    async fn at(builder: SimulatorBuilder) -> Self {
        let client = Client::builder().no_proxy().tls_certs_only([]);
        Self {
            go: builder.start().await.expect("a free port"),
            client: client.build().expect("a client"),
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.go.origin());
        self.client.request(method, url)
    }

    async fn send(&self, request: RequestBuilder) -> Reply {
        let response = soon(request.send()).await.expect("an answer");
        let allow = response.headers().get("allow");
        Reply {
            status: response.status().as_u16(),
            allow: allow.map(|value| value.to_str().expect("ASCII").to_owned()),
            text: soon(response.text()).await.expect("a whole body"),
        }
    }

    async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path)).await
    }

    async fn post(&self, path: &str, body: &str) -> Reply {
        let request = self.request(Method::POST, path).body(body.to_owned());
        self.send(request).await
    }

    async fn put(&self, path: &str, body: &str) -> Reply {
        let request = self.request(Method::PUT, path).body(body.to_owned());
        self.send(request).await
    }

    async fn delete(&self, path: &str) -> Reply {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// A verifier that trusts this GO.
    fn auth(&self) -> GoAuth {
        let builder = test_support::builder_for(&self.go);
        builder.build().expect("a good configuration")
    }
}

#[tokio::test]
async fn the_overview_has_all_that_a_distributor_needs() {
    let room = Room::open().await;
    let go = &room.go;
    let answer = room.get("/simulator").await.done();
    for (member, value) in [
        ("issuer", go.issuer()),
        ("audience", go.audience()),
        ("jwks_url", &go.jwks_url()),
        ("discovery_url", &go.discovery_url()),
        ("token_url", &go.token_url()),
        ("gateway_url", &go.gateway_url()),
        ("signing_kid", &go.signing_kid()),
    ] {
        assert_eq!(answer[member], value, "{member}");
    }
    for member in ["fetches", "token_fetches", "pushes", "requests"] {
        assert_eq!(answer[member], 0, "{member}");
    }
    assert_eq!(answer["faults"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn only_requests_to_go_itself_are_listed() {
    let room = Room::open().await;
    let jwks_url = room.go.jwks_url();
    let path = jwks_url.replace(&room.go.origin(), "");
    assert_eq!(room.get(&path).await.status, 200);
    assert_eq!(room.get("/nothing?code=x").await.status, 404);
    for _ in 0..2 {
        let answer = room.get("/simulator/requests").await.done();
        assert_eq!(answer["total"], 2);
        let requests = answer["requests"].as_array().expect("a list");
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0]["path"], path);
        assert_eq!(
            (&requests[0]["method"], &requests[0]["status"]),
            (&"GET".into(), &200.into())
        );
        assert_eq!(
            (&requests[1]["path"], &requests[1]["status"]),
            (&"/nothing".into(), &404.into())
        );
        let at = requests[0]["at"].as_str().expect("a time");
        assert!(at.starts_with("20") && at.ends_with('Z'), "{at}");
    }
    let answer = room.get("/simulator").await.done();
    assert_eq!(
        (&answer["fetches"], &answer["requests"]),
        (&1.into(), &2.into())
    );
}

#[tokio::test]
async fn without_being_opened_there_is_no_control_room() {
    let room = Room::at(Simulator::builder()).await;
    assert_eq!(room.get("/simulator").await.status, 404);
    assert_eq!(room.post("/simulator/keys/rotate", "").await.status, 404);
    assert_eq!(room.go.published_keys().len(), 2);
    assert_eq!(room.go.total_requests(), 2);
}
