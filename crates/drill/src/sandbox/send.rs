//! `POST /v3/mail/send`: checked as SendGrid checks it, and turned into one message for each
//! personalization.

use std::collections::HashSet;

use axum::body::Bytes;
use axum::extract::State as Cx;
use axum::http::{HeaderValue, StatusCode};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::{Field, FieldSet, Timestamp, World, limits};
use serde_json::{Map, Value};

use super::Sandbox;
use super::caller::Caller;
use super::received::{FieldsOf, Received};
use super::reply::{self, Refused, Reply};

/// How far ahead a message may be scheduled, as SendGrid documents it.
const SCHEDULE_SECONDS: i64 = 72 * 60 * 60;

/// An address with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mailbox {
    pub email: String,
    pub name: Option<String>,
}

/// One message to the recipients of one personalization.
#[derive(Debug, Clone)]
pub(super) struct Message {
    /// `X-Message-Id` of the request.
    pub id: String,
    /// Which personalization of the request.
    pub index: usize,
    pub from: Mailbox,
    pub reply_to: Option<Mailbox>,
    pub subject: String,
    /// Type and text.
    pub contents: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    pub custom_args: Map<String, Value>,
    pub categories: Vec<String>,
    pub recipients: Vec<Mailbox>,
    pub send_at: Option<Timestamp>,
    pub batch_id: Option<String>,
    /// What it says of each recipient, apart from the name.
    pub fields: FieldSet,
    /// Whether a request of the company's gave this to the vendor; the intruder's own does not.
    pub disclosed: bool,
}

impl Message {
    /// What the message gave to the vendor.
    pub(super) fn received(&self, at: Timestamp) -> Vec<Received> {
        let row = |recipient: &Mailbox| {
            let name = recipient.name.as_deref().is_some_and(|name| !name.is_empty());
            Received {
                at,
                operation: "mail.send".into(),
                emails: vec![recipient.email.as_str().into()],
                phones: Vec::new(),
                user_ids: Vec::new(),
                fields: if name { self.fields.with(Field::Name) } else { self.fields },
                lists: Vec::new(),
            }
        };
        self.recipients.iter().filter(|_| self.disclosed).map(row).collect()
    }
}

/// A fresh `X-Message-Id`.
pub(super) fn message_id(world: &World) -> String {
    URL_SAFE_NO_PAD.encode(world.bytes::<16>())
}

/// `POST /v3/mail/send`.
pub(super) async fn post_mail_send(Cx(sandbox): Cx<Sandbox>, caller: Caller, body: Bytes) -> Reply {
    caller.may("mail.send")?;
    let body: Map<String, Value> = reply::parse(&body)?;
    let id = message_id(&sandbox.0.world);
    let messages = read(&body, &id)?;
    check_schedule(&sandbox, &messages)?;
    for message in messages {
        sandbox.accept(message).await;
    }
    let mut response = StatusCode::ACCEPTED.into_response();
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-message-id", value);
    }
    Ok(response)
}

fn check_schedule(sandbox: &Sandbox, messages: &[Message]) -> Result<(), Refused> {
    let latest = sandbox.0.world.now().plus_seconds(SCHEDULE_SECONDS);
    if messages.iter().any(|message| message.send_at.is_some_and(|at| at > latest)) {
        return Err(wrong("Scheduling more than 72 hours in advance is forbidden.", "send_at"));
    }
    let state = sandbox.state();
    let unknown = |batch: &String| !state.batches.contains_key(batch);
    if messages.iter().filter_map(|message| message.batch_id.as_ref()).any(unknown) {
        return Err(wrong("The batch_id is not valid.", "batch_id"));
    }
    Ok(())
}

fn wrong(message: &str, field: &str) -> Refused {
    reply::refuse(StatusCode::BAD_REQUEST, message, Some(field))
}

/// Reads a request into its messages, or says what is wrong with it in SendGrid's words.
fn read(body: &Map<String, Value>, id: &str) -> Result<Vec<Message>, Refused> {
    let from = body.get("from").ok_or_else(|| {
        wrong(
            "The from object must be provided for every email send. It is an object that \
             requires the email parameter, but may also contain a name parameter.",
            "from.email",
        )
    })?;
    let from = mailbox(from, "from")?;
    let personalizations = body
        .get("personalizations")
        .and_then(Value::as_array)
        .filter(|items| !items.is_empty())
        .ok_or_else(|| {
            wrong(
                "The personalizations field is required and must have at least one \
                 personalization.",
                "personalizations",
            )
        })?;
    if personalizations.len() > limits::PERSONALIZATIONS {
        return Err(wrong(
            "The personalizations field is limited to 1000 personalization objects.",
            "personalizations",
        ));
    }
    let contents = contents(body)?;
    let mut messages = Vec::with_capacity(personalizations.len());
    for (index, item) in personalizations.iter().enumerate() {
        let item = item.as_object().ok_or_else(reply::bad_request)?;
        messages.push(one(body, item, index, id, &from, &contents)?);
    }
    Ok(messages)
}

