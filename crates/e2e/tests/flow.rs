//! How much a workload gives a vendor: limits that survive a kill, floods that fill no disk, and
//! what operators see of it.

use std::convert::Infallible;

use bytes::Bytes;
use e2e::web::{Answer, get, send};
use e2e::{Company, Program, Shop, receipt, until};
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ledger::{Intent, IntentRow, Ledger, LedgerKeys};
use model::{
    FieldSet, IdentifierHash, Mode, OperationName, Purpose, RootKey, Secret, Timestamp, VendorName,
    WorkloadName, World,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// A message to so many people.
async fn post(shop: &Shop, people: usize) -> Answer {
    let mut message = receipt("p0@members.example");
    let person = |number: usize| json!({ "email": format!("p{number}@members.example") });
    message["personalizations"][0]["to"] = (0..people).map(person).collect();
    send_to(shop, "/v3/mail/send", &format!("Bearer {}", shop.token), &message).await
}

async fn send_to(shop: &Shop, path: &str, bearer: &str, body: &Value) -> Answer {
    let headers = [("authorization", bearer), ("content-type", "application/json")];
    send(Method::POST, &format!("{}{path}", shop.base), &headers, body.to_string()).await
}

fn said(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.header("x-cordon-code"))
}

async fn limit(company: &Company, limits: &[&str]) {
    let limit = ["workload", "limit", "shop", "sendgrid"];
    company.cordon(&[&limit, limits].concat()).await.done();
}

