//! Tokens that stand for values at a vendor and that only we can turn back.
//!
//! Deterministic authenticated encryption: the same value of the same field is the same token at
//! one vendor, so that the vendor can count and join, and another one elsewhere. AES-256-GCM-SIV
//! (RFC 8452) under one key per vendor, with the field as associated data. Its nonce is fixed:
//! unlike GCM it stays safe then, and shows no more than that two values are equal, which is what
//! is wanted (§9 there; values are short and far fewer than 2^32 per key).

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::crypto::{self, MacKey};
use crate::field::Field;
use crate::name::VendorName;
use crate::secret::Secret;

const PREFIX: &str = "t-";
const NONCE: [u8; 12] = [0; 12];

/// From which each vendor's key is derived.
#[derive(Clone)]
pub struct TokeniseKey(MacKey);

impl TokeniseKey {
    /// From a key that is used for nothing else.
    pub const fn new(key: MacKey) -> Self {
        Self(key)
    }

    /// The token of a value at a vendor: `t-` and hexadecimal digits.
    pub fn token(&self, vendor: &VendorName, field: Field, value: &str) -> String {
        let mut bytes = value.as_bytes().to_vec();
        let sealed = self.key(vendor).seal_in_place_append_tag(
            Nonce::assume_unique_for_key(NONCE),
            Aad::from(field.name().as_bytes()),
            &mut bytes,
        );
        assert!(sealed.is_ok(), "AES-256-GCM-SIV seals any value that fits in memory");
        format!("{PREFIX}{}", crypto::to_hex(&bytes))
    }

    /// The value that a token stands for, with its field; none when it is no token of ours for this
    /// vendor.
    pub fn value(&self, vendor: &VendorName, token: &str) -> Option<(Field, Secret<String>)> {
        let sealed = hex(token.strip_prefix(PREFIX)?)?;
        let key = self.key(vendor);
        Field::ALL.iter().find_map(|&field| {
            let mut bytes = sealed.clone();
            let nonce = Nonce::assume_unique_for_key(NONCE);
            let aad = Aad::from(field.name().as_bytes());
            let plain = key.open_in_place(nonce, aad, &mut bytes).ok()?;
            let value = String::from_utf8(plain.to_vec()).ok()?;
            Some((field, Secret::new(value)))
        })
    }

    fn key(&self, vendor: &VendorName) -> LessSafeKey {
        let derived = self.0.mac(&[vendor.as_str().as_bytes()]);
        let key = UnboundKey::new(&AES_256_GCM_SIV, &derived);
        LessSafeKey::new(key.expect("AES-256-GCM-SIV takes 32 bytes"))
    }
}

impl fmt::Debug for TokeniseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<tokenise key>")
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    let pair = |pair: &[u8; 2]| crypto::from_hex::<1>(std::str::from_utf8(pair).ok()?);
    let bytes = pairs.iter().map(pair).collect::<Option<Vec<_>>>()?;
    odd.is_empty().then(|| bytes.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RootKey;

    fn vendor(name: &str) -> VendorName {
        VendorName::parse(name).expect(name)
    }

    #[test]
    fn a_token_turns_back_at_its_vendor_only_and_is_the_same_each_time() {
        let key = TokeniseKey::new(RootKey::new([3; 32]).mac_key("tokenise"));
        let (segment, braze) = (vendor("segment"), vendor("braze"));
        for value in ["", "Ann", "ann@example.com", "Zoë \u{1F600}"] {
            let token = key.token(&segment, Field::Name, value);
            assert_eq!(token, key.token(&segment, Field::Name, value));
            assert!(token.starts_with("t-") && !token.contains(value.trim()) || value.is_empty());
            let (field, turned_back) = key.value(&segment, &token).expect("ours");
            assert_eq!((field, turned_back.expose().as_str()), (Field::Name, value));
            assert!(key.value(&braze, &token).is_none());
            assert_ne!(token, key.token(&braze, Field::Name, value));
            assert_ne!(token, key.token(&segment, Field::Email, value));
        }
    }

    #[test]
    fn a_changed_token_or_another_text_is_none_of_ours() {
        let key = TokeniseKey::new(RootKey::new([3; 32]).mac_key("tokenise"));
        let segment = vendor("segment");
        let token = key.token(&segment, Field::Email, "ann@example.com");
        let other = TokeniseKey::new(RootKey::new([4; 32]).mac_key("tokenise"));
        assert!(other.value(&segment, &token).is_none());
        let last = token.len() - 1;
        let flipped = if token.ends_with('0') { "1" } else { "0" };
        for bad in
            ["", "t-", "t-zz", "p-00", &token[..last], &format!("{}{flipped}", &token[..last])]
        {
            assert!(key.value(&segment, bad).is_none(), "{bad}");
        }
    }
}
