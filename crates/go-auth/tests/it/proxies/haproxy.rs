//! `HAProxy`.

use std::time::Duration;

use super::cases::logs;
use super::proxy::{ANSWERS, Answers, PROXY, Proxy, RetryAfter, Verdicts};

pub(crate) const HAPROXY: Proxy = Proxy {
    program: "haproxy",
    files: &[
        (
            "haproxy.cfg",
            include_str!("../../../../../examples/gate/haproxy.cfg"),
        ),
        (
            "go-auth.lua",
            include_str!("../../../../../examples/gate/haproxy.lua"),
        ),
    ],
    substitutes: |places| {
        let socket = format!("abns@{}", places.listen);
        let gates: String = (places.gates.iter().enumerate())
            .map(|(number, gate)| {
                let verdicts = match &gate.verdicts {
                    Verdicts::Port(address) => address.to_string(),
                    Verdicts::Socket(path) => format!("unix@{path}"),
                };
                let (host, port) = (gate.status.ip(), gate.status.port());
                format!("    server gate{number} {verdicts} addr {host} port {port}\n")
            })
            .collect();
        vec![
            ("bind :8000", format!("bind {}", places.listen)),
            ("/etc/haproxy/go-auth.lua", places.path("go-auth.lua")),
            ("lua.go_auth abns@go-auth", format!("lua.go_auth {socket}")),
            ("bind abns@go-auth", format!("bind {socket}")),
            (SHIPPED, gates),
            ("127.0.0.1:8080", places.api()),
        ]
    },
    arguments: |_| ["-f", "haproxy.cfg", "-db"].map(str::to_owned).to_vec(),
    checked_within: Duration::from_millis(1200),
    answers: Answers {
        // Its own once a check has found that the gate has none.
        retry_after: RetryAfter::Either,
        ..ANSWERS
    },
    ..PROXY
};

/// Its gate, and the same at a socket.
const SHIPPED: &str = "    server gate 127.0.0.1:8081
    #socket: server gate unix@/run/go-auth/gate addr 127.0.0.1
";

every_case!(HAPROXY);

every_case! { HAPROXY;
    several: gates_restarted_in_turn_fail_no_request;
    several: another_gate_is_asked_where_one_has_ended;
    several: a_gate_without_keys_is_not_asked;
    http2: http_2_gets_the_same_verdicts;
}

mod over_a_socket {
    use super::{HAPROXY, Proxy};

    const HAPROXY_OVER_A_SOCKET: Proxy = Proxy {
        over_a_socket: true,
        ..HAPROXY
    };

    cases_of_the_gate!(HAPROXY_OVER_A_SOCKET);

    every_case! { HAPROXY_OVER_A_SOCKET;
        several: gates_restarted_in_turn_fail_no_request;
        several: another_gate_is_asked_where_one_has_ended;
        several: a_gate_without_keys_is_not_asked;
    }
}

#[tokio::test]
#[ignore = "needs the proxy: see .ci/run"]
async fn the_access_log_has_the_reason_and_no_token() {
    logs::the_access_log_has_the_reason_and_no_token(&HAPROXY, "log", |line| &line["gate"]).await;
}
