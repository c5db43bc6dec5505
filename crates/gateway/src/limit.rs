//! Limit: whether a workload may give a vendor that much in this second, hour and day.
//!
//! `enforce` holds to its limits, `report` says what it would have refused, `observe` only counts.

use std::sync::Arc;
use std::time::Duration;

use model::{Coded as _, Mode, VendorName, WorkloadName};
use tokio::time::Instant;

use crate::admit::Admitted;
use crate::cx::Cx;
use crate::decide::Verdict;
use crate::flow::{Flow, Over, Terms};
use crate::read::Reading;
use crate::refused::Refused;
use crate::registry::Registry;
use crate::seen::Account;
use crate::trace::Phase;

/// What a workload gave a vendor lately, and what holds for that.
pub(crate) struct Room {
    flow: Arc<Flow>,
    terms: Terms,
}

impl Room {
    /// As it is now.
    pub fn of(cx: &Cx, registry: &Registry, workload: &WorkloadName, vendor: &VendorName) -> Self {
        let flow = cx.flows.of(workload, vendor, cx.world.now());
        Self { flow, terms: registry.terms(workload, vendor) }
    }

    /// Takes room for one more call in this second, before its body is read.
    pub fn pace(&self, account: &mut Account, mode: Mode) -> Result<(), Refused> {
        match self.flow.pace(&self.terms, Instant::now()) {
            Ok(()) => Ok(()),
            Err(wait) => {
                let retry_seconds = whole_seconds(wait);
                judge(account, Refused::RateLimit { retry_seconds }, mode)
            }
        }
    }
}

/// Takes room for the people of a call. It is given back when the call does not leave.
pub(crate) fn limit(
    cx: &Cx,
    account: &mut Account,
    request: &Admitted,
    reading: &Reading,
    verdict: &Verdict,
) -> Result<(), Refused> {
    account.enter(Phase::Limit);
    let disclosed = |fields| !verdict.disclosed(fields).is_empty();
    let people = reading.parties().iter().filter(|party| disclosed(party.fields)).count() as u64;
    let enforced = request.mode == Mode::Enforce;
    let Room { flow, terms } = &request.room;
    let (taken, over) = flow.take(terms, people, cx.world.now(), enforced);
    account.taken = taken;
    match over {
        None => Ok(()),
        Some(Over::Hour { retry_seconds }) => {
            judge(account, Refused::PeoplePerHour { retry_seconds }, request.mode)
        }
        Some(Over::Day { retry_seconds }) => {
            judge(account, Refused::PeoplePerDay { retry_seconds }, request.mode)
        }
        Some(Over::Burst { held: false }) if enforced => {
            account.warn("burst");
            Ok(())
        }
        Some(Over::Burst { .. }) => judge(account, Refused::BurstHeld, request.mode),
    }
}

fn judge(account: &mut Account, refused: Refused, mode: Mode) -> Result<(), Refused> {
    match mode {
        Mode::Enforce => Err(refused),
        Mode::Report => {
            account.seen.would_refuse.get_or_insert(refused.code());
            Ok(())
        }
        Mode::Observe => Ok(()),
    }
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
