//! Work in the background: begun once, ended when the program stops.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;
use tokio::task::JoinSet;

/// Every task of one installation, and the signal that tells them to end.
pub struct Tasks {
    running: Mutex<JoinSet<()>>,
    stopping: watch::Sender<bool>,
}

impl Default for Tasks {
    fn default() -> Self {
        Self { running: Mutex::default(), stopping: watch::Sender::new(false) }
    }
}

impl Tasks {
    /// Begins a task. What it leaves undone when the program stops must be taken up again from the
    /// store at the next start.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        while running.try_join_next().is_some() {}
        running.spawn(task);
    }

    /// Resolves once the program is to stop.
    pub fn stopping(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut stopping = self.stopping.subscribe();
        async move {
            // An error means that the sender is gone, which is the same.
            drop(stopping.wait_for(|stop| *stop).await);
        }
    }

    /// Tells every task to end and waits for those that listen; the others are cut off.
    pub async fn stop(&self, patience: std::time::Duration) {
        self.stopping.send_replace(true);
        let mut running =
            std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async { while running.join_next().await.is_some() {} };
        if tokio::time::timeout(patience, all).await.is_err() {
            running.shutdown().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_task_that_listens_ends_and_one_that_does_not_is_cut_off() {
        let tasks = Tasks::default();
        let ended = Arc::new(AtomicBool::new(false));
        let (stopping, seen) = (tasks.stopping(), ended.clone());
        tasks.spawn(async move {
            stopping.await;
            seen.store(true, Ordering::SeqCst);
        });
        tasks.spawn(std::future::pending());
        tasks.stop(Duration::from_millis(50)).await;
        assert!(ended.load(Ordering::SeqCst));
    }
}
