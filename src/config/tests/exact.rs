//! Texts that are compared with those of tokens byte for byte.

use super::{Config, IssuerConfig, faults, from_vars, good};

/// What is wrong with a text, and the message.
const MISFITS: [(&str, &str); 18] = [
    ("ZKT\n", "has a line break at its end"),
    ("ZKT\r\n", "has a line break at its end"),
    ("ZKT\r", "has a line break at its end"),
    ("\nZKT", "has a line break at its start"),
    ("ZKT ", "has white space at its end"),
    (" ZKT", "has white space at its start"),
    ("\tZKT", "has white space at its start"),
    ("ZKT\u{a0}", "has white space at its end"),
    ("\"ZKT\"", "is in quotes"),
    ("'ZKT'", "is in quotes"),
    ("\u{201c}ZKT\u{201d}", "is in quotes"),
    ("\"ZKT", "has a quotation mark at its start"),
    ("ZKT'", "has a quotation mark at its end"),
    ("[\"ZKT\"]", "looks like a list"),
    ("[ZKT]", "looks like a list"),
    ("Z\0KT", "has a control character or an invisible one"),
    ("Z\nKT", "has a control character or an invisible one"),
    ("\u{feff}ZKT", "has a control character or an invisible one"),
];

#[test]
fn a_text_no_token_can_contain_is_a_fault() {
    type Change = fn(&mut Config, String);
    let settings: [(&str, Change); 8] = [
        ("issuer", |c, text| c.issuer = text),
        ("audience", |c, text| c.audience = vec![text]),
        ("subjects", |c, text| c.subjects = vec![text]),
        ("distrusted_keys", |c, text| c.distrusted_keys = vec![text]),
        ("environment", |c, text| {
            c.issuers[0].environment = Some(text.clone());
            c.issuers[1].environment = Some(text.clone());
            c.environment = Some(text);
        }),
        ("issuers[0].issuer", |c, text| c.issuers[0].issuer = text),
        ("issuers[0].audience", |c, text| {
            c.issuers[0].audience = vec![text];
        }),
        // Known, not trusted.
        ("issuers[1].issuer", |c, text| c.issuers[1].issuer = text),
    ];
    for (setting, set) in settings {
        for (text, wrong) in MISFITS {
            let mut config = Config {
                environment: Some("production".to_owned()),
                issuers: vec![
                    IssuerConfig {
                        environment: Some("production".to_owned()),
                        ..IssuerConfig::new("b", "ZKT", "https://id.example/b")
                    },
                    IssuerConfig::of_environment("c", "certification"),
                ],
                ..good()
            };
            assert_eq!(faults(&config), [""; 0]);
            set(&mut config, text.to_owned());
            let found = faults(&config);
            let expected = format!("{setting} {wrong}");
            assert!(found.contains(&expected), "{expected}: {found:?}");
        }
    }
}

#[test]
fn each_bad_entry_of_a_list_is_numbered() {
    let config = Config {
        audience: ["A", "\"B\"", "C\n"].map(str::to_owned).into(),
        ..good()
    };
    assert_eq!(
        faults(&config),
        [
            "audience: entry 2 is in quotes",
            "audience: entry 3 has a line break at its end",
        ]
    );
    let verifier = config.verifier().expect_err("as everywhere");
    assert_eq!(verifier.faults().len(), 2);
}

#[test]
fn a_fault_in_a_variable_names_the_variable() {
    let issuer = "https://id/X/.well-known/openid-configuration";
    for (name, value, expected) in [
        (
            "ISSUER",
            format!("{issuer}\n"),
            &["ISSUER has a line break at its end"][..],
        ),
        ("ISSUER", format!("\"{issuer}\""), &["ISSUER is in quotes"]),
        ("AUDIENCE", "\"ZKT\"".to_owned(), &["AUDIENCE is in quotes"]),
        (
            "AUDIENCE",
            "[\"ZKT\"]".to_owned(),
            &["AUDIENCE looks like a list"],
        ),
        (
            "AUDIENCE",
            "[\"A\", B]".to_owned(),
            &[
                "AUDIENCE: entry 1 looks like a list",
                "AUDIENCE: entry 2 looks like a list",
            ],
        ),
        ("SUBJECTS", "'s'".to_owned(), &["SUBJECTS is in quotes"]),
        (
            "DISTRUSTED_KEYS",
            "k1,`k2`".to_owned(),
            &["DISTRUSTED_KEYS: entry 2 is in quotes"],
        ),
        // White space around the entries of a list is ignored.
        ("AUDIENCE", " ZKT , A\n".to_owned(), &[]),
    ] {
        let found = from_vars(&[(&format!("GO_AUTH_{name}"), &value)]);
        let found: Vec<_> = match &found {
            Ok(_) => Vec::new(),
            Err(error) => error.faults().collect(),
        };
        let expected: Vec<_> = (expected.iter())
            .map(|fault| format!("GO_AUTH_{fault}"))
            .collect();
        assert_eq!(found, expected, "{value}");
    }
}

#[test]
fn odd_but_possible_texts_are_accepted() {
    for text in [
        "https://[::1]",
        "https://id/a b/'c'/[d]",
        "ZKT-é",
        "a\"b",
        "urn:x:(y)",
        "日本",
    ] {
        let config = Config {
            issuer: text.to_owned(),
            audience: vec![text.to_owned()],
            ..good()
        };
        assert_eq!(faults(&config), [""; 0], "{text}");
    }
}
