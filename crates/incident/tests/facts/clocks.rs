//! Which duties there are, and when each is due.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use incident::clocks::{Applies, Decision, clocks};
use incident::regime::{Sector, StartEvent, regimes};
use incident::{Author, Clock, ClockInput, CompanyProfile, Due, contract_clock};
use model::{Contract, Country, ScopeCounts, Timestamp};

use crate::sample::{at, counts, folded};

/// Flickr's case: aware on a Thursday at 02:00 UTC; contact data and activity, no secrets.
const FLICKR: &str = "email,name,username,account_type,ip,location,activity=1000 \
                      DE=100 GB=90 US=600 BR=40 SG=30 IN=20 JP=20 CH=10 unknown=90 \
                      US-CA=200 US-TX=100 US-NY=100";

struct Case {
    aware_at: Timestamp,
    moments: BTreeMap<StartEvent, Timestamp>,
    decisions: BTreeMap<String, Decision>,
    scope: Option<ScopeCounts>,
    company: CompanyProfile,
}

impl Case {
    fn of(scope: &str) -> Self {
        Self {
            aware_at: at("2026-02-05T02:00:00Z"),
            moments: BTreeMap::new(),
            decisions: BTreeMap::new(),
            scope: Some(counts(scope)),
            company: CompanyProfile {
                countries: vec![Country::parse("US").expect("a country")],
                sectors: Some(BTreeSet::new()),
                ..CompanyProfile::default()
            },
        }
    }

    fn with(mut self, event: StartEvent, time: &str) -> Self {
        self.moments.insert(event, at(time));
        self
    }

    fn clocks(&self) -> Vec<Clock> {
        clocks(&ClockInput {
            aware_at: self.aware_at,
            vendor_aware_at: None,
            moments: &self.moments,
            decisions: &self.decisions,
            scope: self.scope.as_ref(),
            company: &self.company,
        })
    }

    fn clock(&self, regime: &str) -> Clock {
        self.clocks().into_iter().find(|clock| clock.regime == regime).expect(regime)
    }
}

fn due(clock: &Clock) -> String {
    match clock.due {
        None => "-".to_owned(),
        Some(Due::Date(day)) => day.to_string(),
        Some(Due::Instant(at)) => at.to_string(),
    }
}

/// The cases that `clock_test_vectors` of the data names, with our own copy of what is expected.
fn vectors() -> Vec<(&'static str, Case, &'static str)> {
    use StartEvent::{AssessedNotifiable, BecameAwareSignificant, MaterialityDetermined};
    let flickr = || Case::of(FLICKR);
    let significant = flickr().with(BecameAwareSignificant, "2026-02-05T02:00:00Z");
    let assessed = flickr().with(AssessedNotifiable, "2026-02-06T12:00:00Z");
    let material = flickr().with(MaterialityDetermined, "2026-02-12T15:00:00Z");
    vec![
        ("EU-GDPR-33", flickr(), "2026-02-08T02:00:00Z"),
        ("EU-NIS2-23-EW", significant, "2026-02-06T02:00:00Z"),
        ("US-CA-IND", flickr(), "2026-03-07"),
        ("US-TX-IND", flickr(), "2026-04-06"),
        ("SG-PDPA-PDPC", assessed, "2026-02-09"),
        ("US-SEC-8K-105", material, "2026-02-19"),
    ]
}

#[test]
fn every_clock_of_the_table_is_due_when_it_says() {
    for (regime, case, expect) in vectors() {
        assert_eq!(due(&case.clock(regime)), expect, "{regime}");
    }
}

fn shared() -> Option<serde_json::Value> {
    let path = std::env::var_os("CORDON_SHARED")
        .map_or_else(
            || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
            PathBuf::from,
        )
        .join("data/regimes.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: the shared regimes are not there");
        return None;
    };
    Some(serde_json::from_str(&text).expect("the shared regimes are JSON"))
}

