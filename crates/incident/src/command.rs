//! What can be asked of an incident, by whom, what comes out, and why it is refused.

use std::collections::BTreeSet;
use std::fmt;

use connectors::routine::StepOutcome;
use model::{
    Action, Blame, Coded, Confidence, FieldSet, Finding, NotExposed, NoticeId, OperatorName, Reach,
    ScopeCounts, Switch, Timestamp, Window,
};
use serde::{Deserialize, Serialize};

use crate::incident::{Asked, BulletinText};
use crate::regime::StartEvent;

/// What somebody is in the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Leads the response; may do what a responder may.
    Lead,
    /// Contains, scopes, drafts.
    Responder,
    /// Looks at what others want to send, publish or lift.
    Approver,
    /// Judges duties and deadlines.
    Legal,
}

impl Role {
    /// Its one name everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Responder => "responder",
            Self::Approver => "approver",
            Self::Legal => "legal",
        }
    }
}

/// Who did something. As text: `system`, or `operator/` and the name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Author {
    /// Cordon itself, by policy.
    System,
    /// A person.
    Operator(OperatorName),
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("system"),
            Self::Operator(name) => write!(f, "operator/{name}"),
        }
    }
}

impl From<Author> for String {
    fn from(author: Author) -> Self {
        author.to_string()
    }
}

impl TryFrom<String> for Author {
    type Error = model::error::Malformed;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.strip_prefix("operator/") {
            Some(name) => Ok(Self::Operator(OperatorName::parse(name)?)),
            None if text == "system" => Ok(Self::System),
            None => Err(Self::Error::new("author", "it is `system`, or `operator/` and a name")),
        }
    }
}

/// Who gives a command, with the roles that they have everywhere. Roles in this incident alone
/// stand in the incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Who.
    pub author: Author,
    /// What they are everywhere.
    pub roles: BTreeSet<Role>,
}

impl Actor {
    /// Cordon itself.
    pub const fn system() -> Self {
        Self { author: Author::System, roles: BTreeSet::new() }
    }

    /// A person.
    pub fn operator(name: OperatorName, roles: impl IntoIterator<Item = Role>) -> Self {
        Self { author: Author::Operator(name), roles: roles.into_iter().collect() }
    }
}

/// A question to the ledger: who is exposed, if the intruder had this, then?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Question {
    /// When they had access.
    pub window: Window,
    /// What they could get at.
    pub reach: Reach,
}

/// The ledger's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeAnswer {
    /// To which question.
    pub question: u32,
    /// At most so many.
    pub upper: ScopeCounts,
    /// At least so many; nobody when the question had no lower part.
    pub lower: ScopeCounts,
    /// What was not exposed, from [`crate::not_exposed`].
    pub not_exposed: Vec<NotExposed>,
    /// Up to where the ledger was read, in its own words.
    pub ledger: String,
}

/// What the vendor said, as an operator writes it down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// When the vendor said it.
    pub said_at: Timestamp,
    /// Through what: `mail`, `status page`, a call.
    pub source: String,
    /// Fields said to be exposed.
    #[serde(default)]
    pub fields_exposed: FieldSet,
    /// Fields said not to be exposed.
    #[serde(default)]
    pub fields_denied: FieldSet,
    /// When the intruder is said to have had access.
    #[serde(default)]
    pub window: Window,
    /// When the vendor says that it became aware itself.
    pub vendor_aware_at: Option<Timestamp>,
    /// A summary in the operator's words.
    pub text: String,
}

