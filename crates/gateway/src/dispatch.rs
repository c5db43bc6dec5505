//! Dispatch: one attempt, one write, to the vendor's own address with the vendor's own credential.

use bytes::Bytes;
use connectors::{Connector, Leaving, Operation};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use http_body_util::Full;
use model::VendorName;
use tokio::time::Instant;

use crate::admit::{Admitted, single};
use crate::credential::Credential;
use crate::cx::Cx;
use crate::egress::{Gate, Origin, Sent};
use crate::refused::Refused;
use crate::registry::VendorEntry;
use crate::reply::Reply;
use crate::scrub::Cleaner;
use crate::seen::{Account, micros};
use crate::trace::Phase;
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
    account.enter(Phase::Dispatch);
    let entry = request.entry();
    let Some(credential) = &entry.credential else {
        return Answer::NotSent(Refused::CredentialMissing);
    };
    let began = Instant::now();
    if let Some(envelope) = &request.envelope {
        let answer = cx.relays.hand_over(cx, entry, envelope, &outgoing.body).await;
        account.seen.micros.vendor = micros(began.elapsed());
        return answer;
    }
    let call = VendorCall {
        method: request.method.clone(),
        path: &request.path,
        query: request.query.as_deref(),
        headers: outgoing.headers,
        body: outgoing.body,
        credential,
        operation: request.operation,
    };
    let (registry, vendor) = (cx.registry.clone(), request.vendor.clone());
    let gate: Gate = Box::new(move || registry.may_leave(&vendor));
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
    pub credential: &'a Credential,
    pub operation: Option<&'static Operation>,
}

impl<'a> VendorCall<'a> {
    pub async fn send(self, cx: &Cx, entry: &VendorEntry, gate: Gate) -> Answer {
        let connector = entry.connector;
        let vendor: &VendorName = &entry.vendor.name;
        let cleaner;
        let sent = match self.authorised(cx, entry) {
            Ok((origin, request, its_cleaner)) => {
                cleaner = its_cleaner;
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
                    reply: Reply::from_vendor(parts, body, &cleaner),
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
        cx: &Cx,
        entry: &VendorEntry,
    ) -> Result<(Origin, Request<Full<Bytes>>, Cleaner<'a>), Refused> {
        let origin = Origin::parse(&self.base(entry).ok_or(Refused::EndpointRefused)?)?;
        let host = origin.host_header()?;
        let leaving = Leaving {
            method: self.method.as_str(),
            host: host.to_str().unwrap_or_default(),
            prefix: &origin.prefix,
            path: self.path,
            query: self.query,
            header: &|name| single(&self.headers, name),
            body: &self.body,
            at: cx.world.now(),
        };
        let authorised = entry.connector.authorise(self.credential.secret(), &leaving);
        let authorised = authorised.map_err(|_| Refused::CredentialMissing)?;
        let cleaner = self.credential.scrub.with(&authorised);
        let query = self.query.map(|query| format!("?{query}")).unwrap_or_default();
        let path = authorised.path.as_deref().unwrap_or(self.path);
        let body = authorised.body.map_or(self.body, |body| body.expose().clone().into());
        let mut request = Request::builder()
            .method(self.method)
            .uri(format!("{}{path}{query}", origin.prefix))
            .body(Full::new(body))
            .map_err(|_| Refused::Fault)?;
        let headers = request.headers_mut();
        *headers = self.headers;
        headers.insert(header::HOST, host);
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        for (name, secret) in &authorised.headers {
            let value = HeaderValue::from_str(secret.expose());
            let mut value = value.map_err(|_| Refused::CredentialMissing)?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(name), value);
        }
        Ok((origin, request, cleaner))
    }

    /// The operator's endpoint, else where this call goes, else where the account is.
    fn base(&self, entry: &VendorEntry) -> Option<String> {
        let own = self.operation.and_then(|operation| operation.base).map(str::to_owned);
        let registered = entry.vendor.endpoint.clone();
        registered.or(own).or_else(|| entry.connector.base_url(self.credential.secret()))
    }
}

fn message_id(connector: &dyn Connector, headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let header = |name: &str| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        headers.get(name)?.to_str().ok().map(str::to_owned)
    };
    connector.message_id(&header, body)
}
