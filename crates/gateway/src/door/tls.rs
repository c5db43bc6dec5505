//! TLS of a door: its own certificate, and whose certificates callers may show.
//!
//! Each SPIFFE trust domain is vouched for by its own bundle alone, and the plain authority vouches
//! for DNS names alone: no authority can speak for names that are another's.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use model::{Coded as _, World};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError, ConfigBuilder, DigitallySignedStruct, DistinguishedName, OtherError,
    RootCertStore, ServerConfig, SignatureScheme, WantsVerifier,
};
use spiffe::TrustDomain;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Peer;
use crate::reload::Reloaded;

/// Files of a door's TLS, all PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The door's certificate, with those that lead to its authority.
    pub certificate: PathBuf,
    /// The certificate's key.
    pub key: PathBuf,
    /// Authorities of plain client certificates, which are known by their DNS names.
    pub client_ca: Option<PathBuf>,
    /// The bundle of each SPIFFE trust domain whose workloads may call.
    pub trust_domains: BTreeMap<String, PathBuf>,
    /// Whether nobody is heard without a certificate.
    pub client_required: bool,
}

/// The TLS of a door.
pub struct DoorTls(Arc<Reloaded<ServerConfig>>);

impl DoorTls {
    /// Reads the files.
    ///
    /// # Errors
    /// When one cannot be read, the key does not fit the certificate, a trust domain's name is
    /// malformed, or certificates are required and there is no authority for them.
    pub fn open(files: &TlsFiles, world: World) -> Result<Arc<Self>> {
        let mut paths = vec![files.certificate.clone(), files.key.clone()];
        paths.extend(files.client_ca.clone());
        paths.extend(files.trust_domains.values().cloned());
        let trusts_nobody = files.client_ca.is_none() && files.trust_domains.is_empty();
        ensure!(!(files.client_required && trusts_nobody), "no authority of clients is named");
        let files = files.clone();
        let make = move |contents: &[Vec<u8>]| config(&files, &world, contents);
        Ok(Arc::new(Self(Reloaded::open(paths, make)?)))
    }

    /// Looks again and again whether the files have changed, until dropped.
    pub async fn keep(&self) {
        self.0.clone().keep().await;
    }

    /// Looks once.
    pub fn look(&self) {
        self.0.look();
    }

    /// Why the files as they are now are not used, if so.
    pub fn trouble(&self) -> Option<String> {
        self.0.trouble()
    }

    /// Takes a caller in, and reads whom its certificate names if it shows one.
    pub(super) async fn accept<S>(
        &self,
        stream: S,
        patience: Duration,
    ) -> std::io::Result<(TlsStream<S>, Option<Arc<Peer>>)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let accepting = TlsAcceptor::from(self.0.current()).accept(stream);
        let stream = tokio::time::timeout(patience, accepting)
            .await
            .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let peer = certificate.map(|found| Peer::read(found)).transpose();
        let peer = peer.map_err(std::io::Error::other)?.map(Arc::new);
        Ok((stream, peer))
    }
}

/// The protocols of every door, the better one first.
pub(crate) fn protocols() -> Vec<Vec<u8>> {
    vec![b"h2".to_vec(), b"http/1.1".to_vec()]
}

/// Whether a caller chose HTTP/2.
pub(super) fn chose_http2<S>(stream: &TlsStream<S>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(b"h2")
}

/// A server's side of TLS 1.2 and 1.3 by the world's clock.
pub(crate) fn server(world: &World) -> Result<ConfigBuilder<ServerConfig, WantsVerifier>> {
    ServerConfig::builder_with_details(provider(), Arc::new(WorldClock(world.clone())))
        .with_safe_default_protocol_versions()
        .context("choosing TLS versions")
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn config(files: &TlsFiles, world: &World, contents: &[Vec<u8>]) -> Result<ServerConfig> {
    let mut contents = contents.iter();
    let mut next = || contents.next().map(Vec::as_slice).unwrap_or_default();
    let chain = certificates(next()).context("reading the door's certificate")?;
    let key = PrivateKeyDer::from_pem_slice(next()).context("reading the certificate's key")?;
    let plain = match &files.client_ca {
        Some(_) => Some(verifier(next()).context("reading the authorities of clients")?),
        None => None,
    };
    let domains = files.trust_domains.keys().map(|name| {
        let domain = TrustDomain::new(name).with_context(|| format!("trust domain `{name}`"))?;
        let bundle = verifier(next()).with_context(|| format!("reading the bundle of `{name}`"))?;
        Ok((domain, bundle))
    });
    let peers = Peers::new(plain, domains.collect::<Result<_>>()?, files.client_required);
    let builder = server(world)?;
    let asks = peers.authorities().next().is_some();
    let builder = match asks {
        true => builder.with_client_cert_verifier(Arc::new(peers)),
        false => builder.with_no_client_auth(),
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .context("putting the door's certificate and key together")?;
    config.alpn_protocols = protocols();
    if asks {
        // A resumed session would outlive the certificate that it was opened with.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(config)
}

pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>()?;
    ensure!(!found.is_empty(), "there is no certificate in it");
    Ok(found)
}

fn verifier(pem: &[u8]) -> Result<Arc<dyn ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate)?;
    }
    Ok(WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build()?)
}

/// Chooses the authority that may speak for what a certificate names, and asks it alone.
#[derive(Debug)]
struct Peers {
    plain: Option<Arc<dyn ClientCertVerifier>>,
    domains: BTreeMap<TrustDomain, Arc<dyn ClientCertVerifier>>,
    required: bool,
    hints: Vec<DistinguishedName>,
    provider: Arc<CryptoProvider>,
}

impl Peers {
    fn new(
        plain: Option<Arc<dyn ClientCertVerifier>>,
        domains: BTreeMap<TrustDomain, Arc<dyn ClientCertVerifier>>,
        required: bool,
    ) -> Self {
        let mut peers = Self { plain, domains, required, hints: Vec::new(), provider: provider() };
        let hints = peers.authorities().flat_map(|one| one.root_hint_subjects());
        peers.hints = hints.cloned().collect();
        peers
    }

    fn authorities(&self) -> impl Iterator<Item = &Arc<dyn ClientCertVerifier>> {
        self.plain.iter().chain(self.domains.values())
    }
}

impl ClientCertVerifier for Peers {
    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let peer = Peer::read(end_entity).map_err(|unfit| {
            tracing::info!(code = unfit.code(), "a caller's certificate was refused");
            CertificateError::Other(OtherError(Arc::new(unfit)))
        })?;
        let authority = match peer.trust_domain() {
            Some(domain) => self.domains.get(domain),
            None => self.plain.as_ref(),
        };
        let authority = authority.ok_or(CertificateError::UnknownIssuer)?;
        authority.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The world's clock, by which certificates expire.
struct WorldClock(World);

impl fmt::Debug for WorldClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorldClock")
    }
}

impl TimeProvider for WorldClock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().seconds()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}
