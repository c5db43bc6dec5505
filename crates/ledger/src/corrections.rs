//! What was learnt about disclosures after they were written down: erasures at vendors, and
//! outcomes of calls that were sealed open. Never changes a row; says how it counts now.

use std::collections::HashMap;

use model::{CallId, PersonKey, Timestamp, VendorName};

use crate::disclosure::Settled;
use crate::people::PER_RECORD;
use crate::record::{Erasure, Record, Settlement};
use crate::uniform::{UniformMap, UniformSet};

/// Times at which one vendor erased each person, ascending.
pub type Cuts = UniformMap<PersonKey, Vec<Timestamp>>;

/// The corrections; shared with running questions.
#[derive(Debug, Clone, Default)]
pub struct Corrections {
    erasures: Vec<Erasure>,
    cuts: HashMap<VendorName, Cuts>,
    open: UniformSet<CallId>,
    late: UniformMap<CallId, Settlement>,
}

impl Corrections {
    /// Records what a vendor erased.
    pub fn erase(&mut self, erasure: Erasure) {
        let cuts = self.cuts.entry(erasure.vendor.clone()).or_default();
        for &person in &erasure.persons {
            let times = cuts.entry(person).or_default();
            if let Err(place) = times.binary_search(&erasure.at) {
                times.insert(place, erasure.at);
            }
        }
        self.erasures.push(erasure);
    }

    /// The erasures of one vendor.
    pub fn cuts(&self, vendor: &VendorName) -> Option<&Cuts> {
        self.cuts.get(vendor)
    }

    /// A call was sealed without an outcome.
    pub fn leave_open(&mut self, calls: impl IntoIterator<Item = CallId>) {
        self.open.extend(calls);
    }

    /// The outcome of a call that was sealed open. Says whether it was one.
    pub fn settle(&mut self, settlement: Settlement) -> bool {
        let was_open = self.open.remove(&settlement.call);
        if was_open {
            self.late.insert(settlement.call, settlement);
        }
        was_open
    }

    /// Takes a late outcome back in from a state file.
    pub fn restore(&mut self, settlement: Settlement) {
        self.late.insert(settlement.call, settlement);
    }

    /// How a call that was sealed open stands now.
    pub fn settled(&self, call: CallId) -> Settled {
        self.late.get(&call).map_or(Settled::Open, |settlement| settlement.settled)
    }

    /// How many calls were sealed open and have no outcome yet.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Everything as records, for a state file.
    pub fn records(&self, visit: &mut dyn FnMut(Record)) {
        self.erasures.iter().for_each(|erasure| visit(Record::Erased(erasure.clone())));
        let open: Vec<_> = self.open.iter().copied().collect();
        open.chunks(PER_RECORD).for_each(|part| visit(Record::Open(part.to_vec())));
        self.late.values().for_each(|settlement| visit(Record::Settled(settlement.clone())));
    }
}

/// Until when something disclosed at `at` is held, given the times at which the vendor erased the
/// person: the first erasure after the disclosure ends it; one at that very instant does not.
pub fn cut(times: Option<&Vec<Timestamp>>, at: Timestamp, held_until: Timestamp) -> Timestamp {
    let Some(times) = times else { return held_until };
    let first = times.partition_point(|&time| time <= at);
    times.get(first).map_or(held_until, |&time| time.min(held_until))
}
