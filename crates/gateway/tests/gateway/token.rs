//! Workloads' tokens: when they open something, from where, and what is said of those that do not;
//! and credentials that change while calls are under way.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gateway::{Registry, SeenToken, TokenEntry, token_marks};
use model::{Network, Sighting};

use crate::support::{
    self, Act, FakeVendor, House, Setup, accepted, basic_token, reply, text_message,
};

/// A house whose one token was changed.
async fn house(vendor: &FakeVendor, change: impl Fn(&mut TokenEntry)) -> House {
    let house = House::with(Setup::sendgrid(vendor)).await;
    let mut registry = house.registry();
    registry.tokens.values_mut().for_each(change);
    house.gateway.replace(registry);
    house
}

/// What was said of the token in the only request.
fn wrong(house: &House) -> Option<Sighting> {
    let seen = house.seen.only();
    let SeenToken { key, from, wrong } = seen.token.expect("the token is one of ours");
    assert!(house.registry().tokens.contains_key(&key));
    assert_eq!(from, IpAddr::from([127, 0, 0, 1]));
    assert!(!format!("{wrong:?} {:?}", seen.code).contains("SG."));
    wrong
}

#[tokio::test]
async fn a_token_opens_until_its_end_and_not_at_it() {
    let vendor = FakeVendor::accepting().await;
    let now = House::with(Setup::sendgrid(&vendor)).await.world.now();
    let open = house(&vendor, |token| token.expires_at = Some(now.plus_seconds(1))).await;
    assert_eq!(open.send(open.mail()).await.said(), (202, "sent", None));
    assert_eq!(wrong(&open), None);

    let over = house(&vendor, |token| token.expires_at = Some(now)).await;
    let answer = over.send(over.mail()).await;
    assert_eq!(answer.said(), (401, "not-sent", Some("token-expired")));
    assert_eq!(wrong(&over), Some(Sighting::Expired));
    assert_eq!(vendor.got().len(), 1);
}

#[tokio::test]
async fn a_revoked_token_is_told_from_one_that_nobody_knows() {
    let vendor = FakeVendor::accepting().await;
    let revoked = house(&vendor, |token| token.revoked = true).await;
    let answer = revoked.send(revoked.mail()).await;
    assert_eq!(answer.said(), (401, "not-sent", Some("token-revoked")));
    assert_eq!(wrong(&revoked), Some(Sighting::Revoked));

    let nobodys = revoked.mail().header("Authorization", &format!("Bearer SG.{}", "x".repeat(66)));
    assert_eq!(revoked.send(nobodys).await.code(), Some("token-missing"));
    assert_eq!(revoked.seen.all()[1].token, None);
    assert!(vendor.got().is_empty());
}

#[tokio::test]
async fn a_token_comes_from_its_own_networks_only() {
    let vendor = FakeVendor::accepting().await;
    let network = |text| Network::parse(text).expect(text);
    let home = house(&vendor, |token| {
        token.networks = vec![network("10.0.0.0/8"), network("127.0.0.0/8")];
    });
    let home = home.await;
    assert_eq!(home.send(home.mail()).await.said(), (202, "sent", None));

    let away = house(&vendor, |token| token.networks = vec![network("10.0.0.0/8")]).await;
    let answer = away.send(away.mail()).await;
    assert_eq!(answer.said(), (403, "not-sent", Some("token-outside")));
    assert_eq!(wrong(&away), Some(Sighting::Outside));
    assert_eq!(vendor.got().len(), 1);
}

/// Puts the marks of every token into a registry, as the server does.
fn marked(house: &House) -> Registry {
    let mut registry = house.registry();
    for (setup, token) in house.setups.iter().zip(house.tokens()) {
        let key = gateway::token_key(&house.keys.token, &setup.name(), &token);
        let marks = token_marks(&house.keys.token, &token);
        registry.marks.extend(marks.into_iter().map(|mark| (mark, key)));
    }
    registry
}

