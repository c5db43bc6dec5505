//! TLS to vendors: what is not current TLS with a certificate that holds for the host gets nothing.

use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gateway::{Egress, Patience};
use ledger::Settled;
use rcgen::{CertificateParams, DnType, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::support::{Act, FakeVendor, House, Setup, accepted, reply, soon};

/// Somebody who signs certificates, trusted by the gateway.
struct Signer {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
}

impl Signer {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "roots of a test");
        let key = KeyPair::generate().expect("a key");
        let root = params.self_signed(&key).expect("a certificate").der().clone();
        Self { issuer: Issuer::new(params, key), root }
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).expect("a root");
        roots
    }

    /// A certificate for `localhost`, changed as a test wants it, and its key.
    fn sign(&self, change: impl Fn(&mut CertificateParams)) -> (CertificateDer<'static>, KeyPair) {
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("parameters");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &self.issuer).expect("a certificate");
        (signed.der().clone(), key)
    }
}

/// A vendor behind TLS as we speak it.
async fn vendor(cert: CertificateDer<'static>, key: KeyPair, alpn: &[&[u8]]) -> FakeVendor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert], key.into())
        .expect("a certificate with its key");
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let wrap = move |stream: TcpStream, serve: crate::support::Serve| {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                serve.over(stream).await;
            }
        })
    };
    FakeVendor::with(|_| Act::Reply(accepted()), wrap).await
}

async fn house(port: u16, roots: RootCertStore) -> House {
    let nobody = FakeVendor::accepting().await;
    let endpoint = format!("https://localhost:{port}");
    let setup = Setup { endpoint, ..Setup::sendgrid(&nobody) };
    let egress = Egress::new(roots, vec![format!("localhost:{port}")]).expect("TLS");
    let patience = Patience { reply: Duration::from_secs(2), ..Patience::default() };
    House::leading_out(vec![setup], patience, egress).await
}

/// Nothing of the request is sent to whoever listens there.
async fn refused(port: u16, roots: RootCertStore, what: &str) {
    let house = house(port, roots).await;
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.said(), (502, "not-sent", Some("vendor-tls")), "{what}");
    assert_eq!(house.disclosures()[0].settled, Settled::NotSent, "{what}");
}

type Change = fn(&mut CertificateParams);

#[tokio::test]
async fn certificates_that_do_not_hold_are_refused_each_for_its_own_reason() {
    let signer = Signer::new();
    let (cert, key) = signer.sign(|_| {});
    let good = vendor(cert, key, &[b"http/1.1"]).await;
    let house = house(good.address.port(), signer.roots()).await;
    assert_eq!(house.send(house.mail()).await.said(), (202, "sent", None), "a good one is taken");

    let wrong: [(&str, Change); 4] = [
        ("expired", |params| params.not_after = rcgen::date_time_ymd(2024, 1, 1)),
        ("not valid yet", |params| params.not_before = rcgen::date_time_ymd(2090, 1, 1)),
        ("for another host", |params| {
            let name = "api.sendgrid.com".to_owned().try_into().expect("a name");
            params.subject_alt_names = vec![rcgen::SanType::DnsName(name)];
        }),
        ("for clients alone", |params| {
            params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        }),
    ];
    for (what, change) in wrong {
        let (cert, key) = signer.sign(change);
        let vendor = vendor(cert, key, &[b"http/1.1"]).await;
        refused(vendor.address.port(), signer.roots(), what).await;
        assert!(vendor.got().is_empty(), "{what}");
    }
    let (cert, key) = Signer::new().sign(|_| {});
    let vendor = vendor(cert, key, &[]).await;
    refused(vendor.address.port(), signer.roots(), "signed by somebody else").await;
    assert!(vendor.got().is_empty());
}

#[tokio::test]
async fn a_vendor_that_only_speaks_another_protocol_is_refused_in_the_handshake() {
    let signer = Signer::new();
    let (cert, key) = signer.sign(|_| {});
    let vendor = vendor(cert, key, &[b"h2"]).await;
    refused(vendor.address.port(), signer.roots(), "HTTP/2 alone").await;
    assert!(vendor.got().is_empty());
}

