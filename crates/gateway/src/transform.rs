//! Transform: the request as it is to leave, with its signed references in it.

use bytes::Bytes;
use connectors::{Changes, Reference};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use model::Identifier;

use crate::admit::Admitted;
use crate::cx::Cx;
use crate::decide::Verdict;
use crate::read::Reading;
use crate::refused::Refused;
use crate::replace::Replacement;
use crate::seen::Account;
use crate::trace::Phase;

/// A request ready to leave, but for the vendor's credential.
pub(crate) struct Outgoing {
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Headers of every call. Under `enforce` these leave and those that the vendor documents, no
/// others, since a header is no place that anybody reads for personal data.
const DOCUMENTED: [HeaderName; 4] =
    [header::ACCEPT, header::ACCEPT_LANGUAGE, header::CONTENT_TYPE, header::USER_AGENT];

/// Headers that end here: those of one connection (RFC 9110 §7.6.1), those that we set ourselves,
/// and those that speak of the company's own network and traces.
const ENDING_HERE: [HeaderName; 19] = [
    header::ACCEPT_ENCODING,
    header::AUTHORIZATION,
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::COOKIE,
    header::EXPECT,
    header::FORWARDED,
    header::HOST,
    header::PROXY_AUTHORIZATION,
    header::REFERER,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::VIA,
    HeaderName::from_static("baggage"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
];

/// Writes the request as the verdict wants it.
pub(crate) fn transform(
    cx: &Cx,
    account: &mut Account,
    request: &Admitted,
    reading: &Reading,
    verdict: &Verdict,
) -> Result<Outgoing, Refused> {
    account.enter(Phase::Transform);
    let own = own_headers(request);
    let mut headers = headers(&request.headers, verdict.enforced, &own);
    if let Some(name) = request.operation.and_then(|operation| operation.idempotency) {
        let call = HeaderValue::from_str(&account.seen.call.to_string());
        let call = call.map_err(|_| Refused::Fault)?;
        headers.entry(HeaderName::from_static(name)).or_insert(call);
    }
    let Reading::Known(call) = reading else {
        return Ok(Outgoing { headers, body: request.body.clone() });
    };
    let entry = request.entry();
    let reference = Reference { key: &cx.keys.reference, vendor: &request.vendor };
    let replacement = Replacement { keys: &cx.keys, vendor: &request.vendor };
    let id = account.seen.call;
    let changes = Changes {
        action: &|field| verdict.action(field),
        replace: &|action, field, value| replacement.of(action, field, value),
        drop_unknown: verdict.enforced,
        reference: &|recipients: &[&Identifier]| reference.sign(id, recipients),
        callback_url: entry.callback_url.as_deref(),
    };
    match call.body.write(&changes) {
        Ok(body) => Ok(Outgoing { headers, body: body.into() }),
        Err(why) if verdict.enforced => Err(why.into()),
        Err(_) => {
            account.warn("not-rewritten");
            Ok(Outgoing { headers, body: request.body.clone() })
        }
    }
}

/// Headers that this vendor documents for this call.
fn own_headers(request: &Admitted) -> Vec<&'static str> {
    let idempotency = request.operation.and_then(|operation| operation.idempotency);
    request.entry().connector.headers().iter().copied().chain(idempotency).collect()
}

fn headers(given: &HeaderMap, enforced: bool, own: &[&str]) -> HeaderMap {
    let named = connection_options(given);
    let leaves = |name: &HeaderName| {
        if enforced {
            return DOCUMENTED.contains(name) || own.contains(&name.as_str());
        }
        let text = name.as_str();
        !ENDING_HERE.contains(name)
            && !["x-cordon-", "x-forwarded-", "proxy-", "keep-alive", "x-real-ip"]
                .iter()
                .any(|prefix| text.starts_with(prefix))
            && !named.iter().any(|option| option == text)
    };
    let kept = given.iter().filter(|(name, _)| leaves(name));
    HeaderMap::from_iter(kept.map(|(name, value)| (name.clone(), value.clone())))
}

/// Headers that `Connection` names as belonging to this connection alone.
pub(crate) fn connection_options(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|option| option.trim().to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_documented_headers_leave_under_enforce_and_none_of_the_connection_ever() {
        let mut given = HeaderMap::new();
        for (name, value) in [
            ("content-type", "application/json"),
            ("authorization", "Bearer SG.token"),
            ("x-custom", "1"),
            ("x-cordon-purpose", "receipts"),
            ("x-forwarded-for", "10.0.0.1"),
            ("cookie", "a=b"),
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("accept-encoding", "gzip"),
        ] {
            given.append(name, HeaderValue::from_static(value));
        }
        let names = |headers: HeaderMap| -> Vec<String> {
            headers.keys().map(|name| name.as_str().to_owned()).collect()
        };
        assert_eq!(names(headers(&given, true, &[])), ["content-type"]);
        assert_eq!(names(headers(&given, false, &[])), ["content-type", "x-custom"]);
    }
}
