//! The decision on a call, with its whole field set; and on a denial, which part of the call
//! decided it.
//!
//! A vendor's table of field actions goes before policy: what it drops is not asked about, and what
//! it refuses is refused of everybody. Deny is the default, a `forbid` wins, and a `forbid` that
//! cannot be evaluated counts as one that holds.

use std::collections::{BTreeMap, HashSet};

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision, Entities, Entity, EntityUid, Request,
    RestrictedExpression,
};
use model::{Field, FieldAction, FieldSet, ListName, Purpose};

use crate::cache;
use crate::compile::{Effect, Policy, Rule, Slice};
use crate::question::{Denied, Moment, PolicyId, Question};
use crate::schema::{self, Action};

/// What the policies say of one question about one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ruling {
    pub permitted: bool,
    /// The policies that decided it, in the order of their ids; none when nothing permits it.
    pub by: Vec<PolicyId>,
}

impl Policy {
    /// Decides a call under a vendor's table of field actions.
    ///
    /// # Errors
    /// When it may not leave, with the first reason.
    pub fn judge(
        &self,
        question: &Question<'_>,
        actions: &BTreeMap<Field, FieldAction>,
    ) -> Result<(), Denied> {
        let acted = |wanted| -> FieldSet {
            question.fields.iter().filter(|field| actions.get(field) == Some(&wanted)).collect()
        };
        let refused = acted(FieldAction::Refuse);
        let fields = question.fields.minus(acted(FieldAction::Drop)).minus(refused);
        let decided = self.decide(&Question { fields, ..*question });
        let refused = refused.iter().next();
        match (refused, decided) {
            (Some(refused), Ok(())) => Err(Denied::Refused(refused)),
            (Some(refused), Err(Denied::Field(field))) if refused < field => {
                Err(Denied::Refused(refused))
            }
            (_, decided) => decided,
        }
    }

    /// Decides a call whose fields all leave.
    fn decide(&self, question: &Question<'_>) -> Result<(), Denied> {
        let slice = self.slice(question.workload);
        self.cache.answer(cache::key(question, slice.looks), || {
            self.decide_at(question, None)?;
            question.lists.iter().try_for_each(|list| self.decide_at(question, Some(list)))
        })
    }

    fn decide_at(&self, question: &Question<'_>, list: Option<&ListName>) -> Result<(), Denied> {
        let asked = Asked::new(self, question, list);
        let ruling = asked.rule(question.fields, question.purpose);
        match ruling.by.into_iter().next() {
            _ if ruling.permitted => Ok(()),
            Some(forbids) => Err(Denied::Forbidden(forbids)),
            None => Err(asked.why()),
        }
    }
}

/// A question about one resource: a vendor, or one of its lists.
pub(crate) struct Asked<'a> {
    policy: &'a Policy,
    slice: &'a Slice,
    question: &'a Question<'a>,
    vendor: EntityUid,
    resource: EntityUid,
    entities: Entities,
}

impl<'a> Asked<'a> {
    pub fn new(policy: &'a Policy, question: &'a Question<'a>, list: Option<&ListName>) -> Self {
        let vendor = schema::vendor(question.vendor);
        let slice = policy.slice(question.workload);
        let (resource, entities) = match list {
            None => (vendor.clone(), Entities::empty()),
            Some(list) => {
                let list = schema::list(question.vendor, list);
                let entity = Entity::new_no_attrs(list.clone(), HashSet::from([vendor.clone()]));
                let entities = Entities::from_entities([entity], None);
                (list, entities.expect("one list below one vendor is no circle"))
            }
        };
        Self { policy, slice, question, vendor, resource, entities }
    }

    /// What the policies say if the call had these fields and this purpose.
    pub fn rule(&self, fields: FieldSet, purpose: &Purpose) -> Ruling {
        let request = Request::new(
            schema::workload(self.question.workload),
            Action::Disclose.uid().clone(),
            self.resource.clone(),
            context(self.question, fields, purpose),
            None,
        );
        let request = request.expect("a request without a schema is not checked");
        rule(self.policy, &self.slice.set, &request, &self.entities)
    }

