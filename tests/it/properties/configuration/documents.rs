//! Documents of settings, and what slips of the hand make of them.

use std::collections::HashSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use super::values::{Form, ISSUER, SETTINGS, settings, typed, value, word};

/// The members of a document: the settings, most often of the type that they should have.
pub(super) fn members() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
    let issuer = vec(select(ISSUER.to_vec()), 0..5)
        .prop_flat_map(|settings| {
            let one = |(name, form)| value(form).prop_map(move |text| (name, typed(form, &text)));
            settings.into_iter().map(one).collect::<Vec<_>>()
        })
        .prop_map(|members| {
            let members = members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value));
            let mut issuer = json!({"issuer": "https://id/Y", "audience": ["ZKT"],
                "jwks_url": "https://id.example/id/Y/keys"});
            issuer.as_object_mut().expect("an object").extend(members);
            issuer
        });
    let environment = proptest::option::of(word());
    let issuer = (issuer, environment).prop_map(|(mut issuer, environment)| {
        if let Some(environment) = environment {
            issuer["environment"] = environment.into();
        }
        issuer
    });
    let odd = select(vec![
        json!(null),
        json!(1),
        json!([]),
        json!({}),
        json!("x"),
        json!(1.5),
    ]);
    let odd = proptest::option::weighted(0.1, (select(SETTINGS.to_vec()), odd));
    let issuers = proptest::option::weighted(0.3, vec(issuer, 0..3));
    (settings(&SETTINGS), issuers, odd).prop_map(|(settings, issuers, odd)| {
        let form = |of: &str| {
            SETTINGS
                .iter()
                .find(|(name, _)| *name == of)
                .expect("a setting")
                .1
        };
        let mut members: Vec<_> = (settings.into_iter())
            .filter(|(name, _)| form(name) != Form::Issuers)
            .map(|(name, text)| (name, typed(form(name), &text)))
            .collect();
        members.extend(issuers.map(|issuers| ("issuers", issuers.into())));
        members.extend(odd.map(|((name, _), value)| (name, value)));
        // Of the same name the last one stays: two would be no document.
        let mut seen = HashSet::new();
        members.reverse();
        members.retain(|(name, _)| seen.insert(*name));
        members
    })
}

pub(super) fn in_toml(value: &Value) -> String {
    let joined = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::Array(array) => format!("[{}]", joined(array.iter().map(in_toml).collect())),
        Value::Object(object) => {
            let member = |(name, value)| format!("{name} = {}", in_toml(value));
            format!("{{{}}}", joined(object.iter().map(member).collect()))
        }
        other => other.to_string(),
    }
}

/// What a slip of the hand does to a text; most often nothing.
pub(super) fn slips() -> impl Strategy<Value = Vec<(Index, usize, &'static str)>> {
    let noise = select(vec![
        "",
        "\"",
        "'",
        "\n",
        "]",
        "[",
        "=",
        ":",
        ",",
        "\\",
        "\\u",
        "#",
        "\t",
        "é",
        "\0",
        "\"\"\"",
        "{",
        "}",
        ".",
        "0",
        "9999999999999999999999",
        "e9",
        "-",
        "null",
        "issuer",
    ]);
    let slip = (any::<Index>(), 0..4_usize, noise);
    prop_oneof![3 => Just(Vec::new()), 1 => vec(slip, 1..4)]
}

pub(super) fn slipped(text: &str, slips: &[(Index, usize, &'static str)]) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for (at, cut, noise) in slips {
        let at = at.index(text.len() + 1);
        let end = (at + cut).min(text.len());
        text.splice(at..end, noise.chars());
    }
    text.into_iter().collect()
}
