//! Containment: the plan in its order, one step at a time, each with how it ended. It does not know
//! how a step is carried out; that is the connectors' and the gateway's.

use connectors::routine::{Guide, StepOutcome};
use model::{Action, Switch, Vendor};

use crate::command::{Effect, Refused};
use crate::incident::{Incident, Lift, PlannedStep, StepMode, StepState};
use crate::step::{Turn, required};

/// Steps that stop the intruder or the flow of data; when all have ended well, it is contained.
pub(crate) const STOPPING: &[Action] = &[
    Action::CutGateway,
    Action::CancelScheduledSends,
    Action::UnscheduleSingleSends,
    Action::DeleteApiKeys,
    Action::ProveKeyRefused,
    Action::CloseSessions,
];

/// The plan against this vendor, in the order of [`Action`]. `offered` says for which steps the
/// connector has a routine, `guide` how a person does one.
pub fn plan(
    vendor: &Vendor,
    offered: &dyn Fn(Action) -> bool,
    guide: &dyn Fn(Action) -> Guide,
) -> Vec<PlannedStep> {
    let step = |&action: &Action| {
        let ours = action == Action::CutGateway;
        let mode = match ours || offered(action) {
            false => StepMode::Manual,
            true if vendor.automatic.contains(&action) => StepMode::Automatic,
            true => StepMode::OnApproval,
        };
        let guide = (!ours).then(|| guide(action));
        PlannedStep { action, mode, state: StepState::Planned, guide }
    };
    Action::ALL.iter().map(step).collect()
}

impl Turn<'_> {
    /// Starts the next step that waits for its turn, unless one is under way. Steps that wait for a
    /// person hold up nobody, and neither does one that failed.
    pub(crate) fn start_due(&mut self) {
        let running = |step: &PlannedStep| matches!(step.state, StepState::Running { .. });
        if self.incident.closed_at.is_some() || self.incident.plan.iter().any(running) {
            return;
        }
        let due = |step: &&mut PlannedStep| match step.state {
            StepState::Planned => step.mode == StepMode::Automatic,
            StepState::Approved { .. } => true,
            _ => false,
        };
        let Some(step) = self.incident.plan.iter_mut().find(due) else {
            return;
        };
        step.state = StepState::Running { since: self.now };
        let action = step.action;
        self.note(source(action), "started".to_owned());
        self.effects.push(Self::effect_of(&self.incident, action));
    }

    /// How a step is carried out.
    pub(crate) const fn effect_of(incident: &Incident, action: Action) -> Effect {
        match action {
            Action::CutGateway => Effect::Cut { switch: incident.cut.with },
            _ => Effect::Execute { action },
        }
    }

    fn planned(&mut self, action: Action) -> Result<&mut PlannedStep, Refused> {
        let mut plan = self.incident.plan.iter_mut();
        plan.find(|step| step.action == action).ok_or(Refused::UnknownStep(action))
    }

    pub(crate) fn run_step(&mut self, action: Action) -> Result<(), Refused> {
        let (by, at) = (self.by.author.clone(), self.now);
        let step = self.planned(action)?;
        if step.mode == StepMode::Manual {
            return Err(Refused::StepManual(action));
        }
        if matches!(step.state, StepState::Running { .. }) {
            return Err(Refused::StepRunning(action));
        }
        let again = step.ended();
        step.state = StepState::Approved { by, at };
        let text = if again { "to be run again" } else { "approved" };
        self.note(source(action), text.to_owned());
        Ok(())
    }

    pub(crate) fn step_started(&mut self, action: Action) -> Result<(), Refused> {
        let now = self.now;
        let step = self.planned(action)?;
        if !matches!(step.state, StepState::Running { .. }) {
            return Err(Refused::StepNotRunning(action));
        }
        step.state = StepState::Running { since: now };
        self.note(source(action), "the executor began".to_owned());
        Ok(())
    }

    pub(crate) fn step_done(
        &mut self,
        action: Action,
        outcome: StepOutcome,
    ) -> Result<(), Refused> {
        let at = self.now;
        let step = self.planned(action)?;
        if !matches!(step.state, StepState::Running { .. }) {
            return Err(Refused::StepNotRunning(action));
        }
        let StepOutcome { ok, verified, detail, .. } = outcome;
        let said = if detail.is_empty() { "no detail".to_owned() } else { detail.join("; ") };
        step.state = if ok {
            StepState::Done { at, verified, detail, proof: None }
        } else {
            StepState::Failed { at, detail }
        };
        if ok && action == Action::CutGateway {
            self.incident.cut.switch = self.incident.cut.with;
            self.incident.cut.since = Some(at);
        }
        let ended = match (ok, verified) {
            (true, true) => "done and verified",
            (true, false) => "done, not verified",
            (false, _) => "failed",
        };
        self.note(source(action), format!("{ended}: {said}"));
        if !ok {
            let vendor = self.incident.vendor.clone();
            let text = format!("containment of `{vendor}`: step `{action}` failed");
            self.effects.push(Effect::Alert { text });
        }
        Ok(())
    }

    pub(crate) fn confirm_manual(&mut self, action: Action, proof: &str) -> Result<(), Refused> {
        let proof = required("proof", proof)?;
        let at = self.now;
        let step = self.planned(action)?;
        match step.state {
            _ if action == Action::CutGateway => return Err(Refused::StepNotManual(action)),
            StepState::Running { .. } => return Err(Refused::StepRunning(action)),
            StepState::Done { .. } => return Err(Refused::StepEnded(action)),
            _ => {}
        }
        // Handed in, not seen by us: done, and not verified.
        let detail = vec!["done by hand".to_owned()];
        self.note(source(action), format!("done by hand; proof: {proof}"));
        self.planned(action)?.state =
            StepState::Done { at, verified: false, detail, proof: Some(proof) };
        Ok(())
    }

    pub(crate) fn skip_step(&mut self, action: Action, why: &str) -> Result<(), Refused> {
        let why = required("why", why)?;
        let (by, at) = (self.by.author.clone(), self.now);
        let step = self.planned(action)?;
        if matches!(step.state, StepState::Done { .. } | StepState::Skipped { .. }) {
            return Err(Refused::StepEnded(action));
        }
        step.state = StepState::Skipped { at, by, why: why.clone() };
        self.note(source(action), format!("skipped: {why}"));
        Ok(())
    }

    pub(crate) fn request_lift(&mut self, why: &str) -> Result<(), Refused> {
        let why = required("why", why)?;
        if self.incident.cut.switch == Switch::Open {
            return Err(Refused::NotCut);
        }
        self.note("gateway", format!("lifting the cut was asked for: {why}"));
        let lift = Lift { by: self.by.author.clone(), at: self.now, why };
        self.incident.cut.lift = Some(lift);
        Ok(())
    }

    pub(crate) fn approve_lift(&mut self) -> Result<(), Refused> {
        let lift = self.incident.cut.lift.clone().ok_or(Refused::NoLiftAsked)?;
        self.second_pair_of_eyes(&[lift.by])?;
        let cut = &mut self.incident.cut;
        cut.lift = None;
        cut.switch = Switch::Open;
        cut.since = None;
        self.note("gateway", format!("the cut is lifted: {}", lift.why));
        self.effects.push(Effect::Cut { switch: Switch::Open });
        Ok(())
    }
}

/// Where entries on a step come from.
fn source(action: Action) -> String {
    format!("step/{action}")
}
