//! A session with a relay: opens, secures, logs in, hands over messages one by one, and says
//! exactly what became of each. Does not try again and does not choose relays.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{Secret, limits};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::bodies;
use crate::reply::{Reply, ReplyLines, SendError, Stage};
use crate::tls;
use crate::wire::{Line, Wire};

/// Where mail is handed over, and how.
#[derive(Debug, Clone)]
pub struct Relay {
    /// Its name or address.
    pub host: String,
    /// 25, 587, 465, or what a test listens on.
    pub port: u16,
    /// Whether the connection is encrypted.
    pub tls: RelayTls,
    /// Whose certificates are trusted; `None` means the machine's own roots.
    pub roots: Option<Arc<rustls::RootCertStore>>,
    /// User and password, if the relay wants them. Given only over a verified connection.
    pub login: Option<(String, Secret<String>)>,
    /// The name that we give in `EHLO`.
    pub hello: String,
    /// How long we wait for what.
    pub timeouts: Timeouts,
}

impl Relay {
    /// A relay without log-in, with the usual time-outs and the machine's own roots.
    pub fn new(host: &str, port: u16, tls: RelayTls, hello: &str) -> Self {
        let (host, hello) = (host.to_owned(), hello.to_owned());
        Self { host, port, tls, roots: None, login: None, hello, timeouts: Timeouts::default() }
    }
}

/// Whether the connection to a relay is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayTls {
    /// Never: for a relay on the same machine.
    None,
    /// `STARTTLS` if the relay offers it, whoever's certificate it has (RFC 7435).
    Opportunistic,
    /// `STARTTLS` with a verified certificate, or nothing is sent.
    Required,
    /// Encrypted from the first byte with a verified certificate (RFC 8314, port 465).
    Implicit,
}

impl RelayTls {
    const fn is_verified(self) -> bool {
        matches!(self, Self::Required | Self::Implicit)
    }
}

/// How long a session waits (RFC 5321 §4.5.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For the connection to open, with its handshake.
    pub connect: Duration,
    /// For the reply to a command.
    pub command: Duration,
    /// For the message to go out, and for the reply to its final dot.
    pub message: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(limits::SMTP_CONNECT_SECONDS),
            command: Duration::from_secs(limits::SMTP_IDLE_SECONDS),
            message: Duration::from_secs(limits::SMTP_REPLY_SECONDS),
        }
    }
}

/// What a relay offers in its reply to `EHLO`.
#[derive(Debug, Default)]
struct Offers {
    start_tls: bool,
    pipelining: bool,
    eight_bit: bool,
    utf8: bool,
    size: bool,
    plain: bool,
    login: bool,
}

impl Offers {
    fn read(lines: &[String]) -> Self {
        let mut offers = Self::default();
        for line in lines.iter().skip(1) {
            let line = line.to_ascii_uppercase();
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("STARTTLS") => offers.start_tls = true,
                Some("PIPELINING") => offers.pipelining = true,
                Some("8BITMIME") => offers.eight_bit = true,
                Some("SMTPUTF8") => offers.utf8 = true,
                Some("SIZE") => offers.size = true,
                Some("AUTH") => words.for_each(|word| match word {
                    "PLAIN" => offers.plain = true,
                    "LOGIN" => offers.login = true,
                    _ => (),
                }),
                _ => (),
            }
        }
        offers
    }
}

/// One open connection to a relay.
pub struct Session {
    wire: Wire,
    offers: Offers,
    timeouts: Timeouts,
    usable: bool,
    /// A message was refused half-way: the relay must forget it before the next one.
    half_done: bool,
    /// Each reply so far belongs to a command of ours, and none is outstanding.
    in_step: bool,
}

impl Session {
    /// Connects, greets, encrypts and logs in as `relay` says.
    ///
    /// # Errors
    /// Always [`SendError::NotSent`], with how far it came.
    pub async fn open(relay: &Relay) -> Result<Self, SendError> {
        let stream = connect(relay).await?;
        Self::over(stream, relay).await
    }

