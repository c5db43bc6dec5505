//! Operators: who may do what.

use axum::extract::State;
use axum::http::StatusCode;
use model::{OperatorName, crypto};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::{Operator, Role};
use super::error::Answer;
use super::extract::Json;
use crate::app::App;

/// An operator to make.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewOperator {
    name: OperatorName,
    roles: Vec<Role>,
}

pub async fn list_operators(_: Operator, State(app): State<App>) -> Answer<Json<Value>> {
    let operators = app.store.read(|tx| tx.operators()).await?;
    let shown: Vec<_> = operators
        .iter()
        .map(|operator| json!({ "name": operator.name, "roles": operator.roles }))
        .collect();
    Ok(Json(json!({ "operators": shown })))
}

/// Makes an operator and shows the token once.
pub async fn add_operator(
    by: Operator,
    State(app): State<App>,
    Json(new): Json<NewOperator>,
) -> Answer<(StatusCode, Json<Value>)> {
    let token = format!("cop_{}", crypto::to_hex(&app.world.bytes::<32>()));
    let hash = app.keys.operator_token.mac(&[token.as_bytes()]);
    let roles: Vec<String> = Role::ALL
        .iter()
        .filter(|(_, role)| new.roles.contains(role))
        .map(|(name, _)| (*name).to_owned())
        .collect();
    let shown = json!({ "name": new.name, "roles": roles, "token": token });
    app.store
        .write(move |tx| {
            tx.insert_operator(&new.name, &hash, &roles)?;
            by.audit(tx, &new.name.to_string(), json!({ "roles": roles }))
        })
        .await?;
    Ok((StatusCode::CREATED, Json(shown)))
}
