//! What is told of each request after it ended: counts and codes, no personal data.

use std::sync::Arc;
use std::time::Duration;

use connectors::Connector;
use ledger::WouldDisclose;
use model::{CallId, FieldSet, Mode, OperationName, Timestamp, VendorName, WorkloadName, World};
use tokio::time::Instant;

use crate::flow::Taken;
use crate::token::SeenToken;
use crate::trace::{Phase, Phases, TraceParent};

/// Who is told of each request, once, after it ended.
pub trait Seen: Send + Sync {
    /// A request ended. Called on the request's own task: hand it on, do not wait here.
    fn call(&self, seen: &SeenCall);
}

/// Two who are told, the first one first.
impl<A: Seen, B: Seen> Seen for (Arc<A>, Arc<B>) {
    fn call(&self, seen: &SeenCall) {
        self.0.call(seen);
        self.1.call(seen);
    }
}

/// Whether anything left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// The vendor replied with this status.
    Sent(u16),
    /// Not a byte of it was written to the vendor.
    NotSent,
    /// Some of it may have arrived.
    Unknown,
    /// It waits in Cordon and leaves later, or ends with a record of its own.
    Held,
}

impl Left {
    /// As `X-Cordon-Outcome` tells the caller.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sent(_) => "sent",
            Self::NotSent => "not-sent",
            Self::Unknown => "unknown",
            Self::Held => "held",
        }
    }
}

/// Where the time of a request went, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Micros {
    /// Everything but the two below, the arrival of the body included.
    pub ours: u64,
    /// Until the intent was durable.
    pub record: u64,
    /// Until the vendor's reply was whole.
    pub vendor: u64,
}

/// One request, as far as it got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenCall {
    /// Its id.
    pub call: CallId,
    /// When it began.
    pub at: Timestamp,
    /// To whom it was addressed.
    pub vendor: Option<VendorName>,
    /// Who made it.
    pub workload: Option<WorkloadName>,
    /// The token that it showed, if that is one of ours.
    pub token: Option<SeenToken>,
    /// What kind of call it was.
    pub operation: Option<OperationName>,
    /// How many people it concerns; 0 also when nobody could be read out of it.
    pub people: usize,
    /// Which fields of them left, or would have left had it been carried.
    pub fields: FieldSet,
    /// How far the gateway went with it.
    pub mode: Option<Mode>,
    /// Whether it left.
    pub outcome: Left,
    /// Why it was refused or failed.
    pub code: Option<&'static str>,
    /// What `enforce` would have refused it for.
    pub would_refuse: Option<&'static str>,
    /// Stable codes of what deserves a look.
    pub warnings: Vec<&'static str>,
    /// Where the time went.
    pub micros: Micros,
    /// When each phase began.
    pub phases: Phases,
    /// The trace of the caller, if it is in one.
    pub trace: Option<TraceParent>,
}

impl SeenCall {
    /// One of which nothing is known yet, and of which nothing left.
    pub fn begun(call: CallId, at: Timestamp) -> Self {
        Self {
            call,
            at,
            vendor: None,
            workload: None,
            token: None,
            operation: None,
            people: 0,
            fields: FieldSet::EMPTY,
            mode: None,
            outcome: Left::NotSent,
            code: None,
            would_refuse: None,
            warnings: Vec::new(),
            micros: Micros::default(),
            phases: Phases::default(),
            trace: None,
        }
    }
}

/// A request's account while it is under way.
pub(crate) struct Account {
    pub seen: SeenCall,
    /// In whose words a refusal is put; known once the vendor is.
    pub connector: Option<&'static dyn Connector>,
    /// Whether the caller's body was read to its end.
    pub body_read: bool,
    /// Whether the ledger has an intent of this call.
    pub recorded: bool,
    /// Room that it took within its limits; given back with the account unless it left.
    pub taken: Option<Taken>,
    /// The ids under which what is kept will leave.
    pub kept: Vec<CallId>,
    /// What it would disclose, once that was read.
    pub would: Option<WouldDisclose>,
    began: Instant,
}

impl Account {
    pub fn open(world: &World) -> Self {
        Self::of(world, world.id())
    }

    /// The account of a call that has its id already.
    pub fn of(world: &World, call: CallId) -> Self {
        Self {
            seen: SeenCall::begun(call, world.now()),
            connector: None,
            body_read: false,
            recorded: false,
            taken: None,
            kept: Vec::new(),
            would: None,
            began: Instant::now(),
        }
    }

    pub fn warn(&mut self, code: &'static str) {
        if !self.seen.warnings.contains(&code) {
            self.seen.warnings.push(code);
        }
    }

    /// A phase begins, and the one before ends.
    pub fn enter(&mut self, phase: Phase) {
        self.seen.phases.enter(phase, micros(self.began.elapsed()));
    }

    pub fn close(&mut self) {
        self.seen.phases.end(micros(self.began.elapsed()));
        let elsewhere = self.seen.micros.record + self.seen.micros.vendor;
        self.seen.micros.ours = micros(self.began.elapsed()).saturating_sub(elsewhere);
    }
}

/// Whole microseconds.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
