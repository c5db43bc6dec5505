//! The state machine, step by step.

use incident::{
    Actor, BulletinText, Command, Effect, Incident, NoticeState, Refused, Role, Said, State,
    StepState, resume, step,
};
use model::id::Id as _;
use model::{Action, Coded as _, Language, NoticeId, Switch, Timestamp, Window};

use crate::sample::{OFFERED, answer, at, declared, name, operator, outcome};

const AUTOMATIC: &[Action] = &[
    Action::SnapshotEvidence,
    Action::CutGateway,
    Action::CancelScheduledSends,
    Action::UnscheduleSingleSends,
    Action::DeleteApiKeys,
    Action::ProveKeyRefused,
];

/// An incident and a clock that moves a second with each command.
struct Story {
    incident: Incident,
    now: Timestamp,
    effects: Vec<Effect>,
}

impl Story {
    fn begin(automatic: &[Action]) -> Self {
        let (incident, effects) = declared(automatic);
        Self { incident, now: at("2026-02-05T02:10:00Z"), effects }
    }

    fn does(&mut self, by: &Actor, command: Command) -> &mut Self {
        let shown = format!("{command:?}");
        self.tries(by, command).unwrap_or_else(|refused| panic!("{shown}: {refused}"));
        self
    }

    fn tries(&mut self, by: &Actor, command: Command) -> Result<(), Refused> {
        self.now = self.now.plus_seconds(1);
        let (incident, effects) = step(&self.incident, command, by, self.now)?;
        self.incident = incident;
        self.effects = effects;
        Ok(())
    }

    fn refuses(&mut self, by: &Actor, command: Command, code: &str) -> &mut Self {
        let before = self.incident.clone();
        let refused = self.tries(by, command).expect_err(code);
        assert_eq!(refused.code(), code);
        assert_eq!(self.incident, before, "nothing has changed");
        self
    }

    fn ends(&mut self, action: Action, ok: bool) -> &mut Self {
        self.does(&Actor::system(), Command::StepDone { action, outcome: outcome(ok, ok) })
    }

    fn state_of(&self, action: Action) -> &StepState {
        &self.incident.planned(action).expect("it is in the plan").state
    }
}

fn lead() -> Actor {
    operator("lea", &[Role::Lead])
}

fn responder() -> Actor {
    operator("ron", &[Role::Responder, Role::Approver])
}

fn approver() -> Actor {
    operator("ada", &[Role::Approver, Role::Responder])
}

fn why() -> String {
    "for a reason".to_owned()
}

fn bulletin(number: Option<u32>) -> Command {
    let text = BulletinText {
        language: Language::parse("en").expect("a language"),
        title: "A provider of ours was breached".to_owned(),
        body: "We cut it off.".to_owned(),
    };
    Command::DraftBulletin { bulletin: number, texts: vec![text] }
}

#[test]
fn declaring_starts_the_first_step_and_asks_for_the_first_scope() {
    let story = Story::begin(AUTOMATIC);
    assert_eq!(story.incident.state, State::Declared);
    assert_eq!(story.effects[0], Effect::Execute { action: Action::SnapshotEvidence });
    let Effect::ComputeScope { asked } = &story.effects[1] else {
        panic!("a scope is asked for");
    };
    assert_eq!((asked.number, asked.upper.window), (1, Window::default()));
    assert_eq!(story.effects.len(), 2);
}

#[test]
fn automatic_steps_run_one_after_another_in_their_order() {
    let mut story = Story::begin(AUTOMATIC);
    for pair in AUTOMATIC.windows(2) {
        story.ends(pair[0], true);
        let next = match pair[1] {
            Action::CutGateway => Effect::Cut { switch: Switch::Stop },
            action => Effect::Execute { action },
        };
        assert_eq!(story.effects, [next], "after {}", pair[0]);
    }
    story.ends(Action::ProveKeyRefused, true);
    assert!(story.effects.is_empty(), "what is left is done by hand");
    assert_eq!(story.incident.cut.switch, Switch::Stop);
    assert_eq!(story.incident.state, State::Declared, "sessions are not closed yet");
    let proof = "picture 3".to_owned();
    story.does(&responder(), Command::ConfirmManual { action: Action::CloseSessions, proof });
    assert_eq!(story.incident.state, State::Contained);
    assert_eq!(story.incident.contained_at, Some(story.now));
    let step = story.incident.planned(Action::CloseSessions).expect("planned");
    assert!(step.ok() && !step.verified(), "handed in is not verified");
}

