//! Authenticate and identify: who is calling which vendor, within which limits. Reads the body.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use connectors::smtp::SUBMIT;
use connectors::{Asking, Connector, Operation, OwnedOutbound};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, header};
use hyper::body::{Body as _, Incoming};
use model::{Field, Grant, Mode, OperationName, Purpose, VendorName, WorkloadName, limits};
use tokio::sync::OwnedSemaphorePermit;

use crate::body::{Held, collect, unpack};
use crate::cx::Cx;
use crate::framing::Broken;
use crate::guard::BROKEN;
use crate::hold::{Envelope, HOLD, Waiting, What};
use crate::refused::Refused;
use crate::registry::{Registry, VendorEntry, secret_of, token_key};
use crate::seen::Account;
use crate::token::{self, TokenEntry};

/// The name of Cordon's own workload, which plants canaries.
pub const OWN_WORKLOAD: &str = "cordon";
/// In which header a call states its purpose.
pub const PURPOSE: &str = "x-cordon-purpose";

/// A request as it comes in.
pub(crate) enum Arrival {
    /// Through the door.
    Door { request: Request<Incoming>, from: IpAddr },
    /// Through the submission door.
    Mail { vendor: VendorName, shown: Shown, waiting: Waiting, body: Bytes },
    /// From the spool.
    Waited { vendor: VendorName, waiting: Waiting, body: Bytes },
    /// From Cordon itself.
    Own { vendor: VendorName, purpose: Purpose, request: OwnedOutbound },
}

/// The token that a session showed, and from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shown {
    pub key: [u8; 32],
    pub from: IpAddr,
}

impl Arrival {
    /// Whether there is a body to read.
    pub fn has_body(&self) -> bool {
        match self {
            Self::Door { request, .. } => !request.body().is_end_stream(),
            Self::Mail { .. } | Self::Waited { .. } | Self::Own { .. } => false,
        }
    }
}

/// A request of a known caller, its body whole and unpacked.
pub(crate) struct Admitted {
    /// The registry as it was when the request came in.
    registry: Arc<Registry>,
    pub vendor: VendorName,
    pub workload: WorkloadName,
    /// What the workload may give to this vendor.
    pub grant: Option<Grant>,
    pub mode: Mode,
    /// The purpose that the call states.
    pub purpose: Option<Purpose>,
    pub operation: Option<&'static Operation>,
    pub method: http::Method,
    pub path: String,
    pub query: Option<String>,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Who sends and gets it, of a mail; its body is the mail.
    pub envelope: Option<Envelope>,
    /// Whether it is kept in the spool instead of leaving now.
    pub waits: bool,
    /// The body's place among all that are held.
    _place: Option<OwnedSemaphorePermit>,
}

impl Admitted {
    /// The vendor's entry.
    pub fn entry(&self) -> &VendorEntry {
        self.registry.vendors.get(&self.vendor).expect("admitted for a vendor of this registry")
    }
}

/// Lets a request in.
pub(crate) async fn admit(
    cx: &Cx,
    account: &mut Account,
    arrival: Arrival,
) -> Result<Admitted, Refused> {
    match arrival {
        Arrival::Door { request, from } => admit_caller(cx, account, request, from).await,
        Arrival::Mail { vendor, shown, waiting, body } => {
            admit_waiting(cx, account, vendor, waiting, body, Some(shown))
        }
        Arrival::Waited { vendor, waiting, body } => {
            admit_waiting(cx, account, vendor, waiting, body, None)
        }
        Arrival::Own { vendor, purpose, request } => {
            admit_own(cx, account, vendor, purpose, request)
        }
    }
}

