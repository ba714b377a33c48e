//! Envoy.

use super::api::Speaks;
use super::proxy::{ANSWERS, Answers, Proxy, RetryAfter};

pub(crate) const ENVOY: Proxy = Proxy {
    program: "envoy",
    files: &[(
        "envoy.yaml",
        include_str!("../../../../../examples/gate/envoy.yaml"),
    )],
    substitutes: |places| {
        let gate = |verdicts: std::net::SocketAddr, status: std::net::SocketAddr| {
            format!(
                "- endpoint:\n                  address:\n                    socket_address: \
                 {{ address: {}, port_value: {} }}\n                  health_check_config: \
                 {{ port_value: {} }}",
                verdicts.ip(),
                verdicts.port(),
                status.port()
            )
        };
        let endpoints: Vec<_> = places
            .gates
            .iter()
            .map(|it| gate(it.verdicts, it.status))
            .collect();
        let shipped = "- endpoint:
                  address:
                    socket_address: { address: 127.0.0.1, port_value: 8081 }
                  health_check_config: { port_value: 8082 }";
        let (api_host, api_port) = places
            .api()
            .split_once(':')
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .expect("a port");
        vec![
            (
                "address: 0.0.0.0, port_value: 8000",
                format!(
                    "address: {}, port_value: {}",
                    places.listen.ip(),
                    places.listen.port()
                ),
            ),
            (shipped, endpoints.join("\n              ")),
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
    listens_early: false,
    api: Speaks::Http,
    answers: Answers {
        http_1_0: false,
        unknown_method: false,
        ignores_empty_credentials: true,
        retry_after: RetryAfter::OfTheProxy,
        ..ANSWERS
    },
};

every_case!(ENVOY);

every_case! { ENVOY;
    several: gates_restarted_in_turn_fail_no_request;
}
