//! Workloads: what each may give to whom. Their tokens are in `tokens`.

use axum::extract::State;
use axum::http::StatusCode;
use model::{
    FieldSet, Grant, Identity, Limits, Mode, Purpose, VendorName, Workload, WorkloadName, limits,
};
use policy::Act;
use serde::Deserialize;
use serde_json::{Value, json};
use store::BurstApproval;

use super::auth::{Asking, Operator};
use super::error::{Answer, ApiError};
use super::extract::{Json, Path};
use super::tokens::{self, TokenTerms};
use crate::app::App;

/// A workload to register.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewWorkload {
    name: WorkloadName,
    grants: Vec<Grant>,
    mode: Option<Mode>,
    #[serde(default)]
    tokens: TokenTerms,
    #[serde(default)]
    identities: Vec<Identity>,
}

/// What a workload's certificates prove, all of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identities {
    identities: Vec<Identity>,
}

pub async fn list_workloads(_: Operator, State(app): State<App>) -> Answer<Json<Value>> {
    let (workloads, identities) =
        app.store.read(|tx| Ok((tx.workloads()?, tx.identities()?))).await?;
    let shown = workloads.into_iter().map(|workload| {
        let its = identities.iter().filter(|(_, name)| *name == workload.name);
        let its: Vec<_> = its.map(|(identity, _)| identity).collect();
        let mut shown = json!(workload);
        shown["identities"] = json!(its);
        shown
    });
    Ok(Json(json!({ "workloads": shown.collect::<Vec<_>>() })))
}

pub async fn put_identities(
    asking: Asking,
    State(app): State<App>,
    Path(name): Path<WorkloadName>,
    Json(Identities { identities }): Json<Identities>,
) -> Answer<Json<Value>> {
    let by = asking.may(&app, act(&name, "put_identities"))?;
    let shown = json!({ "workload": name, "identities": identities });
    app.store
        .write(move |tx| {
            tx.set_identities(&name, &identities)?;
            by.audit(tx, &name.to_string(), json!({ "identities": identities }))
        })
        .await?;
    app.refresh_gateway().await?;
    Ok(Json(shown))
}

pub async fn add_workload(
    asking: Asking,
    State(app): State<App>,
    Json(new): Json<NewWorkload>,
) -> Answer<(StatusCode, Json<Value>)> {
    let by = asking.may(&app, act(&new.name, "add_workload"))?;
    if new.name.as_str() == policy::OWN_WORKLOAD {
        let message = format!("`{}` is Cordon's own workload", new.name);
        return Err(ApiError::refused(StatusCode::CONFLICT, "exists", message));
    }
    let workload = Workload {
        id: app.world.id(),
        name: new.name,
        grants: new.grants,
        mode: new.mode,
        created_at: app.world.now(),
    };
    let (mut issued, mut tokens) = (Vec::new(), Vec::new());
    for grant in &workload.grants {
        let vendor = app.vendor(&grant.vendor).await?;
        let (kept, told) = tokens::issue(&app, &workload.name, &vendor, &new.tokens)?;
        tokens.push(kept);
        issued.push(told);
    }
    let (kept, identities) = (workload.clone(), new.identities);
    app.store
        .write(move |tx| {
            tx.insert_workload(&kept)?;
            tx.set_identities(&kept.name, &identities)?;
            for token in &tokens {
                tx.insert_token(token)?;
            }
            let vendors: Vec<_> = kept.grants.iter().map(|grant| &grant.vendor).collect();
            by.audit(tx, &kept.name.to_string(), json!({ "vendors": vendors }))
        })
        .await?;
    app.refresh_gateway().await?;
    Ok((StatusCode::CREATED, Json(json!({ "workload": workload, "tokens": issued }))))
}

/// What a workload may give to a vendor; replaces what it might before.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewGrant {
    purposes: Vec<Purpose>,
    fields: FieldSet,
}

