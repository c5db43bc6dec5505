//! Cordon's own calls: canaries like everybody's, containment while a vendor is cut.

use connectors::{ApiCall, CredentialUse, OwnedOutbound};
use model::{Coded as _, Contact, Email, ListName, Mode, Purpose, Secret, Switch, VendorName};

use crate::support::{Act, FakeVendor, House, SENDGRID_KEY, Setup, reply};

fn sendgrid() -> VendorName {
    VendorName::parse("sendgrid").expect("a name")
}

fn canary() -> OwnedOutbound {
    let contact = Contact {
        person_id: "can_1".into(),
        email: Some(Email::parse("w.lind@mail.example").expect("an address")),
        phone: None,
        name: Some("Wilma Lind".into()),
        country: None,
        region: None,
        language: None,
        two_factor: None,
    };
    let list = ListName::parse("a3b5-members").expect("a list");
    let connector = connectors::connector("sendgrid").expect("a connector");
    connector.upsert_contact(&contact, Some(&list)).expect("SendGrid keeps lists")
}

#[tokio::test]
async fn a_canary_is_recorded_like_a_person_in_its_list() {
    let vendor = FakeVendor::start(|_| Act::Reply(reply("202 Accepted", "", "{}"))).await;
    let house = House::with(Setup { mode: Mode::Observe, ..Setup::sendgrid(&vendor) }).await;
    let purpose = Purpose::parse("canary").expect("a purpose");
    let replied = house.gateway.carry_own(&sendgrid(), &purpose, canary()).await.expect("sent");
    assert!(replied.is_success());
    assert_eq!(vendor.only().line(), "PUT /v3/marketing/contacts HTTP/1.1");
    let rows = house.disclosures();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].list.as_ref().map(ListName::as_str), Some("a3b5-members"));
    let seen = house.seen.only();
    assert_eq!(seen.workload.expect("known").as_str(), policy::OWN_WORKLOAD);
}

#[tokio::test]
async fn a_canary_is_held_by_the_switch_and_refused_for_a_vendor_that_is_not_there() {
    let vendor = FakeVendor::accepting().await;
    let mut house = House::with(Setup::sendgrid(&vendor)).await;
    house.switch(Switch::Stop);
    let purpose = Purpose::parse("canary").expect("a purpose");
    let refused = house.gateway.carry_own(&sendgrid(), &purpose, canary()).await;
    assert_eq!(refused.expect_err("cut").code(), "vendor-stopped");
    let nobody = VendorName::parse("nobody").expect("a name");
    let refused = house.gateway.carry_own(&nobody, &purpose, canary()).await;
    assert_eq!(refused.expect_err("unknown").code(), "vendor-unknown");
    assert!(vendor.got().is_empty());
}

fn call(credential: CredentialUse) -> ApiCall {
    ApiCall {
        method: "DELETE",
        path: "/v3/api_keys/abc?x=y".to_owned(),
        body: None,
        credential,
        why: "take the key away".to_owned(),
    }
}

#[tokio::test]
async fn containment_goes_on_while_the_vendor_is_cut_and_is_no_disclosure() {
    let vendor = FakeVendor::start(|got| {
        let revoked = got.header("authorization") == ["Bearer SG.old"];
        Act::Reply(if revoked { reply("401 No", "", "{}") } else { reply("204 Gone", "", "") })
    })
    .await;
    let mut house = House::with(Setup::sendgrid(&vendor)).await;
    house.switch(Switch::Stop);
    let replied = house.gateway.call_vendor(&sendgrid(), &call(CredentialUse::Held), None).await;
    assert_eq!(replied.status, 204);
    assert_eq!(vendor.got()[0].line(), "DELETE /v3/api_keys/abc?x=y HTTP/1.1");
    assert_eq!(vendor.got()[0].header("authorization"), [format!("Bearer {SENDGRID_KEY}")]);
    let old = Secret::new("SG.old".to_owned());
    let with_old = call(CredentialUse::Revoked);
    let gone = house.gateway.call_vendor(&sendgrid(), &with_old, Some(&old)).await;
    assert_eq!(gone.status, 401);
    assert!(house.disclosures().is_empty() && house.seen.all().is_empty());
    assert_eq!(house.ledger.status().calls, 0);
}

#[tokio::test]
async fn a_containment_call_that_nobody_answers_has_no_status() {
    let vendor = FakeVendor::start(|_| Act::Last(Vec::new())).await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let replied = house.gateway.call_vendor(&sendgrid(), &call(CredentialUse::Held), None).await;
    assert_eq!(replied.status, 0);
    let without = house.gateway.call_vendor(&sendgrid(), &call(CredentialUse::Revoked), None).await;
    assert_eq!(without.status, 0, "a revoked key that is not given is not guessed");
    assert_eq!(vendor.got().len(), 1);
}
