//! Outcomes that were handed in and outcomes that were taken in, so that a question can wait for
//! those that came before it. Does not hold them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Both counts. Outcomes are taken in in the order in which they are handed in.
#[derive(Debug, Default)]
pub struct Outcomes {
    handed_in: AtomicU64,
    taken_in: Mutex<u64>,
    more: Condvar,
}

impl Outcomes {
    /// One is in the queue.
    pub fn hand_in(&self) {
        self.handed_in.fetch_add(1, Ordering::Release);
    }

    /// So many more can be seen by questions.
    pub fn take_in(&self, count: u64) {
        let mut taken_in = self.taken_in.lock().unwrap_or_else(PoisonError::into_inner);
        *taken_in = taken_in.saturating_add(count);
        self.more.notify_all();
    }

    /// No more will be taken in: nobody waits for them.
    pub fn end(&self) {
        self.take_in(u64::MAX);
    }

    /// Waits until those that were handed in before now are taken in. It gives up where the disk
    /// hangs: a call without its outcome is a disclosure, as it is with one that is not taken in.
    pub fn catch_up(&self) {
        const PATIENCE: Duration = Duration::from_secs(1);
        let wanted = self.handed_in.load(Ordering::Acquire);
        let taken_in = self.taken_in.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.more.wait_timeout_while(taken_in, PATIENCE, |taken_in| *taken_in < wanted));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_waits_for_what_was_handed_in_before_and_never_for_what_cannot_come() {
        let outcomes = Outcomes::default();
        outcomes.catch_up();
        outcomes.hand_in();
        outcomes.hand_in();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| outcomes.catch_up());
            outcomes.take_in(1);
            assert!(!waiting.is_finished());
            outcomes.take_in(1);
        });
        outcomes.hand_in();
        outcomes.end();
        outcomes.catch_up();
    }
}
