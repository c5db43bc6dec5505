//! `reported-phish`: somebody handed in a mail that is not ours. It weighs what can be checked in
//! the mail itself; who handed it in, and whether they are telling the truth, it does not know.

use model::{Fact, FactBody, Finding, FindingGrade, ReferenceCheck, Window};

use crate::{Conclusion, Earlier, day};

const NEXT: &[&str] = &[
    "read the mail and take down what its links lead to",
    "look for the vendor's events of that hour, and for hits of its canaries",
    "answer the reporter: it is not ours",
];

const NEXT_SIGNED: &[&str] = &[
    "cut the vendor off at the gateway: mail goes out with our signature",
    "cancel what is scheduled at the vendor and delete its API keys",
    "publish on our own domain that this mail is not ours",
    "read the mail and take down what its links lead to",
];

pub(crate) fn detect(fact: &Fact, _: &Earlier<'_>) -> Option<Finding> {
    let FactBody::ReportedMail {
        claims_ours, reference, signed_by_us, via_vendor, recipient, ..
    } = &fact.body
    else {
        return None;
    };
    let vendor = via_vendor.as_ref().or(fact.vendor.as_ref());
    let only_there = recipient.is_some();
    let concerns_us = *claims_ours || only_there && vendor.is_some();
    if !concerns_us {
        return None;
    }
    let genuine = matches!(reference, ReferenceCheck::Valid { .. });
    let copied = matches!(reference, ReferenceCheck::OtherRecipient { .. });
    let (grade, what) = match (*claims_ours, *signed_by_us) {
        (true, true) if genuine => return None,
        (true, true) if copied => {
            (FindingGrade::B, "is signed by us and was made for somebody else")
        }
        (true, true) => (FindingGrade::A, "is signed by us, and Cordon did not send it"),
        (true, false) if genuine => {
            (FindingGrade::C, "has our reference without our signature: forwarded, or altered")
        }
        (true, false) if via_vendor.is_some() => {
            (FindingGrade::B, "claims to be ours and came through the vendor")
        }
        (true, false) if only_there => {
            (FindingGrade::B, "claims to be ours, to an address that only the vendor has")
        }
        (true, false) => (FindingGrade::C, "claims to be ours and is not"),
        (false, _) => (FindingGrade::C, "came to an address that only the vendor has"),
    };
    let named = vendor.map_or_else(String::new, |vendor| format!(" (`{vendor}`)"));
    Some(
        Conclusion {
            detector: "reported-phish",
            bucket: day(fact.at),
            vendor: vendor.cloned(),
            grade,
            title: format!("a mail that was handed in {what}{named}"),
            window: Window { from: None, to: Some(fact.at) },
            next: if *signed_by_us { NEXT_SIGNED } else { NEXT },
        }
        .of(fact),
    )
}

#[cfg(test)]
mod tests {
    use crate::sample::findings;

    fn check(mail: &str, expect: &str) {
        let found = findings(super::detect, &format!("2026-02-06T09:00:00Z {mail}"));
        let (grade_and_key, _) = found.split_once(" the beginning").unwrap_or((&found, ""));
        assert_eq!(grade_and_key, expect, "{mail}");
    }

    #[test]
    fn our_own_mail_is_no_finding() {
        check("mail claims-ours valid signed via-vendor", "");
        check("mail claims-ours valid signed", "");
    }

    #[test]
    fn a_mail_that_does_not_claim_to_be_ours_is_none_of_ours() {
        check("mail absent", "");
        check("mail absent via-vendor", "");
    }

    #[test]
    fn our_signature_on_what_we_did_not_send_means_that_the_account_is_used() {
        check("mail claims-ours absent signed via-vendor", "A reported-phish/sendgrid/2026-02-06");
        check("mail claims-ours forged signed", "A reported-phish/unknown/2026-02-06");
    }

    #[test]
    fn a_signed_copy_made_for_somebody_else_may_be_a_replay_or_a_forward() {
        check("mail claims-ours other-recipient signed", "B reported-phish/unknown/2026-02-06");
    }

    #[test]
    fn the_vendor_on_the_way_or_an_address_only_it_has_points_at_it() {
        check("mail claims-ours absent via-vendor", "B reported-phish/sendgrid/2026-02-06");
        check("mail claims-ours absent only-there", "B reported-phish/unknown/2026-02-06");
        check("mail absent only-there via-vendor", "C reported-phish/sendgrid/2026-02-06");
    }

    #[test]
    fn a_plain_imitation_is_a_sign_with_harmless_explanations() {
        check("mail claims-ours absent", "C reported-phish/unknown/2026-02-06");
        check("mail claims-ours valid", "C reported-phish/unknown/2026-02-06");
    }
}