#[tokio::test]
async fn a_vendor_that_answers_in_plain_gets_nothing() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = heard.clone();
    let wrap = move |mut stream: TcpStream, _| {
        let heard = hears.clone();
        tokio::spawn(async move {
            let mut bytes = vec![0; 4096];
            let count = stream.read(&mut bytes).await.unwrap_or_default();
            heard.lock().expect("no panic").extend_from_slice(&bytes[..count]);
            drop(stream.write_all(&reply("400 Bad Request", "", "speak TLS? never")).await);
        })
    };
    let vendor = FakeVendor::with(|_| Act::Silent, wrap).await;
    refused(vendor.address.port(), RootCertStore::empty(), "plain HTTP").await;
    let heard = heard.lock().expect("no panic").clone();
    assert_eq!(heard.first(), Some(&22), "a handshake, and nothing of the request");
    assert!(!String::from_utf8_lossy(&heard).contains("ann@example.com"));
}

/// A real TLS server of OpenSSL.
struct OpenSsl(Child);

impl OpenSsl {
    /// Whether this machine has it.
    fn is_here() -> bool {
        let version = Command::new("openssl").arg("version").output();
        version.is_ok_and(|output| output.status.success())
    }

    async fn start(folder: &std::path::Path, port: u16, speaking: &[&str]) -> Self {
        let child = Command::new("openssl")
            .args(["s_server", "-quiet", "-accept"])
            .arg(format!("127.0.0.1:{port}"))
            .arg("-cert")
            .arg(folder.join("cert.pem"))
            .arg("-key")
            .arg(folder.join("key.pem"))
            .args(speaking)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        soon("an OpenSSL server", async {
            while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tokio::time::timeout(Duration::from_millis(20), std::future::pending::<()>())
                    .await
                    .ok();
            }
        })
        .await;
        Self(child)
    }
}

/// Whether OpenSSL's own client gets through when it speaks so.
fn openssl_speaks(port: u16, speaking: &[&str]) -> bool {
    let mut client = Command::new("openssl");
    client.args(["s_client", "-connect"]).arg(format!("127.0.0.1:{port}")).args(speaking);
    client.stdin(Stdio::null()).output().is_ok_and(|output| output.status.success())
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test]
async fn old_versions_and_ciphers_are_refused_by_a_handshake_with_a_real_server() {
    if !OpenSsl::is_here() {
        eprintln!("SKIPPED: this machine has no `openssl` to speak old TLS");
        return;
    }
    let signer = Signer::new();
    let params = CertificateParams::new(["localhost".to_owned()]).expect("parameters");
    let key = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("a key that old TLS knows");
    let cert = params.signed_by(&key, &signer.issuer).expect("a certificate");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("cert.pem"), cert.pem()).expect("written");
    std::fs::write(folder.path().join("key.pem"), key.serialize_pem()).expect("written");
    const WEAK: &str = "ALL:@SECLEVEL=0";
    let cases: [(&[&str], bool); 7] = [
        (&["-tls1_3"], true),
        (&["-tls1_2"], true),
        (&["-tls1_1", "-cipher", WEAK], false),
        (&["-tls1", "-cipher", WEAK], false),
        (&["-tls1_2", "-cipher", "AES128-SHA256:@SECLEVEL=0"], false),
        (&["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA:@SECLEVEL=0"], false),
        (&["-tls1_2", "-cipher", "aNULL:@SECLEVEL=0"], false),
    ];
    for (speaking, taken) in cases {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("bound").port();
        drop(free);
        let _server = OpenSsl::start(folder.path(), port, speaking).await;
        assert!(openssl_speaks(port, speaking), "the server speaks {speaking:?}");
        if taken {
            let house = house(port, signer.roots()).await;
            let answer = house.send(house.mail()).await;
            let said = answer.said();
            assert_eq!(said, (504, "unknown", Some("vendor-slow")), "it reads on: {speaking:?}");
        } else {
            refused(port, signer.roots(), &speaking.join(" ")).await;
        }
    }
}
