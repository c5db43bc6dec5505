//! The program is killed (`kill -9`) at random moments, again and again, also while it starts:
//! nobody who is to be told is lost, nothing that left is unrecorded, second copies are counted,
//! and the next start needs nobody's help.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use drill::scenario::Receiving;
use e2e::{Company, LIST, Program, receipt, until};
use http::Method;
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use server::client::Client;

/// How often each story kills the program.
const ROUNDS: u64 = 50;
/// People who are to be told: enough that the fiftieth kill still meets mail on its way.
const PEOPLE: u64 = 4_000;

/// A start is killed within so many milliseconds: about as long as one takes.
const START_MS: u64 = 150;

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

/// Kills the program, kills its next start too, and starts it again.
async fn crash(company: &Company, program: Program, chance: &mut Chance) -> Program {
    program.kill().await;
    company.start_and_kill(Duration::from_millis(chance.up_to(START_MS))).await;
    company.start().await
}

async fn audit_holds(admin: &Client) {
    let audit = admin.get("/api/v1/audit/verify").await.expect("verified");
    assert_eq!(audit["ok"], true, "{audit}");
}

fn address(number: u64) -> String {
    format!("p{number}@members.example")
}

fn directory(people: u64) -> String {
    let mut csv = "person_id,email,phone,name,country,region,language,two_factor\n".to_owned();
    for number in 0..people {
        csv.push_str(&format!("p{number},{},,,DE,,en,true\n", address(number)));
    }
    csv
}

fn export(people: u64) -> String {
    let mut csv = "EMAIL,FIRST_NAME,LAST_NAME\n".to_owned();
    for number in 0..people {
        csv.push_str(&format!("{},Ann,Lee\n", address(number)));
    }
    csv
}

