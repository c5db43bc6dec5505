//! Whom a notice is for: everybody in a version of the scope, or, for a correction, exactly those
//! whose status changed since the version that they were told of.

use anyhow::Result;
use incident::{Changed, Member};
use model::{FieldSet, IncidentId, NoticeId, PersonKey, Timestamp};
use notify::Change;
use serde::{Deserialize, Serialize};
use store::Tx;

/// What a correction corrects.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Corrects {
    /// The notice that people got.
    pub notice: NoticeId,
    /// The version of the scope that it was about.
    pub version: u32,
    /// When it was approved.
    pub told_at: Timestamp,
}

/// One person to tell, and what.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    /// Who.
    pub person: PersonKey,
    /// What of them is exposed.
    pub fields: FieldSet,
    /// What that changes for them; `None` in a first notice.
    pub change: Option<Change>,
}

/// The audience, sorted by person.
///
/// # Errors
/// When a version is not there; faults of the store.
pub fn of(
    tx: &Tx<'_>,
    incident: IncidentId,
    version: u32,
    corrects: Option<Corrects>,
) -> Result<Vec<Told>> {
    let members = members(tx, incident, version)?;
    let Some(corrects) = corrects else {
        let told =
            |member: Member| Told { person: member.person, fields: member.fields, change: None };
        return Ok(members.into_iter().map(told).collect());
    };
    let before = self::members(tx, incident, corrects.version)?;
    Ok(changed(&before, &members))
}

/// The members of a version, sorted by person.
///
/// # Errors
/// When the version is not there; faults of the store.
pub fn members(tx: &Tx<'_>, incident: IncidentId, version: u32) -> Result<Vec<Member>> {
    let mut members = Vec::new();
    tx.visit_scope(incident, version, |member| {
        members.push(Member { person: member.person, fields: member.fields });
        Ok(())
    })?;
    Ok(members)
}

fn changed(before: &[Member], now: &[Member]) -> Vec<Told> {
    let diff = incident::diff(before, now);
    let fields_now = |person: PersonKey| {
        let found = now.binary_search_by_key(&person, |member| member.person);
        found.map_or(FieldSet::EMPTY, |at| now[at].fields)
    };
    let newly = diff.newly.iter().map(|member| Told {
        person: member.person,
        fields: member.fields,
        change: Some(Change::NewlyExposed),
    });
    let no_longer = diff.no_longer.iter().map(|member| Told {
        person: member.person,
        fields: FieldSet::EMPTY,
        change: Some(Change::NoLongerExposed { before: member.fields }),
    });
    let other_fields = diff.changed.iter().map(|&Changed { person, added, removed }| {
        let fields = fields_now(person);
        let before = fields.minus(added).union(removed);
        Told { person, fields, change: Some(Change::FieldsChanged { before }) }
    });
    let mut told: Vec<_> = newly.chain(no_longer).chain(other_fields).collect();
    told.sort_by_key(|told| told.person);
    told
}

#[cfg(test)]
mod tests {
    use model::Field;

    use super::*;

    fn member(person: u128, fields: &str) -> Member {
        Member { person: PersonKey(person), fields: FieldSet::parse(fields).expect(fields) }
    }

    #[test]
    fn a_correction_reaches_exactly_those_whose_status_changed() {
        let before = [member(1, "email"), member(2, "email,name"), member(3, "email")];
        let now = [member(1, "email"), member(2, "email,phone"), member(4, "email")];
        let told = changed(&before, &now);
        let persons: Vec<_> = told.iter().map(|told| told.person.0).collect();
        assert_eq!(persons, [2, 3, 4]);
        let email = FieldSet::EMPTY.with(Field::Email);
        assert_eq!(told[0].change, Some(Change::FieldsChanged { before: email.with(Field::Name) }));
        assert_eq!(told[1].change, Some(Change::NoLongerExposed { before: email }));
        assert_eq!((told[1].fields, told[2].change), (FieldSet::EMPTY, Some(Change::NewlyExposed)));
    }
}
