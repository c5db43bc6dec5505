//! The audit log: list, verify.

use axum::extract::State;
use model::{crypto, limits};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{AuditBroken, AuditVerified};

use super::auth::Operator;
use super::error::Answer;
use super::extract::{Json, Query};
use crate::app::App;

/// Which page.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    before: Option<u64>,
}

pub async fn list_audit(
    _: Operator,
    State(app): State<App>,
    Query(page): Query<Page>,
) -> Answer<Json<Value>> {
    let entries = app.store.read(move |tx| tx.audit_page(page.before, limits::PAGE_ROWS)).await?;
    let shown: Vec<_> = entries
        .iter()
        .map(|entry| {
            json!({
                "seq": entry.seq, "at": entry.at, "actor": entry.actor, "verb": entry.verb,
                "subject": entry.subject,
                "detail": entry.detail.read::<Value>().unwrap_or(Value::Null),
                "hash": crypto::to_hex(&entry.hash),
            })
        })
        .collect();
    Ok(Json(json!({ "audit": shown })))
}

pub async fn verify_audit(_: Operator, State(app): State<App>) -> Answer<Json<Value>> {
    let verified = app.store.read(|tx| tx.verify_audit(1)).await?;
    Ok(Json(shown(verified)))
}

/// What a verification found.
pub fn shown(verified: Result<AuditVerified, AuditBroken>) -> Value {
    match verified {
        Ok(AuditVerified { entries, head }) => json!({
            "ok": true, "entries": entries, "head": crypto::to_hex(&head.hash), "seq": head.seq,
        }),
        Err(AuditBroken { seq, why }) => json!({ "ok": false, "broken_at": seq, "why": why }),
    }
}
