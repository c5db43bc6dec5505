//! Limits of workloads towards vendors, and bursts that wait for approval. Does not know how either
//! is counted.

use model::{Limits, OperatorName, Timestamp, VendorName, Volume, WorkloadName};
use serde::Serialize;

use crate::columns::{Document, bind};
use crate::engine::Tx;

/// An hour in which calls were held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Burst {
    /// Whose calls.
    pub workload: WorkloadName,
    /// To whom.
    pub vendor: VendorName,
    /// The first instant of the hour.
    pub hour: Timestamp,
    /// What an hour usually has.
    pub usual: Volume,
    /// What was held, each call as often as it was tried.
    pub held: Volume,
}

/// The last approval of bursts of a workload towards a vendor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BurstApproval {
    /// Whose calls.
    pub workload: WorkloadName,
    /// To whom.
    pub vendor: VendorName,
    /// Who approved.
    pub approved_by: OperatorName,
    /// When.
    pub approved_at: Timestamp,
    /// Until when nothing is held.
    pub until: Timestamp,
}

impl Tx<'_> {
    /// Sets the limits of a workload towards a vendor, in the place of those before.
    ///
    /// # Errors
    /// [`crate::Refused::NotFound`] when there is no such workload or vendor.
    pub fn set_limits(
        &self,
        workload: &WorkloadName,
        vendor: &VendorName,
        limits: &Limits,
    ) -> anyhow::Result<()> {
        self.workload(workload)?;
        self.vendor(vendor)?;
        self.execute(
            "INSERT INTO workload_limits (workload, vendor, document) VALUES (?1, ?2, ?3)
             ON CONFLICT (workload, vendor) DO UPDATE SET document = excluded.document",
            bind![workload, vendor, &Document::of(limits)?],
        )
        .map(drop)
    }

    /// Every limit, by workload and vendor.
    ///
    /// # Errors
    /// Faults only.
    pub fn limits(&self) -> anyhow::Result<Vec<(WorkloadName, VendorName, Limits)>> {
        let all = "SELECT workload, vendor, document FROM workload_limits ORDER BY 1, 2";
        self.all(all, bind![], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<Document>(2)?.read()?))
        })
    }

    /// Records what was held in an hour; whether it is new. Forgets hours before `oldest`.
    ///
    /// # Errors
    /// Faults only.
    pub fn record_burst(&self, burst: &Burst, oldest: Timestamp) -> anyhow::Result<bool> {
        self.execute("DELETE FROM bursts WHERE hour < ?1", bind![oldest])?;
        let Burst { workload, vendor, hour, usual, held } = burst;
        let known = self.execute(
            "UPDATE bursts SET held_calls = ?4, held_people = ?5
             WHERE workload = ?1 AND vendor = ?2 AND hour = ?3",
            bind![workload, vendor, *hour, held.calls, held.people],
        )?;
        if known == 1 {
            return Ok(false);
        }
        self.execute(
            "INSERT INTO bursts
                 (workload, vendor, hour, usual_calls, usual_people, held_calls, held_people)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            bind![workload, vendor, *hour, usual.calls, usual.people, held.calls, held.people],
        )?;
        Ok(true)
    }

    /// Hours in which calls were held, the newest first.
    ///
    /// # Errors
    /// Faults only.
    pub fn bursts(&self, most: usize) -> anyhow::Result<Vec<Burst>> {
        self.all(
            "SELECT workload, vendor, hour, usual_calls, usual_people, held_calls, held_people
             FROM bursts ORDER BY hour DESC, workload, vendor LIMIT ?1",
            bind![most as u64],
            |row| {
                Ok(Burst {
                    workload: row.get(0)?,
                    vendor: row.get(1)?,
                    hour: row.get(2)?,
                    usual: Volume { calls: row.get(3)?, people: row.get(4)? },
                    held: Volume { calls: row.get(5)?, people: row.get(6)? },
                })
            },
        )
    }

    /// Approves bursts of a workload towards a vendor, in the place of an earlier approval.
    ///
    /// # Errors
    /// [`crate::Refused::NotFound`] when there is no such workload or vendor.
    pub fn approve_burst(&self, approval: &BurstApproval) -> anyhow::Result<()> {
        let BurstApproval { workload, vendor, approved_by, approved_at, until } = approval;
        self.workload(workload)?;
        self.vendor(vendor)?;
        self.execute(
            "INSERT INTO burst_approvals (workload, vendor, approved_by, approved_at, until)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (workload, vendor) DO UPDATE SET approved_by = excluded.approved_by,
                 approved_at = excluded.approved_at, until = excluded.until",
            bind![workload, vendor, approved_by, *approved_at, *until],
        )
        .map(drop)
    }

    /// The last approval of each workload and vendor.
    ///
    /// # Errors
    /// Faults only.
    pub fn burst_approvals(&self) -> anyhow::Result<Vec<BurstApproval>> {
        self.all(
            "SELECT workload, vendor, approved_by, approved_at, until
             FROM burst_approvals ORDER BY workload, vendor",
            bind![],
            |row| {
                Ok(BurstApproval {
                    workload: row.get(0)?,
                    vendor: row.get(1)?,
                    approved_by: row.get(2)?,
                    approved_at: row.get(3)?,
                    until: row.get(4)?,
                })
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use model::id::Id as _;
    use model::{Workload, WorkloadId};

    use super::*;
    use crate::testing::{START, Scratch, code, vendor, vendor_name};

    fn shop() -> WorkloadName {
        WorkloadName::parse("shop").expect("a name")
    }

    fn registered() -> Scratch {
        let scratch = Scratch::new();
        let tx = scratch.tx();
        let workload = Workload {
            id: WorkloadId::from_u128(1),
            name: shop(),
            grants: Vec::new(),
            mode: None,
            created_at: START,
        };
        tx.insert_workload(&workload).expect("new");
        tx.insert_vendor(&vendor(1, "sendgrid"), None).expect("new");
        scratch
    }

    #[test]
    fn limits_are_those_that_were_set_last() {
        let scratch = registered();
        let (tx, sendgrid) = (scratch.tx(), vendor_name("sendgrid"));
        let limits = Limits { people_per_hour: Some(5), ..Limits::default() };
        assert_eq!(code(tx.set_limits(&shop(), &vendor_name("other"), &limits)), "not-found");
        tx.set_limits(&shop(), &sendgrid, &limits).expect("sets");
        let limits = Limits { requests_per_second: Some(7), ..Limits::default() };
        tx.set_limits(&shop(), &sendgrid, &limits).expect("sets");
        assert_eq!(tx.limits().expect("lists"), [(shop(), sendgrid, limits)]);
    }

    #[test]
    fn a_burst_is_one_row_for_each_hour_and_old_hours_are_forgotten() {
        let scratch = registered();
        let (tx, oldest) = (scratch.tx(), START.plus_seconds(-3_600));
        let burst = |hour: Timestamp, calls| Burst {
            workload: shop(),
            vendor: vendor_name("sendgrid"),
            hour,
            usual: Volume { calls: 1, people: 2 },
            held: Volume { calls, people: 10 * calls },
        };
        assert!(tx.record_burst(&burst(START, 1), oldest).expect("records"));
        assert!(!tx.record_burst(&burst(START, 3), oldest).expect("records"));
        let later = START.plus_seconds(3_600);
        assert!(tx.record_burst(&burst(later, 2), oldest).expect("records"));
        assert_eq!(tx.bursts(9).expect("lists"), [burst(later, 2), burst(START, 3)]);
        assert!(!tx.record_burst(&burst(later, 4), later).expect("records"));
        assert_eq!(tx.bursts(9).expect("lists"), [burst(later, 4)]);
    }

    #[test]
    fn the_last_approval_holds() {
        let scratch = registered();
        let tx = scratch.tx();
        let approval = |until: Timestamp| BurstApproval {
            workload: shop(),
            vendor: vendor_name("sendgrid"),
            approved_by: OperatorName::parse("ann").expect("a name"),
            approved_at: START,
            until,
        };
        tx.approve_burst(&approval(START.plus_seconds(9))).expect("approves");
        tx.approve_burst(&approval(START.plus_seconds(5))).expect("approves");
        assert_eq!(tx.burst_approvals().expect("lists"), [approval(START.plus_seconds(5))]);
    }
}
