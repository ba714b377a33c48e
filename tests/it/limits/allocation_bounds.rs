//! No input allocates more than a fixed multiple of its size, in total and at any moment: the worst
//! ones at the limits, and random ones.
//!
//! What Rust code allocates is counted. The prepared keys of aws-lc are allocated by C: at most a
//! hundred of them exist, each of a few KiB.

use std::task::Poll;

use allocation_counter::{AllocationInfo, measure};
use derbysoft_go_auth::access_token::AccessTokenSource;
use derbysoft_go_auth::access_token::{AccessToken, AccessTokens, Api};
use derbysoft_go_auth::clock::{ManualClock, UnixTime};
use derbysoft_go_auth::config::IssuerConfig;
use derbysoft_go_auth::keys::KeySet;
use derbysoft_go_auth::{GoAuth, GoAuthBuilder};
use http::Request;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use tower::Layer;

use super::allocations::{Quiet, counted_call};
use test_support::forge::{AUDIENCE, ISSUER, KID, NOW, keys, mint};
use test_support::hostile::{Desk, Hostile, LIMITS};
use test_support::hostile_documents::{FILE_BYTES, KEY_DOCUMENT_BYTES, files, key_documents};
use test_support::{World, at_once, passive_runtime, request};

const HELD: &str = "53ac0777c2f94bc0a5b1b0d6d7a6f6ab";

/// So many bytes for each byte of the input, and so many on top.
#[derive(Debug, Clone, Copy)]
struct Bound {
    percent: u64,
    beside: u64,
}

/// A token is decoded (3/4 of it), names with escapes are resolved (at most 3/4 of it), and their
/// lists hold 64 names each of header and claims, of 24 bytes, doubling as they grow. The answer
/// takes about 1 KiB.
const REFUSED: Bound = Bound::new(150, 10);

/// On top of that the claims are stored (3/4), each audience at 16 bytes for the three that it is
/// spelled with (4), strings with escapes resolved (twice 3/4, since the excess is given
/// back), and the token itself is, in the cache.
const ACCEPTED: Bound = Bound::new(875, 16);

/// A token that waits for its key is copied.
const WAITING: Bound = Bound::new(250, 16);

/// Each key's number exists as text, decoded, and once more in the key. A list of keys
/// doubles as it grows. Where no keys are, `serde_json` keeps a byte for each level of nesting.
const KEY_DOCUMENT: Bound = Bound::new(500, 16);

/// What `toml` makes of a file: at worst a token of 24 bytes and an event of 40 for each character,
/// in lists that double as they grow, which comes to four times as much; and the text itself.
const FILE: Bound = Bound::new(26_000, 64);

/// A vector for the names of a document grows five times, and has 64 at most that had escapes.
const FEW: u64 = 2 * (5 + 64);

/// The largest shares that were seen.
#[derive(Debug, Default)]
struct Seen {
    total: f64,
    peak: f64,
}

impl Bound {
    const fn new(percent: u64, kib_beside: u64) -> Self {
        Self {
            percent,
            beside: kib_beside * 1024,
        }
    }

    #[track_caller]
    fn holds(self, what: &str, length: usize, counted: AllocationInfo) {
        let most = length as u64 * self.percent / 100 + self.beside;
        assert!(
            counted.bytes_total <= most,
            "{what}: {counted:?} for {length} bytes"
        );
    }
}

impl Seen {
    fn look(&mut self, length: usize, counted: AllocationInfo) {
        let size = |bytes: u64| f64::from(u32::try_from(bytes).expect("less than 4 GiB"));
        let times = |bytes| size(bytes) / size(length as u64);
        self.total = self.total.max(times(counted.bytes_total));
        self.peak = self.peak.max(times(counted.bytes_max));
    }

    #[expect(clippy::print_stdout)]
    fn tell(&self, what: &str) {
        let Self { total, peak } = self;
        println!(
            "proof: allocation, {what}: at most {total:.2} times the input in all, \
             {peak:.2} times at a moment"
        );
    }
}

fn desk(limit: usize) -> Desk {
    Desk {
        issuer: ISSUER,
        audience: AUDIENCE,
        kid: KID,
        exp: NOW + 300,
        limit,
    }
}

fn builder(limit: usize) -> GoAuthBuilder {
    GoAuth::builder()
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .keys(keys().clone())
        .configure(|it| it.max_token_bytes = limit)
        .clock(ManualClock::new(UnixTime::from_secs(NOW)))
}

