//! Takes mail over SMTP and hands each one on. A mail is answered with 250 only after its inbox has
//! it for good. Decides nothing about who has a mailbox, and keeps nothing.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use model::limits;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::data::{Data, Taken};
use crate::dialogue::{Dialogue, Envelope, Next};
use crate::wire::{Line, Wire};

/// How long sessions that are in the middle of a mail may go on after the stop.
const GRACE: Duration = Duration::from_secs(5);
/// A pause when the system gives no more connections, so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An SMTP server.
#[derive(Clone)]
pub struct Receiver {
    /// The name that it gives itself.
    pub hostname: String,
    /// Its side of `STARTTLS`.
    pub tls: Arc<rustls::ServerConfig>,
    /// How much it takes.
    pub limits: ReceiverLimits,
}

/// How much a [`Receiver`] takes; the defaults are those of `model::limits`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverLimits {
    /// One mail.
    pub message_bytes: usize,
    /// One command with its end.
    pub command_bytes: usize,
    /// Recipients of one mail.
    pub recipients: usize,
    /// Sessions at once.
    pub sessions: usize,
    /// Refused commands and recipients in one session.
    pub refusals: usize,
    /// Silence in a session.
    pub idle: Duration,
    /// A whole session.
    pub session: Duration,
}

impl Default for ReceiverLimits {
    fn default() -> Self {
        Self {
            message_bytes: limits::CANARY_MAIL_BYTES,
            command_bytes: limits::SMTP_COMMAND_BYTES,
            recipients: limits::SMTP_RECIPIENTS,
            sessions: limits::SMTP_SESSIONS,
            refusals: limits::SMTP_REFUSALS,
            idle: Duration::from_secs(limits::SMTP_IDLE_SECONDS),
            session: Duration::from_secs(limits::SMTP_SESSION_SECONDS),
        }
    }
}

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
    /// The envelope's recipients, at least one; each was accepted by the inbox.
    pub recipients: Vec<String>,
    /// The mail, byte for byte, without SMTP's doubled dots. Nothing is added to it.
    pub raw: Vec<u8>,
}

impl std::fmt::Debug for ReceivedMail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<mail of {} bytes to {}>", self.raw.len(), self.recipients.len())
    }
}

/// What takes the mail.
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

impl Receiver {
    /// A receiver with the usual limits.
    pub fn new(hostname: &str, tls: Arc<rustls::ServerConfig>) -> Self {
        Self { hostname: hostname.to_owned(), tls, limits: ReceiverLimits::default() }
    }

