//! Where Access Tokens are configured, which settings are faults, and that no output contains one.

use axum::extract::Request;
use axum::routing::post;
use derbysoft_go_auth::access_token::{AccessToken, AccessTokens, Api};
use derbysoft_go_auth::clock::{Clock, ManualClock};
use derbysoft_go_auth::config::ConfigError;
use derbysoft_go_auth::{Config, GoAuth, Verified};

use test_support::distributor::{PUSH, RESERVATION, Server, TokenFile, entry, now};
use test_support::log::Lines;
use test_support::{Keys, ready, soon, verdict};

const PEER: Api = Api::AVAILABILITY_PEER;
const TOKEN: &str = "53ac0777aaaaaaaaaaaaaaaaaaaaaaaa";
const OTHERS: &str = "53ac0777bbbbbbbbbbbbbbbbbbbbbbbb";
const STRANGERS: &str = "53ac0777cccccccccccccccccccccccc";
/// `printf %s "$OTHERS" | sha256sum`
const OTHERS_SHA256: &str = "8ca02f5c8eff496d7a9c8729d0d382fbcedae86baeb5052c45d3d284a3d07234";

const JWT: [(&str, &str); 3] = [
    (
        "GO_AUTH_ISSUER",
        "https://id/X/.well-known/openid-configuration",
    ),
    ("GO_AUTH_AUDIENCE", "ZKT"),
    ("GO_AUTH_JWKS_URL", "http://127.0.0.1:1/keys"),
];

/// From an environment with this file of Access Tokens and these variables.
fn from_env(file: &TokenFile, more: &[(&str, &str)]) -> Result<GoAuth, ConfigError> {
    let path = file.path();
    let path = path.to_str().expect("UTF-8");
    let vars = more
        .iter()
        .copied()
        .chain([("GO_AUTH_ACCESS_TOKENS", path)]);
    Config::from_vars(vars).and_then(Config::build)
}

fn faults(outcome: Result<GoAuth, ConfigError>) -> Vec<String> {
    let error = outcome.expect_err("a fault");
    error.faults().map(str::to_owned).collect()
}

#[tokio::test]
async fn the_variable_of_access_tokens_alone_suffices() {
    let file = TokenFile::of(entry(&PEER, TOKEN, now()));
    let auth = from_env(&file, &[]).expect("enough");
    // There are no keys, and none are missing.
    ready(&auth).await.expect("nothing to fetch");
    assert!(auth.health().is_ready() && auth.health().issuers.is_empty());
    let server = Server::of(&auth).await;
    assert_eq!(server.post(PUSH, TOKEN).await.verdict(), (200, "ok"));
    let jwt = server.post(PUSH, "a.b.c").await;
    assert_eq!(jwt.verdict(), (401, "unknown_access_token"));
}

#[tokio::test]
async fn all_four_variables_accept_both_credentials() {
    let file = TokenFile::of(entry(&PEER, TOKEN, now()));
    let auth = from_env(&file, &JWT).expect("a good environment");
    assert_eq!(auth.health().issuers.len(), 1);
    assert_eq!(verdict(&auth, TOKEN).await, "ok");
    assert_eq!(verdict(&auth, "a.b.c").await, "malformed");
}

#[test]
fn missing_jwt_variables_are_named() {
    let file = TokenFile::of(entry(&PEER, TOKEN, now()));
    for given in 1..7 {
        let is_given = |at: usize| given & 1 << at != 0;
        let vars: Vec<_> = (0..3)
            .filter(|at| is_given(*at))
            .map(|at| JWT[at])
            .collect();
        let missing = (0..3).filter(|at| !is_given(*at));
        let expected: Vec<_> = missing
            .map(|at| format!("{} is required", JWT[at].0))
            .collect();
        assert_eq!(faults(from_env(&file, &vars)), expected, "{vars:?}");
    }
    // With nothing set, all three are missing.
    let nothing = Config::from_vars([("GO_AUTH_ACCESS_TOKENS", "")]);
    assert_eq!(nothing.expect_err("nothing is set").faults().len(), 3);
}

