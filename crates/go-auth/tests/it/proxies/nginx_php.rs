//! nginx, and an API in PHP behind PHP-FPM.

use derbysoft_go_simulator::Simulator;

use super::api::Speaks;
use super::nginx;
use super::proxy::Proxy;
use super::stage::Stage;

const NGINX_PHP: Proxy = Proxy {
    files: &[(
        "nginx.conf",
        include_str!("../../../../../examples/gate/nginx-php-fpm.conf"),
    )],
    substitutes: |places| {
        let (socket, script) = places.php();
        let mut substitutes = nginx::substitutes(places);
        substitutes.push(("/run/php/php-fpm.sock", socket.to_owned()));
        substitutes.push(("/srv/api/public/index.php", script.to_owned()));
        substitutes
    },
    api: Speaks::Php,
    ..nginx::NGINX
};

every_case!(NGINX_PHP);

#[tokio::test]
#[ignore = "needs the proxy: see .ci/run"]
async fn php_sees_those_headers_alone_that_the_file_names() {
    let stage = Stage::set(&NGINX_PHP, "").await;
    let token = stage.go.token();
    let named = [
        ("content-type", "application/json"),
        ("content-encoding", "gzip"),
        ("accept", "*/*"),
        ("user-agent", "go"),
        ("traceparent", "00-1-2-01"),
    ];
    let others = [
        ("authorization", &*token),
        ("proxy", "http://evil.example"),
        ("proxy-authorization", "Basic dXNlcjpwYXNz"),
        ("x-anything", "else"),
        ("cookie", "session=1"),
    ];
    assert_eq!(stage.push(&[named, others].concat()).await.status, 200);
    let received = stage.api.last();
    for (name, value) in named {
        let name = if name == "content-type" {
            "CONTENT_TYPE"
        } else {
            name
        };
        assert_eq!(received.header(name), Some(value), "{name}");
    }
    for (name, value) in others {
        assert_eq!(received.header(name), None);
        assert!(received.fields_with(value).is_empty(), "{name}");
    }
    assert_eq!(received.header("x-go-api"), Some(""), "empty, and there");
}

/// As the snippets for PHP have it that one finds everywhere.
#[tokio::test]
#[ignore = "needs the proxy: see .ci/run"]
async fn a_location_with_parameters_of_its_own_shows_no_caller() {
    let change = |shipped: String| {
        let is_needed = |line: &&str| {
            ["SCRIPT_FILENAME", "REQUEST_METHOD", "REQUEST_URI"]
                .iter()
                .any(|name| line.contains(&format!("fastcgi_param {name} ")))
        };
        let own: String = shipped.lines().filter(is_needed).collect();
        assert_eq!(shipped.matches("fastcgi_pass unix").count(), 1);
        shipped.replace("fastcgi_pass unix", &format!("{own} fastcgi_pass unix"))
    };
    let go = Simulator::start().await.expect("a free port");
    let stage = Stage::of(go, &NGINX_PHP, "", 1, change).await;
    let token = stage.go.token();
    let forged = [("Authorization", &*token), ("X-Go-Subject", "admin")];
    assert_eq!(stage.push(&forged).await.status, 200);
    assert_eq!(stage.api.last().identity(), []);
}
