//! The only SQL. **Invariant:** no HTTP, no mail, no plain secrets, and no knowledge of what a
//! detector, an incident or a template is: nouns go in and come out, documents pass unread.
//!
//! Start with `migrations/`, which explain the tables; then one file here per subject, with one
//! method of [`Tx`] per question. `engine.rs` alone knows the engine, `writer.rs` the one thread
//! that changes anything, `readers.rs` the connections that ask.

mod audit;
mod authorities;
mod bulletins;
mod canaries;
mod columns;
mod credentials;
mod deliveries;
mod engine;
mod error;
mod evidence;
mod facts;
mod findings;
mod flow;
mod identities;
mod incidents;
mod inquiries;
mod migrations;
mod notices;
mod operators;
mod policies;
mod readers;
mod scopes;
mod settings;
#[cfg(test)]
mod testing;
mod tokens;
mod vendors;
mod watch;
mod workloads;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};

use anyhow::{Context, anyhow};
use model::{World, limits};
use serde::Serialize;
use tokio::sync::{Semaphore, mpsc};

pub use audit::{AuditBroken, AuditCheckpoint, AuditEntry, AuditHead, AuditVerified};
pub use authorities::AuthorityRow;
pub use bulletins::Bulletin;
pub use canaries::Canary;
pub use columns::{Document, Sealed};
pub use deliveries::{
    Delivery, DeliveryState, DeliveryTotals, Handing, NewDelivery, PendingDelivery, Settlement,
};
pub use engine::Tx;
pub use error::{NotCommitted, Refused};
pub use evidence::Evidence;
pub use facts::{FactCount, FactFilter};
pub use findings::{FindingRow, RecordedFinding};
pub use flow::{Burst, BurstApproval};
pub use incidents::IncidentRow;
pub use inquiries::{Inquiry, InquiryCounts};
pub use notices::{Notice, NoticeKind, NoticeState};
pub use operators::Operator;
pub use policies::KeptPolicy;
pub use scopes::{ScopeMember, ScopeSize};
pub use tokens::{NewToken, Token, TokenUses};
pub use vendors::VendorSecrets;
pub use watch::Watch;

use crate::engine::Connection;
use crate::readers::Readers;
use crate::writer::{Counts, Queue};

/// The store of one installation. Cheap to clone; dropping the last clone waits for the changes
/// that are under way.
#[derive(Clone)]
pub struct Store(Arc<Open>);

struct Open {
    path: PathBuf,
    world: World,
    readers: Readers,
    permits: Arc<Semaphore>,
    counts: Arc<Counts>,
    queue: Option<Queue>,
    writer: Option<JoinHandle<()>>,
    /// Released by the system when the process ends, however it ends.
    _lock: Option<File>,
}

/// How the store does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StoreStatus {
    /// The schema of the file.
    pub schema: u64,
    /// Changes since it was opened.
    pub changes: u64,
    /// Commits that they took, each with one sync of the disk.
    pub commits: u64,
}

impl Store {
    /// Opens the store, makes it if there is none, and brings its schema up to date. It has a lock
    /// of its own (`<path>.lock`), so that no second process writes to it, whatever else is locked.
    ///
    /// # Errors
    /// [`Refused::Locked`] and [`Refused::NewerSchema`]; faults of the disk.
    pub fn open(path: &Path, world: World) -> anyhow::Result<Self> {
        let lock = lock(path)?;
        let connection = Connection::open_writer(path).context("opening the store")?;
        migrations::migrate(&connection, world.now())?;
        Self::start(path, world, connection, Some(lock))
    }

    /// Opens a store beside the process that has it, for a change that cannot wait for that one.
    /// Takes no lock and leaves the schema alone; the engine orders both processes' changes, and
    /// the other one's [`Watch`] notices ours.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is none, [`Refused::NewerSchema`] and
    /// [`Refused::OlderSchema`]; faults of the disk.
    pub fn open_beside(path: &Path, world: World) -> anyhow::Result<Self> {
        if !path.exists() {
            return Err(Refused::not_found("store", path.display()));
        }
        let connection = Connection::open_writer(path).context("opening the store")?;
        migrations::check(&connection)?;
        Self::start(path, world, connection, None)
    }