fn one(
    body: &Map<String, Value>,
    item: &Map<String, Value>,
    index: usize,
    id: &str,
    from: &Mailbox,
    contents: &[(String, String)],
) -> Result<Message, Refused> {
    let recipients = recipients(item, index)?;
    let subject = text(item, "subject").or_else(|| text(body, "subject"));
    if subject.is_none() && !body.contains_key("template_id") {
        return Err(wrong(
            "The subject is required. You can get around this requirement if you use a template \
             with a subject defined or if every personalization has a subject defined.",
            "subject",
        ));
    }
    let from = item.get("from").map_or_else(|| Ok(from.clone()), |from| mailbox(from, "from"))?;
    let reply_to = body.get("reply_to").map(|value| mailbox(value, "reply_to")).transpose()?;
    let send_at = item.get("send_at").or_else(|| body.get("send_at"));
    let send_at = send_at
        .map(|at| at.as_i64().ok_or_else(|| wrong("send_at is a UNIX timestamp.", "send_at")))
        .transpose()?;
    let swap = |given: &str| substitute(item, given);
    let strings = |value: &Value| value.as_str().map(str::to_owned);
    Ok(Message {
        id: id.to_owned(),
        index,
        from,
        reply_to,
        subject: swap(&subject.unwrap_or_default()),
        contents: contents.iter().map(|(kind, value)| (kind.clone(), swap(value))).collect(),
        headers: headers(body).chain(headers(item)).collect(),
        custom_args: merged(body, item, "custom_args"),
        categories: array(body, "categories").iter().filter_map(strings).collect(),
        recipients,
        send_at: send_at.map(Timestamp::from_seconds),
        batch_id: text(body, "batch_id"),
        fields: FieldsOf::message(body, item),
        disclosed: true,
    })
}

fn contents(body: &Map<String, Value>) -> Result<Vec<(String, String)>, Refused> {
    let blocks = array(body, "content");
    if blocks.is_empty() && !body.contains_key("template_id") {
        return Err(wrong(
            "Unless a valid template_id is provided, the content parameter is required. There \
             must be at least one defined content block.",
            "content",
        ));
    }
    let block = |(index, block): (usize, &Value)| {
        let part = |key: &str| {
            block.get(key).and_then(Value::as_str).filter(|part| !part.is_empty()).ok_or_else(
                || {
                    let what = format!(
                        "The content {key} must be a string at least one character \
                                        in length."
                    );
                    wrong(&what, &format!("content.{index}.{key}"))
                },
            )
        };
        Ok((part("type")?.to_owned(), part("value")?.to_owned()))
    };
    blocks.iter().enumerate().map(block).collect()
}

fn recipients(item: &Map<String, Value>, index: usize) -> Result<Vec<Mailbox>, Refused> {
    let at = |key: &str| format!("personalizations.{index}.{key}");
    if array(item, "to").is_empty() {
        return Err(wrong(
            "The to array is required for all personalization objects, and must have at least \
             one email object with a valid email address.",
            &at("to"),
        ));
    }
    let mut seen = HashSet::new();
    let mut recipients = Vec::new();
    for key in ["to", "cc", "bcc"] {
        for (place, value) in array(item, key).iter().enumerate() {
            let recipient = mailbox(value, &format!("{}.{place}", at(key)))?;
            if !seen.insert(recipient.email.to_lowercase()) {
                return Err(wrong(
                    "Each email address in the personalization block should be unique between \
                     to, cc, and bcc.",
                    &format!("personalizations.{index}"),
                ));
            }
            recipients.push(recipient);
        }
    }
    Ok(recipients)
}

fn mailbox(value: &Value, at: &str) -> Result<Mailbox, Refused> {
    let email = value.get("email").and_then(Value::as_str).unwrap_or_default();
    if model::Email::parse(email).is_err() {
        return Err(wrong("Does not contain a valid address.", &format!("{at}.email")));
    }
    let name = value.get("name").and_then(Value::as_str).map(str::to_owned);
    Ok(Mailbox { email: email.trim().to_owned(), name })
}

fn text(map: &Map<String, Value>, key: &str) -> Option<String> {
    map.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn array<'a>(map: &'a Map<String, Value>, key: &str) -> &'a [Value] {
    map.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn headers(map: &Map<String, Value>) -> impl Iterator<Item = (String, String)> {
    let headers = map.get("headers").and_then(Value::as_object).into_iter().flatten();
    headers.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
}

/// The body's object of this key, overlaid with the personalization's.
fn merged(body: &Map<String, Value>, item: &Map<String, Value>, key: &str) -> Map<String, Value> {
    let objects = [body, item].into_iter().filter_map(|map| map.get(key)?.as_object());
    objects.flat_map(|object| object.clone()).collect()
}

fn substitute(item: &Map<String, Value>, given: &str) -> String {
    let pairs = item.get("substitutions").and_then(Value::as_object).into_iter().flatten();
    pairs.fold(given.to_owned(), |text, (tag, value)| {
        text.replace(tag.as_str(), value.as_str().unwrap_or_default())
    })
}
