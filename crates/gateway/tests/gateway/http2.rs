//! HTTP/2 at a TLS door: the same pipeline, and attempts to be read in two ways.

use std::time::Duration;

use bytes::Bytes;
use gateway::Patience;
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::pki::Pki;
use crate::support::{FakeVendor, House, Setup, soon};

/// A raw HTTP/2 connection to a TLS door.
struct Raw {
    stream: TlsStream<TcpStream>,
    house: House,
    vendor: FakeVendor,
    _pki: Pki,
}

/// The type of a frame (RFC 9113 §6).
#[derive(Debug, PartialEq, Eq)]
enum Frame {
    Headers(Vec<u8>),
    Reset(u32),
    GoAway(u32),
    End,
}

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header, literal and without a table (RFC 7541 §6.2.2).
fn literal(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| {
        assert!(text.len() < 127, "a short text");
        [&[u8::try_from(text.len()).expect("short")], text.as_bytes()].concat()
    };
    [vec![0], text(name), text(value)].concat()
}

impl Raw {
    async fn open(patience: Patience) -> Self {
        let vendor = FakeVendor::accepting().await;
        let house = House::start(vec![Setup::sendgrid(&vendor)], patience).await;
        let pki = Pki::new();
        let (door, _) = pki.door(&house, &pki.files()).await;
        let caller = pki.client(None).http2().connect(door).await.expect("TLS");
        Self { stream: caller.stream, house, vendor, _pki: pki }
    }

    async fn greeted() -> Self {
        let mut raw = Self::open(Patience::default()).await;
        raw.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        raw.write(&frame(4, 0, 0, &[])).await;
        raw
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("written");
        self.stream.flush().await.expect("written");
    }

    /// The headers of a message, and others.
    fn head(&self, others: &[(&str, &str)]) -> Vec<u8> {
        let token = format!("Bearer {}", self.house.token());
        let usual = [
            (":method", "POST"),
            (":scheme", "https"),
            (":path", "/v/sendgrid/v3/mail/send"),
            (":authority", "gateway.internal"),
            ("authorization", token.as_str()),
            ("content-type", "application/json"),
        ];
        usual.iter().chain(others).flat_map(|(name, value)| literal(name, value)).collect()
    }

    /// The next frame that decides something.
    async fn next(&mut self) -> Frame {
        loop {
            let mut head = [0; 9];
            if soon("a frame", self.stream.read_exact(&mut head)).await.is_err() {
                return Frame::End;
            }
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let mut payload = vec![0; length];
            self.stream.read_exact(&mut payload).await.expect("a whole frame");
            let code =
                |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().expect("four bytes"));
            match head[3] {
                1 => return Frame::Headers(payload),
                3 => return Frame::Reset(code(0)),
                7 => return Frame::GoAway(code(4)),
                _ => {}
            }
        }
    }

    fn nothing_left(&self) {
        assert!(self.vendor.got().is_empty(), "nothing reaches the vendor");
        assert!(self.house.disclosures().is_empty());
    }
}

/// RFC 9113 §7.
const PROTOCOL_ERROR: u32 = 1;
const ENHANCE_YOUR_CALM: u32 = 11;

#[tokio::test]
async fn calls_over_http2_take_the_way_of_all_calls() {
    let Raw { stream, house, vendor, .. } = Raw::open(Patience::default()).await;
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    tokio::spawn(connection);
    let whole = String::from_utf8(house.mail().bytes()).expect("text");
    let (_, body) = whole.split_once("\r\n\r\n").expect("a body");
    for (authorization, status, outcome) in
        [(format!("Bearer {}", house.token()), 202, "sent"), ("Bearer x".into(), 401, "not-sent")]
    {
        let request = http::Request::post("https://gateway.internal/v/sendgrid/v3/mail/send")
            .header("authorization", authorization)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body.to_owned())))
            .expect("a request");
        let reply = soon("a reply", sender.send_request(request)).await.expect("a reply");
        assert_eq!(
            (reply.status().as_u16(), &reply.headers()["x-cordon-outcome"]),
            (status, &http::HeaderValue::from_static(outcome))
        );
    }
    assert_eq!(vendor.only().json()["subject"], "Your receipt");
}

