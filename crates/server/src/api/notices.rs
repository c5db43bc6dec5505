//! Notices: draft, look at, test, pause, go on, export.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use incident::{Command, Incident};
use model::{Email, FieldSet, IncidentId, NoticeId};
use notify::{Change, NoticeFacts, Order, Templates, Translation};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Document, NoticeKind, NoticeState};

use super::auth::Operator;
use super::error::{Answer, ApiError};
use super::extract::{Json, Path};
use crate::app::App;
use crate::audience::{self, Corrects, Told};
use crate::notices::{self, Draft};
use crate::respond;

/// A notice to draft.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewNotice {
    /// Per language; English must be there.
    what_happened: BTreeMap<Translation, String>,
    #[serde(default)]
    measures: BTreeMap<Translation, String>,
    #[serde(default)]
    authority: BTreeMap<Translation, String>,
    /// The version of the scope; the newest without it.
    scope: Option<u32>,
    /// Whether the vendor is named.
    #[serde(default)]
    name_vendor: bool,
    /// The notice that this one corrects: it then goes to those alone whose status changed.
    corrects: Option<NoticeId>,
}

/// Drafts a notice. It is written and linted for every kind of recipient that occurs; one problem
/// anywhere refuses the draft.
pub async fn draft_notice(
    by: Operator,
    State(app): State<App>,
    Path(id): Path<IncidentId>,
    Json(new): Json<NewNotice>,
) -> Answer<(StatusCode, Json<Value>)> {
    let incident = respond::load(&app, id).await?;
    let version = new.scope.or(incident.scope().map(|scope| scope.version));
    let scope =
        incident.scopes.iter().find(|scope| Some(scope.version) == version).ok_or_else(|| {
            ApiError::refused(
                StatusCode::CONFLICT,
                "scope-missing",
                "there is no scope to tell people of yet",
            )
        })?;
    let vendor = app.vendor(&incident.vendor).await?;
    notices::check_relay(&app, &incident, &vendor.connector)?;
    let corrects = match new.corrects {
        Some(earlier) => Some(corrects(&app, &incident, earlier).await?),
        None => None,
    };
    let draft = Draft {
        facts: facts(&app, &incident, new, corrects),
        not_exposed: scope.not_exposed.iter().map(|said| (said.field, said.grade)).collect(),
        corrects,
    };
    let version = scope.version;
    let told = app.store.read(move |tx| audience::of(tx, id, version, corrects)).await?;
    if told.is_empty() {
        let message = "nobody is to be told anything by this notice";
        return Err(ApiError::refused(StatusCode::CONFLICT, "audience-empty", message));
    }
    rehearse(&draft, &told)?;
    let notice = store::Notice {
        id: app.world.id(),
        incident: id,
        kind: if corrects.is_some() { NoticeKind::Correction } else { NoticeKind::Notice },
        scope_version: scope.version,
        state: NoticeState::Draft,
        author: by.name.clone(),
        approver: None,
        document: Document::of(&draft)?,
        created_at: app.world.now(),
    };
    let (shown, actor) = (notice.id, by.actor());
    let command = Command::NoticeDrafted { notice: notice.id, scope: Some(scope.version) };
    respond::command(&app, id, vec![command], actor, move |tx, _| {
        tx.insert_notice(&notice)?;
        by.audit(
            tx,
            &notice.id.to_string(),
            json!({ "incident": id, "scope": notice.scope_version }),
        )
    })
    .await?;
    Ok((StatusCode::CREATED, Json(json!({ "notice": shown }))))
}

/// The notice that people got, which a new one corrects.
async fn corrects(app: &App, incident: &Incident, earlier: NoticeId) -> Answer<Corrects> {
    let approved = incident.notices.iter().find(|notice| notice.notice == earlier);
    let told_at = approved.and_then(|notice| match notice.state {
        incident::NoticeState::Approved { at, .. } => Some(at),
        incident::NoticeState::Ended { approved_at, .. } => Some(approved_at),
        _ => None,
    });
    let told_at = told_at.ok_or_else(|| ApiError::not_found("notice that people got", &earlier))?;
    let notice = app.store.read(move |tx| tx.notice(earlier)).await?;
    Ok(Corrects { notice: earlier, version: notice.scope_version, told_at })
}

fn facts(
    app: &App,
    incident: &Incident,
    new: NewNotice,
    corrects: Option<Corrects>,
) -> NoticeFacts {
    let company = &app.config.company;
    NoticeFacts {
        company: company.name.clone(),
        site: company.site.clone(),
        what_happened: new.what_happened,
        measures: new.measures,
        happened: incident.window,
        learned_at: incident.aware_at,
        vendor_disclosed: new.name_vendor.then(|| incident.vendor.to_string()),
        contact: company.privacy_contact.clone(),
        authority: new.authority,
        bulletin_path: company.security_page.clone(),
        corrects: corrects.map(|corrects| corrects.told_at),
    }
}

