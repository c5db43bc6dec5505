//! What operators and other machines ask of the gateway: where the switches stand.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Operator;
use super::error::{Answer, ApiError};
use super::extract::{Json, Query};
use crate::app::App;

/// What the asker knows already.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    version: Option<String>,
}

/// Where every switch stands. A caller that names the version that it has waits for the next one,
/// at most [`model::limits::SWITCH_WAIT_SECONDS`]. No answer is given that could not be confirmed.
pub async fn list_switches(
    _: Operator,
    State(app): State<App>,
    Query(known): Query<Known>,
) -> Answer<Json<Value>> {
    let standing = app.switches.after(known.version.as_deref()).await;
    let freshness = app.gateway.freshness();
    if !freshness.holds() {
        return Err(ApiError::coded(&gateway::Refused::SwitchUnknown));
    }
    Ok(Json(json!({
        "version": standing.version,
        "age_ms": u64::try_from(freshness.age.as_millis()).unwrap_or(u64::MAX),
        "holds_ms": u64::try_from(freshness.limit.as_millis()).unwrap_or(u64::MAX),
        "switches": standing.switches,
    })))
}
