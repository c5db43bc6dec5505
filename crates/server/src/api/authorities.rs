//! What callers of the `CONNECT` door are told to believe.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Operator;
use super::error::{Answer, ApiError};
use super::extract::{Json, Query};
use crate::app::App;

/// Whose authorities are asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    host: Option<String>,
}

pub async fn list_authorities(
    _: Operator,
    State(app): State<App>,
    Query(asked): Query<Asked>,
) -> Answer<Json<Value>> {
    let now = app.world.now();
    let mut rows = app.store.read(move |tx| tx.authorities(now)).await?;
    if let Some(host) = asked.host {
        rows.retain(|row| row.host == host);
        if rows.is_empty() {
            return Err(ApiError::not_found("authority of", &host));
        }
    }
    let shown = rows.into_iter().map(|row| {
        json!({
            "host": row.host,
            "fingerprint": row.fingerprint,
            "expires_at": row.expires_at,
            "certificate": row.root,
        })
    });
    Ok(Json(json!({ "authorities": shown.collect::<Vec<_>>() })))
}
