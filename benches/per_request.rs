//! What one request costs, in units of the signature check that it cannot do
//! without.
//!
//! Every contender runs in every round, one after the other, and is compared
//! with the floor of the same round: on a shared machine only such ratios mean
//! anything. Printed are medians over all rounds.
//!
//! ```text
//! cargo bench --all-features --bench per_request            # a table
//! cargo bench --all-features --bench per_request -- --json  # a line of JSON each
//! ```
//!
//! `--rounds=N` sets their number; `--only=NAME,…` runs some contenders, to look
//! at them with a profiler, with ratios to the first of them.
#![allow(clippy::print_stdout, missing_docs)]

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use derbysoft_go_auth::simulator::{Mint, PublishedKey, SignatureKind, SigningKey};
use derbysoft_go_auth::{Config, GoAuth, GoAuthService, KeySet, UnixTime, Verifier};
use http::header::AUTHORIZATION;
use http::{Request, Response};
use serde_json::json;
use tower::{Layer, Service};

const ISSUER: &str = "https://id/84A26B2FA77BCD1FF5130636F04C30C5/.well-known/openid-configuration";
const AUDIENCE: &str = "ZKT";
const KID: &str = "394b56c3ea524ee59015f9a7e8866312";

/// Calls of each contender in each round.
const CALLS: u32 = 64;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    let rounds = (arguments.iter())
        .find_map(|argument| argument.strip_prefix("--rounds="))
        .map_or(400, |rounds| rounds.parse().expect("a number of rounds"));

    let scene = Scene::new();
    let mut contenders = scene.contenders();
    if let Some(only) = (arguments.iter()).find_map(|argument| argument.strip_prefix("--only=")) {
        contenders.retain(|contender| only.split(',').any(|name| name == contender.name));
    }
    let mut times = vec![Vec::with_capacity(rounds); contenders.len()];
    for round in 0..rounds + rounds / 10 {
        for (contender, times) in contenders.iter_mut().zip(&mut times) {
            let time = (contender.run)(round);
            // The first tenth warms up caches, branch predictors and the clock.
            if round >= rounds / 10 {
                times.push(time.as_secs_f64() * 1e9 / f64::from(CALLS));
            }
        }
    }
    report(&contenders, &times, json);
}

struct Contender<'a> {
    name: &'static str,
    /// The time of [`CALLS`] calls, what prepares them not counted.
    run: Box<dyn FnMut(usize) -> Duration + 'a>,
}

/// Keys, tokens and verifiers that the contenders share.
struct Scene {
    now: UnixTime,
    floor: ParsedPublicKey,
    document: Vec<u8>,
    /// Genuine and all different; as many as a round needs.
    tokens: Vec<String>,
    decoding_key: jsonwebtoken::DecodingKey,
    key: SigningKey,
}

impl Scene {
    fn new() -> Self {
        let key = SigningKey::generate(2048).expect("a key");
        let published = PublishedKey::new(key.clone()).with_kid(KID);
        let other = PublishedKey::fresh();
        let document = json!({ "keys": [published.jwk(), other.jwk()] }).to_string();
        let now = UnixTime::from(std::time::SystemTime::now());
        let (n, e) = (key.modulus(), key.exponent());
        Self {
            now,
            floor: RsaPublicKeyComponents { n: &n, e: &e }
                .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
                .expect("a key"),
            document: document.into_bytes(),
            tokens: (0..CALLS).map(|_| mint(&key, now).token()).collect(),
            decoding_key: jsonwebtoken::DecodingKey::from_rsa_raw_components(n, e),
            key,
        }
    }

    fn auth(&self, cache: u64) -> GoAuth {
        GoAuth::builder()
            .issuer(ISSUER)
            .audience(AUDIENCE)
            .keys(KeySet::from_document(&self.document).expect("a key set"))
            .token_cache_bytes(cache)
            .build()
            .expect("a configuration")
    }

    fn verifier(&self) -> (Verifier, KeySet) {
        let mut config = Config::default();
        ISSUER.clone_into(&mut config.issuer);
        config.audience = vec![AUDIENCE.to_owned()];
        let keys = KeySet::from_document(&self.document).expect("a key set");
        (config.verifier().expect("a configuration"), keys)
    }

