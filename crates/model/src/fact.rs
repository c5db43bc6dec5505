//! What was observed: never what it means.

use serde::{Deserialize, Serialize};

use crate::field::FieldSet;
use crate::id::{CallId, CanaryId, FactId};
use crate::identifier::IdentifierHash;
use crate::name::{ListName, OperationName, OperatorName, VendorName, WorkloadName};
use crate::time::Timestamp;
use crate::token::{FoundAt, Network, Sighting, TokenId};
use crate::vendor::words;

words!(/** How far a fact can be relied on by itself. */ Confidence {
    /** Signed, measured or received by us. */
    Certain = "certain",
    /** From a source that has been right, unsigned. */
    Likely = "likely",
    /** Somebody says so. */
    Stated = "stated",
});

/// What the signed reference in a message said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum ReferenceCheck {
    /// Ours, for this recipient.
    Valid {
        /// The call that made the message.
        call: CallId,
    },
    /// There is none.
    Absent,
    /// There is one, and we did not make it.
    Forged,
    /// Ours, but made for somebody else: a copy.
    OtherRecipient {
        /// The call that it was copied from.
        call: CallId,
    },
}

/// From whose domain a mail to a canary came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SenderKind {
    /// A domain of ours, aligned and with a valid reference: what we sent ourselves.
    Ours,
    /// A domain of ours, but without a valid reference.
    OursUnreferenced,
    /// Anybody else.
    Foreign,
}

/// Something observed, with where it came from and how far it can be relied on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// Its id.
    pub id: FactId,
    /// When it happened, by its source's clock.
    pub at: Timestamp,
    /// When it reached us, by ours.
    pub seen_at: Timestamp,
    /// The vendor that it is about, if that is known.
    pub vendor: Option<VendorName>,
    /// The source's own id of it; a second fact with the same one is a duplicate.
    pub external_id: Option<String>,
    /// Who or what reported it: `webhook/sendgrid`, `smtp/canary`, `operator/ann`, `portal`.
    pub source: String,
    /// How far it can be relied on.
    pub confidence: Confidence,
    /// The operator who entered it, when one did.
    pub author: Option<OperatorName>,
    /// What it says.
    pub body: FactBody,
}

/// What a fact says. Identifiers are keyed hashes; texts carry no personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum FactBody {
    /// A vendor reports what became of a message.
    VendorEvent {
        /// `delivered`, `bounce`, `open`, `sent`, … as the vendor calls it.
        event: String,
        /// The vendor's id of the message.
        message: Option<String>,
        /// To whom.
        recipient: Option<IdentifierHash>,
        /// What our reference in it said.
        reference: ReferenceCheck,
    },
    /// Mail arrived at a planted contact.
    CanaryMail {
        /// Which one.
        canary: CanaryId,
        /// The list that it was planted in, if in one.
        list: Option<ListName>,
        /// When it was planted: what was exported before cannot have it.
        planted_at: Timestamp,
        /// When the next newer canary of the same vendor and list was planted, if one was: an
        /// export after that would have had it too.
        superseded_at: Option<Timestamp>,
        /// From whose domain it came.
        sender: SenderKind,
        /// The domain of the `From` header.
        from_domain: String,
        /// The domains whose DKIM signatures it carries, as claimed.
        dkim_domains: Vec<String>,
        /// SHA-256 of the whole mail, in hexadecimal; the mail itself is kept as evidence.
        sha256: String,
    },
    /// The vendor told us of a breach; an operator wrote down what it said.
    VendorNotice {
        /// When the vendor says that it became aware itself.
        vendor_aware_at: Option<Timestamp>,
        /// From when the intruder is said to have had access.
        access_from: Option<Timestamp>,
        /// Until when.
        access_to: Option<Timestamp>,
        /// Lists said to be reached; empty when nothing was said.
        lists: Vec<ListName>,
        /// Fields said to be exposed; empty when nothing was said.
        fields: FieldSet,
        /// Fields said not to be exposed. A statement, not evidence.
        fields_denied: FieldSet,
        /// A summary in the operator's words.
        summary: String,
    },
    /// Somebody handed in a suspicious mail.
    ReportedMail {
        /// The domain of the `From` header.
        from_domain: String,
        /// Whether that is one of ours.
        claims_ours: bool,
        /// What our reference in it said.
        reference: ReferenceCheck,
        /// Whether one of our own DKIM keys signed it as it stands.
        signed_by_us: bool,
        /// Whether it came through the vendor's systems, by its DKIM or Received domains.
        via_vendor: Option<VendorName>,
        /// Domains that its links lead to.
        link_domains: Vec<String>,
        /// The tagged address of the reporter, when it is one that only this vendor was given.
        recipient: Option<IdentifierHash>,
        /// SHA-256 of the whole mail, in hexadecimal.
        sha256: String,
    },
    /// A workload's token was seen where it should not be. The fact's vendor is the one that the
    /// token is for.
    TokenSeen {
        /// Which token.
        token: TokenId,
        /// Whose.
        workload: WorkloadName,
        /// How it was seen.
        how: Sighting,
        /// From which network, when it was shown to the gateway.
        network: Option<Network>,
        /// Whether it had come from there before.
        familiar: bool,
        /// Whether it opened something at that time.
        live: bool,
        /// The vendor at whose door it was shown, when that is another one.
        door: Option<VendorName>,
        /// Where it was found, when somebody found it.
        found_at: Option<FoundAt>,
    },
    /// The free text of a workload's calls held what no field is for. The fact's vendor is the one
    /// that they were for.
    StrayData {
        /// Whose calls.
        workload: WorkloadName,
        /// Which kind of call.
        operation: OperationName,
        /// The code of what was caught, such as `text-holds-secret`.
        caught: String,
    },
}

impl FactBody {
    /// The `kind` of its serialised form.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::VendorEvent { .. } => "vendor-event",
            Self::CanaryMail { .. } => "canary-mail",
            Self::VendorNotice { .. } => "vendor-notice",
            Self::ReportedMail { .. } => "reported-mail",
            Self::TokenSeen { .. } => "token-seen",
            Self::StrayData { .. } => "stray-data",
        }
    }
}
