//! A body in the chunks of AWS's SDKs, taken out of them. Over TLS the SDKs do not sign what they
//! put, and send its checksum behind it: that becomes a header, which the vendor checks.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::admit::single;
use crate::refused::Refused;

/// The `Content-Encoding` of such a body.
pub(crate) const ENCODING: &[u8] = b"aws-chunked";

const CONTENT_HASH: &str = "x-amz-content-sha256";
const UNSIGNED: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
const TRAILER: &str = "x-amz-trailer";
const LENGTH: &str = "x-amz-decoded-content-length";

/// The checksum that stood behind a body, as a header.
pub(crate) type Checksum = (HeaderName, HeaderValue);

/// Refuses chunks that are signed one by one: their signatures are not checked here.
pub(crate) fn check(headers: &HeaderMap) -> Result<(), Refused> {
    let unsigned = single(headers, CONTENT_HASH) == Some(UNSIGNED);
    if unsigned { Ok(()) } else { Err(Refused::EncodingUnknown) }
}

/// What was in the chunks, and the checksum behind them.
pub(crate) fn open(headers: &HeaderMap, body: &[u8]) -> Result<(Bytes, Checksum), Refused> {
    let checksum = single(headers, TRAILER).filter(|name| name.starts_with("x-amz-checksum-"));
    let length = single(headers, LENGTH).and_then(|length| length.parse().ok());
    let read = checksum.zip(length).and_then(|(name, length)| read(name, length, body));
    read.ok_or(Refused::EncodingBroken)
}

/// Puts the checksum among the headers, in the place of what announced it.
pub(crate) fn note(headers: &mut HeaderMap, (name, value): Checksum) {
    headers.remove(TRAILER);
    headers.remove(LENGTH);
    headers.insert(name, value);
}

fn read(checksum: &str, length: usize, body: &[u8]) -> Option<(Bytes, Checksum)> {
    let mut whole = Vec::with_capacity(length.min(body.len()));
    let mut rest = body;
    loop {
        let (size, behind) = line(rest)?;
        let is_size = (1..=8).contains(&size.len()) && size.bytes().all(|b| b.is_ascii_hexdigit());
        let size = usize::from_str_radix(size, 16).ok().filter(|_| is_size)?;
        if size == 0 {
            rest = behind;
            break;
        }
        let (data, behind) = behind.split_at_checked(size)?;
        whole.extend_from_slice(data);
        rest = behind.strip_prefix(b"\r\n")?;
    }
    let (trailer, rest) = line(rest)?;
    let (name, value) = trailer.split_once(':')?;
    let is_end = matches!(rest, b"" | b"\r\n");
    if !is_end || whole.len() != length || !name.eq_ignore_ascii_case(checksum) {
        return None;
    }
    let name = HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes()).ok()?;
    Some((whole.into(), (name, HeaderValue::from_str(value.trim()).ok()?)))
}

/// The next line, and what is behind it.
fn line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 2..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(body: &[u8], length: &'static str) -> Result<(Bytes, Checksum), Refused> {
        let mut headers = HeaderMap::new();
        headers.insert(TRAILER, HeaderValue::from_static("x-amz-checksum-crc32"));
        headers.insert(LENGTH, HeaderValue::from_static(length));
        open(&headers, body)
    }

    #[test]
    fn the_body_comes_out_with_its_checksum_as_a_header() {
        let chunks = b"5\r\nhello\r\n1\r\n!\r\n0\r\nx-amz-checksum-crc32:sOO8/Q==\r\n\r\n";
        let (body, (name, value)) = given(chunks, "6").expect("well-formed");
        assert_eq!(body, &b"hello!"[..]);
        assert_eq!((name.as_str(), value.as_bytes()), ("x-amz-checksum-crc32", &b"sOO8/Q=="[..]));
    }

    #[test]
    fn what_is_not_exactly_so_is_refused() {
        let end = "0\r\nx-amz-checksum-crc32:sOO8/Q==\r\n\r\n";
        for (body, length) in [
            (format!("5\r\nhello\r\n{end}"), "6"),
            (format!("6\r\nhello\r\n{end}"), "5"),
            (format!("5;chunk-signature=ab\r\nhello\r\n{end}"), "5"),
            (format!("5\nhello\n{end}"), "5"),
            (format!("+5\r\nhello\r\n{end}"), "5"),
            (format!("5\r\nhello\r\n{end}GET / HTTP/1.1\r\n"), "5"),
            ("5\r\nhello\r\n0\r\n\r\n".to_owned(), "5"),
            ("5\r\nhello\r\n0\r\nx-amz-meta-owner:4711\r\n\r\n".to_owned(), "5"),
            ("5\r\nhello\r\n".to_owned(), "5"),
            ("ffffffffffffffff\r\nhello\r\n".to_owned(), "5"),
        ] {
            let refused = given(body.as_bytes(), length).expect_err(&body);
            assert!(matches!(refused, Refused::EncodingBroken), "{body}");
        }
    }
}
