//! API keys: made, listed, renamed, stripped of scopes, revoked at once.

use axum::body::Bytes;
use axum::extract::{Path, State as Cx};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::{Secret, World};
use serde::Deserialize;
use serde_json::json;

use super::Sandbox;
use super::caller::Caller;
use super::reply::{self, Refused, Reply, answer, empty, not_found};
use super::state::{ApiKey, State};

/// Every scope that one of the sandbox's routes asks for: what a key with full access has.
const SCOPES: &[&str] = &[
    "mail.send",
    "mail.batch.create",
    "mail.batch.read",
    "user.scheduled_sends.create",
    "user.scheduled_sends.read",
    "user.scheduled_sends.update",
    "user.scheduled_sends.delete",
    "marketing.read",
    "marketing.update",
    "api_keys.create",
    "api_keys.read",
    "api_keys.update",
    "api_keys.delete",
    "user.webhooks.event.settings.read",
    "user.webhooks.parse.settings.read",
    "user.profile.read",
    "teammates.read",
    "access_settings.activity.read",
];
/// Keys that one account may have, as SendGrid documents it.
const KEYS: usize = 100;

/// A key at the moment it is made, which is the only moment its text is shown.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Its id, by which the API names it.
    pub id: String,
    /// The whole key.
    pub key: Secret<String>,
}

/// Makes a key; without scopes it may do everything.
pub(super) fn create(world: &World, state: &mut State, name: &str, scopes: Vec<String>) -> NewKey {
    let id = URL_SAFE_NO_PAD.encode(world.bytes::<16>());
    let key = Secret::new(format!("SG.{id}.{}", URL_SAFE_NO_PAD.encode(world.bytes::<32>())));
    let full = || SCOPES.iter().map(|&scope| scope.to_owned()).collect();
    let scopes = if scopes.is_empty() { full() } else { scopes };
    let held = ApiKey { id: id.clone(), text: key.clone(), name: name.to_owned(), scopes };
    state.keys.push(held);
    NewKey { id, key }
}

/// `GET /v3/api_keys`.
pub(super) async fn get_keys(Cx(sandbox): Cx<Sandbox>, caller: Caller) -> Reply {
    caller.may("api_keys.read")?;
    let state = sandbox.state();
    let row = |key: &ApiKey| json!({"api_key_id": key.id, "name": key.name});
    let rows: Vec<_> = state.keys.iter().map(row).collect();
    answer(StatusCode::OK, json!({"result": rows}))
}

#[derive(Deserialize)]
struct Wanted {
    name: String,
    scopes: Option<Vec<String>>,
}

fn wanted(body: &[u8]) -> Result<Wanted, Refused> {
    let wrong = |message, field| reply::refuse(StatusCode::BAD_REQUEST, message, Some(field));
    let wanted: Wanted =
        serde_json::from_slice(body).map_err(|_| wrong("missing required argument", "name"))?;
    let unknown = |scope: &String| !SCOPES.contains(&scope.as_str());
    if wanted.scopes.iter().flatten().any(unknown) {
        return Err(wrong("The following scopes are not valid", "scopes"));
    }
    Ok(wanted)
}

/// `POST /v3/api_keys`.
pub(super) async fn post_key(Cx(sandbox): Cx<Sandbox>, caller: Caller, body: Bytes) -> Reply {
    caller.may("api_keys.create")?;
    let Wanted { name, scopes } = wanted(&body)?;
    let mut state = sandbox.state();
    if state.keys.len() >= KEYS {
        let message = "cannot create more API keys";
        return Err(reply::refuse(StatusCode::FORBIDDEN, message, None));
    }
    let NewKey { id, key } =
        create(&sandbox.0.world, &mut state, &name, scopes.unwrap_or_default());
    let scopes = state.keys.last().map(|key| key.scopes.clone());
    let body = json!({"api_key": key.expose(), "api_key_id": id, "name": name, "scopes": scopes});
    answer(StatusCode::CREATED, body)
}

/// `GET /v3/api_keys/{api_key_id}`.
pub(super) async fn get_key(
    Cx(sandbox): Cx<Sandbox>,
    caller: Caller,
    Path(id): Path<String>,
) -> Reply {
    caller.may("api_keys.read")?;
    let mut state = sandbox.state();
    let key = find(&mut state, &id)?;
    let row = json!({"scopes": key.scopes, "api_key_id": key.id, "name": key.name});
    answer(StatusCode::OK, json!({"result": [row]}))
}

/// `PUT /v3/api_keys/{api_key_id}`: name and scopes. At least one scope must stay.
pub(super) async fn put_key(
    Cx(sandbox): Cx<Sandbox>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Reply {
    caller.may("api_keys.update")?;
    let Wanted { name, scopes } = wanted(&body)?;
    let Some(scopes) = scopes.filter(|scopes| !scopes.is_empty()) else {
        let message = "at least one scope is required";
        return Err(reply::refuse(StatusCode::BAD_REQUEST, message, Some("scopes")));
    };
    let mut state = sandbox.state();
    let key = find(&mut state, &id)?;
    (key.name, key.scopes) = (name, scopes);
    answer(StatusCode::OK, json!({"api_key_id": key.id, "name": key.name}))
}

/// `PATCH /v3/api_keys/{api_key_id}`: the name alone.
pub(super) async fn patch_key(
    Cx(sandbox): Cx<Sandbox>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Reply {
    caller.may("api_keys.update")?;
    let Wanted { name, .. } = wanted(&body)?;
    let mut state = sandbox.state();
    let key = find(&mut state, &id)?;
    key.name = name;
    answer(StatusCode::OK, json!({"api_key_id": key.id, "name": key.name}))
}

/// `DELETE /v3/api_keys/{api_key_id}`.
pub(super) async fn delete_key(
    Cx(sandbox): Cx<Sandbox>,
    caller: Caller,
    Path(id): Path<String>,
) -> Reply {
    caller.may("api_keys.delete")?;
    let mut state = sandbox.state();
    find(&mut state, &id)?;
    state.keys.retain(|key| key.id != id);
    empty(StatusCode::NO_CONTENT)
}

/// `GET /v3/scopes`: those of the key that asks.
pub(super) async fn get_scopes(caller: Caller) -> Reply {
    answer(StatusCode::OK, json!({"scopes": caller.scopes()}))
}

fn find<'a>(state: &'a mut State, id: &str) -> Result<&'a mut ApiKey, Refused> {
    state.keys.iter_mut().find(|key| key.id == id).ok_or_else(not_found)
}
