//! Which duties an incident brings, to whom, when each is due, and what is not known about that.
//! Where it cannot tell, it says «unknown»; it never takes silence for «no». Not legal advice.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan as _;
use model::{Bound, Contract, Count, Country, FieldSet, ScopeCounts, Timestamp};
use serde::{Deserialize, Serialize};

use crate::calendar::{CHECKED_YEARS, Day, Zone};
use crate::command::Author;
use crate::incident::Incident;
use crate::regime::{
    Basis, EmailOnly, Holder, Mark, Minimum, Regime, Sector, Standard, StartEvent, Unit, Until,
    regimes, words,
};
use crate::statement::FREE;

/// What the company is, as far as duties depend on it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompanyProfile {
    /// Countries in which it is established; empty is «not said».
    pub countries: Vec<Country>,
    /// What it is; `None` is «not said», an empty set is «none of them».
    pub sectors: Option<BTreeSet<Sector>>,
    /// Where days begin and end for it.
    pub time_zone: Zone,
}

/// Everything that clocks depend on.
pub struct ClockInput<'a> {
    /// When the company became aware.
    pub aware_at: Timestamp,
    /// When the vendor became aware itself, by its word.
    pub vendor_aware_at: Option<Timestamp>,
    /// Other moments from which clocks run.
    pub moments: &'a BTreeMap<StartEvent, Timestamp>,
    /// What somebody decided on a regime, by its id.
    pub decisions: &'a BTreeMap<String, Decision>,
    /// The upper bound of the newest scope; `None` before the first one.
    pub scope: Option<&'a ScopeCounts>,
    /// What the company is.
    pub company: &'a CompanyProfile,
}

/// What a person decided on a regime; it goes before what follows from data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Whether it applies.
    pub applies: bool,
    /// Who decided.
    pub by: Author,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: String,
}

words!(/** Whether a regime applies to an incident. */ Applies {
    /** It does, as far as the data says. */
    Yes = "yes",
    /** It depends on something that is not known or not judged. */
    Unknown = "unknown",
    /** It does not. */
    No = "no",
});

/// When something is due. As text an instant (`2026-02-08T02:00:00Z`) or a day (`2026-03-07`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Due {
    /// By the end of this day, where the company is.
    Date(Day),
    /// By this instant.
    Instant(Timestamp),
}

/// One duty of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// The regime's id.
    pub regime: String,
    /// Where it comes from.
    pub jurisdiction: String,
    /// To whom: `authority`, `individuals`, …
    pub recipient: String,
    /// To whom, by name.
    pub recipient_name: String,
    /// Whose duty it is.
    pub holder: Holder,
    /// When the duty is given.
    pub trigger: String,
    /// Whether it applies.
    pub applies: Applies,
    /// Why, in a sentence.
    pub because: String,
    /// Affected persons there; a bound where residence is not known for all.
    pub persons: Option<Count>,
    /// From which moment it runs.
    pub start_event: StartEvent,
    /// When that was, if it has happened.
    pub starts_at: Option<Timestamp>,
    /// When it is due; without one, without undue delay.
    pub due: Option<Due>,
    /// The last instant that is in time, for comparing.
    pub deadline: Option<Timestamp>,
    /// How strict the limit is.
    pub standard: Standard,
    /// Whether an e-mail address alone is enough.
    pub email_only: EmailOnly,
    /// What is not known, a sentence each.
    pub unknown: Vec<String>,
    /// Where it stands.
    pub citation: String,
    /// What else to know.
    pub note: Option<String>,
    /// How well it is known.
    pub mark: Mark,
    /// Which lawyer has looked at it.
    pub reviewed_by: String,
}

/// Every regime's clock: those that apply, then those of which it is not known, then the others;
/// within each the earliest first.
pub fn clocks(input: &ClockInput<'_>) -> Vec<Clock> {
    let mut clocks: Vec<_> = regimes().iter().map(|regime| clock(regime, input)).collect();
    clocks.sort_by(|left, right| {
        let order = |clock: &Clock| {
            (clock.applies, clock.deadline.unwrap_or(Timestamp::NEVER), clock.regime.clone())
        };
        order(left).cmp(&order(right))
    });
    clocks
}

