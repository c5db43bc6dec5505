//! By which policy something was decided: its digest in the short form that records carry.

use std::fmt;

use crate::crypto;
use crate::error::Malformed;
use crate::name::text_form;

/// The first eight bytes of the SHA-256 of a policy's whole text. Shown as 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyDigest(pub [u8; 8]);

impl PolicyDigest {
    /// Of a policy's whole text.
    pub fn of(text: &str) -> Self {
        let mut short = [0; 8];
        short.copy_from_slice(&crypto::sha256(text.as_bytes())[..8]);
        Self(short)
    }

    /// Reads 16 hexadecimal digits.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let digest = crypto::from_hex(text).map(Self);
        digest.ok_or(Malformed::new("policy digest", "it has 16 hexadecimal digits"))
    }
}

impl fmt::Display for PolicyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crypto::to_hex(&self.0))
    }
}

impl fmt::Debug for PolicyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

text_form!(PolicyDigest);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_reads_back_as_written() {
        let digest = PolicyDigest::of("");
        assert_eq!(digest.to_string(), "e3b0c44298fc1c14");
        assert_eq!(PolicyDigest::parse("e3b0c44298fc1c14"), Ok(digest));
        assert!(PolicyDigest::parse("e3b0c44298fc1c1").is_err());
    }
}
