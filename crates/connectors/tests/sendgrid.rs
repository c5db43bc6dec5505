//! What the SendGrid connector reads, changes, believes and stops.

mod common;

use common::{Policy, authorised, disclosed, no_secret, openapi, outbound, presented, run};
use connectors::sendgrid::SendGrid;
use connectors::{
    Call, Connector, CredentialUse, Event, ExportError, Refusal, Unreadable, Webhook,
    WebhookRefused,
};
use model::{
    Action, Coded, Contact, Email, Field, FieldAction, FieldSet, Identifier, ListName, Phone,
    Secret, Timestamp, limits,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const KEY: &str = "SG.ownownownownownownowno.0123456789012345678901234567890123456789012";

fn mail(body: &Value) -> Result<Call, Unreadable> {
    mail_bytes(body.to_string().as_bytes())
}

fn mail_bytes(body: &[u8]) -> Result<Call, Unreadable> {
    SendGrid.read(&outbound("POST", "/v3/mail/send", "application/json", body))
}

fn contacts(body: &Value) -> Result<Call, Unreadable> {
    let body = body.to_string();
    let path = "/v3/marketing/contacts";
    SendGrid.read(&outbound("PUT", path, "application/json", body.as_bytes()))
}

fn written(policy: &Policy, call: &Call) -> Value {
    serde_json::from_slice(&policy.write(call).expect("it can be written")).expect("JSON")
}

fn email(text: &str) -> Identifier {
    Identifier::Email(Email::parse(text).expect("an address"))
}

fn fields(names: &str) -> FieldSet {
    FieldSet::parse(names).expect("fields")
}

/// A message with everything that says something of a person.
fn full_mail() -> Value {
    json!({
        "personalizations": [
            {
                "to": [{"email": "Ann@Example.com", "name": "Ann"}, {"email": "bob@example.com"}],
                "cc": [{"email": "cyd@example.com", "name": ""}],
                "subject": "Hello",
                "custom_args": {"order": "17"},
            },
            {"to": [{"email": "dan@example.com"}], "dynamic_template_data": {"city": "Rome"}},
        ],
        "from": {"email": "shop@example.com", "name": "The shop"},
        "template_id": "d-1",
        "attachments": [{"content": "aGk=", "filename": "hi.txt"}],
    })
}

#[test]
fn every_recipient_is_a_party_with_what_the_message_says_of_it() {
    let call = mail(&full_mail()).expect("readable");
    assert_eq!(call.operation.name, "mail.send");
    let parties: Vec<_> =
        call.parties.iter().map(|party| (party.identifiers.clone(), party.fields)).collect();
    let named = "email,name,content,attachment,custom";
    assert_eq!(
        parties,
        [
            (vec![email("ann@example.com")], fields(named)),
            (vec![email("bob@example.com")], fields("email,content,attachment,custom")),
            (vec![email("cyd@example.com")], fields("email,content,attachment,custom")),
            (vec![email("dan@example.com")], fields("email,content,attachment")),
        ]
    );
    assert!(call.unknown.is_empty() && call.warnings.is_empty());
}

#[test]
fn a_template_alone_says_nothing_but_the_address() {
    let body = json!({
        "personalizations": [{"to": [{"email": "ann@example.com"}]}],
        "from": {"email": "shop@example.com"}, "template_id": "d-1", "subject": "",
    });
    assert_eq!(disclosed(&mail(&body).expect("readable")), fields("email"));
}

#[test]
fn headers_and_footers_are_text_of_the_message() {
    for extra in [
        json!({"headers": {"X-Ticket": "17"}}),
        json!({"mail_settings": {"footer": {"enable": true, "text": "bye"}}}),
        json!({"tracking_settings": {"subscription_tracking": {"html": "<a>"}}}),
    ] {
        let mut body = json!({"personalizations": [{"to": [{"email": "ann@example.com"}]}]});
        for (key, value) in extra.as_object().expect("an object") {
            body[key] = value.clone();
        }
        assert_eq!(disclosed(&mail(&body).expect("readable")), fields("email,content"), "{extra}");
    }
}

#[test]
fn a_message_without_changes_says_the_same() {
    let body = full_mail();
    let call = mail(&body).expect("readable");
    assert_eq!(written(&Policy::default(), &call), body);
}

#[test]
fn a_dropped_field_does_not_leave_and_the_rest_does() {
    let call = mail(&full_mail()).expect("readable");
    for field in [Field::Name, Field::Attachment, Field::Custom] {
        let out = Policy::with(field, FieldAction::Drop).write(&call).expect("it can go without");
        let again = mail_bytes(&out).expect("readable");
        let expected = disclosed(&call).minus(FieldSet::EMPTY.with(field));
        assert_eq!(disclosed(&again), expected, "{field}");
        assert_eq!(again.parties.len(), call.parties.len());
    }
    let out = written(&Policy::with(Field::Name, FieldAction::Drop), &call);
    assert_eq!(out["personalizations"][0]["to"][0], json!({"email": "Ann@Example.com"}));
    assert_eq!(out["from"]["name"], "The shop", "the sender is no recipient");
}

#[test]
fn a_field_that_the_call_needs_refuses_it() {
    let call = mail(&full_mail()).expect("readable");
    for (field, action) in [
        (Field::Email, FieldAction::Drop),
        (Field::Email, FieldAction::Pseudonymise),
        (Field::Content, FieldAction::Drop),
        (Field::Content, FieldAction::Pseudonymise),
        (Field::Attachment, FieldAction::Pseudonymise),
    ] {
        assert_eq!(Policy::with(field, action).write(&call), Err(Unreadable::Needed(field)));
    }
    let bare = mail(&json!({"personalizations": [{"to": [{"email": "ann@example.com"}]}]}));
    let policy = Policy::with(Field::Content, FieldAction::Drop);
    assert!(policy.write(&bare.expect("readable")).is_ok(), "what is not there is not needed");
}

#[test]
fn a_pseudonym_stands_where_the_value_stood() {
    let call = mail(&full_mail()).expect("readable");
    let names = written(&Policy::with(Field::Name, FieldAction::Pseudonymise), &call);
    assert_eq!(names["personalizations"][0]["to"][0]["name"], "name-3");
    let custom = written(&Policy::with(Field::Custom, FieldAction::Pseudonymise), &call);
    assert_eq!(custom["personalizations"][0]["custom_args"], json!({"order": "custom-2"}));
}

#[test]
fn each_personalization_gets_a_reference_for_its_own_recipients() {
    let mut body = full_mail();
    body["custom_args"] = json!({"cordon_ref": "made up", "site": "eu"});
    let policy = Policy { reference: "c1", ..Policy::default() };
    let out = written(&policy, &mail(&body).expect("readable"));
    let args = |index: usize| out["personalizations"][index]["custom_args"].clone();
    assert_eq!(args(0), json!({"order": "17", "cordon_ref": "c1.3"}));
    assert_eq!(args(1), json!({"cordon_ref": "c1.1"}));
    assert_eq!(out["custom_args"], json!({"site": "eu"}), "a caller's own one does not leave");

    let drop = vec![(Field::Custom, FieldAction::Drop)];
    let policy = Policy { reference: "c1", actions: drop, ..Policy::default() };
    let out = written(&policy, &mail(&body).expect("readable"));
    assert_eq!(out["personalizations"][0]["custom_args"], json!({"cordon_ref": "c1.3"}));
    assert_eq!(out.get("custom_args"), None);
}

#[test]
fn custom_arguments_stay_within_what_sendgrid_takes() {
    let body = |bytes: usize| {
        json!({
            "personalizations": [{"to": [{"email": "ann@example.com"}]}],
            "custom_args": {"x": "x".repeat(bytes)},
        })
    };
    let policy = Policy { reference: "c1", ..Policy::default() };
    let overhead = r#"{"x":"","cordon_ref":"c1.1"}"#.len();
    let most = limits::CUSTOM_ARGS_BYTES - overhead;
    assert!(policy.write(&mail(&body(most)).expect("readable")).is_ok());
    let refused = policy.write(&mail(&body(most + 1)).expect("readable"));
    assert_eq!(refused.expect_err("one byte too many").code(), "too-many");
}

#[test]
fn unknown_keys_are_named_and_dropped_only_when_asked() {
    let mut body = full_mail();
    body["subtitle"] = json!("x");
    body["personalizations"][0]["to"][0]["phone"] = json!("+4930123456");
    let call = mail(&body).expect("readable");
    assert_eq!(call.unknown, ["/personalizations/0/to/0/phone", "/subtitle"]);
    assert_eq!(written(&Policy::default(), &call), body);
    let policy = Policy { drop_unknown: true, ..Policy::default() };
    assert_eq!(written(&policy, &call), full_mail());
}

#[test]
fn personal_data_where_sendgrid_keeps_it_for_long_is_warned_of() {
    let with = |key: &str, value: Value| {
        let mut body = full_mail();
        body[key] = value;
        mail(&body).expect("readable").warnings
    };
    assert_eq!(with("categories", json!(["for ann@example.com"])), ["pii-in-categories"]);
    assert_eq!(with("custom_args", json!({"a": {"b": "+49 30 1234567"}})), ["pii-in-custom-args"]);
    assert_eq!(with("custom_args", json!({"order": "1234567890"})), [""; 0]);
    assert_eq!(with("reply_to", json!({"email": "x@mail.example.com"})), [""; 0]);
    assert_eq!(with("reply_to", json!({"email": "x@other.example"})), ["reply-to-elsewhere"]);
}

#[test]
fn a_request_that_can_be_doubted_is_refused_with_a_code() {
    let to = json!({"to": [{"email": "ann@example.com"}]});
    let many = json!({"to": vec![json!({"email": "a@example.com"}); 1_001]});
    let table = [
        (json!([]), "body-unreadable"),
        (json!({}), "body-unreadable"),
        (json!({"personalizations": []}), "body-unreadable"),
        (json!({"personalizations": [null]}), "body-unreadable"),
        (json!({"personalizations": [{}]}), "body-unreadable"),
        (json!({"personalizations": [{"to": {"email": "a@example.com"}}]}), "body-unreadable"),
        (json!({"personalizations": [{"to": ["a@example.com"]}]}), "body-unreadable"),
        (json!({"personalizations": [{"to": [{"email": ["a@x.example"]}]}]}), "body-unreadable"),
        (json!({"personalizations": [to], "subject": {"a": 1}}), "body-unreadable"),
        (json!({"personalizations": [{"to": [{"email": "ann"}]}]}), "identifier-unreadable"),
        (json!({"personalizations": [{"to": [{"name": "Ann"}]}]}), "identifier-unreadable"),
        (json!({"personalizations": [{"to": [null]}]}), "identifier-unreadable"),
        (json!({"personalizations": vec![to; 1_001]}), "too-many"),
        (json!({"personalizations": [many]}), "too-many"),
    ];
    for (body, code) in table {
        let shown = body.to_string();
        let refused = mail(&body).err().expect("refused");
        assert_eq!(refused.code(), code, "{}", &shown[..shown.len().min(80)]);
    }
    let twice = br#"{"personalizations":[{"to":[{"email":"a@x.example","email":"b@x.example"}]}]}"#;
    for bytes in [&twice[..], b"{", b"\xff", b""] {
        assert_eq!(mail_bytes(bytes).err().expect("refused").code(), "body-unreadable");
    }
}

#[test]
fn only_the_documented_road_leads_to_an_operation() {
    let body = full_mail().to_string();
    let json = "application/json; charset=UTF-8";
    let read = |method, path, content_type, query| {
        let request = outbound(method, path, content_type, body.as_bytes());
        let read = SendGrid.read(&connectors::Outbound { query, ..request });
        read.err().map(|refused| refused.code())
    };
    assert_eq!(read("POST", "/v3/mail/send", json, None), None);
    assert_eq!(read("POST", "/v3/mail/send", json, Some("")), None);
    assert_eq!(read("POST", "/v3/mail/send", json, Some("a=1")), Some("body-unreadable"));
    assert_eq!(read("POST", "/v3/mail/send", "text/plain", None), Some("content-type"));
    let latin = "application/json; charset=latin1";
    assert_eq!(read("POST", "/v3/mail/send", latin, None), Some("content-type"));
    for (method, path) in [
        ("GET", "/v3/mail/send"),
        ("POST", "/v3/mail/send/"),
        ("POST", "/v3/mail%2Fsend"),
        ("POST", "/v3/marketing/contacts"),
        ("POST", "/v3/asm/suppressions/planetary"),
    ] {
        assert_eq!(read(method, path, json, None), Some("unknown-operation"), "{method} {path}");
    }
}

#[test]
fn a_contact_is_read_by_its_identifiers_fields_and_lists() {
    let call = contacts(&json!({
        "list_ids": ["0e1-members"],
        "contacts": [
            {
                "email": "Ann@example.com", "alternate_emails": ["a@example.com"],
                "phone_number_id": "+4930123456", "external_id": "u17", "anonymous_id": "z",
                "first_name": "Ann", "city": "Rome", "postal_code": 12345,
                "custom_fields": {"w1": "coffee"},
            },
            {"external_id": "u18", "last_name": null, "phone_number_id": "030 123456"},
        ],
    }))
    .expect("readable");
    assert_eq!(call.operation.name, "contacts.upsert");
    let [ann, other] = &call.parties[..] else { panic!("two contacts") };
    let user = |id: &str| Identifier::UserId(id.into());
    let phone = Identifier::Phone(Phone::parse("+4930123456").expect("a number"));
    let expected =
        [email("ann@example.com"), email("a@example.com"), phone, user("u17"), user("anonymous:z")];
    assert_eq!(ann.identifiers, expected);
    assert_eq!(ann.fields, fields("email,phone,name,username,address,location,custom"));
    assert_eq!(ann.lists, [ListName::parse("0e1-members").expect("a list")]);
    assert_eq!(other.identifiers, [user("u18")], "a number without its country names nobody");
    assert_eq!(other.fields, fields("username,phone"));
}

#[test]
fn a_contact_goes_without_what_is_dropped_as_long_as_it_can_be_named() {
    let body = json!({"contacts": [
        {"email": "ann@example.com", "external_id": "u17", "first_name": "Ann", "city": "Rome",
         "custom_fields": {"w1": "coffee", "w2": 7}},
    ]});
    let call = contacts(&body).expect("readable");
    for field in [Field::Email, Field::Username, Field::Name, Field::Location, Field::Custom] {
        let out = written(&Policy::with(field, FieldAction::Drop), &call);
        let again = contacts(&out).expect("readable");
        let expected = disclosed(&call).minus(FieldSet::EMPTY.with(field));
        assert_eq!(disclosed(&again), expected, "{field}");
    }
    let both = vec![(Field::Email, FieldAction::Drop), (Field::Username, FieldAction::Drop)];
    let policy = Policy { actions: both, ..Policy::default() };
    assert_eq!(policy.write(&call), Err(Unreadable::Needed(Field::Email)));
}

#[test]
fn a_pseudonym_of_a_contact_fits_its_place() {
    let body = json!({"contacts": [
        {"email": "ann@example.com", "phone_number_id": "+4930123456", "external_id": "u17",
         "first_name": "Ann", "custom_fields": {"w1": "coffee", "w2": 7}},
    ]});
    let call = contacts(&body).expect("readable");
    let write = |field| Policy::with(field, FieldAction::Pseudonymise).write(&call);
    let one = |field| -> Value {
        let out = write(field).expect("it can be written");
        serde_json::from_slice::<Value>(&out).expect("JSON")["contacts"][0].clone()
    };
    assert_eq!(one(Field::Username)["external_id"], "username-3");
    assert_eq!(one(Field::Name)["first_name"], "name-3");
    assert_eq!(one(Field::Custom)["custom_fields"], json!({"w1": "custom-6"}));
    for field in [Field::Email, Field::Phone] {
        assert_eq!(write(field), Err(Unreadable::Needed(field)));
    }
}

#[test]
fn a_contact_that_names_nobody_is_refused_with_a_code() {
    let table = [
        (json!({"contacts": []}), "body-unreadable"),
        (json!({"contacts": [{"first_name": "Ann"}]}), "identifier-unreadable"),
        (json!({"contacts": [{"email": "ann"}]}), "identifier-unreadable"),
        (json!({"contacts": [{"email": ["a@x.example"]}]}), "body-unreadable"),
        (json!({"contacts": [{"phone_number_id": "030 1"}]}), "identifier-unreadable"),
        (
            json!({"contacts": [{"external_id": "1", "alternate_emails": ["x"]}]}),
            "identifier-unreadable",
        ),
        (json!({"list_ids": [""], "contacts": [{"external_id": "1"}]}), "body-unreadable"),
        (json!({"contacts": vec![json!({"external_id": "1"}); 30_001]}), "too-many"),
    ];
    for (body, code) in table {
        assert_eq!(contacts(&body).err().expect("refused").code(), code);
    }
}

#[test]
fn a_contact_that_cordon_makes_reads_back() {
    let contact = Contact {
        person_id: "u1".into(),
        email: Some(Email::parse("ann@example.com").expect("an address")),
        phone: Some(Phone::parse("+4930123456").expect("a number")),
        name: Some("Ann van Lee".into()),
        country: Some(model::Country::parse("DE").expect("a country")),
        region: None,
        language: None,
        two_factor: None,
    };
    let list = ListName::parse("members").expect("a list");
    let made = SendGrid.upsert_contact(&contact, Some(&list)).expect("SendGrid keeps lists");
    let call = SendGrid
        .read(&outbound(made.method, &made.path, made.content_type, &made.body))
        .expect("readable");
    let [party] = &call.parties[..] else { panic!("one contact") };
    let mut expected = contact.identifiers();
    let mut found = party.identifiers.clone();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    assert_eq!(party.lists, [list]);
    let body: Value = serde_json::from_slice(&made.body).expect("JSON");
    assert_eq!(body["contacts"][0]["first_name"], "Ann van");
    assert!(call.unknown.is_empty());
}

#[test]
fn a_minted_token_has_the_shape_of_a_key_and_is_found_in_a_request() {
    let minted = SendGrid.mint([7; 48], &no_secret);
    let token = minted.token.expose();
    assert_eq!(token.len(), 69);
    assert!(SendGrid.check_credential(token).is_ok());
    let found = presented(&SendGrid, Some(&format!("bearer {token}")), "/v3/mail/send");
    assert_eq!(found.expect("it is there").token.expose(), token);
    for wrong in [None, Some("Bearer"), Some("Bearer SG.x.y"), Some("Basic U0cueA==")] {
        assert!(presented(&SendGrid, wrong, "/v3/mail/send").is_err());
    }
    let (headers, path) = authorised(&SendGrid, KEY, "/v3/mail/send");
    assert_eq!(headers, [("authorization", format!("Bearer {KEY}"))]);
    assert_eq!(path, "/v3/mail/send");
}

#[test]
fn a_refusal_is_in_sendgrids_words() {
    let refusal = Refusal { status: 403, code: "field-refused", message: "no".to_owned() };
    let body = SendGrid.refusal(&refusal).body;
    let expected = json!({"errors": [{"message": "no", "field": null, "help": "field-refused"}]});
    assert_eq!(serde_json::from_slice::<Value>(&body).expect("JSON"), expected);
}

#[test]
fn the_id_of_a_message_is_the_one_that_its_events_carry() {
    let header = |name: &str| (name == "x-message-id").then(|| "LRzXl_NHStOGhQ4kofSm_A".to_owned());
    let id = SendGrid.message_id(&header, b"");
    assert_eq!(events_of(ONE).expect("signed")[0].message, id);
}

/// Key, signature, timestamp and payload.
type Vector = (&'static str, &'static str, i64, &'static [u8]);

const ONE: Vector = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2f\
     NNRaINXvVpiglSI8eNEc6wEA3F+g==",
    "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=",
    1_600_112_502,
    include_bytes!("fixtures/sendgrid-one.json"),
);

const TWO: Vector = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEQ4LIFtWztlsF7skFqOncjD1lun4H5w8XOhyOArHW9RcIx/FfEzx6cikC/y\
     PfUvwaX/JScE7Fc9CJD2afQ9Ok3Q==",
    "MEYCIQC/I4o6vCgqRYrTljjoVWB/GRWNtxeePlLMHr3x9ETeRQIhAIpV+03nREPTTHWSW0wIOA0EoMPdcNgXa70yCaqDJlu5",
    1_619_651_159,
    include_bytes!("fixtures/sendgrid-two.json"),
);

