//! A request written again: fields taken out or replaced, undocumented keys dropped, references put
//! into its messages.

use model::{Field, FieldAction, FieldSet, Identifier, limits};
use smol_str::SmolStr;

use super::document::Document;
use super::keys::{Node, Role, Scope};
use super::mailbox;
use super::reading::fits;
use crate::call::{Body, Call, Changes, Unreadable};
use crate::json::{self, Json};

/// Where a reference goes in a message.
#[derive(Debug)]
pub(super) struct Place {
    /// Keys that lead to what holds it; a `?` after one says that there is a message only if it is
    /// there.
    pub within: Vec<String>,
    /// Under which key or header.
    pub key: String,
    /// The keys of name and value, where what holds it is a list of pairs.
    pub pair: Option<(String, String)>,
    /// Whether it becomes a header of the mail itself, which servers like to be short.
    pub is_header: bool,
    /// The most characters that the vendor takes there.
    pub characters: usize,
}

/// A request that was read.
pub(super) struct Written {
    pub document: Document,
    pub root: &'static Node,
    pub places: &'static [Place],
    /// Fields that the operation cannot do without.
    pub needs: FieldSet,
    /// Fields in the path and the query, which are not written again.
    pub beside: FieldSet,
    /// Whether somebody is named there.
    pub named_beside: bool,
    pub disclosed: FieldSet,
    pub recipients: Vec<Vec<Identifier>>,
    /// Calls within it, in the order of the walk.
    pub calls: Vec<Call>,
}

impl Body for Written {
    fn write(&self, changes: &Changes<'_>) -> Result<Vec<u8>, Unreadable> {
        let needed: Vec<Field> = self.needs.union(self.beside).iter().collect();
        changes.need(self.disclosed, &needed)?;
        let mut json = self.document.json.clone();
        let mut writer =
            Writer { written: self, changes, message: 0, call: 0, names: Names::default() };
        writer.inner(self.root, &mut json)?;
        if self.root.scope != Some(Scope::Message) && !self.named_beside {
            writer.names.check()?;
        }
        if self.root.innermost {
            writer.stamp(&mut json);
        }
        self.document.write(&json)
    }
}

struct Writer<'a> {
    written: &'a Written,
    changes: &'a Changes<'a>,
    /// How many innermost messages were written.
    message: usize,
    /// How many calls within it were written.
    call: usize,
    /// What names the present person.
    names: Names,
}

/// What is left of what names somebody.
#[derive(Default)]
struct Names {
    kept: usize,
    dropped: Option<Field>,
}

impl Names {
    /// Refuses when nothing is left: what is said of nobody is of no use to a vendor.
    fn check(&self) -> Result<(), Unreadable> {
        match self.dropped {
            Some(field) if self.kept == 0 => Err(Unreadable::Needed(field)),
            _ => Ok(()),
        }
    }
}

