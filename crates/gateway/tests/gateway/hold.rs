//! Calls that wait in Cordon while their vendor is on hold: in order, at most once, with a record.

use gateway::{HOLD, Left, SpoolLimits};
use ledger::Settled;
use model::{FieldSet, Switch, VendorName};

use crate::office::Office;
use crate::support::Request;

fn queued(office: &Office, subject: &str) -> Request {
    let mail = office.house.mail().header(HOLD, "queue");
    mail.json(|body| body["subject"] = subject.into())
}

#[tokio::test]
async fn a_caller_that_cannot_wait_is_told_under_which_id_its_call_will_leave() {
    let mut office = Office::open().await;
    office.house.switch(Switch::Hold);
    let mut ids = Vec::new();
    for subject in ["one", "two", "three"] {
        let answer = office.house.send(queued(&office, subject)).await;
        assert_eq!(answer.said(), (202, "held", None));
        let said = answer.json();
        assert_eq!(said["outcome"], "held");
        assert_eq!(said["call"].as_str(), answer.header("x-cordon-call"));
        ids.push(answer.header("x-cordon-call").expect("an id").to_owned());
    }
    let backlog = office.house.gateway.backlog(&VendorName::parse("sendgrid").expect("a name"));
    assert_eq!((backlog.calls, backlog.mails), (3, 0));
    assert!(office.house.disclosures().is_empty() && office.vendor.got().is_empty());
    let answer = office.house.send(office.house.mail()).await;
    assert_eq!(answer.said(), (429, "not-sent", Some("vendor-held")), "who can wait waits");

    office.house.switch(Switch::Open);
    office.emptied().await;
    let got = office.vendor.got();
    let subjects: Vec<_> = got.iter().map(|got| got.json()["subject"].clone()).collect();
    assert_eq!(subjects, ["one", "two", "three"]);
    assert!(got.iter().all(|got| got.header("x-cordon-hold").is_empty()));
    let recorded: Vec<_> =
        office.house.disclosures().iter().map(|row| row.call.to_string()).collect();
    assert_eq!(recorded, ids);
    assert!(office.house.disclosures().iter().all(|row| row.settled == Settled::Sent));
}

#[tokio::test]
async fn a_call_is_decided_when_it_comes_and_again_when_it_leaves() {
    let mut office = Office::open().await;
    office.house.switch(Switch::Hold);
    let refused = queued(&office, "no").header("X-Cordon-Purpose", "spying");
    let answer = office.house.send(refused).await;
    assert_eq!(answer.said(), (403, "not-sent", Some("purpose-not-granted")));
    assert_eq!(office.house.send(queued(&office, "yes")).await.status, 202);
    office.house.change(|setup| setup.fields = FieldSet::parse("email").expect("fields"));
    office.house.switch(Switch::Open);
    office.emptied().await;
    let last = office.house.seen.all().pop().expect("it ended");
    assert_eq!((last.outcome, last.code), (Left::NotSent, Some("field-not-granted")));
    assert!(office.vendor.got().is_empty() && office.house.disclosures().is_empty());
}

#[tokio::test]
async fn what_waited_too_long_or_for_a_vendor_that_was_stopped_ends_with_a_record() {
    let mut office = Office::open().await;
    office.house.switch(Switch::Hold);
    assert_eq!(office.house.send(queued(&office, "late")).await.status, 202);
    office.pass(23 * 60 * 60);
    assert_eq!(office.house.send(queued(&office, "cut")).await.status, 202);
    office.pass(2 * 60 * 60);
    office.house.seen.ended(3).await;
    office.house.switch(Switch::Stop);
    office.emptied().await;
    let seen = office.house.seen.all();
    let codes: Vec<_> = seen.iter().filter_map(|seen| seen.code).collect();
    assert_eq!(codes, ["held-expired", "held-discarded"]);
    assert!(seen[2..].iter().all(|seen| seen.outcome == Left::NotSent && seen.workload.is_some()));
    assert!(office.vendor.got().is_empty());
}

#[tokio::test]
async fn a_full_queue_tells_callers_to_come_back() {
    let limits = SpoolLimits { entries: 1, ..SpoolLimits::default() };
    let office = Office::with(|setup| setup.switch = Switch::Hold, limits).await;
    assert_eq!(office.house.send(queued(&office, "one")).await.status, 202);
    let answer = office.house.send(queued(&office, "two")).await;
    assert_eq!(answer.said(), (429, "not-sent", Some("spool-full")));
    assert_eq!(answer.header("retry-after"), Some("30"));
}

#[tokio::test]
async fn calls_that_wait_survive_a_crash_in_their_order() {
    let mut office = Office::open().await;
    office.house.switch(Switch::Hold);
    for subject in ["one", "two", "three"] {
        assert_eq!(office.house.send(queued(&office, subject)).await.status, 202);
    }
    office.crash().await;
    office.house.switch(Switch::Open);
    office.emptied().await;
    let got = office.vendor.got();
    let subjects: Vec<_> = got.iter().map(|got| got.json()["subject"].clone()).collect();
    assert_eq!(subjects, ["one", "two", "three"]);
}