    /// As [`Session::open`], over a connection that the caller made: where it leads is the caller's
    /// to check, whose certificate is shown is checked here.
    ///
    /// # Errors
    /// Always [`SendError::NotSent`], with how far it came.
    pub async fn over(stream: TcpStream, relay: &Relay) -> Result<Self, SendError> {
        if relay.login.is_some() && !relay.tls.is_verified() {
            return Err(SendError::not_sent(Stage::Login, "login-unprotected"));
        }
        let mut wire = Wire::new(stream).map_err(|_| unreachable())?;
        if relay.tls == RelayTls::Implicit {
            wire = handshake(wire, relay).await?;
        }
        let timeouts = relay.timeouts;
        let mut session = Self {
            wire,
            offers: Offers::default(),
            timeouts,
            usable: true,
            half_done: false,
            in_step: true,
        };
        session.greeting().await?;
        session.hello(relay).await?;
        match relay.tls {
            RelayTls::Required => session = session.encrypt(relay).await?,
            RelayTls::Opportunistic if session.offers.start_tls => {
                session = session.encrypt(relay).await?;
            }
            _ => (),
        }
        if let Some((user, password)) = &relay.login {
            session.log_in(user, password).await?;
        }
        Ok(session)
    }

    /// Hands over one message to one recipient. `from` may be empty (a bounce address of none).
    /// Line ends become CRLF and leading dots are doubled on the way.
    ///
    /// # Errors
    /// What became of it instead; see [`SendError`]. After a [`SendError::Rejected`] the session
    /// can usually go on: ask [`Session::is_usable`].
    pub async fn send(&mut self, from: &str, to: &str, message: &[u8]) -> Result<Reply, SendError> {
        if !self.usable {
            return Err(SendError::not_sent(Stage::Connect, "session-over"));
        }
        let commands = self.envelope(from, to, message)?;
        // A caller who stops waiting leaves the session in the middle of a message.
        self.usable = false;
        let sent = match self.begin(&commands, to).await {
            Ok(()) => self.finish(message, to).await,
            Err(refused) => Err(refused),
        };
        self.usable = match &sent {
            Ok(reply) => !reply.closes(),
            Err(SendError::Rejected { reply, .. }) => self.in_step && !reply.closes(),
            Err(_) => false,
        };
        sent
    }

    /// Whether a message of this envelope can be given to this relay at all. When it cannot,
    /// [`Session::send`] would write nothing.
    ///
    /// # Errors
    /// [`SendError::NotSent`], with the reason.
    pub fn fits(&self, from: &str, to: &str) -> Result<(), SendError> {
        self.envelope(from, to, b"").map(drop)
    }

    /// Asks the relay whether it is still there; after a pause it may have closed the connection.
    pub async fn is_awake(&mut self) -> bool {
        let reply = self.exchange(Stage::Hello, "NOOP\r\n").await;
        self.usable &= reply.is_ok_and(|lines| lines.reply("").is_positive());
        self.usable
    }

    /// Whether another message can go over this connection.
    pub const fn is_usable(&self) -> bool {
        self.usable
    }

    /// Whether the connection is encrypted.
    pub const fn is_encrypted(&self) -> bool {
        self.wire.is_encrypted()
    }

    /// Says goodbye and closes. That a relay does not answer changes nothing any more.
    pub async fn quit(mut self) {
        let goodbye = async {
            self.wire.write(b"QUIT\r\n").await?;
            self.wire.line(limits::SMTP_REPLY_BYTES).await?;
            self.wire.close().await
        };
        if !matches!(timeout(self.timeouts.connect, goodbye).await, Ok(Ok(()))) {
            tracing::debug!("the relay did not take leave");
        }
    }

    /// The commands before the message, each with the stage at which a refusal of it stands.
    fn envelope(
        &self,
        from: &str,
        to: &str,
        message: &[u8],
    ) -> Result<Vec<(Stage, String)>, SendError> {
        if !is_path(from) || to.is_empty() || !is_path(to) {
            return Err(SendError::not_sent(Stage::Recipient, "address-malformed"));
        }
        let international = !from.is_ascii() || !to.is_ascii();
        if international && !self.offers.utf8 {
            return Err(SendError::not_sent(Stage::Recipient, "relay-no-smtputf8"));
        }
        let mut mail = format!("MAIL FROM:<{from}>");
        if self.offers.size {
            mail.push_str(&format!(" SIZE={}", message.len()));
        }
        if self.offers.eight_bit && !message.is_ascii() {
            mail.push_str(" BODY=8BITMIME");
        }
        if international {
            mail.push_str(" SMTPUTF8");
        }
        let mut commands = Vec::with_capacity(4);
        if self.half_done {
            commands.push((Stage::Hello, "RSET\r\n".to_owned()));
        }
        commands.push((Stage::Sender, mail + "\r\n"));
        commands.push((Stage::Recipient, format!("RCPT TO:<{to}>\r\n")));
        commands.push((Stage::Message, "DATA\r\n".to_owned()));
        Ok(commands)
    }

