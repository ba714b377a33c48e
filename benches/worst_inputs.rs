//! The cost of the worst inputs, in units of a normal rejection: that of a token of the
//! same length that is good in all but its signature.
//!
//! ```text
//! cargo bench --all-features --bench worst_inputs            # a table
//! cargo bench --all-features --bench worst_inputs -- --json  # a line of JSON each
//! ```
//!
//! `--rounds=N` sets the number of rounds, `--only=GROUP,…` selects groups from the list
//! below; `--list` prints each name, and what it is compared with. `worst_inputs.sh`
//! beside this file counts instructions instead of time, of one call each (`--once`).
//!
//! - `8k_…`, `64k_…`: header values as long as the limit of a token allows: the default,
//!   and the most that can be configured. Answered by the layer.
//! - `crowd_…`: the same, of 8 KiB, where eight issuers are trusted, eight more are
//!   known, and a token may be for any of sixteen audiences.
//! - `access_…`: the same where only Access Tokens are accepted.
//! - `keys_…`: key documents of 256 KiB. Normal is one full of keys like GO's.
//! - `file_…`: files of Access Tokens, of 64 KiB. Normal is one full of them.
#![allow(clippy::print_stdout, missing_docs)]

#[allow(dead_code, reason = "each bench uses a part")]
mod common;

use std::hint::black_box;
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use derbysoft_go_auth::access_token::{AccessToken, AccessTokens, Api};
use derbysoft_go_auth::clock::UnixTime;
use derbysoft_go_auth::config::IssuerConfig;
use derbysoft_go_auth::keys::KeySet;
use derbysoft_go_auth::{GoAuth, GoAuthBuilder};
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request};
use tower::Layer;

use common::arguments::Arguments;
use common::calls::{Echo, serve};
use common::report::{Column, Report};
use common::rounds::{Contender, interleave, median, ratio};
use common::scene::{AUDIENCE, CACHE, ISSUER, KID, builder};
use test_support::hostile::{Desk, LIMITS};
use test_support::hostile_documents::{Document, FILE_BYTES, KEY_DOCUMENT_BYTES};

const ACCESS_TOKEN: &str = "53ac0777c2f94bc0a5b1b0d6d7a6f6ab";

/// Any odd number is a modulus, and nothing here has to be signed: so no time goes into
/// the search for primes, which is long when instructions are counted.
const MODULUS: [u8; 256] = [0xc5; 256];

/// A signed message of the usual length.
const MESSAGE: [u8; 344] = [b'a'; 344];

fn main() {
    let arguments = Arguments::read();
    let now = UnixTime::from(std::time::SystemTime::now());
    let only = arguments.only();
    let wanted = |group: &str| only.as_ref().is_none_or(|only| only.contains(&group));
    let mut inputs = Inputs::new(if arguments.flag("once") { 1 } else { 4 });
    let desks = LIMITS.map(|limit| Desk {
        issuer: ISSUER,
        audience: AUDIENCE,
        kid: KID,
        exp: now.as_secs() + 24 * 60 * 60,
        limit,
    });
    for (group, desk, auth) in [
        ("8k", &desks[0], plain(desks[0].limit)),
        ("64k", &desks[1], plain(desks[1].limit)),
        ("crowd", &desks[0], crowd()),
    ] {
        if wanted(group) {
            inputs.tokens(group, &auth.build().expect("a configuration"), desk);
        }
    }
    if wanted("access") {
        inputs.access_tokens(&desks[0], now);
    }
    if wanted("keys") {
        let documents = test_support::hostile_documents::key_documents(KEY_DOCUMENT_BYTES);
        inputs.documents("keys", documents, |document| {
            let _ = black_box(KeySet::from_document(document.as_bytes()));
        });
    }
    if wanted("file") {
        let files = test_support::hostile_documents::files(FILE_BYTES);
        inputs.documents("file", files, |file| {
            let _ = black_box(AccessTokens::from_toml(file));
        });
    }
    if arguments.flag("list") {
        inputs.list();
    } else if arguments.flag("once") {
        interleave(&mut inputs.contenders, 1);
    } else {
        inputs.report(&arguments);
    }
}

fn plain(limit: usize) -> GoAuthBuilder {
    let document = test_support::hostile_documents::key_document(KID, &MODULUS);
    let keys = KeySet::from_document(document.as_bytes()).expect("a key set");
    builder(CACHE)
        .keys(keys)
        .configure(|it| it.max_token_bytes = limit)
}

/// A configuration whose names are as hard to tell apart as possible.
fn crowd() -> GoAuthBuilder {
    let issuer = |number: usize| format!("{}{number:02}", &ISSUER[..ISSUER.len() - 2]);
    let trusted = (0..7).map(|number| {
        let mut trusted = IssuerConfig::new(issuer(number), AUDIENCE, "https://id.example/keys");
        trusted.environment = Some("this".into());
        trusted
    });
    let known = (7..15).map(|number| IssuerConfig::of_environment(issuer(number), "another"));
    let crowd = (trusted.chain(known))
        .fold(plain(LIMITS[0]), GoAuthBuilder::another_issuer)
        .configure(|it| it.environment = Some("this".into()));
    (b'a'..=b'o').fold(crowd, |crowd, last| {
        crowd.audience(format!("{}{}", &AUDIENCE[..2], char::from(last)))
    })
}

