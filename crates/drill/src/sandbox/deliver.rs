//! Delivery: mail to the domains of the drill really goes out by SMTP; all other mail is counted.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail::{DkimKeys, Relay, RelayTls, SendError, Session};
use tokio::sync::mpsc;

use super::send::{Mailbox, Message};
use super::webhook::Event;
use super::{Delivery, Sandbox};

/// Tries for one mail that a receiving server puts off.
const TRIES: u32 = 4;
/// The wait before the second try; it doubles each time.
const RETRY_FIRST: Duration = Duration::from_millis(200);

/// What a receiving server did with a mail.
enum Delivered {
    /// It took it.
    Taken,
    /// It refused it for good, or until all tries were used up.
    Bounced(String),
}

/// The worker that delivers.
pub(super) struct Deliverer {
    queue: mpsc::Receiver<Message>,
    to: Option<SocketAddr>,
    domains: Vec<String>,
    keys: Vec<DkimKeys>,
    session: Option<Session>,
}

impl Deliverer {
    /// A worker for this queue; without `delivery` it only counts.
    pub(super) fn new(
        queue: mpsc::Receiver<Message>,
        delivery: Option<Delivery>,
    ) -> anyhow::Result<Self> {
        let to = delivery.as_ref().map(|delivery| delivery.to);
        let Delivery { domains, signed_as, .. } = delivery.unwrap_or(Delivery {
            to: SocketAddr::from(([127, 0, 0, 1], 0)),
            domains: Vec::new(),
            signed_as: Vec::new(),
        });
        let keys = signed_as.iter().map(|domain| DkimKeys::generate(domain, "s1"));
        let keys = keys.collect::<anyhow::Result<_>>()?;
        Ok(Self { queue, to, domains, keys, session: None })
    }

    /// What must stand in DNS for the signatures to be checked.
    pub(super) fn dkim_records(&self) -> Vec<(String, String)> {
        self.keys.iter().flat_map(DkimKeys::dns_records).collect()
    }

    /// Delivers until it is aborted.
    pub(super) async fn run(mut self, sandbox: Sandbox) {
        while let Some(message) = self.queue.recv().await {
            for recipient in &message.recipients {
                let delivered = self.deliver(&sandbox, &message, recipient).await;
                let event = match &delivered {
                    Delivered::Taken => {
                        Event::of(&sandbox.0.world, &message, recipient, "delivered")
                            .with("response", "250 OK")
                    }
                    Delivered::Bounced(reason) => {
                        Event::of(&sandbox.0.world, &message, recipient, "bounce")
                            .with("type", "bounce")
                            .with("reason", reason)
                    }
                };
                match delivered {
                    Delivered::Taken => sandbox.state().counts.delivered += 1,
                    Delivered::Bounced(_) => sandbox.state().counts.bounced += 1,
                }
                sandbox.report(event).await;
            }
            sandbox.done(1);
        }
    }

    async fn deliver(&mut self, sandbox: &Sandbox, message: &Message, to: &Mailbox) -> Delivered {
        let domain = to.email.rsplit_once('@').map_or("", |(_, domain)| domain);
        let ours = self.domains.iter().any(|held| held.eq_ignore_ascii_case(domain));
        let Some(server) = self.to.filter(|_| ours) else {
            return Delivered::Taken;
        };
        let now = sandbox.0.world.now();
        let raw = write(message, to, now);
        let raw = self.keys.iter().fold(raw, |raw, keys| keys.sign(raw, now));
        let from = bounce_address(message);
        let mut wait = RETRY_FIRST;
        for attempt in 1..=TRIES {
            match self.send(server, &from, &to.email, &raw).await {
                Ok(()) => return Delivered::Taken,
                Err(SendError::Rejected { reply, permanent: true, .. }) => {
                    return Delivered::Bounced(reply.to_string());
                }
                Err(error) if attempt == TRIES => return Delivered::Bounced(error.to_string()),
                Err(_) => tokio::time::sleep(wait).await,
            }
            wait *= 2;
        }
        Delivered::Bounced("no try was left".to_owned())
    }

    /// Hands one mail over, in the session that is open or in a new one.
    async fn send(
        &mut self,
        server: SocketAddr,
        from: &str,
        to: &str,
        raw: &[u8],
    ) -> Result<(), SendError> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => {
                let host = server.ip().to_string();
                let hello = "recvd-sandbox-1.sendgrid.net";
                let relay = Relay::new(&host, server.port(), RelayTls::Opportunistic, hello);
                Session::open(&relay).await?
            }
        };
        session.send(from, to, raw).await?;
        // After an error the session is dropped: the next mail opens a new one.
        self.session = Some(session);
        Ok(())
    }
}

/// The envelope's sender, in a domain of the vendor's.
fn bounce_address(message: &Message) -> String {
    format!("bounces+{}@em.sendgrid.net", message.id)
}

/// The mail as it goes over the wire (RFC 5322), every line ended with CR LF.
fn write(message: &Message, to: &Mailbox, at: model::Timestamp) -> Vec<u8> {
    let date = at.to_jiff().strftime("%a, %d %b %Y %H:%M:%S +0000").to_string();
    let mut mail = String::new();
    let mut line = |name: &str, value: &str| {
        let value = value.replace(['\r', '\n'], " ");
        writeln!(mail, "{name}: {value}\r").expect("a string takes what is written");
    };
    line("Received", &format!("by recvd-sandbox-1.sendgrid.net with HTTP id {}", message.id));
    line("From", &address(&message.from));
    line("To", &address(to));
    line("Date", &date);
    line("Message-ID", &format!("<{}.{}@geopod-ismtpd-1>", message.id, message.index));
    line("Subject", &word(&message.subject));
    if let Some(reply_to) = &message.reply_to {
        line("Reply-To", &address(reply_to));
    }
    for (name, value) in &message.headers {
        line(name, &word(value));
    }
    line("X-SG-EID", &message.id);
    line("MIME-Version", "1.0");
    parts(&mut mail, message);
    mail.into_bytes()
}

fn parts(mail: &mut String, message: &Message) {
    let boundary = format!("=_sandbox_{}", message.id);
    let single = message.contents.len() == 1;
    if !single {
        mail.push_str(&format!(
            "Content-Type: multipart/alternative; boundary=\"{boundary}\"\r\n\r\n"
        ));
    }
    for (kind, value) in &message.contents {
        if !single {
            mail.push_str(&format!("--{boundary}\r\n"));
        }
        mail.push_str(&format!(
            "Content-Type: {kind}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        ));
        mail.push_str(&base64_lines(value.as_bytes()));
    }
    if !single {
        mail.push_str(&format!("--{boundary}--\r\n"));
    }
}

fn address(mailbox: &Mailbox) -> String {
    match &mailbox.name {
        Some(name) if !name.is_empty() => format!("{} <{}>", word(name), mailbox.email),
        _ => mailbox.email.clone(),
    }
}

/// A header's text: as it is when it is plain, else an encoded word (RFC 2047).
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii() && !c.is_ascii_control() && !"\"<>@,;:()[]\\".contains(c);
    if text.chars().all(|c| plain(c) || " .!?-_:+=/".contains(c)) {
        return text.to_owned();
    }
    format!("=?utf-8?B?{}?=", STANDARD.encode(text))
}

fn base64_lines(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let mut lines = String::with_capacity(text.len() + text.len() / 38 + 2);
    for chunk in text.as_bytes().chunks(76) {
        lines.extend(chunk.iter().map(|&byte| char::from(byte)));
        lines.push_str("\r\n");
    }
    lines
}
