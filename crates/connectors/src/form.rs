//! Forms read without doubt (`application/x-www-form-urlencoded`). Order is kept. It does not know
//! what a key means.

use model::limits;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::call::Unreadable;

/// What is written as it is beside letters and digits (RFC 3986, unreserved).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Reads a form into its pairs. An empty body has none.
///
/// # Errors
/// When it is not UTF-8, has a broken escape, an empty pair, or more than
/// [`limits::FORM_PAIRS`] of them. A key that stands twice is the caller's to judge.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<(String, String)>, Unreadable> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Unreadable::Body { at: "the form".into(), why: "it is not UTF-8" })?;
    if text.is_empty() {
        return Ok(Vec::new());
    }
    if text.split('&').count() > limits::FORM_PAIRS {
        return Err(Unreadable::TooMany { what: "pairs", limit: limits::FORM_PAIRS });
    }
    text.split('&')
        .enumerate()
        .map(|(index, pair)| {
            let wrong = |why| Unreadable::Body { at: format!("pair {}", index + 1), why };
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let key = decode(key).ok_or_else(|| wrong("its key is not well-formed"))?;
            let value = decode(value).ok_or_else(|| wrong("its value is not well-formed"))?;
            if key.is_empty() { Err(wrong("it has no key")) } else { Ok((key, value)) }
        })
        .collect()
}

/// Writes pairs as a form.
pub(crate) fn write<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(key, value)| format!("{}={}", encode(key), encode(value)))
        .collect();
    pairs.join("&").into_bytes()
}

/// A text as it stands in a path segment, a query or a form.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// The value of this key in a URL's query.
pub(crate) fn query_value(url: &str, key: &str) -> Option<String> {
    let (_, query) = url.split('#').next()?.split_once('?')?;
    let value = query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))?;
    decode(value)
}

/// The URL with one more value in its query, before a fragment if it has one.
pub(crate) fn with_query_value(url: &str, key: &str, value: &str) -> String {
    let (base, fragment) = url.find('#').map_or((url, ""), |at| url.split_at(at));
    let joint = match base.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some((_, query)) if query.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{base}{joint}{key}={}{fragment}", encode(value))
}

/// Whether every escape in it is one, and what they stand for is UTF-8.
pub(crate) fn decodes(text: &str) -> bool {
    decode(text).is_some()
}

fn decode(text: &str) -> Option<String> {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|&byte| byte == b'%') {
        let digits = rest.get(at + 1..at + 3)?;
        digits.iter().all(u8::is_ascii_hexdigit).then_some(())?;
        rest = &rest[at + 3..];
    }
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_form_reads_back_as_written() {
        let pairs = [("To", "+4930 1&2"), ("Body", "grüß = 👍"), ("Empty", "")];
        let written = write(pairs);
        let read = parse(&written).expect("a form");
        let read: Vec<_> = read.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(read, pairs);
    }

    #[test]
    fn a_broken_form_is_refused() {
        for bad in ["a=%", "a=%4", "a=%zz", "a=%ff", "=1", "a=1&&b=2", "%e2%82=1"] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse("a=1&".repeat(limits::FORM_PAIRS + 1).as_bytes()).is_err());
    }

    #[test]
    fn a_value_joins_a_query_wherever_the_url_ends() {
        let with = |url| with_query_value(url, "ref", "a b");
        assert_eq!(with("https://x.example/s"), "https://x.example/s?ref=a%20b");
        assert_eq!(with("https://x.example/s?"), "https://x.example/s?ref=a%20b");
        assert_eq!(with("https://x.example/s?q=1#f"), "https://x.example/s?q=1&ref=a%20b#f");
        assert_eq!(query_value(&with("https://x.example/?q=1"), "ref").as_deref(), Some("a b"));
        assert_eq!(query_value("https://x.example/?xref=1", "ref"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(pairs) = parse(&bytes) {
                let again = write(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())));
                prop_assert_eq!(parse(&again), Ok(pairs));
            }
        }
    }
}