impl Incident {
    /// The clocks of this incident as it stands, on the upper bound of its newest scope.
    pub fn clocks(&self, company: &CompanyProfile) -> Vec<Clock> {
        clocks(&ClockInput {
            aware_at: self.aware_at,
            vendor_aware_at: self.vendor_aware_at,
            moments: &self.moments,
            decisions: &self.decisions,
            scope: self.scope().map(|scope| &scope.upper),
            company,
        })
    }
}

/// The contract's own clock: how late the vendor told us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractClock {
    /// By when the vendor had to tell us.
    pub due: Option<Timestamp>,
    /// How late it was, in seconds; 0 is in time. `None` when that cannot be said.
    pub late_by_seconds: Option<i64>,
    /// What is not known.
    pub unknown: Vec<String>,
}

/// By when the vendor had to tell us, counted from its own awareness, and how late it was.
pub fn contract_clock(
    contract: &Contract,
    vendor_aware_at: Option<Timestamp>,
    told_at: Option<Timestamp>,
) -> ContractClock {
    let mut unknown = Vec::new();
    if contract.notice_hours.is_none() {
        unknown.push("how many hours the contract gives".to_owned());
    }
    if vendor_aware_at.is_none() {
        unknown.push("when the vendor became aware".to_owned());
    }
    if told_at.is_none() {
        unknown.push("when the vendor told us, if it did".to_owned());
    }
    let due = vendor_aware_at
        .zip(contract.notice_hours)
        .map(|(aware, hours)| aware.plus_seconds(i64::from(hours) * HOUR_SECONDS));
    let late_by_seconds =
        told_at.zip(due).map(|(told, due)| told.seconds_since(due).ceil().max(0.0) as i64);
    ContractClock { due, late_by_seconds, unknown }
}

const HOUR_SECONDS: i64 = 60 * 60;

fn clock(regime: &Regime, input: &ClockInput<'_>) -> Clock {
    let persons = input.scope.filter(|_| !regime.places.is_empty()).map(|s| persons(regime, s));
    let (applies, because) = judged(regime, input, persons.as_ref());
    let mut unknown = Vec::new();
    let starts_at = start(regime.start, input, &mut unknown);
    let due = starts_at.and_then(|starts_at| due(regime, starts_at, input, &mut unknown));
    let zone = &input.company.time_zone;
    let deadline = due.and_then(|due| match due {
        Due::Instant(at) => Some(at),
        Due::Date(Day(day)) => zone.end_of(day),
    });
    if applies == Applies::Unknown {
        unknown.insert(0, because.clone());
    }
    Clock {
        regime: regime.id.clone(),
        jurisdiction: regime.jurisdiction.clone(),
        recipient: regime.recipient.clone(),
        recipient_name: regime.recipient_name.clone(),
        holder: regime.holder,
        trigger: regime.trigger.clone(),
        applies,
        because,
        persons: persons.map(Persons::count),
        start_event: regime.start,
        starts_at,
        due,
        deadline,
        standard: regime.standard,
        email_only: regime.email_only,
        unknown,
        citation: regime.citation.clone(),
        note: regime.note.clone(),
        mark: regime.mark,
        reviewed_by: regime.reviewed_by.clone(),
    }
}

/// Affected persons in a regime's places.
struct Persons {
    at_least: u64,
    at_most: u64,
}

impl Persons {
    fn count(self) -> Count {
        let bound = if self.at_least == self.at_most { Bound::Exact } else { Bound::Upper };
        Count { value: self.at_most, bound }
    }
}

