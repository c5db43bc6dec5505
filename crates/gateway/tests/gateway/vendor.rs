//! Vendors that fail in every way, and what the caller and the ledger learn of it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gateway::Patience;
use ledger::Settled;
use model::limits;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::support::{Act, FakeVendor, House, SENDGRID_KEY, Setup, accepted, reply};

async fn house(vendor: &FakeVendor) -> House {
    let patience = Patience { reply: Duration::from_secs(2), ..Patience::default() };
    House::start(vec![Setup::sendgrid(vendor)], patience).await
}

/// One request; what the caller is told and how the record stands.
async fn check(vendor: &FakeVendor, said: (u16, &str, Option<&str>), settled: Settled) -> House {
    let house = house(vendor).await;
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.said(), said);
    let rows = house.disclosures();
    assert_eq!((rows.len(), rows[0].settled), (1, settled));
    assert_eq!(house.ledger.status().unsettled, 0);
    assert_eq!(house.seen.only().code, said.2);
    house
}

#[tokio::test]
async fn a_vendors_own_error_is_handed_on_and_counts_as_sent() {
    let vendor = FakeVendor::start(|_| Act::Reply(reply("500 Oh", "", "{\"errors\":[]}"))).await;
    check(&vendor, (500, "sent", None), Settled::Sent).await;
    let vendor =
        FakeVendor::start(|_| Act::Reply(reply("429 Slow", "Retry-After: 9\r\n", ""))).await;
    check(&vendor, (429, "sent", None), Settled::Sent).await;
    assert_eq!(vendor.got().len(), 1, "and it is not tried again");
}

#[tokio::test]
async fn a_connection_that_ends_before_the_reply_leaves_the_outcome_unknown() {
    let part = b"HTTP/1.1 202 Accepted\r\nContent-Length: 10\r\n\r\nhalf".to_vec();
    for bytes in [Vec::new(), b"HTTP/1.1 20".to_vec(), part] {
        let vendor = FakeVendor::start(move |_| Act::Last(bytes.clone())).await;
        check(&vendor, (502, "unknown", Some("vendor-lost")), Settled::Unknown).await;
        assert_eq!(vendor.got().len(), 1, "one request, one write");
    }
}

#[tokio::test]
async fn a_vendor_that_says_nothing_in_time_leaves_the_outcome_unknown() {
    let vendor = FakeVendor::start(|_| Act::Silent).await;
    check(&vendor, (504, "unknown", Some("vendor-slow")), Settled::Unknown).await;
    assert_eq!(vendor.got().len(), 1);
}

#[tokio::test]
async fn a_vendor_that_nobody_answers_for_got_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let vendor = FakeVendor::accepting().await;
    let mut setup = Setup::sendgrid(&vendor);
    setup.endpoint = format!("http://{}", listener.local_addr().expect("bound"));
    drop(listener);
    let house = House::with(setup).await;
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.said(), (502, "not-sent", Some("vendor-unreachable")));
    assert_eq!(house.disclosures()[0].settled, Settled::NotSent);
}

#[tokio::test]
async fn what_a_vendor_says_unasked_is_not_taken_for_the_next_reply() {
    let stray = reply("200 OK", "X-Stray: 1\r\n", "{}");
    let vendor =
        FakeVendor::start(move |_| Act::Reply([accepted().as_slice(), &stray].concat())).await;
    let house = house(&vendor).await;
    for _ in 0..20 {
        let answer = house.send(house.mail()).await;
        assert_eq!(answer.said(), (202, "sent", None));
        assert_eq!(answer.header("x-stray"), None);
    }
    assert_eq!(vendor.connections(), 20, "such a connection is not used again");
}

#[tokio::test]
async fn a_reply_before_the_request_was_written_proves_nothing() {
    let vendor = FakeVendor::with(
        |_| Act::Silent,
        |mut stream, _| {
            tokio::spawn(async move {
                drop(stream.write_all(&reply("200 OK", "", "{}")).await);
                drop(stream.shutdown().await);
            })
        },
    )
    .await;
    let house = house(&vendor).await;
    for _ in 0..20 {
        let answer = house.send(house.mail()).await;
        let (status, outcome, _) = answer.said();
        assert!(status == 502 || outcome == "sent", "{:?}", answer.said());
    }
    let sent = house.disclosures().iter().filter(|row| row.settled == Settled::NotSent).count();
    let told =
        house.seen.all().iter().filter(|seen| seen.outcome == gateway::Left::NotSent).count();
    assert_eq!(sent, told);
}

#[tokio::test]
async fn a_kept_connection_that_the_vendor_closed_is_not_written_to() {
    let vendor = FakeVendor::start(|_| Act::Last(accepted())).await;
    let house = house(&vendor).await;
    for count in 1..=5 {
        assert_eq!(house.send(house.mail()).await.said(), (202, "sent", None));
        assert_eq!(vendor.connections(), count);
    }
    assert_eq!(vendor.got().len(), 5);
}

#[tokio::test]
async fn a_redirect_is_neither_followed_nor_handed_on() {
    let elsewhere = FakeVendor::accepting().await;
    let location = format!("Location: {}/v3/mail/send\r\n", elsewhere.url());
    let vendor =
        FakeVendor::start(move |_| Act::Reply(reply("307 Elsewhere", &location, ""))).await;
    let house = check(&vendor, (502, "sent", Some("reply-redirects")), Settled::Sent).await;
    assert!(elsewhere.got().is_empty());
    assert_eq!(house.seen.only().outcome, gateway::Left::Sent(307));
}

