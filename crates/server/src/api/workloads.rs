//! Workloads: what each may give to whom, and the tokens that stand for it.

use axum::extract::State;
use axum::http::StatusCode;
use model::{Grant, Mode, VendorName, Workload, WorkloadName};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::auth::Operator;
use super::error::Answer;
use super::extract::Json;
use crate::app::App;

/// A workload to register.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewWorkload {
    name: WorkloadName,
    grants: Vec<Grant>,
    mode: Option<Mode>,
}

/// How a program is told to go through the gateway; shown once.
#[derive(Serialize)]
pub struct Issued {
    vendor: VendorName,
    base_url: String,
    environment: Vec<(String, String)>,
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
    let (mut issued, mut hashes) = (Vec::new(), Vec::new());
    for grant in &workload.grants {
        let vendor = app.vendor(&grant.vendor).await?;
        let minted = app.mint(&vendor)?;
        hashes.push((grant.vendor.clone(), app.token_hash(&grant.vendor, &minted.token)));
        let environment = minted.environment.iter();
        issued.push(Issued {
            vendor: grant.vendor.clone(),
            base_url: format!("{}/v/{}", app.addresses.gateway, grant.vendor),
            environment: environment
                .map(|(name, value)| ((*name).to_owned(), value.expose().clone()))
                .collect(),
        });
    }
    let kept = workload.clone();
    app.store
        .write(move |tx| {
            tx.insert_workload(&kept)?;
            for (vendor, hash) in &hashes {
                tx.insert_token(hash, &kept.name, vendor)?;
            }
            let vendors: Vec<_> = kept.grants.iter().map(|grant| &grant.vendor).collect();
            by.audit(tx, &kept.name.to_string(), json!({ "vendors": vendors }))
        })
        .await?;
    app.refresh_gateway().await?;
    Ok((StatusCode::CREATED, Json(json!({ "workload": workload, "tokens": issued }))))
}
