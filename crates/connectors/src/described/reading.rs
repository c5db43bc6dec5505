//! One walk over a document that finds everybody in it, what is said of each, and what nobody
//! documents.

use std::mem;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{Email, Field, FieldSet, Identifier, ListName, Phone, limits};
use smol_str::SmolStr;

use super::document::Document;
use super::keys::{Node, Role, Scope};
use super::mailbox;
use crate::call::{Call, Party, Unreadable, shown};
use crate::form;
use crate::json::{self, Json};
use crate::net::Net;
use crate::personal::is_personal;

/// Channels whose addresses are telephone numbers (Twilio).
const CHANNELS: [&str; 3] = ["whatsapp:", "rcs:", "sms:"];

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    pub parties: Vec<Party>,
    pub unknown: Vec<String>,
    pub warnings: Vec<&'static str>,
    /// For each innermost message, in the order of the walk, whom it goes to.
    pub recipients: Vec<Vec<Identifier>>,
    /// Calls within it, in the order of the walk.
    pub calls: Vec<Call>,
}

/// Reads a call within a call: method, path, query and body.
pub(super) type ReadCall<'a> = &'a dyn Fn(&str, &str, &[u8], &[u8]) -> Result<Call, Unreadable>;

/// The walk. A frame is opened for each scope and closed at its end.
pub(super) struct Reader<'a> {
    document: &'a Document,
    read_call: ReadCall<'a>,
    found: Found,
    /// Parties that no message says anything of.
    apart: Vec<Party>,
    frames: Vec<Frame>,
    net: Net,
    at: String,
}

struct Frame {
    scope: Scope,
    innermost: bool,
    /// Parties from here on are inside of it.
    first: usize,
    fields: FieldSet,
    identifiers: Vec<Identifier>,
    lists: Vec<ListName>,
}

impl<'a> Reader<'a> {
    /// Begins at the whole request.
    pub fn new(document: &'a Document, root: &Node, read_call: ReadCall<'a>) -> Self {
        let mut reader = Self {
            document,
            read_call,
            found: Found::default(),
            apart: Vec::new(),
            frames: Vec::new(),
            net: Net::default(),
            at: String::new(),
        };
        reader.open(root.scope.unwrap_or(Scope::Message), root.innermost);
        reader
    }

    /// Reads the body.
    pub fn body(&mut self, root: &Node) -> Result<(), Unreadable> {
        let document = self.document;
        self.inner(root, &document.json)
    }

    /// Reads a value from the path or the query.
    pub fn beside(&mut self, at: &str, role: Role, value: &str) -> Result<(), Unreadable> {
        self.within(at, |reader| reader.role(role, &Json::Text(value.into())))
    }

    /// Ends the walk.
    pub fn end(mut self) -> Result<Found, Unreadable> {
        self.close()?;
        self.found.parties.append(&mut self.apart);
        for warning in self.net.warnings(&self.found.parties) {
            self.warn(warning);
        }
        Ok(self.found)
    }

    fn value(&mut self, node: &Node, json: &Json) -> Result<(), Unreadable> {
        if *json == Json::Null {
            return Ok(());
        }
        let Some(scope) = node.scope else { return self.inner(node, json) };
        self.open(scope, node.innermost);
        self.inner(node, json)?;
        self.close()
    }

