//! How a refusal or a fault leaves the API: `{"error": {"code", "message", "hint"}}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::{Blame, Coded};
use serde::Serialize;

/// An answer that says no, or that something broke.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    body: Body,
}

#[derive(Debug, Serialize)]
struct Body {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

/// What every handler returns.
pub type Answer<T> = Result<T, ApiError>;

impl ApiError {
    /// A refusal with a status of its own.
    pub fn refused(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, body: Body { code, message: message.into(), hint: None } }
    }

    /// The thing that was asked for is not there.
    pub fn not_found(what: &str, name: &dyn std::fmt::Display) -> Self {
        Self::refused(StatusCode::NOT_FOUND, "not-found", format!("there is no {what} `{name}`"))
    }

    /// With a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.body.hint = Some(hint.into());
        self
    }

    /// A refusal of one of our crates.
    pub fn coded(error: &(impl Coded + ?Sized)) -> Self {
        let status = match (error.blame(), error.code()) {
            (Blame::Ours, _) => StatusCode::SERVICE_UNAVAILABLE,
            (Blame::Vendor, _) => StatusCode::BAD_GATEWAY,
            (Blame::Caller, code) if code.ends_with("not-found") => StatusCode::NOT_FOUND,
            (Blame::Caller, code) if is_conflict(code) => StatusCode::CONFLICT,
            (Blame::Caller, _) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let body = Body { code: error.code(), message: error.to_string(), hint: error.hint() };
        Self { status, body }
    }
}

fn is_conflict(code: &str) -> bool {
    ["exists", "stale", "two-eyes", "state"].iter().any(|word| code.contains(word))
}

impl From<anyhow::Error> for ApiError {
    /// A refusal anywhere in the chain is handed on; anything else is a fault, logged once.
    fn from(error: anyhow::Error) -> Self {
        if let Some(refused) = coded(&error) {
            return Self::coded(refused);
        }
        tracing::error!(error = format!("{error:#}"), "a request failed");
        Self::refused(
            StatusCode::INTERNAL_SERVER_ERROR,
            "fault",
            "something broke here; the log says what",
        )
    }
}

/// The refusal in an error's chain; none when it is a fault.
pub fn coded(error: &anyhow::Error) -> Option<&dyn Coded> {
    error.chain().find_map(as_coded)
}

/// The refusals of our crates, recognised by type and never by text.
fn as_coded<'e>(cause: &'e (dyn std::error::Error + 'static)) -> Option<&'e dyn Coded> {
    macro_rules! one_of {
        ($($kind:ty),* $(,)?) => {{
            $(if let Some(refused) = cause.downcast_ref::<$kind>() {
                return Some(refused);
            })*
            None
        }};
    }
    one_of!(
        connectors::FileError,
        model::error::Malformed,
        model::Misfit,
        policy::OperatorDenied,
        policy::Rejected,
        crate::directory::DirectoryError,
        store::Refused,
        incident::Refused,
        ledger::LedgerDown,
        ledger::OpenRefused,
        crate::config::ConfigError,
        crate::keys::KeyRefused,
        crate::NotOpened,
        connectors::ExportError,
        watch::notice::NoticeRefused,
        mail::Unreadable,
        mail::SendError,
        notify::RelayRefused,
        notify::scribe::Uncomposed,
        notify::Unwritten,
        crate::canaries::Unplanted,
        crate::credentials::SourceRefused,
        crate::switches::Loosening,
        crate::beside::NotAdmitted,
    )
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(serde_json::json!({ "error": self.body }))).into_response()
    }
}
