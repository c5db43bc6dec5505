//! Notices through a real mail server, Debian's Postfix, and their signatures by an independent
//! verifier, dkimpy. Where one of them cannot be had at all, the story says so and is not told; one
//! that is there and does not work fails it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::{Company, LIST, Postfix, Program, until};
use serde_json::{Value, json};

/// People with a mailbox, and one without, whom Postfix refuses.
const PEOPLE: [(&str, &str); 6] = [
    ("ann", "en"),
    ("bob", "en"),
    ("jörg", "de"),
    ("uta", "de"),
    ("joão", "pt-BR"),
    ("gone", "en"),
];

/// An address has no accents; the name in the directory has.
fn plain(name: &str) -> String {
    name.replace('ö', "oe").replace('ã', "a")
}

async fn tell(program: &Program) -> String {
    let admin = &program.admin;
    admin.post("/api/v1/people/index", &json!({})).await.expect("indexed");
    let mut export = "EMAIL,FIRST_NAME,LAST_NAME\n".to_owned();
    for (name, _) in PEOPLE {
        export.push_str(&format!("{}@members.example,{name},Test\n", plain(name)));
    }
    let path = format!("/api/v1/imports/sendgrid?as_of=2026-01-01T00:00:00Z&list={LIST}");
    admin.upload(&path, "text/csv", export.into()).await.expect("imported");
    let new = json!({ "vendor": "sendgrid", "title": "the provider was breached" });
    let incident = admin.post("/api/v1/incidents", &new).await.expect("declared");
    let id = incident["id"].as_str().expect("an id").to_owned();
    until("the first scope", || async {
        let incident = admin.get(&format!("/api/v1/incidents/{id}")).await.ok()?;
        (!incident["scopes"][0].is_null()).then_some(())
    })
    .await;
    let happened = json!({
        "en": "Somebody got into a system of a provider.",
        "de": "Unbefugte waren im System eines Dienstleisters.",
        "pt-BR": "Alguém entrou no sistema de um fornecedor.",
    });
    let path = format!("/api/v1/incidents/{id}/notices");
    let draft = admin.post(&path, &json!({ "what_happened": happened })).await.expect("drafted");
    let notice = draft["notice"].as_str().expect("an id").to_owned();
    let approve = json!({ "command": "approve-notice", "notice": notice });
    let second = program.operator("second", "approver").await;
    second.post(&format!("/api/v1/incidents/{id}/commands"), &approve).await.expect("approved");
    let path = format!("/api/v1/notices/{notice}");
    let shown = until("everybody to be told", || async {
        let shown = admin.get(&path).await.ok()?;
        (shown["state"] == "done").then_some(shown)
    });
    shown.await["totals"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_mail_server_takes_notices_whose_signatures_an_independent_verifier_accepts() {
    let folder = tempfile::Builder::new().prefix("cordon-postfix-").tempdir().expect("a folder");
    if !Postfix::is_here() {
        eprintln!("SKIPPED: this machine has no Postfix, or it may not be started by us");
        return;
    }
    let boxes: Vec<String> =
        PEOPLE.iter().map(|(name, _)| plain(name)).filter(|name| name != "gone").collect();
    let boxes: Vec<&str> = boxes.iter().map(String::as_str).collect();
    let postfix = Postfix::start(folder.path(), &boxes, "");
    let company = Company::found().await;
    let mut csv = "person_id,email,phone,name,country,region,language,two_factor\n".to_owned();
    for (name, language) in PEOPLE {
        let email = format!("{}@members.example", plain(name));
        csv.push_str(&format!("{},{email},,{name} Test,DE,,{language},\n", plain(name)));
    }
    company.write("people.csv", csv);
    let settings = std::fs::read_to_string(company.path("cordon.toml")).expect("settings");
    let relay = settings.find("port = ").expect("the relay's port");
    let rest = settings[relay..].find('\n').expect("a line") + relay;
    let port = format!("port = {}", postfix.port);
    company.write("cordon.toml", [&settings[..relay], &port, &settings[rest..]].concat());
    let program = company.start().await;
    company.open_shop(&program).await;
    let totals: Value = serde_json::from_str(&tell(&program).await).expect("totals");
    assert_eq!((&totals["audience"], &totals["delivered"]), (&json!(6), &json!(5)), "{totals}");
    assert_eq!(totals["bounced"], 1, "{totals}");

    let mut mails = Vec::new();
    for (name, language) in PEOPLE.iter().filter(|(name, _)| *name != "gone") {
        until("a mail in the mailbox", || async { postfix.mails(&plain(name)).pop() }).await;
        let found = postfix.mails(&plain(name));
        assert_eq!(found.len(), 1, "{name} gets one mail");
        let raw = std::fs::read(&found[0]).expect("a mail");
        let read = mail::read(&raw).expect("it reads");
        assert_eq!(read.header("Content-Language"), Some(*language));
        assert!(read.links.is_empty(), "a notice has no link");
        assert!(read.text.contains(&format!("{name} Test")), "{}", read.text);
        mails.push(found[0].clone());
    }
    verified(&program, folder.path(), &mails).await;
    assert!(program.stop().await.success());
}

/// Has dkimpy check both signatures of each mail against the records that are to be published, and
/// of forged ones: with another text, another subject, another sender, and keys that are not ours.
async fn verified(program: &Program, folder: &Path, mails: &[PathBuf]) {
    let Some(modules) = dkimpy() else {
        eprintln!(
            "SKIPPED: dkimpy cannot be installed here, so nobody else checked the signatures"
        );
        return;
    };
    let status = program.admin.get("/api/v1/status").await.expect("a status");
    let records: BTreeMap<&str, &str> = status["dns"]
        .as_array()
        .expect("records")
        .iter()
        .filter_map(|record| Some((record["name"].as_str()?, record["value"].as_str()?)))
        .collect();
    let verdicts = |records: &BTreeMap<&str, &str>, mails: &[PathBuf]| {
        let file = folder.join("records.json");
        std::fs::write(&file, json!(records).to_string()).expect("written");
        let mut python = Command::new("python3");
        python.args(["-c", VERIFY]).arg(&file).args(mails).env("PYTHONPATH", &modules);
        let said = python.output().expect("python runs");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8(said.stdout).expect("text")
    };
    assert_eq!(verdicts(&records, mails), "True True\n".repeat(mails.len()));
    let forged = forged(&mails[0], folder);
    assert_eq!(verdicts(&records, &forged), "False False\n".repeat(forged.len()));
    let (selector, _) =
        records.keys().find_map(|name| name.split_once("-rsa._domainkey.")).expect("RSA's name");
    let others = mail::DkimKeys::generate("story.example", selector).expect("keys").dns_records();
    let others: BTreeMap<_, _> =
        others.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert!(others.keys().eq(records.keys()), "{others:?} in the place of {records:?}");
    assert_eq!(verdicts(&others, mails), "False False\n".repeat(mails.len()));
}

/// What somebody could make of a mail that was signed.
fn forged(mail: &Path, folder: &Path) -> Vec<PathBuf> {
    let mail = String::from_utf8(std::fs::read(mail).expect("a mail")).expect("text");
    let (head, body) = mail.split_once("\n\n").expect("a head and a body");
    let with = |name: &str, value: &str| {
        let line = |line: &str| line.starts_with(name);
        assert!(head.lines().any(line), "it has {name}");
        let forged = |was: &str| if line(was) { format!("{name}: {value}") } else { was.into() };
        let head: Vec<String> = head.lines().map(forged).collect();
        format!("{}\n\n{body}", head.join("\n"))
    };
    let forgeries = [
        format!("{head}\n\n{}", body.replacen('e', "3", 1)),
        format!("{head}\n\n{body}One more line\n"),
        with("Subject", "Click here"),
        with("From", "Story <security@st0ry.example>"),
        format!("From: Somebody <somebody@elsewhere.example>\n{mail}"),
    ];
    let written = forgeries.iter().enumerate().map(|(number, forgery)| {
        let path = folder.join(format!("forged-{number}.eml"));
        std::fs::write(&path, forgery).expect("written");
        path
    });
    written.collect()
}

/// Prints, for each mail, whether its first and its second signature hold.
const VERIFY: &str = r#"
import dkim, json, sys
records = json.load(open(sys.argv[1]))
def dns(name, timeout=5):
    value = records.get(name.decode().rstrip("."))
    return value.encode() if value else None
def holds(mail, index):
    try:
        return dkim.DKIM(mail).verify(idx=index, dnsfunc=dns)
    except dkim.DKIMException:
        return False
for path in sys.argv[2:]:
    mail = open(path, "rb").read().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    print(*(holds(mail, index) for index in (0, 1)))
"#;

/// Where Python finds dkimpy; installs it for the tests when it is not there yet.
fn dkimpy() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("py-dkim");
    let importable = || {
        let mut python = Command::new("python3");
        python.args(["-c", "import dkim, nacl.signing"]).env("PYTHONPATH", &folder);
        python.output().is_ok_and(|output| output.status.success())
    };
    if !importable() {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--target"]).arg(&folder);
        let installed = pip.args(["dkimpy", "pynacl", "dnspython"]).output();
        if !installed.is_ok_and(|output| output.status.success()) {
            return None;
        }
    }
    importable().then_some(folder)
}
