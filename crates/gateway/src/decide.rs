//! Decide: whether a call may leave, by policy, and what happens to each of its fields, by the
//! vendor's table.
//!
//! `enforce` holds to the verdict; `report` says what it would have been and lets the call pass;
//! `observe` does not ask. The whole decision is made by one registry, the one that the call was
//! admitted under.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{Asked, WouldDisclose};
use model::{Coded as _, Field, FieldAction, FieldSet, ListName, Mode, OperationName};
use policy::{Denied, Question};

use crate::admit::{Admitted, operation_name};
use crate::read::Reading;
use crate::refused::Refused;
use crate::seen::Account;
use crate::trace::Phase;

/// What is to happen to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Whether anything is taken out or replaced at all.
    pub enforced: bool,
    /// What policy was asked.
    pub asked: Asked,
    /// What leaves of everybody besides: values under keys that nobody documents count as `custom`.
    besides: FieldSet,
    actions: BTreeMap<Field, FieldAction>,
}

impl Verdict {
    /// What happens to this field.
    pub fn action(&self, field: Field) -> FieldAction {
        match self.actions.get(&field) {
            Some(action) if self.enforced => *action,
            _ => FieldAction::Allow,
        }
    }

    /// Those of these fields that the vendor gets to know, of somebody of whom the call says them.
    /// A shorter form of a value still tells something of it.
    pub fn disclosed(&self, fields: FieldSet) -> FieldSet {
        let told = |field: &Field| {
            matches!(self.action(*field), FieldAction::Allow | FieldAction::Truncate)
        };
        self.besides.union(fields.iter().filter(told).collect())
    }
}

/// Decides what happens to a call.
pub(crate) fn decide(
    account: &mut Account,
    request: &Admitted,
    reading: &Reading,
) -> Result<Verdict, Refused> {
    account.enter(Phase::Decide);
    let actions = &request.entry().vendor.actions;
    let fields = reading.fields();
    let enforced = request.mode == Mode::Enforce;
    let passes_unknown = !enforced && reading.has_unknown_keys();
    let besides = passes_unknown.then_some(Field::Custom).into_iter().collect();
    let asked = Asked {
        policy: request.policy().digest(),
        fields,
        region: request.stated.region.clone(),
        consent: request.stated.consent.clone(),
    };
    let lists = lists(reading);
    account.would = Some(WouldDisclose {
        purpose: request.purpose.clone(),
        mode: request.mode,
        people: u32::try_from(reading.parties().len()).unwrap_or(u32::MAX),
        lists: lists.clone(),
        asked: asked.clone(),
    });
    let verdict = Verdict { enforced, asked, besides, actions: actions.clone() };
    match request.mode {
        Mode::Enforce => judge(account, request, reading, &lists)?,
        Mode::Report => {
            if let Err(denied) = judge(account, request, reading, &lists) {
                account.seen.would_refuse.get_or_insert(denied.code());
            }
            report_changes(account, actions, fields, reading);
        }
        Mode::Observe => {}
    }
    account.seen.fields = verdict.disclosed(fields);
    Ok(verdict)
}

/// Whether a call may go through under `enforce`.
fn judge(
    account: &Account,
    request: &Admitted,
    reading: &Reading,
    lists: &[ListName],
) -> Result<(), Denied> {
    let unknown = || OperationName::parse("unknown").expect("it is an operation's name");
    let question = Question {
        workload: &request.workload,
        vendor: &request.vendor,
        operation: &request.operation.map_or_else(unknown, operation_name),
        purpose: &request.purpose,
        fields: reading.fields(),
        lists,
        people: reading.parties().len(),
        region: request.stated.region.as_ref(),
        consent: request.stated.consent.as_deref(),
        mode: request.mode,
        at: account.seen.at,
    };
    request.policy().judge(&question, &request.entry().vendor.actions)
}

/// Every list that the call puts anybody in, in the order of their names.
fn lists(reading: &Reading) -> Vec<ListName> {
    let all: BTreeSet<&ListName> = reading.parties().iter().flat_map(|one| &one.lists).collect();
    all.into_iter().cloned().collect()
}

/// Puts on record what `enforce` would have changed.
fn report_changes(
    account: &mut Account,
    actions: &BTreeMap<Field, FieldAction>,
    fields: FieldSet,
    reading: &Reading,
) {
    let acted = |action| fields.iter().any(|field| actions.get(&field) == Some(&action));
    if acted(FieldAction::Drop) {
        account.warn("would-drop-field");
    }
    if acted(FieldAction::Pseudonymise) {
        account.warn("would-pseudonymise-field");
    }
    if acted(FieldAction::Tokenise) {
        account.warn("would-tokenise-field");
    }
    if acted(FieldAction::Truncate) {
        account.warn("would-truncate-field");
    }
    if reading.has_unknown_keys() {
        account.warn("would-drop-unknown-key");
    }
}
