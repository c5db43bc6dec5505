//! Workloads: what each may give to whom. Their tokens are in `tokens`.

use axum::extract::State;
use axum::http::StatusCode;
use model::{Grant, Mode, Workload, WorkloadName};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Operator;
use super::error::Answer;
use super::extract::Json;
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
}

pub async fn list_workloads(_: Operator, State(app): State<App>) -> Answer<Json<Value>> {
    let workloads = app.store.read(|tx| tx.workloads()).await?;
    Ok(Json(json!({ "workloads": workloads })))
}

pub async fn add_workload(
    by: Operator,
    State(app): State<App>,
    Json(new): Json<NewWorkload>,
) -> Answer<(StatusCode, Json<Value>)> {
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
    let kept = workload.clone();
    app.store
        .write(move |tx| {
            tx.insert_workload(&kept)?;
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
