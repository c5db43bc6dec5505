//! What a handler takes out of a request. What does not fit is refused with a code of ours, like
//! everything else that the API refuses, and no body is read beyond its cap.

use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use model::limits;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::ApiError;

/// A JSON body in, of at most [`limits::API_BODY_BYTES`]; a JSON answer out.
pub struct Json<T>(pub T);

/// A body as it is, of at most so many bytes.
pub struct Upload<const MOST: usize>(pub Bytes);

/// The parameters of a path.
pub struct Path<T>(pub T);

/// The query of a URL.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        if !is_json(&parts.headers) {
            let message = "the body's content type is not `application/json`";
            return Err(ApiError::refused(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "content-type",
                message,
            ));
        }
        let bytes = whole(body, limits::API_BODY_BYTES).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| unread(&error))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<const MOST: usize, S: Sync> FromRequest<S> for Upload<MOST> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        whole(request.into_body(), MOST).await.map(Self)
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(values)| Self(values)).map_err(|refused| misnamed(&refused))
    }
}

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = axum::extract::Query::try_from_uri(&parts.uri);
        query.map(|axum::extract::Query(values)| Self(values)).map_err(|refused| {
            let why = std::error::Error::source(&refused).map(ToString::to_string);
            let message = format!("the query does not fit: {}", why.unwrap_or_default());
            ApiError::refused(StatusCode::UNPROCESSABLE_ENTITY, "query-mismatch", message)
        })
    }
}

/// No route has this path.
pub async fn no_route() -> ApiError {
    ApiError::refused(StatusCode::NOT_FOUND, "not-found", "there is nothing at this path")
        .hint("`GET /api/v1/routes` lists what there is")
}

/// The path is known, with another method.
pub async fn no_method() -> ApiError {
    let message = "this path is not asked with this method";
    ApiError::refused(StatusCode::METHOD_NOT_ALLOWED, "method-unknown", message)
        .hint("`GET /api/v1/routes` lists what there is")
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

async fn whole(body: Body, most: usize) -> Result<Bytes, ApiError> {
    let collected = Limited::new(body, most).collect().await;
    collected.map(|body| body.to_bytes()).map_err(|error| match error.is::<LengthLimitError>() {
        true => ApiError::refused(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body-too-large",
            format!("the body is over {most} bytes, the most that is taken here"),
        ),
        false => {
            ApiError::refused(StatusCode::BAD_REQUEST, "body-cut", "the body ended before its end")
        }
    })
}

fn unread(error: &serde_json::Error) -> ApiError {
    match error.is_data() {
        true => ApiError::refused(
            StatusCode::UNPROCESSABLE_ENTITY,
            "body-mismatch",
            format!("the body does not fit: {error}"),
        ),
        false => ApiError::refused(
            StatusCode::BAD_REQUEST,
            "body-unreadable",
            format!("the body is not well-formed JSON: {error}"),
        ),
    }
}

/// A path's parameter that is no name or id of its kind. The value is not repeated.
fn misnamed(refused: &PathRejection) -> ApiError {
    use axum::extract::path::ErrorKind;
    let malformed =
        |message| ApiError::refused(StatusCode::UNPROCESSABLE_ENTITY, "malformed", message);
    let PathRejection::FailedToDeserializePathParams(why) = refused else {
        return malformed("the path is not of its form".to_owned());
    };
    malformed(match why.kind() {
        ErrorKind::DeserializeError { message, .. } | ErrorKind::Message(message) => {
            message.clone()
        }
        ErrorKind::ParseErrorAtKey { expected_type, .. }
        | ErrorKind::ParseErrorAtIndex { expected_type, .. }
        | ErrorKind::ParseError { expected_type, .. } => {
            format!("a part of the path is no `{expected_type}`")
        }
        _ => "the path is not of its form".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_what_says_that_it_is() {
        let check = |kind: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, kind.parse().expect("a value"));
            is_json(&headers)
        };
        assert!(check("application/json") && check("Application/JSON; charset=utf-8"));
        assert!(!check("text/plain") && !check("application/jsonp"));
        assert!(!is_json(&HeaderMap::new()));
    }
}
