//! The unmodified official SDKs against a running gateway, set up as `docs/integrate.md` says.
//!
//! The SDKs are in the folder that `CORDON_SDK_DIR` names, or else under the target directory;
//! what is missing there is installed once.

#[expect(dead_code, reason = "the other tests use the rest of it")]
#[path = "gateway/support.rs"]
mod support;

#[path = "gateway/office.rs"]
mod office;

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use gateway::{Authority, Egress, KeptAuthority, Patience, SpoolLimits};
use ledger::Settled;
use model::{FieldSet, Secret, Switch, Timestamp, World};
use rustls::RootCertStore;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use office::Office;
use support::{Act, FakeVendor, House, Setup, accepted, reply};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk");

#[tokio::test]
async fn sendgrid_for_node_sends_and_understands_refusals() {
    check_sendgrid("node", "sendgrid.mjs").await;
}

#[tokio::test]
async fn sendgrid_for_python_sends_and_understands_refusals() {
    check_sendgrid("python3", "sendgrid_sdk.py").await;
}

#[tokio::test]
async fn twilio_for_node_sends_and_understands_refusals() {
    check_twilio("node", "twilio.mjs").await;
}

#[tokio::test]
async fn twilio_for_python_sends_and_understands_refusals() {
    check_twilio("python3", "twilio_sdk.py").await;
}

#[tokio::test]
async fn sendgrid_for_python_goes_through_a_tunnel() {
    check_tunnel(Setup::sendgrid, "python3", "sendgrid_sdk.py").await;
}

#[tokio::test]
async fn sendgrid_for_node_goes_through_a_tunnel() {
    check_tunnel(Setup::sendgrid, "node", "sendgrid.mjs").await;
}

#[tokio::test]
async fn twilio_for_python_goes_through_a_tunnel() {
    check_tunnel(Setup::twilio, "python3", "twilio_sdk.py").await;
}

#[tokio::test]
async fn twilio_for_node_goes_through_a_tunnel() {
    check_tunnel(Setup::twilio, "node", "twilio.mjs").await;
}

