//! People: index the directory, erase one person with two pairs of eyes.

use axum::extract::State;
use axum::http::StatusCode;
use model::{IdentifierHash, OperatorName, Timestamp, limits};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::auth::Operator;
use super::error::{Answer, ApiError};
use super::extract::{Json, Path};
use super::holdings::Who;
use crate::app::App;

/// The setting that holds erasures which nobody approved yet.
const ERASURES: &str = "erasures";

/// What indexing the directory came to.
#[derive(Debug, Default, Serialize)]
struct Indexed {
    rows: u64,
    people: u64,
    new: u64,
    changed: u64,
    merged: u64,
    unreadable: u64,
    /// The first rows that could not be read, and why.
    examples: Vec<String>,
}

/// Reads the directory once and indexes the keyed hashes of its identifiers.
pub async fn index_people(by: Operator, State(app): State<App>) -> Answer<Json<Value>> {
    const EXAMPLES: usize = 10;
    let mut contacts = app.directory.contacts().map_err(anyhow::Error::from)?;
    let mut indexed = Indexed::default();
    loop {
        let key = app.ledger.identifier_key().clone();
        let (rest, batch, errors) = tokio::task::spawn_blocking(move || {
            let (mut batch, mut errors) = (Vec::new(), Vec::new());
            for row in contacts.by_ref().take(limits::IMPORT_ROWS_PER_RECORD) {
                match row {
                    Ok(contact) => {
                        batch
                            .push(contact.identifiers().iter().map(|one| one.hash(&key)).collect());
                    }
                    Err(error) => errors.push(error.to_string()),
                }
            }
            (contacts, batch, errors)
        })
        .await
        .map_err(anyhow::Error::from)?;
        contacts = rest;
        if batch.is_empty() && errors.is_empty() {
            break;
        }
        indexed.rows += (batch.len() + errors.len()) as u64;
        indexed.unreadable += errors.len() as u64;
        let room = EXAMPLES.saturating_sub(indexed.examples.len());
        indexed.examples.extend(errors.into_iter().take(room));
        let part = app.ledger.index_people(batch).await.map_err(anyhow::Error::from)?;
        indexed.people += part.people;
        indexed.new += part.new;
        indexed.changed += part.changed;
        indexed.merged += part.merged;
    }
    let shown = json!(indexed);
    let detail =
        json!({ "rows": indexed.rows, "new": indexed.new, "unreadable": indexed.unreadable });
    app.store.write(move |tx| by.audit(tx, "directory", detail)).await?;
    Ok(Json(shown))
}

/// An erasure that waits for its second pair of eyes. Holds a keyed hash, never the identifier.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Erasure {
    id: String,
    identifier: IdentifierHash,
    by: OperatorName,
    at: Timestamp,
}

pub async fn request_erasure(
    by: Operator,
    State(app): State<App>,
    Json(who): Json<Who>,
) -> Answer<(StatusCode, Json<Value>)> {
    let identifier = who.identifier()?.hash(app.ledger.identifier_key());
    if app.ledger.person(identifier).is_none() {
        return Err(ApiError::refused(
            StatusCode::NOT_FOUND,
            "person-unknown",
            "nobody is known by this",
        ));
    }
    let id = format!("ers_{}", model::crypto::to_hex(&app.world.bytes::<8>()));
    let erasure = Erasure { id, identifier, by: by.name.clone(), at: app.world.now() };
    let shown = json!({ "erasure": erasure.id, "by": erasure.by });
    app.store
        .write(move |tx| {
            let mut open: Vec<Erasure> = tx.setting(ERASURES)?.unwrap_or_default();
            by.audit(tx, &erasure.id, json!({}))?;
            open.push(erasure);
            tx.set_setting(ERASURES, &open)
        })
        .await?;
    Ok((StatusCode::ACCEPTED, Json(shown)))
}

pub async fn list_erasures(_: Operator, State(app): State<App>) -> Answer<Json<Value>> {
    let open: Vec<Erasure> = app.store.read(|tx| tx.setting(ERASURES)).await?.unwrap_or_default();
    let shown: Vec<_> =
        open.iter().map(|one| json!({ "erasure": one.id, "by": one.by, "at": one.at })).collect();
    Ok(Json(json!({ "erasures": shown })))
}

/// Erases: hidden at once, the mapping gone, and no file with a keyed hash of theirs any more.
pub async fn approve_erasure(
    by: Operator,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Answer<Json<Value>> {
    let asked = id.clone();
    let open: Vec<Erasure> = app.store.read(|tx| tx.setting(ERASURES)).await?.unwrap_or_default();
    let erasure = open
        .into_iter()
        .find(|one| one.id == asked)
        .ok_or_else(|| ApiError::not_found("open erasure", &id))?;
    if erasure.by == by.name {
        return Err(ApiError::refused(
            StatusCode::CONFLICT,
            "own-work",
            "somebody else has to approve this: two pairs of eyes",
        ));
    }
    let facts = anonymise_facts(&app, erasure.identifier).await?;
    let forgotten = app.ledger.forget(&[erasure.identifier]).await.map_err(anyhow::Error::from)?;
    let sealed = app.ledger.seal().await?;
    let receipt =
        json!({ "erasure": id, "forgotten": forgotten, "facts": facts, "sealed": sealed });
    let detail = receipt.clone();
    app.store
        .write(move |tx| {
            let mut open: Vec<Erasure> = tx.setting(ERASURES)?.unwrap_or_default();
            open.retain(|one| one.id != id);
            tx.set_setting(ERASURES, &open)?;
            by.audit(tx, &id, detail)
        })
        .await?;
    let store = app.store.clone();
    tokio::task::spawn_blocking(move || store.wipe_deleted())
        .await
        .map_err(anyhow::Error::from)??;
    Ok(Json(receipt))
}

/// Takes a person's identifiers out of what vendors and others reported. Before the mapping goes,
/// so that a crash in between leaves an erasure that can be approved again.
async fn anonymise_facts(app: &App, identifier: IdentifierHash) -> anyhow::Result<usize> {
    let ledger = app.ledger.clone();
    let identifiers = tokio::task::spawn_blocking(move || {
        ledger.person(identifier).map(|person| ledger.identifiers_of(person)).unwrap_or_default()
    })
    .await?;
    app.store.write(move |tx| tx.anonymise_facts(&identifiers)).await
}
