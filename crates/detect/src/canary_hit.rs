//! `canary-hit`: mail reached a contact that only one vendor was ever given. The newest canary that
//! was hit, and the next one that was not, bound the date of the export. It does not say who else
//! was exported.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use model::fact::SenderKind;
use model::{CanaryId, Fact, FactBody, Finding, FindingGrade, Timestamp, Window};

use crate::{Conclusion, Earlier, day};

const NEXT_FOREIGN: &[&str] = &[
    "preserve the vendor's list of exports and of API calls that read contacts",
    "see which of this vendor's other canaries were hit, and which were not",
    "cut the vendor off if a second sign agrees",
    "warn people of mail that uses these contact data",
];

const NEXT_OURS: &[&str] = &[
    "cut the vendor off at the gateway: mail goes out in our name",
    "cancel what is scheduled at the vendor and delete its API keys",
    "publish on our own domain that this mail is not ours",
    "ask the teams that use this vendor whether one of them sends past the gateway",
];

/// One mail to a canary, by what the bounds need.
struct Hit<'a> {
    at: Timestamp,
    canary: CanaryId,
    planted_at: Timestamp,
    superseded_at: Option<Timestamp>,
    sender: SenderKind,
    domain: &'a str,
}

impl<'a> Hit<'a> {
    fn of(fact: &'a Fact) -> Option<Self> {
        let FactBody::CanaryMail { canary, planted_at, superseded_at, sender, from_domain, .. } =
            &fact.body
        else {
            return None;
        };
        Some(Self {
            at: fact.at,
            canary: *canary,
            planted_at: *planted_at,
            superseded_at: *superseded_at,
            sender: *sender,
            domain: from_domain,
        })
    }
}

pub(crate) fn detect(fact: &Fact, earlier: &Earlier<'_>) -> Option<Finding> {
    let hit = Hit::of(fact)?;
    // The same sender's mail is one use of one export; another sender's may be of another.
    let mut hits: Vec<_> = earlier
        .facts
        .iter()
        .filter(|before| before.vendor == fact.vendor && before.id != fact.id)
        .filter_map(Hit::of)
        .filter(|before| before.sender == hit.sender && before.domain == hit.domain)
        .collect();
    let vendor = fact.vendor.as_ref().map_or("a vendor", |vendor| vendor.as_str());
    let bucket = format!("{}/{}", hit.domain, day(hit.at));
    let sender = hit.sender;
    hits.push(hit);
    let canaries = hits.iter().map(|hit| hit.canary).collect::<BTreeSet<_>>().len();
    let (grade, title, next) = match sender {
        SenderKind::Ours => return None,
        SenderKind::OursUnreferenced => (
            FindingGrade::A,
            format!("mail in our name that Cordon did not send reached a canary of `{vendor}`"),
            NEXT_OURS,
        ),
        SenderKind::Foreign if canaries > 1 => (
            FindingGrade::B,
            format!("a stranger wrote to several canaries of `{vendor}`"),
            NEXT_FOREIGN,
        ),
        SenderKind::Foreign => {
            (FindingGrade::C, format!("a stranger wrote to a canary of `{vendor}`"), NEXT_FOREIGN)
        }
    };
    let window = bound(&hits);
    let vendor = fact.vendor.clone();
    let detector = "canary-hit";
    Some(Conclusion { detector, bucket, vendor, grade, title, window, next }.of(fact))
}

