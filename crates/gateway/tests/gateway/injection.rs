//! Headers and replies that somebody tries to write into: callers into the request to the vendor,
//! the vendor into the reply to the caller.

use ledger::Settled;
use model::Mode;

use crate::support::{Act, FakeVendor, House, Setup, accepted, reply};

/// The lines of what the vendor got, apart from its request line.
fn header_names(head: &str) -> Vec<String> {
    let lines = head.split("\r\n").skip(1).filter(|line| !line.is_empty());
    let name = |line: &str| line.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let mut names: Vec<_> = lines.map(name).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn line_ends_in_a_path_or_query_stay_escaped_and_what_is_not_an_operation_is_refused() {
    for target in [
        "/v3/mail/send%0d%0aX-Evil:%201",
        "/v3/mail/send%0D%0A%0D%0AGET%20/",
        "/v3/mail/send%E5%98%8A%E5%98%8DX-Evil:1",
        "/v3/mail%2fsend",
        "/v3/mail/send/..%2f..%2fapi_keys",
        "/v3/mail/send/../../v3/api_keys",
        "/v3/./mail/send",
        "//v3/mail/send",
        "//evil.example/v3/mail/send",
        "/@evil.example/v3/mail/send",
        "/v3/mail/send;x=y",
        "/v3/mail/send%00",
        "/v3/mail/send%",
        "/V3/Mail/Send",
    ] {
        let vendor = FakeVendor::accepting().await;
        let house = House::with(Setup::sendgrid(&vendor)).await;
        let answer = house.send(house.mail().path(&format!("/v/sendgrid{target}"))).await;
        assert_eq!(answer.code(), Some("unknown-operation"), "{target}");
        assert!(vendor.got().is_empty());

        // Where the vendor may be called as it is, it gets the very bytes and nothing else.
        let setup = Setup { mode: Mode::Observe, ..Setup::sendgrid(&vendor) };
        let house = House::with(setup).await;
        let answer = house.send(house.mail().path(&format!("/v/sendgrid{target}"))).await;
        assert_eq!(answer.said(), (202, "sent", None), "{target}");
        let got = vendor.only();
        assert_eq!(got.line(), format!("POST {target} HTTP/1.1"));
        let expected = ["accept-encoding", "authorization", "content-length", "content-type"];
        assert_eq!(header_names(&got.head), [&expected[..], &["host"]].concat());
        assert_eq!(got.header("host"), [vendor.address.to_string()]);
    }
}

#[tokio::test]
async fn a_query_is_refused_under_enforce_and_leaves_as_it_was_written_elsewhere() {
    let vendor = FakeVendor::accepting().await;
    let path = "/v/sendgrid/v3/mail/send?to=ann%0d%0aX-Evil:1&x=%2e%2e/";
    let house = House::with(Setup::sendgrid(&vendor)).await;
    assert_eq!(house.send(house.mail().path(path)).await.code(), Some("body-unreadable"));
    assert!(vendor.got().is_empty());
    let house = House::with(Setup { mode: Mode::Observe, ..Setup::sendgrid(&vendor) }).await;
    assert_eq!(house.send(house.mail().path(path)).await.said(), (202, "sent", None));
    let got = vendor.only();
    assert_eq!(got.line(), "POST /v3/mail/send?to=ann%0d%0aX-Evil:1&x=%2e%2e/ HTTP/1.1");
    assert!(got.header("x-evil").is_empty());
}

#[tokio::test]
async fn a_credential_that_would_be_more_than_one_header_is_not_sent() {
    for credential in
        ["SG.key\r\nX-Evil: 1", "SG.key\nX-Evil: 1", "SG.key\0", "SG.key\r\n\r\nGET / HTTP/1.1"]
    {
        let vendor = FakeVendor::accepting().await;
        let setup = Setup { credential: Some(credential), ..Setup::sendgrid(&vendor) };
        let house = House::with(setup).await;
        let answer = house.send(house.mail()).await;
        assert_eq!(answer.said(), (503, "not-sent", Some("credential-missing")));
        assert_eq!(vendor.connections(), 0, "it was not even connected to");
        assert!(!answer.head().contains("X-Evil") && !answer.text().contains("X-Evil"));
        assert_eq!(house.disclosures()[0].settled, Settled::NotSent);
    }
}

#[tokio::test]
async fn an_account_in_a_credential_that_is_no_account_does_not_become_a_path() {
    let text = || crate::support::text_message();
    for credential in ["AC/../../evil:bbbbbbbbbbbbbbbb", "AC?x=y:bbbbbbbbbbbbbbbbb", "AC\r\n:bbb"] {
        let vendor = FakeVendor::accepting().await;
        let house =
            House::with(Setup { credential: Some(credential), ..Setup::twilio(&vendor) }).await;
        let answer = house.send(text()).await;
        assert_eq!(answer.said(), (503, "not-sent", Some("credential-missing")), "{credential:?}");
        assert!(vendor.got().is_empty());
    }
}

#[tokio::test]
async fn two_content_types_are_refused_since_two_readers_may_take_either() {
    let vendor = FakeVendor::accepting().await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let text = String::from_utf8(house.mail().bytes()).expect("text");
    let json = "Content-Type: application/json\r\n";
    for other in ["Content-Type: text/plain\r\n", json, "content-type: multipart/mixed\r\n"] {
        for both in [[json, other].concat(), [other, json].concat()] {
            let answer = house.exchange(text.replace(json, &both).as_bytes()).await;
            assert_eq!(answer.said(), (400, "not-sent", Some("content-type")), "{both}");
        }
    }
    assert!(vendor.got().is_empty() && house.disclosures().is_empty());
}

#[tokio::test]
async fn a_content_type_that_could_be_read_as_another_charset_is_refused() {
    let vendor = FakeVendor::accepting().await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    for parameters in [
        "charset=utf-16",
        "charset=utf-8; charset=utf-16",
        "charset =utf-16",
        "charset= utf-16",
        "charset*=utf-16",
        "charset=utf-7",
        "charset=\"utf-16\"",
        "x=\"; charset=utf-16\"",
        "boundary=x",
        "charset",
        "charset=",
        "charset='utf-8'",
    ] {
        let content_type = format!("application/json; {parameters}");
        let answer = house.send(house.mail().header("Content-Type", &content_type)).await;
        assert_eq!(answer.code(), Some("content-type"), "{content_type}");
    }
    assert!(vendor.got().is_empty());
    for parameters in ["", ";", "; charset=utf-8", ";charset=UTF-8", "; Charset=\"utf-8\" "] {
        let content_type = format!("application/json{parameters}");
        let answer = house.send(house.mail().header("Content-Type", &content_type)).await;
        assert_eq!(answer.said(), (202, "sent", None), "{content_type}");
    }
}

/// What came back when the vendor answered these bytes, whole, on one connection.
async fn raw_reply(bytes: &[u8]) -> (House, FakeVendor, crate::support::Answer) {
    let bytes = bytes.to_vec();
    let vendor = FakeVendor::start(move |_| Act::Last(bytes.clone())).await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let answer = house.send(house.mail()).await;
    (house, vendor, answer)
}

#[tokio::test]
async fn a_reply_that_is_split_or_cannot_be_cut_without_doubt_is_not_handed_on() {
    for said in [
        "HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: evil=1\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n Set-Cookie: evil=1\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX Y: a\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 40\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 4\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}{}\r\n0\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/3.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "<html>hello</html>\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
    ] {
        let (house, vendor, answer) = raw_reply(said.as_bytes()).await;
        assert_eq!(answer.said(), (502, "unknown", Some("vendor-lost")), "{said:?}");
        assert_eq!(answer.header("set-cookie"), None);
        assert_eq!(vendor.got().len(), 1, "it was written once");
        assert_eq!(house.disclosures()[0].settled, Settled::Unknown, "{said:?}");
    }
}

#[tokio::test]
async fn escapes_in_a_reply_stay_escapes() {
    let evil = "%0d%0aSet-Cookie:%20evil=1";
    let said = format!("X-Said: {evil}\r\nX-Request-Id: a b\t\u{e9}\r\n");
    let vendor = FakeVendor::start(move |_| Act::Reply(reply("400 Bad", &said, "{}"))).await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.said(), (400, "sent", None));
    assert_eq!(answer.header("x-said"), Some(evil));
    assert_eq!(answer.header("set-cookie"), None);
}

