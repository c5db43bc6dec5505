//! Who is exposed, what is not and how that is known, and what the vendor says beside it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use incident::{Incident, ScopeVersion, Statement};
use maud::{Markup, html};
use model::{FieldSet, NotExposed, NotExposedGrade, Reach, Window};

use super::chart::{Bar, bars};
use super::words::{between, grouped, plain, quoted};
use crate::portal::pages::human;

/// The newest scope in numbers and pictures, and the versions before it.
pub fn exposed(incident: &Incident) -> Markup {
    let Some(scope) = incident.scope() else {
        return html! { section #exposed { h2 { "Who is exposed" } p { "Not known yet." } } };
    };
    let (upper, lower) = (&scope.upper, &scope.lower);
    html! {
        section #exposed {
            h2 { "Who is exposed" }
            p {
                strong { (between(lower.persons, upper.persons)) }
                " persons by scope version " (scope.version) ", "
                (human(scope.at)) ": " (quoted(&scope.reason)) "."
            }
            @if upper.not_in_directory > 0 {
                p { (grouped(upper.not_in_directory)) " of them are no longer in the directory." }
            }
            p .meta {
                span .key.lower {} "for certain, at least"
                span .key.upper {} "at the utmost, at most"
            }
            (bars("Persons per field", "Field", &by_field(scope)))
            @let countries = largest(&upper.by_country, &lower.by_country);
            (bars("Persons per country", "Country", &countries))
            @if !upper.by_region.is_empty() {
                details {
                    summary { "Persons per region, where one is known" }
                    @let regions = largest(&upper.by_region, &lower.by_region);
                    (bars("Persons per region", "Region", &regions))
                }
            }
            @if incident.scopes.len() > 1 { (versions(&incident.scopes)) }
        }
    }
}

fn by_field(scope: &ScopeVersion) -> Vec<Bar> {
    let lower = |field| scope.lower.by_field.get(field).copied().unwrap_or(0);
    let bars = scope.upper.by_field.iter();
    bars.map(|(field, &upper)| Bar { name: plain(field.name()), lower: lower(field), upper })
        .collect()
}

/// The largest places; the others together in the last bar.
fn largest(upper: &BTreeMap<String, u64>, lower: &BTreeMap<String, u64>) -> Vec<Bar> {
    const SHOWN: usize = 12;
    let at_least = |name: &str| lower.get(name).copied().unwrap_or(0);
    let bars = upper.iter();
    let bars = bars.map(|(name, &upper)| Bar { name: name.clone(), lower: at_least(name), upper });
    let mut bars: Vec<Bar> = bars.collect();
    bars.sort_by_key(|bar| Reverse(bar.upper));
    if bars.len() > SHOWN {
        let rest = bars.split_off(SHOWN - 1);
        let sum = |count: fn(&Bar) -> u64| rest.iter().map(count).sum();
        let name = format!("{} others", rest.len());
        bars.push(Bar { name, lower: sum(|bar| bar.lower), upper: sum(|bar| bar.upper) });
    }
    bars
}

fn versions(scopes: &[ScopeVersion]) -> Markup {
    html! {
        details {
            summary { "All " (scopes.len()) " versions of the scope" }
            table {
                thead { tr {
                    th scope="col" { "Version" }
                    th scope="col" { "Why" }
                    th .number scope="col" { "Persons" }
                } }
                tbody {
                    @for scope in scopes.iter().rev() {
                        tr {
                            th scope="row" { (scope.version) }
                            td { (quoted(&scope.reason)) ", " (human(scope.at)) }
                            td .number { (between(scope.lower.persons, scope.upper.persons)) }
                        }
                    }
                }
            }
        }
    }
}

/// What is not among the exposed, the best grade first; fields with the same grade for the same
/// reason stand together.
pub fn not_exposed(incident: &Incident) -> Markup {
    let all = incident.scope().map(|scope| alike(&scope.not_exposed)).unwrap_or_default();
    html! {
        section #not-exposed {
            h2 { "What is not, and how that is known" }
            @if incident.scope().is_none() { p { "Not known yet." } }
            ul .grades {
                @for (said, fields) in &all {
                    li {
                        p {
                            strong { (fields.join(", ")) } " "
                            span class={ "tag " (class(said.grade)) } { (plain(said.grade.name())) }
                        }
                        p .meta { (quoted(&said.because)) "." }
                    }
                }
            }
        }
    }
}

fn alike(all: &[NotExposed]) -> Vec<(&NotExposed, Vec<String>)> {
    let mut groups: Vec<(&NotExposed, Vec<String>)> = Vec::new();
    for said in all {
        let name = plain(said.field.name());
        let same = |(first, _): &&mut (&NotExposed, _)| {
            (first.grade, &first.because) == (said.grade, &said.because)
        };
        match groups.iter_mut().find(same) {
            Some((_, fields)) => fields.push(name),
            None => groups.push((said, vec![name])),
        }
    }
    groups
}

const fn class(grade: NotExposedGrade) -> &'static str {
    match grade {
        NotExposedGrade::NeverSent | NotExposedGrade::ImpossibleByDesign => "ok",
        NotExposedGrade::OutOfReach => "neutral",
        NotExposedGrade::StatedByVendor | NotExposedGrade::NoEvidence => "wait",
    }
}

/// The vendor's word, with its reversal if there was one.
pub fn statements(statements: &[Statement]) -> Markup {
    html! {
        @if !statements.is_empty() {
            section #statements {
                h2 { "What the vendor says" }
                p .meta { "Its word, not evidence: it changes no number here." }
                @for said in statements {
                    p .sentence { (quoted(&said.text)) "." }
                    p .meta { "by " (said.source) ", " (human(said.said_at)) }
                    @if let Some(reversed) = &said.reversed {
                        p {
                            span .tag.no { "taken back" } " " (quoted(&reversed.text)) ", "
                            (human(reversed.at))
                        }
                    }
                }
            }
        }
    }
}

/// A window in words.
pub fn window(window: Window) -> String {
    let from = window.from.map_or("the beginning".to_owned(), |at| human(at).0);
    let to = window.to.map_or("now and on".to_owned(), |at| human(at).0);
    format!("from {from} until {to}")
}

/// A reach in words.
pub fn reach(reach: &Reach) -> Markup {
    let Reach { lists, operations, fields } = reach;
    let names = |fields: &FieldSet| {
        fields.iter().map(|field| plain(field.name())).collect::<Vec<_>>().join(", ")
    };
    html! {
        @if *reach == Reach::default() { "everything that it held" }
        @if let Some(lists) = lists {
            div { "lists " @for list in lists { code { (list) } " " } }
        }
        @if let Some(operations) = operations {
            div { "operations " @for operation in operations { code { (operation) } " " } }
        }
        @if let Some(fields) = fields { div { "fields " (names(fields)) } }
    }
}
