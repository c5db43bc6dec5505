//! Imports: what a vendor holds already, from its own export.

use axum::extract::State;
use ledger::{Import, IntentRow};
use model::{ListName, Timestamp, VendorName, limits};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::auth::Operator;
use super::error::{Answer, ApiError};
use super::extract::{Json, Path, Query, Upload};
use crate::app::App;
use crate::vouched::Vouched;

/// As of when, of which list, and whether it is all that the vendor holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    as_of: Timestamp,
    list: Option<ListName>,
    #[serde(default)]
    complete: bool,
}

/// What was imported.
#[derive(Debug, Default, Serialize)]
pub struct Imported {
    rows: u64,
    recorded: u64,
    not_in_directory: u64,
    custom_columns: Vec<String>,
    unreadable: u64,
    /// The first lines that could not be read, and why.
    examples: Vec<String>,
}

/// Records an export. Rows that cannot be read are counted and named; the others are kept.
pub async fn import_export(
    by: Operator,
    State(app): State<App>,
    Path(name): Path<VendorName>,
    Query(terms): Query<Terms>,
    Upload(body): Upload<{ limits::UPLOAD_BYTES }>,
) -> Answer<Json<Imported>> {
    const EXAMPLES: usize = 10;
    let vendor = app.vendor(&name).await?;
    if terms.as_of > app.world.now() {
        return Err(ApiError::refused(
            axum::http::StatusCode::UNPROCESSABLE_ENTITY,
            "as-of-future",
            "an export cannot be from the future",
        ));
    }
    let connector = app.connector(&vendor)?;
    let export = connector.read_export(&body).map_err(anyhow::Error::from)?;
    let mut imported = Imported { custom_columns: export.custom_columns, ..Imported::default() };
    let key = app.ledger.identifier_key();
    let mut batch = Vec::new();
    for row in export.rows {
        imported.rows += 1;
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                imported.unreadable += 1;
                if imported.examples.len() < EXAMPLES {
                    imported.examples.push(error.to_string());
                }
                continue;
            }
        };
        let identifiers: Vec<_> = row.identifiers.iter().map(|one| one.hash(key)).collect();
        let known = identifiers.iter().any(|hash| app.ledger.person(*hash).is_some());
        imported.not_in_directory += u64::from(!known);
        let mut lists = row.lists;
        lists.extend(terms.list.clone());
        batch.push(IntentRow { identifiers, fields: row.fields, lists });
        if batch.len() == limits::IMPORT_ROWS_PER_RECORD {
            record(&app, &vendor, &terms, &mut batch, &mut imported).await?;
        }
    }
    record(&app, &vendor, &terms, &mut batch, &mut imported).await?;
    let detail =
        json!({ "rows": imported.rows, "unreadable": imported.unreadable, "as_of": terms.as_of });
    let complete = terms.complete && imported.unreadable == 0;
    app.store
        .write(move |tx| {
            if complete {
                let known = Vouched::of(tx, &name)?;
                let since = known.complete_since.map_or(terms.as_of, |at| at.min(terms.as_of));
                Vouched { complete_since: Some(since), ..known }.keep(tx, &name)?;
            }
            by.audit(tx, name.as_str(), detail)
        })
        .await?;
    Ok(Json(imported))
}

async fn record(
    app: &App,
    vendor: &model::Vendor,
    terms: &Terms,
    batch: &mut Vec<IntentRow>,
    imported: &mut Imported,
) -> anyhow::Result<()> {
    if batch.is_empty() {
        return Ok(());
    }
    imported.recorded += batch.len() as u64;
    let import = Import {
        call: app.world.id(),
        vendor: vendor.name.clone(),
        as_of: terms.as_of,
        held_until: vendor.held_until(terms.as_of, None),
        rows: std::mem::take(batch),
    };
    Ok(app.ledger.import(import).await?)
}