impl Writer<'_> {
    /// Writes a value; `false` says that it is taken out.
    fn value(&mut self, node: &Node, json: &mut Json) -> Result<bool, Unreadable> {
        if *json == Json::Null {
            return Ok(true);
        }
        let is_person = matches!(node.scope, Some(Scope::Person | Scope::Apart));
        let around = std::mem::take(&mut self.names);
        let kept = self.inner(node, json)?;
        if is_person {
            self.names.check()?;
            self.names = around;
        } else {
            self.names.kept += around.kept;
            self.names.dropped = self.names.dropped.or(around.dropped);
        }
        if node.innermost {
            self.stamp(json);
        }
        Ok(kept)
    }

    fn inner(&mut self, node: &Node, json: &mut Json) -> Result<bool, Unreadable> {
        match json {
            Json::Object(entries) if node.has_keys() => {
                let before = std::mem::take(entries);
                let value = |key: &str| {
                    let (_, value) = before.iter().find(|(name, _)| name == key)?;
                    value.text().map(str::to_owned)
                };
                let node = node.case(value);
                for (key, mut value) in before {
                    let kept = match node.key(&key) {
                        Some((child, _)) => self.value(child, &mut value)?,
                        None => !self.changes.drop_unknown,
                    };
                    if kept {
                        entries.push((key, value));
                    }
                }
                Ok(true)
            }
            Json::List(items) if node.items.is_some() => {
                let Some(inside) = node.items.as_deref() else { return Ok(true) };
                let before = std::mem::take(items);
                for mut item in before {
                    if self.value(inside, &mut item)? {
                        items.push(item);
                    }
                }
                Ok(true)
            }
            Json::Text(text) if node.inside.is_some() => {
                let Some(inside) = node.inside.as_deref().filter(|_| !text.is_empty()) else {
                    return Ok(true);
                };
                let mut parsed = json::parse(text.as_bytes())?;
                let kept = self.value(inside, &mut parsed)?;
                let written = String::from_utf8(parsed.to_bytes());
                *text = written.expect("JSON is written in UTF-8").into();
                Ok(kept)
            }
            json => node.role.map_or(Ok(true), |role| self.role(role, json)),
        }
    }

    fn role(&mut self, role: Role, json: &mut Json) -> Result<bool, Unreadable> {
        if !json.says_something() {
            return Ok(true);
        }
        match role {
            Role::Silent | Role::Sender | Role::Tag | Role::List | Role::Token => Ok(true),
            Role::Id { .. } => {
                self.names.kept += 1;
                Ok(true)
            }
            Role::Either(roles) => {
                let text = json.scalar().unwrap_or_default();
                let fitting = roles.iter().find(|role| fits(**role, text));
                fitting.map_or(Ok(true), |role| self.role(*role, json))
            }
            Role::Field(field) => Ok(self.field(field, json)),
            Role::Names { field, .. } => match (self.changes.action)(field) {
                FieldAction::Allow => {
                    self.names.kept += 1;
                    Ok(true)
                }
                FieldAction::Drop => {
                    self.names.dropped = Some(field);
                    Ok(false)
                }
                _ if field == Field::Username => {
                    self.names.kept += 1;
                    Ok(self.field(field, json))
                }
                // Nothing can be sent to a replacement of an address.
                _ => Err(Unreadable::Needed(field)),
            },
            Role::Digest | Role::Search => {
                self.names.kept += 1;
                self.unchanged(FieldSet::EMPTY.with(Field::Email))
            }
            Role::Call => {
                let written = self.written.calls.get(self.call).map(|call| &call.body);
                self.call += 1;
                let body =
                    written.map_or_else(|| Ok(Vec::new()), |body| body.write(self.changes))?;
                if json.has("body") {
                    let text = String::from_utf8(body).expect("bodies within a body are text");
                    json.set("body", Json::Text(text.into()));
                }
                Ok(true)
            }
            Role::Message | Role::EncodedMessage => {
                self.unchanged(role.carries().intersection(self.written.disclosed))
            }
            Role::Mailboxes => {
                self.unchanged(FieldSet::EMPTY.with(Field::Email))?;
                self.names.kept += 1;
                self.rename(json);
                Ok(true)
            }
        }
    }

    /// Refuses unless each of these fields may pass as it is.
    fn unchanged(&self, fields: FieldSet) -> Result<bool, Unreadable> {
        let fields: Vec<Field> = fields.iter().collect();
        self.changes.need(self.written.disclosed, &fields).map(|()| true)
    }

    /// Does with a field what is to be done; `false` says that it is taken out.
    fn field(&self, field: Field, json: &mut Json) -> bool {
        match (self.changes.action)(field) {
            FieldAction::Allow => true,
            action if action.replaces() => {
                self.replace(action, field, json);
                true
            }
            _ => false,
        }
    }

    fn replace(&self, action: FieldAction, field: Field, json: &mut Json) {
        match json {
            Json::List(items) => {
                items.iter_mut().for_each(|item| self.replace(action, field, item));
            }
            Json::Object(entries) => {
                entries.iter_mut().for_each(|(_, value)| self.replace(action, field, value));
            }
            json => {
                if let Some(text) = json.scalar().filter(|text| !text.is_empty()) {
                    *json = Json::Text((self.changes.replace)(action, field, text).into());
                }
            }
        }
    }

    /// Changes the names before addresses.
    fn rename(&self, json: &mut Json) {
        let action = (self.changes.action)(Field::Name);
        if action == FieldAction::Allow {
            return;
        }
        match json {
            Json::List(items) => items.iter_mut().for_each(|item| self.rename(item)),
            Json::Text(text) => {
                let mut boxes = mailbox::read(text).unwrap_or_default();
                for one in &mut boxes {
                    one.name = one
                        .name
                        .take()
                        .filter(|_| action.replaces())
                        .map(|name| (self.changes.replace)(action, Field::Name, &name));
                }
                *text = mailbox::write(&boxes).into();
            }
            _ => {}
        }
    }

    /// Puts the next message's reference where the vendor gives it back.
    fn stamp(&mut self, message: &mut Json) {
        let recipients = self.written.recipients.get(self.message);
        self.message += 1;
        let recipients: Vec<_> = recipients.into_iter().flatten().collect();
        let reference = (self.changes.reference)(&recipients);
        for place in self.written.places {
            let many = recipients.len() > limits::REFERENCE_HEADER_RECIPIENTS;
            let fits = reference.chars().count() <= place.characters;
            let text = Some(&reference)
                .filter(|text| !text.is_empty() && fits && !(place.is_header && many));
            put(message, &place.within, place, text.map(String::as_str));
        }
    }
}

/// Puts a reference in its place, or takes out one that a caller put there.
fn put(json: &mut Json, within: &[String], place: &Place, text: Option<&str>) {
    let Some((key, rest)) = within.split_first() else {
        match (&place.pair, json) {
            (None, json) => match text {
                Some(text) => json.set(&place.key, Json::Text(text.into())),
                None => json.remove(&place.key),
            },
            (Some((name, value)), Json::List(items)) => {
                items.retain(|item| {
                    let named = item.get(name).and_then(Json::text);
                    !named.is_some_and(|named| named.eq_ignore_ascii_case(&place.key))
                });
                if let Some(text) = text {
                    let entry = [(name, place.key.as_str()), (value, text)];
                    let entry =
                        entry.map(|(key, text)| (SmolStr::new(key), Json::Text(text.into())));
                    items.push(Json::Object(entry.to_vec()));
                }
            }
            _ => {}
        }
        return;
    };
    let (key, only_there) = key.strip_suffix('?').map_or((key.as_str(), false), |key| (key, true));
    if json.get(key).is_none() {
        if only_there || text.is_none() {
            return;
        }
        let holds_pairs = rest.is_empty() && place.pair.is_some();
        json.set(key, if holds_pairs { Json::List(Vec::new()) } else { Json::Object(Vec::new()) });
    }
    if let Some(inner) = json.get_mut(key) {
        put(inner, rest, place, text);
    }
}
