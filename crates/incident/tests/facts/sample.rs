//! A vendor, people and an incident to begin with.

use std::collections::{BTreeMap, BTreeSet};

use connectors::routine::{Guide, StepOutcome};
use incident::{Actor, Declare, Incident, Role, ScopeAnswer, StepMode, declare, plan};
use model::id::Id as _;
use model::{
    Action, Contract, FieldSet, IncidentId, Mode, OperatorName, ScopeCounts, Switch, Timestamp,
    Vendor, VendorId, VendorName,
};

pub fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect(text)
}

pub fn fields(text: &str) -> FieldSet {
    FieldSet::parse(text).expect(text)
}

pub fn name(text: &str) -> OperatorName {
    OperatorName::parse(text).expect(text)
}

pub fn operator(text: &str, roles: &[Role]) -> Actor {
    Actor::operator(name(text), roles.iter().copied())
}

/// What SendGrid's connector has a routine for.
pub const OFFERED: &[Action] = &[
    Action::SnapshotEvidence,
    Action::CancelScheduledSends,
    Action::UnscheduleSingleSends,
    Action::DeleteApiKeys,
    Action::ProveKeyRefused,
];

pub fn vendor(automatic: &[Action]) -> Vendor {
    Vendor {
        id: VendorId::from_u128(1),
        name: VendorName::parse("sendgrid").expect("a name"),
        connector: "sendgrid".to_owned(),
        endpoint: None,
        smtp: None,
        retention_days: None,
        lists: Vec::new(),
        contract: Contract { notice_hours: Some(24), contact: None },
        mode: Mode::Enforce,
        switch: Switch::Open,
        actions: BTreeMap::new(),
        impossible: FieldSet::EMPTY,
        automatic: automatic.iter().copied().collect::<BTreeSet<_>>(),
        created_at: at("2025-01-01"),
    }
}

pub fn declaration(automatic: &[Action]) -> Declare {
    let vendor = vendor(automatic);
    let guide = |action: Action| Guide {
        steps: vec![format!("do {action} in the vendor's console")],
        proof: "a picture of the console".to_owned(),
    };
    Declare {
        id: IncidentId::from_u128(1),
        vendor: vendor.name.clone(),
        title: "breach at `sendgrid`".to_owned(),
        by: incident::Author::System,
        aware_at: at("2026-02-05T02:00:00Z"),
        vendor_aware_at: None,
        vendor_told_at: None,
        window: Default::default(),
        reach: Default::default(),
        certain: None,
        findings: Vec::new(),
        plan: plan(&vendor, &|action| OFFERED.contains(&action), &guide),
        cut_with: Switch::Stop,
    }
}

pub fn declared(automatic: &[Action]) -> (Incident, Vec<incident::Effect>) {
    let (incident, effects) = declare(declaration(automatic), at("2026-02-05T02:10:00Z"));
    assert!(
        automatic.is_empty() || incident.plan.iter().any(|step| step.mode == StepMode::Automatic)
    );
    (incident, effects)
}

pub fn outcome(ok: bool, verified: bool) -> StepOutcome {
    StepOutcome { ok, verified, detail: vec!["looked twice".to_owned()], evidence: Vec::new() }
}

pub fn answer(question: u32, lower: u64, upper: u64) -> ScopeAnswer {
    let counts = |persons| ScopeCounts { persons, ..ScopeCounts::default() };
    ScopeAnswer {
        question,
        upper: counts(upper),
        lower: counts(lower),
        not_exposed: Vec::new(),
        ledger: "manifest 7".to_owned(),
    }
}

/// Counts from `combination=persons`, `DE=persons`, `US-CA=persons`, parted by spaces; all persons
/// are the sum of the combinations.
pub fn counts(text: &str) -> ScopeCounts {
    let mut counts = ScopeCounts::default();
    for word in text.split_whitespace() {
        let (what, number) = word.split_once('=').expect("what=number");
        let number: u64 = number.parse().expect("a number");
        if what == "unknown" || what.len() == 2 && what.bytes().all(|b| b.is_ascii_uppercase()) {
            counts.by_country.insert(what.to_owned(), number);
        } else if what.contains('-') {
            counts.by_region.insert(what.to_owned(), number);
        } else {
            counts.persons += number;
            for field in fields(what).iter() {
                *counts.by_field.entry(field).or_insert(0) += number;
            }
            counts.by_combination.insert(fields(what).to_string(), number);
        }
    }
    counts
}

/// Lines folded at 88 columns, so that snapshots can be read here.
pub fn folded(lines: impl IntoIterator<Item = String>) -> String {
    let mut folded = Vec::new();
    for line in lines {
        let mut current = String::new();
        for word in line.split(' ') {
            if current.len() + word.len() > 85 {
                folded.push(std::mem::replace(&mut current, "  ".to_owned()));
            }
            if !current.trim().is_empty() {
                current.push(' ');
            }
            current.push_str(word);
        }
        folded.push(current);
    }
    folded.join("\n")
}
