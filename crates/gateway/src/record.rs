//! Record: who gets to know what, durable before the first byte leaves.

use ledger::{Intent, IntentRow};
use model::{OperationName, Timestamp};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use crate::admit::{Admitted, operation_name};
use crate::cx::Cx;
use crate::decide::Verdict;
use crate::dispatch::Answer;
use crate::read::Reading;
use crate::refused::Refused;
use crate::seen::{Account, micros};
use crate::settle::settle;
use crate::trace::Phase;

/// A call that is on record and has a place among the calls to its vendor.
pub(crate) struct Recorded {
    _place: OwnedSemaphorePermit,
}

/// Records what is about to leave. After it returns the call may leave, or must be settled.
pub(crate) async fn record(
    cx: &Cx,
    account: &mut Account,
    request: &Admitted,
    reading: &Reading,
    verdict: &Verdict,
) -> Result<Recorded, Refused> {
    account.enter(Phase::Record);
    let waiting = cx.lane(&request.vendor).acquire_owned();
    let place = timeout(cx.patience.busy, waiting).await;
    let place = place.map_err(|_| Refused::VendorBusy)?.map_err(|_| Refused::VendorBusy)?;

    let intent = intent(cx, account, request, reading, verdict);
    let began = Instant::now();
    let durable = cx.ledger.intend(intent).await;
    account.seen.micros.record = micros(began.elapsed());
    durable.map_err(|_| Refused::LedgerDown)?;
    account.recorded = true;

    let recorded = Recorded { _place: place };
    match cx.registry.may_leave(&request.vendor) {
        Ok(()) => Ok(recorded),
        Err(refused) => match settle(cx, account, recorded, Answer::NotSent(refused)).await {
            Err(refused) => Err(refused),
            Ok(_) => Err(Refused::Fault),
        },
    }
}

fn intent(
    cx: &Cx,
    account: &Account,
    request: &Admitted,
    reading: &Reading,
    verdict: &Verdict,
) -> Intent {
    let at = cx.world.now();
    let documented = request.operation.and_then(|operation| operation.retention_days);
    let held_until: Timestamp = request.entry().vendor.held_until(at, documented);
    let unknown = || OperationName::parse("unknown").expect("it is an operation's name");
    Intent {
        call: account.seen.call,
        at,
        vendor: request.vendor.clone(),
        operation: request.operation.map_or_else(unknown, operation_name),
        workload: request.workload.clone(),
        purpose: request.purpose.clone(),
        mode: request.mode,
        asked: Some(verdict.asked.clone()),
        held_until,
        rows: rows(cx, reading, verdict),
    }
}

/// One row for each person of whom something is disclosed; none when nobody could be read.
fn rows(cx: &Cx, reading: &Reading, verdict: &Verdict) -> Vec<IntentRow> {
    let key = cx.ledger.identifier_key();
    let disclosing = reading.parties().iter().filter_map(|party| {
        let fields = verdict.disclosed(party.fields);
        (!fields.is_empty()).then(|| IntentRow {
            identifiers: party.identifiers.iter().map(|known| known.hash(key)).collect(),
            fields,
            lists: party.lists.clone(),
        })
    });
    disclosing.collect()
}
