//! What help, manual pages and the guide say of a command beyond its flags. Each command
//! has one table of it beside its code; tests compare it with what the command does, and
//! with `docs/guide/cli.md`.

use derbysoft_go_auth::inspect::{Part, SETTINGS};

use crate::console::Exit;

/// A name, and what it is.
pub(crate) type Entry = (&'static str, &'static str);

/// The facts about one command.
#[derive(Debug)]
pub(crate) struct Facts {
    /// Every status that it ends with, in their order.
    pub(crate) exits: &'static [(Exit, &'static str)],
    /// The parts of the settings that it takes from file and environment.
    pub(crate) settings: &'static [Part],
    /// Further variables of the environment.
    pub(crate) variables: &'static [&'static [Entry]],
    pub(crate) files: &'static [Entry],
    pub(crate) signals: &'static [Entry],
    /// Command lines, and what they do.
    pub(crate) examples: &'static [Entry],
}

/// Of a command that only prints.
pub(crate) const PRINTED: &[(Exit, &str)] = &[
    (Exit::Good, "it is printed"),
    (Exit::Unknown, "it can't be written"),
    (Exit::Usage, "wrong usage"),
];

/// What fetching keys takes from the environment.
pub(crate) const NETWORK: &[Entry] = &[
    (
        "HTTPS_PROXY, ALL_PROXY, NO_PROXY",
        "The proxy, where the settings name none, and the hosts that are reached without it.",
    ),
    (
        "SSL_CERT_FILE, SSL_CERT_DIR",
        "The trusted certificate authorities, in place of the system's, where the settings \
         name none.",
    ),
];

pub(crate) const SETTING_FILES: &[Entry] = &[
    (
        "the file of --config or GO_AUTH_CONFIG",
        "Settings in TOML, by their names without GO_AUTH_ and in lower case. At most 64 KiB; \
         it must not be writable by everybody.",
    ),
    (
        "the files of access_tokens, jwks_file, snapshot, ca_file, client_cert and client_key",
        "Where settings name them: Access Tokens, a key set in place of an address, the last \
         good keys, certificates and a key.",
    ),
];

/// Of a command that catches none.
pub(crate) const NO_SIGNALS: &[Entry] =
    &[("SIGINT, SIGTERM", "End it at once, as they do by default.")];

impl Facts {
    /// The statuses, as help has them at its end.
    pub(crate) fn exit_help(&self) -> String {
        let lines =
            (self.exits.iter()).map(|(exit, text)| format!("\n  {:<3} {text}", exit.code()));
        format!("Exit status:{}", lines.collect::<String>())
    }

    /// All variables, those of the settings first.
    pub(crate) fn all_variables(&self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        if !self.settings.is_empty() {
            let file = "The settings file, where no --config names one. What it sets counts \
                        instead of the variables.";
            all.push(("GO_AUTH_CONFIG".to_owned(), file.to_owned()));
        }
        for part in self.settings {
            let settings = SETTINGS.iter().filter(|it| it.part == *part);
            all.extend(settings.filter(|it| it.has_variable).map(|it| {
                let name = format!("GO_AUTH_{}", it.name.to_uppercase());
                (name, format!("{}.", it.help))
            }));
        }
        let others = self.variables.iter().copied().flatten();
        all.extend(others.map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
        all
    }
}
