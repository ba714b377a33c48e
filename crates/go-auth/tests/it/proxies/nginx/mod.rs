//! nginx, and tests of what only its configuration has.

mod load;
mod settings;

use super::proxy::{ANSWERS, Answers, PROXY, Places, Proxy, Verdicts};

pub(crate) const NGINX: Proxy = Proxy {
    program: "nginx",
    files: &[(
        "nginx.conf",
        include_str!("../../../../../../examples/gate/nginx.conf"),
    )],
    substitutes: |places| {
        let mut substitutes = substitutes(places);
        substitutes.push(("127.0.0.1:8080", places.api()));
        substitutes
    },
    arguments: |directory| {
        // Its workers would run as nobody, were it started by root.
        let global = "daemon off; master_process off; error_log stderr; pid nginx.pid;";
        let directory = directory.display().to_string();
        ["-p", &directory, "-c", "nginx.conf", "-g", global]
            .map(str::to_owned)
            .to_vec()
    },
    answers: Answers {
        two_credentials: &[400],
        too_long: &[400],
        ..ANSWERS
    },
    ..PROXY
};

/// What all of its files have.
pub(crate) fn substitutes(places: &Places) -> Vec<(&'static str, String)> {
    let gates: Vec<_> = (places.gates.iter())
        .map(|gate| match &gate.verdicts {
            Verdicts::Port(address) => format!("server {address} max_fails=0;"),
            Verdicts::Socket(path) => format!("server unix:{path} max_fails=0;"),
        })
        .collect();
    // The line of the file that is the test's, and the one that goes.
    let lines = [
        "server 127.0.0.1:8081 max_fails=0;",
        "#socket: server unix:/run/go-auth/gate max_fails=0;",
    ];
    let [ours, other] = match places.gate().verdicts {
        Verdicts::Port(_) => lines,
        Verdicts::Socket(_) => [lines[1], lines[0]],
    };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("    {name}_temp_path {};\n", places.path(name)))
        .concat();
    vec![
        ("listen 8000;", format!("listen {};", places.listen)),
        (ours, gates.join("\n")),
        (other, String::new()),
        ("http {\n", format!("http {{\n{temporary}")),
        ("/var/log/nginx/access.log", places.path("access.log")),
    ]
}

every_case!(NGINX);

mod over_a_socket {
    use super::{NGINX, Proxy};

    const NGINX_OVER_A_SOCKET: Proxy = Proxy {
        over_a_socket: true,
        ..NGINX
    };

    cases_of_the_gate!(NGINX_OVER_A_SOCKET);

    every_case! { NGINX_OVER_A_SOCKET;
        several: gates_restarted_in_turn_fail_no_request;
        several: another_gate_is_asked_where_one_has_ended;
    }
}

every_case! { NGINX;
    several: gates_restarted_in_turn_fail_no_request;
    several: another_gate_is_asked_where_one_has_ended;
}
