use std::time::Duration;

use super::*;
use crate::GoAuth;
use crate::fault::ConfigError;
use crate::inbound::BodyShape;
use crate::jwt::policy::RequiredClaim;

fn good() -> Config {
    Config {
        issuer: "https://id/X/.well-known/openid-configuration".to_owned(),
        audience: vec!["ZKT".to_owned()],
        jwks_url: "https://id.example/id/X/keys".to_owned(),
        ..Config::default()
    }
}

fn faults(config: &Config) -> Vec<String> {
    config
        .checked(Keys::Fetched, false)
        .err()
        .map(|error| error.faults().map(str::to_owned).collect())
        .unwrap_or_default()
}

#[test]
fn the_defaults_match_the_contract() {
    let config = good();
    let secs = Duration::from_secs;
    assert_eq!(config.leeway, secs(30));
    assert_eq!(config.refresh_interval, secs(300));
    assert_eq!(config.cooldown, secs(10));
    assert_eq!(config.key_wait, secs(2));
    assert_eq!(config.max_waiting, 128);
    assert_eq!(config.connect_timeout, secs(2));
    assert_eq!(config.fetch_timeout, secs(5));
    assert_eq!(config.max_stale, secs(86_400));
    assert_eq!(config.max_document_bytes, 262_144);
    assert_eq!(config.max_token_bytes, 8192);
    assert_eq!(config.token_cache_bytes, 16_777_216);
    assert_eq!(config.on_failure, OnFailure::Reject);
    assert_eq!(config.ignore_status, 404);
    assert_eq!(config.body, BodyShape::Gateway);
    assert!(config.subjects.is_empty() && config.required_claims.is_empty());
    assert!(config.distrusted_keys.is_empty());
    assert_eq!(config.max_lifetime, None);
    assert!(!config.danger_allow_http);
    assert_eq!(faults(&config), [""; 0]);
}

#[test]
fn every_fault_is_reported_at_once() {
    let config = Config {
        leeway: Duration::from_secs(301),
        max_token_bytes: 0,
        cooldown: Duration::ZERO,
        ignore_status: 99,
        realm: "a\"b".to_owned(),
        ..Config::default()
    };
    let error = config
        .checked(Keys::Fetched, false)
        .expect_err("a bad configuration");
    let text = error.to_string();
    for setting in [
        "issuer is required",
        "audience is required",
        "jwks_url is required",
        "leeway is more than 5m",
        "max_token_bytes",
        "cooldown",
        "ignore_status",
        "realm",
    ] {
        assert!(
            text.contains(&format!("\n- {setting}")),
            "{setting} in {text}"
        );
    }
    assert_eq!(error.faults().len(), 8);
}

#[test]
fn each_limit_holds_on_both_sides() {
    let millis = Duration::from_millis;
    type Change = fn(&mut Config, Duration);
    let rows: [(Change, Duration, bool); 16] = [
        (|c, d| c.leeway = d, millis(300_000), true),
        (|c, d| c.leeway = d, millis(300_001), false),
        (|c, d| c.refresh_interval = d, millis(1000), true),
        (|c, d| c.refresh_interval = d, millis(999), false),
        (|c, d| c.refresh_interval = d, millis(86_400_001), false),
        (|c, d| c.cooldown = d, millis(100), true),
        (|c, d| c.cooldown = d, millis(99), false),
        (|c, d| c.cooldown = d, millis(600_001), false),
        (|c, d| c.key_wait = d, millis(9), false),
        (|c, d| c.key_wait = d, millis(30_001), false),
        (|c, d| c.fetch_timeout = d, millis(9), false),
        (|c, d| c.connect_timeout = d, millis(60_001), false),
        (|c, d| c.max_stale = d, millis(7 * 86_400_000), true),
        (|c, d| c.max_stale = d, millis(7 * 86_400_000 + 1), false),
        (|c, d| c.max_stale = d, millis(299_999), false),
        (|c, d| c.max_lifetime = Some(d), Duration::ZERO, false),
    ];
    for (row, (change, value, usable)) in rows.into_iter().enumerate() {
        let mut config = good();
        change(&mut config, value);
        assert_eq!(faults(&config).is_empty(), usable, "row {row}: {value:?}");
    }
}

