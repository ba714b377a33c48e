//! The cost of one request, in units of the signature check that it cannot avoid.
//!
//! Every contender runs in every round, one after the other, and is compared with the
//! floor of the same round: on a shared machine only such ratios mean anything. The table
//! has medians over all rounds.
//!
//! ```text
//! cargo bench --all-features --bench per_request            # a table
//! cargo bench --all-features --bench per_request -- --json  # a line of JSON each
//! ```
//!
//! `--rounds=N` sets the number of rounds; `--only=NAME,…` runs some contenders, to
//! profile them, with ratios to the first of them; `--list` prints the names.
//! `instructions.sh` beside this file counts instructions instead of time.
#![allow(clippy::print_stdout, missing_docs)]

#[allow(dead_code, reason = "each bench uses a part")]
mod common;

use std::hint::black_box;
use std::time::Duration;

use derbysoft_go_auth::access_token::{AccessToken, AccessTokens, Api};
use derbysoft_go_auth::authenticate::Verifier;
use derbysoft_go_auth::inbound::GoAuthService;
use derbysoft_go_auth::keys::KeySet;
#[cfg(feature = "metrics")]
use derbysoft_go_auth::observe::VERIFY_SECONDS_BUCKETS;
use derbysoft_go_auth::{Config, GoAuth};
use derbysoft_go_simulator::{SignatureKind, Simulator};
#[cfg(feature = "metrics")]
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use tokio::runtime::Runtime;
use tower::{Layer, Service};

use common::arguments::Arguments;
use common::calls::{Echo, measured, now, requests, runtime, serve, time_service};
use common::clock::PlainClock;
use common::report::{Column, Report};
use common::rounds::{Contender, interleave, median, ratio};
use common::scene::{AUDIENCE, CACHE, CALLS, ISSUER, Scene, builder};

fn main() {
    let arguments = Arguments::read();
    let scene = Scene::new();
    let runtime = runtime();
    let bench = Bench {
        go: runtime.block_on(scene.go()).expect("a port"),
        runtime,
        decoding_key: jsonwebtoken::DecodingKey::from_rsa_raw_components(
            scene.key.modulus(),
            scene.key.exponent(),
        ),
        others: (0..CALLS).map(|_| scene.mint().token()).collect(),
        scene,
    };
    let mut contenders = bench.contenders();
    if arguments.flag("list") {
        for contender in &contenders {
            println!("{}", contender.name);
        }
        return;
    }
    if let Some(only) = arguments.only() {
        contenders.retain(|contender| only.contains(&&*contender.name));
    }
    let times = interleave(&mut contenders, arguments.number("rounds", 400));

    let mut report = Report::new([Column::NANOSECONDS, Column::TO_FLOOR]);
    for (contender, own) in contenders.iter().zip(&times) {
        let median = median(own.iter().copied());
        report.row(&contender.name, [median, ratio(own, &times[0])]);
    }
    report.print(arguments.json());
}

struct Bench {
    scene: Scene,
    /// GO's key address, for contenders that must not ask it again.
    go: Simulator,
    runtime: Runtime,
    /// Tokens other than the scene's.
    others: Vec<String>,
    decoding_key: jsonwebtoken::DecodingKey,
}

impl Bench {
    fn verifier(&self) -> (Verifier, KeySet) {
        let mut config = Config::default();
        ISSUER.clone_into(&mut config.issuer);
        config.audience = vec![AUDIENCE.to_owned()];
        (
            config.verifier().expect("a configuration"),
            self.scene.keys(),
        )
    }

