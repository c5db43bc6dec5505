//! The program is killed (`kill -9`) at random moments, again and again: nobody who is to be told
//! is lost, nothing that left is unrecorded, and second copies are counted.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use e2e::{Company, LIST, Program, receipt, until};
use http::Method;
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use server::client::Client;

/// How often each story kills the program.
const ROUNDS: u64 = 50;
/// People who are to be told: enough that the fiftieth kill still meets mail on its way.
const PEOPLE: u64 = 4_000;

/// Numbers that follow from a seed, which is printed.
struct Chance(u64);

impl Chance {
    fn new(story: &str) -> Self {
        let seed = u64::from_le_bytes(server::door::world().bytes());
        eprintln!("{story}: seed {seed}");
        Self(seed | 1)
    }

    /// A number from 1 to `most` (xorshift).
    fn up_to(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        1 + self.0 % most
    }
}

fn directory() -> String {
    let mut csv = "person_id,email,phone,name,country,region,language,two_factor\n".to_owned();
    for number in 0..PEOPLE {
        csv.push_str(&format!("p{number},p{number}@members.example,,,DE,,en,true\n"));
    }
    csv
}

fn export() -> String {
    let mut csv = "EMAIL,FIRST_NAME,LAST_NAME\n".to_owned();
    for number in 0..PEOPLE {
        csv.push_str(&format!("p{number}@members.example,Ann,Lee\n"));
    }
    csv
}

/// Declares, scopes, drafts and approves: from then on people are being told.
async fn begin_to_tell(program: &Program) -> String {
    let admin = &program.admin;
    admin.post("/api/v1/people/index", &json!({})).await.expect("indexed");
    let terms = format!("as_of=2026-01-01T00:00:00Z&list={LIST}&complete=true");
    let path = format!("/api/v1/imports/sendgrid?{terms}");
    admin.upload(&path, "text/csv", export().into()).await.expect("imported");
    let new = json!({ "vendor": "sendgrid", "title": "the provider was breached" });
    let incident = admin.post("/api/v1/incidents", &new).await.expect("declared");
    let id = incident["id"].as_str().expect("an id").to_owned();
    until("the first scope", || async {
        let incident = admin.get(&format!("/api/v1/incidents/{id}")).await.ok()?;
        (!incident["scopes"][0].is_null()).then_some(())
    })
    .await;
    let text = json!({ "what_happened": { "en": "Somebody got into a system of a provider." } });
    let path = format!("/api/v1/incidents/{id}/notices");
    let draft = admin.post(&path, &text).await.expect("drafted");
    let notice = draft["notice"].as_str().expect("an id").to_owned();
    let approve = json!({ "command": "approve-notice", "notice": notice });
    let second = program.operator("second", "approver").await;
    let path = format!("/api/v1/incidents/{id}/commands");
    second.post(&path, &approve).await.expect("approved");
    notice
}

async fn totals(admin: &Client, notice: &str) -> Value {
    let shown = admin.get(&format!("/api/v1/notices/{notice}")).await.expect("it is shown");
    shown["totals"].clone()
}

