//! The incident page: where the response stands, what was done, who is exposed, which clocks run.

use incident::{Incident, PlannedStep, ScopeVersion, StepState};
use maud::{DOCTYPE, Markup, html};
use model::Timestamp;
use serde_json::Value;
use store::{DeliveryTotals, Notice};

use super::chart::{Bar, bars, grouped};
use crate::portal::pages::human;

/// Everything that the page of one incident shows.
pub struct Shown {
    /// The incident.
    pub incident: Incident,
    /// Its clocks, as the API gives them.
    pub clocks: Value,
    /// Its notices with their totals.
    pub notices: Vec<(DeliveryTotals, Notice)>,
    /// How many pieces of evidence were kept.
    pub evidence: usize,
    /// The time now.
    pub now: Timestamp,
}

fn page(title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Cordon" }
                link rel="stylesheet" href="/assets/cordon.css";
            }
            body .wide {
                a .skip href="#content" { "Skip to content" }
                header {
                    p .brand { a href="/console" { "Cordon" } }
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
        @if incidents.is_empty() {
            p .lead { "None was declared." }
        }
        @for incident in incidents {
            article {
                h2 { a href={ "/console/incidents/" (incident.id) } { (incident.title) } }
                p .meta {
                    (incident.vendor) " · " (incident.state.name()) " · declared "
                    (human(incident.declared_at))
                }
            }
        }
    };
    page("Incidents", &content)
}

/// Asks for an operator's token.
pub fn login(wrong: bool) -> Markup {
    let content = html! {
        h1 { "Log in" }
        @if wrong {
            div .result.bad role="status" { p { "That is no operator's token." } }
        }
        form method="post" action="/console/login" {
            label for="token" { "Operator token" }
            input #token name="token" type="password" required autocomplete="current-password";
            button { "Log in" }
        }
    };
    page("Log in", &content)
}

/// One incident.
pub fn incident(shown: &Shown) -> Markup {
    let incident = &shown.incident;
    let content = html! {
        p .meta { a href="/console" { "All incidents" } }
        h1 { (incident.title) }
        p .meta {
            span .tag.wait { (incident.state.name()) } " "
            (incident.vendor) " · declared by " (incident.declared_by) " "
            (human(incident.declared_at)) " · aware since " (human(incident.aware_at))
        }
        (figures(shown))
        div .columns {
            div {
                (scope(incident))
                (containment(incident))
            }
            div {
                (notices(&shown.notices))
                (clocks(&shown.clocks, shown.now))
            }
        }
        (timeline(incident))
    };
    page(&incident.title, &content)
}

fn figures(shown: &Shown) -> Markup {
    let incident = &shown.incident;
    let took = |at: Option<Timestamp>| {
        at.map_or_else(
            || "not yet".to_owned(),
            |at| format!("{:.1} s", at.seconds_since(incident.declared_at)),
        )
    };
    let told: u64 = shown.notices.iter().map(|(totals, _)| totals.delivered).sum();
    html! {
        ul .figures {
            li { b { (took(incident.contained_at)) } "until contained" }
            li { b { (took(incident.scopes.first().map(|scope| scope.at))) } "until scoped" }
            @if let Some(scope) = incident.scope() {
                li { b { (grouped(scope.upper.persons)) } "persons at most" }
                li { b { (grouped(scope.lower.persons)) } "persons for certain" }
            }
            li { b { (grouped(told)) } "told by mail" }
            li { b { (shown.evidence) } "pieces of evidence" }
        }
    }
}

fn scope(incident: &Incident) -> Markup {
    let Some(scope) = incident.scope() else {
        return html! { h2 { "Who is exposed" } p { "Not known yet." } };
    };
    html! {
        h2 { "Who is exposed" }
        p .meta {
            "Version " (scope.version) ", " (human(scope.at)) ". " (scope.reason) ". "
            "Light bars: at most. Dark bars: for certain."
        }
        h3 { "Persons per field" }
        (bars("Persons per exposed field", &by_field(scope)))
        h3 { "Persons per country" }
        (bars("Persons per country", &by_country(scope)))
        h3 { "What was not exposed" }
        div .scroll {
            table {
                thead { tr { th { "Field" } th { "Grade" } th { "Because" } } }
                tbody {
                    @for said in &scope.not_exposed {
                        tr {
                            td { (said.field) }
                            td { (said.grade) }
                            td { (said.because) }
                        }
                    }
                }
            }
        }
    }
}

fn by_field(scope: &ScopeVersion) -> Vec<Bar> {
    let count = |field| scope.lower.by_field.get(field).copied().unwrap_or(0);
    let bars = scope.upper.by_field.iter();
    bars.map(|(field, &upper)| Bar { name: field.to_string(), lower: count(field), upper }).collect()
}

/// The largest countries; the others together in the last bar.
fn by_country(scope: &ScopeVersion) -> Vec<Bar> {
    const SHOWN: usize = 12;
    let lower = |name: &str| scope.lower.by_country.get(name).copied().unwrap_or(0);
    let mut bars: Vec<Bar> = scope
        .upper
        .by_country
        .iter()
        .map(|(name, &upper)| Bar { name: name.clone(), lower: lower(name), upper })
        .collect();
    bars.sort_by_key(|bar| std::cmp::Reverse(bar.upper));
    if bars.len() > SHOWN {
        let rest = bars.split_off(SHOWN - 1);
        let sum = |count: fn(&Bar) -> u64| rest.iter().map(count).sum();
        let name = format!("{} others", rest.len());
        bars.push(Bar { name, lower: sum(|bar| bar.lower), upper: sum(|bar| bar.upper) });
    }
    bars
}

