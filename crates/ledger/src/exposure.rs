//! Who is exposed, and what is held of one person: the same answer that a pass over all raw rows
//! would give, from runs, tail and corrections. Does not count by country or law.
//!
//! A disclosure counts when it is held at an instant of the window, in a list, by an operation and
//! with a field within reach. It is held from its time until its retention ends or until the first
//! erasure by the vendor after it. `first_at` and `last_at` are the first and the last disclosure
//! that count.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int32Type;
use arrow_array::{DictionaryArray, StringArray};

use model::{
    FieldSet, Interval, ListName, OperationName, PersonKey, Reach, Timestamp, VendorName, Window,
};

use crate::corrections::{Cuts, cut};
use crate::disclosure::{Holding, Settled};
use crate::episodes::joined;
use crate::parquet_file::name_at;
use crate::people::Links;
use crate::run::{Batch, Column, Run};
use crate::state::View;
use crate::tail::Tail;

/// The answer, by person key, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exposure {
    /// Everybody exposed with at least one field.
    pub persons: Vec<Exposed>,
}

/// One person exposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exposed {
    /// Who.
    pub person: PersonKey,
    /// With which fields.
    pub fields: FieldSet,
    /// The first disclosure that counts.
    pub first_at: Timestamp,
    /// The last one.
    pub last_at: Timestamp,
}

impl Exposed {
    fn join(&mut self, other: &Self) {
        self.fields = self.fields.union(other.fields);
        self.first_at = self.first_at.min(other.first_at);
        self.last_at = self.last_at.max(other.last_at);
    }
}

/// The question «who is exposed?» while it is being answered.
pub struct Question<'a> {
    view: &'a View,
    vendor: &'a VendorName,
    interval: Interval,
    reach: &'a Reach,
    cuts: Option<&'a Cuts>,
    found: Vec<Exposed>,
}

impl<'a> Question<'a> {
    /// A question about a vendor.
    pub fn new(view: &'a View, vendor: &'a VendorName, window: Window, reach: &'a Reach) -> Self {
        let cuts = view.corrections.cuts(vendor);
        Self { view, vendor, interval: window.interval(), reach, cuts, found: Vec::new() }
    }

    /// Asks the rows of a tail.
    pub fn ask_tail(&mut self, tail: &Tail) {
        let Some(vendor) = tail.vendors.find(self.vendor) else { return };
        let operations: Vec<bool> =
            tail.operations.names().iter().map(|name| self.reaches_operation(name)).collect();
        let lists: Vec<bool> =
            tail.lists.names().iter().map(|name| self.reaches_list(Some(name))).collect();
        let outside = self.reaches_list(None);
        for row in &tail.rows {
            let call = &tail.calls[row.call as usize];
            let within = call.vendor == vendor
                && operations[call.operation as usize]
                && row.list.map_or(outside, |list| lists[list as usize]);
            if within && self.counts(call.settled(), call.call) {
                self.note(row.person, row.fields, std::iter::once((call.at, call.held_until)));
            }
        }
    }

    /// Asks the episodes of a run.
    pub fn ask_run(&mut self, run: &Run) -> anyhow::Result<()> {
        let mut columns = vec![
            Column::Person,
            Column::Fields,
            Column::Call,
            Column::DisclosedAt,
            Column::DisclosedUntil,
        ];
        columns.extend(self.reach.operations.is_some().then_some(Column::Operation));
        columns.extend(self.reach.lists.is_some().then_some(Column::List));
        run.scan(&columns, Some(self.vendor), None, &mut |batch| self.ask_batch(batch))
    }

    fn ask_batch(&mut self, batch: &Batch) {
        let operation =
            |text: &str| OperationName::parse(text).is_ok_and(|name| self.reaches_operation(&name));
        let list =
            |text: &str| ListName::parse(text).is_ok_and(|name| self.reaches_list(Some(&name)));
        let operations = Chosen::new(batch.names(Column::Operation), operation, true);
        let lists = Chosen::new(batch.names(Column::List), list, self.reaches_list(None));
        for row in 0..batch.rows() {
            let within = operations.has(row) && lists.has(row);
            let counts = || batch.call(row).is_none_or(|call| self.counts(Settled::Open, call));
            if within && counts() {
                self.note(batch.person(row), batch.fields(row), batch.disclosures(row));
            }
        }
    }

