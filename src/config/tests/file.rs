//! Faults in a settings file, alone and beside flags and the environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{Config, ConfigError, RequiredClaim, good};
use crate::config::file::SettingsFile;

fn faults_of(text: &str) -> Vec<String> {
    let error = Config::from_toml(text).expect_err("a fault");
    error.faults().map(str::to_owned).collect()
}

/// Three valid settings, on three lines.
const GOOD: &str = "issuer = \"https://id/X/.well-known/openid-configuration\"\n\
    audience = [\"ZKT\"]\n\
    jwks_url = \"https://id.example/id/X/keys\"\n";

#[test]
fn a_good_document_reads_the_same_as_with_serde() {
    let text = GOOD.to_owned()
        + "leeway = \"10s\"\nmax_lifetime = \"10m\"\nignore_status = 0x194\n\
           token_cache_bytes = 1_000\ndanger_allow_http = true\non_failure = \"ignore\"\n\
           required_claims = [\"nbf\", 'jti']\nsnapshot = \"/s\"\nbody = \"error-code\"\n\
           issuers = [{ issuer = \"b\", audience = [\"ZKT\"], jwks_url = \"https://id.example/b\" }]\n";
    let config = Config::from_toml(&text).expect("a good document");
    assert_eq!(config, toml::from_str(&text).expect("the same"));
    assert_eq!(
        config.required_claims,
        [RequiredClaim::Nbf, RequiredClaim::Jti]
    );
    assert_eq!(config.issuers.len(), 1);
    assert_eq!(Config::from_toml(GOOD), Ok(good()));
    assert_eq!(Config::from_toml(&format!("\u{feff}{GOOD}")), Ok(good()));
}

#[test]
fn every_fault_is_named_with_its_line() {
    let text = GOOD.to_owned()
        + "leway = \"1s\"\n\
           key_wait = 2\n\
           \n\
           cooldown = \"1ms\"\n\
           required_claims = [\"exp\"]\n\
           max-stale = \"1h\"\n\
           ignore_status = 70000\n\
           subjects = [1]\n\
           on_failure = 'explode'\n\
           danger_allow_http = 'yes'\n\
           realm = 2026-11-01\n\
           GO_AUTH_BODY = \"gateway\"\n\
           token_cache_bytes = -1\n\
           access_tokens = []\n\
           \n\
           [[issuers]]\n\
           issuer = \"b\\n\"\n\
           audience = 1\n\
           audiences = [\"ZKT\"]\n\
           leeway = \"5s\"\n\
           jwks_url = \"http://id.example/b\"\n\
           \n\
           [[issuers]]\n\
           isuer = \"c\"\n\
           audience = [\"ZKT\"]\n\
           \n\
           [nonsense]\n";
    assert_eq!(
        faults_of(&text),
        [
            "line 4: leway is not a setting; did you mean leeway?",
            "line 5: key_wait is not a duration such as 30s or 5m",
            "line 8: required_claims has an entry that is not nbf, iat, jti or sub",
            "line 9: max-stale is not a setting; did you mean max_stale?",
            "line 10: ignore_status is not a whole number from 0 to 65535",
            "line 11: subjects has an entry that is not a string",
            "line 12: on_failure is not reject or ignore",
            "line 13: danger_allow_http is not true or false",
            "line 14: realm is not a string",
            "line 15: GO_AUTH_BODY is not a setting; did you mean body?",
            "line 16: token_cache_bytes is not a whole number from 0",
            "line 17: access_tokens is not a string",
            "line 21: issuers[0].audience is not a string or a list of strings",
            "line 22: issuers[0].audiences is not a setting; did you mean audience?",
            "line 23: issuers[0].leeway is not a setting of an issuer; \
             set it above the first [[issuers]]",
            "line 27: issuers[1].isuer is not a setting; did you mean issuer?",
            "line 30: nonsense is not a setting",
            "line 7: cooldown is not from 100ms to 10m",
            "line 20: issuers[0].issuer has a line break at its end",
            "line 24: issuers[0].jwks_url is plain http to another machine",
            "line 26: issuers[1].issuer is required",
            "line 26: issuers[1].jwks_url is required",
        ]
    );
}

#[test]
fn an_unreadable_setting_is_not_called_missing() {
    assert_eq!(
        faults_of("isuer = \"i\"\naudience = 1\njwks_url = 1\n"),
        [
            "line 1: isuer is not a setting; did you mean issuer?",
            "line 2: audience is not a string or a list of strings",
            "line 3: jwks_url is not a string",
        ]
    );
    // The intended setting is there, with another fault.
    assert_eq!(
        faults_of(&GOOD.replacen("issuer =", "isuer = \"i\"\nissuer = \" \" #", 1)),
        [
            "line 1: isuer is not a setting; did you mean issuer?",
            "line 2: issuer has white space at its end",
        ]
    );
}

