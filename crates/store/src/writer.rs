//! The one thread that changes the store. It takes all changes that wait, runs each in a part of
//! one transaction, commits once, and only then answers: a hundred callers share one sync of the
//! disk. Knows nothing of what a change does.

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
    result: Option<anyhow::Result<T>>,
    caller: oneshot::Sender<anyhow::Result<T>>,
}

/// A change for the queue, and where its answer will come.
pub(crate) fn change<T, F>(change: F) -> (Box<dyn Waiting>, oneshot::Receiver<anyhow::Result<T>>)
where
    F: FnOnce(&Tx<'_>) -> anyhow::Result<T> + Send + 'static,
    T: Send + 'static,
{
    let (caller, answer) = oneshot::channel();
    (Box::new(Change { change: Some(change), result: None, caller }), answer)
}

impl<F, T> Waiting for Change<F, T>
where
    F: FnOnce(&Tx<'_>) -> anyhow::Result<T> + Send,
    T: Send,
{
    fn run(&mut self, tx: &Tx<'_>) -> bool {
        let Some(change) = self.change.take() else { return false };
        // A panic in one change is that caller's fault and must not take the others with it.
        let result = catch_unwind(AssertUnwindSafe(|| change(tx)))
            .unwrap_or_else(|_| Err(anyhow!("the change panicked")));
        self.result.insert(result).is_ok()
    }

    fn answer(self: Box<Self>, committed: Result<(), NotCommitted>) {
        let answer = match (self.result, committed) {
            (Some(Err(own)), _) => Err(own),
            (_, Err(shared)) => Err(shared.into()),
            (result, Ok(())) => result.unwrap_or_else(|| Err(anyhow!("the change did not run"))),
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
    connection.roll_back()?; // of a group before that could not even be undone
    connection.begin()?;
    for waiting in group {
        connection.begin_part()?;
        let keep = waiting.run(&connection.tx(world));
        anyhow::ensure!(connection.in_transaction(), "the engine gave the transaction up");
        connection.end_part(keep)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{SyncSender, sync_channel};

    use tokio::task::JoinHandle;

    use crate::testing::{code, operator_name, store};
    use crate::{NotCommitted, Store, Tx};

    /// Keeps the writer busy until the sender is dropped, so that a group gathers behind it.
    async fn hold(store: &Store) -> (SyncSender<()>, JoinHandle<anyhow::Result<()>>) {
        let (entered, has_entered) = tokio::sync::oneshot::channel();
        let (release, held) = sync_channel::<()>(0);
        let change = move |_: &Tx<'_>| {
            assert!(entered.send(()).is_ok());
            assert!(held.recv().is_err(), "it is released by dropping");
            Ok(())
        };
        let store = store.clone();
        let holding = tokio::spawn(async move { store.write(change).await });
        has_entered.await.expect("the writer takes it");
        (release, holding)
    }

    /// Puts a change into the queue behind those that wait.
    async fn queue<T: Send + 'static>(
        store: &Store,
        change: impl FnOnce(&Tx<'_>) -> anyhow::Result<T> + Send + 'static,
    ) -> JoinHandle<anyhow::Result<T>> {
        let before = store.waiting();
        let queued = tokio::spawn({
            let store = store.clone();
            async move { store.write(change).await }
        });
        while store.waiting() == before {
            tokio::task::yield_now().await;
        }
        queued
    }

    #[tokio::test]
    async fn changes_that_wait_together_share_one_commit() {
        let (_dir, store, _) = store();
        let (release, holding) = hold(&store).await;
        let mut queued = Vec::new();
        for number in 0..100u32 {
            let change = move |tx: &Tx<'_>| tx.set_setting(&number.to_string(), &number);
            queued.push(queue(&store, change).await);
        }
        drop(release);
        holding.await.expect("runs").expect("kept");
        for change in queued {
            change.await.expect("runs").expect("kept");
        }
        let status = store.status();
        assert_eq!((status.changes, status.commits), (101, 2));
        let last = store.read(|tx| tx.setting::<u32>("99")).await.expect("reads");
        assert_eq!(last, Some(99));
    }

    #[tokio::test]
    async fn a_change_that_fails_or_panics_is_undone_alone() {
        let (_dir, store, _) = store();
        let (release, holding) = hold(&store).await;
        let good = queue(&store, |tx| tx.set_setting("good", &1)).await;
        let refused = queue(&store, |tx| {
            tx.set_setting("refused", &1)?;
            tx.disable_operator(&operator_name("nobody"))
        })
        .await;
        let panicked = queue(&store, |tx| -> anyhow::Result<()> {
            tx.set_setting("panicked", &1)?;
            panic!("as this test wants");
        })
        .await;
        let after = queue(&store, |tx| tx.set_setting("after", &1)).await;
        drop(release);
        holding.await.expect("runs").expect("kept");
        good.await.expect("runs").expect("kept");
        assert_eq!(code(refused.await.expect("runs")), "not-found");
        let panicked = panicked.await.expect("the caller lives").expect_err("it panicked");
        assert_eq!(panicked.to_string(), "the change panicked");
        after.await.expect("runs").expect("kept");

        let kept = |name: &'static str| {
            let store = store.clone();
            async move { store.read(move |tx| tx.setting::<u32>(name)).await.expect("reads") }
        };
        assert_eq!((kept("good").await, kept("after").await), (Some(1), Some(1)));
        assert_eq!((kept("refused").await, kept("panicked").await), (None, None));
    }

    #[tokio::test]
    async fn when_the_commit_fails_nobody_is_told_that_it_was_kept() {
        let (_dir, store, _) = store();
        let (release, holding) = hold(&store).await;
        let innocent = queue(&store, |tx| tx.set_setting("innocent", &1)).await;
        let spoils = queue(&store, |tx| {
            tx.execute("PRAGMA defer_foreign_keys = ON", &[])?;
            let orphan = "INSERT INTO scope_members (scope, person, fields, lower)
                          VALUES (9, zeroblob(16), 1, 1)";
            tx.execute(orphan, &[])
        })
        .await;
        let refused = queue(&store, |tx| tx.disable_operator(&operator_name("nobody"))).await;
        drop(release);
        holding.await.expect("runs").expect("kept");
        let innocent = innocent.await.expect("runs").expect_err("not kept");
        assert!(innocent.is::<NotCommitted>(), "{innocent:#}");
        assert!(spoils.await.expect("runs").expect_err("not kept").is::<NotCommitted>());
        assert_eq!(code(refused.await.expect("runs")), "not-found", "its own reason comes first");

        assert_eq!(store.read(|tx| tx.setting::<u32>("innocent")).await.expect("reads"), None);
        store.write(|tx| tx.set_setting("next", &1)).await.expect("the writer goes on");
    }

    #[tokio::test]
    async fn when_the_engine_gives_the_transaction_up_the_group_is_lost_and_says_so() {
        let (_dir, store, _) = store();
        let (release, holding) = hold(&store).await;
        let before = queue(&store, |tx| tx.set_setting("before", &1)).await;
        let ends = queue(&store, |tx| tx.execute("ROLLBACK", &[])).await;
        let after = queue(&store, |tx| tx.set_setting("after", &1)).await;
        drop(release);
        holding.await.expect("runs").expect("kept");
        assert!(before.await.expect("runs").expect_err("not kept").is::<NotCommitted>());
        assert!(ends.await.expect("runs").expect_err("not kept").is::<NotCommitted>());
        assert!(after.await.expect("runs").expect_err("not kept").is::<NotCommitted>());
        store.write(|tx| tx.set_setting("next", &1)).await.expect("the writer goes on");
        let names = ["before", "after", "next"];
        let kept =
            store.read(move |tx| names.iter().map(|name| tx.setting::<u32>(name)).collect()).await;
        let kept: Vec<Option<u32>> = kept.expect("reads");
        assert_eq!(kept, [None, None, Some(1)]);
    }

    #[tokio::test]
    async fn a_caller_who_goes_away_does_not_take_the_change_along() {
        let (_dir, store, _) = store();
        let (release, holding) = hold(&store).await;
        let gone = queue(&store, |tx| tx.set_setting("kept", &1)).await;
        gone.abort();
        assert!(gone.await.expect_err("aborted").is_cancelled());
        drop(release);
        holding.await.expect("runs").expect("kept");
        store.write(|_| Ok(())).await.expect("behind the other");
        assert_eq!(store.read(|tx| tx.setting::<u32>("kept")).await.expect("reads"), Some(1));
    }
}
