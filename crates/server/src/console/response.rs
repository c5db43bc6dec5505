//! What was done and what came of it: the steps of containment, the notices, the timeline.

use incident::{Bulletin, Incident, PlannedStep, StepMode, StepState, TimelineEntry};
use maud::{Markup, PreEscaped, html};
use model::{Confidence, Timestamp};
use store::{DeliveryTotals, Notice, NoticeKind};

use super::chart::stack;
use super::words::{after, grouped, offset, plain, quoted};

/// Each step with its state, what was seen, and how a person does what is left.
pub fn containment(incident: &Incident) -> Markup {
    let count = |is: fn(&PlannedStep) -> bool| incident.plan.iter().filter(|step| is(step)).count();
    html! {
        section #containment {
            h2 { "What was done" }
            p {
                strong { (count(PlannedStep::ok)) " of " (incident.plan.len()) " steps" }
                " are done, "
                (count(PlannedStep::verified)) " of them verified by a second look."
            }
            ol .steps {
                @for one in &incident.plan { (step(one, incident.declared_at)) }
            }
        }
    }
}

fn step(step: &PlannedStep, start: Timestamp) -> Markup {
    let (class, word, at) = match &step.state {
        StepState::Planned => ("neutral", "planned", None),
        StepState::Approved { at, .. } => ("neutral", "approved", Some(*at)),
        StepState::Running { since } => ("wait", "running", Some(*since)),
        StepState::Done { at, verified: true, .. } => ("ok", "verified", Some(*at)),
        StepState::Done { at, .. } => ("wait", "done, not verified", Some(*at)),
        StepState::Failed { at, .. } => ("no", "failed", Some(*at)),
        StepState::Skipped { at, .. } => ("wait", "skipped", Some(*at)),
    };
    let mode = match step.mode {
        StepMode::Automatic => "by itself",
        StepMode::OnApproval => "once approved",
        StepMode::Manual => "by hand",
    };
    let open = !step.verified() && !matches!(step.state, StepState::Skipped { .. });
    html! {
        li class=(class) {
            p {
                b { (plain(step.action.name())) } span class={ "tag " (class) } { (word) } " "
                span .meta { (mode) @if let Some(at) = at { ", " (after(at, start)) } }
            }
            (seen(step))
            @if open { (guide(step)) }
        }
    }
}

fn seen(step: &PlannedStep) -> Markup {
    let sentences = |detail: &[String]| quoted(&detail.join("; "));
    html! {
        @match &step.state {
            StepState::Done { detail, proof, .. } => {
                p .meta { (sentences(detail)) }
                @if let Some(proof) = proof { p .meta { "Proof: " (quoted(proof)) } }
            }
            StepState::Failed { detail, .. } => p .meta { (sentences(detail)) },
            StepState::Skipped { why, by, .. } => p .meta { (quoted(why)) " (" (by) ")" },
            StepState::Approved { by, .. } => p .meta { "by " (by) },
            StepState::Planned | StepState::Running { .. } => {}
        }
    }
}

fn guide(step: &PlannedStep) -> Markup {
    html! {
        @if let Some(guide) = &step.guide {
            details {
                summary { "How to do it by hand" }
                ol { @for line in &guide.steps { li { (quoted(line)) } } }
                p { "Proof: " (quoted(&guide.proof)) }
            }
        }
    }
}

/// How far each notice is, and what is public. The totals always add up to the audience.
pub fn notices(incident: &Incident, notices: &[(DeliveryTotals, Notice)]) -> Markup {
    let public = |bulletin: &Bulletin| Some((bulletin.number, bulletin.published()?.version));
    html! {
        section #notices {
            h2 { "Who was told" }
            @if notices.is_empty() { p { "No notice was drafted." } }
            @for (totals, notice) in notices { (one_notice(totals, notice)) }
            @for (number, version) in incident.bulletins.iter().filter_map(public) {
                p { "The public: bulletin " (number) ", version " (version) "." }
            }
        }
    }
}

fn one_notice(totals: &DeliveryTotals, notice: &Notice) -> Markup {
    let kind = match notice.kind {
        NoticeKind::Notice => "Notice to scope version ",
        NoticeKind::Correction => "Correction to scope version ",
    };
    let undelivered = totals.bounced + totals.failed;
    let counts = [
        ("audience", totals.audience),
        ("delivered", totals.delivered),
        ("bounced", totals.bounced),
        ("failed", totals.failed),
        ("suppressed", totals.suppressed),
        ("unknown", totals.unknown),
        ("pending", totals.pending + totals.handing),
    ];
    html! {
        h3 { (kind) (notice.scope_version) " " span .tag { (notice.state.name()) } }
        p .meta {
            "by " (notice.author)
            @if let Some(approver) = &notice.approver { ", approved by " (approver) }
            ", " code { (notice.id) }
        }
        (stack(totals.audience, &[
            ("delivered", totals.delivered),
            ("undelivered", undelivered),
            ("open", totals.suppressed + totals.unknown),
        ]))
        dl .counts {
            @for (name, count) in counts {
                div { dt { (name) } dd .zero[count == 0] { (grouped(count)) } }
            }
        }
        @if totals.possible_duplicates > 0 {
            p .meta { (grouped(totals.possible_duplicates)) " may have got a second copy." }
        }
    }
}

/// Everything that happened, by the time at which it did, a heading for each day.
pub fn timeline(incident: &Incident) -> Markup {
    let entries = incident.timeline_by_time();
    let day = |entry: &&TimelineEntry| entry.at.to_jiff().strftime("%-d %B %Y").to_string();
    html! {
        section #timeline {
            h2 { "Timeline" }
            @for of_day in entries.chunk_by(|one, next| day(one) == day(next)) {
                h3 { (of_day.first().map(day).unwrap_or_default()) }
                ol .timeline {
                    @for entry in of_day { (happened(entry, incident.declared_at)) }
                }
            }
        }
    }
}

fn happened(entry: &TimelineEntry, start: Timestamp) -> Markup {
    html! {
        li {
            p .meta {
                time datetime=(entry.at) { (clock_time(entry.at)) } " · " (offset(entry.at, start))
            }
            p {
                strong { (entry.source) } " " (quoted(&entry.text)) " "
                span .meta {
                    (entry.author)
                    @if entry.confidence != Confidence::Certain { ", " (entry.confidence) }
                }
            }
        }
    }
}

fn clock_time(at: Timestamp) -> PreEscaped<String> {
    PreEscaped(at.to_jiff().strftime("%H:%M:%S").to_string())
}
