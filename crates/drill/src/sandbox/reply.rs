//! Answers in SendGrid's shapes.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// What a route answers.
pub(super) type Reply = Result<Response, Refused>;

/// A refusal in SendGrid's words.
#[derive(Debug)]
pub(super) struct Refused {
    status: StatusCode,
    error: Value,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.status, Json(json!({"errors": [self.error]}))).into_response()
    }
}

/// A JSON answer.
pub(super) fn answer(status: StatusCode, body: impl Serialize) -> Reply {
    Ok((status, Json(body)).into_response())
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Reply {
    Ok(status.into_response())
}

/// A refusal as mail, keys and schedules word it.
pub(super) fn refuse(status: StatusCode, message: &str, field: Option<&str>) -> Refused {
    Refused { status, error: json!({"message": message, "field": field, "help": null}) }
}

/// A refusal as Marketing Campaigns words it.
pub(super) fn refuse_marketing(status: StatusCode, message: &str, field: &str) -> Refused {
    Refused { status, error: json!({"field": field, "message": message}) }
}

/// What SendGrid says of something that it does not have.
pub(super) fn not_found() -> Refused {
    refuse(StatusCode::NOT_FOUND, "not found", None)
}

/// The same from Marketing Campaigns.
pub(super) fn no_such(what: &str) -> Refused {
    refuse_marketing(StatusCode::NOT_FOUND, "not found", what)
}

/// The same from the webhook's settings, which name no field.
pub(super) fn no_such_webhook() -> Refused {
    Refused { status: StatusCode::NOT_FOUND, error: json!({"message": "not found"}) }
}

/// A body that is no JSON at all, or not of the documented form.
pub(super) fn bad_request() -> Refused {
    refuse(StatusCode::BAD_REQUEST, "Bad Request", None)
}

/// Reads a JSON body.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|_| bad_request())
}

/// The `_metadata` of what stands under this path; with the number of rows where that is told.
pub(super) fn metadata(path: &str, count: Option<usize>) -> Value {
    let mut metadata = json!({"self": format!("https://api.sendgrid.com{path}")});
    if let Some(count) = count {
        metadata["count"] = json!(count);
    }
    metadata
}
