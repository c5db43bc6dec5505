//! What operators may do to vendors and workloads: the same policy, asked about `contain` and
//! `administer`.

use std::collections::{HashMap, HashSet};

use cedar_policy::{Entities, Entity, Request};
use model::{Coded, OperatorName, Switch, Timestamp, VendorName, WorkloadName};

use crate::compile::Policy;
use crate::decide::{record, rule, text, texts, time};
use crate::question::{Moment, PolicyId};
use crate::schema::{self, Action};

/// May this operator do that?
#[derive(Debug, Clone, Copy)]
pub struct OperatorQuestion<'a> {
    /// Who.
    pub operator: &'a OperatorName,
    /// The names of their roles.
    pub roles: &'a [&'a str],
    /// What.
    pub act: Act<'a>,
    /// When.
    pub at: Timestamp,
}

/// What an operator does; `operation` is the API's name for it.
#[derive(Debug, Clone, Copy)]
pub enum Act<'a> {
    /// Sets a vendor's kill switch.
    Contain {
        /// Whose.
        vendor: &'a VendorName,
        /// To which position.
        switch: Switch,
    },
    /// Registers or changes a vendor.
    Vendor {
        /// Which.
        vendor: &'a VendorName,
        /// By which operation.
        operation: &'a str,
    },
    /// Registers or changes a workload.
    Workload {
        /// Which.
        workload: &'a WorkloadName,
        /// By which operation.
        operation: &'a str,
    },
}

/// An operator may not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperatorDenied {
    /// A policy forbids it.
    #[error("policy `{0}` forbids this")]
    Forbidden(PolicyId),
    /// No policy permits it to these roles.
    #[error("no policy permits this to these roles")]
    NotPermitted,
}

impl Coded for OperatorDenied {
    fn code(&self) -> &'static str {
        match self {
            Self::Forbidden(_) => "policy-forbids",
            Self::NotPermitted => "not-permitted",
        }
    }
}

impl Policy {
    /// Decides what an operator may do.
    ///
    /// # Errors
    /// When they may not.
    pub fn allow(&self, question: &OperatorQuestion<'_>) -> Result<(), OperatorDenied> {
        let moment = ("time", time(Moment::of(question.at)));
        let (action, resource, context) = match question.act {
            Act::Contain { vendor, switch } => {
                let switch = ("switch", text(switch.name()));
                (Action::Contain, schema::vendor(vendor), vec![switch, moment])
            }
            Act::Vendor { vendor, operation } => {
                let operation = ("operation", text(operation));
                (Action::Administer, schema::vendor(vendor), vec![operation, moment])
            }
            Act::Workload { workload, operation } => {
                let operation = ("operation", text(operation));
                (Action::Administer, schema::workload(workload), vec![operation, moment])
            }
        };
        let operator = schema::operator(question.operator);
        let roles = ("roles".to_owned(), texts(question.roles.iter().copied()));
        let entity = Entity::new(operator.clone(), HashMap::from([roles]), HashSet::new());
        let entity = entity.expect("a set of names is not computed");
        let entities = Entities::from_entities([entity], None).expect("one entity is no circle");
        let action = action.uid().clone();
        let request = Request::new(operator, action, resource, record(context), None);
        let request = request.expect("a request without a schema is not checked");
        let ruling = rule(self, &self.operators, &request, &entities);
        match ruling.by.into_iter().next() {
            _ if ruling.permitted => Ok(()),
            Some(policy) => Err(OperatorDenied::Forbidden(policy)),
            None => Err(OperatorDenied::NotPermitted),
        }
    }
}