/// Everything inside is counted, and nothing else.
#[inline(never)]
fn counted(call: &mut dyn FnMut()) {
    call();
}

/// What is compared, and the index of what each is compared with.
struct Inputs<'a> {
    calls: u32,
    contenders: Vec<Contender<'a>>,
    normal: Vec<usize>,
}

impl<'a> Inputs<'a> {
    /// Starts with the floor: one signature check, which takes as long for a wrong
    /// signature.
    fn new(calls: u32) -> Self {
        let (n, e) = (&MODULUS[..], &[1, 0, 1][..]);
        let key = RsaPublicKeyComponents { n, e };
        let key = key.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256);
        let key = key.expect("a key");
        let mut inputs = Self {
            calls,
            contenders: Vec::new(),
            normal: Vec::new(),
        };
        inputs.add("floor".to_owned(), 0, move || {
            let checked = key.verify_sig(black_box(&MESSAGE), &test_support::hostile::SIGNATURE);
            checked.expect_err("nobody signed it");
        });
        inputs
    }

    fn add(&mut self, name: String, normal: usize, mut call: impl FnMut() + 'a) {
        // The first call of a group sets things up.
        if normal == self.contenders.len() {
            call();
        }
        let calls = self.calls;
        let run = move || {
            let times = (0..calls).map(|_| {
                let start = Instant::now();
                counted(&mut call);
                start.elapsed()
            });
            times.sum::<Duration>()
        };
        self.contenders.push(Contender::new(name, calls, run));
        self.normal.push(normal);
    }

    /// What the header can hold, the normal token first.
    fn tokens(&mut self, group: &str, auth: &GoAuth, desk: &Desk) {
        let normal = self.contenders.len();
        let tokens = [
            vec![desk.normal(desk.limit)],
            desk.payloads(),
            desk.headers(),
        ]
        .concat();
        let tokens = (tokens.iter()).map(|hostile| (hostile.name, hostile.token()));
        for (name, token) in tokens.chain(desk.malformed()) {
            self.value(group, name, normal, auth, &bearer(&token));
        }
        for (name, value) in desk.values() {
            self.value(group, name, normal, auth, &value);
        }
    }

    fn access_tokens(&mut self, desk: &Desk, now: UnixTime) {
        let held = AccessToken::new(Api::AVAILABILITY_PEER, ACCESS_TOKEN, now);
        let tokens = AccessTokens::new([held]).expect("a token");
        let auth = GoAuth::builder().access_tokens(tokens).build();
        let auth = auth.expect("a configuration");
        let normal = self.contenders.len();
        for (name, token) in desk.access_tokens(ACCESS_TOKEN) {
            self.value("access", name, normal, &auth, &bearer(&token));
        }
    }

    /// One value of the header, answered by the layer.
    fn value(&mut self, group: &str, name: &str, normal: usize, auth: &GoAuth, value: &[u8]) {
        let value = HeaderValue::from_bytes(value).expect("a value");
        let mut service = auth.layer().layer(Echo);
        let call = move || {
            let request = Request::post("/ari/daily/push").header(AUTHORIZATION, &value);
            serve(&mut service, vec![request.body(()).expect("a request")]);
        };
        self.add(format!("{group}_{name}"), normal, call);
    }

    /// Documents, the normal one first.
    fn documents(
        &mut self,
        group: &str,
        documents: Vec<Document>,
        read: impl Fn(&str) + Copy + 'a,
    ) {
        let normal = self.contenders.len();
        for (name, document) in documents {
            let call = move || read(black_box(&document));
            self.add(format!("{group}_{name}"), normal, call);
        }
    }

    fn list(&self) {
        for (contender, normal) in self.contenders.iter().zip(&self.normal) {
            println!("{} {}", contender.name, self.contenders[*normal].name);
        }
    }

    fn report(&mut self, arguments: &Arguments) {
        let times = interleave(&mut self.contenders, arguments.number("rounds", 40));
        let mut report = Report::new([
            Column::NANOSECONDS,
            Column::TO_FLOOR,
            Column::new("ratio to normal", "ratio_to_normal", 3),
        ]);
        for (place, (contender, own)) in self.contenders.iter().zip(&times).enumerate() {
            let to_normal = ratio(own, &times[self.normal[place]]);
            report.row(
                &contender.name,
                [
                    median(own.iter().copied()),
                    ratio(own, &times[0]),
                    to_normal,
                ],
            );
        }
        report.print(arguments.json());
    }
}

fn bearer(token: &str) -> Vec<u8> {
    format!("Bearer {token}").into_bytes()
}
