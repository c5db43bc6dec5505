//! The console's pages: all incidents, one incident, log in. What stands inside an incident's page
//! is in the files beside.

use incident::{Clock, ContractClock, Incident, NoticeState, State};
use maud::{DOCTYPE, Markup, html};
use model::{Switch, Timestamp};
use store::{DeliveryTotals, Notice};

use super::words::{after, between, counted, grouped, quoted, span};
use super::{clocks, exposure, response};
use crate::portal::pages::human;

/// Everything that the page of one incident shows.
pub struct Shown {
    /// The incident.
    pub incident: Incident,
    /// Its clocks, those that apply first, each part by its deadline.
    pub clocks: Vec<Clock>,
    /// How late the vendor was.
    pub contract: ContractClock,
    /// Its notices with their totals.
    pub notices: Vec<(DeliveryTotals, Notice)>,
    /// How many pieces of evidence were kept.
    pub evidence: usize,
    /// The time now.
    pub now: Timestamp,
}

/// A page for those who are logged in.
pub fn page(title: &str, content: &Markup) -> Markup {
    let ways =
        [("/console", "Incidents"), ("/console/gateway", "Gateway"), ("/console/access", "Access")];
    let ways = html! {
        nav aria-label="Console" {
            ul {
                @for (to, name) in ways {
                    li { a href=(to) aria-current=[(title == name).then_some("page")] { (name) } }
                }
                li { form method="post" action="/console/logout" { button { "Log out" } } }
            }
        }
    };
    around(title, &ways, content)
}

fn around(title: &str, ways: &Markup, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) " · Cordon" }
                link rel="stylesheet" href="/assets/cordon.css";
                link rel="icon" href="/assets/icon.svg";
            }
            body .wide {
                a .skip href="#content" { "Skip to content" }
                header {
                    p .brand { a href="/console" { strong { "Cordon" } span { " · Console" } } }
                    (ways)
                }
                main #content { (content) }
            }
        }
    }
}

/// All incidents, newest first.
pub fn home(incidents: &[Incident]) -> Markup {
    let content = html! {
        h1 { "Incidents" }
        @if incidents.is_empty() { p .lead { "None was declared." } }
        @for incident in incidents {
            article {
                h2 { a href={ "/console/incidents/" (incident.id) } { (incident.title) } }
                p .meta {
                    (state_of(incident)) " " (incident.vendor) " · declared "
                    (human(incident.declared_at))
                    @if let Some(scope) = incident.scope() {
                        " · " (between(scope.lower.persons, scope.upper.persons)) " persons"
                    }
                }
            }
        }
    };
    page("Incidents", &content)
}

/// Asks for an operator's token.
pub fn login(wrong: bool) -> Markup {
    const WRONG: &str = "That is no operator's token.";
    let content = html! {
        h1 { "Log in" }
        @if wrong {
            div .result.bad #wrong role="alert" { p { (WRONG) } }
        }
        form method="post" action="/console/login" {
            label for="token" { "Operator token" }
            input #token name="token" type="password" required autocomplete="current-password"
                aria-describedby=[wrong.then_some("wrong")];
            button { "Log in" }
        }
    };
    around(if wrong { WRONG } else { "Log in" }, &Markup::default(), &content)
}

/// There is no such incident.
pub fn not_found() -> Markup {
    let content = html! {
        h1 { "There is no such incident" }
        p { a href="/console" { "All incidents" } }
    };
    page("There is no such incident", &content)
}

const PARTS: [(&str, &str); 6] = [
    ("exposed", "Exposed"),
    ("not-exposed", "Not exposed"),
    ("containment", "Done"),
    ("notices", "Told"),
    ("clocks", "Clocks"),
    ("timeline", "Timeline"),
];

/// One incident.
pub fn incident(shown: &Shown) -> Markup {
    let incident = &shown.incident;
    let content = html! {
        h1 { (quoted(&incident.title)) }
        (track(incident))
        (figures(shown))
        (facts(shown))
        nav aria-label="On this page" {
            ul { @for (part, name) in PARTS { li { a href={ "#" (part) } { (name) } } } }
        }
        div .columns {
            div {
                (exposure::exposed(incident))
                (exposure::not_exposed(incident))
                (exposure::statements(&incident.statements))
            }
            div {
                (response::containment(incident))
                (response::notices(incident, &shown.notices))
            }
        }
        (clocks::clocks(&shown.clocks, &shown.contract, shown.now))
        (response::timeline(incident))
    };
    page(&incident.title, &content)
}