fn events_of((key, signature, sent, body): Vector) -> Result<Vec<Event>, WebhookRefused> {
    webhook(key, signature, &sent.to_string(), body, sent)
}

fn webhook(
    key: &str,
    signature: &str,
    timestamp: &str,
    body: &[u8],
    now: i64,
) -> Result<Vec<Event>, WebhookRefused> {
    let header = |name: &str| match name {
        "x-twilio-email-event-webhook-signature" => Some(signature),
        "x-twilio-email-event-webhook-timestamp" => Some(timestamp),
        _ => None,
    };
    SendGrid.webhook(&Webhook {
        url: "https://cordon.example/hooks/sendgrid",
        header: &header,
        body,
        secret: &Secret::new(key.to_owned()),
        now: Timestamp::from_seconds(now),
    })
}

#[test]
fn the_published_signatures_fit_and_their_events_are_read() {
    let events = events_of(ONE).expect("signed");
    let expected = Event {
        id: "ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA".to_owned(),
        at: Timestamp::from_seconds(1_600_112_492),
        event: "dropped".to_owned(),
        message: Some("LRzXl_NHStOGhQ4kofSm_A".to_owned()),
        recipient: Some(email("hello@world.com")),
        reference: None,
    };
    assert_eq!(events, [expected]);
    let names: Vec<_> = events_of(TWO).expect("signed").into_iter().map(|it| it.event).collect();
    assert_eq!(names, ["processed", "bounce"]);
}