/// What can be asked of an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields say what the command's line says")]
pub enum Command {
    /// A finding belongs to this incident.
    AddFinding { finding: Finding },
    /// Something happened that the timeline should have.
    AddFact { at: Timestamp, source: String, confidence: Confidence, text: String },
    /// Start a step, or start it again after it failed.
    RunStep { action: Action },
    /// The executor began with a step.
    StepStarted { action: Action },
    /// A step ended.
    StepDone { action: Action, outcome: StepOutcome },
    /// A person did a step and hands in a proof.
    ConfirmManual { action: Action, proof: String },
    /// A step is not done, on purpose.
    SkipStep { action: Action, why: String },
    /// When the intruder had access at the utmost.
    SetWindow { window: Window, why: String },
    /// What the intruder could get at, at the utmost.
    SetReach { reach: Reach, why: String },
    /// What the intruder certainly got.
    SetCertain { certain: Option<Question>, why: String },
    /// Ask the ledger once more with the same inputs.
    Rescope { why: String },
    /// The ledger answered.
    ScopeComputed { answer: ScopeAnswer },
    /// The vendor said something.
    RecordStatement { said: Said },
    /// The vendor took a statement back.
    ReverseStatement { number: u32, text: String },
    /// A moment from which a clock runs.
    Determine { event: StartEvent, at: Timestamp },
    /// A person judged whether a regime applies.
    Decide { regime: String, applies: bool, why: String },
    /// A new bulletin, or a new version of one.
    DraftBulletin { bulletin: Option<u32>, texts: Vec<BulletinText> },
    /// Publish the newest version of a bulletin, which is this one.
    ApproveBulletin { bulletin: u32, version: u32 },
    /// A draft of a bulletin is not published.
    WithdrawBulletin { bulletin: u32, why: String },
    /// A notice was drafted or changed.
    NoticeDrafted { notice: NoticeId, scope: Option<u32> },
    /// Send a notice.
    ApproveNotice { notice: NoticeId },
    /// A draft of a notice is not sent.
    RejectNotice { notice: NoticeId, why: String },
    /// Every recipient's row of a notice has ended.
    NoticeEnded { notice: NoticeId },
    /// The cut should be lifted.
    RequestLift { why: String },
    /// Lift it.
    ApproveLift,
    /// Somebody has a role in this incident.
    AssignRole { role: Role, operator: OperatorName },
    /// It is over.
    Close { why: String },
    /// It is not over after all.
    Reopen { why: String },
}

/// What is to be done outside. Each is done at least once and is harmless when done twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "kebab-case")]
pub enum Effect {
    /// Run the connector's routine; answer with [`Command::StepDone`].
    Execute {
        /// Which step.
        action: Action,
    },
    /// Set the gateway's switch for the vendor. When it is not `open`, answer with
    /// [`Command::StepDone`] of `cut-gateway`.
    Cut {
        /// To what.
        switch: Switch,
    },
    /// Ask the ledger; answer with [`Command::ScopeComputed`].
    ComputeScope {
        /// What.
        asked: Box<Asked>,
    },
    /// Make a bulletin's version public.
    Publish {
        /// Its number.
        bulletin: u32,
        /// Its version.
        version: u32,
    },
    /// Start sending; answer with [`Command::NoticeEnded`].
    Notify {
        /// Which notice.
        notice: NoticeId,
    },
    /// Tell operators at once.
    Alert {
        /// What happened, in a sentence.
        text: String,
    },
}

