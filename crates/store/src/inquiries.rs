//! «Was I affected?»: questions from the portal that wait for an answer by mail. The address is
//! here only until then, and sealed.

use model::{InquiryId, Timestamp};
use serde::Serialize;

use crate::columns::{Sealed, bind};
use crate::engine::Tx;
use crate::error::Refused;

/// A question that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inquiry {
    /// Its id.
    pub id: InquiryId,
    /// Where the answer goes, sealed by the caller.
    pub address: Sealed,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// How often an answer was tried before.
    pub attempt: u32,
}

/// How many questions there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct InquiryCounts {
    /// Those that wait.
    pub open: u64,
    /// Those that were answered.
    pub answered: u64,
    /// Those whose answer could not be sent.
    pub given_up: u64,
}

impl Tx<'_> {
    /// Keeps a question with its sealed address; its new id.
    ///
    /// # Errors
    /// Faults only.
    pub fn insert_inquiry(&self, address: &[u8]) -> anyhow::Result<InquiryId> {
        let id = self.world.id();
        self.execute(
            "INSERT INTO inquiries (id, address, asked_at, attempt, not_before)
             VALUES (?1, ?2, ?3, 0, 0)",
            bind![id, address, self.world.now()],
        )?;
        Ok(id)
    }

    /// At most `rows` questions whose answer is due, the oldest first.
    ///
    /// # Errors
    /// Faults only.
    pub fn due_inquiries(&self, rows: usize) -> anyhow::Result<Vec<Inquiry>> {
        self.all(
            "SELECT id, address, asked_at, attempt FROM inquiries
             WHERE address IS NOT NULL AND not_before <= ?1 ORDER BY id LIMIT ?2",
            bind![self.world.now(), rows as u64],
            |row| {
                Ok(Inquiry {
                    id: row.get(0)?,
                    address: row.get(1)?,
                    asked_at: row.get(2)?,
                    attempt: row.get(3)?,
                })
            },
        )
    }

    /// Records an attempt that did not get through; the next is not before `not_before`.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when no such question waits.
    pub fn defer_inquiry(&self, id: InquiryId, not_before: Timestamp) -> anyhow::Result<()> {
        self.change_inquiry(
            id,
            "UPDATE inquiries SET attempt = attempt + 1, not_before = ?2
             WHERE id = ?1 AND address IS NOT NULL",
            not_before,
        )
    }

    /// Records that a question is answered, and deletes the address.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when no such question waits.
    pub fn answer_inquiry(&self, id: InquiryId) -> anyhow::Result<()> {
        self.change_inquiry(
            id,
            "UPDATE inquiries SET attempt = attempt + 1, address = NULL, answered_at = ?2
             WHERE id = ?1 AND address IS NOT NULL",
            self.world.now(),
        )
    }

    /// Records that a question will not be answered, and deletes the address.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when no such question waits.
    pub fn give_up_inquiry(&self, id: InquiryId) -> anyhow::Result<()> {
        self.change_inquiry(
            id,
            "UPDATE inquiries SET address = NULL, given_up_at = ?2
             WHERE id = ?1 AND address IS NOT NULL",
            self.world.now(),
        )
    }

    /// How many questions there are in each state.
    ///
    /// # Errors
    /// Faults only.
    pub fn inquiry_counts(&self) -> anyhow::Result<InquiryCounts> {
        let counts = self.one(
            "SELECT COUNT(address), COUNT(answered_at), COUNT(given_up_at) FROM inquiries",
            bind![],
            |row| {
                Ok(InquiryCounts {
                    open: row.get(0)?,
                    answered: row.get(1)?,
                    given_up: row.get(2)?,
                })
            },
        )?;
        Ok(counts.unwrap_or(InquiryCounts { open: 0, answered: 0, given_up: 0 }))
    }

    fn change_inquiry(&self, id: InquiryId, sql: &str, at: Timestamp) -> anyhow::Result<()> {
        let changed = self.execute(sql, bind![id, at])?;
        if changed == 1 { Ok(()) } else { Err(Refused::not_found("inquiry", id)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{START, Scratch, code};

    #[test]
    fn the_address_is_gone_once_the_question_is_answered_or_given_up() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let [first, second, third] =
            [1u8, 2, 3].map(|byte| tx.insert_inquiry(&[byte]).expect("keeps"));
        let waiting = || -> Vec<u8> {
            tx.due_inquiries(9).expect("lists").iter().map(|inquiry| inquiry.address.0[0]).collect()
        };
        let mut all = waiting();
        all.sort_unstable();
        assert_eq!(all, [1, 2, 3]);

        tx.answer_inquiry(first).expect("waits");
        tx.give_up_inquiry(second).expect("waits");
        assert_eq!(waiting(), [3]);
        let kept = tx
            .all("SELECT address FROM inquiries", &[], |row| row.get::<Option<Vec<u8>>>(0))
            .expect("lists");
        assert_eq!(kept.iter().flatten().count(), 1, "two addresses are gone");
        let counts = InquiryCounts { open: 1, answered: 1, given_up: 1 };
        assert_eq!(tx.inquiry_counts().expect("counts"), counts);
        assert_eq!(code(tx.answer_inquiry(first)), "not-found");
        assert_eq!(code(tx.give_up_inquiry(second)), "not-found");

        tx.defer_inquiry(third, START.plus_seconds(60)).expect("waits");
        assert!(waiting().is_empty());
        scratch.clock.advance_seconds(60);
        assert_eq!(tx.due_inquiries(9).expect("lists")[0].attempt, 1);
    }
}
