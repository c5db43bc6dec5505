//! What can be read in two ways never reaches the vendor, whoever reads it.

use crate::support::{Answer, FakeVendor, House, Request, Setup};

/// Sends raw bytes for the mail path and expects a refusal with this status and code.
async fn refused(bytes: &[u8], status: u16, code: &str) -> Answer {
    let vendor = FakeVendor::accepting().await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let answer = house.exchange(bytes).await;
    assert_eq!(answer.said(), (status, "not-sent", Some(code)));
    assert!(vendor.got().is_empty(), "nothing reaches the vendor");
    assert!(house.disclosures().is_empty());
    let seen = house.seen.only();
    assert_eq!((seen.code, seen.people), (Some(answer_code(code)), 0));
    answer
}

fn answer_code(code: &str) -> &'static str {
    gateway::Broken::from_code(code.as_bytes()).map_or_else(
        || panic!("`{code}` is a code of framing"),
        |broken| model::Coded::code(&broken),
    )
}

async fn mail() -> Request {
    let vendor = FakeVendor::accepting().await;
    House::with(Setup::sendgrid(&vendor)).await.mail()
}

#[tokio::test]
async fn a_length_beside_chunks_is_refused_in_either_order() {
    let mail = mail().await.body("0\r\n\r\n");
    for framing in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ] {
        let answer = refused(&mail.framed(framing), 400, "length-and-chunked").await;
        let said = &answer.json()["errors"][0];
        assert_eq!(said["help"], "length-and-chunked", "the vendor's words carry the code");
    }
}

#[tokio::test]
async fn two_lengths_are_refused_even_when_they_agree() {
    let mail = mail().await.body("{}");
    let twice = mail.framed("Content-Length: 2\r\nContent-Length: 2\r\n");
    refused(&twice, 400, "length-twice").await;
    refused(&mail.framed("Content-Length: 2, 2\r\n"), 400, "length-malformed").await;
}

#[tokio::test]
async fn a_folded_header_an_upgrade_and_a_strange_expectation_are_refused() {
    let mail = mail().await.body("{}");
    let with = |line: &str| mail.framed(&format!("Content-Length: 2\r\n{line}"));
    refused(&with("X-A: b\r\n c\r\n"), 400, "head-folded").await;
    refused(&with("Upgrade: h2c\r\nConnection: upgrade\r\n"), 400, "upgrade").await;
    refused(&with("Expect: 200-ok\r\n"), 417, "expect-unknown").await;
    refused(&with("X-A : b\r\n"), 400, "head-malformed").await;
}

#[tokio::test]
async fn an_old_request_with_a_body_is_refused() {
    let bytes = b"POST /v/sendgrid/v3/mail/send HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}";
    refused(bytes, 400, "old-http-body").await;
}

#[tokio::test]
async fn too_many_and_too_large_headers_are_refused() {
    let mail = mail().await.body("{}");
    let many = mail.framed(&"X-A: b\r\n".repeat(model::limits::HEADER_COUNT));
    refused(&many, 431, "head-too-many").await;
    let large = format!("X-A: {}\r\n", "b".repeat(model::limits::HEADER_BYTES));
    refused(&mail.framed(&large), 431, "head-too-large").await;
}

#[tokio::test]
async fn another_host_in_the_request_line_is_refused() {
    let vendor = FakeVendor::accepting().await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let bytes = b"POST http://other.example/v/sendgrid/v3 HTTP/1.1\r\nHost: other.example\r\n\r\n";
    let answer = house.exchange(bytes).await;
    assert_eq!(answer.said(), (400, "not-sent", Some("target-malformed")));
    let answer = house.exchange(b"CONNECT api.sendgrid.com:443 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(answer.said(), (400, "not-sent", Some("target-malformed")));
}

#[tokio::test]
async fn what_follows_a_broken_head_is_not_read_as_a_request() {
    let vendor = FakeVendor::accepting().await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let smuggled = house.mail().bytes();
    let broken = house.mail().body(smuggled).framed("Content-Length: 0\r\nContent-Length: 9\r\n");
    let mut caller = house.call().await;
    caller.write(&broken).await;
    assert_eq!(caller.answer().await.code(), Some("length-twice"));
    assert!(caller.is_closed().await);
    assert!(vendor.got().is_empty());
}

#[tokio::test]
async fn a_chunked_body_is_taken_and_leaves_with_its_exact_length() {
    let vendor = FakeVendor::accepting().await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let plain = house.mail();
    let whole = String::from_utf8(plain.bytes()).expect("text");
    let (_, body) = whole.split_once("\r\n\r\n").expect("a body");
    let (first, second) = body.split_at(10);
    let chunks =
        format!("{:x}\r\n{first}\r\n{:X}\r\n{second}\r\n0\r\n\r\n", first.len(), second.len());
    let answer = house.exchange(&plain.body(chunks).framed("Transfer-Encoding: chunked\r\n")).await;
    assert_eq!(answer.said(), (202, "sent", None));
    let got = vendor.only();
    assert_eq!(got.header("content-length"), [got.body.len().to_string()]);
    assert!(got.header("transfer-encoding").is_empty());
    assert_eq!(got.json()["subject"], "Your receipt");
}

#[tokio::test]
async fn a_broken_chunk_is_refused_after_its_head_was_read() {
    let vendor = FakeVendor::accepting().await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    for chunks in ["2;x=y\r\n{}\r\n0\r\n\r\n", "zz\r\n{}\r\n", "2\r\n{}\r\n0\r\nX-A: b\r\n\r\n"] {
        let bytes = house.mail().body(chunks).framed("Transfer-Encoding: chunked\r\n");
        let mut caller = house.call().await;
        caller.write(&bytes).await;
        assert_eq!(caller.answer().await.said(), (400, "not-sent", Some("body-cut")), "{chunks}");
        assert!(caller.is_closed().await);
    }
    assert!(vendor.got().is_empty());
}

#[tokio::test]
async fn requests_one_after_another_on_one_connection_are_each_answered() {
    let vendor = FakeVendor::accepting().await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let mut caller = house.call().await;
    let both = [house.mail().bytes(), house.mail().bytes()].concat();
    caller.write(&both).await;
    for _ in 0..2 {
        assert_eq!(caller.answer().await.said(), (202, "sent", None));
    }
    assert_eq!(vendor.got().len(), 2);
    assert_eq!(vendor.connections(), 1, "the connection to the vendor is used again");
}
