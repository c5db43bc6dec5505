//! Facts in, findings out, and an incident declared when policy says so: one transaction.

use std::collections::BTreeMap;

use anyhow::Result;
use connectors::routine::RoutineInput;
use detect::{DETECTORS, Earlier};
use incident::{Actor, Author, Command, Declare, Effect, Incident};
use model::{
    Fact, FactBody, FactId, Finding, Reach, Secret, Switch, Timestamp, Vendor, VendorName, Window,
};
use serde::Serialize;
use serde_json::json;
use store::{FactFilter, RecordedFinding, Tx};

use crate::app::App;
use crate::config::DeclareAt;
use crate::respond;

/// What came of facts.
#[derive(Debug, Default, Serialize)]
pub struct Observed {
    /// Facts that were not known yet.
    pub new: usize,
    /// Facts that were: duplicates by their source's id.
    pub known: usize,
    /// Findings that they made or strengthened.
    pub findings: Vec<Finding>,
    /// Incidents that were declared.
    pub declared: Vec<model::IncidentId>,
}

/// Records facts, lets every detector look at them, and follows the policy.
///
/// # Errors
/// Faults of the store.
pub async fn observe(app: &App, facts: Vec<Fact>, actor: String) -> Result<Observed> {
    let (world, declare_at) = (app.world.clone(), app.config.policy.declare_at);
    let (observed, grown) = app
        .store
        .write(move |tx| {
            let new = tx.insert_facts(&facts)?;
            let mut observed =
                Observed { new: new.len(), known: facts.len() - new.len(), ..Observed::default() };
            let mut grown = Vec::new();
            for finding in conclude(tx, &facts, &new)? {
                let recorded = tx.record_finding(&finding)?;
                observed.findings.push(recorded.row.finding.clone());
                let policy = Policy { world: &world, declare_at, facts: &facts };
                grown.extend(policy.follow(tx, &recorded, &actor)?);
            }
            observed.declared =
                grown.iter().filter(|grown| grown.new).map(|g| g.incident.id).collect();
            Ok((observed, grown))
        })
        .await?;
    for Grown { incident, effects, .. } in grown {
        respond::perform(app, &incident, effects).await?;
    }
    Ok(observed)
}

/// One finding per key, however many facts speak for it.
fn conclude(tx: &Tx<'_>, facts: &[Fact], new: &[FactId]) -> Result<Vec<Finding>> {
    let mut findings = BTreeMap::<String, Finding>::new();
    for fact in facts.iter().filter(|fact| new.contains(&fact.id)) {
        let earlier = earlier(tx, fact)?;
        for detector in DETECTORS {
            let Some(finding) = (detector.detect)(fact, &Earlier { facts: &earlier }) else {
                continue;
            };
            findings
                .entry(finding.key.clone())
                .and_modify(|known| known.strengthen(&finding))
                .or_insert(finding);
        }
    }
    Ok(findings.into_values().collect())
}

/// Earlier mail to canaries of the same vendor, which one detector compares with.
fn earlier(tx: &Tx<'_>, fact: &Fact) -> Result<Vec<Fact>> {
    const LOOK_BACK: usize = 100;
    if !matches!(fact.body, FactBody::CanaryMail { .. }) {
        return Ok(Vec::new());
    }
    let filter = FactFilter { vendor: fact.vendor.as_ref(), kind: Some(fact.body.kind()) };
    let mut facts = tx.facts(filter, None, LOOK_BACK)?;
    facts.retain(|earlier| earlier.id != fact.id);
    Ok(facts)
}

struct Policy<'a> {
    world: &'a model::World,
    declare_at: DeclareAt,
    facts: &'a [Fact],
}

/// An incident that a finding changed.
struct Grown {
    incident: Incident,
    effects: Vec<Effect>,
    new: bool,
}

