//! Notices through a real mail server, Debian's Postfix, and their signatures by an independent
//! verifier, dkimpy. Where one of them cannot be had, the story says so and is not told.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::{Company, LIST, Program, until};
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

/// A private instance of Postfix in a folder of its own.
struct Postfix {
    folder: PathBuf,
    port: u16,
}

impl Postfix {
    /// Starts it on a free port; `None` when this machine cannot.
    fn start(folder: &Path) -> Option<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        let postfix = Self { folder: folder.to_owned(), port };
        for part in ["etc", "queue", "data", "mail"] {
            std::fs::create_dir_all(folder.join(part)).ok()?;
            let open = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(folder.join(part), open).ok()?;
        }
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).ok()?;
        run("chown", &["postfix", &text(&folder.join("data"))])?;
        run("chown", &["nobody", &text(&folder.join("mail"))])?;
        std::fs::write(folder.join("etc/main.cf"), postfix.main()).ok()?;
        std::fs::write(folder.join("etc/master.cf"), postfix.master()).ok()?;
        let boxes: String = PEOPLE
            .iter()
            .filter(|(name, _)| *name != "gone")
            .map(|(name, _)| format!("{}@members.example {}/\n", plain(name), plain(name)))
            .collect();
        std::fs::write(folder.join("etc/boxes"), boxes).ok()?;
        run("postfix", &["-c", &text(&folder.join("etc")), "start"])?;
        Some(postfix)
    }

    fn main(&self) -> String {
        let folder = self.folder.display();
        let nobody = |what: &str| {
            let said = Command::new("id").args([what, "nobody"]).output();
            let id = said.ok().and_then(|said| String::from_utf8(said.stdout).ok());
            id.unwrap_or_default().trim().to_owned()
        };
        format!(
            "compatibility_level = 3.6\nqueue_directory = {folder}/queue\n\
             data_directory = {folder}/data\nmail_owner = postfix\nsetgid_group = postdrop\n\
             inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nmyhostname = mx.example\n\
             mydestination =\nmynetworks = 127.0.0.0/8\nlocal_recipient_maps =\n\
             virtual_mailbox_domains = members.example\nvirtual_mailbox_base = {folder}/mail\n\
             virtual_mailbox_maps = texthash:{folder}/etc/boxes\nvirtual_minimum_uid = 1\n\
             virtual_uid_maps = static:{uid}\nvirtual_gid_maps = static:{gid}\n\
             default_transport = error\nalias_maps =\nalias_database =\n\
             maillog_file = /var/log/cordon-story-{port}.log\n",
            uid = nobody("-u"),
            gid = nobody("-g"),
            port = self.port,
        )
    }

    fn master(&self) -> String {
        let port = self.port;
        format!(
            "127.0.0.1:{port} inet n - n - - smtpd\npostlog unix-dgram n - n - 1 postlogd\n\
             cleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\n\
             rewrite unix - - n - - trivial-rewrite\nbounce unix - - n - 0 bounce\n\
             defer unix - - n - 0 bounce\ntrace unix - - n - 0 bounce\n\
             proxymap unix - - n - - proxymap\nerror unix - - n - - error\n\
             retry unix - - n - - error\nvirtual unix - n n - - virtual\n\
             anvil unix - - n - 1 anvil\ntlsmgr unix - - n 1000? 1 tlsmgr\n"
        )
    }

    /// The mails in somebody's mailbox.
    fn mails(&self, name: &str) -> Vec<PathBuf> {
        let new = self.folder.join("mail").join(plain(name)).join("new");
        let entries = std::fs::read_dir(new).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let stopped = run("postfix", &["-c", &text(&self.folder.join("etc")), "stop"]);
        if stopped.is_none() {
            eprintln!("Postfix did not stop");
        }
        let log = format!("/var/log/cordon-story-{}.log", self.port);
        std::fs::remove_file(log).ok();
    }
}

/// An address has no accents; the name in the directory has.
fn plain(name: &str) -> String {
    name.replace('ö', "oe").replace('ã', "a")
}

fn text(path: &Path) -> String {
    path.to_str().expect("the folder's name is text").to_owned()
}

fn run(program: &str, args: &[&str]) -> Option<()> {
    let output = Command::new(program).args(args).output().ok()?;
    if !output.status.success() {
        eprintln!("{program}: {}", String::from_utf8_lossy(&output.stderr));
    }
    output.status.success().then_some(())
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
    let Some(postfix) = Postfix::start(folder.path()) else {
        eprintln!("SKIPPED: this machine has no Postfix that may be started");
        return;
    };
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
        until("a mail in the mailbox", || async { postfix.mails(name).pop() }).await;
        let found = postfix.mails(name);
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

/// Has dkimpy check both signatures of each mail against the records that are to be published.
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
    let file = folder.join("records.json");
    std::fs::write(&file, json!(records).to_string()).expect("written");
    let said = Command::new("python3")
        .args(["-c", VERIFY])
        .arg(&file)
        .args(mails)
        .env("PYTHONPATH", modules)
        .output()
        .expect("python runs");
    let heard = String::from_utf8_lossy(&said.stdout);
    let expected = "True True\n".repeat(mails.len());
    assert_eq!(heard, expected, "{}", String::from_utf8_lossy(&said.stderr));
}

/// Prints, for each mail, whether its first and its second signature hold.
const VERIFY: &str = r#"
import dkim, json, sys
records = json.load(open(sys.argv[1]))
def dns(name, timeout=5):
    value = records.get(name.decode().rstrip("."))
    return value.encode() if value else None
for path in sys.argv[2:]:
    mail = open(path, "rb").read().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    print(*(dkim.DKIM(mail).verify(idx=index, dnsfunc=dns) for index in (0, 1)))
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
