//! Requests with another one hidden in them: whatever two readers could cut in two places is
//! refused, and nothing that follows it on the connection is read as a request.

use model::Mode;

use crate::support::{FakeVendor, House, Setup};

/// Writes these bytes and a whole request after them. Nobody may answer anything but one refusal.
async fn refused(house: &House, vendor: &FakeVendor, bytes: &[u8], code: &str) {
    let shown = String::from_utf8_lossy(bytes).escape_debug().to_string();
    let mut caller = house.call().await;
    caller.write(&[bytes, &house.mail().bytes()].concat()).await;
    let answer = caller.answer().await;
    let (_, outcome, said) = answer.said();
    assert_eq!((outcome, said), ("not-sent", Some(code)), "{shown}");
    assert!((400..600).contains(&answer.status), "{shown}");
    assert!(caller.is_closed().await, "a second answer to {shown}");
    assert!(vendor.got().is_empty(), "{shown}");
}

/// Every mode holds to it: these are never a matter of what the vendor documents.
async fn each_is_refused(attacks: &[(String, &str)]) {
    for mode in [Mode::Observe, Mode::Enforce] {
        let vendor = FakeVendor::accepting().await;
        let house = House::with(Setup { mode, ..Setup::sendgrid(&vendor) }).await;
        let token = house.token();
        for (attack, code) in attacks {
            let bytes = attack.replace("TOKEN", &token);
            refused(&house, &vendor, bytes.as_bytes(), code).await;
        }
        assert!(house.disclosures().is_empty());
        assert_eq!(house.seen.all().len(), attacks.len(), "each was seen, and nothing else");
    }
}

/// A request for the mail path with these framing headers and this body.
fn mail(framing: &str, body: &str) -> String {
    format!(
        "POST /v/sendgrid/v3/mail/send HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer TOKEN\r\n\
         Content-Type: application/json\r\n{framing}\r\n{body}"
    )
}

const INNER: &str = "GET /v/sendgrid/v3/api_keys HTTP/1.1\r\nHost: g\r\n\r\n";

#[tokio::test]
async fn a_length_and_chunks_that_disagree_are_refused_whichever_is_believed() {
    let hidden = format!("0\r\n\r\n{INNER}");
    let length = hidden.len();
    let chunk = format!("{:x}\r\n{INNER}\r\n0\r\n\r\n", INNER.len());
    each_is_refused(&[
        // CL.TE: the first reader counts, the second one takes chunks.
        (
            mail(&format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"), &hidden),
            "length-and-chunked",
        ),
        // TE.CL: the other way round.
        (mail("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", &chunk), "length-and-chunked"),
        (mail("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", &chunk), "length-and-chunked"),
        // CL.CL.
        (mail("Content-Length: 0\r\nContent-Length: 44\r\n", INNER), "length-twice"),
        (mail("Content-Length: 44\r\nContent-Length: 44\r\n", INNER), "length-twice"),
        (mail("Content-Length: 0, 44\r\n", INNER), "length-malformed"),
    ])
    .await;
}

#[tokio::test]
async fn chunks_that_only_one_of_two_readers_would_see_are_refused() {
    let hidden = format!("0\r\n\r\n{INNER}");
    let with = |header: &str| mail(&format!("{header}\r\n"), &hidden);
    let and_length = |header: &str| mail(&format!("{header}\r\nContent-Length: 4\r\n"), &hidden);
    each_is_refused(&[
        (with("Transfer-Encoding: xchunked"), "transfer-encoding"),
        (with("Transfer-Encoding: chunked, identity"), "transfer-encoding"),
        (with("Transfer-Encoding: identity, chunked"), "transfer-encoding"),
        (with("Transfer-Encoding: chunked;q=1"), "transfer-encoding"),
        (with("Transfer-Encoding: \"chunked\""), "transfer-encoding"),
        (with("Transfer-Encoding: cow\r\nTransfer-Encoding: chunked"), "transfer-encoding"),
        (with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), "transfer-encoding"),
        (with("Transfer-Encoding: chunked\r\nTransfer-encoding: cow"), "transfer-encoding"),
        (with("Transfer-Encoding:"), "transfer-encoding"),
        (with("Transfer-Encoding: ch\u{fc}nked"), "transfer-encoding"),
        (and_length("Transfer-Encoding : chunked"), "head-malformed"),
        (and_length("Transfer-Encoding\t: chunked"), "head-malformed"),
        (and_length("Transfer-Encoding: \u{b}chunked"), "head-malformed"),
        (and_length("X: y\nTransfer-Encoding: chunked"), "head-malformed"),
        (and_length("X: y\rTransfer-Encoding: chunked"), "head-malformed"),
        (and_length("Transfer-Encoding:\r\n chunked"), "transfer-encoding"),
        (and_length("X: y\r\n Transfer-Encoding: chunked"), "head-folded"),
        (and_length("X: y\r\n\tTransfer-Encoding: chunked"), "head-folded"),
    ])
    .await;
}

