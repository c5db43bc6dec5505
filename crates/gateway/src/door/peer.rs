//! Whom a caller's certificate names, by the rules of SPIFFE and of a plain authority.
//!
//! Whether the certificate is genuine is not asked here: `tls.rs` has it verified against the one
//! authority that may speak for what is named.

use model::{Coded, Identity};
use spiffe::TrustDomain;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// A caller with a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    /// What the certificate names: one SPIFFE ID, or one or more DNS names.
    pub names: Vec<Identity>,
    /// The end of its validity, in seconds since 1970.
    pub until_seconds: i64,
}

/// Why a certificate names nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    /// It cannot be read.
    #[error("the certificate cannot be read")]
    Unreadable,
    /// X.509-SVID §2: exactly one URI.
    #[error("a certificate with a SPIFFE ID has exactly one URI")]
    SeveralUris,
    /// X.509-SVID §4.1, §5.2: a leaf is no authority and may not sign certificates.
    #[error("a SPIFFE leaf certificate is no authority, and its key signs no certificates")]
    Authority,
    /// X.509-SVID §4.3: a leaf's key makes signatures, and the certificate says so critically.
    #[error("a SPIFFE leaf certificate has a critical key usage of digital signatures")]
    KeyUsage,
    /// X.509-SVID §5.2: a leaf's SPIFFE ID has a path.
    #[error("the SPIFFE ID is malformed or has no path")]
    SpiffeId,
    /// Neither a SPIFFE ID nor a DNS name nor a common name that is one.
    #[error("the certificate names neither a SPIFFE ID nor a DNS name")]
    Nameless,
}

impl Coded for Unfit {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable => "certificate-unreadable",
            Self::SeveralUris => "svid-several-uris",
            Self::Authority => "svid-authority",
            Self::KeyUsage => "svid-key-usage",
            Self::SpiffeId => "svid-id",
            Self::Nameless => "certificate-nameless",
        }
    }
}

impl Peer {
    /// Reads a certificate as DER.
    pub fn read(der: &[u8]) -> Result<Self, Unfit> {
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| Unfit::Unreadable)?;
        if !rest.is_empty() {
            return Err(Unfit::Unreadable);
        }
        let until_seconds = certificate.validity().not_after.timestamp();
        let alternative = certificate.subject_alternative_name().map_err(|_| Unfit::Unreadable)?;
        let alternative = alternative.map_or(&[][..], |found| &found.value.general_names);
        let uris = alternative.iter().filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        });
        let uris: Vec<&str> = uris.collect();
        let names = if uris.iter().any(|uri| is_spiffe(uri)) {
            vec![svid(&certificate, &uris)?]
        } else {
            dns_names(&certificate, alternative)
        };
        if names.is_empty() { Err(Unfit::Nameless) } else { Ok(Self { names, until_seconds }) }
    }

    /// The trust domain that must vouch for it; none for a plain certificate.
    pub fn trust_domain(&self) -> Option<&TrustDomain> {
        self.names.iter().find_map(|name| match name {
            Identity::Spiffe(id) => Some(id.trust_domain()),
            Identity::Dns(_) => None,
        })
    }
}

fn is_spiffe(uri: &str) -> bool {
    uri.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("spiffe:"))
}

/// The SPIFFE ID of a leaf X.509-SVID (the SPIFFE X.509-SVID specification, §§2, 4, 5).
fn svid(certificate: &X509Certificate<'_>, uris: &[&str]) -> Result<Identity, Unfit> {
    let [uri] = uris else {
        return Err(Unfit::SeveralUris);
    };
    if certificate.is_ca() {
        return Err(Unfit::Authority);
    }
    let usage = certificate.key_usage().map_err(|_| Unfit::Unreadable)?;
    let usage = usage.filter(|usage| usage.critical).ok_or(Unfit::KeyUsage)?.value;
    if usage.key_cert_sign() || usage.crl_sign() {
        return Err(Unfit::Authority);
    }
    if !usage.digital_signature() {
        return Err(Unfit::KeyUsage);
    }
    match Identity::parse(uri) {
        Ok(identity @ Identity::Spiffe(_)) => Ok(identity),
        _ => Err(Unfit::SpiffeId),
    }
}

/// The DNS names of a plain certificate; the common name only where there are none.
fn dns_names(certificate: &X509Certificate<'_>, alternative: &[GeneralName<'_>]) -> Vec<Identity> {
    let names = alternative.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Identity::dns(name),
        _ => None,
    });
    let names: Vec<Identity> = names.collect();
    if !alternative.is_empty() {
        return names;
    }
    let common = certificate.subject().iter_common_name();
    common.filter_map(|name| Identity::dns(name.as_str().ok()?)).collect()
}
