//! `unknown-send`: the vendor reports on a message that Cordon did not send. It sees the vendor's
//! events only; what the vendor does not report, or hides, is for canaries and reports to find.

use model::{Confidence, Fact, FactBody, Finding, FindingGrade, ReferenceCheck, Window};

use crate::{Conclusion, Earlier, day};

/// What a reader or a scanner did with a message, which may be older than the gateway: alone no
/// evidence of a send (SendGrid's engagement events; Twilio's `read`).
const READERS: &[&str] = &[
    "open",
    "click",
    "read",
    "spamreport",
    "unsubscribe",
    "group_unsubscribe",
    "group_resubscribe",
];

/// Messages to us (Twilio), which we never send.
const INBOUND: &[&str] = &["receiving", "received"];

const NEXT: &[&str] = &[
    "cut the vendor off at the gateway",
    "cancel what is scheduled at the vendor and delete its API keys",
    "read the vendor's own log of sends and log-ins before its retention ends",
    "ask the teams that use this vendor whether one of them sends past the gateway",
];

pub(crate) fn detect(fact: &Fact, _: &Earlier<'_>) -> Option<Finding> {
    let FactBody::VendorEvent { event, reference, .. } = &fact.body else {
        return None;
    };
    if INBOUND.contains(&event.as_str()) {
        return None;
    }
    let by_reader = READERS.contains(&event.as_str());
    let (grade, what) = match reference {
        ReferenceCheck::Valid { .. } => return None,
        ReferenceCheck::Absent if by_reader => return None,
        ReferenceCheck::Absent => (FindingGrade::B, "without our reference"),
        ReferenceCheck::Forged => (FindingGrade::A, "with a forged reference"),
        ReferenceCheck::OtherRecipient { .. } => {
            (FindingGrade::A, "with a reference copied from a message to somebody else")
        }
    };
    let doubtful = by_reader || fact.confidence == Confidence::Stated;
    let vendor = fact.vendor.as_ref().map_or("a vendor", |vendor| vendor.as_str());
    Some(
        Conclusion {
            detector: "unknown-send",
            bucket: day(fact.at),
            vendor: fact.vendor.clone(),
            grade: if doubtful { FindingGrade::C } else { grade },
            title: format!("`{vendor}` reports on a message {what}: Cordon did not send it"),
            // Whoever sent it had access by then; since when is not known.
            window: Window { from: None, to: Some(fact.at) },
            next: NEXT,
        }
        .of(fact),
    )
}

#[cfg(test)]
mod tests {
    use crate::sample::{findings, merged};

    fn check(fact: &str, expect: &str) {
        assert_eq!(findings(super::detect, fact), expect, "{fact}");
    }

    #[test]
    fn a_message_that_we_made_for_this_recipient_is_no_finding() {
        check("2026-02-05T02:00:00Z event delivered valid", "");
        check("2026-02-05T02:00:00Z event bounce valid", "");
    }

    #[test]
    fn a_message_without_our_reference_was_sent_by_somebody_else() {
        for event in ["processed", "delivered", "bounce", "dropped", "deferred", "sent", "queued"] {
            check(
                &format!("2026-02-05T02:00:00Z event {event} absent"),
                "B unknown-send/sendgrid/2026-02-05 the beginning..2026-02-05T02:00:00Z",
            );
        }
    }

    #[test]
    fn a_copied_or_made_up_reference_has_no_harmless_explanation() {
        for reference in ["forged", "other-recipient"] {
            check(
                &format!("2026-02-05T23:59:59Z event processed {reference}"),
                "A unknown-send/sendgrid/2026-02-05 the beginning..2026-02-05T23:59:59Z",
            );
        }
    }

    #[test]
    fn what_readers_and_scanners_do_is_no_evidence_alone() {
        check("2026-02-05T02:00:00Z event open absent", "");
        check("2026-02-05T02:00:00Z event click absent", "");
        check(
            "2026-02-05T02:00:00Z event click forged",
            "C unknown-send/sendgrid/2026-02-05 the beginning..2026-02-05T02:00:00Z",
        );
    }

    #[test]
    fn messages_to_us_are_not_sends() {
        check("2026-02-05T02:00:00Z event received absent", "");
    }

    #[test]
    fn a_night_of_events_is_one_finding_bounded_by_the_first_and_graded_by_the_worst() {
        let night = "2026-02-05T02:00:05Z event delivered absent\n\
                     2026-02-05T02:00:01Z event processed absent\n\
                     2026-02-05T02:00:09Z event delivered forged";
        assert_eq!(
            merged(super::detect, night),
            "A unknown-send/sendgrid/2026-02-05 the beginning..2026-02-05T02:00:01Z ×3"
        );
    }
}
