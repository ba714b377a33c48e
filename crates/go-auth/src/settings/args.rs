//! Settings as flags. What stands here as documentation is the help.
#![expect(clippy::doc_markdown)]

use std::path::PathBuf;

use clap::Args;

use derbysoft_go_auth::inspect::Flag;

/// What a token has to say.
#[derive(Debug, Args)]
#[command(next_help_heading = "Rules (flag over file over environment)")]
pub(crate) struct RuleArgs {
    /// The `iss` of GO's tokens [GO_AUTH_ISSUER]
    #[arg(long, value_name = "ISS")]
    issuer: Option<String>,

    /// The accepted audiences, comma-separated [GO_AUTH_AUDIENCE]
    #[arg(long, value_name = "AUD")]
    audience: Vec<String>,

    /// The tolerance for exp and nbf, such as 30s [GO_AUTH_LEEWAY]
    #[arg(long, value_name = "TIME")]
    leeway: Option<String>,

    /// The accepted subjects, comma-separated [GO_AUTH_SUBJECTS]
    #[arg(long, value_name = "SUB")]
    subjects: Vec<String>,

    /// Claims required besides iss, aud and exp: nbf, iat, jti, sub
    /// [GO_AUTH_REQUIRED_CLAIMS]
    #[arg(long, value_name = "NAMES")]
    required_claims: Vec<String>,

    /// The longest accepted lifetime, from iat to exp, such as 5m
    #[arg(long, value_name = "TIME")]
    max_lifetime: Option<String>,

    /// The longest accepted token [GO_AUTH_MAX_TOKEN_BYTES]
    #[arg(long, value_name = "BYTES")]
    max_token_bytes: Option<String>,

    /// The file of Access Tokens [GO_AUTH_ACCESS_TOKENS]
    #[arg(long, value_name = "FILE")]
    access_tokens: Option<String>,

    /// The environment that is served, where the file has several issuers
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
}

/// Where the keys come from.
#[derive(Debug, Args)]
#[command(next_help_heading = "Keys (flag over file over environment)")]
pub(crate) struct FetchArgs {
    /// A settings file, in TOML: the fields of `Config`
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// The key address [GO_AUTH_JWKS_URL]
    #[arg(long, value_name = "URL")]
    pub(crate) jwks_url: Option<String>,

    /// The time limit for connecting, such as 2s
    #[arg(long, value_name = "TIME")]
    connect_timeout: Option<String>,

    /// The time limit for a whole fetch, such as 5s [GO_AUTH_FETCH_TIMEOUT]
    #[arg(long, value_name = "TIME")]
    fetch_timeout: Option<String>,

    /// How long keys are fresh, such as 5m [GO_AUTH_REFRESH_INTERVAL]
    #[arg(long, value_name = "TIME")]
    refresh_interval: Option<String>,

    /// Allow http to other machines: anyone on the network path can supply keys
    #[arg(long)]
    danger_allow_http: bool,
}

impl RuleArgs {
    /// The settings given as flags, by name.
    pub(crate) fn flags(&self) -> Vec<Flag> {
        let joined = |values: &[String]| (!values.is_empty()).then(|| values.join(","));
        given([
            ("issuer", self.issuer.clone()),
            ("audience", joined(&self.audience)),
            ("leeway", self.leeway.clone()),
            ("subjects", joined(&self.subjects)),
            ("required_claims", joined(&self.required_claims)),
            ("max_lifetime", self.max_lifetime.clone()),
            ("max_token_bytes", self.max_token_bytes.clone()),
            ("access_tokens", self.access_tokens.clone()),
            ("environment", self.environment.clone()),
        ])
    }
}

impl FetchArgs {
    /// The settings given as flags, by name.
    pub(crate) fn flags(&self) -> Vec<Flag> {
        given([
            ("jwks_url", self.jwks_url.clone()),
            ("connect_timeout", self.connect_timeout.clone()),
            ("fetch_timeout", self.fetch_timeout.clone()),
            ("refresh_interval", self.refresh_interval.clone()),
            (
                "danger_allow_http",
                self.danger_allow_http.then(|| "true".to_owned()),
            ),
        ])
    }
}

fn given<const N: usize>(flags: [(&'static str, Option<String>); N]) -> Vec<Flag> {
    let flags = flags.into_iter();
    flags
        .filter_map(|(setting, value)| Some((setting, value?)))
        .collect()
}