fn state_of(incident: &Incident) -> Markup {
    let class = match incident.state {
        State::Declared => "no",
        State::Contained | State::Scoped | State::Notifying => "wait",
        State::Monitoring | State::Closed => "ok",
    };
    html! { span class={ "tag " (class) } { (incident.state.name()) } }
}

/// Each state with the time at which it was reached; the one that the incident is in is marked.
fn track(incident: &Incident) -> Markup {
    let all = [
        (State::Declared, Some(incident.declared_at)),
        (State::Contained, incident.contained_at),
        (State::Scoped, incident.scopes.first().map(|scope| scope.at)),
        (State::Notifying, approved_at(incident)),
        (State::Monitoring, ended_at(incident)),
        (State::Closed, incident.closed_at),
    ];
    html! {
        ol .track aria-label="Where the response stands" {
            @for (state, at) in all {
                @let current = (state == incident.state).then_some("step");
                li class=[at.map(|_| "reached")] aria-current=[current] {
                    b { (state.name()) }
                    @match at {
                        Some(at) if state == State::Declared => (human(at)),
                        Some(at) => (after(at, incident.declared_at)),
                        None => "not yet",
                    }
                }
            }
        }
    }
}

/// When the first notice went on its way.
fn approved_at(incident: &Incident) -> Option<Timestamp> {
    let approved = incident.notices.iter().filter_map(|notice| match notice.state {
        NoticeState::Approved { at, .. } | NoticeState::Ended { approved_at: at, .. } => Some(at),
        NoticeState::Draft | NoticeState::Rejected { .. } => None,
    });
    approved.min()
}

/// When the last notice had ended, once none is on its way.
fn ended_at(incident: &Incident) -> Option<Timestamp> {
    let ended = incident.notices.iter().filter_map(|notice| match notice.state {
        NoticeState::Ended { at, .. } => Some(at),
        _ => None,
    });
    ended.max().filter(|_| incident.state >= State::Monitoring)
}

fn figures(shown: &Shown) -> Markup {
    let incident = &shown.incident;
    let verified = incident.plan.iter().filter(|step| step.verified()).count();
    let told: u64 = shown.notices.iter().map(|(totals, _)| totals.delivered).sum();
    let audience: u64 = shown.notices.iter().map(|(totals, _)| totals.audience).sum();
    html! {
        ul .figures {
            li {
                @match incident.scope() {
                    Some(scope) => b { (between(scope.lower.persons, scope.upper.persons)) },
                    None => b { "not known" },
                }
                "persons exposed"
            }
            li { b { (verified) " of " (incident.plan.len()) } "steps done and verified" }
            li {
                @match shown.notices.len() {
                    0 => { b { "nobody" } "told yet" }
                    _ => { b { (grouped(told)) " of " (grouped(audience)) } "notices delivered" }
                }
            }
            li { (next_deadline(shown)) }
        }
    }
}

fn next_deadline(shown: &Shown) -> Markup {
    let past = clocks::past(&shown.clocks, shown.now);
    html! {
        @match clocks::next(&shown.clocks, shown.now) {
            Some((clock, at)) => {
                b { (span(at.seconds_since(shown.now))) }
                "until " (clock.regime) " is due"
            }
            None => { b { "none" } "of the known deadlines is ahead" }
        }
        @if past > 0 { ", " strong .past { (counted(past, "deadline")) " past" } }
    }
}

fn facts(shown: &Shown) -> Markup {
    let incident = &shown.incident;
    let all = [
        ("Vendor", html! { (incident.vendor) }),
        ("Gateway", gateway(incident)),
        ("Intruder's window", html! { (exposure::window(incident.window)) }),
        ("Intruder's reach", exposure::reach(&incident.reach)),
        ("Declared by", html! { (incident.declared_by) }),
        ("Aware since", human_or(Some(incident.aware_at))),
        ("Told by the vendor", human_or(incident.vendor_told_at)),
        ("Evidence", evidence(shown)),
        ("As of", html! { time datetime=(shown.now) { (human(shown.now)) } }),
    ];
    html! {
        dl .facts {
            @for (name, fact) in &all { div { dt { (name) } dd { (fact) } } }
            @for (role, operator) in &incident.roles {
                div { dt { (role.name()) } dd { (operator) } }
            }
        }
    }
}