    /// Takes mail until `stop`; then finishes the mails that are under way.
    ///
    /// # Errors
    /// When the listener is broken from the start.
    pub async fn serve(
        self,
        listener: TcpListener,
        inbox: Arc<dyn Inbox>,
        stop: impl Future<Output = ()>,
    ) -> Result<()> {
        let address = listener.local_addr().context("asking where the mail receiver listens")?;
        tracing::info!(%address, "the mail receiver listens");
        let receiver = Arc::new(self);
        let places = Arc::new(Semaphore::new(receiver.limits.sessions));
        let (stopping, stopped) = watch::channel(false);
        let mut sessions = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                _ = sessions.join_next(), if !sessions.is_empty() => continue,
                accepted = listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "no connection could be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            if sessions.len() >= 2 * receiver.limits.sessions {
                continue;
            }
            let Ok(place) = places.clone().try_acquire_owned() else {
                sessions.spawn(turn_away(stream, receiver.hostname.clone()));
                continue;
            };
            let (receiver, inbox, stopped) = (receiver.clone(), inbox.clone(), stopped.clone());
            sessions.spawn(async move {
                let _place = place;
                let session = receiver.session(stream, &*inbox, stopped);
                match timeout(receiver.limits.session, session).await {
                    Ok(Ok(())) => (),
                    Ok(Err(error)) => tracing::debug!(%error, "a mail session broke off"),
                    Err(_) => tracing::debug!("a mail session took too long"),
                }
            });
        }
        drop(listener);
        stopping.send_replace(true);
        let rest = async { while sessions.join_next().await.is_some() {} };
        if timeout(GRACE, rest).await.is_err() {
            tracing::warn!(sessions = sessions.len(), "mail sessions were broken off at the stop");
        }
        Ok(())
    }

    async fn session(
        &self,
        stream: TcpStream,
        inbox: &dyn Inbox,
        mut stopped: watch::Receiver<bool>,
    ) -> std::io::Result<()> {
        let mut wire = Wire::new(stream)?;
        let mut dialogue = Dialogue::new(&self.hostname, &self.limits, false);
        self.say(&mut wire, &dialogue.greeting()).await?;
        loop {
            let heard = tokio::select! {
                heard = timeout(self.limits.idle, wire.line(self.limits.command_bytes)) => {
                    Some(heard)
                }
                () = is_stopped(&mut stopped) => None,
            };
            let next = match heard {
                None => {
                    let bye = format!("421 4.3.2 {} is stopping\r\n", self.hostname);
                    return self.hang_up(wire, &bye).await;
                }
                Some(Err(_)) => {
                    let bye = format!("421 4.4.2 {} heard nothing\r\n", self.hostname);
                    return self.hang_up(wire, &bye).await;
                }
                Some(Ok(line)) => match line? {
                    Line::Closed => return Ok(()),
                    Line::TooLong => dialogue.refuse("500 5.5.2 the line is too long"),
                    Line::Whole(line) => dialogue.command(&line, &|to| inbox.accepts(to)),
                },
            };
            match next {
                Next::Say(reply) => self.say(&mut wire, &reply).await?,
                Next::Close(reply) => return self.hang_up(wire, &reply).await,
                Next::StartTls(_) if wire.has_unread() => {
                    let bye = "501 5.5.1 nothing may follow STARTTLS in plain\r\n";
                    return self.hang_up(wire, bye).await;
                }
                Next::StartTls(reply) => {
                    self.say(&mut wire, &reply).await?;
                    wire = timeout(self.limits.idle, wire.accept_tls(self.tls.clone())).await??;
                    dialogue = Dialogue::new(&self.hostname, &self.limits, true);
                }
                Next::ReadMail(reply, envelope) => {
                    self.say(&mut wire, &reply).await?;
                    let Some(taken) = self.read_mail(&mut wire).await? else {
                        let bye = "552 5.3.4 larger than the limit\r\n";
                        return self.hang_up(wire, bye).await;
                    };
                    let reply = keep(taken, envelope, &wire, dialogue.helo(), inbox).await?;
                    self.say(&mut wire, reply).await?;
                }
            }
        }
    }

    /// One mail to its end; `None` when it is so large that its end is not waited for.
    async fn read_mail(&self, wire: &mut Wire) -> std::io::Result<Option<Taken>> {
        let mut data = Data::new(self.limits.message_bytes);
        loop {
            let arrived = timeout(self.limits.idle, wire.arrived()).await??;
            if arrived.is_empty() {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let (used, ended) = data.take(arrived);
            wire.used(used);
            if ended {
                return Ok(Some(data.finish()));
            }
            if data.is_hopeless() {
                return Ok(None);
            }
        }
    }

    async fn say(&self, wire: &mut Wire, reply: &str) -> std::io::Result<()> {
        timeout(self.limits.idle, wire.write(reply.as_bytes())).await?
    }

    async fn hang_up(&self, mut wire: Wire, reply: &str) -> std::io::Result<()> {
        self.say(&mut wire, reply).await?;
        timeout(GRACE, wire.close()).await?
    }
}

/// Hands a mail to the inbox and waits until it is kept; the reply to its final dot.
async fn keep(
    taken: Taken,
    envelope: Envelope,
    wire: &Wire,
    helo: &str,
    inbox: &dyn Inbox,
) -> std::io::Result<&'static str> {
    let raw = match taken {
        Taken::Whole(raw) => raw,
        Taken::TooLarge => return Ok("552 5.3.4 larger than the limit\r\n"),
        Taken::BareLineEnd => return Ok("550 5.6.0 a line end other than CR LF\r\n"),
    };
    let mail = ReceivedMail {
        peer: wire.peer()?,
        helo: helo.to_owned(),
        tls: wire.is_encrypted(),
        from: envelope.from,
        recipients: envelope.recipients,
        raw,
    };
    Ok(match inbox.receive(mail).await {
        Ok(()) => "250 2.0.0 kept\r\n",
        Err(InboxDown) => "451 4.3.0 could not be kept, try again later\r\n",
    })
}

/// Ends when the receiver stops.
async fn is_stopped(stopped: &mut watch::Receiver<bool>) {
    if stopped.wait_for(|stopped| *stopped).await.is_err() {
        tracing::debug!("the mail receiver is gone");
    }
}

async fn turn_away(stream: TcpStream, hostname: String) {
    let say = async {
        let mut wire = Wire::new(stream)?;
        let busy = format!("421 4.3.2 {hostname} has no place left\r\n");
        wire.write(busy.as_bytes()).await?;
        wire.close().await
    };
    if !matches!(timeout(GRACE, say).await, Ok(Ok(()))) {
        tracing::debug!("a mail session could not even be turned away");
    }
}
