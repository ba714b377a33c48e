//! Settings as flags.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches, value_parser};

use derbysoft_go_auth::inspect::Flag;

/// The flag of a setting has its name, with dashes.
struct Setting {
    name: &'static str,
    /// What its value is; a flag without one sets `true`.
    value: Option<&'static str>,
    help: &'static str,
    action: ArgAction,
}

const fn one(name: &'static str, value: &'static str, help: &'static str) -> Setting {
    Setting {
        name,
        value: Some(value),
        help,
        action: ArgAction::Set,
    }
}

const fn many(name: &'static str, value: &'static str, help: &'static str) -> Setting {
    Setting {
        action: ArgAction::Append,
        ..one(name, value, help)
    }
}

#[rustfmt::skip]
const RULES: [Setting; 9] = [
    one("issuer", "ISS", "The `iss` of GO's tokens [GO_AUTH_ISSUER]"),
    many("audience", "AUD", "The accepted audiences, comma-separated [GO_AUTH_AUDIENCE]"),
    one("leeway", "TIME", "The tolerance for exp and nbf, such as 30s [GO_AUTH_LEEWAY]"),
    many("subjects", "SUB", "The accepted subjects, comma-separated [GO_AUTH_SUBJECTS]"),
    many("required_claims", "NAMES",
        "Claims required besides iss, aud and exp: nbf, iat, jti, sub [GO_AUTH_REQUIRED_CLAIMS]"),
    one("max_lifetime", "TIME", "The longest accepted lifetime, from iat to exp, such as 5m"),
    one("max_token_bytes", "BYTES", "The longest accepted token [GO_AUTH_MAX_TOKEN_BYTES]"),
    one("access_tokens", "FILE", "The file of Access Tokens [GO_AUTH_ACCESS_TOKENS]"),
    one("environment", "NAME", "The environment that is served, where the file has several issuers"),
];

#[rustfmt::skip]
const FETCHING: [Setting; 5] = [
    one("jwks_url", "URL", "The key address [GO_AUTH_JWKS_URL]"),
    one("connect_timeout", "TIME", "The time limit for connecting, such as 2s"),
    one("fetch_timeout", "TIME",
        "The time limit for a whole fetch, such as 5s [GO_AUTH_FETCH_TIMEOUT]"),
    one("refresh_interval", "TIME", "How long keys are fresh, such as 5m [GO_AUTH_REFRESH_INTERVAL]"),
    Setting {
        name: "danger_allow_http",
        value: None,
        help: "Allow http to other machines: anyone on the network path can supply keys",
        action: ArgAction::SetTrue,
    },
];

/// The settings of a command: where the keys come from and, with `RULES`, what a token
/// has to say.
#[derive(Debug)]
pub(crate) struct SettingArgs<const RULES: bool> {
    pub(crate) config: Option<PathBuf>,
    pub(crate) flags: Vec<Flag>,
}

impl<const WITH_RULES: bool> SettingArgs<WITH_RULES> {
    fn settings() -> impl Iterator<Item = (&'static str, Setting)> {
        let rules = RULES.into_iter().filter(|_| WITH_RULES);
        let rules = rules.map(|it| ("Rules (flag over file over environment)", it));
        rules.chain(FETCHING.into_iter().map(|it| (KEYS, it)))
    }
}

const KEYS: &str = "Keys (flag over file over environment)";

impl<const RULES: bool> Args for SettingArgs<RULES> {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help_heading(KEYS)
            .help("A settings file, in TOML: the fields of `Config`");
        let flags = Self::settings().map(|(heading, setting)| {
            let flag = Arg::new(setting.name)
                .long(setting.name.replace('_', "-"))
                .action(setting.action)
                .help_heading(heading)
                .help(setting.help);
            match setting.value {
                Some(value) => flag.value_name(value),
                None => flag,
            }
        });
        command.args(flags).arg(config)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<const RULES: bool> FromArgMatches for SettingArgs<RULES> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let flags = Self::settings().filter_map(|(_, Setting { name, value, .. })| {
            if value.is_none() {
                return matches.get_flag(name).then(|| (name, "true".to_owned()));
            }
            let values: Vec<_> = matches.get_many::<String>(name)?.cloned().collect();
            Some((name, values.join(",")))
        });
        Ok(Self {
            config: matches.get_one("config").cloned(),
            flags: flags.collect(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