impl Policy<'_> {
    /// Adds a finding to the vendor's open incident, or declares one.
    fn follow(
        &self,
        tx: &Tx<'_>,
        recorded: &RecordedFinding,
        actor: &str,
    ) -> Result<Option<Grown>> {
        let finding = &recorded.row.finding;
        let Some(vendor) = &finding.vendor else {
            return Ok(None);
        };
        if let Some(open) = tx.open_incident_of(vendor)? {
            if !recorded.is_new && !recorded.rose {
                return Ok(None);
            }
            tx.link_finding(finding.id, open.id)?;
            let add = Command::AddFinding { finding: finding.clone() };
            let now = self.world.now();
            let (incident, effects) =
                respond::apply(tx, open.id, vec![add], &Actor::system(), now)?;
            return Ok(Some(Grown { incident, effects, new: false }));
        }
        if !detect::declares(finding) || !self.declare_at.reaches(finding.grade) {
            return Ok(None);
        }
        let vendor = tx.vendor(vendor)?;
        let (incident, effects) = declare(
            tx,
            self.world,
            &vendor,
            Start {
                title: finding.title.clone(),
                by: Author::System,
                findings: vec![finding.clone()],
                facts: self.facts,
                window: Window::default(),
                reach: Reach::default(),
            },
        )?;
        let detail = json!({ "finding": finding.id, "grade": finding.grade, "from": actor });
        tx.audit("system", "incident.declared", &incident.id.to_string(), &detail)?;
        Ok(Some(Grown { incident, effects, new: true }))
    }
}

/// What an incident starts from.
pub struct Start<'a> {
    /// One line that reads alone.
    pub title: String,
    /// Who declares it.
    pub by: Author,
    /// From which findings.
    pub findings: Vec<Finding>,
    /// From which facts, for the vendor's own times.
    pub facts: &'a [Fact],
    /// When the intruder had access at the utmost.
    pub window: Window,
    /// What they could get at.
    pub reach: Reach,
}

/// Declares an incident inside a change.
///
/// # Errors
/// When the vendor's connector is gone; faults of the store.
pub fn declare(
    tx: &Tx<'_>,
    world: &model::World,
    vendor: &Vendor,
    start: Start<'_>,
) -> Result<(Incident, Vec<Effect>)> {
    let connector = connectors::connector(&vendor.connector)
        .ok_or_else(|| anyhow::anyhow!("there is no connector `{}`", vendor.connector))?;
    let told = told(start.facts, &vendor.name);
    let now = world.now();
    let input = Declare {
        id: world.id(),
        vendor: vendor.name.clone(),
        title: start.title,
        by: start.by,
        aware_at: told.map_or(now, |(told_at, _)| told_at.min(now)),
        vendor_aware_at: told.and_then(|(_, aware_at)| aware_at),
        vendor_told_at: told.map(|(told_at, _)| told_at),
        window: start.window,
        reach: start.reach,
        certain: None,
        plan: incident::plan(vendor, &|action| offers(connector, action), &|action| {
            connector.guide(action)
        }),
        cut_with: Switch::Stop,
        findings: start.findings,
    };
    let findings: Vec<_> = input.findings.iter().map(|finding| finding.id).collect();
    let (incident, effects) = incident::declare(input, now);
    respond::insert(tx, &incident, &effects)?;
    for finding in findings {
        tx.link_finding(finding, incident.id)?;
    }
    Ok((incident, effects))
}

/// When the vendor told us, and when it says that it became aware itself.
fn told(facts: &[Fact], vendor: &VendorName) -> Option<(Timestamp, Option<Timestamp>)> {
    facts.iter().find_map(|fact| match &fact.body {
        FactBody::VendorNotice { vendor_aware_at, .. } if fact.vendor.as_ref() == Some(vendor) => {
            Some((fact.at, *vendor_aware_at))
        }
        _ => None,
    })
}

/// Whether the connector carries a step out itself.
fn offers(connector: &dyn connectors::Connector, action: model::Action) -> bool {
    let nothing = RoutineInput { credential: Secret::new(String::new()) };
    connector.routine(action, nothing).is_some()
}