/// With many issuers and audiences to compare with.
fn crowd(limit: usize) -> GoAuthBuilder {
    let issuers = (0..16).map(|number| {
        IssuerConfig::of_environment(format!("{}{number:02}", &ISSUER[..ISSUER.len() - 2]), "b")
    });
    let crowd = issuers.fold(
        builder(limit).configure(|it| it.environment = Some("a".into())),
        GoAuthBuilder::another_issuer,
    );
    (b'a'..=b'o').fold(crowd, |crowd, last| {
        crowd.audience(format!("ZK{}", char::from(last)))
    })
}

/// Every value of the header that ought to be expensive to reject.
fn values(desk: &Desk) -> Vec<(&'static str, Vec<u8>)> {
    let normal = desk.normal(desk.limit);
    let tokens = [vec![normal], desk.payloads(), desk.headers()].concat();
    let tokens = tokens.iter().map(|hostile| (hostile.name, hostile.token()));
    tokens
        .chain(desk.malformed())
        .chain(desk.access_tokens(HELD))
        .map(|(name, token)| (name, format!("Bearer {token}").into_bytes()))
        .chain(desk.values())
        .collect()
}

fn request_with(value: &[u8]) -> Request<()> {
    request(&[value])
}

#[test]
fn rejecting_the_worst_headers_allocates_little() {
    let mut seen = Seen::default();
    for limit in LIMITS {
        let held = AccessToken::new(Api::AVAILABILITY_PEER, HELD, UnixTime::from_secs(NOW));
        let held = AccessTokens::new([held]).expect("a token");
        for auth in [
            builder(limit),
            crowd(limit),
            crowd(limit).access_tokens(held),
        ] {
            let auth = auth.build().expect("a good configuration");
            let mut service = auth.layer().layer(Quiet);
            // A thread's first use of keys allocates for the thread.
            counted_call(&mut service, request_with(b"Bearer a.b.c"));
            let (plain, _) = counted_call(&mut service, request_with(b"Bearer a.b.c"));
            for (name, value) in values(&desk(limit)) {
                let (counted, status) = counted_call(&mut service, request_with(&value));
                assert!(matches!(status, 400 | 401), "{name}: {status}");
                REFUSED.holds(name, value.len(), counted);
                assert!(
                    counted.count_total <= plain.count_total + FEW + 2,
                    "{name}: {counted:?}"
                );
                if value.len() > limit / 2 {
                    seen.look(value.len(), counted);
                }
            }
        }
    }
    seen.tell("a rejected header");
}

#[test]
fn the_worst_claims_take_a_multiple_of_the_token() {
    let mut seen = Seen::default();
    for limit in LIMITS {
        let auth = builder(limit).build().expect("a good configuration");
        let mut accepted = 0;
        for Hostile {
            name,
            header,
            payload,
        } in desk(limit).payloads()
        {
            let token = mint().raw_header(header).raw_payload(payload).token();
            for _ in 0..3 {
                let counted = measure(|| match at_once(auth.verify(&token)) {
                    Poll::Ready(verdict) => accepted += i32::from(verdict.is_ok()),
                    Poll::Pending => panic!("nothing here waits"),
                });
                ACCEPTED.holds(name, token.len(), counted);
                seen.look(token.len(), counted);
            }
        }
        assert!(accepted > 30, "{accepted}");
    }
    seen.tell("an accepted token");
}

#[test]
fn a_token_that_waits_is_copied_once() {
    passive_runtime().block_on(async {
        let world = World::new().await;
        let auth = world
            .builder()
            .configure(|it| it.cooldown = std::time::Duration::from_secs(600));
        let auth = auth.build().expect("a good configuration");
        let token = |length: usize| world.mint().kid("nobody's").claim("x", "a".repeat(length));
        // The first causes the fetch.
        assert!(at_once(auth.verify(&token(1).token())).is_pending());
        let token = token(5000).token();
        let mut pending = false;
        let counted = measure(|| pending = at_once(auth.verify(&token)).is_pending());
        assert!(pending, "nobody has fetched yet");
        WAITING.holds("waiting", token.len(), counted);
        assert!(counted.bytes_current <= 0, "{counted:?}");
    });
}

#[test]
fn the_worst_key_documents_take_a_multiple() {
    let mut seen = Seen::default();
    for room in [4 * 1024, KEY_DOCUMENT_BYTES] {
        for (name, document) in key_documents(room) {
            assert!(document.len() <= room, "{name}: {}", document.len());
            let counted = measure(|| drop(KeySet::from_document(document.as_bytes())));
            KEY_DOCUMENT.holds(name, document.len(), counted);
            seen.look(document.len(), counted);
        }
    }
    seen.tell("a key document");
}

