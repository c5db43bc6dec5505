//! The order of what waits, and how much of it there is. No files, no clock.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use model::{CallId, Timestamp, VendorName};

use super::entry::{Loaded, Note, Sheet};
use super::{Backlog, Kind, Lane, NotKept, SpoolLimits};

/// What waits, and in which order.
pub struct Shelf {
    limits: SpoolLimits,
    items: BTreeMap<u64, Item>,
    lanes: HashMap<Lane, BTreeSet<u64>>,
    used: HashMap<VendorName, Used>,
    last: u64,
}

/// How much is taken up, what is still being written included.
#[derive(Clone, Copy, Default)]
struct Used {
    entries: usize,
    bytes: u64,
}

struct Item {
    lane: Lane,
    at: Timestamp,
    /// Counted against the limits.
    bytes: u64,
    /// Where the file's last note ends. Held while a note is written.
    end: Arc<Mutex<u64>>,
    parts: Vec<Standing>,
}

struct Standing {
    state: State,
    call: CallId,
    attempts: u32,
    due: Timestamp,
    suspect: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waits,
    Taken,
    Ended,
}

/// A part as it was taken.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    pub number: u64,
    pub index: usize,
    pub call: CallId,
    pub attempts: u32,
    pub at: Timestamp,
    pub suspect: bool,
}

