//! What operators and other machines ask of the gateway: how it does, what it let through, where
//! the switches stand.

use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Operator;
use super::error::{Answer, ApiError};
use super::extract::{Json, Query};
use crate::app::App;
use crate::calls::{Followed, Wanted};
use crate::metrics::Measured;
use crate::{bursts, flows};

/// How each workload and vendor do: traffic, latency, limits, switch.
pub async fn show_gateway(_: Operator, State(app): State<App>) -> Json<Value> {
    let freshness = app.gateway.freshness();
    Json(json!({
        "fresh": freshness.holds(),
        "switches_age_ms": millis(freshness.age),
        "switches_hold_ms": millis(freshness.limit),
        "flows": flows::all(&app),
    }))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The last calls, or the next ones: a long poll, which never holds up the gateway.
pub async fn follow_calls(
    _: Operator,
    State(app): State<App>,
    Query(wanted): Query<Wanted>,
) -> Json<Followed> {
    Json(app.calls.follow(&wanted).await)
}

/// What Prometheus reads.
pub async fn show_metrics(_: Operator, State(app): State<App>) -> impl IntoResponse {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], Measured::of(&app).text())
}

/// Hours in which calls waited for approval, the newest first, and what was approved since.
pub async fn list_bursts(_: Operator, State(app): State<App>) -> Answer<Json<Value>> {
    let bursts = bursts::listed(&app).await?;
    Ok(Json(json!({ "bursts": bursts })))
}

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
        "age_ms": millis(freshness.age),
        "holds_ms": millis(freshness.limit),
        "switches": standing.switches,
    })))
}
