//! Multipart forms read without doubt (RFC 7578, RFC 2046 §5.1): nothing before the first part or
//! after the last, one plain name each, no encodings. It does not know what a name means.

use model::limits;

use crate::call::Unreadable;
use crate::form;
use crate::media_type::MediaType;

/// One part, its head as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// The name in its `Content-Disposition`.
    pub name: String,
    head: Vec<u8>,
    is_file: bool,
    /// What it holds.
    pub content: Vec<u8>,
}

impl Part {
    /// A part that holds this text.
    pub fn of_text(name: &str, text: &str) -> Self {
        let head = format!("Content-Disposition: form-data; name=\"{name}\"\r\n").into_bytes();
        Self { name: name.to_owned(), head, is_file: false, content: text.as_bytes().to_vec() }
    }

    /// The text that it holds; `None` for a file.
    pub fn text(&self) -> Option<&str> {
        if self.is_file { None } else { std::str::from_utf8(&self.content).ok() }
    }
}

/// Reads every part.
///
/// # Errors
/// When another reader could find other parts, names or values in it, or there are more than
/// [`limits::FORM_PAIRS`].
pub(crate) fn parse(body: &[u8], boundary: &str) -> Result<Vec<Part>, Unreadable> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&byte);
    if boundary.is_empty() || boundary.len() > 70 || !boundary.bytes().all(is_plain) {
        return Err(Unreadable::ContentType);
    }
    let opening = format!("--{boundary}");
    let delimiter = format!("\r\n--{boundary}");
    let mut rest = body
        .strip_prefix(opening.as_bytes())
        .ok_or_else(|| wrong(0, "something stands before the first part"))?;
    let mut parts = Vec::new();
    loop {
        if matches!(rest, b"--" | b"--\r\n") {
            return Ok(parts);
        }
        if parts.len() == limits::FORM_PAIRS {
            return Err(Unreadable::TooMany { what: "parts", limit: limits::FORM_PAIRS });
        }
        let number = parts.len() + 1;
        let inner = rest
            .strip_prefix(b"\r\n")
            .ok_or_else(|| wrong(number, "its boundary is not a line"))?;
        let end = find(inner, delimiter.as_bytes())
            .ok_or_else(|| wrong(number, "it does not end at a boundary"))?;
        // Readers that take any end of line would see a boundary after a bare one, too.
        if find(&inner[..end], opening.as_bytes()).is_some() {
            return Err(wrong(number, "it holds its own boundary"));
        }
        parts.push(part(&inner[..end], number)?);
        rest = &inner[end + delimiter.len()..];
    }
}

/// Writes parts.
///
/// # Errors
/// When a part holds the boundary, or a name cannot be written.
pub(crate) fn write(parts: &[Part], boundary: &str) -> Result<Vec<u8>, Unreadable> {
    let delimiter = format!("--{boundary}");
    let mut out = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let unsafe_name = part.name.contains(['"', '\r', '\n', '\\']);
        if unsafe_name || find(&part.content, delimiter.as_bytes()).is_some() {
            return Err(wrong(index + 1, "it cannot be written between its boundaries"));
        }
        out.extend_from_slice(delimiter.as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&part.head);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&part.content);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(delimiter.as_bytes());
    out.extend_from_slice(b"--\r\n");
    Ok(out)
}

fn part(bytes: &[u8], number: usize) -> Result<Part, Unreadable> {
    let (head, content) = if let Some(content) = bytes.strip_prefix(b"\r\n") {
        (&bytes[..0], content)
    } else {
        let end = find(bytes, b"\r\n\r\n").ok_or_else(|| wrong(number, "its head has no end"))?;
        (&bytes[..end + 2], &bytes[end + 4..])
    };
    let text = std::str::from_utf8(head).map_err(|_| wrong(number, "its head is not UTF-8"))?;
    let mut disposition = None;
    for line in text.split_terminator("\r\n") {
        if line.contains(['\r', '\n', '\0']) || line.starts_with([' ', '\t']) {
            return Err(wrong(number, "a line of its head is folded or broken"));
        }
        let (name, value) =
            line.split_once(':').ok_or_else(|| wrong(number, "a line of its head is no header"))?;
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-disposition" if disposition.is_none() => disposition = Some(value),
            "content-type" if is_known_charset(value) => {}
            "content-transfer-encoding"
                if ["binary", "8bit", "7bit"].contains(&value.to_ascii_lowercase().as_str()) => {}
            "content-length" => {}
            _ => return Err(wrong(number, "a header of it is not one that a form has")),
        }
    }
    let disposition = disposition.ok_or_else(|| wrong(number, "it has no name"))?;
    let (name, is_file) =
        named(disposition).ok_or_else(|| wrong(number, "its name is not plain"))?;
    // The name of the character set of all others (RFC 7578 §4.6) would change what was read.
    if name == "_charset_" {
        return Err(wrong(number, "it names a character set"));
    }
    let is_file = is_file || std::str::from_utf8(content).is_err();
    Ok(Part { name, head: head.to_vec(), is_file, content: content.to_vec() })
}