#[test]
fn a_webhook_with_anything_changed_is_not_believed() {
    let (key, signature, sent, body) = ONE;
    let timestamp = sent.to_string();
    let check =
        |key, signature, timestamp, body, now| webhook(key, signature, timestamp, body, now);
    let refused = |result: Result<Vec<Event>, WebhookRefused>| result.expect_err("refused").code();
    let code =
        |key, signature, timestamp, body, now| refused(check(key, signature, timestamp, body, now));
    let trimmed = &body[..body.len() - 2];
    assert_eq!(code(key, signature, &timestamp, trimmed, sent), "webhook-signature");
    assert_eq!(code(key, signature, "1600112503", body, sent), "webhook-signature");
    assert_eq!(code(key, TWO.1, &timestamp, body, sent), "webhook-signature");
    assert_eq!(code(TWO.0, signature, &timestamp, body, sent), "webhook-signature");
    assert_eq!(code(key, "%", &timestamp, body, sent), "webhook-signature");
    assert_eq!(code(key, "", &timestamp, body, sent), "webhook-unsigned");
    assert_eq!(code(key, signature, "", body, sent), "webhook-unsigned");
    assert_eq!(code("not a key", signature, &timestamp, body, sent), "webhook-key");
    assert_eq!(code("AAAA", signature, &timestamp, body, sent), "webhook-key");
}

