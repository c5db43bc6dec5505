//! TLS for both ends of SMTP: the receiver's certificate, and whom a session believes.

use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result, ensure};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};

/// TLS with a certificate made for the occasion: encrypts, and proves nothing about who answers,
/// which is what senders of mail expect of most receivers.
///
/// # Errors
/// When `hostname` is no DNS name.
pub fn self_signed(hostname: &str) -> Result<Arc<ServerConfig>> {
    let made = rcgen::generate_simple_self_signed([hostname.to_owned()])
        .context("making a certificate for the mail receiver")?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())
        .map_err(|why| anyhow::anyhow!("reading back the key just made: {why}"))?;
    serving(vec![made.cert.der().clone()], key)
}

/// TLS with the operator's own certificate chain and key, both PEM.
///
/// # Errors
/// When one of them is not PEM, or the key does not fit the certificate.
pub fn server_config(chain_pem: &[u8], key_pem: &[u8]) -> Result<Arc<ServerConfig>> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain_pem)
        .collect::<Result<_, _>>()
        .context("reading the certificate chain")?;
    ensure!(!chain.is_empty(), "the certificate chain is empty");
    serving(chain, PrivateKeyDer::from_pem_slice(key_pem).context("reading the certificate's key")?)
}

fn serving(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>> {
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .context("choosing TLS versions")?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("putting certificate and key together")?;
    Ok(Arc::new(config))
}

/// A client that believes only what `roots`, or else the machine's own roots, vouch for.
pub fn verifying(roots: Option<Arc<RootCertStore>>) -> Result<Arc<ClientConfig>> {
    let roots = match roots {
        Some(roots) => roots,
        None => machine_roots()?,
    };
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .context("choosing TLS versions")?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// A client that takes any certificate: better than plain text, and no more (RFC 7435).
pub fn trusting_anyone() -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone(provider())))
        .with_no_client_auth();
    Arc::new(config)
}

fn machine_roots() -> Result<Arc<RootCertStore>> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        let (added, skipped) =
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        tracing::debug!(added, skipped, "read the machine's roots");
        Arc::new(roots)
    });
    ensure!(!roots.is_empty(), "the machine has no trusted roots");
    Ok(roots.clone())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Checks that the other side holds the key of the certificate that it shows, whoever made it.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
