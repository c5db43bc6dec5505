//! Containment at a vendor as values: the next call is asked for, its reply is handed back.
//!
//! A routine never does I/O. Whoever runs it sends each [`ApiCall`] through the gateway's egress
//! and gives the [`ApiReply`] to [`Routine::next`], until it says that it is done.

pub(crate) mod steps;
pub(crate) mod sweep;

use model::{Action, Secret};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which credential a call is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialUse {
    /// The credential that Cordon holds.
    Held,
    /// The credential that was just taken away, to prove that it no longer works.
    Revoked,
}

/// One call to the vendor's API.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiCall {
    /// `GET`, `POST`, …
    pub method: &'static str,
    /// Path and query below the vendor's base.
    pub path: String,
    /// A JSON or form body with its content type.
    pub body: Option<(&'static str, Vec<u8>)>,
    /// With which credential.
    pub credential: CredentialUse,
    /// What it is for, for the record; no personal data.
    pub why: String,
}

/// What came back. `status` is 0 when nothing did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiReply {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl ApiReply {
    /// Whether the vendor says that it did it.
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// The body as JSON, if it is.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// What a routine does next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Make this call and hand its reply back.
    Call(ApiCall),
    /// It is over.
    Done(StepOutcome),
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepOutcome {
    /// Whether the vendor accepted all of it.
    pub ok: bool,
    /// Whether a second look showed that it is so; `false` is «not shown», never «not so».
    pub verified: bool,
    /// What was done and seen, a sentence each, without personal data or secrets.
    pub detail: Vec<String>,
    /// Evidence to keep: name and bytes, such as the vendor's list of keys before the step.
    #[serde(skip)]
    pub evidence: Vec<(String, Vec<u8>)>,
}

/// What a routine starts from.
#[derive(Debug)]
pub struct RoutineInput {
    /// The credential that Cordon holds, to recognise its own key among the vendor's.
    pub credential: Secret<String>,
}

/// A step at the vendor, call by call.
pub trait Routine: Send {
    /// Which step it carries out.
    fn action(&self) -> Action;

    /// The first call with `None`; then the next one for each reply.
    fn next(&mut self, reply: Option<&ApiReply>) -> Next;
}

/// A step by hand: what to do, where, and what proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guide {
    /// Sentences, in order.
    pub steps: Vec<String>,
    /// What to hand in as proof.
    pub proof: String,
}