#[test]
fn a_webhook_is_believed_only_within_its_window() {
    let (key, signature, sent, body) = ONE;
    let at = |now: i64| webhook(key, signature, &sent.to_string(), body, now);
    for edge in [-limits::WEBHOOK_AGE_SECONDS, limits::WEBHOOK_AGE_SECONDS] {
        assert!(at(sent + edge).is_ok());
        assert_eq!(at(sent + edge + edge.signum()), Err(WebhookRefused::Age));
    }
}

/// Signs a body of our own, to look at events that no published vector has.
fn own_events(body: &[u8]) -> Result<Vec<Event>, WebhookRefused> {
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("its public half");
    let signed = [b"1700000000", body].concat();
    let random = aws_lc_rs::rand::SystemRandom::new();
    let signature = STANDARD.encode(pair.sign(&random, &signed).expect("a signature"));
    let key = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(der.as_ref())
    );
    webhook(&key, &signature, "1700000000", body, 1_700_000_000)
}

#[test]
fn a_reference_comes_back_at_the_top_of_an_event() {
    let body = br#"[
        {"event":"open","sg_event_id":"1","timestamp":1699999999,"cordon_ref":"c1.x","email":"A@x.example"},
        {"event":"account_status_change","type":"compliance_suspend"},
        {"event":"open","sg_event_id":"3","smtp-id":"<abc@ismtpd>","email":"no address"}
    ]"#;
    let events = own_events(body).expect("signed");
    assert_eq!(events[0].reference.as_deref(), Some("c1.x"));
    assert_eq!(events[0].recipient, Some(email("a@x.example")));
    assert_eq!(events[1].id.len(), 64, "an event without an id is known by its bytes");
    assert_eq!(events[1].at, Timestamp::from_seconds(1_700_000_000));
    assert_eq!((events[2].message.as_deref(), &events[2].recipient), (Some("abc"), &None));
}

