//! How a company of a drill gives a person to SendGrid: as a marketing contact, or as the
//! recipient of a message. The one place where the drill decides which key holds which field.

use model::{Country, Field, FieldSet, Region};
use serde_json::{Map, Value, json};

use crate::people::Person;
use crate::scenario::Company;

/// The keys and values of a contact that says these fields of a person, to be preloaded or sent.
/// `custom_fields` are the names of the account's own; with [`Field::Custom`] all are filled.
pub fn values(
    person: &Person,
    email: &str,
    fields: FieldSet,
    custom_fields: &[String],
) -> Vec<(String, String)> {
    let mut values = Vec::new();
    let mut put = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            values.push((key.to_owned(), value.to_owned()));
        }
    };
    for field in fields.iter() {
        match field {
            Field::Email => put("email", Some(email)),
            Field::Phone => put("phone_number_id", person.phone.as_deref()),
            Field::Name => {
                put("first_name", Some(person.first_name));
                put("last_name", Some(person.last_name));
            }
            Field::Username => put("external_id", Some(&person.person_id)),
            Field::Location => {
                put("country", person.country.as_ref().map(Country::as_str));
                put("state_province_region", person.region.as_ref().map(Region::as_str));
            }
            Field::Custom => {
                for name in custom_fields {
                    put(name, Some(&custom_value(name, person)));
                }
            }
            // SendGrid's contacts have no key for the rest.
            _ => {}
        }
    }
    values
}

/// The body of `PUT /v3/marketing/contacts` for these contacts, as [`values`] gives them.
pub fn upsert(
    list_id: Option<&str>,
    contacts: &[Vec<(String, String)>],
    custom_fields: &[String],
) -> Value {
    let contact = |values: &Vec<(String, String)>| {
        let mut contact = Map::new();
        let mut custom = Map::new();
        for (key, value) in values {
            let into = if custom_fields.contains(key) { &mut custom } else { &mut contact };
            into.insert(key.clone(), json!(value));
        }
        if !custom.is_empty() {
            contact.insert("custom_fields".to_owned(), Value::Object(custom));
        }
        Value::Object(contact)
    };
    let contacts: Vec<_> = contacts.iter().map(contact).collect();
    match list_id {
        Some(list_id) => json!({"list_ids": [list_id], "contacts": contacts}),
        None => json!({"contacts": contacts}),
    }
}

/// The body of `POST /v3/mail/send` for one message to one person.
pub fn message(company: &Company, person: &Person, email: &str, fields: FieldSet) -> Value {
    let mut to = json!({"email": email});
    if fields.contains(Field::Name) {
        to["name"] = json!(person.name());
    }
    let text = format!("Hello, your week on {} in numbers.", company.name);
    json!({
        "personalizations": [{"to": [to]}],
        "from": {"email": format!("hello@{}", company.mail_domain), "name": company.name},
        "subject": format!("Your week on {}", company.name),
        "content": [{"type": "text/plain", "value": text}],
    })
}

fn custom_value(name: &str, person: &Person) -> String {
    match name {
        "ip" => person.ip.clone(),
        "account_type" if person.two_factor => "pro".to_owned(),
        "account_type" => "free".to_owned(),
        "activity" => format!("uploads:{}", person.person_id.len() + person.ip.len()),
        "language" => person.language.to_string(),
        _ => "yes".to_owned(),
    }
}
