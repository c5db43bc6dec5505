//! Hold: a call or mail that is decided and does not leave now waits in the spool, durable before
//! its caller is told so. When it leaves, it is decided again.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use model::{CallId, WorkloadName};
use serde::{Deserialize, Serialize};

use crate::admit::Admitted;
use crate::cx::Cx;
use crate::refused::Refused;
use crate::reply::Reply;
use crate::seen::{Account, Left};
use crate::spool::{Kind, Lane, NotKept};
use crate::stated::Stated;

/// In which header a caller says that it cannot wait while its vendor is on hold: `queue`.
pub const HOLD: &str = "x-cordon-hold";

/// What the spool is told of a call or a mail beside its body. Nothing of it is believed when it
/// leaves but who made it and what it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Waiting {
    /// Who made it.
    pub workload: WorkloadName,
    /// What it states of itself.
    pub stated: Stated,
    pub what: What,
}

/// What waits.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum What {
    /// A call of an HTTP door.
    Call(HeldCall),
    /// A mail of the submission door.
    Mail(Envelope),
}

/// A call but for its body and what proved who made it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct HeldCall {
    method: String,
    path: String,
    query: Option<String>,
    headers: Vec<(String, String)>,
}

/// Who sends a mail, and to whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Envelope {
    /// The sender; empty for a bounce.
    pub from: String,
    /// The recipients of this copy.
    pub to: Vec<String>,
}

impl HeldCall {
    fn of(request: &Admitted) -> Self {
        let kept = |(name, value): (&HeaderName, &HeaderValue)| {
            let ends_here = *name == header::AUTHORIZATION || name.as_str() == HOLD;
            let text = value.to_str().ok().filter(|_| !ends_here)?;
            Some((name.as_str().to_owned(), text.to_owned()))
        };
        Self {
            method: request.method.as_str().to_owned(),
            path: request.path.clone(),
            query: request.query.clone(),
            headers: request.headers.iter().filter_map(kept).collect(),
        }
    }

    /// Method, path, query and headers.
    pub fn parts(self) -> Option<(Method, String, Option<String>, HeaderMap)> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            headers.append(name, HeaderValue::from_str(value).ok()?);
        }
        let method = Method::from_bytes(self.method.as_bytes()).ok()?;
        Some((method, self.path, self.query, headers))
    }
}

/// Keeps a decided request; the caller is told under which id it will leave.
pub(crate) async fn hold(
    cx: &Cx,
    account: &mut Account,
    request: &Admitted,
) -> Result<Reply, Refused> {
    let spool = cx.spool.get().ok_or(NotKept::Disk)?;
    let (kind, what, copies) = match &request.envelope {
        Some(envelope) => (Kind::Mail, What::Mail(envelope.clone()), envelope.to.len()),
        None => (Kind::Call, What::Call(HeldCall::of(request)), 1),
    };
    let (workload, stated) = (request.workload.clone(), request.stated.clone());
    let about = serde_json::to_string(&Waiting { workload, stated, what });
    let about = about.map_err(|_| Refused::Fault)?;
    let first = account.seen.call;
    let calls: Vec<CallId> =
        std::iter::once(first).chain((1..copies).map(|_| cx.world.id())).collect();
    let lane = Lane { vendor: request.vendor.clone(), kind };
    spool.put(lane, calls.clone(), about, request.body.clone()).await?;
    account.seen.outcome = Left::Held;
    account.kept = calls;
    Ok(accepted(first))
}

/// 202 with the id under which the call will leave.
fn accepted(call: CallId) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let said = serde_json::json!({ "call": call.to_string(), "outcome": Left::Held.name() });
    Reply { status: 202, headers, body: Bytes::from(said.to_string()) }
}
