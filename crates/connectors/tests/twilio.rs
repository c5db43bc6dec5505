//! What the Twilio connector reads, changes, believes and stops.

mod common;

use std::fmt::Write as _;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{Policy, authorised, disclosed, no_secret, openapi, outbound, presented, run};
use connectors::twilio::Twilio;
use connectors::{
    Call, Connector, CredentialUse, Event, ExportError, Refusal, Unreadable, Webhook,
    WebhookRefused,
};
use model::{
    Action, Coded, Field, FieldAction, FieldSet, Identifier, Phone, Secret, Timestamp, limits,
};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use proptest::prelude::*;
use serde_json::{Value, json};

const SID: &str = "AC00000000000000000000000000000001";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const FORM: &str = "application/x-www-form-urlencoded";

fn path(sid: &str) -> String {
    format!("/2010-04-01/Accounts/{sid}/Messages.json")
}

fn read(form: &str) -> Result<Call, Unreadable> {
    Twilio.read(&outbound("POST", &path(SID), FORM, form.as_bytes()))
}

fn encode(pairs: &[(&str, &str)]) -> String {
    let mut form = String::new();
    for (key, value) in pairs {
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
        write!(form, "{}{key}={value}", if form.is_empty() { "" } else { "&" }).expect("a text");
    }
    form
}

fn decode(form: &[u8]) -> Vec<(String, String)> {
    let text = std::str::from_utf8(form).expect("a form is ASCII");
    let decode = |text: &str| percent_decode_str(text).decode_utf8().expect("UTF-8").into_owned();
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (decode(key), decode(value)))
        .collect()
}

fn value(form: &[u8], key: &str) -> Option<String> {
    decode(form).into_iter().find(|(name, _)| name == key).map(|(_, value)| value)
}

fn phone(text: &str) -> Identifier {
    Identifier::Phone(Phone::parse(text).expect("a number"))
}

fn fields(names: &str) -> FieldSet {
    FieldSet::parse(names).expect("fields")
}

#[test]
fn a_message_discloses_a_number_and_what_it_says() {
    let table = [
        ("To=%2B4930123456&ContentSid=HX1", "phone"),
        ("To=%2B4930123456&Body=hi", "phone,content"),
        ("To=whatsapp%3A%2B4930123456&ContentVariables=%7B%7D", "phone,content"),
        ("To=rcs:%2B4930123456&MediaUrl=a&MediaUrl=b", "phone,attachment"),
        ("To=%2B49+30+123456&Body=hi&Tags=%7B%7D", "phone,content,custom"),
    ];
    for (form, expected) in table {
        let call = read(form).expect(form);
        assert_eq!(call.operation.name, "messages.create");
        let [party] = &call.parties[..] else { panic!("one person") };
        assert_eq!(party.identifiers, [phone("+4930123456")], "{form}");
        assert_eq!(party.fields, fields(expected), "{form}");
        assert!(call.unknown.is_empty());
    }
}

#[test]
fn a_request_that_can_be_doubted_is_refused_with_a_code() {
    let table = [
        ("", "identifier-unreadable"),
        ("Body=hi", "identifier-unreadable"),
        ("To=", "identifier-unreadable"),
        ("To=+4930123456", "identifier-unreadable"),
        ("To=030123456", "identifier-unreadable"),
        ("To=messenger:17", "identifier-unreadable"),
        ("To=%2B4930123456&To=%2B4930123457", "body-unreadable"),
        ("To=%2B4930123456&Body=a&Body=b", "body-unreadable"),
        ("To=%2B4930123456&Body=%", "body-unreadable"),
        ("To=%2B4930123456&Body=%ff", "body-unreadable"),
        ("To=%2B4930123456&&", "body-unreadable"),
    ];
    for (form, code) in table {
        assert_eq!(read(form).err().expect(form).code(), code, "{form}");
    }
    let many = format!("To=%2B4930123456{}", "&MediaUrl=a".repeat(limits::FORM_PAIRS));
    assert_eq!(read(&many).err().expect("too many").code(), "too-many");
    let form = "To=%2B4930123456";
    let refused = |method, path: &str, content_type| {
        let read = Twilio.read(&outbound(method, path, content_type, form.as_bytes()));
        read.err().map(|refused| refused.code())
    };
    assert_eq!(refused("POST", &path(SID), FORM), None);
    assert_eq!(refused("POST", &path(SID), "application/json"), Some("content-type"));
    assert_eq!(refused("PUT", &path(SID), FORM), Some("unknown-operation"));
    assert_eq!(refused("POST", &path("AC1"), FORM), Some("unknown-operation"));
    let calls = path(SID).replace("Messages", "Calls");
    assert_eq!(refused("POST", &calls, FORM), Some("unknown-operation"));
}

