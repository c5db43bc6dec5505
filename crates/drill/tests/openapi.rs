//! Every route of the sandbox against SendGrid's own OpenAPI files: the status is documented, and
//! the body is of the documented schema. Skipped, and said so, where the files are not there.

mod schema;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use drill::sandbox::{Config, Fraud, KnownList, Sandbox};
use http_body_util::{BodyExt as _, Limited};
use model::{Secret, Timestamp, World};
use schema::Specifications;
use serde_json::{Value, json};
use tower::ServiceExt as _;

const LIST: &str = "5f0c1f0e-6a51-4c67-9a5e-3f1d6c2b7a10";
const LIMIT: usize = 1024 * 1024;

struct Account {
    sandbox: Sandbox,
    key: Secret<String>,
    specifications: Specifications,
}

impl Account {
    fn open() -> Option<Self> {
        let specifications = Specifications::load()?;
        let (world, _) = World::fixed(Timestamp::from_seconds(1_770_000_000), 1);
        let config = Config {
            lists: vec![KnownList { id: LIST.to_owned(), name: "members".to_owned() }],
            custom_fields: vec!["ip".to_owned()],
            ..Config::default()
        };
        let sandbox = Sandbox::new(config, world).expect("a sandbox");
        let key = sandbox.create_api_key("all", &[]).key;
        Some(Self { sandbox, key, specifications })
    }

    async fn send(&self, key: &str, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)
            .expect("a request");
        let response = self.sandbox.router().oneshot(request).await.expect("an answer");
        let status = response.status();
        let bytes = Limited::new(response.into_body(), LIMIT).collect().await.expect("a body");
        let bytes = bytes.to_bytes();
        let value = match bytes.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&bytes).expect("JSON"),
        };
        (status, value)
    }

    /// Sends, expects the status, and holds the answer against the specification of `template`.
    async fn check(&self, template: &str, path: &str, body: Value, expected: u16) -> Value {
        let (method, template) = template.split_once(' ').expect("a method and a path");
        let (status, value) = self.send(self.key.expose(), method, path, body).await;
        assert_eq!(status.as_u16(), expected, "{method} {path}: {value}");
        self.specifications.check(method, template, expected, &value);
        value
    }
}

fn mail() -> Value {
    json!({
        "personalizations": [{"to": [{"email": "ann@members.example", "name": "Ann"}]}],
        "from": {"email": "hello@lumen.example"}, "subject": "Hello",
        "content": [{"type": "text/plain", "value": "Hello."}],
    })
}

fn without(key: &str) -> Value {
    let mut mail = mail();
    mail.as_object_mut().expect("an object").remove(key);
    mail
}

macro_rules! account {
    () => {
        match Account::open() {
            Some(account) => account,
            None => return eprintln!("skipped: SendGrid's OpenAPI files are not there"),
        }
    };
}

#[tokio::test]
async fn sending_answers_as_documented() {
    let account = account!();
    let send = "POST /v3/mail/send";
    account.check(send, "/v3/mail/send", mail(), 202).await;
    for missing in ["from", "personalizations", "content", "subject"] {
        let refused = account.check(send, "/v3/mail/send", without(missing), 400).await;
        let field = refused["errors"][0]["field"].as_str().expect("the field");
        assert!(field.starts_with(missing), "{missing} is named: {field}");
    }
    let mut late = mail();
    late["send_at"] = json!(1_770_000_000 + 73 * 60 * 60);
    account.check(send, "/v3/mail/send", late, 400).await;

    let batch = account.check("POST /v3/mail/batch", "/v3/mail/batch", Value::Null, 201).await;
    let id = batch["batch_id"].as_str().expect("an id");
    let one = "GET /v3/mail/batch/{batch_id}";
    account.check(one, &format!("/v3/mail/batch/{id}"), Value::Null, 200).await;
    account.check(one, "/v3/mail/batch/none", Value::Null, 400).await;
}

