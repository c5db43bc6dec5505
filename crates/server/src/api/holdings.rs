//! Holdings of one person, and «who was exposed?» without an incident.

use axum::extract::State;
use model::{Email, Identifier, Phone, Reach, VendorName, Window};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Operator;
use super::error::{Answer, ApiError};
use super::extract::Json;
use crate::app::App;
use crate::scoping;

/// One person by one identifier. In a body, never in a URL.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Who {
    email: Option<String>,
    phone: Option<String>,
    person_id: Option<String>,
}

impl Who {
    /// The identifier that is given.
    ///
    /// # Errors
    /// When there is none, more than one, or it is malformed.
    pub fn identifier(self) -> Answer<Identifier> {
        match (self.email, self.phone, self.person_id) {
            (Some(email), None, None) => {
                Ok(Identifier::Email(Email::parse(&email).map_err(anyhow::Error::from)?))
            }
            (None, Some(phone), None) => {
                Ok(Identifier::Phone(Phone::parse(&phone).map_err(anyhow::Error::from)?))
            }
            (None, None, Some(id)) => Ok(Identifier::UserId(id.into())),
            _ => Err(ApiError::refused(
                axum::http::StatusCode::UNPROCESSABLE_ENTITY,
                "one-identifier",
                "name the person by exactly one of email, phone, person_id",
            )),
        }
    }
}

/// What every vendor holds or held of one person. Looking is recorded, by person key.
pub async fn show_holdings(
    by: Operator,
    State(app): State<App>,
    Json(who): Json<Who>,
) -> Answer<Json<Value>> {
    let hash = who.identifier()?.hash(app.ledger.identifier_key());
    let person = app.ledger.person(hash);
    let holdings = match person {
        Some(person) => {
            let ledger = app.ledger.clone();
            tokio::task::spawn_blocking(move || ledger.holdings(person))
                .await
                .map_err(anyhow::Error::from)??
        }
        None => Vec::new(),
    };
    let subject = person.map_or("unknown".to_owned(), |person| person.to_string());
    let vendors = holdings.len();
    app.store.write(move |tx| by.audit(tx, &subject, json!({ "holdings": vendors }))).await?;
    let now = app.world.now();
    let shown: Vec<_> = holdings
        .iter()
        .map(|one| {
            let mut shown = json!(one);
            shown["held_now"] = json!(one.from <= now && now < one.held_until);
            shown
        })
        .collect();
    Ok(Json(json!({ "person": person, "known": person.is_some(), "holdings": shown })))
}

/// A vendor, a window and a reach.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    vendor: VendorName,
    #[serde(default)]
    window: Window,
    #[serde(default)]
    reach: Reach,
}

pub async fn show_scope(
    _: Operator,
    State(app): State<App>,
    Json(ask): Json<Ask>,
) -> Answer<Json<Value>> {
    app.vendor(&ask.vendor).await?;
    let question = incident::Question { window: ask.window, reach: ask.reach };
    let work = app.clone();
    let counts =
        tokio::task::spawn_blocking(move || scoping::upper_counts(&work, &ask.vendor, &question))
            .await
            .map_err(anyhow::Error::from)??;
    Ok(Json(json!({ "bound": "upper", "counts": counts })))
}