#[tokio::test]
async fn a_vendor_cannot_speak_in_the_gateways_name() {
    let vendor = FakeVendor::start(|_| {
        let extra = "X-Cordon-Outcome: not-sent\r\nX-Cordon-Outcome: unknown\r\nX-Cordon-Code: x\r\n\
                     X-Cordon-Call: cal_made-up\r\nX-Cordon-Made-Up: 1\r\n";
        Act::Reply(reply("200 OK", extra, "{}"))
    })
    .await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let answer = house.send(house.mail()).await;
    assert_eq!(answer.said(), (200, "sent", None));
    let call = house.seen.only().call.to_string();
    assert_eq!(answer.header("x-cordon-call"), Some(call.as_str()));
    let said = |name: &str| answer.head().to_ascii_lowercase().matches(name).count();
    assert_eq!((said("x-cordon-outcome"), said("x-cordon-call"), said("x-cordon-")), (1, 1, 2));
}

/// Two workloads' calls share connections to a vendor: what the first one's reply leaves behind
/// must not become the second one's reply.
#[tokio::test]
async fn a_reply_that_says_two_things_of_its_length_leaves_nothing_for_the_next_caller() {
    let stray = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray";
    for said in [
        format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{{}}{stray}"),
        format!("HTTP/1.1 204 No\r\n\r\n{stray}"),
        format!("HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n{stray}"),
        format!(
            "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n\
             2\r\n{{}}\r\n0\r\n\r\n{stray}"
        ),
    ] {
        let vendor = FakeVendor::start(move |got| {
            let mail = String::from_utf8_lossy(&got.body).contains("first");
            Act::Reply(if mail { said.clone().into_bytes() } else { accepted() })
        })
        .await;
        let house = House::with(Setup::sendgrid(&vendor)).await;
        let first = house.mail().json(|body| body["subject"] = "first".into());
        let answer = house.send(first).await;
        assert_eq!(answer.outcome(), "sent");
        assert!(!answer.text().contains("stray"));
        let answer = house.send(house.mail()).await;
        assert_eq!(answer.said(), (202, "sent", None));
        assert_eq!(vendor.connections(), 2, "the first connection is not used again");
    }
}