#[tokio::test]
async fn a_token_at_another_vendors_door_is_recognised_whatever_its_shape() {
    let vendor = FakeVendor::accepting().await;
    let setups = vec![Setup::sendgrid(&vendor), Setup::twilio(&vendor)];
    let house = House::start(setups, Default::default()).await;
    house.gateway.replace(marked(&house));
    let [sendgrid, twilio] = [0, 1].map(|at| house.tokens()[at].clone());
    let keys = [(0, &sendgrid), (1, &twilio)]
        .map(|(at, token)| gateway::token_key(&house.keys.token, &house.setups[at].name(), token));

    let bearer = format!("Bearer {}", sendgrid.expose());
    let tried = [
        text_message().header("Authorization", &bearer),
        text_message().without("Authorization").header("X-Api-Key", sendgrid.expose()),
        house.mail().header("Authorization", &basic_token()),
        house.mail().without("Authorization").path(&format!(
            "/v/sendgrid/2010-04-01/Accounts/{}/Messages.json",
            &twilio.expose()[..34]
        )),
    ];
    for request in tried {
        let answer = house.send(request).await;
        assert_eq!((answer.status, answer.outcome()), (401, "not-sent"));
    }
    let seen: Vec<_> = house.seen.all().into_iter().map(|seen| seen.token).collect();
    let keys_seen: Vec<_> = seen.iter().map(|seen| seen.as_ref().expect("ours").key).collect();
    assert_eq!(keys_seen, [keys[0], keys[0], keys[1], keys[1]]);
    let other_door = |seen: &Option<SeenToken>| {
        seen.as_ref().is_some_and(|seen| seen.wrong == Some(Sighting::OtherDoor))
    };
    assert!(seen.iter().all(other_door), "{seen:?}");
    assert!(vendor.got().is_empty());
}

const ACCOUNTS: [&str; 3] = [
    "AC11111111111111111111111111111111:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "AC22222222222222222222222222222222:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
    "AC33333333333333333333333333333333:cccccccccccccccccccccccccccccccc",
];

/// The registry with another credential of the vendor.
fn with_credential(house: &House, key: &str) -> Registry {
    let mut registry = house.registry();
    for entry in registry.vendors.values_mut() {
        entry.credential = Some(support::credential(key));
    }
    registry
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_changes_under_load_is_never_mixed_and_refuses_nobody() {
    const CALLERS: usize = 8;
    const CALLS: usize = 60;
    let vendor = FakeVendor::start(|_| Act::Reply(reply("201 Created", "", "{}"))).await;
    let house = Arc::new(House::with(Setup::twilio(&vendor)).await);
    let callers = (0..CALLERS).map(|_| {
        let house = house.clone();
        tokio::spawn(async move {
            for _ in 0..CALLS {
                let answer = house.send(text_message()).await;
                assert_eq!(answer.said(), (201, "sent", None));
            }
        })
    });
    let callers: Vec<_> = callers.collect();
    let mut turn = 0;
    while !callers.iter().all(tokio::task::JoinHandle::is_finished) {
        house.gateway.replace(with_credential(&house, ACCOUNTS[turn % ACCOUNTS.len()]));
        turn += 1;
        tokio::task::yield_now().await;
    }
    for caller in callers {
        caller.await.expect("no call was refused");
    }
    let whole: BTreeSet<(String, String)> = vendor
        .got()
        .iter()
        .map(|got| {
            let account = got.line().split('/').nth(3).expect("an account").to_owned();
            (account, got.header("authorization")[0].to_owned())
        })
        .collect();
    assert!(whole.len() > 1, "the credential changed while calls were made");
    for (account, basic) in whole {
        let pair = STANDARD.decode(&basic["Basic ".len()..]).expect("base64");
        let pair = String::from_utf8(pair).expect("text");
        assert!(pair.starts_with(&format!("{account}:")), "a path and a header of two accounts");
    }
    assert_eq!(vendor.got().len(), CALLERS * CALLS, "each once");
}

#[tokio::test]
async fn a_call_under_way_ends_with_the_credential_it_began_with() {
    let (go, gone) = tokio::sync::watch::channel(false);
    let vendor = FakeVendor::start(move |_| Act::Wait(gone.clone(), accepted())).await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let other = "SG.CCCCCCCCCCCCCCCCCCCCCC.DDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDD";
    let mut caller = house.call().await;
    caller.write(&house.mail().bytes()).await;
    vendor.hears().await;
    house.gateway.replace(with_credential(&house, other));
    go.send_replace(true);
    assert_eq!(caller.answer().await.status, 202);
    assert_eq!(house.send(house.mail()).await.status, 202);
    let keys: Vec<_> =
        vendor.got().iter().map(|got| got.header("authorization")[0].to_owned()).collect();
    assert_eq!(keys, [format!("Bearer {}", support::SENDGRID_KEY), format!("Bearer {other}")]);
}
