//! What comes in from outside as facts: webhooks, reported mail, vendors' notices.

use anyhow::Result;
use connectors::{Webhook, WebhookRefused};
use model::{CallId, Email, Fact, Identifier, OperatorName, Secret, VendorName};
use watch::WatchCx;

use crate::app::{App, webhook_label};
use crate::observe::{self, Observed};

/// Why a webhook was not taken.
#[derive(Debug, thiserror::Error)]
pub enum HookRefused {
    /// No such vendor, or no key for its webhooks.
    #[error("no webhooks are expected here")]
    Unexpected,
    /// The vendor's signature, age or form is wrong.
    #[error(transparent)]
    Webhook(#[from] WebhookRefused),
    /// Something broke here: the vendor is to try again.
    #[error("something broke here")]
    Fault(#[from] anyhow::Error),
}

/// A webhook as it came over HTTP.
pub struct Hook<'a> {
    /// The vendor whose address was called.
    pub vendor: VendorName,
    /// The path and query that were called.
    pub path: &'a str,
    /// Headers by lower-case name.
    pub header: &'a (dyn Fn(&str) -> Option<&'a str> + Send + Sync),
    /// The body, byte for byte.
    pub body: &'a [u8],
}

/// Checks a webhook and makes facts of it; nothing is kept of one that is refused but its count.
///
/// # Errors
/// As [`HookRefused`] says.
pub async fn webhook(app: &App, hook: Hook<'_>) -> Result<Observed, HookRefused> {
    let name = hook.vendor.clone();
    let known =
        app.store.read(move |tx| Ok((tx.vendor(&name)?, tx.vendor_secrets(&name)?.webhook))).await;
    let (vendor, sealed) = match known {
        Ok((vendor, Some(sealed))) => (vendor, sealed),
        Ok((_, None)) => return Err(HookRefused::Unexpected),
        // A vendor does not come again after a 404: only what is surely not there is one.
        Err(error) if matches!(error.downcast_ref(), Some(store::Refused::NotFound { .. })) => {
            return Err(HookRefused::Unexpected);
        }
        Err(error) => return Err(error.into()),
    };
    let secret: Secret<String> = app.unseal(&webhook_label(&vendor.name), &sealed.0)?;
    let connector = app.connector(&vendor)?;
    let url = format!("{}{}", app.portal_url(), hook.path);
    let facts = {
        let header = |name: &str| (hook.header)(name);
        let webhook = Webhook {
            url: &url,
            header: &header,
            body: hook.body,
            secret: &secret,
            now: app.world.now(),
        };
        with_watch(app, &[], |cx| watch::webhook::facts(connector, &webhook, &vendor.name, cx))?
    };
    Ok(observe::observe(app, facts, format!("webhook/{}", vendor.name)).await?)
}

/// A mail that somebody finds suspicious.
///
/// # Errors
/// [`mail::Unreadable`] when it is no mail; faults.
pub async fn reported_mail(app: &App, raw: &[u8], from: &str) -> Result<Observed> {
    let vendors = app.store.read(|tx| tx.vendors()).await?;
    let domains: Vec<_> = vendors
        .iter()
        .filter_map(|vendor| {
            let connector = connectors::connector(&vendor.connector)?;
            Some((vendor.name.clone(), connector.mail_domains()))
        })
        .collect();
    let fact =
        with_watch(app, &domains, |cx| watch::report::reported(raw, &|to| tagged(app, to), cx))?;
    observe::observe(app, vec![fact], from.to_owned()).await
}

/// The one vendor that was given this address, if it is a canary's.
fn tagged(app: &App, address: &Email) -> Option<VendorName> {
    let hash = Identifier::Email(address.clone()).hash(app.ledger.identifier_key());
    app.store.read_now(|tx| tx.canary_by_address(hash)).ok()?.map(|canary| canary.vendor)
}

/// What a vendor told us, as an operator wrote it down.
///
/// # Errors
/// [`watch::notice::NoticeRefused`] when it contradicts itself; faults.
pub async fn vendor_notice(
    app: &App,
    vendor: &VendorName,
    notice: watch::notice::Notice,
    by: &OperatorName,
) -> Result<Observed> {
    app.vendor(vendor).await?;
    let fact: Fact = with_watch(app, &[], |cx| watch::notice::fact(notice, vendor, by, cx))?;
    observe::observe(app, vec![fact], format!("operator/{by}")).await
}

/// Calls `with` with what facts are made from.
pub fn with_watch<T>(
    app: &App,
    vendors: &[(VendorName, &'static [&'static str])],
    with: impl FnOnce(&WatchCx<'_>) -> T,
) -> T {
    let known_call = |call: CallId| app.ledger.knows_call(call);
    let own_dkim = |name: &str| app.keys.dkim.dns_record(name);
    with(&WatchCx {
        world: &app.world,
        identifier: &app.keys.identifier,
        reference: &app.keys.reference,
        known_call: &known_call,
        own_domains: &app.config.company.mail_domains,
        own_dkim: &own_dkim,
        vendors,
    })
}
