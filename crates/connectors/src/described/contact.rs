//! The call that gives one contact to a vendor, from a template with the contact's values in it.

use model::{Contact, Email, ListName, Phone};
use serde::Deserialize;
use serde_json::Value;

use crate::call::OwnedOutbound;
use crate::form;

/// A call with `{email}`, `{phone}`, `{name}`, `{first}`, `{last}`, `{person}`, `{country}`,
/// `{region}` and `{list}` in it. A key whose value is not known is left out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Template {
    method: Method,
    path: String,
    body: Value,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Method {
    Post,
    Put,
}

impl Template {
    /// The call for this contact; `None` when it goes into a list and none is given.
    pub fn fill(&self, contact: &Contact, list: Option<&ListName>) -> Option<OwnedOutbound> {
        let value = |name: &str| value(contact, list, name);
        let mut path = self.path.clone();
        while let Some((before, rest)) = path.clone().split_once('{') {
            let (name, after) = rest.split_once('}')?;
            path = format!("{before}{}{after}", form::encode(&value(name)?));
        }
        let mut body = self.body.clone();
        fill(&mut body, &value);
        Some(OwnedOutbound {
            method: match self.method {
                Method::Post => "POST",
                Method::Put => "PUT",
            },
            path,
            content_type: "application/json",
            body: body.to_string().into_bytes(),
        })
    }
}

fn value(contact: &Contact, list: Option<&ListName>, name: &str) -> Option<String> {
    let whole = contact.name.as_deref();
    let (first, last) = whole.and_then(|name| name.rsplit_once(' ')).unzip();
    let text = match name {
        "email" => contact.email.as_ref().map(Email::as_str),
        "phone" => contact.phone.as_ref().map(Phone::as_str),
        "name" => whole,
        "first" => first.or(whole),
        "last" => last,
        "person" => Some(&*contact.person_id),
        "country" => contact.country.as_ref().map(model::Country::as_str),
        "region" => contact.region.as_ref().map(model::Region::as_str),
        "list" => list.map(ListName::as_str),
        _ => None,
    };
    text.map(str::to_owned)
}

/// Puts values in; `false` says that one is not known.
fn fill(json: &mut Value, value: &dyn Fn(&str) -> Option<String>) -> bool {
    match json {
        Value::String(text) => {
            let Some(name) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) else {
                return true;
            };
            match value(name) {
                Some(known) => {
                    *text = known;
                    true
                }
                None => false,
            }
        }
        Value::Array(items) => {
            items.retain_mut(|item| fill(item, value));
            !items.is_empty()
        }
        Value::Object(entries) => {
            entries.retain(|_, item| fill(item, value));
            !entries.is_empty()
        }
        _ => true,
    }
}
