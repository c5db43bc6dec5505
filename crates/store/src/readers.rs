//! A few connections that only read, lent to one question at a time. Questions see what is
//! committed and never wait for the writer.

use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use model::{World, limits};

use crate::engine::{Connection, Tx};

/// The connections that are not lent out.
pub(crate) struct Readers {
    free: Mutex<Vec<Connection>>,
    returned: Condvar,
}

impl Readers {
    /// Opens all of them.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let free = (0..limits::STORE_READERS)
            .map(|_| Connection::open_reader(path))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { free: Mutex::new(free), returned: Condvar::new() })
    }

    /// Answers a question; blocks until a connection is free.
    pub(crate) fn ask<T>(
        &self,
        world: &World,
        question: impl FnOnce(&Tx<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let lent = self.lend();
        lent.connection().snapshot(world, question)
    }

    /// Lends a connection out; blocks until one is free.
    pub(crate) fn lend(&self) -> Lent<'_> {
        let mut free = self.free();
        loop {
            if let Some(connection) = free.pop() {
                return Lent { readers: self, connection: Some(connection) };
            }
            free = self.returned.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A list of free connections is whole whoever panicked while holding it.
    fn free(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that goes back when dropped, after a panic too.
pub(crate) struct Lent<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Lent<'_> {
    /// The connection.
    pub(crate) fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("it is taken out only when dropped")
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.readers.free().push(connection);
            self.readers.returned.notify_one();
        }
    }
}