    fn reaches_operation(&self, operation: &OperationName) -> bool {
        self.reach.operations.as_ref().is_none_or(|reached| reached.contains(operation))
    }

    fn reaches_list(&self, list: Option<&ListName>) -> bool {
        let reached = self.reach.lists.as_ref();
        reached.is_none_or(|reached| list.is_some_and(|list| reached.contains(list)))
    }

    fn counts(&self, settled: Settled, call: model::CallId) -> bool {
        match settled {
            Settled::Open => self.view.corrections.settled(call).counts(),
            known => known.counts(),
        }
    }

    fn note(
        &mut self,
        person: PersonKey,
        fields: FieldSet,
        disclosures: impl Iterator<Item = (Timestamp, Timestamp)>,
    ) {
        let fields = self.reach.fields.map_or(fields, |reached| fields.intersection(reached));
        if fields.is_empty() {
            return;
        }
        let times = self.cuts.and_then(|cuts| cuts.get(&person));
        let held = disclosures
            .map(|(at, until)| Interval { from: at, until: cut(times, at, until) })
            .filter(|held| held.meets(self.interval));
        let mut found: Option<Exposed> = None;
        for Interval { from, .. } in held {
            let one = Exposed { person, fields, first_at: from, last_at: from };
            found.get_or_insert(one).join(&one);
        }
        match (found, self.found.last_mut()) {
            (Some(one), Some(last)) if last.person == person => last.join(&one),
            (Some(one), _) => self.found.push(one),
            (None, _) => {}
        }
    }

    /// The answer: keys as the persons of today, each once, nobody forgotten.
    pub fn answer(self) -> Exposure {
        let links = &self.view.links;
        let mut found = self.found;
        found.retain_mut(|one| {
            let person = links.resolve(one.person);
            one.person = person.unwrap_or(one.person);
            person.is_some()
        });
        // Every run is sorted already; a stable sort finds and merges such stretches.
        found.sort_by_key(|one| one.person);
        found.dedup_by(|next, one| {
            let same = next.person == one.person;
            if same {
                one.join(next);
            }
            same
        });
        Exposure { persons: found }
    }
}

/// Which rows have a name within reach; one decision per distinct name of a batch.
struct Chosen<'a> {
    column: Option<&'a DictionaryArray<Int32Type>>,
    names: Vec<bool>,
    missing: bool,
}

impl<'a> Chosen<'a> {
    fn new(
        column: Option<&'a DictionaryArray<Int32Type>>,
        choose: impl Fn(&str) -> bool,
        missing: bool,
    ) -> Self {
        let values = column.map(|column| column.values().as_string::<i32>());
        let names = values.into_iter().flat_map(StringArray::iter);
        let names = names.map(|name| name.is_some_and(&choose)).collect();
        Self { column, names, missing }
    }

    fn has(&self, row: usize) -> bool {
        let Some(column) = self.column else { return true };
        column.key(row).map_or(self.missing, |key| self.names[key])
    }
}

/// Every field that was ever disclosed to a vendor, in a run.
pub fn fields_in_run(view: &View, run: &Run, vendor: &VendorName) -> anyhow::Result<FieldSet> {
    let mut fields = FieldSet::EMPTY;
    run.scan(&[Column::Fields, Column::Call], Some(vendor), None, &mut |batch| {
        for row in 0..batch.rows() {
            let settled =
                batch.call(row).map_or(Settled::Sent, |call| view.corrections.settled(call));
            if settled.counts() {
                fields = fields.union(batch.fields(row));
            }
        }
    })?;
    Ok(fields)
}

/// Every field that was ever disclosed to a vendor, in a tail.
pub fn fields_in_tail(view: &View, tail: &Tail, vendor: &VendorName) -> FieldSet {
    let Some(vendor) = tail.vendors.find(vendor) else { return FieldSet::EMPTY };
    let rows = tail.rows.iter().filter(|row| {
        let call = &tail.calls[row.call as usize];
        let settled = match call.settled() {
            Settled::Open => view.corrections.settled(call.call),
            known => known,
        };
        call.vendor == vendor && settled.counts()
    });
    rows.map(|row| row.fields).fold(FieldSet::EMPTY, FieldSet::union)
}

