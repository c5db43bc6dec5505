//! The people index: keyed identifiers → person keys, with history. Does not know disclosures.
//!
//! Rules, in the order in which they bind:
//! 1. A row of the directory is one person, anchored by its user id; a person has one anchor.
//! 2. An identifier belongs to the person whom the directory named with it last. Whoever had it
//!    before stands in its history; what was disclosed then stays with them.
//! 3. An identifier first seen at the gateway gets a fresh key. The directory's row that names it
//!    takes that key over, or is merged with it; merges are resolved when a question is asked.
//! 4. Nothing but the directory merges persons: a call that names two persons' identifiers
//!    together is recorded for both.
//!
//! The first holder of an identifier that two rows of the directory share (a family's telephone)
//! loses it to the later row.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use serde::Serialize;

use model::{IdentifierHash, PersonKey, Timestamp, World};

use crate::record::{Mapping, Record};
use crate::uniform::{UniformMap, UniformSet};

/// What [`Ledger::index_people`](crate::Ledger::index_people) did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Default)]
pub struct Indexed {
    /// Rows read.
    pub people: u64,
    /// User ids that the directory had not named before.
    pub new: u64,
    /// Known user ids with an identifier that they did not have before.
    pub changed: u64,
    /// Keys from the gateway that turned out to be a person of the directory.
    pub merged: u64,
}

/// Whom [`Ledger::forget`](crate::Ledger::forget) forgot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Forgotten {
    /// Their keys, which nothing maps to any more.
    pub persons: Vec<PersonKey>,
    /// Identifiers that no longer find anybody.
    pub identifiers: u64,
}

/// What turns the key in an old row into the person of today. Shared with running questions.
#[derive(Debug, Clone, Default)]
pub struct Links {
    merged: UniformMap<PersonKey, PersonKey>,
    forgotten: UniformSet<PersonKey>,
}

impl Links {
    /// The person whose key this is now, or `None` when they are forgotten.
    pub fn resolve(&self, key: PersonKey) -> Option<PersonKey> {
        let person = self.current(key);
        (!self.forgotten.contains(&person)).then_some(person)
    }

    /// The person whose key this is now, forgotten or not.
    pub fn current(&self, key: PersonKey) -> PersonKey {
        self.merged.get(&key).copied().unwrap_or(key)
    }

    /// Every key of these persons.
    pub fn keys_of(&self, persons: &UniformSet<PersonKey>) -> Vec<PersonKey> {
        let mut keys: Vec<_> = persons.iter().copied().collect();
        keys.extend(
            self.merged.iter().filter(|(_, into)| persons.contains(into)).map(|(key, _)| key),
        );
        keys.sort_unstable();
        keys
    }

    /// How many keys are forgotten.
    pub fn forgotten(&self) -> usize {
        self.forgotten.len()
    }
}

#[derive(Debug, Clone, Copy)]
struct Holder {
    person: PersonKey,
    from: Timestamp,
    anchor: bool,
}

/// The index.
#[derive(Debug, Clone, Default)]
pub struct People {
    holders: UniformMap<IdentifierHash, Holder>,
    /// Earlier holders, oldest first; each person at most once per identifier.
    earlier: UniformMap<IdentifierHash, Vec<(PersonKey, Timestamp)>>,
    /// Everybody, and whether the directory has named them.
    persons: UniformMap<PersonKey, bool>,
    links: Arc<Links>,
}

/// Takes down what a change of the index is, for the write-ahead record.
#[derive(Default)]
pub struct Changes {
    pub mapped: Vec<Mapping>,
    pub merged: Vec<(PersonKey, PersonKey)>,
}

/// Mappings, merges or keys in one record, so that a record is far below a frame.
pub const PER_RECORD: usize = 16_384;

impl Changes {
    /// As records, in an order that can be applied.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        let mapped = self.mapped.chunks(PER_RECORD).map(|part| Record::Mapped(part.to_vec()));
        let merged = self.merged.chunks(PER_RECORD).map(|part| Record::Merged(part.to_vec()));
        mapped.chain(merged)
    }
}

