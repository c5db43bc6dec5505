//! A person is erased: with two pairs of eyes, from every answer, and from every file.

use std::path::Path;

use bytes::Bytes;
use e2e::{Company, Program, until};
use model::{Email, Identifier, Phone, RootKey};
use serde_json::{Value, json};
use server::client::ClientError;

const ANN: &str = "ann.lee@members.example";
const BOB: &str = "bob.ray@members.example";

async fn holdings(program: &Program, email: &str) -> Value {
    let who = json!({ "email": email });
    program.admin.post("/api/v1/holdings", &who).await.expect("an answer")
}

async fn exposed(program: &Program) -> u64 {
    let scope = program.admin.post("/api/v1/scope", &json!({ "vendor": "sendgrid" })).await;
    scope.expect("an answer")["counts"]["persons"].as_u64().expect("a count")
}

/// What is kept of an identifier in its place: as bytes, and as text.
fn keyed(company: &Company, identifier: &Identifier) -> [Vec<u8>; 2] {
    let root = std::fs::read_to_string(company.data().join("keys/root.key")).expect("a key");
    let key = RootKey::parse(&root).expect("a root key").mac_key("identifier");
    let hash = identifier.hash(&key);
    [hash.0.to_vec(), hash.to_string().into_bytes()]
}

/// Files below a folder that have one of these in them.
fn files_with(folder: &Path, needles: &[Vec<u8>]) -> Vec<String> {
    let has = |bytes: &[u8]| {
        needles.iter().any(|needle| bytes.windows(needle.len()).any(|window| window == needle))
    };
    let files = Company::files(folder).into_iter().filter(|(_, bytes)| has(bytes));
    files.map(|(path, _)| path.display().to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_person_is_in_no_answer_and_in_no_file() {
    let company = Company::found().await;
    let program = company.start().await;
    let shop = company.open_shop(&program).await;
    let admin = &program.admin;
    admin.post("/api/v1/people/index", &json!({})).await.expect("indexed");
    let csv = format!("EMAIL,FIRST_NAME,PHONE_NUMBER\n{ANN},Ann,+4930123456\n{BOB},Bob,\n");
    let import = "/api/v1/imports/sendgrid?as_of=2026-01-31";
    admin.upload(import, "text/csv", Bytes::from(csv)).await.expect("imported");
    for address in [ANN, BOB] {
        assert_eq!(shop.mail(address).await.status, 202);
    }
    // The vendor reports on both mails: facts, with keyed hashes of their recipients.
    until("the vendor's reports", async || {
        let status = admin.get("/api/v1/status").await.expect("a status");
        (status["facts"][0]["facts"].as_u64() >= Some(2)).then_some(())
    })
    .await;
    let held = holdings(&program, ANN).await;
    assert!(
        held["known"] == true && held["holdings"].as_array().is_some_and(|all| !all.is_empty())
    );
    assert_eq!(exposed(&program).await, 2);

    let email = |text| Identifier::Email(Email::parse(text).expect("an address"));
    let phone = Identifier::Phone(Phone::parse("+4930123456").expect("a number"));
    let anns: Vec<_> = [email(ANN), phone, Identifier::UserId("1".into())]
        .iter()
        .flat_map(|identifier| keyed(&company, identifier))
        .chain([ANN.as_bytes().to_vec(), b"4930123456".to_vec()])
        .collect();
    let before = files_with(&company.data(), &anns).join(" ");
    assert!(before.contains("cordon.db") && before.contains("ledger"), "it is there: {before}");

    let asked = admin.post("/api/v1/people/erasures", &json!({ "email": ANN })).await;
    let erasure = asked.expect("asked")["erasure"].as_str().expect("an id").to_owned();
    let approve = format!("/api/v1/people/erasures/{erasure}/approve");
    match admin.post(&approve, &json!({})).await {
        Err(ClientError::Refused { status: 409, code, .. }) => assert_eq!(code, "own-work"),
        other => panic!("one pair of eyes was enough: {other:?}"),
    }
    assert_eq!(holdings(&program, ANN).await["known"], true, "asking erases nothing yet");
    let second = program.operator("second", "approver").await;
    let receipt = second.post(&approve, &json!({})).await.expect("approved");
    assert_eq!(receipt["forgotten"]["identifiers"], 3, "{receipt}");
    assert_eq!(receipt["forgotten"]["persons"].as_array().map(Vec::len), Some(1));

    let after = json!({ "person": null, "known": false, "holdings": [] });
    assert_eq!(holdings(&program, ANN).await, after);
    assert_eq!(exposed(&program).await, 1);
    assert_eq!(holdings(&program, BOB).await["known"], true);
    assert_eq!(files_with(&company.data(), &anns), Vec::<String>::new());
    let facts = admin.get("/api/v1/facts").await.expect("a list");
    let all = facts["facts"].as_array().expect("a list");
    let of = |recipient: fn(&Value) -> bool| {
        all.iter().filter(|fact| recipient(&fact["body"]["recipient"])).count()
    };
    assert!(of(Value::is_null) >= 1 && of(Value::is_string) >= 1, "what happened stays: {facts}");
    let open = admin.get("/api/v1/people/erasures").await.expect("a list");
    assert_eq!(open, json!({ "erasures": [] }));
    match second.post(&approve, &json!({})).await {
        Err(ClientError::Refused { status: 404, .. }) => {}
        other => panic!("it was erased twice: {other:?}"),
    }
    let log = program.log();
    assert!(!log.contains(ANN) && !log.contains("4930123456"));
    assert!(program.stop().await.success());
    assert_eq!(files_with(&company.data(), &anns), Vec::<String>::new(), "nor after the end");

    let program = company.start().await;
    assert_eq!(holdings(&program, ANN).await, after, "a restart brings nobody back");
    assert_eq!(exposed(&program).await, 1);
    let verified = program.admin.get("/api/v1/audit/verify").await.expect("verified");
    assert_eq!(verified["ok"], true, "proofs stay valid");
}
