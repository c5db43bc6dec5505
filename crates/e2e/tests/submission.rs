//! Mail from a real program (Python's smtplib) through the submission door to a real mail server
//! (Debian's Postfix) in the vendor's place, which asks for TLS and a log-in, while the program is
//! killed (`kill -9`) again and again. Where there is no Postfix, the story says so and is not
//! told.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use e2e::{Company, Postfix, Program, until};
use ledger::{Ledger, LedgerKeys, Settled};
use model::RootKey;
use serde_json::json;

/// How often the program is killed while mail goes through it.
const ROUNDS: u64 = 12;
/// Mails that are handed in in each round, unless the program dies before.
const MAILS: u64 = 400;

/// Logs in and hands in mails one by one; prints the number of each that was acknowledged.
const CLIENT: &str = r#"
import email.policy, os, smtplib, ssl, sys
from email.message import EmailMessage
port, first, count = map(int, sys.argv[1:4])
try:
    smtp = smtplib.SMTP("localhost", port)
    smtp.starttls(context=ssl.create_default_context(cafile=sys.argv[4]))
    smtp.login("apikey", os.environ["SENDGRID_API_KEY"])
    for number in range(first, first + count):
        message = EmailMessage()
        message["From"] = "Shop <shop@story.example>"
        message["To"] = "Ann Lee <ann@members.example>"
        message["Subject"] = f"receipt {number}"
        message["X-Mailer"] = "shop of app7.internal"
        message.set_content("Thank you.\n.\n")
        smtp.mail("shop@story.example")
        smtp.rcpt("ann@members.example")
        code, said = smtp.data(message.as_bytes(policy=email.policy.SMTP))
        if code == 250:
            print(number, flush=True)
        else:
            print(code, said, file=sys.stderr)
except (smtplib.SMTPException, OSError) as why:
    print(why, file=sys.stderr)
"#;

/// Answers Postfix's questions about log-ins as Dovecot's authentication service does.
fn answer_logins(socket: &Path, password: String) {
    let listener = UnixListener::bind(socket).expect("a socket");
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(socket, open).expect("it is ours");
    let wanted = STANDARD.encode(format!("\0apikey\0{password}"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, wanted) = (stream.expect("Postfix asks"), wanted.clone());
            std::thread::spawn(move || attend(stream, &wanted));
        }
    });
}

fn attend(mut stream: UnixStream, wanted: &str) {
    let hello = "VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00\nDONE\n";
    if stream.write_all(hello.as_bytes()).is_err() {
        return;
    }
    let asked = BufReader::new(stream.try_clone().expect("a second end")).lines();
    for line in asked.map_while(Result::ok) {
        let words: Vec<&str> = line.split('\t').collect();
        let ["AUTH", id, "PLAIN", ..] = words[..] else { continue };
        let good = words.iter().any(|word| word.strip_prefix("resp=") == Some(wanted));
        let verdict = if good { "OK" } else { "FAIL" };
        if stream.write_all(format!("{verdict}\t{id}\tuser=apikey\n").as_bytes()).is_err() {
            return;
        }
    }
}

/// The company with a vendor that takes mail over SMTP, and a door for its programs.
struct Office {
    company: Company,
    postfix: Postfix,
    token: String,
}

impl Office {
    async fn open(folder: &Path) -> (Self, Program) {
        let company = Company::found().await;
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
        let chain = company.write("smtp.pem", made.cert.pem());
        let key = company.write("smtp.key", made.signing_key.serialize_pem());
        let socket = folder.join("logins");
        let settings = format!(
            "smtpd_tls_security_level = encrypt\nsmtpd_tls_cert_file = {chain}\n\
             smtpd_tls_key_file = {key}\nsmtpd_sasl_auth_enable = yes\n\
             smtpd_sasl_type = dovecot\nsmtpd_sasl_path = {socket}\n\
             smtpd_client_restrictions = permit_sasl_authenticated, reject\n",
            chain = chain.display(),
            key = key.display(),
            socket = socket.display(),
        );
        let postfix = Postfix::start(folder, &["ann"], &settings);
        answer_logins(&socket, company.key.expose().clone());
        let text = std::fs::read_to_string(company.path("cordon.toml")).expect("settings");
        let place = format!("localhost:{}", postfix.port);
        let text = text
            .replace("[listen]\n", "[listen]\nsubmission = \"127.0.0.1:0\"\n")
            .replace("allowed_hosts = [", &format!("allowed_hosts = [\"{place}\", "));
        let door = format!("[submission]\ncertificate = {chain:?}\nkey = {key:?}\n");
        company.write("cordon.toml", text + &door);
        let mut office = Self { company, postfix, token: String::new() };
        let program = office.start().await;
        office.token = office.company.open_shop(&program).await.token;
        let smtp = json!({ "smtp": place });
        let changed = program.admin.json(http::Method::PATCH, VENDOR, Some(&smtp)).await;
        changed.expect("it is changed");
        (office, program)
    }