async fn row(program: &Program) -> Value {
    let shown = program.admin.get("/api/v1/gateway").await.expect("it is shown");
    let rows = shown["flows"].as_array().expect("a list").iter();
    let mut shops = rows.filter(|row| row["workload"] == "shop");
    shops.next().cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_day_may_have_is_counted_from_the_ledger_after_a_kill() {
    let company = Company::found().await;
    let mut program = company.start().await;
    let mut shop = company.open_shop(&program).await;
    limit(&company, &["--people-per-day", "10"]).await;
    assert_eq!(post(&shop, 6).await.status, 202);
    let answer = post(&shop, 5).await;
    assert_eq!(said(&answer), (429, "people-per-day"));
    assert!(answer.header("retry-after").parse::<u64>().expect("seconds") > 0);
    program.kill().await;
    program = company.start().await;
    shop.base = format!("{}/v/sendgrid", program.places.gateway);
    assert_eq!(row(&program).await["people_per_day"], 6, "the ledger has it");
    assert_eq!(said(&post(&shop, 5).await), (429, "people-per-day"));
    assert_eq!(post(&shop, 4).await.status, 202);
    assert_eq!(said(&post(&shop, 1).await), (429, "people-per-day"));
    limit(&company, &[]).await;
    assert_eq!(post(&shop, 100).await.status, 202, "what is not named is not limited");
    let audit = program.admin.get("/api/v1/audit").await.expect("listed").to_string();
    assert!(audit.contains("workload.limited"));
}

/// Two days before now in which the shop made one call to ten people in every hour, as the ledger
/// would have them.
async fn two_steady_days(company: &Company) {
    let root = std::fs::read_to_string(company.data().join("keys/root.key")).expect("a key");
    let keys =
        LedgerKeys { identifier: RootKey::parse(&root).expect("a key").mac_key("identifier") };
    let now = server::door::world().now();
    for ago in (1..=48).rev() {
        let at = now.plus_seconds(-ago * 3_600);
        let (world, _) = World::fixed(at, ago.unsigned_abs());
        let keys = LedgerKeys { identifier: keys.identifier.clone() };
        let (ledger, _) = Ledger::open(&company.data().join("ledger"), keys, world.clone())
            .expect("no program has it");
        let person = |number: u8| IntentRow {
            identifiers: vec![IdentifierHash([number; 16])],
            fields: FieldSet::parse("email").expect("a field"),
            lists: Vec::new(),
        };
        let intent = Intent {
            call: world.id(),
            at,
            vendor: VendorName::parse("sendgrid").expect("a name"),
            operation: OperationName::parse("mail-send").expect("a name"),
            workload: WorkloadName::parse("shop").expect("a name"),
            purpose: Purpose::parse("receipts").expect("a name"),
            mode: Mode::Enforce,
            asked: None,
            held_until: Timestamp::NEVER,
            rows: (1..=10).map(person).collect(),
        };
        ledger.intend(intent).await.expect("recorded");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_waits_for_an_operator_whose_word_outlives_a_restart() {
    let company = Company::found().await;
    let program = company.start().await;
    let mut shop = company.open_shop(&program).await;
    limit(&company, &["--burst-factor", "2"]).await;
    assert_eq!(post(&shop, 200).await.status, 202, "nothing is usual yet");
    assert!(program.stop().await.success());
    two_steady_days(&company).await;

    let program = company.start().await;
    shop.base = format!("{}/v/sendgrid", program.places.gateway);
    until("the history to be read", || async {
        (row(&program).await["usual"]["people"] == 10).then_some(())
    })
    .await;
    assert_eq!(said(&post(&shop, 200).await), (429, "burst-held"));
    let listed = || async {
        let listed = program.admin.get("/api/v1/gateway/bursts").await.ok()?;
        listed["bursts"].get(0).cloned()
    };
    let burst = until("the burst to be listed", listed).await;
    assert_eq!((&burst["workload"], &burst["usual"]["people"]), (&json!("shop"), &json!(10)));
    assert_eq!(burst["approved_by"], Value::Null);
    let shown = company.cordon(&["workload", "bursts"]).await.done().out;
    assert!(shown.contains("shop"), "{shown}");

    let approve = ["workload", "approve-burst", "shop", "sendgrid", "--hours", "4"];
    company.cordon(&approve).await.done();
    assert_eq!(post(&shop, 200).await.status, 202);
    assert_eq!(listed().await.expect("it stays listed")["approved_by"], "admin");
    let audit = program.admin.get("/api/v1/audit").await.expect("listed").to_string();
    assert!(audit.contains("workload.burst-held") && audit.contains("workload.burst-approved"));
    program.kill().await;
    let program = company.start().await;
    shop.base = format!("{}/v/sendgrid", program.places.gateway);
    assert_eq!(post(&shop, 200).await.status, 202, "the approval holds");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_become_traces_for_a_collector_and_their_callers_trace_goes_on() {
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let (collector, mut posts) = collector().await;
    let company = Company::found().await;
    let settings = std::fs::read_to_string(company.path("cordon.toml")).expect("settings");
    let telemetry = format!("[telemetry]\notlp_endpoint = \"{collector}\"\n");
    company.write("cordon.toml", settings + &telemetry);
    let program = company.start().await;
    let shop = company.open_shop(&program).await;
    let bearer = format!("Bearer {}", shop.token);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("traceparent", PARENT),
    ];
    let url = format!("{}/v3/mail/send", shop.base);
    let body = receipt("ann.lee@members.example").to_string();
    assert_eq!(send(Method::POST, &url, &headers, body).await.status, 202);

    let (path, text) = posts.recv().await.expect("a post");
    assert_eq!(path, "/v1/traces");
    for secret in ["@", "members", "Ann", "Lee", &shop.token] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let post: Value = serde_json::from_str(&text).expect("JSON");
    let spans = post["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().expect("spans");
    let names: Vec<_> = spans[1..].iter().filter_map(|span| span["name"].as_str()).collect();
    let phases = ["admit", "read", "decide", "limit", "transform", "record", "dispatch", "settle"];
    assert_eq!(names, phases);
    assert_eq!(spans[0]["parentSpanId"], "00f067aa0ba902b7");
    for span in spans {
        assert_eq!(span["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
        let at = |key: &str| span[key].as_str().and_then(|text| text.parse::<u128>().ok());
        assert!(at("startTimeUnixNano") <= at("endTimeUnixNano"), "{span}");
    }
    assert!(spans[1..].iter().all(|span| span["parentSpanId"] == spans[0]["spanId"]));
    assert!(program.stop().await.success());
}

/// A collector: its URL, and path and body of each post to it.
async fn collector() -> (String, mpsc::Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let (told, posts) = mpsc::channel(16);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let told = told.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let told = told.clone();
                async move {
                    let path = request.uri().path().to_owned();
                    let body = request.into_body().collect().await.expect("a body").to_bytes();
                    let text = String::from_utf8(body.to_vec()).expect("text");
                    told.send((path, text)).await.expect("the test listens");
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"{}"))))
                }
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
    (url, posts)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_strangers_is_counted_and_fills_no_disk() {
    const FLOOD: u64 = 400;
    let company = Company::found().await;
    let program = company.start().await;
    let shop = company.open_shop(&program).await;
    let records = |status: Value| status["ledger"]["records"].as_u64().expect("a number");
    let before = records(program.admin.get("/api/v1/status").await.expect("shown"));
    for number in 0..FLOOD {
        let bearer = format!("Bearer SG.{number:022}.{number:043}");
        let answer = send_to(&shop, "/v3/mail/send", &bearer, &json!({})).await;
        assert_eq!(said(&answer), (401, "token-unknown"));
    }
    until("the count to be recorded", || async {
        let status = program.admin.get("/api/v1/status").await.ok()?;
        let more = records(status) - before;
        assert!(more < 100, "{more} records of {FLOOD} refusals");
        (more > 60).then_some(())
    })
    .await;
    let metrics = metrics(&program).await;
    let labels = r#"vendor="sendgrid",workload="unknown",code="token-unknown""#;
    let line = format!("cordon_refused_total{{{labels}}} {FLOOD}\n");
    assert!(metrics.contains(&line), "{metrics}");
}

async fn metrics(program: &Program) -> String {
    let monitor = program.operator("prometheus", "monitor").await;
    let text = monitor.download("/metrics").await.expect("it is read");
    String::from_utf8(text.to_vec()).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_and_calls_hold_names_and_counts_and_nothing_of_any_person() {
    let company = Company::found().await;
    let program = company.start().await;
    let shop = company.open_shop(&program).await;
    limit(&company, &["--people-per-hour", "3"]).await;
    assert_eq!(post(&shop, 2).await.status, 202);
    let refused = post(&shop, 2).await;
    assert_eq!(said(&refused), (429, "people-per-hour"));

    let text = metrics(&program).await;
    for expected in [
        "cordon_requests_total{vendor=\"sendgrid\",workload=\"shop\",outcome=\"sent\"} 1\n",
        "cordon_refused_total{vendor=\"sendgrid\",workload=\"shop\",code=\"people-per-hour\"} 1\n",
        "cordon_people_total{vendor=\"sendgrid\",workload=\"shop\"} 4\n",
        "cordon_fields_total{vendor=\"sendgrid\",workload=\"shop\",field=\"email\"} 2\n",
        "cordon_duration_seconds_count{vendor=\"sendgrid\",workload=\"shop\",part=\"vendor\"} 1\n",
        "cordon_hour_people{vendor=\"sendgrid\",workload=\"shop\"} 2\n",
        "cordon_hour_people_limit{vendor=\"sendgrid\",workload=\"shop\"} 3\n",
        "cordon_switch{vendor=\"sendgrid\",switch=\"open\"} 1\n",
        "cordon_switch_fresh 1\n",
        "cordon_ledger_down 0\n",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    let calls = program.admin.get("/api/v1/gateway/calls").await.expect("they are told");
    assert_eq!(calls["calls"].as_array().map(Vec::len), Some(2));
    assert_eq!(calls["calls"][1]["code"], "people-per-hour");
    for (what, text) in [("metrics", text), ("calls", calls.to_string())] {
        for secret in ["@", "members", "Ann", "Lee", "receipt", &shop.token, "SG."] {
            assert!(!text.contains(secret), "{secret} in {what}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_reads_metrics_and_switches_and_nothing_else() {
    let company = Company::found().await;
    let program = company.start().await;
    let made = json!({ "name": "prometheus", "roles": ["monitor"] });
    let made = program.admin.post("/api/v1/operators", &made).await.expect("made");
    let token = Secret::new(made["token"].as_str().expect("a token").to_owned());
    let monitor = program.admin.with_token(token);
    assert!(monitor.download("/metrics").await.is_ok());
    assert!(monitor.get("/api/v1/gateway/switches").await.is_ok());
    for path in ["/api/v1/status", "/api/v1/gateway", "/api/v1/gateway/calls", "/api/v1/audit"] {
        let refused = format!("{:?}", monitor.get(path).await.expect_err("refused"));
        assert!(refused.contains("not-permitted"), "{path}: {refused}");
    }
    assert_eq!(get(&format!("{}/metrics", program.places.api)).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_followed_live_on_the_command_line() {
    let company = Company::found().await;
    let program = company.start().await;
    let shop = company.open_shop(&program).await;
    assert_eq!(post(&shop, 2).await.status, 202);
    company.cordon(&["vendor", "switch", "sendgrid", "hold"]).await.done();
    assert_eq!(said(&post(&shop, 1).await), (429, "vendor-held"));
    let all = company.cordon(&["gateway", "tail", "--once"]).await.done().out;
    let lines: Vec<_> = all.lines().collect();
    assert_eq!(lines.len(), 2, "{all}");
    assert!(lines[0].contains("shop → sendgrid") && lines[0].contains("2 people  sent 202"));
    assert!(lines[1].contains("not-sent vendor-held"), "{all}");
    let refused =
        company.cordon(&["gateway", "tail", "--once", "--refused", "--json"]).await.done();
    assert_eq!(refused.json()["code"], "vendor-held");
    let status = company.cordon(&["gateway", "status"]).await.done().out;
    assert!(status.contains("shop") && status.contains("hold"), "{status}");
}
