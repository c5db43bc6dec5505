//! Authorities, certificates and TLS clients for tests, all by the clock of the houses.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gateway::{DoorTls, TlsFiles};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{Caller, House, now};

/// A certificate with those that lead to its authority, and its key.
pub struct Shown {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
    pub pem: String,
    pub key_pem: String,
}

/// An authority.
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
    pub der: CertificateDer<'static>,
}

impl Ca {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        let root = params.self_signed(&key).expect("a root");
        let (pem, der) = (root.pem(), root.der().clone());
        Self { issuer: Issuer::new(params, key), pem, der }
    }

    /// A certificate, valid for a day around the houses' clock unless `shape` changes that.
    pub fn signs(&self, shape: impl FnOnce(&mut CertificateParams)) -> Shown {
        let mut params = CertificateParams::default();
        params.not_before = date_time_ymd(2026, 2, 4);
        params.not_after = date_time_ymd(2026, 2, 6);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        shape(&mut params);
        let key = KeyPair::generate().expect("a key");
        let made = params.signed_by(&key, &self.issuer).expect("a certificate");
        Shown {
            chain: vec![made.der().clone()],
            pem: made.pem(),
            key_pem: key.serialize_pem(),
            key: key.serialize_der().try_into().expect("PKCS #8"),
        }
    }

    /// An X.509-SVID.
    pub fn svid(&self, id: &str) -> Shown {
        self.signs(|params| params.subject_alt_names = vec![uri(id)])
    }

    /// A certificate with DNS names.
    pub fn names(&self, names: &[&str]) -> Shown {
        self.signs(|params| {
            params.subject_alt_names = names
                .iter()
                .map(|name| SanType::DnsName((*name).try_into().expect("ASCII")))
                .collect();
        })
    }
}

pub fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().expect("ASCII"))
}

/// What every door with TLS has: its own name, one trust domain, one plain authority.
pub struct Pki {
    pub server: Ca,
    pub domain: Ca,
    pub plain: Ca,
    pub dir: tempfile::TempDir,
}

impl Pki {
    pub fn new() -> Self {
        let pki = Self {
            server: Ca::new("server"),
            domain: Ca::new("prod.example"),
            plain: Ca::new("plain"),
            dir: tempfile::tempdir().expect("a folder"),
        };
        pki.renew();
        pki.write("bundle.pem", &pki.domain.pem);
        pki.write("clients.pem", &pki.plain.pem);
        pki
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Gives the door another certificate.
    pub fn renew(&self) -> Shown {
        let shown = self.server.names(&["gateway.internal"]);
        self.write("gateway.pem", &shown.pem);
        self.write("gateway.key", &shown.key_pem);
        shown
    }

    pub fn files(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.path("gateway.pem"),
            key: self.path("gateway.key"),
            client_ca: Some(self.path("clients.pem")),
            trust_domains: BTreeMap::from([("prod.example".to_owned(), self.path("bundle.pem"))]),
            client_required: false,
        }
    }

    /// A TLS door of the house.
    pub async fn door(&self, house: &House, files: &TlsFiles) -> (SocketAddr, Arc<DoorTls>) {
        let tls = DoorTls::open(files, house.world.clone()).expect("the files fit");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let serving =
            house.gateway.clone().serve(listener, Some(tls.clone()), std::future::pending());
        tokio::spawn(serving);
        (address, tls)
    }

    /// A client that believes the door's authority.
    pub fn client(&self, shown: Option<Shown>) -> Client {
        Client::believing(&self.server.der, shown)
    }
}

/// A TLS client.
pub struct Client(pub ClientConfig);

impl Client {
    pub fn believing(root: &CertificateDer<'static>, shown: Option<Shown>) -> Self {
        Self::speaking(root, shown, rustls::DEFAULT_VERSIONS)
    }

    pub fn speaking(
        root: &CertificateDer<'static>,
        shown: Option<Shown>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(root.clone()).expect("a root");
        let builder = ClientConfig::builder_with_details(provider, Arc::new(HouseClock))
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots);
        Self(match shown {
            Some(shown) => builder.with_client_auth_cert(shown.chain, shown.key).expect("it fits"),
            None => builder.with_no_client_auth(),
        })
    }

    /// The same, speaking HTTP/2 alone.
    pub fn http2(mut self) -> Self {
        self.0.alpn_protocols = vec![b"h2".to_vec()];
        self
    }

    /// Connects to a door; whether a certificate was taken shows at the first read.
    pub async fn connect(self, at: SocketAddr) -> std::io::Result<Caller<TlsStream<TcpStream>>> {
        let stream = TcpStream::connect(at).await.expect("the door listens");
        Ok(Caller::over(self.shake("gateway.internal", stream).await?))
    }

    pub async fn shake<S: AsyncRead + AsyncWrite + Unpin>(
        self,
        name: &'static str,
        stream: S,
    ) -> std::io::Result<TlsStream<S>> {
        let name = ServerName::try_from(name).expect("a name");
        TlsConnector::from(Arc::new(self.0)).connect(name, stream).await
    }
}

#[derive(Debug)]
struct HouseClock;

impl TimeProvider for HouseClock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(now().seconds()).expect("after 1970");
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}
