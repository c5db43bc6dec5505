//! What is known in memory, and how each record changes it: the same when it happens and when it is
//! read back. Does no I/O but for the state file.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use crate::codec::{Decoder, Encoder};
use crate::corrections::Corrections;
use crate::manifest::{FileEntry, Manifest, state_file};
use crate::people::{Links, People};
use crate::record::Record;
use crate::refusal::OpenRefused;
use crate::run::Run;
use crate::status::LedgerStatus;
use crate::tail::Tail;
use crate::{disk, frame, parquet_file};

/// Everything that questions are asked of.
#[derive(Default)]
pub struct State {
    pub people: People,
    pub corrections: Arc<Corrections>,
    pub tail: Tail,
    /// The tail that is being sealed.
    pub frozen: Option<Arc<Tail>>,
    pub runs: Vec<Arc<Run>>,
}

/// What a question keeps while the ledger goes on: all but the tail, which it asks first.
pub struct View {
    pub links: Arc<Links>,
    pub corrections: Arc<Corrections>,
    pub frozen: Option<Arc<Tail>>,
    pub runs: Vec<Arc<Run>>,
}

impl State {
    /// Applies a record that was read back.
    pub fn replay(&mut self, record: Record) {
        match &record {
            Record::Mapped(mappings) => mappings.iter().for_each(|&one| self.people.map(one)),
            Record::Merged(merges) => {
                merges.iter().for_each(|&(from, into)| self.people.merge(from, into));
            }
            Record::Forgot(keys) => self.people.forget(keys),
            Record::Open(calls) => {
                Arc::make_mut(&mut self.corrections).leave_open(calls.iter().copied());
            }
            _ => self.take_in(&record),
        }
    }

    /// Applies a record of disclosures. What changes the people index was applied when the record
    /// was made.
    pub fn take_in(&mut self, record: &Record) {
        match record {
            Record::Call(call) => self.tail.record(call),
            Record::Refused(refused) => self.tail.refused.push(refused.clone()),
            Record::Erased(erasure) => {
                Arc::make_mut(&mut self.corrections).erase(erasure.clone());
            }
            Record::Settled(settlement) => {
                if self.tail.settle(settlement) {
                    return;
                }
                if Arc::make_mut(&mut self.corrections).settle(settlement.clone()) {
                    self.tail.late.push(settlement.clone());
                } else {
                    tracing::warn!(call.id = %settlement.call, "an outcome of no open call");
                }
            }
            Record::Mapped(_) | Record::Merged(_) | Record::Forgot(_) | Record::Open(_) => {}
        }
    }

    /// What a question keeps.
    pub fn view(&self) -> View {
        View {
            links: self.people.links().clone(),
            corrections: self.corrections.clone(),
            frozen: self.frozen.clone(),
            runs: self.runs.clone(),
        }
    }

    /// Its numbers.
    pub fn status(&self) -> LedgerStatus {
        let (people, identifiers) = self.people.counts();
        let tails = || std::iter::once(&self.tail).chain(self.frozen.as_deref());
        let runs = || self.runs.iter().map(|run| &run.entry);
        LedgerStatus {
            runs: self.runs.len() as u64,
            rows: runs().map(|run| run.rows).sum::<u64>()
                + tails().map(|tail| tail.rows.len() as u64).sum::<u64>(),
            episodes: runs().map(|run| run.episodes).sum(),
            calls: runs().map(|run| run.calls).sum::<u64>()
                + tails().map(|tail| tail.calls.len() as u64).sum::<u64>(),
            unsettled: (self.corrections.open() + self.tail.unsettled()) as u64,
            people: people as u64,
            identifiers: identifiers as u64,
            tombstones: self.people.links().forgotten() as u64,
            bytes: runs().map(|run| run.log_file.bytes + run.episodes_file.bytes).sum(),
            ..LedgerStatus::default()
        }
    }

    /// Reads the state that a manifest names.
    pub fn load(dir: &Path, manifest: &Manifest) -> anyhow::Result<Self> {
        let runs = manifest.runs.iter().map(|run| Arc::new(Run::new(dir, run.clone()))).collect();
        let mut state = Self { runs, ..Self::default() };
        if manifest.state.is_none() {
            return Ok(state);
        }
        let file = state_file(manifest.number);
        let bytes = fs::read(dir.join(&file)).context("reading the state")?;
        let damaged = |offset: usize| OpenRefused::Damaged {
            file: file.clone(),
            offset: offset as u64,
            what: "a frame does not read",
        };
        let mut offset = 0;
        while offset < bytes.len() {
            let (records, next) =
                frame::open(manifest.number, &bytes, offset).ok_or_else(|| damaged(offset))?;
            let mut decoder = Decoder { bytes: records };
            while !decoder.bytes.is_empty() {
                match Record::decode(&mut decoder).map_err(|_| damaged(offset))? {
                    Record::Settled(settlement) => {
                        Arc::make_mut(&mut state.corrections).restore(settlement);
                    }
                    record => state.replay(record),
                }
            }
            offset = next;
        }
        Ok(state)
    }
}

/// Writes the state file of a manifest: no keyed hash of anybody forgotten is in it.
pub fn write(
    dir: &Path,
    number: u64,
    people: &People,
    corrections: &Corrections,
) -> anyhow::Result<FileEntry> {
    let mut bytes = Vec::new();
    let mut waiting = Encoder::default();
    let mut one = Encoder::default();
    let mut append = |record: Record| {
        one.bytes.clear();
        record.encode(&mut one);
        if waiting.bytes.len() + one.bytes.len() > frame::RECORD_BYTES {
            bytes.extend(frame::seal(number, bytes.len() as u64, &waiting.bytes));
            waiting.bytes.clear();
        }
        waiting.bytes.extend_from_slice(&one.bytes);
    };
    people.records(&mut append);
    corrections.records(&mut append);
    bytes.extend(frame::seal(number, bytes.len() as u64, &waiting.bytes));
    let path = dir.join(state_file(number));
    disk::write_new(&path, &bytes).context("writing the state")?;
    parquet_file::entry(&path)
}