#[test]
fn the_worst_token_files_take_a_multiple() {
    let mut seen = Seen::default();
    for (name, text) in files(FILE_BYTES) {
        assert!(text.len() <= FILE_BYTES, "{name}: {}", text.len());
        let counted = measure(|| drop(AccessTokens::from_toml(&text)));
        FILE.holds(name, text.len(), counted);
        seen.look(text.len(), counted);
        let errors = AccessTokens::from_toml(&text).err();
        let faults = errors.map_or(0, |error| error.faults().len());
        assert!(faults <= 128, "{name}: {faults}");
    }
    seen.tell("a file of access tokens");
}

#[test]
fn a_file_that_is_too_long_is_not_read_whole() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "#".repeat(16 * FILE_BYTES)).expect("written");
    let clock = std::sync::Arc::new(ManualClock::new(UnixTime::from_secs(NOW)));
    let counted = measure(|| {
        let read = AccessTokenSource::file(file.path(), clock);
        assert!(read.expect_err("too long").to_string().contains("64 KiB"));
    });
    assert!(
        counted.bytes_total <= FILE_BYTES as u64 + 4096,
        "{counted:?}"
    );
}

/// A worst input with a part cut out, and other bytes put in.
fn mangled(text: &[u8], changes: &[(Index, usize, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = text.to_owned();
    for (at, cut, put) in changes {
        let at = at.index(bytes.len() + 1);
        let end = bytes.len().min(at + cut);
        bytes.splice(at..end, put.iter().copied());
    }
    bytes
}

fn changes() -> impl Strategy<Value = Vec<(Index, usize, Vec<u8>)>> {
    let bytes = prop_oneof![
        vec(any::<u8>(), 0..8),
        "[\\[\\]{}\",:\\\\u0-9.eE+\\- a]{0,12}".prop_map(String::into_bytes),
    ];
    let cut = prop_oneof![3 => 0..20_usize, 1 => 0..8000_usize];
    vec((any::<Index>(), cut, bytes), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn rejecting_random_tokens_allocates_little(
        which: Index, in_header: bool, changes in changes(), whole in changes(),
    ) {
        let desk = desk(LIMITS[0]);
        let documents = [desk.payloads(), desk.headers()].concat();
        let mut hostile = documents[which.index(documents.len())].clone();
        let auth = crowd(LIMITS[0]).build().expect("a good configuration");
        let mut service = auth.layer().layer(Quiet);
        counted_call(&mut service, request_with(b"Bearer a.b.c"));
        if in_header {
            let header = mangled(hostile.header.as_bytes(), &changes);
            hostile.header = String::from_utf8_lossy(&header).into_owned();
        } else {
            hostile.payload = mangled(&hostile.payload, &changes);
        }
        let token = hostile.token().into_bytes();
        for mut value in [token.clone(), mangled(&token, &whole)] {
            value.retain(|byte| *byte == b'\t' || *byte >= b' ' && *byte != 0x7f);
            let (counted, status) = counted_call(&mut service, request_with(&value));
            prop_assert!(matches!(status, 400 | 401), "{}", status);
            REFUSED.holds(hostile.name, value.len(), counted);
        }
    }

    #[test]
    fn random_documents_take_a_multiple(
        which: Index, room in 200..6000_usize, changes in changes(),
    ) {
        let documents = key_documents(room.max(1500));
        let (name, document) = &documents[which.index(documents.len())];
        let document = mangled(document.as_bytes(), &changes);
        let counted = measure(|| drop(KeySet::from_document(&document)));
        KEY_DOCUMENT.holds(name, document.len(), counted);

        let files = files(room);
        let (name, text) = &files[which.index(files.len())];
        let text = String::from_utf8_lossy(&mangled(text.as_bytes(), &changes)).into_owned();
        let counted = measure(|| drop(AccessTokens::from_toml(&text)));
        FILE.holds(name, text.len(), counted);
    }

    #[test]
    fn any_bytes_are_rejected_in_a_multiple(
        bytes in vec(any::<u8>(), 0..2000), text in "\\PC{0,400}",
    ) {
        let auth = builder(LIMITS[0]).build().expect("a good configuration");
        let mut service = auth.layer().layer(Quiet);
        counted_call(&mut service, request_with(b"Bearer a.b.c"));
        let mut value = bytes.clone();
        value.retain(|byte| *byte == b'\t' || *byte >= b' ' && *byte != 0x7f);
        let (counted, _) = counted_call(&mut service, request_with(&value));
        REFUSED.holds("bytes", value.len(), counted);
        let counted = measure(|| drop(KeySet::from_document(&bytes)));
        KEY_DOCUMENT.holds("bytes", bytes.len(), counted);
        let counted = measure(|| drop(AccessTokens::from_toml(&text)));
        FILE.holds("text", text.len(), counted);
    }
}
