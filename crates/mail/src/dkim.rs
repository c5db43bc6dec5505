//! Signs our mail with two keys, RSA and Ed25519 (RFC 6376, 8463). Where the keys lie on disk, and
//! who may read them there, is the caller's business.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_auth::AuthenticatedMessage;
use mail_auth::common::crypto::{Algorithm, HashAlgorithm};
use mail_auth::common::headers::{HeaderStream, Writable as _};
use mail_auth::dkim::{Canonicalization, Signature};
use model::{Secret, Timestamp};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;

use crate::bodies;

/// Headers that are signed once more than they occur, so that none can be added (RFC 6376
/// §8.15). Headers whose names start with `X-` are signed as they are.
const OVERSIGNED: [&str; 11] = [
    "From",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Reply-To",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Auto-Submitted",
];
const PEM_LINE: usize = 64;

/// The two keys with which one domain signs. Clones share them.
#[derive(Clone)]
pub struct DkimKeys {
    domain: Arc<str>,
    selector: Arc<str>,
    rsa: Arc<RsaKeyPair>,
    ed25519: Arc<Ed25519KeyPair>,
}

impl DkimKeys {
    /// Makes new keys: RSA with 2048 bits, and Ed25519. Their selectors are `<selector>-rsa` and
    /// `<selector>-ed25519`.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn generate(domain: &str, selector: &str) -> Result<Self> {
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).context("making an RSA key for DKIM")?;
        let ed25519 = Ed25519KeyPair::generate().context("making an Ed25519 key for DKIM")?;
        Ok(Self::new(domain, selector, rsa, ed25519))
    }

    /// Reads what [`DkimKeys::to_pem`] wrote: one PKCS#8 block for each key, in either order.
    ///
    /// # Errors
    /// When a block is missing, twice there, or broken. The error never repeats it.
    pub fn from_pem(domain: &str, selector: &str, pem: &str) -> Result<Self> {
        let (mut rsa, mut ed25519) = (None, None);
        for block in PrivatePkcs8KeyDer::pem_slice_iter(pem.as_bytes()) {
            let block = block.context("reading the DKIM keys as PEM")?;
            let der = block.secret_pkcs8_der();
            let again = if let Ok(key) = RsaKeyPair::from_pkcs8(der) {
                rsa.replace(key).is_some()
            } else if let Ok(key) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
                ed25519.replace(key).is_some()
            } else {
                bail!("a DKIM key is neither RSA of at least 2048 bits nor Ed25519");
            };
            ensure!(!again, "there are two DKIM keys of one kind");
        }
        match (rsa, ed25519) {
            (Some(rsa), Some(ed25519)) => Ok(Self::new(domain, selector, rsa, ed25519)),
            (None, _) => bail!("there is no RSA key among the DKIM keys"),
            (_, None) => bail!("there is no Ed25519 key among the DKIM keys"),
        }
    }

    fn new(domain: &str, selector: &str, rsa: RsaKeyPair, ed25519: Ed25519KeyPair) -> Self {
        Self {
            domain: domain.to_ascii_lowercase().into(),
            selector: selector.into(),
            rsa: Arc::new(rsa),
            ed25519: Arc::new(ed25519),
        }
    }

    /// Both keys as PEM (PKCS#8), to be kept where only the program can read it.
    ///
    /// # Errors
    /// When a key cannot be written down.
    pub fn to_pem(&self) -> Result<Secret<String>> {
        let rsa: Pkcs8V1Der<'_> = self.rsa.as_der().context("writing down the RSA key")?;
        let ed25519: Pkcs8V1Der<'_> =
            self.ed25519.as_der().context("writing down the Ed25519 key")?;
        Ok(Secret::new(pem(rsa.as_ref()) + &pem(ed25519.as_ref())))
    }

    /// The domain that signs.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// What must stand in DNS for the signatures to be checked: name and TXT value for each key. A
    /// value over 255 bytes is split into strings by whoever writes the zone.
    pub fn dns_records(&self) -> Vec<(String, String)> {
        let record = |selector: String, kind: &str, key: &[u8]| {
            let name = format!("{selector}._domainkey.{}", self.domain);
            (name, format!("v=DKIM1; k={kind}; h=sha256; p={}", STANDARD.encode(key)))
        };
        let rsa: PublicKeyX509Der<'_> =
            self.rsa.public_key().as_der().expect("a public key can be written down");
        vec![
            record(self.rsa_selector(), "rsa", rsa.as_ref()),
            record(self.ed25519_selector(), "ed25519", self.ed25519.public_key().as_ref()),
        ]
    }

    /// The TXT value under a name such as `cordon-rsa._domainkey.example.com`, if it is ours.
    pub fn dns_record(&self, name: &str) -> Option<String> {
        let mut records = self.dns_records().into_iter();
        records.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The message with both signatures before it, made at `at`. Its line ends become CRLF, and
    /// blank lines at its end are taken out.
    pub fn sign(&self, message: Vec<u8>, at: Timestamp) -> Vec<u8> {
        let message = canonical(&message);
        let fields = Fields::of(&message);
        let names = signed_names(&fields);
        let mut signed = Vec::with_capacity(message.len() + 2_048);
        for algorithm in [Algorithm::Ed25519Sha256, Algorithm::RsaSha256] {
            self.signature(algorithm, &names, &fields, at).write(&mut signed, true);
        }
        signed.extend_from_slice(&message);
        signed
    }

    fn signature(
        &self,
        algorithm: Algorithm,
        names: &[String],
        fields: &Fields<'_>,
        at: Timestamp,
    ) -> Signature {
        let mut signature = Signature {
            v: 1,
            a: algorithm,
            d: self.domain.to_string(),
            s: match algorithm {
                Algorithm::Ed25519Sha256 => self.ed25519_selector(),
                _ => self.rsa_selector(),
            },
            t: u64::try_from(at.seconds()).unwrap_or_default(),
            h: names.to_vec(),
            ch: Canonicalization::Relaxed,
            cb: Canonicalization::Relaxed,
            ..Signature::default()
        };
        let (_, headers, present, body) = signature.canonicalize(fields.clone());
        signature.h = present;
        signature.bh = HashAlgorithm::Sha256.hash(body).as_ref().to_vec();
        let mut text = Vec::with_capacity(1_024);
        headers.write(&mut text);
        signature.write(&mut text, false);
        signature.b = match algorithm {
            Algorithm::Ed25519Sha256 => self.sign_ed25519(&text),
            _ => self.sign_rsa(&text),
        };
        signature
    }

    fn sign_rsa(&self, text: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.rsa.public_modulus_len()];
        let random = aws_lc_rs::rand::SystemRandom::new();
        let signed = self.rsa.sign(&RSA_PKCS1_SHA256, &random, text, &mut signature);
        signed.expect("a key of 2048 bits signs any text into its own length");
        signature
    }

    /// Ed25519 signs the hash of the text, not the text (RFC 8463 §3).
    fn sign_ed25519(&self, text: &[u8]) -> Vec<u8> {
        self.ed25519.sign(&model::crypto::sha256(text)).as_ref().to_vec()
    }

    fn rsa_selector(&self) -> String {
        format!("{}-rsa", self.selector)
    }

    fn ed25519_selector(&self) -> String {
        format!("{}-ed25519", self.selector)
    }
}

