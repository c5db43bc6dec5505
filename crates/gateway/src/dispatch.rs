//! Dispatch: one attempt, one write, to the vendor's own address with the vendor's own credential.

use bytes::Bytes;
use connectors::Connector;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use http_body_util::Full;
use model::{Secret, VendorName};
use tokio::time::Instant;

use crate::admit::Admitted;
use crate::cx::Cx;
use crate::egress::{Gate, Origin, Sent};
use crate::refused::Refused;
use crate::registry::VendorEntry;
use crate::reply::{Reply, Scrub};
use crate::seen::{Account, micros};
use crate::transform::Outgoing;

/// What became of a call.
pub(crate) enum Answer {
    /// The vendor replied. The reply may still be one that is not handed on.
    Sent { status: u16, message: Option<String>, reply: Result<Reply, Refused> },
    /// Not a byte of it was written.
    NotSent(Refused),
    /// Some of it may have arrived.
    Unknown(Refused),
}

/// Sends the request. The kill switch is read once more as its first byte is written.
pub(crate) async fn dispatch(
    cx: &Cx,
    account: &mut Account,
    request: &Admitted,
    outgoing: Outgoing,
) -> Answer {
    let entry = request.entry();
    let Some(credential) = &entry.credential else {
        return Answer::NotSent(Refused::CredentialMissing);
    };
    let call = VendorCall {
        method: request.method.clone(),
        path: &request.path,
        query: request.query.as_deref(),
        headers: outgoing.headers,
        body: outgoing.body,
        credential,
    };
    let (registry, vendor) = (cx.registry.clone(), request.vendor.clone());
    let gate: Gate = Box::new(move || registry.load().may_leave(&vendor));
    let began = Instant::now();
    let answer = call.send(cx, entry, gate).await;
    account.seen.micros.vendor = micros(began.elapsed());
    answer
}

/// A call to a vendor with the credential that it is to be made with.
pub(crate) struct VendorCall<'a> {
    pub method: Method,
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub credential: &'a Secret<String>,
}

impl VendorCall<'_> {
    pub async fn send(self, cx: &Cx, entry: &VendorEntry, gate: Gate) -> Answer {
        let connector = entry.connector;
        let vendor: &VendorName = &entry.vendor.name;
        let scrub;
        let sent = match self.authorised(entry) {
            Ok((origin, request, scrubber)) => {
                scrub = scrubber;
                cx.egress.send(&cx.patience, vendor, &origin, request, gate).await
            }
            Err(refused) => return Answer::NotSent(refused),
        };
        match sent {
            Sent::Reply(response) => {
                let (parts, body) = response.into_parts();
                Answer::Sent {
                    status: parts.status.as_u16(),
                    message: message_id(connector, &parts.headers, &body),
                    reply: Reply::from_vendor(parts, body, &scrub),
                }
            }
            Sent::Not(refused) => Answer::NotSent(refused),
            Sent::Unknown(refused) => Answer::Unknown(refused),
        }
    }

    /// The request with the vendor's credential in it, and where it goes: both the connector's or
    /// the operator's word, never the caller's.
    fn authorised(
        self,
        entry: &VendorEntry,
    ) -> Result<(Origin, Request<Full<Bytes>>, Scrub), Refused> {
        let base = entry.vendor.endpoint.as_deref().unwrap_or(entry.connector.base_url());
        let origin = Origin::parse(base)?;
        let (authorization, path) = entry.connector.authorise(self.credential, self.path);
        let query = self.query.map(|query| format!("?{query}")).unwrap_or_default();
        let mut value = HeaderValue::from_str(authorization.expose())
            .map_err(|_| Refused::CredentialMissing)?;
        value.set_sensitive(true);
        let mut request = Request::builder()
            .method(self.method)
            .uri(format!("{}{path}{query}", origin.prefix))
            .body(Full::new(self.body))
            .map_err(|_| Refused::Fault)?;
        let headers = request.headers_mut();
        *headers = self.headers;
        headers.insert(header::HOST, origin.host_header()?);
        headers.insert(header::AUTHORIZATION, value);
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        Ok((origin, request, Scrub::of(self.credential, &authorization)))
    }
}

fn message_id(connector: &dyn Connector, headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let header = |name: &str| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        headers.get(name)?.to_str().ok().map(str::to_owned)
    };
    connector.message_id(&header, body)
}
