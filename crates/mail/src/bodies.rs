//! The text of a message on its way out: line ends, leading dots, blank ends. No MIME.

/// The message with every line end as CRLF, and one at its end.
pub fn with_crlf(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + message.len() / 32 + 2);
    for line in lines(message) {
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// The same, with the dots of lines that start with one doubled (RFC 5321 §4.5.2).
pub fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + message.len() / 32 + 2);
    for line in lines(message) {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// The body without the blank lines at its end. For DKIM's relaxed form these do not count (RFC
/// 6376 §3.4.4), but mail-auth 0.13 counts those that have spaces in them.
pub fn without_blank_end(body: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let text = body.iter().rposition(|byte| !blank(byte)).map_or(0, |last| last + 1);
    let line = body[text..].iter().position(|&byte| byte == b'\n');
    match (text, line) {
        (0, _) => &[],
        (_, Some(end)) => &body[..=text + end],
        (_, None) => body,
    }
}

/// Where the body begins: after the first empty line, or at the end.
pub fn body_start(message: &[u8]) -> usize {
    let empty = message.windows(4).position(|window| window == b"\r\n\r\n");
    empty.map_or(message.len(), |at| at + 4)
}

/// Lines without their ends. CRLF, a lone LF and a lone CR each end one; what is after the last
/// end is a line only if it is not empty.
fn lines(message: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = message;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.iter().position(|&byte| byte == b'\r' || byte == b'\n');
        let Some(end) = end else { return Some(std::mem::take(&mut rest)) };
        let width = if rest[end..].starts_with(b"\r\n") { 2 } else { 1 };
        let line = &rest[..end];
        rest = &rest[end + width..];
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_end_becomes_crlf_and_leading_dots_double() {
        let check = |text: &str, plain: &str, dotted: &str| {
            assert_eq!(String::from_utf8_lossy(&with_crlf(text.as_bytes())), plain, "{text:?}");
            assert_eq!(String::from_utf8_lossy(&stuffed(text.as_bytes())), dotted, "{text:?}");
        };
        check("a\nb\r\nc\rd", "a\r\nb\r\nc\r\nd\r\n", "a\r\nb\r\nc\r\nd\r\n");
        check(".\r\n..x\n", ".\r\n..x\r\n", "..\r\n...x\r\n");
        check("a\n\n", "a\r\n\r\n", "a\r\n\r\n");
        check("", "", "");
        check("\n.\n", "\r\n.\r\n", "\r\n..\r\n");
    }

    #[test]
    fn blank_lines_at_the_end_go_and_the_last_line_keeps_its_end() {
        let check = |text: &str, expect: &str| {
            assert_eq!(String::from_utf8_lossy(without_blank_end(text.as_bytes())), expect);
        };
        check("Hello\r\n \r\n\t\r\n", "Hello\r\n");
        check("Hello \t\r\n\r\n", "Hello \t\r\n");
        check("Hello", "Hello");
        check("Hello  ", "Hello  ");
        check(" \r\n\r\n", "");
        check("", "");
    }
}
