//! A log that panics at the HTTP client's own events: the fetch that logged fails, and its task
//! lives on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use derbysoft_go_auth::keys::FetchError;
use derbysoft_go_auth::outbound::{ClientPair, Gateway, GatewayErrorKind};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use test_support::log::second_dispatch;
use test_support::{World, eventually, ready, secs, soon};

#[derive(Clone, Default)]
struct ClientLog {
    panics: Arc<AtomicBool>,
}

impl ClientLog {
    fn panicking() -> (Self, DefaultGuard) {
        second_dispatch();
        let log = Self::default();
        log.set_panics(true);
        let subscriber = tracing_subscriber::registry().with(log.clone());
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn set_panics(&self, panics: bool) {
        self.panics.store(panics, Ordering::Relaxed);
    }
}

impl<S: Subscriber> Layer<S> for ClientLog {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let is_clients = event.metadata().target().starts_with("hyper_util::client");
        if is_clients && self.panics.load(Ordering::Relaxed) {
            // A panic without the line that it prints.
            std::panic::resume_unwind(Box::new("the log fails"));
        }
    }
}

#[tokio::test]
async fn a_panic_in_a_fetch_of_keys_is_a_failed_fetch() {
    let (log, _guard) = ClientLog::panicking();
    let world = World::new().await;
    let auth = world.auth();
    let error = ready(&auth).await.expect_err("the log panics");
    assert!(matches!(error, FetchError::Unreachable(_)), "{error:?}");
    assert_eq!(world.go.fetches(), 0);

    log.set_panics(false);
    // Nobody asks again: the task retries by itself.
    world.clock.advance(secs(1));
    eventually("it fetches", || world.go.fetches() == 1).await;
    eventually("it publishes", || auth.health().is_ready()).await;
}

#[tokio::test]
async fn a_panic_in_a_fetch_of_a_token_is_a_failed_fetch() {
    let (log, _guard) = ClientLog::panicking();
    let world = World::new().await;
    let pair = world.go.client();
    let gateway = Gateway::builder()
        .token_url(world.go.token_url())
        .api(world.go.gateway_url())
        .credentials(ClientPair::new(&*pair.client_id, &*pair.client_secret))
        .clock(world.clock.clone())
        .build()
        .expect("good settings");
    let error = soon(gateway.ready()).await.expect_err("the log panics");
    let kind = error.kind();
    assert!(matches!(kind, GatewayErrorKind::Unreachable(_)), "{kind:?}");
    assert!(error.is_transient());
    assert_eq!(world.go.token_fetches(), 0);

    log.set_panics(false);
    world.clock.advance(secs(1));
    eventually("it fetches", || world.go.token_fetches() == 1).await;
    eventually("it publishes", || gateway.health().is_ready()).await;
}
