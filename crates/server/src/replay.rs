//! Recorded calls against another policy: what it would have refused, let through or changed.
//!
//! Every call is asked about as it was recorded, and judged as under `enforce`: what left in
//! `report` and would have been refused counts as refused. Calls that were refused by policy, and
//! that got as far as being read, are asked about too.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::Result;
use ledger::{Asked, CallEnd, Ledger, RecordedCall};
use model::{
    CallId, Coded as _, Field, FieldAction, FieldSet, OperationName, PersonKey, PolicyDigest,
    Purpose, Timestamp, VendorName, WorkloadName, limits,
};
use policy::{Denied, Policy, Question};
use serde::Serialize;

use crate::in_force::Actions;

/// What another policy makes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It left, and would be refused.
    Refused,
    /// Policy refused it, and it would leave.
    LetThrough,
    /// It left, and with the vendor's table of today a field would leave otherwise.
    Changed,
}

/// Calls of one kind to which the same would happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// What would happen.
    pub change: Change,
    /// Whose calls.
    pub workload: WorkloadName,
    /// To whom.
    pub vendor: VendorName,
    /// Why.
    pub purpose: Purpose,
    /// The field that decides, if one does.
    pub field: Option<Field>,
    /// The code of the refusal, or the field's action.
    pub code: String,
    /// The policy that decides, if one does.
    pub policy: Option<String>,
    /// How many calls.
    pub calls: u64,
    /// How many people in them, a person in two calls counted twice.
    pub people: u64,
    /// Some of the calls.
    pub examples: Vec<CallId>,
}

/// How many, of one change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Total {
    /// Calls.
    pub calls: u64,
    /// Persons, each once, as far as the record names them: refused calls name nobody.
    pub persons: u64,
    /// Whether there were more persons than are told apart.
    pub persons_at_least: bool,
}

/// What came of a replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The policy that was asked.
    pub policy: PolicyDigest,
    /// From when on.
    pub since: Timestamp,
    /// Calls that were asked about.
    pub calls: u64,
    /// Calls to which nothing else would happen.
    pub same: u64,
    /// Calls that would be refused.
    pub refused: Total,
    /// Calls that were refused and would leave.
    pub let_through: Total,
    /// Calls of which a field would leave otherwise.
    pub changed: Total,
    /// Calls recorded before Cordon kept what policy was asked: judged by what they disclosed.
    pub by_disclosure: u64,
    /// Calls that cannot be judged: nobody knows whose they were, or they were refused unread.
    pub not_judged: u64,
    /// The same in parts, the most calls first.
    pub groups: Vec<Group>,
    /// Whether there were more kinds of calls than are told apart; the rest is in the totals alone.
    pub groups_cut: bool,
}

/// How far a replay is; shared with whoever asks.
#[derive(Debug, Default)]
pub struct Progress {
    /// Calls read so far.
    pub calls: AtomicU64,
    /// Set to end it early.
    pub cancelled: AtomicBool,
}

/// Asks a policy about every call since a time. Blocking. Nothing when it was cancelled.
///
/// # Errors
/// When the ledger cannot be read.
pub fn replay(
    ledger: &Ledger,
    policy: Arc<Policy>,
    actions: &Actions,
    since: Timestamp,
    progress: &Progress,
) -> Result<Option<Report>> {
    let mut replay = Replay::new(policy, actions, since);
    ledger.calls(since, &mut |call| {
        if !progress.cancelled.load(Ordering::Relaxed) {
            replay.judge(call);
            progress.calls.fetch_add(1, Ordering::Relaxed);
        }
    })?;
    let cancelled = progress.cancelled.load(Ordering::Relaxed);
    Ok((!cancelled).then(|| replay.report()))
}

type Key = (Change, WorkloadName, VendorName, Purpose, Option<Field>, String, Option<String>);

struct Replay<'a> {
    policy: Arc<Policy>,
    actions: &'a Actions,
    none: BTreeMap<Field, FieldAction>,
    report: Report,
    groups: BTreeMap<Key, Group>,
    persons: BTreeMap<Change, HashSet<PersonKey>>,
}

impl<'a> Replay<'a> {
    fn new(policy: Arc<Policy>, actions: &'a Actions, since: Timestamp) -> Self {
        let report = Report {
            policy: policy.digest(),
            since,
            calls: 0,
            same: 0,
            refused: Total::default(),
            let_through: Total::default(),
            changed: Total::default(),
            by_disclosure: 0,
            not_judged: 0,
            groups: Vec::new(),
            groups_cut: false,
        };
        let (none, groups, persons) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { policy, actions, none, report, groups, persons }
    }

