//! The clocks that run, by when they are due, with the time that is left. Not legal advice.

use incident::clocks::Applies;
use incident::regime::{Holder, Mark, Standard};
use incident::{Clock, ContractClock};
use maud::{Markup, html};
use model::Timestamp;

use super::words::{plain, span};
use crate::portal::pages::human;

/// The clocks that apply, then those of which that is not known, then the names of the others.
/// Each part comes sorted by its deadline.
pub fn clocks(all: &[Clock], contract: &ContractClock, now: Timestamp) -> Markup {
    let of = |applies| all.iter().filter(|clock| clock.applies == applies).collect::<Vec<_>>();
    let (yes, open, no) = (of(Applies::Yes), of(Applies::Unknown), of(Applies::No));
    html! {
        section #clocks {
            h2 { "Which clocks run" }
            p .meta { "Not legal advice, reviewed by: nobody yet. Times are UTC." }
            @if yes.is_empty() { p { "None applies by what is known." } }
            ol .clocks { @for clock in &yes { (row(clock, now)) } }
            @if !open.is_empty() {
                details {
                    summary {
                        "Of " (open.len()) " more it is not known whether they apply"
                        @if let Some(at) = earliest(&open) { "; the first is due " (human(at)) }
                    }
                    ol .clocks { @for clock in &open { (row(clock, now)) } }
                }
            }
            @if !no.is_empty() {
                details {
                    summary { (no.len()) " do not apply" }
                    ul { @for clock in &no { li { code { (clock.regime) } ": " (clock.because) } } }
                }
            }
            (of_the_contract(contract))
        }
    }
}

/// The deadline that comes first among clocks that apply, and of which regime it is.
pub fn next(all: &[Clock], now: Timestamp) -> Option<(&Clock, Timestamp)> {
    let mut due = all.iter().filter(|clock| clock.applies == Applies::Yes);
    due.find_map(|clock| clock.deadline.filter(|&at| at >= now).map(|at| (clock, at)))
}

/// How many deadlines of clocks that apply have passed.
pub fn past(all: &[Clock], now: Timestamp) -> usize {
    let late = |clock: &&Clock| clock.deadline.is_some_and(|at| at < now);
    all.iter().filter(|clock| clock.applies == Applies::Yes).filter(late).count()
}

fn earliest(clocks: &[&Clock]) -> Option<Timestamp> {
    clocks.iter().filter_map(|clock| clock.deadline).min()
}

fn row(clock: &Clock, now: Timestamp) -> Markup {
    let whose = match clock.holder {
        Holder::Company => "to ",
        Holder::Vendor => "the vendor's duty, to ",
    };
    html! {
        li {
            div { (due(clock, now)) }
            div {
                p { strong { (clock.jurisdiction) } " " code { (clock.regime) } }
                p { (whose) (clock.recipient_name) }
            }
            div .meta {
                p .sentence { (clock.because) "." }
                @for unknown in clock.unknown.iter().filter(|unknown| **unknown != clock.because) {
                    p { "Not known: " (plain(unknown)) "." }
                }
                p { (clock.citation) " · " (known(clock.mark)) }
            }
        }
    }
}

fn due(clock: &Clock, now: Timestamp) -> Markup {
    let none = match clock.standard {
        Standard::None | Standard::Guideline => "without undue delay",
        _ => "not known when due",
    };
    html! {
        @match clock.deadline {
            Some(at) if at < now => {
                p .left.past { (span(now.seconds_since(at))) " past" }
                p .meta { (human(at)) }
            }
            Some(at) => {
                p .left { (span(at.seconds_since(now))) " left" }
                p .meta { (human(at)) }
            }
            None => p .left { (none) },
        }
        @match clock.standard {
            Standard::Guideline => p .meta { "the authority's reading" },
            Standard::Assessment => p .meta { "for finishing the assessment" },
            Standard::Proposed => p .meta { "not law yet" },
            Standard::Hard | Standard::None | Standard::Contract => {}
        }
    }
}

const fn known(mark: Mark) -> &'static str {
    match mark {
        Mark::Verified => "seen in a source",
        Mark::Partial => "seen in part",
        Mark::Conflicting => "sources conflict",
        Mark::General => "general knowledge only",
    }
}

fn of_the_contract(contract: &ContractClock) -> Markup {
    html! {
        p {
            strong { "The contract: " }
            @match contract.late_by_seconds {
                Some(0) => "the vendor told us in time.",
                Some(late) => { "the vendor told us " (span(late as f64)) " late." },
                None => {
                    "whether the vendor told us in time is not known: "
                    (contract.unknown.join("; ")) "."
                }
            }
        }
    }
}
