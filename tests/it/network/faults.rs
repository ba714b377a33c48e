//! Settings of the network that can't be used: each is named, and no password is printed.

use std::fs::Permissions;
use std::path::Path;

use derbysoft_go_auth::config::{ConfigError, ProxyAddress};
use derbysoft_go_auth::outbound::{Gateway, HttpClient};
use derbysoft_go_auth::{Config, GoAuth, Network};
use serde_json::json;

use test_support::company::{Company, pem};

const SETTINGS: [(&str, &str); 3] = [
    ("GO_AUTH_ISSUER", "https://id/X"),
    ("GO_AUTH_AUDIENCE", "ZKT"),
    ("GO_AUTH_JWKS_URL", "https://id.example/keys"),
];

fn faults_of<T>(made: Result<T, ConfigError>) -> Vec<String> {
    let error = made.err();
    (error.iter().flat_map(ConfigError::faults))
        .map(str::to_owned)
        .collect()
}

/// What building says, which must be the same in all places.
#[track_caller]
fn faults(network: &Network) -> Vec<String> {
    let keys = GoAuth::builder()
        .issuer("https://id/X")
        .audience("ZKT")
        .jwks_url("https://id.example/keys")
        .network(network.clone());
    let keys = faults_of(keys.build());
    let calls = faults_of(HttpClient::builder().network(network.clone()).build());
    assert_eq!(calls, keys);
    let tokens = Gateway::builder().network(network.clone()).build();
    let needs = [
        "token_url is required",
        "api is required",
        "credentials is required",
    ];
    let tokens = faults_of(tokens)
        .into_iter()
        .filter(|fault| !needs.contains(&&**fault));
    assert_eq!(tokens.collect::<Vec<_>>(), keys);
    keys
}

#[test]
fn a_wrong_proxy_is_a_fault_that_repeats_nothing() {
    let form = "is not an address such as http://proxy.example:3128";
    let scheme = "is neither http:// nor https://";
    let more =
        "has more than a host and a port: write /, ? and # in a password as %2F, %3F and %23";
    for (address, wrong) in [
        ("", form),
        ("hunter2", form),
        ("http://", form),
        ("http://user:hunter2#@proxy.example:3128", form),
        ("http://user:hunter2/@proxy.example:3128", form),
        ("http://user:99/hunter2@proxy.example:3128", more),
        ("http://proxy.example:3128/hunter2", more),
        ("http://proxy.example:3128?hunter2", more),
        ("http://proxy.example:3128#hunter2", more),
        ("proxy.example:3128", scheme),
        ("socks5://user:hunter2@proxy.example", scheme),
        ("user:hunter2@proxy.example:3128", scheme),
        (
            "http://***@proxy.example:3128",
            "has *** for a user name, as it is printed",
        ),
    ] {
        let network = Network::new().proxy(address);
        assert_eq!(faults(&network), [format!("proxy {wrong}")], "{address}");
        let vars = SETTINGS.into_iter().chain([("GO_AUTH_PROXY", address)]);
        let expected = format!("GO_AUTH_PROXY {wrong}");
        if !address.is_empty() {
            assert_eq!(faults_of(Config::from_vars(vars.clone())), [&*expected]);
            assert_eq!(faults_of(Network::from_vars(vars)), [&*expected]);
        }
        for printed in printed(address) {
            assert!(
                !printed.contains("hunter2") && !printed.contains("99"),
                "{printed}"
            );
        }
    }
}

fn printed(address: &str) -> Vec<String> {
    let network = Network::new().proxy(address);
    let builder = GoAuth::builder().network(network.clone());
    let mut config = Config::default();
    config.proxy = Some(address.into());
    vec![
        format!("{network:?}"),
        format!("{builder:?}"),
        format!("{config:?}"),
        format!("{:#?}", HttpClient::builder().network(network)),
        serde_json::to_string(&config).expect("JSON"),
        toml::to_string(&config).expect("TOML"),
    ]
}

#[test]
fn a_password_is_never_printed() {
    for printed in printed("http://user:hunter%402@proxy.example:3128") {
        assert!(
            printed.contains("http://***@proxy.example:3128"),
            "{printed}"
        );
        assert!(!printed.contains("hunter"), "{printed}");
    }
    for printed in printed("http://proxy.example:3128") {
        assert!(
            printed.contains("\"http://proxy.example:3128\""),
            "{printed}"
        );
    }
    let error = toml::from_str::<Config>("proxy = ['http://user:hunter2@p']").unwrap_err();
    assert!(!error.message().contains("hunter2"), "{error}");
    let error = Config::from_toml("proxy = ['http://user:hunter2@p']").unwrap_err();
    assert!(
        error
            .faults()
            .any(|fault| fault == "line 1: proxy is not a string"),
        "{error}"
    );
}