#[test]
fn the_table_is_the_one_that_the_data_came_with() {
    let Some(shared) = shared() else { return };
    let theirs = shared["clock_test_vectors"].as_array().expect("a list");
    let ours = vectors();
    assert_eq!(theirs.len(), ours.len());
    for vector in theirs {
        let regime = vector["regime"].as_str().expect("a regime");
        let regime = regime.split_whitespace().next().expect("an id");
        let (_, case, _) = ours.iter().find(|(id, ..)| *id == regime).expect(regime);
        let expect = vector["due"].as_str().expect("a time");
        let expect = if expect.len() == 10 { expect.to_owned() } else { at(expect).to_string() };
        assert_eq!(due(&case.clock(regime)), expect, "{regime}");
    }
}

#[test]
fn our_regimes_keep_the_ids_marks_and_limits_of_the_data() {
    let ids: BTreeSet<_> = regimes().iter().map(|regime| regime.id.as_str()).collect();
    assert_eq!(ids.len(), regimes().len(), "no id twice");
    for regime in regimes() {
        assert_eq!(regime.reviewed_by, "nobody yet", "{}", regime.id);
        let known = |place: &str| place.split('-').all(|part| (1..=3).contains(&part.len()));
        assert!(regime.each_place().all(known), "{}", regime.id);
    }
    let Some(shared) = shared() else { return };
    let theirs = shared["regimes"].as_array().expect("a list");
    assert_eq!(theirs.len(), regimes().len());
    for their in theirs {
        let id = their["id"].as_str().expect("an id");
        let ours = regimes().iter().find(|regime| regime.id == id).expect(id);
        assert_eq!(their["verification"]["status"], ours.mark.name(), "{id}");
        let limit = &their["clock"]["limit"];
        let ours = ours.limit.map(|limit| (u64::from(limit.value), limit.unit.name()));
        assert_eq!(limit["value"].as_u64(), ours.map(|(value, _)| value), "{id}");
        assert_eq!(limit["unit"].as_str(), ours.map(|(_, unit)| unit), "{id}");
    }
}

