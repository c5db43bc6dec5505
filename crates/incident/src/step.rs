//! The state machine: who may ask for what, which state follows, and where each command is carried
//! out. The commands themselves are in `containment.rs`, `scope.rs` and `publication.rs`.

use model::{
    Action, Confidence, Finding, IncidentId, OperatorName, Reach, Switch, Timestamp, VendorName,
    Window, limits,
};

use crate::command::{Actor, Author, Command, Effect, Question, Refused, Role};
use crate::containment::STOPPING;
use crate::incident::{Cut, Incident, NoticeState, PlannedStep, State, StepState, TimelineEntry};

/// What an incident starts from.
#[derive(Debug, Clone)]
pub struct Declare {
    /// Its id.
    pub id: IncidentId,
    /// Which vendor was breached.
    pub vendor: VendorName,
    /// One line that reads alone.
    pub title: String,
    /// Who declares it; [`Author::System`] by policy.
    pub by: Author,
    /// When the company became aware: of its own signs or by the vendor's notice, whichever first.
    pub aware_at: Timestamp,
    /// When the vendor became aware itself, if it says so.
    pub vendor_aware_at: Option<Timestamp>,
    /// When the vendor told us, if it did.
    pub vendor_told_at: Option<Timestamp>,
    /// When the intruder had access at the utmost. What a detector bounds or a vendor states is no
    /// reason to start from anything narrower than unknown.
    pub window: Window,
    /// What they could get at, at the utmost.
    pub reach: Reach,
    /// What they certainly got, if that is known.
    pub certain: Option<Question>,
    /// Findings that it is declared from.
    pub findings: Vec<Finding>,
    /// From [`crate::plan`].
    pub plan: Vec<PlannedStep>,
    /// What `cut-gateway` sets: `hold` or `stop`.
    pub cut_with: Switch,
}

/// Opens an incident: the first automatic step starts and the first scope is asked for.
pub fn declare(input: Declare, now: Timestamp) -> (Incident, Vec<Effect>) {
    let by = Actor { author: input.by.clone(), roles: std::collections::BTreeSet::new() };
    let incident = Incident {
        id: input.id,
        vendor: input.vendor,
        title: input.title,
        state: State::Declared,
        declared_at: now,
        declared_by: input.by,
        aware_at: input.aware_at,
        vendor_aware_at: input.vendor_aware_at,
        vendor_told_at: input.vendor_told_at,
        contained_at: None,
        closed_at: None,
        window: input.window,
        reach: input.reach,
        certain: input.certain,
        asked: None,
        questions: 0,
        roles: Default::default(),
        findings: Default::default(),
        moments: Default::default(),
        decisions: Default::default(),
        statements: Vec::new(),
        plan: input.plan,
        cut: Cut { with: input.cut_with, switch: Switch::Open, since: None, lift: None },
        scopes: Vec::new(),
        bulletins: Vec::new(),
        notices: Vec::new(),
        timeline: Vec::new(),
    };
    let mut turn = Turn { incident, by: &by, now, effects: Vec::new() };
    for finding in &input.findings {
        turn.attach(finding);
    }
    turn.note("incident", format!("incident declared: {}", turn.incident.title));
    turn.start_due();
    turn.ask("first scope".to_owned());
    turn.advance();
    (turn.incident, turn.effects)
}

/// Carries out a command: the incident after it, and what is to be done outside.
///
/// # Errors
/// When the incident's state, the actor's roles or the command itself do not allow it.
pub fn step(
    incident: &Incident,
    command: Command,
    by: &Actor,
    now: Timestamp,
) -> Result<(Incident, Vec<Effect>), Refused> {
    allow(incident, &command, by)?;
    let mut turn = Turn { incident: incident.clone(), by, now, effects: Vec::new() };
    turn.carry_out(command)?;
    turn.start_due();
    turn.advance();
    Ok((turn.incident, turn.effects))
}

/// What is still open, for a program that starts again: steps under way, the question to the
/// ledger, notices on their way. What is published and where the switch stands is in the document.
pub fn resume(incident: &Incident) -> Vec<Effect> {
    let running = incident
        .plan
        .iter()
        .filter(|step| matches!(step.state, StepState::Running { .. }))
        .map(|step| Turn::effect_of(incident, step.action));
    let asked = incident.asked.clone().map(|asked| Effect::ComputeScope { asked: Box::new(asked) });
    let sending = incident
        .notices
        .iter()
        .filter(|notice| matches!(notice.state, NoticeState::Approved { .. }))
        .map(|notice| Effect::Notify { notice: notice.notice });
    running.chain(asked).chain(sending).collect()
}

