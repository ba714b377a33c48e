//! Traefik.

use super::proxy::{ANSWERS, Answers, PROXY, Proxy};
use test_support::secs;

pub(crate) const TRAEFIK: Proxy = Proxy {
    program: "traefik",
    files: &[
        (
            "traefik-static.yml",
            include_str!("../../../../../examples/gate/traefik-static.yml"),
        ),
        (
            "traefik.yml",
            include_str!("../../../../../examples/gate/traefik.yml"),
        ),
    ],
    substitutes: |places| {
        vec![
            (
                "address: \":8000\"",
                format!("address: \"{}\"", places.listen),
            ),
            ("127.0.0.1:8081", places.gate().port().to_string()),
            ("127.0.0.1:8080", places.api()),
        ]
    },
    arguments: |_| vec!["--configFile=traefik-static.yml".to_owned()],
    listens_early: true,
    answers: Answers {
        no_gate: 500,
        patience: secs(30),
        asterisk: Some(200),
        ..ANSWERS
    },
    ..PROXY
};

every_case!(TRAEFIK);

every_case! { TRAEFIK;
    http2: http_2_gets_the_same_verdicts;
}
