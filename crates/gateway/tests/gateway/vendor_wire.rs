//! Vendors that misbehave on the wire: the caller and the record are told the truth, and a request
//! is written once, whatever happens to its connection.

use std::time::Duration;

use gateway::{Left, Patience};
use ledger::Settled;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Act, FakeVendor, House, Setup, accepted, reply, soon};

async fn house(vendor: &FakeVendor) -> House {
    let patience = Patience { reply: Duration::from_secs(2), ..Patience::default() };
    House::start(vec![Setup::sendgrid(vendor)], patience).await
}

/// A vendor whose every connection is served by hand.
async fn by_hand<F>(serve: impl Fn(TcpStream) -> F + Send + Sync + 'static) -> FakeVendor
where
    F: Future<Output = ()> + Send + 'static,
{
    FakeVendor::with(|_| Act::Silent, move |stream, _| tokio::spawn(serve(stream))).await
}

/// Reads until the head is whole.
async fn head(stream: &mut TcpStream) -> Vec<u8> {
    let mut got = Vec::new();
    while !got.windows(4).any(|four| four == b"\r\n\r\n") {
        if !matches!(stream.read_buf(&mut got).await, Ok(read) if read > 0) {
            break;
        }
    }
    got
}

/// Closes so that the other side sees a reset instead of an end.
fn reset(stream: TcpStream) {
    stream.set_zero_linger().expect("a socket's option");
    drop(stream);
}

fn large(house: &House) -> crate::support::Request {
    let text = "x".repeat(4 * 1024 * 1024);
    house.mail().json(|body| body["content"][0]["value"] = text.into())
}

#[tokio::test]
async fn informational_replies_are_passed_over_until_the_final_one_comes() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nX-Early: 1\r\n\r\n";
    let go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    let said = [go_on, early, go_on, early].concat().into_bytes();
    let said = [said, accepted()].concat();
    let vendor = FakeVendor::start(move |_| Act::Reply(said.clone())).await;
    let house = house(&vendor).await;
    for _ in 0..2 {
        let answer = house.send(house.mail()).await;
        assert_eq!(answer.said(), (202, "sent", None));
        assert_eq!((answer.header("link"), answer.header("x-early")), (None, None));
    }
    assert_eq!(vendor.connections(), 1);
}

#[tokio::test]
async fn a_vendor_that_only_ever_says_to_go_on_is_slow() {
    let vendor = by_hand(|mut stream| async move {
        head(&mut stream).await;
        while stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.is_ok() {}
    })
    .await;
    let house = house(&vendor).await;
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.said(), (504, "unknown", Some("vendor-slow")));
    assert_eq!(house.disclosures()[0].settled, Settled::Unknown);
}

#[tokio::test]
async fn a_vendor_that_switches_to_another_protocol_has_not_replied() {
    let said = "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello";
    let vendor = FakeVendor::start(move |_| Act::Reply(said.as_bytes().to_vec())).await;
    let house = house(&vendor).await;
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.said(), (502, "unknown", Some("vendor-lost")));
    assert_eq!(house.disclosures()[0].settled, Settled::Unknown);
    assert_eq!(house.send(house.mail()).await.code(), Some("vendor-lost"));
    assert_eq!(vendor.connections(), 2, "such a connection is not used again");
}

#[tokio::test]
async fn a_reply_before_the_body_was_read_is_a_reply_and_the_call_may_have_arrived() {
    let vendor = by_hand(|mut stream| async move {
        head(&mut stream).await;
        let refusal = reply("413 Too Large", "", "{\"errors\":[]}");
        stream.write_all(&refusal).await.expect("the gateway listens");
        let mut thrown = vec![0; 64 * 1024];
        while matches!(stream.read(&mut thrown).await, Ok(read) if read > 0) {}
    })
    .await;
    let house = house(&vendor).await;
    let answer = house.send(large(&house)).await;
    assert_eq!(answer.said(), (413, "sent", None));
    assert_eq!(house.disclosures()[0].settled, Settled::Sent, "it counts as disclosed");
}

