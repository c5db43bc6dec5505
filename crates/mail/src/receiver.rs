//! Takes mail over SMTP and hands each one on. A mail is answered with 250 only after its desk has
//! it for good. Decides nothing about who may send or has a mailbox, and keeps nothing.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use model::limits;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::data::{Data, Taken};
use crate::desk::{Answer, Desk, Inbox, ReceivedMail};
use crate::dialogue::{Dialogue, Envelope, Next};
use crate::wire::{Line, Wire};

/// How long sessions that are in the middle of a mail may go on after the stop.
const GRACE: Duration = Duration::from_secs(5);
/// In which units memory for mails is counted.
const HELD_UNIT_BYTES: usize = 64 * 1024;
/// A pause when the system gives no more connections, so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An SMTP server.
#[derive(Clone)]
pub struct Receiver {
    /// The name that it gives itself.
    pub hostname: String,
    /// Its side of TLS.
    pub tls: Arc<rustls::ServerConfig>,
    /// Whether connections are encrypted from their first byte (RFC 8314), not by `STARTTLS`.
    pub implicit_tls: bool,
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
    /// Mail that is held in memory at once, all sessions together.
    pub held_bytes: usize,
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
            held_bytes: limits::SMTP_HELD_BYTES,
            refusals: limits::SMTP_REFUSALS,
            idle: Duration::from_secs(limits::SMTP_IDLE_SECONDS),
            session: Duration::from_secs(limits::SMTP_SESSION_SECONDS),
        }
    }
}

impl Receiver {
    /// A receiver with the usual limits.
    pub fn new(hostname: &str, tls: Arc<rustls::ServerConfig>) -> Self {
        let (hostname, limits) = (hostname.to_owned(), ReceiverLimits::default());
        Self { hostname, tls, implicit_tls: false, limits }
    }

    /// Takes mail from anybody until `stop`; then finishes the mails that are under way.
    ///
    /// # Errors
    /// When the listener is broken from the start.
    pub async fn serve(
        self,
        listener: TcpListener,
        inbox: Arc<dyn Inbox>,
        stop: impl Future<Output = ()>,
    ) -> Result<()> {
        self.serve_desk(listener, Arc::new(inbox), stop).await
    }

    /// Takes mail from whom the desk lets in, until `stop`; then finishes what is under way.
    ///
    /// # Errors
    /// When the listener is broken from the start.
    pub async fn serve_desk<D: Desk>(
        self,
        listener: TcpListener,
        desk: Arc<D>,
        stop: impl Future<Output = ()>,
    ) -> Result<()> {
        let address = listener.local_addr().context("asking where the mail receiver listens")?;
        tracing::info!(%address, "the mail receiver listens");
        let places = Arc::new(Semaphore::new(self.limits.sessions));
        let held = Arc::new(Semaphore::new(self.limits.held_bytes / HELD_UNIT_BYTES));
        let receiver = Arc::new(self);
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
            let (receiver, desk, stopped) = (receiver.clone(), desk.clone(), stopped.clone());
            let held = held.clone();
            sessions.spawn(async move {
                let _place = place;
                let reception = Reception { receiver: &receiver, desk: &*desk, held };
                match timeout(receiver.limits.session, reception.session(stream, stopped)).await {
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
}

/// What one session works with.
struct Reception<'a, D: Desk> {
    receiver: &'a Receiver,
    desk: &'a D,
    /// Units of memory for mails.
    held: Arc<Semaphore>,
}

/// A mail that was read to its end, with its place in memory; or why its end was not waited for.
type Read = Result<(Taken, Vec<OwnedSemaphorePermit>), &'static str>;

impl<D: Desk> Reception<'_, D> {
    async fn session(
        &self,
        stream: TcpStream,
        mut stopped: watch::Receiver<bool>,
    ) -> std::io::Result<()> {
        let mut wire = Wire::new(stream)?;
        if self.receiver.implicit_tls {
            wire = self.encrypt(wire).await?;
        }
        let mut login = self.desk.anonymous();
        let wants_login = login.is_none();
        let mut dialogue = self.dialogue(&wire, wants_login);
        self.say(&mut wire, &dialogue.greeting()).await?;
        loop {
            let Some(next) = self.next(&mut wire, &mut dialogue, &login, &mut stopped).await?
            else {
                return Ok(());
            };
            let next = match next {
                Next::LogIn { user, password } => {
                    match self.desk.log_in(wire.peer()?, &user, &password) {
                        Ok(known) => {
                            login = Some(known);
                            dialogue.logged_in()
                        }
                        Err(answer) => dialogue.refuse(&answer.to_string()),
                    }
                }
                next => next,
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
                    wire = self.encrypt(wire).await?;
                    dialogue = self.dialogue(&wire, wants_login);
                }
                Next::ReadMail(reply, envelope) => {
                    self.say(&mut wire, &reply).await?;
                    let (taken, held) = match self.read_mail(&mut wire).await? {
                        Ok(read) => read,
                        Err(bye) => return self.hang_up(wire, bye).await,
                    };
                    let answer =
                        self.keep(taken, envelope, &wire, dialogue.helo(), login.as_ref()).await?;
                    drop(held);
                    self.say(&mut wire, &format!("{answer}\r\n")).await?;
                }
                Next::LogIn { .. } => return Err(std::io::ErrorKind::InvalidInput.into()),
            }
        }
    }

    fn dialogue(&self, wire: &Wire, wants_login: bool) -> Dialogue<'_> {
        let Receiver { hostname, limits, .. } = self.receiver;
        Dialogue::new(hostname, limits, wire.is_encrypted(), wants_login)
    }

