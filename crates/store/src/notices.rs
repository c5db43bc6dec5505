//! Notices: one text to one audience, from draft to done. Who may approve is not decided here.

use model::{IncidentId, NoticeId, OperatorName, Timestamp};

use crate::columns::{Bind, Document, bind};
use crate::engine::{Row, Tx};
use crate::error::Refused;

/// Gives an enum its words in SQL and JSON.
macro_rules! column_words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// Every value, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its one name everywhere.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl From<$name> for $crate::columns::Bind<'_> {
            fn from(value: $name) -> Self {
                Self::from(value.name())
            }
        }

        impl $crate::columns::Column for $name {
            fn read(cell: $crate::columns::Cell<'_>) -> anyhow::Result<Self> {
                match cell {
                    $($crate::columns::Cell::Text($word) => Ok(Self::$variant),)*
                    _ => anyhow::bail!("the column holds no {}", stringify!($name)),
                }
            }
        }
    };
}
pub(crate) use column_words;

column_words!(/** To whom a notice goes. */ NoticeKind {
    /** To everyone in a version of the scope. */
    Notice = "notice",
    /** To those whose status changed since the version before. */
    Correction = "correction",
});

column_words!(/** How far a notice is. */ NoticeState {
    /** It is being written. */
    Draft = "draft",
    /** A second operator agreed. */
    Approved = "approved",
    /** It is on its way. */
    Sending = "sending",
    /** It is stopped, and can go on. */
    Paused = "paused",
    /** Every delivery is settled. */
    Done = "done",
    /** It goes to nobody any more. */
    Cancelled = "cancelled",
});

/// A notice as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its id.
    pub id: NoticeId,
    /// Of which incident.
    pub incident: IncidentId,
    /// To whom it goes.
    pub kind: NoticeKind,
    /// The version of the scope that is its audience.
    pub scope_version: u32,
    /// How far it is.
    pub state: NoticeState,
    /// Who wrote it.
    pub author: OperatorName,
    /// Who approved it.
    pub approver: Option<OperatorName>,
    /// Its texts.
    pub document: Document,
    /// When it was first written.
    pub created_at: Timestamp,
}

const NOTICE: &str = "SELECT id, incident, kind, scope_version, state, author, approver, document,
                             created_at FROM notices";

impl Tx<'_> {
    /// Keeps a new notice, as it is given.
    ///
    /// # Errors
    /// [`Refused::Exists`], or [`Refused::NotFound`] when there is no such incident.
    pub fn insert_notice(&self, notice: &Notice) -> anyhow::Result<()> {
        self.incident(notice.incident)?;
        let inserted = self.execute(
            "INSERT INTO notices (number, id, incident, kind, scope_version, state, author,
                                  approver, document, possible_duplicates, created_at)
             SELECT COALESCE(MAX(number), 0) + 1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9
             FROM notices WHERE TRUE
             ON CONFLICT DO NOTHING",
            bind![
                notice.id,
                notice.incident,
                notice.kind,
                notice.scope_version,
                notice.state,
                &notice.author,
                notice.approver.as_ref(),
                &notice.document,
                notice.created_at
            ],
        )?;
        if inserted == 1 { Ok(()) } else { Err(Refused::exists("notice", notice.id)) }
    }

    /// The notice of this id.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub fn notice(&self, id: NoticeId) -> anyhow::Result<Notice> {
        self.one(&format!("{NOTICE} WHERE id = ?1"), bind![id], notice)?
            .ok_or_else(|| Refused::not_found("notice", id))
    }

    /// The notices of an incident, the oldest first.
    ///
    /// # Errors
    /// Faults only.
    pub fn notices_of(&self, incident: IncidentId) -> anyhow::Result<Vec<Notice>> {
        let sql = format!("{NOTICE} WHERE incident = ?1 ORDER BY number");
        self.all(&sql, bind![incident], notice)
    }

    /// Every notice in a state, the oldest first: what a job finds its work by.
    ///
    /// # Errors
    /// Faults only.
    pub fn notices_in(&self, state: NoticeState) -> anyhow::Result<Vec<Notice>> {
        let sql = format!("{NOTICE} WHERE state = ?1 ORDER BY number");
        self.all(&sql, bind![state], notice)
    }

    /// Replaces the texts of a draft.
    ///
    /// # Errors
    /// [`Refused::Stale`] when it is no draft any more.
    pub fn revise_notice(&self, id: NoticeId, document: &Document) -> anyhow::Result<()> {
        self.change_notice(
            id,
            "UPDATE notices SET document = ?2 WHERE id = ?1 AND state = 'draft'",
            bind![id, document],
        )
    }

    /// Records who approved a draft, which is approved with this.
    ///
    /// # Errors
    /// [`Refused::Stale`] when it is no draft any more.
    pub fn approve_notice(&self, id: NoticeId, approver: &OperatorName) -> anyhow::Result<()> {
        self.change_notice(
            id,
            "UPDATE notices SET state = 'approved', approver = ?2
             WHERE id = ?1 AND state = 'draft'",
            bind![id, approver],
        )
    }

    /// Moves a notice from the state in which it was read to another.
    ///
    /// # Errors
    /// [`Refused::Stale`] when it is in another state by now.
    pub fn move_notice(
        &self,
        id: NoticeId,
        from: NoticeState,
        to: NoticeState,
    ) -> anyhow::Result<()> {
        self.change_notice(
            id,
            "UPDATE notices SET state = ?3 WHERE id = ?1 AND state = ?2",
            bind![id, from, to],
        )
    }

    fn change_notice(&self, id: NoticeId, sql: &str, values: &[Bind<'_>]) -> anyhow::Result<()> {
        if self.execute(sql, values)? == 1 {
            return Ok(());
        }
        self.notice(id)?;
        Err(Refused::stale("notice", id))
    }
}