#[test]
fn a_failed_step_is_loud_and_holds_up_nobody_but_the_word_contained() {
    let mut story = Story::begin(AUTOMATIC);
    story.ends(Action::SnapshotEvidence, true).ends(Action::CutGateway, true);
    story.ends(Action::CancelScheduledSends, false);
    assert_eq!(
        story.effects,
        [
            Effect::Alert {
                text: "containment of `sendgrid`: step `cancel-scheduled-sends` failed".to_owned()
            },
            Effect::Execute { action: Action::UnscheduleSingleSends },
        ]
    );
    story.ends(Action::UnscheduleSingleSends, true).ends(Action::DeleteApiKeys, true);
    story.ends(Action::ProveKeyRefused, true);
    story.does(&lead(), Command::SkipStep { action: Action::CloseSessions, why: why() });
    assert_eq!(story.incident.contained_at, None, "a step failed");
    story.does(&Actor::system(), Command::ScopeComputed { answer: answer(1, 0, 10) });
    assert_eq!(story.incident.state, State::Scoped, "people do not wait for it");
    story.does(&responder(), Command::RunStep { action: Action::CancelScheduledSends });
    assert_eq!(story.effects, [Effect::Execute { action: Action::CancelScheduledSends }]);
    story.ends(Action::CancelScheduledSends, true);
    assert_eq!(story.incident.contained_at, Some(story.now));
}

#[test]
fn a_step_on_approval_waits_for_a_person_and_then_for_its_turn() {
    let mut story = Story::begin(&[Action::SnapshotEvidence, Action::DeleteApiKeys]);
    let cut = Action::CutGateway;
    story.does(&responder(), Command::RunStep { action: cut });
    assert!(story.effects.is_empty(), "the snapshot is still under way");
    assert!(matches!(story.state_of(cut), StepState::Approved { .. }));
    story.ends(Action::SnapshotEvidence, false);
    assert_eq!(story.effects[1], Effect::Cut { switch: Switch::Stop });
    story.ends(cut, true);
    assert_eq!(story.effects, [Effect::Execute { action: Action::DeleteApiKeys }]);
    story.refuses(&responder(), Command::RunStep { action: Action::DeleteApiKeys }, "step-running");
    story.refuses(&responder(), Command::RunStep { action: Action::DemandLogs }, "step-manual");
}

#[test]
fn only_the_system_says_that_the_cut_is_done() {
    let mut story = Story::begin(&[]);
    let action = Action::CutGateway;
    let proof = "trust me".to_owned();
    story.refuses(&lead(), Command::ConfirmManual { action, proof }, "step-not-manual");
    let done = Command::StepDone { action, outcome: outcome(true, true) };
    story.refuses(&lead(), done.clone(), "system-only");
    story.refuses(&Actor::system(), done, "step-not-running");
    story.refuses(&Actor::system(), Command::RunStep { action }, "role-missing");
}