/// Who may give a command.
enum Need {
    /// Cordon itself and nobody else.
    System,
    /// An operator with one of these roles.
    Operator(&'static [Role]),
    /// An operator with one of these roles, or Cordon itself by policy.
    Either(&'static [Role]),
}

/// The whole table of permissions.
const fn need(command: &Command) -> Need {
    use Role::{Approver, Lead, Legal, Responder};
    match command {
        Command::StepStarted { .. }
        | Command::StepDone { .. }
        | Command::ScopeComputed { .. }
        | Command::NoticeEnded { .. } => Need::System,

        Command::AddFinding { .. } | Command::Rescope { .. } => Need::Either(&[Responder]),
        Command::AddFact { .. } => Need::Either(&[Responder, Approver, Legal]),

        Command::RunStep { .. }
        | Command::ConfirmManual { .. }
        | Command::SetWindow { .. }
        | Command::SetReach { .. }
        | Command::SetCertain { .. }
        | Command::RequestLift { .. } => Need::Operator(&[Responder]),

        Command::RecordStatement { .. }
        | Command::ReverseStatement { .. }
        | Command::DraftBulletin { .. }
        | Command::WithdrawBulletin { .. }
        | Command::NoticeDrafted { .. } => Need::Operator(&[Responder, Legal]),

        Command::Determine { .. } | Command::Decide { .. } => Need::Operator(&[Lead, Legal]),

        Command::ApproveBulletin { .. }
        | Command::ApproveNotice { .. }
        | Command::RejectNotice { .. }
        | Command::ApproveLift => Need::Operator(&[Approver]),

        Command::SkipStep { .. }
        | Command::AssignRole { .. }
        | Command::Close { .. }
        | Command::Reopen { .. } => Need::Operator(&[Lead]),
    }
}

fn allow(incident: &Incident, command: &Command, by: &Actor) -> Result<(), Refused> {
    match (need(command), &by.author) {
        (Need::System | Need::Either(_), Author::System) => {}
        (Need::System, Author::Operator(_)) => return Err(Refused::SystemOnly),
        (Need::Operator(roles), Author::System) => return Err(role_missing(roles)),
        (Need::Operator(roles) | Need::Either(roles), Author::Operator(name)) => {
            if !roles.iter().any(|role| has_role(incident, by, name, *role)) {
                return Err(role_missing(roles));
            }
        }
    }
    match (incident.state, command) {
        (State::Closed, Command::Reopen { .. }) => Ok(()),
        (State::Closed, _) => Err(Refused::Closed),
        (_, Command::Reopen { .. }) => Err(Refused::NotClosed),
        _ => Ok(()),
    }
}

fn has_role(incident: &Incident, by: &Actor, name: &OperatorName, role: Role) -> bool {
    let has = |role| by.roles.contains(&role) || incident.roles.get(&role) == Some(name);
    has(role) || role == Role::Responder && has(Role::Lead)
}

fn role_missing(roles: &[Role]) -> Refused {
    let names: Vec<_> = roles.iter().map(|role| role.name()).collect();
    Refused::NotAllowed { needs: names.join(", ") }
}

/// One command being carried out on a copy of the incident.
pub(crate) struct Turn<'a> {
    pub(crate) incident: Incident,
    pub(crate) by: &'a Actor,
    pub(crate) now: Timestamp,
    pub(crate) effects: Vec<Effect>,
}

impl Turn<'_> {
    fn carry_out(&mut self, command: Command) -> Result<(), Refused> {
        match command {
            Command::AddFinding { finding } => self.add_finding(&finding),
            Command::AddFact { at, source, confidence, text } => {
                self.add_fact(at, source, confidence, &text)
            }
            Command::RunStep { action } => self.run_step(action),
            Command::StepStarted { action } => self.step_started(action),
            Command::StepDone { action, outcome } => self.step_done(action, outcome),
            Command::ConfirmManual { action, proof } => self.confirm_manual(action, &proof),
            Command::SkipStep { action, why } => self.skip_step(action, &why),
            Command::SetWindow { window, why } => self.set_window(window, &why),
            Command::SetReach { reach, why } => self.set_reach(reach, &why),
            Command::SetCertain { certain, why } => self.set_certain(certain, &why),
            Command::Rescope { why } => self.rescope(&why),
            Command::ScopeComputed { answer } => self.scope_computed(answer),
            Command::RecordStatement { said } => self.record_statement(said),
            Command::ReverseStatement { number, text } => self.reverse_statement(number, &text),
            Command::Determine { event, at } => self.determine(event, at),
            Command::Decide { regime, applies, why } => self.decide(regime, applies, &why),
            Command::DraftBulletin { bulletin, texts } => self.draft_bulletin(bulletin, texts),
            Command::ApproveBulletin { bulletin, version } => {
                self.approve_bulletin(bulletin, version)
            }
            Command::WithdrawBulletin { bulletin, why } => self.withdraw_bulletin(bulletin, &why),
            Command::NoticeDrafted { notice, scope } => self.notice_drafted(notice, scope),
            Command::ApproveNotice { notice } => self.approve_notice(notice),
            Command::RejectNotice { notice, why } => self.reject_notice(notice, &why),
            Command::NoticeEnded { notice } => self.notice_ended(notice),
            Command::RequestLift { why } => self.request_lift(&why),
            Command::ApproveLift => self.approve_lift(),
            Command::AssignRole { role, operator } => self.assign_role(role, operator),
            Command::Close { why } => self.close(&why),
            Command::Reopen { why } => self.reopen(&why),
        }
    }

