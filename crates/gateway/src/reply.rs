//! A vendor's reply on its way back to the caller: without the vendor's credential, without the
//! headers of one connection, and never one that sends the caller elsewhere.

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use http_body_util::Full;
use model::{CallId, Coded as _};

use connectors::{Connector, Refusal};

use crate::body::unpack_reply;
use crate::refused::Refused;
use crate::scrub::Cleaner;
use crate::seen::Left;
use crate::transform::connection_options;

/// In which header a caller learns whether its call left.
pub const OUTCOME: HeaderName = HeaderName::from_static("x-cordon-outcome");
/// In which header a caller learns its call's id.
pub const CALL: HeaderName = HeaderName::from_static("x-cordon-call");
/// In which header a caller learns why its call did not get through.
pub const CODE: HeaderName = HeaderName::from_static("x-cordon-code");

const DROPPED: [HeaderName; 10] = [
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::LOCATION,
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::SET_COOKIE,
];

/// A reply that may be handed on.
#[derive(Debug)]
pub(crate) struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    /// Cleans a vendor's reply.
    pub fn from_vendor(parts: Parts, body: Bytes, cleaner: &Cleaner<'_>) -> Result<Self, Refused> {
        if parts.status.is_redirection() && parts.headers.contains_key(header::LOCATION) {
            return Err(Refused::ReplyRedirects);
        }
        let encoding = parts.headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes);
        let body = match encoding {
            None | Some(b"identity") => body,
            Some(b"gzip") => unpack_reply(&body)?,
            Some(_) => return Err(Refused::ReplyEncoding),
        };
        let mut headers = parts.headers;
        let named = connection_options(&headers);
        for name in DROPPED.iter().map(HeaderName::as_str).chain(named.iter().map(String::as_str)) {
            while headers.remove(name).is_some() {}
        }
        headers.remove("keep-alive");
        for value in headers.values_mut() {
            if let Some(clean) = cleaner.clean(value.as_bytes()) {
                *value = HeaderValue::from_bytes(&clean).map_err(|_| Refused::Fault)?;
            }
        }
        let body = cleaner.clean(&body).map_or(body, Bytes::from);
        Ok(Self { status: parts.status.as_u16(), headers, body })
    }
}

impl Reply {
    /// As the HTTP library takes it.
    pub fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() =
            http::StatusCode::from_u16(self.status).unwrap_or(http::StatusCode::BAD_GATEWAY);
        *response.headers_mut() = self.headers;
        response
    }
}

/// The caller's response: the vendor's reply, or a refusal in the vendor's words.
pub(crate) fn respond(
    result: Result<Reply, Refused>,
    connector: Option<&'static dyn Connector>,
    call: CallId,
    left: Left,
) -> Response<Full<Bytes>> {
    let (reply, code) = match result {
        Ok(reply) => (reply, None),
        Err(refused) => (refusal(&refused, connector), Some(refused.code())),
    };
    let mut response = reply.into_response();
    let headers = response.headers_mut();
    headers.insert(OUTCOME, HeaderValue::from_static(left.name()));
    if let Ok(id) = HeaderValue::from_str(&call.to_string()) {
        headers.insert(CALL, id);
    }
    headers.remove(CODE);
    if let Some(code) = code {
        headers.insert(CODE, HeaderValue::from_static(code));
    }
    response
}

/// A refusal in nobody's words in particular.
pub(crate) fn neutral(status: u16, code: &str, message: &str) -> Reply {
    let json = HeaderValue::from_static("application/json");
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, json)]);
    let body = serde_json::json!({ "error": { "code": code, "message": message } });
    Reply { status, headers, body: body.to_string().into() }
}

fn refusal(refused: &Refused, connector: Option<&'static dyn Connector>) -> Reply {
    let (status, code, message) = (refused.status(), refused.code(), refused.to_string());
    let mut headers = HeaderMap::new();
    let body = match connector {
        Some(connector) => {
            let said = connector.refusal(&Refusal { status, code, message });
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(said.content_type));
            said.body
        }
        None => return neutral(status, code, &message),
    };
    if let Some(seconds) = refused.retry_after_seconds() {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    Reply { status, headers, body: body.into() }
}
