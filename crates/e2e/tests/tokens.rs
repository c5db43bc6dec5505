//! Workloads' tokens from their making to their end, and what becomes of one that turns up where it
//! should not: told by the real program, which holds none of them in the clear.

use std::net::SocketAddr;

use e2e::{Company, Program, Shop, receipt, until};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

/// Mails somebody from an address of this machine; the status, and why it was refused.
async fn mail_from(address: &str, shop: &Shop) -> (u16, Option<String>) {
    let url = shop.base.strip_prefix("http://").expect("plain HTTP");
    let (host, path) = url.split_once('/').expect("a path");
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::new(address.parse().expect("an address"), 0)).expect("ours");
    let mut stream = socket.connect(host.parse().expect("an address")).await.expect("connects");
    let body = receipt("ann.lee@members.example").to_string();
    let request = format!(
        "POST /{path}/v3/mail/send HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Authorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        shop.token,
        body.len(),
    );
    stream.write_all(&[request.as_bytes(), body.as_bytes()].concat()).await.expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let code = answer.lines().find_map(|line| line.strip_prefix("x-cordon-code: "));
    (status.expect("a status"), code.map(str::to_owned))
}

const HOME: &str = "127.0.0.1";
const ELSEWHERE: &str = "127.9.9.9";

async fn rotate(program: &Program, more: Value) -> Value {
    let mut asked = json!({ "vendor": "sendgrid", "grace_seconds": 3_600 });
    asked.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
    program.admin.post("/api/v1/workloads/shop/tokens", &asked).await.expect("rotated")
}

/// The shop with the token that was just made.
fn with_token(shop: &Shop, made: &Value) -> Shop {
    let token = made["token"]["environment"][0][1].as_str().expect("a token").to_owned();
    Shop { base: shop.base.clone(), token }
}

async fn tokens(program: &Program) -> Vec<Value> {
    let listed = program.admin.get("/api/v1/workloads/shop/tokens").await.expect("a list");
    listed["tokens"].as_array().expect("tokens").clone()
}

/// The finding of a detector, once it is there.
async fn finding(program: &Program, detector: &str) -> Value {
    until(detector, || async {
        let listed = program.admin.get("/api/v1/findings").await.expect("a list");
        let all = listed["findings"].as_array().expect("findings").clone();
        all.into_iter().find(|found| found["detector"] == detector)
    })
    .await
}

