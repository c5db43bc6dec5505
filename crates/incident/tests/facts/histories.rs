//! Whatever is asked of an incident, by whomever, in whatever order.

use incident::{
    Actor, Author, BulletinState, BulletinText, Command, Effect, Incident, Notice, NoticeState,
    Question, Role, Said, State, StepState, declare, resume, step,
};
use model::id::Id as _;
use model::{Action, Confidence, Language, NoticeId, Reach, Timestamp, Window};
use proptest::prelude::*;

use crate::sample::{answer, at, declaration, name, operator, outcome};

const PEOPLE: &[&str] = &["ann", "bob", "eve"];
const ROLES: &[Role] = &[Role::Lead, Role::Responder, Role::Approver, Role::Legal];

fn actor() -> impl Strategy<Value = Actor> {
    let person = (proptest::sample::select(PEOPLE), 0usize..16).prop_map(|(who, bits)| {
        let roles: Vec<_> = ROLES
            .iter()
            .enumerate()
            .filter(|(bit, _)| bits >> bit & 1 == 1)
            .map(|(_, r)| *r)
            .collect();
        operator(who, &roles)
    });
    // All roles more often than chance has them, so that histories get somewhere.
    let able = proptest::sample::select(PEOPLE).prop_map(|who| operator(who, ROLES));
    prop_oneof![2 => person, 4 => able, 3 => Just(Actor::system())]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![9 => Just("because".to_owned()), 1 => Just("  ".to_owned())]
}

fn action() -> impl Strategy<Value = Action> {
    proptest::sample::select(Action::ALL)
}

fn notice() -> impl Strategy<Value = NoticeId> {
    (1u128..3).prop_map(NoticeId::from_u128)
}

fn window() -> impl Strategy<Value = Window> {
    let end = || proptest::option::of((0i64..100).prop_map(Timestamp::from_seconds));
    (end(), end()).prop_map(|(from, to)| Window { from, to })
}

fn texts() -> impl Strategy<Value = Vec<BulletinText>> {
    text().prop_map(|body| {
        let language = Language::parse("en").expect("a language");
        vec![BulletinText { language, title: "title".to_owned(), body }]
    })
}

fn of_containment() -> impl Strategy<Value = Command> {
    prop_oneof![
        1 => action().prop_map(|action| Command::RunStep { action }),
        1 => action().prop_map(|action| Command::StepStarted { action }),
        4 => (action(), any::<bool>(), any::<bool>()).prop_map(|(action, ok, verified)| {
            Command::StepDone { action, outcome: outcome(ok, verified) }
        }),
        1 => (action(), text())
            .prop_map(|(action, proof)| Command::ConfirmManual { action, proof }),
        1 => (action(), text()).prop_map(|(action, why)| Command::SkipStep { action, why }),
        1 => text().prop_map(|why| Command::RequestLift { why }),
        1 => Just(Command::ApproveLift),
    ]
}

fn said() -> impl Strategy<Value = Said> {
    (text(), window()).prop_map(|(text, window)| Said {
        said_at: at("2026-02-05"),
        source: "mail".to_owned(),
        fields_exposed: Default::default(),
        fields_denied: Default::default(),
        window,
        vendor_aware_at: None,
        text,
    })
}

fn of_scope() -> impl Strategy<Value = Command> {
    prop_oneof![
        1 => (window(), text()).prop_map(|(window, why)| Command::SetWindow { window, why }),
        1 => text().prop_map(|why| Command::SetReach { reach: Reach::default(), why }),
        1 => (window(), text()).prop_map(|(window, why)| {
            let certain = Some(Question { window, reach: Reach::default() });
            Command::SetCertain { certain, why }
        }),
        1 => text().prop_map(|why| Command::Rescope { why }),
        4 => (1u32..6, 0u64..9, 0u64..9).prop_map(|(question, lower, upper)| {
            Command::ScopeComputed { answer: answer(question, lower, upper) }
        }),
        1 => said().prop_map(|said| Command::RecordStatement { said }),
        1 => (1u32..3, text())
            .prop_map(|(number, text)| Command::ReverseStatement { number, text }),
    ]
}

