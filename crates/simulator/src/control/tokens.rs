//! Tokens, minted for whoever asks.

use std::fmt;

use http::Method;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::{Value, json};

use super::{Asked, Refusal, Result, Said};
use crate::{Mint, SampleToken, Simulator};

/// Seconds: a token that lives longer has its `exp` from the claims.
const LONGEST_LIFE: i64 = 366 * 24 * 60 * 60;

/// What a token is to say, beside what makes it the sample that it is.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wishes {
    claims: Members,
    without: Vec<String>,
    header: Members,
    without_header: Vec<String>,
    /// In seconds.
    expires_in: Option<i64>,
}

pub(super) fn answer(go: &Simulator, path: &[&str], asked: &Asked<'_>) -> Result {
    match path {
        [] => {
            asked.gets()?;
            Ok(Said::Json(list()))
        }
        [name] => {
            asked.is(&[Method::POST], "POST")?;
            let sample = SampleToken::named(name).ok_or_else(|| {
                Refusal::unknown("no token is called so: GET /simulator/tokens lists them")
            })?;
            let mint = asked.says::<Wishes>()?.made(go.mint())?;
            Ok(Said::Text(sample.of(mint, &go.stranger())))
        }
        _ => Err(super::nowhere()),
    }
}

fn list() -> Value {
    let tokens = SampleToken::all().map(|sample| {
        json!({
            "name": sample.name(),
            "about": sample.about(),
            "expected": sample.expected().as_str(),
            "refused_as": sample.refused_as(),
        })
    });
    json!({ "tokens": tokens.collect::<Vec<_>>() })
}

impl Wishes {
    fn made(self, mut mint: Mint) -> Result<Mint> {
        if let Some(seconds) = self.expires_in {
            if !(-LONGEST_LIFE..=LONGEST_LIFE).contains(&seconds) {
                return Err(Refusal::bad("expires_in is more than a year"));
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

/// Of a JSON object, in their order; none twice.
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
                        return Err(A::Error::custom("a member is there twice"));
                    }
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}
