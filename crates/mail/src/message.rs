//! A mail as its author handed it in: its header fields one by one, who is named in them, what is
//! attached; and the mail written again with some fields taken out or put in. Decides nothing about
//! which ones.
//!
//! The header is read strictly: whatever two readers could take for two things is refused, so that
//! what we say of a mail is what the next server says of it.

use std::ops::Range;

use bytes::Bytes;
use mail_parser::{
    Addr, Address, HeaderName, MessageParser, MessagePart, MimeHeaders as _, PartType,
};
use model::limits;

use crate::read::{Unreadable, check_parts, parser};

/// Fields that a mail has at most once (RFC 5322 §3.6, RFC 2045 §3).
const SINGLE: [&str; 15] = [
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "bcc",
    "message-id",
    "in-reply-to",
    "references",
    "subject",
    "date",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "content-disposition",
];

/// A mail with its header taken apart.
#[derive(Clone)]
pub struct Message {
    raw: Bytes,
    fields: Vec<Field>,
    body: usize,
    attachments: bool,
}

/// One header field, folds and line end included.
#[derive(Clone)]
struct Field {
    name: Range<usize>,
    whole: Range<usize>,
}

/// Somebody who is named in a header field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// As it is written; not yet known to be an address.
    pub address: String,
    /// The name beside it, decoded.
    pub name: Option<String>,
}

/// What happens to a header field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// It stays as it is, byte for byte.
    Keep,
    /// It goes.
    Remove,
    /// It has this value instead.
    Replace(String),
}

impl Message {
    /// Takes a mail apart.
    ///
    /// # Errors
    /// When its header can be read in two ways, or it has more parts than people's mail has.
    pub fn parse(raw: Bytes) -> Result<Self, Unreadable> {
        let (fields, body) = fields(&raw)?;
        let names = || fields.iter().map(|field| &raw[field.name.clone()]);
        for single in SINGLE {
            let same = |name: &&[u8]| name.eq_ignore_ascii_case(single.as_bytes());
            if names().filter(same).count() > 1 {
                return Err(Unreadable::Ambiguous);
            }
        }
        check_parts(&raw)?;
        let parsed = parser().parse(&raw[..]).ok_or(Unreadable::NoMail)?;
        let attachments = parsed.parts.iter().any(is_attachment);
        Ok(Self { fields, body, attachments, raw })
    }

    /// The names of all header fields, as they are written.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| self.name(field))
    }

    /// The value of the uppermost field of this name, unfolded.
    pub fn value(&self, name: &str) -> Option<String> {
        let mut fields = self.fields.iter();
        let field = fields.find(|field| self.name(field).eq_ignore_ascii_case(name))?;
        let value = &self.raw[field.name.end + 1..field.whole.end];
        let value = String::from_utf8_lossy(value);
        Some(value.replace("\r\n", "").trim().to_owned())
    }

    /// Everybody whom the field of this name lists; groups are taken for their members.
    ///
    /// # Errors
    /// When something stands there that is no mailbox.
    pub fn mailboxes(&self, name: &str) -> Result<Vec<Mailbox>, Unreadable> {
        let Some(value) = self.value(name).filter(|value| !value.is_empty()) else {
            return Ok(Vec::new());
        };
        let header = format!("To: {value}\r\n\r\n");
        let parser = MessageParser::new().header_address(HeaderName::To);
        let parsed = parser.parse_headers(&header).ok_or(Unreadable::Ambiguous)?;
        let listed: Vec<&Addr<'_>> = match parsed.to() {
            Some(Address::List(list)) => list.iter().collect(),
            Some(Address::Group(groups)) => groups.iter().flat_map(|it| &it.addresses).collect(),
            None => return Err(Unreadable::Ambiguous),
        };
        let mailbox = |listed: &Addr<'_>| {
            let address = listed.address.as_deref()?.to_owned();
            let name = listed.name.as_deref().map(str::trim).filter(|name| !name.is_empty());
            Some(Mailbox { address, name: name.map(str::to_owned) })
        };
        listed.into_iter().map(mailbox).collect::<Option<_>>().ok_or(Unreadable::Ambiguous)
    }

    /// Whether anything hangs on it beside its text: files, pictures, other mails.
    pub const fn has_attachments(&self) -> bool {
        self.attachments
    }

    /// The mail with each field as `edit` wants it, and `added` fields below the others. Values are
    /// ASCII; long ones are folded at their spaces.
    pub fn write(&self, edit: &dyn Fn(&str) -> Edit, added: &[(&str, String)]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.raw.len() + 1024);
        for field in &self.fields {
            let name = self.name(field);
            match edit(name) {
                Edit::Keep => out.extend_from_slice(&self.raw[field.whole.clone()]),
                Edit::Remove => {}
                Edit::Replace(value) => push_field(&mut out, name, &value),
            }
        }
        added.iter().for_each(|(name, value)| push_field(&mut out, name, value));
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.raw[self.body..]);
        out
    }

    fn name(&self, field: &Field) -> &str {
        std::str::from_utf8(&self.raw[field.name.clone()]).unwrap_or_default()
    }
}

