//! The sandbox vendor over real sockets: mail by SMTP, signed events, schedules, the intruder's
//! acts, and its formats as the real connector reads them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes as Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use connectors::routine::{Next, RoutineInput, StepOutcome};
use connectors::{ApiReply, Connector, Event, Webhook, connector};
use drill::inbox::Inbox;
use drill::sandbox::{Config, Delivery, Fraud, KnownList, Sandbox};
use drill::scenario::Receiving;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use model::world::Fixed;
use model::{Action, Field, FieldSet, Secret, Timestamp, World};
use serde_json::{Value, json};
use tokio::net::TcpListener;

const START: i64 = 1_770_000_000;
const LIST: &str = "5f0c1f0e-6a51-4c67-9a5e-3f1d6c2b7a10";

/// The company's end of the webhook: fails so often, then believes only what is signed.
#[derive(Clone, Default)]
struct Company(Arc<Mutex<Ears>>);

#[derive(Default)]
struct Ears {
    failures_left: u32,
    key: String,
    batches: usize,
    events: Vec<Event>,
}

async fn hear(State(company): State<Company>, headers: HeaderMap, body: Body) -> StatusCode {
    let mut ears = company.0.lock().expect("no test panics while it listens");
    if ears.failures_left > 0 {
        ears.failures_left -= 1;
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let webhook = Webhook {
        url: "http://company.example/hooks/sendgrid",
        header: &|name| headers.get(name)?.to_str().ok(),
        body: &body,
        secret: &Secret::new(ears.key.clone()),
        now: Timestamp::from_seconds(START),
    };
    match sendgrid().webhook(&webhook) {
        Ok(events) => {
            ears.batches += 1;
            ears.events.extend(events);
            StatusCode::OK
        }
        Err(_) => StatusCode::FORBIDDEN,
    }
}

fn sendgrid() -> &'static dyn Connector {
    connector("sendgrid").expect("it is registered")
}