    /// Gives the envelope, all at once where the relay offers that (RFC 2920), and waits for 354.
    async fn begin(&mut self, commands: &[(Stage, String)], to: &str) -> Result<(), SendError> {
        let lost = |at| move |code| SendError::not_sent(at, code);
        if self.offers.pipelining {
            let all: String = commands.iter().map(|(_, command)| command.as_str()).collect();
            self.write(all.as_bytes(), self.timeouts.command).await.map_err(lost(Stage::Sender))?;
        }
        let mut refused = None;
        for (at, command) in commands {
            if !self.offers.pipelining {
                self.write(command.as_bytes(), self.timeouts.command).await.map_err(lost(*at))?;
            }
            let reply = match self.reply(self.timeouts.command).await {
                Ok(lines) => lines.reply(to),
                Err(code) => {
                    self.in_step = false;
                    return Err(refused.unwrap_or_else(|| SendError::not_sent(*at, code)));
                }
            };
            match (is_wanted(*at, reply.code), &refused) {
                (true, None) => (),
                (true, Some(_)) if *at == Stage::Message => self.abandon_message().await,
                (false, None) => {
                    refused = Some(refusal(*at, reply));
                    let over = matches!(refused, Some(SendError::NotSent { .. }));
                    if over || !self.offers.pipelining {
                        break;
                    }
                }
                (_, Some(_)) => (),
            }
        }
        self.half_done = refused.is_some();
        refused.map_or(Ok(()), Err)
    }

    /// The relay waits for a message whose recipient it refused: it gets the dot alone (RFC 2920
    /// §3.1). Nobody can receive it, so that its reply does not matter.
    async fn abandon_message(&mut self) {
        let step = async {
            self.write(b".\r\n", self.timeouts.command).await?;
            self.reply(self.timeouts.message).await.map(drop)
        };
        self.in_step = step.await.is_ok();
    }

    /// The message, then its final dot alone. Up to the dot a failure means that nobody has it;
    /// from the dot on it means that nobody knows.
    async fn finish(&mut self, message: &[u8], to: &str) -> Result<Reply, SendError> {
        self.write(&bodies::stuffed(message), self.timeouts.message)
            .await
            .map_err(|code| SendError::not_sent(Stage::Message, code))?;
        let unknown = |code| SendError::Unknown { code };
        self.write(b".\r\n", self.timeouts.message).await.map_err(unknown)?;
        let reply = self.reply(self.timeouts.message).await.map_err(unknown)?.reply(to);
        match reply.code {
            200..300 => Ok(reply),
            400..600 => {
                Err(SendError::Rejected { at: Stage::End, permanent: reply.is_permanent(), reply })
            }
            _ => Err(unknown("relay-garbled")),
        }
    }

    async fn greeting(&mut self) -> Result<(), SendError> {
        let greeting = self.expect_reply(Stage::Connect).await?.reply("");
        if greeting.is_positive() {
            return Ok(());
        }
        Err(SendError::refused_session(Stage::Connect, "relay-refused", greeting))
    }

    /// `EHLO`, or `HELO` for a relay that knows nothing newer.
    async fn hello(&mut self, relay: &Relay) -> Result<(), SendError> {
        let name = if is_path(&relay.hello) { relay.hello.as_str() } else { "localhost" };
        let lines = self.exchange(Stage::Hello, &format!("EHLO {name}\r\n")).await?;
        if lines.reply("").is_positive() {
            self.offers = Offers::read(lines.texts());
            return Ok(());
        }
        self.offers = Offers::default();
        let reply = if lines.reply("").is_permanent() {
            self.exchange(Stage::Hello, &format!("HELO {name}\r\n")).await?.reply("")
        } else {
            lines.reply("")
        };
        if reply.is_positive() {
            return Ok(());
        }
        Err(SendError::refused_session(Stage::Hello, "relay-refused", reply))
    }

    /// `STARTTLS`. What the relay offered before does not count any more (RFC 3207 §4.2), and what
    /// it said in plain after its reply is not listened to.
    async fn encrypt(mut self, relay: &Relay) -> Result<Self, SendError> {
        let failed = |code| SendError::not_sent(Stage::Tls, code);
        if !self.offers.start_tls {
            return Err(failed("relay-no-starttls"));
        }
        let reply = self.exchange(Stage::Tls, "STARTTLS\r\n").await?.reply("");
        if reply.code != 220 {
            return Err(SendError::refused_session(Stage::Tls, "relay-no-starttls", reply));
        }
        if self.wire.has_unread() {
            return Err(failed("relay-injected"));
        }
        self.wire = handshake(self.wire, relay).await?;
        self.hello(relay).await?;
        Ok(self)
    }

