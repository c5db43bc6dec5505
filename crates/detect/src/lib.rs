//! Findings from facts. **Invariant:** no I/O, no clock, no randomness: a detector can be replayed
//! on last year's facts and says the same again.
//!
//! One detector, one file, three equal names: the file (`unknown_send.rs`), its entry in
//! [`DETECTORS`] (`unknown-send`) and its section in `docs/detectors.md`. A new one is a file, a
//! section and a line below.
//!
//! Every key is `<detector>/<vendor>/<bucket>`. Findings with one key are one, and their evidence
//! adds up, so that ten thousand events of one night are one line for the person who is woken. The
//! bucket says what «one» means: for events and reports the day in UTC on which it happened, so
//! that an old, closed matter does not swallow a new one; for canaries the sender's domain and the
//! day; for a vendor's notice the statement itself, since a later one may take back an earlier.

mod canary_hit;
mod reported_phish;
#[cfg(test)]
mod sample;
mod stray_data;
mod token;
mod token_after_end;
mod token_elsewhere;
mod token_found;
mod token_other_door;
mod unknown_send;
mod vendor_notice;

use model::finding::Evidence;
use model::id::Id as _;
use model::{Fact, Finding, FindingGrade, FindingId, Timestamp, VendorName, Window};

/// Every detector, in the order in which it is documented.
pub static DETECTORS: &[Detector] = &[
    vendors("unknown-send", unknown_send::detect),
    vendors("canary-hit", canary_hit::detect),
    vendors("vendor-notice", vendor_notice::detect),
    vendors("reported-phish", reported_phish::detect),
    ours("token-elsewhere", token_elsewhere::detect),
    ours("token-other-door", token_other_door::detect),
    ours("token-after-end", token_after_end::detect),
    ours("token-found", token_found::detect),
    ours("stray-data", stray_data::detect),
];

/// A detector of a vendor's breach.
const fn vendors(name: &'static str, detect: Detect) -> Detector {
    Detector { name, detect, declares: true }
}

/// A detector of a leak on our own side.
const fn ours(name: &'static str, detect: Detect) -> Detector {
    Detector { name, detect, declares: false }
}

/// The conclusion from one fact and those before it, if there is one.
pub type Detect = fn(&Fact, &Earlier<'_>) -> Option<Finding>;

/// What concludes findings from facts.
pub struct Detector {
    /// Its name, which is its file's with `-` for `_`.
    pub name: &'static str,
    /// What it concludes.
    pub detect: Detect,
    /// Whether what it finds is a sign of the vendor's breach, and may declare an incident of the
    /// vendor's by itself. A workload's token in strange hands is a leak of ours: if it did,
    /// whoever holds an old token could have a vendor cut off.
    pub declares: bool,
}

/// What was observed before the fact at hand.
pub struct Earlier<'a> {
    /// Earlier canary-mail facts of the same vendor, in any order.
    pub facts: &'a [Fact],
}

/// What every detector concludes from a fact, in the order of [`DETECTORS`].
pub fn detect(fact: &Fact, earlier: &Earlier<'_>) -> Vec<Finding> {
    DETECTORS.iter().filter_map(|detector| (detector.detect)(fact, earlier)).collect()
}

/// Whether a finding of this detector may declare an incident by itself.
pub fn declares(finding: &Finding) -> bool {
    DETECTORS.iter().any(|detector| detector.name == finding.detector && detector.declares)
}

/// What a detector says of one fact; [`Conclusion::of`] makes the finding.
struct Conclusion {
    detector: &'static str,
    /// Which facts are one finding, after detector and vendor.
    bucket: String,
    vendor: Option<VendorName>,
    grade: FindingGrade,
    title: String,
    window: Window,
    next: &'static [&'static str],
}

impl Conclusion {
    fn of(self, fact: &Fact) -> Finding {
        let vendor = self.vendor.as_ref().map_or("unknown", VendorName::as_str);
        Finding {
            id: FindingId::from_u128(fact.id.to_u128()),
            key: format!("{}/{vendor}/{}", self.detector, self.bucket),
            detector: self.detector.to_owned(),
            vendor: self.vendor,
            grade: self.grade,
            title: self.title,
            evidence: Evidence::of(fact.id, fact.at),
            window: self.window,
            next: self.next.iter().map(|&step| step.to_owned()).collect(),
        }
    }
}

/// The day in UTC on which it happened, as `2026-02-05`.
fn day(at: Timestamp) -> String {
    at.to_jiff().strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn names_in(text: &str, prefix: &str) -> BTreeSet<String> {
        text.lines().filter_map(|line| line.strip_prefix(prefix)).map(str::to_owned).collect()
    }

    #[test]
    fn files_list_and_documentation_name_the_same_detectors() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let listed: BTreeSet<_> = DETECTORS.iter().map(|d| d.name.to_owned()).collect();
        assert_eq!(listed.len(), DETECTORS.len(), "no name twice");

        let files: BTreeSet<_> = std::fs::read_dir(root.join("src"))
            .expect("the sources are there")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .filter_map(|name| name.strip_suffix(".rs").map(|stem| stem.replace('_', "-")))
            .filter(|stem| !["lib", "sample", "token"].contains(&stem.as_str()))
            .collect();
        assert_eq!(files, listed, "one file per detector");

        let page = root.join("../../docs/detectors.md");
        let page = std::fs::read_to_string(page).expect("the page of detectors is there");
        let mut sections = names_in(&page, "## ");
        sections.retain(|section| !section.contains(' '));
        assert_eq!(sections, listed, "one section per detector");
    }

    #[test]
    fn a_fact_seen_twice_makes_the_same_finding_twice() {
        let fact = sample::fact("2026-02-05T02:00:00Z event delivered absent");
        let none = Earlier { facts: &[] };
        assert_eq!(detect(&fact, &none), detect(&fact, &none));
        assert_eq!(detect(&fact, &none)[0].id.to_u128(), fact.id.to_u128());
    }
}
