//! `token-found`: a workload's token was found outside Cordon: with the vendor, where anybody can
//! read, or in something of our own that should not hold it.

use model::{Fact, Finding, FindingGrade, FoundAt, Sighting};

use crate::Earlier;
use crate::token::Seen;

const NEXT_VENDOR: &[&str] = &[
    "find the program that calls the vendor past the gateway, and give it the gateway's address",
    "deny direct egress to the vendor's API by the network",
    "if no program of ours does, replace the token without grace: somebody has it",
];

const NEXT: &[&str] = &[
    "replace the token without grace: `cordon workload rotate-token`",
    "look up what it disclosed since it may have been there",
    "have what holds it taken down, and see what else stands there",
];

pub(crate) fn detect(fact: &Fact, _: &Earlier<'_>) -> Option<Finding> {
    let seen = Seen::of(fact).filter(|seen| seen.how == Sighting::Found)?;
    let live = if seen.live { "it still opens something" } else { "it opens nothing any more" };
    let (grade, place, next) = match (seen.found_at?, seen.live) {
        (FoundAt::Vendor, _) => (FindingGrade::B, "with the vendor", NEXT_VENDOR),
        (FoundAt::Public, true) => (FindingGrade::A, "where anybody can read it", NEXT),
        (FoundAt::Public, false) => (FindingGrade::B, "where anybody can read it", NEXT),
        (FoundAt::Ours, true) => (FindingGrade::B, "in something of our own", NEXT),
        (FoundAt::Ours, false) => (FindingGrade::C, "in something of our own", NEXT),
    };
    let title = format!("{seen} was found {place}; {live}");
    Some(seen.concludes("token-found", grade, title, next).of(fact))
}

#[cfg(test)]
mod tests {
    use crate::sample::{fact, findings};

    fn check(fact: &str, grade: &str) {
        let key = "token-found/sendgrid/tok_070707070707/2026-02-05 the beginning..open";
        assert_eq!(findings(super::detect, fact), format!("{grade} {key}"), "{fact}");
    }

    #[test]
    fn with_the_vendor_a_program_past_the_gateway_would_explain_it() {
        check("2026-02-05T02:00:00Z token found unfamiliar live vendor", "B");
        check("2026-02-05T02:00:00Z token found unfamiliar dead vendor", "B");
    }

    #[test]
    fn in_public_only_its_end_takes_weight_from_it() {
        check("2026-02-05T02:00:00Z token found unfamiliar live public", "A");
        check("2026-02-05T02:00:00Z token found unfamiliar dead public", "B");
    }

    #[test]
    fn in_our_own_log_it_is_a_slip_that_ends_with_the_token() {
        check("2026-02-05T02:00:00Z token found unfamiliar live ours", "B");
        check("2026-02-05T02:00:00Z token found unfamiliar dead ours", "C");
    }

    #[test]
    fn the_title_names_the_token_by_its_id() {
        let fact = fact("2026-02-05T02:00:00Z token found unfamiliar live public");
        let found = super::detect(&fact, &crate::Earlier { facts: &[] }).expect("a finding");
        assert_eq!(
            found.title,
            "the token `tok_070707070707` of `shop` for `sendgrid` was found where anybody can \
             read it; it still opens something"
        );
    }
}
