//! The private authority of one vendor's host, for callers who come through `CONNECT`.
//!
//! Every host has its own. Its root is what applications are told to believe, and it is constrained
//! to the one host. The root's key signs a single issuing certificate, constrained in the same way,
//! and is then forgotten; only the issuing key is kept. So what a thief could take speaks for the
//! one host alone, also to a program that does not look at the constraints of roots (RFC 5280 §6.2
//! lets it), and a new vendor changes nothing for those who believe the present ones.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use model::{Secret, Timestamp, World, crypto, limits};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints, SerialNumber, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::door::{protocols, server};

const HOUR_SECONDS: i64 = 3_600;
const DAY_SECONDS: i64 = 24 * HOUR_SECONDS;

/// An authority as it is kept; the key apart, sealed.
#[derive(Debug, Clone)]
pub struct KeptAuthority {
    /// The host that it speaks for.
    pub host: String,
    /// The root's certificate, PEM: what applications are told to believe.
    pub root: String,
    /// The issuing certificate, PEM.
    pub issuing: String,
    /// The issuing key, PKCS #8 in PEM.
    pub key: Secret<String>,
    /// SHA-256 of the root's certificate, in hexadecimal digits.
    pub fingerprint: String,
    /// The end of its validity.
    pub expires_at: Timestamp,
}

impl KeptAuthority {
    /// Makes one for a host, a DNS name.
    ///
    /// # Errors
    /// When `host` is no DNS name.
    pub fn issue(host: &str, world: &World) -> Result<Self> {
        ensure!(
            is_dns_name(host),
            "`{host}` is no DNS name, for which alone there are authorities"
        );
        let now = world.now();
        let expires_at = now.plus_seconds(limits::AUTHORITY_DAYS * DAY_SECONDS);
        let root_key = KeyPair::generate().context("making the root's key")?;
        let params = authority(host, "root", 1, now, expires_at, world);
        let root = params.self_signed(&root_key).context("making the root")?;
        let root_issuer = Issuer::new(params, root_key);
        let key = KeyPair::generate().context("making the issuing key")?;
        let mut params = authority(host, "issuing", 0, now, expires_at, world);
        params.use_authority_key_identifier_extension = true;
        let issuing = params.signed_by(&key, &root_issuer).context("making the issuing one")?;
        Ok(Self {
            host: host.to_owned(),
            fingerprint: crypto::to_hex(&crypto::sha256(root.der())),
            root: root.pem(),
            issuing: issuing.pem(),
            key: Secret::new(key.serialize_pem()),
            expires_at,
        })
    }
}

/// Whether a vendor's host can have an authority: its name is one of DNS, not an address.
pub(crate) fn is_dns_name(host: &str) -> bool {
    let address = host.parse::<std::net::IpAddr>().is_ok();
    !address && !host.starts_with('[') && model::Identity::dns(host).is_some()
}

/// What root and issuing certificate have in common.
fn authority(
    host: &str,
    kind: &str,
    below: u8,
    now: Timestamp,
    until: Timestamp,
    world: &World,
) -> CertificateParams {
    let mut params = CertificateParams::default();
    let serial = world.bytes::<16>();
    let mark = crypto::to_hex(&serial[..4]);
    params.distinguished_name = named(&format!("Cordon {kind} {mark} for {host}"));
    params.serial_number = Some(positive(serial));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName(host.to_owned())],
        // A kind of name that is not named would not be constrained at all.
        excluded_subtrees: vec![
            GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([0; 4], 0)),
            GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix([0; 16], 0)),
        ],
    });
    set_validity(&mut params, now, until);
    params
}

fn set_validity(params: &mut CertificateParams, now: Timestamp, until: Timestamp) {
    /// Clocks of callers differ from ours.
    const EARLIER_SECONDS: i64 = HOUR_SECONDS;
    let moment = |at: Timestamp| {
        let seconds = u64::try_from(at.seconds()).unwrap_or_default();
        date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
    };
    params.not_before = moment(now.plus_seconds(-EARLIER_SECONDS));
    params.not_after = moment(until);
}

fn named(common_name: &str) -> DistinguishedName {
    /// RFC 5280, ub-common-name.
    const CHARS: usize = 64;
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, "Cordon");
    name.push(DnType::CommonName, common_name.chars().take(CHARS).collect::<String>());
    name
}

/// A serial number is positive and has at most 20 octets (RFC 5280 §4.1.2.2).
fn positive(mut bytes: [u8; 16]) -> SerialNumber {
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&bytes)
}

/// An authority that signs for its host.
pub struct Authority {
    issuing: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    host: String,
    fingerprint: String,
    expires_at: Timestamp,
    /// The TLS of the present leaf, and from when on it is made anew.
    leaf: Mutex<Option<(Timestamp, Arc<ServerConfig>)>>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Authority {
    /// From what was kept of it.
    ///
    /// # Errors
    /// When certificate or key cannot be read.
    pub fn open(kept: &KeptAuthority) -> Result<Self> {
        let issuing = CertificateDer::from_pem_slice(kept.issuing.as_bytes())
            .context("reading an issuing certificate")?;
        let key = KeyPair::from_pem(kept.key.expose()).context("reading an issuing key")?;
        let issuer =
            Issuer::from_ca_cert_der(&issuing, key).context("reading an issuing certificate")?;
        Ok(Self {
            issuing,
            issuer,
            host: kept.host.clone(),
            fingerprint: kept.fingerprint.clone(),
            expires_at: kept.expires_at,
            leaf: Mutex::default(),
        })
    }

    /// SHA-256 of its root's certificate, in hexadecimal digits.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Whether a leaf that it signs now is valid for as long as leaves are.
    pub(crate) fn signs_at(&self, now: Timestamp) -> bool {
        now.plus_seconds(limits::LEAF_HOURS * HOUR_SECONDS) < self.expires_at
    }

    /// TLS as the host, with a leaf that is valid for hours yet.
    pub(crate) fn tls(&self, world: &World) -> Result<Arc<ServerConfig>> {
        let now = world.now();
        let mut leaf = self.leaf.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((until, config)) = &*leaf
            && now < *until
        {
            return Ok(config.clone());
        }
        let config = Arc::new(self.mint(now, world)?);
        let half = now.plus_seconds(limits::LEAF_HOURS * HOUR_SECONDS / 2);
        *leaf = Some((half, config.clone()));
        Ok(config)
    }

    fn mint(&self, now: Timestamp, world: &World) -> Result<ServerConfig> {
        let mut params = CertificateParams::new([self.host.clone()]).context("naming the leaf")?;
        params.distinguished_name = named(&self.host);
        params.serial_number = Some(positive(world.bytes()));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let until = now.plus_seconds(limits::LEAF_HOURS * HOUR_SECONDS);
        set_validity(&mut params, now, until);
        let key = KeyPair::generate().context("making a leaf's key")?;
        let leaf = params.signed_by(&key, &self.issuer).context("signing a leaf")?;
        let chain = vec![leaf.der().clone(), self.issuing.clone()];
        let key = key.serialize_der().try_into().map_err(anyhow::Error::msg)?;
        let mut config = server(world)?.with_no_client_auth().with_single_cert(chain, key)?;
        config.alpn_protocols = protocols();
        Ok(config)
    }
}
