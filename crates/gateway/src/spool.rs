//! The spool: what waits in Cordon until it may leave, each entry sealed in a file of its own.
//! Does not know what waits, whom it is about, or when it may leave.
//!
//! An entry is durable before it is acknowledged and has one part for each copy that is to leave;
//! each part has a call's id of its own, so that the ledger can say whether it left already. An
//! entry goes when its last part has ended.

mod entry;
mod shelf;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use bytes::Bytes;
use model::{Blame, CallId, Coded, SealKey, Timestamp, VendorName, World, limits};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::task::spawn_blocking;

use entry::{Entry, Note, Sheet};
use shelf::Shelf;

/// Things of one kind that wait for one vendor. They are taken in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Lane {
    /// For whom.
    pub vendor: VendorName,
    /// What.
    pub kind: Kind,
}

/// What waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Calls of the HTTP doors. One that has to wait makes those behind it wait.
    Call,
    /// Mail of the submission door. Those behind one that has to wait go before it.
    Mail,
}

/// How much the spool takes; the defaults are those of `model::limits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolLimits {
    /// Entries, all vendors together.
    pub entries: usize,
    /// Bytes on disk, all vendors together.
    pub bytes: u64,
    /// Entries of one vendor.
    pub vendor_entries: usize,
    /// Bytes on disk of one vendor.
    pub vendor_bytes: u64,
}

impl Default for SpoolLimits {
    fn default() -> Self {
        Self {
            entries: limits::SPOOL_ENTRIES,
            bytes: limits::SPOOL_BYTES,
            vendor_entries: limits::SPOOL_VENDOR_ENTRIES,
            vendor_bytes: limits::SPOOL_VENDOR_BYTES,
        }
    }
}

/// Why something was not put into the spool. Nothing of it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    /// As much waits already as may.
    #[error("as much waits in the spool as may")]
    Full,
    /// The disk did not take it.
    #[error("the spool's disk did not take it")]
    Disk,
}

impl Coded for NotKept {
    fn code(&self) -> &'static str {
        match self {
            Self::Full => "spool-full",
            Self::Disk => "spool-down",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Ours
    }
}

/// What was found when the spool was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpoolRecovered {
    /// Entries that wait.
    pub entries: usize,
    /// Files that were never acknowledged, and were removed.
    pub torn: usize,
    /// Files that were acknowledged and do not open; they stay where they are.
    pub damaged: usize,
}

/// How much waits for a vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Backlog {
    /// Calls of the HTTP doors.
    pub calls: usize,
    /// Mails of the submission door.
    pub mails: usize,
    /// Their bytes on disk.
    pub bytes: u64,
    /// When the oldest of them came.
    pub oldest: Option<Timestamp>,
}

/// The spool. Cheap to clone.
#[derive(Clone)]
pub struct Spool(Arc<Inner>);

struct Inner {
    dir: PathBuf,
    key: SealKey,
    world: World,
    shelf: Mutex<Shelf>,
    changed: Notify,
}

impl Inner {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn entry(&self, number: u64) -> Entry {
        Entry::new(&self.dir, number, &self.key)
    }
}

impl Spool {
    /// Opens the spool in `dir`, or makes one. `key` is derived for the spool alone. Blocking.
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub fn open(
        dir: &Path,
        key: SealKey,
        world: World,
        limits: SpoolLimits,
    ) -> anyhow::Result<(Self, SpoolRecovered)> {
        entry::create_dir(dir).context("making the folder of the spool")?;
        let mut recovered = SpoolRecovered::default();
        let mut shelf = Shelf::new(limits);
        recovered.torn = entry::remove_torn(dir).context("removing what a crash left")?;
        for number in entry::numbers(dir).context("listing the spool")? {
            match Entry::new(dir, number, &key).load() {
                Ok(loaded) => shelf.restore(number, loaded),
                Err(error) => {
                    tracing::error!(%error, number, "an entry of the spool does not open");
                    recovered.damaged += 1;
                    shelf.skip(number);
                }
            }
        }
        recovered.entries = shelf.len();
        let (dir, changed) = (dir.to_owned(), Notify::new());
        let inner = Inner { dir, key, world, shelf: Mutex::new(shelf), changed };
        Ok((Self(Arc::new(inner)), recovered))
    }

    /// Keeps something with a part for each of `calls`: `about` says what it is, in its owner's
    /// words. When this returns it is durable.
    ///
    /// # Errors
    /// When it is not kept.
    pub async fn put(
        &self,
        lane: Lane,
        calls: Vec<CallId>,
        about: String,
        body: Bytes,
    ) -> Result<(), NotKept> {
        let inner = self.0.clone();
        let sheet = Sheet { lane, at: inner.world.now(), calls };
        let writing = spawn_blocking(move || inner.put(sheet, &about, &body));
        let kept = writing.await.unwrap_or(Err(NotKept::Disk));
        self.0.changed.notify_waiters();
        kept
    }

