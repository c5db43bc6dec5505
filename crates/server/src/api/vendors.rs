//! Vendors: register, change, switch, and replace what opens them.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::http::StatusCode;
use model::{
    Action, Contract, Field, FieldAction, FieldSet, ListName, Mode, Secret, Switch, Vendor,
    VendorName,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Operator;
use super::error::{Answer, ApiError};
use super::extract::{Json, Path};
use crate::app::{App, credential_label, webhook_label};
use crate::credentials::{self, Shown, Source};
use crate::switches;
use crate::vouched::Vouched;

/// A vendor to register.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewVendor {
    connector: String,
    name: Option<VendorName>,
    credential: Option<String>,
    endpoint: Option<String>,
    smtp: Option<String>,
    retention_days: Option<u32>,
    #[serde(default)]
    lists: Vec<ListName>,
    #[serde(default)]
    contract: Contract,
    mode: Option<Mode>,
    #[serde(default)]
    actions: BTreeMap<Field, FieldAction>,
    #[serde(default)]
    impossible: FieldSet,
    automatic: Option<BTreeSet<Action>>,
    /// Which fields the company's own attributes hold there.
    custom_holds: Option<FieldSet>,
}

/// Steps that run by themselves unless an operator decides otherwise: they harm nobody but an
/// intruder, and can be undone.
const AUTOMATIC: [Action; 4] = [
    Action::SnapshotEvidence,
    Action::CutGateway,
    Action::CancelScheduledSends,
    Action::UnscheduleSingleSends,
];

pub async fn list_vendors(_: Operator, State(app): State<App>) -> Answer<Json<Value>> {
    let vendors = app.store.read(|tx| tx.vendors()).await?;
    Ok(Json(json!({ "vendors": vendors })))
}

pub async fn add_vendor(
    by: Operator,
    State(app): State<App>,
    Json(new): Json<NewVendor>,
) -> Answer<(StatusCode, Json<Vendor>)> {
    let connector = connectors::connector(&new.connector).ok_or_else(|| {
        ApiError::not_found("connector", &new.connector).hint("`cordon connector list` lists them")
    })?;
    let name = match new.name {
        Some(name) => name,
        None => VendorName::parse(connector.name()).map_err(anyhow::Error::from)?,
    };
    let credential = new.credential.map(Secret::new);
    if let Some(credential) = &credential {
        connector.check_credential(credential.expose()).map_err(anyhow::Error::from)?;
    }
    let vendor = Vendor {
        id: app.world.id(),
        name,
        connector: connector.name().to_owned(),
        endpoint: new.endpoint.map(|url| url.trim_end_matches('/').to_owned()),
        smtp: new.smtp,
        retention_days: new.retention_days,
        lists: new.lists,
        contract: new.contract,
        mode: new.mode.unwrap_or(Mode::Enforce),
        switch: Switch::Open,
        actions: new.actions,
        impossible: new.impossible,
        automatic: new.automatic.unwrap_or_else(|| AUTOMATIC.into()),
        created_at: app.world.now(),
    };
    let sealed = credential.map(|credential| {
        app.seal(&credential_label(&vendor.name), credential.expose().as_bytes())
    });
    let kept = vendor.clone();
    app.store
        .write(move |tx| {
            tx.insert_vendor(&kept, sealed.as_deref())?;
            Vouched { custom_holds: new.custom_holds, ..Vouched::default() }
                .keep(tx, &kept.name)?;
            by.audit(tx, &kept.name.to_string(), json!({ "connector": kept.connector }))
        })
        .await?;
    app.refresh_gateway().await?;
    Ok((StatusCode::CREATED, Json(vendor)))
}

pub async fn show_vendor(
    _: Operator,
    State(app): State<App>,
    Path(name): Path<VendorName>,
) -> Answer<Json<Vendor>> {
    Ok(Json(app.vendor(&name).await?))
}

/// What an operator changes; what is left out stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    endpoint: Option<String>,
    smtp: Option<String>,
    retention_days: Option<u32>,
    lists: Option<Vec<ListName>>,
    contract: Option<Contract>,
    mode: Option<Mode>,
    actions: Option<BTreeMap<Field, FieldAction>>,
    impossible: Option<FieldSet>,
    automatic: Option<BTreeSet<Action>>,
    custom_holds: Option<FieldSet>,
}

impl Change {
    fn apply(self, vendor: &mut Vendor) {
        let Self {
            endpoint,
            smtp,
            retention_days,
            lists,
            contract,
            mode,
            actions,
            impossible,
            automatic,
            custom_holds: _,
        } = self;
        vendor.endpoint = endpoint.or(vendor.endpoint.take());
        vendor.smtp = smtp.or(vendor.smtp.take());
        vendor.retention_days = retention_days.or(vendor.retention_days);
        vendor.lists = lists.unwrap_or_else(|| std::mem::take(&mut vendor.lists));
        vendor.contract = contract.unwrap_or_else(|| std::mem::take(&mut vendor.contract));
        vendor.mode = mode.unwrap_or(vendor.mode);
        vendor.actions = actions.unwrap_or_else(|| std::mem::take(&mut vendor.actions));
        vendor.impossible = impossible.unwrap_or(vendor.impossible);
        vendor.automatic = automatic.unwrap_or_else(|| std::mem::take(&mut vendor.automatic));
    }
}