#[test]
fn a_scope_answers_the_newest_question_only_and_each_is_a_version() {
    let mut story = Story::begin(AUTOMATIC);
    let window = Window { from: Some(at("2026-01-01")), to: None };
    story.does(&responder(), Command::SetWindow { window, why: why() });
    let stale = Command::ScopeComputed { answer: answer(1, 0, 10) };
    story.refuses(&Actor::system(), stale, "scope-outdated");
    let crossed = Command::ScopeComputed { answer: answer(2, 11, 10) };
    story.refuses(&Actor::system(), crossed, "scope-bounds-crossed");
    story.does(&Actor::system(), Command::ScopeComputed { answer: answer(2, 0, 10) });
    story.does(&responder(), Command::Rescope { why: why() });
    story.does(&Actor::system(), Command::ScopeComputed { answer: answer(3, 0, 12) });
    let versions: Vec<_> =
        story.incident.scopes.iter().map(|s| (s.version, s.upper.persons)).collect();
    assert_eq!(versions, [(1, 10), (2, 12)]);
    assert_eq!(story.incident.scopes[0].window, window);
    let window = Window { from: Some(at("2026-02-01")), to: Some(at("2026-01-01")) };
    story.refuses(&responder(), Command::SetWindow { window, why: why() }, "window-empty");
}

#[test]
fn nobody_approves_what_they_wrote_or_asked_for() {
    let mut story = Story::begin(AUTOMATIC);
    story.does(&responder(), bulletin(None));
    let publish = |version| Command::ApproveBulletin { bulletin: 1, version };
    story.refuses(&responder(), publish(1), "own-work");
    story.refuses(&lead(), publish(1), "role-missing");
    story.does(&approver(), publish(1));
    assert_eq!(story.effects, [Effect::Publish { bulletin: 1, version: 1 }]);

    let notice = NoticeId::from_u128(9);
    story.does(&responder(), Command::NoticeDrafted { notice, scope: None });
    story.does(&approver(), Command::NoticeDrafted { notice, scope: None });
    story.refuses(&responder(), Command::ApproveNotice { notice }, "own-work");
    story.refuses(&approver(), Command::ApproveNotice { notice }, "own-work");

    story.ends(Action::SnapshotEvidence, true).ends(Action::CutGateway, true);
    story.refuses(&approver(), Command::ApproveLift, "lift-not-asked");
    story.does(&responder(), Command::RequestLift { why: why() });
    story.refuses(&responder(), Command::ApproveLift, "own-work");
    story.does(&approver(), Command::ApproveLift);
    assert!(story.effects.contains(&Effect::Cut { switch: Switch::Open }));
}

#[test]
fn an_approval_is_of_the_version_that_was_read() {
    let mut story = Story::begin(AUTOMATIC);
    story.does(&responder(), bulletin(None)).does(&responder(), bulletin(Some(1)));
    let publish = |version| Command::ApproveBulletin { bulletin: 1, version };
    story.refuses(&approver(), publish(1), "bulletin-changed");
    story.does(&approver(), publish(2)).does(&responder(), bulletin(Some(1)));
    assert_eq!(story.incident.bulletins[0].published().map(|v| v.version), Some(2));
    story.does(&responder(), Command::WithdrawBulletin { bulletin: 1, why: why() });
    story.refuses(&approver(), publish(3), "bulletin-not-draft");
    assert_eq!(story.incident.bulletins[0].published().map(|v| v.version), Some(2));
    story.refuses(&responder(), bulletin(Some(7)), "bulletin-unknown");
}

#[test]
fn the_state_follows_from_notices_and_a_correction_goes_the_same_way_again() {
    let mut story = Story::begin(AUTOMATIC);
    let system = Actor::system();
    story.does(&system, Command::ScopeComputed { answer: answer(1, 0, 10) });
    for (number, id) in [1, 2].into_iter().enumerate() {
        let notice = NoticeId::from_u128(id);
        story.does(&responder(), Command::NoticeDrafted { notice, scope: Some(1) });
        story.does(&approver(), Command::ApproveNotice { notice });
        assert_eq!(story.incident.state, State::Notifying, "notice {number}");
        assert_eq!(resume(&story.incident).last(), Some(&Effect::Notify { notice }));
        story.refuses(&lead(), Command::Close { why: why() }, "work-open");
        story.does(&system, Command::NoticeEnded { notice });
        assert_eq!(story.incident.state, State::Monitoring, "notice {number}");
        assert!(matches!(story.incident.notices[number].state, NoticeState::Ended { .. }));
    }
    let unknown = Command::NoticeDrafted { notice: NoticeId::from_u128(3), scope: Some(8) };
    story.refuses(&responder(), unknown, "scope-unknown");
}

