//! What runs and how much it holds, and the doctor's look at a live set-up.

use axum::extract::State;
use serde_json::{Value, json};

use super::auth::Operator;
use super::error::Answer;
use super::extract::Json;
use super::routes::ROUTES;
use crate::app::App;
use crate::credentials;
use crate::doctor;

pub async fn show_status(_: Operator, State(app): State<App>) -> Answer<Json<Value>> {
    let facts = app.store.read(|tx| tx.fact_counts()).await?;
    let traffic: Vec<_> = app
        .traffic
        .all()
        .into_iter()
        .map(|(vendor, workload, counts)| {
            let mut shown = json!({ "vendor": vendor, "workload": workload });
            if let (Some(into), Value::Object(counts)) = (shown.as_object_mut(), json!(counts)) {
                into.extend(counts);
            }
            shown
        })
        .collect();
    let mut credentials = serde_json::Map::new();
    for vendor in app.store.read(|tx| tx.vendors()).await? {
        let shown = credentials::shown(&app, &vendor.name).await?;
        credentials.insert(vendor.name.to_string(), json!(shown));
    }
    let dns: Vec<_> = app
        .keys
        .dkim
        .dns_records()
        .into_iter()
        .map(|(name, value)| json!({ "name": name, "type": "TXT", "value": value }))
        .collect();
    Ok(Json(json!({
        "listening": app.addresses,
        "ledger": app.ledger.status(),
        "store": app.store.status(),
        "facts": facts.iter().map(|count| json!({
            "vendor": count.vendor, "kind": count.kind, "facts": count.facts,
        })).collect::<Vec<_>>(),
        "gateway": traffic,
        "credentials": credentials,
        "dns": dns,
    })))
}

pub async fn list_routes(_: Operator) -> Json<Value> {
    Json(json!({ "routes": ROUTES }))
}

pub async fn examine(_: Operator, State(app): State<App>) -> Answer<Json<Value>> {
    let checks = doctor::examine(&app).await?;
    Ok(Json(json!({ "checks": checks })))
}