#[test]
fn unknown_keys_are_named_and_dropped_only_when_asked() {
    let call = read("To=%2B4930123456&Body=hi&Shoe=9&a%40x.example=1").expect("readable");
    assert_eq!(call.unknown, ["Shoe", "…"]);
    let kept = Policy::default().write(&call).expect("written");
    assert_eq!(value(&kept, "Shoe").as_deref(), Some("9"));
    let policy = Policy { drop_unknown: true, ..Policy::default() };
    assert_eq!(policy.write(&call).expect("written"), b"To=%2B4930123456&Body=hi");
}

#[test]
fn a_dropped_field_does_not_leave() {
    let call = read("To=%2B4930123456&Body=hi&MediaUrl=a&MediaUrl=b&Tags=x").expect("readable");
    for field in [Field::Attachment, Field::Custom] {
        let out = Policy::with(field, FieldAction::Drop).write(&call).expect("it can go without");
        let again = read(std::str::from_utf8(&out).expect("ASCII")).expect("readable");
        let expected = disclosed(&call).minus(FieldSet::EMPTY.with(field));
        assert_eq!(disclosed(&again), expected, "{field}");
    }
    let picture = read("To=%2B4930123456&MediaUrl=a").expect("readable");
    let policy = Policy::with(Field::Attachment, FieldAction::Drop);
    assert_eq!(policy.write(&picture), Err(Unreadable::Needed(Field::Attachment)));
}

#[test]
fn a_field_that_the_call_needs_refuses_it() {
    let call = read("To=%2B4930123456&Body=hi").expect("readable");
    for field in [Field::Phone, Field::Content] {
        for action in [FieldAction::Drop, FieldAction::Pseudonymise] {
            assert_eq!(Policy::with(field, action).write(&call), Err(Unreadable::Needed(field)));
        }
    }
}

#[test]
fn twilio_reports_to_us_with_the_reference_in_the_url() {
    let call = read("To=%2B4930123456&Body=hi").expect("readable");
    assert!(call.warnings.is_empty());
    let callback = |callback_url| {
        let policy = Policy { reference: "c1 x", callback_url, ..Policy::default() };
        value(&policy.write(&call).expect("written"), "StatusCallback")
    };
    let ours = callback(Some("https://cordon.example/hooks/twilio"));
    assert_eq!(ours.as_deref(), Some("https://cordon.example/hooks/twilio?ref=c1%20x.1"));
    let ours = callback(Some("https://cordon.example/hooks?v=1"));
    assert_eq!(ours.as_deref(), Some("https://cordon.example/hooks?v=1&ref=c1%20x.1"));
    assert_eq!(callback(None), None);
}

#[test]
fn a_callback_of_the_callers_own_is_kept_and_warned_of() {
    let policy = Policy {
        reference: "c1",
        callback_url: Some("https://cordon.example/hooks"),
        ..Policy::default()
    };
    let theirs = encode(&[("To", "+4930123456"), ("StatusCallback", "https://app.example/s?q=1")]);
    let call = read(&theirs).expect("readable");
    assert_eq!(call.warnings, ["status-callback-elsewhere"]);
    let out = policy.write(&call).expect("written");
    let expected = "https://app.example/s?q=1&cordon_ref=c1.1";
    assert_eq!(value(&out, "StatusCallback").as_deref(), Some(expected));

    let application = read("To=%2B4930123456&ApplicationSid=AP1").expect("readable");
    assert_eq!(application.warnings, ["status-callback-elsewhere"]);
    let out = policy.write(&application).expect("written");
    assert_eq!(value(&out, "StatusCallback"), None, "it would overrule the application's");

    let empty = read("To=%2B4930123456&StatusCallback=").expect("readable");
    let out = policy.write(&empty).expect("written");
    let callbacks = decode(&out).into_iter().filter(|(key, _)| key == "StatusCallback");
    assert_eq!(callbacks.count(), 1);
}

