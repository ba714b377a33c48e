//! What has to be right before the gate listens: found by the same code for
//! `go-auth serve`, for a reload, and for `serve --check`, which ends there.

use std::ffi::OsString;
use std::fmt::Display;
use std::{iter, process};

use serde::Serialize;
use tokio::runtime::Runtime;

use super::listening::{Listening, joined};
use super::live::Live;
use super::serve::ServeArgs;
use super::settings::Settings;
use crate::console::table::page;
use crate::console::terminal::{Mark, Terminal};
use crate::console::{Console, Exit, Failure};
use crate::keys::{self, Report};
use crate::process::{Signals, in_thread};
use derbysoft_go_auth::Config;
use derbysoft_go_auth::config::ConfigError;
use derbysoft_go_auth::inspect::show::{list, plain, quoted};
use derbysoft_go_auth::inspect::{KeyAddress, both, key_addresses};

/// What flags and environment ask for. Nothing of it is read yet.
pub(super) struct Wanted {
    listening: Result<Listening, ConfigError>,
    settings: Settings,
}

/// All that is needed to listen.
pub(super) struct Ready {
    pub(super) listening: Listening,
    pub(super) settings: Settings,
    pub(super) live: Live,
    config: Config,
}

impl Wanted {
    pub(super) fn of(args: &ServeArgs, vars: &[(OsString, OsString)]) -> Self {
        Self {
            listening: Listening::of(args, vars),
            settings: Settings::new(args.config.clone(), vars.iter().cloned()),
        }
    }

    /// Reads the settings. Blocks.
    ///
    /// # Errors
    /// With every fault.
    pub(super) fn read(self) -> Result<Ready, Failure> {
        let live = Live::read_whole(&self.settings, None);
        match (live, self.listening) {
            // No file has these.
            (Ok(_), Err(error)) => Err(Failure::Usage(joined(&error))),
            (live, listening) => {
                let faulty = |error| Failure::Settings {
                    error,
                    have_flags: false,
                };
                let ((live, config), listening) = both(live, listening).map_err(faulty)?;
                Ok(Ready {
                    listening,
                    settings: self.settings,
                    live,
                    config,
                })
            }
        }
    }
}

/// Says whether a gate could start, and with what. Fetches keys only if `online`.
pub(super) fn check(
    wanted: Wanted,
    online: bool,
    runtime: &Runtime,
    mut signals: Signals,
    console: &mut Console<'_>,
) -> Result<Exit, Failure> {
    let checked = runtime.block_on(async {
        let checking = async {
            let (mut checked, addresses) = report(wanted).await?;
            if online && !addresses.is_empty() {
                checked.keys = Some(keys::look(addresses).await);
            }
            Ok(checked)
        };
        tokio::select! {
            checked = checking => checked,
            () = signals.stop() => Err(Failure::cannot("check the settings", "stopped by a signal")),
        }
    })?;
    // Writing may wait for a reader that has stopped reading.
    runtime.spawn(async move {
        signals.stop().await;
        process::exit(Exit::Unknown.code().into());
    });
    console.say(&checked, |terminal| checked.text(terminal))?;
    Ok(checked.keys.as_ref().map_or(Exit::Good, Report::exit))
}

/// On a thread outside the runtime: within it, what is made of the settings begins to
/// fetch keys, and writes the snapshot, as soon as it is looked at.
async fn report(wanted: Wanted) -> Result<(Checked, Vec<KeyAddress>), Failure> {
    let cannot = |error: &dyn Display| Failure::cannot("read the settings", error);
    let read = in_thread(move || wanted.read().and_then(Ready::report));
    read.await.map_err(|error| cannot(&error))?
}

/// A contract: see `docs/guide/cli.md`.
#[derive(Serialize)]
struct Checked {
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<String>,
    listen: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_listen: Option<String>,
    issuers: Vec<Trusted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_tokens: Option<String>,
    /// As `go-auth keys` reports them, where they were fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<Report>,
}

/// There is no other: what is wrong is reported as of any command.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Good,
}

#[derive(Serialize)]
struct Trusted {
    issuer: String,
    audience: Vec<String>,
    keys_from: String,
}

impl Ready {
    /// And where each issuer's keys are.
    fn report(self) -> Result<(Checked, Vec<KeyAddress>), Failure> {
        let Self {
            listening,
            settings,
            config,
            live,
        } = self;
        // Without issuers there are only Access Tokens.
        let addresses = if live.auth.health().issuers.is_empty() {
            Vec::new()
        } else {
            key_addresses(&config)?
        };
        let first = iter::once((&config.issuer, &config.audience));
        let others = (config.issuers.iter()).map(|other| (&other.issuer, &other.audience));
        let audience = |issuer: &str| {
            let mut all = first.clone().chain(others.clone());
            let found = all.find(|(known, _)| *known == issuer);
            found
                .map(|(_, audience)| audience.clone())
                .unwrap_or_default()
        };
        let issuers = addresses.iter().map(|address| Trusted {
            issuer: address.issuer.clone(),
            audience: audience(&address.issuer),
            // It goes to the log of a unit.
            keys_from: address.shown(),
        });
        let checked = Checked {
            verdict: Verdict::Good,
            config: settings.file().map(|file| file.display().to_string()),
            listen: listening.verdicts.to_string(),
            status_listen: listening.status.map(|address| address.to_string()),
            issuers: issuers.collect(),
            access_tokens: config.access_tokens.map(|file| file.display().to_string()),
            keys: None,
        };
        Ok((checked, addresses))
    }
}

impl Checked {
    fn text(&self, terminal: &Terminal) -> String {
        let settings = match &self.config {
            Some(file) => format!("{} over the environment", quoted(file)),
            None => "the environment".to_owned(),
        };
        let listen = match &self.status_listen {
            Some(status) => format!(
                "{}, and at {} for the status",
                plain(&self.listen),
                plain(status)
            ),
            None => plain(&self.listen),
        };
        let mut facts = vec![("settings:", settings), ("listens: ", listen)];
        facts.extend(self.issuers.iter().map(|trusted| {
            let audience = list(trusted.audience.iter().map(|name| quoted(name)));
            let (issuer, keys) = (quoted(&trusted.issuer), plain(&trusted.keys_from));
            (
                "trusts:  ",
                format!("{issuer} for {audience}, with the keys of {keys}"),
            )
        }));
        let tokens = self.access_tokens.iter();
        facts
            .extend(tokens.map(|file| ("tokens:  ", format!("Access Tokens of {}", quoted(file)))));
        let said = (
            Mark::Good,
            "the gate can start with these settings".to_owned(),
        );
        let mut text = page(said, "", &facts, None, terminal);
        if let Some(keys) = &self.keys {
            text.push('\n');
            text.push_str(&keys.text(terminal));
        }
        text
    }
}
