//! The way out for mail: sessions with vendors' SMTP hosts, over verified TLS, with the vendor's
//! credential. Hands a mail over once and says what became of it; does not try again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use connectors::smtp::SmtpVendor;
use mail::{Relay, RelayTls, Reply as Said, SendError, Session, Stage, Timeouts};
use model::VendorName;
use tokio::time::Instant;

use crate::cx::Cx;
use crate::dispatch::Answer;
use crate::hold::Envelope;
use crate::refused::Refused;
use crate::registry::VendorEntry;
use crate::reply::Reply;

/// The name that we give ourselves: an address literal of nobody, so that nothing is said of the
/// company's own network.
const HELLO: &str = "[127.0.0.1]";
/// Where TLS is spoken from the first byte (RFC 8314).
const IMPLICIT_TLS_PORT: u16 = 465;

/// Sessions that wait for their next mail.
#[derive(Default)]
pub(crate) struct Relays {
    idle: Mutex<HashMap<VendorName, Vec<(Session, Instant)>>>,
}

impl Relays {
    fn idle(&self) -> MutexGuard<'_, HashMap<VendorName, Vec<(Session, Instant)>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, cx: &Cx, vendor: &VendorName) -> Option<Session> {
        let mut idle = self.idle();
        let sessions = idle.get_mut(vendor)?;
        sessions.retain(|(_, since)| since.elapsed() < cx.patience.idle);
        sessions.pop().map(|(session, _)| session)
    }

    fn keep(&self, vendor: &VendorName, session: Session) {
        self.idle().entry(vendor.clone()).or_default().push((session, Instant::now()));
    }

    /// Sees to it that a session with this vendor waits, so that a mail need not be recorded as
    /// about to leave while nobody is there to take it.
    pub async fn prepare(&self, cx: &Cx, entry: &VendorEntry) -> Result<(), Refused> {
        let vendor = &entry.vendor.name;
        while let Some(mut session) = self.take(cx, vendor) {
            if session.is_awake().await {
                self.keep(vendor, session);
                return Ok(());
            }
        }
        self.keep(vendor, open(cx, entry).await?);
        Ok(())
    }

    /// Hands a mail over. The kill switch is read once more before its first byte.
    pub async fn hand_over(
        &self,
        cx: &Cx,
        entry: &VendorEntry,
        envelope: &Envelope,
        message: &Bytes,
    ) -> Answer {
        let vendor = &entry.vendor.name;
        let [to] = envelope.to.as_slice() else { return Answer::NotSent(Refused::Fault) };
        let mut session = match self.take(cx, vendor) {
            Some(session) => session,
            None => match open(cx, entry).await {
                Ok(session) => session,
                Err(refused) => return Answer::NotSent(refused),
            },
        };
        if session.fits(&envelope.from, to).is_err() {
            self.keep(vendor, session);
            return Answer::NotSent(Refused::MailUnfit);
        }
        if let Err(refused) = cx.registry.may_leave(vendor) {
            self.keep(vendor, session);
            return Answer::NotSent(refused);
        }
        let sent = session.send(&envelope.from, to, message).await;
        if session.is_usable() {
            self.keep(vendor, session);
        }
        became(sent)
    }
}

/// What became of a mail of which something was written. Its recipient's address may have arrived
/// even when the mail did not, so that it counts as disclosed whatever the vendor said.
fn became(sent: Result<Said, SendError>) -> Answer {
    match sent {
        Ok(said) => answered(&said),
        Err(SendError::Rejected { reply, .. } | SendError::NotSent { reply: Some(reply), .. }) => {
            answered(&reply)
        }
        Err(SendError::NotSent { .. }) => Answer::Unknown(Refused::MailCut),
        Err(SendError::Unknown { .. }) => Answer::Unknown(Refused::VendorLost),
    }
}

fn answered(said: &Said) -> Answer {
    let message = said.is_positive().then(|| said.text.clone());
    let reply = Reply { status: said.code, headers: Default::default(), body: Bytes::new() };
    Answer::Sent { status: said.code, message, reply: Ok(reply) }
}

async fn open(cx: &Cx, entry: &VendorEntry) -> Result<Session, Refused> {
    let smtp = SmtpVendor::of(entry.connector.name()).ok_or(Refused::NoSmtp)?;
    let credential = entry.credential.as_ref().ok_or(Refused::CredentialMissing)?;
    credential.check(cx.world.now())?;
    let login = smtp.login(credential.secret());
    let place = entry.vendor.smtp.as_deref().or(smtp.host).ok_or(Refused::EndpointRefused)?;
    let (host, port) = place.rsplit_once(':').ok_or(Refused::EndpointRefused)?;
    let port: u16 = port.parse().map_err(|_| Refused::EndpointRefused)?;
    let implicit = port == IMPLICIT_TLS_PORT;
    let tls = if implicit { RelayTls::Implicit } else { RelayTls::Required };
    let relay = Relay {
        roots: Some(cx.egress.roots()),
        login: Some(login),
        timeouts: Timeouts {
            connect: cx.patience.connect,
            command: cx.patience.reply,
            message: cx.patience.mail,
        },
        ..Relay::new(host, port, tls, HELLO)
    };
    let stream = cx.egress.dial(&cx.patience, host, port).await?;
    Session::over(stream, &relay).await.map_err(|error| match error {
        SendError::NotSent { at: Stage::Tls, .. } => Refused::VendorTls,
        SendError::NotSent { at: Stage::Login, .. } => Refused::VendorLogin,
        _ => Refused::VendorUnreachable,
    })
}
