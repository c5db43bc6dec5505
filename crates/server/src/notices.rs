//! Notices: drafted from an incident, previewed, and carried to everybody in its scope.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use connectors::Reference;
use incident::{Command, Incident};
use mail::{Relay, RelayTls, Session};
use model::id::Id as _;
use model::{
    CallId, DeliveryId, Email, Field, Identifier, MacKey, NotExposedGrade, NoticeId, PersonKey,
    Residence, Secret, VendorName,
};
use notify::courier::{Parcel, ProgressNow};
use notify::delivery::Retries;
use notify::{
    Addressee, Control, Courier, Delivery, Ended, Join, NoticeFacts, Order, Pace, Scribe, Sender,
    Suppression, Templates,
};
use serde::{Deserialize, Serialize};
use store::{DeliveryTotals, NewDelivery, NoticeState, PendingDelivery};
use tokio::sync::mpsc;

use crate::app::App;
use crate::audience::{self, Corrects, Told};
use crate::config;
use crate::respond;
use crate::rows::{self, Rows};

/// What a notice is made from; two operators have looked at it before it goes out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Draft {
    /// What every copy has in common.
    pub facts: NoticeFacts,
    /// What was not exposed, best grade first.
    pub not_exposed: Vec<(Field, NotExposedGrade)>,
    /// The notice that it corrects, if it is a correction.
    #[serde(default)]
    pub corrects: Option<Corrects>,
}

/// Couriers that are under way, by their notice.
#[derive(Default)]
pub struct Couriers(Mutex<HashMap<NoticeId, (Control, Arc<notify::Progress>)>>);

impl Couriers {
    fn begin(&self, notice: NoticeId, courier: &Courier<Rows>) -> bool {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if under_way.contains_key(&notice) {
            return false;
        }
        under_way.insert(notice, (courier.control(), courier.progress()));
        true
    }

    fn end(&self, notice: NoticeId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&notice);
    }

    /// Gives a courier an order; nothing if it is not under way.
    pub fn order(&self, notice: NoticeId, order: Order) -> bool {
        let under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.get(&notice).inspect(|(control, _)| control.order(order)).is_some()
    }

    /// How a courier does, while it is under way.
    pub fn progress(&self, notice: NoticeId) -> Option<ProgressNow> {
        let under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.get(&notice).map(|(_, progress)| progress.now())
    }

    /// Tells all of them to stop.
    pub fn stop(&self) {
        let under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.values().for_each(|(control, _)| control.order(Order::Stop));
    }
}

/// The relay as it is set up.
///
/// # Errors
/// When its password cannot be read.
pub fn relay(app: &App) -> Result<Relay> {
    let set = &app.config.relay;
    let tls = match set.tls {
        config::RelayTls::Required => RelayTls::Required,
        config::RelayTls::Opportunistic => RelayTls::Opportunistic,
        config::RelayTls::None => RelayTls::None,
    };
    let hello = app.keys.dkim.domain();
    let mut relay = Relay::new(&set.host, set.port, tls, hello);
    if let (Some(user), Some(file)) = (&set.user, &set.password_file) {
        let password = std::fs::read_to_string(file)
            .with_context(|| format!("reading `{}`", file.display()))?;
        relay.login = Some((user.clone(), Secret::new(password.trim().to_owned())));
    }
    Ok(relay)
}

/// Whether the relay may carry notices of this incident.
///
/// # Errors
/// [`notify::RelayRefused`] when it is the breached vendor's.
pub fn check_relay(app: &App, incident: &Incident, connector: &str) -> Result<()> {
    let domains = connectors::connector(connector).map_or(&[][..], |known| known.mail_domains());
    notify::relay_allowed(&app.config.relay.host, domains)
        .with_context(|| format!("notices of {}", incident.id))
}

/// The scribe of a notice.
///
/// # Errors
/// When the configured sender is no address.
pub fn scribe(app: &App, notice: NoticeId, draft: &Draft) -> Result<Scribe> {
    let company = &app.config.company;
    let (key, vendor) = (app.keys.reference.clone(), VendorName::parse(watch::OWN_SENDER)?);
    Ok(Scribe {
        notice,
        facts: draft.facts.clone(),
        templates: Templates::shipped(),
        sender: Sender {
            name: company.name.clone(),
            from: Email::parse(&company.notice_from)?,
            reply_to: Some(Email::parse(&company.privacy_contact)?),
            bounces: None,
        },
        dkim: app.keys.dkim.clone(),
        key: app.keys.notice_code.clone(),
        reference: Arc::new(move |delivery, to| reference(&key, &vendor, delivery, to)),
    })
}