#[tokio::test]
async fn a_length_that_the_data_does_not_add_up_to_ends_the_stream() {
    for (stated, given) in [("2", "{}{}"), ("9", "{}")] {
        let mut raw = Raw::greeted().await;
        let head = raw.head(&[("content-length", stated)]);
        raw.write(&frame(1, END_HEADERS, 1, &head)).await;
        raw.write(&frame(0, END_STREAM, 1, given.as_bytes())).await;
        let ended = raw.next().await;
        assert!(
            matches!(ended, Frame::Reset(PROTOCOL_ERROR) | Frame::GoAway(PROTOCOL_ERROR)),
            "{stated}: {ended:?}"
        );
        raw.nothing_left();
    }
}

#[tokio::test]
async fn headers_of_a_connection_end_the_stream() {
    for header in [
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("te", "gzip"),
        ("X-Upper", "1"),
        ("x-split", "a\r\nx-b: c"),
    ] {
        let mut raw = Raw::greeted().await;
        let head = raw.head(&[header]);
        raw.write(&frame(1, END_HEADERS | END_STREAM, 1, &head)).await;
        let ended = raw.next().await;
        assert!(
            matches!(ended, Frame::Reset(PROTOCOL_ERROR) | Frame::GoAway(PROTOCOL_ERROR)),
            "{header:?}: {ended:?}"
        );
        raw.nothing_left();
    }
}

#[tokio::test]
async fn another_host_than_the_authority_is_refused_with_its_code() {
    let mut raw = Raw::greeted().await;
    let head = raw.head(&[("host", "other.example")]);
    raw.write(&frame(1, END_HEADERS | END_STREAM, 1, &head)).await;
    assert!(matches!(raw.next().await, Frame::Headers(_)));
    raw.nothing_left();
    assert_eq!(raw.house.seen.only().code, Some("host-malformed"));
}

#[tokio::test]
async fn a_bomb_of_headers_is_not_unpacked() {
    let mut raw = Raw::greeted().await;
    let mut head = raw.head(&[]);
    // One long header into the table, then hundreds of references to it, a byte each.
    head.extend([0x40, 1, b'x', 100]);
    head.extend([b'y'; 100]);
    head.extend([0xbe; 10_000]);
    raw.write(&frame(1, END_HEADERS | END_STREAM, 1, &head)).await;
    let ended = raw.next().await;
    assert_ne!(ended, Frame::End, "it is answered, or refused by name");
    raw.nothing_left();
    assert!(raw.house.seen.all().iter().all(|seen| seen.outcome.name() == "not-sent"));
}

#[tokio::test]
async fn headers_that_never_end_end_the_connection() {
    let mut raw = Raw::greeted().await;
    let head = raw.head(&[]);
    raw.write(&frame(1, 0, 1, &head)).await;
    let filler: Vec<u8> = (0..50).flat_map(|_| literal("x-a", &"b".repeat(120))).collect();
    for _ in 0..200 {
        let written = raw.stream.write_all(&frame(9, 0, 1, &filler)).await;
        if written.is_err() {
            break;
        }
    }
    let ended = raw.next().await;
    assert!(matches!(ended, Frame::GoAway(_) | Frame::End), "{ended:?}");
    raw.nothing_left();
}

#[tokio::test]
async fn a_flood_of_resets_ends_the_connection() {
    let mut raw = Raw::greeted().await;
    let head = raw.head(&[]);
    let mut flood = Vec::new();
    for stream in (1..4_001).step_by(2) {
        flood.extend(frame(1, END_HEADERS, stream, &head));
        flood.extend(frame(3, 0, stream, &8_u32.to_be_bytes()));
    }
    drop(raw.stream.write_all(&flood).await);
    let ended = loop {
        match raw.next().await {
            Frame::Headers(_) | Frame::Reset(_) => {}
            ended => break ended,
        }
    };
    assert!(matches!(ended, Frame::GoAway(ENHANCE_YOUR_CALM) | Frame::End), "{ended:?}");
    raw.nothing_left();
}

#[tokio::test]
async fn a_connection_on_which_nothing_happens_is_closed() {
    let patience = Patience { read: Duration::from_millis(50), ..Patience::default() };
    let mut raw = Raw::open(patience).await;
    raw.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    raw.write(&frame(4, 0, 0, &[])).await;
    let head = raw.head(&[]);
    // A head that is begun and not ended is no request.
    raw.write(&frame(1, 0, 1, &head)).await;
    assert!(matches!(raw.next().await, Frame::End | Frame::GoAway(_)));
    raw.nothing_left();
}
