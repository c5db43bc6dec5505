//! The rows that are in the write-ahead record and in no run yet, in memory, names as numbers.
//! Does not ask or answer.

use std::collections::HashMap;
use std::hash::Hash;

use model::{
    CallId, FieldSet, ListName, Mode, OperationName, PersonKey, Purpose, Timestamp, VendorName,
    WorkloadName,
};

use crate::disclosure::{Asked, Disclosure, RefusedCall, Settled};
use crate::people::Links;
use crate::record::{CallRecord, Origin, Settlement};
use crate::uniform::UniformMap;

/// Names, each with a number.
#[derive(Debug)]
pub struct Dictionary<T> {
    names: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T> Default for Dictionary<T> {
    fn default() -> Self {
        Self { names: Vec::new(), numbers: HashMap::new() }
    }
}

impl<T: Clone + Eq + Hash> Dictionary<T> {
    fn number(&mut self, name: &T) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = self.names.len() as u32;
        self.names.push(name.clone());
        self.numbers.insert(name.clone(), number);
        number
    }

    /// The number of a name, if it has one.
    pub fn find(&self, name: &T) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// The name of a number that this dictionary gave.
    pub fn name(&self, number: u32) -> &T {
        &self.names[number as usize]
    }

    /// All names, in the order of their numbers.
    pub fn names(&self) -> &[T] {
        &self.names
    }
}

/// What the rows of a call share.
#[derive(Debug)]
pub struct TailCall {
    pub call: CallId,
    pub origin: Origin,
    pub at: Timestamp,
    pub held_until: Timestamp,
    pub vendor: u32,
    pub operation: u32,
    pub workload: Option<u32>,
    pub purpose: Option<u32>,
    pub mode: Option<Mode>,
    pub asked: Option<u32>,
    pub rows: u32,
    pub outcome: Option<Box<Settlement>>,
}

impl TailCall {
    /// How it stands.
    pub fn settled(&self) -> Settled {
        match (&self.outcome, self.origin) {
            (Some(outcome), _) => outcome.settled,
            (None, Origin::Import) => Settled::Sent,
            (None, Origin::Gateway) => Settled::Open,
        }
    }
}

/// One disclosure: a person in a call, in one list or in none.
#[derive(Debug, Clone, Copy)]
pub struct TailRow {
    pub person: PersonKey,
    pub call: u32,
    pub fields: FieldSet,
    pub list: Option<u32>,
}

/// The tail.
#[derive(Debug, Default)]
pub struct Tail {
    pub vendors: Dictionary<VendorName>,
    pub operations: Dictionary<OperationName>,
    pub workloads: Dictionary<WorkloadName>,
    pub purposes: Dictionary<Purpose>,
    pub lists: Dictionary<ListName>,
    pub asked: Dictionary<Asked>,
    pub calls: Vec<TailCall>,
    pub rows: Vec<TailRow>,
    /// Calls that did not leave.
    pub refused: Vec<RefusedCall>,
    /// Outcomes of calls that were sealed open.
    pub late: Vec<Settlement>,
    by_call: UniformMap<CallId, u32>,
    unsettled: usize,
}

impl Tail {
    /// Takes in a call, or a further part of one.
    pub fn record(&mut self, record: &CallRecord) {
        let call = self.call_of(record);
        let lists: Vec<u32> = record.lists.iter().map(|list| self.lists.number(list)).collect();
        let before = self.rows.len();
        for row in &record.rows {
            let one = |list| TailRow { person: row.person, call, fields: row.fields, list };
            if row.lists.is_empty() {
                self.rows.push(one(None));
            }
            self.rows.extend(row.lists.iter().map(|&list| one(Some(lists[list as usize]))));
        }
        self.calls[call as usize].rows += (self.rows.len() - before) as u32;
    }

    fn call_of(&mut self, record: &CallRecord) -> u32 {
        let header = &record.header;
        let vendor = self.vendors.number(&header.vendor);
        let operation = self.operations.number(&header.operation);
        if let Some(&known) = self.by_call.get(&header.call) {
            let call = &self.calls[known as usize];
            let same = (call.origin, call.at, call.held_until, call.vendor, call.operation)
                == (header.origin, header.at, header.held_until, vendor, operation);
            if same {
                return known;
            }
        }
        let call = self.calls.len() as u32;
        self.by_call.entry(header.call).or_insert(call);
        self.calls.push(TailCall {
            call: header.call,
            origin: header.origin,
            at: header.at,
            held_until: header.held_until,
            vendor,
            operation,
            workload: header.workload.as_ref().map(|name| self.workloads.number(name)),
            purpose: header.purpose.as_ref().map(|name| self.purposes.number(name)),
            mode: header.mode,
            asked: header.asked.as_ref().map(|asked| self.asked.number(asked)),
            rows: 0,
            outcome: None,
        });
        self.unsettled += usize::from(header.origin == Origin::Gateway);
        call
    }

    /// Takes in what came of a call, unless something is known already: the first outcome stands.
    /// Says whether the call is in this tail.
    pub fn settle(&mut self, settlement: &Settlement) -> bool {
        let Some(&call) = self.by_call.get(&settlement.call) else { return false };
        let call = &mut self.calls[call as usize];
        if call.settled() == Settled::Open {
            call.outcome = Some(Box::new(settlement.clone()));
            self.unsettled -= 1;
        }
        true
    }

    /// Whether an intent of this id is in it.
    pub fn knows(&self, call: CallId) -> bool {
        let known = self.by_call.get(&call);
        known.is_some_and(|&call| self.calls[call as usize].origin == Origin::Gateway)
    }

    /// How an intent of this id stands, if there is one in it.
    pub fn settled(&self, call: CallId) -> Option<Settled> {
        let call = &self.calls[*self.by_call.get(&call)? as usize];
        (call.origin == Origin::Gateway).then(|| call.settled())
    }

    /// Calls without an outcome.
    pub fn open_calls(&self) -> impl Iterator<Item = CallId> {
        let open = self.calls.iter().filter(|call| call.settled() == Settled::Open);
        open.map(|call| call.call)
    }

    /// How many calls have no outcome.
    pub fn unsettled(&self) -> usize {
        self.unsettled
    }

    /// Whether there is nothing in it that a run would hold.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.refused.is_empty() && self.late.is_empty()
    }

    /// Every disclosure, in the order in which they came; `settled` says how an open call stands.
    pub fn disclosures(
        &self,
        links: &Links,
        settled: &dyn Fn(CallId) -> Settled,
        visit: &mut dyn FnMut(&Disclosure),
    ) {
        for row in &self.rows {
            let call = &self.calls[row.call as usize];
            let stands = match call.settled() {
                Settled::Open => settled(call.call),
                known => known,
            };
            let person = links.current(row.person);
            visit(&Disclosure {
                call: call.call,
                person,
                forgotten: links.resolve(person).is_none(),
                vendor: self.vendors.name(call.vendor).clone(),
                operation: self.operations.name(call.operation).clone(),
                policy: call.asked.map(|asked| self.asked.name(asked).policy),
                list: row.list.map(|list| self.lists.name(list).clone()),
                fields: row.fields,
                at: call.at,
                held_until: call.held_until,
                settled: stands,
            });
        }
    }
}
