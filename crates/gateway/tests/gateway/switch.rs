//! The kill switch, at each point where it is read.

use std::sync::Arc;
use std::time::Duration;

use gateway::Patience;
use ledger::Settled;
use model::Switch;
use tokio::time::Instant;

use crate::connectors_wrapped::{Phase, Wrapped};
use crate::support::{FakeVendor, House, Setup, soon};

#[tokio::test]
async fn hold_tells_sdks_to_come_back_and_stop_tells_them_not_to() {
    let vendor = FakeVendor::accepting().await;
    let mut house = House::with(Setup::sendgrid(&vendor)).await;
    house.switch(Switch::Hold);
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.said(), (429, "not-sent", Some("vendor-held")));
    assert_eq!(answer.header("retry-after"), Some("30"));
    house.switch(Switch::Stop);
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.said(), (403, "not-sent", Some("vendor-stopped")));
    assert_eq!(answer.header("retry-after"), None);
    assert!(answer.json()["errors"][0]["message"].is_string(), "in the vendor's words");
    assert!(vendor.got().is_empty() && house.disclosures().is_empty());
    assert!(house.seen.all().iter().all(|seen| !house.ledger.knows_call(seen.call)));
    house.switch(Switch::Open);
    assert_eq!(house.send(house.mail()).await.said(), (202, "sent", None));
}

/// Moves the switch at a phase: the call must not leave, and its intent is settled as not sent.
async fn cut_at(phase: Phase, switch: Switch, said: (u16, &str, Option<&str>)) {
    let vendor = FakeVendor::accepting().await;
    let connector = Wrapped::new(phase);
    let mut house = House::with(Setup { connector, ..Setup::sendgrid(&vendor) }).await;
    let (gateway, registry) = (house.gateway.clone(), house.switched(switch));
    connector.set(move || gateway.replace(registry));

    assert_eq!(house.send(house.mail()).await.said(), said);
    assert!(vendor.got().is_empty(), "not a byte reaches the vendor");
    let rows = house.disclosures();
    assert_eq!(rows.len(), 1, "it was on record before it could leave");
    assert_eq!(rows[0].settled, Settled::NotSent);
    assert_eq!(house.ledger.status().unsettled, 0);
    assert_eq!(house.ledger.status().calls, 1, "and nothing is recorded twice");
    assert_eq!(house.seen.only().code, said.2);
}

#[tokio::test]
async fn a_cut_while_the_call_is_recorded_keeps_it_back() {
    cut_at(Phase::Read, Switch::Stop, (403, "not-sent", Some("vendor-stopped"))).await;
    cut_at(Phase::Read, Switch::Hold, (429, "not-sent", Some("vendor-held"))).await;
}

#[tokio::test]
async fn a_cut_as_the_first_byte_is_about_to_be_written_keeps_it_back() {
    cut_at(Phase::Authorise, Switch::Stop, (403, "not-sent", Some("vendor-stopped"))).await;
    cut_at(Phase::Authorise, Switch::Hold, (429, "not-sent", Some("vendor-held"))).await;
}

#[tokio::test]
async fn a_cut_also_holds_on_a_connection_that_was_used_before() {
    let vendor = FakeVendor::accepting().await;
    let connector = Wrapped::new(Phase::Authorise);
    let mut house = House::with(Setup { connector, ..Setup::sendgrid(&vendor) }).await;
    assert_eq!(house.send(house.mail()).await.said(), (202, "sent", None));
    let (gateway, registry) = (house.gateway.clone(), house.switched(Switch::Stop));
    connector.set(move || gateway.replace(registry));
    assert_eq!(house.send(house.mail()).await.code(), Some("vendor-stopped"));
    assert_eq!(vendor.got().len(), 1);
    house.switch(Switch::Open);
    assert_eq!(house.send(house.mail()).await.said(), (202, "sent", None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_amid_traffic_agrees_with_what_the_vendor_got() {
    let vendor = FakeVendor::accepting().await;
    let mut house = House::with(Setup::sendgrid(&vendor)).await;
    let cut = house.switched(Switch::Stop);
    let house = Arc::new(house);
    let callers = (0..16).map(|_| {
        let house = house.clone();
        tokio::spawn(async move {
            let mut sent = 0;
            loop {
                match house.send(house.mail()).await.said() {
                    (202, "sent", None) => sent += 1,
                    (403, "not-sent", Some("vendor-stopped")) => return sent,
                    other => panic!("{other:?}"),
                }
            }
        })
    });
    let callers: Vec<_> = callers.collect();
    vendor.hears_all(40).await;
    house.gateway.replace(cut);
    let mut sent = 0;
    for caller in callers {
        sent += caller.await.expect("every caller is answered");
    }
    assert_eq!(vendor.got().len(), sent, "what was told and what arrived agree");
    let rows = house.disclosures();
    let counted = rows.iter().filter(|row| row.settled == Settled::Sent).count();
    assert_eq!(counted, sent);
    assert!(rows.iter().all(|row| matches!(row.settled, Settled::Sent | Settled::NotSent)));
}

#[tokio::test]
async fn what_nobody_confirms_lets_nothing_leave_until_somebody_does() {
    let vendor = FakeVendor::accepting().await;
    let stale = Duration::from_millis(200);
    let patience = Patience { stale, ..Patience::default() };
    let house = House::start(vec![Setup::sendgrid(&vendor)], patience).await;
    soon("a stale registry", async {
        while house.gateway.freshness().holds() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.said(), (503, "not-sent", Some("switch-unknown")));
    assert!(answer.header("retry-after").is_some());
    assert!(vendor.got().is_empty() && house.disclosures().is_empty());

    house.gateway.confirm(Instant::now() + Duration::from_secs(60));
    assert_eq!(house.send(house.mail()).await.said(), (202, "sent", None));
}

#[tokio::test]
async fn a_registry_that_goes_stale_as_the_first_byte_is_about_to_be_written_keeps_it_back() {
    let vendor = FakeVendor::accepting().await;
    let connector = Wrapped::new(Phase::Authorise);
    let stale = Duration::from_millis(500);
    let patience = Patience { stale, ..Patience::default() };
    let setup = Setup { connector, ..Setup::sendgrid(&vendor) };
    let house = House::start(vec![setup], patience).await;
    let gateway = house.gateway.clone();
    connector.set(move || while gateway.freshness().holds() {});
    assert_eq!(house.send(house.mail()).await.said(), (503, "not-sent", Some("switch-unknown")));
    assert!(vendor.got().is_empty(), "not a byte reaches the vendor");
    assert_eq!(house.disclosures()[0].settled, Settled::NotSent);
}
