//! The receiver's side of SMTP, command by command, without a socket (RFC 5321, 1869, 2034, 2920,
//! 3207, 4954, 6152, 6531). Reads no mail and stores none.

use model::Secret;
use smtp_proto::{
    EXT_8BIT_MIME, EXT_AUTH, EXT_ENHANCED_STATUS_CODES, EXT_PIPELINING, EXT_SIZE, EXT_SMTP_UTF8,
    EXT_START_TLS, EhloResponse, Error, MAIL_BODY_7BIT, MAIL_BODY_8BITMIME, MAIL_SMTPUTF8,
    MailFrom, RcptTo, Request,
};

use crate::desk::Answer;
use crate::login::{Login, MECHANISMS, Step};
use crate::receiver::ReceiverLimits;

/// Who sends a mail, and to whom.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The sender; empty for a bounce.
    pub from: String,
    /// Recipients that were accepted.
    pub recipients: Vec<String>,
    utf8: bool,
}

/// What to do after a command.
#[derive(Debug)]
pub enum Next {
    /// Say this and read the next command.
    Say(String),
    /// Say this and read a mail for the envelope.
    ReadMail(String, Envelope),
    /// Say this and go on encrypted.
    StartTls(String),
    /// Find out whether this is who it says, and go on with [`Dialogue::logged_in`] or
    /// [`Dialogue::refuse`].
    LogIn {
        /// Who it says it is.
        user: String,
        /// What shall prove it.
        password: Secret<String>,
    },
    /// Say this and close.
    Close(String),
}

/// Where a session stands.
pub struct Dialogue<'a> {
    hostname: &'a str,
    limits: &'a ReceiverLimits,
    encrypted: bool,
    /// Whether somebody who is not logged in may send nothing.
    wants_login: bool,
    logged_in: bool,
    login: Option<Login>,
    helo: Option<String>,
    envelope: Option<Envelope>,
    refusals: usize,
}

/// What the desk says of a recipient.
pub type Accepts<'a> = dyn Fn(&str) -> Result<(), Answer> + Sync + 'a;

impl<'a> Dialogue<'a> {
    /// At the start of a connection, or again after `STARTTLS`, when all that was said before is
    /// forgotten (RFC 3207 §4.2).
    pub const fn new(
        hostname: &'a str,
        limits: &'a ReceiverLimits,
        encrypted: bool,
        wants_login: bool,
    ) -> Self {
        let (login, helo, envelope) = (None, None, None);
        Self {
            hostname,
            limits,
            encrypted,
            wants_login,
            logged_in: false,
            login,
            helo,
            envelope,
            refusals: 0,
        }
    }

    /// The first line of all.
    pub fn greeting(&self) -> String {
        format!("220 {} ESMTP\r\n", self.hostname)
    }

    /// The name that the sender gave itself.
    pub fn helo(&self) -> &str {
        self.helo.as_deref().unwrap_or_default()
    }

    /// Takes one line with its end; `accepts` says whether there is such a recipient.
    pub fn command(&mut self, line: &[u8], accepts: &Accepts<'_>) -> Next {
        if let Some(login) = self.login.take() {
            return self.step(login.line(line));
        }
        if !line.ends_with(b"\r\n") || line[..line.len() - 2].contains(&b'\r') {
            return self.refuse("500 5.5.2 end a command with CR LF");
        }
        if line.contains(&0) {
            return self.refuse("500 5.5.2 a command has no zero bytes");
        }
        match Request::parse(&mut line.iter()).map(Request::into_owned) {
            Ok(request) => self.request(request, accepts),
            Err(Error::UnknownCommand) => self.refuse("500 5.5.1 unknown command"),
            Err(Error::InvalidSenderAddress) => self.refuse("501 5.1.7 malformed sender"),
            Err(Error::InvalidRecipientAddress) => self.refuse("501 5.1.3 malformed recipient"),
            Err(Error::UnsupportedParameter { .. }) => self.refuse("555 5.5.4 unknown parameter"),
            Err(_) => self.refuse("501 5.5.2 malformed command"),
        }
    }

    /// A refusal; too many of them end the session.
    pub fn refuse(&mut self, reply: &str) -> Next {
        self.refusals += 1;
        if self.refusals > self.limits.refusals {
            return Next::Close(format!("421 4.7.0 {} too many refusals\r\n", self.hostname));
        }
        Next::Say(format!("{reply}\r\n"))
    }

    fn request(&mut self, request: Request<String>, accepts: &Accepts<'_>) -> Next {
        match request {
            Request::Ehlo { host } => self.ehlo(host),
            Request::Helo { host } => self.hello(host),
            Request::Mail { from } => self.mail(from),
            Request::Rcpt { to } => self.recipient(to, accepts),
            Request::Data => self.data(),
            Request::Rset => {
                self.envelope = None;
                say("250 2.0.0 forgotten")
            }
            Request::Noop { .. } => say("250 2.0.0 fine"),
            Request::Vrfy { .. } => say("252 2.5.0 send a mail and see"),
            Request::Help { .. } => say("214 2.0.0 see RFC 5321"),
            Request::Auth { mechanism, initial_response } if self.wants_login => {
                self.auth(mechanism, &initial_response)
            }
            Request::StartTls if self.encrypted => self.refuse("503 5.5.1 encrypted already"),
            Request::StartTls => Next::StartTls("220 2.0.0 go ahead\r\n".to_owned()),
            Request::Quit => Next::Close(format!("221 2.0.0 {} goodbye\r\n", self.hostname)),
            _ => self.refuse("502 5.5.1 not offered here"),
        }
    }