#[test]
fn a_string_in_place_of_a_list_is_its_only_entry() {
    let text = "issuer = \"i\"\naudience = \"ZKT\"\njwks_url = \"https://id.example/i\"\n\
        subjects = \"s\"\nrequired_claims = \"jti\"\ndistrusted_keys = \"1\"\n\
        [[issuers]]\nissuer = \"b\"\naudience = \"B\"\njwks_url = \"https://id.example/b\"\n";
    let config = Config::from_toml(text).expect("a good document");
    assert_eq!(config, toml::from_str(text).expect("the same"));
    assert_eq!(config.audience, ["ZKT"]);
    assert_eq!(config.subjects, ["s"]);
    assert_eq!(config.required_claims, [RequiredClaim::Jti]);
    assert_eq!(config.distrusted_keys, ["1"]);
    assert_eq!(config.issuers[0].audience, ["B"]);
    let json = r#"{"audience":"ZKT","required_claims":"jti","issuers":[{"audience":"B"}]}"#;
    let config: Config = serde_json::from_str(json).expect("the same in JSON");
    assert_eq!(config.audience, ["ZKT"]);
    assert_eq!(config.required_claims, [RequiredClaim::Jti]);
    assert_eq!(config.issuers[0].audience, ["B"]);
}

/// Someone who is used to the environment would expect two entries.
#[test]
fn a_string_with_a_comma_is_no_list() {
    let wrong = "is not a list, as text with a comma has to be: [\"a\", \"b\"]";
    for setting in ["audience", "subjects", "required_claims", "distrusted_keys"] {
        let text = format!("{setting} = \"jti,sub\"\n");
        let found = faults_of(&text);
        assert!(
            found.contains(&format!("line 1: {setting} {wrong}")),
            "{found:?}"
        );
        assert!(toml::from_str::<Config>(&text).is_err(), "{setting}");
        let json = serde_json::json!({ setting: "jti,sub" });
        assert!(serde_json::from_value::<Config>(json).is_err(), "{setting}");
    }
    let listed = GOOD.replace("[\"ZKT\"]", "[\"A,B\"]");
    assert_eq!(
        Config::from_toml(&listed).expect("one entry").audience,
        ["A,B"]
    );
    // Variables and flags have always been split.
    let vars = [
        ("GO_AUTH_ISSUER", "i"),
        ("GO_AUTH_AUDIENCE", "A, B"),
        ("GO_AUTH_JWKS_URL", "https://id.example/i"),
        ("GO_AUTH_REQUIRED_CLAIMS", "jti,sub"),
    ];
    let config = Config::from_vars(vars).expect("a good environment");
    assert_eq!(config.audience, ["A", "B"]);
    assert_eq!(
        config.required_claims,
        [RequiredClaim::Jti, RequiredClaim::Sub]
    );
}

#[test]
fn an_entry_that_cannot_be_is_named_in_either_form() {
    for (value, wrong) in [
        ("\"exp\"", "is not nbf, iat, jti or sub"),
        ("[\"exp\"]", "has an entry that is not nbf, iat, jti or sub"),
        (
            "[[\"jti\"]]",
            "has an entry that is not nbf, iat, jti or sub",
        ),
        ("1", "is not a string or a list of strings"),
        ("{}", "is not a string or a list of strings"),
        ("true", "is not a string or a list of strings"),
    ] {
        let found = faults_of(&format!("required_claims = {value}\n"));
        assert_eq!(found[0], format!("line 1: required_claims {wrong}"));
    }
}

#[test]
fn broken_toml_reports_each_line_and_other_faults() {
    for (text, lines) in [
        (
            "issuer =\nleway = \"1s\"\naudience = [\"ZKT\"\nrealm = 1\n",
            &[1, 2, 4][..],
        ),
        (
            "issuer = \"i\nleeway = 1\nissuer\n[[issuers]]\nx = 1\n",
            &[1, 2, 3],
        ),
        ("leeway = 1\nleeway = 1\n", &[1, 2]),
        ("leeway = '1s'\nrealm = \"\"\"\nx\n", &[4]),
        ("[[issuers]\nissuer = 'b'\n", &[1, 2]),
        ("\0", &[1]),
    ] {
        let found = faults_of(text);
        let expected: Vec<_> = lines.iter().map(|line| format!("line {line}: ")).collect();
        let is_of = |(found, line): (&String, &String)| found.starts_with(&**line);
        let are_of = found.iter().zip(&expected).all(is_of);
        assert!(are_of && found.len() == lines.len(), "{text}: {found:#?}");
        assert!(!found.concat().contains("is required"), "{found:?}");
    }
}

