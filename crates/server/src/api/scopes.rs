//! Scopes: ask for a new version, match the vendor's data set, compare, export.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use incident::Command;
use model::{IncidentId, Reach, Window, limits};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Operator;
use super::error::{Answer, ApiError};
use super::extract::{Json, Path, Upload};
use crate::app::App;
use crate::{audience, dataset, respond};

/// A window and a reach to ask with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    window: Option<Window>,
    reach: Option<Reach>,
    certain: Option<incident::Question>,
    reason: String,
}

/// Sets what is given and asks the ledger anew; the answer is the incident's next scope version.
pub async fn ask_scope(
    by: Operator,
    State(app): State<App>,
    Path(id): Path<IncidentId>,
    Json(ask): Json<Ask>,
) -> Answer<Json<Value>> {
    let why = ask.reason;
    let mut commands = Vec::new();
    if let Some(window) = ask.window {
        commands.push(Command::SetWindow { window, why: why.clone() });
    }
    if let Some(reach) = ask.reach {
        commands.push(Command::SetReach { reach, why: why.clone() });
    }
    if let Some(certain) = ask.certain {
        commands.push(Command::SetCertain { certain: Some(certain), why: why.clone() });
    }
    if commands.is_empty() {
        commands.push(Command::Rescope { why });
    }
    let actor = by.actor();
    let incident = respond::command(&app, id, commands, actor, move |tx, incident| {
        by.audit(tx, &incident.id.to_string(), json!({ "questions": incident.questions }))
    })
    .await?;
    Ok(Json(json!({ "asked": incident.asked })))
}

/// Matches the data set that the vendor handed over, and asks for a new version with it.
pub async fn match_dataset(
    by: Operator,
    State(app): State<App>,
    Path(id): Path<IncidentId>,
    Upload(body): Upload<{ limits::UPLOAD_BYTES }>,
) -> Answer<Json<dataset::Matched>> {
    let incident = respond::load(&app, id).await?;
    let matched = dataset::match_with(&app, &incident, body.to_vec()).await?;
    let text = format!(
        "the vendor's data set has {} rows: {} persons confirmed, {} held and not in it, {} rows about \
         nobody disclosed through Cordon, {} about contacts that we planted, {} unreadable",
        matched.rows,
        matched.confirmed,
        matched.held_not_in_it,
        matched.never_disclosed,
        matched.planted,
        matched.unreadable,
    );
    let commands = vec![
        Command::AddFact {
            at: app.world.now(),
            source: "vendor/dataset".into(),
            confidence: model::Confidence::Likely,
            text,
        },
        Command::Rescope { why: "the vendor's data set was matched".into() },
    ];
    let actor = by.actor();
    let detail = json!({ "rows": matched.rows, "confirmed": matched.confirmed });
    respond::command(&app, id, commands, actor, move |tx, incident| {
        by.audit(tx, &incident.id.to_string(), detail)
    })
    .await?;
    Ok(Json(matched))
}

/// Person keys, fields and bound; no contact details.
pub async fn export_persons(
    _: Operator,
    State(app): State<App>,
    Path((id, version)): Path<(IncidentId, u32)>,
) -> Answer<impl IntoResponse> {
    let csv = app
        .store
        .read(move |tx| {
            check_version(tx, id, version)?;
            let mut csv = String::from("person,fields,bound\n");
            tx.visit_scope(id, version, |member| {
                let fields = member.fields.to_string().replace(',', " ");
                let bound = if member.lower { "confirmed" } else { "possible" };
                csv.push_str(&format!("{},{fields},{bound}\n", member.person));
                Ok(())
            })?;
            Ok(csv)
        })
        .await?;
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], csv))
}

/// How many persons a newer version adds, drops and changes: the audience of a correction.
pub async fn diff_scopes(
    _: Operator,
    State(app): State<App>,
    Path((id, version, other)): Path<(IncidentId, u32, u32)>,
) -> Answer<Json<Value>> {
    if version == other {
        return Err(ApiError::refused(
            axum::http::StatusCode::UNPROCESSABLE_ENTITY,
            "same-version",
            "a version does not differ from itself",
        ));
    }
    let diff = app
        .store
        .read(move |tx| {
            check_version(tx, id, version)?;
            check_version(tx, id, other)?;
            let old = audience::members(tx, id, version)?;
            let new = audience::members(tx, id, other)?;
            Ok(incident::diff(&old, &new))
        })
        .await?;
    Ok(Json(json!({
        "from": version,
        "to": other,
        "newly_exposed": diff.newly.len(),
        "no_longer": diff.no_longer.len(),
        "fields_changed": diff.changed.len(),
    })))
}

/// A version that was never made has no persons; that is not the same as a scope of nobody.
fn check_version(tx: &store::Tx<'_>, id: IncidentId, version: u32) -> anyhow::Result<()> {
    let incident: incident::Incident = tx.incident(id)?.document.read()?;
    if incident.scopes.iter().any(|scope| scope.version == version) {
        return Ok(());
    }
    Err(store::Refused::NotFound { what: "scope version", name: version.to_string() }.into())
}
