//! The grants, rendered as policies, decide exactly as the table did that they replaced.

use std::collections::BTreeMap;

use model::{
    Field, FieldAction, FieldSet, Grant, Mode, OperationName, Purpose, Timestamp, VendorName,
    WorkloadName,
};
use policy::{Denied, Policy, Question};
use proptest::prelude::*;

use crate::support::workload;

/// The table as it stood before there were policies.
fn table(
    grant: Option<&Grant>,
    purpose: &Purpose,
    actions: &BTreeMap<Field, FieldAction>,
    fields: FieldSet,
) -> Result<(), Denied> {
    let grant = grant.ok_or(Denied::Vendor)?;
    if !grant.purposes.contains(purpose) {
        return Err(Denied::Purpose);
    }
    for field in fields.iter() {
        match actions.get(&field) {
            Some(FieldAction::Drop) => {}
            Some(FieldAction::Refuse) => return Err(Denied::Refused(field)),
            _ if !grant.fields.contains(field) => return Err(Denied::Field(field)),
            _ => {}
        }
    }
    Ok(())
}

const VENDORS: [&str; 3] = ["sendgrid", "twilio", "segment"];
const PURPOSES: [&str; 4] = ["receipts", "marketing", "a.b-c_1", "unstated"];

fn fields() -> impl Strategy<Value = FieldSet> {
    let all = (1u32 << Field::ALL.len()) - 1;
    prop_oneof![
        any::<u32>().prop_map(move |bits| bits & all),
        (any::<u32>(), any::<u32>()).prop_map(move |(a, b)| a & b & all)
    ]
    .prop_map(FieldSet::from_bits)
}

fn grants() -> impl Strategy<Value = Vec<Grant>> {
    let purposes = proptest::sample::subsequence(PURPOSES.to_vec(), 0..=3);
    let grant = (proptest::sample::select(VENDORS.to_vec()), purposes, fields());
    let grant = grant.prop_map(|(vendor, purposes, fields)| Grant {
        vendor: VendorName::parse(vendor).expect("a vendor"),
        purposes: purposes.iter().map(|p| Purpose::parse(p).expect("a purpose")).collect(),
        fields,
    });
    proptest::collection::vec(grant, 0..4)
}

fn actions() -> impl Strategy<Value = BTreeMap<Field, FieldAction>> {
    let field = proptest::sample::select(Field::ALL.to_vec());
    let action = proptest::sample::select(FieldAction::ALL.to_vec());
    proptest::collection::btree_map(field, action, 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn rendered_grants_decide_as_the_table_did(
        of_shop in grants(),
        of_blog in grants(),
        actions in actions(),
        asked in proptest::collection::vec(
            (0..VENDORS.len(), 0..PURPOSES.len(), fields(), any::<bool>()), 1..12),
    ) {
        let mut shop = workload("shop", &[]);
        let mut blog = workload("blog", &[]);
        (shop.grants, blog.grants) = (of_shop, of_blog);
        let policy = Policy::compile([&shop, &blog], &[]).expect("grants are valid policies");
        for (vendor, purpose, fields, blogs) in asked {
            let by = if blogs { &blog } else { &shop };
            let vendor = VendorName::parse(VENDORS[vendor]).expect("a vendor");
            let purpose = Purpose::parse(PURPOSES[purpose]).expect("a purpose");
            let expected = table(by.grant(&vendor), &purpose, &actions, fields);
            let question = Question {
                workload: &by.name,
                vendor: &vendor,
                operation: &OperationName::parse("mail.send").expect("an operation"),
                purpose: &purpose,
                fields,
                lists: &[],
                people: 1,
                region: None,
                consent: None,
                mode: Mode::Enforce,
                at: Timestamp::from_seconds(0),
            };
            prop_assert_eq!(policy.judge(&question, &actions), expected.clone());
            prop_assert_eq!(policy.judge(&question, &actions), expected, "also when it is kept");
        }
        let nobody = WorkloadName::parse("nobody").expect("a workload");
        let question = Question {
            workload: &nobody,
            vendor: &VendorName::parse("sendgrid").expect("a vendor"),
            operation: &OperationName::parse("mail.send").expect("an operation"),
            purpose: &Purpose::parse("receipts").expect("a purpose"),
            fields: FieldSet::EMPTY,
            lists: &[],
            people: 0,
            region: None,
            consent: None,
            mode: Mode::Enforce,
            at: Timestamp::from_seconds(0),
        };
        prop_assert_eq!(policy.judge(&question, &actions), Err(Denied::Vendor));
    }
}
