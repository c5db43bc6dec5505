//! The one thread that changes the store. It takes all changes that wait, runs each in a part of one
//! transaction, commits once, and only then answers: a hundred callers share one sync of the disk.
//! Knows nothing of what a change does.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, anyhow};
use model::{World, limits};
use tokio::sync::{mpsc, oneshot};

use crate::engine::{Connection, Tx};
use crate::error::NotCommitted;

/// Where changes wait.
pub(crate) type Queue = mpsc::Sender<Box<dyn Waiting>>;

/// What the writer has done since the store was opened.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) changes: AtomicU64,
    pub(crate) commits: AtomicU64,
}

/// A change in the queue, and the caller who waits for it.
pub(crate) trait Waiting: Send {
    /// Makes the change; whether it is to be kept.
    fn run(&mut self, tx: &Tx<'_>) -> bool;
    /// Tells the caller, once it is known whether the group was committed.
    fn answer(self: Box<Self>, committed: Result<(), NotCommitted>);
}

struct Change<F, T> {
    change: Option<F>,
    result: anyhow::Result<T>,
    caller: oneshot::Sender<anyhow::Result<T>>,
}

/// A change for the queue, and where its answer will come.
pub(crate) fn change<T, F>(change: F) -> (Box<dyn Waiting>, oneshot::Receiver<anyhow::Result<T>>)
where
    F: FnOnce(&Tx<'_>) -> anyhow::Result<T> + Send + 'static,
    T: Send + 'static,
{
    let (caller, answer) = oneshot::channel();
    let result = Err(anyhow!("the change did not run"));
    (Box::new(Change { change: Some(change), result, caller }), answer)
}

impl<F, T> Waiting for Change<F, T>
where
    F: FnOnce(&Tx<'_>) -> anyhow::Result<T> + Send,
    T: Send,
{
    fn run(&mut self, tx: &Tx<'_>) -> bool {
        if let Some(change) = self.change.take() {
            // A panic in one change is that caller's fault and must not take the others with it.
            self.result = catch_unwind(AssertUnwindSafe(|| change(tx)))
                .unwrap_or_else(|_| Err(anyhow!("the change panicked")));
        }
        self.result.is_ok()
    }

    fn answer(self: Box<Self>, committed: Result<(), NotCommitted>) {
        let answer = match committed {
            Err(fault) if self.result.is_ok() => Err(fault.into()),
            _ => self.result,
        };
        if self.caller.send(answer).is_err() {
            tracing::debug!("a caller did not wait for its change");
        }
    }
}

/// Runs until every sender is gone and the queue is empty.
pub(crate) fn write_all(
    connection: &Connection,
    world: &World,
    mut queue: mpsc::Receiver<Box<dyn Waiting>>,
    counts: &Counts,
) {
    let mut group = Vec::with_capacity(limits::STORE_GROUP_CHANGES);
    while queue.blocking_recv_many(&mut group, limits::STORE_GROUP_CHANGES) > 0 {
        let committed = commit_group(connection, world, &mut group)
            .map_err(|fault| NotCommitted(Arc::from(format!("{fault:#}"))));
        match &committed {
            Ok(()) => counts.commits.fetch_add(1, Ordering::Relaxed),
            Err(fault) => {
                tracing::error!(store.changes = group.len(), "{fault}");
                0
            }
        };
        counts.changes.fetch_add(group.len() as u64, Ordering::Relaxed);
        for waiting in group.drain(..) {
            waiting.answer(committed.clone());
        }
    }
}

fn commit_group(
    connection: &Connection,
    world: &World,
    group: &mut [Box<dyn Waiting>],
) -> anyhow::Result<()> {
    let committed = run_group(connection, world, group).and_then(|()| connection.commit());
    if committed.is_err() {
        connection.roll_back().context("rolling back a failed group")?;
    }
    committed
}

fn run_group(
    connection: &Connection,
    world: &World,
    group: &mut [Box<dyn Waiting>],
) -> anyhow::Result<()> {
    connection.begin()?;
    for waiting in group {
        connection.begin_part()?;
        let keep = waiting.run(&connection.tx(world));
        anyhow::ensure!(connection.in_transaction(), "the engine gave the transaction up");
        connection.end_part(keep)?;
    }
    Ok(())
}