async fn admit_caller(
    cx: &Cx,
    account: &mut Account,
    request: Request<Incoming>,
    from: IpAddr,
) -> Result<Admitted, Refused> {
    let (parts, mut body) = request.into_parts();
    let registry = cx.registry.load_full();
    let (vendor, path) = split(parts.uri.path());
    let entry = vendor.as_ref().and_then(|name| registry.vendors.get(name));
    if let Some(entry) = entry {
        know_vendor(account, entry);
    }
    if let Some(code) = parts.headers.get(BROKEN) {
        return Err(Broken::from_code(code.as_bytes()).unwrap_or(Broken::Head).into());
    }
    let entry = entry.ok_or(Refused::VendorUnknown)?;
    let operation = identify(account, entry.connector, parts.method.as_str(), path);
    let cap = operation.map_or(limits::REQUEST_BODY_BYTES, |operation| operation.body_bytes);
    let mut early = None;
    if entry.connector.token_in_body() {
        early = Some(whole(cx, account, &parts.headers, &mut body, cap).await?);
    }
    let seen_body = early.as_ref().map_or(&[][..], |held| &held.bytes);
    let (key, token) = match authenticate(cx, &registry, entry, &parts, path, seen_body) {
        Ok(found) => found,
        Err(refused) => {
            let values = parts.headers.values().filter_map(|value| value.to_str().ok());
            token::recognise(cx, account, &registry, values.chain([parts.uri.path()]), from);
            return Err(refused);
        }
    };
    let workload = token.workload.clone();
    account.seen.workload = Some(workload.clone());
    token::check(account, key, token, from)?;
    let known = registry.workloads.get(&workload);
    let mode = known.and_then(|workload| workload.mode).unwrap_or(entry.vendor.mode);
    account.seen.mode = Some(mode);
    let waits = match cx.registry.may_leave(&entry.vendor.name) {
        Err(Refused::Held) if cannot_wait(&parts.headers) => true,
        may => may.map(|()| false)?,
    };
    check_ready(entry)?;
    let purpose = stated_purpose(&parts.headers)?;
    let Held { bytes, place } = match early {
        Some(held) => held,
        None => whole(cx, account, &parts.headers, &mut body, cap).await?,
    };
    Ok(Admitted {
        vendor: entry.vendor.name.clone(),
        grant: known.and_then(|workload| workload.grant(&entry.vendor.name)).cloned(),
        workload,
        mode,
        purpose,
        operation,
        method: parts.method,
        path: path.to_owned(),
        query: parts.uri.query().map(str::to_owned),
        headers: parts.headers,
        body: bytes,
        envelope: None,
        waits,
        _place: place,
        registry,
    })
}

/// What was authenticated before: a mail at its door, whose token must still be good and which is
/// to wait in the spool, or what comes from there.
fn admit_waiting(
    cx: &Cx,
    account: &mut Account,
    vendor: VendorName,
    waiting: Waiting,
    body: Bytes,
    shown: Option<Shown>,
) -> Result<Admitted, Refused> {
    let registry = cx.registry.load_full();
    let entry = registry.vendors.get(&vendor).ok_or(Refused::VendorUnknown)?;
    know_vendor(account, entry);
    let Waiting { workload, purpose, what } = waiting;
    account.seen.workload = Some(workload.clone());
    let waits = shown.is_some();
    if let Some(Shown { key, from }) = shown {
        let token = registry.tokens.get(&key).ok_or(Refused::TokenUnknown)?;
        token::check(account, key, token, from)?;
    }
    let known = registry.workloads.get(&workload);
    let mode = known.and_then(|workload| workload.mode).unwrap_or(entry.vendor.mode);
    account.seen.mode = Some(mode);
    let (operation, envelope, (method, path, query, headers)) = match what {
        What::Mail(envelope) => {
            let parts = (http::Method::POST, String::new(), None, HeaderMap::new());
            (Some(&SUBMIT), Some(envelope), parts)
        }
        What::Call(call) => {
            let parts = call.parts().ok_or(Refused::SpoolDamaged)?;
            (entry.connector.operation(parts.0.as_str(), &parts.1), None, parts)
        }
    };
    account.seen.operation = operation.map(operation_name);
    match cx.registry.may_leave(&vendor) {
        Err(Refused::Held) if waits => {}
        may => may?,
    }
    check_ready(entry)?;
    Ok(Admitted {
        grant: known.and_then(|workload| workload.grant(&vendor)).cloned(),
        workload,
        mode,
        purpose,
        operation,
        method,
        path,
        query,
        headers,
        body,
        envelope,
        waits,
        _place: None,
        vendor,
        registry,
    })
}

/// Cordon's own calls: its workload may give every field to every vendor, and is held to `enforce`.
fn admit_own(
    cx: &Cx,
    account: &mut Account,
    vendor: VendorName,
    purpose: Purpose,
    request: OwnedOutbound,
) -> Result<Admitted, Refused> {
    let registry = cx.registry.load_full();
    let entry = registry.vendors.get(&vendor).ok_or(Refused::VendorUnknown)?;
    know_vendor(account, entry);
    let workload = WorkloadName::parse(OWN_WORKLOAD).expect("it is a workload's name");
    account.seen.workload = Some(workload.clone());
    account.seen.mode = Some(Mode::Enforce);
    let (path, query) = match request.path.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (request.path, None),
    };
    let operation = identify(account, entry.connector, request.method, &path);
    cx.registry.may_leave(&vendor)?;
    check_ready(entry)?;
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(request.content_type));
    headers.insert(header::USER_AGENT, HeaderValue::from_static("cordon"));
    let grant = Grant {
        vendor: vendor.clone(),
        purposes: vec![purpose.clone()],
        fields: Field::ALL.iter().copied().collect(),
    };
    Ok(Admitted {
        grant: Some(grant),
        workload,
        mode: Mode::Enforce,
        purpose: Some(purpose),
        operation,
        method: http::Method::from_bytes(request.method.as_bytes()).map_err(|_| Refused::Fault)?,
        path,
        query,
        headers,
        body: request.body.into(),
        envelope: None,
        waits: false,
        _place: None,
        vendor,
        registry,
    })
}

