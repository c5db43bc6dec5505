//! Single sends: campaigns to lists, drafted, scheduled, unscheduled, sent.

use axum::body::Bytes;
use axum::extract::{Path, Query, State as Cx};
use axum::http::StatusCode;
use model::{Field, FieldSet, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Sandbox;
use super::caller::Caller;
use super::export::uuid;
use super::reply::{self, Refused, Reply, answer, empty, no_such};
use super::send::{Mailbox, Message, message_id};
use super::state::State;

/// A campaign.
#[derive(Debug, Clone)]
pub(super) struct SingleSend {
    pub id: String,
    pub name: String,
    pub categories: Vec<String>,
    pub send_to: SendTo,
    pub email_config: Map<String, Value>,
    pub send_at: Option<Timestamp>,
    pub status: SendStatus,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// From whom, where the account has no verified sender to take it from.
    pub from: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SendStatus {
    Draft,
    Scheduled,
    Triggered,
}

#[derive(Debug, Clone, Default, Deserialize, serde::Serialize)]
pub(super) struct SendTo {
    #[serde(default)]
    pub list_ids: Vec<String>,
    #[serde(default)]
    pub segment_ids: Vec<String>,
    #[serde(default)]
    pub all: bool,
}

#[derive(Deserialize)]
struct NewSend {
    name: String,
    #[serde(default)]
    categories: Vec<String>,
    #[serde(default)]
    send_to: SendTo,
    #[serde(default)]
    email_config: Map<String, Value>,
    send_at: Option<String>,
}

impl SingleSend {
    fn whole(&self) -> Value {
        let mut whole = json!({
            "id": self.id, "name": self.name, "status": self.status,
            "categories": self.categories, "send_to": self.send_to,
            "updated_at": self.updated_at, "created_at": self.created_at,
            "email_config": self.email_config,
        });
        whole["send_at"] = json!(self.send_at);
        whole
    }

    /// A row of the list, which leaves `send_at` out where there is none.
    fn row(&self) -> Value {
        let mut row = json!({
            "id": self.id, "name": self.name, "abtest": null, "status": self.status,
            "categories": self.categories, "is_abtest": false,
            "updated_at": self.updated_at, "created_at": self.created_at,
        });
        if let Some(send_at) = self.send_at {
            row["send_at"] = json!(send_at);
        }
        row
    }
}

/// `POST /v3/marketing/singlesends`.
pub(super) async fn post_new(Cx(sandbox): Cx<Sandbox>, caller: Caller, body: Bytes) -> Reply {
    caller.may("marketing.update")?;
    let new: NewSend = reply::parse(&body)?;
    if new.name.is_empty() || new.name.chars().count() > 100 {
        return Err(wrong("name", "name has 1 to 100 characters"));
    }
    let send_at = new.send_at.as_deref().map(|text| time(&sandbox, text)).transpose()?;
    let send = sandbox.draft(&new.name, new.send_to, new.email_config, send_at);
    let send = SingleSend { categories: new.categories, ..send };
    let whole = send.whole();
    sandbox.state().single_sends.push(send);
    answer(StatusCode::CREATED, whole)
}

/// `GET /v3/marketing/singlesends`.
pub(super) async fn get_all(Cx(sandbox): Cx<Sandbox>, caller: Caller) -> Reply {
    caller.may("marketing.read")?;
    let rows: Vec<_> = sandbox.state().single_sends.iter().map(SingleSend::row).collect();
    let metadata = reply::metadata("/v3/marketing/singlesends", Some(rows.len()));
    answer(StatusCode::OK, json!({"result": rows, "_metadata": metadata}))
}

/// `GET /v3/marketing/singlesends/{id}`.
pub(super) async fn get_one(
    Cx(sandbox): Cx<Sandbox>,
    caller: Caller,
    Path(id): Path<String>,
) -> Reply {
    caller.may("marketing.read")?;
    let state = sandbox.state();
    let send = state.single_sends.iter().find(|send| send.id == id);
    answer(StatusCode::OK, send.ok_or_else(|| no_such("id"))?.whole())
}

/// `DELETE /v3/marketing/singlesends/{id}`.
pub(super) async fn delete_one(
    Cx(sandbox): Cx<Sandbox>,
    caller: Caller,
    Path(id): Path<String>,
) -> Reply {
    caller.may("marketing.update")?;
    remove(&mut sandbox.state(), &[&id])
}

#[derive(Deserialize)]
pub(super) struct Ids {
    #[serde(default)]
    ids: String,
}

/// `DELETE /v3/marketing/singlesends?ids=`.
pub(super) async fn delete_many(
    Cx(sandbox): Cx<Sandbox>,
    caller: Caller,
    Query(Ids { ids }): Query<Ids>,
) -> Reply {
    caller.may("marketing.update")?;
    let ids: Vec<_> = ids.split(',').filter(|id| !id.is_empty()).collect();
    remove(&mut sandbox.state(), &ids)
}

fn remove(state: &mut State, ids: &[&str]) -> Reply {
    let before = state.single_sends.len();
    state.single_sends.retain(|send| !ids.contains(&send.id.as_str()));
    if state.single_sends.len() == before {
        return Err(no_such("id"));
    }
    empty(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct When {
    send_at: String,
}

/// `PUT /v3/marketing/singlesends/{id}/schedule`.
pub(super) async fn put_schedule(
    Cx(sandbox): Cx<Sandbox>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Reply {
    caller.may("marketing.update")?;
    let When { send_at } = reply::parse(&body)?;
    let send_at = time(&sandbox, &send_at)?;
    let mut state = sandbox.state();
    let send = state.single_sends.iter_mut().find(|send| send.id == id);
    let send = send.ok_or_else(|| no_such("id"))?;
    (send.send_at, send.status) = (Some(send_at), SendStatus::Scheduled);
    drop(state);
    sandbox.0.due.notify_one();
    answer(StatusCode::CREATED, json!({"send_at": send_at, "status": SendStatus::Scheduled}))
}

/// `DELETE /v3/marketing/singlesends/{id}/schedule`.
pub(super) async fn delete_schedule(
    Cx(sandbox): Cx<Sandbox>,
    caller: Caller,
    Path(id): Path<String>,
) -> Reply {
    caller.may("marketing.update")?;
    let mut state = sandbox.state();
    let scheduled = |send: &&mut SingleSend| send.id == id && send.status == SendStatus::Scheduled;
    let send = state.single_sends.iter_mut().find(scheduled).ok_or_else(|| no_such("id"))?;
    send.status = SendStatus::Draft;
    // The documented answer names the time that no longer holds; the draft keeps it.
    answer(StatusCode::OK, json!({"send_at": send.send_at, "status": send.status}))
}

impl Sandbox {
    /// A new campaign: a draft, or scheduled when it has a time.
    pub(super) fn draft(
        &self,
        name: &str,
        send_to: SendTo,
        email_config: Map<String, Value>,
        send_at: Option<Timestamp>,
    ) -> SingleSend {
        let now = self.0.world.now();
        SingleSend {
            id: uuid(&self.0.world),
            name: name.to_owned(),
            categories: Vec::new(),
            send_to,
            email_config,
            send_at,
            // A time in a new campaign is a wish; only the schedule call starts the clock.
            status: SendStatus::Draft,
            created_at: now,
            updated_at: now,
            from: None,
        }
    }
}

/// Marks campaigns whose time has come as triggered and writes their messages, one a contact.
pub(super) fn take_due(sandbox: &Sandbox, now: Timestamp) -> Vec<Message> {
    let mut state = sandbox.state();
    let due = |send: &SingleSend| {
        send.status == SendStatus::Scheduled && send.send_at.is_none_or(|at| at <= now)
    };
    let mut messages = Vec::new();
    for place in 0..state.single_sends.len() {
        if due(&state.single_sends[place]) {
            state.single_sends[place].status = SendStatus::Triggered;
            let send = state.single_sends[place].clone();
            messages.extend(
                recipients(&state, &send.send_to)
                    .enumerate()
                    .map(|(index, to)| Message { index, ..campaign_message(sandbox, &send, to) }),
            );
        }
    }
    messages
}

fn recipients<'a>(state: &'a State, to: &'a SendTo) -> impl Iterator<Item = Mailbox> + use<'a> {
    let lists: Vec<_> = to.list_ids.iter().filter_map(|id| state.list_place(id)).collect();
    let reached = move |lists_of: &std::collections::BTreeSet<u16>| {
        to.all || lists.iter().any(|list| lists_of.contains(list))
    };
    let contacts = state.contacts.iter().filter(move |contact| reached(&contact.lists));
    contacts.filter_map(|contact| {
        let email = contact.value(0)?.to_owned();
        Some(Mailbox { email, name: contact.value(1).map(str::to_owned) })
    })
}

fn campaign_message(sandbox: &Sandbox, send: &SingleSend, to: Mailbox) -> Message {
    let text = |key: &str| {
        send.email_config.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
    };
    let blocks = [("text/plain", "plain_content"), ("text/html", "html_content")];
    let block = |(kind, key): (&str, &str)| Some((kind.to_owned(), text(key)?.to_owned()));
    let from = send.from.clone().unwrap_or_else(|| "campaigns@sandbox.example".to_owned());
    let mut custom_args = Map::new();
    custom_args.insert("singlesend_id".to_owned(), json!(send.id));
    Message {
        id: message_id(&sandbox.0.world),
        index: 0,
        from: Mailbox { email: from, name: None },
        reply_to: None,
        subject: text("subject").unwrap_or(&send.name).to_owned(),
        contents: blocks.into_iter().filter_map(block).collect(),
        headers: Vec::new(),
        custom_args,
        categories: send.categories.clone(),
        recipients: vec![to],
        send_at: None,
        batch_id: None,
        fields: FieldSet::EMPTY.with(Field::Email),
        disclosed: false,
    }
}

fn time(sandbox: &Sandbox, text: &str) -> Result<Timestamp, Refused> {
    match text {
        "now" => Ok(sandbox.0.world.now()),
        text => Timestamp::parse(text).map_err(|_| wrong("send_at", "send_at is an ISO 8601 time")),
    }
}

fn wrong(field: &str, message: &str) -> Refused {
    reply::refuse_marketing(StatusCode::BAD_REQUEST, message, field)
}