/// The signed reference of a copy: its row stands in the place of a call.
fn reference(key: &MacKey, vendor: &VendorName, delivery: DeliveryId, to: &Email) -> String {
    let call = CallId::from_u128(delivery.to_u128());
    Reference { key, vendor }.sign(call, &[&Identifier::Email(to.clone())])
}

/// Whether a code is one that a notice of ours carries. Which, and whose, is not said.
///
/// # Errors
/// Faults of the store.
pub async fn is_genuine(app: &App, code: String) -> Result<bool> {
    let notices: Vec<NoticeId> = app
        .store
        .read(|tx| {
            let mut ids = Vec::new();
            for state in [NoticeState::Sending, NoticeState::Paused, NoticeState::Done] {
                ids.extend(tx.notices_in(state)?.into_iter().map(|notice| notice.id));
            }
            Ok(ids)
        })
        .await?;
    Ok(notify::code::check(&app.keys.notice_code, &code, &notices).is_some())
}

/// Carries a notice to its end: begins, or goes on where it was when the program stopped.
pub async fn deliver(app: App, notice: NoticeId) {
    match carry(&app, notice).await {
        Ok(()) => {}
        Err(error) => {
            app.couriers.end(notice);
            tracing::error!(notice.id = %notice, error = format!("{error:#}"), "a notice is stuck");
        }
    }
}

async fn carry(app: &App, id: NoticeId) -> Result<()> {
    let Some(job) = open(app, id).await? else {
        return Ok(());
    };
    let connector = app.vendor(&job.incident.vendor).await?.connector;
    check_relay(app, &job.incident, &connector)?;
    let rows = Rows { store: app.store.clone(), notice: id };
    let pace = Pace {
        rate_per_second: app.config.relay.rate_per_second,
        connections: app.config.relay.connections,
        retries: Retries {
            waits_ms: app
                .config
                .relay
                .retry_seconds
                .iter()
                .map(|seconds| seconds * 1_000)
                .collect(),
            ..Retries::default()
        },
        ..Pace::default()
    };
    let scribe = Arc::new(scribe(app, id, &job.draft)?);
    let courier = Courier::new(relay(app)?, scribe, Arc::new(rows), pace, app.world.clone());
    if !app.couriers.begin(id, &courier) {
        return Ok(());
    }
    let (parcels, waiting) = mpsc::channel(1_024);
    let (feeder, control) = (app.clone(), courier.control());
    let feeding = tokio::task::spawn_blocking(move || feed(&feeder, id, &job, &parcels));
    let ended = courier.run(waiting).await;
    if control.current() == Order::Stop {
        app.couriers.end(id);
        return Ok(());
    }
    let unreached = feeding.await.context("reading the audience")??;
    rows::suppress(&app.store, id, &unreached).await?;
    app.couriers.end(id);
    if ended != Ended::Done {
        anyhow::bail!("deliveries cannot be recorded: {ended:?}");
    }
    finish(app, id).await
}

/// A notice that is to be carried.
struct Job {
    incident: Incident,
    draft: Draft,
    audience: Vec<Told>,
}

/// Reads the notice and its audience; rows that were under way when the program stopped become
/// pending again and are counted. `None` when it is not to be carried now.
async fn open(app: &App, id: NoticeId) -> Result<Option<Job>> {
    let notice = app.store.read(move |tx| tx.notice(id)).await?;
    if !matches!(notice.state, NoticeState::Approved | NoticeState::Sending) {
        return Ok(None);
    }
    let incident = respond::load(app, notice.incident).await?;
    let draft: Draft = notice.document.read()?;
    let (of, version, corrects) = (notice.incident, notice.scope_version, draft.corrects);
    let audience = app.store.read(move |tx| audience::of(tx, of, version, corrects)).await?;
    if notice.state == NoticeState::Approved {
        for chunk in audience.chunks(model::limits::SCOPE_MEMBERS_PER_CHANGE) {
            let rows: Vec<_> = chunk
                .iter()
                .map(|told| NewDelivery { person: told.person, language: None })
                .collect();
            app.store.write(move |tx| tx.insert_deliveries(id, &rows)).await?;
        }
        let to = NoticeState::Sending;
        app.store.write(move |tx| tx.move_notice(id, NoticeState::Approved, to)).await?;
    } else {
        app.store.write(move |tx| tx.recover_handing(id)).await?;
    }
    Ok(Some(Job { incident, draft, audience }))
}

