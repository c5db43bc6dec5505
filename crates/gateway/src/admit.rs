//! Admit: a known caller's request, within its limits. Reads the body.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use connectors::smtp::SUBMIT;
use connectors::{Connector, Operation, OwnedOutbound};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, header};
use hyper::body::Incoming;
use model::{Mode, OperationName, Purpose, VendorName, Workload, WorkloadName, limits};
use policy::Policy;
use tokio::sync::OwnedSemaphorePermit;

use crate::authenticate::{Addressed, Caller, addressed, authenticate, check_host};
use crate::aws_chunked;
use crate::body::{Held, collect, unpack};
use crate::cx::Cx;
use crate::door::Facts;
use crate::framing::Broken;
use crate::guard::BROKEN;
use crate::hold::{Envelope, HOLD, Waiting, What};
use crate::limit::Room;
use crate::refused::Refused;
use crate::registry::{Registry, VendorEntry};
use crate::seen::Account;
use crate::stated::Stated;
use crate::token;
use crate::trace::{Phase, TRACEPARENT, TraceParent};

/// A request as it comes in.
pub(crate) enum Arrival {
    /// Through an HTTP door, with what the door knows of it.
    Door(Request<Incoming>, Facts),
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

/// A request of a known caller, its body whole and unpacked.
pub(crate) struct Admitted {
    /// The registry as it was when the request came in.
    registry: Arc<Registry>,
    pub vendor: VendorName,
    pub workload: WorkloadName,
    pub mode: Mode,
    /// The purpose that holds: the one stated, else the first of the workload's grant.
    pub purpose: Purpose,
    /// What the call states of itself.
    pub stated: Stated,
    pub operation: Option<&'static Operation>,
    /// What it gave to this vendor lately, and the limits that hold for that.
    pub room: Room,
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

