//! Decide: what happens to each field of a call, by the workload's grant and the vendor's table.
//!
//! A pure function of the request and what was read out of it. `enforce` holds to the verdict;
//! `report` says what it would have been and lets the call pass; `observe` does not ask.

use std::collections::BTreeMap;

use model::{Coded as _, Field, FieldAction, FieldSet, Grant, Mode, Purpose};

use crate::admit::Admitted;
use crate::read::Reading;
use crate::refused::Refused;
use crate::seen::Account;

/// What is to happen to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Why the data goes out.
    pub purpose: Purpose,
    /// Whether anything is taken out or replaced at all.
    pub enforced: bool,
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
    pub fn disclosed(&self, fields: FieldSet) -> FieldSet {
        let allowed = fields.iter().filter(|field| self.action(*field) == FieldAction::Allow);
        self.besides.union(allowed.collect())
    }
}

/// Decides what happens to a call.
pub(crate) fn decide(
    account: &mut Account,
    request: &Admitted,
    reading: &Reading,
) -> Result<Verdict, Refused> {
    let grant = request.grant.as_ref();
    let actions = &request.entry().vendor.actions;
    let fields = reading.fields();
    let enforced = request.mode == Mode::Enforce;
    let passes_unknown = !enforced && reading.has_unknown_keys();
    let besides = passes_unknown.then_some(Field::Custom).into_iter().collect();
    let verdict = Verdict {
        purpose: purpose(grant, request.purpose.as_ref()),
        enforced,
        besides,
        actions: actions.clone(),
    };
    match request.mode {
        Mode::Enforce => judge(grant, &verdict.purpose, actions, fields)?,
        Mode::Report => {
            report(account, judge(grant, &verdict.purpose, actions, fields));
            report_changes(account, actions, fields, reading);
        }
        Mode::Observe => {}
    }
    account.seen.fields = verdict.disclosed(fields);
    Ok(verdict)
}

/// The purpose that holds: the one stated, else the grant's first.
fn purpose(grant: Option<&Grant>, stated: Option<&Purpose>) -> Purpose {
    stated
        .or_else(|| grant.and_then(|grant| grant.purposes.first()))
        .cloned()
        .unwrap_or_else(|| Purpose::parse("unstated").expect("it is a purpose's name"))
}

/// Whether a call may go through under `enforce`.
fn judge(
    grant: Option<&Grant>,
    purpose: &Purpose,
    actions: &BTreeMap<Field, FieldAction>,
    fields: FieldSet,
) -> Result<(), Refused> {
    let grant = grant.ok_or(Refused::VendorNotGranted)?;
    if !grant.purposes.contains(purpose) {
        return Err(Refused::PurposeNotGranted);
    }
    for field in fields.iter() {
        match actions.get(&field) {
            Some(FieldAction::Drop) => {}
            Some(FieldAction::Refuse) => return Err(Refused::FieldRefused(field)),
            _ if !grant.fields.contains(field) => return Err(Refused::FieldNotGranted(field)),
            _ => {}
        }
    }
    Ok(())
}

/// Puts on record what `enforce` would have refused.
fn report(account: &mut Account, judged: Result<(), Refused>) {
    if let Err(refused) = judged {
        account.seen.would_refuse.get_or_insert(refused.code());
    }
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
    if reading.has_unknown_keys() {
        account.warn("would-drop-unknown-key");
    }
}