struct Vendor {
    sandbox: Sandbox,
    clock: Arc<Fixed>,
    address: SocketAddr,
    key: Secret<String>,
    inbox: Arc<Inbox>,
    company: Company,
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

impl Vendor {
    async fn open(failures: u32) -> Self {
        let (world, clock) = World::fixed(Timestamp::from_seconds(START), 1);
        let inbox = Arc::new(Inbox::new(Receiving::default(), None));
        let (mail, mail_address) = listen().await;
        let tls = mail::self_signed("mx.letters.example").expect("a certificate");
        let receiver = mail::Receiver::new("mx.letters.example", tls);
        tokio::spawn(receiver.serve(mail, inbox.clone(), std::future::pending()));

        let company = Company::default();
        let (hooks, hooks_address) = listen().await;
        let app = Router::new().route("/hooks/sendgrid", post(hear)).with_state(company.clone());
        tokio::spawn(async move { axum::serve(hooks, app).await });

        let sandbox = Sandbox::new(
            Config {
                lists: vec![KnownList { id: LIST.to_owned(), name: "members".to_owned() }],
                custom_fields: vec!["activity".to_owned()],
                delivery: Some(Delivery {
                    to: mail_address,
                    domains: vec!["letters.example".to_owned()],
                    signed_as: vec!["lumen.example".to_owned()],
                }),
                webhook_url: Some(format!("http://{hooks_address}/hooks/sendgrid")),
            },
            world,
        )
        .expect("a sandbox");
        {
            let mut ears = company.0.lock().expect("nobody holds it");
            (ears.key, ears.failures_left) = (sandbox.webhook_public_key(), failures);
        }
        let key = sandbox.create_api_key("company", &[]).key;
        let (api, address) = listen().await;
        tokio::spawn(sandbox.clone().serve(api, std::future::pending()));
        Self { sandbox, clock, address, key, inbox, company }
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> Response<Incoming> {
        let client =
            Client::builder(TokioExecutor::new()).build::<_, Full<Bytes>>(HttpConnector::new());
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("authorization", format!("Bearer {}", self.key.expose()))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .expect("a request");
        client.request(request).await.expect("an answer")
    }

    async fn send(&self, to: &str, more: Value) -> String {
        let mut body = json!({
            "personalizations": [{"to": [{"email": to, "name": "Ann Lee"}]}],
            "from": {"email": "hello@lumen.example", "name": "Lumen"}, "subject": "Grüße",
            "content": [{"type": "text/plain", "value": "Hallo."},
                        {"type": "text/html", "value": "<p>Hallo.</p>"}],
        });
        let more = more.as_object().expect("an object").clone();
        body.as_object_mut().expect("an object").extend(more);
        let response = self.call("POST", "/v3/mail/send", &body).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        let id = response.headers().get("x-message-id").expect("an id");
        id.to_str().expect("text").to_owned()
    }

    fn events(&self) -> Vec<Event> {
        self.company.0.lock().expect("nobody holds it").events.clone()
    }
}

fn fraud() -> Fraud {
    Fraud {
        from: "hello@lumen.example".to_owned(),
        from_name: Some("Lumen".to_owned()),
        subject: "A gift".to_owned(),
        text: "Connect your wallet.".to_owned(),
    }
}

#[tokio::test]
async fn an_accepted_message_is_delivered_and_reported_with_its_arguments() {
    let vendor = Vendor::open(0).await;
    let id =
        vendor.send("Ann@letters.example", json!({"custom_args": {"cordon_ref": "c1.x"}})).await;
    vendor.send("bob@elsewhere.example", json!({})).await;
    vendor.sandbox.idle().await;

    assert_eq!(vendor.inbox.tally().mails, 1, "only the drill's own domains get real mail");
    assert!(vendor.inbox.got("ann@letters.example").is_some());
    let events = vendor.events();
    let of = |message: &str| -> Vec<_> {
        let own = events.iter().filter(|event| event.message.as_deref() == Some(message));
        own.map(|event| (event.event.clone(), event.reference.clone())).collect()
    };
    let reference = Some("c1.x".to_owned());
    let expect = ["processed", "delivered"].map(|event| (event.to_owned(), reference.clone()));
    assert_eq!(of(&id), expect);
    assert_eq!(events.len(), 4);
    assert!(events.iter().all(|event| event.recipient.is_some()));
    let mut ids: Vec<_> = events.iter().map(|event| &event.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4, "every event has an id of its own");
}

#[tokio::test]
async fn a_delivered_message_is_signed_in_the_name_of_the_customers_domain() {
    let vendor = Vendor::open(0).await;
    vendor.inbox.publish(vendor.sandbox.dkim_records().to_vec());
    vendor.send("ann@letters.example", json!({"headers": {"X-Ours": "1"}})).await;
    vendor.sandbox.idle().await;
    let got = vendor.inbox.got("ann@letters.example").expect("it came");
    assert_eq!(got.mails, 1);
    assert!(got.signed, "by the key under which the vendor signs for its customer");
    assert_eq!(vendor.inbox.tally().unreadable, 0);
}

#[tokio::test]
async fn events_are_tried_again_until_the_receiver_is_well() {
    let vendor = Vendor::open(2).await;
    vendor.send("ann@elsewhere.example", json!({})).await;
    vendor.sandbox.wait_until(|counts| counts.events_posted == 2).await;
    assert_eq!(vendor.events().len(), 2);
    assert_eq!(vendor.sandbox.counts().events_lost, 0);
}

#[tokio::test]
async fn many_events_come_in_batches_of_at_most_five_hundred() {
    let vendor = Vendor::open(0).await;
    let recipients: Vec<_> = (0..600).map(|n| format!("m{n}@members.example")).collect();
    vendor.sandbox.intruder().send_from_account(&fraud(), &recipients).await;
    vendor.sandbox.idle().await;
    assert_eq!(vendor.events().len(), 1_200);
    let batches = vendor.company.0.lock().expect("nobody holds it").batches;
    assert!((3..200).contains(&batches), "{batches} batches");
}

#[tokio::test]
async fn what_the_intruder_sends_is_reported_without_a_reference_and_is_no_disclosure() {
    let vendor = Vendor::open(0).await;
    let to = ["canary@letters.example".to_owned(), "ann@members.example".to_owned()];
    vendor.sandbox.intruder().send_from_account(&fraud(), &to).await;
    vendor.sandbox.idle().await;
    assert_eq!(vendor.inbox.tally().mails, 1, "the canary gets it by real mail");
    let events = vendor.events();
    assert_eq!(events.len(), 4);
    assert!(events.iter().all(|event| event.reference.is_none()));
    assert!(vendor.sandbox.received().is_empty(), "the company gave nothing here");
}

#[tokio::test]
async fn a_scheduled_message_goes_when_it_is_due_unless_its_batch_is_cancelled() {
    let vendor = Vendor::open(0).await;
    let intruder = vendor.sandbox.intruder();
    let later = Timestamp::from_seconds(START + 3_600);
    let to = ["ann@members.example".to_owned()];
    let stopped = intruder.schedule_send(&fraud(), &to, later, true).await;
    intruder.schedule_send(&fraud(), &to, later, false).await;
    assert_eq!(intruder.waiting(), 2);

    let path = format!("/v3/user/scheduled_sends/{stopped}");
    let status = vendor.call("PATCH", &path, &json!({"status": "cancel"})).await.status();
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(intruder.waiting(), 1);
    vendor.clock.advance_seconds(3_601);
    vendor.sandbox.wait_until(|counts| counts.delivered == 1).await;
    vendor.sandbox.idle().await;
    assert_eq!(vendor.sandbox.counts().delivered, 1, "the cancelled one never goes");
    assert_eq!(intruder.waiting(), 0);
}

#[tokio::test]
async fn a_campaign_reaches_its_list_unless_it_is_unscheduled() {
    let vendor = Vendor::open(0).await;
    let as_of = Timestamp::from_seconds(START - 86_400);
    for n in 0..3 {
        let email = format!("m{n}@members.example");
        vendor.sandbox.preload(Some(LIST), as_of, &[("email", &email)]).expect("it fits");
    }
    vendor.sandbox.preload(None, as_of, &[("email", "x@members.example")]).expect("it fits");
    let intruder = vendor.sandbox.intruder();
    let later = Timestamp::from_seconds(START + 60);
    let stopped = intruder.schedule_campaign(&fraud(), LIST, later);
    let path = format!("/v3/marketing/singlesends/{stopped}/schedule");
    assert_eq!(vendor.call("DELETE", &path, &json!({})).await.status(), StatusCode::OK);
    intruder.schedule_campaign(&fraud(), LIST, later);
    vendor.clock.advance_seconds(61);
    vendor.sandbox.wait_until(|counts| counts.delivered == 3).await;
    vendor.sandbox.idle().await;
    assert_eq!(vendor.sandbox.counts().messages, 3);
}

#[tokio::test]
async fn what_was_received_is_kept_with_its_fields_lists_and_time() {
    let vendor = Vendor::open(0).await;
    let contact = json!({"email": "Ann@members.example", "first_name": "Ann", "external_id": "m1",
                         "country": "DE", "custom_fields": {"activity": "3"}});
    let body = json!({"list_ids": [LIST], "contacts": [contact]});
    let status = vendor.call("PUT", "/v3/marketing/contacts", &body).await.status();
    assert_eq!(status, StatusCode::ACCEPTED);
    vendor.clock.advance_seconds(5);
    vendor.send("ann@members.example", json!({"custom_args": {"cordon_ref": "c1.x"}})).await;

    let received = vendor.sandbox.received();
    let told: Vec<_> = received
        .iter()
        .map(|row| (row.operation.as_ref(), row.fields.to_string(), row.at.seconds() - START))
        .collect();
    let contact = ("contacts.upsert", "email,name,username,location,custom".to_owned(), 0);
    assert_eq!(told, [contact, ("mail.send", "email,name,content".to_owned(), 5)]);
    assert_eq!(received[0].lists, [Box::from(LIST)]);
    assert_eq!(received[0].user_ids, [Box::from("m1")]);
}

#[tokio::test]
async fn the_real_connector_reads_the_export_and_finds_the_same() {
    let vendor = Vendor::open(0).await;
    let as_of = Timestamp::from_seconds(START - 86_400);
    let ann = [
        ("email", "ann@members.example"),
        ("first_name", "Ann, \"A\""),
        ("external_id", "m1"),
        ("phone_number_id", "+99950000001"),
        ("country", "DE"),
        ("activity", "3"),
    ];
    vendor.sandbox.preload(Some(LIST), as_of, &ann).expect("it fits");
    vendor.sandbox.preload(None, as_of, &[("email", "bob@members.example")]).expect("it fits");
    let csv = vendor.sandbox.dataset_csv(Some(LIST));
    let export = sendgrid().read_export(&csv).expect("the connector knows the header");
    assert_eq!(export.custom_columns.len(), 1);
    let rows: Vec<_> = export.rows.map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), 1, "of the list alone");
    assert_eq!(rows[0].identifiers.len(), 3);
    let received = vendor.sandbox.received()[0].fields;
    assert_eq!(rows[0].fields, received, "both read the same fields");
    assert!(rows[0].fields.contains(Field::Custom));