#[test]
fn a_signed_webhook_of_another_form_is_refused() {
    for body in [&b"{}"[..], b"[1]", b"[{}]", b"", b"\xff"] {
        assert_eq!(own_events(body), Err(WebhookRefused::Form));
    }
    let many = serde_json::to_vec(&vec![json!({"event": "open"}); limits::WEBHOOK_EVENTS + 1]);
    assert_eq!(own_events(&many.expect("JSON")), Err(WebhookRefused::TooMany));
    assert_eq!(own_events(b"[]"), Ok(Vec::new()));
}

fn routine(action: Action) -> Box<dyn connectors::Routine> {
    let input = connectors::routine::RoutineInput { credential: Secret::new(KEY.to_owned()) };
    SendGrid.routine(action, input).expect("SendGrid has calls for it")
}

/// An account's keys; `stubborn` cannot be deleted.
struct Keys {
    ids: Vec<&'static str>,
    stubborn: Option<&'static str>,
    own_works: bool,
}

const OWN: &str = "ownownownownownownowno";

impl Keys {
    fn answer(&mut self, call: &connectors::ApiCall) -> (u16, Value) {
        if !self.own_works {
            return (401, json!({"errors": [{"message": "authorization required"}]}));
        }
        let id = call.path.rsplit('/').next().unwrap_or_default();
        match call.method {
            "GET" => {
                let rows = self.ids.iter().map(|id| json!({"api_key_id": id, "name": id}));
                (200, json!({"result": rows.collect::<Vec<_>>()}))
            }
            "DELETE" if self.stubborn == Some(id) => (403, json!({})),
            "DELETE" => {
                self.own_works &= id != OWN;
                self.ids.retain(|held| *held != id);
                (204, json!(null))
            }
            _ => {
                let (_, body) = call.body.as_ref().expect("PUT has a body");
                let body: Value = serde_json::from_slice(body).expect("JSON");
                assert_eq!(body["scopes"].as_array().map(Vec::len), Some(1), "one scope must stay");
                (200, json!({}))
            }
        }
    }
}

