//! A recorded request, to try a connector on: what a program really sends, and what that discloses.
//!
//! `crates/connectors/tests/recordings` has some of every vendor's official SDK.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::error::Malformed;
use model::{Field, ListName, limits};
use serde::{Deserialize, Serialize};

use crate::call::{Call, Outbound, Party, Unreadable};
use crate::connector::Connector;

/// A request with what it discloses, if that is written down.
#[derive(Debug, Clone, Deserialize)]
pub struct Recording {
    /// The request.
    pub request: Request,
    /// Everybody in it, by hand.
    pub discloses: Option<Vec<Person>>,
}

/// A request as it was sent.
#[derive(Debug, Clone, Deserialize)]
pub struct Request {
    /// `POST`, `PUT`, …
    pub method: String,
    /// The path below the vendor's base, as sent.
    pub path: String,
    /// The query without `?`; empty when there is none.
    #[serde(default)]
    pub query: String,
    /// Headers by their lower-case names.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body as text.
    pub body: Option<String>,
    /// The body in base64, where it is no text.
    pub body_base64: Option<String>,
}

/// Somebody of whom a request says something.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Person {
    /// Each as `email:…`, `phone:…` or `user-id:…`.
    pub identifiers: BTreeSet<String>,
    /// Names of fields.
    pub fields: BTreeSet<String>,
    /// The vendor's lists.
    #[serde(default)]
    pub lists: BTreeSet<String>,
}

impl Request {
    /// The body, unpacked as the gateway does it.
    ///
    /// # Errors
    /// When its base64 or gzip is broken.
    pub fn body(&self) -> Result<Vec<u8>, Malformed> {
        let broken = |why| Malformed::new("recorded body", why);
        let body = match (&self.body_base64, &self.body) {
            (Some(encoded), _) => STANDARD.decode(encoded).map_err(|_| broken("bad base64"))?,
            (None, text) => text.clone().unwrap_or_default().into_bytes(),
        };
        if self.header("content-encoding") != Some("gzip") {
            return Ok(body);
        }
        let mut unpacked = Vec::new();
        let most = limits::REQUEST_BODY_BYTES as u64;
        let mut unpacking = flate2::read::GzDecoder::new(&body[..]).take(most);
        unpacking.read_to_end(&mut unpacked).map_err(|_| broken("bad gzip"))?;
        Ok(unpacked)
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// What a connector reads in it.
    ///
    /// # Errors
    /// As [`Connector::read`].
    pub fn read(&self, connector: &dyn Connector, body: &[u8]) -> Result<Call, Unreadable> {
        connector.read(&Outbound {
            method: &self.method,
            path: &self.path,
            query: Some(self.query.as_str()).filter(|query| !query.is_empty()),
            content_type: self.header("content-type"),
            header: &|name| self.header(name),
            body,
        })
    }
}

/// Everybody whom a connector found, entries that share an identifier taken together, as the ledger
/// takes them.
pub fn people(parties: &[Party]) -> Vec<Person> {
    merged(parties.iter().map(|party| {
        Person {
            identifiers: party
                .identifiers
                .iter()
                .map(|one| format!("{}:{}", one.kind().name(), one.text()))
                .collect(),
            fields: party.fields.iter().map(|field| Field::name(field).to_owned()).collect(),
            lists: party.lists.iter().map(ListName::to_string).collect(),
        }
    }))
}

/// Entries that share an identifier as one, in order.
pub fn merged(people: impl IntoIterator<Item = Person>) -> Vec<Person> {
    let mut merged: Vec<Person> = Vec::new();
    for mut person in people {
        let shares = |other: &mut Person| !other.identifiers.is_disjoint(&person.identifiers);
        for other in merged.extract_if(.., shares).collect::<Vec<_>>() {
            person.identifiers.extend(other.identifiers);
            person.fields.extend(other.fields);
            person.lists.extend(other.lists);
        }
        merged.push(person);
    }
    merged.sort();
    merged
}
