//! A shop that sends mail, and questions about it.

use std::collections::BTreeMap;

use model::id::Id as _;
use model::{
    Coded as _, Consent, Field, FieldAction, FieldSet, Grant, ListName, Mode, OperationName,
    Purpose, Residence, Timestamp, VendorName, Workload, WorkloadId, WorkloadName,
};
use policy::{Denied, Policy, Question, Rejected, Text};

pub fn workload(name: &str, grants: &[(&str, &str, &str)]) -> Workload {
    let grant = |&(vendor, purposes, fields): &(&str, &str, &str)| Grant {
        vendor: VendorName::parse(vendor).expect(vendor),
        purposes: purposes.split_whitespace().map(|p| Purpose::parse(p).expect(p)).collect(),
        fields: FieldSet::parse(fields).expect(fields),
    };
    Workload {
        id: WorkloadId::from_u128(1),
        name: WorkloadName::parse(name).expect(name),
        grants: grants.iter().map(grant).collect(),
        mode: None,
        created_at: Timestamp::from_seconds(0),
    }
}

/// `shop` may give SendGrid addresses, names and texts for receipts and marketing.
pub fn shop() -> Workload {
    workload("shop", &[("sendgrid", "receipts marketing", "email,name,content")])
}

pub fn compile(text: &str) -> Result<Policy, Rejected> {
    let text = Text { origin: "policy.cedar".to_owned(), text: text.to_owned() };
    Policy::compile([&shop()], &[text])
}

/// A call, as it is asked about; every part can be changed.
#[derive(Clone)]
pub struct Call {
    pub workload: &'static str,
    pub vendor: &'static str,
    pub purpose: &'static str,
    pub fields: &'static str,
    pub lists: &'static [&'static str],
    pub people: usize,
    pub region: Option<&'static str>,
    pub consent: Option<&'static str>,
    pub at: &'static str,
    pub actions: BTreeMap<Field, FieldAction>,
}

/// One receipt of the shop's, on a Tuesday at noon.
pub fn receipt() -> Call {
    Call {
        workload: "shop",
        vendor: "sendgrid",
        purpose: "receipts",
        fields: "email,name",
        lists: &[],
        people: 1,
        region: None,
        consent: None,
        at: "2026-11-24T12:00:00Z",
        actions: BTreeMap::new(),
    }
}

impl Call {
    pub fn ask<T>(&self, ask: impl FnOnce(&Question<'_>, &BTreeMap<Field, FieldAction>) -> T) -> T {
        let lists: Vec<ListName> =
            self.lists.iter().map(|list| ListName::parse(list).expect("a list")).collect();
        let region = self.region.map(|text| Residence::parse(text).expect("a region"));
        let consent: Option<Vec<Consent>> = self.consent.map(|text| {
            text.split_whitespace().map(|word| Consent::parse(word).expect("a consent")).collect()
        });
        let question = Question {
            workload: &WorkloadName::parse(self.workload).expect("a workload"),
            vendor: &VendorName::parse(self.vendor).expect("a vendor"),
            operation: &OperationName::parse("mail.send").expect("an operation"),
            purpose: &Purpose::parse(self.purpose).expect("a purpose"),
            fields: FieldSet::parse(self.fields).expect("fields"),
            lists: &lists,
            people: self.people,
            region: region.as_ref(),
            consent: consent.as_deref(),
            mode: Mode::Enforce,
            at: Timestamp::parse(self.at).expect("a time"),
        };
        ask(&question, &self.actions)
    }

    pub fn judge(&self, policy: &Policy) -> Result<(), Denied> {
        self.ask(|question, actions| policy.judge(question, actions))
    }

    /// `permitted`, or the refusal's code.
    pub fn said(&self, policy: &Policy) -> String {
        match self.judge(policy) {
            Ok(()) => "permitted".to_owned(),
            Err(denied) => denied.code().to_owned(),
        }
    }
}
