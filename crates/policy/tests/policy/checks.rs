//! What is wrong with a text, where, and what is only odd.

use std::collections::BTreeSet;

use model::{VendorName, WorkloadName};
use policy::{Policy, SCHEMA, Text};

use crate::support::{compile, shop};

fn problems(text: &str) -> String {
    let rejected = compile(text).expect_err("it does not validate");
    let lines = rejected.problems.iter().map(|problem| {
        let help = problem.help.as_ref().map(|help| format!("\n  help: {help}"));
        format!("{problem}{}\n", help.unwrap_or_default())
    });
    lines.collect()
}

#[test]
fn every_problem_has_its_line_and_column() {
    insta::assert_snapshot!(problems("permit (principal, action, resource)\nwhen { tru };\n"));
    insta::assert_snapshot!(problems("permit (principal, action, resource"));
    insta::assert_snapshot!(problems(
        "permit (principal, action == Action::\"disclose\", resource)\nwhen {\n  context.purpos == \"a\"\n};\n"
    ));
    insta::assert_snapshot!(problems(
        "// Consent may be missing.\nforbid (principal, action == Action::\"disclose\", resource)\nwhen { context.consent.contains(\"sms\") };\n"
    ));
    insta::assert_snapshot!(problems(
        "permit (principal == Person::\"ann\", action == Action::\"disclose\", resource);\n"
    ));
    insta::assert_snapshot!(problems(
        "forbid (principal, action == Action::\"disclose\", resource)\nwhen { context.fields.containsAny([\"email\", \"birthday\"]) };\n"
    ));
    insta::assert_snapshot!(problems(
        "forbid (principal == ?principal, action == Action::\"disclose\", resource);\n"
    ));
}

#[test]
fn an_id_stands_once_and_is_not_one_of_ours() {
    let forbid = |id: &str| format!("@id(\"{id}\") forbid (principal, action, resource);\n");
    let twice = problems(&format!("{}{}", forbid("a"), forbid("a")));
    assert_eq!(twice, "policy.cedar:2:1: another policy has the id `a`\n");
    for (id, why) in [
        ("grant/shop/twilio", "ids that start with `grant/` are Cordon's own"),
        ("role/contain", "another policy has the id `role/contain`"),
        ("own/x", "ids that start with `own/` are Cordon's own"),
        ("two words", "an id has at most 128 printable characters and no space"),
        ("", "an id has at most 128 printable characters and no space"),
    ] {
        assert_eq!(problems(&forbid(id)), format!("policy.cedar:1:1: {why}\n"));
    }
    let policy = compile("forbid (principal, action, resource) when { false };").expect("valid");
    let last = policy.listed().last().expect("ours are there too");
    assert_eq!((last.id.as_str(), last.line), ("policy.cedar/1", 1));
}

#[test]
fn what_never_holds_and_what_nobody_registered_is_a_warning() {
    let policy = compile(
        "forbid (principal, action == Action::\"disclose\", resource == Vendor::\"sendgird\")\nwhen { context.people > 1 && context.mode == \"enforce\" };\npermit (principal == Workload::\"shop\", action == Action::\"contain\", resource);\n",
    )
    .expect("valid");
    let warnings: Vec<String> = policy.warnings().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(warnings.join("\n"));
    let workloads = BTreeSet::from([WorkloadName::parse("shop").expect("a name")]);
    let vendors = BTreeSet::from([VendorName::parse("sendgrid").expect("a name")]);
    let unknown: Vec<String> =
        policy.unknown_names(&workloads, &vendors).iter().map(ToString::to_string).collect();
    assert_eq!(unknown, ["policy.cedar:1:1: `Vendor::\"sendgird\"` is not registered"]);
}

#[test]
fn the_digest_is_of_everything_that_decides() {
    let digest = |texts: &[&str]| {
        let texts: Vec<Text> = texts
            .iter()
            .map(|text| Text { origin: "a".to_owned(), text: (*text).to_owned() })
            .collect();
        Policy::compile([&shop()], &texts).expect("valid").digest()
    };
    assert_eq!(digest(&[]), digest(&[]));
    assert_ne!(digest(&[]), digest(&["forbid (principal, action, resource) when { false };"]));
    let nobody = Policy::compile([], &[]).expect("valid");
    assert_ne!(digest(&[]), nobody.digest(), "a grant is part of it");
}

#[test]
fn the_whole_text_reads_as_policies() {
    let policy = compile("").expect("valid");
    insta::assert_snapshot!(policy.text());
    assert!(SCHEMA.contains("action disclose appliesTo"));
}
