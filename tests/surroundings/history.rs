//! Any history of requests and incidents, and what is visible of it from outside.

use std::time::Duration;

use bytes::Bytes;
use derbysoft_go_simulator::{Fault, SignatureKind};
use http::{Request, Response};
use http_body_util::Full;
use proptest::prelude::*;
use tower::{Layer as _, ServiceExt as _};

use test_support::World;

use crate::foreign::Foreign;
use crate::soon;

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Push,
    Forged,
    /// Of a key that nobody publishes, issued long ago.
    Unknown,
    Missing,
    Invalid,
    /// Rejected by the layer's custom check.
    Turned,
    Observed,
    Rotate,
    Retire,
    Fail,
    Heal,
    /// A minute, and a stranger after it: so exactly one fetch comes, whoever causes it.
    Minute,
    Refresh,
    Expire,
}

/// What is visible from outside: the answers, the fetches, the keys and their state.
pub(crate) type Shown = Vec<String>;

pub(crate) async fn play(foreign: &Foreign, history: &[Step]) -> Shown {
    let world = World::new().await;
    let auth = world
        .builder()
        .configure(|it| it.refresh_interval = Duration::from_secs(7 * 86_400))
        .configure(|it| it.max_stale = Duration::from_secs(7 * 86_400))
        .build()
        .expect("a good configuration");
    foreign.of(&auth);
    let World { go, clock } = &world;
    let handler = || {
        tower::service_fn(|_: Request<()>| async {
            Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
        })
    };
    let door = auth.layer();
    let picky = auth.layer().check(|_| false);
    let observer = auth.layer().danger_observe_only();
    let mut shown = Vec::new();
    for step in [Step::Push].iter().chain(history) {
        let (layer, authorization) = match step {
            Step::Push => (&door, Some(world.token())),
            Step::Forged => {
                let kind = SignatureKind::Corrupted;
                (&door, Some(world.mint().signature(kind).token()))
            }
            Step::Unknown => (&door, Some(world.unknown())),
            Step::Missing => (&door, None),
            Step::Invalid => (&door, Some("a, b".to_owned())),
            Step::Turned => (&picky, Some(world.token())),
            Step::Observed => (&observer, Some("a.b.c".to_owned())),
            Step::Rotate => {
                go.rotate();
                continue;
            }
            Step::Retire => {
                go.retire_all_but_current();
                continue;
            }
            Step::Fail => {
                go.fail(Fault::Status(500));
                continue;
            }
            Step::Heal => {
                go.heal();
                continue;
            }
            Step::Minute => {
                clock.advance(Duration::from_secs(61));
                (&door, Some(world.unknown()))
            }
            Step::Refresh => {
                shown.push(format!("{:?}", soon(auth.refresh()).await));
                continue;
            }
            Step::Expire => {
                clock.advance(Duration::from_secs(7 * 86_400));
                (&door, Some(world.unknown()))
            }
        };
        let mut request = Request::new(());
        if let Some(authorization) = authorization {
            let value = authorization.parse().expect("a header");
            request.headers_mut().insert("authorization", value);
        }
        let Ok(response) = soon(layer.layer(handler()).oneshot(request)).await;
        let health = auth.health();
        shown.push(format!(
            "{step:?}: {} {} {:?}",
            response.status(),
            go.fetches(),
            health.issuers[0]
        ));
    }
    shown
}

pub(crate) fn histories() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Push),
        2 => Just(Step::Forged),
        2 => Just(Step::Unknown),
        1 => Just(Step::Missing),
        1 => Just(Step::Invalid),
        1 => Just(Step::Turned),
        1 => Just(Step::Observed),
        2 => Just(Step::Rotate),
        1 => Just(Step::Retire),
        1 => Just(Step::Fail),
        2 => Just(Step::Heal),
        3 => Just(Step::Minute),
        1 => Just(Step::Refresh),
        1 => Just(Step::Expire),
    ];
    prop::collection::vec(step, 1..25)
}
