//! Variables that Kubernetes and Docker create, beside settings and misspelt ones.

use std::ffi::OsString;

use super::from_vars;
use crate::config::Config;
use crate::config::platform::Links;

/// What the kubelet creates for a service: `envvars.FromServices` of Kubernetes, for
/// ports 80 (`http`), 53 over UDP (`dns-udp`) and 9 over SCTP (without a name).
fn of_service(name: &str, ip: &str) -> Vec<(String, String)> {
    let prefix = name.to_uppercase().replace('-', "_");
    let host = if ip.contains(':') {
        format!("[{ip}]")
    } else {
        ip.to_owned()
    };
    let mut vars = vec![
        (format!("{prefix}_SERVICE_HOST"), ip.to_owned()),
        (format!("{prefix}_SERVICE_PORT"), "80".to_owned()),
        (format!("{prefix}_SERVICE_PORT_HTTP"), "80".to_owned()),
        (format!("{prefix}_SERVICE_PORT_DNS_UDP"), "53".to_owned()),
        (format!("{prefix}_PORT"), format!("tcp://{host}:80")),
    ];
    for (port, protocol) in [(80, "tcp"), (53, "udp"), (9, "sctp")] {
        let one = format!("{prefix}_PORT_{port}_{}", protocol.to_uppercase());
        vars.extend([
            (one.clone(), format!("{protocol}://{host}:{port}")),
            (format!("{one}_PROTO"), protocol.to_owned()),
            (format!("{one}_PORT"), port.to_string()),
            (format!("{one}_ADDR"), ip.to_owned()),
        ]);
    }
    vars
}

/// What Docker creates for a link: `links.Link.ToEnv` of Moby, for the ports 8081 and
/// 8082.
fn of_link(alias: &str) -> Vec<(String, String)> {
    let prefix = alias.to_uppercase().replace('-', "_");
    let mut vars = vec![(format!("{prefix}_PORT"), "tcp://172.17.0.5:8081".to_owned())];
    for port in [8081, 8082] {
        let one = format!("{prefix}_PORT_{port}_TCP");
        vars.extend([
            (one.clone(), format!("tcp://172.17.0.5:{port}")),
            (format!("{one}_ADDR"), "172.17.0.5".to_owned()),
            (format!("{one}_PORT"), port.to_string()),
            (format!("{one}_PROTO"), "tcp".to_owned()),
        ]);
    }
    let range = format!("{prefix}_PORT_8081_TCP");
    vars.extend([
        (format!("{range}_START"), "tcp://172.17.0.5:8081".to_owned()),
        (format!("{range}_PORT_START"), "8081".to_owned()),
        (format!("{range}_END"), "tcp://172.17.0.5:8082".to_owned()),
        (format!("{range}_PORT_END"), "8082".to_owned()),
        (format!("{prefix}_NAME"), format!("/api/{alias}")),
    ]);
    // The linked container's environment, which may contain anything, even settings.
    for (name, value) in [
        ("GO_AUTH_ISSUER", "i"),
        ("GO_AUTH_LEWAY", ""),
        ("lower.case", "\n"),
        ("ENV_", "x"),
    ] {
        vars.push((format!("{prefix}_ENV_{name}"), value.to_owned()));
    }
    vars
}

fn read(vars: &[(String, String)]) -> Result<Config, crate::config::ConfigError> {
    let vars: Vec<_> = vars
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    from_vars(&vars)
}

#[test]
fn service_and_link_variables_are_ignored() {
    let names = [
        "go-auth",
        "go-auth-gate",
        "go-auth-status",
        "go-auth-metrics",
        "go-auth-issuer",
        "go-auth-service-port",
        "go-auth-port-80-tcp",
        "go-auth-env-name",
    ];
    for name in names {
        for vars in [
            of_service(name, "10.96.0.7"),
            of_service(name, "fd00::7"),
            of_link(name),
        ] {
            assert_eq!(read(&vars), from_vars(&[]), "{name}");
        }
    }
    let all: Vec<_> = (names.iter())
        .flat_map(|name| [of_link(name), of_service(name, "10.96.0.7")].concat())
        .collect();
    assert_eq!(read(&all), from_vars(&[]));
    // A link's variable that is not UTF-8 is no setting either.
    let mut vars: Vec<(OsString, OsString)> = (of_link("go-auth").into_iter())
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    vars.push(("GO_AUTH_ENV_X".into(), not_text()));
    for name in ["ISSUER", "AUDIENCE"] {
        vars.push((format!("GO_AUTH_{name}").into(), "x".into()));
    }
    vars.push(("GO_AUTH_JWKS_URL".into(), "https://id.example/".into()));
    assert_eq!(Config::from_vars(vars).err(), None);
}

