//! Cordon's own calls: canaries, which take the same way as everybody's, and containment, which
//! may speak to a vendor that is cut off.

use bytes::Bytes;
use connectors::{ApiCall, ApiReply, CredentialUse, OwnedOutbound};
use http::{HeaderMap, HeaderValue, Method, header};
use model::{Purpose, Secret, VendorName};

use crate::Gateway;
use crate::admit::Arrival;
use crate::credential::Credential;
use crate::dispatch::{Answer, VendorCall};
use crate::refused::Refused;

impl Gateway {
    /// Carries a request of Cordon's own workload `cordon` through the whole pipeline, recorded
    /// like any other.
    ///
    /// # Errors
    /// When it is refused, or no whole reply comes.
    pub async fn carry_own(
        &self,
        vendor: &VendorName,
        purpose: &Purpose,
        request: OwnedOutbound,
    ) -> Result<ApiReply, Refused> {
        let arrival = Arrival::Own { vendor: vendor.clone(), purpose: purpose.clone(), request };
        let (_, result) = self.run(arrival).await;
        result.map(|reply| ApiReply { status: reply.status, body: reply.body.to_vec() })
    }

    /// Makes a containment call. It discloses nobody, so it is not recorded as a disclosure, and
    /// the kill switch does not hold it. `revoked` is the credential for
    /// [`CredentialUse::Revoked`]. A reply with status 0 means that none came.
    pub async fn call_vendor(
        &self,
        vendor: &VendorName,
        call: &ApiCall,
        revoked: Option<&Secret<String>>,
    ) -> ApiReply {
        let none = ApiReply { status: 0, body: Vec::new() };
        let registry = self.registry();
        let Some(entry) = registry.vendors.get(vendor) else {
            return none;
        };
        let revoked = revoked.map(|secret| Credential::new(secret.clone()));
        let credential = match call.credential {
            CredentialUse::Held => entry.credential.as_deref(),
            CredentialUse::Revoked => revoked.as_ref(),
        };
        let (Some(credential), Ok(method)) =
            (credential, Method::from_bytes(call.method.as_bytes()))
        else {
            return none;
        };
        let (path, query) = match call.path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (call.path.as_str(), None),
        };
        let (headers, body) = headers_and_body(call);
        let call = VendorCall { method, path, query, headers, body, credential, operation: None };
        match call.send(&self.cx, entry, Box::new(|| Ok(()))).await {
            Answer::Sent { reply: Ok(reply), .. } => {
                ApiReply { status: reply.status, body: reply.body.to_vec() }
            }
            Answer::Sent { status, reply: Err(_), .. } => ApiReply { status, body: Vec::new() },
            Answer::NotSent(_) | Answer::Unknown(_) => none,
        }
    }
}

fn headers_and_body(call: &ApiCall) -> (HeaderMap, Bytes) {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static("cordon"));
    let body = call.body.as_ref().map(|(content_type, body)| {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        Bytes::from(body.clone())
    });
    (headers, body.unwrap_or_default())
}
