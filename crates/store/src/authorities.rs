//! Private authorities of vendors' hosts. Opens no key, and knows no certificate.

use model::Timestamp;

use crate::columns::{Sealed, bind};
use crate::engine::Tx;

/// An authority as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityRow {
    /// SHA-256 of the root's certificate, in hexadecimal digits.
    pub fingerprint: String,
    /// The host that it speaks for.
    pub host: String,
    /// The root's certificate, PEM.
    pub root: String,
    /// The issuing certificate, PEM.
    pub issuing: String,
    /// The issuing key.
    pub issuing_key: Sealed,
    /// The end of its validity.
    pub expires_at: Timestamp,
}

impl Tx<'_> {
    /// Keeps an authority, unless its host has another one that is valid until `enough`; whether it
    /// did.
    ///
    /// # Errors
    /// Faults only.
    pub fn insert_authority(&self, row: &AuthorityRow, enough: Timestamp) -> anyhow::Result<bool> {
        let inserted = self.execute(
            "INSERT INTO authorities (fingerprint, host, root, issuing, issuing_key, expires_at)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6
             WHERE NOT EXISTS (SELECT 1 FROM authorities WHERE host = ?2 AND expires_at > ?7)",
            bind![
                row.fingerprint.as_str(),
                row.host.as_str(),
                row.root.as_str(),
                row.issuing.as_str(),
                row.issuing_key.0.as_slice(),
                row.expires_at,
                enough,
            ],
        )?;
        Ok(inserted == 1)
    }

    /// Every authority that is valid after `now`, by host, the one that ends first standing first.
    ///
    /// # Errors
    /// Faults only.
    pub fn authorities(&self, now: Timestamp) -> anyhow::Result<Vec<AuthorityRow>> {
        self.all(
            "SELECT fingerprint, host, root, issuing, issuing_key, expires_at FROM authorities
             WHERE expires_at > ?1 ORDER BY host, expires_at, fingerprint",
            bind![now],
            |row| {
                Ok(AuthorityRow {
                    fingerprint: row.get(0)?,
                    host: row.get(1)?,
                    root: row.get(2)?,
                    issuing: row.get(3)?,
                    issuing_key: row.get(4)?,
                    expires_at: row.get(5)?,
                })
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{START, Scratch};

    #[test]
    fn a_host_gets_a_successor_only_when_its_authority_ends_soon() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let row = |mark: &str, host: &str, seconds| AuthorityRow {
            fingerprint: mark.into(),
            host: host.into(),
            root: "root".into(),
            issuing: "issuing".into(),
            issuing_key: Sealed(vec![1]),
            expires_at: START.plus_seconds(seconds),
        };
        let enough = START.plus_seconds(50);
        assert!(tx.insert_authority(&row("a", "one.example", 100), enough).expect("runs"));
        assert!(!tx.insert_authority(&row("b", "one.example", 200), enough).expect("runs"));
        assert!(tx.insert_authority(&row("c", "two.example", 100), enough).expect("runs"));
        let later = START.plus_seconds(150);
        assert!(tx.insert_authority(&row("d", "one.example", 300), later).expect("runs"));
        let marks = |now| -> Vec<String> {
            let rows = tx.authorities(now).expect("lists");
            rows.into_iter().map(|row| row.fingerprint).collect()
        };
        assert_eq!(marks(START), ["a", "d", "c"]);
        assert_eq!(marks(later), ["d"]);
    }
}