#[test]
fn a_usable_proxy_is_no_fault() {
    for address in [
        "http://proxy.example:3128",
        "http://proxy.example",
        "http://user@proxy.example:3128/",
        "http://user:p%40ss@[::1]:3128",
        "https://proxy.example",
        "HTTP://PROXY.EXAMPLE:3128",
    ] {
        assert_eq!(faults(&Network::new().proxy(address)), [""; 0], "{address}");
    }
}

#[test]
fn every_source_has_the_network() {
    let vars = [
        ("GO_AUTH_PROXY", "http://proxy.example:3128"),
        ("GO_AUTH_CA_FILE", "ca.pem"),
        ("GO_AUTH_CLIENT_CERT", "client.pem"),
        ("GO_AUTH_CLIENT_KEY", "client.key"),
    ];
    let network = Network::new()
        .proxy("http://proxy.example:3128")
        .ca_file("ca.pem")
        .client_certificate("client.pem", "client.key");
    let config = Config::from_vars(SETTINGS.into_iter().chain(vars)).unwrap();
    assert_eq!(config.network(), network);
    assert_eq!(Network::from_vars(vars).unwrap(), network);
    let text = "issuer = 'https://id/X'\naudience = ['ZKT']\njwks_url = 'https://id.example/k'\n\
                proxy = 'http://proxy.example:3128'\nca_file = 'ca.pem'\n\
                client_cert = 'client.pem'\nclient_key = 'client.key'";
    assert_eq!(Config::from_toml(text).unwrap().network(), network);
    let document = json!({"proxy": "http://proxy.example:3128", "ca_file": "ca.pem",
        "client_cert": "client.pem", "client_key": "client.key"});
    let config: Config = serde_json::from_value(document).unwrap();
    assert_eq!(config.network(), network);
    assert_eq!(
        config.proxy,
        Some(ProxyAddress::from("http://proxy.example:3128"))
    );

    let error = Network::from_vars([("GO_AUTH_PROXI", "x")]).unwrap_err();
    let faults: Vec<_> = error.faults().collect();
    assert_eq!(
        faults,
        ["GO_AUTH_PROXI is not a setting; did you mean GO_AUTH_PROXY?"]
    );
}

#[test]
fn plain_http_may_be_allowed_by_a_variable() {
    let vars = |allowed| {
        let address = ("GO_AUTH_JWKS_URL", "http://go:8080/keys");
        let allowed = ("GO_AUTH_DANGER_ALLOW_HTTP", allowed);
        [SETTINGS[0], SETTINGS[1], address, allowed]
    };
    assert!(Config::from_vars(vars("true")).unwrap().build().is_ok());
    let wrong = "GO_AUTH_JWKS_URL is plain http to another machine";
    for refused in ["", "false"] {
        assert_eq!(faults_of(Config::from_vars(vars(refused))), [wrong]);
    }
    let faults = faults_of(Config::from_vars(vars("yes")));
    assert!(
        faults[0].starts_with("GO_AUTH_DANGER_ALLOW_HTTP "),
        "{faults:?}"
    );
}