type HoldingKey = (VendorName, OperationName, Option<ListName>, FieldSet);

/// The question «what is held of this person?» while it is being answered.
pub struct Holdings<'a> {
    view: &'a View,
    keys: Vec<PersonKey>,
    found: BTreeMap<HoldingKey, Vec<Interval>>,
}

impl<'a> Holdings<'a> {
    /// A question about a person; nobody when they are forgotten.
    pub fn new(view: &'a View, person: PersonKey) -> Self {
        let links: &Links = &view.links;
        let keys =
            links.resolve(person).map(|person| links.keys_of(&[person].into_iter().collect()));
        Self { view, keys: keys.unwrap_or_default(), found: BTreeMap::new() }
    }

    fn note(&mut self, person: PersonKey, key: HoldingKey, at: Timestamp, until: Timestamp) {
        let cuts = self.view.corrections.cuts(&key.0);
        let until = cut(cuts.and_then(|cuts| cuts.get(&person)), at, until);
        let held = Interval { from: at, until };
        if !held.is_empty() {
            self.found.entry(key).or_default().push(held);
        }
    }

    /// Asks the rows of a tail.
    pub fn ask_tail(&mut self, tail: &Tail) {
        for row in &tail.rows {
            if self.keys.binary_search(&row.person).is_err() {
                continue;
            }
            let call = &tail.calls[row.call as usize];
            let settled = match call.settled() {
                Settled::Open => self.view.corrections.settled(call.call),
                known => known,
            };
            if settled.counts() {
                let key = (
                    tail.vendors.name(call.vendor).clone(),
                    tail.operations.name(call.operation).clone(),
                    row.list.map(|list| tail.lists.name(list).clone()),
                    row.fields,
                );
                self.note(row.person, key, call.at, call.held_until);
            }
        }
    }

    /// Asks the episodes of a run.
    pub fn ask_run(&mut self, run: &Run) -> anyhow::Result<()> {
        const COLUMNS: [Column; 8] = [
            Column::Vendor,
            Column::Person,
            Column::Operation,
            Column::List,
            Column::Fields,
            Column::Call,
            Column::DisclosedAt,
            Column::DisclosedUntil,
        ];
        let keys = self.keys.clone();
        if keys.is_empty() {
            return Ok(());
        }
        let mut outcome = Ok(());
        run.scan(&COLUMNS, None, Some(&keys), &mut |batch| {
            for row in 0..batch.rows() {
                if keys.binary_search(&batch.person(row)).is_ok() && outcome.is_ok() {
                    outcome = self.ask_row(batch, row);
                }
            }
        })?;
        outcome
    }

    fn ask_row(&mut self, batch: &Batch, row: usize) -> anyhow::Result<()> {
        if batch.call(row).is_some_and(|call| !self.view.corrections.settled(call).counts()) {
            return Ok(());
        }
        let name = |column| batch.names(column).and_then(|names| name_at(names, row));
        let key = (
            VendorName::parse(name(Column::Vendor).unwrap_or_default())?,
            OperationName::parse(name(Column::Operation).unwrap_or_default())?,
            name(Column::List).map(ListName::parse).transpose()?,
            batch.fields(row),
        );
        for (at, until) in batch.disclosures(row) {
            self.note(batch.person(row), key.clone(), at, until);
        }
        Ok(())
    }

    /// The answer: episodes, joined over all runs, by vendor, operation, list, fields and start.
    pub fn answer(self) -> Vec<Holding> {
        let mut holdings = Vec::new();
        for ((vendor, operation, list, fields), mut held) in self.found {
            held.sort_by_key(|interval| interval.from);
            for part in joined(&held, |&interval| interval) {
                let from = held[part.start].from;
                let until = held[part].iter().map(|interval| interval.until).max();
                holdings.push(Holding {
                    vendor: vendor.clone(),
                    operation: operation.clone(),
                    list: list.clone(),
                    fields,
                    from,
                    held_until: until.unwrap_or(from),
                });
            }
        }
        holdings
    }
}
