//! What policies decide: conditions on region, consent, time, volume and lists, and the reasons.

use model::{Field, FieldAction};
use policy::Denied;

use crate::support::{Call, compile, receipt};

fn check(text: &str, calls: &[(Call, &str)]) {
    let policy = compile(text).expect("a valid policy");
    for (number, (call, expected)) in calls.iter().enumerate() {
        assert_eq!(call.said(&policy), *expected, "call {number}");
        assert_eq!(call.said(&policy), *expected, "call {number}, asked again");
    }
}

#[test]
fn a_forbid_wins_and_is_named() {
    let policy = compile(
        r#"@id("no-names") forbid (principal, action == Action::"disclose", resource)
           when { context.fields.contains("name") };"#,
    );
    let policy = policy.expect("a valid policy");
    assert_eq!(receipt().judge(&policy), Err(Denied::Forbidden("no-names".into())));
    assert_eq!(Call { fields: "email", ..receipt() }.judge(&policy), Ok(()));
    let mut dropped = receipt();
    dropped.actions.insert(Field::Name, FieldAction::Drop);
    assert_eq!(dropped.judge(&policy), Ok(()), "what is dropped does not leave");
}

#[test]
fn marketing_needs_consent() {
    let marketing = || Call { purpose: "marketing", ..receipt() };
    check(
        r#"@id("consent") forbid (principal, action == Action::"disclose", resource)
           when { context.purpose == "marketing" }
           unless { context has consent && context.consent.contains("marketing") };"#,
        &[
            (receipt(), "permitted"),
            (marketing(), "policy-forbids"),
            (Call { consent: Some("sms"), ..marketing() }, "policy-forbids"),
            (Call { consent: Some("marketing sms"), ..marketing() }, "permitted"),
        ],
    );
}

#[test]
fn a_region_is_compared_with_its_part_or_without() {
    check(
        r#"forbid (principal, action == Action::"disclose", resource in Vendor::"sendgrid")
           when { context has region && (context.region like "CN*" || context.region == "US-CA") };"#,
        &[
            (receipt(), "permitted"),
            (Call { region: Some("CN"), ..receipt() }, "policy-forbids"),
            (Call { region: Some("CN-11"), ..receipt() }, "policy-forbids"),
            (Call { region: Some("US-CA"), ..receipt() }, "policy-forbids"),
            (Call { region: Some("US-NY"), ..receipt() }, "permitted"),
        ],
    );
}

#[test]
fn an_answer_that_depends_on_time_or_people_is_not_kept_for_another_time_or_number() {
    check(
        r#"forbid (principal, action == Action::"disclose", resource)
           when { context.time.weekday > 5 || context.time.hour < 6 || context.people > 100 };"#,
        &[
            (receipt(), "permitted"),
            (Call { at: "2026-11-28T12:00:00Z", ..receipt() }, "policy-forbids"),
            (Call { at: "2026-11-24T05:59:59Z", ..receipt() }, "policy-forbids"),
            (Call { people: 101, ..receipt() }, "policy-forbids"),
            (receipt(), "permitted"),
        ],
    );
    check(
        r#"forbid (principal, action == Action::"disclose", resource) when { context.people > 1 };"#,
        &[(receipt(), "permitted"), (Call { people: 2, ..receipt() }, "policy-forbids")],
    );
}

#[test]
fn a_permit_of_ones_own_adds_to_the_grants_and_says_which_condition_is_missing() {
    check(
        r#"@id("night-export")
           permit (principal == Workload::"shop", action == Action::"disclose",
                   resource == Vendor::"segment")
           when { context.purpose == "analytics" && context.time.hour < 6 };"#,
        &[
            (Call { vendor: "segment", purpose: "analytics", ..receipt() }, "policy-conditions"),
            (Call { vendor: "segment", ..receipt() }, "policy-conditions"),
            (
                Call {
                    vendor: "segment",
                    purpose: "analytics",
                    at: "2026-11-24T03:00:00Z",
                    ..receipt()
                },
                "permitted",
            ),
            (
                Call { vendor: "segment", at: "2026-11-24T03:00:00Z", ..receipt() },
                "purpose-not-granted",
            ),
            (Call { vendor: "twilio", ..receipt() }, "vendor-not-granted"),
        ],
    );
}

#[test]
fn one_policy_has_to_permit_all_fields_together() {
    let policy = compile(
        r#"permit (principal == Workload::"shop", action == Action::"disclose",
                   resource in Vendor::"sendgrid")
           when { ["email", "phone"].containsAll(context.fields) };"#,
    );
    let policy = policy.expect("a valid policy");
    assert_eq!(Call { fields: "email,phone", ..receipt() }.judge(&policy), Ok(()));
    let both = Call { fields: "email,phone,name", ..receipt() };
    assert_eq!(both.judge(&policy), Err(Denied::Field(Field::Name)));
}

#[test]
fn every_list_of_a_call_has_to_be_permitted() {
    let into = |lists| Call { lists, ..receipt() };
    check(
        r#"@id("one-list") forbid (principal == Workload::"shop", action == Action::"disclose",
                                   resource is List in Vendor::"sendgrid")
           unless { resource == List::"sendgrid/Weekly news" };"#,
        &[
            (receipt(), "permitted"),
            (into(&["Weekly news"]), "permitted"),
            (into(&["Weekly news", "Everybody"]), "policy-forbids"),
        ],
    );
    check(
        r#"permit (principal == Workload::"shop", action == Action::"disclose",
                   resource == Vendor::"segment");"#,
        &[
            (Call { vendor: "segment", ..receipt() }, "permitted"),
            (Call { vendor: "segment", ..into(&["a"]) }, "list-not-granted"),
        ],
    );
    check("", &[(into(&["Weekly news"]), "permitted")]);
}

#[test]
fn a_forbid_that_cannot_be_evaluated_forbids() {
    let overflow = r#"@id("sum") forbid (principal, action == Action::"disclose", resource)
        when { context.people * 9223372036854775807 > 9223372036854775806 };"#;
    let policy = compile(overflow).expect("types are right");
    let two = Call { people: 2, ..receipt() };
    assert_eq!(two.judge(&policy), Err(Denied::Forbidden("sum".into())));
}

#[test]
fn cordon_itself_plants_contacts_unless_that_is_forbidden() {
    let canary =
        || Call { workload: "cordon", purpose: "canary", fields: "email,phone", ..receipt() };
    check("", &[(canary(), "permitted")]);
    check(
        r#"forbid (principal == Workload::"cordon", action, resource);"#,
        &[(canary(), "policy-forbids"), (receipt(), "permitted")],
    );
}