impl People {
    /// The person to whom an identifier belongs.
    pub fn find(&self, identifier: IdentifierHash) -> Option<PersonKey> {
        self.links.resolve(self.holders.get(&identifier)?.person)
    }

    /// Persons to whom it belonged before, oldest first, with the time from which it did.
    pub fn earlier(&self, identifier: IdentifierHash) -> Vec<(PersonKey, Timestamp)> {
        let earlier = self.earlier.get(&identifier).into_iter().flatten();
        earlier.filter_map(|&(key, from)| Some((self.links.resolve(key)?, from))).collect()
    }

    /// Every identifier by which a person is found, if the directory or a call named them with it.
    pub fn identifiers_of(&self, person: PersonKey) -> Vec<IdentifierHash> {
        let theirs = |holder: &Holder| self.links.resolve(holder.person) == Some(person);
        let found = self.holders.iter().filter(|(_, holder)| theirs(holder));
        found.map(|(&identifier, _)| identifier).collect()
    }

    /// What resolves keys, as it stands now.
    pub fn links(&self) -> &Arc<Links> {
        &self.links
    }

    /// How many persons and identifiers there are.
    pub fn counts(&self) -> (usize, usize) {
        (self.persons.len(), self.holders.len())
    }

    /// The persons whom a row of a call concerns; identifiers nobody has yet become theirs.
    pub fn of_call(
        &mut self,
        identifiers: &[IdentifierHash],
        now: Timestamp,
        world: &World,
        changes: &mut Changes,
    ) -> Vec<PersonKey> {
        let mut persons: Vec<PersonKey> = Vec::with_capacity(1);
        for person in identifiers.iter().filter_map(|&identifier| self.find(identifier)) {
            if !persons.contains(&person) {
                persons.push(person);
            }
        }
        if persons.is_empty() {
            let fresh = world.person_key();
            self.persons.insert(fresh, false);
            persons.push(fresh);
        }
        for &identifier in identifiers {
            if self.find(identifier).is_none() {
                self.change(
                    Mapping { identifier, person: persons[0], from: now, anchor: false },
                    changes,
                );
            }
        }
        persons
    }

    /// Takes in one row of the directory, its user id first.
    pub fn index(
        &mut self,
        row: &[IdentifierHash],
        now: Timestamp,
        world: &World,
        changes: &mut Changes,
        indexed: &mut Indexed,
    ) {
        let Some((&anchor, others)) = row.split_first() else { return };
        indexed.people += 1;
        let known = self.holders.get(&anchor).filter(|holder| holder.anchor);
        let known = known.and_then(|holder| self.links.resolve(holder.person));
        let person =
            known.unwrap_or_else(|| self.anchored(anchor, others, now, world, changes, indexed));
        let mut changed = false;
        for &identifier in others {
            match self.find(identifier) {
                Some(holder) if holder == person => {}
                Some(holder) if !self.is_anchored(holder) => {
                    self.merge(holder, person);
                    changes.merged.push((holder, person));
                    indexed.merged += 1;
                }
                _ => {
                    self.change(Mapping { identifier, person, from: now, anchor: false }, changes);
                    changed = true;
                }
            }
        }
        indexed.changed += u64::from(known.is_some() && changed);
    }

    /// The person of a user id that the directory names for the first time: one whom the gateway
    /// has met under one of these identifiers, or a new one.
    fn anchored(
        &mut self,
        anchor: IdentifierHash,
        others: &[IdentifierHash],
        now: Timestamp,
        world: &World,
        changes: &mut Changes,
        indexed: &mut Indexed,
    ) -> PersonKey {
        let met = std::iter::once(&anchor)
            .chain(others)
            .filter_map(|&identifier| self.find(identifier))
            .find(|&person| !self.is_anchored(person));
        let person = met.unwrap_or_else(|| world.person_key());
        indexed.new += 1;
        indexed.merged += u64::from(met.is_some());
        self.change(Mapping { identifier: anchor, person, from: now, anchor: true }, changes);
        person
    }