fn evidence(shown: &Shown) -> Markup {
    let findings = &shown.incident.findings;
    html! {
        (counted(shown.evidence, "piece")) " kept, " (counted(findings.len(), "finding"))
        @if let Some(best) = findings.values().max() { ", the best of grade " (best) }
    }
}

fn human_or(at: Option<Timestamp>) -> Markup {
    html! { @match at { Some(at) => (human(at)), None => "not yet" } }
}

fn gateway(incident: &Incident) -> Markup {
    let cut = &incident.cut;
    html! {
        @match cut.switch {
            Switch::Open => "open: calls pass",
            Switch::Hold => "hold: calls wait",
            Switch::Stop => "stop: calls are refused",
        }
        @if let Some(since) = cut.since { ", " (after(since, incident.declared_at)) }
        @if let Some(lift) = &cut.lift { "; " (lift.by) " wants it lifted: " (quoted(&lift.why)) }
    }
}

#[cfg(test)]
mod tests {
    use incident::StepState;
    use model::{NoticeId, OperatorName};
    use store::{Document, NoticeKind};

    use super::*;
    use crate::http::tests::{assert_sound, lines};

    #[derive(serde::Deserialize)]
    struct Fixture {
        incident: Incident,
        clocks: Vec<Clock>,
        contract: ContractClock,
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    fn shown() -> Shown {
        let fixture = serde_json::from_str(include_str!("fixtures/incident.json"));
        let Fixture { incident, clocks, contract } = fixture.expect("an incident");
        let notice = Notice {
            id: NoticeId::parse("ntc_01KGNY7CG000000000000000AB").expect("an id"),
            incident: incident.id,
            kind: NoticeKind::Correction,
            scope_version: 2,
            state: store::NoticeState::Sending,
            author: OperatorName::parse("ada").expect("a name"),
            approver: Some(OperatorName::parse("grace").expect("a name")),
            document: Document::of(&()).expect("JSON"),
            created_at: at("2026-02-05T05:00:00Z"),
        };
        let totals = DeliveryTotals {
            audience: 1_885,
            pending: 900,
            handing: 10,
            delivered: 950,
            bounced: 9,
            failed: 1,
            suppressed: 12,
            unknown: 3,
            possible_duplicates: 2,
        };
        let (notices, now) = (vec![(totals, notice)], at("2026-02-05T07:30:00Z"));
        Shown { incident, clocks, contract, notices, evidence: 13, now }
    }

    /// The same incident a moment after it was declared: nothing is known yet.
    fn young() -> Shown {
        let mut shown = shown();
        shown.incident.plan.iter_mut().for_each(|step| step.state = StepState::Planned);
        shown.incident.statements.clear();
        shown.incident.scopes.clear();
        shown.incident.notices.clear();
        shown.incident.bulletins.clear();
        shown.notices.clear();
        shown.clocks.clear();
        shown.contract.late_by_seconds = None;
        shown
    }

    fn pages() -> Vec<(&'static str, Markup)> {
        vec![
            ("incident", incident(&shown())),
            ("incident_young", incident(&young())),
            ("home", home(&[shown().incident, young().incident])),
            ("home_quiet", home(&[])),
            ("access", super::super::access::tests::sample()),
            ("login", login(false)),
            ("login_wrong", login(true)),
            ("not_found", not_found()),
        ]
    }

    #[test]
    fn every_page_reads_as_it_was_last_looked_at() {
        for (name, page) in pages() {
            insta::assert_snapshot!(name, lines(&page.into_string()));
        }
    }

    #[test]
    fn every_page_is_whole_without_script_and_asks_no_other_host() {
        for (_, page) in pages() {
            assert_sound(&page.into_string());
        }
    }

    #[test]
    fn every_link_within_the_page_has_its_target() {
        for shown in [shown(), young()] {
            let page = incident(&shown).into_string();
            for (part, _) in PARTS {
                assert_eq!(page.matches(&format!("id=\"{part}\"")).count(), 1, "{part}");
            }
        }
    }
}
