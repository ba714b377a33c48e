//! Caddy.

use super::cases::logs;
use super::proxy::{ANSWERS, Answers, PROXY, Proxy, Verdicts};
use super::stage::Stage;
use test_support::wire::head;

pub(crate) const CADDY: Proxy = Proxy {
    program: "caddy",
    files: &[(
        "Caddyfile",
        include_str!("../../../../../examples/gate/Caddyfile"),
    )],
    substitutes: |places| {
        let listen = format!(
            "{{\n\tadmin off\n\tpersist_config off\n}}\n\nhttp://:{} {{\n\tbind {}",
            places.listen.port(),
            places.listen.ip()
        );
        let gates: String = (places.gates.iter())
            .map(|gate| match &gate.verdicts {
                Verdicts::Port(address) => format!(" {address}"),
                Verdicts::Socket(path) => format!(" unix/{path}"),
            })
            .collect();
        vec![
            (":8000 {", listen),
            (SHIPPED, format!("to{gates}\n")),
            ("127.0.0.1:8080", places.api()),
        ]
    },
    arguments: |_| ["run", "--config", "Caddyfile"].map(str::to_owned).to_vec(),
    answers: Answers {
        asterisk: Some(200),
        reads_rejected_bodies: true,
        ..ANSWERS
    },
    ..PROXY
};

/// Its gate, and the same at a socket.
const SHIPPED: &str = "to 127.0.0.1:8081\n\t\t\t#socket: to unix//run/go-auth/gate\n";

every_case!(CADDY);

every_case! { CADDY;
    several: gates_restarted_in_turn_fail_no_request;
    several: another_gate_is_asked_where_one_has_ended;
    http2: http_2_gets_the_same_verdicts;
}

mod over_a_socket {
    use super::{CADDY, Proxy};

    const CADDY_OVER_A_SOCKET: Proxy = Proxy {
        over_a_socket: true,
        ..CADDY
    };

    cases_of_the_gate!(CADDY_OVER_A_SOCKET);

    every_case! { CADDY_OVER_A_SOCKET;
        several: gates_restarted_in_turn_fail_no_request;
        several: another_gate_is_asked_where_one_has_ended;
    }
}

#[tokio::test]
#[ignore = "needs the proxy: see .ci/run"]
async fn the_access_log_has_the_reason_and_no_token() {
    logs::the_access_log_has_the_reason_and_no_token(&CADDY, "log", |line| {
        &line["resp_headers"]["Www-Authenticate"][0]
    })
    .await;
}

#[tokio::test]
#[ignore = "needs the proxy: see .ci/run"]
async fn an_api_that_does_not_answer_is_no_gate_that_does_not() {
    let stage = Stage::set(&CADDY, "").await;
    let mut wire = stage.connect().await;
    drop(stage.api);
    let token = stage.go.token();
    wire.write(head("GET", "/ping", &[("Authorization", &token)]))
        .await;
    let reply = wire.reply().await;
    assert_eq!(reply.status, 502);
    assert_eq!(reply.header("retry-after"), None);
}