/// `/v/<vendor>/<path>` into the vendor's name and the path below its base.
fn split(path: &str) -> (Option<VendorName>, &str) {
    let Some(rest) = path.strip_prefix("/v/") else {
        return (None, path);
    };
    let (name, below) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    (VendorName::parse(name).ok(), if below.is_empty() { "/" } else { below })
}

fn know_vendor(account: &mut Account, entry: &VendorEntry) {
    account.seen.vendor = Some(entry.vendor.name.clone());
    account.connector = Some(entry.connector);
}

/// Reads the body to its end and unpacks it.
async fn whole(
    cx: &Cx,
    account: &mut Account,
    headers: &HeaderMap,
    body: &mut Incoming,
    cap: usize,
) -> Result<Held, Refused> {
    let packed = is_packed(headers)?;
    let held = collect(cx, body, cap).await?;
    account.body_read = true;
    if packed { unpack(cx, &held.bytes, cap).await } else { Ok(held) }
}

fn authenticate<'a>(
    cx: &Cx,
    registry: &'a Registry,
    entry: &VendorEntry,
    parts: &Parts,
    path: &str,
    body: &[u8],
) -> Result<([u8; 32], &'a TokenEntry), Refused> {
    if parts.headers.get_all(header::AUTHORIZATION).iter().count() > 1 {
        return Err(Refused::TokenUnknown);
    }
    let asking = Asking {
        method: parts.method.as_str(),
        prefix: parts.uri.path().strip_suffix(path).unwrap_or_default(),
        path,
        query: parts.uri.query(),
        header: &|name| single(&parts.headers, name),
        body,
        at: cx.world.now(),
        secret_of: &|id| secret_of(&cx.keys.token, id),
    };
    let presented = entry.connector.presented(&asking).map_err(|_| Refused::TokenMissing)?;
    let key = token_key(&cx.keys.token, &entry.vendor.name, &presented.token);
    match registry.tokens.get(&key) {
        Some(token) if token.vendor == entry.vendor.name => Ok((key, token)),
        _ => Err(Refused::TokenUnknown),
    }
}

/// A header's value as text, if it stands there once.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut given = headers.get_all(name).iter();
    let value = given.next()?.to_str().ok()?;
    given.next().is_none().then_some(value)
}

fn identify(
    account: &mut Account,
    connector: &dyn Connector,
    method: &str,
    path: &str,
) -> Option<&'static Operation> {
    let operation = connector.operation(method, path);
    account.seen.operation = operation.map(operation_name);
    operation
}

/// An operation's name as a type.
pub(crate) fn operation_name(operation: &'static Operation) -> OperationName {
    OperationName::parse(operation.name).expect("connectors give their operations valid names")
}

fn check_ready(entry: &VendorEntry) -> Result<(), Refused> {
    if entry.credential.is_some() { Ok(()) } else { Err(Refused::CredentialMissing) }
}

fn stated_purpose(headers: &HeaderMap) -> Result<Option<Purpose>, Refused> {
    let mut given = headers.get_all(PURPOSE).iter();
    let Some(value) = given.next() else {
        return Ok(None);
    };
    let purpose = value.to_str().ok().and_then(|text| Purpose::parse(text).ok());
    match (purpose, given.next()) {
        (Some(purpose), None) => Ok(Some(purpose)),
        _ => Err(Refused::PurposeMalformed),
    }
}

/// Whether the caller asks that its call wait in Cordon while its vendor is on hold.
fn cannot_wait(headers: &HeaderMap) -> bool {
    headers.get(HOLD).is_some_and(|value| value.as_bytes() == b"queue")
}

/// Whether the body is gzip. Any other encoding is refused in every mode.
fn is_packed(headers: &HeaderMap) -> Result<bool, Refused> {
    let mut given = headers.get_all(header::CONTENT_ENCODING).iter();
    let Some(value) = given.next() else {
        return Ok(false);
    };
    let encoding = value.as_bytes().trim_ascii().to_ascii_lowercase();
    match (encoding.as_slice(), given.next()) {
        (b"identity", None) => Ok(false),
        (b"gzip", None) => Ok(true),
        _ => Err(Refused::EncodingUnknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_door_names_a_vendor_and_the_path_below_its_base() {
        let check = |path| {
            let (vendor, below) = split(path);
            (vendor.map(|name| name.to_string()), below)
        };
        assert_eq!(check("/v/mail/v3/send"), (Some("mail".to_owned()), "/v3/send"));
        assert_eq!(check("/v/mail"), (Some("mail".to_owned()), "/"));
        assert_eq!(check("/v//v3/send").0, None);
        assert_eq!(check("/w/mail/v3"), (None, "/w/mail/v3"));
    }
}