#[test]
fn nothing_of_a_wrong_file_is_repeated() {
    let token = "53ac077700000000000000000000abcd";
    for text in [
        format!("[[token]]\ntoken = \"{token}\"\n"),
        format!("{token}\n"),
        format!("{token} = 1\n"),
        format!("\"{token}\" = 1\n"),
        format!("issuers = [{{ {token} = 1 }}]\n"),
        format!("leeway = \"{token}\"\n"),
        format!("audience = \"{token}\"\n"),
        format!("audience = \"{token},\"\n"),
        format!("required_claims = \"{token}\"\n"),
        format!("required_claims = [\"{token}\"]\n"),
        format!("on_failure = \"{token}\"\n"),
        format!("issuer = {token}\n"),
        format!("max_token_bytes = {token}\n"),
        format!("[{token}]\n[{token}]\n"),
        format!("{token}.a = 1\n{token} = 2\n"),
    ] {
        let found = faults_of(&text);
        assert!(!found.concat().contains("53ac"), "{found:?}");
    }
}

#[test]
fn a_flood_of_faults_is_truncated() {
    let names: String = (0..5000).map(|at| format!("x{at} = 1\n")).collect();
    assert_eq!(faults_of(&names).len(), 128);
    let issuers = "[[issuers]]\n".repeat(5000);
    assert_eq!(faults_of(&issuers).len(), 128);
    assert_eq!(faults_of(&"=\n".repeat(5000)).len(), 128);
}

/// A file of these settings.
fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("go-auth.toml");
    std::fs::write(&path, text).expect("written");
    (directory, path)
}

/// What `from_env` makes of an environment that names this file.
fn from_vars(path: &Path, vars: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let file = (
        OsString::from("GO_AUTH_CONFIG"),
        path.as_os_str().to_owned(),
    );
    let vars = vars.iter().map(|(name, value)| (name.into(), value.into()));
    Config::from_vars(vars.chain([file]))
}

#[test]
fn a_variable_names_a_file_that_overrides_the_others() {
    let (_directory, path) = written(
        &(GOOD.to_owned()
            + "[[issuers]]\nissuer = \"b\"\n"
            + "audience = \"B\"\njwks_url = \"https://id.example/b\"\n"),
    );
    let vars = [
        ("GO_AUTH_AUDIENCE", "of the environment"),
        ("GO_AUTH_COOLDOWN", "3s"),
        // Overridden, it need not even be good.
        ("GO_AUTH_JWKS_URL", "nowhere"),
    ];
    let config = from_vars(&path, &vars).expect("a good configuration");
    assert_eq!(config.audience, ["ZKT"]);
    assert_eq!(config.cooldown.as_secs(), 3);
    assert_eq!(config.issuers.len(), 1);
    // An empty variable counts as unset.
    let error = from_vars(Path::new(""), &[]).expect_err("nothing is set");
    assert_eq!(error.faults().next(), Some("GO_AUTH_ISSUER is required"));
}

#[test]
fn faults_of_the_named_file_and_the_environment_are_reported_together() {
    let (_directory, path) = written("audience = \"ZKT\"\nleeway = \"6m\"\nleway = 1\n");
    let vars = [("GO_AUTH_COOLDOWN", "1ms"), ("GO_AUTH_CONFG", "x")];
    let error = from_vars(&path, &vars).expect_err("faults");
    assert_eq!(
        error.faults().collect::<Vec<_>>(),
        [
            "GO_AUTH_CONFIG: line 3: leway is not a setting; did you mean leeway?",
            "GO_AUTH_CONFG is not a setting; did you mean GO_AUTH_CONFIG?",
            "GO_AUTH_CONFIG: line 2: leeway is more than 5m",
            "GO_AUTH_COOLDOWN is not from 100ms to 10m",
            "issuer is required",
            "jwks_url is required",
        ]
    );
}

/// Nobody knows what is in it: what it may have set is not called missing.
#[test]
fn a_named_file_that_cannot_be_read_is_a_fault() {
    let vars = [("GO_AUTH_LEEWAY", "soon")];
    let error = from_vars(Path::new("/nowhere/go\n.toml"), &vars).expect_err("no file");
    let found: Vec<_> = error.faults().collect();
    let [file, variable] = found[..] else {
        panic!("{found:?}");
    };
    let name = "GO_AUTH_CONFIG: \"/nowhere/go\\n.toml\": ";
    assert!(file.starts_with(name), "{file}");
    assert!(
        variable.starts_with("GO_AUTH_LEEWAY is \"soon\""),
        "{variable}"
    );
}

