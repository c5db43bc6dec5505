//! `PUT /v3/marketing/contacts`: contacts put into lists that SendGrid keeps. It does not read the
//! CSV import, which goes to another host.

use model::{Contact, Email, Field, FieldAction, FieldSet, Identifier, ListName, Phone, limits};
use serde_json::{Map, Value, json};

use crate::call::{Body, Call, Changes, Operation, OwnedOutbound, Party, Unreadable};
use crate::json::shape::Shape;
use crate::json::{self, Json};

pub(super) const PATH: &str = "/v3/marketing/contacts";

pub(super) const OPERATION: Operation = Operation::new(
    "contacts.upsert",
    FieldSet::EMPTY
        .with(Field::Email)
        .with(Field::Phone)
        .with(Field::Name)
        .with(Field::Username)
        .with(Field::Address)
        .with(Field::Location)
        .with(Field::Custom),
    limits::CONTACTS_BODY_BYTES,
);

/// A key of a contact, the field that it discloses, and how many characters it takes.
pub(super) struct Attribute {
    pub key: &'static str,
    pub field: Field,
    pub characters: usize,
}

const fn attribute(key: &'static str, field: Field, characters: usize) -> Attribute {
    Attribute { key, field, characters }
}

/// Single values of a contact. The last five are of an earlier edition of the same call.
pub(super) const ATTRIBUTES: &[Attribute] = &[
    attribute("first_name", Field::Name, 50),
    attribute("last_name", Field::Name, 50),
    attribute("address_line_1", Field::Address, 100),
    attribute("address_line_2", Field::Address, 100),
    attribute("postal_code", Field::Address, 50),
    attribute("city", Field::Location, 60),
    attribute("state_province_region", Field::Location, 50),
    attribute("country", Field::Location, 50),
    attribute("phone_number_id", Field::Phone, 50),
    attribute("external_id", Field::Username, 254),
    attribute("anonymous_id", Field::Username, 254),
    attribute("unique_name", Field::Username, 50),
    attribute("phone_number", Field::Phone, 50),
    attribute("whatsapp", Field::Phone, 50),
    attribute("line", Field::Username, 50),
    attribute("facebook", Field::Username, 50),
];

/// Of these, SendGrid wants at least one in each contact.
const IDENTIFIERS: [(&str, Field); 4] = [
    ("email", Field::Email),
    ("phone_number_id", Field::Phone),
    ("external_id", Field::Username),
    ("anonymous_id", Field::Username),
];

/// Reads the contacts.
pub(super) fn read(operation: &'static Operation, body: &[u8]) -> Result<Call, Unreadable> {
    let request = json::parse(body)?;
    let unknown = REQUEST.unknown(&request)?;
    let contacts = request.items("contacts");
    if contacts.is_empty() {
        let at = "/contacts".to_owned();
        return Err(Unreadable::Body { at, why: "it names no contact" });
    }
    if contacts.len() > limits::CONTACTS_PER_CALL {
        return Err(Unreadable::TooMany { what: "contacts", limit: limits::CONTACTS_PER_CALL });
    }
    let lists = lists(&request)?;
    let parties = contacts
        .iter()
        .enumerate()
        .map(|(index, contact)| party(contact, index, &lists))
        .collect::<Result<_, _>>()?;
    let body = Box::new(Upsert { request });
    Ok(Call { operation, parties, unknown, warnings: Vec::new(), body })
}

/// The request that upserts one contact, as a workload would make it.
pub(super) fn upsert(contact: &Contact, list: Option<&ListName>) -> OwnedOutbound {
    let mut entry = Map::new();
    let mut put = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            entry.insert(key.to_owned(), Value::from(value));
        }
    };
    let name = contact.name.as_deref();
    let (first, last) = name.and_then(|name| name.rsplit_once(' ')).unzip();
    put("email", contact.email.as_ref().map(Email::as_str));
    put("phone_number_id", contact.phone.as_ref().map(Phone::as_str));
    put("external_id", Some(&contact.person_id));
    put("first_name", first.or(name));
    put("last_name", last);
    put("country", contact.country.as_ref().map(model::Country::as_str));
    put("state_province_region", contact.region.as_ref().map(model::Region::as_str));
    let mut body = json!({"contacts": [entry]});
    if let Some(list) = list {
        body["list_ids"] = json!([list]);
    }
    OwnedOutbound {
        method: "PUT",
        path: PATH.to_owned(),
        content_type: "application/json",
        body: body.to_string().into_bytes(),
    }
}

struct Upsert {
    request: Json,
}

impl Body for Upsert {
    fn write(&self, changes: &Changes<'_>) -> Result<Vec<u8>, Unreadable> {
        let mut request = self.request.clone();
        if changes.drop_unknown {
            REQUEST.prune(&mut request);
        }
        for contact in request.items_mut("contacts") {
            change(contact, changes)?;
        }
        Ok(request.to_bytes())
    }
}

