//! Why a call is decided as it is: the policies that decided it, and what happens to each field.

use std::collections::BTreeMap;

use model::{Coded as _, Field, FieldAction, FieldSet, PolicyDigest};
use serde::Serialize;

use crate::compile::{Listed, Policy};
use crate::decide::Asked;
use crate::question::{PolicyId, Question};

/// What would become of a call, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// Which policy was asked.
    pub policy: PolicyDigest,
    /// Whether the call would leave under `enforce`.
    pub permitted: bool,
    /// The refusal's code.
    pub code: Option<&'static str>,
    /// The refusal in words.
    pub message: Option<String>,
    /// What happens to each field.
    pub fields: Vec<FieldFate>,
    /// The policies that decided: those that permit it, or those that forbid it. Empty when none
    /// permits it.
    pub decided_by: Vec<Listed>,
}

/// What happens to one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldFate {
    /// Which.
    pub field: Field,
    /// The vendor's table.
    pub action: FieldAction,
    /// Whether policy lets it leave on its own; a field that is dropped needs no permission.
    pub permitted: bool,
    /// The policies that decided that.
    pub decided_by: Vec<PolicyId>,
}

impl Policy {
    /// Explains the decision on a call under a vendor's table of field actions.
    pub fn explain(
        &self,
        question: &Question<'_>,
        actions: &BTreeMap<Field, FieldAction>,
    ) -> Explained {
        let denied = self.judge(question, actions).err();
        let action = |field: Field| actions.get(&field).copied().unwrap_or(FieldAction::Allow);
        let leaves = |action| !matches!(action, FieldAction::Drop | FieldAction::Refuse);
        let asked: FieldSet = question.fields.iter().filter(|&f| leaves(action(f))).collect();
        let lists = std::iter::once(None).chain(question.lists.iter().map(Some));
        let resources: Vec<_> = lists.map(|list| Asked::new(self, question, list)).collect();

        let fate = |field: Field| {
            let action = action(field);
            let rulings = resources.iter().filter(|_| leaves(action));
            let rulings: Vec<_> = rulings
                .map(|asked| asked.rule(FieldSet::EMPTY.with(field), question.purpose))
                .collect();
            let permitted = rulings.iter().all(|ruling| ruling.permitted);
            let decisive = rulings.into_iter().filter(|ruling| ruling.permitted == permitted);
            FieldFate {
                field,
                action,
                permitted: permitted && action != FieldAction::Refuse,
                decided_by: ids(decisive.flat_map(|ruling| ruling.by)),
            }
        };
        let rulings = resources.iter().map(|one| one.rule(asked, question.purpose));
        let rulings: Vec<_> = rulings.collect();
        let permitted = rulings.iter().all(|ruling| ruling.permitted);
        let decisive = rulings.into_iter().filter(|ruling| ruling.permitted == permitted);
        let decided = ids(decisive.flat_map(|ruling| ruling.by));
        let listed = self.rules.iter().filter(|rule| decided.contains(&rule.id));
        Explained {
            policy: self.digest(),
            permitted: denied.is_none(),
            code: denied.as_ref().map(|denied| denied.code()),
            message: denied.as_ref().map(ToString::to_string),
            fields: question.fields.iter().map(fate).collect(),
            decided_by: listed.map(|rule| rule.listed.clone()).collect(),
        }
    }
}

/// Each id once, in order.
fn ids(all: impl Iterator<Item = PolicyId>) -> Vec<PolicyId> {
    let mut ids: Vec<PolicyId> = all.collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
