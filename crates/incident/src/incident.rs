//! The incident as one document: everything that is known, asked, done and said. It holds no
//! personal data and decides nothing; `step.rs` changes it.

use std::collections::BTreeMap;

use connectors::routine::Guide;
use model::{
    Action, Confidence, FieldSet, FindingGrade, FindingId, IncidentId, Language, NotExposed,
    NoticeId, OperatorName, Reach, ScopeCounts, Switch, Timestamp, VendorName, Window,
};
use serde::{Deserialize, Serialize};

use crate::clocks::Decision;
use crate::command::{Author, Question, Role};
use crate::regime::StartEvent;

/// Where the response stands; the order is the order of the drawing in the crate's first lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Known and being contained.
    Declared,
    /// Cut off, and what the intruder used is stopped.
    Contained,
    /// Who and what is exposed is known in its first version.
    Scoped,
    /// A notice is on its way.
    Notifying,
    /// Everybody was told so far; later signs and corrections are awaited.
    Monitoring,
    /// Over.
    Closed,
}

impl State {
    /// Its one name everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Contained => "contained",
            Self::Scoped => "scoped",
            Self::Notifying => "notifying",
            Self::Monitoring => "monitoring",
            Self::Closed => "closed",
        }
    }
}

/// A breach of one vendor, and the response to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// Which vendor was breached.
    pub vendor: VendorName,
    /// One line that reads alone.
    pub title: String,
    /// Where the response stands.
    pub state: State,
    /// When it was declared.
    pub declared_at: Timestamp,
    /// By whom.
    pub declared_by: Author,
    /// When the company became aware: legal clocks run from here.
    pub aware_at: Timestamp,
    /// When the vendor became aware itself, by its word.
    pub vendor_aware_at: Option<Timestamp>,
    /// When the vendor told us: the contract's clock ends here.
    pub vendor_told_at: Option<Timestamp>,
    /// When it was contained.
    pub contained_at: Option<Timestamp>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// When the intruder had access at the utmost; gives the upper bound.
    pub window: Window,
    /// What the intruder could get at, at the utmost.
    pub reach: Reach,
    /// What the intruder certainly got; gives the lower bound. Without it the bound is nobody.
    pub certain: Option<Question>,
    /// The question that waits for the ledger's answer.
    pub asked: Option<Asked>,
    /// How many questions were asked; each has the next number.
    pub questions: u32,
    /// Who does what in this incident.
    pub roles: BTreeMap<Role, OperatorName>,
    /// Findings that belong to it, with the grade that each had when it was last added.
    pub findings: BTreeMap<FindingId, FindingGrade>,
    /// Moments from which clocks run, beyond awareness.
    pub moments: BTreeMap<StartEvent, Timestamp>,
    /// What somebody decided on a regime, by its id.
    pub decisions: BTreeMap<String, Decision>,
    /// What the vendor said; its word, not evidence.
    pub statements: Vec<Statement>,
    /// Containment, in its order.
    pub plan: Vec<PlannedStep>,
    /// The gateway's switch for this vendor, as far as this incident set it.
    pub cut: Cut,
    /// Every version of who and what is exposed.
    pub scopes: Vec<ScopeVersion>,
    /// Public updates.
    pub bulletins: Vec<Bulletin>,
    /// Notices to people and authorities.
    pub notices: Vec<Notice>,
    /// What happened, in the order in which it was recorded. Only ever grows.
    pub timeline: Vec<TimelineEntry>,
}

impl Incident {
    /// The newest scope.
    pub fn scope(&self) -> Option<&ScopeVersion> {
        self.scopes.last()
    }

    /// The step of this action, if it is in the plan.
    pub fn planned(&self, action: Action) -> Option<&PlannedStep> {
        self.plan.iter().find(|step| step.action == action)
    }

    /// The timeline in the order in which things happened.
    pub fn timeline_by_time(&self) -> Vec<&TimelineEntry> {
        let mut entries: Vec<_> = self.timeline.iter().collect();
        entries.sort_by_key(|entry| entry.at);
        entries
    }
}

/// Who starts a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepMode {
    /// It starts by itself.
    Automatic,
    /// The system carries it out once an operator says so.
    OnApproval,
    /// A person does it and hands in a proof.
    Manual,
}

/// How far a step has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum StepState {
    /// Nothing happened yet.
    Planned,
    /// An operator wants it; it starts when those before it have ended.
    Approved {
        /// Who.
        by: Author,
        /// When.
        at: Timestamp,
    },
    /// Under way.
    Running {
        /// Since when.
        since: Timestamp,
    },
    /// It ended well.
    Done {
        /// When.
        at: Timestamp,
        /// Whether a second look showed that it is so; `false` is «not shown».
        verified: bool,
        /// What was done and seen.
        detail: Vec<String>,
        /// What an operator handed in, when a person did it.
        proof: Option<String>,
    },
    /// It did not, or not wholly.
    Failed {
        /// When.
        at: Timestamp,
        /// What was done and seen.
        detail: Vec<String>,
    },
    /// It is not done, on purpose.
    Skipped {
        /// When.
        at: Timestamp,
        /// Who decided that.
        by: Author,
        /// Why.
        why: String,
    },
}

/// One step of containment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// Which.
    pub action: Action,
    /// Who starts it.
    pub mode: StepMode,
    /// How far it has come.
    pub state: StepState,
    /// How a person does it, at once or when the system fails to.
    pub guide: Option<Guide>,
}

impl PlannedStep {
    /// Whether it ended well.
    pub const fn ok(&self) -> bool {
        matches!(self.state, StepState::Done { .. })
    }

    /// Whether a second look showed that it ended well.
    pub const fn verified(&self) -> bool {
        matches!(self.state, StepState::Done { verified: true, .. })
    }