#[test]
fn max_waiting_ranges_from_1_to_65536() {
    for (max_waiting, usable) in [(0, false), (1, true), (65_536, true), (65_537, false)] {
        let config = Config {
            max_waiting,
            ..good()
        };
        assert_eq!(faults(&config).is_empty(), usable, "{max_waiting}");
    }
}

#[test]
fn a_distrusted_key_id_has_1_to_256_bytes() {
    for (kid, expected) in [
        ("", "distrusted_keys has an empty entry"),
        (" ", "distrusted_keys has an empty entry"),
        ("k", ""),
        (&*"k".repeat(256), ""),
        (
            &*"k".repeat(257),
            "distrusted_keys has an entry of more than 256 bytes",
        ),
    ] {
        let builder = GoAuth::builder()
            .configure(|it| it.distrusted_keys.push("k0".into()))
            .configure(|it| it.distrusted_keys.push(kid.into()));
        let built = (builder.issuer("i").audience("a"))
            .jwks_url("https://id.example/keys")
            .build();
        let found = match &built {
            Ok(_) => "",
            Err(error) => error.faults().next().unwrap_or_default(),
        };
        assert_eq!(found, expected, "{kid}");
    }
}

#[test]
fn the_key_address_is_https_or_this_machine() {
    for (address, allow_http, usable) in [
        ("https://id.example/keys", false, true),
        ("http://127.0.0.1:8080/keys", false, true),
        ("http://127.9.9.9/keys", false, true),
        ("http://localhost/keys", false, true),
        ("http://[::1]:1/keys", false, true),
        ("http://id.example/keys", false, false),
        ("http://127.0.0.1.example/keys", false, false),
        ("http://localhost.example/keys", false, false),
        ("http://10.0.0.1/keys", false, false),
        ("http://id.example/keys", true, true),
        ("ftp://id.example/keys", true, false),
        ("file:///etc/keys", true, false),
        ("https://user@id.example/keys", false, false),
        ("https://:secret@id.example/keys", false, false),
        ("https://id.example/keys#x", false, false),
        ("id.example/keys", false, false),
        ("", false, false),
    ] {
        let config = Config {
            jwks_url: address.to_owned(),
            danger_allow_http: allow_http,
            ..good()
        };
        assert_eq!(faults(&config).is_empty(), usable, "{address}");
    }
}

#[test]
fn several_issuers_are_trusted_or_known() {
    let config: Config = toml::from_str(
        r#"
        environment = "production"
        issuer = "https://id/A"
        audience = ["ZKT"]
        jwks_url = "https://id.example/A/keys"
        snapshot = "/var/lib/go-auth/A.json"
        [[issuers]]
        issuer = "https://id/B"
        audience = ["ZKT"]
        jwks_url = "https://id.example/B/keys"
        environment = "production"
        [[issuers]]
        issuer = "https://id/C"
        environment = "certification"
        "#,
    )
    .expect("a configuration");
    let checked = config.checked(Keys::Fetched, false).expect("no faults");
    let trusted: Vec<_> = (checked.trusted.iter())
        .map(|issuer| issuer.verifier.issuer())
        .collect();
    assert_eq!(trusted, ["https://id/A", "https://id/B"]);
    assert_eq!(*checked.elsewhere, ["https://id/C".into()]);
    assert!(checked.trusted[0].snapshot.is_some() && checked.trusted[1].snapshot.is_none());
}

#[test]
fn issuers_without_an_environment_are_all_trusted() {
    let config = Config {
        issuers: vec![
            IssuerConfig::new("a", "ZKT", "https://id.example/a"),
            IssuerConfig::new("b", "ZKT", "https://id.example/b"),
        ],
        ..Config::default()
    };
    let checked = config.checked(Keys::Fetched, false).expect("no faults");
    assert_eq!(checked.trusted.len(), 2);
    assert!(checked.elsewhere.is_empty());
}

#[test]
fn an_issuer_at_the_top_is_not_ignored_if_any_of_it_is_set() {
    let sets: [fn(&mut Config); 4] = [
        |it| it.issuer = "https://id/A".to_owned(),
        |it| it.audience = vec!["ZKT".to_owned()],
        |it| it.jwks_url = "https://id.example/A/keys".to_owned(),
        |it| it.jwks_file = Some("/A/keys.json".into()),
    ];
    for (at, set) in sets.into_iter().enumerate() {
        let mut config = Config {
            issuers: vec![IssuerConfig::new("b", "ZKT", "https://id.example/b")],
            ..Config::default()
        };
        assert_eq!(faults(&config), [""; 0]);
        set(&mut config);
        assert_ne!(faults(&config), [""; 0], "{at}");
    }
}

