//! What is owed to the disk: refusals, and outcomes that leave a call a disclosure. Nobody waits
//! for them: questions see them at once, and the writer pays with its next commit.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::record::Record;

/// Records on their way to the disk, in the order in which they were handed in.
#[derive(Default)]
pub struct Owed {
    /// Seen by no question yet. Held for no longer than a record takes to be put there: callers
    /// must never wait for a question, nor for the disk.
    handed_in: Mutex<Vec<Record>>,
    /// Seen by questions, and on disk with the next commit.
    taken_in: Mutex<Vec<Record>>,
}

impl Owed {
    /// Puts a record last. Gives back how many no question has seen yet.
    pub fn hand_in(&self, record: Record) -> usize {
        let mut handed_in = lock(&self.handed_in);
        handed_in.push(record);
        handed_in.len()
    }

    /// Has all that was handed in taken in. Gives back what is to be paid; until that is let go of,
    /// nothing else is taken in.
    pub fn take_in(&self, take_in: impl FnOnce(&[Record])) -> MutexGuard<'_, Vec<Record>> {
        let mut taken_in = lock(&self.taken_in);
        let handed_in = std::mem::take(&mut *lock(&self.handed_in));
        if !handed_in.is_empty() {
            take_in(&handed_in);
            taken_in.extend(handed_in);
        }
        taken_in
    }
}

fn lock(records: &Mutex<Vec<Record>>) -> MutexGuard<'_, Vec<Record>> {
    records.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_in_is_taken_in_once_and_owed_until_it_is_paid() {
        let owed = Owed::default();
        let record = || Record::Forgot(Vec::new());
        assert_eq!(owed.hand_in(record()), 1);
        assert_eq!(owed.hand_in(record()), 2);
        let mut seen = 0;
        assert_eq!(owed.take_in(|records| seen += records.len()).len(), 2);
        assert_eq!(owed.hand_in(record()), 1, "a question has seen the others");
        let paid = std::mem::take(&mut *owed.take_in(|records| seen += records.len()));
        assert_eq!((seen, paid.len()), (3, 3));
        assert!(owed.take_in(|_| panic!("there is nothing new")).is_empty());
    }
}