#[tokio::test]
async fn a_length_that_is_no_plain_number_is_refused() {
    for value in ["+4", "-4", "0x4", "4 4", "4,", "4.0", "٤", "", "18446744073709551616", "4\u{b}"]
    {
        let code = if value.contains('\u{b}') { "head-malformed" } else { "length-malformed" };
        let attack = mail(&format!("Content-Length: {value}\r\n"), "{}{}");
        each_is_refused(&[(attack, code)]).await;
    }
}

#[tokio::test]
async fn heads_that_are_not_well_formed_are_refused() {
    let line = |line: &str| format!("{line}\r\nHost: g\r\nContent-Length: 0\r\n\r\n");
    let header = |header: &str| mail(&format!("Content-Length: 0\r\n{header}\r\n"), "");
    each_is_refused(&[
        (header("X\0: y"), "head-malformed"),
        (header("X: y\0z"), "head-malformed"),
        (header("X Y: z"), "head-malformed"),
        (header("X\u{e4}: y"), "head-malformed"),
        (header(": y"), "head-malformed"),
        (header("X"), "head-malformed"),
        (header("X: \u{7f}"), "head-malformed"),
        (header("(x): y"), "head-malformed"),
        (line("POST /v/sendgrid/v3/mail/send"), "head-malformed"),
        (line("POST  /v/sendgrid/v3/mail/send HTTP/1.1"), "head-malformed"),
        (line("POST\t/v/sendgrid/v3/mail/send\tHTTP/1.1"), "head-malformed"),
        (line("POST /v/sendgrid/v3/mail/send HTTP/1.1 "), "head-malformed"),
        (line("POST /v/sendgrid/v3/mail/send http/1.1"), "http-version"),
        (line("POST /v/sendgrid/v3/mail/send HTTP/1.2"), "http-version"),
        (line("POST /v/sendgrid/v3/mail/send HTTP/2.0"), "http-version"),
        (line(" POST /v/sendgrid/v3/mail/send HTTP/1.1"), "head-malformed"),
        (line("\r\nPOST /v/sendgrid/v3/mail/send HTTP/1.1"), "head-malformed"),
        (line("P\0ST /v/sendgrid/v3/mail/send HTTP/1.1"), "head-malformed"),
    ])
    .await;
}

#[tokio::test]
async fn a_target_that_names_another_host_is_refused_and_the_host_header_chooses_nothing() {
    let line = |line: &str| format!("{line}\r\nHost: g\r\nContent-Length: 0\r\n\r\n");
    each_is_refused(&[
        (line("POST http://evil.example/v/sendgrid/v3/mail/send HTTP/1.1"), "target-malformed"),
        (line("POST http://g/v/sendgrid/v3/mail/send HTTP/1.1"), "target-malformed"),
        (line("POST evil.example:443 HTTP/1.1"), "target-malformed"),
        (line("POST * HTTP/1.1"), "target-malformed"),
        (line("POST /v/sendgrid/v3/mail/send#x HTTP/1.1"), "target-malformed"),
        (line("POST /v/sendgrid/v3/mail\u{a0}/send HTTP/1.1"), "target-malformed"),
        (mail("Content-Length: 0\r\nHost: evil.example\r\n", ""), "host-malformed"),
        (mail("Content-Length: 0\r\n", "").replace("Host: g\r\n", ""), "host-malformed"),
    ])
    .await;

    let vendor = FakeVendor::accepting().await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let text = String::from_utf8(house.mail().bytes()).expect("text");
    let text = text.replace("Host: gateway", "Host: evil.example");
    assert_eq!(house.exchange(text.as_bytes()).await.said(), (202, "sent", None));
    assert_eq!(vendor.only().header("host"), [vendor.address.to_string()]);
}