    /// Sets the state that follows from the record.
    fn advance(&mut self) {
        let stopped =
            |step: &PlannedStep| step.ok() || matches!(step.state, StepState::Skipped { .. });
        let incident = &mut self.incident;
        let mut stopping = incident.plan.iter().filter(|step| STOPPING.contains(&step.action));
        let cut = incident.planned(Action::CutGateway).is_some();
        if incident.contained_at.is_none() && cut && stopping.all(stopped) {
            incident.contained_at = Some(self.now);
        }
        let sending = |state: &NoticeState| matches!(state, NoticeState::Approved { .. });
        let ended = |state: &NoticeState| matches!(state, NoticeState::Ended { .. });
        let state = if incident.closed_at.is_some() {
            State::Closed
        } else if incident.notices.iter().any(|notice| sending(&notice.state)) {
            State::Notifying
        } else if incident.notices.iter().any(|notice| ended(&notice.state)) {
            State::Monitoring
        } else if !incident.scopes.is_empty() {
            State::Scoped
        } else if incident.contained_at.is_some() {
            State::Contained
        } else {
            State::Declared
        };
        if state != incident.state {
            incident.state = state;
            self.note("incident", format!("the incident is now {}", state.name()));
        }
    }

    fn add_finding(&mut self, finding: &Finding) -> Result<(), Refused> {
        if self.incident.findings.len() >= limits::INCIDENT_ENTRIES {
            return Err(Refused::TooMany("findings"));
        }
        self.attach(finding);
        Ok(())
    }

    fn attach(&mut self, finding: &Finding) {
        let before = self.incident.findings.insert(finding.id, finding.grade);
        if before == Some(finding.grade) {
            return;
        }
        let text = format!("finding of grade {}: {}", finding.grade, finding.title);
        let source = format!("detect/{}", finding.detector);
        self.entry(finding.evidence.first_at, source, Confidence::Certain, text);
    }

    fn add_fact(
        &mut self,
        at: Timestamp,
        source: String,
        confidence: Confidence,
        text: &str,
    ) -> Result<(), Refused> {
        if self.incident.timeline.len() >= limits::INCIDENT_ENTRIES {
            return Err(Refused::TooMany("facts"));
        }
        let source = required("source", &source)?;
        let text = required("text", text)?;
        self.entry(at, source, confidence, text);
        Ok(())
    }

    fn assign_role(&mut self, role: Role, operator: OperatorName) -> Result<(), Refused> {
        self.note("incident", format!("{} is now `{operator}`", role.name()));
        self.incident.roles.insert(role, operator);
        Ok(())
    }

    fn close(&mut self, why: &str) -> Result<(), Refused> {
        let why = required("why", why)?;
        let running = |step: &PlannedStep| matches!(step.state, StepState::Running { .. });
        if self.incident.plan.iter().any(running) {
            return Err(Refused::WorkOpen("a step of containment"));
        }
        if self.incident.state == State::Notifying {
            return Err(Refused::WorkOpen("a notice"));
        }
        if self.incident.asked.is_some() {
            return Err(Refused::WorkOpen("a scope"));
        }
        self.incident.closed_at = Some(self.now);
        self.note("incident", format!("closed: {why}"));
        Ok(())
    }

    fn reopen(&mut self, why: &str) -> Result<(), Refused> {
        let why = required("why", why)?;
        self.incident.closed_at = None;
        self.note("incident", format!("reopened: {why}"));
        Ok(())
    }

    /// Whether nobody who is among `authors` approves.
    pub(crate) fn second_pair_of_eyes(&self, authors: &[Author]) -> Result<(), Refused> {
        if authors.contains(&self.by.author) { Err(Refused::OwnWork) } else { Ok(()) }
    }

    /// An entry on something that the actor did just now.
    pub(crate) fn note(&mut self, source: impl Into<String>, text: String) {
        self.entry(self.now, source.into(), Confidence::Certain, text);
    }

    pub(crate) fn entry(
        &mut self,
        at: Timestamp,
        source: String,
        confidence: Confidence,
        text: String,
    ) {
        let author = self.by.author.clone();
        self.incident.timeline.push(TimelineEntry {
            at,
            recorded_at: self.now,
            source,
            confidence,
            author,
            text,
        });
    }
}

/// A text that may not be empty or over the limit, without spaces around it.
pub(crate) fn required(what: &'static str, text: &str) -> Result<String, Refused> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Refused::TextMissing(what));
    }
    if text.len() > limits::INCIDENT_TEXT_BYTES {
        return Err(Refused::TextTooLong(what));
    }
    Ok(text.to_owned())
}
