//! `vendor-notice`: the vendor itself told us of a breach. What it says is carried, with its
//! window; what it denies is a statement and is weighed elsewhere.

use model::{Fact, FactBody, Finding, FindingGrade, Window};

use crate::{Conclusion, Earlier};

const NEXT: &[&str] = &[
    "declare an incident: our own clocks run from this notice",
    "cut the vendor off at the gateway",
    "demand in writing the logs and the data set that was reached",
    "scope from the ledger with the stated window, and once more with an unknown start",
];

pub(crate) fn detect(fact: &Fact, _: &Earlier<'_>) -> Option<Finding> {
    let FactBody::VendorNotice { access_from, access_to, lists, fields, fields_denied, .. } =
        &fact.body
    else {
        return None;
    };
    let vendor = fact.vendor.as_ref().map_or("a vendor", |vendor| vendor.as_str());
    let mut title = format!("`{vendor}` says that it was breached");
    if !fields.is_empty() {
        title += &format!("; exposed by its word: {fields}");
    }
    if !fields_denied.is_empty() {
        title += &format!("; denied, without proof: {fields_denied}");
    }
    if !lists.is_empty() {
        title += &format!("; lists named: {}", lists.len());
    }
    Some(
        Conclusion {
            detector: "vendor-notice",
            bucket: fact.id.to_string(),
            vendor: fact.vendor.clone(),
            grade: FindingGrade::A,
            title,
            window: Window { from: *access_from, to: *access_to },
            next: NEXT,
        }
        .of(fact),
    )
}

#[cfg(test)]
mod tests {
    use crate::sample::{fact, findings};
    use crate::{Earlier, vendor_notice};

    fn check(notice: &str, expect: &str) {
        assert_eq!(findings(vendor_notice::detect, notice), expect, "{notice}");
    }

    #[test]
    fn the_vendors_own_word_of_a_breach_needs_no_second_sign() {
        check(
            "2026-02-05T02:00:00Z notice - 2026-02-05 email,name password",
            "A vendor-notice/sendgrid/fct_0000000000000000000000000Z \
             the beginning..2026-02-05T00:00:00Z",
        );
    }

    #[test]
    fn an_unknown_window_stays_unknown() {
        check(
            "2026-02-05T02:00:00Z notice - - - -",
            "A vendor-notice/sendgrid/fct_0000000000000000000000000Z the beginning..open",
        );
    }

    #[test]
    fn what_the_vendor_denies_is_worded_as_its_word() {
        let fact = fact("2026-02-05T02:00:00Z notice - - email,name password,payment");
        let finding = vendor_notice::detect(&fact, &Earlier { facts: &[] }).expect("a finding");
        assert_eq!(
            finding.title,
            "`sendgrid` says that it was breached; exposed by its word: email,name; \
             denied, without proof: password,payment"
        );
    }
}
