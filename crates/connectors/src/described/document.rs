//! A body in whichever way a vendor takes it, as one tree: JSON, a form, or the parts of a
//! multipart form.

use smol_str::SmolStr;

use crate::call::{Outbound, Unreadable};
use crate::form;
use crate::json::{self, Json};
use crate::media_type::MediaType;
use crate::multipart::{self, Part};

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Json,
    Form,
    Multipart,
    /// There is none.
    Empty,
}

/// A body that was read. Keys of a form that stand several times are one list; a file among the
/// parts is the number of its part.
#[derive(Clone)]
pub(super) struct Document {
    pub json: Json,
    kind: Kind,
    boundary: String,
    parts: Vec<Part>,
}

impl Document {
    /// Reads the body as one of these kinds, by its content type.
    pub fn read(request: &Outbound<'_>, kinds: &[Kind]) -> Result<Self, Unreadable> {
        let mut document = Self {
            json: Json::Object(Vec::new()),
            kind: Kind::Empty,
            boundary: String::new(),
            parts: Vec::new(),
        };
        if kinds.contains(&Kind::Empty) && request.body.is_empty() {
            return Ok(document);
        }
        let media = request.content_type.and_then(MediaType::parse);
        let media = media.filter(MediaType::is_utf8).ok_or(Unreadable::ContentType)?;
        let (kind, parameters) = match media.name.as_str() {
            "application/json" | "application/vnd.api+json" => (Kind::Json, &["charset"][..]),
            "application/x-www-form-urlencoded" => (Kind::Form, &["charset"][..]),
            "multipart/form-data" => (Kind::Multipart, &["charset", "boundary"][..]),
            _ => return Err(Unreadable::ContentType),
        };
        if !kinds.contains(&kind) || !media.has_only(parameters) {
            return Err(Unreadable::ContentType);
        }
        document.kind = kind;
        match kind {
            Kind::Json => document.json = json::parse(request.body)?,
            Kind::Form => {
                let pairs = form::parse(request.body)?.into_iter();
                document.json = gathered(pairs.map(|(key, value)| (key, Json::Text(value.into()))));
            }
            Kind::Multipart => {
                let boundary = media.parameter("boundary").ok_or(Unreadable::ContentType)?;
                boundary.clone_into(&mut document.boundary);
                document.parts = multipart::parse(request.body, boundary)?;
                let parts = document.parts.iter().enumerate();
                document.json = gathered(parts.map(|(index, part)| {
                    let value = part.text().map_or_else(
                        || Json::Number(index.to_string().into()),
                        |text| Json::Text(text.into()),
                    );
                    (part.name.clone(), value)
                }));
            }
            Kind::Empty => {}
        }
        Ok(document)
    }

    /// Writes the body as it was read, with the tree as it is now.
    pub fn write(&self, json: &Json) -> Result<Vec<u8>, Unreadable> {
        match self.kind {
            Kind::Empty => Ok(Vec::new()),
            Kind::Json => Ok(json.to_bytes()),
            Kind::Form => {
                let pairs = scattered(json);
                Ok(form::write(
                    pairs.iter().map(|(key, value)| (*key, value.scalar().unwrap_or_default())),
                ))
            }
            Kind::Multipart => {
                let parts = scattered(json).into_iter().map(|(key, value)| match value {
                    Json::Number(index) => {
                        let index: usize = index.parse().expect("it was made from one");
                        self.parts[index].clone()
                    }
                    value => Part::of_text(key, value.text().unwrap_or_default()),
                });
                multipart::write(&parts.collect::<Vec<_>>(), &self.boundary)
            }
        }
    }

    /// The file that stands for this number.
    pub fn file(&self, number: &str) -> Option<&[u8]> {
        let index: usize = number.parse().ok().filter(|_| self.kind == Kind::Multipart)?;
        self.parts.get(index).map(|part| part.content.as_slice())
    }
}

/// One object of all pairs; what stands several times becomes a list in the place of the first.
pub(super) fn gathered(pairs: impl Iterator<Item = (String, Json)>) -> Json {
    let mut entries: Vec<(SmolStr, Json)> = Vec::new();
    for (key, value) in pairs {
        match entries.iter_mut().find(|(known, _)| *known == key) {
            None => entries.push((key.into(), value)),
            Some((_, Json::List(items))) => items.push(value),
            Some((_, first)) => {
                let earlier = std::mem::replace(first, Json::Null);
                *first = Json::List(vec![earlier, value]);
            }
        }
    }
    Json::Object(entries)
}

fn scattered(json: &Json) -> Vec<(&str, &Json)> {
    let Json::Object(entries) = json else { return Vec::new() };
    let mut pairs = Vec::new();
    for (key, value) in entries {
        match value {
            Json::List(items) => pairs.extend(items.iter().map(|item| (key.as_str(), item))),
            value => pairs.push((key.as_str(), value)),
        }
    }
    pairs
}