/// The SDK as it is, told of a proxy and of a certificate to believe by the environment alone.
async fn check_tunnel(setup: fn(&FakeVendor) -> Setup, program: &str, script: &str) {
    let vendor = FakeVendor::start(|got| match got.line().starts_with("POST /v3") {
        true => Act::Reply(accepted()),
        false => Act::Reply(reply("201 Created", "", r#"{"sid":"SM1"}"#)),
    });
    let vendor = vendor.await;
    let egress = Egress::new(RootCertStore::empty(), vec![vendor.address.to_string()]);
    // Python and Node look at the machine's clock.
    let (world, _) = World::fixed(machine_now(), 1);
    let patience = Patience::default();
    let house = House::in_world(vec![setup(&vendor)], patience, egress.expect("TLS"), world).await;
    let mut registry = house.registry();
    let entry = registry.vendors.values().next().expect("one vendor");
    let host = entry.hosts().into_iter().next().expect("one host");
    let made = KeptAuthority::issue(&host, &house.world).expect("an authority");
    let opened = Authority::open(&made).expect("it opens");
    registry.authorities.insert(host, vec![opened.into()]);
    house.gateway.replace(registry);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let proxy = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(house.gateway.clone().serve_connect(listener, None, std::future::pending()));
    let bundle = house.ledger_dir.path().join("ca.pem");
    std::fs::write(&bundle, &made.root).expect("written");
    let bundle = bundle.to_str().expect("text");
    let way = [
        ("HTTPS_PROXY", proxy.as_str()),
        // Twilio for Node knows no other.
        ("HTTP_PROXY", &proxy),
        ("TWILIO_CA_BUNDLE", bundle),
        ("SSL_CERT_FILE", bundle),
        ("REQUESTS_CA_BUNDLE", bundle),
        ("NODE_EXTRA_CA_CERTS", bundle),
    ];
    let said = run_by(&house, program, script, &way).await;
    assert!(said["outcome"] == "sent" || said["sid"] == "SM1", "{said}");
    assert_eq!((vendor.got().len(), house.disclosures().len()), (1, 1));
}

#[expect(clippy::disallowed_methods, reason = "the SDKs' own TLS goes by the machine's clock")]
fn machine_now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seconds = since.expect("after 1970").as_secs();
    Timestamp::from_seconds(i64::try_from(seconds).expect("a time"))
}

#[tokio::test]
async fn nodemailer_hands_mail_in_and_understands_refusals() {
    check_mail("node", "nodemailer.mjs").await;
}

#[tokio::test]
async fn smtplib_hands_mail_in_and_understands_refusals() {
    check_mail("python3", "smtplib_mail.py").await;
}

async fn check_mail(program: &str, script: &str) {
    let mut office = Office::with(|_| (), SpoolLimits::default()).await;
    let certificate = office.house.ledger_dir.path().join("smtp.pem");
    std::fs::write(&certificate, &office.certificate).expect("written");
    let port = office.door.to_string();
    let certificate = certificate.to_str().expect("the folder's name is text").to_owned();
    let door = [("CORDON_SMTP_PORT", port.as_str()), ("CORDON_SMTP_CA", certificate.as_str())];
    let said = run_by(&office.house, program, script, &door).await;
    assert_eq!(said["accepted"], 3, "{said}");
    let reply = said["reply"].as_str().expect("text");
    assert!(reply.starts_with("250 2.0.0 kept as cal_"), "{reply}");
    office.post.asked(3).await;
    office.emptied().await;
    let mut to: Vec<_> = office.post.got().iter().map(|mail| mail.recipients.clone()).collect();
    to.sort();
    assert_eq!(to, [["ann@example.com"], ["bob@example.com"], ["eve@example.com"]]);
    for mail in office.post.got() {
        let (head, body) = office::parts(&mail);
        assert!(head.contains("X-Cordon-Ref: c1.") && head.contains("\"cordon_ref\":\"c1."));
        assert!(!head.contains("eve@") && !head.contains("X-Cordon-Purpose"), "{head}");
        let text = String::from_utf8_lossy(&body);
        assert!(text.contains("Thank you, Ann.") && text.contains("receipt.pdf"), "{text}");
    }
    let fields = FieldSet::parse("email,name,content,attachment").expect("fields");
    let rows = office.house.disclosures();
    assert!(rows.iter().any(|row| row.fields == fields), "what Ann's copy says of her");
    assert!(rows.iter().all(|row| row.settled == Settled::Sent));

    office.house.switch(Switch::Stop);
    let said = run_by(&office.house, program, script, &door).await;
    assert_eq!(said["code"], 550, "{said}");
    assert!(said["reply"].as_str().is_some_and(|reply| reply.contains("vendor-stopped")), "{said}");
    assert_eq!(office.post.got().len(), 3, "nothing leaves after the cut");
}

async fn check_sendgrid(program: &str, script: &str) {
    let vendor = FakeVendor::accepting().await;
    let mut house = House::with(Setup::sendgrid(&vendor)).await;
    let said = run(&house, program, script).await;
    assert_eq!(said, json!({ "status": 202, "outcome": "sent" }));

    let got = vendor.only();
    assert_eq!(got.line(), "POST /v3/mail/send HTTP/1.1");
    assert_eq!(got.header("authorization"), [format!("Bearer {}", support::SENDGRID_KEY)]);
    let message = got.json();
    let personalization = &message["personalizations"][0];
    assert_eq!(personalization["to"], json!([{ "email": "ann@example.com", "name": "Ann Lee" }]));
    let reference = &personalization["custom_args"]["cordon_ref"];
    assert!(reference.as_str().is_some_and(|text| text.starts_with("c1.")));
    check_record(&house, "email,name,content", "mail.send");

    for (switch, status, code) in
        [(Switch::Stop, 403, "vendor-stopped"), (Switch::Hold, 429, "vendor-held")]
    {
        house.switch(switch);
        let said = run(&house, program, script).await;
        assert_eq!((&said["status"], &said["code"]), (&json!(status), &json!(code)));
        assert_eq!(said["outcome"], "not-sent");
        assert!(said["message"].as_str().is_some_and(|message| message.contains("vendor")));
    }
    assert_eq!(vendor.got().len(), 1, "nothing leaves after the cut");
}

async fn check_twilio(program: &str, script: &str) {
    let created = json!({
        "sid": "SM00000000000000000000000000000001",
        "account_sid": account(),
        "status": "queued",
        "date_created": "Thu, 05 Feb 2026 02:00:00 +0000",
        "date_updated": "Thu, 05 Feb 2026 02:00:00 +0000",
        "date_sent": null,
        "num_segments": "1",
        "num_media": "0",
    })
    .to_string();
    let vendor = FakeVendor::start(move |_| {
        Act::Reply(reply("201 Created", "Content-Type: application/json\r\n", &created))
    })
    .await;
    let mut house = House::with(Setup::twilio(&vendor)).await;
    let said = run(&house, program, script).await;
    assert_eq!(said, json!({ "sid": "SM00000000000000000000000000000001" }));

    let got = vendor.only();
    let path = format!("/2010-04-01/Accounts/{}/Messages.json", account());
    assert_eq!(got.line(), format!("POST {path} HTTP/1.1"), "the SID in the path is the real one");
    assert!(got.text().contains("To=%2B4930123456"), "{}", got.text());
    assert!(got.text().contains("StatusCallback=https%3A%2F%2Fhooks.example%2Ftwilio"));
    check_record(&house, "phone,content", "messages.create");

    for (switch, status) in [(Switch::Stop, 403), (Switch::Hold, 429)] {
        house.switch(switch);
        let said = run(&house, program, script).await;
        assert_eq!(said["status"], status);
        assert!(said["message"].as_str().is_some_and(|message| message.contains("vendor")));
    }
    assert_eq!(vendor.got().len(), 1, "nothing leaves after the cut");
}

fn account() -> &'static str {
    support::TWILIO_KEY.split(':').next().expect("an account")
}

