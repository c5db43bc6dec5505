//! Totals of the gateway since start, per vendor and workload: numbers, never people. What is kept
//! grows with what is registered, not with what is called.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gateway::{Left, Seen, SeenCall};
use model::{Field, Timestamp, VendorName, WorkloadName};
use serde::Serialize;

use crate::histogram::{Histogram, Latency};

/// Counts of one vendor and workload.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Counts {
    /// Requests in all.
    pub requests: u64,
    /// Requests that the vendor answered.
    pub sent: u64,
    /// Requests that may have arrived.
    pub unknown: u64,
    /// Requests that were kept in the spool; each is counted again when it leaves or ends.
    pub held: u64,
    /// Requests that did not leave, per code.
    pub refused: BTreeMap<&'static str, u64>,
    /// What `enforce` would have refused, per code.
    pub would_refuse: BTreeMap<&'static str, u64>,
    /// What deserves a look, per code.
    pub warnings: BTreeMap<&'static str, u64>,
    /// People concerned, each as often as they were.
    pub people: u64,
    /// Requests that gave a field, or would have.
    pub fields: BTreeMap<Field, u64>,
    /// When the last one began.
    pub last_at: Option<Timestamp>,
    /// Where the time went.
    #[serde(flatten)]
    pub latency: Latencies,
}

/// Where the time of requests went; a part that a request did not reach is not in it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Latencies {
    /// In Cordon, the arrival of the body included.
    #[serde(serialize_with = "shown")]
    pub ours: Histogram,
    /// Until the intent was durable.
    #[serde(serialize_with = "shown")]
    pub record: Histogram,
    /// Until the vendor's reply was whole.
    #[serde(serialize_with = "shown")]
    pub vendor_reply: Histogram,
}

fn shown<S: serde::Serializer>(histogram: &Histogram, to: S) -> Result<S::Ok, S::Error> {
    Latency::of(histogram).serialize(to)
}

impl Counts {
    /// Requests that did not leave.
    pub fn not_sent(&self) -> u64 {
        self.refused.values().sum()
    }

    fn count(&mut self, seen: &SeenCall) {
        self.requests += 1;
        self.people += seen.people as u64;
        self.last_at = self.last_at.max(Some(seen.at));
        match seen.outcome {
            Left::Sent(_) => self.sent += 1,
            Left::Unknown => self.unknown += 1,
            Left::Held => self.held += 1,
            Left::NotSent => *self.refused.entry(seen.code.unwrap_or("not-sent")).or_default() += 1,
        }
        if let Some(code) = seen.would_refuse {
            *self.would_refuse.entry(code).or_default() += 1;
        }
        for code in &seen.warnings {
            *self.warnings.entry(code).or_default() += 1;
        }
        for field in seen.fields.iter() {
            *self.fields.entry(field).or_default() += 1;
        }
        let latency = &mut self.latency;
        latency.ours.add(seen.micros.ours);
        for (histogram, micros) in [
            (&mut latency.record, seen.micros.record),
            (&mut latency.vendor_reply, seen.micros.vendor),
        ] {
            if micros > 0 {
                histogram.add(micros);
            }
        }
    }
}

type ByWorkload = HashMap<Option<WorkloadName>, Counts>;

/// All counts. A call of a vendor or workload that is not known is counted as of `unknown`.
#[derive(Default)]
pub struct Traffic(Mutex<HashMap<Option<VendorName>, ByWorkload>>);

impl Traffic {
    fn counts(&self) -> MutexGuard<'_, HashMap<Option<VendorName>, ByWorkload>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Vendor, workload, counts; by their names.
    pub fn all(&self) -> Vec<(String, String, Counts)> {
        const UNKNOWN: &str = "unknown";
        let counts = self.counts();
        let mut all: Vec<_> = counts
            .iter()
            .flat_map(|(vendor, workloads)| {
                let vendor = vendor.as_ref().map_or(UNKNOWN, VendorName::as_str);
                workloads.iter().map(move |(workload, counts)| {
                    let workload = workload.as_ref().map_or(UNKNOWN, WorkloadName::as_str);
                    (vendor.to_owned(), workload.to_owned(), counts.clone())
                })
            })
            .collect();
        all.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        all
    }
}

impl Seen for Traffic {
    fn call(&self, seen: &SeenCall) {
        let mut counts = self.counts();
        if let Some(known) = counts.get_mut(&seen.vendor).and_then(|of| of.get_mut(&seen.workload))
        {
            return known.count(seen);
        }
        let of_vendor = counts.entry(seen.vendor.clone()).or_default();
        of_vendor.entry(seen.workload.clone()).or_default().count(seen);
    }
}
