//! What a detector concludes from facts: evidence, a grade, and what to do next.

use serde::{Deserialize, Serialize};

use crate::exposure::Window;
use crate::id::{FactId, FindingId};
use crate::limits;
use crate::name::VendorName;
use crate::time::Timestamp;
use crate::vendor::words;

words!(/** How strong the evidence is; the order is the order of strength. */ FindingGrade {
    /** One sign that has harmless explanations. */
    C = "C",
    /** Signs that agree, or one that is hard to explain away. */
    B = "B",
    /** What cannot be explained without a breach, or the vendor's own word of one. */
    A = "A",
});

/// The facts behind a finding. All are counted; the first [`limits::FINDING_FACTS`] are named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The first facts.
    pub facts: Vec<FactId>,
    /// How many in all.
    pub count: u64,
    /// The earliest.
    pub first_at: Timestamp,
    /// The latest.
    pub last_at: Timestamp,
}

impl Evidence {
    /// Evidence of a single fact.
    pub fn of(fact: FactId, at: Timestamp) -> Self {
        Self { facts: vec![fact], count: 1, first_at: at, last_at: at }
    }

    /// Adds the evidence of `other`.
    pub fn add(&mut self, other: &Self) {
        let room = limits::FINDING_FACTS.saturating_sub(self.facts.len());
        self.facts.extend(other.facts.iter().take(room));
        self.count += other.count;
        self.first_at = self.first_at.min(other.first_at);
        self.last_at = self.last_at.max(other.last_at);
    }
}

/// A conclusion. Two findings with the same `key` are one, and their evidence adds up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its id.
    pub id: FindingId,
    /// What makes it the same finding: detector, vendor, and what else the detector says.
    pub key: String,
    /// The detector's name.
    pub detector: String,
    /// The vendor that it is about, if that is known.
    pub vendor: Option<VendorName>,
    /// How strong it is.
    pub grade: FindingGrade,
    /// One sentence that reads alone.
    pub title: String,
    /// What stands behind it.
    pub evidence: Evidence,
    /// When the vendor's data was accessed, as far as this finding bounds it.
    pub window: Window,
    /// What to do next, in order.
    pub next: Vec<String>,
}

impl Finding {
    /// The same finding after more evidence: the stronger grade, the tighter window. Where the two
    /// windows share no instant, an end was drawn before a newer sign arrived (a silent canary
    /// spoke after all): the window that starts later stands alone.
    pub fn strengthen(&mut self, other: &Self) {
        self.evidence.add(&other.evidence);
        if other.grade > self.grade {
            self.grade = other.grade;
            self.title.clone_from(&other.title);
            self.next.clone_from(&other.next);
        }
        let from = self.window.from.max(other.window.from);
        let to = match (self.window.to, other.window.to) {
            (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
            (ours, theirs) => ours.or(theirs),
        };
        if to.is_some_and(|to| from.is_some_and(|from| from > to)) {
            if other.window.from > self.window.from {
                self.window = other.window;
            }
            return;
        }
        self.window = Window { from, to };
    }
}