#[tokio::test]
async fn keys_that_may_not_are_refused_as_documented() {
    let account = account!();
    let (status, body) = account.send("SG.none", "POST", "/v3/mail/send", mail()).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    account.specifications.check("POST", "/v3/mail/send", 401, &body);
    let message = "The provided authorization grant is invalid, expired, or revoked";
    let error = json!({"message": message, "field": null, "help": null});
    assert_eq!(body, json!({"errors": [error]}));

    let weak = account.sandbox.create_api_key("weak", &["api_keys.read"]).key;
    let (status, body) = account.send(weak.expose(), "POST", "/v3/mail/send", mail()).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    account.specifications.check("POST", "/v3/mail/send", 403, &body);
}

#[tokio::test]
async fn scheduled_sends_answer_as_documented() {
    let account = account!();
    let all = "/v3/user/scheduled_sends";
    let batch = account.check("POST /v3/mail/batch", "/v3/mail/batch", Value::Null, 201).await;
    let id = batch["batch_id"].as_str().expect("an id");
    let pause = json!({"batch_id": id, "status": "pause"});
    let post = "POST /v3/user/scheduled_sends";
    account.check(post, all, pause.clone(), 201).await;
    account.check(post, all, pause, 400).await;
    let rows = account.check("GET /v3/user/scheduled_sends", all, Value::Null, 200).await;
    assert_eq!(rows.as_array().map(Vec::len), Some(1));
    let one = format!("{all}/{id}");
    let template = "/v3/user/scheduled_sends/{batch_id}";
    account.check(&format!("GET {template}"), &one, Value::Null, 200).await;
    let cancel = json!({"status": "cancel"});
    account.check(&format!("PATCH {template}"), &one, cancel.clone(), 204).await;
    account.check(&format!("DELETE {template}"), &one, Value::Null, 204).await;
    account.check(&format!("PATCH {template}"), &one, cancel, 404).await;
}

#[tokio::test]
async fn contacts_and_exports_answer_as_documented() {
    let account = account!();
    let path = "/v3/marketing/contacts";
    let put = "PUT /v3/marketing/contacts";
    let contact = json!({
        "email": "Ann@members.example", "first_name": "Ann", "external_id": "m1",
        "alternate_emails": ["ann2@members.example"], "custom_fields": {"ip": "192.0.2.1"},
    });
    let body = json!({"list_ids": [LIST], "contacts": [contact]});
    account.check(put, path, body, 202).await;
    let unknown = json!({"list_ids": ["none"], "contacts": [{"email": "a@members.example"}]});
    account.check(put, path, unknown, 400).await;
    account.check(put, path, json!({"contacts": [{"first_name": "A"}]}), 400).await;
    let search = "POST /v3/marketing/contacts/search/emails";
    let at = "/v3/marketing/contacts/search/emails";
    let both = json!({"emails": ["ann2@members.example", "eve@members.example"]});
    let found = account.check(search, at, both, 200).await;
    assert_eq!(found["result"]["ann2@members.example"]["contact"]["first_name"], "Ann");
    account.check(search, at, json!({"emails": ["eve@members.example"]}), 404).await;
    account.check(search, at, json!({"emails": ["no address"]}), 400).await;
    let count = "/v3/marketing/contacts/count";
    account.check(&format!("GET {count}"), count, Value::Null, 200).await;

    let exports = "/v3/marketing/contacts/exports";
    let body = json!({"list_ids": [LIST]});
    let export = account.check(&format!("POST {exports}"), exports, body, 202).await;
    account.sandbox.intruder().export_contacts(Some(LIST));
    let jobs = account.check(&format!("GET {exports}"), exports, Value::Null, 200).await;
    assert_eq!(jobs["result"].as_array().map(Vec::len), Some(2), "the intruder's one shows");
    let one = format!("{exports}/{}", export["id"].as_str().expect("an id"));
    account.check(&format!("GET {exports}/{{id}}"), &one, Value::Null, 200).await;
    account
        .check(&format!("GET {exports}/{{id}}"), &format!("{exports}/0"), Value::Null, 404)
        .await;
    let all = "/v3/marketing/contacts?delete_all_contacts=true";
    account.check("DELETE /v3/marketing/contacts", all, Value::Null, 202).await;
}