#[cfg(unix)]
#[test]
fn a_named_file_that_everybody_may_write_is_a_fault() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let (directory, path) = written(GOOD);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).expect("our own");
    let link = directory.path().join("link");
    symlink(&path, &link).expect("a link");
    for path in [&path, &link] {
        let error = from_vars(path, &[]).expect_err("everybody may write it");
        assert!(
            error.to_string().contains("everybody can write it"),
            "{error}"
        );
    }
    let allowed = [("GO_AUTH_DANGER_ALLOW_WRITABLE_FILES", "true")];
    assert!(from_vars(&link, &allowed).is_ok());
    // It can't vouch for itself.
    std::fs::write(
        &path,
        GOOD.to_owned() + "danger_allow_writable_files = true\n",
    )
    .expect("written");
    assert!(from_vars(&path, &[]).is_err());
}

/// What is left in an environment must not become an issuer of the file's environment.
#[test]
fn variables_add_no_issuer_to_those_of_a_file() {
    const FILE: &str = r#"
        environment = "production"
        [[issuers]]
        issuer = "https://id/P"
        audience = "ZKT"
        jwks_url = "https://id.example/p"
        environment = "production"
    "#;
    let (_directory, path) = written(FILE);
    let left = [
        ("GO_AUTH_ISSUER", "https://id/C"),
        ("GO_AUTH_AUDIENCE", "ZKT"),
        ("GO_AUTH_JWKS_URL", "https://id.example/c"),
    ];
    let error = from_vars(&path, &left).expect_err("an issuer of no environment");
    let wrong = "would be an issuer beside the [[issuers]] of the file: set it there, or unset it";
    let expected = left.map(|(name, _)| format!("{name} {wrong}"));
    assert_eq!(error.faults().collect::<Vec<_>>(), expected);
    // What belongs to an issuer at the top of the file may be set by a variable.
    std::fs::write(&path, format!("issuer = \"https://id/T\"\n{FILE}")).expect("written");
    let config = from_vars(&path, &left).expect("settings of the top");
    assert_eq!(config.issuer, "https://id/T");
    assert_eq!(config.jwks_url, "https://id.example/c");
}

/// An emergency's variable must not be without effect where a template has the line.
#[test]
fn an_empty_list_of_a_file_lifts_no_restriction_of_a_variable() {
    let (_directory, path) = written(
        "issuer = 'https://id/X'\naudience = 'ZKT'\njwks_url = 'https://id.example/x'\n\
         distrusted_keys = []\nsubjects = ['a']\n",
    );
    let vars = [
        ("GO_AUTH_DISTRUSTED_KEYS", "leaked"),
        ("GO_AUTH_SUBJECTS", "b"),
    ];
    let error = from_vars(&path, &vars).expect_err("it would be lifted");
    assert_eq!(
        error.faults().collect::<Vec<_>>(),
        [
            "GO_AUTH_CONFIG: line 4: distrusted_keys is empty in the file, which would lift \
             what a variable restricts"
        ]
    );
}

#[test]
fn a_text_in_place_of_a_files_path_is_not_repeated() {
    let text = "proxy = 'http://user:s3cr3t@proxy.example'";
    let error = Config::from_vars([("GO_AUTH_CONFIG", text)]).expect_err("no such file");
    assert!(!error.to_string().contains("s3cr3t"), "{error}");
}

#[test]
fn the_environment_can_be_served_by_variable() {
    let (_directory, path) = written(
        r#"
        [[issuers]]
        issuer = "https://id/P"
        audience = "ZKT"
        jwks_url = "https://id.example/p"
        environment = "production"
        "#,
    );
    let config = from_vars(&path, &[("GO_AUTH_ENVIRONMENT", "production")]);
    assert_eq!(
        config.expect("good").environment.as_deref(),
        Some("production")
    );
    let error = from_vars(&path, &[("GO_AUTH_ENVIRONMENT", "test")]).expect_err("no issuer");
    let faults: Vec<_> = error.faults().collect();
    assert_eq!(faults, ["GO_AUTH_ENVIRONMENT is that of no issuer"]);
}