fn containment(incident: &Incident) -> Markup {
    html! {
        h2 { "Containment" }
        div .scroll {
            table {
                thead { tr { th { "Step" } th { "State" } th { "Seen" } } }
                tbody {
                    @for step in &incident.plan {
                        tr {
                            td { (step.action) }
                            td { (state(step)) }
                            td { (seen(step)) }
                        }
                    }
                }
            }
        }
    }
}

fn state(step: &PlannedStep) -> Markup {
    let (class, word) = match &step.state {
        StepState::Planned => ("", "planned"),
        StepState::Approved { .. } => ("wait", "approved"),
        StepState::Running { .. } => ("wait", "running"),
        StepState::Done { verified: true, .. } => ("ok", "done, verified"),
        StepState::Done { verified: false, .. } => ("wait", "done, not verified"),
        StepState::Failed { .. } => ("no", "failed"),
        StepState::Skipped { .. } => ("wait", "skipped"),
    };
    html! { span class={ "tag " (class) } { (word) } }
}

fn seen(step: &PlannedStep) -> Markup {
    html! {
        @match &step.state {
            StepState::Done { detail, proof, .. } => {
                @for line in detail { (line) br; }
                @if let Some(proof) = proof { "Proof: " (proof) }
            }
            StepState::Failed { detail, .. } => { @for line in detail { (line) br; } }
            StepState::Skipped { why, by, .. } => { (why) " (" (by) ")" }
            StepState::Planned | StepState::Approved { .. } | StepState::Running { .. } => {
                @if let Some(guide) = &step.guide {
                    details {
                        summary { "How to do it by hand" }
                        ol { @for line in &guide.steps { li { (line) } } }
                        p { "Proof: " (guide.proof) }
                    }
                }
            }
        }
    }
}

fn notices(notices: &[(DeliveryTotals, Notice)]) -> Markup {
    html! {
        h2 { "Notices" }
        @if notices.is_empty() { p { "None was drafted." } }
        @for (totals, notice) in notices {
            p .meta {
                (notice.id) " · " (notice.state.name()) " · by " (notice.author)
                @if let Some(approver) = &notice.approver { ", approved by " (approver) }
            }
            @let ended = totals.audience - totals.pending - totals.handing;
            progress max=(totals.audience.max(1)) value=(ended) aria-label="Recipients who are settled" {}
            div .scroll {
                table {
                    thead { tr {
                        @for name in ["Audience", "Delivered", "Bounced", "Failed", "Suppressed", "Pending", "Unknown"] {
                            th .number { (name) }
                        }
                    } }
                    tbody { tr {
                        @for count in [
                            totals.audience, totals.delivered, totals.bounced, totals.failed,
                            totals.suppressed, totals.pending + totals.handing, totals.unknown,
                        ] {
                            td .number { (grouped(count)) }
                        }
                    } }
                }
            }
            @if totals.possible_duplicates > 0 {
                p .meta { (totals.possible_duplicates) " may have got a second copy." }
            }
        }
    }
}

fn clocks(clocks: &Value, now: Timestamp) -> Markup {
    let empty = Vec::new();
    let all = clocks["clocks"].as_array().unwrap_or(&empty);
    let shown = all.iter().filter(|clock| clock["applies"] != "no");
    let no = all.iter().filter(|clock| clock["applies"] == "no").count();
    html! {
        h2 { "Clocks" }
        p .meta { "Not legal advice; reviewed by: nobody yet." }
        div .scroll {
            table {
                thead { tr { th { "Regime" } th { "To" } th { "Applies" } th { "Due" } } }
                tbody {
                    @for clock in shown {
                        tr {
                            td title=(text(&clock["citation"])) { (text(&clock["regime"])) }
                            td { (text(&clock["recipient"])) }
                            td { (text(&clock["applies"])) }
                            td { (due(clock, now)) }
                        }
                    }
                }
            }
        }
        p .meta { (no) " other regimes do not apply to this scope." }
        @if let Some(late) = clocks["contract"]["late_by_seconds"].as_i64() {
            p {
                @if late > 0 {
                    "The vendor told us " (late / 3600) " hours later than its contract allows."
                } @else {
                    "The vendor told us within the time of its contract."
                }
            }
        }
    }
}

fn due(clock: &Value, now: Timestamp) -> Markup {
    let deadline = clock["deadline"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
    html! {
        @match deadline {
            Some(at) => {
                (human(at))
                @if at < now { " " span .tag.no { "past" } }
            }
            None => { "without undue delay" }
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

fn timeline(incident: &Incident) -> Markup {
    html! {
        h2 { "Timeline" }
        ol .timeline {
            @for entry in incident.timeline_by_time() {
                li {
                    p .meta {
                        time datetime=(entry.at) { (human(entry.at)) } " · " (entry.source) " · "
                        (entry.confidence) " · " (entry.author)
                    }
                    p { (entry.text) }
                }
            }
        }
    }
}
