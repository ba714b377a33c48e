//! A company's own certificate authority, in place of the system's.

use derbysoft_go_auth::Network;
use derbysoft_go_auth::keys::FetchError;
use derbysoft_go_auth::outbound::GatewayErrorKind;

use super::{auth, call, keys, token};
use test_support::company::Company;
use test_support::front::Front;
use test_support::{World, ready, verdict};

#[tokio::test]
async fn a_ca_file_makes_its_servers_trusted() {
    let (world, company) = (World::new().await, Company::new());
    let front = Front::of_server(&world, company.server()).await;
    let network = Network::new().ca_file(company.ca_file());
    let auth = auth(&world, &front, &network);
    ready(&auth).await.unwrap();
    assert_eq!(verdict(&auth, &world.token()).await, "ok");
    token(&world, &front, &network).await.unwrap();
    assert_eq!(call(&world, &front, &network).await.unwrap(), 200);
}

#[tokio::test]
async fn no_other_servers_are_trusted_beside_a_ca_file() {
    let (world, company, other) = (World::new().await, Company::new(), Company::new());
    let front = Front::of_server(&world, company.server()).await;
    for network in [Network::new(), Network::new().ca_file(other.ca_file())] {
        let keys = keys(&world, &front, &network)
            .await
            .expect_err("a stranger");
        assert!(matches!(keys, FetchError::Unreachable(_)), "{keys:?}");
        let token = token(&world, &front, &network)
            .await
            .expect_err("a stranger");
        assert!(
            matches!(token, GatewayErrorKind::Unreachable(_)),
            "{token:?}"
        );
        assert!(call(&world, &front, &network).await.is_err());
    }
    assert_eq!(world.go.total_requests(), 0);
}

#[tokio::test]
async fn a_ca_file_may_have_several_authorities() {
    let (world, company, other) = (World::new().await, Company::new(), Company::new());
    let front = Front::of_server(&world, company.server()).await;
    let text = format!("# ours\n{}\n# and theirs\n{}", other.pem(), company.pem());
    let network = Network::new().ca_file(company.file(text));
    keys(&world, &front, &network).await.unwrap();
}

#[tokio::test]
async fn a_ca_file_counts_before_a_custom_clients_tls() {
    let (world, company, other) = (World::new().await, Company::new(), Company::new());
    let front = Front::of_server(&world, company.server()).await;
    let builder = world.builder().jwks_url(front.url(&world));
    let builder = builder.configure(|it| it.ca_file = Some(other.ca_file()));
    let careless = builder.http_client(|client| client.tls_danger_accept_invalid_certs(true));
    let error = ready(&careless.build().unwrap())
        .await
        .expect_err("a stranger");
    assert!(matches!(error, FetchError::Unreachable(_)), "{error:?}");
}
