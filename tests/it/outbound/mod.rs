//! Calling GO over real TCP: which credential goes where, when another is fetched, and that nobody
//! else sees one.

mod access_tokens;
mod client_pairs;
mod clients;
mod failures;
mod fetching;
mod refused_tokens;
mod secrets;
mod untidy_answers;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use derbysoft_go_auth::clock::ManualClock;
use derbysoft_go_auth::outbound::{
    BoxError, ClientPair, Gateway, GatewayBuilder, GatewayError, HttpClient,
};
use derbysoft_go_simulator::{ClientCredentials, Simulator};
use http::{Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceExt};

use test_support::{clock, go_with, soon};

type Client = BoxCloneSyncService<Request<Bytes>, Response<reqwest::Body>, BoxError>;

/// GO with its gateway, and a clock that it shares with the client.
struct World {
    go: Simulator,
    clock: ManualClock,
}

impl World {
    async fn new() -> Self {
        let clock = clock();
        let go = go_with(&clock).await;
        Self { go, clock }
    }

    fn builder(&self) -> GatewayBuilder {
        Gateway::builder()
            .token_url(self.go.token_url())
            .api(self.go.gateway_url())
            .credentials(pair(&self.go.client()))
            .clock(self.clock.clone())
    }

    fn gateway(&self) -> Gateway {
        self.builder().build().expect("good settings")
    }

    /// With its token, after one fetch.
    async fn ready(&self) -> Gateway {
        let gateway = self.gateway();
        soon(gateway.ready()).await.expect("GO is well");
        gateway
    }

    fn push(&self) -> Request<Bytes> {
        Request::post(format!("{}/ari", self.go.gateway_url()))
            .body(Bytes::from_static(b"{}"))
            .expect("a request")
    }

    /// Pushes; the status.
    async fn status(&self, gateway: &Gateway) -> u16 {
        status(&client(gateway), self.push()).await
    }

    /// Pushes in a task of its own.
    fn pushing(&self, client: &Client) -> JoinHandle<u16> {
        let (client, push) = (client.clone(), self.push());
        tokio::spawn(async move { status(&client, push).await })
    }

    /// A thousand pushes, each in a task of its own.
    fn a_thousand_pushing(&self, gateway: &Gateway) -> Vec<JoinHandle<u16>> {
        let client = crowd_client(gateway);
        (0..1000).map(|_| self.pushing(&client)).collect()
    }

    /// All of them reach GO, which has issued so many tokens by then.
    async fn all_accepted(&self, callers: Vec<JoinHandle<u16>>, token_fetches: usize) {
        let pushes = callers.len();
        for caller in callers {
            assert_eq!(soon(caller).await.expect("no panic"), 200);
        }
        assert_eq!(self.go.token_fetches(), token_fetches);
        assert_eq!(self.go.pushes(), pushes);
    }
}

fn pair(credentials: &ClientCredentials) -> ClientPair {
    ClientPair::new(&*credentials.client_id, &*credentials.client_secret)
}

fn http_client() -> HttpClient {
    (HttpClient::builder()
        .http_client(reqwest::ClientBuilder::no_proxy)
        .build())
    .expect("a client")
}

fn client(gateway: &Gateway) -> Client {
    BoxCloneSyncService::new(gateway.layer().layer(http_client()))
}

/// A client for a crowd: all may wait for a token, and no more than 64 at a time use a
/// connection, since a process has not many thousands of those.
fn crowd_client(gateway: &Gateway) -> Client {
    let (connections, http) = (Arc::new(Semaphore::new(64)), http_client());
    let few = tower::service_fn(move |request: Request<Bytes>| {
        let (connections, http) = (Arc::clone(&connections), http.clone());
        async move {
            let _connection = connections.acquire_owned().await;
            http.oneshot(request).await
        }
    });
    BoxCloneSyncService::new(gateway.layer().layer(few))
}

async fn send<S, B>(client: &S, request: Request<B>) -> Result<S::Response, S::Error>
where
    S: Service<Request<B>> + Clone,
{
    soon(client.clone().oneshot(request)).await
}

async fn status(client: &Client, request: Request<Bytes>) -> u16 {
    send(client, request)
        .await
        .expect("an answer")
        .status()
        .as_u16()
}

/// What the layer failed with, where it is the gateway's.
fn gateway_error(error: &BoxError) -> &GatewayError {
    error.downcast_ref().expect("an error of the gateway's")
}

/// A server on another port that answers each request alike, and records what it was sent.
struct Stranger {
    origin: String,
    heard: Arc<Mutex<String>>,
}

impl Stranger {
    async fn answering(answer: impl Into<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let heard = Arc::new(Mutex::new(String::new()));
        let (answer, log) = (answer.into(), Arc::clone(&heard));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let read = stream.read(&mut request).await.unwrap_or(0);
                let text = String::from_utf8_lossy(&request[..read]).into_owned();
                log.lock().expect("not poisoned").push_str(&text);
                let rest = "connection: close\r\ncontent-length: 0\r\n\r\n";
                let _ = stream
                    .write_all(format!("{answer}\r\n{rest}").as_bytes())
                    .await;
            }
        });
        Self { origin, heard }
    }

    async fn redirecting(location: &str) -> Self {
        Self::answering(format!("HTTP/1.1 307 Go There\r\nlocation: {location}")).await
    }

    fn heard(&self) -> String {
        self.heard.lock().expect("not poisoned").clone()
    }
}