    fn judge(&mut self, call: RecordedCall) {
        self.report.calls += 1;
        let by_policy = match &call.end {
            CallEnd::Recorded(_) => None,
            CallEnd::Refused(code) => Some(Denied::is_code(code)),
        };
        let (Some(workload), Some(purpose), false) =
            (&call.workload, &call.purpose, by_policy == Some(false))
        else {
            self.report.not_judged += 1;
            return;
        };
        let actions = self.actions.get(&call.vendor).unwrap_or(&self.none);
        let asked = call.asked.clone().unwrap_or_else(|| Asked {
            policy: self.policy.digest(),
            fields: call.disclosed,
            region: None,
            consent: None,
        });
        self.report.by_disclosure += u64::from(call.asked.is_none());
        let unknown = || OperationName::parse("unknown").expect("it is an operation's name");
        let question = Question {
            workload,
            vendor: &call.vendor,
            operation: &call.operation.clone().unwrap_or_else(unknown),
            purpose,
            fields: asked.fields,
            lists: &call.lists,
            people: call.people as usize,
            region: asked.region.as_ref(),
            consent: asked.consent.as_deref(),
            mode: call.mode.unwrap_or(model::Mode::Enforce),
            at: call.at,
        };
        let judged = self.policy.judge(&question, actions);
        let found: Vec<(Change, Option<Field>, String, Option<String>)> = match (judged, by_policy)
        {
            (Err(denied), None) => vec![refusal(&denied)],
            (Ok(()), Some(_)) => vec![(Change::LetThrough, None, end_code(&call), None)],
            (Ok(()), None) => changes(asked.fields, call.disclosed, actions),
            (Err(_), Some(_)) => Vec::new(),
        };
        let (workload, purpose) = (workload.clone(), purpose.clone());
        self.count(&call, &workload, &purpose, found);
    }

    fn count(
        &mut self,
        call: &RecordedCall,
        workload: &WorkloadName,
        purpose: &Purpose,
        found: Vec<(Change, Option<Field>, String, Option<String>)>,
    ) {
        let Some((change, ..)) = found.first() else {
            self.report.same += 1;
            return;
        };
        let total = match change {
            Change::Refused => &mut self.report.refused,
            Change::LetThrough => &mut self.report.let_through,
            Change::Changed => &mut self.report.changed,
        };
        total.calls += 1;
        let persons = self.persons.entry(*change).or_default();
        for person in &call.persons {
            if persons.len() < limits::REPLAY_PERSONS {
                persons.insert(*person);
            } else {
                total.persons_at_least |= !persons.contains(person);
            }
        }
        total.persons = persons.len() as u64;
        for (change, field, code, policy) in found {
            let key: Key = (
                change,
                workload.clone(),
                call.vendor.clone(),
                purpose.clone(),
                field,
                code.clone(),
                policy.clone(),
            );
            if self.groups.len() >= limits::REPLAY_GROUPS && !self.groups.contains_key(&key) {
                self.report.groups_cut = true;
                continue;
            }
            let group = self.groups.entry(key).or_insert_with(|| Group {
                change,
                workload: workload.clone(),
                vendor: call.vendor.clone(),
                purpose: purpose.clone(),
                field,
                code,
                policy,
                calls: 0,
                people: 0,
                examples: Vec::new(),
            });
            group.calls += 1;
            group.people += u64::from(call.people);
            if group.examples.len() < limits::REPLAY_EXAMPLES {
                group.examples.push(call.call);
            }
        }
    }

    fn report(mut self) -> Report {
        self.report.groups = self.groups.into_values().collect();
        self.report.groups.sort_by_key(|group| std::cmp::Reverse(group.calls));
        self.report
    }
}

fn refusal(denied: &Denied) -> (Change, Option<Field>, String, Option<String>) {
    let (field, policy) = match denied {
        Denied::Field(field) | Denied::Refused(field) => (Some(*field), None),
        Denied::Forbidden(policy) | Denied::Conditions(policy) => (None, Some(policy.to_string())),
        Denied::Vendor | Denied::Purpose | Denied::List => (None, None),
    };
    (Change::Refused, field, denied.code().to_owned(), policy)
}

fn end_code(call: &RecordedCall) -> String {
    match &call.end {
        CallEnd::Refused(code) => code.clone(),
        CallEnd::Recorded(_) => String::new(),
    }
}

/// Fields that left and would leave otherwise by the vendor's table of today, and those that were
/// kept back and would leave.
fn changes(
    asked: FieldSet,
    disclosed: FieldSet,
    actions: &BTreeMap<Field, FieldAction>,
) -> Vec<(Change, Option<Field>, String, Option<String>)> {
    let otherwise = asked.iter().filter_map(|field| {
        let action = actions.get(&field).copied().unwrap_or(FieldAction::Allow);
        let tells = matches!(action, FieldAction::Allow | FieldAction::Truncate);
        let told = disclosed.contains(field);
        (tells != told).then(|| (Change::Changed, Some(field), action.name().to_owned(), None))
    });
    otherwise.collect()
}
