//! Every connector finds in what the official SDKs sent exactly what those requests disclose.

#[expect(dead_code, reason = "the other tests use the rest of it")]
mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use common::{Policy, disclosed};
use connectors::{Asking, Call, Outbound, Party, Unreadable, connector};
use model::{Email, Field, FieldAction, Identifier, ListName, Phone, Secret, Timestamp};
use serde_json::Value;

/// What connectors do not read, and therefore refuse.
const UNREAD: &[&str] = &["braze/users-alias.node", "ses/contacts-import.node"];

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
            // What is in an object is its program's to declare, which no SDK does by itself.
            Err(Unreadable::Body { at, .. }) if vendor == "s3" && at == "x-cordon-fields" => {}
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

#[test]
fn awss_own_signatures_fit_and_no_others() {
    /// The one with which the recordings were signed.
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let mut signed = 0;
    for (case, recording) in recordings() {
        let vendor = case.split('/').next().expect("a vendor");
        let headers = &recording["request"]["headers"];
        // A body that is signed as it streams would have to be read before it is known whose it is.
        let streams = headers["content-encoding"] == "aws-chunked";
        if !["ses", "s3"].contains(&vendor) || streams {
            continue;
        }
        let request = Request::of(&recording);
        let time = headers["x-amz-date"].as_str().expect("a date");
        let [date, clock] = [&time[..8], &time[9..15]];
        let part = |text: &str, sign: &str| {
            format!(
                "{}{sign}{}{sign}{}",
                &text[..text.len() - 4],
                &text[text.len() - 4..text.len() - 2],
                &text[text.len() - 2..]
            )
        };
        let at = Timestamp::parse(&format!("{}T{}Z", part(date, "-"), part(clock, ":")));
        let at = at.expect("a time");
        let presented = |secret: &'static str, body: &[u8]| {
            let outbound = request.outbound(body);
            let base = recording["request"]["base"].as_str().expect("a base");
            connector(vendor).expect(vendor).presented(&Asking {
                method: outbound.method,
                prefix: base
                    .trim_start_matches("http://")
                    .split_once('/')
                    .map_or("", |(host, _)| &base[7 + host.len()..]),
                path: outbound.path,
                query: outbound.query,
                header: &|name| headers[name].as_str(),
                body,
                at,
                secret_of: &|_| Secret::new(secret.to_owned()),
            })
        };
        let found = presented(SECRET, &request.body);
        assert_eq!(found.expect(&case).token.expose(), "AKIAIOSFODNN7EXAMPLE", "{case}");
        assert!(presented("another", &request.body).is_err(), "{case}");
        assert!(presented(SECRET, b"another").is_err(), "{case}");
        signed += 1;
    }
    assert!(signed > 30, "{signed} were checked");
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
