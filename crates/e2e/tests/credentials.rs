//! Vendors' credentials from a vault, a file and the environment: read by the real program over
//! real TLS, rotated without a restart, and let go of when their source says so or is silent for
//! too long.

use std::path::Path;

use drill::sandbox::NewKey;
use e2e::vault::{Mood, Vault};
use e2e::web::send;
use e2e::{Company, Program, Shop, until};
use http::Method;
use serde_json::{Value, json};

const SOURCE: &str = "vault:secret/data/mail/sendgrid#key";
const PATH: &str = "secret/data/mail/sendgrid";
const CREDENTIAL: &str = "/api/v1/vendors/sendgrid/credential";
const READ: &str = "GET /v1/secret/data/mail/sendgrid";

/// A company whose settings have these lines more.
async fn company(more: &str) -> Company {
    let company = Company::found().await;
    let settings = std::fs::read_to_string(company.path("cordon.toml")).expect("settings");
    company.write("cordon.toml", format!("{settings}{more}"));
    company
}

async fn with_vault(vault: &Vault, refresh: u32, stale: u32) -> Company {
    let company = company("").await;
    let settings = std::fs::read_to_string(company.path("cordon.toml")).expect("settings");
    let more = vault.settings(company.path("cordon.toml").parent().expect("a folder"));
    let credentials =
        format!("[credentials]\nrefresh_seconds = {refresh}\nstale_seconds = {stale}\n");
    company.write("cordon.toml", format!("{settings}{credentials}{more}"));
    company
}

fn new_key(company: &Company) -> NewKey {
    company.sandbox.create_api_key("another", &[])
}

/// Deletes a key at the vendor, as its console would.
async fn delete_key(company: &Company, key: &str, by: &str) {
    let id = key.split('.').nth(1).expect("an id");
    let url = format!("{}/v3/api_keys/{id}", company.endpoint());
    let bearer = format!("Bearer {by}");
    let answer = send(Method::DELETE, &url, &[("authorization", &bearer)], "").await;
    assert_eq!(answer.status, 204);
}

async fn from_source(program: &Program, source: &str) -> Result<Value, String> {
    let asked = json!({ "source": source });
    let put = program.admin.json(Method::PUT, CREDENTIAL, Some(&asked)).await;
    put.map_err(|refused| refused.code().to_owned())
}

async fn shown(program: &Program) -> Value {
    program.admin.get(CREDENTIAL).await.expect("an answer")
}

/// Waits until the credential is shown so.
async fn until_shown(program: &Program, name: &str, value: Value) -> Value {
    until(&format!("{name} = {value}"), || async {
        let shown = shown(program).await;
        (shown[name] == value && shown["state"] != "changing").then_some(shown)
    })
    .await
}

async fn mail(shop: &Shop) -> (u16, String) {
    let answer = shop.mail("ann.lee@members.example").await;
    (answer.status, answer.header("x-cordon-code").to_owned())
}

fn sent() -> (u16, String) {
    (202, String::new())
}

/// What the doctor says of the vendor's credential.
async fn doctor(program: &Program) -> Vec<String> {
    let report = program.admin.post("/api/v1/doctor", &json!({})).await.expect("a report");
    let checks = report["checks"].as_array().expect("checks").clone();
    let of_credential = checks.iter().filter(|check| {
        check["detail"].as_str().is_some_and(|detail| detail.contains("credential"))
    });
    of_credential.map(|check| check["verdict"].as_str().expect("a verdict").to_owned()).collect()
}

