//! Marketing contacts and their lists: upserted, counted, looked up, deleted.

use std::collections::BTreeSet;

use axum::body::Bytes;
use axum::extract::{Path, Query, State as Cx};
use axum::http::StatusCode;
use model::{Field, FieldSet, Timestamp, World, limits};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Sandbox;
use super::caller::Caller;
use super::export::uuid;
use super::received::{FieldsOf, Received};
use super::reply::{self, Refused, Reply, answer, empty, no_such};
use super::state::{COLUMNS, Contact, KnownList, State};

/// Keys by which SendGrid recognises a contact, most telling first.
const IDENTIFYING: &[&str] =
    &["email", "phone_number_id", "external_id", "anonymous_id", "alternate_emails"];
/// The largest search, as SendGrid documents it.
const SEARCH_EMAILS: usize = 100;

#[derive(Deserialize)]
struct Upsert {
    #[serde(default)]
    list_ids: Vec<String>,
    contacts: Vec<Map<String, Value>>,
}

/// `PUT /v3/marketing/contacts`.
pub(super) async fn put_contacts(Cx(sandbox): Cx<Sandbox>, caller: Caller, body: Bytes) -> Reply {
    caller.may("marketing.update")?;
    let upsert: Upsert =
        serde_json::from_slice(&body).map_err(|_| wrong("contacts", "invalid JSON body"))?;
    if upsert.contacts.is_empty() || upsert.contacts.len() > limits::CONTACTS_PER_CALL {
        return Err(wrong("contacts", "contacts has 1 to 30000 elements"));
    }
    let mut state = sandbox.state();
    let lists: Option<BTreeSet<u16>> =
        upsert.list_ids.iter().map(|id| state.list_place(id)).collect();
    let lists = lists.ok_or_else(|| wrong("list_ids", "a list does not exist"))?;
    let read: Result<Vec<_>, _> =
        upsert.contacts.iter().map(|contact| values(&state, contact)).collect();
    let now = sandbox.0.world.now();
    for values in read? {
        state.receive("contacts.upsert", now, &values, &lists);
        state.upsert(&sandbox.0.world, now, values, &lists);
    }
    answer(StatusCode::ACCEPTED, json!({"job_id": uuid(&sandbox.0.world)}))
}

impl Sandbox {
    /// Gives the vendor a contact that it has had since `as_of`: what was there before Cordon.
    /// As received counts the whole contact, since that is what the list's export hands out.
    ///
    /// # Errors
    /// When the account has no such list or column.
    pub fn preload(
        &self,
        list: Option<&str>,
        as_of: Timestamp,
        contact: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        let mut state = self.state();
        let place = list.map(|list| {
            state.list_place(list).ok_or_else(|| anyhow::anyhow!("the sandbox has no such list"))
        });
        let lists = place.transpose()?.into_iter().collect();
        let column = |&(name, value): &(&str, &str)| {
            let column = state.column(name);
            column
                .map(|column| (column, Box::from(value)))
                .ok_or_else(|| anyhow::anyhow!("the sandbox has no field `{name}`"))
        };
        let values: Values = contact.iter().map(column).collect::<Result<_, _>>()?;
        let place = state.upsert(&self.0.world, as_of, values, &lists);
        let whole = state.contacts[place].values.clone();
        state.receive("import", as_of, &whole, &lists);
        Ok(())
    }
}

type Values = Vec<(u16, Box<str>)>;

/// The columns of one contact; several addresses stand in one column with commas, as exported.
fn values(state: &State, contact: &Map<String, Value>) -> Result<Values, Refused> {
    if !IDENTIFYING[..4].iter().any(|key| contact.get(*key).is_some_and(Value::is_string)) {
        return Err(wrong("contacts", "at least one identifier is required in each contact"));
    }
    let custom = contact.get("custom_fields").and_then(Value::as_object);
    let documented = contact.iter().filter(|(key, _)| *key != "custom_fields");
    let documented = documented.map(|(key, value)| (key, value, COLUMNS.contains(&key.as_str())));
    let custom = custom.into_iter().flatten().map(|(key, value)| (key, value, true));
    let mut values = Values::new();
    for (key, value, known) in documented.chain(custom) {
        let column = state.column(key).filter(|_| known);
        let column = column.ok_or_else(|| wrong("contacts", "a field is not defined"))?;
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Array(items) => {
                items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
            }
            Value::Null => continue,
            Value::Bool(_) | Value::Object(_) => {
                return Err(wrong("contacts", "a value has the wrong type"));
            }
        };
        if key == "email" && model::Email::parse(&text).is_err() {
            return Err(wrong("contacts", "email is invalid"));
        }
        if !text.is_empty() {
            // «The email field will be changed to all lower-case.»
            let text = if key == "email" { text.to_lowercase() } else { text };
            values.push((column, text.into()));
        }
    }
    Ok(values)
}

