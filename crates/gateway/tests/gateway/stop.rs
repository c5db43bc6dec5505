//! A gateway that is stopped lets what is under way come to its end.

use ledger::Settled;
use tokio::sync::watch;

use crate::support::{Act, FakeVendor, House, Setup, accepted};

#[tokio::test]
async fn a_call_under_way_is_answered_and_settled_before_the_gateway_ends() {
    let (tell, told) = watch::channel(false);
    let vendor = FakeVendor::start(move |_| Act::Wait(told.clone(), accepted())).await;
    let mut house = House::with(Setup::sendgrid(&vendor)).await;
    let mut caller = house.call().await;
    caller.write(&house.mail().bytes()).await;
    vendor.hears().await;
    let answering = tokio::spawn(async move { caller.answer().await.status });
    tell.send_replace(true);
    house.stop().await;
    assert_eq!(answering.await.expect("no panic"), 202);
    assert_eq!(house.disclosures()[0].settled, Settled::Sent);
}

#[tokio::test]
async fn an_idle_connection_does_not_keep_the_gateway_from_ending() {
    let vendor = FakeVendor::accepting().await;
    let mut house = House::with(Setup::sendgrid(&vendor)).await;
    let mut caller = house.call().await;
    caller.write(&house.mail().bytes()).await;
    assert_eq!(caller.answer().await.said(), (202, "sent", None));
    house.stop().await;
    assert!(caller.is_closed().await);
}