#[test]
fn every_key_is_deleted_and_ours_last() {
    let mut keys = Keys { ids: vec!["a", OWN, "b"], stubborn: None, own_works: true };
    let (outcome, calls) = run(routine(Action::DeleteApiKeys), |call| keys.answer(call));
    assert!(outcome.ok && outcome.verified, "{:?}", outcome.detail);
    let deleted: Vec<_> = calls.iter().filter(|call| call.starts_with("DELETE")).collect();
    let own = format!("DELETE /v3/api_keys/{OWN}");
    assert_eq!(deleted, ["DELETE /v3/api_keys/a", "DELETE /v3/api_keys/b", &own]);
    assert_eq!(calls.last().map(String::as_str), Some("GET /v3/api_keys"));
}

#[test]
fn a_key_that_cannot_be_deleted_loses_its_rights_and_that_is_not_called_deleted() {
    let mut keys = Keys { ids: vec!["a", OWN], stubborn: Some("a"), own_works: true };
    let (outcome, calls) = run(routine(Action::DeleteApiKeys), |call| keys.answer(call));
    assert!(calls.contains(&"PUT /v3/api_keys/a".to_owned()));
    assert!(calls.contains(&format!("DELETE /v3/api_keys/{OWN}")));
    assert_eq!(keys.ids, ["a"]);
    assert!(outcome.ok && !outcome.verified && !keys.own_works, "{:?}", outcome.detail);
}

#[test]
fn our_key_is_kept_for_another_try_when_another_one_stays() {
    let mut keys = Keys { ids: vec!["a", OWN], stubborn: None, own_works: true };
    let (outcome, _) = run(routine(Action::DeleteApiKeys), |call| match call.method {
        "GET" => keys.answer(call),
        _ => (500, json!({})),
    });
    assert!(!outcome.ok && !outcome.verified && keys.own_works);
    let said = outcome.detail.join("; ");
    assert!(said.contains("the vendor answered 500") && said.contains("is kept"), "{said}");
}

#[test]
fn a_call_without_an_answer_that_took_effect_is_seen_at_the_second_look() {
    let mut keys = Keys { ids: vec!["a", OWN], stubborn: None, own_works: true };
    let (outcome, _) = run(routine(Action::DeleteApiKeys), |call| {
        let answer = keys.answer(call);
        if call.method == "GET" { answer } else { (0, json!(null)) }
    });
    assert!(outcome.ok && outcome.verified, "{:?}", outcome.detail);
    assert!(outcome.detail.iter().any(|said| said.contains("did not answer")));
}

#[test]
fn a_key_made_while_others_are_deleted_is_deleted_too() {
    let mut keys = Keys { ids: vec!["a", OWN], stubborn: None, own_works: true };
    let mut made = false;
    let (outcome, calls) = run(routine(Action::DeleteApiKeys), |call| {
        let answer = keys.answer(call);
        if call.method == "DELETE" && !made {
            made = true;
            keys.ids.push("intruder");
        }
        answer
    });
    assert!(outcome.ok && outcome.verified);
    assert!(calls.contains(&"DELETE /v3/api_keys/intruder".to_owned()));
}

#[test]
fn a_list_that_cannot_be_read_is_never_taken_for_an_empty_one() {
    for action in
        [Action::DeleteApiKeys, Action::CancelScheduledSends, Action::UnscheduleSingleSends]
    {
        for (status, body) in [(401, json!({})), (0, json!(null)), (200, json!({"odd": 1}))] {
            let (outcome, _) = run(routine(action), |_| (status, body.clone()));
            assert!(!outcome.ok && !outcome.verified, "{action} {status}");
        }
    }
}