pub async fn change_vendor(
    by: Operator,
    State(app): State<App>,
    Path(name): Path<VendorName>,
    Json(change): Json<Change>,
) -> Answer<Json<Vendor>> {
    let changed = app
        .store
        .write(move |tx| {
            let mut vendor = tx.vendor(&name)?;
            let before = vendor.mode;
            let mut vouched = Vouched::of(tx, &name)?;
            vouched.custom_holds = change.custom_holds.or(vouched.custom_holds);
            change.apply(&mut vendor);
            tx.update_vendor(&vendor)?;
            if vendor.mode != Mode::Enforce {
                vouched.complete_since = None; // what passes unread from now on may be anything
            }
            vouched.keep(tx, &name)?;
            let detail = json!({ "mode": { "from": before, "to": vendor.mode } });
            by.audit(tx, &name.to_string(), detail)?;
            Ok(vendor)
        })
        .await?;
    app.refresh_gateway().await?;
    Ok(Json(changed))
}

/// A vendor's credential, or where it is read from: one of the two.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewCredential {
    credential: Option<String>,
    source: Option<String>,
}

pub async fn show_credential(
    _: Operator,
    State(app): State<App>,
    Path(name): Path<VendorName>,
) -> Answer<Json<Shown>> {
    Ok(Json(credentials::shown(&app, &name).await?))
}

pub async fn put_credential(
    by: Operator,
    State(app): State<App>,
    Path(name): Path<VendorName>,
    Json(new): Json<NewCredential>,
) -> Answer<Json<Shown>> {
    match (new.credential.map(Secret::new), new.source) {
        (Some(credential), None) => seal_credential(&app, by, &name, &credential).await?,
        (None, Some(source)) => read_from(&app, by, &name, &source).await?,
        _ => {
            let message = "give either `credential` or `source`";
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return Err(ApiError::refused(status, "body-mismatch", message));
        }
    }
    app.refresh_gateway().await?;
    Ok(Json(credentials::shown(&app, &name).await?))
}

async fn seal_credential(
    app: &App,
    by: Operator,
    name: &VendorName,
    credential: &Secret<String>,
) -> anyhow::Result<()> {
    let vendor = app.vendor(name).await?;
    app.connector(&vendor)?.check_credential(credential.expose())?;
    let sealed = app.seal(&credential_label(name), credential.expose().as_bytes());
    credentials::hold(app, name, None, move |tx| {
        tx.replace_credential(&vendor.name, &sealed)?;
        tx.forget_credential_source(&vendor.name)?;
        by.audit(tx, vendor.name.as_str(), json!({ "source": "sealed" }))
    })
    .await
}

/// The source is read first: one that gives nothing changes nothing.
async fn read_from(app: &App, by: Operator, name: &VendorName, source: &str) -> anyhow::Result<()> {
    let source: Source = source.parse()?;
    let text = source.to_string();
    let held = credentials::read(app, name, source).await?;
    let vendor = name.clone();
    credentials::hold(app, name, Some(held), move |tx| {
        tx.set_credential_source(&vendor, &text)?;
        by.audit(tx, vendor.as_str(), json!({ "source": text }))
    })
    .await
}

/// The public key or shared secret of a vendor's webhooks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewWebhookSecret {
    secret: String,
}

pub async fn put_webhook_secret(
    by: Operator,
    State(app): State<App>,
    Path(name): Path<VendorName>,
    Json(new): Json<NewWebhookSecret>,
) -> Answer<StatusCode> {
    let sealed = app.seal(&webhook_label(&name), Secret::new(new.secret).expose().as_bytes());
    app.store
        .write(move |tx| {
            tx.set_webhook_secret(&name, &sealed)?;
            by.audit(tx, &name.to_string(), json!({}))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Where the kill switch is to stand.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSwitch {
    switch: Switch,
}

/// Cuts a vendor at once. Opening it again takes two operators, through the incident.
pub async fn set_switch(
    by: Operator,
    State(app): State<App>,
    Path(name): Path<VendorName>,
    Json(new): Json<NewSwitch>,
) -> Answer<Json<Vendor>> {
    let changed = app
        .store
        .write(move |tx| {
            let (vendor, detail) = switches::set(tx, &name, new.switch)?;
            by.audit(tx, &name.to_string(), detail)?;
            Ok(vendor)
        })
        .await?;
    app.refresh_gateway().await?;
    Ok(Json(changed))
}

/// What waits in Cordon for the vendor: counts and the age of the oldest, nothing of what it is.
pub async fn show_held(
    _: Operator,
    State(app): State<App>,
    Path(name): Path<VendorName>,
) -> Answer<Json<Value>> {
    let vendor = app.vendor(&name).await?;
    let backlog = app.gateway.backlog(&name);
    let age = backlog.oldest.map(|oldest| app.world.now().seconds_since(oldest).max(0.0) as u64);
    Ok(Json(json!({
        "vendor": vendor.name,
        "switch": vendor.switch,
        "calls": backlog.calls,
        "mails": backlog.mails,
        "bytes": backlog.bytes,
        "oldest_at": backlog.oldest,
        "oldest_age_seconds": age,
    })))
}

pub async fn list_connectors(_: Operator) -> Json<Value> {
    let shown: Vec<_> = connectors::connectors()
        .map(|connector| {
            let operations: Vec<_> = connector.operations().iter().map(|op| op.name).collect();
            json!({
                "connector": connector.name(),
                "api": connector.hosts().iter().map(|host| host.url).collect::<Vec<_>>(),
                "operations": operations,
                "fields": connector.carries(),
            })
        })
        .collect();
    Json(json!({ "connectors": shown }))
}
