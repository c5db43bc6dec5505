//! Workloads: what each may give to whom. Their tokens are in `tokens`.

use axum::extract::State;
use axum::http::StatusCode;
use model::{Grant, Identity, Mode, Workload, WorkloadName};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Operator;
use super::error::Answer;
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
    by: Operator,
    State(app): State<App>,
    Path(name): Path<WorkloadName>,
    Json(Identities { identities }): Json<Identities>,
) -> Answer<Json<Value>> {
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
