//! Nothing leaves unrecorded, and nothing is recorded twice.

use std::collections::BTreeSet;
use std::sync::Arc;

use gateway::{Left, Patience};
use ledger::Settled;
use model::{FieldSet, Reach, Switch, Window, World};
use serde_json::json;
use tokio::sync::watch;

use crate::connectors_wrapped::{Phase, Wrapped};
use crate::support::{Act, FakeVendor, House, Setup, accepted, now, soon};

#[tokio::test]
async fn a_call_is_recorded_once_for_each_person_with_what_the_vendor_keeps() {
    let vendor = FakeVendor::accepting().await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let mail = house.mail().json(|body| {
        body["personalizations"][0]["cc"] = json!([{ "email": "bob@example.com" }]);
    });
    let answer = house.send(mail).await;
    assert_eq!(answer.said(), (202, "sent", None));
    let mut rows = house.disclosures();
    rows.sort_by_key(|row| row.fields.bits());
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].fields, FieldSet::parse("email,content").expect("fields"));
    assert_eq!(rows[1].fields, FieldSet::parse("email,name,content").expect("fields"));
    for row in &rows {
        assert_eq!(Some(row.call.to_string().as_str()), answer.header("x-cordon-call"));
        assert_eq!((row.vendor.as_str(), row.operation.as_str()), ("sendgrid", "mail.send"));
        assert_eq!(row.held_until, row.at.plus_seconds(30 * 24 * 60 * 60));
        assert_eq!(row.settled, Settled::Sent);
    }
    assert_ne!(rows[0].person, rows[1].person);
    assert_eq!(house.ledger.status().calls, 1);
}