    async fn encrypt(&self, wire: Wire) -> std::io::Result<Wire> {
        timeout(self.receiver.limits.idle, wire.accept_tls(self.receiver.tls.clone())).await?
    }

    /// What the next line leads to; `None` when the other side is gone.
    async fn next(
        &self,
        wire: &mut Wire,
        dialogue: &mut Dialogue<'_>,
        login: &Option<D::Login>,
        stopped: &mut watch::Receiver<bool>,
    ) -> std::io::Result<Option<Next>> {
        let Receiver { hostname, limits, .. } = self.receiver;
        let heard = tokio::select! {
            heard = timeout(limits.idle, wire.line(limits.command_bytes)) => heard,
            () = is_stopped(stopped) => {
                return Ok(Some(Next::Close(format!("421 4.3.2 {hostname} is stopping\r\n"))));
            }
        };
        let accepts = |to: &str| match login {
            Some(login) => self.desk.accepts(login, to),
            None => Err(Answer::new(530, "5.7.0", "log in first")),
        };
        Ok(match heard {
            Err(_) => Some(Next::Close(format!("421 4.4.2 {hostname} heard nothing\r\n"))),
            Ok(line) => match line? {
                Line::Closed => None,
                Line::TooLong => Some(dialogue.refuse("500 5.5.2 the line is too long")),
                Line::Whole(line) => Some(dialogue.command(&line, &accepts)),
            },
        })
    }

    /// One mail to its end, unless it is so large, or so much is held, that it is not waited for.
    async fn read_mail(&self, wire: &mut Wire) -> std::io::Result<Read> {
        let limits = &self.receiver.limits;
        let mut data = Data::new(limits.message_bytes);
        let mut held = Vec::new();
        loop {
            let arrived = timeout(limits.idle, wire.arrived()).await??;
            if arrived.is_empty() {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let (used, ended) = data.take(arrived);
            wire.used(used);
            while held.len() * HELD_UNIT_BYTES < data.held_bytes() {
                let Ok(unit) = self.held.clone().try_acquire_owned() else {
                    return Ok(Err("452 4.3.1 too much mail comes in at once\r\n"));
                };
                held.push(unit);
            }
            if ended {
                return Ok(Ok((data.finish(), held)));
            }
            if data.is_hopeless() {
                return Ok(Err("552 5.3.4 larger than the limit\r\n"));
            }
        }
    }

    /// Hands a mail to the desk and waits until it is kept; the answer to its final dot.
    async fn keep(
        &self,
        taken: Taken,
        envelope: Envelope,
        wire: &Wire,
        helo: &str,
        login: Option<&D::Login>,
    ) -> std::io::Result<Answer> {
        let raw = match taken {
            Taken::Whole(raw) => raw,
            Taken::TooLarge => return Ok(Answer::new(552, "5.3.4", "larger than the limit")),
            Taken::BareLineEnd => {
                return Ok(Answer::new(550, "5.6.0", "a line end other than CR LF"));
            }
        };
        let Some(login) = login else {
            return Ok(Answer::new(530, "5.7.0", "log in first"));
        };
        let mail = ReceivedMail {
            peer: wire.peer()?,
            helo: helo.to_owned(),
            tls: wire.is_encrypted(),
            from: envelope.from,
            recipients: envelope.recipients,
            raw,
        };
        Ok(self.desk.take(login, mail).await)
    }

    async fn say(&self, wire: &mut Wire, reply: &str) -> std::io::Result<()> {
        timeout(self.receiver.limits.idle, wire.write(reply.as_bytes())).await?
    }

    async fn hang_up(&self, mut wire: Wire, reply: &str) -> std::io::Result<()> {
        self.say(&mut wire, reply).await?;
        timeout(GRACE, wire.close()).await?
    }
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