#[test]
fn scheduled_sends_are_cancelled_and_looked_at_again() {
    let mut status = [("b/1", "pause"), ("b2", "cancel")];
    let (outcome, calls) = run(routine(Action::CancelScheduledSends), |call| match call.method {
        "GET" => {
            let rows = status.iter().map(|(id, it)| json!({"batch_id": id, "status": it}));
            (200, rows.collect())
        }
        "POST" => (400, json!({})),
        _ => {
            status[0].1 = "cancel";
            (204, json!(null))
        }
    });
    assert!(outcome.ok && outcome.verified, "{:?}", outcome.detail);
    let expected = [
        "GET /v3/user/scheduled_sends",
        "POST /v3/user/scheduled_sends",
        "PATCH /v3/user/scheduled_sends/b%2F1",
        "GET /v3/user/scheduled_sends",
    ];
    assert_eq!(calls, expected);
}

#[test]
fn an_empty_list_of_scheduled_sends_proves_nothing() {
    let (outcome, _) = run(routine(Action::CancelScheduledSends), |_| (200, json!([])));
    assert!(outcome.ok && !outcome.verified);
    assert!(outcome.detail.iter().any(|said| said.contains("not in the list")));
}

#[test]
fn scheduled_campaigns_are_found_on_every_page() {
    let mut scheduled = vec!["s1", "s2"];
    let (outcome, calls) = run(routine(Action::UnscheduleSingleSends), |call| {
        if call.method == "DELETE" {
            scheduled.retain(|id| !call.path.contains(id));
            return (200, json!({}));
        }
        let second = call.path.contains("page_token");
        let id = if second { "s2" } else { "s1" };
        let status = if scheduled.contains(&id) { "scheduled" } else { "draft" };
        let next = "https://api.sendgrid.com/v3/marketing/singlesends?page_token=2";
        let metadata = if second { json!({}) } else { json!({"next": next}) };
        let rows = json!([{"id": id, "status": status}, {"id": "t", "status": "triggered"}]);
        (200, json!({"result": rows, "_metadata": metadata}))
    });
    assert!(outcome.ok && outcome.verified, "{:?}", outcome.detail);
    assert_eq!(calls.iter().filter(|call| call.starts_with("DELETE")).count(), 2);
}

#[test]
fn a_list_without_an_end_is_left_and_not_called_empty() {
    let (outcome, calls) = run(routine(Action::UnscheduleSingleSends), |_| {
        let next = "https://api.sendgrid.com/v3/marketing/singlesends?page_token=x";
        (200, json!({"result": [], "_metadata": {"next": next}}))
    });
    assert!(!outcome.ok && !outcome.verified);
    assert_eq!(calls.len(), limits::VENDOR_LIST_PAGES);
}

#[test]
fn evidence_is_kept_and_the_old_key_is_proven_dead() {
    let (outcome, calls) = run(routine(Action::SnapshotEvidence), |_| (200, json!({"result": []})));
    assert!(outcome.ok && outcome.verified);
    assert_eq!(outcome.evidence.len(), calls.len());
    assert!(calls.iter().all(|call| call.starts_with("GET ")), "it changes nothing");

    let (outcome, _) = run(routine(Action::ProveKeyRefused), |call| {
        assert_eq!((call.credential, call.path.as_str()), (CredentialUse::Revoked, "/v3/scopes"));
        (401, json!({}))
    });
    assert!(outcome.verified);
}

#[test]
fn every_step_has_a_guide_and_no_detail_has_a_secret() {
    for &action in Action::ALL {
        let guide = SendGrid.guide(action);
        assert!(!guide.steps.is_empty() && !guide.proof.is_empty(), "{action}");
    }
    let mut keys = Keys { ids: vec!["a", OWN], stubborn: Some("a"), own_works: true };
    let (outcome, _) = run(routine(Action::DeleteApiKeys), |call| keys.answer(call));
    assert!(!format!("{outcome:?}").contains("0123456789012345678"));
}

#[test]
fn an_export_is_read_in_either_case_with_its_own_columns() {
    let csv = "EMAIL,first_name,ADDRESS_LINE_1,City,PHONE_NUMBER_ID,EXTERNAL_ID,ALTERNATE_EMAILS,\
               CREATED_AT,CONTACT_ID,plan\n\
               Ann@example.com,Ann,,Rome,+4930123456,u1,\"a@x.example,b@x.example\",2026,7,pro\n\
               ,,,,,,,2026,8,\n\
               not an address,,,,,,,,,\n\
               bob@example.com,,,,,,,,,\n";
    let export = SendGrid.read_export(csv.as_bytes()).expect("the header is SendGrid's");
    assert_eq!(export.custom_columns, ["plan"]);
    let rows: Vec<_> = export.rows.collect();
    let ann = rows[0].as_ref().expect("a whole row");
    assert_eq!(ann.identifiers.len(), 5);
    assert_eq!(ann.fields, fields("email,name,location,phone,username,custom"));
    let broken = |line, why| Err(ExportError::Row { line, why });
    assert_eq!(rows[1], broken(3, "it names nobody"));
    assert_eq!(rows[2], broken(4, "its address is not valid"));
    assert_eq!(rows[3].as_ref().expect("a whole row").fields, fields("email"));
}

#[test]
fn an_export_without_addresses_is_none_of_sendgrids() {
    for csv in ["", "NAME\nAnn\n"] {
        let refused = SendGrid.read_export(csv.as_bytes()).err();
        assert_eq!(refused, Some(ExportError::Column("EMAIL")));
    }
}

