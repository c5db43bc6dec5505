//! The submission door: mail over SMTP from programs that log in with a workload's token. A mail
//! goes through the same phases as a call, is kept in the spool, and only then acknowledged.

pub(crate) mod reading;
pub(crate) mod relay;

use std::collections::BTreeSet;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use connectors::smtp::SmtpVendor;
use mail::{Answer, Desk, Message, ReceivedMail, Receiver};
use model::{CallId, Coded as _, Email, Secret, VendorName, WorkloadName, limits};
use tokio::net::TcpListener;

use crate::Gateway;
use crate::admit::{Arrival, Shown};
use crate::hold::{Envelope, Waiting, What};
use crate::refused::Refused;
use crate::registry::{Registry, VendorEntry, token_key};
use crate::seen::Account;
use crate::stated::Stated;
use crate::token::{self, TokenEntry};

/// Whose session it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    vendor: VendorName,
    workload: WorkloadName,
    shown: Shown,
}

impl Gateway {
    /// Takes mail from workloads until `stop`; then finishes what is under way.
    ///
    /// # Errors
    /// When the listener is broken from the start.
    pub async fn serve_submission(
        self,
        mut receiver: Receiver,
        listener: TcpListener,
        stop: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        receiver.limits.message_bytes = limits::REQUEST_BODY_BYTES;
        receiver.serve_desk(listener, Arc::new(self), stop).await
    }

    /// The token that user and password are, for a vendor that takes mail.
    fn find<'a>(
        &self,
        registry: &'a Registry,
        user: &str,
        password: &Secret<String>,
    ) -> Option<([u8; 32], &'a TokenEntry)> {
        let whole = Secret::new(format!("{user}:{}", password.expose()));
        let is_named = |entry: &VendorEntry| entry.vendor.name.as_str() == user;
        let named = registry.vendors.values().any(is_named);
        let takers = registry.vendors.values().filter(|entry| takes_mail(entry));
        for entry in takers.filter(|entry| !named || is_named(entry)) {
            let vendor = &entry.vendor.name;
            for token in [password, &whole] {
                let key = token_key(&self.cx.keys.token, vendor, token);
                if let Some(token) = registry.tokens.get(&key).filter(|it| it.vendor == *vendor) {
                    return Some((key, token));
                }
            }
        }
        None
    }
}

impl Desk for Gateway {
    type Login = Login;

    fn anonymous(&self) -> Option<Login> {
        None
    }

    /// The password is the token, or user and password are its two parts. A user by the name of a
    /// vendor says which one is meant; otherwise the token does.
    fn log_in(&self, peer: IpAddr, user: &str, password: &Secret<String>) -> Result<Login, Answer> {
        let registry = self.registry();
        let mut account = Account::open(&self.cx.world);
        let refused = match self.find(&registry, user, password) {
            Some((key, token)) => {
                account.seen.vendor = Some(token.vendor.clone());
                account.seen.workload = Some(token.workload.clone());
                match token::check(&mut account, key, token, peer) {
                    Ok(()) => {
                        let (vendor, workload) = (token.vendor.clone(), token.workload.clone());
                        return Ok(Login { vendor, workload, shown: Shown { key, from: peer } });
                    }
                    Err(refused) => refused,
                }
            }
            None => {
                let texts = [user, password.expose()].into_iter();
                token::recognise(&self.cx, &mut account, &registry, texts, peer);
                Refused::TokenUnknown
            }
        };
        account.seen.code = Some(refused.code());
        account.close();
        self.cx.seen.call(&account.seen);
        Err(answer(&refused))
    }

    fn accepts(&self, login: &Login, recipient: &str) -> Result<(), Answer> {
        match self.cx.registry.may_leave(&login.vendor) {
            Ok(()) | Err(Refused::Held) => {}
            Err(refused) => return Err(answer(&refused)),
        }
        let known = Email::parse(recipient);
        known.map(drop).map_err(|_| Answer::new(553, "5.1.3", "that is no address"))
    }

    async fn take(&self, login: &Login, mail: ReceivedMail) -> Answer {
        let Login { vendor, workload, shown } = login.clone();
        let body = Bytes::from(mail.raw);
        // What is no mail is refused where it is read.
        let message = Message::parse(body.clone()).ok();
        let stated = message.as_ref().map(Stated::in_mail).transpose();
        let stated = match stated {
            Ok(stated) => stated.unwrap_or_default(),
            Err(refused) => return answer(&refused),
        };
        let to = mail.recipients.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let what = What::Mail(Envelope { from: mail.from, to });
        let waiting = Waiting { workload, stated, what };
        let (account, result) = self.run(Arrival::Mail { vendor, shown, waiting, body }).await;
        match result {
            Ok(_) => kept(&account.kept),
            Err(refused) => answer(&refused),
        }
    }
}

/// Whether this vendor takes mail over SMTP.
fn takes_mail(entry: &VendorEntry) -> bool {
    SmtpVendor::of(entry.connector.name()).is_some()
}

/// As many ids as a line holds (RFC 5321 §4.5.3.1.5), then how many more there are.
fn kept(calls: &[CallId]) -> Answer {
    const IDS: usize = 12;
    let ids: Vec<String> = calls.iter().take(IDS).map(CallId::to_string).collect();
    let more = calls.len().saturating_sub(IDS);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Answer::new(250, "2.0.0", format!("kept as {}{more}", ids.join(" ")))
}

/// A refusal in the words of SMTP: whether the same mail may be taken later, and our code.
fn answer(refused: &Refused) -> Answer {
    let (code, enhanced) = match refused {
        refused if refused.status() == 401 => (535, "5.7.8"),
        Refused::NotKept(_) => (452, "4.3.1"),
        Refused::BodyTooLarge(_) => (552, "5.3.4"),
        refused if refused.passes() => (451, "4.3.0"),
        _ => (550, "5.7.1"),
    };
    Answer::new(code, enhanced, format!("{}: {refused}", refused.code()))
}