#[tokio::test]
async fn the_record_is_durable_before_the_vendor_hears_of_it() {
    let (tell, told) = watch::channel(false);
    let vendor = FakeVendor::start(move |_| Act::Wait(told.clone(), accepted())).await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let mut caller = house.call().await;
    caller.write(&house.mail().bytes()).await;
    vendor.hears().await;
    let rows = house.disclosures();
    assert_eq!((rows.len(), rows[0].settled), (1, Settled::Open));
    tell.send_replace(true);
    assert_eq!(caller.answer().await.said(), (202, "sent", None));
    assert_eq!(house.disclosures()[0].settled, Settled::Sent);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_keep_a_call_from_being_settled() {
    let (tell, told) = watch::channel(false);
    let vendor = FakeVendor::start(move |_| Act::Wait(told.clone(), accepted())).await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let mut caller = house.call().await;
    caller.write(&house.mail().bytes()).await;
    vendor.hears().await;
    drop(caller);
    tell.send_replace(true);
    house.seen.ended(1).await;
    assert_eq!(house.disclosures()[0].settled, Settled::Sent);
    assert_eq!(house.ledger.status().unsettled, 0);
}

/// Takes the folder of the write-ahead record away, then asks for a new segment in it.
async fn break_ledger(house: &House) {
    let wal = house.ledger_dir.path().join("wal");
    std::fs::remove_dir_all(wal).expect("the folder is there");
    assert!(house.ledger.seal().await.is_err());
    soon("the end of the ledger", async {
        while !house.ledger.status().down {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn when_the_record_cannot_be_written_nothing_leaves() {
    let vendor = FakeVendor::accepting().await;
    let mut house = House::with(Setup::sendgrid(&vendor)).await;
    assert_eq!(house.send(house.mail()).await.said(), (202, "sent", None));
    break_ledger(&house).await;
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.said(), (503, "not-sent", Some("ledger-down")));
    assert_eq!(answer.json()["errors"][0]["help"], "ledger-down");
    assert_eq!(vendor.got().len(), 1);

    // What is refused anyway is still refused, and says that it could not be recorded.
    house.switch(Switch::Stop);
    assert_eq!(house.send(house.mail()).await.code(), Some("vendor-stopped"));
    let seen = house.seen.all().split_off(1);
    assert!(seen.iter().all(|seen| seen.warnings.contains(&"refusal-not-recorded")));
}

#[tokio::test]
async fn when_the_outcome_cannot_be_recorded_the_caller_learns_it_and_it_counts_as_disclosed() {
    let (tell, told) = watch::channel(false);
    let vendor = FakeVendor::start(move |_| Act::Wait(told.clone(), accepted())).await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let mut caller = house.call().await;
    caller.write(&house.mail().bytes()).await;
    vendor.hears().await;
    break_ledger(&house).await;
    tell.send_replace(true);
    assert_eq!(caller.answer().await.said(), (202, "sent", None));
    assert!(house.seen.only().warnings.contains(&"not-settled"));
    let counts = house.disclosures();
    assert_eq!((counts.len(), counts[0].settled), (1, Settled::Open));
}

#[tokio::test]
async fn refusals_are_recorded_as_such() {
    let vendor = FakeVendor::accepting().await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let before = house.ledger.status().records;
    let mail = house.mail().header("X-Cordon-Purpose", "marketing");
    assert_eq!(house.send(mail).await.code(), Some("purpose-not-granted"));
    soon("the record of a refusal", async {
        while house.ledger.status().records == before {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(house.ledger.status().records, before + 1);
    let seen = house.seen.only();
    assert!(!house.ledger.knows_call(seen.call), "a refusal is no intent");
}

#[tokio::test]
async fn a_defect_ends_one_call_and_no_other() {
    let vendor = FakeVendor::accepting().await;
    let connector = Wrapped::new(Phase::Read);
    let house = House::with(Setup { connector, ..Setup::sendgrid(&vendor) }).await;
    connector.set(|| panic!("a defect, on purpose"));
    let mut caller = house.call().await;
    caller.write(&house.mail().bytes()).await;
    let answer = caller.answer().await;
    assert_eq!(answer.said(), (500, "not-sent", Some("gateway-fault")), "it was not on record yet");
    let seen = house.seen.only();
    assert_eq!((seen.outcome, seen.code), (Left::NotSent, Some("gateway-fault")));
    assert_eq!(answer.header("x-cordon-call"), Some(seen.call.to_string().as_str()));
    caller.write(&house.mail().bytes()).await;
    assert_eq!(caller.answer().await.said(), (202, "sent", None));
    assert_eq!((vendor.got().len(), house.disclosures().len()), (1, 1));
}

#[tokio::test]
async fn a_call_that_a_defect_ended_after_its_record_is_unknown_and_counts_as_disclosed() {
    for (phase, written) in [(Phase::Authorise, 0), (Phase::Reply, 1)] {
        let vendor = FakeVendor::accepting().await;
        let connector = Wrapped::new(phase);
        let house = House::with(Setup { connector, ..Setup::sendgrid(&vendor) }).await;
        connector.set(|| panic!("a defect, on purpose"));
        let answer = house.send(house.mail()).await;
        assert_eq!(answer.said(), (500, "unknown", Some("gateway-fault")), "{phase:?}");
        assert_eq!(answer.json()["errors"][0]["help"], "gateway-fault", "in the vendor's words");
        let seen = house.seen.only();
        assert_eq!((seen.outcome, seen.code), (Left::Unknown, Some("gateway-fault")));
        assert_eq!(seen.people, 1);
        let rows = house.disclosures();
        assert_eq!((rows.len(), rows[0].settled), (1, Settled::Unknown));
        assert_eq!(house.ledger.status().unsettled, 0);
        assert_eq!(vendor.got().len(), written, "{phase:?}");
        assert_eq!(house.send(house.mail()).await.said(), (202, "sent", None), "others go on");
    }
}

#[tokio::test]
async fn a_defect_in_the_words_of_a_refusal_still_refuses() {
    let vendor = FakeVendor::accepting().await;
    let connector = Wrapped::new(Phase::Refuse);
    let switch = Switch::Stop;
    let house = House::with(Setup { connector, switch, ..Setup::sendgrid(&vendor) }).await;
    connector.set(|| panic!("a defect, on purpose"));
    let answer = house.send(house.mail()).await;
    assert_eq!((answer.status, answer.code()), (500, Some("gateway-fault")));
    assert_eq!(house.seen.only().code, Some("vendor-stopped"));
    assert!(vendor.got().is_empty());
}

#[tokio::test]
async fn a_clock_that_jumps_loses_no_record_and_mixes_up_none() {
    const DAY: i64 = 24 * 60 * 60;
    let vendor = FakeVendor::accepting().await;
    let start = now();
    let (world, clock) = World::fixed(start, 9);
    let setups = vec![Setup::sendgrid(&vendor)];
    let egress = House::way_out(&setups);
    let house = House::in_world(setups, Patience::default(), egress, world).await;
    let jumps = [0, -DAY, 3_650 * DAY, -7_300 * DAY, 1];
    let mut at = start;
    for (number, jump) in jumps.into_iter().enumerate() {
        clock.advance_seconds(jump);
        at = at.plus_seconds(jump);
        let answer = house.send(house.mail()).await;
        assert_eq!(answer.said(), (202, "sent", None), "after a jump of {jump} seconds");
        let rows = house.disclosures();
        let row = rows.iter().find(|row| row.at == at).expect("it is recorded at that moment");
        assert_eq!((rows.len(), row.settled), (number + 1, Settled::Sent));
        assert_eq!(row.held_until, at.plus_seconds(30 * DAY));
    }
    let calls: BTreeSet<_> = house.disclosures().iter().map(|row| row.call).collect();
    assert_eq!((calls.len(), vendor.got().len()), (jumps.len(), jumps.len()));
    house.ledger.seal().await.expect("it seals");
    assert_eq!(house.disclosures().len(), jumps.len());
    let everything = Window::default();
    let name = house.setups[0].name();
    let exposed = house.ledger.exposure(&name, everything, &Reach::default()).expect("an answer");
    assert_eq!(exposed.persons.len(), 1, "one person, whenever it was");
    let (first, last) = (exposed.persons[0].first_at, exposed.persons[0].last_at);
    let times: Vec<_> = house.disclosures().iter().map(|row| row.at).collect();
    assert_eq!((Some(&first), Some(&last)), (times.iter().min(), times.iter().max()));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_at_once_are_each_recorded_sent_and_settled_once() {
    const CALLERS: usize = 24;
    const CALLS: usize = 10;
    let vendor = FakeVendor::accepting().await;
    let house = Arc::new(House::with(Setup::sendgrid(&vendor)).await);
    let callers = (0..CALLERS).map(|number| {
        let house = house.clone();
        tokio::spawn(async move {
            let mut caller = house.call().await;
            for call in 0..CALLS {
                let to = format!("person-{number}-{call}@example.com");
                let mail = house.mail().json(|body| {
                    body["personalizations"][0]["to"][0]["email"] = json!(to);
                });
                caller.write(&mail.bytes()).await;
                assert_eq!(caller.answer().await.said(), (202, "sent", None));
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.expect("every caller is answered");
    }
    let sent: BTreeSet<String> = vendor
        .got()
        .iter()
        .map(|got| got.json()["personalizations"][0]["to"][0]["email"].to_string())
        .collect();
    assert_eq!((vendor.got().len(), sent.len()), (CALLERS * CALLS, CALLERS * CALLS));
    let rows = house.disclosures();
    let calls: BTreeSet<_> = rows.iter().map(|row| row.call).collect();
    let people: BTreeSet<_> = rows.iter().map(|row| row.person).collect();
    assert_eq!((rows.len(), calls.len(), people.len()), (sent.len(), sent.len(), sent.len()));
    assert!(rows.iter().all(|row| row.settled == Settled::Sent));
    assert_eq!(house.ledger.status().unsettled, 0);
    assert_eq!(house.seen.all().len(), sent.len());
}
