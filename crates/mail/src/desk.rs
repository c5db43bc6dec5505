//! What stands behind a receiver: who may send, to whom, and what is done with a mail. Speaks no
//! SMTP but for the answers that it gives.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use model::Secret;

/// A mail as it arrived.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceivedMail {
    /// Where the connection came from.
    pub peer: IpAddr,
    /// The name that the sender gave itself.
    pub helo: String,
    /// Whether the connection was encrypted.
    pub tls: bool,
    /// The envelope's sender; empty for a bounce.
    pub from: String,
    /// The envelope's recipients, at least one; each was accepted.
    pub recipients: Vec<String>,
    /// The mail, byte for byte, without SMTP's doubled dots. Nothing is added to it.
    pub raw: Vec<u8>,
}

impl fmt::Debug for ReceivedMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<mail of {} bytes to {}>", self.raw.len(), self.recipients.len())
    }
}

/// A reply as a receiver gives it: one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The three digits (RFC 5321 §4.2).
    pub code: u16,
    /// The enhanced status code (RFC 3463).
    pub enhanced: &'static str,
    /// One line without addresses.
    pub text: String,
}

impl Answer {
    /// An answer of these words.
    pub fn new(code: u16, enhanced: &'static str, text: impl Into<String>) -> Self {
        Self { code, enhanced, text: text.into() }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.code, self.enhanced, self.text)
    }
}

/// Decides about mail, and takes it.
pub trait Desk: Send + Sync + 'static {
    /// Whom a session is known as.
    type Login: Send + Sync + 'static;

    /// Whom somebody is known as who did not log in; `None` when nobody may send like that. Then
    /// `AUTH` is offered, over TLS alone.
    fn anonymous(&self) -> Option<Self::Login>;

    /// Whose name and password these are, shown from this address.
    ///
    /// # Errors
    /// The answer, when they are nobody's.
    fn log_in(
        &self,
        peer: IpAddr,
        user: &str,
        password: &Secret<String>,
    ) -> Result<Self::Login, Answer>;

    /// Whether this recipient may be sent to.
    ///
    /// # Errors
    /// The answer, when not.
    fn accepts(&self, login: &Self::Login, recipient: &str) -> Result<(), Answer>;

    /// Takes a mail. A positive answer says that it is kept for good.
    fn take(&self, login: &Self::Login, mail: ReceivedMail) -> impl Future<Output = Answer> + Send;
}

/// What takes mail from anybody.
pub trait Inbox: Send + Sync + 'static {
    /// Whether there is such a mailbox; an unknown one is answered with 550.
    fn accepts(&self, recipient: &str) -> bool;

    /// Keeps a mail. The sender is told 250 once this is done, and 451 when it fails.
    fn receive(
        &self,
        mail: ReceivedMail,
    ) -> Pin<Box<dyn Future<Output = Result<(), InboxDown>> + Send + '_>>;
}

/// The inbox cannot keep a mail now; the sender is told to come back later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the inbox cannot keep mail now")]
pub struct InboxDown;

impl model::Coded for InboxDown {
    fn code(&self) -> &'static str {
        "inbox-down"
    }

    fn blame(&self) -> model::Blame {
        model::Blame::Ours
    }
}

impl Desk for Arc<dyn Inbox> {
    type Login = ();

    fn anonymous(&self) -> Option<()> {
        Some(())
    }

    fn log_in(&self, _: IpAddr, _: &str, _: &Secret<String>) -> Result<(), Answer> {
        Err(Answer::new(502, "5.5.1", "not offered here"))
    }

    fn accepts(&self, (): &(), recipient: &str) -> Result<(), Answer> {
        let accepted = Inbox::accepts(&**self, recipient);
        accepted.then_some(()).ok_or(Answer::new(550, "5.1.1", "no such mailbox"))
    }

    async fn take(&self, (): &(), mail: ReceivedMail) -> Answer {
        match self.receive(mail).await {
            Ok(()) => Answer::new(250, "2.0.0", "kept"),
            Err(InboxDown) => Answer::new(451, "4.3.0", "could not be kept, try again later"),
        }
    }
}