    fn inner(&mut self, node: &Node, json: &Json) -> Result<(), Unreadable> {
        match json {
            Json::Object(entries) if node.has_keys() => {
                self.object(node.case(|key| json.get(key).and_then(Json::text)), entries)
            }
            Json::List(items) if node.items.is_some() || node.role.is_none() => {
                let Some(inside) = node.items.as_deref() else {
                    return Err(self.wrong("no list is documented here"));
                };
                for (index, item) in items.iter().enumerate() {
                    self.within(&index.to_string(), |reader| reader.value(inside, item))?;
                }
                Ok(())
            }
            Json::Text(text) if node.inside.is_some() => {
                let Some(inside) = node.inside.as_deref().filter(|_| !text.is_empty()) else {
                    return Ok(());
                };
                let parsed = json::parse(text.as_bytes())
                    .map_err(|_| self.wrong("its text is documented as JSON and is not"))?;
                self.value(inside, &parsed)
            }
            json => match node.role {
                Some(role) => self.role(role, json),
                // An empty object or text where more is documented says nothing.
                None if !json.says_something() => Ok(()),
                None => Err(self.wrong("something else is documented here")),
            },
        }
    }

    fn object(&mut self, node: &Node, entries: &[(SmolStr, Json)]) -> Result<(), Unreadable> {
        for (key, value) in entries {
            self.within(shown(key), |reader| match node.key(key) {
                Some((child, None)) => reader.value(child, value),
                Some((child, Some(named))) => {
                    reader.open(child.scope.unwrap_or(Scope::Person), child.innermost);
                    reader.role(named, &Json::Text(key.clone()))?;
                    reader.inner(child, value)?;
                    reader.close()
                }
                None => {
                    if reader.found.unknown.len() < limits::UNKNOWN_KEYS {
                        reader.found.unknown.push(reader.at.clone());
                    }
                    Ok(())
                }
            })?;
        }
        Ok(())
    }

    fn role(&mut self, role: Role, json: &Json) -> Result<(), Unreadable> {
        if !json.says_something() {
            return Ok(());
        }
        match role {
            Role::Silent | Role::Token => Ok(()),
            Role::Sender => {
                json.scalar().into_iter().for_each(|text| self.net.sender(text));
                Ok(())
            }
            Role::Tag => {
                if json.any_text(&is_personal) {
                    self.warn("pii-in-tags");
                }
                Ok(())
            }
            Role::Field(field) => {
                if [Field::Content, Field::Custom, Field::Activity].contains(&field) {
                    self.net.look(json);
                }
                self.say(field);
                Ok(())
            }
            Role::Message | Role::EncodedMessage => self.message(role, json),
            Role::Call => self.call(json),
            Role::Search => {
                let words = json.scalar().unwrap_or_default();
                let words = words.split(|c: char| c.is_whitespace() || ":\"'()<>,=".contains(c));
                let found = words.filter_map(|word| Email::parse(word).ok());
                let field = FieldSet::EMPTY.with(Field::Email);
                self.name(found.map(|email| (Identifier::Email(email), field)).collect());
                Ok(())
            }
            Role::Names { field: Field::Username, .. } if matches!(json, Json::Object(_)) => {
                self.text(role, &joined(json))
            }
            Role::Names { .. }
            | Role::Id { .. }
            | Role::Either(_)
            | Role::Mailboxes
            | Role::List
            | Role::Digest => match json {
                Json::List(items) => items.iter().enumerate().try_for_each(|(index, item)| {
                    self.within(&index.to_string(), |reader| reader.role(role, item))
                }),
                json => match json.scalar() {
                    Some(text) => self.text(role, text),
                    None => Err(self.wrong("a text is documented here")),
                },
            },
        }
    }

