//! Canaries: planted through the gateway as a workload would, and their own mail receiver.

use std::pin::Pin;

use anyhow::{Context as _, Result};
use mail::{Inbox, InboxDown, ReceivedMail};
use model::{CanaryId, Email, Identifier, IdentifierHash, ListName, Purpose, VendorName};
use serde_json::json;
use store::{Canary, Sealed};

use crate::app::App;
use crate::{intake, observe};

/// The purpose under which canaries are given to vendors.
pub const PURPOSE: &str = "canary";
/// A new epoch of canaries each week bounds the date of an export to that week.
const EPOCH_SECONDS: i64 = 7 * 24 * 60 * 60;

/// A vendor that cannot be given a canary.
#[derive(Debug, thiserror::Error)]
pub enum Unplanted {
    /// The vendor keeps no contacts.
    #[error("`{0}` keeps no contacts that a canary could be among")]
    NoContacts(VendorName),
    /// The gateway or the vendor refused it.
    #[error("`{vendor}` did not take the canary: {why}")]
    Refused {
        /// Which vendor.
        vendor: VendorName,
        /// What was said, without personal data.
        why: String,
    },
}

impl model::Coded for Unplanted {
    fn code(&self) -> &'static str {
        match self {
            Self::NoContacts(_) => "canary-no-contacts",
            Self::Refused { .. } => "canary-refused",
        }
    }
}

/// Plants one contact. The row is durable before the vendor gets it: mail to it is always known.
///
/// # Errors
/// [`Unplanted`]; faults of the store.
pub async fn plant(app: &App, vendor: &VendorName, list: Option<&ListName>) -> Result<CanaryId> {
    let registered = app.vendor(vendor).await?;
    let contact = watch::canary::identity(app.world.bytes(), &app.config.company.canary_domain)?;
    let request = app
        .connector(&registered)?
        .upsert_contact(&contact, list)
        .ok_or_else(|| Unplanted::NoContacts(vendor.clone()))?;
    let email = contact.email.context("a canary has an address")?;
    let canary = Canary {
        id: app.world.id(),
        vendor: vendor.clone(),
        list: list.cloned(),
        epoch: app.world.now().seconds() / EPOCH_SECONDS,
        address_hash: address_hash(app, &email),
        address: Sealed(app.seal("canary", email.as_str().as_bytes())),
        call: None,
        planted_at: app.world.now(),
        superseded_at: None,
    };
    let (id, row) = (canary.id, canary.clone());
    app.store.write(move |tx| tx.insert_canary(&row)).await?;
    let purpose = Purpose::parse(PURPOSE)?;
    let refused = |why: String| Unplanted::Refused { vendor: vendor.clone(), why };
    let planted = match app.gateway.carry_own(vendor, &purpose, request).await {
        Ok(reply) if reply.is_success() => Ok(()),
        Ok(reply) => Err(refused(format!("the vendor answered {}", reply.status))),
        Err(error) => Err(refused(error.to_string())),
    };
    let (took, name) = (planted.is_ok(), vendor.clone());
    app.store
        .write(move |tx| {
            if took {
                return tx.audit(
                    "system",
                    "canary.planted",
                    name.as_str(),
                    &json!({ "canary": id }),
                );
            }
            tx.withdraw_canary(id)
        })
        .await?;
    planted?;
    Ok(id)
}

fn address_hash(app: &App, email: &Email) -> IdentifierHash {
    Identifier::Email(email.clone()).hash(app.ledger.identifier_key())
}

/// The canaries' mailbox: takes mail to planted addresses and to nothing else.
pub struct CanaryInbox(pub App);

impl CanaryInbox {
    fn canary(&self, recipient: &str) -> Option<(Email, Canary)> {
        let email = Email::parse(recipient).ok()?;
        let hash = address_hash(&self.0, &email);
        let found = self.0.store.read_now(|tx| tx.canary_by_address(hash)).ok()??;
        Some((email, found))
    }

    async fn take(&self, mail: &ReceivedMail) -> Result<()> {
        let app = &self.0;
        let read = mail::read(&mail.raw).ok();
        let mut facts = Vec::new();
        for recipient in &mail.recipients {
            let Some((email, canary)) = self.canary(recipient) else {
                continue;
            };
            let planted = watch::canary::Planted {
                id: canary.id,
                vendor: canary.vendor,
                list: canary.list,
                planted_at: canary.planted_at,
                superseded_at: canary.superseded_at,
            };
            facts.push(intake::with_watch(app, &[], |cx| {
                watch::canary::arrived(mail, read.as_ref(), &email, &planted, cx)
            }));
        }
        self.keep(mail).await?;
        observe::observe(app, facts, "smtp/canary".to_owned()).await.map(drop)
    }

    /// The mail itself is evidence: kept sealed, found by its digest.
    async fn keep(&self, mail: &ReceivedMail) -> Result<()> {
        let app = &self.0;
        let evidence = store::Evidence {
            id: app.world.id(),
            incident: None,
            name: "canary-mail.eml".to_owned(),
            sha256: model::crypto::sha256(&mail.raw),
            size: mail.raw.len() as u64,
            taken_by: "smtp/canary".to_owned(),
            taken_at: app.world.now(),
        };
        let sealed = app.seal(&crate::contain::evidence_label(&evidence), &mail.raw);
        app.store.write(move |tx| tx.insert_evidence(&evidence, &sealed)).await
    }
}

impl Inbox for CanaryInbox {
    fn accepts(&self, recipient: &str) -> bool {
        tokio::task::block_in_place(|| self.canary(recipient).is_some())
    }

    fn receive(
        &self,
        mail: ReceivedMail,
    ) -> Pin<Box<dyn Future<Output = Result<(), InboxDown>> + Send + '_>> {
        Box::pin(async move {
            self.take(&mail).await.map_err(|error| {
                tracing::error!(error = format!("{error:#}"), "mail to a canary was not recorded");
                InboxDown
            })
        })
    }
}
