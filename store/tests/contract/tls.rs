//! PostgreSQL over TLS.

use broadside_store::testing::TestPostgres;
use broadside_store::{Location, Store};
use rcgen::CertifiedKey;

async fn open(url: String) -> Result<Store, String> {
    Store::open(&Location::Postgres(url)).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn postgres_proves_by_its_certificate_who_it_is_or_is_refused_in_one_line() {
    let own_certificate = || rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let CertifiedKey { cert, signing_key } = own_certificate();
    let mut server = TestPostgres::start();
    let url = server.database("game");
    server.require_tls(&cert.pem(), &signing_key.serialize_pem());
    let root = server.file("root.pem", &cert.pem());
    let other = server.file("other.pem", &own_certificate().cert.pem());

    let store = open(format!("{url}?sslmode=verify-full&sslrootcert={root}")).await.expect("the right certificate");
    assert_eq!(store.count_results().await, Ok(0));
    store.close().await;

    let by_name = url.replace("127.0.0.1", "localhost");
    let refused = [
        (format!("{url}?sslmode=verify-full&sslrootcert={other}"), "invalid peer certificate"),
        (format!("{url}?sslmode=verify-full"), "invalid peer certificate: UnknownIssuer"),
        (format!("{by_name}?sslmode=verify-full&sslrootcert={root}"), "not valid for name"),
        (format!("{url}?sslmode=verify-full&sslrootcert={root}.none"), "such as its sslrootcert, does not exist"),
        (format!("{url}?sslmode=disable"), "no encryption"),
    ];
    for (url, why) in refused {
        let error = open(url.clone()).await.map(|_| ()).expect_err(&url);
        assert!(error.contains(why) && error.lines().count() == 1, "{url}: {error}");
    }
}
