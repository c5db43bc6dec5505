//! `POST …/Messages.json`: one message to one number, as a form. It does not read the templates
//! that `ContentSid` names, nor what is behind a media URL.

use model::{Field, FieldAction, FieldSet, Identifier, Phone, limits};

use crate::call::{Body, Call, Changes, Operation, Party, Unreadable, shown};
use crate::form;

pub(super) const OPERATION: Operation = Operation::new(
    "messages.create",
    FieldSet::EMPTY
        .with(Field::Phone)
        .with(Field::Content)
        .with(Field::Attachment)
        .with(Field::Custom),
    limits::MESSAGE_FORM_BYTES,
);

/// Where our own callback gets the reference.
pub(super) const REFERENCE: &str = "ref";
/// Where a caller's callback gets it.
const CALLERS_REFERENCE: &str = "cordon_ref";
const CALLBACK: &str = "StatusCallback";

/// Keys that say something of the recipient.
const DISCLOSING: [(&str, Field); 6] = [
    ("To", Field::Phone),
    ("Body", Field::Content),
    ("ContentVariables", Field::Content),
    ("PersistentAction", Field::Content),
    ("MediaUrl", Field::Attachment),
    ("Tags", Field::Custom),
];

/// The other documented keys.
const SILENT: [&str; 20] = [
    "From",
    "FallbackFrom",
    "MessagingServiceSid",
    "ContentSid",
    CALLBACK,
    "ApplicationSid",
    "MaxPrice",
    "ProvideFeedback",
    "Attempt",
    "ValidityPeriod",
    "ForceDelivery",
    "ContentRetention",
    "AddressRetention",
    "SmartEncoded",
    "TrafficType",
    "ShortenUrls",
    "ScheduleType",
    "SendAt",
    "SendAsMms",
    "RiskCheck",
];

/// Keys that may stand several times.
const REPEATED: [&str; 2] = ["MediaUrl", "PersistentAction"];

/// Channels whose addresses are telephone numbers.
const CHANNELS: [&str; 3] = ["whatsapp:", "rcs:", "sms:"];

/// Reads the message.
pub(super) fn read(operation: &'static Operation, body: &[u8]) -> Result<Call, Unreadable> {
    let pairs = form::parse(body)?;
    for (index, (key, _)) in pairs.iter().enumerate() {
        let again = pairs[..index].iter().any(|(earlier, _)| earlier == key);
        if again && !REPEATED.contains(&key.as_str()) {
            let at = shown(key).to_owned();
            return Err(Unreadable::Body { at, why: "the form names a key twice" });
        }
    }
    let to = pairs.iter().find(|(key, _)| key == "To").and_then(|(_, value)| phone(value));
    let Some(to) = to else { return Err(Unreadable::Identifier { at: "To".to_owned() }) };
    let said = pairs.iter().filter(|(_, value)| !value.is_empty());
    let fields: FieldSet = said.filter_map(|(key, _)| field(key)).collect();
    let unknown = pairs
        .iter()
        .filter(|(key, _)| !is_documented(key))
        .take(limits::UNKNOWN_KEYS)
        .map(|(key, _)| shown(key).to_owned())
        .collect();
    let told = [CALLBACK, "ApplicationSid"].iter().any(|key| says(&pairs, key));
    let warnings = if told { vec!["status-callback-elsewhere"] } else { Vec::new() };
    let identifiers = vec![to.clone()];
    let parties = vec![Party { identifiers, fields, lists: Vec::new() }];
    let body = Box::new(Message { pairs, to, fields });
    Ok(Call { operation, parties, unknown, warnings, body })
}

/// The number in an address, which may stand behind a channel.
pub(super) fn phone(address: &str) -> Option<Identifier> {
    let bare = CHANNELS.iter().find_map(|channel| address.strip_prefix(channel));
    Phone::parse(bare.unwrap_or(address)).ok().map(Identifier::Phone)
}

struct Message {
    pairs: Vec<(String, String)>,
    to: Identifier,
    fields: FieldSet,
}

impl Body for Message {
    fn write(&self, changes: &Changes<'_>) -> Result<Vec<u8>, Unreadable> {
        changes.need(self.fields, &[Field::Phone, Field::Content])?;
        let mut pairs = self.pairs.clone();
        if changes.drop_unknown {
            pairs.retain(|(key, _)| is_documented(key));
        }
        match (changes.action)(Field::Attachment) {
            FieldAction::Allow => {}
            // A message needs a text or a template where it has no picture.
            FieldAction::Drop if says(&pairs, "Body") || says(&pairs, "ContentSid") => {
                pairs.retain(|(key, _)| key != "MediaUrl");
            }
            _ => changes.need(self.fields, &[Field::Attachment])?,
        }
        match (changes.action)(Field::Custom) {
            FieldAction::Allow => {}
            FieldAction::Drop => pairs.retain(|(key, _)| key != "Tags"),
            _ => changes.need(self.fields, &[Field::Custom])?,
        }
        self.ask_for_events(&mut pairs, changes);
        Ok(form::write(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()))))
    }
}

impl Message {
    /// Has Twilio report on this message to Cordon, unless the caller has it report elsewhere; the
    /// reference comes back in the callback's URL either way.
    fn ask_for_events(&self, pairs: &mut Vec<(String, String)>, changes: &Changes<'_>) {
        let reference = (changes.reference)(&[&self.to]);
        if reference.is_empty() {
            return;
        }
        if says(pairs, CALLBACK) {
            for (_, url) in pairs.iter_mut().filter(|(key, _)| key == CALLBACK) {
                *url = form::with_query_value(url, CALLERS_REFERENCE, &reference);
            }
        } else if let Some(url) = changes.callback_url
            && !says(pairs, "ApplicationSid")
        {
            pairs.retain(|(key, _)| key != CALLBACK);
            let url = form::with_query_value(url, REFERENCE, &reference);
            pairs.push((CALLBACK.to_owned(), url));
        }
    }
}

fn says(pairs: &[(String, String)], key: &str) -> bool {
    pairs.iter().any(|(name, value)| name == key && !value.is_empty())
}

fn field(key: &str) -> Option<Field> {
    DISCLOSING.iter().find(|(name, _)| *name == key).map(|(_, field)| *field)
}

fn is_documented(key: &str) -> bool {
    field(key).is_some() || SILENT.contains(&key)
}