/// The one disclosure of a house and what is recorded of it.
fn check_record(house: &House, fields: &str, operation: &str) {
    let rows = house.disclosures();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].fields, FieldSet::parse(fields).expect("fields"));
    assert_eq!((rows[0].operation.as_str(), rows[0].settled), (operation, Settled::Sent));
}

/// Runs a script against the gateway, with the workload's token in the SDK's own variables.
async fn run(house: &House, program: &str, script: &str) -> Value {
    let base = format!("http://{}", house.address);
    run_by(house, program, script, &[("CORDON_GATEWAY", &base)]).await
}

/// The same by the way that these variables say.
async fn run_by(house: &House, program: &str, script: &str, way: &[(&str, &str)]) -> Value {
    let sdk = installed();
    let connector = house.setups[0].connector;
    let environment = connector.mint([7; 48], &|_| Secret::new(String::new())).environment;
    let tokens: HashMap<&str, &str> =
        environment.iter().map(|(name, value)| (*name, value.expose().as_str())).collect();
    let mut command = tokio::process::Command::new(program);
    command
        .arg(Path::new(SCRIPTS).join(script))
        .env("CORDON_SDK_DIR", &sdk)
        .env("PYTHONPATH", sdk.join("py"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .envs(tokens)
        .kill_on_drop(true);
    // Some SDKs read these, and would go around the gateway.
    for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"] {
        command.env_remove(proxy);
    }
    command.envs(way.iter().copied());
    let output = command.output().await.unwrap_or_else(|why| panic!("starting {program}: {why}"));
    let (out, err) = (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(output.status.success(), "{script} failed: {err}");
    serde_json::from_slice(&out).unwrap_or_else(|why| panic!("{script} said no JSON: {why}: {err}"))
}

/// The folder of the SDKs, after whatever is missing there was installed.
fn installed() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"), PathBuf::from);
    let dir = std::env::var_os("CORDON_SDK_DIR").map_or_else(|| target.join("sdk"), PathBuf::from);
    std::fs::create_dir_all(&dir).expect("the folder of SDKs can be made");
    let lock = File::create(dir.join("install.lock")).expect("the lock can be made");
    lock.lock().expect("the lock is free at last");
    let (wanted, stamp) = (wanted(), dir.join("installed"));
    if std::fs::read(&stamp).is_ok_and(|found| found == wanted) {
        return dir;
    }
    let manifest = Path::new(SCRIPTS).join("package.json");
    std::fs::copy(manifest, dir.join("package.json")).expect("package.json can be copied");
    install(
        Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"])
            .arg("--prefix")
            .arg(&dir),
    );
    install(
        Command::new("python3")
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade"])
            .arg("--target")
            .arg(dir.join("py"))
            .arg("--requirement")
            .arg(Path::new(SCRIPTS).join("requirements.txt")),
    );
    std::fs::write(stamp, wanted).expect("the folder of SDKs can be written to");
    dir
}

/// What an installation is of: the two lists of exact versions.
fn wanted() -> Vec<u8> {
    ["package.json", "requirements.txt"]
        .map(|list| std::fs::read(Path::new(SCRIPTS).join(list)).expect("the list is there"))
        .concat()
}

fn install(command: &mut Command) {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().unwrap_or_else(|why| panic!("starting {name}: {why}"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{name} could not install the SDKs: {said}");
}