fn said(code: &str) -> Option<String> {
    Some(code.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_token_works_through_its_grace_and_gives_itself_away_afterwards() {
    let company = Company::found().await;
    let program = company.start().await;
    let old = company.open_shop(&program).await;
    assert_eq!(mail_from(HOME, &old).await, (202, None));

    let new = with_token(&old, &rotate(&program, json!({})).await);
    assert_eq!(mail_from(HOME, &old).await, (202, None), "in its grace");
    assert_eq!(mail_from(HOME, &new).await, (202, None));
    let states: Vec<_> = tokens(&program).await.iter().map(|t| t["state"].clone()).collect();
    assert_eq!(states, ["in-grace", "live"]);

    // The grace is cut short, as an operator may, and the program restarts in the middle.
    let newest = with_token(&old, &rotate(&program, json!({ "grace_seconds": 0 })).await);
    assert!(program.stop().await.success());
    let program = company.start().await;
    let at = |shop: &Shop| Shop {
        base: format!("{}/v/sendgrid", program.places.gateway),
        token: shop.token.clone(),
    };
    assert_eq!(mail_from(HOME, &at(&newest)).await, (202, None));
    assert_eq!(mail_from(HOME, &at(&old)).await, (401, said("token-expired")));
    assert_eq!(mail_from(ELSEWHERE, &at(&new)).await, (401, said("token-expired")));
    let uses: Vec<_> = tokens(&program).await.iter().map(|t| t["uses"].clone()).collect();
    assert_eq!(uses, [2, 1, 1], "what was counted before the stop is kept");

    let found = finding(&program, "token-after-end").await;
    assert!(["B", "C"].contains(&found["grade"].as_str().expect("a grade")));
    until("both findings", || async {
        let listed = program.admin.get("/api/v1/findings").await.expect("a list");
        let all = listed["findings"].as_array().expect("findings").len();
        (all == 2).then_some(())
    })
    .await;
    let incidents = program.admin.get("/api/v1/incidents").await.expect("a list");
    assert_eq!(incidents["incidents"], json!([]), "our leak is not the vendor's breach");
    assert_nowhere(&company, &program, &[&old.token, &new.token, &newest.token]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_bound_to_a_network_opens_nothing_from_elsewhere() {
    let company = Company::found().await;
    let program = company.start().await;
    let shop = company.open_shop(&program).await;
    let bound = rotate(&program, json!({ "networks": ["127.0.0.0/24"] })).await;
    let shop = with_token(&shop, &bound);
    assert_eq!(mail_from(HOME, &shop).await, (202, None));
    assert_eq!(mail_from(ELSEWHERE, &shop).await, (403, said("token-outside")));
    let found = finding(&program, "token-elsewhere").await;
    assert_eq!((&found["grade"], &found["vendor"]), (&json!("B"), &json!("sendgrid")));
    assert!(found["title"].as_str().expect("a title").contains("`127.9.9.0/24`"), "{found}");
    let again = rotate(&program, json!({})).await;
    assert_eq!(again["token"]["networks"], json!(["127.0.0.0/24"]), "the bounds are kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_found_is_told_by_its_text_or_its_digest_and_revoked_by_its_id() {
    let company = Company::found().await;
    let program = company.start().await;
    let shop = company.open_shop(&program).await;
    let log = company.write("access.log", format!("10.0.0.9 POST key={} 200\n", shop.token));
    let log = log.to_str().expect("text");
    let none = company.write("other.log", "SG.AAAAAAAAAAAAAAAAAAAAAA.BBBBBBBBBBBBBBBBBBBBBBBBB");
    let none = none.to_str().expect("text");

    let seen = ["workload", "token-seen", "--at", "vendor", "--json", "--file"];
    let missed = company.cordon(&[&seen[..], &[none]].concat()).await.done().json();
    assert_eq!(missed, json!({ "tokens": [], "findings": [] }));
    let by_text = company.cordon(&[&seen[..], &[log]].concat()).await.done().json();
    assert_eq!(by_text["findings"][0]["grade"], "B");
    let digest = model::crypto::to_hex(&model::crypto::sha256(shop.token.as_bytes()));
    let seen = ["workload", "token-seen", "--at", "public", "--json", "--hash", &digest];
    let by_digest = company.cordon(&seen).await.done().json();
    assert_eq!(by_digest["tokens"], by_text["tokens"]);
    assert_eq!(by_digest["findings"][0]["grade"], "A");

    let id = by_text["tokens"][0].as_str().expect("an id");
    company.cordon(&["workload", "revoke-token", "shop", id]).await.done();
    assert_eq!(mail_from(HOME, &shop).await, (401, said("token-revoked")));
    let listed = company.cordon(&["workload", "tokens", "shop", "--json"]).await.done().json();
    assert_eq!(listed["tokens"][0]["state"], "revoked");
    assert_nowhere(&company, &program, &[&shop.token]);
}

/// No file of the data folder and no line of the log holds a token, nor a half of it.
fn assert_nowhere(company: &Company, program: &Program, tokens: &[&str]) {
    let log = program.log();
    for token in tokens {
        for piece in [token, token.rsplit('.').next().expect("a last part")] {
            assert!(!log.contains(piece), "a token is in the log");
            for (path, bytes) in Company::files(&company.data()) {
                let holds = bytes.windows(piece.len()).any(|window| window == piece.as_bytes());
                assert!(!holds, "a token is in {path:?}");
            }
        }
    }
}
