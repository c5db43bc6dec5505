//! `POST /v3/mail/send`: who gets a message, and what it says of them. It does not read templates,
//! which are at SendGrid, nor what is inside attachments.

use std::collections::BTreeMap;

use model::{Email, Field, FieldAction, FieldSet, Identifier, limits};

use crate::call::{Body, Call, Changes, Operation, Party, Unreadable};
use crate::json::shape::Shape;
use crate::json::{self, Json};
use crate::net::Net;
use crate::personal::is_personal;

pub(super) const OPERATION: Operation = Operation::new(
    "mail.send",
    FieldSet::EMPTY
        .with(Field::Email)
        .with(Field::Name)
        .with(Field::Content)
        .with(Field::Attachment)
        .with(Field::Custom),
    limits::REQUEST_BODY_BYTES,
);

/// Where the signed reference goes among the custom arguments, which come back in events.
pub(super) const REFERENCE: &str = "cordon_ref";
/// Where it goes in the mail itself, for whoever finds the mail later.
const REFERENCE_HEADER: &str = "X-Cordon-Ref";

const RECIPIENTS: [&str; 3] = ["to", "cc", "bcc"];

/// Reads the message.
pub(super) fn read(operation: &'static Operation, body: &[u8]) -> Result<Call, Unreadable> {
    let message = json::parse(body)?;
    let unknown = MESSAGE.unknown(&message)?;
    let personalizations = message.items("personalizations");
    if personalizations.is_empty() {
        let at = "/personalizations".to_owned();
        return Err(Unreadable::Body { at, why: "it names no recipient" });
    }
    if personalizations.len() > limits::PERSONALIZATIONS {
        let limit = limits::PERSONALIZATIONS;
        return Err(Unreadable::TooMany { what: "personalizations", limit });
    }
    let mut parties = Vec::new();
    let mut recipients = Vec::new();
    for (index, personalization) in personalizations.iter().enumerate() {
        let own = parties_of(&message, personalization, index)?;
        recipients.push(own.iter().flat_map(|party| party.identifiers.clone()).collect());
        parties.extend(own);
    }
    let disclosed = parties.iter().fold(FieldSet::EMPTY, |all, party| all.union(party.fields));
    let mut warnings = warnings(&message);
    warnings.extend(net(&message).warnings(&parties));
    let body = Box::new(MailSend { message, recipients, disclosed });
    Ok(Call { operation, parties, unknown, warnings, body })
}

struct MailSend {
    message: Json,
    /// By personalization.
    recipients: Vec<Vec<Identifier>>,
    disclosed: FieldSet,
}

impl Body for MailSend {
    fn write(&self, changes: &Changes<'_>) -> Result<Vec<u8>, Unreadable> {
        changes.need(self.disclosed, &[Field::Email, Field::Content])?;
        let mut message = self.message.clone();
        if changes.drop_unknown {
            MESSAGE.prune(&mut message);
        }
        change_names(&mut message, changes);
        match (changes.action)(Field::Attachment) {
            FieldAction::Allow => {}
            FieldAction::Drop => message.remove("attachments"),
            _ => changes.need(self.disclosed, &[Field::Attachment])?,
        }
        change_custom(&mut message, changes);
        for personalization in message.items_mut("personalizations") {
            change_custom(personalization, changes);
        }
        self.stamp(&mut message, changes)?;
        Ok(message.to_bytes())
    }
}

impl MailSend {
    /// Puts a signed reference for its recipients into each personalization. SendGrid merges its
    /// custom arguments over those of the message and bounds the sum.
    fn stamp(&self, message: &mut Json, changes: &Changes<'_>) -> Result<(), Unreadable> {
        if let Some(shared) = message.get_mut("custom_args") {
            shared.remove(REFERENCE);
        }
        if let Some(headers) = message.get_mut("headers") {
            headers.remove(REFERENCE_HEADER);
        }
        let shared = message.get("custom_args").cloned();
        let personalizations = message.items_mut("personalizations");
        for (personalization, recipients) in personalizations.iter_mut().zip(&self.recipients) {
            let reference = (changes.reference)(&recipients.iter().collect::<Vec<_>>());
            if reference.is_empty() {
                continue;
            }
            if personalization.get("custom_args").is_none() {
                personalization.set("custom_args", Json::Object(Vec::new()));
            }
            stamp_header(personalization, recipients.len(), &reference);
            let Some(own) = personalization.get_mut("custom_args") else { continue };
            own.set(REFERENCE, Json::Text(reference.into()));
            if merged_bytes(shared.as_ref(), own) > limits::CUSTOM_ARGS_BYTES {
                let limit = limits::CUSTOM_ARGS_BYTES;
                return Err(Unreadable::TooMany { what: "bytes of custom arguments", limit });
            }
        }
        Ok(())
    }
}