/// Writes and lints the notice for every kind of recipient that occurs.
fn rehearse(draft: &Draft, told: &[Told]) -> Answer<()> {
    let mut kinds = HashMap::<Option<Change>, BTreeSet<FieldSet>>::new();
    for one in told {
        kinds.entry(one.change).or_default().insert(one.fields);
    }
    for (change, fields) in kinds {
        let fields: Vec<_> = fields.into_iter().collect();
        let samples = notify::samples::samples(&fields, &draft.not_exposed, change);
        notify::samples::rehearse(&Templates::shipped(), &draft.facts, &samples)
            .map_err(anyhow::Error::from)?;
    }
    Ok(())
}

pub async fn show_notice(
    _: Operator,
    State(app): State<App>,
    Path(id): Path<NoticeId>,
) -> Answer<Json<Value>> {
    let (notice, totals) =
        app.store.read(move |tx| Ok((tx.notice(id)?, tx.delivery_totals(id)?))).await?;
    Ok(Json(json!({
        "id": notice.id, "incident": notice.incident, "state": notice.state,
        "scope": notice.scope_version, "author": notice.author, "approver": notice.approver,
        "created_at": notice.created_at, "totals": notices::totals(&totals),
        "progress": app.couriers.progress(id),
    })))
}

/// In which language to show it, and of which fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preview {
    language: Translation,
    fields: Option<FieldSet>,
}

pub async fn preview_notice(
    _: Operator,
    State(app): State<App>,
    Path(id): Path<NoticeId>,
    Json(ask): Json<Preview>,
) -> Answer<Json<Value>> {
    let notice = app.store.read(move |tx| tx.notice(id)).await?;
    let draft: Draft = notice.document.read()?;
    let (of, version, corrects) = (notice.incident, notice.scope_version, draft.corrects);
    let told = app.store.read(move |tx| audience::of(tx, of, version, corrects)).await?;
    let widest = told.iter().max_by_key(|one| one.fields.iter().count());
    let fields = ask.fields.or(widest.map(|one| one.fields)).unwrap_or_default();
    let mut sample = notify::samples::sample(ask.language, fields, &draft.not_exposed);
    sample.change = widest.and_then(|one| one.change);
    let copy = Templates::shipped().write(&draft.facts, &sample).map_err(anyhow::Error::from)?;
    Ok(Json(json!({ "subject": copy.subject, "text": copy.text, "html": copy.html })))
}

/// Where a test goes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    to: Email,
    language: Option<Translation>,
}

pub async fn send_test(
    by: Operator,
    State(app): State<App>,
    Path(id): Path<NoticeId>,
    Json(test): Json<Test>,
) -> Answer<StatusCode> {
    let language = test.language.unwrap_or(Translation::English);
    notices::send_test(&app, id, test.to, language).await?;
    app.store.write(move |tx| by.audit(tx, &id.to_string(), json!({}))).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn pause_notice(
    by: Operator,
    State(app): State<App>,
    Path(id): Path<NoticeId>,
) -> Answer<StatusCode> {
    app.store
        .write(move |tx| {
            tx.move_notice(id, NoticeState::Sending, NoticeState::Paused)?;
            by.audit(tx, &id.to_string(), json!({}))
        })
        .await?;
    app.couriers.order(id, Order::Pause);
    Ok(StatusCode::NO_CONTENT)
}

pub async fn resume_notice(
    by: Operator,
    State(app): State<App>,
    Path(id): Path<NoticeId>,
) -> Answer<StatusCode> {
    app.store
        .write(move |tx| {
            tx.move_notice(id, NoticeState::Paused, NoticeState::Sending)?;
            by.audit(tx, &id.to_string(), json!({}))
        })
        .await?;
    if !app.couriers.order(id, Order::Run) {
        app.tasks.spawn(notices::deliver(app.clone(), id));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// One row per recipient, by person key; no contact details.
pub async fn export_deliveries(
    _: Operator,
    State(app): State<App>,
    Path(id): Path<NoticeId>,
) -> Answer<impl IntoResponse> {
    let csv = app
        .store
        .read(move |tx| {
            tx.notice(id)?;
            let mut csv =
                String::from("person,state,attempt,code,possible_duplicates,settled_at\n");
            tx.visit_deliveries(id, |row| {
                csv.push_str(&format!(
                    "{},{},{},{},{},{}\n",
                    row.person,
                    row.state.name(),
                    row.attempt,
                    row.reply_enhanced.as_deref().unwrap_or_default(),
                    row.possible_duplicates,
                    row.settled_at.map(|at| at.to_string()).unwrap_or_default(),
                ));
                Ok(())
            })?;
            Ok(csv)
        })
        .await?;
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], csv))
}
