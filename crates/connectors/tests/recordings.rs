//! Every connector finds in what the official SDKs sent exactly what those requests disclose.

#[expect(dead_code, reason = "the other tests use the rest of it")]
mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use common::{Policy, disclosed};
use connectors::{Call, Outbound, Party, Unreadable, connector};
use model::{Email, Field, FieldAction, Identifier, ListName, Phone};
use serde_json::Value;

/// What the connectors so far do not read, and therefore refuse.
const UNREAD: &[&str] = &[
    "braze/users-alias.node",
    "sendgrid/address-validate.node",
    "sendgrid/contacts-delete.node",
    "sendgrid/contacts-import.node",
    "sendgrid/contacts-search-emails.node",
    "sendgrid/contacts-search.node",
    "sendgrid/mail-batch-id.node",
    "sendgrid/recipients-erase.node",
    "sendgrid/suppressions-bounce-remove.node",
    "sendgrid/suppressions-bounces-remove.node",
    "sendgrid/suppressions-global-add.node",
    "sendgrid/suppressions-global-look-up.python",
    "sendgrid/suppressions-group-add.node",
    "sendgrid/suppressions-group-add.python",
    "sendgrid/suppressions-group-remove.node",
    "sendgrid/suppressions-spam-report-remove.python",
    "twilio/lookup-identity.node",
    "twilio/lookup-identity.python",
    "twilio/lookup.node",
    "twilio/messages-search.node",
    "twilio/verification-cancel.node",
    "twilio/verification-check.node",
    "twilio/verification-check.python",
    "twilio/verification-start-code.node",
    "twilio/verification-start.node",
    "twilio/verification-start.python",
];

/// Somebody of whom a request says something.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Person {
    identifiers: BTreeSet<String>,
    fields: BTreeSet<String>,
    lists: BTreeSet<String>,
}

#[test]
fn the_truth_is_written_in_the_models_words_and_normal_forms() {
    for (case, recording) in recordings() {
        for person in recording["discloses"].as_array().expect("people") {
            let identifiers = texts(&person["identifiers"]);
            assert!(!identifiers.is_empty(), "{case}: a person without identifier");
            for identifier in identifiers {
                let (kind, text) = identifier.split_once(':').expect("a kind");
                let normal = match kind {
                    "email" => Email::parse(text).map(|email| email.to_string()),
                    "phone" => Phone::parse(text).map(|phone| phone.to_string()),
                    "user-id" => Ok(text.to_owned()),
                    _ => panic!("{case}: no such kind: {kind}"),
                };
                assert_eq!(normal.as_deref(), Ok(text), "{case}");
            }
            for field in texts(&person["fields"]) {
                assert!(Field::parse(&field).is_ok(), "{case}: {field}");
            }
            for list in texts(&person["lists"]) {
                assert!(ListName::parse(&list).is_ok(), "{case}: {list}");
            }
        }
    }
}

