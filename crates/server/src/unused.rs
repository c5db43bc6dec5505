//! Grants that nobody used: what a workload may do and has not done for a while.

use std::collections::BTreeMap;

use anyhow::Result;
use ledger::Ledger;
use model::{FieldSet, Purpose, Timestamp, VendorName, Workload, WorkloadName};
use serde::Serialize;

/// What of one grant no call used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unused {
    /// The id of the policy that the grant is.
    pub policy: String,
    /// Calls that were made under it.
    pub calls: u64,
    /// Purposes that none of them had.
    pub purposes: Vec<Purpose>,
    /// Fields that none of them disclosed.
    pub fields: FieldSet,
}

#[derive(Default)]
struct Used {
    calls: u64,
    purposes: Vec<Purpose>,
    fields: FieldSet,
}

/// Compares grants with the calls since a time. A field counts as used when a call asked to give
/// it, whatever was then done to it. Blocking.
///
/// # Errors
/// When the ledger cannot be read.
pub fn unused(ledger: &Ledger, workloads: &[Workload], since: Timestamp) -> Result<Vec<Unused>> {
    let mut used: BTreeMap<(WorkloadName, VendorName), Used> = BTreeMap::new();
    ledger.calls(since, &mut |call| {
        let Some(workload) = call.workload else { return };
        let of_pair = used.entry((workload, call.vendor)).or_default();
        of_pair.calls += 1;
        if let Some(purpose) = call.purpose.filter(|one| !of_pair.purposes.contains(one)) {
            of_pair.purposes.push(purpose);
        }
        let asked = call.asked.map_or(call.disclosed, |asked| asked.fields);
        of_pair.fields = of_pair.fields.union(asked);
    })?;
    let mut all = Vec::new();
    for workload in workloads {
        for grant in &workload.grants {
            let none = Used::default();
            let pair = (workload.name.clone(), grant.vendor.clone());
            let used = used.get(&pair).unwrap_or(&none);
            let purposes = grant.purposes.iter().filter(|one| !used.purposes.contains(one));
            let unused = Unused {
                policy: format!("grant/{}/{}", workload.name, grant.vendor),
                calls: used.calls,
                purposes: purposes.cloned().collect(),
                fields: grant.fields.minus(used.fields),
            };
            if unused.calls == 0 || !unused.purposes.is_empty() || !unused.fields.is_empty() {
                all.push(unused);
            }
        }
    }
    Ok(all)
}
