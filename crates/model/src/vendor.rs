//! Vendors, what contracts say of them, workloads, and the switches between the two.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::error::Coded;
use crate::field::{Field, FieldSet};
use crate::id::{VendorId, WorkloadId};
use crate::name::{ListName, Purpose, VendorName, WorkloadName};
use crate::time::Timestamp;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// Every value, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its one name everywhere.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// Reads its name.
            ///
            /// # Errors
            /// When there is no such name.
            pub fn parse(text: &str) -> Result<Self, $crate::error::Malformed> {
                Self::ALL.iter().copied().find(|value| value.name() == text).ok_or(
                    $crate::error::Malformed::new(stringify!($name), concat!("use one of" $(, " `", $word, "`")*)),
                )
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::error::Malformed;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }
    };
}
pub(crate) use words;

words!(/** How far the gateway goes with what policy does not allow. */ Mode {
    /** Everything known passes unchanged; it is recorded. */
    Observe = "observe",
    /** As observe, and what `enforce` would have refused or changed is recorded as such. */
    Report = "report",
    /** What is not allowed does not leave. */
    Enforce = "enforce",
});

words!(/** The kill switch of a vendor. */ Switch {
    /** Calls pass. */
    Open = "open",
    /** Calls are told to come back later, so that SDKs queue (429). */
    Hold = "hold",
    /** Calls are refused for good (403). */
    Stop = "stop",
});

words!(/** What happens to one field of a call. */ FieldAction {
    /** It passes. */
    Allow = "allow",
    /** It is taken out; the call goes on without it. */
    Drop = "drop",
    /** It is replaced by a keyed pseudonym, stable per vendor. */
    Pseudonymise = "pseudonymise",
    /** It is replaced by a token that Cordon alone can turn back. */
    Tokenise = "tokenise",
    /** It is made less exact: an IP address to its network, a date of birth to its year. */
    Truncate = "truncate",
    /** The whole call is refused. */
    Refuse = "refuse",
});

impl FieldAction {
    /// Whether another value stands in the field's place.
    pub const fn replaces(self) -> bool {
        matches!(self, Self::Pseudonymise | Self::Tokenise | Self::Truncate)
    }

    /// Checks that it can be done to a field.
    ///
    /// # Errors
    /// When the field has no such form.
    pub fn check(self, field: Field) -> Result<(), Misfit> {
        let fits = match (self, field) {
            (Self::Truncate, _) => matches!(field, Field::Ip | Field::Birthdate),
            // A file is not a value that a word can stand for.
            (Self::Pseudonymise | Self::Tokenise, Field::Attachment) => false,
            _ => true,
        };
        if fits { Ok(()) } else { Err(Misfit { action: self, field }) }
    }
}

/// An action that cannot be done to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{action}` does not fit `{field}`")]
pub struct Misfit {
    /// The action.
    pub action: FieldAction,
    /// The field.
    pub field: Field,
}

impl Coded for Misfit {
    fn code(&self) -> &'static str {
        "action-misfit"
    }

    fn hint(&self) -> Option<String> {
        Some(match self.action {
            FieldAction::Truncate => "only `ip` and `birthdate` have a shorter form".into(),
            _ => "an attachment is allowed, dropped or refused".into(),
        })
    }
}

words!(/** One step against a breached vendor. The order is the order in which they are taken:
    evidence first, then what the intruder uses, then what feeds the vendor, then people, then
    proof. */ Action {
    /** Keep what the vendor's side shows now, before anything changes it. */
    SnapshotEvidence = "snapshot-evidence",
    /** Nothing more leaves for this vendor. */
    CutGateway = "cut-gateway",
    /** Sends that wait at the vendor do not happen. */
    CancelScheduledSends = "cancel-scheduled-sends",
    /** Campaigns that are scheduled do not start. */
    UnscheduleSingleSends = "unschedule-single-sends",
    /** Keys, ours last, stop working at the vendor. */
    DeleteApiKeys = "delete-api-keys",
    /** The old key is tried and refused. */
    ProveKeyRefused = "prove-key-refused",
    /** Unknown users and sessions at the vendor are closed. */
    CloseSessions = "close-sessions",
    /** Mail that must go out takes another road. */
    MoveCriticalMail = "move-critical-mail",
    /** Our own log-in stands up to people who know the contact data. */
    ProtectLogin = "protect-login",
    /** The vendor owes logs and the affected data set; the contract's clock runs. */
    DemandLogs = "demand-logs",
    /** The vendor deletes, and proves it. */
    DemandDeletion = "demand-deletion",
});

/// What the contract with a vendor promises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Contract {
    /// Hours within which the vendor must tell us of a breach, counted from its own awareness.
    pub notice_hours: Option<u32>,
    /// Whom to call there.
    pub contact: Option<String>,
}

/// A third party that gets personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vendor {
    /// Its id.
    pub id: VendorId,
    /// Its name in commands and URLs.
    pub name: VendorName,
    /// The connector that speaks its API.
    pub connector: String,
    /// Another address than the vendor's own, such as a region's or a sandbox's.
    pub endpoint: Option<String>,
    /// Another SMTP host than the vendor's own, as `host:port`.
    #[serde(default)]
    pub smtp: Option<String>,
    /// Days that it keeps what it is given; `None` is unknown, which counts as for ever.
    pub retention_days: Option<u32>,
    /// Its lists that we know of.
    pub lists: Vec<ListName>,
    /// What the contract says.
    pub contract: Contract,
    /// How far the gateway goes.
    pub mode: Mode,
    /// The kill switch.
    pub switch: Switch,
    /// Field by field; a field that is not named is allowed if the workload may use it.
    pub actions: BTreeMap<Field, FieldAction>,
    /// Fields that cannot reach this vendor by design, with no operation that carries them.
    pub impossible: FieldSet,
    /// Steps that run by themselves once an incident is declared; others wait for an operator.
    pub automatic: BTreeSet<Action>,
    /// When it was registered.
    pub created_at: Timestamp,
}

impl Vendor {
    /// Until when the vendor holds what it is given at `at`: by what is registered of it, else by
    /// the days that it documents for such a call.
    pub fn held_until(&self, at: Timestamp, documented_days: Option<u32>) -> Timestamp {
        const DAY_SECONDS: i64 = 24 * 60 * 60;
        self.retention_days
            .or(documented_days)
            .map_or(Timestamp::NEVER, |days| at.plus_seconds(i64::from(days) * DAY_SECONDS))
    }
}

/// What a workload may give to one vendor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// To whom.
    pub vendor: VendorName,
    /// For which purposes; a call states its own in `X-Cordon-Purpose`, or the first one holds.
    pub purposes: Vec<Purpose>,
    /// Which fields.
    pub fields: FieldSet,
}

/// One of the company's own programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// Its id.
    pub id: WorkloadId,
    /// Its name.
    pub name: WorkloadName,
    /// What it may do.
    pub grants: Vec<Grant>,
    /// A mode of its own, when it is to be looser or stricter than the vendor's.
    pub mode: Option<Mode>,
    /// When it was registered.
    pub created_at: Timestamp,
}

impl Workload {
    /// What it may give to this vendor, if anything.
    pub fn grant(&self, vendor: &VendorName) -> Option<&Grant> {
        self.grants.iter().find(|grant| grant.vendor == *vendor)
    }
}
