//! Caddy.

use super::api::Speaks;
use super::proxy::{ANSWERS, Answers, Proxy};

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
        let gates: Vec<_> = (places.gates.iter())
            .map(|gate| gate.port().to_string())
            .collect();
        vec![
            (":8000 {", listen),
            ("127.0.0.1:8081", gates.join(" ")),
            ("127.0.0.1:8080", places.api()),
        ]
    },
    arguments: |_| ["run", "--config", "Caddyfile"].map(str::to_owned).to_vec(),
    over_a_socket: false,
    listens_early: false,
    api: Speaks::Http,
    answers: Answers {
        asterisk: Some(200),
        reads_rejected_bodies: true,
        ..ANSWERS
    },
};

every_case!(CADDY);

every_case! { CADDY;
    several: gates_restarted_in_turn_fail_no_request;
}