    /// `AUTH PLAIN`, or `AUTH LOGIN` where that is all there is (RFC 4954).
    async fn log_in(&mut self, user: &str, password: &Secret<String>) -> Result<(), SendError> {
        let secret_line = |prefix: &str, text: &str| {
            Secret::new(format!("{prefix}{}\r\n", STANDARD.encode(text)))
        };
        let password = password.expose();
        let steps = if self.offers.plain {
            vec![secret_line("AUTH PLAIN ", &format!("\0{user}\0{password}"))]
        } else if self.offers.login {
            let start = Secret::new("AUTH LOGIN\r\n".to_owned());
            vec![start, secret_line("", user), secret_line("", password)]
        } else {
            return Err(SendError::not_sent(Stage::Login, "relay-no-login"));
        };
        let last = steps.len() - 1;
        for (index, step) in steps.iter().enumerate() {
            let reply = self.exchange(Stage::Login, step.expose()).await?.reply(user);
            if reply.code != if index == last { 235 } else { 334 } {
                return Err(SendError::refused_session(Stage::Login, "relay-login", reply));
            }
        }
        Ok(())
    }

    async fn exchange(&mut self, at: Stage, command: &str) -> Result<ReplyLines, SendError> {
        self.write(command.as_bytes(), self.timeouts.command)
            .await
            .map_err(|code| SendError::not_sent(at, code))?;
        self.expect_reply(at).await
    }

    async fn expect_reply(&mut self, at: Stage) -> Result<ReplyLines, SendError> {
        let reply = self.reply(self.timeouts.command).await;
        reply.map_err(|code| SendError::not_sent(at, code))
    }

    async fn write(&mut self, bytes: &[u8], wait: Duration) -> Result<(), &'static str> {
        let written = timeout(wait, self.wire.write(bytes)).await.map_err(|_| "relay-timeout")?;
        written.map_err(|_| "relay-lost")
    }

    async fn reply(&mut self, wait: Duration) -> Result<ReplyLines, &'static str> {
        let wire = &mut self.wire;
        let read = async {
            let mut lines = ReplyLines::default();
            loop {
                let line = match wire.line(limits::SMTP_REPLY_BYTES).await {
                    Ok(Line::Whole(line)) => line,
                    Ok(Line::TooLong) => return Err("relay-garbled"),
                    Ok(Line::Closed) | Err(_) => return Err("relay-lost"),
                };
                if lines.take(&line).map_err(|_| "relay-garbled")? {
                    return Ok(lines);
                }
            }
        };
        timeout(wait, read).await.map_err(|_| "relay-timeout")?
    }
}

fn is_wanted(at: Stage, code: u16) -> bool {
    if at == Stage::Message { code == 354 } else { (200..300).contains(&code) }
}

/// What a negative reply before the message means. `RSET` is about the session, not the message.
fn refusal(at: Stage, reply: Reply) -> SendError {
    match (at, reply.code) {
        (Stage::Hello, _) => SendError::refused_session(at, "relay-refused", reply),
        (_, 400..600) => SendError::refused_message(at, reply),
        _ => SendError::refused_session(at, "relay-garbled", reply),
    }
}

async fn connect(relay: &Relay) -> Result<TcpStream, SendError> {
    let host = relay.host.trim_matches(['[', ']']);
    timeout(relay.timeouts.connect, TcpStream::connect((host, relay.port)))
        .await
        .map_err(|_| SendError::not_sent(Stage::Connect, "relay-timeout"))?
        .map_err(|_| unreachable())
}

fn unreachable() -> SendError {
    SendError::not_sent(Stage::Connect, "relay-unreachable")
}

async fn handshake(wire: Wire, relay: &Relay) -> Result<Wire, SendError> {
    let failed = |code| SendError::not_sent(Stage::Tls, code);
    let config = if relay.tls.is_verified() {
        tls::verifying(relay.roots.clone()).map_err(|_| failed("no-trusted-roots"))?
    } else {
        tls::trusting_anyone()
    };
    let host = relay.host.trim_matches(['[', ']']).to_owned();
    let name = host.try_into().map_err(|_| failed("relay-name"))?;
    timeout(relay.timeouts.connect, wire.connect_tls(config, name))
        .await
        .map_err(|_| failed("relay-timeout"))?
        .map_err(|_| failed("relay-tls"))
}

/// Whether a text can stand between `<` and `>`, or as a name, without becoming a second command.
fn is_path(text: &str) -> bool {
    let odd = |c: char| c.is_control() || c.is_whitespace() || c == '<' || c == '>';
    text.len() <= limits::EMAIL_BYTES && !text.chars().any(odd)
}