/// Puts the reference into the mail's own headers, in the place of any that a caller put there.
fn stamp_header(personalization: &mut Json, recipients: usize, reference: &str) {
    if let Some(headers) = personalization.get_mut("headers") {
        headers.remove(REFERENCE_HEADER);
    }
    if recipients > limits::REFERENCE_HEADER_RECIPIENTS {
        return;
    }
    if personalization.get("headers").is_none() {
        personalization.set("headers", Json::Object(Vec::new()));
    }
    if let Some(headers) = personalization.get_mut("headers") {
        headers.set(REFERENCE_HEADER, Json::Text(reference.into()));
    }
}

/// Whether there are headers beside our own.
fn has_headers(json: &Json) -> bool {
    let Some(Json::Object(headers)) = json.get("headers") else { return false };
    headers.iter().any(|(name, _)| !name.eq_ignore_ascii_case(REFERENCE_HEADER))
}

fn merged_bytes(shared: Option<&Json>, own: &Json) -> usize {
    let mut merged = BTreeMap::new();
    for holder in shared.into_iter().chain([own]) {
        if let Json::Object(entries) = holder {
            merged.extend(entries.iter().map(|(key, value)| (key.as_str(), value)));
        }
    }
    let mut written = Vec::new();
    json::write_object(merged.into_iter(), &mut written);
    written.len()
}

fn change_names(message: &mut Json, changes: &Changes<'_>) {
    let action = (changes.action)(Field::Name);
    if action == FieldAction::Allow {
        return;
    }
    for personalization in message.items_mut("personalizations") {
        for recipient in RECIPIENTS {
            for recipient in personalization.items_mut(recipient) {
                let name =
                    recipient.get("name").and_then(Json::text).filter(|name| !name.is_empty());
                match name.filter(|_| action.replaces()) {
                    Some(name) => {
                        let replaced = (changes.replace)(action, Field::Name, name);
                        recipient.set("name", Json::Text(replaced.into()));
                    }
                    _ => recipient.remove("name"),
                }
            }
        }
    }
}

fn change_custom(holder: &mut Json, changes: &Changes<'_>) {
    match ((changes.action)(Field::Custom), holder.get_mut("custom_args")) {
        (FieldAction::Allow, _) | (_, None) => {}
        (action, Some(Json::Object(entries))) if action.replaces() => {
            for (_, value) in entries {
                let text = value.scalar().map(str::to_owned);
                let text =
                    text.unwrap_or_else(|| String::from_utf8_lossy(&value.to_bytes()).into_owned());
                let replaced = (changes.replace)(action, Field::Custom, &text);
                *value = Json::Text(replaced.into());
            }
        }
        _ => holder.remove("custom_args"),
    }
}

/// Everybody in one personalization, with what the message says of them.
fn parties_of(message: &Json, personal: &Json, index: usize) -> Result<Vec<Party>, Unreadable> {
    let shared = shared_fields(message, personal);
    let mut parties = Vec::new();
    for list in RECIPIENTS {
        for (place, recipient) in personal.items(list).iter().enumerate() {
            let email = recipient.get("email").and_then(Json::text).map(Email::parse);
            let Some(Ok(email)) = email else {
                let at = format!("/personalizations/{index}/{list}/{place}/email");
                return Err(Unreadable::Identifier { at });
            };
            let named = recipient.has("name");
            let fields = if named { shared.with(Field::Name) } else { shared };
            let identifiers = vec![Identifier::Email(email)];
            parties.push(Party { identifiers, fields, lists: Vec::new() });
        }
    }
    if parties.is_empty() {
        let at = format!("/personalizations/{index}/to");
        return Err(Unreadable::Body { at, why: "it names no recipient" });
    }
    if parties.len() > limits::PERSONALIZATIONS {
        let limit = limits::PERSONALIZATIONS;
        return Err(Unreadable::TooMany { what: "recipients in one personalization", limit });
    }
    Ok(parties)
}

fn shared_fields(message: &Json, personal: &Json) -> FieldSet {
    const OWN_TEXT: [&str; 3] = ["subject", "substitutions", "dynamic_template_data"];
    let settings = |group: &str, part: &str| {
        let part = message.get(group).and_then(|group| group.get(part));
        part.is_some_and(|part| part.has("text") || part.has("html"))
    };
    let content = OWN_TEXT.iter().any(|key| personal.has(key))
        || ["subject", "content"].iter().any(|key| message.has(key))
        || has_headers(personal)
        || has_headers(message)
        || settings("mail_settings", "footer")
        || settings("tracking_settings", "subscription_tracking");
    let found = [
        (Field::Email, true),
        (Field::Content, content),
        (Field::Attachment, message.has("attachments")),
        (Field::Custom, message.has("custom_args") || personal.has("custom_args")),
    ];
    found.into_iter().filter(|(_, present)| *present).map(|(field, _)| field).collect()
}

/// The free text of the message.
fn net(message: &Json) -> Net {
    let mut net = Net::default();
    let senders = ["from", "reply_to"].iter().filter_map(|key| message.get(key)?.get("email"));
    senders.filter_map(Json::text).for_each(|sender| net.sender(sender));
    let personal = message.items("personalizations").iter();
    for holder in std::iter::once(message).chain(personal) {
        for key in ["subject", "content", "substitutions", "dynamic_template_data"] {
            holder.get(key).into_iter().for_each(|text| net.look(text));
        }
    }
    net
}

