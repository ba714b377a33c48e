//! What is documented of `go-auth verify`.

use derbysoft_go_auth::inspect::Part;

use crate::console::{Exit, terminal};
use crate::facts::{Facts, NETWORK, SETTING_FILES};

pub(crate) const FACTS: Facts = Facts {
    exits: &[
        (Exit::Good, "the token is valid"),
        (Exit::Bad, "it is rejected"),
        (
            Exit::Unknown,
            "undecided: keys can't be fetched, or output can't be written",
        ),
        (Exit::Usage, "wrong usage, settings or input"),
    ],
    settings: &[Part::Rules, Part::Keys],
    variables: &[NETWORK, terminal::VARIABLES],
    files: SETTING_FILES,
    signals: &[
        (
            "SIGHUP, SIGINT, SIGQUIT, SIGTERM",
            "End it. A terminal at which a token is typed shows what is typed again.",
        ),
        (
            "SIGTSTP",
            "Stops it. Such a terminal is set back, and the token is asked for again afterwards.",
        ),
    ],
    examples: &[
        (
            "pbpaste | go-auth verify",
            "Verifies the token that was copied, with the settings of the environment:",
        ),
        (
            "go-auth verify --config gate.toml --token-file request.txt",
            "Verifies the token that is somewhere in a file, with the gate's settings:",
        ),
        (
            "go-auth verify --keys keys.json --at 2026-11-01T12:00:00Z",
            "Asks what the verdict was at noon, with the keys of then:",
        ),
    ],
};
