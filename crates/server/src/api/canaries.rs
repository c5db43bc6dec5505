//! Canaries: plant and list. Their addresses are never shown.

use axum::extract::State;
use axum::http::StatusCode;
use model::{ListName, VendorName};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Operator;
use super::error::{Answer, ApiError};
use super::extract::Json;
use crate::app::App;
use crate::canaries::plant;

/// The most that one call plants.
const AT_ONCE: u32 = 100;

/// How many contacts to plant where.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plant {
    vendor: VendorName,
    list: Option<ListName>,
    count: u32,
}

pub async fn plant_canaries(
    by: Operator,
    State(app): State<App>,
    Json(ask): Json<Plant>,
) -> Answer<(StatusCode, Json<Value>)> {
    if ask.count == 0 || ask.count > AT_ONCE {
        let message = format!("plant 1 to {AT_ONCE} at once");
        return Err(ApiError::refused(StatusCode::UNPROCESSABLE_ENTITY, "canary-count", message));
    }
    let mut planted = Vec::new();
    for _ in 0..ask.count {
        planted.push(plant(&app, &ask.vendor, ask.list.as_ref()).await?);
    }
    let (vendor, count) = (ask.vendor, planted.len());
    app.store.write(move |tx| by.audit(tx, vendor.as_str(), json!({ "count": count }))).await?;
    Ok((StatusCode::CREATED, Json(json!({ "planted": planted }))))
}

pub async fn list_canaries(_: Operator, State(app): State<App>) -> Answer<Json<Value>> {
    let shown = app
        .store
        .read(|tx| {
            let mut shown = Vec::new();
            for vendor in tx.vendors()? {
                shown.extend(tx.canaries(&vendor.name)?.into_iter().map(|canary| {
                    json!({
                        "id": canary.id, "vendor": canary.vendor, "list": canary.list,
                        "epoch": canary.epoch, "planted_at": canary.planted_at,
                        "superseded_at": canary.superseded_at,
                    })
                }));
            }
            Ok(shown)
        })
        .await?;
    Ok(Json(json!({ "canaries": shown })))
}