#[tokio::test]
async fn single_sends_answer_as_documented() {
    let account = account!();
    let all = "/v3/marketing/singlesends";
    let new = json!({
        "name": "News", "send_to": {"list_ids": [LIST]},
        "email_config": {"subject": "News", "plain_content": "News."},
    });
    let made = account.check(&format!("POST {all}"), all, new, 201).await;
    account.check(&format!("POST {all}"), all, json!({"name": ""}), 400).await;
    let id = made["id"].as_str().expect("an id").to_owned();
    let (one, template) = (format!("{all}/{id}"), format!("{all}/{{id}}"));
    let at = json!({"send_at": "2027-01-01T00:00:00Z"});
    let (schedule, schedule_of) = (format!("{one}/schedule"), format!("{template}/schedule"));
    account.check(&format!("PUT {schedule_of}"), &schedule, at, 201).await;
    let rows = account.check(&format!("GET {all}"), all, Value::Null, 200).await;
    assert_eq!(rows["result"][0]["status"], "scheduled");
    account.check(&format!("GET {template}"), &one, Value::Null, 200).await;
    account.check(&format!("DELETE {schedule_of}"), &schedule, Value::Null, 200).await;
    account.check(&format!("DELETE {schedule_of}"), &schedule, Value::Null, 404).await;
    let rows = account.check(&format!("GET {all}"), all, Value::Null, 200).await;
    assert_eq!(rows["result"][0]["status"], "draft");
    account.check(&format!("DELETE {template}"), &one, Value::Null, 204).await;
    account.check(&format!("GET {template}"), &one, Value::Null, 404).await;
    let many = format!("{all}?ids={id}");
    account.check(&format!("DELETE {all}"), &many, Value::Null, 404).await;
    let fraud = Fraud {
        from: "news@lumen.example".to_owned(),
        from_name: None,
        subject: "Gift".to_owned(),
        text: "Gift.".to_owned(),
    };
    let later = Timestamp::from_seconds(1_780_000_000);
    account.sandbox.intruder().schedule_campaign(&fraud, LIST, later);
    account.check(&format!("GET {all}"), all, Value::Null, 200).await;
}

#[tokio::test]
async fn keys_and_settings_answer_as_documented() {
    let account = account!();
    let all = "/v3/api_keys";
    let new = json!({"name": "mailer", "scopes": ["mail.send"]});
    let made = account.check(&format!("POST {all}"), all, new, 201).await;
    account.check(&format!("POST {all}"), all, json!({"scopes": []}), 400).await;
    let key = made["api_key"].as_str().expect("a key");
    assert!(account.sandbox.admits(&Secret::new(key.to_owned())));
    account.check(&format!("GET {all}"), all, Value::Null, 200).await;
    let one = format!("{all}/{}", made["api_key_id"].as_str().expect("an id"));
    let template = format!("{all}/{{api_key_id}}");
    account.check(&format!("GET {template}"), &one, Value::Null, 200).await;
    let strip = json!({"name": "mailer", "scopes": ["user.profile.read"]});
    account.check(&format!("PUT {template}"), &one, strip, 200).await;
    let none = json!({"name": "mailer", "scopes": []});
    account.check(&format!("PUT {template}"), &one, none, 400).await;
    account.check(&format!("PATCH {template}"), &one, json!({"name": "old"}), 200).await;
    account.check(&format!("DELETE {template}"), &one, Value::Null, 204).await;
    account.check(&format!("DELETE {template}"), &one, Value::Null, 404).await;
    assert!(!account.sandbox.admits(&Secret::new(key.to_owned())), "at once");

    let settings = "/v3/user/webhooks/event/settings";
    let hooks = account
        .check(&format!("GET {settings}/all"), &format!("{settings}/all"), Value::Null, 200)
        .await;
    let id = hooks["webhooks"][0]["id"].as_str().expect("an id");
    let signed = format!("GET {settings}/signed/{{id}}");
    account.check(&signed, &format!("{settings}/signed/{id}"), Value::Null, 200).await;
    account.check(&signed, &format!("{settings}/signed/none"), Value::Null, 404).await;
    let parse = "/v3/user/webhooks/parse/settings";
    account.check(&format!("GET {parse}"), parse, Value::Null, 200).await;
    account.check("GET /v3/teammates", "/v3/teammates?limit=500", Value::Null, 200).await;
    let activity = "/v3/access_settings/activity";
    let seen = account.check(&format!("GET {activity}"), activity, Value::Null, 200).await;
    assert!(!seen["result"].as_array().expect("rows").is_empty());
}
