//! nginx, and an API in PHP behind FastCGI.

use super::api::Speaks;
use super::nginx;
use super::proxy::Proxy;

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
