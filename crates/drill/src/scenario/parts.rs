//! The parts of a scenario, each parsed as it is read.

use std::fmt;

use model::{
    Action, Field, FieldSet, ListName, NotExposedGrade, Purpose, Timestamp, VendorName,
    WorkloadName,
};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::sandbox::KnownList;

/// A time of the scenario, in seconds from its start: `+90s`, `-400d`, `+2h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Offset(pub i64);

impl Offset {
    /// The instant, when the scenario starts at `start`.
    pub const fn after(self, start: Timestamp) -> Timestamp {
        start.plus_seconds(self.0)
    }

    fn parse(text: &str) -> Option<Self> {
        let sign = match text.as_bytes().first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let unit = match text.as_bytes().last()? {
            b's' => 1,
            b'm' => 60,
            b'h' => 60 * 60,
            b'd' => 24 * 60 * 60,
            _ => return None,
        };
        let digits = text.get(1..text.len() - 1)?;
        let number: u32 = digits.parse().ok().filter(|_| !digits.starts_with('+'))?;
        Some(Self(sign * i64::from(number) * unit))
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:+}s", self.0)
    }
}

impl<'de> Deserialize<'de> for Offset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            D::Error::custom("write a time as `+90s`, `-400d`: a sign, a number, and s, m, h or d")
        })
    }
}

/// A part of a whole, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Share(f64);

impl Share {
    /// Everything.
    pub const ALL: Self = Self(1.0);

    /// The number.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// How many of `whole` this is, rounded down.
    pub fn of(self, whole: u64) -> u64 {
        (whole as f64 * self.0) as u64
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(deserializer)?;
        match (0.0..=1.0).contains(&number) {
            true => Ok(Self(number)),
            false => Err(D::Error::custom("a share is between 0.0 and 1.0")),
        }
    }
}

/// A fact of the real case.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// When, as precisely as it is known.
    pub at: String,
    /// What, in our own words.
    pub says: String,
    /// How well it is known: `V` verified, `L` likely, `C` conflicting, `I` inferred here.
    pub mark: Mark,
}

/// How well a fact is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Mark {
    /// Verified in a source.
    V,
    /// From one weak source.
    L,
    /// Sources differ.
    C,
    /// Inferred here, for the drill.
    I,
}

/// A vendor as the company has set it up.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VendorSetup {
    /// Its name.
    pub name: VendorName,
    /// The connector that speaks its API.
    pub connector: String,
    /// Days that it keeps what it is given; absent is unknown, which counts as for ever.
    pub retention_days: Option<u32>,
    /// Its lists.
    #[serde(default)]
    pub lists: Vec<KnownList>,
    /// Names of the custom fields that the company made at the vendor; with the field `custom`, all
    /// of them are filled.
    #[serde(default)]
    pub custom_fields: Vec<String>,
    /// Which kinds of personal data those hold, as the company declares it.
    #[serde(default)]
    pub custom_holds: FieldSet,
    /// Hours within which the contract has it tell us of a breach.
    pub notice_hours: Option<u32>,
    /// Fields that cannot reach it by design.
    #[serde(default)]
    pub impossible: FieldSet,
    /// Fields that the gateway refuses to give it.
    #[serde(default)]
    pub denied: FieldSet,
    /// Steps that run by themselves once an incident is declared.
    #[serde(default)]
    pub automatic: Vec<Action>,
}

impl VendorSetup {
    /// Fields with what the account's own custom fields hold.
    pub fn spelt_out(&self, fields: FieldSet) -> FieldSet {
        if fields.contains(Field::Custom) { fields.union(self.custom_holds) } else { fields }
    }

    /// The id in the API of a list, by its name in the scenario.
    pub fn list_id(&self, name: &str) -> Option<&str> {
        self.lists.iter().find(|list| list.name == name).map(|list| list.id.as_str())
    }

    /// The same as the ledger names it: by the vendor's id.
    pub fn list(&self, name: &str) -> Option<ListName> {
        ListName::parse(self.list_id(name)?).ok()
    }
}

/// What vendors were given before, and are given in the drill.
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    /// What they hold already when the drill starts.
    pub imports: Vec<Import>,
    /// What workloads give them through the gateway in the drill.
    pub live: Vec<Live>,
}

/// Contacts that a vendor has had since some time.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// Who has them.
    pub vendor: VendorName,
    /// In which list.
    pub list: Option<String>,
    /// Since when.
    pub as_of: Offset,
    /// Which part of the people, from the first on.
    pub share: Share,
    /// What it has of them.
    pub fields: FieldSet,
}

/// What a workload gives to a vendor through the gateway, one request a person.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Live {
    /// To whom.
    pub vendor: VendorName,
    /// Which program.
    pub workload: WorkloadName,
    /// Why.
    pub purpose: Purpose,
    /// By which kind of call.
    pub operation: Operation,
    /// Into which list, for contacts.
    pub list: Option<String>,
    /// Which part of the people, from the first on.
    pub share: Share,
    /// What is said of them.
    pub fields: FieldSet,
}

/// The kinds of call that a drill's workload makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Operation {
    /// A message to one person.
    #[serde(rename = "mail.send")]
    MailSend,
    /// Contacts put into a list.
    #[serde(rename = "contacts.upsert")]
    ContactsUpsert,
}

/// How the drill's inbox treats the notices.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Receiving {
    /// Every so many recipients, one does not exist (550).
    pub refuse_every: Option<u64>,
    /// Every so many recipients, one is told to come back later, once (451).
    pub defer_every: Option<u64>,
}

/// What the responders take as established, when the drill has them set the scope.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// The vendor that is breached.
    pub vendor: VendorName,
    /// The first instant of access; absent is unknown, hence from the beginning.
    pub from: Option<Offset>,
    /// The last instant; absent is unknown, hence until now.
    pub to: Option<Offset>,
    /// Lists that were reached; absent is all.
    pub lists: Option<Vec<String>>,
    /// Fields that were reached; absent is all.
    pub fields: Option<FieldSet>,
}

/// What is checked at the end. Seconds count from the first act.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Detectors that must have found it.
    pub detected_by: Vec<String>,
    /// Fields that must be exposed, and no others.
    pub exposed: FieldSet,
    /// Fields that must be listed as not exposed, with this grade.
    #[serde(default)]
    pub not_exposed: Vec<NotExposedField>,
    /// The most seconds until the first finding.
    pub detected_seconds: u64,
    /// The most seconds until the vendor is cut off and that is proven.
    pub contained_seconds: u64,
    /// The most seconds until the scope stands.
    pub scoped_seconds: u64,
    /// The most seconds until the first person is told.
    pub first_notice_seconds: u64,
    /// Steps that must be done and verified.
    pub containment: Vec<Action>,
    /// Clocks that must run, by the id of their regime.
    pub clocks: Vec<String>,
}

/// A field that must not be exposed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotExposedField {
    /// The field.
    pub field: Field,
    /// How well that must be known.
    pub grade: NotExposedGrade,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_has_a_sign_a_number_and_a_unit() {
        let seconds = |text| Offset::parse(text).map(|offset| offset.0);
        assert_eq!(seconds("+90s"), Some(90));
        assert_eq!(seconds("-400d"), Some(-400 * 86_400));
        assert_eq!(seconds("+2h"), Some(7_200));
        for bad in ["", "90s", "+s", "+9", "++9s", "+9w", "+-9s", "+é"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
