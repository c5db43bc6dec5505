//! What operators may do, by default and under an operator's own forbids.

use model::{OperatorName, Switch, Timestamp, VendorName, WorkloadName};
use policy::{Act, OperatorDenied, OperatorQuestion, Policy};

use crate::support::compile;

fn ask(policy: &Policy, roles: &[&str], act: &str) -> Result<(), OperatorDenied> {
    let vendor = VendorName::parse("sendgrid").expect("a vendor");
    let workload = WorkloadName::parse("shop").expect("a workload");
    let act = match act {
        "stop" => Act::Contain { vendor: &vendor, switch: Switch::Stop },
        "open" => Act::Contain { vendor: &vendor, switch: Switch::Open },
        "workload" => Act::Workload { workload: &workload, operation: "add_workload" },
        operation => Act::Vendor { vendor: &vendor, operation },
    };
    policy.allow(&OperatorQuestion {
        operator: &OperatorName::parse("ann").expect("an operator"),
        roles,
        act,
        at: Timestamp::parse("2026-11-24T12:00:00Z").expect("a time"),
    })
}

#[test]
fn roles_decide_unless_a_policy_says_otherwise() {
    let policy = compile("").expect("valid");
    for (roles, contains, administers) in [
        (&["viewer"][..], false, false),
        (&["engineer"], false, true),
        (&["viewer", "lead"], true, false),
        (&["admin"], true, true),
        (&[], false, false),
    ] {
        assert_eq!(ask(&policy, roles, "stop").is_ok(), contains, "{roles:?}");
        for act in ["change_vendor", "workload"] {
            assert_eq!(ask(&policy, roles, act).is_ok(), administers, "{roles:?} {act}");
        }
    }
    assert_eq!(ask(&policy, &["viewer"], "stop"), Err(OperatorDenied::NotPermitted));
}

#[test]
fn an_operators_own_forbid_is_honoured_and_named() {
    let policy = compile(
        r#"@id("leads-open") forbid (principal, action == Action::"contain", resource)
           when { context.switch == "open" } unless { principal.roles.contains("lead") };
           @id("frozen") forbid (principal == Operator::"ann", action == Action::"administer",
                                 resource == Vendor::"sendgrid")
           when { context.operation == "put_credential" };"#,
    );
    let policy = policy.expect("valid");
    let forbidden = |id: &str| Err(OperatorDenied::Forbidden(id.into()));
    assert_eq!(ask(&policy, &["admin"], "stop"), Ok(()));
    assert_eq!(ask(&policy, &["admin"], "open"), forbidden("leads-open"));
    assert_eq!(ask(&policy, &["lead"], "open"), Ok(()));
    assert_eq!(ask(&policy, &["admin"], "put_credential"), forbidden("frozen"));
    assert_eq!(ask(&policy, &["admin"], "change_vendor"), Ok(()));
}