    let whole = vendor.sandbox.dataset_csv(None);
    assert_eq!(sendgrid().read_export(&whole).expect("it reads").rows.count(), 2);
    assert_eq!(vendor.sandbox.intruder().export_contacts(Some(LIST)), 1);
    assert_eq!(vendor.sandbox.exported_csv(), csv, "what was taken is what was there");
}

#[tokio::test]
async fn the_real_connector_reads_the_same_fields_out_of_a_request() {
    let scenario = include_str!("../../../scenarios/flickr-2026-02.toml");
    let scenario = drill::scenario::Scenario::parse(scenario).expect("it reads");
    let custom = &scenario.vendors[0].custom_fields;
    let people = drill::people::People::new(&scenario.id, &scenario.company);
    let vendor = Vendor::open(0).await;
    for (number, fields) in ["email", "email,name", "email,name,username,location"]
        .map(|fields| FieldSet::parse(fields).expect("fields"))
        .into_iter()
        .enumerate()
    {
        let person = people.first(100).filter(|person| person.country.is_some()).nth(number);
        let person = person.expect("somebody");
        let email = person.first_email().expect("an address");
        let values = drill::contact::values(&person, email, fields, custom);
        let upsert = drill::contact::upsert(Some(LIST), &[values], custom);
        let message = drill::contact::message(&scenario.company, &person, email, fields);
        for (method, path, body) in
            [("PUT", "/v3/marketing/contacts", upsert), ("POST", "/v3/mail/send", message)]
        {
            let bytes = body.to_string().into_bytes();
            let outbound = connectors::Outbound {
                method,
                path,
                query: None,
                content_type: Some("application/json"),
                header: &|_| None,
                body: &bytes,
            };
            let call = sendgrid().read(&outbound).expect("the connector reads it");
            assert!(call.unknown.is_empty(), "every key is documented: {:?}", call.unknown);
            assert!(vendor.call(method, path, &body).await.status().is_success());
            let last = vendor.sandbox.received().pop();
            let last = last.expect("it was received");
            assert_eq!(last.fields, call.parties[0].fields, "{method} of {fields}");
            assert_eq!(last.operation.as_ref(), call.operation.name);
        }
    }
}