fn notice(row: &Row<'_>) -> anyhow::Result<Notice> {
    Ok(Notice {
        id: row.get(0)?,
        incident: row.get(1)?,
        kind: row.get(2)?,
        scope_version: row.get(3)?,
        state: row.get(4)?,
        author: row.get(5)?,
        approver: row.get(6)?,
        document: row.get(7)?,
        created_at: row.get(8)?,
    })
}

#[cfg(test)]
mod tests {
    use model::id::Id;

    use super::*;
    use crate::testing::{Scratch, code, notice, operator_name};

    #[test]
    fn a_notice_moves_only_from_the_state_in_which_it_was_read() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let draft = notice(&tx);
        let state = || tx.notice(draft.id).expect("there").state;
        assert_eq!(tx.notice(draft.id).expect("there"), draft);
        tx.revise_notice(draft.id, &Document::of(&"better").expect("JSON")).expect("a draft");
        tx.approve_notice(draft.id, &operator_name("bob")).expect("a draft");
        let approved = tx.notice(draft.id).expect("there");
        assert_eq!(approved.state, NoticeState::Approved);
        assert_eq!(approved.approver, Some(operator_name("bob")));
        assert_eq!(approved.document.read::<String>().expect("a text"), "better");
        assert_eq!(code(tx.approve_notice(draft.id, &operator_name("eve"))), "stale");
        assert_eq!(code(tx.revise_notice(draft.id, &draft.document)), "stale");

        tx.move_notice(draft.id, NoticeState::Approved, NoticeState::Sending).expect("approved");
        let again = tx.move_notice(draft.id, NoticeState::Approved, NoticeState::Sending);
        assert_eq!(code(again), "stale");
        assert_eq!(state(), NoticeState::Sending);
        assert_eq!(tx.notices_in(NoticeState::Sending).expect("lists").len(), 1);
        assert!(tx.notices_in(NoticeState::Paused).expect("lists").is_empty());
    }

    #[test]
    fn notices_of_an_incident_are_listed_in_the_order_of_their_making() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let first = notice(&tx);
        let correction = Notice {
            id: NoticeId::from_u128(0),
            kind: NoticeKind::Correction,
            scope_version: 2,
            ..first.clone()
        };
        tx.insert_notice(&correction).expect("new");
        assert_eq!(tx.notices_of(first.incident).expect("lists"), [first.clone(), correction]);
        assert_eq!(code(tx.insert_notice(&first)), "exists");
        let elsewhere = Notice { incident: IncidentId::from_u128(9), ..first };
        assert_eq!(code(tx.insert_notice(&elsewhere)), "not-found");
        assert_eq!(code(tx.notice(NoticeId::from_u128(9))), "not-found");
        let missing = NoticeId::from_u128(9);
        let moved = tx.move_notice(missing, NoticeState::Draft, NoticeState::Cancelled);
        assert_eq!(code(moved), "not-found");
    }
}