impl State {
    /// Records what was given of one person.
    pub(super) fn receive(
        &mut self,
        operation: &str,
        at: Timestamp,
        values: &Values,
        lists: &BTreeSet<u16>,
    ) {
        let of = |names: &[&str]| -> Vec<Box<str>> {
            let held = values
                .iter()
                .filter(|(column, _)| names.contains(&self.columns[usize::from(*column)].as_str()));
            held.flat_map(|(_, value)| value.split(',').map(Box::from)).collect()
        };
        let field = |(column, _): &(u16, Box<str>)| -> Field {
            FieldsOf::contact_key(&self.columns[usize::from(*column)])
        };
        let received = Received {
            at,
            operation: operation.into(),
            emails: of(&["email", "alternate_emails"]),
            phones: of(&["phone_number_id", "phone_number"]),
            user_ids: of(&["external_id"]),
            fields: values.iter().map(field).collect::<FieldSet>(),
            lists: lists.iter().map(|list| self.list_id(*list).into()).collect(),
        };
        self.received.push(received);
    }

    /// Updates the contact that one of the identifying values names, or makes it; its place.
    pub(super) fn upsert(
        &mut self,
        world: &World,
        now: Timestamp,
        values: Values,
        lists: &BTreeSet<u16>,
    ) -> usize {
        let names: Vec<Box<str>> = self.names(&values);
        let known = names.iter().find_map(|name| self.places.get(name).copied());
        let place = known.unwrap_or_else(|| {
            self.contacts.push(Contact {
                id: uuid(world),
                values: Vec::with_capacity(values.len()),
                lists: BTreeSet::new(),
                created_at: now,
                updated_at: now,
            });
            self.counts.contacts += 1;
            self.contacts.len() - 1
        });
        for name in names {
            self.places.insert(name, place);
        }
        let contact = &mut self.contacts[place];
        for (column, value) in values {
            contact.set(column, value);
        }
        contact.lists.extend(lists);
        contact.updated_at = now;
        place
    }

    fn names(&self, values: &Values) -> Vec<Box<str>> {
        let identifying = values.iter().filter(|(column, _)| {
            IDENTIFYING.contains(&self.columns[usize::from(*column)].as_str())
        });
        identifying
            .flat_map(|(_, value)| value.split(',').map(|part| part.to_lowercase().into()))
            .collect()
    }

    /// The id of a list by its place.
    pub(super) fn list_id(&self, place: u16) -> &str {
        &self.lists[usize::from(place)].id
    }

    fn contact_count(&self, list: u16) -> usize {
        self.contacts.iter().filter(|contact| contact.lists.contains(&list)).count()
    }

    fn list_row(&self, place: u16) -> Value {
        let KnownList { id, name } = &self.lists[usize::from(place)];
        json!({
            "id": id, "name": name, "contact_count": self.contact_count(place),
            "_metadata": reply::metadata(&format!("/v3/marketing/lists/{id}"), None),
        })
    }

    fn delete_contacts(&mut self, gone: impl Fn(&Contact) -> bool) {
        // Places of the others must stay valid, so a deleted contact is emptied, not taken out.
        for contact in self.contacts.iter_mut().filter(|contact| gone(contact)) {
            contact.values.clear();
            contact.lists.clear();
        }
        let contacts = &self.contacts;
        self.places.retain(|_, place| !contacts[*place].values.is_empty());
        self.counts.contacts =
            contacts.iter().filter(|contact| !contact.values.is_empty()).count() as u64;
    }
}

#[derive(Deserialize)]
struct Search {
    emails: Vec<String>,
}

/// `POST /v3/marketing/contacts/search/emails`.
pub(super) async fn search_emails(Cx(sandbox): Cx<Sandbox>, caller: Caller, body: Bytes) -> Reply {
    caller.may("marketing.read")?;
    let Search { emails } = reply::parse(&body)?;
    if emails.len() > SEARCH_EMAILS || emails.iter().any(|text| model::Email::parse(text).is_err())
    {
        return Err(reply::refuse(StatusCode::BAD_REQUEST, "invalid emails", Some("emails")));
    }
    let state = sandbox.state();
    let mut found = false;
    let mut result = Map::new();
    for email in emails.iter().map(|email| email.to_lowercase()) {
        let place = state.places.get(email.as_str());
        found |= place.is_some();
        let entry = place.map_or_else(
            || json!({"error": "contact not found"}),
            |&place| json!({"contact": details(&state, &state.contacts[place])}),
        );
        result.insert(email, entry);
    }
    if !found {
        return Err(reply::not_found());
    }
    answer(StatusCode::OK, json!({"result": result}))
}