/// SendGrid keeps categories and custom arguments for long, unredacted and open to its staff.
fn warnings(message: &Json) -> Vec<&'static str> {
    let personal = |json: &Json| json.any_text(&is_personal);
    let in_categories = message.get("categories").is_some_and(personal);
    let in_custom = std::iter::once(message)
        .chain(message.items("personalizations"))
        .filter_map(|holder| holder.get("custom_args"))
        .any(personal);
    let found = [
        ("pii-in-categories", in_categories),
        ("pii-in-custom-args", in_custom),
        ("reply-to-elsewhere", answers_go_elsewhere(message)),
    ];
    found.into_iter().filter(|(_, present)| *present).map(|(warning, _)| warning).collect()
}

/// Whether a reply goes to another domain than the sender's: then it may be a person's address.
fn answers_go_elsewhere(message: &Json) -> bool {
    let address = |json: &Json| Email::parse(json.get("email")?.text()?).ok();
    let Some(from) = message.get("from").and_then(address) else { return false };
    let related = |email: &Email| {
        let within = |a: &str, b: &str| a == b || a.ends_with(&format!(".{b}"));
        within(email.domain(), from.domain()) || within(from.domain(), email.domain())
    };
    let mut answers = message.get("reply_to").into_iter().chain(message.items("reply_to_list"));
    answers.any(|answer| address(answer).is_some_and(|email| !related(&email)))
}

const MAILBOX: Shape = Shape::Object(&[("email", Shape::Text), ("name", Shape::Text)]);
const MAILBOXES: Shape = Shape::List(&MAILBOX);
const SWITCH: Shape = Shape::Object(&[("enable", Shape::Scalar)]);

/// The documented body of the call.
const MESSAGE: Shape = Shape::Object(&[
    ("personalizations", Shape::List(&PERSONALIZATION)),
    ("from", MAILBOX),
    ("reply_to", MAILBOX),
    ("reply_to_list", MAILBOXES),
    ("subject", Shape::Text),
    ("content", Shape::List(&Shape::Object(&[("type", Shape::Text), ("value", Shape::Text)]))),
    (
        "attachments",
        Shape::List(&Shape::Object(&[
            ("content", Shape::Text),
            ("type", Shape::Text),
            ("filename", Shape::Text),
            ("disposition", Shape::Text),
            ("content_id", Shape::Text),
        ])),
    ),
    ("template_id", Shape::Text),
    ("headers", Shape::Map),
    ("categories", Shape::List(&Shape::Text)),
    ("custom_args", Shape::Free),
    ("send_at", Shape::Scalar),
    ("batch_id", Shape::Text),
    (
        "asm",
        Shape::Object(&[
            ("group_id", Shape::Scalar),
            ("groups_to_display", Shape::List(&Shape::Scalar)),
        ]),
    ),
    ("ip_pool_name", Shape::Text),
    ("mail_settings", MAIL_SETTINGS),
    ("tracking_settings", TRACKING_SETTINGS),
]);

const PERSONALIZATION: Shape = Shape::Object(&[
    ("from", MAILBOX),
    ("to", MAILBOXES),
    ("cc", MAILBOXES),
    ("bcc", MAILBOXES),
    ("subject", Shape::Text),
    ("headers", Shape::Map),
    ("substitutions", Shape::Map),
    ("dynamic_template_data", Shape::Map),
    ("custom_args", Shape::Map),
    ("send_at", Shape::Scalar),
]);

const MAIL_SETTINGS: Shape = Shape::Object(&[
    ("bypass_list_management", SWITCH),
    ("bypass_spam_management", SWITCH),
    ("bypass_bounce_management", SWITCH),
    ("bypass_unsubscribe_management", SWITCH),
    (
        "footer",
        Shape::Object(&[("enable", Shape::Scalar), ("text", Shape::Text), ("html", Shape::Text)]),
    ),
    ("sandbox_mode", SWITCH),
]);

const TRACKING_SETTINGS: Shape = Shape::Object(&[
    ("click_tracking", Shape::Object(&[("enable", Shape::Scalar), ("enable_text", Shape::Scalar)])),
    (
        "open_tracking",
        Shape::Object(&[("enable", Shape::Scalar), ("substitution_tag", Shape::Text)]),
    ),
    (
        "subscription_tracking",
        Shape::Object(&[
            ("enable", Shape::Scalar),
            ("text", Shape::Text),
            ("html", Shape::Text),
            ("substitution_tag", Shape::Text),
        ]),
    ),
    (
        "ganalytics",
        Shape::Object(&[
            ("enable", Shape::Scalar),
            ("utm_source", Shape::Text),
            ("utm_medium", Shape::Text),
            ("utm_term", Shape::Text),
            ("utm_content", Shape::Text),
            ("utm_campaign", Shape::Text),
        ]),
    ),
]);