/// Why a command is refused. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The incident is over.
    #[error("the incident is closed")]
    Closed,
    /// Reopening what is open.
    #[error("the incident is not closed")]
    NotClosed,
    /// Only Cordon itself may say this.
    #[error("only the system reports this")]
    SystemOnly,
    /// The actor lacks a role.
    #[error("this needs one of the roles: {needs}")]
    NotAllowed {
        /// Roles, any of which would do.
        needs: String,
    },
    /// Who wrote or asked for it may not approve it.
    #[error("somebody else has to approve this: two pairs of eyes")]
    OwnWork,
    /// A text that is needed is empty.
    #[error("a text is missing: {0}")]
    TextMissing(&'static str),
    /// A text is over the limit.
    #[error("a text is over {max} bytes: {0}", max = model::limits::INCIDENT_TEXT_BYTES)]
    TextTooLong(&'static str),
    /// More entries of one kind than an incident takes.
    #[error("the incident has no room for more {0}")]
    TooMany(&'static str),
    /// The plan has no such step.
    #[error("the plan has no step `{0}`")]
    UnknownStep(Action),
    /// The step has ended.
    #[error("step `{0}` has ended")]
    StepEnded(Action),
    /// The step is under way.
    #[error("step `{0}` is under way")]
    StepRunning(Action),
    /// The step is not under way.
    #[error("step `{0}` is not under way")]
    StepNotRunning(Action),
    /// The system cannot carry this step out.
    #[error("step `{0}` is done by hand")]
    StepManual(Action),
    /// A person's word is no proof of this step.
    #[error("step `{0}` is not done by hand")]
    StepNotManual(Action),
    /// Its end lies before its start.
    #[error("the window ends before it starts")]
    WindowEmpty,
    /// The answer is not to the newest question.
    #[error("the answer is not to the newest question")]
    ScopeOutdated,
    /// The lower bound is above the upper one.
    #[error("the lower bound is above the upper bound")]
    BoundsCrossed,
    /// There is no such version of the scope.
    #[error("there is no such scope version: {0}")]
    UnknownScope(u32),
    /// There is no such statement.
    #[error("there is no such statement: {0}")]
    UnknownStatement(u32),
    /// It was taken back already.
    #[error("the statement was taken back already: {0}")]
    StatementReversed(u32),
    /// No such regime.
    #[error("there is no such regime: {0}")]
    UnknownRegime(String),
    /// There is no such bulletin.
    #[error("there is no such bulletin: {0}")]
    UnknownBulletin(u32),
    /// The version is not the newest one.
    #[error("the bulletin was changed since; its newest version is {0}")]
    BulletinChanged(u32),
    /// It is public or withdrawn.
    #[error("the bulletin's newest version is not a draft")]
    BulletinNotDraft,
    /// There is no such notice.
    #[error("there is no such notice: {0}")]
    UnknownNotice(NoticeId),
    /// It was approved or rejected.
    #[error("the notice is not a draft")]
    NoticeNotDraft,
    /// It was not approved, or has ended.
    #[error("the notice is not on its way")]
    NoticeNotSending,
    /// There is nothing to lift.
    #[error("the vendor is not cut off by this incident")]
    NotCut,
    /// Nobody asked for it.
    #[error("nobody asked for the cut to be lifted")]
    NoLiftAsked,
    /// Something is under way.
    #[error("something is still under way: {0}")]
    WorkOpen(&'static str),
}

impl Coded for Refused {
    fn code(&self) -> &'static str {
        match self {
            Self::Closed => "incident-closed",
            Self::NotClosed => "incident-not-closed",
            Self::SystemOnly => "system-only",
            Self::NotAllowed { .. } => "role-missing",
            Self::OwnWork => "own-work",
            Self::TextMissing(_) => "text-missing",
            Self::TextTooLong(_) => "text-too-long",
            Self::TooMany(_) => "incident-full",
            Self::UnknownStep(_) => "step-unknown",
            Self::StepEnded(_) => "step-ended",
            Self::StepRunning(_) => "step-running",
            Self::StepNotRunning(_) => "step-not-running",
            Self::StepManual(_) => "step-manual",
            Self::StepNotManual(_) => "step-not-manual",
            Self::WindowEmpty => "window-empty",
            Self::ScopeOutdated => "scope-outdated",
            Self::BoundsCrossed => "scope-bounds-crossed",
            Self::UnknownScope(_) => "scope-unknown",
            Self::UnknownStatement(_) => "statement-unknown",
            Self::StatementReversed(_) => "statement-reversed",
            Self::UnknownRegime(_) => "regime-unknown",
            Self::UnknownBulletin(_) => "bulletin-unknown",
            Self::BulletinChanged(_) => "bulletin-changed",
            Self::BulletinNotDraft => "bulletin-not-draft",
            Self::UnknownNotice(_) => "notice-unknown",
            Self::NoticeNotDraft => "notice-not-draft",
            Self::NoticeNotSending => "notice-not-sending",
            Self::NotCut => "not-cut",
            Self::NoLiftAsked => "lift-not-asked",
            Self::WorkOpen(_) => "work-open",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::BoundsCrossed | Self::ScopeOutdated => Blame::Ours,
            _ => Blame::Caller,
        }
    }
}
