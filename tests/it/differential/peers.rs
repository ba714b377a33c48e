//! The others who are asked: `jsonwebtoken` in this process, `PyJWT` in one of its own. Both at their
//! strictest, and both find the key by its `kid` in the document that we read.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::thread;

use jsonwebtoken::errors::Error;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::desk::Case;
use test_support::forge::{AUDIENCE, ISSUER};

/// Where `tests/differential/run` says which Python has `PyJWT`.
const PYTHON: &str = "DIFFERENTIAL_PYTHON";

/// A verdict on a token.
#[derive(Debug, Deserialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub(crate) enum Opinion {
    Accepted {
        kid: String,
        #[serde(deserialize_with = "claims_in_text")]
        claims: Value,
    },
    Refused {
        reason: String,
    },
    /// Something was raised that its users don't expect: a rejection, but worth a look.
    Crashed {
        reason: String,
    },
}

/// `PyJWT` reads and writes words that JSON does not have, such as `NaN`: no claims of anybody else's.
fn claims_in_text<'de, D: Deserializer<'de>>(line: D) -> Result<Value, D::Error> {
    let text = String::deserialize(line)?;
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

pub(crate) struct Jsonwebtoken {
    keys: JwkSet,
    validation: Validation,
}

impl Jsonwebtoken {
    pub(crate) fn new(document: &str) -> Self {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.validate_nbf = true;
        validation.leeway = 30;
        Self {
            keys: serde_json::from_str(document).expect("keys that jsonwebtoken can read"),
            validation,
        }
    }

    pub(crate) fn judge_all(&self, corpus: &[Case]) -> Vec<Opinion> {
        corpus.iter().map(|case| self.judge(&case.token)).collect()
    }

    pub(crate) fn judge(&self, token: &str) -> Opinion {
        match catch_unwind(AssertUnwindSafe(|| self.decode(token))) {
            Ok(Ok(Some((kid, claims)))) => Opinion::Accepted { kid, claims },
            Ok(Ok(None)) => Opinion::Refused {
                reason: "no key of this kid".to_owned(),
            },
            Ok(Err(error)) => Opinion::Refused {
                reason: error.to_string(),
            },
            Err(_) => Opinion::Crashed {
                reason: "a panic".to_owned(),
            },
        }
    }

    fn decode(&self, token: &str) -> Result<Option<(String, Value)>, Error> {
        let Some(kid) = decode_header(token)?.kid else {
            return Ok(None);
        };
        let Some(jwk) = self.keys.find(&kid) else {
            return Ok(None);
        };
        let key = DecodingKey::from_jwk(jwk)?;
        let token = decode::<Value>(token, &key, &self.validation)?;
        Ok(Some((kid, token.claims)))
    }
}

pub(crate) struct Pyjwt {
    python: OsString,
}

impl Pyjwt {
    /// A panic where nobody has installed it: never a comparison with nobody.
    pub(crate) fn from_environment() -> Self {
        let python = std::env::var_os(PYTHON).unwrap_or_else(|| {
            panic!(
                "{PYTHON} is not set: run tests/differential/run, which installs PyJWT and sets it"
            )
        });
        Self { python }
    }

    pub(crate) fn judge_all(&self, document: &str, corpus: &[Case]) -> Vec<Opinion> {
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/differential/second_opinion.py"
        );
        let mut process = Command::new(&self.python)
            .args(["-I", script, ISSUER, AUDIENCE, document])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a Python that starts");
        let mut input = BufWriter::new(process.stdin.take().expect("a pipe"));
        let output = BufReader::new(process.stdout.take().expect("a pipe"));
        let opinions = thread::scope(|scope| {
            // Written beside: either pipe may be full while the other is waited for.
            scope.spawn(move || {
                for case in corpus {
                    let line = serde_json::to_string(&case.token).expect("JSON");
                    writeln!(input, "{line}").expect("a script that reads all its input");
                }
            });
            output
                .lines()
                .map(|line| serde_json::from_str(&line.expect("UTF-8")).expect("an opinion"))
                .collect()
        });
        let status = process.wait().expect("an end");
        assert!(status.success(), "{script} has failed: {status}");
        opinions
    }
}
