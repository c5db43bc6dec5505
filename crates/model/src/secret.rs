//! A value that must not be seen: redacted when shown, compared in constant time, wiped when
//! dropped.

use std::fmt;

use zeroize::Zeroize;

/// Wraps a secret; [`Secret::expose`] is the only way to it.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes a value into custody.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the one place that needs it.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize + AsRef<[u8]>> Secret<T> {
    /// Whether the secret equals these bytes, in constant time.
    pub fn matches(&self, other: &[u8]) -> bool {
        crate::crypto::equal(self.0.as_ref(), other)
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_and_compares() {
        let secret = Secret::new("SG.abc".to_owned());
        assert_eq!(format!("{secret:?}"), "<secret>");
        assert!(secret.matches(b"SG.abc") && !secret.matches(b"SG.abd"));
    }
}
