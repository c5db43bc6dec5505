//! What a relay answers, and what became of a message. Decides nothing about trying again.

use std::fmt;

use model::limits;

/// A relay's reply. Its text is cut short and has no addresses in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The three digits (RFC 5321 §4.2).
    pub code: u16,
    /// The enhanced status code, such as `5.1.1` (RFC 3463), if the relay gave one.
    pub enhanced: Option<String>,
    /// The text, lines joined by a space, addresses replaced by `<address>`.
    pub text: String,
}

impl Reply {
    /// The relay did it.
    pub const fn is_positive(&self) -> bool {
        self.code >= 200 && self.code < 300
    }

    /// The relay refuses for good: 5xx.
    pub const fn is_permanent(&self) -> bool {
        self.code >= 500 && self.code < 600
    }

    /// The relay closes the connection with this reply (RFC 5321 §3.8).
    pub const fn closes(&self) -> bool {
        self.code == 421
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = &self.enhanced {
            write!(f, " {enhanced}")?;
        }
        if !self.text.is_empty() {
            write!(f, " {}", self.text)?;
        }
        Ok(())
    }
}

/// How far a session had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Opening the connection and the relay's greeting.
    Connect,
    /// `EHLO`.
    Hello,
    /// `STARTTLS` and the handshake.
    Tls,
    /// `AUTH`.
    Login,
    /// `MAIL`: what is refused here is the sender, not the recipient.
    Sender,
    /// `RCPT`.
    Recipient,
    /// `DATA` and the message up to its final dot.
    Message,
    /// The final dot and the reply to it.
    End,
}

impl Stage {
    /// Its name, for records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Hello => "hello",
            Self::Tls => "tls",
            Self::Login => "login",
            Self::Sender => "sender",
            Self::Recipient => "recipient",
            Self::Message => "message",
            Self::End => "end",
        }
    }
}

/// Why a message is not known to be delivered. The three kinds are never mixed up: after
/// [`SendError::Unknown`] the recipient may have the message, after the other two they have not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The final dot never went out: the relay was not there, went away before, or refused the
    /// session as a whole. It says nothing about the recipient.
    #[error("not sent: {code} at `{}`", at.name())]
    NotSent {
        /// How far it came.
        at: Stage,
        /// A stable code, such as `relay-unreachable`.
        code: &'static str,
        /// What the relay said, if it said something.
        reply: Option<Reply>,
    },
    /// The relay refused this message with 4xx or 5xx.
    #[error("refused at `{}`: {reply}", at.name())]
    Rejected {
        /// At which command.
        at: Stage,
        /// What the relay said.
        reply: Reply,
        /// 5xx: it will say so again.
        permanent: bool,
    },
    /// The final dot went out, and no reply came: the message may be delivered or not.
    #[error("unknown: {code} after the final dot")]
    Unknown {
        /// A stable code, such as `relay-lost`.
        code: &'static str,
    },
}

impl model::Coded for SendError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotSent { code, .. } | Self::Unknown { code } => code,
            Self::Rejected { permanent: true, .. } => "relay-rejected",
            Self::Rejected { permanent: false, .. } => "relay-deferred",
        }
    }

    fn blame(&self) -> model::Blame {
        model::Blame::Vendor
    }
}

impl SendError {
    pub(crate) fn not_sent(at: Stage, code: &'static str) -> Self {
        Self::NotSent { at, code, reply: None }
    }

    /// A negative reply to a command of the session itself, or one that ends it.
    pub(crate) fn refused_session(at: Stage, code: &'static str, reply: Reply) -> Self {
        Self::NotSent { at, code, reply: Some(reply) }
    }

    /// A negative reply to a command of one message; 421 is about the session all the same.
    pub(crate) fn refused_message(at: Stage, reply: Reply) -> Self {
        if reply.closes() {
            return Self::refused_session(at, "relay-closing", reply);
        }
        Self::Rejected { at, permanent: reply.is_permanent(), reply }
    }
}

/// The lines of one reply as they come in.
#[derive(Default)]
pub struct ReplyLines {
    code: Option<u16>,
    lines: Vec<String>,
    bytes: usize,
}

/// A text that is no SMTP reply.
#[derive(Debug, PartialEq, Eq)]
pub struct NoReply;

