//! `token-other-door`: a workload's token for one vendor was shown at another vendor's door.
//! Programs do not do that by themselves; people who try what they found do, and so does a wrong
//! setting.

use model::{Fact, Finding, FindingGrade, Sighting};

use crate::Earlier;
use crate::token::Seen;

const NEXT: &[&str] = &[
    "look whether the workload's settings were changed just now",
    "if not, replace the token without grace: somebody tries what they found",
    "see which other tokens were kept in the same place, and replace them too",
];

pub(crate) fn detect(fact: &Fact, _: &Earlier<'_>) -> Option<Finding> {
    let seen = Seen::of(fact).filter(|seen| seen.how == Sighting::OtherDoor)?;
    let grade = if seen.familiar { FindingGrade::C } else { FindingGrade::B };
    let door = seen.door.map_or("another vendor", |door| door.as_str());
    let from = seen.network;
    let title = format!("{seen} was shown at the door of `{door}`, from {from}; it was refused");
    Some(seen.concludes("token-other-door", grade, title, NEXT).of(fact))
}

#[cfg(test)]
mod tests {
    use crate::sample::findings;

    fn check(fact: &str, expect: &str) {
        assert_eq!(findings(super::detect, fact), expect, "{fact}");
    }

    #[test]
    fn from_the_workloads_own_network_it_may_be_a_wrong_setting() {
        check(
            "2026-02-05T02:00:00Z token other-door familiar live",
            "C token-other-door/sendgrid/tok_070707070707/2026-02-05 the beginning..open",
        );
    }

    #[test]
    fn from_elsewhere_somebody_tries_what_they_found() {
        check(
            "2026-02-05T02:00:00Z token other-door unfamiliar dead",
            "B token-other-door/sendgrid/tok_070707070707/2026-02-05 the beginning..open",
        );
    }
}