/// No file of the data folder and no line of the log holds these.
fn assert_nowhere(company: &Company, program: &Program, secrets: &[&str]) {
    let log = program.log();
    for secret in secrets {
        assert!(!log.contains(secret), "a secret is in the log");
        for (path, bytes) in Company::files(&company.data()) {
            let holds = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!holds, "a secret is in {path:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_in_a_vault_is_rotated_there_without_a_restart() {
    let vault = Vault::start().await;
    let company = with_vault(&vault, 1, 3_600).await;
    let program = company.start().await;
    let shop = company.open_shop(&program).await;
    let (first, second) = (new_key(&company).key, new_key(&company).key);
    vault.put(PATH, json!({ "key": first.expose(), "owner": "mail team" }));
    let put = from_source(&program, SOURCE).await.expect("read");
    assert_eq!((&put["state"], &put["version"]), (&json!("ready"), &json!(1)));
    assert_eq!(put["source"], SOURCE);
    // The key that was sealed before is no longer what calls are made with.
    delete_key(&company, company.key.expose(), first.expose()).await;
    assert_eq!(mail(&shop).await, sent());

    vault.put(PATH, json!({ "key": second.expose() }));
    until_shown(&program, "version", json!(2)).await;
    delete_key(&company, first.expose(), second.expose()).await;
    assert_eq!(mail(&shop).await, sent());

    // Its token is taken back: it logs in again. One that lasts for a second is renewed or
    // replaced.
    let log_ins = vault.asked("POST /v1/auth/approle/login");
    vault.revoke_tokens(1);
    vault.put(PATH, json!({ "key": first.expose() }));
    until_shown(&program, "version", json!(3)).await;
    assert!(vault.asked("POST /v1/auth/approle/login") > log_ins);

    assert!(program.stop().await.success());
    vault.put(PATH, json!({ "key": second.expose() }));
    let program = company.start().await;
    assert_eq!(shown(&program).await["version"], 4);
    let base = format!("{}/v/sendgrid", program.places.gateway);
    assert_eq!(mail(&Shop { base, token: shop.token }).await, sent());
    let secrets = [first.expose().as_str(), second.expose(), e2e::vault::SECRET_ID, "hvs.CAESIJ"];
    assert_nowhere(&company, &program, &secrets);
    let audit = program.admin.get("/api/v1/audit").await.expect("a log").to_string();
    assert!(audit.contains("vendor.credential-changed") && audit.contains(SOURCE));
    assert!(!audit.contains("SG."));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_vendors_own_401_has_the_source_asked_once() {
    let vault = Vault::start().await;
    let company = with_vault(&vault, 300, 3_600).await;
    let program = company.start().await;
    let shop = company.open_shop(&program).await;
    let (first, second) = (new_key(&company).key, new_key(&company).key);
    vault.put(PATH, json!({ "key": first.expose() }));
    from_source(&program, SOURCE).await.expect("read");
    delete_key(&company, first.expose(), second.expose()).await;

    let read = vault.asked(READ);
    assert_eq!(mail(&shop).await, (401, String::new()), "the vendor's own word, and sent once");
    until("one more look", || async { (vault.asked(READ) == read + 1).then_some(()) }).await;
    for _ in 0..5 {
        assert_eq!(mail(&shop).await.0, 401);
    }
    assert_eq!(vault.asked(READ), read + 1, "the same value is not asked for again");

    // A new one restores the vendor, and is doubted once for itself.
    vault.put(PATH, json!({ "key": second.expose() }));
    from_source(&program, SOURCE).await.expect("read");
    assert_eq!(mail(&shop).await, sent());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_vault_is_borne_for_a_while_and_then_nothing_leaves() {
    let vault = Vault::start().await;
    let company = with_vault(&vault, 1, 3).await;
    let program = company.start().await;
    let shop = company.open_shop(&program).await;
    vault.put(PATH, json!({ "key": new_key(&company).key.expose() }));
    from_source(&program, SOURCE).await.expect("read");

    vault.mood(Mood::Sealed);
    until_shown(&program, "failure", json!("vault-sealed")).await;
    assert_eq!(mail(&shop).await, sent(), "it is borne");
    assert_eq!(doctor(&program).await, ["look"]);
    until_shown(&program, "state", json!("stale")).await;
    assert_eq!(mail(&shop).await, (503, "credential-stale".to_owned()));
    assert_eq!(doctor(&program).await, ["wrong"]);
    vault.mood(Mood::Busy);
    until_shown(&program, "failure", json!("vault-busy")).await;
    vault.mood(Mood::Standby);
    until_shown(&program, "failure", json!("vault-standby")).await;

    vault.mood(Mood::Serving);
    until_shown(&program, "state", json!("ready")).await;
    assert_eq!(mail(&shop).await, sent());

    // A deletion is no silence: it holds at once.
    vault.delete(PATH);
    until_shown(&program, "failure", json!("vault-deleted")).await;
    assert_eq!(mail(&shop).await, (503, "credential-missing".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_gives_nothing_is_refused_with_why_and_changes_nothing() {
    let vault = Vault::start().await;
    let company = with_vault(&vault, 300, 3_600).await;
    let program = company.start().await;
    let shop = company.open_shop(&program).await;
    let refused = async |source: &str| from_source(&program, source).await.expect_err(source);
    assert_eq!(refused(SOURCE).await, "vault-not-found");
    vault.put(PATH, json!({ "other": "x", "key": "no key of SendGrid's" }));
    assert_eq!(refused(SOURCE).await, "source-shape");
    assert_eq!(refused("vault:secret/data/mail/sendgrid#none").await, "vault-key");
    assert_eq!(refused("vault:secret/data/mail/sendgrid").await, "vault-key", "two and none named");
    assert_eq!(refused("vault:secret/mail/sendgrid#key").await, "source-malformed");
    let other = new_key(&company).key;
    vault.put(PATH, json!({ "key": other.expose() }));
    for (mood, code) in [
        (Mood::Sealed, "vault-sealed"),
        (Mood::Busy, "vault-busy"),
        (Mood::Standby, "vault-standby"),
    ] {
        vault.mood(mood);
        assert_eq!(refused(SOURCE).await, code);
    }
    vault.mood(Mood::Serving);
    company.write("vault-secret-id", "another");
    vault.revoke_tokens(60);
    assert_eq!(refused(SOURCE).await, "vault-login");
    // What might read any file or variable reads only what the configuration names.
    let root = company.data().join("keys/root.key");
    assert_eq!(refused(&format!("file:{}", root.display())).await, "source-not-allowed");
    assert_eq!(refused("env:PATH").await, "source-not-allowed");
    assert_eq!(shown(&program).await["source"], "sealed");
    assert_eq!(mail(&shop).await, sent());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_is_away_at_the_start_leaves_its_vendor_alone_without_credential() {
    let vault = Vault::start().await;
    let company = with_vault(&vault, 1, 3_600).await;
    let program = company.start().await;
    let shop = company.open_shop(&program).await;
    vault.put(PATH, json!({ "key": new_key(&company).key.expose() }));
    from_source(&program, SOURCE).await.expect("read");
    assert!(program.stop().await.success());

    vault.mood(Mood::Sealed);
    let program = company.start().await;
    let base = format!("{}/v/sendgrid", program.places.gateway);
    let shop = Shop { base, token: shop.token };
    assert_eq!(mail(&shop).await, (503, "credential-missing".to_owned()));
    assert_eq!(doctor(&program).await, ["wrong"]);
    let status = program.admin.get("/api/v1/status").await.expect("a status");
    assert_eq!(status["credentials"]["sendgrid"]["failure"], "vault-sealed");
    vault.mood(Mood::Serving);
    until_shown(&program, "state", json!("ready")).await;
    assert_eq!(mail(&shop).await, sent());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_gets_no_token() {
    let (vault, other) = (Vault::start().await, Vault::start().await);
    let company = with_vault(&vault, 300, 3_600).await;
    company.write("vault-ca.pem", &other.ca);
    let program = company.start().await;
    company.open_shop(&program).await;
    assert_eq!(from_source(&program, SOURCE).await.expect_err("refused"), "vault-tls");
    assert_eq!(vault.asked(""), 0, "it was told nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_read_again_when_it_changes_and_a_variable_at_the_start() {
    let company = company("").await;
    let folder = company.path("secrets");
    std::fs::create_dir(&folder).expect("a folder");
    let settings = std::fs::read_to_string(company.path("cordon.toml")).expect("settings");
    let more = format!("[credentials]\nfiles = [{folder:?}]\nenvironment = [\"STORY_KEY\"]\n");
    company.write("cordon.toml", format!("{settings}{more}"));
    let (in_file, next, in_variable) =
        (new_key(&company).key, new_key(&company).key, new_key(&company).key);
    let file = folder.join("sendgrid");
    write_whole(&file, in_file.expose());
    let program = company.start_with(&[("STORY_KEY", in_variable.expose())]).await;
    let shop = company.open_shop(&program).await;
    let source = format!("file:{}", file.display());
    let args = ["vendor", "credential", "sendgrid", "--from", &source, "--json"];
    let put = company.cordon(&args).await.done().json();
    assert_eq!((&put["source"], &put["state"]), (&json!(source), &json!("ready")));
    delete_key(&company, company.key.expose(), next.expose()).await;
    assert_eq!(mail(&shop).await, sent());

    let before = shown(&program).await["changed_at"].clone();
    write_whole(&file, next.expose());
    until("the file's new key", || async {
        let shown = shown(&program).await;
        (shown["changed_at"] != before && shown["state"] == "ready").then_some(())
    })
    .await;
    delete_key(&company, in_file.expose(), next.expose()).await;
    assert_eq!(mail(&shop).await, sent());

    from_source(&program, "env:STORY_KEY").await.expect("read");
    delete_key(&company, next.expose(), in_variable.expose()).await;
    assert_eq!(mail(&shop).await, sent());
    let keys = [in_file.expose().as_str(), next.expose(), in_variable.expose()];
    assert_nowhere(&company, &program, &keys);
}

/// Puts a file in the place of another at once, as those who rotate secrets do.
fn write_whole(file: &Path, text: &str) {
    let part = file.with_extension("part");
    std::fs::write(&part, text).expect("written");
    std::fs::rename(&part, file).expect("renamed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_consoles_cookie_is_for_https_alone_where_that_is_used_and_ends_with_the_log_out() {
    let company = company("").await;
    let program = company.start().await;
    company.open_shop(&program).await;
    let token = std::fs::read_to_string(company.data().join("keys/operator.token"));
    let body = format!("token={}", token.expect("a token").trim());
    let url = |path: &str| format!("{}{path}", program.places.api);
    let form = ("content-type", "application/x-www-form-urlencoded");
    let log_in = async |more: &[(&str, &str)]| {
        let headers = [&[form], more].concat();
        send(Method::POST, &url("/console/login"), &headers, body.clone()).await
    };
    let plain = log_in(&[]).await;
    assert!(!plain.header("set-cookie").contains("Secure"));
    let behind = log_in(&[("x-forwarded-proto", "https")]).await;
    assert!(behind.header("set-cookie").ends_with("; HttpOnly; SameSite=Strict; Secure"));

    let cookie = plain.header("set-cookie").split(';').next().expect("a pair").to_owned();
    let page = send(Method::GET, &url("/console/access"), &[("cookie", &cookie)], "").await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("sendgrid") && page.text().contains("tok_"));
    assert!(!page.text().contains("SG."), "no secret");
    let out = send(Method::POST, &url("/console/logout"), &[("cookie", &cookie)], "").await;
    assert_eq!((out.status, out.header("location")), (303, "/console/login"));
    let forgotten = out.header("set-cookie");
    assert!(forgotten.starts_with("cordon_operator=;") && forgotten.ends_with("Max-Age=0"));
}