/// The header's fields, and where the body starts.
fn fields(raw: &[u8]) -> Result<(Vec<Field>, usize), Unreadable> {
    let mut fields: Vec<Field> = Vec::new();
    let mut at = 0;
    loop {
        let rest = &raw[at..];
        let length = rest.windows(2).position(|end| end == b"\r\n");
        let line = &rest[..length.ok_or(Unreadable::NoMail)?];
        let next = at + line.len() + 2;
        if line.is_empty() {
            return if fields.is_empty() { Err(Unreadable::NoMail) } else { Ok((fields, next)) };
        }
        if next > limits::MAIL_HEADER_BYTES || fields.len() >= limits::MAIL_HEADERS {
            return Err(Unreadable::TooManyParts);
        }
        // A bare end of line is one to some readers, who then see a field more.
        if line.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
            return Err(Unreadable::Ambiguous);
        }
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            let is_blank = line.trim_ascii().is_empty();
            let folded = fields.last_mut().filter(|_| !is_blank).ok_or(Unreadable::Ambiguous)?;
            folded.whole.end = next;
        } else {
            let colon = line.iter().position(|&byte| byte == b':').ok_or(Unreadable::Ambiguous)?;
            if colon == 0 || !line[..colon].iter().all(u8::is_ascii_graphic) {
                return Err(Unreadable::Ambiguous);
            }
            fields.push(Field { name: at..at + colon, whole: at..next });
        }
        at = next;
    }
}

/// What is neither the text of the mail nor what holds its parts together.
fn is_attachment(part: &MessagePart<'_>) -> bool {
    match &part.body {
        PartType::Multipart(_) => false,
        PartType::Binary(_) | PartType::InlineBinary(_) | PartType::Message(_) => true,
        PartType::Text(_) | PartType::Html(_) => {
            let kind = part.content_type();
            let is_text = kind.is_none_or(|kind| {
                let subtype = kind.subtype().unwrap_or_default();
                ["plain", "html"].iter().any(|known| subtype.eq_ignore_ascii_case(known))
            });
            let apart = part.content_disposition().is_some_and(|it| it.is_attachment());
            !is_text || apart || part.attachment_name().is_some()
        }
    }
}