/// When the data were taken: not before the newest canary that was hit was planted, not after the
/// first mail to it, and before its successor was planted, since that one is silent so far.
fn bound(hits: &[Hit<'_>]) -> Window {
    let newest = hits.iter().max_by_key(|hit| (hit.planted_at, Reverse(hit.at)));
    newest.map_or_else(Window::default, |newest| {
        let before_successor = newest.superseded_at.map(|superseded| superseded.plus_micros(-1));
        let to = before_successor.map_or(newest.at, |before| before.min(newest.at));
        Window { from: Some(newest.planted_at), to: Some(to) }
    })
}

#[cfg(test)]
mod tests {
    use crate::sample::{findings, merged};

    fn check(facts: &str, expect: &str) {
        assert_eq!(findings(super::detect, facts), expect, "{facts}");
    }

    #[test]
    fn our_own_mail_at_a_canary_is_no_finding() {
        check("2026-02-20T08:00:00Z canary 1 news 2026-02-01 - ours flickr.example", "");
    }

    #[test]
    fn one_strange_mail_is_a_sign_and_bounds_the_export_by_planting_and_arrival() {
        check(
            "2026-02-20T08:00:00Z canary 1 news 2026-02-01 - foreign evil.example",
            "C canary-hit/sendgrid/evil.example/2026-02-20 \
             2026-02-01T00:00:00Z..2026-02-20T08:00:00Z",
        );
    }

    #[test]
    fn a_newer_canary_that_stayed_silent_bounds_the_export_before_its_planting() {
        check(
            "2026-02-20T08:00:00Z canary 1 news 2026-02-01 2026-02-08 foreign evil.example",
            "C canary-hit/sendgrid/evil.example/2026-02-20 \
             2026-02-01T00:00:00Z..2026-02-07T23:59:59.999999Z",
        );
    }

    #[test]
    fn two_canaries_of_one_vendor_agree_and_the_newest_bounds_the_export() {
        check(
            "2026-02-20T08:00:00Z canary 2 news 2026-02-08 - foreign evil.example\n\
             2026-02-20T08:00:05Z canary 1 news 2026-02-01 2026-02-08 foreign evil.example",
            "B canary-hit/sendgrid/evil.example/2026-02-20 \
             2026-02-08T00:00:00Z..2026-02-20T08:00:00Z",
        );
    }

    #[test]
    fn the_same_canary_twice_is_still_one_sign() {
        check(
            "2026-02-20T08:00:00Z canary 1 news 2026-02-01 - foreign evil.example\n\
             2026-02-20T09:00:00Z canary 1 news 2026-02-01 - foreign evil.example",
            "C canary-hit/sendgrid/evil.example/2026-02-20 \
             2026-02-01T00:00:00Z..2026-02-20T08:00:00Z",
        );
    }

    #[test]
    fn two_strangers_do_not_agree_with_each_other() {
        check(
            "2026-02-20T08:00:00Z canary 1 news 2026-02-01 - foreign shop.example\n\
             2026-02-20T09:00:00Z canary 2 news 2026-02-08 - foreign evil.example",
            "C canary-hit/sendgrid/evil.example/2026-02-20 \
             2026-02-08T00:00:00Z..2026-02-20T09:00:00Z",
        );
    }

    #[test]
    fn a_silent_successor_in_another_list_bounds_nothing_here() {
        check(
            "2026-02-20T08:00:00Z canary 2 shop 2026-02-09 - foreign evil.example\n\
             2026-02-20T08:00:05Z canary 1 news 2026-02-01 2026-02-08 foreign evil.example",
            "B canary-hit/sendgrid/evil.example/2026-02-20 \
             2026-02-09T00:00:00Z..2026-02-20T08:00:00Z",
        );
    }

    #[test]
    fn mail_in_our_name_that_we_did_not_send_is_the_strongest_sign() {
        check(
            "2026-01-23T10:03:00Z canary 1 - 2026-01-10 - ours-unreferenced news.example",
            "A canary-hit/sendgrid/news.example/2026-01-23 \
             2026-01-10T00:00:00Z..2026-01-23T10:03:00Z",
        );
    }

    #[test]
    fn a_successor_that_is_hit_after_all_moves_the_bound_to_its_own() {
        let newest_last = "2026-02-20T08:00:00Z canary 1 a 2026-02-01 2026-02-08 foreign e.example
                           2026-02-20T08:00:05Z canary 2 a 2026-02-08 - foreign e.example";
        assert_eq!(
            merged(super::detect, newest_last),
            "B canary-hit/sendgrid/e.example/2026-02-20 \
             2026-02-08T00:00:00Z..2026-02-20T08:00:05Z ×2"
        );
    }
}
