//! Limits of a workload towards a vendor, by calls that come at once, and bursts.

use std::sync::Arc;

use gateway::{Patience, Terms, Usual};
use model::{Hour, Limits, Mode, VendorName, Volume, WorkloadName};
use tokio::time::Instant;

use crate::support::{FakeVendor, House, Request, Setup};

/// A house whose workload has these limits.
async fn limited(vendor: &FakeVendor, limits: Limits, mode: Mode) -> House {
    let terms = Terms { limits, burst_until: None };
    House::with(Setup { mode, terms, ..Setup::sendgrid(vendor) }).await
}

/// A message to two people.
fn to_two(house: &House) -> Request {
    house.mail().json(|body| {
        let to = &mut body["personalizations"][0]["to"];
        to.as_array_mut().expect("a list").push(serde_json::json!({ "email": "bob@example.com" }));
    })
}

/// Sends so many at once; how many were sent, and the codes of the others.
async fn at_once(house: &Arc<House>, count: usize) -> (usize, Vec<String>) {
    let calls = (0..count).map(|_| {
        let (house, mail) = (house.clone(), to_two(house));
        tokio::spawn(async move {
            let answer = house.send(mail).await;
            match answer.status {
                202 => None,
                429 => {
                    let retry = answer.header("retry-after").expect("it says when to come again");
                    assert!(retry.parse::<u64>().expect("seconds") >= 1);
                    Some(answer.code().expect("a code").to_owned())
                }
                status => panic!("{status}"),
            }
        })
    });
    let (mut sent, mut codes) = (0, Vec::new());
    for call in calls.collect::<Vec<_>>() {
        match call.await.expect("it is answered") {
            None => sent += 1,
            Some(code) => codes.push(code),
        }
    }
    (sent, codes)
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_come_at_once_never_exceed_the_people_of_an_hour() {
    let vendor = FakeVendor::accepting().await;
    let limits = Limits { people_per_hour: Some(25), ..Limits::default() };
    let house = Arc::new(limited(&vendor, limits, Mode::Enforce).await);
    let (sent, codes) = at_once(&house, 40).await;
    assert_eq!(sent, 12, "two people each");
    assert!(codes.iter().all(|code| code == "people-per-hour"), "{codes:?}");
    assert_eq!(vendor.got().len(), 12);
    assert_eq!(house.disclosures().len(), 24);
    assert_eq!(house.send(house.mail()).await.status, 202, "one more person fits");
    let now = house.gateway.flows().remove(0);
    assert_eq!(now.this_hour, Volume { calls: 13, people: 25 });
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_come_at_once_never_exceed_the_rate() {
    let vendor = FakeVendor::accepting().await;
    let limits = Limits { requests_per_second: Some(5), ..Limits::default() };
    let house = Arc::new(limited(&vendor, limits, Mode::Enforce).await);
    let began = Instant::now();
    let (sent, codes) = at_once(&house, 60).await;
    let most = 5 + (began.elapsed().as_secs_f64() * 5.0) as usize + 1;
    assert!((5..=most).contains(&sent), "{sent} of at most {most}");
    assert!(codes.iter().all(|code| code == "rate-limit"));
    assert_eq!(vendor.got().len(), sent);
    assert!(house.disclosures().len() == 2 * sent, "what is refused is no disclosure");
}

#[tokio::test]
async fn a_call_that_did_not_leave_takes_no_room() {
    let vendor = FakeVendor::accepting().await;
    let limits = Limits { people_per_day: Some(1), ..Limits::default() };
    let terms = Terms { limits, burst_until: None };
    let setup = Setup { terms, endpoint: "http://127.0.0.1:1".into(), ..Setup::sendgrid(&vendor) };
    let mut house = House::start(vec![setup], Patience::default()).await;
    for _ in 0..3 {
        let answer = house.send(house.mail()).await;
        assert_eq!(answer.said(), (502, "not-sent", Some("vendor-unreachable")));
    }
    house.change(|setup| setup.terms.limits.people_per_day = Some(0));
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.said(), (429, "not-sent", Some("people-per-day")));
    assert_eq!(answer.header("retry-after"), None, "it never fits");
}

#[tokio::test]
async fn what_is_not_enforced_passes_and_report_says_what_it_would_have_refused() {
    let limits =
        Limits { requests_per_second: Some(1), people_per_hour: Some(1), ..Limits::default() };
    for (mode, would) in [(Mode::Report, Some("people-per-hour")), (Mode::Observe, None)] {
        let vendor = FakeVendor::accepting().await;
        let house = limited(&vendor, limits, mode).await;
        assert_eq!(house.send(to_two(&house)).await.status, 202);
        assert_eq!(house.seen.only().would_refuse, would, "{mode}");
        assert_eq!(house.gateway.flows()[0].this_hour.people, 2, "and it counts");
    }
}

/// Two days in which the workload made ten calls to twenty people in every hour.
fn two_steady_days(house: &House) {
    let (shop, sendgrid) = (WorkloadName::parse("shop"), VendorName::parse("sendgrid"));
    let (shop, sendgrid) = (shop.expect("a name"), sendgrid.expect("a name"));
    for ago in 1..=48 {
        let hour = Hour::of(house.world.now()).plus(-ago);
        house.gateway.remember(&shop, &sendgrid, hour, Volume { calls: 10, people: 20 });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_held_until_an_operator_approves_it_and_the_rest_goes_on() {
    let vendor = FakeVendor::accepting().await;
    let limits = Limits { burst_factor: Some(6), ..Limits::default() };
    let house = limited(&vendor, limits, Mode::Enforce).await;
    two_steady_days(&house);
    let house = Arc::new(house);
    let (sent, codes) = at_once(&house, 80).await;
    assert_eq!((sent, codes.len()), (60, 20), "six times twenty people, two in each call");
    assert!(codes.iter().all(|code| code == "burst-held"));
    let now = house.gateway.flows().remove(0);
    assert_eq!(now.usual, Usual::Known(Volume { calls: 10, people: 20 }));
    assert_eq!(now.held, Volume { calls: 20, people: 40 });

    let Ok(mut house) = Arc::try_unwrap(house) else { panic!("every call has ended") };
    let until = house.world.now().plus_seconds(3_600);
    house.change(|setup| setup.terms.burst_until = Some(until));
    let (sent, codes) = at_once(&Arc::new(house), 50).await;
    assert_eq!((sent, codes.len()), (50, 0));
}

#[tokio::test]
async fn a_burst_that_is_not_held_is_seen() {
    let vendor = FakeVendor::accepting().await;
    let house = limited(&vendor, Limits::default(), Mode::Enforce).await;
    two_steady_days(&house);
    let shop = WorkloadName::parse("shop").expect("a name");
    let sendgrid = VendorName::parse("sendgrid").expect("a name");
    let hour = Hour::of(house.world.now());
    house.gateway.remember(&shop, &sendgrid, hour, Volume { calls: 1, people: 199 });
    assert_eq!(house.send(house.mail()).await.status, 202);
    assert_eq!(house.seen.only().warnings, Vec::<&str>::new(), "ten times the usual hour");
    assert_eq!(house.send(house.mail()).await.status, 202);
    assert_eq!(house.seen.all()[1].warnings, ["burst"]);
}

#[tokio::test]
async fn a_callers_trace_is_taken_up_and_ends_here_in_every_mode() {
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for mode in [Mode::Observe, Mode::Report, Mode::Enforce] {
        let vendor = FakeVendor::accepting().await;
        let house = limited(&vendor, Limits::default(), mode).await;
        let mail = house.mail().header("traceparent", PARENT).header("tracestate", "a=b");
        assert_eq!(house.send(mail.header("baggage", "user=ann")).await.status, 202);
        let seen = house.seen.only();
        assert_eq!(seen.trace.map(|trace| trace.trace[0]), Some(0x4b));
        assert_eq!(seen.phases.reached().count(), 8, "{:?}", seen.phases);
        let got = vendor.only();
        for name in ["traceparent", "tracestate", "baggage"] {
            assert!(got.header(name).is_empty(), "{name} reached the vendor in {mode}");
        }
    }
}
