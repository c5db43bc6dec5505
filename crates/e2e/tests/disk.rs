//! The disk is full, fails, or is slow: nothing leaves that is not on record, whoever asked learns
//! what happened, and the next start goes on.

use std::collections::BTreeSet;
use std::path::PathBuf;

use e2e::faults::{Faults, SmallDisk};
use e2e::web::{Answer, send};
use e2e::{Company, Program, Shop, receipt};
use http::Method;
use serde_json::{Value, json};

/// Sends a receipt through the gateway.
async fn call(shop: &Shop, to: &str) -> Answer {
    let bearer = format!("Bearer {}", shop.token);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let url = format!("{}/v3/mail/send", shop.base);
    send(Method::POST, &url, &headers, receipt(to).to_string()).await
}

fn said(answer: &Answer) -> (u16, &str, &str) {
    (answer.status, answer.header("x-cordon-outcome"), answer.header("x-cordon-code"))
}

const SENT: (u16, &str, &str) = (202, "sent", "");
const DOWN: (u16, &str, &str) = (503, "not-sent", "ledger-down");

fn person(number: usize) -> String {
    format!("d{number}@members.example")
}

/// Whom the vendor got mail for.
fn received(company: &Company) -> BTreeSet<String> {
    let rows = company.sandbox.received();
    let emails: Vec<_> = rows.into_iter().flat_map(|row| row.emails).collect();
    let all: BTreeSet<String> = emails.iter().map(ToString::to_string).collect();
    assert_eq!(all.len(), emails.len(), "nobody got two");
    all
}

/// Everybody whom the vendor got mail for is on record.
async fn is_on_record(program: &Program, people: &BTreeSet<String>) {
    for email in people {
        let body = json!({ "email": email });
        let held = program.admin.post("/api/v1/holdings", &body).await.expect("it is answered");
        assert_ne!(held["holdings"], json!([]), "{email} left and is not on record");
    }
}

async fn ledger(program: &Program) -> Value {
    program.admin.get("/api/v1/status").await.expect("a status")["ledger"].clone()
}

/// The segments of the write-ahead record.
fn segments(company: &Company) -> Vec<PathBuf> {
    let folder = company.data().join("ledger/wal");
    let entries = std::fs::read_dir(folder).expect("segments").flatten();
    entries.map(|entry| entry.path()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_nothing_leaves_and_after_room_was_made_a_restart_goes_on() {
    let company = Company::found().await;
    let Some(disk) = SmallDisk::at(&company.data(), 48).await else {
        eprintln!("SKIPPED: this machine lets nobody mount a small disk");
        return;
    };
    let program = company.start().await;
    let shop = company.open_shop(&program).await;
    assert_eq!(said(&call(&shop, &person(0)).await), SENT);
    let filler = disk.fill();
    let mut sent = BTreeSet::from([person(0)]);
    for number in 1.. {
        assert!(number < 20_000, "the disk is full, and the record still grows");
        let answer = call(&shop, &person(number)).await;
        match said(&answer) {
            SENT => drop(sent.insert(person(number))),
            other => {
                assert_eq!(other, DOWN);
                break;
            }
        }
    }
    std::fs::remove_file(filler).expect("it goes");
    assert_eq!(said(&call(&shop, "later@members.example").await), DOWN, "until a restart");
    assert_eq!(received(&company), sent, "what was answered `sent`, and nothing else");
    let status = ledger(&program).await;
    assert_eq!(status["down"], true, "{status}");
    is_on_record(&program, &sent).await;

    program.kill().await;
    let program = company.start().await;
    let base = format!("{}/v/sendgrid", program.places.gateway);
    let shop = Shop { base, ..shop };
    assert_eq!(said(&call(&shop, "again@members.example").await), SENT);
    is_on_record(&program, &received(&company)).await;
    let audit = program.admin.get("/api/v1/audit/verify").await.expect("verified");
    assert_eq!(audit["ok"], true, "{audit}");
    assert!(program.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_fdatasync_nothing_leaves_until_a_restart() {
    if !Faults::can_be_had().await {
        eprintln!("SKIPPED: this machine has no `strace` that may make system calls fail");
        return;
    }
    for fault in ["fdatasync:error=EIO", "pwrite64:error=ENOSPC", "pwrite64:error=EIO"] {
        let company = Company::found().await;
        let program = company.start().await;
        let shop = company.open_shop(&program).await;
        assert_eq!(said(&call(&shop, &person(0)).await), SENT);
        let faults = Faults::on(&program, fault, &segments(&company)).await;
        for number in 1..4 {
            assert_eq!(said(&call(&shop, &person(number)).await), DOWN, "{fault}");
        }
        faults.mend().await;
        // A later `fdatasync` would succeed and prove nothing: the pages may be gone.
        assert_eq!(said(&call(&shop, &person(4)).await), DOWN, "{fault}");
        assert_eq!(received(&company), BTreeSet::from([person(0)]));

        program.kill().await;
        let program = company.start().await;
        let base = format!("{}/v/sendgrid", program.places.gateway);
        let shop = Shop { base, ..shop };
        assert_eq!(said(&call(&shop, &person(5)).await), SENT, "{fault}");
        is_on_record(&program, &received(&company)).await;
        assert!(program.stop().await.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_disk_slows_calls_down_and_they_share_its_syncs() {
    const CALLS: usize = 64;
    if !Faults::can_be_had().await {
        eprintln!("SKIPPED: this machine has no `strace` that may slow system calls down");
        return;
    }
    let company = Company::found().await;
    let program = company.start().await;
    let shop = std::sync::Arc::new(company.open_shop(&program).await);
    let before = ledger(&program).await["syncs"].as_u64().expect("a count");
    let faults = Faults::on(&program, "fdatasync:delay_enter=250000", &segments(&company)).await;
    let calls: Vec<_> = (0..CALLS)
        .map(|number| {
            let shop = shop.clone();
            tokio::spawn(async move { call(&shop, &person(number)).await })
        })
        .collect();
    for call in calls {
        assert_eq!(said(&call.await.expect("it ends")), SENT);
    }
    let syncs = ledger(&program).await["syncs"].as_u64().expect("a count") - before;
    assert!(syncs < CALLS as u64, "{syncs} syncs for {CALLS} calls, each with an outcome too");
    faults.mend().await;
    let everybody: BTreeSet<String> = (0..CALLS).map(person).collect();
    assert_eq!(received(&company), everybody);
    is_on_record(&program, &everybody).await;
    assert!(program.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_disk_is_slow_everything_that_left_is_on_record() {
    if !Faults::can_be_had().await {
        eprintln!("SKIPPED: this machine has no `strace` that may slow system calls down");
        return;
    }
    let company = Company::found().await;
    let program = company.start().await;
    let shop = std::sync::Arc::new(company.open_shop(&program).await);
    let faults = Faults::on(&program, "fdatasync:delay_exit=300000", &segments(&company)).await;
    let calls: Vec<_> = (0..32)
        .map(|number| {
            let shop = shop.clone();
            tokio::spawn(async move { call(&shop, &person(number)).await })
        })
        .collect();
    e2e::until("some of them at the vendor", || async {
        (!company.sandbox.received().is_empty()).then_some(())
    })
    .await;
    calls.iter().for_each(tokio::task::JoinHandle::abort); // nobody waits for an answer
    program.kill().await;
    drop(faults);
    let program = company.start().await;
    let all = received(&company);
    assert!(!all.is_empty());
    is_on_record(&program, &all).await;
    assert!(program.stop().await.success());
}
