//! A decision costs the same however many workloads there are.

use std::time::Instant;

use policy::{Policy, Text};

use crate::support::{Call, receipt, workload};

/// Prints what a decision takes: `cargo test -p policy --release -- --nocapture what_a_decision`.
#[test]
fn what_a_decision_takes_does_not_grow_with_the_number_of_workloads() {
    let grants = ["sendgrid", "twilio", "segment", "braze", "klaviyo", "zendesk", "resend"];
    let grants = grants.map(|vendor| (vendor, "receipts marketing", "email,name,content"));
    let other = |number| workload(&format!("other-{number}"), &grants);
    let mut took = Vec::new();
    for others in [0, 100] {
        let mut workloads: Vec<_> = (0..others).map(other).collect();
        workloads.push(workload("shop", &grants));
        for timed in ["", "forbid (principal, action, resource) when { false };"] {
            let text = Text { origin: "policy.cedar".to_owned(), text: timed.to_owned() };
            let policy = Policy::compile(&workloads, &[text]).expect("valid");
            let kept = time(&policy, &receipt());
            let anew = time(&policy, &Call { lists: &LONG, ..receipt() }) / (LONG.len() + 1) as f64;
            eprintln!("{others} others: kept {kept:.2} µs, anew {anew:.2} µs");
            took.push(anew);
        }
    }
    assert!(took[2] < 20.0 * took[0], "{took:?}");
}

/// More lists than an answer is kept for: each is asked anew.
static LONG: [&str; 20] =
    ["a list with a name that is long enough to fill the key of an answer"; 20];

/// Microseconds per decision.
#[expect(clippy::disallowed_methods, reason = "what is measured is time itself")]
fn time(policy: &Policy, call: &Call) -> f64 {
    const TIMES: u32 = 300;
    call.ask(|question, actions| {
        policy.judge(question, actions).expect("permitted");
        let began = Instant::now();
        (0..TIMES).for_each(|_| policy.judge(question, actions).expect("permitted"));
        began.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES)
    })
}
