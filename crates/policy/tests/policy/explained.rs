//! What operators read about one decision.

use model::{Field, FieldAction};

use crate::support::{Call, compile, receipt};

fn explain(text: &str, call: &Call) -> String {
    let policy = compile(text).expect("a valid policy");
    let explained = call.ask(|question, actions| policy.explain(question, actions));
    serde_json::to_string_pretty(&explained).expect("it has a JSON form")
}

const NO_NAMES: &str = "@id(\"no-names\")\nforbid (principal, action == Action::\"disclose\", resource)\nwhen { context.fields.contains(\"name\") };\n";

#[test]
fn a_permitted_call_names_its_grant_and_the_fate_of_each_field() {
    let mut call = Call { fields: "email,name,phone,content", ..receipt() };
    call.actions.insert(Field::Phone, FieldAction::Drop);
    call.actions.insert(Field::Name, FieldAction::Pseudonymise);
    insta::assert_snapshot!(explain("", &call));
}

#[test]
fn a_forbidden_call_names_the_policy_and_the_field() {
    insta::assert_snapshot!(explain(NO_NAMES, &receipt()));
}

#[test]
fn a_call_that_nothing_permits_names_the_field() {
    let call = Call { fields: "email,birthdate", ..receipt() };
    insta::assert_snapshot!(explain("", &call));
}
