//! Where the gateway connects to, and where it does not.

use std::sync::Arc;

use gateway::{Egress, Patience};
use ledger::Settled;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use crate::support::{Act, FakeVendor, House, Setup, accepted};

async fn leading_to(endpoint: &str, roots: RootCertStore, allowed: &[String]) -> House {
    let vendor = FakeVendor::accepting().await;
    let setup = Setup { endpoint: endpoint.to_owned(), ..Setup::sendgrid(&vendor) };
    let egress = Egress::new(roots, allowed.to_vec()).expect("TLS");
    House::leading_out(vec![setup], Patience::default(), egress).await
}

async fn refused(endpoint: &str, code: &str) {
    let house = leading_to(endpoint, RootCertStore::empty(), &[]).await;
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.said(), (502, "not-sent", Some(code)), "{endpoint}");
    assert_eq!(house.disclosures()[0].settled, Settled::NotSent);
}

#[tokio::test]
async fn private_and_metadata_addresses_are_not_connected_to_unless_an_operator_lists_them() {
    for endpoint in [
        "https://127.0.0.1",
        "https://localhost",
        "https://10.0.0.1",
        "https://169.254.169.254",
        "https://100.64.0.1",
        "https://[::1]",
        "https://[::ffff:127.0.0.1]",
        "https://[64:ff9b::7f00:1]",
        "https://[2002:7f00:1::]",
        "https://[fd00:ec2::254]",
        "https://0.0.0.0",
        "https://2130706433",
    ] {
        refused(endpoint, "address-refused").await;
    }
    let vendor = FakeVendor::accepting().await;
    let port = vendor.address.port();
    refused(&format!("https://127.0.0.1:{port}"), "address-refused").await;
    assert_eq!(vendor.connections(), 0);
}

#[tokio::test]
async fn plain_http_is_for_allowed_hosts_only() {
    refused("http://api.sendgrid.com", "endpoint-refused").await;
    refused("ftp://api.sendgrid.com", "endpoint-refused").await;
    let vendor = FakeVendor::accepting().await;
    let other = vec!["127.0.0.1:1".to_owned()];
    let house = leading_to(&vendor.url(), RootCertStore::empty(), &other).await;
    assert_eq!(house.send(house.mail()).await.code(), Some("endpoint-refused"));
    assert_eq!(vendor.connections(), 0, "a listed host is listed with its port");
}

/// A vendor behind TLS with a certificate for this name, and the roots that trust it.
async fn tls_vendor(name: &str) -> (FakeVendor, RootCertStore) {
    let certified = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(certified.cert.der().clone()).expect("a root");
    let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key.into())
        .expect("a certificate with its key");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let vendor = FakeVendor::with(
        |_| Act::Reply(accepted()),
        move |stream, serve| {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve.over(stream).await;
                }
            })
        },
    );
    (vendor.await, roots)
}

#[tokio::test]
async fn a_vendors_certificate_must_be_trusted_and_for_its_host() {
    let (vendor, roots) = tls_vendor("localhost").await;
    let port = vendor.address.port();
    let (by_name, by_address) = (format!("localhost:{port}"), format!("127.0.0.1:{port}"));
    let allowed = [by_name.clone(), by_address.clone()];

    let house = leading_to(&format!("https://{by_name}"), roots.clone(), &allowed).await;
    for _ in 0..2 {
        assert_eq!(house.send(house.mail()).await.said(), (202, "sent", None));
    }
    assert_eq!(vendor.connections(), 1, "the connection is used again");
    assert_eq!(vendor.got()[0].header("host"), [by_name.as_str()]);

    let house = leading_to(&format!("https://{by_address}"), roots, &allowed).await;
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.said(), (502, "not-sent", Some("vendor-tls")), "another name");
    let stranger = RootCertStore::empty();
    let house = leading_to(&format!("https://{by_name}"), stranger, &allowed).await;
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.said(), (502, "not-sent", Some("vendor-tls")), "nobody vouches for it");
    assert_eq!(house.disclosures()[0].settled, Settled::NotSent);
    assert_eq!(vendor.got().len(), 2);
}

#[tokio::test]
async fn the_path_begins_where_the_operators_endpoint_says() {
    let vendor = FakeVendor::accepting().await;
    let host = vendor.address.to_string();
    let endpoint = format!("http://{host}/eu/");
    let house = leading_to(&endpoint, RootCertStore::empty(), std::slice::from_ref(&host)).await;
    assert_eq!(house.send(house.mail()).await.said(), (202, "sent", None));
    assert_eq!(vendor.only().line(), "POST /eu/v3/mail/send HTTP/1.1");
    assert_eq!(vendor.only().header("host"), [host]);
}

#[tokio::test]
async fn the_machines_own_roots_are_found() {
    assert!(!gateway::native_roots().expect("this machine has roots").is_empty());
}