    fn ehlo(&mut self, host: String) -> Next {
        self.helo = Some(host);
        self.envelope = None;
        let mut offer = EhloResponse::new(self.hostname);
        offer.size = self.limits.message_bytes;
        offer.capabilities = EXT_8BIT_MIME
            | EXT_ENHANCED_STATUS_CODES
            | EXT_PIPELINING
            | EXT_SIZE
            | EXT_SMTP_UTF8
            | if self.encrypted { 0 } else { EXT_START_TLS };
        if self.wants_login && self.encrypted {
            offer.capabilities |= EXT_AUTH;
            offer.auth_mechanisms = MECHANISMS;
        }
        let mut reply = Vec::new();
        offer.write(&mut reply).expect("memory takes what is written");
        Next::Say(String::from_utf8_lossy(&reply).into_owned())
    }

    fn hello(&mut self, host: String) -> Next {
        self.helo = Some(host);
        self.envelope = None;
        Next::Say(format!("250 {}\r\n", self.hostname))
    }

    fn auth(&mut self, mechanism: u64, first: &str) -> Next {
        if !self.encrypted {
            return self.refuse("538 5.7.11 say STARTTLS first");
        }
        if self.helo.is_none() || self.logged_in || self.envelope.is_some() {
            return self.refuse("503 5.5.1 not now");
        }
        self.step(Login::begin(mechanism, first))
    }

    fn step(&mut self, step: Step) -> Next {
        match step {
            Step::Ask(reply, login) => {
                self.login = Some(login);
                Next::Say(reply.to_owned())
            }
            Step::Claims { user, password } => Next::LogIn { user, password },
            Step::Refuse(reply) => self.refuse(reply),
        }
    }

    /// The log-in was good.
    pub fn logged_in(&mut self) -> Next {
        self.logged_in = true;
        say("235 2.7.0 logged in")
    }

    fn mail(&mut self, from: MailFrom<String>) -> Next {
        if self.helo.is_none() {
            return self.refuse("503 5.5.1 say EHLO first");
        }
        if self.wants_login && !self.encrypted {
            return self.refuse("530 5.7.0 say STARTTLS first");
        }
        if self.wants_login && !self.logged_in {
            return self.refuse("530 5.7.0 log in first");
        }
        if self.envelope.is_some() {
            return self.refuse("503 5.5.1 there is a sender already");
        }
        if from.size > self.limits.message_bytes {
            return self.refuse("552 5.3.4 larger than the limit");
        }
        let offered = MAIL_BODY_7BIT | MAIL_BODY_8BITMIME | MAIL_SMTPUTF8;
        let names_author = from.auth.is_some() && !self.wants_login;
        if from.flags & !offered != 0 || names_author || asks_for_more(&from) {
            return self.refuse("555 5.5.4 a parameter that is not offered");
        }
        let utf8 = from.flags & MAIL_SMTPUTF8 != 0;
        if !from.address.is_ascii() && !utf8 {
            return self.refuse("553 5.6.7 say SMTPUTF8 for such an address");
        }
        self.envelope = Some(Envelope { from: from.address, recipients: Vec::new(), utf8 });
        say("250 2.1.0 sender noted")
    }

    fn recipient(&mut self, to: RcptTo<String>, accepts: &Accepts<'_>) -> Next {
        let most = self.limits.recipients;
        let Some(envelope) = &mut self.envelope else {
            return self.refuse("503 5.5.1 say MAIL first");
        };
        if to.flags != 0 || to.orcpt.is_some() || to.rrvs != 0 {
            return self.refuse("555 5.5.4 a parameter that is not offered");
        }
        if !to.address.is_ascii() && !envelope.utf8 {
            return self.refuse("553 5.6.7 say SMTPUTF8 for such an address");
        }
        if envelope.recipients.len() >= most {
            return self.refuse("452 4.5.3 too many recipients");
        }
        if let Err(answer) = accepts(&to.address) {
            return self.refuse(&answer.to_string());
        }
        envelope.recipients.push(to.address);
        say("250 2.1.5 recipient noted")
    }

    fn data(&mut self) -> Next {
        match self.envelope.take() {
            Some(envelope) if !envelope.recipients.is_empty() => {
                Next::ReadMail("354 end with CR LF . CR LF\r\n".to_owned(), envelope)
            }
            Some(envelope) => {
                self.envelope = Some(envelope);
                self.refuse("554 5.5.1 no valid recipients")
            }
            None => self.refuse("503 5.5.1 say MAIL first"),
        }
    }
}

/// Whether `MAIL` has a parameter of an extension that is not offered.
fn asks_for_more(from: &MailFrom<String>) -> bool {
    from.trans_id.is_some()
        || from.by != 0
        || from.env_id.is_some()
        || from.solicit.is_some()
        || from.mtrk.is_some()
        || from.hold_for != 0
        || from.hold_until != 0
        || from.mt_priority != 0
}

fn say(reply: &str) -> Next {
    Next::Say(format!("{reply}\r\n"))
}
