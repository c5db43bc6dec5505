//! What goes into the ledger and what comes out, as values. Does not say how it is kept.

use serde::Serialize;

use model::{
    CallId, Consent, FieldSet, IdentifierHash, ListName, Mode, OperationName, PersonKey,
    PolicyDigest, Purpose, Residence, Timestamp, VendorName, WorkloadName,
};

/// What is about to leave; recorded before it does.
#[derive(Debug, Clone)]
pub struct Intent {
    /// The call. An id is used for one call only.
    pub call: CallId,
    /// When.
    pub at: Timestamp,
    /// To whom.
    pub vendor: VendorName,
    /// By which operation.
    pub operation: OperationName,
    /// By whom.
    pub workload: WorkloadName,
    /// Why.
    pub purpose: Purpose,
    /// How far the gateway went with it.
    pub mode: Mode,
    /// What policy was asked; `None` when none was.
    pub asked: Option<Asked>,
    /// Until when the vendor holds it; [`Timestamp::NEVER`] when that is not known.
    pub held_until: Timestamp,
    /// Whom it concerns; may be empty.
    pub rows: Vec<IntentRow>,
}

/// What a policy was asked about a call, beyond what is recorded of the call itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Asked {
    /// Which policy answered.
    pub policy: PolicyDigest,
    /// Every field that the call would disclose, before any is taken out.
    pub fields: FieldSet,
    /// Where the person lives, when the call stated it.
    pub region: Option<Residence>,
    /// What the person agreed to, when the call stated it.
    pub consent: Option<Vec<Consent>>,
}

/// One person in a call and what the call discloses of them.
#[derive(Debug, Clone)]
pub struct IntentRow {
    /// Every identifier of that person in the call. When they turn out to belong to several
    /// persons, the disclosure is recorded for each: too many are told rather than too few.
    pub identifiers: Vec<IdentifierHash>,
    /// The fields.
    pub fields: FieldSet,
    /// The vendor's lists that the call puts the person in; one disclosure for each, or one outside
    /// any list when there is none.
    pub lists: Vec<ListName>,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The vendor answered.
    Sent {
        /// The HTTP status.
        status: u16,
        /// The vendor's own id of the message, when it gave one.
        message: Option<String>,
    },
    /// Nothing was written to the vendor: no disclosure.
    NotSent {
        /// Why, as a stable code.
        code: &'static str,
    },
    /// It may have arrived; counts as disclosed.
    Unknown {
        /// Why, as a stable code.
        code: &'static str,
    },
}

/// A call that did not leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedCall {
    /// The call.
    pub call: CallId,
    /// When.
    pub at: Timestamp,
    /// To whom it would have gone.
    pub vendor: VendorName,
    /// Whose it was, when that is known.
    pub workload: Option<WorkloadName>,
    /// What it would have done, when that is known.
    pub operation: Option<OperationName>,
    /// The refusal's stable code.
    pub code: String,
    /// For how many calls it stands: 1, or more when there were too many to record each; then
    /// nothing is known of what they would have disclosed.
    pub times: u64,
    /// What it would have disclosed, when it got as far as being read and asked about.
    pub would: Option<WouldDisclose>,
}

/// What a refused call would have disclosed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WouldDisclose {
    /// Why.
    pub purpose: Purpose,
    /// How far the gateway went with it.
    pub mode: Mode,
    /// Of how many people.
    pub people: u32,
    /// Into which lists.
    pub lists: Vec<ListName>,
    /// What policy was asked.
    pub asked: Asked,
}

/// A part of what a vendor holds already, from its own export; operation `import`.
#[derive(Debug, Clone)]
pub struct Import {
    /// The import; every part of it has the same one.
    pub call: CallId,
    /// Who holds it.
    pub vendor: VendorName,
    /// Since when it is known to be held.
    pub as_of: Timestamp,
    /// Until when.
    pub held_until: Timestamp,
    /// Whom it concerns.
    pub rows: Vec<IntentRow>,
}

/// How a disclosure stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Settled {
    /// The vendor answered, or holds it by its own export.
    Sent,
    /// Nothing was written: no disclosure after all.
    NotSent,
    /// It may have arrived.
    Unknown,
    /// No outcome yet; counts as disclosed.
    Open,
}

impl Settled {
    /// Its one name, in files too.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::NotSent => "not-sent",
            Self::Unknown => "unknown",
            Self::Open => "open",
        }
    }

    /// Whether it counts as disclosed: everything does that is not known not to have left.
    pub const fn counts(self) -> bool {
        !matches!(self, Self::NotSent)
    }
}

/// One raw row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disclosure {
    /// The call.
    pub call: CallId,
    /// The person, merges resolved.
    pub person: PersonKey,
    /// Whether that person was forgotten since; exposures and holdings leave such rows out.
    pub forgotten: bool,
    /// To whom.
    pub vendor: VendorName,
    /// By which operation; `import` for what the vendor held already.
    pub operation: OperationName,
    /// The policy that let it leave, when that is recorded.
    pub policy: Option<PolicyDigest>,
    /// Into which list.
    pub list: Option<ListName>,
    /// Which fields.
    pub fields: FieldSet,
    /// When.
    pub at: Timestamp,
    /// Until when it was to be held; a later erasure at the vendor is not applied here.
    pub held_until: Timestamp,
    /// How it stands.
    pub settled: Settled,
}

/// One call as a whole: what was asked, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedCall {
    /// The call.
    pub call: CallId,
    /// When.
    pub at: Timestamp,
    /// To whom.
    pub vendor: VendorName,
    /// Whose it was, when that is known.
    pub workload: Option<WorkloadName>,
    /// What it did, when that is known.
    pub operation: Option<OperationName>,
    /// Why, when that is known.
    pub purpose: Option<Purpose>,
    /// How far the gateway went with it, when that is known.
    pub mode: Option<Mode>,
    /// What policy was asked, when that is recorded.
    pub asked: Option<Asked>,
    /// Into which lists, each once, in the order of their names.
    pub lists: Vec<ListName>,
    /// Fields that the vendor got to know, of anybody.
    pub disclosed: FieldSet,
    /// Of how many people, those forgotten since included.
    pub people: u32,
    /// Of whom, merges resolved, without those forgotten since; nobody when it was refused.
    pub persons: Vec<PersonKey>,
    /// What came of it.
    pub end: CallEnd,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallEnd {
    /// It was recorded to leave.
    Recorded(Settled),
    /// It was refused, with this code.
    Refused(String),
}

/// What a vendor holds or held of one person, without a gap.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Holding {
    /// Who.
    pub vendor: VendorName,
    /// From which operation.
    pub operation: OperationName,
    /// In which list.
    pub list: Option<ListName>,
    /// Which fields.
    pub fields: FieldSet,
    /// Since when.
    pub from: Timestamp,
    /// Until when; this instant is not inside.
    pub held_until: Timestamp,
}
