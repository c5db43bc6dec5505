//! `token-elsewhere`: a workload's token came from a network that is not its own: one that it may
//! not come from, or one that it never came from. It does not know who is there.

use model::{Fact, Finding, FindingGrade, Sighting};

use crate::Earlier;
use crate::token::Seen;

const NEXT: &[&str] = &[
    "ask the team that runs the workload whether it moved, or runs somewhere new",
    "if nobody knows, replace the token without grace: `cordon workload rotate-token`",
    "look up what its calls from that network disclosed, and when they began",
    "bind the new token to the networks of the workload with `--from`",
];

pub(crate) fn detect(fact: &Fact, _: &Earlier<'_>) -> Option<Finding> {
    let seen = Seen::of(fact)?;
    let from = seen.network;
    let (grade, title) = match seen.how {
        Sighting::Outside => (
            FindingGrade::B,
            format!("{seen} came from {from}, from where it may not come; it was refused"),
        ),
        Sighting::Unfamiliar => (
            FindingGrade::C,
            format!("{seen} came from {from}, from where it never came before; it passed"),
        ),
        _ => return None,
    };
    Some(seen.concludes("token-elsewhere", grade, title, NEXT).of(fact))
}

#[cfg(test)]
mod tests {
    use crate::sample::findings;

    fn check(fact: &str, expect: &str) {
        assert_eq!(findings(super::detect, fact), expect, "{fact}");
    }

    #[test]
    fn a_network_that_was_ruled_out_weighs_more_than_one_that_is_new() {
        check(
            "2026-02-05T02:00:00Z token outside unfamiliar live",
            "B token-elsewhere/sendgrid/tok_070707070707/2026-02-05 the beginning..open",
        );
        check(
            "2026-02-05T02:00:00Z token unfamiliar unfamiliar live",
            "C token-elsewhere/sendgrid/tok_070707070707/2026-02-05 the beginning..open",
        );
    }

    #[test]
    fn other_sightings_are_other_detectors() {
        check("2026-02-05T02:00:00Z token expired familiar dead", "");
        check("2026-02-05T02:00:00Z event delivered absent", "");
    }
}
