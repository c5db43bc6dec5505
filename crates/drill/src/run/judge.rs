//! Recomputes the truth from outside and holds the program to it: one check a claim.

use std::collections::BTreeSet;
use std::fs::File;

use anyhow::{Context as _, Result};
use http::{Method, StatusCode};
use model::{Action, Field, NotExposedGrade, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::acts::Acts;
use super::portal::Portal;
use super::progress::Progress;
use super::response::Responded;
use super::stage::Stage;
use super::traffic::Workload;
use crate::oracle::{self, Directory, Truth};
use crate::people::People;
use crate::scorecard::{ClockCard, NotExposedCard, NoticesCard, ScopeCard, Scorecard, StepCard};

/// Fills the scorecard.
pub async fn judge(
    stage: &Stage,
    acts: &Acts,
    responded: &Responded,
    progress: &mut Progress,
) -> Result<Scorecard> {
    progress.begin("recomputing the truth from outside");
    let began = acts.began_at.context("the scenario has an act")?;
    let truth = truth(stage, responded)?;
    let clocks = clocks(stage, responded).await?;
    let mut card = Scorecard {
        scenario: stage.scenario.id.clone(),
        people: stage.people,
        portal_url: stage.program.places.portal.clone(),
        scope: scope(responded)?,
        containment: steps(responded)?,
        clocks,
        notices: notices(responded),
        ..Scorecard::default()
    };
    times(&mut card, stage, responded, began).await?;
    detected(&mut card, stage).await?;
    contained(&mut card, stage).await?;
    scoped(&mut card, stage, &truth);
    told(&mut card, stage, responded);
    published(&mut card, stage).await?;
    recorded(&mut card, stage).await?;
    in_time(&mut card, stage);
    Ok(card)
}

fn truth(stage: &Stage, responded: &Responded) -> Result<Truth> {
    let vendor = stage.vendor(&stage.scenario.response.vendor)?;
    let mut directory = Directory::default();
    for edition in stage.directories() {
        directory.read(std::io::BufReader::new(File::open(edition)?))?;
    }
    let question = oracle::Question {
        window: responded.window,
        reach: responded.reach.clone(),
        retention_days: vendor.setup.retention_days,
    };
    let mut received = vendor.sandbox.received();
    for row in &mut received {
        row.fields = vendor.setup.spelt_out(row.fields);
    }
    Ok(oracle::exposed(&received, &directory, &question))
}

fn newest(responded: &Responded) -> &Value {
    let scopes = responded.incident["scopes"].as_array();
    scopes.and_then(|scopes| scopes.last()).unwrap_or(&Value::Null)
}

fn scope(responded: &Responded) -> Result<ScopeCard> {
    #[derive(Deserialize)]
    struct Said {
        field: Field,
        grade: NotExposedGrade,
    }
    let newest = newest(responded);
    let not_exposed: Vec<Said> = serde_json::from_value(newest["not_exposed"].clone())?;
    Ok(ScopeCard {
        persons_lower: newest["lower"]["persons"].as_u64(),
        persons_upper: newest["upper"]["persons"].as_u64(),
        by_field: serde_json::from_value(newest["upper"]["by_field"].clone())?,
        by_country: serde_json::from_value(newest["upper"]["by_country"].clone())?,
        not_exposed: not_exposed
            .into_iter()
            .map(|said| NotExposedCard { field: said.field, grade: said.grade })
            .collect(),
    })
}

/// Steps that were taken; those by hand that nobody has done yet are not among them.
fn steps(responded: &Responded) -> Result<Vec<StepCard>> {
    let empty = Vec::new();
    let plan = responded.incident["plan"].as_array().unwrap_or(&empty);
    let taken = plan
        .iter()
        .filter(|step| !matches!(step["state"]["is"].as_str(), Some("planned" | "skipped")));
    taken
        .map(|step| {
            let action: Action = serde_json::from_value(step["action"].clone())?;
            let ok = step["state"]["is"] == "done";
            let verified = step["state"]["verified"].as_bool().unwrap_or(false);
            Ok(StepCard { action, ok, verified })
        })
        .collect()
}

/// The clocks that run.
async fn clocks(stage: &Stage, responded: &Responded) -> Result<Vec<ClockCard>> {
    let id = responded.incident["id"].as_str().context("an incident has an id")?;
    let all = stage.program.client.get(&format!("/api/v1/incidents/{id}/clocks")).await?;
    let empty = Vec::new();
    let running = all["clocks"].as_array().unwrap_or(&empty).iter();
    let running = running.filter(|clock| clock["applies"] != "no").map(|clock| ClockCard {
        regime: clock["regime"].as_str().unwrap_or_default().to_owned(),
        due: clock["deadline"].as_str().and_then(|at| at.parse().ok()),
    });
    Ok(running.collect())
}

fn notices(responded: &Responded) -> NoticesCard {
    let count = |name: &str| responded.notice["totals"][name].as_u64().unwrap_or(0);
    NoticesCard {
        audience: count("audience"),
        delivered: count("delivered"),
        bounced: count("bounced"),
        failed: count("failed"),
        suppressed: count("suppressed"),
        pending: count("pending"),
        unknown: count("unknown"),
    }
}

/// Seconds from the first act, by the program's own records.
async fn times(
    card: &mut Scorecard,
    stage: &Stage,
    responded: &Responded,
    began: Timestamp,
) -> Result<()> {
    let after = |at: &Value| {
        at.as_str().and_then(|at| at.parse::<Timestamp>().ok()).map(|at| at.seconds_since(began))
    };
    let findings = stage.program.client.get("/api/v1/findings").await?;
    let empty = Vec::new();
    let found = findings["findings"].as_array().unwrap_or(&empty).iter();
    let declared = after(&responded.incident["declared_at"]);
    card.detected_after_s =
        found.filter_map(|finding| after(&finding["found_at"])).chain(declared).reduce(f64::min);
    card.contained_after_s = after(&responded.incident["contained_at"]);
    let scopes = responded.incident["scopes"].as_array().unwrap_or(&empty);
    card.scoped_after_s = scopes.last().and_then(|scope| after(&scope["at"]));
    let told: Vec<f64> = delivered(&responded.deliveries)
        .filter_map(|row| row.last()?.parse::<Timestamp>().ok())
        .map(|at| at.seconds_since(began))
        .collect();
    card.first_notice_after_s = told.iter().copied().reduce(f64::min);
    card.last_notice_after_s = told.iter().copied().reduce(f64::max);
    Ok(())
}

/// Rows of recipients who were told, cell by cell.
fn delivered(csv: &str) -> impl Iterator<Item = Vec<&str>> {
    let rows = csv.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    rows.filter(|row| row.get(1) == Some(&"delivered"))
}

async fn detected(card: &mut Scorecard, stage: &Stage) -> Result<()> {
    let findings = stage.program.client.get("/api/v1/findings").await?;
    let empty = Vec::new();
    let found: BTreeSet<&str> = findings["findings"]
        .as_array()
        .unwrap_or(&empty)
        .iter()
        .filter_map(|finding| finding["detector"].as_str())
        .collect();
    let expected = &stage.scenario.expect.detected_by;
    let all = expected.iter().all(|detector| found.contains(detector.as_str()));
    card.check("the detectors of the scenario found it", all, listed(found.iter()));
    Ok(())
}

fn listed<T: std::fmt::Display>(things: impl Iterator<Item = T>) -> String {
    things.map(|thing| thing.to_string()).collect::<Vec<_>>().join(", ")
}

/// The cut, tried from outside: through the gateway, and at the vendor with the old key.
async fn contained(card: &mut Scorecard, stage: &Stage) -> Result<()> {
    let expected = &stage.scenario.expect.containment;
    let missing: Vec<_> = expected
        .iter()
        .filter(|action| {
            !card.containment.iter().any(|step| step.action == **action && step.ok && step.verified)
        })
        .collect();
    let detail = match missing.is_empty() {
        true => listed(expected.iter()),
        false => format!("missing: {}", listed(missing.iter())),
    };
    card.check("every expected step was done and verified", missing.is_empty(), detail);

    let vendor = stage.vendor(&stage.scenario.response.vendor)?;
    let before = vendor.sandbox.received().len();
    let live = stage.scenario.traffic.live.iter().find(|live| live.vendor == vendor.setup.name);
    let live = live.context("the scenario has traffic to its vendor")?;
    let body = json!({ "contacts": [{ "email": "probe@members.example" }] });
    let status = Workload::of(stage, vendor)
        .call(Method::PUT, "/v3/marketing/contacts", live.purpose.as_str(), &body)
        .await?;
    let held = status == StatusCode::FORBIDDEN && vendor.sandbox.received().len() == before;
    card.check(
        "the gateway refuses what would leave, and nothing leaves",
        held,
        status.to_string(),
    );

    if expected.contains(&Action::DeleteApiKeys) {
        let refused = !vendor.sandbox.admits(&vendor.key);
        card.check("the vendor refuses the old key", refused, "tried at the vendor itself");
    }
    let waiting = vendor.sandbox.intruder().waiting();
    card.check(
        "nothing of the intruder waits to be sent",
        waiting == 0,
        format!("{waiting} waiting"),
    );
    Ok(())
}

/// The scope against a naive pass over everything that the vendor ever got.
fn scoped(card: &mut Scorecard, stage: &Stage, truth: &Truth) {
    let (claimed, true_count) = (card.scope.persons_upper, truth.persons.len() as u64);
    let equal = claimed == Some(true_count);
    card.check(
        "as many persons as a pass over the vendor's own record",
        equal,
        format!("{} claimed, {true_count} true", claimed.unwrap_or_default()),
    );
    let fields = card.scope.by_field == truth.by_field;
    card.check("the same persons per field", fields, listed(truth.by_field.keys()));
    let countries = card.scope.by_country == truth.by_country;
    card.check("the same persons per country", countries, listed(truth.by_country.keys()));
    let bounded = card.scope.persons_lower.unwrap_or(0) <= true_count;
    card.check(
        "the lower bound is not above the truth",
        bounded,
        format!("{} for certain", card.scope.persons_lower.unwrap_or_default()),
    );
    let exposed = stage.scenario.expect.exposed;
    let only = card.scope.by_field.keys().copied().collect::<model::FieldSet>() == exposed;
    card.check("exactly the expected fields are exposed", only, exposed.to_string());
    let wrong: Vec<_> = stage
        .scenario
        .expect
        .not_exposed
        .iter()
        .filter(|expected| {
            let mut said = card.scope.not_exposed.iter();
            !said.any(|said| said.field == expected.field && said.grade == expected.grade)
        })
        .map(|expected| format!("{} as {}", expected.field, expected.grade))
        .collect();
    card.check(
        "what was not exposed has its grade",
        wrong.is_empty(),
        match wrong.is_empty() {
            true => listed(card.scope.not_exposed.iter().map(|said| said.field)),
            false => format!("not said: {}", wrong.join(", ")),
        },
    );
    let mut expected = stage.scenario.expect.clocks.iter();
    let running = expected.all(|regime| card.clocks.iter().any(|clock| clock.regime == *regime));
    card.check("the expected clocks run", running, listed(stage.scenario.expect.clocks.iter()));
}

/// The notices against what the recipients' server really got.
fn told(card: &mut Scorecard, stage: &Stage, responded: &Responded) {
    let notices = card.notices;
    card.check(
        "nobody is lost: the totals add up",
        notices.adds_up() && notices.pending == 0,
        format!("{} of {} delivered", notices.delivered, notices.audience),
    );
    let audience = Some(notices.audience) == card.scope.persons_upper;
    card.check("everybody in the scope is in the audience", audience, notices.audience.to_string());
    let Some(inbox) = &stage.inbox else {
        card.check("a real mail server took the notices", notices.delivered > 0, "not looked into");
        return;
    };
    let tally = inbox.tally();
    let possible = responded.notice["totals"]["possible_duplicates"].as_u64().unwrap_or(0);
    card.check(
        "as many recipients got mail as are recorded",
        tally.recipients == notices.delivered,
        format!("{} got it", tally.recipients),
    );
    card.check(
        "nobody got a second copy that is not counted",
        tally.again <= possible,
        format!("{} again, {possible} counted", tally.again),
    );
    card.check(
        "every mail has a DKIM signature that holds",
        tally.unsigned == 0,
        format!("{} of {} without", tally.unsigned, tally.mails),
    );
    card.check(
        "every mail has its code",
        tally.without_code == 0,
        format!("{} without", tally.without_code),
    );
}

async fn published(card: &mut Scorecard, stage: &Stage) -> Result<()> {
    let portal = Portal::of(stage);
    let home = portal.page("/").await?;
    let shown = home.contains("Security incident at a provider");
    card.check("the portal shows the bulletin", shown, stage.program.places.portal.clone());
    let Some(inbox) = &stage.inbox else {
        return Ok(());
    };
    let people = People::new(&stage.scenario.id, &stage.scenario.company);
    let code = people
        .first(stage.people)
        .filter_map(|person| inbox.got(person.email.as_deref()?)?.code)
        .next();
    let genuine = match &code {
        Some(code) => portal.is_genuine(code).await?,
        None => false,
    };
    card.check("the portal knows a code from a notice", genuine, "typed into the page");
    let made_up = portal.is_genuine("ABCD-2345-EFGH-6789").await?;
    card.check("the portal does not know a made-up code", !made_up, "typed into the page");
    Ok(())
}

async fn recorded(card: &mut Scorecard, stage: &Stage) -> Result<()> {
    let verified = stage.program.client.get("/api/v1/audit/verify").await?;
    let ok = verified["ok"] == true;
    card.check("the audit log is whole", ok, format!("{} entries", verified["entries"]));
    Ok(())
}

fn in_time(card: &mut Scorecard, stage: &Stage) {
    let expect = &stage.scenario.expect;
    let limits = [
        ("detected in time", card.detected_after_s, expect.detected_seconds),
        ("contained in time", card.contained_after_s, expect.contained_seconds),
        ("scoped in time", card.scoped_after_s, expect.scoped_seconds),
        (
            "the first person was told in time",
            card.first_notice_after_s,
            expect.first_notice_seconds,
        ),
    ];
    for (name, took, most) in limits {
        let ok = took.is_some_and(|took| took <= most as f64);
        let detail = took.map_or("never".to_owned(), |took| format!("{took:.1} s of {most} s"));
        card.check(name, ok, detail);
    }
}
