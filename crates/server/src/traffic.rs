//! Totals of the gateway since start, per vendor and workload: numbers, never people.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use gateway::{Left, Seen, SeenCall};
use serde::Serialize;

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
}

/// All counts.
#[derive(Default)]
pub struct Traffic(Mutex<BTreeMap<(String, String), Counts>>);

impl Traffic {
    /// Vendor, workload, counts.
    pub fn all(&self) -> Vec<(String, String, Counts)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts
            .iter()
            .map(|((vendor, workload), c)| (vendor.clone(), workload.clone(), c.clone()))
            .collect()
    }
}

impl Seen for Traffic {
    fn call(&self, seen: &SeenCall) {
        let name = |name: Option<&str>| name.unwrap_or("unknown").to_owned();
        let vendor = name(seen.vendor.as_ref().map(model::VendorName::as_str));
        let workload = name(seen.workload.as_ref().map(model::WorkloadName::as_str));
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = all.entry((vendor, workload)).or_default();
        counts.requests += 1;
        counts.people += seen.people as u64;
        match seen.outcome {
            Left::Sent(_) => counts.sent += 1,
            Left::Unknown => counts.unknown += 1,
            Left::Held => counts.held += 1,
            Left::NotSent => {
                *counts.refused.entry(seen.code.unwrap_or("not-sent")).or_default() += 1
            }
        }
        if let Some(code) = seen.would_refuse {
            *counts.would_refuse.entry(code).or_default() += 1;
        }
        for code in &seen.warnings {
            *counts.warnings.entry(code).or_default() += 1;
        }
    }
}