#[tokio::test]
async fn a_vendor_that_closes_before_the_body_was_read_leaves_no_doubt_unsaid() {
    let vendor = by_hand(|mut stream| async move {
        head(&mut stream).await;
        drop(stream.write_all(&reply("413 Too Large", "Connection: close\r\n", "")).await);
        reset(stream);
    })
    .await;
    let house = house(&vendor).await;
    for _ in 0..5 {
        let answer = house.send(large(&house)).await;
        match answer.said() {
            (413, "sent", None) | (502, "unknown", Some("vendor-lost")) => {}
            other => panic!("bytes were written, and this was said: {other:?}"),
        }
    }
    assert!(house.disclosures().iter().all(|row| row.settled != Settled::NotSent));
    assert_eq!(vendor.connections(), 5, "each was written once");
}

#[tokio::test]
async fn a_reset_leaves_the_outcome_unknown_however_much_of_the_reply_came() {
    let whole = reply("202 Accepted", "X-Message-Id: 1\r\n", "{\"a\":1}");
    let cuts = [0, 5, 20, whole.len() - 1];
    for cut in cuts {
        let part = whole[..cut].to_vec();
        let vendor = by_hand(move |mut stream| {
            let part = part.clone();
            async move {
                let got = head(&mut stream).await;
                assert!(!got.is_empty());
                drop(stream.write_all(&part).await);
                reset(stream);
            }
        })
        .await;
        let house = house(&vendor).await;
        let answer = house.send(house.mail()).await;
        assert_eq!(answer.said(), (502, "unknown", Some("vendor-lost")), "after {cut} bytes");
        assert_eq!(house.disclosures()[0].settled, Settled::Unknown);
        assert_eq!(vendor.connections(), 1, "it is not tried again");
    }
}

#[tokio::test]
async fn a_connection_that_is_reset_as_it_opens_is_never_said_to_be_clean_when_bytes_were_written()
{
    let vendor = by_hand(|stream| async move { reset(stream) }).await;
    let house = house(&vendor).await;
    for _ in 0..20 {
        let answer = house.send(house.mail()).await;
        assert_eq!((answer.status, answer.outcome() == "sent"), (502, false));
    }
    let rows = house.disclosures();
    let settled = |settled| rows.iter().filter(|row| row.settled == settled).count();
    let told = |left| house.seen.all().iter().filter(|seen| seen.outcome == left).count();
    assert_eq!(settled(Settled::NotSent), told(Left::NotSent));
    assert_eq!(settled(Settled::Unknown), told(Left::Unknown));
    assert_eq!(rows.len(), 20);
}

#[tokio::test]
async fn a_vendor_that_closes_its_side_and_then_replies_nothing_is_lost() {
    let vendor = by_hand(|mut stream| async move {
        head(&mut stream).await;
        stream.shutdown().await.expect("our side closes");
        let mut thrown = [0; 1024];
        while matches!(stream.read(&mut thrown).await, Ok(read) if read > 0) {}
    })
    .await;
    let house = house(&vendor).await;
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.said(), (502, "unknown", Some("vendor-lost")));
}

#[tokio::test]
async fn a_vendor_that_stops_reading_is_slow() {
    let vendor = by_hand(|mut stream| async move {
        head(&mut stream).await;
        std::future::pending().await
    })
    .await;
    let house = house(&vendor).await;
    let text = "x".repeat(20 * 1024 * 1024);
    let mail = house.mail().json(|body| body["content"][0]["value"] = text.into());
    let answer = house.send(mail).await;
    assert_eq!(answer.said(), (504, "unknown", Some("vendor-slow")));
}

#[tokio::test]
async fn a_reply_that_comes_byte_by_byte_does_not_stretch_the_patience() {
    let vendor = by_hand(|mut stream| async move {
        head(&mut stream).await;
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
        drop(stream.write_all(head).await);
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::timeout(Duration::from_millis(50), std::future::pending::<()>())
                .await
                .ok();
        }
    })
    .await;
    let house = house(&vendor).await;
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.said(), (504, "unknown", Some("vendor-slow")), "long before the last byte");
}

#[tokio::test]
async fn a_head_that_does_not_end_is_cut_off() {
    let vendor = by_hand(|mut stream| async move {
        head(&mut stream).await;
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\n").await);
        let line = format!("X: {}\r\n", "y".repeat(8_000));
        while stream.write_all(line.as_bytes()).await.is_ok() {}
    })
    .await;
    let house = house(&vendor).await;
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.said(), (502, "unknown", Some("vendor-lost")));
    assert_eq!(house.disclosures()[0].settled, Settled::Unknown);
}

