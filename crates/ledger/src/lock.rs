//! One process per ledger: an advisory lock on a file, which the kernel drops with the process.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;

use crate::refusal::OpenRefused;

/// Holds the ledger until dropped.
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the ledger in `dir`, or refuses when somebody has it.
    pub fn take(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join("lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .context("opening the ledger's lock")?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(OpenRefused::Locked.into()),
            Err(TryLockError::Error(error)) => Err(error).context("locking the ledger"),
        }
    }
}