fn basic(credential: &str) -> String {
    format!("Basic {}", STANDARD.encode(credential))
}

#[test]
fn a_token_is_presented_in_the_header_and_in_the_path() {
    let minted = Twilio.mint([7; 48], &no_secret);
    let token = minted.token.expose();
    assert!(Twilio.check_credential(token).is_ok());
    let sid = token.split(':').next().expect("a SID");
    let found = presented(&Twilio, Some(&basic(token)), &path(sid)).expect("it is there");
    assert_eq!(found.token.expose(), token);
    assert_eq!(minted.environment[0].1.expose(), sid);

    assert!(presented(&Twilio, Some(&basic(token)), &path(SID)).is_err(), "another account's path");
    let key = basic(&format!("SK{}:{TOKEN}", &SID[2..]));
    for wrong in [None, Some("Basic %"), Some("Bearer x"), Some(key.as_str())] {
        assert!(presented(&Twilio, wrong, &path(sid)).is_err());
    }
    for wrong in ["", "AC1:2", &format!("{SID}:"), &format!("{SID}:{TOKEN}0")] {
        assert!(Twilio.check_credential(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn the_accounts_own_sid_and_token_take_the_place_of_the_workloads() {
    let credential = format!("{SID}:{TOKEN}");
    let workloads = path("ACffffffffffffffffffffffffffffffff");
    let (headers, called) = authorised(&Twilio, &credential, &workloads);
    assert_eq!(called, path(SID));
    assert_eq!(headers, [("authorization", basic(&credential))]);
    let (_, called) = authorised(&Twilio, &credential, "/2010-04-01/Accounts.json");
    assert_eq!(called, "/2010-04-01/Accounts.json");
}

#[test]
fn a_refusal_is_in_twilios_words() {
    let body = |status, code| {
        let refusal = Refusal { status, code, message: "no".to_owned() };
        serde_json::from_slice::<Value>(&Twilio.refusal(&refusal).body).expect("JSON")
    };
    let expected =
        json!({"code": 20429, "message": "no", "more_info": "vendor-held", "status": 429});
    assert_eq!(body(429, "vendor-held"), expected);
    assert_eq!(body(401, "unidentified")["code"], 20003);
}

#[test]
fn the_id_of_a_message_is_its_sid() {
    let none = |_: &str| None;
    assert_eq!(Twilio.message_id(&none, br#"{"sid":"SM1"}"#).as_deref(), Some("SM1"));
    assert_eq!(Twilio.message_id(&none, b"{}"), None);
    assert_eq!(Twilio.message_id(&none, b""), None);
}

const URL: &str = "https://cordon.example/hooks/twilio?ref=c1.a%20b";

/// A status callback as Twilio signs it, with a secret of the operator's.
fn callback(pairs: &[(&str, &str)], url: &str, secret: &str) -> Result<Vec<Event>, WebhookRefused> {
    let mut sorted = pairs.to_vec();
    sorted.sort_unstable();
    let signed = sorted.iter().fold(URL.to_owned(), |text, (key, value)| text + key + value);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, TOKEN.as_bytes());
    let signature = STANDARD.encode(hmac::sign(&key, signed.as_bytes()));
    Twilio.webhook(&Webhook {
        url,
        header: &|name| (name == "x-twilio-signature").then_some(signature.as_str()),
        body: encode(pairs).as_bytes(),
        secret: &Secret::new(secret.to_owned()),
        now: Timestamp::from_seconds(7),
    })
}

const DELIVERED: [(&str, &str); 5] = [
    ("MessageSid", "SM1"),
    ("SmsSid", "SM1"),
    ("AccountSid", SID),
    ("MessageStatus", "delivered"),
    ("To", "whatsapp:+4930123456"),
];

#[test]
fn a_signed_callback_is_an_event_with_its_reference() {
    let secret = format!("{SID}:{TOKEN}");
    let expected = Event {
        id: "SM1:delivered".to_owned(),
        at: Timestamp::from_seconds(7),
        event: "delivered".to_owned(),
        message: Some("SM1".to_owned()),
        recipient: Some(phone("+4930123456")),
        reference: Some("c1.a b".to_owned()),
    };
    assert_eq!(callback(&DELIVERED, URL, &secret), Ok(vec![expected.clone()]));
    assert_eq!(callback(&DELIVERED, URL, TOKEN), Ok(vec![expected.clone()]));
    let with_port = URL.replace(".example/", ".example:443/");
    assert_eq!(callback(&DELIVERED, &with_port, &secret), Ok(vec![expected]));
}

#[test]
fn a_callback_that_is_not_ours_is_not_believed() {
    let secret = format!("{SID}:{TOKEN}");
    let refused = |result: Result<Vec<Event>, WebhookRefused>| result.expect_err("refused").code();
    let elsewhere = URL.replace("c1.a", "c1.b");
    assert_eq!(refused(callback(&DELIVERED, &elsewhere, &secret)), "webhook-signature");
    let other = format!("{SID}:{}", TOKEN.replace('0', "1"));
    assert_eq!(refused(callback(&DELIVERED, URL, &other)), "webhook-signature");
    assert_eq!(refused(callback(&DELIVERED, URL, "x")), "webhook-key");
    let account = format!("AC{}:{TOKEN}", "f".repeat(32));
    assert_eq!(refused(callback(&DELIVERED, URL, &account)), "webhook-form");
    assert_eq!(refused(callback(&DELIVERED[2..], URL, &secret)), "webhook-form");
    let unsigned = Twilio.webhook(&Webhook {
        url: URL,
        header: &|_| None,
        body: b"",
        secret: &Secret::new(secret),
        now: Timestamp::from_seconds(7),
    });
    assert_eq!(unsigned, Err(WebhookRefused::Unsigned));
}

fn routine(action: Action) -> Option<Box<dyn connectors::Routine>> {
    let credential = Secret::new(format!("{SID}:{TOKEN}"));
    Twilio.routine(action, connectors::routine::RoutineInput { credential })
}

#[test]
fn scheduled_messages_are_cancelled_on_every_page_and_kept_by_id_alone() {
    let mut cancelled = false;
    let list = path(SID);
    let step = routine(Action::CancelScheduledSends).expect("Twilio has calls for it");
    let (outcome, calls) = run(step, |call| {
        if call.method == "POST" {
            assert_eq!(call.body, Some((FORM, b"Status=canceled".to_vec())));
            cancelled = true;
            return (200, json!({}));
        }
        if call.path.contains("Page=1") {
            let status = if cancelled { "canceled" } else { "scheduled" };
            let row = json!({"sid": "SM2", "status": status, "to": "+4930123456", "body": "hi"});
            return (200, json!({"messages": [row], "next_page_uri": null}));
        }
        let next = format!("{list}?PageSize=1000&Page=1&PageToken=x");
        let row = json!({"sid": "SM1", "status": "delivered"});
        (200, json!({"messages": [row], "next_page_uri": next}))
    });
    assert!(outcome.ok && outcome.verified, "{:?}", outcome.detail);
    let cancel = format!("POST /2010-04-01/Accounts/{SID}/Messages/SM2.json");
    assert_eq!(calls.iter().filter(|call| call.starts_with("POST")).collect::<Vec<_>>(), [&cancel]);
    let kept: Vec<u8> = outcome.evidence.into_iter().flat_map(|(_, bytes)| bytes).collect();
    assert_eq!(kept, b"SM2", "evidence of messages is their ids");
}

#[test]
fn deleted_keys_do_not_make_the_step_done_while_the_auth_token_works() {
    let mut keys = vec!["SK1", "SK2"];
    let step = routine(Action::DeleteApiKeys).expect("Twilio has calls for it");
    let (outcome, _) = run(step, |call| {
        if call.method == "DELETE" {
            keys.retain(|key| !call.path.contains(key));
            return (204, json!(null));
        }
        let rows: Vec<_> = keys.iter().map(|key| json!({"sid": key})).collect();
        (200, json!({"keys": rows, "next_page_uri": null}))
    });
    assert!(keys.is_empty());
    assert!(outcome.ok && !outcome.verified);
    assert!(outcome.detail.iter().any(|said| said.contains("auth token")));
}

#[test]
fn the_old_token_is_proven_dead_only_by_a_refusal() {
    let step = routine(Action::ProveKeyRefused).expect("Twilio has calls for it");
    let (outcome, _) = run(step, |call| {
        assert_eq!(call.credential, CredentialUse::Revoked);
        (401, json!({}))
    });
    assert!(outcome.verified);
    assert!(routine(Action::UnscheduleSingleSends).is_none());
    for &action in Action::ALL {
        let guide = Twilio.guide(action);
        assert!(!guide.steps.is_empty() && !guide.proof.is_empty(), "{action}");
    }
}

#[test]
fn the_log_of_messages_names_the_person_on_either_end() {
    let csv = "From,To,Body,Status,SentDate,ApiVersion,NumSegments,ErrorCode,AccountSid,Sid,\
               Direction,Price,PriceUnit,NumMedia,shop\n\
               +15005550006,+4930123456,hi,delivered,,,1,,AC1,SM1,outbound-api,,,0,\n\
               whatsapp:+4930123457,+15005550006,,received,,,1,,AC1,SM2,inbound,,,1,x\n\
               +15005550006,shortcode,hi,failed,,,1,,AC1,SM3,outbound-api,,,0,\n";
    let export = Twilio.read_export(csv.as_bytes()).expect("the header is Twilio's");
    assert_eq!(export.custom_columns, ["shop"]);
    let rows: Vec<_> = export.rows.collect();
    let first = rows[0].as_ref().expect("a whole row");
    assert_eq!(
        (&first.identifiers[0], first.fields),
        (&phone("+4930123456"), fields("phone,content"))
    );
    let second = rows[1].as_ref().expect("a whole row");
    let expected = (&phone("+4930123457"), fields("phone,attachment,custom"));
    assert_eq!((&second.identifiers[0], second.fields), expected);
    let why = "it names nobody by a number";
    assert_eq!(rows[2], Err(ExportError::Row { line: 4, why }));
    assert_eq!(Twilio.read_export(b"Body\n").err(), Some(ExportError::Column("To")));
}

#[test]
fn every_documented_example_is_read_without_unknown_keys() {
    let Some(spec) = openapi("twilio/twilio_api_v2010.messages-keys.json") else { return };
    let body = &spec["paths"]["/2010-04-01/Accounts/{AccountSid}/Messages.json"]["post"]["requestBody"]
        ["content"][FORM];
    let examples = body["examples"].as_object().expect("examples");
    assert!(examples.len() > 3);
    for (name, example) in examples {
        let mut form = Vec::new();
        for (key, value) in example["value"].as_object().expect("an object") {
            match value {
                Value::Array(items) => {
                    form.extend(items.iter().map(|item| (key, item.as_str().expect("a text"))));
                }
                value => form.push((key, value.as_str().expect("a text"))),
            }
        }
        let form: Vec<_> = form
            .into_iter()
            // One example's number is broken: `94287277+15558675310`.
            .map(|(key, value)| (key.as_str(), value.trim_start_matches("94287277")))
            .collect();
        let call = read(&encode(&form)).expect(name);
        assert!(call.unknown.is_empty(), "{name}: {:?}", call.unknown);
    }
    let keys = body["schema"]["properties"].as_object().expect("keys").keys();
    let form = keys.map(|key| format!("{key}=%2B4930123456")).collect::<Vec<_>>().join("&");
    assert_eq!(read(&form).expect("readable").unknown, [""; 0]);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let form = [b"To=%2B4930123456&", &bytes[..]].concat();
        for body in [&bytes, &form] {
            if let Ok(call) = Twilio.read(&outbound("POST", &path(SID), FORM, body)) {
                let out = Policy::default().write(&call).expect("written");
                let again = Twilio.read(&outbound("POST", &path(SID), FORM, &out));
                prop_assert_eq!(again.expect("readable").parties, call.parties);
            }
        }
        if let Ok(export) = Twilio.read_export(&bytes) {
            prop_assert!(export.rows.count() <= bytes.len());
        }
    }

    #[test]
    fn any_path_is_read_or_refused(path in "/2010-04-01/Accounts/[AC0-9a-fé/.]{0,50}") {
        let (_, called) = authorised(&Twilio, &format!("{SID}:{TOKEN}"), &path);
        prop_assert!(called == path || called.contains(SID));
        prop_assert_eq!(Twilio.operation("POST", &path), Twilio.operation("POST", &called));
    }
}