#[test]
fn what_is_found_when_building_is_named_as_in_its_source() {
    let (_directory, path) = written(
        "issuer = 'https://id/X'\naudience = 'ZKT'\njwks_url = 'https://id.example/x'\nca_file = '/nowhere.pem'",
    );
    let config = from_vars(&path, &[("GO_AUTH_ACCESS_TOKENS", "/nowhere.toml")]).expect("read");
    let error = config.build().expect_err("two files are missing");
    let faults: Vec<_> = error.faults().collect();
    assert!(
        faults[0].starts_with("GO_AUTH_ACCESS_TOKENS: "),
        "{faults:?}"
    );
    assert!(
        faults[1].starts_with("GO_AUTH_CONFIG: line 4: ca_file "),
        "{faults:?}"
    );
}

#[test]
fn each_source_reports_faults_by_its_own_names() {
    let vars = [
        ("GO_AUTH_LEWAY", "1s"),
        ("GO_AUTH_COOLDOWN", "1ms"),
        ("GO_AUTH_KEY_WAIT", "soon"),
        ("GO_AUTH_BODY", "of the environment, and overridden"),
    ];
    let vars = || vars.map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let flags = [
        ("leeway", "6m".to_owned()),
        ("fetch_timeout", "soon".to_owned()),
    ];
    let file = "audience = [\" ZKT\"]\nbody = 'gateway'\nrealm = ''\nrefresh_interval = '2s'\n";
    let (_directory, path) = written(file);
    let (config, reading) = Config::layered(&flags, Some(&path), vars()).expect("TOML");
    let checked = config.checked(super::Keys::Fetched, false);
    let error = reading.and(checked).expect_err("faults");
    assert_eq!(
        error.faults().collect::<Vec<_>>(),
        [
            "--fetch-timeout is \"soon\", not a duration such as 30s or 5m",
            "GO_AUTH_LEWAY is not a setting; did you mean GO_AUTH_LEEWAY?",
            "GO_AUTH_KEY_WAIT is \"soon\", not a duration such as 30s or 5m",
            "--leeway is more than 5m",
            "config: line 3: realm is not 1 to 128 printable ASCII characters without \
             quotes and backslashes",
            "GO_AUTH_COOLDOWN is not from 100ms to 10m",
            "issuer is required",
            "config: line 1: audience has white space at its start",
            "jwks_url is required",
        ]
    );
    // Even if the file is not TOML, known faults elsewhere are reported.
    std::fs::write(&path, "audience").expect("written");
    let error = Config::layered(&flags, Some(&path), vars()).expect_err("no TOML");
    let found: Vec<_> = error.faults().collect();
    assert_eq!(found.len(), 5, "{found:?}");
    assert!(found[1].starts_with("config: line 1: "), "{found:?}");
}

#[test]
fn issuers_are_a_list_of_tables() {
    for (wrong, fault) in [
        ("1", "line 4: issuers is not a list"),
        ("[1]", "line 4: issuers has an entry that is not a table"),
    ] {
        assert_eq!(faults_of(&format!("{GOOD}issuers = {wrong}\n")), [fault]);
    }
}

#[test]
fn what_the_parser_says_is_repeated_on_one_line() {
    let faults = faults_of("audience = [\n");
    let [fault] = &*faults else {
        panic!("{faults:?}");
    };
    assert!(fault.contains("array"), "{fault}");
    assert!(!fault.contains(char::is_control), "{fault:?}");
}

#[test]
fn a_text_in_place_of_a_path_is_not_repeated() {
    for text in ["issuer = 'x'", "https://id.example"] {
        let file = SettingsFile::of(Some(Path::new(text)), &[]).expect("a file");
        let error = file.text.expect_err("no file");
        assert!(error.starts_with("it is no path: "), "{error}");
        assert!(!error.contains(text), "{error}");
    }
}

#[test]
fn a_variable_is_passed_over_where_the_file_has_the_setting() {
    let read = |file: &str, variable: &str, value: &str| {
        let (_directory, path) = written(file);
        let vars = [(OsString::from(variable), OsString::from(value))];
        let (_, reading) = Config::layered(&[], Some(&path), vars).expect("TOML");
        reading.and(Ok(())).err().map(|error| error.to_string())
    };
    assert_eq!(read("subjects = ['go']", "GO_AUTH_SUBJECTS", ""), None);
    assert_eq!(read("subjects = []", "GO_AUTH_SUBJECTS", ""), None);
    let lifted = read("subjects = []", "GO_AUTH_SUBJECTS", "go").expect("a fault");
    assert!(
        lifted.contains("would lift what a variable restricts"),
        "{lifted}"
    );
}

#[test]
fn an_unknown_name_is_repeated_if_it_could_be_a_settings() {
    for (name, is_repeated) in [("a".repeat(32), true), ("a".repeat(33), false)] {
        let faults = faults_of(&format!("{GOOD}{name} = 1\n"));
        assert_eq!(faults[0].contains(&name), is_repeated, "{faults:?}");
    }
}
