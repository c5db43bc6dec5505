//! What the ledger says of itself: numbers only, no personal data.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::Serialize;

/// Numbers of a running ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
pub struct LedgerStatus {
    /// Whether it refuses everything because a record could not be made durable.
    pub down: bool,
    /// Manifests published so far.
    pub manifest: u64,
    /// Segments of the write-ahead record that are in no run yet.
    pub segments: u64,
    /// Sealed runs.
    pub runs: u64,
    /// Disclosures, sealed or not, whatever their outcome.
    pub rows: u64,
    /// Episodes in the runs.
    pub episodes: u64,
    /// Calls and imports, sealed or not.
    pub calls: u64,
    /// Calls without an outcome.
    pub unsettled: u64,
    /// Persons with a key.
    pub people: u64,
    /// Identifiers that find somebody.
    pub identifiers: u64,
    /// Keys of forgotten persons.
    pub tombstones: u64,
    /// Bytes of the runs and of the segment that is written to.
    pub bytes: u64,
    /// Records made durable since the start.
    pub records: u64,
    /// `fdatasync` calls that it took.
    pub syncs: u64,
    /// How well callers share them.
    pub records_per_sync: f64,
}

/// What opening found and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Default)]
pub struct Recovered {
    /// The manifest it started from.
    pub manifest: u64,
    /// Runs that it names.
    pub runs: u64,
    /// Segments read back.
    pub segments: u64,
    /// Records in them.
    pub records: u64,
    /// Disclosures in them.
    pub rows: u64,
    /// Bytes of a torn frame that were dropped; nothing in it had been acknowledged.
    pub torn_bytes: u64,
    /// Calls without an outcome, which count as disclosed.
    pub unsettled: u64,
}

/// What the writer counts.
#[derive(Debug, Default)]
pub struct Counters {
    pub down: AtomicBool,
    pub manifest: AtomicU64,
    pub segments: AtomicU64,
    pub segment_bytes: AtomicU64,
    pub records: AtomicU64,
    pub syncs: AtomicU64,
}

impl Counters {
    /// Fills in what the counters know.
    pub fn fill(&self, status: &mut LedgerStatus) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        status.manifest = read(&self.manifest);
        status.segments = read(&self.segments);
        status.bytes += read(&self.segment_bytes);
        status.records = read(&self.records);
        status.syncs = read(&self.syncs);
        status.records_per_sync = match status.syncs {
            0 => 0.0,
            syncs => status.records as f64 / syncs as f64,
        };
    }
}
