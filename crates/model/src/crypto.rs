//! Keys and what is done with them: derivation, keyed hashes, seals, digests. One library behind.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{constant_time, digest, hkdf, hmac};

use crate::error::Malformed;
use crate::secret::Secret;

/// The one secret of an installation, from which every other key is derived (HKDF-SHA-256).
#[derive(Clone, Debug)]
pub struct RootKey(Secret<[u8; 32]>);

struct Len32;

impl hkdf::KeyType for Len32 {
    fn len(&self) -> usize {
        32
    }
}

impl RootKey {
    /// From 32 secret bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }

    /// Reads 64 hexadecimal digits, as the key file and the environment hold them.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        from_hex(text.trim())
            .map(Self::new)
            .ok_or(Malformed::new("root key", "it has 64 hexadecimal digits"))
    }

    fn derive(&self, label: &str) -> [u8; 32] {
        let mut out = [0; 32];
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"cordon");
        let filled = salt
            .extract(self.0.expose())
            .expand(&[label.as_bytes()], Len32)
            .and_then(|okm| okm.fill(&mut out));
        assert!(filled.is_ok(), "HKDF gives 32 bytes for any label");
        out
    }

    /// The key for keyed hashes that this label names.
    pub fn mac_key(&self, label: &str) -> MacKey {
        MacKey(hmac::Key::new(hmac::HMAC_SHA256, &self.derive(label)))
    }

    /// The key that seals secrets at rest.
    pub fn seal_key(&self, label: &str) -> SealKey {
        SealKey(Secret::new(self.derive(label)))
    }

    /// 32 bytes from which this label's signing key is made.
    pub fn seed(&self, label: &str) -> Secret<[u8; 32]> {
        Secret::new(self.derive(label))
    }
}

/// A key for HMAC-SHA-256.
#[derive(Clone)]
pub struct MacKey(hmac::Key);

impl MacKey {
    /// A key from its bytes; for webhooks whose secret the vendor chose.
    pub fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// HMAC-SHA-256 over the parts, each preceded by its length so that they cannot run together.
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part);
        }
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        out
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<mac key>")
    }
}

/// A key that seals secrets at rest (AES-256-GCM; nonce before the text, label as associated data).
#[derive(Clone, Debug)]
pub struct SealKey(Secret<[u8; 32]>);

/// A sealed secret that does not open: another key, another label, or a changed text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed secret does not open with this root key")]
pub struct SealBroken;

impl SealKey {
    fn key(&self) -> LessSafeKey {
        let key = UnboundKey::new(&AES_256_GCM, self.0.expose());
        LessSafeKey::new(key.expect("AES-256-GCM takes 32 bytes"))
    }

    /// A key of its own for one thing among many, so that their number is not bounded by how many
    /// random nonces one key can take.
    pub fn derived(&self, label: &str) -> Self {
        Self(Secret::new(MacKey::new(self.0.expose()).mac(&[label.as_bytes()])))
    }

    /// Seals `plain` for `label`; `nonce` is 12 fresh random bytes.
    pub fn seal(&self, nonce: [u8; 12], label: &str, plain: &[u8]) -> Vec<u8> {
        let mut sealed = plain.to_vec();
        let tag = self.key().seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(label.as_bytes()),
            &mut sealed,
        );
        assert!(tag.is_ok(), "AES-256-GCM seals any text of a secret's length");
        [nonce.as_slice(), &sealed].concat()
    }

    /// Opens what [`SealKey::seal`] sealed for the same label.
    ///
    /// # Errors
    /// When key, label or text differ.
    pub fn open(&self, label: &str, sealed: &[u8]) -> Result<Secret<Vec<u8>>, SealBroken> {
        let (nonce, text) = sealed.split_at_checked(12).ok_or(SealBroken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealBroken)?;
        let mut text = text.to_vec();
        let plain = self
            .key()
            .open_in_place(nonce, Aad::from(label.as_bytes()), &mut text)
            .map_err(|_| SealBroken)?
            .len();
        text.truncate(plain);
        Ok(Secret::new(text))
    }
}

/// SHA-256 of the bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// Whether the two are equal, in a time that depends on their lengths only.
pub fn equal(left: &[u8], right: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(left, right).is_ok()
}

/// Lower-case hexadecimal.
pub fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        for half in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS[usize::from(half)]));
        }
    }
    text
}

/// Reads exactly `N` bytes of hexadecimal, in either case.
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(digits.chunks(2)) {
        *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_secret_opens_only_with_its_key_and_label() {
        let root = RootKey::new([7; 32]);
        let seal = root.seal_key("credentials");
        let sealed = seal.seal([1; 12], "sendgrid", b"SG.secret");
        assert_eq!(seal.open("sendgrid", &sealed).expect("opens").expose(), b"SG.secret");
        assert!(seal.open("twilio", &sealed).is_err());
        assert!(RootKey::new([8; 32]).seal_key("credentials").open("sendgrid", &sealed).is_err());
        assert!(seal.open("sendgrid", &sealed[..5]).is_err());
        assert!(seal.derived("one").open("sendgrid", &sealed).is_err());
    }

    #[test]
    fn parts_of_a_keyed_hash_cannot_run_together() {
        let key = RootKey::new([7; 32]).mac_key("test");
        assert_ne!(key.mac(&[b"ab", b"c"]), key.mac(&[b"a", b"bc"]));
    }

    #[test]
    fn hexadecimal_reads_back() {
        assert_eq!(from_hex::<3>(&to_hex(&[0, 171, 255])), Some([0, 171, 255]));
        assert_eq!(from_hex::<3>("00abfg"), None);
        assert_eq!(from_hex::<3>("00ab"), None);
    }
}
