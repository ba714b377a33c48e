//! Minting tokens.

use std::fmt;

use axum_core::response::IntoResponse as _;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::{Value, json};

use super::{Rejection, Request, Result};
use crate::simulator::Simulator;
use crate::tokens::{Mint, SampleToken};

/// In seconds; a token that lives longer gets its `exp` as a claim.
const LONGEST_LIFE: i64 = 366 * 24 * 60 * 60;

/// How a token departs from its sample.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Changes {
    claims: Members,
    without: Vec<String>,
    header: Members,
    without_header: Vec<String>,
    /// In seconds.
    expires_in: Option<i64>,
}

pub(super) fn answer(go: &Simulator, path: &[&str], request: &Request<'_>) -> Result {
    match path {
        [] => request.get(|| json!({ "tokens": SampleToken::all().collect::<Vec<_>>() })),
        [name] => {
            request.is("POST")?;
            let sample = SampleToken::named(name).ok_or_else(|| {
                Rejection::unknown("unknown token name: GET /simulator/tokens lists them")
            })?;
            let mint = request.json::<Changes>()?.apply(go.mint())?;
            Ok(sample.of(mint, &go.stranger()).into_response())
        }
        _ => Err(super::unknown_path()),
    }
}

impl Changes {
    fn apply(self, mut mint: Mint) -> Result<Mint> {
        if let Some(seconds) = self.expires_in {
            if !(-LONGEST_LIFE..=LONGEST_LIFE).contains(&seconds) {
                return Err(Rejection::bad("expires_in is longer than a year"));
            }
            mint = mint.expires_in(seconds);
        }
        for (name, value) in self.claims.0 {
            mint = mint.claim(name, value);
        }
        for name in self.without {
            mint = mint.without(name);
        }
        for (name, value) in self.header.0 {
            mint = mint.header(name, value);
        }
        for name in self.without_header {
            mint = mint.without_header(name);
        }
        Ok(mint)
    }
}

/// The members of a JSON object in their order, none twice.
#[derive(Default)]
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Members, A::Error> {
                let mut members: Vec<(String, Value)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.iter().any(|(other, _)| *other == name) {
                        return Err(A::Error::custom("duplicate member"));
                    }
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}
