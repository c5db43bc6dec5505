//! Facts and findings: record what operators learn, list what was seen and concluded.

use axum::extract::State;
use model::{FactId, VendorName, limits};
use serde::Deserialize;
use serde_json::{Value, json};
use store::FactFilter;

use super::auth::Operator;
use super::error::Answer;
use super::extract::{Json, Query, Upload};
use crate::app::App;
use crate::intake;
use crate::observe::Observed;

/// What a vendor said, as an operator writes it down.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    vendor: VendorName,
    #[serde(flatten)]
    notice: watch::notice::Notice,
}

pub async fn record_vendor_notice(
    by: Operator,
    State(app): State<App>,
    Json(told): Json<Told>,
) -> Answer<Json<Observed>> {
    let observed = intake::vendor_notice(&app, &told.vendor, told.notice, &by.name).await?;
    let detail = json!({ "new": observed.new });
    app.store.write(move |tx| by.audit(tx, told.vendor.as_str(), detail)).await?;
    Ok(Json(observed))
}

pub async fn upload_mail(
    by: Operator,
    State(app): State<App>,
    Upload(body): Upload<{ limits::REPORTED_MAIL_BYTES }>,
) -> Answer<Json<Observed>> {
    let from = format!("operator/{}", by.name);
    let observed = intake::reported_mail(&app, &body, &from).await?;
    let digest = model::crypto::to_hex(&model::crypto::sha256(&body));
    let detail = json!({ "new": observed.new });
    app.store.write(move |tx| by.audit(tx, &digest, detail)).await?;
    Ok(Json(observed))
}

/// Which facts to list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    vendor: Option<VendorName>,
    kind: Option<String>,
    before: Option<FactId>,
}

pub async fn list_facts(
    _: Operator,
    State(app): State<App>,
    Query(filter): Query<Filter>,
) -> Answer<Json<Value>> {
    let facts = app
        .store
        .read(move |tx| {
            let asked = FactFilter { vendor: filter.vendor.as_ref(), kind: filter.kind.as_deref() };
            tx.facts(asked, filter.before, limits::PAGE_ROWS)
        })
        .await?;
    Ok(Json(json!({ "facts": facts })))
}

pub async fn list_findings(_: Operator, State(app): State<App>) -> Answer<Json<Value>> {
    let rows = app.store.read(|tx| tx.findings(limits::PAGE_ROWS)).await?;
    let shown: Vec<_> = rows
        .iter()
        .map(|row| {
            let mut shown = json!(row.finding);
            shown["found_at"] = json!(row.found_at);
            shown["incident"] = json!(row.incident);
            shown
        })
        .collect();
    Ok(Json(json!({ "findings": shown })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_of_a_vendor_notice_is_refused() {
        let notice = |key: &str| {
            let text = json!({
                "vendor": "sendgrid", "told_at": "2026-02-05T01:00:00Z", "summary": "x", key: [],
            });
            serde_json::from_value::<Told>(text)
        };
        assert!(notice("lists").is_ok());
        assert!(notice("list").is_err());
    }
}