fn persons(regime: &Regime, scope: &ScopeCounts) -> Persons {
    let of_country = |country: &str| scope.by_country.get(country).copied().unwrap_or(0);
    let nowhere = of_country("unknown");
    let mut at_least = 0;
    let mut not_located = 0;
    for place in regime.each_place() {
        match place.split_once('-') {
            None => at_least += of_country(place),
            Some((country, _)) => {
                let inside = |name: &str| name.split('-').next() == Some(country);
                let regions = scope.by_region.iter().filter(|(name, _)| inside(name));
                let located: u64 = regions.map(|(_, count)| count).sum();
                at_least += scope.by_region.get(place).copied().unwrap_or(0);
                not_located += of_country(country).saturating_sub(located);
            }
        }
    }
    let at_most = at_least.saturating_add(not_located).saturating_add(nowhere);
    Persons { at_least, at_most: at_most.min(scope.persons.max(at_least)) }
}

/// What one condition says: whether it is met, and why.
type Condition = (Applies, String);

/// All conditions together: one «no» decides, then one «unknown».
fn judged(regime: &Regime, input: &ClockInput<'_>, persons: Option<&Persons>) -> Condition {
    if let Some(decision) = input.decisions.get(&regime.id) {
        let applies = if decision.applies { Applies::Yes } else { Applies::No };
        return (applies, format!("decided by {}: {}", decision.by, decision.why));
    }
    let conditions = [
        in_force(regime, input),
        of_anybody(regime, input),
        of_sector(regime, input),
        of_place(regime, input, persons),
        of_fields(regime, input, persons),
        of_number(regime, persons),
        of_judgement(regime, input),
    ];
    let conditions: Vec<_> = conditions.into_iter().flatten().collect();
    for decisive in [Applies::No, Applies::Unknown] {
        let reasons: Vec<_> = conditions
            .iter()
            .filter(|(applies, _)| *applies == decisive)
            .map(|(_, why)| why.as_str())
            .collect();
        if !reasons.is_empty() {
            return (decisive, reasons.join("; "));
        }
    }
    let reasons: Vec<_> = conditions.iter().map(|(_, why)| why.as_str()).collect();
    let because =
        if reasons.is_empty() { "it has no condition".to_owned() } else { reasons.join("; ") };
    (Applies::Yes, because)
}

fn in_force(regime: &Regime, input: &ClockInput<'_>) -> Option<Condition> {
    if regime.standard == Standard::Proposed {
        return Some((Applies::No, "it is a proposal, not law".to_owned()));
    }
    let day = input.company.time_zone.day_of(input.aware_at);
    match (regime.effective_from, regime.effective_to) {
        (Some(from), _) if day < from.0 && regime.earlier_form => {
            let why = format!("it has this form since {from}; what held before is not here");
            Some((Applies::Unknown, why))
        }
        (Some(from), _) if day < from.0 => {
            Some((Applies::No, format!("it is not in force before {from}")))
        }
        (_, Some(to)) if day > to.0 => {
            Some((Applies::No, format!("it is not in force after {to}")))
        }
        _ => None,
    }
}

/// An upper bound of nobody leaves nothing to tell of.
fn of_anybody(regime: &Regime, input: &ClockInput<'_>) -> Option<Condition> {
    let of_people = matches!(regime.basis, Basis::Persons | Basis::Either);
    let nobody = of_people && input.scope.is_some_and(|scope| scope.persons == 0);
    nobody.then(|| (Applies::No, "the scope has nobody in it, at the utmost".to_owned()))
}

fn of_sector(regime: &Regime, input: &ClockInput<'_>) -> Option<Condition> {
    if regime.sectors.is_empty() {
        return None;
    }
    let names: Vec<_> = regime.sectors.iter().map(|sector| sector.name()).collect();
    let names = names.join(" or ");
    Some(match &input.company.sectors {
        None => (Applies::Unknown, format!("whether the company is {names} is not said")),
        Some(ours) if regime.sectors.iter().any(|sector| ours.contains(sector)) => {
            (Applies::Yes, format!("the company is {names}"))
        }
        Some(_) => (Applies::No, format!("the company is not {names}")),
    })
}

