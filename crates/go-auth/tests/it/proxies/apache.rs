//! Apache.

use derbysoft_go_simulator::Simulator;

use super::cases::logs;
use super::proxy::{ANSWERS, Answers, PROXY, Proxy};
use super::stage::Stage;
use test_support::SUBJECT;
use test_support::wire::head;

/// What Debian's `apache2.conf` and `a2enmod` do around a site.
const AROUND: &str = "
ServerName localhost
PidFile httpd.pid
ErrorLog error.log
User nobody
Group nogroup
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule lua_module /usr/lib/apache2/modules/mod_lua.so
LoadModule rewrite_module /usr/lib/apache2/modules/mod_rewrite.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
StartServers 1
ServerLimit 1
ThreadsPerChild 16
MaxRequestWorkers 16
MaxKeepAliveRequests 0
Include apache.conf
";

pub(crate) const APACHE: Proxy = Proxy {
    program: "apache2",
    files: &[
        ("httpd.conf", AROUND),
        (
            "apache.conf",
            include_str!("../../../../../examples/gate/apache.conf"),
        ),
        (
            "go-auth.lua",
            include_str!("../../../../../examples/gate/apache.lua"),
        ),
    ],
    substitutes: |places| {
        let gates: String = (places.gates.iter())
            .map(|gate| {
                let address = gate.port();
                format!("{{ \"{}\", {} }},\n", address.ip(), address.port())
            })
            .collect();
        vec![
            ("Listen 8000", format!("Listen {}", places.listen)),
            ("*:8000", places.listen.to_string()),
            ("/etc/apache2/go-auth.lua", places.path("go-auth.lua")),
            ("/var/log/apache2/go-auth.log", places.path("access.log")),
            ("{ \"127.0.0.1\", 8081 },\n", gates),
            ("127.0.0.1:8080", places.api()),
        ]
    },
    arguments: |directory| {
        let directory = directory.display().to_string();
        ["-d", &directory, "-f", "httpd.conf", "-DFOREGROUND"]
            .map(str::to_owned)
            .to_vec()
    },
    answers: Answers {
        too_long: &[400],
        asterisk: Some(200),
        reads_rejected_bodies: true,
        ..ANSWERS
    },
    ..PROXY
};

every_case!(APACHE);

every_case! { APACHE;
    several: gates_restarted_in_turn_fail_no_request;
    several: another_gate_is_asked_where_one_has_ended;
}

#[tokio::test]
#[ignore = "needs the proxy: see .ci/run"]
async fn the_access_log_has_the_reason_and_no_token() {
    logs::the_access_log_has_the_reason_and_no_token(&APACHE, "access.log", |line| &line["gate"])
        .await;
}

/// As `.htaccess` files do that send all paths to one script.
#[tokio::test]
#[ignore = "needs the proxy: see .ci/run"]
async fn a_verdict_outlives_an_internal_redirect() {
    let go = Simulator::start().await.expect("a free port");
    let redirected = |shipped: String| {
        let rewritten = "ProxyPass /old !\n<Location /old>\nRewriteEngine on\n\
                         RewriteRule ^ /new [L]\n</Location>\nProxyPass / ";
        shipped.replace("ProxyPass / ", rewritten)
    };
    let stage = Stage::of(go, &APACHE, "", 1, redirected).await;
    let token = stage.go.token();
    let request = |headers: &[(&str, &str)]| head("GET", "/old", headers);
    for forged in ["x-go-subject", "x_go_subject"] {
        let request = request(&[(forged, "admin")]);
        assert_eq!(stage.send(request).await.expect("an answer").status, 401);
    }
    assert_eq!(stage.api.calls(), 0);
    let reply = stage.send(request(&[("Authorization", &token)])).await;
    assert_eq!(reply.expect("an answer").status, 200);
    let received = stage.api.last();
    assert_eq!(received.target, "/new");
    assert_eq!(received.header("x-go-subject"), Some(SUBJECT));
}
