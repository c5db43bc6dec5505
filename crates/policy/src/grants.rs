//! Grants as policies: what operators give with `cordon workload grant`, in Cedar's words.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use model::{Grant, Workload, WorkloadName};

/// Cordon's own workload: what it may do is built in, and it has no grants.
pub const OWN_WORKLOAD: &str = "cordon";

/// The grants of these workloads as one text, in the order of their names.
pub fn render<'a>(workloads: impl IntoIterator<Item = &'a Workload>) -> String {
    let mut text = String::from("// What `cordon workload` grants.\n");
    let mut ordered: Vec<&Workload> = workloads.into_iter().collect();
    ordered.sort_by_key(|workload| &workload.name);
    for workload in ordered.iter().filter(|workload| workload.name.as_str() != OWN_WORKLOAD) {
        let mut seen = BTreeSet::new();
        let grants = workload.grants.iter().filter(|grant| seen.insert(&grant.vendor));
        grants.for_each(|grant| write_grant(&mut text, &workload.name, grant));
    }
    text
}

/// The id of the policy that a grant becomes.
pub(crate) fn id(workload: &WorkloadName, vendor: &model::VendorName) -> String {
    format!("grant/{workload}/{vendor}")
}

fn write_grant(text: &mut String, workload: &WorkloadName, grant: &Grant) {
    let (vendor, id) = (&grant.vendor, id(workload, &grant.vendor));
    let purposes: BTreeSet<&str> = grant.purposes.iter().map(|purpose| purpose.as_str()).collect();
    // Cedar has no literal for an empty set: its elements would have no type.
    let purpose = match purposes.is_empty() {
        true => "false".to_owned(),
        false => format!("{}.contains(context.purpose)", set(purposes)),
    };
    let fields = match grant.fields.is_empty() {
        true => "context.fields.isEmpty()".to_owned(),
        false => {
            let names = grant.fields.iter().map(|field| field.name());
            format!("{}.containsAll(context.fields)", set(names))
        }
    };
    let written = write!(
        text,
        r#"
@id("{id}")
permit (
  principal == Workload::"{workload}",
  action == Action::"disclose",
  resource in Vendor::"{vendor}"
)
when {{
  {purpose} &&
  {fields}
}};
"#
    );
    written.expect("a text takes all that is written to it");
}

/// Names have no character that Cedar's strings would need to escape.
fn set<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("\"{name}\"")).collect();
    format!("[{}]", quoted.join(", "))
}
