//! Two versions of a scope, person by person: whom a correction has to reach. It does not know who
//! these persons are.

use std::borrow::Cow;
use std::cmp::Ordering;

use model::{FieldSet, PersonKey};
use serde::{Deserialize, Serialize};

/// One person of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Member {
    /// Who.
    pub person: PersonKey,
    /// What of them is exposed.
    pub fields: FieldSet,
}

/// One person whose fields differ between two versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Changed {
    /// Who.
    pub person: PersonKey,
    /// Fields that are exposed now and were not before.
    pub added: FieldSet,
    /// Fields that were exposed before and are not now.
    pub removed: FieldSet,
}

/// What a newer version says differently. Nobody is in two of the lists; all are sorted by person.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ScopeDiff {
    /// Persons who are exposed now and were not before.
    pub newly: Vec<Member>,
    /// Persons who were exposed before and are not now, with the fields of before.
    pub no_longer: Vec<Member>,
    /// Persons in both, whose fields differ.
    pub changed: Vec<Changed>,
}

impl ScopeDiff {
    /// Whether the two versions say the same.
    pub const fn is_empty(&self) -> bool {
        self.newly.is_empty() && self.no_longer.is_empty() && self.changed.is_empty()
    }
}

/// What `new` says differently from `old`. Takes any order; sorted input is not copied.
pub fn diff(old: &[Member], new: &[Member]) -> ScopeDiff {
    let (old, new) = (by_person(old), by_person(new));
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    let mut diff = ScopeDiff::default();
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return diff,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(before), Some(after)) => before.person.cmp(&after.person),
        };
        let before = if order.is_le() { old.next() } else { None };
        let after = if order.is_ge() { new.next() } else { None };
        match (before, after) {
            (Some(before), None) => diff.no_longer.push(*before),
            (None, Some(after)) => diff.newly.push(*after),
            (Some(before), Some(after)) if before.fields != after.fields => {
                diff.changed.push(Changed {
                    person: after.person,
                    added: after.fields.minus(before.fields),
                    removed: before.fields.minus(after.fields),
                });
            }
            _ => {}
        }
    }
}

/// Sorted, each person once with the union of their fields.
fn by_person(members: &[Member]) -> Cow<'_, [Member]> {
    if members.is_sorted_by(|left, right| left.person < right.person) {
        return Cow::Borrowed(members);
    }
    let mut sorted = members.to_vec();
    sorted.sort_unstable();
    sorted.dedup_by(|later, kept| {
        let same = later.person == kept.person;
        if same {
            kept.fields = kept.fields.union(later.fields);
        }
        same
    });
    Cow::Owned(sorted)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn members(rows: &[(u128, u32)]) -> Vec<Member> {
        let member = |&(person, bits)| Member {
            person: PersonKey(person),
            fields: FieldSet::from_bits(bits),
        };
        rows.iter().map(member).collect()
    }

    #[test]
    fn a_correction_reaches_exactly_those_whose_status_changed() {
        let old = members(&[(1, 0b1), (2, 0b11), (3, 0b1)]);
        let new = members(&[(2, 0b101), (3, 0b1), (4, 0b1)]);
        let diff = diff(&old, &new);
        assert_eq!(diff.newly, members(&[(4, 0b1)]));
        assert_eq!(diff.no_longer, members(&[(1, 0b1)]));
        let fields = FieldSet::from_bits;
        let second = Changed { person: PersonKey(2), added: fields(0b100), removed: fields(0b10) };
        assert_eq!(diff.changed, [second]);
    }

    proptest! {
        #[test]
        fn the_diff_leads_from_the_old_version_to_the_new_one(
            old in proptest::collection::vec((0u128..30, 1u32..8), 0..40),
            new in proptest::collection::vec((0u128..30, 1u32..8), 0..40),
        ) {
            let map = |rows: &[(u128, u32)]| {
                rows.iter().fold(BTreeMap::new(), |mut map, &(person, bits)| {
                    *map.entry(PersonKey(person)).or_insert(0) |= bits;
                    map
                })
            };
            let diff = diff(&members(&old), &members(&new));
            let mut walked = map(&old);
            for gone in &diff.no_longer {
                prop_assert_eq!(walked.remove(&gone.person), Some(gone.fields.bits()));
            }
            for changed in &diff.changed {
                prop_assert!(changed.added.bits() | changed.removed.bits() != 0);
                let fields = walked.get_mut(&changed.person).expect("it was there before");
                *fields = *fields & !changed.removed.bits() | changed.added.bits();
            }
            for came in &diff.newly {
                prop_assert_eq!(walked.insert(came.person, came.fields.bits()), None);
            }
            prop_assert_eq!(walked, map(&new));
        }
    }
}
