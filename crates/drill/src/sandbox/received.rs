//! The record of everything that the vendor was ever given: what the drill's oracle starts from.

use model::{Field, FieldSet, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One person in one request, in the clear. It never leaves the drill.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// When it came, or since when the vendor says that it has it.
    pub at: Timestamp,
    /// `mail.send`, `contacts.upsert`, or `import` for what was there before.
    pub operation: Box<str>,
    /// Addresses, as given.
    pub emails: Vec<Box<str>>,
    /// Telephone numbers, as given.
    pub phones: Vec<Box<str>>,
    /// The company's ids of the person, as given.
    pub user_ids: Vec<Box<str>>,
    /// What was said of the person.
    pub fields: FieldSet,
    /// Ids of the lists that the request put the person in.
    pub lists: Vec<Box<str>>,
}

impl std::fmt::Debug for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<{} at {}: {}>", self.operation, self.at, self.fields)
    }
}

/// The custom argument in which the company's gateway signs its messages: no data of a person.
const REFERENCE: &str = "cordon_ref";

/// Which kinds of personal data SendGrid's keys hold, read from its documentation alone.
pub struct FieldsOf;

impl FieldsOf {
    /// The kind that a contact's key holds.
    pub fn contact_key(key: &str) -> Field {
        match key {
            "email" | "alternate_emails" => Field::Email,
            "first_name" | "last_name" => Field::Name,
            "unique_name" | "external_id" | "anonymous_id" | "line" | "facebook" => Field::Username,
            "address_line_1" | "address_line_2" | "postal_code" => Field::Address,
            "city" | "state_province_region" | "country" => Field::Location,
            "phone_number" | "phone_number_id" | "whatsapp" => Field::Phone,
            _ => Field::Custom,
        }
    }

    /// The kinds in a message to one recipient, apart from the recipient's own name.
    pub fn message(body: &Map<String, Value>, personalization: &Map<String, Value>) -> FieldSet {
        let has = |map: &Map<String, Value>, key: &str| map.get(key).is_some_and(is_filled);
        let mut fields = FieldSet::EMPTY.with(Field::Email);
        let written = ["content", "subject"].iter().any(|key| has(body, key));
        let own = ["subject", "substitutions", "dynamic_template_data"];
        let headers = has_headers(body) || has_headers(personalization);
        if written || headers || own.iter().any(|key| has(personalization, key)) {
            fields = fields.with(Field::Content);
        }
        let arguments =
            [body, personalization].into_iter().filter_map(|map| map.get("custom_args"));
        let names = arguments.filter_map(Value::as_object).flat_map(Map::keys);
        if names.into_iter().any(|name| name != REFERENCE) {
            fields = fields.with(Field::Custom);
        }
        if has(body, "attachments") {
            fields = fields.with(Field::Attachment);
        }
        fields
    }
}

/// Whether there are headers beside the one in which the company's gateway signs its messages.
fn has_headers(map: &Map<String, Value>) -> bool {
    let headers = map.get("headers").and_then(Value::as_object);
    headers.is_some_and(|headers| headers.keys().any(|name| name != "X-Cordon-Ref"))
}

fn is_filled(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}
