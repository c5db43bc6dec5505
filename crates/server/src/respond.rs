//! Carries the incident's state machine: a command in, its record and its audit entry in one
//! transaction, then the effects. Decides nothing itself.

use std::pin::Pin;

use anyhow::{Context as _, Result};
use connectors::routine::StepOutcome;
use incident::{Actor, Author, Command, Effect, Incident};
use model::{Action, IncidentId, Switch, Timestamp};
use serde_json::json;
use store::{Document, IncidentRow, Tx};

use crate::app::App;
use crate::{contain, notices, scoping};

/// Gives commands to an incident, in order, all or none; then sets its effects going.
///
/// # Errors
/// [`incident::Refused`] when one of them is not allowed; faults of the store.
pub async fn command(
    app: &App,
    id: IncidentId,
    commands: Vec<Command>,
    by: Actor,
    also: impl FnOnce(&Tx<'_>, &Incident) -> Result<()> + Send + 'static,
) -> Result<Incident> {
    let now = app.world.now();
    let (incident, effects) = app
        .store
        .write(move |tx| {
            let done = apply(tx, id, commands, &by, now)?;
            also(tx, &done.0)?;
            Ok(done)
        })
        .await?;
    perform(app, &incident, effects).await?;
    Ok(incident)
}

/// The same as Cordon itself, which reports what came of an effect; `also` is kept with it. Boxed,
/// because what a report sets going may report in turn.
///
/// # Errors
/// As [`command`].
pub fn report(
    app: &App,
    id: IncidentId,
    reported: Command,
    also: impl FnOnce(&Tx<'_>) -> Result<()> + Send + 'static,
) -> Reporting<'_> {
    let verb = verb(&reported);
    Box::pin(command(app, id, vec![reported], Actor::system(), move |tx, incident| {
        also(tx)?;
        tx.audit("system", verb, &incident.id.to_string(), &json!({}))
    }))
}

/// A report under way.
pub type Reporting<'a> = Pin<Box<dyn Future<Output = Result<Incident>> + Send + 'a>>;

/// Records a newly declared incident; its effects are set going by [`perform`].
///
/// # Errors
/// Faults of the store.
pub fn insert(tx: &Tx<'_>, incident: &Incident, effects: &[Effect]) -> Result<()> {
    tx.insert_incident(&row(incident, 1)?)?;
    in_the_same_change(tx, incident, effects, &Actor::system())
}

/// An incident as it stands.
///
/// # Errors
/// When there is none of this id.
pub async fn load(app: &App, id: IncidentId) -> Result<Incident> {
    app.store.read(move |tx| tx.incident(id)?.document.read()).await
}

/// Carries commands out inside a change; the effects are set going after it.
///
/// # Errors
/// As [`command`].
pub fn apply(
    tx: &Tx<'_>,
    id: IncidentId,
    commands: Vec<Command>,
    by: &Actor,
    now: Timestamp,
) -> Result<(Incident, Vec<Effect>)> {
    let before = tx.incident(id)?;
    let mut incident: Incident = before.document.read()?;
    let mut effects = Vec::new();
    for command in commands {
        let (after, more) = incident::step(&incident, command, by, now)?;
        incident = after;
        effects.extend(more);
    }
    tx.update_incident(&row(&incident, before.version)?)?;
    in_the_same_change(tx, &incident, &effects, by)?;
    Ok((incident, effects))
}

fn row(incident: &Incident, version: u64) -> Result<IncidentRow> {
    Ok(IncidentRow {
        id: incident.id,
        vendor: incident.vendor.clone(),
        state: incident.state.name().to_owned(),
        open: incident.closed_at.is_none(),
        version,
        created_at: incident.declared_at,
        document: Document::of(incident)?,
    })
}

/// What an effect changes in the store, committed with the command that caused it.
fn in_the_same_change(
    tx: &Tx<'_>,
    incident: &Incident,
    effects: &[Effect],
    by: &Actor,
) -> Result<()> {
    for effect in effects {
        match effect {
            Effect::Cut { switch } => {
                let mut vendor = tx.vendor(&incident.vendor)?;
                let detail =
                    json!({ "from": vendor.switch, "to": switch, "incident": incident.id });
                vendor.switch = *switch;
                tx.update_vendor(&vendor)?;
                tx.audit(&by.author.to_string(), "vendor.switched", vendor.name.as_str(), &detail)?;
            }
            Effect::Publish { bulletin, version } => {
                tx.publish_bulletin(&published(incident, *bulletin, *version)?)?;
            }
            Effect::Notify { notice } => {
                if let Author::Operator(approver) = &by.author {
                    tx.approve_notice(*notice, approver)?;
                }
            }
            Effect::Alert { text } => {
                tx.audit(
                    "system",
                    "alert.raised",
                    &incident.id.to_string(),
                    &json!({ "text": text }),
                )?;
            }
            Effect::Execute { .. } | Effect::ComputeScope { .. } => {}
        }
    }
    Ok(())
}

fn published(incident: &Incident, number: u32, version: u32) -> Result<store::Bulletin> {
    let mut bulletins = incident.bulletins.iter();
    let found = bulletins
        .find(|bulletin| bulletin.number == number)
        .and_then(|bulletin| bulletin.versions.iter().find(|one| one.version == version))
        .context("a published bulletin is in its incident")?;
    let english = found.texts.iter().find(|text| text.language.as_str() == "en");
    let text = english.or(found.texts.first()).context("a published bulletin has a text")?;
    let incident::BulletinState::Published { at, .. } = found.state else {
        anyhow::bail!("the bulletin is not published");
    };
    Ok(store::Bulletin {
        incident: incident.id,
        number,
        version,
        title: text.title.clone(),
        text: text.body.clone(),
        published_at: at,
    })
}

/// Sets effects going. Each may be set going again after a crash ([`resume`]) without harm.
///
/// # Errors
/// When the gateway cannot be told of a cut.
pub async fn perform(app: &App, incident: &Incident, effects: Vec<Effect>) -> Result<()> {
    for effect in effects {
        match effect {
            Effect::Cut { switch } => cut(app, incident, switch).await?,
            Effect::Execute { action } => {
                app.tasks.spawn(contain::run(app.clone(), incident.id, action));
            }
            Effect::ComputeScope { asked } => {
                app.tasks.spawn(scoping::answer(app.clone(), incident.id, *asked));
            }
            Effect::Notify { notice } => app.tasks.spawn(notices::deliver(app.clone(), notice)),
            Effect::Publish { .. } => {}
            Effect::Alert { text } => {
                tracing::warn!(incident.id = %incident.id, alert = text, "an incident needs somebody");
            }
        }
    }
    Ok(())
}

/// Hands the switch to the gateway, looks whether it stands there, and reports.
async fn cut(app: &App, incident: &Incident, switch: Switch) -> Result<()> {
    app.refresh_gateway().await?;
    if switch == Switch::Open {
        return Ok(());
    }
    let leaves = app.gateway.registry().may_leave(&incident.vendor);
    let outcome = StepOutcome {
        ok: leaves.is_err(),
        verified: leaves.is_err(),
        detail: vec![match leaves {
            Err(refused) => format!("the gateway refuses calls to it: {refused}"),
            Ok(()) => "the gateway still lets calls through".to_owned(),
        }],
        evidence: Vec::new(),
    };
    let done = Command::StepDone { action: Action::CutGateway, outcome };
    report(app, incident.id, done, |_| Ok(())).await.map(drop)
}

/// Takes up what was under way when the program stopped.
///
/// # Errors
/// Faults of the store.
pub async fn resume(app: &App) -> Result<()> {
    for row in app.store.read(|tx| tx.open_incidents()).await? {
        let incident: Incident = row.document.read()?;
        let effects = incident::resume(&incident);
        perform(app, &incident, effects).await?;
    }
    Ok(())
}

/// Under which verb a command is recorded.
pub fn verb(command: &Command) -> &'static str {
    match command {
        Command::AddFinding { .. } => "incident.finding-added",
        Command::AddFact { .. } => "incident.fact-added",
        Command::RunStep { .. } => "incident.step-approved",
        Command::StepStarted { .. } => "incident.step-started",
        Command::StepDone { .. } => "incident.step-done",
        Command::ConfirmManual { .. } => "incident.step-confirmed",
        Command::SkipStep { .. } => "incident.step-skipped",
        Command::SetWindow { .. } => "incident.window-set",
        Command::SetReach { .. } => "incident.reach-set",
        Command::SetCertain { .. } => "incident.certain-set",
        Command::Rescope { .. } => "incident.rescope-asked",
        Command::ScopeComputed { .. } => "incident.scope-computed",
        Command::RecordStatement { .. } => "incident.statement-recorded",
        Command::ReverseStatement { .. } => "incident.statement-reversed",
        Command::Determine { .. } => "incident.moment-determined",
        Command::Decide { .. } => "incident.regime-decided",
        Command::DraftBulletin { .. } => "bulletin.drafted",
        Command::ApproveBulletin { .. } => "bulletin.published",
        Command::WithdrawBulletin { .. } => "bulletin.withdrawn",
        Command::NoticeDrafted { .. } => "notice.drafted",
        Command::ApproveNotice { .. } => "notice.approved",
        Command::RejectNotice { .. } => "notice.rejected",
        Command::NoticeEnded { .. } => "notice.ended",
        Command::RequestLift { .. } => "incident.lift-requested",
        Command::ApproveLift => "incident.lift-approved",
        Command::AssignRole { .. } => "incident.role-assigned",
        Command::Close { .. } => "incident.closed",
        Command::Reopen { .. } => "incident.reopened",
    }
}
