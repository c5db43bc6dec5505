//! Why the ledger says no. Faults of the disk while reading are `anyhow` with context.

use model::{Blame, Coded};

/// A record could not be made durable, now or earlier. Nothing may leave until a restart.
///
/// After a failed `fdatasync` the kernel may have dropped the pages that it could not write, so a
/// second try that succeeds proves nothing; the ledger never tries again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ledger is down: a record could not be made durable")]
pub struct LedgerDown;

impl Coded for LedgerDown {
    fn code(&self) -> &'static str {
        "ledger-down"
    }

    fn blame(&self) -> Blame {
        Blame::Ours
    }

    fn hint(&self) -> Option<String> {
        Some("free space on the ledger's disk, then restart `cordon serve`".into())
    }
}

/// Why a ledger is not opened. Nothing on disk was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenRefused {
    /// Another process has it.
    #[error("another process has this ledger open")]
    Locked,
    /// Something that was acknowledged does not read.
    #[error("the ledger is damaged: {what} in `{file}` at byte {offset}")]
    Damaged {
        /// The file, relative to the ledger.
        file: String,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// Its identifiers were hashed under another key.
    #[error("the ledger was written under another identifier key")]
    OtherKey,
}

impl Coded for OpenRefused {
    fn code(&self) -> &'static str {
        match self {
            Self::Locked => "ledger-locked",
            Self::Damaged { .. } => "ledger-damaged",
            Self::OtherKey => "ledger-key",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Ours
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Locked => "stop the other `cordon serve` on this data directory".into(),
            Self::Damaged { .. } => "restore the ledger's directory from a backup".into(),
            Self::OtherKey => "start with the root key that this ledger was made with".into(),
        })
    }
}