    fn is_anchored(&self, person: PersonKey) -> bool {
        self.persons.get(&person).is_some_and(|&anchored| anchored)
    }

    fn change(&mut self, mapping: Mapping, changes: &mut Changes) {
        self.map(mapping);
        changes.mapped.push(mapping);
    }

    /// Applies a mapping, now or again after a restart.
    pub fn map(&mut self, mapping: Mapping) {
        let Mapping { identifier, person, from, anchor } = mapping;
        *self.persons.entry(person).or_default() |= anchor;
        let holder = Holder { person, from, anchor };
        match self.holders.entry(identifier) {
            Entry::Vacant(vacant) => {
                vacant.insert(holder);
            }
            Entry::Occupied(mut occupied) if occupied.get().person == person => {
                occupied.get_mut().anchor |= anchor;
            }
            Entry::Occupied(mut occupied) => {
                let before = occupied.insert(holder);
                let earlier = self.earlier.entry(identifier).or_default();
                earlier.retain(|&(key, _)| key != person && key != before.person);
                earlier.push((before.person, before.from));
            }
        }
    }

    /// Makes the rows and identifiers of one key those of an anchored person.
    pub fn merge(&mut self, from: PersonKey, into: PersonKey) {
        debug_assert!(!self.links.merged.contains_key(&into), "an anchored person is never merged");
        self.persons.remove(&from);
        Arc::make_mut(&mut self.links).merged.insert(from, into);
    }

    /// Hides every one of these keys. Their mappings go with [`People::purge`].
    pub fn forget(&mut self, keys: &[PersonKey]) {
        let links = Arc::make_mut(&mut self.links);
        links.forgotten.extend(keys);
        for key in keys {
            links.merged.remove(key);
            self.persons.remove(key);
        }
    }

    /// Removes what still maps to somebody forgotten; an identifier that was theirs last goes with
    /// its history. Gives back how many identifiers went.
    pub fn purge(&mut self) -> u64 {
        let before = self.holders.len();
        let Self { holders, earlier, links, .. } = self;
        holders.retain(|_, holder| links.resolve(holder.person).is_some());
        earlier.retain(|identifier, persons| {
            persons.retain(|&(key, _)| links.resolve(key).is_some());
            holders.contains_key(identifier) && !persons.is_empty()
        });
        (before - self.holders.len()) as u64
    }

    /// Everything as records, for a state file; without any mapping to somebody forgotten.
    pub fn records(&self, visit: &mut dyn FnMut(Record)) {
        let mut batch = Vec::with_capacity(PER_RECORD);
        for (&identifier, holder) in &self.holders {
            if self.links.resolve(holder.person).is_none() {
                continue;
            }
            let earlier = self.earlier.get(&identifier).into_iter().flatten();
            let earlier = earlier.filter(|(key, _)| self.links.resolve(*key).is_some());
            batch.extend(earlier.map(|&(person, from)| Mapping {
                identifier,
                person,
                from,
                anchor: false,
            }));
            let Holder { person, from, anchor } = *holder;
            batch.push(Mapping { identifier, person, from, anchor });
            if batch.len() >= PER_RECORD {
                visit(Record::Mapped(std::mem::take(&mut batch)));
            }
        }
        visit(Record::Mapped(batch));
        let merged: Vec<_> = self.links.merged.iter().map(|(&from, &into)| (from, into)).collect();
        merged.chunks(PER_RECORD).for_each(|part| visit(Record::Merged(part.to_vec())));
        let forgotten: Vec<_> = self.links.forgotten.iter().copied().collect();
        forgotten.chunks(PER_RECORD).for_each(|part| visit(Record::Forgot(part.to_vec())));
    }
}
