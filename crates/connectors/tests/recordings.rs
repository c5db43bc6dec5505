//! Every connector finds in what the official SDKs sent exactly what those requests disclose, and
//! writes it again with no more in it.

#[expect(dead_code, reason = "the other tests use the rest of it")]
mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::{Policy, disclosed};
use connectors::recording::{Person, Recording, merged, people};
use connectors::{Asking, Call, Connector, Unreadable, connector};
use model::{Email, Field, FieldAction, ListName, Phone, Secret, Timestamp};

/// What connectors do not read, and therefore refuse.
const UNREAD: &[&str] = &["braze/users-alias.node", "ses/contacts-import.node"];

/// A recording, with what it is called and what reads it.
struct Case {
    name: String,
    recording: Recording,
    body: Vec<u8>,
    vendor: String,
    connector: &'static dyn Connector,
}

impl Case {
    fn read(&self, body: &[u8]) -> Result<Call, Unreadable> {
        self.recording.request.read(self.connector, body)
    }

    fn truth(&self) -> Vec<Person> {
        merged(self.recording.discloses.clone().expect("the truth is written in it"))
    }
}

#[test]
fn the_truth_is_written_in_the_models_words_and_normal_forms() {
    for case in cases() {
        let name = &case.name;
        for person in case.recording.discloses.expect("people") {
            assert!(!person.identifiers.is_empty(), "{name}: a person without identifier");
            for identifier in &person.identifiers {
                let (kind, text) = identifier.split_once(':').expect("a kind");
                let normal = match kind {
                    "email" => Email::parse(text).map(|email| email.to_string()),
                    "phone" => Phone::parse(text).map(|phone| phone.to_string()),
                    "user-id" => Ok(text.to_owned()),
                    _ => panic!("{name}: no such kind: {kind}"),
                };
                assert_eq!(normal.as_deref(), Ok(text), "{name}");
            }
            assert!(person.fields.iter().all(|field| Field::parse(field).is_ok()), "{name}");
            assert!(person.lists.iter().all(|list| ListName::parse(list).is_ok()), "{name}");
        }
    }
}

#[test]
fn a_connector_finds_exactly_what_a_request_discloses() {
    let mut wrong = Vec::new();
    for case in cases() {
        let unread = UNREAD.contains(&case.name.as_str());
        match case.read(&case.body) {
            Ok(call) if people(&call.parties) == case.truth() && !unread => {}
            Err(Unreadable::UnknownOperation) if unread => {}
            // What is in an object is its program's to declare, which no SDK does by itself.
            Err(Unreadable::Body { at, .. }) if case.vendor == "s3" && at == "x-cordon-fields" => {}
            Ok(call) => wrong.push(format!("{}: {:?}", case.name, people(&call.parties))),
            Err(why) => wrong.push(format!("{}: {why}", case.name)),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_written_again_discloses_the_same_but_what_is_dropped() {
    for case in cases() {
        let name = &case.name;
        let Ok(call) = case.read(&case.body) else { continue };
        let whole = Policy::default().write(&call).expect(name);
        let again = case.read(&whole).expect(name);
        assert_eq!(people(&again.parties), people(&call.parties), "{name}");
        for field in disclosed(&call).iter() {
            match Policy::with(field, FieldAction::Drop).write(&call) {
                Ok(less) => {
                    let left = disclosed(&case.read(&less).expect(name));
                    assert!(!left.contains(field), "{name}: {field} is still there");
                }
                Err(why) => assert_eq!(why, Unreadable::Needed(field), "{name}"),
            }
            if let Ok(less) = Policy::with(field, FieldAction::Pseudonymise).write(&call) {
                let again = case.read(&less).expect(name);
                let renamed = field == Field::Username;
                assert!(renamed || named(&again) == named(&call), "{name}: {field}");
            }
        }
    }
}

#[test]
fn every_message_carries_its_reference() {
    let mut stamped = BTreeSet::new();
    for case in cases() {
        let Ok(call) = case.read(&case.body) else { continue };
        let policy = Policy { reference: "c1.reference", ..Policy::default() };
        let written = policy.write(&call).expect(&case.name);
        if String::from_utf8_lossy(&written).contains("c1.reference") {
            stamped.insert(format!("{} {}", case.vendor, call.operation.name));
            case.read(&written).expect(&case.name);
        }
    }
    insta::assert_debug_snapshot!(stamped);
}

#[test]
fn awss_own_signatures_fit_and_no_others() {
    /// The one with which the recordings were signed.
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let mut signed = 0;
    for case in cases().into_iter().filter(|case| ["ses", "s3"].contains(&case.vendor.as_str())) {
        let request = &case.recording.request;
        // A body that is signed as it streams would have to be read before it is known whose it is.
        if request.header("content-encoding") == Some("aws-chunked") {
            continue;
        }
        let presented = |secret: &'static str, body: &[u8]| {
            case.connector.presented(&Asking {
                method: &request.method,
                prefix: &format!("/v/{}", case.vendor),
                path: &request.path,
                query: Some(request.query.as_str()).filter(|query| !query.is_empty()),
                header: &|name| request.header(name),
                body,
                at: moment(request.header("x-amz-date").expect("a date")),
                secret_of: &|_| Secret::new(secret.to_owned()),
            })
        };
        let found = presented(SECRET, &case.body).expect(&case.name);
        assert_eq!(found.token.expose(), "AKIAIOSFODNN7EXAMPLE", "{}", case.name);
        assert!(presented("another", &case.body).is_err(), "{}", case.name);
        assert!(presented(SECRET, b"another").is_err(), "{}", case.name);
        signed += 1;
    }
    assert!(signed > 30, "{signed} were checked");
}

/// `20261124T122547Z` as a time.
fn moment(text: &str) -> Timestamp {
    let (date, time) = (&text[..8], &text[9..15]);
    let date = [&date[..4], &date[4..6], &date[6..]].join("-");
    let time = [&time[..2], &time[2..4], &time[4..]].join(":");
    Timestamp::parse(&format!("{date}T{time}Z")).expect("a time")
}

fn named(call: &Call) -> Vec<BTreeSet<String>> {
    people(&call.parties).into_iter().map(|person| person.identifiers).collect()
}

/// Every recording, as `vendor/case`.
fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    let inside = |folder: &Path| {
        let entries = fs::read_dir(folder).expect("a folder");
        entries.map(|entry| entry.expect("an entry").path()).collect::<BTreeSet<_>>()
    };
    let folders =
        inside(&root).into_iter().filter(|path| path.is_dir() && !path.ends_with("record"));
    let files = folders.flat_map(|folder| inside(&folder));
    let cases: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .map(|path| {
            let name = path.strip_prefix(&root).expect("inside").with_extension("");
            let name = name.to_str().expect("text").to_owned();
            let vendor = name.split('/').next().expect("a vendor").to_owned();
            let text = fs::read_to_string(&path).expect("readable");
            let recording: Recording = serde_json::from_str(&text).expect(&name);
            let body = recording.request.body().expect(&name);
            let connector = connector(&vendor).expect(&vendor);
            Case { name, recording, body, vendor, connector }
        })
        .collect();
    assert!(cases.len() > 200, "the recordings are there");
    cases
}