#[test]
fn a_file_that_cannot_be_used_is_a_fault() {
    let company = Company::new();
    let (certificate, key) = company.client();
    let missing = "can't be used: it can't be read: No such file or directory (os error 2)";
    let broken = "-----BEGIN CERTIFICATE-----\nhunter2!\n-----END CERTIFICATE-----\n";
    let no_certificate = "has no certificate in PEM (BEGIN CERTIFICATE)";
    let ca = |text: &str| Network::new().ca_file(company.file(text));
    let with = |certificate: &Path, key: &Path| Network::new().client_certificate(certificate, key);
    let keyed = |text: &str| with(&certificate, &company.file(text));
    let encrypted = "has a password: write the key without one, with openssl pkey";
    let no_key = "has no private key in PEM (BEGIN PRIVATE KEY)";
    let text = std::fs::read_to_string(&key).unwrap();
    let other = company.issue(&rcgen::PKCS_ECDSA_P256_SHA256).key_pem();
    let unsuited = company.file(pem("CERTIFICATE", b"hunter2"));
    for (network, expected) in [
        (
            Network::new().ca_file("/none/ca.pem"),
            format!("ca_file {missing}"),
        ),
        (
            Network::new().ca_file("/"),
            "ca_file can't be used: it is not a regular file".to_owned(),
        ),
        (ca(""), format!("ca_file {no_certificate}")),
        (ca(&text), format!("ca_file {no_certificate}")),
        (ca(broken), "ca_file is not valid PEM".to_owned()),
        (
            ca(&(company.pem() + &pem("CERTIFICATE", b"hunter2"))),
            "ca_file has a certificate that can't be read: number 2".to_owned(),
        ),
        (
            ca(&"x".repeat(1024 * 1024 + 1)),
            "ca_file can't be used: it is longer than 1024 KiB".to_owned(),
        ),
        (
            with("/none".as_ref(), &key),
            format!("client_cert {missing}"),
        ),
        (
            with(&certificate, "/none".as_ref()),
            format!("client_key {missing}"),
        ),
        (with(&key, &key), format!("client_cert {no_certificate}")),
        (
            with(&unsuited, &key),
            "client_cert has a first certificate that can't be read".to_owned(),
        ),
        (keyed(""), format!("client_key {no_key}")),
        (keyed(broken), "client_key is not valid PEM".to_owned()),
        (keyed(&company.pem()), format!("client_key {no_key}")),
        (
            keyed(&(text.clone() + &text)),
            "client_key has more than one private key".to_owned(),
        ),
        (
            keyed(&pem("PRIVATE KEY", b"hunter2")),
            "client_key is not a key that TLS can sign with here".to_owned(),
        ),
        (
            keyed(&other),
            "client_key is not the key of the first certificate in client_cert".to_owned(),
        ),
        (
            keyed(&pem("ENCRYPTED PRIVATE KEY", b"hunter2")),
            format!("client_key {encrypted}"),
        ),
        (
            keyed(&format!(
                "-----BEGIN RSA PRIVATE KEY-----\r\nProc-Type: 4,ENCRYPTED\r\nDEK-Info: AES-256-CBC,\
                 0\r\n\r\n{}",
                "aHVudGVyMg==\r\n-----END RSA PRIVATE KEY-----\r\n"
            )),
            format!("client_key {encrypted}"),
        ),
        // The key itself, in place of its path.
        (
            with(&certificate, text.as_ref()),
            format!("client_key {missing}"),
        ),
    ] {
        assert_eq!(faults(&network), [expected]);
    }
    assert_eq!(faults(&with(&certificate, &key)), [""; 0]);
}

#[test]
fn one_of_a_pair_is_a_fault() {
    for (given, missing) in [("client_cert", "client_key"), ("client_key", "client_cert")] {
        let variable = format!("GO_AUTH_{}", given.to_uppercase());
        let vars = SETTINGS.into_iter().chain([(&*variable, "/none")]);
        let fault = format!("{variable} is of no use without {missing}");
        assert_eq!(faults_of(Config::from_vars(vars.clone())), [&*fault]);
        assert_eq!(faults_of(Network::from_vars(vars)), [&*fault]);
    }
}

#[test]
fn all_faults_are_reported_at_once() {
    let network = Network::new()
        .proxy("proxy.example")
        .ca_file("/none")
        .client_certificate("/none", "/none");
    let names: Vec<_> = (faults(&network).iter())
        .map(|fault| fault.split(' ').next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(names, ["proxy", "ca_file", "client_cert", "client_key"]);
}

#[test]
fn no_file_is_read_where_nothing_is_fetched() {
    let mut config = Config::default();
    config.access_tokens = Some("/none".into());
    config.ca_file = Some("/none".into());
    let faults = faults_of(config.build());
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].starts_with("access_tokens: "), "{faults:?}");
}

#[cfg(unix)]
#[test]
fn a_file_that_anybody_may_write_is_a_fault() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let company = Company::new();
    let (certificate, key) = company.client();
    let open = |path: &Path| {
        std::fs::set_permissions(path, Permissions::from_mode(0o666)).expect("our own");
        path.to_owned()
    };
    let ca_file = open(&company.ca_file());
    let link = ca_file.with_file_name("link.pem");
    symlink(&ca_file, &link).unwrap();
    let (open_certificate, open_key) = (open(&certificate), open(&key));
    let everybody = "can't be used: everybody can write it (mode o+w): whoever can write it \
                     decides who may call the API";
    for (network, setting) in [
        (Network::new().ca_file(&ca_file), "ca_file"),
        (Network::new().ca_file(&link), "ca_file"),
    ] {
        assert_eq!(faults(&network), [format!("{setting} {everybody}")]);
    }
    let pair = Network::new().client_certificate(&open_certificate, &open_key);
    let expected = ["client_cert", "client_key"].map(|setting| format!("{setting} {everybody}"));
    assert_eq!(faults(&pair), expected);

    // Unless that is allowed.
    let mut config = Config::default();
    config.danger_allow_writable_files = true;
    config.ca_file = Some(link);
    let client = HttpClient::builder().network(config.network()).build();
    assert_eq!(client.map(|_| ()), Ok(()));
}
