//! How certificates of a key address are explained.

use rcgen::CertificateParams;

use super::{Ran, file, go_auth, path};
use test_support::World;
use test_support::front::Front;

/// Asks through TLS, with this certificate among the system's and no other.
async fn keys(world: &World, front: &Front, trusted: &Front) -> Ran {
    let roots = file(trusted.pem());
    go_auth(&["keys", "--jwks-url"])
        .arg(front.url(world))
        .var("SSL_CERT_FILE", path(&roots))
        .var("COLUMNS", "160")
        .run()
        .await
}

/// Another server, with another name.
async fn stranger(world: &World) -> Front {
    Front::certified(world, |params| {
        (params.distinguished_name).push(rcgen::DnType::CommonName, "somebody else");
    })
    .await
}

#[tokio::test]
async fn a_certificate_of_the_system_is_trusted() {
    let world = World::new().await;
    let front = Front::of(&world).await;
    let ran = keys(&world, &front, &front).await;
    assert_eq!(ran.status, 0, "{}", ran.all());
    assert!(
        ran.stdout.starts_with("ok 2 usable keys at https://"),
        "{}",
        ran.stdout
    );
}

#[tokio::test]
async fn an_untrusted_certificate_is_explained() {
    let world = World::new().await;
    let front = Front::of(&world).await;
    for (trusted, shown) in [
        (
            stranger(&world).await,
            "its certificate is not trusted: it is self-signed",
        ),
        // Of the same name, as an attacker would choose it.
        (
            Front::of(&world).await,
            "its certificate is not signed by the authority that it names",
        ),
    ] {
        let ran = keys(&world, &front, &trusted).await;
        assert_eq!(ran.status, 2, "{}", ran.all());
        ran.shows(shown);
    }
    assert_eq!(world.go.total_requests(), 0);
}

#[tokio::test]
async fn an_expired_certificate_is_shown_with_its_time() {
    let world = World::new().await;
    for (from, to, shown) in [
        (
            2020,
            2021,
            ["its certificate expired ", "ago, at 2021-01-01T00:00:00Z"],
        ),
        (
            2100,
            2101,
            [
                "its certificate becomes valid in ",
                "at 2100-01-01T00:00:00Z",
            ],
        ),
    ] {
        let front = Front::certified(&world, |params| {
            params.not_before = rcgen::date_time_ymd(from, 1, 1);
            params.not_after = rcgen::date_time_ymd(to, 1, 1);
        })
        .await;
        let ran = keys(&world, &front, &front).await;
        assert_eq!(ran.status, 2, "{}", ran.all());
        for shown in shown {
            ran.shows(shown);
        }
    }
    assert_eq!(world.go.total_requests(), 0);
}

#[tokio::test]
async fn a_misnamed_certificate_is_shown_with_both_names() {
    let world = World::new().await;
    let front = Front::certified(&world, |params| {
        *params = CertificateParams::new(vec!["id.example".to_owned()]).expect("a name");
    })
    .await;
    let ran = keys(&world, &front, &front).await;
    assert_eq!(ran.status, 2, "{}", ran.all());
    let shown = "its certificate is for another name: for id.example, not for 127.0.0.1";
    ran.shows(shown);
    assert_eq!(world.go.total_requests(), 0);
}

#[tokio::test]
async fn a_plain_server_at_an_https_address_is_explained() {
    let world = World::new().await;
    let address = world.go.jwks_url().replace("http:", "https:");
    let front = Front::of(&world).await;
    let pem = file(front.pem());
    let ran = go_auth(&["keys", "--jwks-url", &address])
        .var("SSL_CERT_FILE", path(&pem))
        .var("COLUMNS", "160")
        .run()
        .await;
    assert_eq!(ran.status, 2, "{}", ran.all());
    ran.shows("does not speak TLS");
}

#[tokio::test]
async fn verify_explains_untrusted_certificates_too() {
    let world = World::new().await;
    let front = Front::of(&world).await;
    let other = file(stranger(&world).await.pem());
    let ran = super::strict_verify(&world)
        .var("SSL_CERT_FILE", path(&other))
        .var("COLUMNS", "160")
        .arg("--jwks-url")
        .arg(front.url(&world))
        .stdin(world.token())
        .run()
        .await;
    assert_eq!(ran.status, 2, "{}", ran.all());
    ran.shows("its certificate is not trusted");
}

/// A redirect over TLS to a plain address is as little followed as any.
#[tokio::test]
async fn a_redirect_from_https_to_http_is_not_followed() {
    let world = World::new().await;
    let front = Front::redirecting_to_http(&world).await;
    let ran = keys(&world, &front, &front).await;
    assert_eq!(ran.status, 1, "{}", ran.all());
    assert_eq!(world.go.total_requests(), 1);
}
