//! Every connector finds in what the official SDKs sent exactly what those requests disclose.

#[expect(dead_code, reason = "the other tests use the rest of it")]
mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use common::{Policy, disclosed};
use connectors::{Call, Outbound, Unreadable, connector};
use model::{Email, Field, FieldAction, Identifier, ListName, Phone};
use serde_json::Value;

/// What the connectors so far do not read, and therefore refuse.
const UNREAD: &[&str] = &[
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
];

/// Who is in it, by identifiers: which fields and lists.
type Truth = BTreeMap<BTreeSet<String>, (BTreeSet<String>, BTreeSet<String>)>;

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
                let people = |call: &Call| found(&call.parties).into_keys().collect::<Vec<_>>();
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

fn truth(recording: &Value) -> Truth {
    let people = recording["discloses"].as_array().expect("people");
    merged(people.iter().map(|person| {
        (texts(&person["identifiers"]), texts(&person["fields"]), texts(&person["lists"]))
    }))
}

fn found(parties: &[connectors::Party]) -> Truth {
    merged(parties.iter().map(|party| {
        let identifier = |one: &Identifier| format!("{}:{}", one.kind().name(), one.text());
        (
            party.identifiers.iter().map(identifier).collect(),
            party.fields.iter().map(|field| field.to_string()).collect(),
            party.lists.iter().map(ListName::to_string).collect(),
        )
    }))
}

/// A person that is named in two places is one.
fn merged(
    people: impl Iterator<Item = (BTreeSet<String>, BTreeSet<String>, BTreeSet<String>)>,
) -> Truth {
    let mut truth = Truth::new();
    for (identifiers, fields, lists) in people {
        let person = truth.entry(identifiers).or_default();
        person.0.extend(fields);
        person.1.extend(lists);
    }
    truth
}

fn texts(json: &Value) -> BTreeSet<String> {
    let texts = json.as_array().expect("a list").iter();
    texts.map(|text| text.as_str().expect("a text").to_owned()).collect()
}

fn body(request: &Value) -> Vec<u8> {
    use base64::Engine as _;
    match request["body_base64"].as_str() {
        Some(text) => base64::prelude::BASE64_STANDARD.decode(text).expect("base64"),
        None => request["body"].as_str().expect("a body").as_bytes().to_vec(),
    }
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
    assert!(recordings.len() > 100, "the recordings are there");
    recordings
}
