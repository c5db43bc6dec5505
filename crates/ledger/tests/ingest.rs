//! Taking in: many callers per `fdatasync`, large batches, sealing by itself, refusals.

mod common;

use std::sync::Arc;

use common::{at, call, hash, intent, list, open, row, scratch, sent, vendor, world};
use ledger::{Import, IntentRow, RefusedCall};
use model::{IdentifierHash, Reach, Timestamp, Window, limits};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_who_wait_together_share_one_fdatasync() {
    let dir = scratch();
    let (ledger, _) = open(dir.path(), &world(1));
    let start = Arc::new(tokio::sync::Barrier::new(400));
    let callers: Vec<_> = (0..400)
        .map(|number| {
            let (ledger, start) = (ledger.clone(), start.clone());
            tokio::spawn(async move {
                start.wait().await;
                let rows = vec![row(&[&format!("person-{number}")], "email", &[])];
                ledger.intend(intent(number, rows)).await
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("no panic").expect("durable");
    }
    let status = ledger.status();
    assert_eq!((status.calls, status.rows, status.people, status.unsettled), (400, 400, 400, 400));
    // Each new person is a mapping and a call.
    assert_eq!(status.records, 800);
    assert!(status.syncs < 400, "{} syncs", status.syncs);
    assert!(status.records_per_sync > 2.0, "{status:?}");
}

fn many(from: usize, count: usize) -> Vec<IntentRow> {
    let person = |number: usize| IntentRow {
        identifiers: vec![IdentifierHash(
            (number as u128).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835).to_le_bytes(),
        )],
        fields: common::fields("email"),
        lists: vec![list("a"), list("b"), list("a")],
    };
    (from..from + count).map(person).collect()
}

#[tokio::test]
async fn an_import_larger_than_a_frame_is_whole_after_reopening() {
    let (dir, world) = (scratch(), world(1));
    let (ledger, _) = open(dir.path(), &world);
    let rows = 3 * limits::LEDGER_ROWS_PER_FRAME + 7;
    let import = Import {
        call: call(1),
        vendor: vendor("sendgrid"),
        as_of: at(5),
        held_until: Timestamp::NEVER,
        rows: many(0, rows),
    };
    ledger.import(import).await.expect("durable");
    assert!(ledger.status().syncs > 1, "several frames");
    drop(ledger);
    let (ledger, recovered) = open(dir.path(), &world);
    assert_eq!((recovered.rows, recovered.unsettled), (2 * rows as u64, 0), "each in two lists");
    let exposure = ledger.exposure(&vendor("sendgrid"), Window::default(), &Reach::default());
    assert_eq!(exposure.expect("answers").persons.len(), rows);
}

#[tokio::test]
async fn a_refused_call_is_recorded_and_discloses_nothing() {
    let (dir, world) = (scratch(), world(1));
    let (ledger, _) = open(dir.path(), &world);
    let refused = RefusedCall {
        call: call(1),
        at: at(1),
        vendor: vendor("sendgrid"),
        workload: None,
        operation: None,
        code: "unknown-operation".into(),
        would: None,
        times: 1,
    };
    ledger.refuse(refused).await.expect("taken");
    ledger.intend(intent(2, vec![])).await.expect("durable");
    ledger.settle(call(2), sent()).await.expect("durable");
    assert_eq!(ledger.seal().await.expect("seals").calls, 1);
    drop(ledger);
    let (ledger, _) = open(dir.path(), &world);
    assert!(!ledger.knows_call(call(1)) && ledger.knows_call(call(2)));
    assert_eq!((ledger.status().rows, ledger.status().runs), (0, 1));
    assert!(ledger.person(hash("anybody")).is_none());
    assert_eq!(ledger.seal().await.expect("nothing new").manifest, 2);
}