/// Whether a part's text is what it seems to be: one within another, or in another character set,
/// would be read differently.
fn is_known_charset(content_type: &str) -> bool {
    MediaType::parse(content_type)
        .is_some_and(|media| !media.name.starts_with("multipart/") && media.is_utf8())
}

/// The name in `form-data; name="…"; filename="…"`, and whether it is a file's.
fn named(disposition: &str) -> Option<(String, bool)> {
    let mut rest = disposition.strip_prefix("form-data")?.trim_start();
    let (mut name, mut file, mut extended) = (None, None, None);
    while let Some(parameter) = rest.strip_prefix(';') {
        let (key, value) = parameter.trim_start().split_once('=')?;
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => value.split_at(value.find([';', ' ', '\t']).unwrap_or(value.len())),
        };
        if value.contains(['\\', '"']) {
            return None;
        }
        match key.to_ascii_lowercase().as_str() {
            "name" if name.is_none() => name = Some(value.to_owned()),
            "filename" if file.is_none() => file = Some(value),
            "filename*" if extended.is_none() && is_extended(value) => extended = Some(value),
            _ => return None,
        }
        rest = after.trim_start();
    }
    let name = name.filter(|name| !name.is_empty() && !name.contains('%'))?;
    rest.is_empty().then(|| (name, file.or(extended).is_some()))
}

/// Whether this is an extended value in UTF-8 (RFC 8187); readers drop a part with a broken one.
fn is_extended(value: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~%".contains(&byte);
    let charset = value.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("utf-8''"));
    charset && value[7..].bytes().all(plain) && form::decodes(&value[7..])
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, wanted)
}

fn wrong(number: usize, why: &'static str) -> Unreadable {
    Unreadable::Body { at: format!("part {number}"), why }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BODY: &[u8] =
        b"--x\r\nContent-Disposition: form-data; name=\"to\"\r\n\r\na@x.example\r\n\
        --x\r\ncontent-disposition: form-data; name=file; filename=\"a.txt\"\r\n\
        Content-Type: text/plain\r\n\r\n--y\r\n\r\n--x--\r\n";

    #[test]
    fn parts_read_back_as_written() {
        let parts = parse(BODY, "x").expect("parts");
        let read: Vec<_> = parts.iter().map(|part| (part.name.as_str(), part.text())).collect();
        assert_eq!(read, [("to", Some("a@x.example")), ("file", None)]);
        assert_eq!(parts[1].content, b"--y\r\n");
        assert_eq!(write(&parts, "x").expect("written"), BODY);
        assert_eq!(
            write(&[Part::of_text("to", "a")], "b").map(|b| parse(&b, "b").is_ok()),
            Ok(true)
        );
    }

    #[test]
    fn what_another_reader_could_take_differently_is_refused() {
        let head = |head: &str| format!("--x\r\n{head}\r\n\r\nv\r\n--x--");
        for bad in [
            "",
            "preamble\r\n--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv\r\n--x--",
            "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv\r\n--x",
            "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv\r\n--x--\r\nepilogue",
            "--x\nContent-Disposition: form-data; name=\"a\"\n\nv\n--x--",
            "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv\n--x\nw\r\n--x--",
            &head("Content-Disposition: form-data; name= a"),
            &head("Content-Disposition: form-data; name=a b"),
            &head("Content-Disposition: form-data; name=a\"b\""),
            &head(
                "Content-Disposition: form-data; name=\"a\"\r\nContent-Type: text/plain; charset =utf-7",
            ),
            "--x \r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv\r\n--x--",
            &head("Content-Disposition: form-data"),
            &head("Content-Disposition: form-data; name=\"a\"; name=\"b\""),
            &head("Content-Disposition: form-data; name*=utf-8''a"),
            &head("Content-Disposition: form-data; name=\"a\"; filename*=utf-8'b"),
            &head("Content-Disposition: form-data; name=\"a\"; filename*=utf-8''b%zz"),
            &head("Content-Disposition: form-data; name=\"a\"; filename=b; filename=c"),
            &head("Content-Disposition: form-data; name=\"a\\\"b\""),
            &head("Content-Disposition: form-data; name=\"a%22\""),
            &head(
                "Content-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"b\"",
            ),
            &head("Content-Disposition: form-data;\r\n name=\"a\""),
            &head("Content-Disposition: form-data; name=\"_charset_\""),
            &head(
                "Content-Disposition: form-data; name=\"a\"\r\nContent-Transfer-Encoding: base64",
            ),
            &head(
                "Content-Disposition: form-data; name=\"a\"\r\nContent-Type: text/plain; charset=utf-7",
            ),
            &head(
                "Content-Disposition: form-data; name=\"a\"\r\nContent-Type: multipart/mixed; boundary=y",
            ),
        ] {
            assert!(parse(bad.as_bytes(), "x").is_err(), "{bad:?}");
        }
        assert!(parse(b"--\xff--", "\u{ff}").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut body = b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n".to_vec();
            body.extend(bytes);
            if let Ok(parts) = parse(&body, "x") {
                prop_assert_eq!(parse(&write(&parts, "x").expect("written"), "x"), Ok(parts));
            }
        }
    }
}
