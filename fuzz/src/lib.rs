//! What must hold of every reader of what others wrote, whatever the bytes: it says what other
//! readers say, or it refuses. The fuzz targets look for bytes of which it does not; an ordinary
//! test of the gateway holds it over the inputs that are kept in `corpus`.

use bytes::Bytes;
use connectors::parsers;
use gateway::{Broken, Framing};
use mail::{Edit, Message};
use serde_json::Value;

/// Requests as the gateway cuts them: the same ones however the bytes arrive, the same ones that a
/// second parser of heads and a second reader of chunks see.
///
/// # Panics
/// When it does not hold.
pub fn head(bytes: &[u8]) {
    let (whole, ended) = cut(bytes, bytes.len().max(1));
    let (slow, ended_slowly) = cut(bytes, 1);
    assert_eq!(ended, ended_slowly, "the same end, however the bytes arrive");
    let (whole, slow) = (whole.concat(), slow);
    let flat = slow.concat();
    assert!(flat.starts_with(&whole) && bytes.starts_with(&flat), "bytes pass as they are");
    assert!(ended.is_some() || whole == flat, "the same bytes, however they arrive");
    let mut pieces = slow.iter();
    while let Some(head) = pieces.next() {
        let body = pieces.next().map_or(&[][..], Vec::as_slice);
        check_head(head, body, pieces.len() > 0);
    }
}

/// Heads and bodies in turn, as far as they were cleared; the last one may be cut short.
fn cut(bytes: &[u8], step: usize) -> (Vec<Vec<u8>>, Option<Broken>) {
    let (mut framing, mut held) = (Framing::default(), Vec::new());
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    for part in bytes.chunks(step) {
        held.extend_from_slice(part);
        loop {
            let in_head = framing.in_head();
            let cleared = match framing.clear(&held) {
                Ok(0) => break,
                Ok(cleared) => cleared,
                Err(broken) => return (pieces, Some(broken)),
            };
            if in_head {
                if pieces.len() % 2 == 1 {
                    pieces.push(Vec::new()); // the one before had no body
                }
                pieces.push(Vec::new());
            } else if pieces.len() % 2 == 1 {
                pieces.push(Vec::new());
            }
            let piece = pieces.last_mut().expect("just pushed");
            piece.extend(held.drain(..cleared));
        }
    }
    (pieces, None)
}

fn check_head(head: &[u8], body: &[u8], whole: bool) {
    let mut room = [httparse::EMPTY_HEADER; 128];
    let mut request = httparse::Request::new(&mut room);
    let parsed = request.parse(head).expect("a second parser takes the head");
    assert_eq!(parsed, httparse::Status::Complete(head.len()), "and sees the same end");
    let path = request.path.expect("it is complete");
    assert!(path.starts_with('/') && !path.contains([' ', '#']));
    let values = |name: &str| -> Vec<&[u8]> {
        let named = |header: &&httparse::Header<'_>| header.name.eq_ignore_ascii_case(name);
        request.headers.iter().filter(named).map(|header| header.value).collect()
    };
    for header in request.headers.iter() {
        assert!(!header.value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
    }
    let (lengths, codings) = (values("content-length"), values("transfer-encoding"));
    assert!(lengths.len() + codings.len() <= 1, "one thing says where the body ends");
    assert!(values("host").len() <= 1);
    match (lengths.first(), codings.first()) {
        (Some(length), _) => {
            let length = std::str::from_utf8(length).expect("a number").trim();
            let length: usize = length.parse().expect("a number");
            assert!(body.len() == length || !whole && body.len() < length, "the body's length");
        }
        (_, Some(coding)) => {
            assert!(coding.trim_ascii().eq_ignore_ascii_case(b"chunked"));
            let ended = chunks_end(body);
            assert!(ended == Some(body.len()) || !whole && ended.is_none(), "the last chunk");
        }
        (None, None) => assert!(body.is_empty()),
    }
}

/// Where a chunked body ends; `None` when it does not, within these bytes.
fn chunks_end(body: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let line = body[at..].windows(2).position(|end| end == b"\r\n")?;
        let size = std::str::from_utf8(&body[at..at + line]).expect("a size");
        assert!(size.bytes().all(|digit| digit.is_ascii_hexdigit()), "a size and nothing else");
        let size = usize::from_str_radix(size, 16).expect("a size");
        at += line + 2;
        let data_end = at.checked_add(size)?;
        if body.len() < data_end + 2 {
            return None;
        }
        assert_eq!(&body[data_end..data_end + 2], b"\r\n", "a chunk ends with its line");
        at = data_end + 2;
        if size == 0 {
            return Some(at);
        }
    }
}

/// JSON: what is written is what was read, and a second parser reads the same out of both.
///
/// # Panics
/// When it does not hold.
pub fn json(bytes: &[u8]) {
    let Ok(written) = parsers::json(bytes) else { return };
    assert_eq!(parsers::json(&written).as_ref(), Ok(&written), "what is written reads back");
    for text in [bytes, &written] {
        let read: Result<serde::de::IgnoredAny, _> = serde_json::from_slice(text);
        read.expect("a second parser takes it");
    }
    let value = |text: &[u8]| serde_json::from_slice::<Value>(text).ok();
    assert_eq!(value(bytes), value(&written), "a second parser reads the same");
}

/// Forms: the pairs are those of a second parser, before and after writing.
///
/// # Panics
/// When it does not hold.
pub fn form(bytes: &[u8]) {
    let Ok(pairs) = parsers::form(bytes) else { return };
    let written = parsers::form_written(&pairs);
    assert_eq!(parsers::form(&written).as_ref(), Ok(&pairs), "what is written reads back");
    for text in [bytes, &written] {
        let theirs: Vec<_> = form_urlencoded::parse(text).into_owned().collect();
        assert_eq!(theirs, pairs, "a second parser reads the same");
    }
}

/// Multipart forms: the first line is the boundary. What is written reads back, and no part holds
/// anything that a lenient reader could take for a boundary.
///
/// # Panics
/// When it does not hold.
pub fn multipart(bytes: &[u8]) {
    let Some((boundary, body)) = boundary_and_body(bytes) else { return };
    let Ok(parts) = parsers::multipart(body, boundary) else { return };
    let delimiter = format!("--{boundary}");
    let holds = |part: &parsers::Part| {
        part.content.windows(delimiter.len()).any(|bytes| bytes == delimiter.as_bytes())
    };
    assert!(!parts.iter().any(holds), "a boundary within a part");
    let written = parsers::multipart_written(body, boundary).expect("what was read is written");
    assert_eq!(parsers::multipart(&written, boundary), Ok(parts), "what is written reads back");
}

/// The boundary in the first line, and the body below it.
pub fn boundary_and_body(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 1..]))
}

/// Mail: it is read or refused, and what is taken apart and left as it is, is as it was.
///
/// # Panics
/// When it does not hold.
pub fn mime(bytes: &[u8]) {
    drop(mail::read(bytes));
    let Ok(message) = Message::parse(Bytes::copy_from_slice(bytes)) else { return };
    assert_eq!(message.write(&|_| Edit::Keep, &[]), bytes, "nothing changes by itself");
    for name in ["From", "To", "Cc", "Bcc", "Reply-To"] {
        for mailbox in message.mailboxes(name).unwrap_or_default() {
            assert!(!mailbox.address.contains(['\r', '\n']), "an address is one line");
        }
        let value = message.value(name).unwrap_or_default();
        assert!(!value.contains('\n'), "a value is one line");
    }
}