    /// Why nothing permits it.
    fn why(&self) -> Denied {
        let heads: Vec<&Rule> = self.permits().collect();
        let Some(head) = heads.first() else {
            return if self.resource == self.vendor { Denied::Vendor } else { Denied::List };
        };
        let purpose = self.question.purpose;
        if self.rule(FieldSet::EMPTY, purpose).permitted {
            return self.field().map_or_else(|| Denied::Conditions(head.id.clone()), Denied::Field);
        }
        if self.other_purposes(&heads).any(|other| self.rule(FieldSet::EMPTY, &other).permitted) {
            return Denied::Purpose;
        }
        let pair = (self.question.workload.clone(), self.question.vendor.clone());
        match self.policy.purposes.get(&pair) {
            Some(granted) if !granted.contains(purpose) => Denied::Purpose,
            _ => Denied::Conditions(head.id.clone()),
        }
    }

    /// Policies whose head permits the workload something at this resource.
    fn permits(&self) -> impl Iterator<Item = &Rule> {
        let rules = self.slice.rules.iter().map(|&place| &self.policy.rules[place]);
        rules.filter(|rule| {
            rule.listed.effect == Effect::Permit && rule.covers(&self.resource, &self.vendor)
        })
    }

    /// The first field, in the order of fields, with which the call is no longer permitted.
    fn field(&self) -> Option<Field> {
        let mut fields = FieldSet::EMPTY;
        self.question.fields.iter().find(|&field| {
            fields = fields.with(field);
            !self.rule(fields, self.question.purpose).permitted
        })
    }

    /// Purposes that these policies name.
    fn other_purposes(&self, heads: &[&Rule]) -> impl Iterator<Item = Purpose> {
        let words = heads.iter().flat_map(|rule| &rule.reads.words);
        let mut purposes: Vec<Purpose> =
            words.filter_map(|word| Purpose::parse(word).ok()).collect();
        purposes.sort_unstable();
        purposes.dedup();
        purposes.into_iter()
    }
}

/// Asks Cedar. A `forbid` that fails to evaluate would be left out by Cedar; here it holds.
pub(crate) fn rule(
    policy: &Policy,
    set: &cedar_policy::PolicySet,
    request: &Request,
    entities: &Entities,
) -> Ruling {
    let response = Authorizer::new().is_authorized(request, set, entities);
    let broken = response.diagnostics().errors().map(|error| match error {
        AuthorizationError::PolicyEvaluationError(error) => policy.rule(error.policy_id()),
    });
    let broken: Vec<PolicyId> = broken
        .filter(|rule| rule.listed.effect == Effect::Forbid)
        .map(|rule| rule.id.clone())
        .collect();
    let permitted = response.decision() == Decision::Allow && broken.is_empty();
    let mut by = broken;
    if permitted || response.decision() == Decision::Deny {
        by.extend(response.diagnostics().reason().map(|id| policy.rule(id).id.clone()));
    }
    by.sort_unstable();
    Ruling { permitted, by }
}

fn context(question: &Question<'_>, fields: FieldSet, purpose: &Purpose) -> Context {
    let mut pairs = vec![
        ("purpose", text(purpose.as_str())),
        ("operation", text(question.operation.as_str())),
        ("fields", texts(fields.iter().map(Field::name))),
        ("people", long(i64::try_from(question.people).unwrap_or(i64::MAX))),
        ("mode", text(question.mode.name())),
        ("time", time(Moment::of(question.at))),
    ];
    if let Some(region) = question.region {
        pairs.push(("region", text(&region.to_string())));
    }
    if let Some(consent) = question.consent {
        pairs.push(("consent", texts(consent.iter().map(|consent| consent.as_str()))));
    }
    record(pairs)
}

/// A context of these pairs.
pub(crate) fn record(pairs: Vec<(&str, RestrictedExpression)>) -> Context {
    let pairs = pairs.into_iter().map(|(name, value)| (name.to_owned(), value));
    Context::from_pairs(pairs).expect("each name stands once, and no value is computed")
}

pub(crate) fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

pub(crate) fn texts<'a>(values: impl Iterator<Item = &'a str>) -> RestrictedExpression {
    RestrictedExpression::new_set(values.map(text))
}

fn long(value: i64) -> RestrictedExpression {
    RestrictedExpression::new_long(value)
}

pub(crate) fn time(moment: Moment) -> RestrictedExpression {
    let pairs = [("epoch", moment.epoch), ("hour", moment.hour), ("weekday", moment.weekday)];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), long(value)));
    RestrictedExpression::new_record(pairs).expect("each name stands once")
}