#[cfg(unix)]
fn not_text() -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(vec![0xff])
}

#[cfg(not(unix))]
fn not_text() -> OsString {
    OsString::new()
}

#[test]
fn no_setting_is_taken_for_a_platform_variable() {
    let names = [
        // In the contract, now or in the future.
        "ISSUER AUDIENCE JWKS_URL LEEWAY REFRESH_INTERVAL COOLDOWN KEY_WAIT FETCH_TIMEOUT",
        "MAX_STALE MAX_WAITING JWKS_FILE PROXY CLIENT_CERT CLIENT_KEY ON_FAILURE CONFIG",
        "IGNORE_STATUS BODY SUBJECTS REQUIRED_CLAIMS MAX_TOKEN_BYTES TOKEN_CACHE_BYTES",
        "SNAPSHOT ACCESS_TOKENS DISTRUSTED_KEYS CA_FILE CREDENTIAL_HEADER ENVIRONMENT",
        "ISSUERS REALM MAX_LIFETIME CONNECT_TIMEOUT MAX_DOCUMENT_BYTES DANGER_ALLOW_HTTP",
        // Misspelt.
        "LEEWAYS KEY_WAITT SUBJECT SUBJECTS_ REQUIRED_CLAIM ISUER JWKS_URI LEWAY",
        "leeway PORTS SERVICE SERVICE_ PORT_ NAME_ ENV ENV_ _ ENVIRONMENTS KEYWAIT",
    ];
    let names = names.iter().flat_map(|names| names.split(' '));
    // With a value of each form that platforms write, and an existing link.
    let values = ["80", "10.0.0.1", "tcp", "tcp://10.0.0.1:80", "/api/gate"];
    let mut vars = vec![("GO_AUTH_NAME".to_owned(), "/api/go-auth".into())];
    for (name, value) in names.flat_map(|name| values.map(|value| (name, value))) {
        vars.push((format!("GO_AUTH_{name}"), value.into()));
    }
    let links = Links::of(&vars);
    assert!(links.have_made(&vars[0].0, &vars[0].1));
    for (name, value) in &vars[1..] {
        // A link's, with an empty name: Docker takes it from the image.
        let is_of_link = name == "GO_AUTH_ENV_";
        assert_eq!(links.have_made(name, value), is_of_link, "{name}={value:?}");
    }
}

#[test]
fn a_typo_beside_platform_variables_is_a_fault() {
    for name in ["ISSUERS", "LEEWAYS", "KEY_WAITT", "ENVIRONMENTS", "leeway"] {
        let mut vars = [of_link("go-auth"), of_service("go-auth", "10.96.0.7")].concat();
        vars.push((format!("GO_AUTH_{name}"), "x".to_owned()));
        let error = read(&vars).expect_err(name);
        assert_eq!(error.faults().len(), 1, "{error}");
    }
}

#[test]
fn a_platform_name_with_another_value_is_a_fault() {
    for (name, value) in [
        ("PORT", "8081"),
        ("PORT", "tcp://api.example:80"),
        ("PORT", "http://10.0.0.1:80"),
        ("PORT", "tcp://10.0.0.1:80/"),
        ("PORT", "tcp://10.0.0.1:"),
        ("GATE_PORT", ""),
        ("PORT_80_TCP", "80"),
        ("PORT_80_TCP_PROTO", "http"),
        ("PORT_80_TCP_PORT", "tcp"),
        ("PORT_80_TCP_PORT", "65536"),
        ("PORT_80_TCP_PORT", "+80"),
        ("PORT_80_TCP_ADDR", "gate"),
        ("PORT_80_HTTP", "tcp://10.0.0.1:80"),
        ("PORT_80", "tcp://10.0.0.1:80"),
        ("PORT_HTTP_TCP", "tcp://10.0.0.1:80"),
        ("SERVICE_HOST", "gate"),
        ("SERVICE_PORT", "http"),
        ("SERVICE_PORT_", "80"),
        ("SERVICE", "80"),
        ("NAME", "gate"),
        ("NAME", "/api/gate"),
        ("NAME", "go-auth"),
        ("GATE_NAME", "/api/go-auth"),
        // No link with this name was created.
        ("ENV_SUBJECTS", "s"),
    ] {
        let name = format!("GO_AUTH_{name}");
        let found = from_vars(&[(&name, value)]);
        assert_eq!(found.is_err(), !value.is_empty(), "{name}={value}");
    }
    // A link of another name.
    let of_gate = [
        ("GO_AUTH_GATE_NAME", "/api/go-auth-gate"),
        ("GO_AUTH_ENV_SUBJECTS", "s"),
    ];
    assert!(from_vars(&of_gate).is_err());
}