fn adds_up(totals: &Value) -> bool {
    let count = |name: &str| totals[name].as_u64().expect("a count");
    let parts = ["delivered", "bounced", "failed", "suppressed", "pending", "unknown"];
    count("audience") == parts.iter().map(|part| count(part)).sum::<u64>()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_lost_when_the_program_is_killed_while_people_are_told() {
    let mut chance = Chance::new("killed while people are told");
    let company = Company::found().await;
    company.write("people.csv", directory());
    let mut program = company.start().await;
    company.open_shop(&program).await;
    let notice = begin_to_tell(&program).await;
    let mut under_way = 0;
    for _ in 0..ROUNDS {
        let enough = (company.inbox.tally().mails + chance.up_to(30)).min(PEOPLE);
        until("some more mail", || async { (company.inbox.tally().mails >= enough).then_some(()) })
            .await;
        program.kill().await;
        program = company.start().await;
        let totals = totals(&program.admin, &notice).await;
        assert!(adds_up(&totals), "{totals}");
        under_way += u64::from(totals["pending"] != 0);
    }
    let admin = program.admin.clone();
    until("everybody to be told", || async {
        let shown = admin.get(&format!("/api/v1/notices/{notice}")).await.ok()?;
        (shown["state"] == "done").then_some(())
    })
    .await;

    assert!(under_way >= ROUNDS / 2, "most kills met mail on its way: {under_way}");
    let totals = totals(&admin, &notice).await;
    let count = |name: &str| totals[name].as_u64().expect("a count");
    assert!(adds_up(&totals), "{totals}");
    assert_eq!(count("audience"), PEOPLE);
    assert_eq!(count("delivered") + count("unknown"), PEOPLE, "{totals}");
    let tally = company.inbox.tally();
    for number in 0..PEOPLE {
        let got = company.inbox.got(&format!("p{number}@members.example"));
        let got = got.unwrap_or_else(|| panic!("p{number} was not told"));
        assert_eq!(got.message_ids.len(), 1, "a second copy has the first one's Message-ID");
    }
    assert_eq!(tally.recipients, PEOPLE);
    assert!(tally.again <= count("possible_duplicates"), "{tally:?} against {totals}");
    let audit = admin.get("/api/v1/audit/verify").await.expect("verified");
    assert_eq!(audit["ok"], true, "{audit}");
    assert!(program.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_left_is_on_record_when_the_program_is_killed_under_load() {
    const CALLERS: u64 = 8;
    let mut chance = Chance::new("killed under load");
    let company = Company::found().await;
    let mut program = company.start().await;
    let shop = company.open_shop(&program).await;
    let bearer = format!("Bearer {}", shop.token);
    let next = Arc::new(AtomicU64::new(0));
    let mut answered = BTreeSet::new();
    for _ in 0..ROUNDS {
        let accepted = Arc::new(AtomicU64::new(0));
        let url = format!("{}/v/sendgrid/v3/mail/send", program.places.gateway);
        let caller = || {
            let (url, bearer) = (url.clone(), bearer.clone());
            let (next, accepted) = (next.clone(), accepted.clone());
            tokio::spawn(async move {
                let mut answered = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    let to = format!("b{number}@members.example");
                    if !call(&url, &bearer, &receipt(&to)).await {
                        return answered; // the program is gone
                    }
                    accepted.fetch_add(1, Ordering::SeqCst);
                    answered.push(to);
                }
            })
        };
        let callers: Vec<_> = (0..CALLERS).map(|_| caller()).collect();
        let enough = chance.up_to(40);
        until("some calls to be answered", || async {
            (accepted.load(Ordering::SeqCst) >= enough).then_some(())
        })
        .await;
        program.kill().await;
        for caller in callers {
            answered.extend(caller.await.expect("a caller ends"));
        }
        program = company.start().await;
    }

    let received: BTreeSet<String> = company
        .sandbox
        .received()
        .into_iter()
        .flat_map(|row| row.emails)
        .map(|email| email.to_string())
        .collect();
    let lost: Vec<_> = answered.difference(&received).collect();
    assert!(lost.is_empty(), "answered and never sent: {lost:?}");
    assert!(answered.len() as u64 > ROUNDS);
    for email in &received {
        let body = json!({ "email": email });
        let held = program.admin.post("/api/v1/holdings", &body).await.expect("it is answered");
        let holdings = held["holdings"].as_array().expect("a list");
        assert!(!holdings.is_empty(), "{email} left and is not on record");
    }
    assert!(program.stop().await.success());
}

/// Whether the call was answered with success; `false` when nobody answers any more.
async fn call(url: &str, bearer: &str, body: &Value) -> bool {
    let request = http::Request::builder()
        .method(Method::POST)
        .uri(url)
        .header("authorization", bearer)
        .header("content-type", "application/json")
        .body(Full::new(bytes::Bytes::from(body.to_string())))
        .expect("a request");
    let executor = hyper_util::rt::TokioExecutor::new();
    let client = hyper_util::client::legacy::Client::builder(executor).build_http();
    let Ok(response) = client.request(request).await else {
        return false;
    };
    let status = response.status();
    response.into_body().collect().await.is_ok() && status.is_success()
}
