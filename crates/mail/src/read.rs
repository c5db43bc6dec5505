//! Takes a mail apart that anybody may have sent. Bounded in time and memory whatever is in it;
//! believes nothing that it says.

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::html::html_to_text;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{
    Address, HeaderName, Host, Message, MessageParser, MessagePart, MimeHeaders as _, PartType,
};
use model::{Email, limits};

use crate::links;

/// A mail, as far as it matters here. Everything is what the mail claims.
#[derive(Clone, PartialEq, Eq)]
pub struct ReadMail {
    /// The domain of the `From` header, in lower case; empty when there is none.
    pub from_domain: String,
    /// The address of the `From` header, if it is one.
    pub from: Option<Email>,
    /// The addresses of `To` and `Cc`.
    pub to: Vec<Email>,
    /// The `Message-ID`, without brackets.
    pub message_id: Option<String>,
    /// The subject, decoded.
    pub subject: Option<String>,
    /// Domain and selector of each DKIM signature, unchecked, the uppermost first.
    pub dkim: Vec<(String, String)>,
    /// The host names in `Received`, each once, in lower case, the last relay's first.
    pub received_domains: Vec<String>,
    /// The hosts that its links lead to, each once.
    pub links: Vec<String>,
    /// Its text; made from the HTML when it has no text of its own.
    pub text: String,
    /// Its HTML, if it has any.
    pub html: Option<String>,
    /// It is larger than [`limits::MAIL_READ_BYTES`], and what is beyond was not looked at.
    pub cut: bool,
    headers: Vec<(String, String)>,
}

impl std::fmt::Debug for ReadMail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<mail from {}>", self.from_domain)
    }
}

impl ReadMail {
    /// The value of the uppermost header of this name, on one line.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Why a mail cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It has no headers.
    #[error("this is no mail: it has no headers")]
    NoMail,
    /// It is over [`limits::CANARY_MAIL_BYTES`].
    #[error("the mail is larger than the limit")]
    TooLarge,
    /// It has more parts, or parts in parts, or header fields, than people's mail has.
    #[error("the mail has more parts than the limit")]
    TooManyParts,
    /// Its header says one thing twice, or has lines that are no fields.
    #[error("the header of the mail can be read in two ways")]
    Ambiguous,
}

impl model::Coded for Unreadable {
    fn code(&self) -> &'static str {
        match self {
            Self::NoMail => "mail-unreadable",
            Self::TooLarge => "mail-too-large",
            Self::TooManyParts => "mail-too-many-parts",
            Self::Ambiguous => "mail-ambiguous",
        }
    }
}

/// Reads a mail.
///
/// # Errors
/// When it is none, or larger or more nested than is read.
pub fn read(raw: &[u8]) -> Result<ReadMail, Unreadable> {
    if raw.len() > limits::CANARY_MAIL_BYTES {
        return Err(Unreadable::TooLarge);
    }
    let cut = raw.len() > limits::MAIL_READ_BYTES;
    let raw = &raw[..raw.len().min(limits::MAIL_READ_BYTES)];
    check_parts(raw)?;
    let message = parser().parse(raw).ok_or(Unreadable::NoMail)?;
    let headers = headers(&message, raw);
    if headers.is_empty() {
        return Err(Unreadable::NoMail);
    }
    let from = first_address(message.from());
    let content = Content::of(&message, raw);
    Ok(ReadMail {
        from_domain: from.as_deref().map(domain_of).unwrap_or_default(),
        from: from.and_then(|from| Email::parse(&from).ok()),
        to: recipients(&message),
        message_id: message.message_id().map(str::to_owned),
        subject: message.subject().map(str::to_owned),
        dkim: signatures(&headers),
        received_domains: received(&message),
        links: content.links(),
        text: content.text(),
        html: (!content.html.is_empty()).then_some(content.html),
        cut,
        headers,
    })
}

/// Refuses what would grow into too many parts, or nest too deep, before it is parsed. A part in a
/// mail starts with a line of two hyphens; a mail within it needs a `Content-Type`.
pub fn check_parts(raw: &[u8]) -> Result<(), Unreadable> {
    const NAME: &[u8] = b"content-type";
    let mut separators = 0;
    let mut types = 0;
    for line in raw.split(|&byte| byte == b'\n') {
        separators += usize::from(line.starts_with(b"--"));
        let lower = line.windows(NAME.len()).filter(|word| word.eq_ignore_ascii_case(NAME)).count();
        types += lower;
        if separators > limits::MAIL_SEPARATORS || types > limits::MAIL_PARTS {
            return Err(Unreadable::TooManyParts);
        }
    }
    Ok(())
}

/// Does not decode parts: an encoded mail within a mail would be parsed without any bound.
pub fn parser() -> MessageParser {
    MessageParser::new()
        .with_minimal_headers()
        .with_message_ids()
        .header_received(HeaderName::Received)
        .ignore_header(HeaderName::ContentTransferEncoding)
}