#[test]
fn a_closed_incident_takes_nothing_but_being_reopened() {
    let mut story = Story::begin(&[]);
    story.refuses(&lead(), Command::Close { why: why() }, "work-open");
    story.does(&Actor::system(), Command::ScopeComputed { answer: answer(1, 0, 0) });
    story.refuses(&lead(), Command::Close { why: " ".to_owned() }, "text-missing");
    story.does(&lead(), Command::Close { why: why() });
    assert_eq!(story.incident.state, State::Closed);
    story.refuses(&responder(), Command::RunStep { action: Action::CutGateway }, "incident-closed");
    story.does(&lead(), Command::Reopen { why: why() });
    assert_eq!(story.incident.state, State::Scoped);
    story.refuses(&lead(), Command::Reopen { why: why() }, "incident-not-closed");
}

#[test]
fn roles_may_be_given_in_one_incident_alone() {
    let mut story = Story::begin(&[]);
    let guest = operator("guy", &[]);
    story.refuses(&guest, bulletin(None), "role-missing");
    let assign = Command::AssignRole { role: Role::Legal, operator: name("guy") };
    story.refuses(&responder(), assign.clone(), "role-missing");
    story.does(&lead(), assign).does(&guest, bulletin(None));
    story.refuses(&guest, Command::RunStep { action: Action::CutGateway }, "role-missing");
}

#[test]
fn the_vendors_word_is_recorded_with_its_reversal_and_moves_no_window() {
    let mut story = Story::begin(&[]);
    let said = Said {
        said_at: at("2026-02-05T01:55:00Z"),
        source: "mail".to_owned(),
        fields_exposed: crate::sample::fields("email"),
        fields_denied: crate::sample::fields("password"),
        window: Window { from: Some(at("2026-02-04")), to: None },
        vendor_aware_at: Some(at("2026-02-01")),
        text: "a fault in one endpoint".to_owned(),
    };
    story.does(&responder(), Command::RecordStatement { said });
    assert_eq!(story.incident.window, Window::default());
    assert_eq!(story.incident.vendor_told_at, Some(at("2026-02-05T01:55:00Z")));
    assert_eq!(story.incident.vendor_aware_at, Some(at("2026-02-01")));
    let reverse =
        |number| Command::ReverseStatement { number, text: "passwords after all".to_owned() };
    story.refuses(&responder(), reverse(2), "statement-unknown");
    story.does(&responder(), reverse(1)).refuses(&responder(), reverse(1), "statement-reversed");
    let first = story.incident.timeline_by_time()[0];
    assert_eq!(first.text, "statement 1, the vendor's word: a fault in one endpoint");
}

#[test]
fn after_a_crash_what_was_under_way_is_given_again() {
    let story = Story::begin(AUTOMATIC);
    assert_eq!(resume(&story.incident), story.effects);
}

#[test]
fn the_plan_says_who_starts_what() {
    let story = Story::begin(&[Action::CutGateway, Action::CloseSessions]);
    let plan: Vec<_> =
        story.incident.plan.iter().map(|step| format!("{} {:?}", step.action, step.mode)).collect();
    insta::assert_snapshot!(plan.join("\n"), @r"
    snapshot-evidence OnApproval
    cut-gateway Automatic
    cancel-scheduled-sends OnApproval
    unschedule-single-sends OnApproval
    delete-api-keys OnApproval
    prove-key-refused OnApproval
    close-sessions Manual
    move-critical-mail Manual
    protect-login Manual
    demand-logs Manual
    demand-deletion Manual
    ");
    assert!(!OFFERED.contains(&Action::CloseSessions), "policy cannot offer what the vendor lacks");
}
