//! Checks DKIM signatures against keys that the caller has: no DNS, no clock. A signature that has
//! expired still proves who made it, and counts.

use mail_auth::AuthenticatedMessage;
use mail_auth::common::crypto::{Algorithm, HashAlgorithm};
use mail_auth::common::headers::Header;
use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::common::verify::DomainKey;
use mail_auth::dkim::{Canonicalization, Signature};
use model::limits;

use crate::bodies;

/// One signature of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DkimResult {
    /// The domain that it claims to be of, in lower case.
    pub domain: String,
    /// The key that it names.
    pub selector: String,
    /// Whether that key made it, over this mail as it stands. `false` also when the key is not
    /// known: «not shown», never «forged».
    pub pass: bool,
}

/// Checks the signatures of a mail, at most [`limits::DKIM_SIGNATURES`] from the top. `keys` is
/// asked for the TXT value under `<selector>._domainkey.<domain>`. Malformed signatures, and those
/// over a part of the body only (`l=`), are left out.
pub fn verify_dkim(raw: &[u8], keys: &dyn Fn(&str) -> Option<String>) -> Vec<DkimResult> {
    // A mail that was saved to a file may have lost its CRs; what was signed had them.
    let raw = bodies::with_crlf(raw);
    let Some(message) = AuthenticatedMessage::parse(&raw) else { return Vec::new() };
    let headers = message.dkim_headers.iter().take(limits::DKIM_SIGNATURES);
    headers
        .map(|header| {
            let domain = header.header.d.to_ascii_lowercase();
            let selector = header.header.s.clone();
            let key = keys(&format!("{}._domainkey.{domain}", selector.to_ascii_lowercase()));
            let pass = key.is_some_and(|key| passes(&message, header, &key));
            DkimResult { domain, selector, pass }
        })
        .collect()
}

fn passes(message: &AuthenticatedMessage<'_>, header: &Header<'_, Signature>, key: &str) -> bool {
    let signature = &header.header;
    let signs_from = signature.h.iter().any(|name| name.eq_ignore_ascii_case("from"));
    // RFC 8301 §3.1: SHA-1 proves nothing any more.
    if !signs_from || signature.a == Algorithm::RsaSha1 || !is_below(signature) {
        return false;
    }
    let Ok(key) = DomainKey::parse(key.as_bytes()) else { return false };
    if body_hash(message.raw_body(), signature.cb) != signature.bh {
        return false;
    }
    let unsigned = without_signature(header.value);
    let mut signed = message.signed_headers(&signature.h, header.name, &unsigned);
    key.p.verify(&mut signed, &signature.b, signature.ch, signature.a).is_ok()
}

/// Whether the identity, if one is given, is of the signing domain (RFC 6376 §3.5, `i=`).
fn is_below(signature: &Signature) -> bool {
    let identity = signature.i.rsplit_once('@').map_or("", |(_, domain)| domain);
    let (identity, domain) = (identity.to_ascii_lowercase(), signature.d.to_ascii_lowercase());
    signature.i.is_empty()
        || identity == domain
        || identity.strip_suffix(&domain).is_some_and(|sub| sub.ends_with('.'))
}

fn body_hash(body: &[u8], form: Canonicalization) -> Vec<u8> {
    let body = match form {
        Canonicalization::Relaxed => bodies::without_blank_end(body),
        Canonicalization::Simple => body,
    };
    HashAlgorithm::Sha256.hash(form.canonical_body(body, 0)).as_ref().to_vec()
}

/// The header's value with an empty `b=` and without its line end: what the signer saw.
fn without_signature(value: &[u8]) -> Vec<u8> {
    let value = value.strip_suffix(b"\r\n").unwrap_or(value);
    let mut unsigned = Vec::with_capacity(value.len());
    for (index, tag) in value.split(|&byte| byte == b';').enumerate() {
        if index > 0 {
            unsigned.push(b';');
        }
        let equals = tag.iter().position(|&byte| byte == b'=').unwrap_or(tag.len());
        let is_signature = tag[..equals].trim_ascii().eq_ignore_ascii_case(b"b");
        let keep = if is_signature { (equals + 1).min(tag.len()) } else { tag.len() };
        unsigned.extend_from_slice(&tag[..keep]);
    }
    unsigned
}