/// Runs a routine of the real connector against the sandbox, call by call.
async fn run(vendor: &Vendor, action: Action) -> StepOutcome {
    let input = RoutineInput { credential: vendor.key.clone() };
    let mut routine = sendgrid().routine(action, input).expect("SendGrid has calls for it");
    let mut next = routine.next(None);
    loop {
        let call = match next {
            Next::Call(call) => call,
            Next::Done(outcome) => return outcome,
        };
        let body = call.body.map(|(_, body)| body).unwrap_or_default();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let response = vendor.call(call.method, &call.path, &body).await;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), 1024 * 1024).collect().await;
        let body = body.expect("a body").to_bytes().to_vec();
        next = routine.next(Some(&ApiReply { status, body }));
    }
}

#[tokio::test]
async fn the_real_connector_stops_the_intruder_and_proves_it() {
    let vendor = Vendor::open(0).await;
    let intruder = vendor.sandbox.intruder();
    let as_of = Timestamp::from_seconds(START - 86_400);
    let ann = [("email", "ann@members.example")];
    vendor.sandbox.preload(Some(LIST), as_of, &ann).expect("it fits");
    let later = Timestamp::from_seconds(START + 3_600);
    assert_eq!(intruder.addresses(Some(LIST)), ["ann@members.example"]);
    intruder.export_contacts(None);
    intruder.schedule_campaign(&fraud(), LIST, later);
    intruder.schedule_send(&fraud(), &intruder.addresses(None), later, true).await;
    let stolen = intruder.create_api_key("backup", &[]).key;

    let snapshot = run(&vendor, Action::SnapshotEvidence).await;
    assert!(snapshot.ok, "{:?}", snapshot.detail);
    let exports = snapshot.evidence.iter().find(|(name, _)| name.contains("export"));
    let exports = exports.expect("the exports are kept");
    assert!(String::from_utf8_lossy(&exports.1).contains("contacts_export"));
    let cancelled = run(&vendor, Action::CancelScheduledSends).await;
    assert!(cancelled.ok && cancelled.verified, "{:?}", cancelled.detail);
    let unscheduled = run(&vendor, Action::UnscheduleSingleSends).await;
    assert!(unscheduled.ok && unscheduled.verified, "{:?}", unscheduled.detail);
    assert_eq!(intruder.waiting(), 0);
    assert!(vendor.sandbox.admits(&stolen) && vendor.sandbox.admits(&vendor.key));
    let deleted = run(&vendor, Action::DeleteApiKeys).await;
    assert!(deleted.ok, "{:?}", deleted.detail);
    assert!(!vendor.sandbox.admits(&stolen) && !vendor.sandbox.admits(&vendor.key));
    let proven = run(&vendor, Action::ProveKeyRefused).await;
    assert!(proven.ok && proven.verified, "{:?}", proven.detail);

    vendor.clock.advance_seconds(3_601);
    assert_eq!(vendor.sandbox.counts().delivered, 0, "nothing went out");
}