#[test]
fn a_bad_file_stops_the_start_and_names_each_line() {
    let file = TokenFile::of(format!(
        "{}[[token]]\napi = \"Availability Peer\"\ntokn = \"{OTHERS}\"\n",
        entry(&PEER, TOKEN, now())
    ));
    let found = faults(from_env(&file, &[]));
    let lines: Vec<_> = [5, 5, 6, 7].map(|line| format!("line {line}: ")).into();
    assert_eq!(found.len(), lines.len(), "{found:?}");
    for (fault, line) in found.iter().zip(lines) {
        assert!(fault.starts_with("GO_AUTH_ACCESS_TOKENS: "), "{fault}");
        assert!(fault.contains(&line), "{fault}");
        assert!(fault.contains(&format!("{:?}", file.path())), "{fault}");
        assert!(!fault.contains("53ac0777"), "{fault}");
    }

    std::fs::remove_file(file.path()).expect("removed");
    let found = faults(from_env(&file, &[]));
    assert!(found[0].contains("it can't be read"), "{found:?}");
    // Together with whatever else is wrong.
    let found = faults(
        GoAuth::builder()
            .access_tokens_file(file.path())
            .configure(|it| it.realm = "\"".into())
            .build(),
    );
    assert_eq!(found.len(), 2, "{found:?}");
}

/// As in a client's test of 2019: a JWT with HS256, which is what GO's tokens were.
fn old_token() -> String {
    let of = |bytes: usize| {
        "eyJhbGciOiJIUzI1NiJ9"
            .repeat(bytes)
            .chars()
            .take(bytes)
            .collect()
    };
    let segments: [String; 3] = [of(36), of(400), of(43)];
    segments.join(".")
}

#[tokio::test]
async fn an_old_token_of_three_segments_is_accepted_alone() {
    let file = TokenFile::of(entry(&PEER, &old_token(), now()));
    let auth = from_env(&file, &[]).expect("no JWTs are accepted");
    let server = Server::of(&auth).await;
    assert_eq!(server.kind(&old_token()).await, "ok");
    let given = [AccessToken::new(PEER, old_token(), now())];
    let auth = GoAuth::builder().access_tokens(AccessTokens::new(given).expect("good"));
    let server = Server::of(&auth.build().expect("no JWTs are accepted")).await;
    assert_eq!(server.kind(&old_token()).await, "ok");
}

#[tokio::test]
async fn beside_jwts_an_old_token_is_a_fault_of_its_line() {
    let other = entry(&Api::V3_RESERVATION, OTHERS, now());
    let file = TokenFile::of(format!("{other}{}", entry(&PEER, &old_token(), now())));
    let wrong = "the token has two dots, and would be taken for a JWT, since JWTs are accepted too";
    let expected = format!("GO_AUTH_ACCESS_TOKENS: {:?}: line 5: {wrong}", file.path());
    assert_eq!(faults(from_env(&file, &JWT)), [expected]);

    // A later file is rejected too, and the tokens stay.
    file.write(&other);
    let auth = from_env(&file, &JWT).expect("a good file");
    file.write(format!("{other}{}", entry(&PEER, &old_token(), now())));
    let error = soon(auth.reload_access_tokens())
        .await
        .expect_err("a fault");
    assert!(
        error.to_string().contains(&format!("line 5: {wrong}")),
        "{error}"
    );

    let given = AccessTokens::new([AccessToken::new(PEER, old_token(), now())]);
    let both = Keys::new().builder().access_tokens(given.expect("good"));
    assert_eq!(
        faults(both.build()),
        [format!("access_tokens: token 1: {wrong}")]
    );
}

#[cfg(unix)]
#[tokio::test]
async fn files_open_to_all_need_a_setting() {
    use std::os::unix::fs::PermissionsExt;
    let (lines, _guard) = Lines::capture();
    let warning = "danger_allow_writable_files is set";
    let file = TokenFile::of(entry(&PEER, TOKEN, now()));
    let setting = "GO_AUTH_DANGER_ALLOW_WRITABLE_FILES";
    let all = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(file.path(), all(0o666)).expect("our own");
    for value in ["", "false"] {
        let found = faults(from_env(&file, &[(setting, value)]));
        assert!(found[0].contains("everybody can write it"), "{found:?}");
    }
    assert!(!lines.text().contains(warning));
    let directory = file.path().parent().expect("a directory").to_owned();
    std::fs::set_permissions(directory, all(0o777)).expect("our own");
    for start in 1..=2 {
        let auth = from_env(&file, &[(setting, "true")]).expect("allowed");
        assert_eq!(verdict(&auth, TOKEN).await, "ok");
        soon(auth.reload_access_tokens()).await.expect("allowed");
        assert_eq!(lines.text().matches(warning).count(), start);
    }
    let found = faults(from_env(&file, &[(setting, "yes")]));
    assert_eq!(found, [format!("{setting} is \"yes\", not true or false")]);
}

