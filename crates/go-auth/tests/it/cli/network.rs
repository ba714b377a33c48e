//! A company's network: by flags, and by the variables that all programs share.

use super::{GoAuth, Ran, go_auth, path};
use test_support::World;
use test_support::company::Company;
use test_support::front::Front;
use test_support::proxy::Proxy;

struct Scene {
    world: World,
    company: Company,
    front: Front,
}

impl Scene {
    async fn new() -> Self {
        let (world, company) = (World::new().await, Company::new());
        let front = Front::of_server(&world, company.server()).await;
        Self {
            world,
            company,
            front,
        }
    }

    /// `go-auth keys` on an address that only a proxy knows, trusting the company.
    fn afar(&self) -> GoAuth {
        let address = self.front.url(&self.world);
        let address = address.replace(&self.front.address.to_string(), "id.example");
        self.keys(address)
    }

    /// The same at the front's own address.
    fn near(&self) -> GoAuth {
        self.keys(self.front.url(&self.world))
    }

    fn keys(&self, address: String) -> GoAuth {
        go_auth(&["keys", "--connect-timeout", "500ms", "--jwks-url"])
            .arg(address)
            .arg("--ca-file")
            .arg(path(&self.company.ca_file()))
            .var("COLUMNS", "160")
    }
}

#[track_caller]
fn is_good(ran: &Ran) {
    assert_eq!((ran.status, &*ran.stderr), (0, ""), "{}", ran.all());
}

#[tokio::test]
async fn the_environments_proxy_is_used_for_https() {
    let scene = Scene::new().await;
    let proxy = Proxy::to(scene.front.address).await;
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        is_good(&scene.afar().var(name, proxy.url()).run().await);
    }
    assert_eq!(proxy.heard(), ["CONNECT id.example:443 HTTP/1.1"; 3]);
    let ran = scene.near().var("HTTP_PROXY", proxy.url()).run().await;
    is_good(&ran);
    assert_eq!(proxy.heard().len(), 3);
}

#[tokio::test]
async fn a_dead_proxy_of_the_environment_is_named() {
    let scene = Scene::new().await;
    let proxy = "http://user:hunter2@127.0.0.1:1";
    let ran = scene.afar().var("HTTPS_PROXY", proxy).run().await;
    assert_eq!(ran.status, 2, "{}", ran.all());
    ran.shows("the proxy 127.0.0.1:1 could not be reached: ");
    ran.shows("next: Check the proxy's host and port");
    assert!(!ran.all().contains("hunter2"), "{}", ran.all());

    let strict = Proxy::demanding("user:s3cr3t", scene.front.address).await;
    let wrong = strict.url_for("user:hunter2");
    let ran = scene.afar().var("HTTPS_PROXY", wrong).run().await;
    assert_eq!(ran.status, 2, "{}", ran.all());
    ran.shows(&format!(
        "the proxy {} requires a user name and password",
        strict.address
    ));
    ran.shows("next: Check the user name and the password");
    assert!(!ran.all().contains("hunter2"), "{}", ran.all());
}

#[tokio::test]
async fn no_proxy_holds_for_the_environments_alone() {
    let scene = Scene::new().await;
    let proxy = Proxy::to(scene.front.address).await;
    let without = |ran: GoAuth| ran.var("NO_PROXY", "other.example, 127.0.0.0/8");
    let ran = without(scene.near()).var("HTTPS_PROXY", proxy.url());
    is_good(&ran.run().await);
    assert_eq!(proxy.heard(), [""; 0]);
    let ran = without(scene.near()).arg("--proxy").arg(proxy.url());
    is_good(&ran.run().await);
    assert_eq!(proxy.heard().len(), 1);
    let ran = without(scene.near()).var("GO_AUTH_PROXY", proxy.url());
    is_good(&ran.run().await);
    assert_eq!(proxy.heard().len(), 2);
}

#[tokio::test]
async fn a_proxy_that_is_set_counts_before_the_environments() {
    let scene = Scene::new().await;
    let (set, other) = (
        Proxy::to(scene.front.address).await,
        Proxy::forbidding().await,
    );
    let ran = scene.afar().var("HTTPS_PROXY", other.url());
    is_good(&ran.var("GO_AUTH_PROXY", set.url()).run().await);
    assert_eq!((set.heard().len(), other.heard().len()), (1, 0));
}

#[tokio::test]
async fn plain_http_to_this_machine_passes_by_every_proxy() {
    let world = World::new().await;
    let proxy = Proxy::forbidding().await;
    let ran = go_auth(&["keys", "--jwks-url", &world.go.jwks_url()])
        .var("GO_AUTH_PROXY", proxy.url())
        .var("HTTP_PROXY", proxy.url())
        .var("ALL_PROXY", proxy.url());
    is_good(&ran.run().await);
    assert_eq!(proxy.heard(), [""; 0]);
}

#[tokio::test]
async fn a_client_certificate_is_given_by_flags() {
    let (world, company) = (World::new().await, Company::new());
    let front = Front::of_server(&world, company.strict_server()).await;
    let (certificate, key) = company.client();
    let with = |ran: GoAuth| {
        ran.arg("--jwks-url")
            .arg(front.url(&world))
            .arg("--ca-file")
            .arg(path(&company.ca_file()))
    };
    let certified = |ran: GoAuth| {
        ran.arg("--client-cert")
            .arg(path(&certificate))
            .arg("--client-key")
            .arg(path(&key))
    };
    is_good(&certified(with(go_auth(&["keys"]))).run().await);
    let verify = || super::strict_verify(&world).stdin(world.token());
    let ran = certified(with(verify()))
        .arg("--at")
        .arg(world.time().as_secs().to_string());
    is_good(&ran.run().await);

    let ran = with(go_auth(&["keys"])).var("COLUMNS", "160").run().await;
    assert_eq!(ran.status, 2, "{}", ran.all());
    ran.shows("the server wants a client certificate");
    let ran = with(verify())
        .arg("--client-key")
        .arg(path(&key))
        .run()
        .await;
    assert_eq!(ran.status, 64, "{}", ran.all());
    let fault = "--client-key is of no use without client_cert";
    assert!(ran.stderr.contains(fault), "{}", ran.all());
}

#[tokio::test]
async fn a_machine_without_certificates_is_told_so() {
    let scene = Scene::new().await;
    let empty = super::file("");
    let ran = go_auth(&["keys", "--jwks-url"])
        .arg(scene.front.url(&scene.world))
        .var("SSL_CERT_FILE", path(&empty))
        .var("COLUMNS", "160")
        .run()
        .await;
    assert_eq!(ran.status, 2, "{}", ran.all());
    ran.shows("this machine has no CA certificates:");
    ran.shows("install the package ca-certificates");

    // With an authority of its own it needs none of the machine's.
    let ran = scene.near().var("SSL_CERT_FILE", path(&empty)).run().await;
    is_good(&ran);
}

#[tokio::test]
async fn a_password_is_not_printed_by_any_command() {
    for wrong in ["http://user:hunter2#@proxy.example", "hunter2://proxy"] {
        for command in [&["keys"][..], &["keys", "--json"], &["verify"]] {
            let ran = go_auth(command).arg("--proxy").arg(wrong);
            let ran = ran.stdin("a.b.c").run_here();
            assert_ne!(ran.status, 0, "{}", ran.all());
            assert!(ran.all().contains("--proxy is "), "{}", ran.all());
            assert!(!ran.all().contains("hunter2"), "{}", ran.all());
        }
    }
}