/// The headers of the mail itself, unfolded, at most [`limits::MAIL_HEADERS`]. The parser takes any
/// line for a header; here it has a name and a colon (RFC 5322 §2.2).
fn headers(message: &Message<'_>, raw: &[u8]) -> Vec<(String, String)> {
    let slice = |from: u32, to: u32| raw.get(from as usize..to as usize).unwrap_or_default();
    let mut headers = Vec::new();
    for header in message.headers().iter().take(limits::MAIL_HEADERS) {
        let name = slice(header.offset_field, header.offset_start);
        let Some(name) = name.strip_suffix(b":").map(<[u8]>::trim_ascii) else { continue };
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
            continue;
        }
        let value = String::from_utf8_lossy(slice(header.offset_start, header.offset_end));
        let unfolded = value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        headers.push((header.name().to_owned(), unfolded));
    }
    headers
}

fn first_address(address: Option<&Address<'_>>) -> Option<String> {
    address?.first()?.address().map(str::to_owned)
}

/// The part after `@`, whatever is before it.
fn domain_of(address: &str) -> String {
    let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
    idna::domain_to_ascii(domain.trim()).unwrap_or_default()
}

fn recipients(message: &Message<'_>) -> Vec<Email> {
    let lists = [message.to(), message.cc()];
    let addresses = lists.iter().flatten().flat_map(|list| list.iter());
    addresses
        .filter_map(|address| address.address().and_then(|text| Email::parse(text).ok()))
        .take(limits::SMTP_RECIPIENTS)
        .collect()
}

/// `d=` and `s=` of each signature.
fn signatures(headers: &[(String, String)]) -> Vec<(String, String)> {
    let tag = |value: &str, name: &str| {
        let mut tags = value.split(';').filter_map(|tag| tag.split_once('='));
        let (_, value) = tags.find(|(own, _)| own.trim() == name)?;
        Some(value.split_ascii_whitespace().collect::<String>().to_ascii_lowercase())
    };
    let signed = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("DKIM-Signature"));
    signed
        .filter_map(|(_, value)| Some((tag(value, "d")?, tag(value, "s")?)))
        .take(limits::DKIM_SIGNATURES)
        .collect()
}

fn received(message: &Message<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for line in message.received_all().take(limits::MAIL_RECEIVED) {
        for host in [line.by(), line.from(), line.helo()] {
            let Some(Host::Name(name)) = host else { continue };
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            if name.contains('.') && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// The texts of all parts, mails within the mail included.
#[derive(Default)]
struct Content {
    text: String,
    html: String,
}

impl Content {
    fn of(message: &Message<'_>, raw: &[u8]) -> Self {
        let mut content = Self::default();
        content.add(message, raw);
        content
    }

    /// Goes into mails within the mail; [`check_parts`] bounds how deep.
    fn add(&mut self, message: &Message<'_>, raw: &[u8]) {
        for part in &message.parts {
            match &part.body {
                PartType::Text(_) => add_part(&mut self.text, part, raw),
                PartType::Html(_) => add_part(&mut self.html, part, raw),
                PartType::Message(inner) => self.add(inner, raw),
                PartType::Binary(_) | PartType::InlineBinary(_) | PartType::Multipart(_) => (),
            }
        }
    }

    fn links(&self) -> Vec<String> {
        let mut found = Vec::new();
        links::hosts(&self.text, &mut found);
        links::hosts(&self.html, &mut found);
        found
    }

    fn text(&self) -> String {
        if self.text.trim().is_empty() { html_to_text(&self.html) } else { self.text.clone() }
    }
}

fn add_part(content: &mut String, part: &MessagePart<'_>, raw: &[u8]) {
    if !content.is_empty() {
        content.push('\n');
    }
    content.push_str(&decoded(part, raw));
}

/// A part's text, out of its transfer encoding and its charset.
fn decoded(part: &MessagePart<'_>, raw: &[u8]) -> String {
    let slice = |from: u32, to: u32| raw.get(from as usize..to as usize).unwrap_or_default();
    let body = slice(part.offset_body, part.offset_end);
    let mut headers = part.headers.iter();
    let encoding = headers
        .find(|header| header.name == HeaderName::ContentTransferEncoding)
        .map(|header| slice(header.offset_start, header.offset_end).trim_ascii());
    let bytes = match encoding {
        Some(name) if name.eq_ignore_ascii_case(b"base64") => base64_decode(body),
        Some(name) if name.eq_ignore_ascii_case(b"quoted-printable") => {
            quoted_printable_decode(body)
        }
        _ => None,
    };
    let bytes = bytes.as_deref().unwrap_or(body);
    let charset = part.content_type().and_then(|kind| kind.attribute("charset"));
    match charset.and_then(|name| charset_decoder(name.as_bytes())) {
        Some(decode) => decode(bytes),
        None => String::from_utf8_lossy(bytes).into_owned(),
    }
}
