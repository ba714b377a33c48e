//! Envoy.

use std::net::SocketAddr;

use super::proxy::{ANSWERS, Answers, GateAddress, PROXY, Proxy, RetryAfter, Verdicts};

pub(crate) const ENVOY: Proxy = Proxy {
    program: "envoy",
    files: &[(
        "envoy.yaml",
        include_str!("../../../../../examples/gate/envoy.yaml"),
    )],
    substitutes: |places| {
        let gates: Vec<_> = places.gates.iter().map(endpoint).collect();
        let api = places.api();
        let (api_host, api_port) = api.split_once(':').expect("a port");
        let (listen_host, listen_port) = (places.listen.ip(), places.listen.port());
        vec![
            (
                "address: 0.0.0.0, port_value: 8000",
                format!("address: {listen_host}, port_value: {listen_port}"),
            ),
            (ENDPOINT, gates.concat()),
            (TYPE, cluster(places.gate())),
            (
                "address: 127.0.0.1, port_value: 8080",
                format!("address: {api_host}, port_value: {api_port}"),
            ),
        ]
    },
    arguments: |_| {
        [
            "--config-path",
            "envoy.yaml",
            "--disable-hot-restart",
            "--concurrency",
            "1",
            "--log-level",
            "warn",
        ]
        .map(str::to_owned)
        .to_vec()
    },
    answers: Answers {
        http_1_0: Some(426),
        unknown_method: Some(400),
        ignores_empty_credentials: true,
        retry_after: RetryAfter::Proxy,
        ..ANSWERS
    },
    ..PROXY
};

/// A gate in the file, at its port or, with the other lines, at its socket.
const ENDPOINT: &str = "              - endpoint:
                  address:
                    socket_address: { address: 127.0.0.1, port_value: 8081 }
                    #socket: pipe: { path: /run/go-auth/gate }
                  health_check_config:
                    address:
                      socket_address: { address: 127.0.0.1, port_value: 8082 }
";

/// Names are looked up, but no sockets are.
const TYPE: &str = "      type: STRICT_DNS
      #socket: type: STATIC
";

fn cluster(gate: &GateAddress) -> String {
    let line = match gate.verdicts {
        Verdicts::Port(_) => "STRICT_DNS",
        Verdicts::Socket(_) => "STATIC",
    };
    format!("      type: {line}\n")
}

fn endpoint(gate: &GateAddress) -> String {
    let at = |address: SocketAddr| {
        let (host, port) = (address.ip(), address.port());
        format!("address: {host}, port_value: {port}")
    };
    let endpoint = match &gate.verdicts {
        Verdicts::Port(address) => {
            ENDPOINT.replace("address: 127.0.0.1, port_value: 8081", &at(*address))
        }
        Verdicts::Socket(path) => ENDPOINT
            .replace(
                "socket_address: { address: 127.0.0.1, port_value: 8081 }\n",
                "",
            )
            .replace("#socket: ", "")
            .replace("/run/go-auth/gate", path),
    };
    endpoint.replace("address: 127.0.0.1, port_value: 8082", &at(gate.status))
}

every_case!(ENVOY);

every_case! { ENVOY;
    several: gates_restarted_in_turn_fail_no_request;
    several: another_gate_is_asked_where_one_has_ended;
    several: a_gate_without_keys_is_not_asked;
    http2: http_2_gets_the_same_verdicts;
}

mod over_a_socket {
    use super::{ENVOY, Proxy};

    const ENVOY_OVER_A_SOCKET: Proxy = Proxy {
        over_a_socket: true,
        ..ENVOY
    };

    cases_of_the_gate!(ENVOY_OVER_A_SOCKET);

    every_case! { ENVOY_OVER_A_SOCKET;
        several: gates_restarted_in_turn_fail_no_request;
        several: another_gate_is_asked_where_one_has_ended;
        several: a_gate_without_keys_is_not_asked;
    }
}