fn of_place(
    regime: &Regime,
    input: &ClockInput<'_>,
    persons: Option<&Persons>,
) -> Option<Condition> {
    let place = &regime.jurisdiction;
    let company = || {
        let ours = &input.company.countries;
        let there = |country: &Country| regime.each_place().any(|p| p == country.as_str());
        if ours.is_empty() {
            (Applies::Unknown, "where the company is established is not said".to_owned())
        } else if ours.iter().any(there) {
            (Applies::Yes, format!("the company is established there ({place})"))
        } else {
            (Applies::No, format!("the company is not established there ({place})"))
        }
    };
    let residents = || match persons {
        None => (Applies::Unknown, "there is no scope yet".to_owned()),
        Some(Persons { at_least, at_most }) if *at_least > 0 => {
            let number = if at_least == at_most {
                format!("{at_most}")
            } else {
                format!("at least {at_least}, at most {at_most}")
            };
            (Applies::Yes, format!("persons in the scope who live there ({place}): {number}"))
        }
        Some(Persons { at_most: 0, .. }) => {
            (Applies::No, format!("nobody in the scope lives there ({place})"))
        }
        Some(Persons { at_most, .. }) => {
            let why = format!("where {at_most} persons live is not known well enough ({place})");
            (Applies::Unknown, why)
        }
    };
    match regime.basis {
        Basis::Nowhere => None,
        Basis::Company => Some(company()),
        Basis::Persons => Some(residents()),
        Basis::Either => {
            let (residents, company) = (residents(), company());
            // One of the two is enough, so the better one decides; people say more than a seat.
            Some(if residents.0 <= company.0 { residents } else { company })
        }
    }
}

/// Persons whose exposed fields meet what a regime asks for, or may.
#[derive(Default)]
struct Asked {
    with: u64,
    counted: u64,
    /// Free text of persons who do not meet it otherwise.
    free: FieldSet,
}

fn of_fields(
    regime: &Regime,
    input: &ClockInput<'_>,
    persons: Option<&Persons>,
) -> Option<Condition> {
    if regime.requires.is_empty() {
        return None;
    }
    let Some(scope) = input.scope else {
        return Some((Applies::Unknown, "which fields are exposed is not known".to_owned()));
    };
    let mut asked = Asked::default();
    for (names, &count) in scope.by_combination.iter().filter(|&(_, &count)| count > 0) {
        let Ok(fields) = FieldSet::parse(names) else { continue };
        asked.counted += count;
        if regime.requires.iter().any(|set| set.minus(fields).is_empty()) {
            asked.with += count;
        } else {
            asked.free = asked.free.union(fields.intersection(FREE));
        }
    }
    Some(match asked {
        Asked { with: 0, free: FieldSet::EMPTY, counted } if counted >= scope.persons => {
            (Applies::No, "nobody in the scope has the fields that it asks for".to_owned())
        }
        Asked { with: 0, free: FieldSet::EMPTY, .. } => {
            (Applies::Unknown, "not every person's exposed fields are counted".to_owned())
        }
        Asked { with: 0, free, .. } => {
            let why = format!("whether exposed free text ({free}) holds what it asks for");
            (Applies::Unknown, format!("{why} is not known"))
        }
        Asked { with, .. } => {
            let there = persons.map_or(0, |persons| persons.at_least);
            let why = format!("persons with the fields that it asks for: {with}");
            if there.saturating_add(with) > scope.persons {
                (Applies::Yes, why)
            } else {
                (Applies::Unknown, format!("{why}; how many of them live there is not known"))
            }
        }
    })
}

fn of_number(regime: &Regime, persons: Option<&Persons>) -> Option<Condition> {
    let Minimum { persons: needed, below } = regime.minimum?;
    Some(match persons {
        Some(there) if there.at_least >= needed => {
            (Applies::Yes, format!("it takes {needed} persons, and there are {}", there.at_least))
        }
        Some(there) if there.at_most < needed => {
            let why = format!("there are at most {} persons, below its {needed}", there.at_most);
            match below {
                Until::Yes => (Applies::Yes, why),
                Until::No => (Applies::No, why),
                Until::Unknown => {
                    (Applies::Unknown, why + ", and its other conditions are to be judged")
                }
            }
        }
        _ => (Applies::Unknown, format!("whether there are {needed} persons is not known")),
    })
}