impl Shelf {
    pub fn new(limits: SpoolLimits) -> Self {
        let (items, lanes, used) = (BTreeMap::new(), HashMap::new(), HashMap::new());
        Self { limits, items, lanes, used, last: 0 }
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// A place for an entry: its number, above all earlier ones also after a restart.
    pub fn reserve(&mut self, sheet: &Sheet, bytes: u64) -> Result<u64, NotKept> {
        let total = self.used.values().fold(Used::default(), |all, one| Used {
            entries: all.entries + one.entries,
            bytes: all.bytes + one.bytes,
        });
        let own = self.used.get(&sheet.lane.vendor).copied().unwrap_or_default();
        let limits = &self.limits;
        let fits = total.entries < limits.entries
            && total.bytes + bytes <= limits.bytes
            && own.entries < limits.vendor_entries
            && own.bytes + bytes <= limits.vendor_bytes;
        if !fits {
            return Err(NotKept::Full);
        }
        self.count(&sheet.lane.vendor, bytes);
        self.last = (self.last + 1).max(u64::try_from(sheet.at.micros()).unwrap_or(0));
        Ok(self.last)
    }

    /// Gives a place back whose entry could not be written.
    pub fn give_up(&mut self, sheet: &Sheet, bytes: u64) {
        self.uncount(&sheet.lane.vendor, bytes);
    }

    /// The entry of this place is durable.
    pub fn fill(&mut self, number: u64, sheet: Sheet, bytes: u64, end: u64) {
        let Sheet { lane, at, calls } = sheet;
        let standing = |call| {
            let (state, attempts, due, suspect) = (State::Waits, 0, Timestamp::MIN, false);
            Standing { state, call, attempts, due, suspect }
        };
        let parts = calls.into_iter().map(standing).collect();
        self.lanes.entry(lane.clone()).or_default().insert(number);
        self.items.insert(number, Item { lane, at, bytes, end: Arc::new(Mutex::new(end)), parts });
    }

    /// Puts an entry back that an earlier process left. What that one did last is not known.
    pub fn restore(&mut self, number: u64, loaded: Loaded) {
        let Loaded { sheet, notes, end } = loaded;
        self.skip(number);
        self.count(&sheet.lane.vendor, end);
        self.fill(number, sheet, end, end);
        for note in &notes {
            self.note(number, note);
        }
        let Some(item) = self.items.get_mut(&number) else { return };
        item.parts.iter_mut().for_each(|part| part.suspect = true);
    }

    /// Gives this number to nobody.
    pub fn skip(&mut self, number: u64) {
        self.last = self.last.max(number);
    }

    /// The next part in this lane whose time has come.
    pub fn take(&mut self, lane: &Lane, now: Timestamp) -> Option<Part> {
        let in_order = if lane.kind == Kind::Call { 1 } else { usize::MAX };
        self.take_first(lane, in_order, &|_, part| part.due <= now)
    }

    /// The next part in this lane whose entry came no later than `at`.
    pub fn take_older(&mut self, lane: &Lane, at: Timestamp) -> Option<Part> {
        self.take_first(lane, usize::MAX, &|item_at, _| item_at <= at)
    }

    fn take_first(
        &mut self,
        lane: &Lane,
        entries: usize,
        fits: &dyn Fn(Timestamp, &Standing) -> bool,
    ) -> Option<Part> {
        for &number in self.lanes.get(lane)?.iter().take(entries) {
            let item = self.items.get_mut(&number)?;
            let at = item.at;
            let mut parts = item.parts.iter_mut().enumerate();
            let next = parts.find(|(_, part)| part.state == State::Waits && fits(at, part));
            if let Some((index, part)) = next {
                part.state = State::Taken;
                let Standing { call, attempts, suspect, .. } = *part;
                return Some(Part { number, index, call, attempts, at, suspect });
            }
        }
        None
    }

    /// A part that was taken waits again; a suspect one until the ledger tells what became of it.
    pub fn put_back(&mut self, part: &Part, suspect: bool) {
        if let Some(standing) = self.part(part.number, part.index) {
            standing.state = State::Waits;
            standing.suspect = suspect;
        }
    }

    /// Where the next note of this entry goes.
    pub fn end(&self, number: u64) -> Option<Arc<Mutex<u64>>> {
        self.items.get(&number).map(|item| item.end.clone())
    }

    /// Whether no other part of its entry is left.
    pub fn is_last(&self, number: u64, index: usize) -> bool {
        let Some(item) = self.items.get(&number) else { return false };
        let mut parts = item.parts.iter().enumerate();
        parts.all(|(other, part)| other == index || part.state == State::Ended)
    }

    /// Takes in how a part stands.
    pub fn note(&mut self, number: u64, note: &Note) {
        let (Note::Ended { part } | Note::Deferred { part, .. }) = note;
        let Some(standing) = self.part(number, *part) else { return };
        match *note {
            Note::Ended { .. } => standing.state = State::Ended,
            Note::Deferred { call, attempts, due, .. } => {
                let (state, suspect) = (State::Waits, false);
                *standing = Standing { state, call, attempts, due, suspect };
            }
        }
    }

    /// An entry is gone.
    pub fn remove(&mut self, number: u64) {
        let Some(item) = self.items.remove(&number) else { return };
        self.uncount(&item.lane.vendor, item.bytes);
        if let Some(numbers) = self.lanes.get_mut(&item.lane) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.lanes.remove(&item.lane);
            }
        }
    }

    pub fn lanes(&self) -> Vec<Lane> {
        self.lanes.keys().cloned().collect()
    }

    pub fn backlog(&self, vendor: &VendorName) -> Backlog {
        let items = self.items.values().filter(|item| item.lane.vendor == *vendor);
        let mut backlog = Backlog::default();
        for item in items {
            match item.lane.kind {
                Kind::Call => backlog.calls += 1,
                Kind::Mail => backlog.mails += 1,
            }
            backlog.bytes += item.bytes;
            backlog.oldest = Some(backlog.oldest.map_or(item.at, |oldest| oldest.min(item.at)));
        }
        backlog
    }

    fn part(&mut self, number: u64, index: usize) -> Option<&mut Standing> {
        self.items.get_mut(&number)?.parts.get_mut(index)
    }

    fn count(&mut self, vendor: &VendorName, bytes: u64) {
        let used = self.used.entry(vendor.clone()).or_default();
        used.entries += 1;
        used.bytes += bytes;
    }

    fn uncount(&mut self, vendor: &VendorName, bytes: u64) {
        let Some(used) = self.used.get_mut(vendor) else { return };
        used.entries -= 1;
        used.bytes -= bytes;
        if used.entries == 0 {
            self.used.remove(vendor);
        }
    }
}
