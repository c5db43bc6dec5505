//! What happens in a scenario, and when: the intruder's acts, and what others say and do.

use model::{FieldSet, VendorName};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::parts::{Offset, Share};

/// One act.
#[derive(Debug, Clone)]
pub struct Act {
    /// When, from the start of the drill.
    pub at: Offset,
    /// What.
    pub kind: Kind,
}

/// What an act is.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Kind {
    /// The intruder takes contacts out of the vendor.
    Export {
        /// From whom.
        vendor: VendorName,
        /// Of which list; absent is everything.
        list: Option<String>,
    },
    /// The intruder sends mail through the company's real account.
    SendFromAccount {
        /// Through whom.
        vendor: VendorName,
        /// To contacts of which list; absent is everybody.
        list: Option<String>,
        /// To which part of them.
        share: Share,
        /// Whether planted contacts of the list are among the recipients.
        canaries: bool,
        /// The subject.
        subject: String,
        /// The text.
        text: String,
    },
    /// The intruder has the vendor send later.
    ScheduleSend {
        /// Through whom.
        vendor: VendorName,
        /// To contacts of which list.
        list: String,
        /// When it is to go out, from the start of the drill.
        send_at: Offset,
        /// By which means.
        means: Means,
        /// The subject.
        subject: String,
        /// The text.
        text: String,
    },
    /// The intruder makes a key of their own.
    CreateKey {
        /// Where.
        vendor: VendorName,
        /// Its name, made to look like one of the company's.
        name: String,
        /// What it may do; empty is everything.
        #[serde(default)]
        scopes: Vec<String>,
    },
    /// The vendor tells the company of the breach.
    VendorNotice {
        /// Who tells.
        vendor: VendorName,
        /// When it knew itself.
        aware_at: Option<Offset>,
        /// From when there was access; absent is not said.
        access_from: Option<Offset>,
        /// Until when; absent is not said.
        access_to: Option<Offset>,
        /// Lists said to be reached.
        #[serde(default)]
        lists: Vec<String>,
        /// Fields said to be exposed.
        #[serde(default)]
        fields: FieldSet,
        /// Fields said not to be exposed.
        #[serde(default)]
        denied: FieldSet,
        /// What an operator writes down of it.
        summary: String,
    },
    /// Somebody from outside raises the alarm; an operator writes it down.
    OutsideAlert {
        /// What they speak of.
        vendor: VendorName,
        /// Who: a researcher, a journalist, a partner.
        who: String,
        /// What an operator writes down of it.
        summary: String,
    },
    /// A person hands in the suspicious mail they got.
    ReportedMail {
        /// Through whom the mail came.
        vendor: VendorName,
    },
    /// The vendor says something more: a statement, not evidence.
    VendorStatement {
        /// Who says it.
        vendor: VendorName,
        /// Fields said not to be exposed.
        #[serde(default)]
        denied: FieldSet,
        /// What an operator writes down of it.
        summary: String,
    },
    /// The vendor hands over the data set that was taken.
    Dataset {
        /// Who hands it over.
        vendor: VendorName,
    },
}

/// How the intruder has something sent later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Means {
    /// A campaign, which the account shows.
    Campaign,
    /// A scheduled batch, put on pause: the account shows it only because of that.
    PausedBatch,
    /// A scheduled batch that the account does not show.
    Batch,
}

impl Kind {
    /// The vendor that it is about.
    pub const fn vendor(&self) -> Option<&VendorName> {
        match self {
            Self::Export { vendor, .. }
            | Self::SendFromAccount { vendor, .. }
            | Self::ScheduleSend { vendor, .. }
            | Self::CreateKey { vendor, .. }
            | Self::VendorNotice { vendor, .. }
            | Self::OutsideAlert { vendor, .. }
            | Self::ReportedMail { vendor }
            | Self::VendorStatement { vendor, .. }
            | Self::Dataset { vendor } => Some(vendor),
        }
    }

    /// The lists that it names.
    pub fn lists(&self) -> impl Iterator<Item = &str> {
        let one = match self {
            Self::Export { list, .. } | Self::SendFromAccount { list, .. } => list.as_ref(),
            Self::ScheduleSend { list, .. } => Some(list),
            _ => None,
        };
        let many: &[String] = match self {
            Self::VendorNotice { lists, .. } => lists,
            _ => &[],
        };
        one.into_iter().chain(many).map(String::as_str)
    }
}

impl<'de> Deserialize<'de> for Act {
    /// A table with `at`, `kind` and the parameters of that kind, and nothing else.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut table = toml::Table::deserialize(deserializer)?;
        let at = table.remove("at").ok_or_else(|| D::Error::missing_field("at"))?;
        let wrong = |error: toml::de::Error| D::Error::custom(error.message());
        Ok(Self {
            at: at.try_into().map_err(wrong)?,
            kind: toml::Value::Table(table).try_into().map_err(wrong)?,
        })
    }
}