/// Reads the directory once and hands over a parcel for each person who is still to be told; those
/// whom mail cannot reach are settled as such.
fn feed(
    app: &App,
    id: NoticeId,
    job: &Job,
    parcels: &mpsc::Sender<Parcel>,
) -> Result<Vec<(PersonKey, Suppression)>> {
    const CHUNK: usize = 256;
    let persons: Vec<PersonKey> = job.audience.iter().map(|told| told.person).collect();
    let contacts = app.directory.contacts()?.flatten();
    let key = app.ledger.identifier_key();
    let person_of = |contact: &model::Contact| {
        app.ledger.person(Identifier::UserId(contact.person_id.clone()).hash(key))
    };
    let mut join = Join::new(contacts, person_of, &persons)?;
    loop {
        let chunk: Vec<_> = join.by_ref().take(CHUNK).collect();
        if chunk.is_empty() {
            break;
        }
        let keys: Vec<_> = chunk.iter().map(|reached| reached.person).collect();
        let pending: HashMap<PersonKey, PendingDelivery> = app
            .store
            .read_now(|tx| tx.pending_among(id, &keys))?
            .into_iter()
            .map(|row| (row.person, row))
            .collect();
        for reached in chunk {
            let Some(row) = pending.get(&reached.person) else {
                continue;
            };
            let told = job.audience[reached.index];
            let addressee = addressee(&job.draft, &reached.contact, told);
            let delivery = Delivery { attempts: row.attempt, ..Delivery::pending(row.not_before) };
            let parcel = Parcel {
                id: DeliveryId::from_u128(reached.person.0),
                delivery,
                person: reached.person,
                to: reached.to,
                addressee,
            };
            if parcels.blocking_send(parcel).is_err() {
                return Ok(Vec::new()); // the courier was stopped; the rows stay pending
            }
        }
    }
    let (_, unreached) = join.finish().context("the directory was read to its end")?;
    Ok(unreached)
}

/// One person's copy of the notice.
fn addressee(draft: &Draft, contact: &model::Contact, told: Told) -> Addressee {
    let exposed = told.fields;
    Addressee {
        name: contact.name.as_deref().map(str::to_owned),
        exposed,
        not_exposed: draft
            .not_exposed
            .iter()
            .filter(|(field, _)| !exposed.contains(*field))
            .copied()
            .collect(),
        two_factor: contact.two_factor,
        language: contact.language.clone(),
        residence: Residence { country: contact.country.clone(), region: contact.region.clone() },
        code: String::new(),
        change: told.change,
    }
}

/// Records that every row has ended.
async fn finish(app: &App, id: NoticeId) -> Result<()> {
    let (totals, notice) =
        app.store.read(move |tx| Ok((tx.delivery_totals(id)?, tx.notice(id)?))).await?;
    if totals.pending + totals.handing > 0 {
        anyhow::bail!("{} recipients are still to be told", totals.pending + totals.handing);
    }
    let ended = Command::NoticeEnded { notice: id };
    respond::report(app, notice.incident, ended, move |tx| {
        tx.move_notice(id, NoticeState::Sending, NoticeState::Done)
    })
    .await
    .map(drop)
}

/// Sends a marked copy to one address, for somebody to look at.
///
/// # Errors
/// When it may not be sent, or the relay does not take it.
pub async fn send_test(
    app: &App,
    id: NoticeId,
    to: Email,
    translation: notify::Translation,
) -> Result<()> {
    let notice = app.store.read(move |tx| tx.notice(id)).await?;
    let incident = respond::load(app, notice.incident).await?;
    let draft: Draft = notice.document.read()?;
    check_relay(app, &incident, &app.vendor(&incident.vendor).await?.connector)?;
    let fields = incident.scope().map(incident::ScopeVersion::fields).unwrap_or_default();
    let sample = notify::samples::sample(translation, fields, &draft.not_exposed);
    let scribe = scribe(app, id, &draft)?;
    let person = app.world.person_key();
    let copy = scribe.notice(person, &sample)?;
    let subject = format!("[test] {}", copy.subject);
    let letter = mail::Letter {
        from_name: &scribe.sender.name,
        from: &scribe.sender.from,
        to: &to,
        reply_to: scribe.sender.reply_to.as_ref(),
        subject: &subject,
        text: &copy.text,
        html: Some(&copy.html),
        message_id: &scribe.message_id(person),
        date: app.world.now(),
        headers: &[],
    };
    let message = app.keys.dkim.sign(letter.build(), app.world.now());
    let mut session = Session::open(&relay(app)?).await?;
    session.send(scribe.sender.envelope().as_str(), to.as_str(), &message).await?;
    session.quit().await;
    Ok(())
}

/// Totals of a notice in the words of a scorecard: they always add up to the audience.
pub fn totals(totals: &DeliveryTotals) -> BTreeMap<&'static str, u64> {
    BTreeMap::from([
        ("audience", totals.audience),
        ("delivered", totals.delivered),
        ("bounced", totals.bounced),
        ("failed", totals.failed),
        ("suppressed", totals.suppressed),
        ("pending", totals.pending + totals.handing),
        ("unknown", totals.unknown),
        ("possible_duplicates", totals.possible_duplicates),
    ])
}