    /// Whether it will not go on by itself.
    pub const fn ended(&self) -> bool {
        matches!(
            self.state,
            StepState::Done { .. } | StepState::Failed { .. } | StepState::Skipped { .. }
        )
    }
}

/// The gateway's switch, as far as this incident set it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// What the step `cut-gateway` sets: `hold` or `stop`.
    pub with: Switch,
    /// Where the switch stands.
    pub switch: Switch,
    /// Since when it is not open.
    pub since: Option<Timestamp>,
    /// Who wants it lifted, if anybody does.
    pub lift: Option<Lift>,
}

/// A wish to lift the cut, which somebody else has to approve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lift {
    /// Whose.
    pub by: Author,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: String,
}

/// A question to the ledger that waits for its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Its number; an answer to an older one is refused.
    pub number: u32,
    /// For the upper bound.
    pub upper: Question,
    /// For the lower bound; without it the bound is nobody.
    pub lower: Option<Question>,
    /// Why it was asked.
    pub reason: String,
}

/// One version of who and what is exposed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeVersion {
    /// From 1.
    pub version: u32,
    /// When it was computed.
    pub at: Timestamp,
    /// When the intruder had access at the utmost.
    pub window: Window,
    /// What they could get at, at the utmost.
    pub reach: Reach,
    /// What they certainly got, if that is known.
    pub certain: Option<Question>,
    /// At most so many.
    pub upper: ScopeCounts,
    /// At least so many.
    pub lower: ScopeCounts,
    /// What was not exposed, the best grade first.
    pub not_exposed: Vec<NotExposed>,
    /// Why it was computed.
    pub reason: String,
    /// Up to where the ledger was read, in the ledger's own words.
    pub ledger: String,
}

impl ScopeVersion {
    /// Every field that is exposed for somebody, at the utmost.
    pub fn fields(&self) -> FieldSet {
        self.upper
            .by_field
            .iter()
            .filter(|&(_, &count)| count > 0)
            .map(|(&field, _)| field)
            .collect()
    }
}

/// What the vendor said. Recorded with author, time and reversal; never evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// From 1.
    pub number: u32,
    /// When the vendor said it.
    pub said_at: Timestamp,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// By whom.
    pub author: Author,
    /// Through what: `mail`, `status page`, a call.
    pub source: String,
    /// Fields said to be exposed.
    pub fields_exposed: FieldSet,
    /// Fields said not to be exposed.
    pub fields_denied: FieldSet,
    /// When the intruder is said to have had access.
    pub window: Window,
    /// A summary in the operator's words.
    pub text: String,
    /// How the vendor took it back, if it did.
    pub reversed: Option<Reversal>,
}

/// How a statement was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reversal {
    /// When that was recorded.
    pub at: Timestamp,
    /// By whom.
    pub author: Author,
    /// What the vendor says now.
    pub text: String,
}

/// A public update and all its versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bulletin {
    /// From 1 within the incident.
    pub number: u32,
    /// Every version, the newest last. A published one stays.
    pub versions: Vec<BulletinVersion>,
}

impl Bulletin {
    /// The newest version that is public.
    pub fn published(&self) -> Option<&BulletinVersion> {
        let public =
            |version: &&BulletinVersion| matches!(version.state, BulletinState::Published { .. });
        self.versions.iter().rev().find(public)
    }
}

/// One version of a public update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulletinVersion {
    /// From 1.
    pub version: u32,
    /// When it was drafted.
    pub at: Timestamp,
    /// By whom.
    pub author: Author,
    /// In each language.
    pub texts: Vec<BulletinText>,
    /// Whether the public sees it.
    pub state: BulletinState,
}

/// Whether the public sees a bulletin's version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum BulletinState {
    /// Not yet.
    Draft,
    /// Yes.
    Published {
        /// Since when.
        at: Timestamp,
        /// Who approved it; never its author.
        approver: Author,
    },
    /// It never will.
    Withdrawn {
        /// When that was decided.
        at: Timestamp,
        /// By whom.
        by: Author,
        /// Why.
        why: String,
    },
}

/// A bulletin in one language. Plain text, paragraphs parted by empty lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BulletinText {
    /// Which language.
    pub language: Language,
    /// The headline.
    pub title: String,
    /// The text.
    pub body: String,
}

/// A notice that belongs to the incident; its text and recipients are elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Its id.
    pub notice: NoticeId,
    /// Everybody who drafted or changed it; none of them approves it.
    pub authors: Vec<Author>,
    /// When it was last drafted.
    pub at: Timestamp,
    /// For which version of the scope, when it is for one.
    pub scope: Option<u32>,
    /// How far it has come.
    pub state: NoticeState,
}

/// How far a notice has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum NoticeState {
    /// Being written.
    Draft,
    /// On its way.
    Approved {
        /// Since when.
        at: Timestamp,
        /// By whom; never one of its authors.
        approver: Author,
    },
    /// Every recipient's row has ended.
    Ended {
        /// When it was approved.
        approved_at: Timestamp,
        /// By whom.
        approver: Author,
        /// When the last row ended.
        at: Timestamp,
    },
    /// It is not sent.
    Rejected {
        /// When that was decided.
        at: Timestamp,
        /// By whom.
        by: Author,
        /// Why.
        why: String,
    },
}

/// Where an entry of the timeline comes from: `incident`, `step/delete-api-keys`, `vendor`, …
pub type Source = String;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// When it happened.
    pub at: Timestamp,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Where it comes from.
    pub source: Source,
    /// How far it can be relied on.
    pub confidence: Confidence,
    /// Who recorded it.
    pub author: Author,
    /// What happened, in a sentence without personal data.
    pub text: String,
}