    fn contenders(&self) -> Vec<Contender<'_>> {
        let mut contenders = vec![
            self.floor(),
            self.jsonwebtoken(),
            self.verify_cold(),
            self.verify_cold_caching(),
            self.verify_warm(),
        ];
        contenders.extend([
            self.no_layer(),
            self.layer("layer_cold", 0, self.tokens.clone()),
            self.layer(
                "layer_warm",
                1 << 24,
                vec![self.tokens[0].clone(); CALLS as usize],
            ),
        ]);
        let hour = 3600;
        let past = mint(&self.key, self.now).expires_in(-hour).token();
        let forged = mint(&self.key, self.now).signature(SignatureKind::Corrupted);
        let stranger = mint(&self.key, self.now).kid("5ae0f1d1b1b34f8a8a3d2f0f6b9e7c11");
        contenders.extend([
            self.refuse(
                "refuse_garbage",
                "53ac0777c2f94bc0a5b1b0d6d7a6f6ab".repeat(20),
            ),
            self.refuse("refuse_bad_signature", forged.token()),
            self.refuse("refuse_unknown_kid", stranger.token()),
            self.refuse("refuse_expired", past),
        ]);
        contenders
    }

    /// The signature check of the same message, and nothing else.
    fn floor(&self) -> Contender<'_> {
        let parts: Vec<_> = (self.tokens.iter())
            .map(|token| {
                let (message, signature) = token.rsplit_once('.').expect("a token");
                let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64");
                (message.as_bytes(), signature)
            })
            .collect();
        Contender {
            name: "floor",
            run: Box::new(move |_| {
                let start = Instant::now();
                for (message, signature) in &parts {
                    (self.floor.verify_sig(black_box(message), signature)).expect("genuine");
                }
                start.elapsed()
            }),
        }
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
        Contender {
            name: "jsonwebtoken_decode",
            run: Box::new(move |_| {
                let start = Instant::now();
                for token in &self.tokens {
                    let decoded = jsonwebtoken::decode::<Claims>(
                        black_box(token),
                        &self.decoding_key,
                        &validation,
                    );
                    black_box(decoded.expect("genuine"));
                }
                start.elapsed()
            }),
        }
    }

    /// The verifier alone, without a cache.
    fn verify_cold(&self) -> Contender<'_> {
        let (verifier, keys) = self.verifier();
        Contender {
            name: "verify_cold",
            run: Box::new(move |_| {
                let start = Instant::now();
                for token in &self.tokens {
                    black_box(verifier.verify(black_box(token), &keys, self.now)).expect("genuine");
                }
                start.elapsed()
            }),
        }
    }

    /// With a cache that has not seen any of the tokens.
    fn verify_cold_caching(&self) -> Contender<'_> {
        Contender {
            name: "verify_cold_caching",
            run: Box::new(move |_| {
                let auth = self.auth(1 << 24);
                let start = Instant::now();
                for token in &self.tokens {
                    black_box(now(auth.verify(black_box(token)))).expect("genuine");
                }
                start.elapsed()
            }),
        }
    }

    /// With a cache, and the same token all the time.
    fn verify_warm(&self) -> Contender<'_> {
        let auth = self.auth(1 << 24);
        let token = &self.tokens[0];
        for _ in 0..3 {
            now(auth.verify(token)).expect("genuine");
        }
        Contender {
            name: "verify_warm",
            run: Box::new(move |_| {
                let start = Instant::now();
                for _ in 0..CALLS {
                    black_box(now(auth.verify(black_box(token)))).expect("genuine");
                }
                start.elapsed()
            }),
        }
    }

    fn no_layer(&self) -> Contender<'_> {
        Contender {
            name: "no_layer",
            run: Box::new(move |_| {
                let requests = requests(&self.tokens);
                time_service(&mut Echo, requests)
            }),
        }
    }

    /// The whole layer; with a cache, the tokens have been seen.
    fn layer(&self, name: &'static str, cache: u64, tokens: Vec<String>) -> Contender<'_> {
        let mut service: GoAuthService<Echo> = self.auth(cache).layer().layer(Echo);
        for _ in 0..3 {
            time_service(&mut service, requests(&tokens));
        }
        Contender {
            name,
            run: Box::new(move |_| time_service(&mut service, requests(&tokens))),
        }
    }

    /// The whole layer, and a token that it refuses.
    fn refuse(&self, name: &'static str, token: String) -> Contender<'_> {
        let mut service = self.auth(1 << 24).layer().layer(Echo);
        let tokens = vec![token; CALLS as usize];
        Contender {
            name,
            run: Box::new(move |_| time_service(&mut service, requests(&tokens))),
        }
    }
}

fn mint(key: &SigningKey, now: UnixTime) -> Mint {
    let now = i64::try_from(now.as_secs()).expect("a time");
    Mint::new(key.clone(), KID, ISSUER, AUDIENCE).at(now)
}

/// A service that answers at once.
#[derive(Debug, Clone)]
struct Echo;

impl Service<Request<()>> for Echo {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        black_box(request);
        ready(Ok(Response::new(())))
    }
}

fn requests(tokens: &[String]) -> Vec<Request<()>> {
    (tokens.iter())
        .map(|token| {
            Request::post("/ari/daily/push")
                .header(AUTHORIZATION, format!("Bearer {token}"))
                .body(())
                .expect("a request")
        })
        .collect()
}

fn time_service<S: Service<Request<()>, Error = Infallible>>(
    service: &mut S,
    requests: Vec<Request<()>>,
) -> Duration {
    let start = Instant::now();
    for request in requests {
        black_box(now(service.call(request))).expect("infallible");
    }
    start.elapsed()
}

/// The output of a future that does not wait.
fn now<F: Future>(future: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing here waits"),
    }
}

fn report(contenders: &[Contender<'_>], times: &[Vec<f64>], json: bool) {
    let floor = &times[0];
    if !json {
        println!(
            "{:<22} {:>10} {:>16}",
            "name", "median ns", "ratio to floor"
        );
    }
    for (contender, times) in contenders.iter().zip(times) {
        let ratios = times.iter().zip(floor).map(|(time, floor)| time / floor);
        let (time, ratio) = (median(times.iter().copied()), median(ratios));
        if json {
            let name = contender.name;
            println!(
                "{}",
                json!({ "name": name, "median_ns": time, "ratio_to_floor": ratio })
            );
        } else {
            println!("{:<22} {time:>10.0} {ratio:>16.4}", contender.name);
        }
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
