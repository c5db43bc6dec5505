//! Bodies and callers that go over a limit.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use gateway::Patience;
use model::{Mode, limits};
use tokio::io::AsyncWriteExt as _;

use crate::support::{Act, FakeVendor, House, Setup, accepted, soon};

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).expect("a vector takes all");
    encoder.finish().expect("a vector takes all")
}

#[tokio::test]
async fn a_body_over_the_operations_cap_is_refused_by_its_length_alone() {
    let vendor = FakeVendor::accepting().await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let over = format!("Content-Length: {}\r\n", limits::REQUEST_BODY_BYTES + 1);
    let answer = house.exchange(&house.mail().body("").framed(&over)).await;
    assert_eq!(answer.said(), (413, "not-sent", Some("body-too-large")));
    assert_eq!(answer.header("connection"), Some("close"), "the body is not read");
}

#[tokio::test]
async fn a_chunked_body_over_the_cap_is_refused_on_its_way() {
    let vendor = FakeVendor::accepting().await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let contacts = house.mail().path("/v/sendgrid/v3/marketing/contacts");
    let put = String::from_utf8(contacts.body("").framed("Transfer-Encoding: chunked\r\n"));
    let head = put.expect("text").replacen("POST", "PUT", 1);
    let mut caller = house.call().await;
    caller.write(head.as_bytes()).await;
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
    for _ in 0..=limits::CONTACTS_BODY_BYTES / 0x10000 {
        caller.write(&chunk).await;
    }
    assert_eq!(caller.answer().await.said(), (413, "not-sent", Some("body-too-large")));
}

#[tokio::test]
async fn a_gzip_body_is_read_and_leaves_plain() {
    let vendor = FakeVendor::accepting().await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let plain = house.mail().bytes();
    let at = plain.windows(4).position(|four| four == b"\r\n\r\n").expect("a body") + 4;
    let mail = house.mail().body(gzip(&plain[at..])).header("Content-Encoding", "gzip");
    assert_eq!(house.send(mail).await.said(), (202, "sent", None));
    let got = vendor.only();
    assert!(got.header("content-encoding").is_empty());
    assert_eq!(got.json()["personalizations"][0]["to"][0]["email"], "ann@example.com");
    assert_eq!(house.disclosures().len(), 1);
}

#[tokio::test]
async fn a_bomb_a_broken_gzip_and_any_other_encoding_are_refused_in_every_mode() {
    for mode in [Mode::Observe, Mode::Report, Mode::Enforce] {
        let vendor = FakeVendor::accepting().await;
        let house = House::with(Setup { mode, ..Setup::sendgrid(&vendor) }).await;
        let mail = house.mail();
        let bomb = mail.clone().body(gzip(&vec![b' '; 4 * 1024 * 1024]));
        let answer = house.send(bomb.header("Content-Encoding", "gzip")).await;
        assert_eq!(answer.said(), (413, "not-sent", Some("body-inflates")));
        let answer = house.send(mail.clone().header("Content-Encoding", "gzip")).await;
        assert_eq!(answer.said(), (400, "not-sent", Some("encoding-broken")));
        for encoding in ["br", "deflate", "gzip, gzip", "zstd"] {
            let answer = house.send(mail.clone().header("Content-Encoding", encoding)).await;
            assert_eq!(answer.said(), (415, "not-sent", Some("encoding-unknown")), "{encoding}");
        }
        assert!(vendor.got().is_empty());
    }
}

#[tokio::test]
async fn a_gzip_within_a_gzip_is_unpacked_once_and_what_is_left_is_no_body() {
    let vendor = FakeVendor::accepting().await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let nested = gzip(&gzip(&vec![b' '; 1024 * 1024]));
    let mail = house.mail().body(nested).header("Content-Encoding", "gzip");
    assert_eq!(house.send(mail).await.said(), (400, "not-sent", Some("body-unreadable")));
    assert!(vendor.got().is_empty());
}

#[tokio::test]
async fn the_members_of_a_gzip_count_together_and_nothing_may_follow_them() {
    let vendor = FakeVendor::accepting().await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let mail = house.mail();
    let plain = mail.clone().body_bytes();
    let packed = |body: Vec<u8>| mail.clone().body(body).header("Content-Encoding", "gzip");
    let (first, second) = plain.split_at(30);
    let empty = gzip(b"");
    let halves = [empty.clone(), gzip(first), empty, gzip(second)].concat();
    assert_eq!(house.send(packed(halves)).await.said(), (202, "sent", None));
    let got = vendor.only();
    assert_eq!(got.json()["personalizations"][0]["to"][0]["email"], "ann@example.com");

    let bomb = gzip(&vec![b' '; 1024 * 1024]).repeat(40);
    assert_eq!(house.send(packed(bomb)).await.code(), Some("body-inflates"));
    let mut cut = gzip(&plain);
    cut.truncate(cut.len() - 1);
    let mut wrong_sum = gzip(&plain);
    let at = wrong_sum.len() - 6;
    wrong_sum[at] ^= 1;
    let more = [gzip(&plain), b"more".to_vec()].concat();
    for broken in [cut, wrong_sum, more, Vec::new()] {
        assert_eq!(house.send(packed(broken)).await.code(), Some("encoding-broken"));
    }
    assert_eq!(vendor.got().len(), 1);
}