#[test]
fn a_connector_finds_exactly_what_a_request_discloses() {
    let mut wrong = Vec::new();
    for (case, recording) in recordings() {
        let vendor = case.split('/').next().expect("a vendor");
        let Some(connector) = connector(vendor) else { continue };
        let request = Request::of(&recording);
        let outbound = request.outbound(&request.body);
        let unread = UNREAD.contains(&case.as_str());
        match connector.read(&outbound) {
            Ok(call) if found(&call.parties) == truth(&recording) && !unread => {}
            Err(Unreadable::UnknownOperation) if unread => {}
            Ok(call) => wrong.push(format!("{case}: {:?}", found(&call.parties))),
            Err(why) => wrong.push(format!("{case}: {why}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_written_again_discloses_the_same_but_what_is_dropped() {
    for (case, recording) in recordings() {
        let vendor = case.split('/').next().expect("a vendor");
        let Some(connector) = connector(vendor) else { continue };
        let request = Request::of(&recording);
        let Ok(call) = connector.read(&request.outbound(&request.body)) else { continue };
        let whole = Policy::default().write(&call).expect(&case);
        let again = connector.read(&request.outbound(&whole)).expect(&case);
        assert_eq!(found(&again.parties), found(&call.parties), "{case}");
        for field in disclosed(&call).iter() {
            let dropping = Policy::with(field, FieldAction::Drop);
            match dropping.write(&call) {
                Ok(less) => {
                    let again = connector.read(&request.outbound(&less)).expect(&case);
                    let left = disclosed(&again);
                    assert!(!left.contains(field), "{case}: {field} is still there");
                }
                Err(why) => assert_eq!(why, Unreadable::Needed(field), "{case}"),
            }
            let hidden = Policy::with(field, FieldAction::Pseudonymise);
            if let Ok(less) = hidden.write(&call) {
                let again = connector.read(&request.outbound(&less)).expect(&case);
                let people = |call: &Call| {
                    let people = found(&call.parties).into_iter();
                    people.map(|person| person.identifiers).collect::<Vec<_>>()
                };
                let renamed = field == Field::Username;
                assert!(renamed || people(&again) == people(&call), "{case}: {field}");
            }
        }
    }
}

#[test]
fn every_message_carries_its_reference() {
    let mut stamped = BTreeSet::new();
    for (case, recording) in recordings() {
        let vendor = case.split('/').next().expect("a vendor");
        let Some(connector) = connector(vendor) else { continue };
        let request = Request::of(&recording);
        let Ok(call) = connector.read(&request.outbound(&request.body)) else { continue };
        let policy = Policy { reference: "c1.reference", ..Policy::default() };
        let written = policy.write(&call).expect(&case);
        if String::from_utf8_lossy(&written).contains("c1.reference") {
            stamped.insert(format!("{vendor} {}", call.operation.name));
            connector.read(&request.outbound(&written)).expect(&case);
        }
    }
    insta::assert_debug_snapshot!(stamped);
}

/// A recorded request.
struct Request<'a> {
    recording: &'a Value,
    body: Vec<u8>,
}

impl<'a> Request<'a> {
    fn of(recording: &'a Value) -> Self {
        Self { body: body(&recording["request"]), recording }
    }

    fn outbound(&'a self, body: &'a [u8]) -> Outbound<'a> {
        let request = &self.recording["request"];
        let text = |key: &str| request[key].as_str();
        Outbound {
            method: text("method").unwrap_or_default(),
            path: text("path").unwrap_or_default(),
            query: text("query").filter(|query| !query.is_empty()),
            content_type: request["headers"]["content-type"].as_str(),
            header: &|_| None,
            body,
        }
    }
}

fn truth(recording: &Value) -> Vec<Person> {
    let people = recording["discloses"].as_array().expect("people").iter();
    merged(people.map(|person| Person {
        identifiers: texts(&person["identifiers"]),
        fields: texts(&person["fields"]),
        lists: texts(&person["lists"]),
    }))
}

fn found(parties: &[Party]) -> Vec<Person> {
    let identifier = |one: &Identifier| format!("{}:{}", one.kind().name(), one.text());
    merged(parties.iter().map(|party| Person {
        identifiers: party.identifiers.iter().map(identifier).collect(),
        fields: party.fields.iter().map(|field| field.to_string()).collect(),
        lists: party.lists.iter().map(ListName::to_string).collect(),
    }))
}

/// Entries that share an identifier are of one person, as the ledger takes them.
fn merged(people: impl Iterator<Item = Person>) -> Vec<Person> {
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

fn texts(json: &Value) -> BTreeSet<String> {
    let texts = json.as_array().expect("a list").iter();
    texts.map(|text| text.as_str().expect("a text").to_owned()).collect()
}

fn body(request: &Value) -> Vec<u8> {
    use base64::Engine as _;
    let body = match request["body_base64"].as_str() {
        Some(text) => base64::prelude::BASE64_STANDARD.decode(text).expect("base64"),
        None => request["body"].as_str().expect("a body").as_bytes().to_vec(),
    };
    if request["headers"]["content-encoding"] != "gzip" {
        return body;
    }
    // Connectors are handed bodies unpacked.
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut unpacked).expect("gzip");
    unpacked
}

/// Each recording by `vendor/case`.
fn recordings() -> Vec<(String, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    let inside = |folder: &Path| {
        let entries = fs::read_dir(folder).expect("a folder");
        entries.map(|entry| entry.expect("an entry").path()).collect::<BTreeSet<_>>()
    };
    let files =
        inside(&root).into_iter().filter(|path| path.is_dir()).flat_map(|path| inside(&path));
    let recordings: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .filter(|path| !path.starts_with(root.join("record")))
        .map(|path| {
            let case = path.strip_prefix(&root).expect("inside").with_extension("");
            let text = fs::read_to_string(&path).expect("readable");
            let recording = serde_json::from_str(&text).expect("JSON");
            (case.to_str().expect("text").to_owned(), recording)
        })
        .collect();
    assert!(recordings.len() > 200, "the recordings are there");
    recordings
}
