//! Notification duties as data, read once from `regimes.toml`. It says what a regime asks for; what
//! that means for an incident is in `clocks.rs`. Not legal advice, and nobody has reviewed it yet.

use std::sync::OnceLock;

use model::FieldSet;
use serde::{Deserialize, Serialize};

use crate::calendar::{Calendar, Day};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// Its one name everywhere.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}
pub(crate) use words;

words!(/** A moment from which a clock runs. */ StartEvent {
    /** The company is reasonably certain that personal data was compromised; at a vendor, the
    vendor's notice or our own signs, whichever comes first. */
    BecameAware = "became_aware",
    /** The vendor became aware itself. */
    ProcessorBecameAware = "processor_became_aware",
    /** The vendor had reason to believe that there was a breach. */
    VendorReasonToBelieve = "vendor_reason_to_believe",
    /** The assessment came to a high risk for people. */
    HighRiskDetermined = "high_risk_determined",
    /** The company knew that the incident is significant in the sense of NIS2. */
    BecameAwareSignificant = "became_aware_significant",
    /** The incident was classified as major in the sense of DORA. */
    ClassifiedMajor = "classified_major",
    /** The first notification under DORA went out. */
    InitialNotificationSubmitted = "initial_notification_submitted",
    /** The intermediate report under DORA went out. */
    IntermediateReportSubmitted = "intermediate_report_submitted",
    /** The incident notification under NIS2 went out. */
    IncidentNotificationSubmitted = "incident_notification_submitted",
    /** It was first known, or could have been with care. */
    Discovered = "discovered",
    /** It was discovered, or somebody told the company. */
    DiscoveredOrNotified = "discovered_or_notified",
    /** There was enough evidence to say that a breach took place. */
    BreachDetermined = "breach_determined",
    /** Notices to people went out. */
    IndividualsNotified = "individuals_notified",
    /** The board or the management found the incident material. */
    MaterialityDetermined = "materiality_determined",
    /** There were grounds to suspect a breach. */
    Suspected = "suspected",
    /** It was known that personal data is affected. */
    KnownPersonalDataAffected = "known_personal_data_affected",
    /** The assessment came to a breach that has to be notified. */
    AssessedNotifiable = "assessed_notifiable",
    /** The assessment came to a risk of serious injury. */
    RiskDetermined = "risk_determined",
    /** It was found that people need to know in order to protect themselves. */
    NeedDetermined = "need_determined",
});

words!(/** What makes a regime concern a company. */ Basis {
    /** Affected persons who live there. */
    Persons = "persons",
    /** An establishment there. */
    Company = "company",
    /** Either of the two. */
    Either = "either",
    /** Neither: what the company is decides alone. */
    Nowhere = "nowhere",
});

words!(/** What a company is, beyond handling personal data. */ Sector {
    /** A public provider of electronic communications. */
    Telecoms = "telecoms",
    /** An essential or important entity in the sense of NIS2. */
    Nis2 = "nis2",
    /** A financial entity in the sense of DORA. */
    FinancialEu = "financial-eu",
    /** A company listed with the SEC. */
    Listed = "listed",
    /** A covered entity under HIPAA. */
    Health = "health",
    /** A financial institution under the FTC. */
    FinancialFtc = "financial-ftc",
    /** A business that holds data for its own business customers. */
    Processor = "processor",
});

words!(/** Whose duty it is. */ Holder {
    /** Ours. */
    Company = "company",
    /** The vendor's, towards us. */
    Vendor = "vendor",
});

words!(/** How strict the limit is. */ Standard {
    /** It is in the law's text. */
    Hard = "hard",
    /** There is none; without undue delay. */
    None = "none",
    /** The authority's reading of «promptly». */
    Guideline = "guideline",
    /** For finishing an assessment, not for telling anybody. */
    Assessment = "assessment",
    /** What the contract says. */
    Contract = "contract",
    /** Not law yet. */
    Proposed = "proposed",
});

words!(/** Whether an e-mail address alone is enough for the duty. */ EmailOnly {
    /** Yes. */
    Yes = "yes",
    /** No. */
    No = "no",
    /** As far as it makes a risk. */
    Risk = "risk",
    /** The kind of data does not decide. */
    NotData = "not-data",
});