    /// The policy of this registry.
    pub fn policy(&self) -> &Policy {
        &self.registry.policy
    }
}

/// Lets a request in.
pub(crate) async fn admit(
    cx: &Cx,
    account: &mut Account,
    arrival: Arrival,
) -> Result<Admitted, Refused> {
    account.enter(Phase::Admit);
    match arrival {
        Arrival::Door(request, facts) => {
            account.seen.trace = trace(request.headers());
            admit_caller(cx, account, request, facts).await
        }
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
    facts: Facts,
) -> Result<Admitted, Refused> {
    let (mut parts, mut body) = request.into_parts();
    let registry = cx.registry.load_full();
    let addressed = addressed(&registry, &facts, parts.uri.path());
    if let Some(first) = addressed.first() {
        know_vendor(account, first.entry);
        identify(account, first.entry.connector, parts.method.as_str(), first.path);
    }
    if let Some(code) = parts.headers.get(BROKEN) {
        return Err(Broken::from_code(code.as_bytes()).unwrap_or(Broken::Head).into());
    }
    check_host(&facts, &parts)?;
    if addressed.is_empty() {
        return Err(Refused::VendorUnknown);
    }
    let early = early(cx, account, &addressed, &parts, &mut body).await?;
    let seen_body = early.as_ref().map_or(&[][..], |held| &held.bytes);
    let caller = authenticate(cx, &registry, &facts, addressed, &parts, seen_body);
    let Caller { addressed: Addressed { entry, path }, workload, tokens } =
        caller.inspect_err(|_| {
            let values = parts.headers.values().filter_map(|value| value.to_str().ok());
            let shown = values.chain([parts.uri.path()]);
            token::recognise(cx, account, &registry, shown, facts.from);
        })?;
    know_vendor(account, entry);
    let operation = identify(account, entry.connector, parts.method.as_str(), path);
    account.seen.workload = Some(workload.clone());
    for (key, token) in tokens {
        token::check(account, key, token, facts.from)?;
    }
    let known = registry.workloads.get(&workload);
    let mode = mode(account, known, entry);
    let waits = is_to_wait(cx, entry, cannot_wait(&parts.headers))?;
    check_ready(entry, account)?;
    let room = Room::of(cx, &registry, &workload, &entry.vendor.name);
    room.pace(account, mode)?;
    let stated = Stated::in_headers(&parts.headers)?;
    let Held { bytes, place, checksum } = match early {
        Some(held) => held,
        None => whole(cx, account, &parts.headers, &mut body, cap(operation)).await?,
    };
    if let Some(checksum) = checksum {
        aws_chunked::note(&mut parts.headers, checksum);
    }
    Ok(Admitted {
        vendor: entry.vendor.name.clone(),
        purpose: purpose(known, &entry.vendor.name, &stated),
        stated,
        workload,
        mode,
        operation,
        room,
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
    let Waiting { workload, stated, what } = waiting;
    account.seen.workload = Some(workload.clone());
    let waits = shown.is_some();
    if let Some(Shown { key, from }) = shown {
        let token = registry.tokens.get(&key).ok_or(Refused::TokenUnknown)?;
        token::check(account, key, token, from)?;
    }
    let known = registry.workloads.get(&workload);
    let mode = mode(account, known, entry);
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
    check_ready(entry, account)?;
    Ok(Admitted {
        purpose: purpose(known, &vendor, &stated),
        stated,
        room: Room::of(cx, &registry, &workload, &vendor),
        workload,
        mode,
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

/// Cordon's own calls: its workload is held to `enforce`.
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
    let workload = WorkloadName::parse(policy::OWN_WORKLOAD).expect("it is a workload's name");
    account.seen.workload = Some(workload.clone());
    account.seen.mode = Some(Mode::Enforce);
    let (path, query) = match request.path.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (request.path, None),
    };
    let operation = identify(account, entry.connector, request.method, &path);
    cx.registry.may_leave(&vendor)?;
    check_ready(entry, account)?;
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(request.content_type));
    headers.insert(header::USER_AGENT, HeaderValue::from_static("cordon"));
    Ok(Admitted {
        room: Room::of(cx, &registry, &workload, &vendor),
        workload,
        mode: Mode::Enforce,
        purpose,
        stated: Stated::default(),
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

/// How far the gateway goes: as the workload's own mode says, else as the vendor's.
fn mode(account: &mut Account, known: Option<&Workload>, entry: &VendorEntry) -> Mode {
    let mode = known.and_then(|workload| workload.mode).unwrap_or(entry.vendor.mode);
    account.seen.mode = Some(mode);
    mode
}

/// Whether what comes in waits in the spool, since its vendor is on hold and its caller cannot.
fn is_to_wait(cx: &Cx, entry: &VendorEntry, cannot_wait: bool) -> Result<bool, Refused> {
    match cx.registry.may_leave(&entry.vendor.name) {
        Err(Refused::Held) if cannot_wait => Ok(true),
        may => may.map(|()| false),
    }
}

/// The caller's trace, if it names one.
fn trace(headers: &HeaderMap) -> Option<TraceParent> {
    let mut given = headers.get_all(TRACEPARENT).iter();
    let trace = TraceParent::parse(given.next()?.to_str().ok()?)?;
    given.next().is_none().then_some(trace)
}

fn know_vendor(account: &mut Account, entry: &VendorEntry) {
    account.seen.vendor = Some(entry.vendor.name.clone());
    account.connector = Some(entry.connector);
}

/// The largest body that is taken for it.
fn cap(operation: Option<&Operation>) -> usize {
    operation.map_or(limits::REQUEST_BODY_BYTES, |operation| operation.body_bytes)
}

/// The body, where who calls can be told by it alone.
async fn early(
    cx: &Cx,
    account: &mut Account,
    addressed: &[Addressed<'_>],
    parts: &Parts,
    body: &mut Incoming,
) -> Result<Option<Held>, Refused> {
    if !addressed.iter().any(|one| one.entry.connector.token_in_body()) {
        return Ok(None);
    }
    let caps = addressed.iter().map(|one| cap(one.operation(&parts.method)));
    let cap = caps.max().unwrap_or_default();
    whole(cx, account, &parts.headers, body, cap).await.map(Some)
}

/// Reads the body to its end and unpacks it.
async fn whole(
    cx: &Cx,
    account: &mut Account,
    headers: &HeaderMap,
    body: &mut Incoming,
    cap: usize,
) -> Result<Held, Refused> {
    let packing = packing(headers)?;
    let held = collect(&cx.bodies, &cx.patience, body, cap).await?;
    account.body_read = true;
    match packing {
        Packing::None => Ok(held),
        Packing::Gzip => unpack(cx, &held.bytes, cap).await,
        Packing::AwsChunked => {
            let (bytes, checksum) = aws_chunked::open(headers, &held.bytes)?;
            Ok(Held { bytes, checksum: Some(checksum), ..held })
        }
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

fn check_ready(entry: &VendorEntry, account: &Account) -> Result<(), Refused> {
    let credential = entry.credential.as_ref().ok_or(Refused::CredentialMissing)?;
    credential.check(account.seen.at)
}

/// The purpose that holds: the one stated, else the first of the grant.
fn purpose(known: Option<&Workload>, vendor: &VendorName, stated: &Stated) -> Purpose {
    let grant = known.and_then(|workload| workload.grant(vendor));
    let usual = grant.and_then(|grant| grant.purposes.first());
    let holds = stated.purpose.as_ref().or(usual).cloned();
    holds.unwrap_or_else(|| Purpose::parse("unstated").expect("it is a purpose's name"))
}

/// Whether the caller asks that its call wait in Cordon while its vendor is on hold.
fn cannot_wait(headers: &HeaderMap) -> bool {
    headers.get(HOLD).is_some_and(|value| value.as_bytes() == b"queue")
}

/// What a body is packed in.
enum Packing {
    None,
    Gzip,
    AwsChunked,
}

/// What the body is packed in. Any other encoding is refused in every mode.
fn packing(headers: &HeaderMap) -> Result<Packing, Refused> {
    let mut given = headers.get_all(header::CONTENT_ENCODING).iter();
    let Some(value) = given.next() else {
        return Ok(Packing::None);
    };
    let encoding = value.as_bytes().trim_ascii().to_ascii_lowercase();
    match (encoding.as_slice(), given.next()) {
        (b"identity", None) => Ok(Packing::None),
        (b"gzip", None) => Ok(Packing::Gzip),
        (aws_chunked::ENCODING, None) => aws_chunked::check(headers).map(|()| Packing::AwsChunked),
        _ => Err(Refused::EncodingUnknown),
    }
}