    async fn start(&self) -> Program {
        let roots = self.company.path("smtp.pem");
        let roots = roots.to_str().expect("the folder's name is text");
        self.company.start_with(&[("SSL_CERT_FILE", roots)]).await
    }

    /// Hands mails in until all are, or the door is gone.
    fn hand_in(&self, program: &Program, first: u64, count: u64) -> Child {
        let door = program.places.submission.as_deref().expect("there is such a door");
        let port = door.rsplit_once(':').expect("a port").1;
        let mut python = Command::new("python3");
        python.args(["-c", CLIENT, port, &first.to_string(), &count.to_string()]);
        python.arg(self.company.path("smtp.pem")).env("SENDGRID_API_KEY", &self.token);
        python.stdout(Stdio::piped()).spawn().expect("python runs")
    }

    /// How often each mail arrived, by its number.
    fn arrived(&self) -> BTreeMap<u64, usize> {
        let mut arrived = BTreeMap::new();
        for path in self.postfix.mails("ann") {
            let mail = mail::read(&std::fs::read(path).expect("a mail")).expect("it reads");
            let reference = mail.header("X-Cordon-Ref").expect("it has a reference");
            assert!(reference.starts_with("c1."), "{reference}");
            assert_eq!(mail.header("X-Mailer"), None, "what speaks of the inside stays there");
            let subject = mail.subject.expect("a subject");
            let number = subject.strip_prefix("receipt ").and_then(|number| number.parse().ok());
            *arrived.entry(number.expect("a number")).or_default() += 1;
        }
        arrived
    }
}

const VENDOR: &str = "/api/v1/vendors/sendgrid";

/// What a client was told is kept, until it has said so many, or ended.
fn acknowledged(client: &mut Child, most: usize) -> Vec<u64> {
    let said = client.stdout.as_mut().expect("it is read");
    let lines = BufReader::with_capacity(1, said).lines().map_while(Result::ok);
    lines.filter_map(|line| line.parse().ok()).take(most).collect()
}

async fn emptied(program: &Program) {
    until("nothing to wait any more", || async {
        let held = program.admin.get(&format!("{VENDOR}/held")).await.ok()?;
        (held["mails"] == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_is_neither_lost_nor_sent_twice_however_often_the_program_is_killed() {
    let folder = tempfile::Builder::new().prefix("cordon-postfix-").tempdir().expect("a folder");
    if !Postfix::is_here() {
        eprintln!("SKIPPED: this machine has no Postfix, or it may not be started by us");
        return;
    }
    let (office, mut program) = Office::open(folder.path()).await;

    office.postfix.pause();
    let mut kept = acknowledged(&mut office.hand_in(&program, 0, 5), 5);
    assert_eq!(kept, [0, 1, 2, 3, 4]);
    program.kill().await;
    program = office.start().await;
    let held = program.admin.get(&format!("{VENDOR}/held")).await.expect("it is told");
    assert_eq!((&held["mails"], &held["calls"]), (&json!(5), &json!(0)), "{held}");
    assert!(held["oldest_age_seconds"].is_u64(), "{held}");
    office.postfix.go_on();
    emptied(&program).await;
    until("five mails", || async { (office.arrived().len() == 5).then_some(()) }).await;

    for round in 1..=ROUNDS {
        let mut client = office.hand_in(&program, round * MAILS, MAILS);
        let moment = 1 + (round * 37 % 100) as usize;
        let mut told = acknowledged(&mut client, moment);
        assert_eq!(told.len(), moment, "the client was served");
        program.kill().await;
        told.extend(acknowledged(&mut client, usize::MAX));
        client.wait().expect("the client ends");
        kept.extend(told);
        program = office.start().await;
    }
    emptied(&program).await;
    assert!(program.stop().await.success());
    let unknown = unknown(&office.company);
    let arrived = until("every mail to be in its box", || async {
        let arrived = office.arrived();
        let missing = kept.iter().filter(|number| !arrived.contains_key(number)).count();
        (missing <= unknown).then_some(arrived)
    })
    .await;
    let twice: Vec<_> = arrived.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "sent twice: {twice:?}");
    eprintln!("{} acknowledged, {} arrived, {unknown} unknown", kept.len(), arrived.len());
}

/// How many mails may have left without an answer, by the record.
fn unknown(company: &Company) -> usize {
    let root = std::fs::read_to_string(company.data().join("keys/root.key")).expect("the root key");
    let identifier = RootKey::parse(&root).expect("a root key").mac_key("identifier");
    let world = server::door::world();
    let (ledger, _) =
        Ledger::open(&company.data().join("ledger"), LedgerKeys { identifier }, world)
            .expect("nobody else has it");
    let mut unknown = 0;
    let mut count = |row: &ledger::Disclosure| match row.settled {
        Settled::Unknown | Settled::Open => unknown += 1,
        Settled::Sent | Settled::NotSent => {}
    };
    ledger.disclosures(&mut count).expect("it reads");
    unknown
}
