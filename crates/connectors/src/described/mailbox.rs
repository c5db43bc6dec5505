//! Addresses with display names, as people write them in one text (RFC 5322 §3.4), and whole
//! messages. What two readers could take differently is refused.

use mail_parser::{Address, Message, MessageParser, MimeHeaders as _};
use model::Email;

/// One address and the name before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mailbox {
    pub email: Email,
    pub name: Option<String>,
}

/// Reads a list of mailboxes; groups are read as their members.
pub(super) fn read(text: &str) -> Option<Vec<Mailbox>> {
    if text.contains(['\r', '\n', '\0']) {
        return None;
    }
    let header = format!("To: {text}\r\n\r\n");
    let message = MessageParser::new().parse(&header)?;
    let boxes = boxes(message.to()?)?;
    // Every `@` is one that was read: an address that is not seen is one that is not recorded.
    let in_names: usize = boxes.iter().filter_map(|one| one.name.as_ref()).map(|n| ats(n)).sum();
    let encoded = text.contains("=?");
    (encoded || ats(text) == boxes.len() + in_names).then_some(boxes)
}

/// Writes mailboxes as one text.
pub(super) fn write(boxes: &[Mailbox]) -> String {
    let written: Vec<String> = boxes
        .iter()
        .map(|Mailbox { email, name }| match name {
            Some(name) => {
                let name = name.replace('\\', "\\\\").replace('"', "\\\"");
                format!("\"{name}\" <{email}>")
            }
            None => email.to_string(),
        })
        .collect();
    written.join(", ")
}

/// A whole message: to whom its headers say it goes, and whether files are attached.
pub(super) struct Whole {
    pub recipients: Vec<Mailbox>,
    pub has_attachments: bool,
}

/// Reads a whole message.
pub(super) fn message(bytes: &[u8]) -> Option<Whole> {
    let message = MessageParser::default().parse(bytes)?;
    let mut recipients = Vec::new();
    for name in ["To", "Cc", "Bcc"] {
        let mut headers = 0;
        for header in
            message.headers().iter().filter(|header| header.name().eq_ignore_ascii_case(name))
        {
            headers += 1;
            if let Some(address) = header.value().as_address() {
                recipients.extend(boxes(address)?);
            }
        }
        // Which of two is meant depends on who reads.
        if headers > 1 {
            return None;
        }
    }
    Some(Whole { recipients, has_attachments: is_attached(&message) })
}

fn is_attached(message: &Message<'_>) -> bool {
    let alone = message.root_part();
    let text = alone.is_text() || alone.is_text_html() || alone.is_multipart();
    message.attachments().next().is_some()
        || !text
        || alone.content_disposition().is_some_and(|shown| shown.is_attachment())
}

fn boxes(address: &Address<'_>) -> Option<Vec<Mailbox>> {
    address
        .iter()
        .map(|one| {
            let email = Email::parse(one.address()?).ok()?;
            let name = one.name().map(str::to_owned).filter(|name| !name.is_empty());
            Some(Mailbox { email, name })
        })
        .collect()
}

fn ats(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'@').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Option<Vec<(String, Option<String>)>> {
        let boxes = read(text)?;
        Some(boxes.into_iter().map(|one| (one.email.to_string(), one.name)).collect())
    }

    #[test]
    fn every_way_to_write_addresses_is_read() {
        let one = |email: &str, name: Option<&str>| (email.to_owned(), name.map(str::to_owned));
        assert_eq!(
            check("\"Lee, Ann\" <ann@example.com>, bob@example.com, Zoë Ünal <zoe@example.com>"),
            Some(vec![
                one("ann@example.com", Some("Lee, Ann")),
                one("bob@example.com", None),
                one("zoe@example.com", Some("Zoë Ünal")),
            ])
        );
        assert_eq!(
            check("=?UTF-8?B?Wm/DqyDDnG5hbA==?= <zoe@example.com>"),
            Some(vec![one("zoe@example.com", Some("Zoë Ünal"))])
        );
        assert_eq!(check("friends: bob@example.com;"), Some(vec![one("bob@example.com", None)]));
    }

    #[test]
    fn what_hides_an_address_is_refused() {
        for bad in
            ["ann", "ann@example.com bob@example.com", "a@x.example\r\nBcc: b@x.example", "<a@b@c>"]
        {
            assert_eq!(check(bad), None, "{bad}");
        }
    }

    #[test]
    fn mailboxes_read_back_as_written() {
        let boxes = read("\"A \\\"B\\\" C\" <ann@example.com>, bob@example.com").expect("two");
        assert_eq!(read(&write(&boxes)), Some(boxes));
    }

    #[test]
    fn a_message_says_to_whom_it_goes_and_what_is_attached() {
        let text = b"To: Ann <ann@example.com>\r\nCc: friends: bob@example.com;\r\n\r\nhi\r\n";
        let whole = message(text).expect("a message");
        let emails: Vec<_> = whole.recipients.iter().map(|one| one.email.as_str()).collect();
        assert_eq!(emails, ["ann@example.com", "bob@example.com"]);
        assert!(!whole.has_attachments);
        assert!(message(b"To: a@x.example\r\nTo: b@x.example\r\n\r\nhi").is_none());
    }
}
