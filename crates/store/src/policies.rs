//! Policies that were in force, by their digests. Does not read them.

use model::{PolicyDigest, Timestamp};

use crate::columns::bind;
use crate::engine::Tx;

/// A policy that is or was in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptPolicy {
    /// By which records name it.
    pub digest: PolicyDigest,
    /// All of it.
    pub text: String,
    /// When it was first in force.
    pub first_at: Timestamp,
}

impl Tx<'_> {
    /// Keeps a policy that comes into force; whether it never was before.
    ///
    /// # Errors
    /// Faults only.
    pub fn keep_policy(&self, digest: PolicyDigest, text: &str) -> anyhow::Result<bool> {
        let inserted = self.execute(
            "INSERT INTO policies (digest, text, first_at) VALUES (?1, ?2, ?3)
             ON CONFLICT DO NOTHING",
            bind![&digest.to_string(), text, self.world.now()],
        )?;
        Ok(inserted == 1)
    }

    /// The policy of this digest, if it was ever in force.
    ///
    /// # Errors
    /// Faults only.
    pub fn kept_policy(&self, digest: PolicyDigest) -> anyhow::Result<Option<KeptPolicy>> {
        self.one(
            "SELECT text, first_at FROM policies WHERE digest = ?1",
            bind![&digest.to_string()],
            |row| Ok(KeptPolicy { digest, text: row.get(0)?, first_at: row.get(1)? }),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{START, Scratch};

    #[test]
    fn a_policy_is_kept_once_with_the_time_when_it_first_held() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let digest = PolicyDigest::of("forbid (principal, action, resource);");
        assert_eq!(tx.kept_policy(digest).expect("runs"), None);
        assert!(tx.keep_policy(digest, "forbid").expect("runs"));
        scratch.clock.advance_seconds(60);
        assert!(!tx.keep_policy(digest, "forbid").expect("runs"));
        let kept = tx.kept_policy(digest).expect("runs").expect("kept");
        assert_eq!((kept.text.as_str(), kept.first_at), ("forbid", START));
    }
}