/// Writes a field, folded before [`limits::MAIL_LINE_BYTES`] where it has spaces.
fn push_field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    let mut column = name.len() + 1;
    for word in value.split(' ') {
        if column > name.len() + 1 && column + 1 + word.len() > limits::MAIL_LINE_BYTES {
            out.extend_from_slice(b"\r\n");
            column = 0;
        }
        out.push(b' ');
        out.extend_from_slice(word.as_bytes());
        column += 1 + word.len();
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &str = "Received: from app.internal (10.1.2.3)\r\n\tby host; today\r\n\
        From: Shop <shop@example.com>\r\n\
        To: =?utf-8?q?Ann_L=C3=A9e?= <ann@example.org>, bob@example.org\r\n\
        Bcc: eve@example.org\r\n\
        Subject: Your\r\n receipt\r\n\
        Content-Type: text/plain; charset=utf-8\r\n\r\n\
        Hello.\r\n..\r\n";

    fn parse(text: &str) -> Result<Message, Unreadable> {
        Message::parse(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn fields_are_read_unfolded_and_people_with_their_names() {
        let mail = parse(MAIL).expect("a mail");
        assert_eq!(mail.value("subject").as_deref(), Some("Your receipt"));
        let named = mail.mailboxes("To").expect("two");
        let boxes: Vec<_> =
            named.iter().map(|one| (one.address.as_str(), one.name.as_deref())).collect();
        assert_eq!(boxes, [("ann@example.org", Some("Ann Lée")), ("bob@example.org", None)]);
        assert_eq!(mail.mailboxes("Cc"), Ok(Vec::new()));
        assert!(!mail.has_attachments());
    }

    #[test]
    fn a_field_goes_whole_or_stays_byte_for_byte() {
        let mail = parse(MAIL).expect("a mail");
        let edit = |name: &str| match name {
            "Received" | "Bcc" => Edit::Remove,
            "To" => Edit::Replace("<ann@example.org>".to_owned()),
            _ => Edit::Keep,
        };
        let written = mail.write(&edit, &[("X-Cordon-Ref", "c1.a.b".to_owned())]);
        assert_eq!(
            String::from_utf8_lossy(&written),
            "From: Shop <shop@example.com>\r\nTo: <ann@example.org>\r\nSubject: Your\r\n receipt\r\n\
             Content-Type: text/plain; charset=utf-8\r\nX-Cordon-Ref: c1.a.b\r\n\r\n\
             Hello.\r\n..\r\n"
        );
        assert_eq!(mail.write(&|_| Edit::Keep, &[]), MAIL.as_bytes());
    }

    #[test]
    fn long_values_are_folded_at_spaces() {
        let mail = parse("A: b\r\n\r\n").expect("a mail");
        let value = vec!["x".repeat(99); 30].join(" ");
        let written = mail.write(&|_| Edit::Remove, &[("X-Long", value.clone())]);
        let text = String::from_utf8(written).expect("text");
        assert!(text.lines().all(|line| line.len() <= limits::MAIL_LINE_BYTES));
        assert_eq!(parse(&text).expect("a mail").value("x-long"), Some(value));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for (text, why) in [
            ("", Unreadable::NoMail),
            ("\r\nno header\r\n", Unreadable::NoMail),
            ("Subject: no end\r\n", Unreadable::NoMail),
            ("just text\r\n\r\n", Unreadable::Ambiguous),
            (" folded: first\r\n\r\n", Unreadable::Ambiguous),
            ("Subject: a\r\n \r\n\r\n", Unreadable::Ambiguous),
            ("Sub ject: a\r\n\r\n", Unreadable::Ambiguous),
            ("Subject : a\r\n\r\n", Unreadable::Ambiguous),
            (": a\r\n\r\n", Unreadable::Ambiguous),
            ("Subject: a\0b\r\n\r\n", Unreadable::Ambiguous),
            ("Subject: a\nBcc: b@x.example\r\n\r\n", Unreadable::Ambiguous),
            ("Subject: a\rBcc: b@x.example\r\n\r\n", Unreadable::Ambiguous),
            ("To: a@x.example\r\nTO: b@x.example\r\n\r\n", Unreadable::Ambiguous),
            ("Subject: a\r\nsubject: b\r\n\r\n", Unreadable::Ambiguous),
        ] {
            assert_eq!(parse(text).err(), Some(why), "{text:?}");
        }
        let many = "X: y\r\n".repeat(limits::MAIL_HEADERS + 1) + "\r\n";
        assert_eq!(parse(&many).err(), Some(Unreadable::TooManyParts));
        let mail = parse("To: Ann, the first\r\n\r\n").expect("a mail");
        assert_eq!(mail.mailboxes("to"), Err(Unreadable::Ambiguous));
        let group = parse("To: undisclosed-recipients:;\r\n\r\n").expect("a mail");
        assert_eq!(group.mailboxes("to"), Ok(Vec::new()));
    }

    #[test]
    fn attachments_are_seen_however_they_hang_on() {
        let check = |kind: &str, expect: bool| {
            let text = format!(
                "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
                 --b\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b\r\n{kind}\r\n\r\nQUJD\r\n--b--\r\n"
            );
            assert_eq!(parse(&text).expect("a mail").has_attachments(), expect, "{kind}");
        };
        check("Content-Type: text/html", false);
        check("Content-Type: text/html\r\nContent-Disposition: inline", false);
        check("Content-Type: text/html\r\nContent-Disposition: attachment", true);
        check("Content-Type: text/plain; name=\"a.txt\"", true);
        check("Content-Type: text/calendar", true);
        check("Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64", true);
        check("Content-Type: image/png\r\nContent-Disposition: inline", true);
        check("Content-Type: message/rfc822", true);
        let whole = parse("Content-Type: application/pdf\r\n\r\nabc\r\n").expect("a mail");
        assert!(whole.has_attachments());
    }
}