#[tokio::test]
async fn a_reply_over_its_limit_is_cut_off_and_counts_as_unknown() {
    let large = "x".repeat(limits::VENDOR_RESPONSE_BYTES + 1);
    let vendor = FakeVendor::start(move |_| Act::Reply(reply("200 OK", "", &large))).await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.said(), (502, "unknown", Some("reply-too-large")));
    assert_eq!(house.disclosures()[0].settled, Settled::Unknown);
}

#[tokio::test]
async fn the_vendors_credential_never_comes_back() {
    let vendor = FakeVendor::start(|got| {
        let echo = got.head.replace("\r\n", "|");
        Act::Reply(reply("400 Bad", &format!("X-Echo: {echo}\r\n"), &format!("you sent {echo}")))
    })
    .await;
    let house = house(&vendor).await;
    let answer = house.send(house.mail()).await;
    assert_eq!(vendor.only().header("authorization"), [format!("Bearer {SENDGRID_KEY}")]);
    assert!(answer.text().contains("authorization: Bearer [redacted]|"), "{}", answer.text());
    assert!(answer.head().contains("Bearer [redacted]|"));
    let secret = SENDGRID_KEY.rsplit('.').next().expect("a secret");
    assert!(!answer.head().contains(secret) && !answer.text().contains(secret));
}

#[tokio::test]
async fn headers_of_the_vendors_connection_and_ours_are_not_mixed() {
    let vendor = FakeVendor::start(|_| {
        let extra = "Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nSet-Cookie: a=b\r\n\
                     X-Cordon-Outcome: not-sent\r\nX-Cordon-Code: made-up\r\nX-Rate: 5\r\n";
        Act::Reply(reply("200 OK", extra, "{}"))
    })
    .await;
    let house = house(&vendor).await;
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.said(), (200, "sent", None));
    assert_eq!(answer.header("x-rate"), Some("5"));
    assert_eq!(answer.header("keep-alive"), Some("timeout=25"), "ours, not the vendor's");
    for name in ["x-hop", "set-cookie"] {
        assert_eq!(answer.header(name), None, "{name}");
    }
}

#[tokio::test]
async fn one_slow_vendor_does_not_keep_another_from_being_called() {
    let slow = FakeVendor::start(|_| Act::Silent).await;
    let quick = FakeVendor::start(|_| Act::Reply(reply("201 Created", "", "{}"))).await;
    let setups = vec![Setup::sendgrid(&slow), Setup::twilio(&quick)];
    let house = House::start(setups, Patience::default()).await;
    let mut waiting = house.call().await;
    waiting.write(&house.mail().bytes()).await;
    let answer = house.send(crate::support::text_message()).await;
    assert_eq!(answer.said(), (201, "sent", None));
}

#[tokio::test]
async fn beyond_the_calls_that_one_vendor_may_have_under_way_callers_are_told_to_wait() {
    let (tell, told) = watch::channel(false);
    let vendor = FakeVendor::start(move |_| Act::Wait(told.clone(), accepted())).await;
    let patience = Patience { busy: Duration::from_millis(200), ..Patience::default() };
    let house = House::start(vec![Setup::sendgrid(&vendor)], patience).await;
    let mut callers = Vec::new();
    for _ in 0..limits::VENDOR_CONCURRENCY {
        let mut caller = house.call().await;
        caller.write(&house.mail().bytes()).await;
        callers.push(caller);
    }
    vendor.hears_all(limits::VENDOR_CONCURRENCY).await;
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.said(), (503, "not-sent", Some("vendor-busy")));
    assert_eq!(answer.header("retry-after"), Some("10"));
    tell.send_replace(true);
    for mut caller in callers {
        assert_eq!(caller.answer().await.said(), (202, "sent", None));
    }
    assert_eq!(house.disclosures().len(), limits::VENDOR_CONCURRENCY);
}

/// A reply in chunks, cut at these places.
fn in_chunks(body: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mut out = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let mut from = 0;
    for &to in cuts.iter().chain([&body.len()]) {
        out.extend_from_slice(format!("{:x}\r\n", to - from).as_bytes());
        out.extend_from_slice(&body[from..to]);
        out.extend_from_slice(b"\r\n");
        from = to;
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

#[tokio::test]
async fn a_credential_across_chunks_is_found_and_so_is_one_in_base64() {
    let encoded = STANDARD.encode(format!("{{\"auth\":\"{SENDGRID_KEY}\"}}"));
    let escaped = SENDGRID_KEY.replace('.', "%2E");
    let body =
        format!("{{\"key\":\"{SENDGRID_KEY}\",\"packed\":\"{encoded}\",\"url\":\"{escaped}\"}}");
    let cuts: Vec<usize> = (7..body.len()).step_by(5).collect();
    let whole = in_chunks(body.as_bytes(), &cuts);
    let vendor = FakeVendor::start(move |_| Act::Reply(whole.clone())).await;
    let house = house(&vendor).await;
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.status, 200);
    assert!(
        answer.text().starts_with("{\"key\":\"[redacted]\",\"packed\":\""),
        "{}",
        answer.text()
    );
    let inner = &encoded[16..encoded.len() - 8];
    let text = answer.text();
    assert!(!text.contains(inner) && !text.contains("%2E"), "{text}");
}
