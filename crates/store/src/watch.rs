//! Notices when anybody changes the store, another process too, and when the store is no longer
//! the one that was opened. Does not know what a change means.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use model::World;

use crate::engine::{Connection, Tx};
use crate::error::Refused;

/// A connection of its own that only looks. Blocks; a look never waits for the pool of readers.
pub struct Watch {
    connection: Connection,
    world: World,
    path: PathBuf,
    files: [Option<Identity>; 3],
    /// The state that the last question was answered from.
    seen: Option<i64>,
}

/// By what a file is known whatever its name: device and number on it.
type Identity = (u64, u64);

impl Watch {
    pub(crate) fn open(path: &Path, world: World) -> anyhow::Result<Self> {
        let connection = Connection::open_watcher(path)?;
        connection.data_version()?;
        Ok(Self { connection, world, path: path.to_owned(), files: files(path)?, seen: None })
    }

    /// Answers a question from the store as it is now, if it changed since the last answer. `None`
    /// says that it did not change up to the moment of the call.
    ///
    /// # Errors
    /// [`Refused::Replaced`]; what the question returned; faults of the disk, a lock that another
    /// process holds for long among them. The next look asks again.
    pub fn look<T>(
        &mut self,
        question: impl FnOnce(&Tx<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<Option<T>> {
        let version = self.connection.data_version()?;
        if files(&self.path)? != self.files {
            return Err(Refused::Replaced.into());
        }
        if self.seen == Some(version) {
            return Ok(None);
        }
        let answer = self.connection.snapshot(&self.world, question)?;
        self.seen = Some(version);
        Ok(Some(answer))
    }
}

/// The store's file and the two beside it. Only looked at, never opened: closing a file of the
/// store would let go of every lock that this process holds on it.
fn files(path: &Path) -> anyhow::Result<[Option<Identity>; 3]> {
    let beside = |end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        identity(Path::new(&name))
    };
    Ok([beside("")?, beside("-wal")?, beside("-shm")?])
}

fn identity(path: &Path) -> anyhow::Result<Option<Identity>> {
    match std::fs::metadata(path) {
        Ok(file) => Ok(Some((file.dev(), file.ino()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("looking at the store's files"),
    }
}
