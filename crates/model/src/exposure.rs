//! The question «who is exposed?», and the shapes of its answer.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::field::{Field, FieldSet};
use crate::name::{ListName, OperationName};
use crate::time::{Interval, Timestamp};
use crate::vendor::words;

/// When the intruder had access: both ends included, either may be unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Window {
    /// The first instant; unknown means from the beginning.
    pub from: Option<Timestamp>,
    /// The last instant; unknown means until now and on.
    pub to: Option<Timestamp>,
}

impl Window {
    /// The same as a half-open interval: the last instant is inside.
    pub fn interval(self) -> Interval {
        Interval {
            from: self.from.unwrap_or(Timestamp::MIN),
            until: self.to.map_or(Timestamp::NEVER, |to| to.plus_micros(1)),
        }
    }
}

/// What the intruder could get at. `None` is «not known to be narrower», hence everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Reach {
    /// Only these lists. A disclosure outside any list is then outside.
    pub lists: Option<BTreeSet<ListName>>,
    /// Only what these operations carried.
    pub operations: Option<BTreeSet<OperationName>>,
    /// Only these fields.
    pub fields: Option<FieldSet>,
}

words!(/** How a number relates to the truth. */ Bound {
    /** It is the number. */
    Exact = "exact",
    /** At least so many. */
    Lower = "lower",
    /** At most so many. */
    Upper = "upper",
});

/// A number that says how it relates to the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// The number.
    pub value: u64,
    /// What it is to the truth.
    pub bound: Bound,
}

/// Counts of one answer; every map counts persons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct ScopeCounts {
    /// Persons exposed with at least one field.
    pub persons: u64,
    /// Persons per exposed field.
    pub by_field: BTreeMap<Field, u64>,
    /// Persons per exact set of exposed fields, as `email,name`: what some laws ask for.
    pub by_combination: BTreeMap<String, u64>,
    /// Persons per country; those whose country is not known stand under `unknown`.
    pub by_country: BTreeMap<String, u64>,
    /// Persons per `US-CA`; only where a region is known.
    pub by_region: BTreeMap<String, u64>,
    /// Of these persons, how many the directory no longer has: they cannot be told by mail.
    pub not_in_directory: u64,
    /// The first disclosure that counts.
    pub first_at: Option<Timestamp>,
    /// The last disclosure that counts.
    pub last_at: Option<Timestamp>,
}

words!(/** How well it is known that a field was not exposed; the best first. */ NotExposedGrade {
    /** The ledger shows that it was never sent to this vendor. */
    NeverSent = "never-sent",
    /** No operation that the vendor offers us carries it. */
    ImpossibleByDesign = "impossible-by-design",
    /** It was held, but outside the reach or the window that is established. */
    OutOfReach = "out-of-reach",
    /** The vendor says so: its word, with author and time, and no proof. */
    StatedByVendor = "stated-by-vendor",
    /** Nothing speaks for exposure, and nothing against it. Never a reassurance. */
    NoEvidence = "no-evidence",
});

/// One field that is not among the exposed ones, with what stands behind that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotExposed {
    /// The field.
    pub field: Field,
    /// How well it is known.
    pub grade: NotExposedGrade,
    /// The proof or the source, in a sentence.
    pub because: String,
}
