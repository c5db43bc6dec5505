//! Callers that are slow on purpose hold up nobody but themselves, and not for long.

use std::time::Duration;

use gateway::Patience;
use model::limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{Act, Caller, FakeVendor, House, Setup, reply, soon};

fn hasty() -> Patience {
    let short = Duration::from_millis(500);
    Patience { read: short, busy: Duration::from_millis(100), ..Patience::default() }
}

/// Writes byte by byte, never pausing for as long as the patience lasts, until nobody listens.
async fn drip(caller: &mut Caller, bytes: &[u8]) {
    for byte in bytes.iter().cycle() {
        if caller.stream.write_all(&[*byte]).await.is_err() {
            return;
        }
        let pause = tokio::time::timeout(Duration::from_millis(20), caller.stream.readable());
        if pause.await.is_ok() {
            return;
        }
    }
}

#[tokio::test]
async fn a_head_or_body_that_comes_byte_by_byte_does_not_stretch_the_patience() {
    let vendor = FakeVendor::accepting().await;
    let house = House::start(vec![Setup::sendgrid(&vendor)], hasty()).await;
    let whole = house.mail().bytes();
    let body_at = whole.windows(4).position(|four| four == b"\r\n\r\n").expect("a body") + 4;

    let mut caller = house.call().await;
    caller.write(b"POST /v/sendgrid/v3/mail/send HTTP/1.1\r\n").await;
    soon("a refusal", drip(&mut caller, b"X-A: b\r\n")).await;
    assert_eq!(caller.answer().await.said(), (408, "not-sent", Some("too-slow")));
    assert!(caller.is_closed().await);

    let large = format!("Content-Length: {}\r\n", limits::REQUEST_BODY_BYTES);
    let mut caller = house.call().await;
    caller.write(&house.mail().body("").framed(&large)).await;
    soon("a refusal", drip(&mut caller, b" ")).await;
    assert_eq!(caller.answer().await.said(), (408, "not-sent", Some("too-slow")));

    let mut caller = house.call().await;
    caller.write(&house.mail().body("").framed("Transfer-Encoding: chunked\r\n")).await;
    soon("a refusal", drip(&mut caller, b"1\r\n \r\n")).await;
    assert_eq!(caller.answer().await.said(), (408, "not-sent", Some("too-slow")));

    // The second request of a connection has no more time than the first.
    let mut caller = house.call().await;
    caller.write(&whole).await;
    assert_eq!(caller.answer().await.said(), (202, "sent", None));
    soon("a refusal", drip(&mut caller, &whole[..body_at - 2])).await;
    assert_eq!(caller.answer().await.said(), (408, "not-sent", Some("too-slow")));
    assert_eq!(vendor.got().len(), 1);
}

#[tokio::test]
async fn hundreds_of_slow_callers_do_not_keep_one_quick_caller_waiting() {
    let vendor = FakeVendor::accepting().await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let whole = house.mail().bytes();
    let mut slow = Vec::new();
    for number in 0..400 {
        let mut caller = house.call().await;
        caller.write(&whole[..whole.len() * (number % 10) / 10]).await;
        slow.push(caller);
    }
    for _ in 0..10 {
        let answer = soon("an answer", house.send(house.mail())).await;
        assert_eq!(answer.said(), (202, "sent", None));
    }
    assert_eq!(vendor.got().len(), 10);
}

#[tokio::test]
async fn a_caller_that_does_not_read_its_reply_is_let_go() {
    let body = "x".repeat(limits::VENDOR_RESPONSE_BYTES - 1);
    let vendor = FakeVendor::start(move |_| Act::Reply(reply("200 OK", "", &body))).await;
    let mut house = House::start(vec![Setup::sendgrid(&vendor)], hasty()).await;
    let mut caller = house.call().await;
    caller.write(&house.mail().bytes()).await;
    house.seen.ended(1).await;
    // The gateway's side is gone, although nothing was ever read here: writing to it fails.
    soon("the end of the connection", async {
        while caller.stream.write_all(b" ").await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    soon("the gateway's end", house.stop()).await;
}

#[tokio::test]
async fn a_caller_that_reads_slowly_but_steadily_gets_all_of_it() {
    let length = limits::VENDOR_RESPONSE_BYTES - 1;
    let body = "x".repeat(length);
    let vendor = FakeVendor::start(move |_| Act::Reply(reply("200 OK", "", &body))).await;
    let house = House::start(vec![Setup::sendgrid(&vendor)], hasty()).await;
    let mut caller = house.call().await;
    caller.write(&house.mail().bytes()).await;
    let mut got = 0;
    let mut part = vec![0; 256 * 1024];
    while got < length {
        let read = soon("more", caller.stream.read(&mut part)).await.expect("it goes on");
        assert!(read > 0, "cut off after {got} bytes");
        got += read;
        tokio::time::timeout(Duration::from_millis(20), std::future::pending::<()>()).await.ok();
    }
}

#[tokio::test]
async fn a_caller_that_asks_on_and_on_without_reading_is_let_go() {
    let body = "x".repeat(100_000);
    let vendor = FakeVendor::start(move |_| Act::Reply(reply("200 OK", "", &body))).await;
    let house = House::start(vec![Setup::sendgrid(&vendor)], hasty()).await;
    let mut caller = house.call().await;
    let mail = house.mail().bytes();
    soon("the end of the connection", async {
        while caller.stream.write_all(&mail).await.is_ok() {}
    })
    .await;
    let answered = house.seen.all().len();
    assert!(vendor.got().len() >= answered, "what was carried was carried once");
    assert!(house.disclosures().len() < 1_000, "and it was not carried for ever");
}
