//! Who is exposed, person by person, for each version of a scope. Does not know how it was
//! reckoned.
//!
//! Millions of members come in batches, over several changes, between [`Tx::begin_scope`] and
//! [`Tx::finish_scope`]. One that was not finished is never read as if it were whole.

use model::{FieldSet, IncidentId, PersonKey};

use crate::columns::bind;
use crate::engine::{Row, Tx};
use crate::error::Refused;

/// One exposed person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScopeMember {
    /// Who.
    pub person: PersonKey,
    /// Which fields.
    pub fields: FieldSet,
    /// Whether they are surely exposed, and not merely not known to be outside.
    pub lower: bool,
}

/// How many are in a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScopeSize {
    /// At most so many are exposed.
    pub members: u64,
    /// At least so many are.
    pub lower: u64,
}

impl Tx<'_> {
    /// Begins a version of a scope. What an interrupted attempt at the same version left is
    /// removed.
    ///
    /// # Errors
    /// [`Refused::Exists`] when that version is finished, [`Refused::NotFound`] when there is no
    /// such incident.
    pub fn begin_scope(&self, incident: IncidentId, version: u32) -> anyhow::Result<()> {
        self.incident(incident)?;
        match self.scope(incident, version)? {
            Some((_, Some(_))) => Err(Refused::exists("scope", name(incident, version))),
            Some((number, None)) => {
                self.execute("DELETE FROM scope_members WHERE scope = ?1", bind![number]).map(drop)
            }
            None => self
                .execute(
                    "INSERT INTO scopes (number, incident, version)
                     SELECT COALESCE(MAX(number), 0) + 1, ?1, ?2 FROM scopes",
                    bind![incident, version],
                )
                .map(drop),
        }
    }

    /// Adds members to a version that is not finished; each person once.
    ///
    /// # Errors
    /// [`Refused::Stale`] when it is finished or was not begun, [`Refused::Exists`] when a person
    /// is in it already.
    pub fn add_scope_members(
        &self,
        incident: IncidentId,
        version: u32,
        members: &[ScopeMember],
    ) -> anyhow::Result<()> {
        let number = self.unfinished_scope(incident, version)?;
        for member in members {
            let inserted = self.execute(
                "INSERT INTO scope_members (scope, person, fields, lower) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO NOTHING",
                bind![number, member.person, member.fields, member.lower],
            )?;
            if inserted == 0 {
                return Err(Refused::exists("scope member", member.person));
            }
        }
        Ok(())
    }

    /// Declares a version whole, counts it, and makes it readable.
    ///
    /// # Errors
    /// [`Refused::Stale`] when it is finished or was not begun.
    pub fn finish_scope(&self, incident: IncidentId, version: u32) -> anyhow::Result<ScopeSize> {
        let number = self.unfinished_scope(incident, version)?;
        let size = self
            .one(
                "SELECT COUNT(*), COALESCE(SUM(lower), 0) FROM scope_members WHERE scope = ?1",
                bind![number],
                size,
            )?
            .unwrap_or(ScopeSize { members: 0, lower: 0 });
        self.execute(
            "UPDATE scopes SET members = ?2, lower = ?3 WHERE number = ?1",
            bind![number, size.members, size.lower],
        )?;
        Ok(size)
    }

    /// How many are in a finished version.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is none, or it is not finished.
    pub fn scope_size(&self, incident: IncidentId, version: u32) -> anyhow::Result<ScopeSize> {
        self.one(
            "SELECT members, lower FROM scopes
             WHERE incident = ?1 AND version = ?2 AND members IS NOT NULL",
            bind![incident, version],
            size,
        )?
        .ok_or_else(|| Refused::not_found("scope", name(incident, version)))
    }

    /// The newest finished version of an incident's scope, if there is one.
    ///
    /// # Errors
    /// Faults only.
    pub fn newest_scope(&self, incident: IncidentId) -> anyhow::Result<Option<u32>> {
        self.one(
            "SELECT version FROM scopes WHERE incident = ?1 AND members IS NOT NULL
             ORDER BY version DESC LIMIT 1",
            bind![incident],
            |row| row.get(0),
        )
    }

    /// Shows every member of a finished version, sorted by key; stops at the first error.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is none, or it is not finished; what `visit` returned.
    pub fn visit_scope(
        &self,
        incident: IncidentId,
        version: u32,
        mut visit: impl FnMut(ScopeMember) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let number = self.finished_scope(incident, version)?;
        self.visit(
            "SELECT person, fields, lower FROM scope_members WHERE scope = ?1 ORDER BY person",
            bind![number],
            |row| visit(member(row)?),
        )
    }

    /// The members of a finished version after a person (or from the start), at most `rows`, sorted
    /// by key.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is none, or it is not finished.
    pub fn scope_page(
        &self,
        incident: IncidentId,
        version: u32,
        after: Option<PersonKey>,
        rows: usize,
    ) -> anyhow::Result<Vec<ScopeMember>> {
        let number = self.finished_scope(incident, version)?;
        let select = "SELECT person, fields, lower FROM scope_members WHERE scope = ?1";
        let rows = rows as u64;
        match after {
            None => {
                self.all(&format!("{select} ORDER BY person LIMIT ?2"), bind![number, rows], member)
            }
            Some(after) => self.all(
                &format!("{select} AND person > ?3 ORDER BY person LIMIT ?2"),
                bind![number, rows, after],
                member,
            ),
        }
    }

    /// What a finished version says of one person, if it has them.
    ///
    /// # Errors
    /// [`Refused::NotFound`] when there is no such version, or it is not finished.
    pub fn scope_member(
        &self,
        incident: IncidentId,
        version: u32,
        person: PersonKey,
    ) -> anyhow::Result<Option<ScopeMember>> {
        let number = self.finished_scope(incident, version)?;
        self.one(
            "SELECT person, fields, lower FROM scope_members WHERE scope = ?1 AND person = ?2",
            bind![number, person],
            member,
        )
    }

    fn finished_scope(&self, incident: IncidentId, version: u32) -> anyhow::Result<i64> {
        match self.scope(incident, version)? {
            Some((number, Some(_))) => Ok(number),
            _ => Err(Refused::not_found("scope", name(incident, version))),
        }
    }

    fn unfinished_scope(&self, incident: IncidentId, version: u32) -> anyhow::Result<i64> {
        match self.scope(incident, version)? {
            Some((number, None)) => Ok(number),
            _ => Err(Refused::stale("scope", name(incident, version))),
        }
    }

    /// Number and, when finished, members of a version.
    fn scope(
        &self,
        incident: IncidentId,
        version: u32,
    ) -> anyhow::Result<Option<(i64, Option<u64>)>> {
        self.one(
            "SELECT number, members FROM scopes WHERE incident = ?1 AND version = ?2",
            bind![incident, version],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
    }
}