fn change(contact: &mut Json, changes: &Changes<'_>) -> Result<(), Unreadable> {
    let identified = IDENTIFIERS.iter().find(|(key, _)| contact.has(key)).map(|(_, field)| *field);
    let addressed = contact.has("email") || contact.has("alternate_emails");
    match (changes.action)(Field::Email) {
        FieldAction::Allow => {}
        FieldAction::Drop => {
            contact.remove("email");
            contact.remove("alternate_emails");
        }
        _ if addressed => return Err(Unreadable::Needed(Field::Email)),
        _ => {}
    }
    for &Attribute { key, field, characters } in ATTRIBUTES {
        let value = contact.get(key).and_then(Json::scalar).filter(|value| !value.is_empty());
        let action = (changes.action)(field);
        match action {
            FieldAction::Allow => {}
            FieldAction::Drop => contact.remove(key),
            _ if action.replaces() && field != Field::Phone => {
                let replaced = value.map(|value| (changes.replace)(action, field, value));
                // What is cut off could not be turned back.
                match replaced.filter(|text| text.chars().count() <= characters) {
                    Some(replaced) => contact.set(key, Json::Text(replaced.into())),
                    None => contact.remove(key),
                }
            }
            _ if value.is_some() => return Err(Unreadable::Needed(field)),
            _ => {}
        }
    }
    change_custom(contact, changes);
    match identified {
        Some(field) if !IDENTIFIERS.iter().any(|(key, _)| contact.has(key)) => {
            Err(Unreadable::Needed(field))
        }
        _ => Ok(()),
    }
}

/// A number or a date cannot hold a replacement, so it is taken out.
fn change_custom(contact: &mut Json, changes: &Changes<'_>) {
    match ((changes.action)(Field::Custom), contact.get_mut("custom_fields")) {
        (FieldAction::Allow, _) | (_, None) => {}
        (action, Some(Json::Object(entries))) if action.replaces() => {
            entries.retain(|(_, value)| value.text().is_some());
            for (_, value) in entries {
                if let Json::Text(text) = value {
                    *text = (changes.replace)(action, Field::Custom, text).into();
                }
            }
        }
        _ => contact.remove("custom_fields"),
    }
}

fn lists(request: &Json) -> Result<Vec<ListName>, Unreadable> {
    let parse = |(index, id): (usize, &Json)| {
        id.text().and_then(|id| ListName::parse(id).ok()).ok_or_else(|| Unreadable::Body {
            at: format!("/list_ids/{index}"),
            why: "it is not the id of a list",
        })
    };
    request.items("list_ids").iter().enumerate().map(parse).collect()
}

fn party(contact: &Json, index: usize, lists: &[ListName]) -> Result<Party, Unreadable> {
    let wrong = |key: &str| Unreadable::Identifier { at: format!("/contacts/{index}/{key}") };
    let mut identifiers = Vec::new();
    let mut fields = FieldSet::EMPTY;
    if contact.has("email") {
        let email = contact.get("email").and_then(Json::text).map(Email::parse);
        let Some(Ok(email)) = email else { return Err(wrong("email")) };
        identifiers.push(Identifier::Email(email));
        fields = fields.with(Field::Email);
    }
    for (place, email) in contact.items("alternate_emails").iter().enumerate() {
        let Some(Ok(email)) = email.text().map(Email::parse) else {
            return Err(wrong(&format!("alternate_emails/{place}")));
        };
        identifiers.push(Identifier::Email(email));
        fields = fields.with(Field::Email);
    }
    for &Attribute { key, field, .. } in ATTRIBUTES.iter().filter(|one| contact.has(one.key)) {
        fields = fields.with(field);
        let value = contact.get(key).and_then(Json::scalar).unwrap_or_default();
        identifiers.extend(identifier(key, value));
    }
    if contact.has("custom_fields") {
        fields = fields.with(Field::Custom);
    }
    if identifiers.is_empty() {
        let (key, _) =
            IDENTIFIERS.iter().find(|(key, _)| contact.has(key)).unwrap_or(&IDENTIFIERS[0]);
        return Err(wrong(key));
    }
    Ok(Party { identifiers, fields, lists: lists.to_vec() })
}

/// What a value identifies, if anything. A number without its country identifies nobody.
pub(super) fn identifier(key: &str, value: &str) -> Option<Identifier> {
    match key {
        "external_id" => Some(Identifier::UserId(value.into())),
        // Kept apart from the company's own ids, which it could equal by chance.
        "anonymous_id" => Some(Identifier::UserId(format!("anonymous:{value}").into())),
        "phone_number_id" | "phone_number" | "whatsapp" => {
            Phone::parse(value).ok().map(Identifier::Phone)
        }
        _ => None,
    }
}

/// The documented body of the call.
const REQUEST: Shape =
    Shape::Object(&[("list_ids", Shape::List(&Shape::Text)), ("contacts", Shape::List(&CONTACT))]);

const CONTACT: Shape = Shape::Object(&[
    ("email", Shape::Text),
    ("alternate_emails", Shape::List(&Shape::Text)),
    ("custom_fields", Shape::Map),
    ("first_name", Shape::Scalar),
    ("last_name", Shape::Scalar),
    ("address_line_1", Shape::Scalar),
    ("address_line_2", Shape::Scalar),
    ("postal_code", Shape::Scalar),
    ("city", Shape::Scalar),
    ("state_province_region", Shape::Scalar),
    ("country", Shape::Scalar),
    ("phone_number_id", Shape::Scalar),
    ("external_id", Shape::Scalar),
    ("anonymous_id", Shape::Scalar),
    ("unique_name", Shape::Scalar),
    ("phone_number", Shape::Scalar),
    ("whatsapp", Shape::Scalar),
    ("line", Shape::Scalar),
    ("facebook", Shape::Scalar),
]);