impl std::fmt::Debug for DkimKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<dkim keys of {}>", self.domain)
    }
}

/// CRLF everywhere, and a body that does not end in blank lines.
fn canonical(message: &[u8]) -> Vec<u8> {
    let mut message = bodies::with_crlf(message);
    let start = bodies::body_start(&message);
    let length = bodies::without_blank_end(&message[start..]).len();
    message.truncate(start + length);
    message
}

/// A message in headers and body, as the signing library wants to walk through it.
#[derive(Clone)]
struct Fields<'x> {
    headers: std::vec::IntoIter<(&'x [u8], &'x [u8])>,
    body: &'x [u8],
}

impl<'x> Fields<'x> {
    fn of(message: &'x [u8]) -> Self {
        let headers = AuthenticatedMessage::parse(message).map(|parsed| parsed.headers);
        let body = &message[bodies::body_start(message)..];
        Self { headers: headers.unwrap_or_default().into_iter(), body }
    }
}

impl<'x> HeaderStream<'x> for Fields<'x> {
    fn next_header(&mut self) -> Option<(&'x [u8], &'x [u8])> {
        self.headers.next()
    }

    fn body(&mut self) -> &'x [u8] {
        self.body
    }
}

/// The names to sign: all that must not be added to, twice; what else starts with `X-`, once.
fn signed_names(fields: &Fields<'_>) -> Vec<String> {
    let mut names: Vec<String> =
        OVERSIGNED.iter().chain(&OVERSIGNED).map(|&name| name.to_owned()).collect();
    for (name, _) in fields.headers.as_slice() {
        let Ok(name) = std::str::from_utf8(name) else { continue };
        let own = name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("x-"));
        if own && !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name.to_owned());
        }
    }
    names
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
    for line in text.as_bytes().chunks(PEM_LINE) {
        pem.extend(line.iter().map(|&byte| char::from(byte)));
        pem.push('\n');
    }
    pem + "-----END PRIVATE KEY-----\n"
}