    fn contenders(&self) -> Vec<Contender<'_>> {
        let tokens = &self.scene.tokens;
        let past = self.scene.mint().expires_in(-3600).token();
        let forged = self.scene.mint().signature(SignatureKind::Corrupted);
        // Issued long before the keys were looked up, and only just.
        let stranger = self.scene.mint().kid("5ae0f1d1b1b34f8a8a3d2f0f6b9e7c11");
        let an_hour_ago = self.scene.now.saturating_sub(Duration::from_secs(3600));
        let old_stranger = stranger.clone().at(an_hour_ago);
        let garbage = "53ac0777c2f94bc0a5b1b0d6d7a6f6ab".repeat(20);
        let contenders = vec![
            self.scene.floor("floor", tokens),
            self.jsonwebtoken(),
            self.verify_cold(),
            self.verify_cold_caching(),
            self.verify_warm("verify_warm", vec![&tokens[0]; CALLS as usize]),
            self.verify_warm(
                "verify_warm_in_turn",
                tokens.iter().map(String::as_str).collect(),
            ),
            self.no_layer(),
            self.layer("layer_cold", 0, tokens.clone()),
            self.layer("layer_warm", CACHE, vec![tokens[0].clone(); CALLS as usize]),
            self.access_token("access_token"),
            self.refuse(
                "refuse_garbage",
                &self.scene.auth(CACHE),
                garbage.clone(),
                401,
            ),
            self.refuse(
                "refuse_bad_signature",
                &self.scene.auth(CACHE),
                forged.token(),
                401,
            ),
            self.refuse(
                "refuse_unknown_kid",
                &self.cooling_down(),
                old_stranger.token(),
                401,
            ),
            self.refuse(
                "refuse_key_pending",
                &self.cooling_down(),
                stranger.token(),
                503,
            ),
            self.refuse("refuse_expired", &self.scene.auth(CACHE), past, 401),
            self.refuse_and_tell("refuse_garbage_told", garbage.clone()),
        ];
        #[cfg(feature = "metrics")]
        let contenders = contenders
            .into_iter()
            .chain(self.recorded(&garbage))
            .collect();
        contenders
    }

    /// The same again, with a metrics recorder.
    #[cfg(feature = "metrics")]
    fn recorded(&self, garbage: &str) -> Vec<Contender<'_>> {
        let tokens = &self.scene.tokens;
        let verifying = Matcher::Full("go_auth_verify_seconds".to_owned());
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(verifying, &VERIFY_SECONDS_BUCKETS)
            .expect("buckets")
            .build_recorder();
        // The first request looks up its counters, and they are kept.
        metrics::with_local_recorder(&recorder, || {
            let warm = vec![tokens[0].clone(); CALLS as usize];
            let refusing = self.scene.auth(CACHE);
            vec![
                self.layer("layer_cold_recorded", 0, tokens.clone()),
                self.layer("layer_warm_recorded", CACHE, warm),
                self.access_token("access_token_recorded"),
                self.refuse(
                    "refuse_garbage_recorded",
                    &refusing,
                    garbage.to_owned(),
                    401,
                ),
            ]
        })
    }

    /// The usual library, with the same claims checked.
    fn jsonwebtoken(&self) -> Contender<'_> {
        #[derive(serde::Deserialize)]
        struct Claims {
            #[expect(dead_code)]
            sub: String,
        }
        let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.validate_nbf = true;
        Contender::new("jsonwebtoken_decode", CALLS, move || {
            measured(|| {
                for token in &self.scene.tokens {
                    let decoded = jsonwebtoken::decode::<Claims>(
                        black_box(token),
                        &self.decoding_key,
                        &validation,
                    );
                    black_box(decoded.expect("genuine"));
                }
            })
        })
    }

    /// The verifier alone, without a cache.
    fn verify_cold(&self) -> Contender<'_> {
        let (verifier, keys) = self.verifier();
        Contender::new("verify_cold", CALLS, move || {
            measured(|| {
                for token in &self.scene.tokens {
                    black_box(verifier.verify(black_box(token), &keys, self.scene.now))
                        .expect("genuine");
                }
            })
        })
    }

    /// With a cache that has seen tokens, but none of these.
    fn verify_cold_caching(&self) -> Contender<'_> {
        Contender::new("verify_cold_caching", CALLS, || {
            let auth = self.scene.auth(CACHE);
            // The system provides the cache's memory only when it is first written to.
            for token in &self.others {
                now(auth.verify(token)).expect("genuine");
            }
            measured(|| {
                for token in &self.scene.tokens {
                    black_box(now(auth.verify(black_box(token)))).expect("genuine");
                }
            })
        })
    }

    /// With a cache that holds all of the tokens, and the processor's own cache too: what
    /// the other contenders have left there does not count.
    fn verify_warm<'a>(&'a self, name: &str, tokens: Vec<&'a str>) -> Contender<'a> {
        let auth = self.scene.auth(CACHE);
        let verify_all = move || {
            for token in &tokens {
                black_box(now(auth.verify(black_box(token)))).expect("genuine");
            }
        };
        // A token is stored when it is seen for the second time.
        verify_all();
        Contender::new(name, CALLS, move || {
            verify_all();
            measured(&verify_all)
        })
    }

    fn no_layer(&self) -> Contender<'_> {
        Contender::new("no_layer", CALLS, || {
            time_service(&mut Echo, requests(&self.scene.tokens))
        })
    }

    /// The whole layer; with a cache, the tokens have been seen before.
    fn layer(&self, name: &str, cache: u64, tokens: Vec<String>) -> Contender<'_> {
        let mut service: GoAuthService<Echo> = self.scene.auth(cache).layer().layer(Echo);
        for _ in 0..3 {
            serve(&mut service, requests(&tokens));
        }
        Contender::new(name, CALLS, move || {
            time_service(&mut service, requests(&tokens))
        })
    }

    /// The whole layer, and an Access Token instead of a JWT.
    fn access_token(&self, name: &str) -> Contender<'_> {
        const TOKEN: &str = "53ac0777c2f94bc0a5b1b0d6d7a6f6ab";
        let held = AccessToken::new(Api::AVAILABILITY_PEER, TOKEN, self.scene.now);
        let auth = GoAuth::builder()
            .clock(PlainClock::default())
            .access_tokens(AccessTokens::new([held]).expect("a token"))
            .build()
            .expect("a configuration");
        let mut service = auth.layer().layer(Echo);
        let tokens = vec![TOKEN.to_owned(); CALLS as usize];
        self.begin(&mut service, TOKEN, 200);
        Contender::new(name, CALLS, move || {
            let _guard = self.runtime.enter();
            time_service(&mut service, requests(&tokens))
        })
    }

    /// The whole layer, and a token that it rejects.
    fn refuse(&self, name: &str, auth: &GoAuth, token: String, status: u16) -> Contender<'_> {
        let mut service = auth.layer().layer(Echo);
        self.begin(&mut service, &token, status);
        let tokens = vec![token; CALLS as usize];
        Contender::new(name, CALLS, move || {
            let _guard = self.runtime.enter();
            time_service(&mut service, requests(&tokens))
        })
    }

    /// Makes a first request, untimed, and checks its answer.
    fn begin(&self, service: &mut GoAuthService<Echo>, token: &str, status: u16) {
        let _guard = self.runtime.enter();
        let request = requests(&[token.to_owned()]).remove(0);
        let response = now(service.call(request)).expect("infallible");
        assert_eq!(response.status(), status);
    }

    /// The same with a subscriber at info, as in production.
    fn refuse_and_tell(&self, name: &str, token: String) -> Contender<'_> {
        let mut refuse = self.refuse(name, &self.scene.auth(CACHE), token, 401);
        Contender::new(name, CALLS, move || {
            let log = tracing_subscriber::fmt()
                .with_max_level(tracing::Level::INFO)
                .with_writer(std::io::sink);
            let time = tracing::subscriber::with_default(log.finish(), || refuse.time());
            // The others have no subscriber.
            tracing::callsite::rebuild_interest_cache();
            time
        })
    }

    /// With keys that were just fetched, so that none are fetched for an unknown one.
    fn cooling_down(&self) -> GoAuth {
        let auth = builder(CACHE)
            .jwks_url(self.go.jwks_url())
            .configure(|it| it.cooldown = Duration::from_secs(600))
            .build()
            .expect("a configuration");
        self.runtime.block_on(auth.ready()).expect("keys");
        auth
    }
}
