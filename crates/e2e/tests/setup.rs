//! Set-up, start, stop and restart; keys that nobody else can read; secrets that show nowhere.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use e2e::web::{Talk, form, get};
use e2e::{Company, LIST, Program, Said, output, until};
use serde_json::{Value, json};
use server::client::Client;

const KEYS: [&str; 3] = ["root.key", "operator.token", "dkim.pem"];

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

/// Tries to start a server that is expected to refuse.
async fn serve(company: &Company) -> Said {
    output(company.data().parent().expect("a folder"), &["serve", "--config", "cordon.toml"]).await
}

fn assert_refused(said: &Said, code: &str) {
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.starts_with(&format!("error[{code}]: ")), "{said:?}");
    assert!(said.err.contains("\nhint: ") && said.out.is_empty(), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_makes_keys_that_only_their_owner_can_read() {
    let company = Company::found().await;
    let program = company.start().await;
    let keys = company.data().join("keys");
    assert_eq!(mode(&keys), 0o700);
    let mut made: Vec<_> = Company::files(&keys).into_iter().map(|(path, _)| path).collect();
    made.sort();
    let mut expected: Vec<_> = KEYS.iter().map(|name| keys.join(name)).collect();
    expected.sort();
    assert_eq!(made, expected);
    assert!(made.iter().all(|path| mode(path) == 0o600));
    for (path, _) in Company::files(&company.data()) {
        let sensitive = path.starts_with(company.data().join("ledger"))
            || path.file_name().is_some_and(|name| name.to_string_lossy().contains("cordon.db"));
        assert!(
            !sensitive || mode(&path) & 0o007 == 0 || path.ends_with("cordon.db.lock"),
            "{path:?}"
        );
    }
    assert!(program.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_data_is_refused_and_the_first_goes_on() {
    let company = Company::found().await;
    let program = company.start().await;
    assert_refused(&serve(&company).await, "store-locked");
    let again = Client::local(&company.data()).expect("it still says where it listens");
    again.get("/api/v1/status").await.expect("the first one answers");
    assert!(program.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken_is_named_and_nothing_is_left_behind() {
    let company = Company::found().await;
    let settings = std::fs::read_to_string(company.path("cordon.toml")).expect("settings");
    let taken = company.endpoint().replace("http://", "");
    let taken = settings.replace("api = \"127.0.0.1:0\"", &format!("api = \"{taken}\""));
    company.write("cordon.toml", taken);
    assert_refused(&serve(&company).await, "door-not-opened");
    assert!(!company.data().join("running.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_stops_within_seconds_and_a_restart_keeps_everything() {
    let company = Company::found().await;
    let program = company.start().await;
    let shop = company.open_shop(&program).await;
    assert_eq!(shop.mail("ann.lee@members.example").await.status, 202);
    // Somebody holds a connection to each door open and says nothing.
    let places = program.places.clone();
    let silent = [&places.api, &places.gateway, &places.portal, &places.smtp];
    let mut held = Vec::new();
    for place in silent {
        held.push(Talk::with(place).await);
    }
    let held_before = holdings(&program.admin).await;
    let stopped = tokio::time::timeout(Duration::from_secs(15), program.stop()).await;
    assert!(stopped.expect("within seconds").success());
    assert!(!company.data().join("running.json").exists());
    let ahead = std::fs::metadata(company.data().join("cordon.db-wal")).map(|file| file.len());
    assert_eq!(ahead.unwrap_or(0), 0, "the store is one file, as a backup by copying needs it");
    drop(held);

    let program = company.start().await;
    let vendors = program.admin.get("/api/v1/vendors").await.expect("a list");
    assert_eq!(vendors["vendors"][0]["name"], "sendgrid");
    assert_eq!(holdings(&program.admin).await, held_before);
    let base = format!("{}/v/sendgrid", program.places.gateway);
    let shop = e2e::Shop { base, token: shop.token };
    assert_eq!(shop.mail("bob.ray@members.example").await.status, 202, "the token still works");

    program.kill().await;
    assert!(company.data().join("running.json").exists(), "a crash leaves it");
    let program = company.start().await;
    let verified = program.admin.get("/api/v1/audit/verify").await.expect("verified");
    assert_eq!(verified["ok"], true);
    assert_eq!(holdings(&program.admin).await, held_before);
}

async fn holdings(admin: &Client) -> Value {
    let who = json!({ "email": "ann.lee@members.example" });
    admin.post("/api/v1/holdings", &who).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_others_can_read_or_that_is_not_the_datas_own_is_refused() {
    let company = Company::found().await;
    assert!(company.start().await.stop().await.success());
    let keys = company.data().join("keys");
    for name in KEYS {
        let file = keys.join(name);
        std::fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("opened");
        let said = serve(&company).await;
        assert_refused(&said, "key-open");
        assert!(said.err.contains(&format!("chmod 600 {}", file.display())), "{said:?}");
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("closed");
    }
    let root = keys.join("root.key");
    let own = std::fs::read_to_string(&root).expect("a key");
    std::fs::write(&root, "not a key").expect("written");
    assert_refused(&serve(&company).await, "key-malformed");
    std::fs::write(&root, "00".repeat(32)).expect("written");
    assert_refused(&serve(&company).await, "ledger-key");
    std::fs::remove_file(&root).expect("it was there");
    assert_refused(&serve(&company).await, "key-missing");
    assert!(!root.exists(), "no other key is made in its place");
    std::fs::write(&root, own).expect("written");
    std::fs::set_permissions(&root, Permissions::from_mode(0o600)).expect("closed");
    assert!(company.start().await.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_root_key_can_come_from_the_environment_and_is_then_in_no_file() {
    let company = Company::found().await;
    let key = "5a".repeat(32);
    let environment = [("CORDON_ROOT_KEY", key.as_str())];
    let program = company.start_with(&environment).await;
    company.open_shop(&program).await;
    assert!(program.stop().await.success());
    assert!(!company.data().join("keys/root.key").exists());
    let files = Company::files(&company.data());
    for needle in [key.as_bytes(), &[0x5a; 32]] {
        let holds = |bytes: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        assert!(files.iter().all(|(_, bytes)| !holds(bytes)));
    }
    assert_refused(&serve(&company).await, "key-missing");
    let program = company.start_with(&environment).await;
    let shown = program.admin.get("/api/v1/vendors/sendgrid").await.expect("it is kept");
    assert_eq!(shown["name"], "sendgrid");
}

/// Tells everybody in a scope of the vendor's, and waits until they are told.
async fn tell_everybody(program: &Program, second: &Client) {
    let admin = &program.admin;
    let declare = json!({ "vendor": "sendgrid", "title": "suspicion" });
    let incident = admin.post("/api/v1/incidents", &declare).await.expect("declared");
    let path = format!("/api/v1/incidents/{}", incident["id"].as_str().expect("an id"));
    until("a scope", async || {
        let shown = admin.get(&path).await.expect("it is there");
        shown["scopes"][0].is_object().then_some(())
    })
    .await;
    let text = json!({ "en": "Somebody got unauthorised access to a system of a company that sends \
                              mail for us." });
    let measures = json!({ "en": "We have cut that company off from our systems." });
    let draft = json!({ "what_happened": text, "measures": measures });
    let drafted = admin.post(&format!("{path}/notices"), &draft).await.expect("drafted");
    let notice = drafted["notice"].as_str().expect("an id");
    let approve = json!({ "command": "approve-notice", "notice": notice });
    second.post(&format!("{path}/commands"), &approve).await.expect("approved");
    let path = format!("/api/v1/notices/{notice}");
    until("everybody to be told", async || {
        let shown = admin.get(&path).await.expect("it is there");
        (shown["state"] == "done").then_some(())
    })
    .await;
}

/// Everything that happens in the life of an installation.
async fn live(company: &Company, program: &Program) -> Vec<String> {
    let shop = company.open_shop(program).await;
    let admin = &program.admin;
    admin.post("/api/v1/people/index", &json!({})).await.expect("indexed");
    let csv =
        "EMAIL,FIRST_NAME,LAST_NAME,PHONE_NUMBER\nann.lee@members.example,Ann,Lee,+4930123456\n";
    let import = "/api/v1/imports/sendgrid?as_of=2026-01-31";
    admin.upload(import, "text/csv", Bytes::from(csv)).await.expect("imported");
    assert_eq!(shop.mail("ann.lee@members.example").await.status, 202);
    assert_eq!(shop.mail("cleo.dias@members.example").await.status, 202);
    let plant = json!({ "vendor": "sendgrid", "list": LIST, "count": 1 });
    admin.post("/api/v1/canaries", &plant).await.expect("planted");
    let canary = company
        .sandbox
        .received()
        .iter()
        .find_map(|row| {
            row.emails.iter().find(|email| email.ends_with("post.story.example")).cloned()
        })
        .expect("the vendor has it");
    let mut talk = Talk::with(&program.places.smtp).await;
    for say in ["", "EHLO a.example\r\n", "MAIL FROM:<ann.lee@members.example>\r\n"] {
        talk.smtp(say).await;
    }
    talk.smtp(&format!("RCPT TO:<{canary}>\r\n")).await;
    talk.smtp("DATA\r\n").await;
    let mail = "From: Ann Lee <ann.lee@members.example>\r\nSubject: x\r\n\r\n+4930123456\r\n.\r\n";
    assert!(talk.smtp(mail).await.starts_with("250 "));
    let affected = format!("{}/affected", program.places.portal);
    assert_eq!(form(&affected, "email=bob.ray%40members.example").await.status, 200);
    let made = json!({ "name": "second", "roles": ["approver"] });
    let made = admin.post("/api/v1/operators", &made).await.expect("made");
    let token = made["token"].as_str().expect("a token").to_owned();
    let second = admin.with_token(model::Secret::new(token.clone()));
    tell_everybody(program, &second).await;
    assert_eq!(company.inbox.got("ann.lee@members.example").map(|got| got.mails), Some(1));
    vec![shop.token, token, canary.into()]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_and_nobodys_address_is_in_any_file_log_or_answer() {
    let company = Company::found().await;
    let program = company.start().await;
    let mut hidden = live(&company, &program).await;
    hidden.push(company.key.expose().clone());
    let operator = std::fs::read_to_string(company.data().join("keys/operator.token"));
    hidden.push(operator.expect("a token").trim().to_owned());
    let people = ["ann.lee@", "bob.ray@", "cleo.dias@", "Ann Lee", "4930123456"];
    hidden.extend(people.map(str::to_owned));
    let shown = |what: &str, bytes: &[u8]| {
        for secret in &hidden {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "`{secret:.8}…` stands in {what}");
        }
    };
    let routes = program.admin.get("/api/v1/routes").await.expect("the routes");
    let incidents = program.admin.get("/api/v1/incidents").await.expect("a list");
    let incident = incidents["incidents"][0]["id"].as_str().expect("an id").to_owned();
    for route in routes["routes"].as_array().expect("a list") {
        let path = route["path"].as_str().expect("a path").replace("{vendor}", "sendgrid");
        let path = path.replace("{incident}", &incident).replace("{version}", "1");
        if route["method"] == "get" && !path.contains('{') {
            let answer = program.admin.download(&path).await.expect("an answer");
            shown(&path, &answer);
        }
    }
    for command in
        [["vendor", "list"], ["workload", "list"], ["operator", "list"], ["fact", "list"]]
    {
        let said = company.cordon(&[command[0], command[1], "--json"]).await.done();
        shown(&command.join(" "), said.out.as_bytes());
    }
    let doctor = company.cordon(&["doctor", "--json"]).await;
    shown("doctor", format!("{}{}", doctor.out, doctor.err).as_bytes());
    shown("the portal", &get(&format!("{}/", program.places.portal)).await.body);
    shown("the log", program.log().as_bytes());
    let files = |moment: &str| {
        for (path, bytes) in Company::files(&company.data()) {
            if !path.starts_with(company.data().join("keys")) {
                shown(&format!("{} {moment}", path.display()), &bytes);
            }
        }
    };
    files("while it runs");
    assert!(program.stop().await.success());
    files("after it");
    let log = std::fs::read(company.data().with_extension("log")).expect("a log");
    assert!(!log.is_empty());
    shown("the whole log", &log);
}