fn details(state: &State, contact: &Contact) -> Value {
    let mut details = Map::new();
    let mut custom = Map::new();
    for (column, value) in &contact.values {
        let name = state.columns[usize::from(*column)].clone();
        match (name.as_str(), usize::from(*column) < COLUMNS.len()) {
            ("alternate_emails", _) => {
                details.insert(name, value.split(',').map(Value::from).collect());
            }
            (_, true) => {
                details.insert(name, Value::from(value.as_ref()));
            }
            (_, false) => {
                custom.insert(name, Value::from(value.as_ref()));
            }
        }
    }
    let lists: Vec<_> = contact.lists.iter().map(|&list| state.list_id(list)).collect();
    let rest = json!({
        "id": contact.id, "list_ids": lists, "segment_ids": [], "custom_fields": custom,
        "created_at": contact.created_at, "updated_at": contact.updated_at,
    });
    if let Value::Object(rest) = rest {
        details.extend(rest);
    }
    Value::Object(details)
}

/// `GET /v3/marketing/contacts/count`.
pub(super) async fn get_contact_count(Cx(sandbox): Cx<Sandbox>, caller: Caller) -> Reply {
    caller.may("marketing.read")?;
    let count = sandbox.state().counts.contacts;
    answer(StatusCode::OK, json!({"contact_count": count, "billable_count": count}))
}

#[derive(Deserialize)]
pub(super) struct Deleted {
    delete_all_contacts: Option<String>,
    #[serde(default)]
    ids: String,
}

/// `DELETE /v3/marketing/contacts`.
pub(super) async fn delete_contacts(
    Cx(sandbox): Cx<Sandbox>,
    caller: Caller,
    Query(deleted): Query<Deleted>,
) -> Reply {
    caller.may("marketing.update")?;
    let all = deleted.delete_all_contacts.as_deref() == Some("true");
    let ids: Vec<_> = deleted.ids.split(',').filter(|id| !id.is_empty()).collect();
    if !all && ids.is_empty() {
        return Err(wrong("ids", "ids or delete_all_contacts is required"));
    }
    sandbox.state().delete_contacts(|contact| all || ids.contains(&contact.id.as_str()));
    // The specification has an object here where its own examples have a text.
    answer(StatusCode::ACCEPTED, json!({"job_id": {"id": uuid(&sandbox.0.world)}}))
}

/// `GET /v3/marketing/lists`.
pub(super) async fn get_lists(Cx(sandbox): Cx<Sandbox>, caller: Caller) -> Reply {
    caller.may("marketing.read")?;
    let state = sandbox.state();
    let rows: Vec<_> = (0..state.lists.len()).map(|place| state.list_row(place as u16)).collect();
    let metadata = reply::metadata("/v3/marketing/lists", Some(rows.len()));
    answer(StatusCode::OK, json!({"result": rows, "_metadata": metadata}))
}

#[derive(Deserialize)]
struct NewList {
    name: String,
}

/// `POST /v3/marketing/lists`.
pub(super) async fn post_list(Cx(sandbox): Cx<Sandbox>, caller: Caller, body: Bytes) -> Reply {
    caller.may("marketing.update")?;
    let NewList { name } = reply::parse(&body)?;
    if name.is_empty() || name.chars().count() > 100 {
        return Err(wrong("name", "name has 1 to 100 characters"));
    }
    let mut state = sandbox.state();
    if state.lists.iter().any(|list| list.name == name) {
        return Err(wrong("name", "a list of this name exists"));
    }
    state.lists.push(KnownList { id: uuid(&sandbox.0.world), name });
    let row = state.list_row(state.lists.len() as u16 - 1);
    answer(StatusCode::CREATED, row)
}

/// `GET /v3/marketing/lists/{id}`.
pub(super) async fn get_list(
    Cx(sandbox): Cx<Sandbox>,
    caller: Caller,
    Path(id): Path<String>,
) -> Reply {
    caller.may("marketing.read")?;
    let state = sandbox.state();
    let place = state.list_place(&id).ok_or_else(|| no_such("id"))?;
    answer(StatusCode::OK, state.list_row(place))
}

/// `DELETE /v3/marketing/lists/{id}`.
pub(super) async fn delete_list(
    Cx(sandbox): Cx<Sandbox>,
    caller: Caller,
    Path(id): Path<String>,
) -> Reply {
    caller.may("marketing.update")?;
    let mut state = sandbox.state();
    let place = state.list_place(&id).ok_or_else(|| no_such("id"))?;
    // Places are kept: what was received earlier still names the list.
    state.lists[usize::from(place)] =
        KnownList { id: format!("deleted-{id}"), name: String::new() };
    state.contacts.iter_mut().for_each(|contact| {
        contact.lists.remove(&place);
    });
    empty(StatusCode::NO_CONTENT)
}

fn wrong(field: &str, message: &str) -> Refused {
    reply::refuse_marketing(StatusCode::BAD_REQUEST, message, field)
}
