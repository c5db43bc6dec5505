//! A vendor's reply on its way back to the caller: without the vendor's credential, without the
//! headers of one connection, and never one that sends the caller elsewhere.

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use http_body_util::Full;
use model::{CallId, Coded as _, Secret};

use connectors::{Authorised, Connector, Refusal};

use crate::body::unpack_reply;
use crate::refused::Refused;
use crate::seen::Left;
use crate::transform::connection_options;

/// In which header a caller learns whether its call left.
pub const OUTCOME: HeaderName = HeaderName::from_static("x-cordon-outcome");
/// In which header a caller learns its call's id.
pub const CALL: HeaderName = HeaderName::from_static("x-cordon-call");
/// In which header a caller learns why its call did not get through.
pub const CODE: HeaderName = HeaderName::from_static("x-cordon-code");

/// How the names begin under which the gateway alone speaks.
const OURS: &str = "x-cordon-";
/// What stands where a credential stood.
const REDACTED: &[u8] = b"[redacted]";

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
    pub fn from_vendor(parts: Parts, body: Bytes, scrub: &Scrub) -> Result<Self, Refused> {
        if parts.status.is_redirection() && parts.headers.contains_key(header::LOCATION) {
            return Err(Refused::ReplyRedirects);
        }
        let mut encodings = parts.headers.get_all(header::CONTENT_ENCODING).iter();
        let body = match (encodings.next().map(HeaderValue::as_bytes), encodings.next()) {
            (None | Some(b"identity"), None) => body,
            (Some(b"gzip"), None) => unpack_reply(&body)?,
            _ => return Err(Refused::ReplyEncoding),
        };
        let mut headers = parts.headers;
        let mut named = connection_options(&headers);
        let ours = headers.keys().map(HeaderName::as_str).filter(|name| name.starts_with(OURS));
        named.extend(ours.map(str::to_owned));
        for name in DROPPED.iter().map(HeaderName::as_str).chain(named.iter().map(String::as_str)) {
            while headers.remove(name).is_some() {}
        }
        headers.remove("keep-alive");
        for value in headers.values_mut() {
            if let Some(clean) = scrub.clean(value.as_bytes()) {
                *value = HeaderValue::from_bytes(&clean).map_err(|_| Refused::Fault)?;
            }
        }
        let body = scrub.clean(&body).map_or(body, Bytes::from);
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

/// The texts by which a reply would betray the vendor's credential.
pub(crate) struct Scrub(Vec<Secret<Vec<u8>>>);

impl Scrub {
    /// The credential, its secret part alone, and how it stands in headers; each also as JSON may
    /// escape it.
    pub fn of(credential: &Secret<String>, authorised: &Authorised) -> Self {
        /// Shorter texts occur by chance.
        const BYTES: usize = 8;
        let whole = credential.expose().as_str();
        let part = whole.split_once(':').map(|(_, secret)| secret);
        let headers = authorised.headers.iter().map(|(_, value)| value.expose().as_str());
        let headers = headers.map(|value| value.split_once(' ').map_or(value, |(_, rest)| rest));
        let texts = [Some(whole), part].into_iter().flatten().chain(headers);
        let forms = texts.flat_map(|text| [text.to_owned(), text.replace('/', "\\/")]);
        let mut secrets: Vec<_> = forms
            .filter(|text| text.len() >= BYTES)
            .map(|text| Secret::new(text.into_bytes()))
            .collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
        Self(secrets)
    }

    /// The text without the credential, if it was in it.
    fn clean(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut clean: Option<Vec<u8>> = None;
        for secret in &self.0 {
            let searched = clean.as_deref().unwrap_or(text);
            if let Some(replaced) = replace(searched, secret.expose()) {
                clean = Some(replaced);
            }
        }
        clean
    }
}

fn replace(text: &[u8], secret: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = find(rest, secret) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(REDACTED);
        rest = &rest[at + secret.len()..];
    }
    if rest.len() == text.len() {
        return None;
    }
    out.extend_from_slice(rest);
    Some(out)
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    while let Some(at) = text[from..].iter().position(|byte| *byte == first) {
        if text[from + at..].starts_with(wanted) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_taken_out_in_every_form_and_nothing_else_is_touched() {
        let secret = |text: &str| Secret::new(text.to_owned());
        let scrub = Scrub::of(
            &secret("AC123:tok/en-secret"),
            &Authorised {
                headers: vec![("authorization", secret("Basic QUMxMjM6dG9rL2Vu"))],
                ..Authorised::default()
            },
        );
        let check = |text: &str| {
            let clean = scrub.clean(text.as_bytes());
            clean.map(|clean| String::from_utf8(clean).expect("text"))
        };
        assert_eq!(check("a tok/en-secret b"), Some("a [redacted] b".to_owned()));
        assert_eq!(check(r#""tok\/en-secret""#), Some(r#""[redacted]""#.to_owned()));
        assert_eq!(check("AC123:tok/en-secret"), Some("[redacted]".to_owned()));
        assert_eq!(check("Basic QUMxMjM6dG9rL2Vu"), Some("Basic [redacted]".to_owned()));
        assert_eq!(check("tok/en-secretok/en-secret"), Some("[redacted]ok/en-secret".to_owned()));
        assert_eq!(check("AC123 tok/en"), None);
    }
}
