//! `token-after-end`: a workload's token was shown after it had expired, after the grace of its
//! rotation, or after it was revoked. It opens nothing any more; who still has it is the question.

use model::{Fact, Finding, FindingGrade, Sighting};

use crate::Earlier;
use crate::token::Seen;

const NEXT: &[&str] = &[
    "look for an instance of the workload that still has the old token",
    "if there is none, somebody kept or found it: see where it was stored and who could read it",
    "look up what it disclosed before its end, if it may have been in other hands by then",
];

pub(crate) fn detect(fact: &Fact, _: &Earlier<'_>) -> Option<Finding> {
    let seen = Seen::of(fact)?;
    let end = match seen.how {
        Sighting::Expired => "its time was over",
        Sighting::Revoked => "it was revoked",
        _ => return None,
    };
    let grade = if seen.familiar { FindingGrade::C } else { FindingGrade::B };
    let from = seen.network;
    let title = format!("{seen} was shown after {end}, from {from}; it was refused");
    Some(seen.concludes("token-after-end", grade, title, NEXT).of(fact))
}

#[cfg(test)]
mod tests {
    use crate::sample::findings;

    fn check(fact: &str, expect: &str) {
        assert_eq!(findings(super::detect, fact), expect, "{fact}");
    }

    #[test]
    fn from_the_workloads_own_network_it_may_be_an_instance_that_was_forgotten() {
        let expect = "C token-after-end/sendgrid/tok_070707070707/2026-02-05 the beginning..open";
        check("2026-02-05T02:00:00Z token expired familiar dead", expect);
        check("2026-02-05T02:00:00Z token revoked familiar dead", expect);
    }

    #[test]
    fn from_elsewhere_it_is_in_other_hands() {
        let expect = "B token-after-end/sendgrid/tok_070707070707/2026-02-05 the beginning..open";
        check("2026-02-05T02:00:00Z token expired unfamiliar dead", expect);
        check("2026-02-05T02:00:00Z token revoked unfamiliar dead", expect);
    }
}