#[test]
fn every_documented_example_is_read_without_unknown_keys() {
    let Some(spec) = openapi("sendgrid/tsg_mail_v3.json") else { return };
    let examples = &spec["components"]["requestBodies"]["PostMailSend"]["content"]["application/json"]
        ["examples"];
    let examples = examples.as_object().expect("examples");
    assert!(examples.len() >= 2);
    for (name, example) in examples {
        let call = mail(&example["value"]).expect(name);
        assert!(call.unknown.is_empty() && !call.parties.is_empty(), "{name}");
        assert_eq!(written(&Policy::default(), &call), example["value"], "{name}");
    }
}

/// Every key that a schema has, with a value that fits.
fn sample(spec: &Value, schema: &Value) -> Value {
    if let Some(pointer) = schema["$ref"].as_str() {
        return sample(spec, spec.pointer(&pointer[1..]).expect("a reference leads somewhere"));
    }
    if let Some(properties) = schema["properties"].as_object() {
        return properties
            .iter()
            .map(|(key, schema)| (key.clone(), sample(spec, schema)))
            .collect();
    }
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("array"), _) => json!([sample(spec, &schema["items"])]),
        (Some("integer" | "number"), _) => json!(7),
        (Some("boolean"), _) => json!(true),
        (Some("object"), _) => json!({"own": "x"}),
        (_, Some("email")) => json!("ann@example.com"),
        _ => json!("x@example.com"),
    }
}

#[test]
fn every_documented_key_is_known() {
    if let Some(spec) = openapi("sendgrid/tsg_mail_v3.json") {
        let schema = &spec["components"]["requestBodies"]["PostMailSend"]["content"]["application/json"]
            ["schema"];
        let call = mail(&sample(&spec, schema)).expect("readable");
        assert_eq!(call.unknown, [""; 0]);
    }
    if let Some(spec) = openapi("sendgrid/tsg_mc_contacts_v3.json") {
        let schema = &spec["paths"]["/v3/marketing/contacts"]["put"]["requestBody"]["content"]["application/json"]
            ["schema"];
        let call = contacts(&sample(&spec, schema)).expect("readable");
        assert_eq!(call.unknown, [""; 0]);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z@.+0-9]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let key = "(email|name|to|custom_args|subject|[a-z]{1,4})";
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(key, inner, 0..4)
                .prop_map(|entries| entries.into_iter().collect()),
        ]
    })
}

fn any_mail() -> impl Strategy<Value = Value> {
    let recipient = ("[a-z]{1,6}", proptest::option::of("[A-Z][a-z]{0,6}"), any_json());
    let recipient = recipient.prop_map(|(local, name, odd)| {
        json!({"email": format!("{local}@example.com"), "name": name, "odd": odd})
    });
    let personalization = (proptest::collection::vec(recipient, 1..4), any_json(), any::<bool>());
    let personalization = personalization.prop_map(|(to, data, custom)| {
        let args = if custom { json!({"a": data}) } else { Value::Null };
        json!({"to": to, "custom_args": args, "dynamic_template_data": {"d": data}})
    });
    (proptest::collection::vec(personalization, 1..4), any_json()).prop_map(|(all, odd)| {
        json!({"personalizations": all, "from": {"email": "shop@example.com"}, "odd": odd,
            "attachments": [{"content": "aGk=", "filename": "a"}]})
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let path = "/v3/marketing/contacts";
        let _read = mail_bytes(&bytes);
        let _read = SendGrid.read(&outbound("PUT", path, "application/json", &bytes));
        if let Ok(export) = SendGrid.read_export(&bytes) {
            prop_assert!(export.rows.count() <= bytes.len());
        }
    }

    #[test]
    fn any_json_is_read_or_refused(body in any_json()) {
        let wrapped = json!({"personalizations": [body], "contacts": [body], "custom_args": body});
        for body in [&body, &wrapped] {
            for call in [mail(body), contacts(body)].into_iter().flatten() {
                prop_assert!(call.parties.iter().all(|party| !party.identifiers.is_empty()));
            }
        }
    }

    #[test]
    fn what_is_dropped_is_gone_and_what_is_written_reads_the_same(
        body in any_mail(),
        drop_name: bool,
        drop_custom: bool,
        drop_attachment: bool,
    ) {
        let call = mail(&body).expect("readable");
        let drops = [
            (Field::Name, drop_name),
            (Field::Custom, drop_custom),
            (Field::Attachment, drop_attachment),
        ];
        let dropped = drops.iter().filter(|(_, drop)| *drop).map(|(field, _)| *field);
        let gone: FieldSet = dropped.clone().collect();
        let policy = Policy {
            actions: dropped.map(|field| (field, FieldAction::Drop)).collect(),
            drop_unknown: true,
            ..Policy::default()
        };
        let out = policy.write(&call).expect("it can be written");
        let again = mail_bytes(&out).expect("readable");
        prop_assert!(again.unknown.is_empty());
        let expected: Vec<_> = call.parties.iter().map(|party| party.fields.minus(gone)).collect();
        let found: Vec<_> = again.parties.iter().map(|party| party.fields).collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(Policy::default().write(&again).expect("once more"), out);
    }
}