#[test]
fn where_an_environment_is_served_each_issuer_names_one() {
    let text = "environment = \"production\"\n\
        [[issuers]]\n\
        issuer = \"a\"\n\
        audience = \"ZKT\"\n\
        jwks_url = \"https://id.example/a\"\n\
        \n\
        [[issuers]]\n\
        issuer = \"b\"\n\
        environment = \"certification\"\n";
    let error = Config::from_toml(text).expect_err("whose issuer is it?");
    let found: Vec<_> = error.faults().collect();
    let wrong = "is required, since environment is set";
    assert_eq!(found, [format!("line 2: issuers[0].environment {wrong}")]);
    let named = text.replacen("issuer =", "environment = \"production\"\nissuer =", 1);
    let config = Config::from_toml(&named).expect("no faults");
    let checked = config.checked(Keys::Fetched, false).expect("no faults");
    assert_eq!((checked.trusted.len(), checked.elsewhere.len()), (1, 1));
}

#[test]
fn the_guides_file_serves_either_environment_or_both() {
    let page = include_str!("../../docs/guide/configuration.md");
    let section = page.split("\n## Certification beside production\n").nth(1);
    let block = section.and_then(|text| text.split("```").nth(1));
    let text = block.and_then(|block| block.strip_prefix("toml\n"));
    let text = text.expect("the file");
    assert!(text.starts_with("[[issuers]]"), "{text}");
    for (first, trusted) in [
        ("environment = \"production\"", &["https://id/"][..]),
        ("environment = \"certification\"", &["https://id.test/"]),
        ("", &["https://id/", "https://id.test/"]),
    ] {
        let config = Config::from_toml(&format!("{first}\n{text}")).expect("no faults");
        let checked = config.checked(Keys::Fetched, false).expect("no faults");
        let issuers = checked.trusted.iter().map(|it| it.verifier.issuer());
        let fit = issuers
            .zip(trusted)
            .all(|(issuer, start)| issuer.starts_with(start));
        assert!(fit && checked.trusted.len() == trusted.len(), "{first}");
    }
}

#[test]
fn faults_of_further_issuers_name_the_issuer() {
    let config = Config {
        snapshot: Some("/s".into()),
        issuers: vec![
            IssuerConfig::new("b", "", "https://id.example/b"),
            IssuerConfig::new(good().issuer, "a", "http://id.example/b"),
            IssuerConfig {
                snapshot: Some("/s".into()),
                ..IssuerConfig::new("c", "a", "https://id.example/c")
            },
            IssuerConfig {
                environment: Some("certification".to_owned()),
                ..IssuerConfig::default()
            },
        ],
        environment: Some("production".to_owned()),
        ..good()
    };
    assert_eq!(
        faults(&config),
        [
            "issuers[0].environment is required, since environment is set",
            "issuers[1].issuer is there twice",
            "issuers[1].environment is required, since environment is set",
            "issuers[2].environment is required, since environment is set",
            "issuers[3].issuer is required",
            "issuers[2].snapshot is the file of another issuer",
            "issuers[0].audience has an empty entry",
            "issuers[1].jwks_url is plain http to another machine",
        ]
    );

    let nobody = Config {
        issuers: vec![IssuerConfig::of_environment("c", "certification")],
        environment: Some("production".to_owned()),
        ..Config::default()
    };
    assert_eq!(faults(&nobody), ["environment is that of no issuer"]);
}