/// Declares, scopes, drafts and approves: from then on people are being told.
async fn begin_to_tell(program: &Program, people: u64) -> String {
    let admin = &program.admin;
    admin.post("/api/v1/people/index", &json!({})).await.expect("indexed");
    let terms = format!("as_of=2026-01-01T00:00:00Z&list={LIST}&complete=true");
    let path = format!("/api/v1/imports/sendgrid?{terms}");
    admin.upload(&path, "text/csv", export(people).into()).await.expect("imported");
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

/// Waits until everybody has been told, as far as they can be; as long as it goes on, it may take
/// as long as the machine takes.
async fn told(admin: &Client, notice: &str) -> Value {
    let path = format!("/api/v1/notices/{notice}");
    let mut still = u64::MAX;
    loop {
        let step = format!("the notice's end, or fewer than {still} to be told");
        let (done, totals) = until(&step, || async {
            let shown = admin.get(&path).await.ok()?;
            let done = shown["state"] == "done";
            let fewer = shown["totals"]["pending"].as_u64().expect("a count") < still;
            (done || fewer).then(|| (done, shown["totals"].clone()))
        })
        .await;
        if done {
            return totals;
        }
        still = totals["pending"].as_u64().expect("a count");
    }
}

fn adds_up(totals: &Value) -> bool {
    let count = |name: &str| totals[name].as_u64().expect("a count");
    let parts = ["delivered", "bounced", "failed", "suppressed", "pending", "unknown"];
    count("audience") == parts.iter().map(|part| count(part)).sum::<u64>()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_lost_when_the_program_is_killed_while_people_are_told() {
    let mut chance = Chance::new("killed while people are told");
    let receiving = Receiving { refuse_every: Some(40), defer_every: Some(60) };
    let company = Company::found_with(receiving).await;
    company.write("people.csv", directory(PEOPLE));
    let mut program = company.start().await;
    company.open_shop(&program).await;
    let notice = begin_to_tell(&program, PEOPLE).await;
    let refused = (0..PEOPLE).filter(|number| company.inbox.refuses(&address(*number))).count();
    let reachable = PEOPLE - refused as u64;
    let mut under_way = 0;
    for _ in 0..ROUNDS {
        let enough = (company.inbox.tally().mails + chance.up_to(30)).min(reachable);
        until("some more mail", || async { (company.inbox.tally().mails >= enough).then_some(()) })
            .await;
        program = crash(&company, program, &mut chance).await;
        let totals = totals(&program.admin, &notice).await;
        assert!(adds_up(&totals), "{totals}");
        under_way += u64::from(totals["pending"] != 0);
        audit_holds(&program.admin).await;
    }
    let totals = told(&program.admin, &notice).await;

    assert!(under_way >= ROUNDS / 2, "most kills met mail on its way: {under_way}");
    let count = |name: &str| totals[name].as_u64().expect("a count");
    assert!(adds_up(&totals), "{totals}");
    assert_eq!(count("audience"), PEOPLE);
    assert_eq!((count("delivered"), count("bounced")), (reachable, refused as u64), "{totals}");
    for address in (0..PEOPLE).map(address) {
        let got = company.inbox.got(&address);
        assert_eq!(got.is_none(), company.inbox.refuses(&address), "{address}: {got:?}");
        let ids = got.map_or(1, |got| got.message_ids.len());
        assert_eq!(ids, 1, "a second copy has the first one's Message-ID");
    }
    let tally = company.inbox.tally();
    eprintln!("{under_way} kills met mail on its way; {tally:?}, {totals}");
    assert!(tally.deferred > 0, "some were put off: {tally:?}");
    assert!(tally.again <= count("possible_duplicates"), "{tally:?} against {totals}");
    assert!(program.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_put_off_is_told_after_a_restart_before_their_next_try_was_due() {
    let people = 20;
    let receiving = Receiving { defer_every: Some(1), ..Receiving::default() };
    let company = Company::found_with(receiving).await;
    company.write("people.csv", directory(people));
    let settings = std::fs::read_to_string(company.path("cordon.toml")).expect("settings");
    let patient = settings.replace("retry_seconds = [1]", "retry_seconds = [5]");
    assert_ne!(patient, settings);
    company.write("cordon.toml", patient);
    let program = company.start().await;
    company.open_shop(&program).await;
    let notice = begin_to_tell(&program, people).await;
    until("everybody to be put off", || async {
        (company.inbox.tally().deferred == people).then_some(())
    })
    .await;
    program.kill().await;
    let program = company.start().await;
    let totals = told(&program.admin, &notice).await;
    assert_eq!((&totals["delivered"], &totals["pending"]), (&json!(people), &json!(0)), "{totals}");
    let tally = company.inbox.tally();
    assert_eq!((tally.recipients, tally.mails), (people, people), "{tally:?}");
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
        program = crash(&company, program, &mut chance).await;
        for caller in callers {
            answered.extend(caller.await.expect("a caller ends"));
        }
    }

    let arrived = company.sandbox.received().into_iter().flat_map(|row| row.emails);
    let arrived: Vec<String> = arrived.map(|email| email.to_string()).collect();
    let received: BTreeSet<String> = arrived.iter().cloned().collect();
    assert_eq!(arrived.len(), received.len(), "each call has its own recipient; none came twice");
    let lost: Vec<_> = answered.difference(&received).collect();
    assert!(lost.is_empty(), "answered and never sent: {lost:?}");
    assert!(answered.len() as u64 > ROUNDS);
    for email in &received {
        let body = json!({ "email": email });
        let held = program.admin.post("/api/v1/holdings", &body).await.expect("it is answered");
        let holdings = held["holdings"].as_array().expect("a list");
        assert!(!holdings.is_empty(), "{email} left and is not on record");
    }
    let unanswered = received.difference(&answered).count();
    eprintln!("{} calls left, {unanswered} of them were answered to nobody", received.len());
    audit_holds(&program.admin).await;
    assert!(program.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_that_is_killed_leaves_nothing_that_the_next_one_stumbles_over() {
    let mut chance = Chance::new("killed at the first start");
    let company = Company::found().await;
    for _ in 0..ROUNDS / 2 {
        for _ in 0..2 {
            company.start_and_kill(Duration::from_millis(chance.up_to(START_MS))).await;
        }
        let program = company.start().await;
        audit_holds(&program.admin).await;
        assert!(program.stop().await.success());
        std::fs::remove_dir_all(company.data()).expect("the data goes");
    }
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
