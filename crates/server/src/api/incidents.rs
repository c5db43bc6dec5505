//! Incidents: list, show, declare, and give them commands.

use axum::extract::State;
use axum::http::StatusCode;
use incident::{Author, Command, Incident};
use model::{IncidentId, Reach, Switch, VendorName, Window, limits};
use policy::Act;
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Operator;
use super::error::Answer;
use super::extract::{Json, Path};
use crate::app::App;
use crate::observe::{self, Start};
use crate::respond;

pub async fn list_incidents(_: Operator, State(app): State<App>) -> Answer<Json<Value>> {
    let rows = app.store.read(|tx| tx.incidents(limits::PAGE_ROWS)).await?;
    let incidents: Vec<Value> = rows
        .iter()
        .map(|row| {
            let incident: Incident = row.document.read()?;
            Ok(json!({
                "id": row.id, "vendor": row.vendor, "state": row.state, "title": incident.title,
                "declared_at": row.created_at,
            }))
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(Json(json!({ "incidents": incidents })))
}

/// An incident to declare by hand.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewIncident {
    vendor: VendorName,
    title: String,
    #[serde(default)]
    window: Window,
    #[serde(default)]
    reach: Reach,
}

/// Declares an incident. Where steps run by themselves then, that is containing, of which the
/// policy is asked.
pub async fn declare_incident(
    by: Operator,
    State(app): State<App>,
    Json(new): Json<NewIncident>,
) -> Answer<(StatusCode, Json<Incident>)> {
    let (world, name) = (app.world.clone(), new.vendor.clone());
    let vendor = app.store.read(move |tx| tx.vendor(&name)).await?;
    if !vendor.automatic.is_empty() {
        by.may(&app, Act::Contain { vendor: &vendor.name, switch: Switch::Stop })?;
    }
    let (incident, effects) = app
        .store
        .write(move |tx| {
            let vendor = tx.vendor(&new.vendor)?;
            if let Some(open) = tx.open_incident_of(&vendor.name)? {
                let name = open.id.to_string();
                return Err(store::Refused::Exists { what: "an open incident", name }.into());
            }
            let findings = tx.open_findings()?.into_iter().map(|row| row.finding);
            let findings =
                findings.filter(|one| one.vendor.as_ref() == Some(&vendor.name)).collect();
            let declared = observe::declare(
                tx,
                &world,
                &vendor,
                Start {
                    title: new.title,
                    by: Author::Operator(by.name.clone()),
                    findings,
                    facts: &[],
                    window: new.window,
                    reach: new.reach,
                },
            )?;
            by.audit(tx, &declared.0.id.to_string(), json!({ "vendor": vendor.name }))?;
            Ok(declared)
        })
        .await?;
    respond::perform(&app, &incident, effects).await?;
    Ok((StatusCode::CREATED, Json(incident)))
}

pub async fn show_incident(
    _: Operator,
    State(app): State<App>,
    Path(id): Path<IncidentId>,
) -> Answer<Json<Incident>> {
    Ok(Json(respond::load(&app, id).await?))
}

/// Gives the incident one command of its state machine. Which role may give which is the machine's
/// own table; approving is for somebody else than the author. What cuts the vendor off further, or
/// lets it back, is asked of the policy besides.
pub async fn command_incident(
    by: Operator,
    State(app): State<App>,
    Path(id): Path<IncidentId>,
    Json(command): Json<Command>,
) -> Answer<Json<Incident>> {
    let switch = match &command {
        Command::RunStep { .. } => Some(Switch::Stop),
        Command::ApproveLift => Some(Switch::Open),
        _ => None,
    };
    if let Some(switch) = switch {
        let vendor = &respond::load(&app, id).await?.vendor;
        by.may(&app, Act::Contain { vendor, switch })?;
    }
    let (actor, command_verb) = (by.actor(), respond::verb(&command));
    let incident = respond::command(&app, id, vec![command], actor, move |tx, incident| {
        by.audit(tx, &incident.id.to_string(), json!({ "command": command_verb }))
    })
    .await?;
    Ok(Json(incident))
}

pub async fn show_clocks(
    _: Operator,
    State(app): State<App>,
    Path(id): Path<IncidentId>,
) -> Answer<Json<Value>> {
    let incident = respond::load(&app, id).await?;
    Ok(Json(clocks(&app, &incident).await?))
}

/// Every legal clock that may apply, and the contract's own for the vendor's lateness.
///
/// # Errors
/// Faults of the store.
pub async fn clocks(app: &App, incident: &Incident) -> anyhow::Result<Value> {
    let vendor = app.vendor(&incident.vendor).await?;
    let clocks = incident.clocks(&app.config.company.profile());
    let contract = incident::contract_clock(
        &vendor.contract,
        incident.vendor_aware_at,
        incident.vendor_told_at,
    );
    Ok(json!({ "clocks": clocks, "contract": contract }))
}

pub async fn list_evidence(
    _: Operator,
    State(app): State<App>,
    Path(id): Path<IncidentId>,
) -> Answer<Json<Value>> {
    respond::load(&app, id).await?;
    let all = app.store.read(move |tx| tx.evidence_of(id)).await?;
    let shown: Vec<_> = all
        .iter()
        .map(|one| {
            json!({
                "id": one.id, "name": one.name, "sha256": model::crypto::to_hex(&one.sha256),
                "size": one.size, "taken_by": one.taken_by, "taken_at": one.taken_at,
            })
        })
        .collect();
    Ok(Json(json!({ "evidence": shown })))
}