pub async fn put_grant(
    asking: Asking,
    State(app): State<App>,
    Path((workload, vendor)): Path<(WorkloadName, VendorName)>,
    Json(new): Json<NewGrant>,
) -> Answer<Json<Workload>> {
    let by = asking.may(&app, act(&workload, "put_grant"))?;
    app.vendor(&vendor).await?;
    let detail = json!({ "vendor": vendor, "purposes": new.purposes, "fields": new.fields });
    let grant = Grant { vendor, purposes: new.purposes, fields: new.fields };
    let change = move |workload: &mut Workload| {
        workload.grants.retain(|other| other.vendor != grant.vendor);
        workload.grants.push(grant);
        Ok(())
    };
    change_workload(by, &app, workload, detail, change).await
}

pub async fn revoke_grant(
    asking: Asking,
    State(app): State<App>,
    Path((workload, vendor)): Path<(WorkloadName, VendorName)>,
) -> Answer<Json<Workload>> {
    let by = asking.may(&app, act(&workload, "revoke_grant"))?;
    let detail = json!({ "vendor": vendor });
    let change = move |workload: &mut Workload| {
        let before = workload.grants.len();
        workload.grants.retain(|grant| grant.vendor != vendor);
        match workload.grants.len() == before {
            true => Err(store::Refused::not_found("grant for", &vendor)),
            false => Ok(()),
        }
    };
    change_workload(by, &app, workload, detail, change).await
}

async fn change_workload(
    by: Operator,
    app: &App,
    name: WorkloadName,
    detail: Value,
    change: impl FnOnce(&mut Workload) -> anyhow::Result<()> + Send + 'static,
) -> Answer<Json<Workload>> {
    let changed = app
        .store
        .write(move |tx| {
            let mut workload = tx.workload(&name)?;
            change(&mut workload)?;
            tx.update_workload(&workload)?;
            by.audit(tx, name.as_str(), detail)?;
            Ok(workload)
        })
        .await?;
    app.refresh_gateway().await?;
    Ok(Json(changed))
}

/// Sets the limits of a workload towards a vendor; what is not set is not limited.
pub async fn put_limits(
    asking: Asking,
    State(app): State<App>,
    Path((workload, vendor)): Path<(WorkloadName, VendorName)>,
    Json(set): Json<Limits>,
) -> Answer<Json<Limits>> {
    let by = asking.may(&app, act(&workload, "put_limits"))?;
    if set.requests_per_second == Some(0) {
        let message = "requests_per_second is at least 1; the kill switch stops all calls";
        return Err(ApiError::refused(StatusCode::UNPROCESSABLE_ENTITY, "malformed", message));
    }
    app.store
        .write(move |tx| {
            tx.set_limits(&workload, &vendor, &set)?;
            by.audit(tx, workload.as_str(), json!({ "vendor": vendor, "limits": set }))
        })
        .await?;
    app.refresh_gateway().await?;
    Ok(Json(set))
}

/// For how long.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approved {
    hours: u32,
}

/// Lets a workload give a vendor far more than usual for some hours. Its limits still hold.
pub async fn approve_burst(
    by: Operator,
    State(app): State<App>,
    Path((workload, vendor)): Path<(WorkloadName, VendorName)>,
    Json(Approved { hours }): Json<Approved>,
) -> Answer<Json<BurstApproval>> {
    if !(1..=limits::BURST_APPROVAL_HOURS).contains(&hours) {
        let message = format!("hours is from 1 to {}", limits::BURST_APPROVAL_HOURS);
        return Err(ApiError::refused(StatusCode::UNPROCESSABLE_ENTITY, "malformed", message));
    }
    let now = app.world.now();
    let approval = BurstApproval {
        workload,
        vendor,
        approved_by: by.name.clone(),
        approved_at: now,
        until: now.plus_seconds(i64::from(hours) * 60 * 60),
    };
    let kept = approval.clone();
    app.store
        .write(move |tx| {
            tx.approve_burst(&kept)?;
            let detail = json!({ "vendor": kept.vendor, "until": kept.until });
            by.audit(tx, kept.workload.as_str(), detail)
        })
        .await?;
    app.refresh_gateway().await?;
    Ok(Json(approval))
}

fn act<'a>(workload: &'a WorkloadName, operation: &'a str) -> Act<'a> {
    Act::Workload { workload, operation }
}
