//! What has to be right before the gate listens.

use std::ffi::OsString;

use super::listening::Listening;
use super::live::Live;
use super::serve::ServeArgs;
use super::settings::Settings;
use crate::console::Failure;
use derbysoft_go_auth::config::ConfigError;
use derbysoft_go_auth::inspect::both;

/// What flags and environment ask for. Nothing of it is read yet.
#[derive(Clone)]
pub(super) struct Wanted {
    listening: Result<Listening, ConfigError>,
    settings: Settings,
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
    pub(super) fn read(self) -> Result<(Listening, Settings, Live), Failure> {
        let live = Live::read(&self.settings, None);
        match (live, self.listening) {
            // No file has these.
            (Ok(_), Err(error)) => {
                let faults: Vec<_> = error.faults().collect();
                Err(Failure::Usage(faults.join("; ")))
            }
            (live, listening) => {
                let faulty = |error| Failure::Settings {
                    error,
                    have_flags: false,
                };
                let (live, listening) = both(live, listening).map_err(faulty)?;
                Ok((listening, self.settings, live))
            }
        }
    }
}