fn of_publication() -> impl Strategy<Value = Command> {
    let number = || proptest::option::of(1u32..3);
    prop_oneof![
        3 => (number(), texts()).prop_map(|(bulletin, texts)| {
            Command::DraftBulletin { bulletin, texts }
        }),
        4 => (1u32..3, 1u32..4).prop_map(|(bulletin, version)| {
            Command::ApproveBulletin { bulletin, version }
        }),
        1 => (1u32..3, text())
            .prop_map(|(bulletin, why)| Command::WithdrawBulletin { bulletin, why }),
        3 => (notice(), proptest::option::of(1u32..3)).prop_map(|(notice, scope)| {
            Command::NoticeDrafted { notice, scope }
        }),
        4 => notice().prop_map(|notice| Command::ApproveNotice { notice }),
        1 => (notice(), text()).prop_map(|(notice, why)| Command::RejectNotice { notice, why }),
        3 => notice().prop_map(|notice| Command::NoticeEnded { notice }),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let role = (proptest::sample::select(ROLES), proptest::sample::select(PEOPLE))
        .prop_map(|(role, who)| Command::AssignRole { role, operator: name(who) });
    let fact = text().prop_map(|text| Command::AddFact {
        at: at("2026-02-01"),
        source: "portal".to_owned(),
        confidence: Confidence::Stated,
        text,
    });
    prop_oneof![
        8 => of_containment(),
        6 => of_scope(),
        9 => of_publication(),
        1 => role,
        1 => fact,
        1 => text().prop_map(|why| Command::Close { why }),
        1 => text().prop_map(|why| Command::Reopen { why }),
    ]
}

/// Everything that is public, with who approved it.
fn published(incident: &Incident) -> Vec<(u32, u32, Author, Author, Vec<BulletinText>)> {
    let mut found = Vec::new();
    for bulletin in &incident.bulletins {
        for version in &bulletin.versions {
            if let BulletinState::Published { approver, .. } = &version.state {
                let (author, texts) = (version.author.clone(), version.texts.clone());
                found.push((bulletin.number, version.version, author, approver.clone(), texts));
            }
        }
    }
    found
}

fn approver_of(notice: &Notice) -> Option<&Author> {
    match &notice.state {
        NoticeState::Approved { approver, .. } | NoticeState::Ended { approver, .. } => {
            Some(approver)
        }
        _ => None,
    }
}

fn holds(before: &Incident, after: &Incident, by: &Actor, effects: &[Effect]) {
    assert!(after.timeline.starts_with(&before.timeline), "the timeline only grows");
    assert!(after.scopes.starts_with(&before.scopes), "versions of the scope stay");
    let public = published(after);
    for was in published(before) {
        assert!(public.contains(&was), "what was published stays as it was");
    }
    for (_, _, author, approver, _) in &public {
        assert_ne!(author, approver, "nobody publishes their own words");
    }
    for notice in &after.notices {
        let approver = approver_of(notice);
        assert!(approver.is_none_or(|approver| !notice.authors.contains(approver)));
    }
    for effect in effects {
        match effect {
            Effect::Cut { switch: model::Switch::Open } => {
                let asked = before.cut.lift.as_ref().expect("somebody asked for it");
                assert_ne!(asked.by, by.author, "nobody lifts what they asked to lift");
            }
            Effect::Publish { .. } | Effect::Notify { .. } => {
                assert_ne!(by.author, Author::System, "a person lets it out");
            }
            _ => {}
        }
    }
    let running = |step: &&incident::PlannedStep| matches!(step.state, StepState::Running { .. });
    let running = after.plan.iter().filter(running).count();
    assert!(running <= 1, "one step at a time");
    assert!(after.state != State::Closed || resume(after).is_empty(), "closed is over");
    assert!(
        after.contained_at.is_none()
            || before.contained_at.is_some()
            || !after.plan.iter().any(|s| s.action == Action::CutGateway && !s.ended()),
        "contained means cut"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn no_history_loses_what_was_said_or_lets_anybody_approve_themselves(
        automatic in proptest::sample::subsequence(Action::ALL, 0..=Action::ALL.len()),
        commands in proptest::collection::vec((actor(), command()), 0..120),
    ) {
        let (mut incident, _) = declare(declaration(&automatic), at("2026-02-05T02:10:00Z"));
        let mut now = incident.declared_at;
        for (by, command) in commands {
            now = now.plus_seconds(1);
            if let Ok((after, effects)) = step(&incident, command, &by, now) {
                holds(&incident, &after, &by, &effects);
                incident = after;
            }
        }
        let stored = serde_json::to_string(&incident).expect("it serialises");
        let read: Incident = serde_json::from_str(&stored).expect("it reads back");
        prop_assert_eq!(read, incident);
    }
}
