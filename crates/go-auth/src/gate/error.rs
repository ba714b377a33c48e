//! Why the gate does not serve.

use std::io;

use derbysoft_go_auth::ConfigError;

/// The gate could not start, or not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// The settings have faults; all are named.
    #[error(transparent)]
    Settings(#[from] ConfigError),
    /// The address can't be listened at.
    #[error("can't listen at \"{}\": {source}", listen.escape_debug())]
    Listen {
        /// The address, as configured.
        listen: String,
        /// Why not.
        source: io::Error,
    },
    /// The process lacks what it needs: threads, signals, its standard output.
    #[error("can't serve: {0}")]
    Process(#[from] io::Error),
    /// Another recorder of metrics is installed in this process.
    #[error("another recorder of metrics is installed")]
    Recorder,
}