#[test]
fn tokens_in_code_and_in_a_file_are_a_fault() {
    let file = TokenFile::of(entry(&PEER, TOKEN, now()));
    let given = AccessTokens::new([AccessToken::new(PEER, TOKEN, now())]);
    let both = GoAuth::builder()
        .access_tokens(given.expect("good tokens"))
        .access_tokens_file(file.path());
    assert_eq!(
        faults(both.build()),
        ["access_tokens has no use, since the tokens are given"]
    );
}

#[tokio::test]
async fn without_access_tokens_there_is_nothing_to_reload() {
    let auth = Keys::new().builder().build().expect("a good configuration");
    assert_eq!(auth.health().access_tokens, None);
    let json = serde_json::to_value(auth.health()).expect("JSON");
    assert!(json.get("access_tokens").is_none(), "{json}");
    soon(auth.reload_access_tokens())
        .await
        .expect("nothing to do");
}

#[tokio::test]
async fn no_output_contains_an_access_token() {
    let (lines, _guard) = Lines::capture();
    let keys = Keys::new();
    let clock = ManualClock::starting_now();
    let others = entry(&Api::V3_RESERVATION, OTHERS, clock.now());
    let others = others.replace(
        &format!("token = \"{OTHERS}\""),
        &format!("sha256 = \"{OTHERS_SHA256}\""),
    );
    let good = entry(&PEER, TOKEN, clock.now()) + &others;
    let file = TokenFile::of(&good);
    let auth = keys.builder().access_tokens_file(file.path()).build();
    let auth = auth.expect("a good configuration");
    let mut printed = vec![format!("{auth:?} {:?}", auth.layer())];
    let layers = [
        auth.layer(),
        auth.layer().api(Api::V3_RESERVATION),
        auth.layer().danger_observe_only(),
    ];
    for layer in layers {
        let debug = post(async |caller: Option<Verified>, request: Request| {
            format!("{caller:?} {request:?}")
        });
        let server = Server::start(axum::Router::new().route(PUSH, debug.layer(layer))).await;
        for token in [TOKEN, OTHERS, STRANGERS, "53ac0777", "a.53ac0777.c"] {
            for authorization in [token.to_owned(), format!("Bearer {token}")] {
                printed.push(format!("{:?}", server.post(PUSH, &*authorization).await));
            }
        }
    }
    for bad in [
        good.replacen("token = \"", "token = ", 1),
        good.replacen("availability-peer", TOKEN, 1),
        good.replacen("api", TOKEN, 1),
    ] {
        file.write(bad);
        let error = soon(auth.reload_access_tokens()).await;
        printed.push(format!("{error:?} {}", error.as_ref().expect_err("bad")));
        printed.push(format!("{:?}", auth.health()));
        printed.push(serde_json::to_string(&auth.health()).expect("JSON"));
        let config = GoAuth::builder().access_tokens_file(file.path()).build();
        printed.push(config.expect_err("bad").to_string());
    }

    let (printed, logged) = (printed.concat(), lines.text());
    assert!(printed.contains("is_previous") && printed.contains("Sensitive"));
    for expected in ["request accepted", "request rejected", "can't be used"] {
        assert!(logged.contains(expected), "{expected} is not in the log");
    }
    for text in [printed, logged] {
        for part in [
            "53ac0777",
            "aaaaaaaa",
            "bbbbbbbb",
            "cccccccc",
            &OTHERS_SHA256[..8],
        ] {
            assert!(!text.contains(part), "{part} is in {text}");
        }
    }
}

#[tokio::test]
async fn a_toml_config_names_the_file_of_tokens() {
    let file = TokenFile::of(entry(&Api::V3_RESERVATION, TOKEN, now()));
    let config = format!("access_tokens = {:?}", file.path());
    let config: Config = toml::from_str(&config).expect("a configuration");
    let auth = config.build().expect("enough");
    let server = Server::of(&auth).await;
    assert_eq!(server.post(RESERVATION, TOKEN).await.verdict(), (200, "ok"));
    assert_eq!(server.post(PUSH, TOKEN).await.verdict(), (403, "wrong_api"));
}