fn name(incident: IncidentId, version: u32) -> String {
    format!("{incident}/{version}")
}

fn size(row: &Row<'_>) -> anyhow::Result<ScopeSize> {
    Ok(ScopeSize { members: row.get(0)?, lower: row.get(1)? })
}

fn member(row: &Row<'_>) -> anyhow::Result<ScopeMember> {
    Ok(ScopeMember { person: row.get(0)?, fields: row.get(1)?, lower: row.get(2)? })
}

#[cfg(test)]
mod tests {
    use model::Field;
    use model::id::Id;

    use super::*;
    use crate::testing::{Scratch, code, incident, person};

    fn member(number: u128, lower: bool) -> ScopeMember {
        let fields = FieldSet::EMPTY.with(Field::Email).with(Field::Health);
        ScopeMember { person: person(number), fields, lower }
    }

    #[test]
    fn a_finished_scope_is_read_sorted_whole_or_in_pages() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let incident = incident(&tx).id;
        tx.begin_scope(incident, 1).expect("new");
        tx.add_scope_members(incident, 1, &[member(3, true), member(1, false)]).expect("adds");
        let last = member(u128::from(u64::MAX), true);
        tx.add_scope_members(incident, 1, &[last, member(2, true)]).expect("adds");
        let size = tx.finish_scope(incident, 1).expect("whole");
        assert_eq!(size, ScopeSize { members: 4, lower: 3 });
        assert_eq!(tx.scope_size(incident, 1).expect("there"), size);

        let sorted = [member(1, false), member(2, true), member(3, true), last];
        let mut seen = Vec::new();
        tx.visit_scope(incident, 1, |member| {
            seen.push(member);
            Ok(())
        })
        .expect("visits");
        assert_eq!(seen, sorted);
        assert_eq!(tx.scope_page(incident, 1, None, 2).expect("pages"), sorted[..2]);
        let after = Some(person(2));
        assert_eq!(tx.scope_page(incident, 1, after, 9).expect("pages"), sorted[2..]);
        assert_eq!(tx.scope_member(incident, 1, person(2)).expect("runs"), Some(member(2, true)));
        assert_eq!(tx.scope_member(incident, 1, person(9)).expect("runs"), None);
        assert_eq!(tx.newest_scope(incident).expect("runs"), Some(1));
    }

    #[test]
    fn a_scope_that_is_not_finished_is_never_read_and_is_begun_anew() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let incident = incident(&tx).id;
        tx.begin_scope(incident, 1).expect("new");
        tx.add_scope_members(incident, 1, &[member(1, true)]).expect("adds");
        assert_eq!(code(tx.scope_size(incident, 1)), "not-found");
        assert_eq!(code(tx.visit_scope(incident, 1, |_| Ok(()))), "not-found");
        assert_eq!(code(tx.scope_page(incident, 1, None, 9)), "not-found");
        assert_eq!(code(tx.scope_member(incident, 1, person(1))), "not-found");
        assert_eq!(tx.newest_scope(incident).expect("runs"), None);

        tx.begin_scope(incident, 1).expect("again");
        tx.add_scope_members(incident, 1, &[member(1, true)]).expect("it was emptied");
        assert_eq!(code(tx.add_scope_members(incident, 1, &[member(1, true)])), "exists");
        assert_eq!(tx.finish_scope(incident, 1).expect("whole").members, 1);
        assert_eq!(code(tx.begin_scope(incident, 1)), "exists");
        assert_eq!(code(tx.add_scope_members(incident, 1, &[member(2, true)])), "stale");
        assert_eq!(code(tx.finish_scope(incident, 2)), "stale");
        assert_eq!(code(tx.begin_scope(IncidentId::from_u128(9), 1)), "not-found");
    }

    #[test]
    fn an_empty_scope_is_a_scope() {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let incident = incident(&tx).id;
        tx.begin_scope(incident, 1).expect("new");
        assert_eq!(tx.finish_scope(incident, 1).expect("whole").members, 0);
        assert!(tx.scope_page(incident, 1, None, 9).expect("pages").is_empty());
    }
}
