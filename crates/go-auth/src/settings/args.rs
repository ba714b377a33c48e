//! Settings as flags.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches, value_parser};

use derbysoft_go_auth::inspect::{Flag, FlagOf, Part, SETTINGS, Setting};

/// The settings of a command: where the keys come from and, with `RULES`, what a token
/// has to say.
#[derive(Debug)]
pub(crate) struct SettingArgs<const RULES: bool> {
    pub(crate) config: Option<PathBuf>,
    pub(crate) flags: Vec<Flag>,
}

impl<const WITH_RULES: bool> SettingArgs<WITH_RULES> {
    /// Those that have a flag, each under its heading.
    fn settings() -> impl Iterator<Item = (&'static str, &'static Setting, &'static FlagOf)> {
        let heading = |part| match part {
            Part::Rules if WITH_RULES => Some("Rules (flag over file over environment)"),
            Part::Keys => Some(KEYS),
            _ => None,
        };
        (SETTINGS.iter()).filter_map(move |it| Some((heading(it.part)?, it, it.flag.as_ref()?)))
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
            .help("A settings file, in TOML: the fields of `Config` [GO_AUTH_CONFIG]");
        let flags = Self::settings().map(|(heading, setting, flag)| {
            let help = if setting.has_variable {
                format!("{} [GO_AUTH_{}]", setting.help, setting.name.to_uppercase())
            } else {
                setting.help.to_owned()
            };
            let action = match flag.value {
                None => ArgAction::SetTrue,
                Some(_) if setting.is_list => ArgAction::Append,
                Some(_) => ArgAction::Set,
            };
            let arg = Arg::new(setting.name)
                .long(setting.name.replace('_', "-"))
                .action(action)
                .help_heading(heading)
                .help(help);
            match flag.value {
                Some(value) => arg.value_name(value),
                None => arg,
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
        let flags = Self::settings().filter_map(|(_, Setting { name, .. }, flag)| {
            let name = *name;
            if flag.value.is_none() {
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