    fn start(
        path: &Path,
        world: World,
        connection: Connection,
        lock: Option<File>,
    ) -> anyhow::Result<Self> {
        let readers = Readers::open(path).context("opening the store for reading")?;
        let counts = Arc::new(Counts::default());
        let (queue, waiting) = mpsc::channel(limits::STORE_QUEUE_CHANGES);
        let writer = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn({
                let (world, counts) = (world.clone(), counts.clone());
                move || writer::write_all(&connection, &world, waiting, &counts)
            })
            .context("starting the store's writer")?;
        Ok(Self(Arc::new(Open {
            path: path.to_owned(),
            world,
            readers,
            permits: Arc::new(Semaphore::new(limits::STORE_READERS)),
            counts,
            queue: Some(queue),
            writer: Some(writer),
            _lock: lock,
        })))
    }

    /// Makes a change; returns once it is durable. All of it is kept, or none if it returns an
    /// error.
    ///
    /// The closure shares its transaction with others' and may be undone after it returned, so it
    /// does nothing but speak to `tx`: what follows from the change is done after this returns. A
    /// caller who stops waiting does not stop the change.
    ///
    /// # Errors
    /// What the closure returned; [`NotCommitted`] when the disk did not take it.
    pub async fn write<T, F>(&self, change: F) -> anyhow::Result<T>
    where
        F: FnOnce(&Tx<'_>) -> anyhow::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let (waiting, answer) = writer::change(change);
        let stopped = || anyhow!("the store's writer has stopped");
        let queue = self.0.queue.as_ref().ok_or_else(stopped)?;
        queue.send(waiting).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// Answers a question from one state of the store, on a thread that may block.
    ///
    /// # Errors
    /// What the closure returned; faults of the disk.
    pub async fn read<T, F>(&self, question: F) -> anyhow::Result<T>
    where
        F: FnOnce(&Tx<'_>) -> anyhow::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let permit = self.0.permits.clone().acquire_owned().await.context("the store is closed")?;
        let open = self.0.clone();
        tokio::task::spawn_blocking(move || {
            let answer = open.readers.ask(&open.world, question);
            drop(permit);
            answer
        })
        .await
        .context("a question to the store did not end")?
    }

    /// The same on this thread; blocks, so not for a thread that runs async tasks.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub fn read_now<T>(
        &self,
        question: impl FnOnce(&Tx<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        self.0.readers.ask(&self.0.world, question)
    }

    /// Looks for changes from now on, with a connection of its own.
    ///
    /// # Errors
    /// Faults of the disk.
    pub fn watch(&self) -> anyhow::Result<Watch> {
        Watch::open(&self.0.path, self.0.world.clone()).context("watching the store")
    }

    /// Leaves nothing in any of its files of what was deleted or changed before; blocks.
    ///
    /// # Errors
    /// When somebody reads an earlier state for too long; faults of the disk.
    pub fn wipe_deleted(&self) -> anyhow::Result<()> {
        Connection::open_writer(&self.0.path)?.fold().context("emptying the write-ahead file")
    }

    /// Writes a copy of the store as it is now to a new file; blocks.
    ///
    /// # Errors
    /// [`Refused::Exists`] when there is a file; faults of the disk.
    pub fn copy_to(&self, path: &Path) -> anyhow::Result<()> {
        if path.exists() {
            return Err(Refused::exists("file", path.display()));
        }
        self.0.readers.lend().connection().copy_to(path).context("copying the store")
    }

    /// How the store does.
    pub fn status(&self) -> StoreStatus {
        StoreStatus {
            schema: migrations::SCHEMA,
            changes: self.0.counts.changes.load(Ordering::Relaxed),
            commits: self.0.counts.commits.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take()
            && writer.thread().id() != thread::current().id()
            && writer.join().is_err()
        {
            tracing::error!("the store's writer panicked");
        }
    }
}

fn lock(path: &Path) -> anyhow::Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = File::options()
        .create(true)
        .append(true)
        .open(&name)
        .context("opening the store's lock file")?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Refused::Locked.into()),
        Err(std::fs::TryLockError::Error(fault)) => Err(fault).context("locking the store"),
    }
}

#[cfg(test)]
impl Store {
    /// Changes that wait for the writer.
    pub(crate) fn waiting(&self) -> usize {
        self.0.queue.as_ref().map_or(0, |queue| queue.max_capacity() - queue.capacity())
    }
}