#[test]
fn the_clocks_of_a_scope_like_flickrs() {
    let clocks = Case::of(FLICKR).clocks();
    let lines = clocks.iter().filter(|clock| clock.applies != Applies::No).map(|clock| {
        let (applies, due) = (clock.applies.name(), due(clock));
        format!("{applies} {} {due}: {}", clock.regime, clock.because)
    });
    insta::assert_snapshot!(folded(lines), @r"
    yes EU-GDPR-33 2026-02-08T02:00:00Z: persons in the scope who live there (EU/EEA): at
      least 100, at most 190; counts as given until it is judged whether a risk to people
      is unlikely
    yes UK-GDPR-33 2026-02-08T02:00:00Z: persons in the scope who live there (United
      Kingdom): at least 90, at most 180; counts as given until it is judged whether a
      risk to people is unlikely
    yes JP-APPI-PRELIM 2026-02-10: persons in the scope who live there (Japan): at least
      20, at most 110; counts as given until it is judged whether the access had no
      wrongful purpose and no other limb is met
    yes JP-APPI-FINAL 2026-04-06: persons in the scope who live there (Japan): at least
      20, at most 110; counts as given until it is judged whether the access had no
      wrongful purpose and no other limb is met
    yes EU-GDPR-33-2 -: persons in the scope who live there (EU/EEA): at least 100, at
      most 190
    yes JP-APPI-IND -: persons in the scope who live there (Japan): at least 20, at most
      110; counts as given until it is judged whether the access had no wrongful purpose
      and no other limb is met
    yes SG-PDPA-VENDOR -: persons in the scope who live there (Singapore): at least 30, at
      most 120
    unknown BR-LGPD 2026-02-10: to be judged: whether it can touch people's interests
      much, and is on a large scale or has one of the named kinds of data
    unknown AU-NDB 2026-03-07: where 90 persons live is not known well enough (Australia)
    unknown CA-PIPEDA -: where 90 persons live is not known well enough (Canada); to be
      judged: whether there is a real risk of significant harm, by sensitivity and by
      probability of misuse
    unknown CA-QC-LAW25 -: where 90 persons live is not known well enough (Quebec); to be
      judged: whether there is a risk of serious injury; the privacy officer takes part
    unknown CH-FADP-FDPIC -: to be judged: whether the risk to people is high; below that
      a report is voluntary
    unknown CH-FADP-IND -: to be judged: whether people need to know in order to protect
      themselves
    unknown EU-GDPR-34 -: to be judged: whether the risk to people is high, as where
      membership itself is delicate or fraud is under way
    unknown SG-PDPA-PDPC -: there are at most 120 persons, below its 500, and its other
      conditions are to be judged
    unknown UK-GDPR-34 -: to be judged: whether the risk to people is high
    ");
}

#[test]
fn an_address_alone_is_no_case_for_the_states_and_a_password_beside_it_is() {
    let state = |scope: &str, regime: &str| Case::of(scope).clock(regime).applies;
    let states = ["US-CA-IND", "US-NY", "US-FL", "US-CO", "US-WA", "US-IL", "US-TX-IND", "US-MA"];
    let everywhere = "US-CA=1 US-NY=1 US-FL=1 US-CO=1 US-WA=1 US-IL=1 US-TX=1 US-MA=1 US=8";
    for regime in states {
        assert_eq!(state(&format!("email=8 {everywhere}"), regime), Applies::No, "{regime}");
    }
    let with_password = format!("email,password=8 {everywhere}");
    assert_eq!(state(&with_password, "US-CA-IND"), Applies::Yes);
    assert_eq!(state(&with_password, "US-TX-IND"), Applies::No, "no log-in limb there");
    let betterment = format!("email,name,birthdate=8 {everywhere}");
    assert_eq!(state(&betterment, "US-WA"), Applies::Yes);
    assert_eq!(state(&betterment, "US-CA-IND"), Applies::No);
}

#[test]
fn what_cannot_be_told_is_not_told_as_no() {
    let clock = Case::of("email,name=5 email,password=3 US=8 US-CA=2").clock("US-CA-IND");
    assert_eq!(clock.applies, Applies::Unknown, "the three may live elsewhere");
    let clock = Case::of("email,name=5 unknown=5").clock("EU-GDPR-33");
    assert_eq!(clock.applies, Applies::Unknown, "{}", clock.because);
    let clock = Case::of("email,name,content=5 US=5 US-CA=5").clock("US-CA-IND");
    assert_eq!(
        clock.because,
        "whether exposed free text (content) holds what it asks for is not known"
    );
    let none = Case { scope: None, ..Case::of("") };
    assert_eq!(none.clock("US-CA-IND").applies, Applies::Unknown);
    let mut unsaid = Case::of(FLICKR);
    unsaid.company = CompanyProfile::default();
    assert_eq!(unsaid.clock("US-SEC-8K-105").applies, Applies::Unknown);
}

#[test]
fn numbers_count_from_their_threshold_on() {
    let assessed = |number: u64| {
        Case::of(&format!("email={number} SG={number}"))
            .with(StartEvent::AssessedNotifiable, "2026-02-06T12:00:00Z")
            .clock("SG-PDPA-PDPC")
    };
    assert_eq!(assessed(500).applies, Applies::Yes);
    assert_eq!(assessed(499).applies, Applies::Unknown, "harm may still be likely");
    let told = |number: u64| {
        Case::of(&format!("email,password={number} US={number} US-CA={number}"))
            .with(StartEvent::IndividualsNotified, "2026-02-06T12:00:00Z")
            .clock("US-CA-AG")
    };
    assert_eq!((told(500).applies, told(501).applies), (Applies::No, Applies::Yes));
    assert_eq!(due(&told(501)), "2026-02-21");
}

#[test]
fn a_law_applies_from_its_first_day_and_a_proposal_never() {
    let mut case = Case::of("email=9 IN=9 DE=9");
    case.company.countries.clear();
    assert_eq!(case.clock("IN-DPDP-BOARD").because, "it is not in force before 2027-05-13");
    assert_eq!(case.clock("EU-OMNIBUS-PROPOSAL").applies, Applies::No);
    let mut earlier = Case::of("email,password=9 US=9 US-CA=9");
    earlier.aware_at = at("2025-12-31T12:00:00Z");
    assert_eq!(earlier.clock("US-CA-IND").applies, Applies::Unknown, "it had another form");
    case.aware_at = at("2027-05-13T00:00:00Z");
    assert_eq!(case.clock("IN-DPDP-BOARD").applies, Applies::Yes);
}

#[test]
fn a_persons_decision_goes_before_the_data_and_is_named() {
    let mut case = Case::of(FLICKR);
    let decision = Decision {
        applies: false,
        by: Author::Operator(crate::sample::name("lee")),
        at: at("2026-02-05T09:00:00Z"),
        why: "a risk is unlikely".to_owned(),
    };
    case.decisions.insert("EU-GDPR-33".to_owned(), decision);
    let clock = case.clock("EU-GDPR-33");
    assert_eq!(clock.applies, Applies::No);
    assert_eq!(clock.because, "decided by operator/lee: a risk is unlikely");
}

#[test]
fn business_days_months_and_two_limits_at_once() {
    let brazil = Case::of("email=9 BR=9").clock("BR-LGPD");
    assert_eq!(due(&brazil), "2026-02-10", "three business days after a Thursday");
    let report = Case::of(FLICKR)
        .with(StartEvent::IncidentNotificationSubmitted, "2026-01-31T12:00:00Z")
        .clock("EU-NIS2-23-FR");
    assert_eq!(due(&report), "2026-02-28");
    let dora = |classified: &str| {
        let mut case = Case::of(FLICKR).with(StartEvent::ClassifiedMajor, classified);
        case.company.sectors = Some([Sector::FinancialEu].into());
        due(&case.clock("EU-DORA-INITIAL"))
    };
    assert_eq!(dora("2026-02-05T03:00:00Z"), "2026-02-05T07:00:00Z");
    assert_eq!(dora("2026-02-06T01:00:00Z"), "2026-02-06T02:00:00Z", "24 hours after awareness");
    assert_eq!(dora("2026-02-07T01:00:00Z"), "2026-02-07T05:00:00Z", "classified after that");
}

#[test]
fn a_day_that_is_due_ends_where_the_company_is() {
    let mut case = Case::of(FLICKR);
    case.company.time_zone =
        incident::calendar::Zone::parse("America/Los_Angeles").expect("a zone");
    let clock = case.clock("US-CA-IND");
    assert_eq!(due(&clock), "2026-03-06", "it was still Wednesday there");
    assert_eq!(clock.deadline, Some(at("2026-03-07T07:59:59.999999Z")));
}

#[test]
fn the_contracts_own_clock_says_how_late_the_vendor_was() {
    let contract = Contract { notice_hours: Some(24), contact: None };
    let aware = Some(at("2026-02-01T00:00:00Z"));
    let late = contract_clock(&contract, aware, Some(at("2026-02-05T02:00:00Z")));
    assert_eq!(late.due, Some(at("2026-02-02T00:00:00Z")));
    assert_eq!(late.late_by_seconds, Some(3 * 24 * 3600 + 2 * 3600));
    let in_time = contract_clock(&contract, aware, Some(at("2026-02-01T12:00:00Z")));
    assert_eq!(in_time.late_by_seconds, Some(0));
    let nothing = contract_clock(&Contract::default(), None, None);
    assert_eq!((nothing.due, nothing.late_by_seconds, nothing.unknown.len()), (None, None, 3));
}