words!(/** How well the data of a regime is known. */ Mark {
    /** Seen in a source. */
    Verified = "V",
    /** In part. */
    Partial = "partial",
    /** Sources conflict; the most primary text was taken. */
    Conflicting = "C",
    /** General knowledge only. */
    General = "G",
});

words!(/** Unit of a limit. */ Unit {
    /** To the minute, weekends included. */
    Hours = "hours",
    /** Calendar days; the first one is the day after. */
    Days = "days",
    /** Business days; the first one is the next business day. */
    BusinessDays = "business_days",
    /** Calendar months. */
    Months = "months",
});

words!(/** What holds until somebody has judged. */ Until {
    /** The duty counts as given. */
    Yes = "yes",
    /** It is not known. */
    Unknown = "unknown",
    /** The duty counts as not given. */
    No = "no",
});

/// How long there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// So many.
    pub value: u32,
    /// Of these.
    pub unit: Unit,
    /// Which days are no business days.
    #[serde(default)]
    pub calendar: Calendar,
}

/// A second limit; the earlier of the two holds, unless the first one starts after it has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cap {
    /// From here.
    pub start: StartEvent,
    /// So many hours.
    pub hours: u32,
}

/// What a person has to judge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    /// The question.
    pub whether: String,
    /// What holds until then.
    pub until_judged: Until,
}

/// From how many persons on there is a duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Minimum {
    /// So many.
    pub persons: u64,
    /// What holds below: `no`, or `unknown` where another limb of the trigger may still be met.
    pub below: Until,
}

/// One duty to tell somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regime {
    /// Its id; never changes.
    pub id: String,
    /// Where it comes from, for people.
    pub jurisdiction: String,
    /// Countries and regions that it is about: `DE`, `US-CA`, or the groups `EU` and `EEA`.
    #[serde(default)]
    pub places: Vec<String>,
    /// What makes it concern a company.
    pub basis: Basis,
    /// The company has to be one of these; empty means any.
    #[serde(default)]
    pub sectors: Vec<Sector>,
    /// To whom: `authority`, `individuals`, `clients`, `public`, joined by `+`.
    pub recipient: String,
    /// To whom, by name.
    pub recipient_name: String,
    /// From how many persons on the authority is told too, where that differs.
    pub authority_from: Option<u64>,
    /// Whose duty it is.
    pub holder: Holder,
    /// When the duty is given, in our words.
    pub trigger: String,
    /// Sets of fields, one of which has to be exposed; empty means any personal data.
    #[serde(default)]
    pub requires: Vec<FieldSet>,
    /// From how many persons on there is a duty.
    pub minimum: Option<Minimum>,
    /// What a person has to judge.
    pub judgement: Option<Judgement>,
    /// From when the clock runs.
    pub start: StartEvent,
    /// How long there is; without one, without undue delay.
    pub limit: Option<Limit>,
    /// A second limit.
    pub cap: Option<Cap>,
    /// How strict it is.
    pub standard: Standard,
    /// Whether an e-mail address alone is enough.
    pub email_only: EmailOnly,
    /// From when on it is law in this form.
    pub effective_from: Option<Day>,
    /// Whether there was a duty before that, in another form.
    #[serde(default)]
    pub earlier_form: bool,
    /// Until when.
    pub effective_to: Option<Day>,
    /// Where it stands.
    pub citation: String,
    /// What else to know.
    pub note: Option<String>,
    /// How well it is known.
    pub mark: Mark,
    /// Which lawyer has looked at it.
    pub reviewed_by: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    regime: Vec<Regime>,
}

/// Every regime, in the file's order.
pub fn regimes() -> &'static [Regime] {
    static REGIMES: OnceLock<Vec<Regime>> = OnceLock::new();
    REGIMES.get_or_init(|| {
        let file: File = toml::from_str(include_str!("regimes.toml"))
            .expect("regimes.toml is read by a test before it is released");
        file.regime
    })
}

/// Members of the European Union.
const EU: &[&str] = &[
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT",
    "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// The three of the European Economic Area beside them.
const EFTA_EEA: &[&str] = &["IS", "LI", "NO"];

impl Regime {
    /// Its places one by one, groups taken apart.
    pub fn each_place(&self) -> impl Iterator<Item = &str> {
        self.places.iter().flat_map(|place| match place.as_str() {
            "EU" => EU.to_vec(),
            "EEA" => [EU, EFTA_EEA].concat(),
            other => vec![other],
        })
    }
}