    fn text(&mut self, role: Role, text: &str) -> Result<(), Unreadable> {
        match role {
            Role::Either(roles) => {
                let fitting = roles.iter().find(|role| fits(**role, text));
                let fitting = fitting.ok_or_else(|| self.nobody())?;
                self.text(*fitting, text)
            }
            Role::Id { space, begins } => {
                let id = text.strip_prefix(begins).ok_or_else(|| self.nobody())?;
                let id = Identifier::UserId(format!("{space}:{id}").into());
                self.name(vec![(id, FieldSet::EMPTY)]);
                Ok(())
            }
            Role::Names { field, strict, space } => {
                match identifier(field, space, text) {
                    Some(identifier) => self.name(vec![(identifier, FieldSet::EMPTY.with(field))]),
                    None if strict => return Err(self.nobody()),
                    None => self.say(field),
                }
                Ok(())
            }
            Role::Mailboxes => {
                let boxes = mailbox::read(text).ok_or_else(|| self.nobody())?;
                self.mailboxes(boxes);
                Ok(())
            }
            Role::List => {
                let list = ListName::parse(text)
                    .map_err(|_| self.wrong("it is not the name or id of a list"))?;
                self.frame().lists.push(list);
                Ok(())
            }
            Role::Digest => {
                let hash = text.to_ascii_lowercase();
                let is_hash = hash.len() == 32 && hash.bytes().all(|b| b.is_ascii_hexdigit());
                let identifier = if is_hash {
                    Some(Identifier::UserId(format!("md5:{hash}").into()))
                } else {
                    Email::parse(text).ok().map(Identifier::Email)
                };
                let identifier = identifier.ok_or_else(|| self.nobody())?;
                self.name(vec![(identifier, FieldSet::EMPTY.with(Field::Email))]);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn message(&mut self, role: Role, json: &Json) -> Result<(), Unreadable> {
        let unreadable = "it is no message that can be read without doubt";
        let decoded;
        let bytes = match json {
            Json::Text(text) if role == Role::EncodedMessage => {
                decoded = STANDARD.decode(text).map_err(|_| self.wrong("it is not base64"))?;
                &decoded
            }
            Json::Text(text) => text.as_bytes(),
            Json::Number(number) => {
                let file = self.document.file(number);
                file.ok_or_else(|| self.wrong("a message is documented here"))?
            }
            _ => return Err(self.wrong("a message is documented here")),
        };
        let whole = mailbox::message(bytes).ok_or_else(|| self.wrong(unreadable))?;
        self.say(Field::Content);
        if whole.has_attachments {
            self.say(Field::Attachment);
        }
        self.mailboxes(whole.recipients);
        Ok(())
    }

    /// Reads a call within this one, of whose people nothing else is said.
    fn call(&mut self, json: &Json) -> Result<(), Unreadable> {
        let text = |key: &str| json.get(key).and_then(Json::text).unwrap_or_default();
        let mut pairs = Vec::new();
        if let Some(Json::Object(params)) = json.get("params") {
            pairs.extend(params.iter().map(|(key, value)| {
                let plain = value.scalar().map_or_else(|| value.to_bytes(), |text| text.into());
                (key.as_str(), String::from_utf8_lossy(&plain).into_owned())
            }));
        }
        let query = form::write(pairs.iter().map(|(key, value)| (*key, value.as_str())));
        let call = (self.read_call)(text("method"), text("path"), &query, text("body").as_bytes())?;
        self.apart.extend(call.parties.iter().cloned());
        call.warnings.iter().for_each(|warning| self.warn(warning));
        self.found.unknown.extend(call.unknown.iter().cloned());
        self.found.unknown.truncate(limits::UNKNOWN_KEYS);
        self.found.calls.push(call);
        Ok(())
    }

    fn mailboxes(&mut self, boxes: Vec<mailbox::Mailbox>) {
        let named = boxes.into_iter().map(|one| {
            let fields = FieldSet::EMPTY.with(Field::Email);
            let fields = if one.name.is_some() { fields.with(Field::Name) } else { fields };
            (Identifier::Email(one.email), fields)
        });
        let named = named.collect();
        self.name(named);
    }

    /// Somebody is named in the present scope.
    fn name(&mut self, named: Vec<(Identifier, FieldSet)>) {
        let frame = self.frame();
        if frame.scope != Scope::Message {
            for (identifier, fields) in named {
                frame.fields = frame.fields.union(fields);
                if !frame.identifiers.contains(&identifier) {
                    frame.identifiers.push(identifier);
                }
            }
            return;
        }
        let party = |(identifier, fields)| Party {
            identifiers: vec![identifier],
            fields,
            lists: Vec::new(),
        };
        self.found.parties.extend(named.into_iter().map(party));
    }

    fn say(&mut self, field: Field) {
        let frame = self.frame();
        frame.fields = frame.fields.with(field);
    }

    fn open(&mut self, scope: Scope, innermost: bool) {
        self.frames.push(Frame {
            scope,
            innermost,
            first: self.found.parties.len(),
            fields: FieldSet::EMPTY,
            identifiers: Vec::new(),
            lists: Vec::new(),
        });
    }

    fn close(&mut self) -> Result<(), Unreadable> {
        let frame = self.frames.pop().expect("each end has its beginning");
        match frame.scope {
            Scope::Person | Scope::Apart if frame.identifiers.is_empty() => {
                // What is said of nobody that can be named is still said of somebody.
                if !frame.fields.is_empty() || !frame.lists.is_empty() {
                    return Err(self.nobody());
                }
            }
            Scope::Person | Scope::Apart => {
                let Frame { scope, identifiers, fields, lists, first, .. } = frame;
                let shared = FieldSet::EMPTY.with(Field::Content).with(Field::Attachment);
                for copied in &mut self.found.parties[first..] {
                    copied.fields = copied.fields.union(fields.intersection(shared));
                }
                let beside = scope == Scope::Apart;
                let parties = if beside { &mut self.apart } else { &mut self.found.parties };
                parties.push(Party { identifiers, fields, lists });
                return Ok(());
            }
            Scope::Message => {
                for party in &mut self.found.parties[frame.first..] {
                    party.fields = party.fields.union(frame.fields);
                    party.lists.extend(frame.lists.iter().cloned());
                }
            }
        }
        if frame.innermost {
            let inside = &self.found.parties[frame.first..];
            let recipients = inside.iter().flat_map(|party| party.identifiers.clone());
            self.found.recipients.push(recipients.collect());
        }
        Ok(())
    }

    fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("the whole request is the first")
    }

    fn warn(&mut self, code: &'static str) {
        if !self.found.warnings.contains(&code) {
            self.found.warnings.push(code);
        }
    }

    fn within<T>(&mut self, step: &str, look: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.at.len();
        self.at.push('/');
        self.at.push_str(step);
        let result = look(self);
        self.at.truncate(length);
        result
    }

    fn wrong(&mut self, why: &'static str) -> Unreadable {
        Unreadable::Body { at: mem::take(&mut self.at), why }
    }

    fn nobody(&mut self) -> Unreadable {
        Unreadable::Identifier { at: mem::take(&mut self.at) }
    }
}

/// An object's values in the order of their keys, as one text.
fn joined(json: &Json) -> String {
    let Json::Object(entries) = json else { return String::new() };
    let mut entries: Vec<_> = entries.iter().collect();
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    let values = entries.iter().filter_map(|(_, value)| value.scalar());
    values.collect::<Vec<_>>().join(":")
}

/// Whether a text can be read in this role.
pub(super) fn fits(role: Role, text: &str) -> bool {
    match role {
        Role::Names { field, space, .. } => identifier(field, space, text).is_some(),
        Role::Id { begins, .. } => text.starts_with(begins),
        Role::Mailboxes => mailbox::read(text).is_some(),
        _ => true,
    }
}

/// The identifier in a text.
fn identifier(field: Field, space: &str, text: &str) -> Option<Identifier> {
    match field {
        Field::Email => Email::parse(text).ok().map(Identifier::Email),
        Field::Phone => {
            let bare = CHANNELS.iter().find_map(|channel| text.strip_prefix(channel));
            Phone::parse(bare.unwrap_or(text)).ok().map(Identifier::Phone)
        }
        _ if space.is_empty() => Some(Identifier::UserId(text.into())),
        _ => Some(Identifier::UserId(format!("{space}:{text}").into())),
    }
}
