//! Writes a mail: text and HTML side by side, headers that nothing can be smuggled into. What it
//! says, to whom and why is the caller's.

use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::date::Date;
use mail_builder::headers::message_id::MessageId;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;
use model::{Email, Timestamp};

use crate::bodies;

/// One mail from us to one person.
#[derive(Clone)]
pub struct Letter<'a> {
    /// How the sender is called; may be empty.
    pub from_name: &'a str,
    /// The sender.
    pub from: &'a Email,
    /// The recipient.
    pub to: &'a Email,
    /// Where answers go, when not to the sender.
    pub reply_to: Option<&'a Email>,
    /// The subject.
    pub subject: &'a str,
    /// The text.
    pub text: &'a str,
    /// The same as HTML.
    pub html: Option<&'a str>,
    /// The `Message-ID` without its angle brackets: unique, and of our domain.
    pub message_id: &'a str,
    /// The `Date`.
    pub date: Timestamp,
    /// More headers, name and value.
    pub headers: &'a [(&'a str, &'a str)],
}

impl Letter<'_> {
    /// The mail with CRLF line ends, unsigned. Whatever control characters a text had are spaces
    /// in a header; it is marked as sent by a program (RFC 3834), so that none answers it.
    pub fn build(&self) -> Vec<u8> {
        let from_name = header_text(self.from_name);
        let from_name = (!from_name.trim().is_empty()).then_some(from_name);
        let mut builder = MessageBuilder::new()
            .from(Address::new_address(from_name, self.from.as_str()))
            .to(Address::new_address(None::<&str>, self.to.as_str()))
            .subject(Text::new(header_text(self.subject)))
            .date(Date::new(self.date.seconds()))
            .message_id(MessageId::new(id_text(self.message_id)))
            .header("Auto-Submitted", Raw::new("auto-generated"))
            .text_body(self.text);
        if let Some(reply_to) = self.reply_to {
            builder = builder.reply_to(Address::new_address(None::<&str>, reply_to.as_str()));
        }
        for (name, value) in self.headers {
            builder = builder.header(name_text(name), Text::new(header_text(value)));
        }
        if let Some(html) = self.html {
            builder = builder.html_body(html);
        }
        let mut message = Vec::new();
        builder.serialize(&mut message);
        bodies::with_crlf(&message)
    }
}

/// A header's text on one line.
fn header_text(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// What may stand in a header's name (RFC 5322 §2.2).
fn name_text(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_graphic() && *c != ':').collect()
}

/// What may stand between the brackets of a `Message-ID`.
fn id_text(id: &str) -> String {
    id.chars().filter(|c| c.is_ascii_graphic() && !"<>\"()[]\\,;:".contains(*c)).collect()
}