/// The head was read by then, so the refusal is one of the body; the connection ends all the same.
#[tokio::test]
async fn chunks_that_can_be_cut_in_two_ways_are_refused() {
    let chunked = |body: &str| mail("Transfer-Encoding: chunked\r\n", body);
    let attacks = [
        "2;a=b\r\n{}\r\n0\r\n\r\n",
        "2;\r\n{}\r\n0\r\n\r\n",
        "2 ;a\r\n{}\r\n0\r\n\r\n",
        "2;a\n{}\r\n0\r\n\r\n",
        "2\r\n{}\r\n0;a=\"\r\n\r\n",
        " 2\r\n{}\r\n0\r\n\r\n",
        "2 \r\n{}\r\n0\r\n\r\n",
        "0x2\r\n{}\r\n0\r\n\r\n",
        "+2\r\n{}\r\n0\r\n\r\n",
        "-2\r\n{}\r\n0\r\n\r\n",
        "2\n{}\r\n0\r\n\r\n",
        "2\r{}\r\n0\r\n\r\n",
        "2\r\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}\n0\r\n\r\n",
        "2\r\n{}0\r\n\r\n",
        "2\r\n{}{}\r\n0\r\n\r\n",
        "\r\n2\r\n{}\r\n0\r\n\r\n",
        "00000000000000002\r\n{}\r\n0\r\n\r\n",
        "10000000000000002\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}\r\n0\r\nContent-Length: 9\r\n\r\n",
        "2\r\n{}\r\n0\r\nX: y\r\n\r\n",
        "2\r\n{}\r\n0\n\r\n",
        "2\r\n{}\r\n0\r\n\n",
    ];
    let attacks: Vec<_> = attacks.iter().map(|body| (chunked(body), "body-cut")).collect();
    each_is_refused(&attacks).await;
}

#[tokio::test]
async fn a_request_within_a_body_stays_a_body() {
    let vendor = FakeVendor::accepting().await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    let hidden = format!("\r\n0\r\n\r\n{INNER}");
    let mail = house.mail().json(|body| body["content"][0]["value"] = hidden.clone().into());
    assert_eq!(house.send(mail).await.said(), (202, "sent", None));
    assert_eq!(vendor.only().json()["content"][0]["value"], hidden);

    // A body where none is usual is a body, too, not the next request.
    let mut caller = house.call().await;
    let with_body = format!(
        "GET /v/sendgrid/v3/x HTTP/1.1\r\nHost: g\r\nContent-Length: {}\r\n\r\n",
        INNER.len()
    );
    caller.write(format!("{with_body}{INNER}").as_bytes()).await;
    assert_eq!(caller.answer().await.said(), (401, "not-sent", Some("token-missing")));
    assert!(caller.is_closed().await);
    assert_eq!(house.seen.all().len(), 2);
}

#[tokio::test]
async fn what_leaves_has_one_length_and_no_chunks_whatever_the_mode() {
    for mode in [Mode::Observe, Mode::Report, Mode::Enforce] {
        let vendor = FakeVendor::accepting().await;
        let house = House::with(Setup { mode, ..Setup::sendgrid(&vendor) }).await;
        let mail = house.mail().header("Connection", "close, Content-Length, X-Hop");
        let mail = mail.header("X-Hop", "1").header("TE", "trailers").header("Trailer", "X");
        let answer = house.send(mail.header("Keep-Alive", "timeout=9")).await;
        assert_eq!(answer.said(), (202, "sent", None));
        let got = vendor.only();
        assert_eq!(got.header("content-length"), [got.body.len().to_string()]);
        for name in ["transfer-encoding", "te", "trailer", "connection", "keep-alive", "x-hop"] {
            assert!(got.header(name).is_empty(), "{name} in {mode:?}");
        }
    }
}

#[tokio::test]
async fn a_caller_cannot_make_up_what_the_gateway_says_of_a_broken_head() {
    let vendor = FakeVendor::accepting().await;
    let house = House::with(Setup::sendgrid(&vendor)).await;
    for code in ["upgrade", "made-up", ""] {
        let answer = house.send(house.mail().header("X-Cordon-Broken", code)).await;
        assert_eq!((answer.status / 100, answer.outcome()), (4, "not-sent"), "{code}");
    }
    assert!(vendor.got().is_empty());
}