#[tokio::test]
async fn small_packed_bodies_do_not_use_up_the_room_that_they_might_have_grown_to() {
    let (tell, told) = tokio::sync::watch::channel(false);
    let vendor = FakeVendor::start(move |_| Act::Wait(told.clone(), accepted())).await;
    let patience = Patience { busy: Duration::from_secs(2), ..Patience::default() };
    let house = House::start(vec![Setup::sendgrid(&vendor)], patience).await;
    let noise: String =
        (0..150_000u32).map(|number| format!("{:x}", number.wrapping_mul(2_654_435_761))).collect();
    let mail = house.mail().json(|body| body["content"][0]["value"] = noise.into());
    let packed = gzip(&mail.clone().body_bytes());
    assert!(packed.len() * limits::DECOMPRESSION_RATIO > limits::REQUEST_BODY_BYTES);
    let mail = mail.body(packed).header("Content-Encoding", "gzip").bytes();
    let calls = limits::GATEWAY_BODIES_BYTES / limits::REQUEST_BODY_BYTES + 3;
    let mut callers = Vec::new();
    for _ in 0..calls {
        let mut caller = house.call().await;
        caller.write(&mail).await;
        callers.push(caller);
    }
    vendor.hears_all(calls).await;
    tell.send_replace(true);
    for mut caller in callers {
        assert_eq!(caller.answer().await.said(), (202, "sent", None));
    }
}

#[tokio::test]
async fn when_all_the_room_for_bodies_is_taken_callers_are_told_to_wait_and_it_is_given_back() {
    let vendor = FakeVendor::accepting().await;
    let patience = Patience { busy: Duration::from_millis(300), ..Patience::default() };
    let house = House::start(vec![Setup::sendgrid(&vendor)], patience).await;
    let most = limits::REQUEST_BODY_BYTES;
    let each = most / 8;
    let head = house.mail().body("").framed(&format!("Content-Length: {each}\r\n"));
    let part = vec![b' '; each - 1];
    let mut callers = Vec::new();
    for _ in 0..=limits::GATEWAY_BODIES_BYTES / each {
        let mut caller = house.call().await;
        caller.write(&head).await;
        // Whoever finds no room any more is refused on the way and reads no further.
        drop(caller.stream.write_all(&part).await);
        callers.push(caller);
    }
    let mail = house.mail().json(|body| body["subject"] = "x".repeat(most / 4).into());
    let mut last = house.send(mail.clone()).await;
    soon("all the room to be taken", async {
        while last.code() != Some("gateway-busy") {
            last = house.send(mail.clone()).await;
        }
    })
    .await;
    assert_eq!(last.said(), (503, "not-sent", Some("gateway-busy")));
    assert_eq!(last.header("retry-after"), Some("10"));
    drop(callers);
    soon("room for bodies", async {
        while last.code() == Some("gateway-busy") {
            last = house.send(mail.clone()).await;
        }
    })
    .await;
    assert_eq!(last.said(), (202, "sent", None));
    assert_eq!(vendor.got().len(), 1);
}

fn hasty() -> Patience {
    Patience { read: Duration::from_millis(500), ..Patience::default() }
}

#[tokio::test]
async fn a_caller_that_does_not_finish_its_head_or_body_is_told_so() {
    let vendor = FakeVendor::accepting().await;
    let house = House::start(vec![Setup::sendgrid(&vendor)], hasty()).await;
    let whole = house.mail().bytes();
    let body_at = whole.windows(4).position(|four| four == b"\r\n\r\n").expect("a body") + 4;
    for cut in [20, body_at - 2, body_at, whole.len() - 1] {
        let mut caller = house.call().await;
        caller.write(&whole[..cut]).await;
        assert_eq!(caller.answer().await.said(), (408, "not-sent", Some("too-slow")), "{cut}");
        assert!(caller.is_closed().await);
    }
    assert!(vendor.got().is_empty());
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed_without_a_word() {
    let vendor = FakeVendor::accepting().await;
    let house = House::start(vec![Setup::sendgrid(&vendor)], hasty()).await;
    let mut caller = house.call().await;
    assert!(caller.is_closed().await);
    assert!(house.seen.all().is_empty(), "it was no request");
}

#[tokio::test]
async fn a_caller_that_closes_its_side_after_the_request_is_still_answered() {
    let vendor = FakeVendor::accepting().await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let mut caller = house.call().await;
    caller.write(&house.mail().bytes()).await;
    caller.stream.shutdown().await.expect("our side closes");
    assert_eq!(caller.answer().await.said(), (202, "sent", None));
    assert!(caller.is_closed().await);
}

#[tokio::test]
async fn a_caller_that_asks_before_it_sends_is_told_to_go_on() {
    let vendor = FakeVendor::accepting().await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let whole = house.mail().header("Expect", "100-continue").bytes();
    let body_at = whole.windows(4).position(|four| four == b"\r\n\r\n").expect("a body") + 4;
    let mut caller = house.call().await;
    caller.write(&whole[..body_at]).await;
    assert_eq!(caller.answer().await.status, 100);
    caller.write(&whole[body_at..]).await;
    let answer = caller.answer().await;
    assert_eq!(answer.said(), (202, "sent", None));
    assert_eq!(answer.header("keep-alive"), Some("timeout=25"));
}

#[tokio::test]
async fn a_body_that_ends_early_discloses_nothing() {
    let vendor = FakeVendor::accepting().await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let whole = house.mail().bytes();
    let mut caller = house.call().await;
    caller.write(&whole[..whole.len() - 1]).await;
    drop(caller);
    house.seen.ended(1).await;
    assert_eq!(house.seen.only().code, Some("body-cut"));
    assert!(vendor.got().is_empty() && house.disclosures().is_empty());
}
