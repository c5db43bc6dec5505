//! Calls read back as a whole, with what policy was asked about them.

mod common;

use common::{at, call, fields, hash, intent, list, open, row, scratch, sent, vendor, world};
use ledger::{Asked, CallEnd, Ledger, RecordedCall, RefusedCall, Settled, WouldDisclose};
use model::{Consent, Mode, PolicyDigest, Purpose, Residence, Timestamp, WorkloadName};

fn asked() -> Asked {
    Asked {
        policy: PolicyDigest::of("permit (principal, action, resource);"),
        fields: fields("email,name,phone"),
        region: Some(Residence::parse("US-CA").expect("a region")),
        consent: Some(vec![Consent::parse("marketing").expect("a consent")]),
    }
}

fn calls(ledger: &Ledger, since: Timestamp) -> Vec<RecordedCall> {
    let mut calls = Vec::new();
    ledger.calls(since, &mut |call| calls.push(call)).expect("reads");
    calls.sort_by_key(|call| call.at);
    calls
}

#[tokio::test]
async fn a_call_reads_back_whole_before_and_after_it_is_sealed() {
    let (dir, world) = (scratch(), world(1));
    let (ledger, _) = open(dir.path(), &world);
    let rows = vec![
        row(&["ann@example.com"], "email,name", &["Weekly", "Daily"]),
        row(&["bob@example.com"], "email", &["Daily"]),
    ];
    let mut first = intent(1, rows);
    first.asked = Some(asked());
    ledger.intend(first).await.expect("durable");
    ledger.settle(call(1), sent()).await.expect("durable");
    ledger.intend(intent(2, vec![])).await.expect("durable");
    let would = WouldDisclose {
        purpose: Purpose::parse("marketing").expect("a name"),
        mode: Mode::Enforce,
        people: 40,
        lists: vec![list("Daily"), list("Weekly")],
        asked: asked(),
    };
    let refused = RefusedCall {
        call: call(3),
        at: at(3),
        vendor: vendor("sendgrid"),
        workload: Some(WorkloadName::parse("web").expect("a name")),
        operation: None,
        code: "policy-forbids".into(),
        times: 1,
        would: Some(would),
    };
    ledger.refuse(refused).await.expect("taken");
    ledger.intend(intent(4, vec![])).await.expect("durable, and so is what came before");

    let before = calls(&ledger, Timestamp::MIN);
    let [ann_and_bob, nobody, refused, last] = before.as_slice() else {
        panic!("four calls: {before:?}")
    };
    assert_eq!(ann_and_bob.asked, Some(asked()));
    assert_eq!((ann_and_bob.people, ann_and_bob.persons.len()), (2, 2));
    assert_eq!(ann_and_bob.lists, [list("Daily"), list("Weekly")]);
    assert_eq!(ann_and_bob.disclosed, fields("email,name"));
    assert_eq!(ann_and_bob.end, CallEnd::Recorded(Settled::Sent));
    assert_eq!((nobody.people, nobody.asked.is_none()), (0, true));
    assert_eq!(nobody.end, CallEnd::Recorded(Settled::Open));
    assert_eq!((refused.people, refused.persons.len()), (40, 0));
    assert_eq!((&refused.lists, &refused.asked), (&ann_and_bob.lists, &Some(asked())));
    assert_eq!(refused.end, CallEnd::Refused("policy-forbids".into()));
    assert_eq!(calls(&ledger, at(4)), std::slice::from_ref(last));

    ledger.seal().await.expect("seals");
    assert_eq!(calls(&ledger, Timestamp::MIN), before, "the same out of a file");
    assert_eq!(calls(&ledger, at(3)).len(), 2);
    drop(ledger);
    let (ledger, _) = open(dir.path(), &world);
    assert_eq!(calls(&ledger, Timestamp::MIN), before);

    ledger.forget(&[hash("ann@example.com")]).await.expect("durable");
    let after = calls(&ledger, Timestamp::MIN);
    assert_eq!((after[0].people, after[0].persons.len()), (2, 1), "she is counted, not named");

    let mut digests = Vec::new();
    ledger.disclosures(&mut |row| digests.push(row.policy)).expect("reads");
    assert_eq!(digests, vec![Some(asked().policy); 3]);
}