#[test]
fn serde_reads_the_names_and_rejects_unknown_ones() {
    let config: Config = serde_json::from_str(
        r#"{"issuer":"i","audience":["a","b"],"jwks_url":"https://id.example/keys",
            "leeway":"10s","refresh_interval":"1m 30s","max_lifetime":"10m",
            "required_claims":["jti","sub"],"on_failure":"ignore","body":"key-not-authorised"}"#,
    )
    .expect("a configuration");
    assert_eq!(config.leeway, Duration::from_secs(10));
    assert_eq!(config.refresh_interval, Duration::from_secs(90));
    assert_eq!(config.max_lifetime, Some(Duration::from_secs(600)));
    assert_eq!(
        config.required_claims,
        [RequiredClaim::Jti, RequiredClaim::Sub]
    );
    assert_eq!(config.on_failure, OnFailure::Ignore);
    assert_eq!(config.body, BodyShape::KeyNotAuthorised);
    assert_eq!(config.cooldown, Duration::from_secs(10));

    let written = serde_json::to_string(&config).expect("JSON");
    assert_eq!(
        serde_json::from_str::<Config>(&written).expect("the same"),
        config
    );

    for wrong in [
        r#"{"issuer":"i","audience":["a"],"jwks_url":"u","leway":"10s"}"#,
        r#"{"issuer":"i","audience":["a"],"jwks_url":"u","leeway":10}"#,
        r#"{"issuer":"i","audience":["a"],"jwks_url":"u","leeway":"ten"}"#,
        r#"{"issuer":"i","audience":["a"],"jwks_url":"u","required_claims":["exp2"]}"#,
        r#"{"issuer":"i","issuers":[{"issuer":"j","audiences":["a"]}]}"#,
    ] {
        assert!(serde_json::from_str::<Config>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_config_without_max_lifetime_round_trips() {
    let config = good();
    assert_eq!(config.max_lifetime, None);
    let written = serde_json::to_string(&config).expect("JSON");
    assert_eq!(
        serde_json::from_str::<Config>(&written).expect("the same"),
        config
    );
    let written = toml::to_string(&config).expect("TOML");
    assert_eq!(
        toml::from_str::<Config>(&written).expect("the same"),
        config
    );
}

fn from_vars(vars: &[(&str, &str)]) -> Result<Config, ConfigError> {
    const REQUIRED: [(&str, &str); 3] = [
        (
            "GO_AUTH_ISSUER",
            "https://id/X/.well-known/openid-configuration",
        ),
        ("GO_AUTH_AUDIENCE", "ZKT, ZKT-2"),
        ("GO_AUTH_JWKS_URL", "https://id.example/id/X/keys"),
    ];
    Config::from_vars(REQUIRED.into_iter().chain(vars.iter().copied()))
}

#[test]
fn every_variable_of_the_contract_is_read() {
    let config = from_vars(&[
        ("PATH", "/bin"),
        ("GO_AUTH_LEEWAY", "1s"),
        ("GO_AUTH_REFRESH_INTERVAL", "2m"),
        ("GO_AUTH_COOLDOWN", "3s"),
        ("GO_AUTH_KEY_WAIT", "4s"),
        ("GO_AUTH_MAX_WAITING", "5"),
        ("GO_AUTH_FETCH_TIMEOUT", "6s"),
        ("GO_AUTH_MAX_STALE", "7h"),
        ("GO_AUTH_DISTRUSTED_KEYS", "k1, k2"),
        ("GO_AUTH_ON_FAILURE", "ignore"),
        ("GO_AUTH_IGNORE_STATUS", "410"),
        ("GO_AUTH_BODY", "error-code"),
        ("GO_AUTH_SUBJECTS", "ds-go-module,other"),
        ("GO_AUTH_REQUIRED_CLAIMS", "nbf, iat"),
        ("GO_AUTH_MAX_TOKEN_BYTES", "4096"),
        ("GO_AUTH_TOKEN_CACHE_BYTES", "0"),
        ("GO_AUTH_SNAPSHOT", "/var/lib/go-auth/keys.json"),
        ("GO_AUTH_DANGER_ALLOW_WRITABLE_FILES", "true"),
    ])
    .expect("a configuration");
    let secs = Duration::from_secs;
    let expected = Config {
        audience: vec!["ZKT".to_owned(), "ZKT-2".to_owned()],
        leeway: secs(1),
        refresh_interval: secs(120),
        cooldown: secs(3),
        key_wait: secs(4),
        max_waiting: 5,
        fetch_timeout: secs(6),
        max_stale: secs(7 * 3600),
        distrusted_keys: vec!["k1".to_owned(), "k2".to_owned()],
        on_failure: OnFailure::Ignore,
        ignore_status: 410,
        body: BodyShape::ErrorCode,
        subjects: vec!["ds-go-module".to_owned(), "other".to_owned()],
        required_claims: vec![RequiredClaim::Nbf, RequiredClaim::Iat],
        max_token_bytes: 4096,
        token_cache_bytes: 0,
        snapshot: Some("/var/lib/go-auth/keys.json".into()),
        danger_allow_writable_files: true,
        ..good()
    };
    assert_eq!(config, expected);
}

#[test]
fn keys_come_from_an_address_or_a_file() {
    let text = "issuer = \"a\"\naudience = \"ZKT\"\njwks_file = \"/keys.json\"\n\
        [[issuers]]\nissuer = \"b\"\naudience = \"ZKT\"\njwks_file = \"/b.json\"\n";
    let config = Config::from_toml(text).expect("no address is needed");
    assert_eq!(config.jwks_file.as_deref(), Some("/keys.json".as_ref()));
    let vars = [
        ("GO_AUTH_ISSUER", "a"),
        ("GO_AUTH_AUDIENCE", "ZKT"),
        ("GO_AUTH_JWKS_FILE", "/keys.json"),
    ];
    let of_vars = Config::from_vars(vars).expect("no address is needed");
    assert_eq!(of_vars.jwks_file, config.jwks_file);

    let both = text.to_owned()
        + "jwks_url = \"https://id.example/b\"\nsnapshot = \"/b.snapshot\"\n\
           [[issuers]]\nissuer = \"c\"\naudience = \"ZKT\"\njwks_file = \"\"\n";
    let error = Config::from_toml(&both).expect_err("faults");
    assert_eq!(
        error.faults().collect::<Vec<_>>(),
        [
            "line 8: issuers[0].jwks_url is set beside jwks_file; only one can be",
            "line 7: issuers[0].jwks_file is set beside jwks_url; only one can be",
            "line 9: issuers[0].snapshot has no use beside jwks_file",
            "line 13: issuers[1].jwks_file is empty",
        ]
    );
    let error = from_vars(&[("GO_AUTH_JWKS_FILE", "/keys.json")]).expect_err("both are set");
    assert_eq!(
        error.faults().collect::<Vec<_>>(),
        [
            "GO_AUTH_JWKS_URL is set beside jwks_file; only one can be",
            "GO_AUTH_JWKS_FILE is set beside jwks_url; only one can be",
        ]
    );
}

#[test]
fn an_empty_restriction_is_a_fault() {
    for name in [
        "GO_AUTH_SUBJECTS",
        "GO_AUTH_REQUIRED_CLAIMS",
        "GO_AUTH_DISTRUSTED_KEYS",
    ] {
        let error = from_vars(&[(name, "")]).expect_err(name);
        let faults: Vec<_> = error.faults().collect();
        assert_eq!(
            faults,
            [format!("{name} is empty; unset it for no restriction")]
        );
    }
}

#[test]
fn an_overflowing_duration_is_a_fault_not_a_panic() {
    let longest = "18446744073709551615s";
    for (text, wrong) in [
        (longest, "is more than 5m"),
        ("18446744073709551614s 1000ms", "is more than 5m"),
        ("18446744073709551615s 999ms", "is more than 5m"),
        (
            "18446744073709551615s 1000ms",
            "is \"18446744073709551615s 1000ms\", not a duration such as 30s or 5m",
        ),
    ] {
        let error = from_vars(&[("GO_AUTH_LEEWAY", text)]).expect_err(text);
        let faults: Vec<_> = error.faults().collect();
        assert_eq!(faults, [format!("GO_AUTH_LEEWAY {wrong}")], "{text}");
    }
    let parts = from_vars(&[("GO_AUTH_LEEWAY", " 1m 1 s1.5 sec 500ms ")]);
    assert_eq!(parts.unwrap().leeway, Duration::from_secs(63));
    assert!(from_vars(&[("GO_AUTH_LEEWAY", "0")]).is_ok());
    for wrong in ["1m 1", "1m 0", "1m s", "m", "1 m 1 h x", "1m, 1s", "-1s"] {
        assert!(from_vars(&[("GO_AUTH_LEEWAY", wrong)]).is_err(), "{wrong}");
    }
}

#[test]
fn service_links_are_not_settings() {
    let links = [
        ("GO_AUTH_SERVICE_HOST", "10.0.0.1"),
        ("GO_AUTH_SERVICE_PORT_HTTP", "80"),
        ("GO_AUTH_PORT", "tcp://10.0.0.1:80"),
        ("GO_AUTH_PORT_80_TCP_ADDR", "10.0.0.1"),
    ];
    assert_eq!(from_vars(&links), from_vars(&[]));
}

#[test]
fn an_empty_variable_counts_as_unset() {
    assert_eq!(
        from_vars(&[("GO_AUTH_LEEWAY", "")]).unwrap().leeway,
        Config::default().leeway
    );
}

/// Each field has a variable, or is known to have none.
#[test]
fn a_field_without_a_variable_is_a_known_setting() {
    let config = toml::Value::try_from(Config::default()).expect("TOML");
    let fields = config.as_table().expect("a table").keys();
    let optional = [
        "jwks_file",
        "snapshot",
        "access_tokens",
        "max_lifetime",
        "environment",
    ];
    let fields = fields.map(String::as_str).chain(optional);
    let mut without = Vec::new();
    for field in fields {
        let name = format!("GO_AUTH_{}", field.to_uppercase());
        let error = Config::from_vars([(&*name, "\u{7f}"), ("GO_AUTH_X", "x")]);
        let error = error.expect_err("X is no setting");
        let mut faults = error.faults().filter(|fault| fault.starts_with(&name));
        match faults.next() {
            Some(fault) if fault.ends_with("is set in a file or in code alone") => {
                without.push(field);
            }
            fault => assert!(
                !fault.is_some_and(|it| it.contains("not a setting")),
                "{name}"
            ),
        }
    }
    without.sort_unstable();
    without.dedup();
    assert_eq!(
        without,
        [
            "connect_timeout",
            "issuers",
            "max_document_bytes",
            "max_lifetime",
            "realm",
        ]
    );
}

#[test]
fn an_invalid_environment_reports_all_its_faults() {
    let error = Config::from_vars([
        ("GO_AUTH_LEEWAY", "soon"),
        ("GO_AUTH_LEWAY", "1s"),
        ("GO_AUTH_REQUIRED_CLAIMS", "nbf,foo"),
        ("GO_AUTH_ON_FAILURE", "explode\u{1b}"),
        ("GO_AUTH_COOLDOWN", "1ms"),
    ])
    .expect_err("a bad environment");
    let faults: Vec<_> = error.faults().collect();
    assert_eq!(
        faults,
        [
            "GO_AUTH_LEEWAY is \"soon\", not a duration such as 30s or 5m",
            "GO_AUTH_LEWAY is not a setting; did you mean GO_AUTH_LEEWAY?",
            "GO_AUTH_REQUIRED_CLAIMS is \"foo\", not nbf, iat, jti or sub",
            "GO_AUTH_ON_FAILURE is \"explode\\u{1b}\", not reject or ignore",
            "GO_AUTH_COOLDOWN is not from 100ms to 10m",
            "GO_AUTH_ISSUER is required",
            "GO_AUTH_AUDIENCE is required",
            "GO_AUTH_JWKS_URL is required",
        ]
    );
}

#[test]
fn a_verifier_needs_no_key_address() {
    let config = Config {
        jwks_url: String::new(),
        ..good()
    };
    assert_eq!(
        config.verifier().expect("a verifier").issuer(),
        config.issuer
    );
    assert!(Config::default().verifier().is_err());
}

mod exact;
mod file;
mod platform;

#[test]
fn max_waiting_is_checked_even_without_jwts() {
    let config = Config {
        access_tokens: Some("tokens.toml".into()),
        max_waiting: usize::MAX,
        ..Config::default()
    };
    let faults = faults(&config);
    assert_eq!(faults, ["max_waiting is not from 1 to 65536"]);
}

#[test]
fn with_given_keys_nothing_says_where_others_are() {
    let given = || Config {
        jwks_url: String::new(),
        ..good()
    };
    let faults = |config: &Config, keys| match config.checked(keys, false) {
        Ok(_) => Vec::new(),
        Err(error) => error.faults().map(str::to_owned).collect(),
    };
    assert_eq!(faults(&given(), Keys::Given), [""; 0]);
    assert_eq!(faults(&given(), Keys::GivenNone), ["keys has no key"]);
    let path = || Some("/keys.json".into());
    for config in [
        good(),
        Config {
            jwks_file: path(),
            ..given()
        },
        Config {
            snapshot: path(),
            ..given()
        },
    ] {
        assert_eq!(
            faults(&config, Keys::Given),
            ["keys is given, so that jwks_url, jwks_file and snapshot have no use"]
        );
    }
}

#[test]
fn a_blank_entry_is_one_fault() {
    let config = Config {
        audience: vec![" ".to_owned()],
        ..good()
    };
    assert_eq!(faults(&config), ["audience has an empty entry"]);
}