fn of_judgement(regime: &Regime, input: &ClockInput<'_>) -> Option<Condition> {
    let judgement = regime.judgement.as_ref()?;
    if is_determination(regime.start) && input.moments.contains_key(&regime.start) {
        return Some((Applies::Yes, format!("{} is recorded", regime.start.name())));
    }
    let whether = &judgement.whether;
    Some(match judgement.until_judged {
        Until::Yes => {
            (Applies::Yes, format!("counts as given until it is judged whether {whether}"))
        }
        Until::Unknown => (Applies::Unknown, format!("to be judged: whether {whether}")),
        Until::No => {
            (Applies::No, format!("counts as not given until it is judged that {whether}"))
        }
    })
}

/// Moments that are themselves the judgement on which a duty hangs.
const fn is_determination(event: StartEvent) -> bool {
    matches!(
        event,
        StartEvent::HighRiskDetermined
            | StartEvent::BecameAwareSignificant
            | StartEvent::ClassifiedMajor
            | StartEvent::MaterialityDetermined
            | StartEvent::AssessedNotifiable
            | StartEvent::RiskDetermined
            | StartEvent::NeedDetermined
    )
}

/// When a clock starts. A moment that cannot be before awareness and is not recorded counts from
/// awareness, which is the earliest, and is named as unknown.
fn start(
    event: StartEvent,
    input: &ClockInput<'_>,
    unknown: &mut Vec<String>,
) -> Option<Timestamp> {
    if let Some(at) = input.moments.get(&event) {
        return Some(*at);
    }
    match event {
        StartEvent::BecameAware => Some(input.aware_at),
        StartEvent::ProcessorBecameAware | StartEvent::VendorReasonToBelieve => {
            if input.vendor_aware_at.is_none() {
                unknown.push("when the vendor became aware".to_owned());
            }
            input.vendor_aware_at
        }
        StartEvent::Discovered
        | StartEvent::DiscoveredOrNotified
        | StartEvent::BreachDetermined
        | StartEvent::Suspected
        | StartEvent::KnownPersonalDataAffected
        | StartEvent::BecameAwareSignificant => {
            let name = event.name();
            unknown.push(format!("{name} is not recorded; counted from awareness, the earliest"));
            Some(input.aware_at)
        }
        other => {
            unknown.push(format!("{} has not happened or is not recorded", other.name()));
            None
        }
    }
}

fn due(
    regime: &Regime,
    starts_at: Timestamp,
    input: &ClockInput<'_>,
    unknown: &mut Vec<String>,
) -> Option<Due> {
    let limit = regime.limit?;
    let first_day = input.company.time_zone.day_of(starts_at);
    let day = match limit.unit {
        Unit::Hours => {
            let due = starts_at.plus_seconds(i64::from(limit.value) * HOUR_SECONDS);
            return Some(Due::Instant(capped(regime, starts_at, due, input)));
        }
        Unit::Days => first_day.checked_add(i64::from(limit.value).days()).ok(),
        Unit::Months => first_day.checked_add(i64::from(limit.value).months()).ok(),
        Unit::BusinessDays => limit.calendar.after(first_day, limit.value),
    };
    if limit.unit == Unit::BusinessDays && !CHECKED_YEARS.contains(&first_day.year()) {
        unknown.push(format!("the holidays of {} are not checked", first_day.year()));
    }
    day.map(|day| Due::Date(Day(day)))
}

fn capped(
    regime: &Regime,
    starts_at: Timestamp,
    due: Timestamp,
    input: &ClockInput<'_>,
) -> Timestamp {
    let cap = regime.cap.and_then(|cap| {
        let from = start(cap.start, input, &mut Vec::new())?;
        Some(from.plus_seconds(i64::from(cap.hours) * HOUR_SECONDS))
    });
    cap.filter(|cap| starts_at <= *cap).map_or(due, |cap| due.min(cap))
}