#[tokio::test]
async fn a_reply_that_ends_with_its_connection_is_whole_and_one_of_an_older_kind_is_taken() {
    for said in ["HTTP/1.1 200 OK\r\n\r\n{\"a\":1}", "HTTP/1.0 200 OK\r\n\r\n{\"a\":1}"] {
        let vendor = FakeVendor::start(move |_| Act::Last(said.as_bytes().to_vec())).await;
        let house = house(&vendor).await;
        let answer = house.send(house.mail()).await;
        assert_eq!((answer.said(), answer.text()), ((200, "sent", None), "{\"a\":1}"));
    }
}

#[tokio::test]
async fn a_bomb_in_a_reply_is_not_unpacked_beyond_its_limit() {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write as _;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![b' '; 64 * 1024 * 1024]).expect("a vector takes all");
    let bomb = encoder.finish().expect("a vector takes all");
    assert!(bomb.len() < 100_000);
    let many = [bomb.clone(), bomb.clone()].concat();
    for body in [bomb, many] {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let said = [head.into_bytes(), body].concat();
        let vendor = FakeVendor::start(move |_| Act::Reply(said.clone())).await;
        let house = house(&vendor).await;
        let answer = house.send(house.mail()).await;
        assert_eq!(answer.said(), (502, "sent", Some("reply-too-large")));
        assert_eq!(house.disclosures()[0].settled, Settled::Sent, "the vendor has it");
    }
}

#[tokio::test]
async fn a_reply_that_names_two_encodings_is_not_handed_on_unread() {
    for encodings in [["identity", "gzip"], ["gzip", "identity"], ["gzip", "gzip"]] {
        let [first, second] = encodings;
        let extra = format!("Content-Encoding: {first}\r\nContent-Encoding: {second}\r\n");
        let vendor = FakeVendor::start(move |_| Act::Reply(reply("200 OK", &extra, "x"))).await;
        let house = house(&vendor).await;
        let answer = house.send(house.mail()).await;
        assert_eq!(answer.said(), (502, "sent", Some("reply-encoding")));
    }
}

#[tokio::test]
async fn each_error_of_a_vendor_is_handed_on_once_and_counts_as_disclosed() {
    for (status, line) in [
        (400, "400 Bad Request"),
        (401, "401 Unauthorized"),
        (413, "413 Too Large"),
        (429, "429 Too Many Requests"),
        (500, "500 Oh"),
        (502, "502 Bad Gateway"),
        (503, "503 Later"),
        (504, "504 Late"),
        (599, "599 Strange"),
    ] {
        let said = reply(line, "Retry-After: 7\r\nX-RateLimit-Reset: 9\r\n", "{\"errors\":[]}");
        let vendor = FakeVendor::start(move |_| Act::Reply(said.clone())).await;
        let house = house(&vendor).await;
        let answer = house.send(house.mail()).await;
        assert_eq!(answer.said(), (status, "sent", None));
        assert_eq!(answer.header("retry-after"), Some("7"));
        assert_eq!(answer.header("x-ratelimit-reset"), Some("9"));
        assert_eq!(house.seen.only().outcome, Left::Sent(status));
        assert_eq!(house.disclosures()[0].settled, Settled::Sent);
        assert_eq!(vendor.got().len(), 1, "and nobody tries again");
    }
}

/// A vendor's pause must not outlast the caller's patience with the whole gateway.
#[tokio::test]
async fn while_one_call_waits_for_a_slow_vendor_the_gateway_stops_in_time() {
    let vendor = FakeVendor::start(|_| Act::Silent).await;
    let mut house = house(&vendor).await;
    let mut caller = house.call().await;
    caller.write(&house.mail().bytes()).await;
    vendor.hears().await;
    soon("the end", house.stop()).await;
    assert_eq!(caller.answer().await.said(), (504, "unknown", Some("vendor-slow")));
    assert_eq!(house.disclosures()[0].settled, Settled::Unknown, "and it is settled before");
}
