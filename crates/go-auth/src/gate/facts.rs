//! What is documented of `go-auth serve`.

use derbysoft_go_auth::inspect::Part;

use crate::console::{Exit, terminal};
use crate::facts::{Facts, NETWORK, SETTING_FILES};
use crate::process;

pub(crate) const FACTS: Facts = Facts {
    exits: &[
        (
            Exit::Good,
            "stopped by a signal; with --check: it could start",
        ),
        (
            Exit::Bad,
            "with --check --online: an address answers, without a usable key",
        ),
        (
            Exit::Unknown,
            "it can't listen or go on; with --check --online: keys can't be fetched",
        ),
        (Exit::Usage, "wrong usage or settings"),
    ],
    settings: &[Part::Rules, Part::Keys, Part::Answers],
    variables: &[
        &[
            (
                "LISTEN",
                "The address to listen on, where no --listen names one.",
            ),
            (
                "STATUS_LISTEN",
                "The address of the status, where no --status-listen names one.",
            ),
            (
                "SOCKET_MODE, SOCKET_GROUP",
                "The mode and the group of unix:PATH, where no flag names them.",
            ),
            (
                "LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES",
                "The sockets that systemd passes, for the addresses systemd and systemd:NAME.",
            ),
            (
                "NOTIFY_SOCKET",
                "Where systemd is notified that it serves, reloads or stops, and how its keys are.",
            ),
        ],
        process::VARIABLES,
        NETWORK,
        terminal::VARIABLES,
    ],
    files: SETTING_FILES,
    signals: &[
        (
            "SIGHUP",
            "Reads the settings again. If they can't be used, the present ones stay.",
        ),
        (
            "SIGTERM, SIGINT",
            "End it when the requests in flight have ended.",
        ),
        ("SIGUSR1, SIGUSR2", "Have no meaning: each is logged."),
    ],
    examples: &[
        (
            "go-auth serve --check --config /etc/go-auth/go-auth.toml",
            "Checks settings before the gate is started or reloaded:",
        ),
        (
            "go-auth serve --config /etc/go-auth/go-auth.toml",
            "Runs the gate where a proxy on the same machine reaches it:",
        ),
        (
            "go-auth serve --listen 0.0.0.0:8081 --status-listen 127.0.0.1:8082",
            "Takes the settings from the environment, and answers questions about its status at another address:",
        ),
    ],
};