impl ReplyLines {
    /// Takes the next line; `true` when it is the last one.
    pub fn take(&mut self, line: &[u8]) -> Result<bool, NoReply> {
        self.bytes += line.len();
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end_matches(['\r', '\n']);
        let code = line.get(..3).filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()));
        let code: u16 = code.and_then(|code| code.parse().ok()).ok_or(NoReply)?;
        let same = *self.code.get_or_insert(code) == code;
        let more = match line.as_bytes().get(3) {
            None | Some(b' ') => false,
            Some(b'-') => true,
            Some(_) => return Err(NoReply),
        };
        if !(200..600).contains(&code) || !same || self.bytes > limits::SMTP_REPLY_BYTES {
            return Err(NoReply);
        }
        self.lines.push(line.get(4..).unwrap_or_default().to_owned());
        Ok(!more)
    }

    /// The text of each line, as the relay wrote it: what `EHLO` offers.
    pub fn texts(&self) -> &[String] {
        &self.lines
    }

    /// The whole reply, without the address and the local part of `recipient`.
    pub fn reply(&self, recipient: &str) -> Reply {
        let enhanced = self.lines.first().and_then(|line| enhanced_code(line));
        let own_prefix = |line: &str| match &enhanced {
            Some(code) => line.strip_prefix(code.as_str()).unwrap_or(line).trim_start().to_owned(),
            None => line.to_owned(),
        };
        let text: Vec<String> = self.lines.iter().map(|line| own_prefix(line)).collect();
        Reply {
            code: self.code.unwrap_or_default(),
            text: without_addresses(&text.join(" "), recipient),
            enhanced,
        }
    }
}

/// `class.subject.detail` at the start of a text (RFC 3463 §2).
fn enhanced_code(line: &str) -> Option<String> {
    let word = line.split(' ').next()?;
    let parts: Vec<&str> = word.split('.').collect();
    let digits = |part: &&str| {
        (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let fits = parts.len() == 3 && parts.iter().all(digits) && ["2", "4", "5"].contains(&parts[0]);
    fits.then(|| word.to_owned())
}

/// The text with every address replaced, and the recipient's local part where it is a whole word.
fn without_addresses(text: &str, recipient: &str) -> String {
    let local = recipient.rsplit_once('@').map_or("", |(local, _)| local);
    let breaks = |c: char| c.is_whitespace() || c.is_control() || "<>()[]\"',;:=".contains(c);
    let mut clean = String::with_capacity(text.len());
    for piece in text.split_inclusive(breaks) {
        let word = piece.trim_end_matches(breaks);
        let end = &piece[word.len()..];
        let personal = word.contains('@')
            || !local.is_empty()
                && word.trim_end_matches(['.', '!', '?']).eq_ignore_ascii_case(local);
        clean.push_str(if personal { "<address>" } else { word });
        clean.extend(end.chars().map(|c| if c.is_control() { ' ' } else { c }));
    }
    let clean = clean.replace("<<address>>", "<address>");
    let end = clean.floor_char_boundary(limits::SMTP_REPLY_TEXT_BYTES);
    clean[..end].trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(lines: &[&str]) -> Reply {
        let mut read = ReplyLines::default();
        let last = lines.len() - 1;
        for (index, line) in lines.iter().enumerate() {
            assert_eq!(read.take(line.as_bytes()), Ok(index == last), "{line}");
        }
        read.reply("ann.lee@example.com")
    }

    #[test]
    fn a_reply_of_several_lines_is_one_text_with_one_enhanced_code() {
        let read = reply(&[
            "550-5.7.26 this mail is\r\n",
            "550-5.7.26 unauthenticated,\r\n",
            "550 5.7.26 sorry\r\n",
        ]);
        assert_eq!(read.code, 550);
        assert_eq!(read.enhanced.as_deref(), Some("5.7.26"));
        assert_eq!(read.text, "this mail is unauthenticated, sorry");
        assert_eq!(reply(&["354\r\n"]).to_string(), "354");
        assert_eq!(reply(&["250 2.1 is no code\r\n"]).enhanced, None);
    }

    #[test]
    fn no_address_stays_in_a_reply() {
        for said in [
            "550 5.1.1 <Ann.Lee@example.com>: user unknown\r\n",
            "550 5.1.1 ann.lee@example.com... User unknown\r\n",
            "550 5.1.1 no mailbox here by the name of ann.lee.\r\n",
            "550 5.1.1 rfc822;other@elsewhere.example rejected\r\n",
            "550 5.1.1 to=<ann.lee@example.com> proto=esmtp\r\n",
            "550 5.1.1 \"ann.lee\"@example.com unknown\r\n",
        ] {
            let text = reply(&[said]).text.to_lowercase();
            assert!(!text.contains("ann.lee") && !text.contains("other@"), "{said} became {text}");
            assert!(text.contains("<address>"), "{text}");
        }
    }

    #[test]
    fn what_is_no_reply_is_not_taken_for_one() {
        for line in ["", "2x0 ok\r\n", "250_ok\r\n", "999 ok\r\n", "\u{e9}\u{e9}\r\n", "100 ok\r\n"]
        {
            assert_eq!(ReplyLines::default().take(line.as_bytes()), Err(NoReply), "{line}");
        }
        let mut read = ReplyLines::default();
        assert_eq!(read.take(b"250-one\r\n"), Ok(false));
        assert_eq!(read.take(b"550 two\r\n"), Err(NoReply), "the code must stay the same");
    }

    #[test]
    fn a_reply_without_end_is_cut_off() {
        let mut read = ReplyLines::default();
        let line = [b"250-".as_slice(), &[b'x'; 500], b"\r\n"].concat();
        assert!((0..100).any(|_| read.take(&line).is_err()));
    }
}
