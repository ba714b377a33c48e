//! What is documented of `go-auth simulate` and `go-auth simulate push`.

use crate::console::{Exit, terminal};
use crate::facts::{Facts, NO_SIGNALS};
use crate::process;

pub(crate) const FACTS: Facts = Facts {
    exits: &[
        (Exit::Good, "stopped by a signal"),
        (Exit::Unknown, "it can't listen, or can't go on"),
        (Exit::Usage, "wrong usage"),
    ],
    settings: &[],
    variables: &[
        &[(
            "LISTEN",
            "The address to listen on, where no --listen names one.",
        )],
        process::VARIABLES,
        terminal::VARIABLES,
    ],
    files: &[],
    signals: &[
        (
            "SIGTERM, SIGINT, SIGHUP",
            "End it; requests in flight have 5 seconds. A second one ends it at once.",
        ),
        ("SIGUSR1, SIGUSR2", "Have no meaning: each is logged."),
    ],
    examples: &[
        ("go-auth simulate", "Runs GO for tests on this machine:"),
        (
            "go-auth simulate --listen 0.0.0.0:8083 --origin http://go:8083",
            "Runs it in a container that others know as `go`:",
        ),
    ],
};

pub(crate) const PUSH: Facts = Facts {
    exits: &[
        (Exit::Good, "all answers are as expected"),
        (
            Exit::Bad,
            "some are not: somebody else was accepted, or GO was not",
        ),
        (
            Exit::Unknown,
            "distributor or simulator can't be reached, or output can't be written",
        ),
        (Exit::Usage, "wrong usage"),
    ],
    settings: &[],
    variables: &[terminal::VARIABLES],
    files: &[],
    signals: NO_SIGNALS,
    examples: &[
        (
            "go-auth simulate push http://127.0.0.1:8080",
            "Tests a distributor with good and forged tokens:",
        ),
        (
            "go-auth simulate push http://127.0.0.1:8080 --token good,expired",
            "Sends two pushes only:",
        ),
    ],
};
