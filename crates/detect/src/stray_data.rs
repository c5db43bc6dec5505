//! `stray-data`: the free text of a program's calls held what no field is for: somebody else's
//! address or number, a secret, a key that is named like one.

use model::{Fact, FactBody, Finding, FindingGrade, Window};

use crate::{Conclusion, Earlier, day};

const NEXT: &[&str] = &[
    "find the template or the code that makes this text, and look what stands in it",
    "give the data a field of its own, or leave it out",
    "a secret that left is known to the vendor: replace it",
];

pub(crate) fn detect(fact: &Fact, _: &Earlier<'_>) -> Option<Finding> {
    let FactBody::StrayData { workload, operation, caught } = &fact.body else { return None };
    let what = match caught.as_str() {
        "text-holds-address" => "an address of somebody whom the call is not for",
        "text-holds-number" => "a telephone number of somebody whom the call is not for",
        "text-holds-secret" => "something of the shape of a secret",
        "text-holds-field" => "a key that is named like a secret or an identity's number",
        _ => "something that does not belong there",
    };
    let conclusion = Conclusion {
        detector: "stray-data",
        bucket: format!("{workload}/{operation}/{caught}/{}", day(fact.at)),
        vendor: fact.vendor.clone(),
        grade: FindingGrade::C,
        title: format!("text that `{workload}` sends by `{operation}` held {what}"),
        window: Window { from: None, to: None },
        next: NEXT,
    };
    Some(conclusion.of(fact))
}

#[cfg(test)]
mod tests {
    use crate::sample::findings;

    #[test]
    fn what_was_caught_is_one_finding_a_day_for_each_kind_of_call() {
        assert_eq!(
            findings(super::detect, "2026-02-05T02:00:00Z stray text-holds-secret"),
            "C stray-data/sendgrid/shop/mail.send/text-holds-secret/2026-02-05 the beginning..open",
        );
    }
}