    /// Takes the next part of this lane whose time has come.
    pub fn take(&self, lane: &Lane) -> Option<Taken> {
        let part = self.0.shelf().take(lane, self.0.world.now())?;
        Some(Taken { inner: self.0.clone(), part, ended: false })
    }

    /// Takes the next part of this lane whose entry came no later than `at`, whether its time has
    /// come or not.
    pub fn take_older(&self, lane: &Lane, at: Timestamp) -> Option<Taken> {
        let part = self.0.shelf().take_older(lane, at)?;
        Some(Taken { inner: self.0.clone(), part, ended: false })
    }

    /// Every lane in which something waits.
    pub fn lanes(&self) -> Vec<Lane> {
        self.0.shelf().lanes()
    }

    /// How much waits for this vendor.
    pub fn backlog(&self, vendor: &VendorName) -> Backlog {
        self.0.shelf().backlog(vendor)
    }

    /// Resolves when something came or was given back after this was called.
    pub fn changed(&self) -> impl Future<Output = ()> {
        self.0.changed.notified()
    }
}

impl Inner {
    fn put(&self, sheet: Sheet, about: &str, body: &[u8]) -> Result<(), NotKept> {
        let bytes = entry::bytes(about.len(), body.len());
        let number = self.shelf().reserve(&sheet, bytes)?;
        let nonce = || self.world.bytes();
        match self.entry(number).write(&nonce, &sheet, about, body) {
            Ok(end) => {
                self.shelf().fill(number, sheet, bytes, end);
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "the spool's disk took no entry");
                self.shelf().give_up(&sheet, bytes);
                Err(NotKept::Disk)
            }
        }
    }

    /// Records how a part stands; removes the entry with its last part. On a failure it stands so
    /// all the same, until a restart.
    fn note(&self, number: u64, note: &Note) -> io::Result<()> {
        let Some(end) = self.shelf().end(number) else { return Ok(()) };
        let mut end = end.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = self.entry(number);
        if matches!(note, Note::Ended { part } if self.shelf().is_last(number, *part)) {
            let removed = entry.remove();
            self.shelf().remove(number);
            return removed;
        }
        let appended = entry.append(self.world.bytes(), *end, note);
        self.shelf().note(number, note);
        *end = appended?;
        Ok(())
    }
}

/// A part that was taken. Dropped, it goes back to its place.
pub struct Taken {
    inner: Arc<Inner>,
    part: shelf::Part,
    ended: bool,
}

impl Taken {
    /// Under which id it is to leave.
    pub const fn call(&self) -> CallId {
        self.part.call
    }

    /// Which part of its entry it is.
    pub const fn index(&self) -> usize {
        self.part.index
    }

    /// When its entry came.
    pub const fn at(&self) -> Timestamp {
        self.part.at
    }

    /// How often it was tried.
    pub const fn attempts(&self) -> u32 {
        self.part.attempts
    }

    /// Whether nobody here knows what became of the last attempt: only the ledger does.
    pub const fn is_suspect(&self) -> bool {
        self.part.suspect
    }

    /// What its entry is about, and its body.
    ///
    /// # Errors
    /// When the file cannot be read or does not open.
    pub async fn read(&self) -> io::Result<(String, Bytes)> {
        let entry = self.inner.entry(self.part.number);
        spawn_blocking(move || entry.read()).await.map_err(io::Error::other)?
    }

    /// Nothing was tried: it waits as before.
    pub fn put_back(mut self) {
        self.ended = true;
        self.inner.shelf().put_back(&self.part, self.part.suspect);
    }

    /// It left, or never will.
    ///
    /// # Errors
    /// When that is not durable; after a restart the ledger has to tell.
    pub async fn end(mut self) -> io::Result<()> {
        self.ended = true;
        let note = Note::Ended { part: self.part.index };
        self.noted(note).await
    }

    /// It did not leave, and is to be tried again at `due` under the id `call`.
    ///
    /// # Errors
    /// When that is not durable; after a restart the ledger has to tell.
    pub async fn defer(mut self, due: Timestamp, call: CallId) -> io::Result<()> {
        self.ended = true;
        let (part, attempts) = (self.part.index, self.part.attempts + 1);
        let noted = self.noted(Note::Deferred { part, call, attempts, due }).await;
        self.inner.changed.notify_waiters();
        noted
    }

    async fn noted(&self, note: Note) -> io::Result<()> {
        let (inner, number) = (self.inner.clone(), self.part.number);
        let noting = spawn_blocking(move || inner.note(number, &note));
        noting.await.map_err(io::Error::other)?
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if !self.ended {
            self.inner.shelf().put_back(&self.part, true);
            self.inner.changed.notify_waiters();
        }
    }
}
