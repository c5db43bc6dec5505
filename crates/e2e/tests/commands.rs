//! Every command of the command line against a running server: for people and as JSON, with its
//! exit code, and everything that it says about itself.

use std::process::Stdio;

use e2e::{Company, LIST, Program, Said, binary, output, until};
use serde_json::{Value, json};
use server::client::ClientError;

/// The help of a command and, in their order, of all below it.
fn help(path: &mut Vec<String>, whole: &mut String) {
    let run = std::process::Command::new(binary()).args(&*path).arg("--help").output();
    let run = run.expect("it runs");
    let text = String::from_utf8(run.stdout).expect("UTF-8");
    assert!(run.status.success() && run.stderr.is_empty(), "{path:?}");
    assert!(text.contains("\nUsage: cordon") && text.contains("--json"), "{path:?}: {text}");
    let text_lines = text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    whole.push_str(&format!("$ cordon {} --help\n{text_lines}\n\n", path.join(" ")));
    let below = text.split("Commands:\n").nth(1).unwrap_or_default();
    let names = below.lines().take_while(|line| !line.is_empty());
    let names = names.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    for name in names.filter_map(|line| line.split_whitespace().next()) {
        if name != "help" {
            path.push(name.to_owned());
            help(path, whole);
            path.pop();
        }
    }
}

#[test]
fn every_command_says_what_it_is_for() {
    let mut whole = String::new();
    help(&mut Vec::new(), &mut whole);
    insta::assert_snapshot!("help", whole);
}

/// Who speaks: the company's folder, one of the two forms, and what was said so far.
struct Terminal<'a> {
    company: &'a Company,
    json: bool,
    transcript: String,
}

impl Terminal<'_> {
    /// A command that is expected to do what it says; its output is kept for the snapshot.
    async fn whole(&mut self, args: &[&str]) -> Said {
        let said = self.run(args).await;
        self.keep(args, &said.out);
        said
    }

    /// The same, of which only the first line is kept: what follows differs from run to run.
    async fn head(&mut self, args: &[&str]) -> Said {
        let said = self.run(args).await;
        let first = said.out.lines().next().unwrap_or_default();
        self.keep(args, &format!("{first}\n…\n"));
        said
    }

    async fn run(&self, args: &[&str]) -> Said {
        let form: &[&str] = if self.json { &["--json"] } else { &[] };
        let said = self.company.cordon(&[args, form].concat()).await.done();
        assert_eq!(said.err, "", "{args:?}");
        if self.json {
            said.json();
        } else {
            let parsed = serde_json::from_str::<Value>(&said.out);
            assert!(parsed.is_err() && !said.out.is_empty(), "{args:?}: {}", said.out);
        }
        said
    }

    fn keep(&mut self, args: &[&str], out: &str) {
        let line = args.iter().map(|arg| match arg.contains(' ') {
            true => format!("\"{arg}\""),
            false => (*arg).to_owned(),
        });
        let line = line.collect::<Vec<_>>().join(" ");
        self.transcript.push_str(&redacted(&format!("$ cordon {line}\n{out}\n"), self.company));
    }
}

/// A transcript without what differs from run to run.
fn redacted(text: &str, company: &Company) -> String {
    let folder = company.path("x");
    let folder = folder.parent().and_then(|folder| folder.to_str()).expect("text");
    let text = text.replace(folder, "FOLDER");
    let mut out = String::new();
    for part in
        text.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || "_:.+-/=".contains(c)))
    {
        let end = part.len()
            - part.chars().next_back().map_or(0, |c| {
                usize::from(!(c.is_ascii_alphanumeric() || "_:.+-/=".contains(c))) * c.len_utf8()
            });
        let (word, end) = part.split_at(end);
        out.push_str(&redacted_word(word));
        out.push_str(end);
    }
    while out.contains("   ") {
        out = out.replace("   ", "  ");
    }
    out.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

fn redacted_word(word: &str) -> String {
    const PREFIXES: [&str; 15] = [
        "inc_", "ntc_", "fct_", "fnd_", "can_", "vnd_", "wkl_", "cal_", "evd_", "opr_", "dlv_",
        "per_", "ers_", "cop_", "SG.",
    ];
    if let Some(prefix) = PREFIXES.iter().find(|prefix| word.starts_with(**prefix)) {
        return format!("{prefix}…");
    }
    if let Some((before, after)) = word.split_once("127.0.0.1:") {
        let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
        return format!("{before}127.0.0.1:PORT{rest}");
    }
    let hex = word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let time = word.starts_with("20") && word.contains('T') && word.ends_with('Z');
    match (hex, time) {
        (true, _) => "HEX".to_owned(),
        (_, true) => "TIME".to_owned(),
        _ => word.to_owned(),
    }
}

/// Sets a company up from its command line alone, as the manual says.
async fn set_up(terminal: &mut Terminal<'_>) {
    let company = terminal.company;
    company.write("key.txt", company.key.expose());
    company.write("public-key.txt", company.sandbox.webhook_public_key());
    let endpoint = company.endpoint();
    terminal.head(&["connector", "list"]).await;
    terminal
        .head(&[
            "vendor",
            "add",
            "sendgrid",
            "--credential-file",
            "key.txt",
            "--retention-days",
            "400",
            "--notice-hours",
            "48",
            "--list",
            LIST,
            "--endpoint",
            &endpoint,
            "--field",
            "phone=refuse",
            "--automatic",
            "snapshot-evidence",
        ])
        .await;
    terminal.whole(&["vendor", "webhook", "sendgrid", "--secret-file", "public-key.txt"]).await;
    terminal.whole(&["vendor", "credential", "sendgrid", "--credential-file", "key.txt"]).await;
    let changed = terminal.head(&["vendor", "change", "sendgrid", "--retention-days", "300"]).await;
    assert!(changed.out.contains("300"));
    terminal.head(&["vendor", "list"]).await;
    let shown = terminal.head(&["vendor", "show", "sendgrid"]).await;
    assert!(shown.out.contains("300") && !shown.out.contains(company.key.expose()));
    for switch in ["hold", "stop", "open"] {
        let switched = terminal.head(&["vendor", "switch", "sendgrid", switch]).await;
        assert!(switched.out.contains(switch));
    }
    let added = terminal
        .head(&[
            "workload",
            "add",
            "shop",
            "--vendor",
            "sendgrid",
            "--purpose",
            "receipts",
            "--fields",
            "email,name,content",
        ])
        .await;
    assert!(added.out.contains("SENDGRID_API_KEY") && added.out.contains("/v/sendgrid"));
    let listed = terminal.head(&["workload", "list"]).await;
    assert!(listed.out.contains("shop") && !listed.out.contains("SG."), "tokens are shown once");
    let made = terminal.whole(&["operator", "add", "second", "--role", "approver"]).await;
    let token = made.out.split_whitespace().find(|word| word.contains("cop_")).expect("a token");
    company.write("second.token", token.trim_matches(['"', ',']));
    let listed = terminal.whole(&["operator", "list"]).await;
    assert!(listed.out.contains("second") && !listed.out.contains("cop_"));
}

/// Who is known, what is held, what was seen.
async fn look(terminal: &mut Terminal<'_>) {
    let company = terminal.company;
    terminal.whole(&["people", "index"]).await;
    company.write(
        "contacts.csv",
        "EMAIL,FIRST_NAME\nann.lee@members.example,Ann\nbob.ray@members.example,Bob\n",
    );
    let import = ["import", "sendgrid", "contacts.csv", "--as-of", "2026-01-31", "--list", LIST];
    terminal.whole(&[&import[..], &["--complete"]].concat()).await;
    let held = terminal.head(&["holdings", "--email", "ann.lee@members.example"]).await;
    assert!(held.out.contains("email") && held.out.contains(LIST) && !held.out.contains("ann.lee"));
    terminal.whole(&["holdings", "--person-id", "nobody"]).await;
    terminal.whole(&["holdings", "--phone", "+4930123456"]).await;
    terminal.whole(&["scope", "sendgrid"]).await;
    let lists =
        ["scope", "sendgrid", "--from", "2026-02-01", "--to", "2026-02-05", "--lists", LIST];
    terminal.whole(&[&lists[..], &["--fields", "email", "--operations", "import"]].concat()).await;
    terminal.whole(&["canary", "plant", "sendgrid", "--list", LIST, "--count", "2"]).await;
    terminal.head(&["canary", "list"]).await;
    company.write(
        "mail.eml",
        "From: Story <hello@story.example>\r\nSubject: Hello\r\n\r\nSee http://login.example\r\n",
    );
    terminal.head(&["fact", "mail", "mail.eml"]).await;
    terminal
        .head(&[
            "fact",
            "vendor-notice",
            "sendgrid",
            "an employee's account was used",
            "--fields",
            "email",
            "--fields-denied",
            "password",
            "--access-from",
            "2026-02-01",
        ])
        .await;
    let facts = terminal.head(&["fact", "list"]).await;
    assert!(facts.out.contains("vendor-notice"));
    terminal.head(&["findings"]).await;
    terminal.head(&["status"]).await;
    terminal.head(&["doctor"]).await;
}

/// The response to a breach, from the incident that the vendor's notice declared.
async fn respond(terminal: &mut Terminal<'_>, program: &Program) {
    let company = terminal.company;
    let admin = &program.admin;
    terminal.head(&["incident", "list"]).await;
    let incidents = admin.get("/api/v1/incidents").await.expect("a list");
    let id = incidents["incidents"][0]["id"].as_str().expect("one was declared").to_owned();
    let id = id.as_str();
    let path = format!("/api/v1/incidents/{id}");
    let scopes = async |count: usize| {
        until("a scope", async || {
            let shown = admin.get(&path).await.expect("it is there");
            let there = shown["scopes"].as_array().map_or(0, Vec::len) >= count;
            (there && shown["asked"].is_null()).then_some(())
        })
        .await;
    };
    scopes(1).await;
    terminal.head(&["incident", "show", id]).await;
    terminal.head(&["incident", "assign", id, "legal", "second"]).await;
    terminal
        .head(&["incident", "note", id, "we called them", "--at", "2026-02-05T10:00:00Z"])
        .await;
    terminal.head(&["incident", "statement", id, "no passwords", "--denied", "password"]).await;
    terminal.head(&["incident", "reverse", id, "1", "hashes of passwords after all"]).await;
    terminal.head(&["incident", "decide", id, "EU-GDPR-33", "--why", "people in the EU"]).await;
    terminal.head(&["incident", "run", id, "cut-gateway"]).await;
    terminal.head(&["incident", "confirm", id, "close-sessions", "--proof", "their list"]).await;
    terminal.head(&["incident", "skip", id, "move-critical-mail", "--why", "there is none"]).await;
    let asked = ["incident", "scope", id, "--from", "2026-02-01", "--reason", "their own date"];
    terminal.head(&asked).await;
    scopes(2).await;
    company.write("dataset.csv", "EMAIL\nann.lee@members.example\n");
    terminal.whole(&["incident", "dataset", id, "dataset.csv"]).await;
    scopes(3).await;
    terminal.whole(&["incident", "diff", id, "1", "3"]).await;
    terminal.head(&["incident", "persons", id, "1", "--to", "persons.csv"]).await;
    let persons = std::fs::read_to_string(company.path("persons.csv")).expect("a file");
    assert!(persons.starts_with("person,fields,bound\n") && !persons.contains('@'));
    terminal.head(&["incident", "clocks", id]).await;
    terminal.head(&["incident", "evidence", id]).await;
    company
        .write("bulletin.txt", "A company that works for us had an incident.\n\nWe cut it off.\n");
    let bulletin =
        ["incident", "bulletin", id, "--title", "An incident", "--text-file", "bulletin.txt"];
    terminal.head(&bulletin).await;
    let second = ["--token-file", "second.token"];
    terminal.head(&[&["incident", "publish", id, "1", "1"][..], &second].concat()).await;
    tell(terminal, program, id).await;
    terminal.head(&["incident", "lift", id, "--why", "they have new keys"]).await;
    terminal.head(&[&["incident", "approve-lift", id][..], &second].concat()).await;
    terminal.head(&["incident", "close", id, "--why", "it is over"]).await;
    terminal.head(&["incident", "reopen", id, "--why", "it is not"]).await;
    let again = company.cordon(&["incident", "declare", "sendgrid", "again"]).await;
    assert_eq!((again.code, again.err.starts_with("error[exists]: ")), (1, true), "{again:?}");
    terminal.head(&["incident", "close", id, "--why", "now it is"]).await;
    terminal.head(&["incident", "declare", "sendgrid", "another one", "--lists", LIST]).await;
}

/// People are told.
async fn tell(terminal: &mut Terminal<'_>, program: &Program, incident: &str) {
    let company = terminal.company;
    let admin = &program.admin;
    company
        .write("happened.txt", "Somebody got access to a system of a company that mails for us.");
    company.write("measures.txt", "We have cut that company off from our systems.");
    let draft = [
        "notice",
        "draft",
        incident,
        "--what-happened",
        "en=happened.txt",
        "--measures",
        "en=measures.txt",
    ];
    terminal.head(&draft).await;
    let shown = admin.get(&format!("/api/v1/incidents/{incident}")).await.expect("it is there");
    let notice = shown["notices"][0]["notice"].as_str().expect("a notice").to_owned();
    let notice = notice.as_str();
    terminal.head(&["notice", "show", notice]).await;
    let text = terminal.head(&["notice", "preview", notice]).await;
    assert!(text.out.contains("Somebody got access"));
    let html = terminal.head(&["notice", "preview", notice, "--html", "--language", "de"]).await;
    assert!(html.out.contains("<html"));
    terminal.whole(&["notice", "test", notice, "tester@story.example"]).await;
    assert_eq!(company.inbox.got("tester@story.example").map(|got| got.mails), Some(1));
    let own = company.cordon(&["notice", "approve", incident, notice]).await;
    assert_eq!((own.code, own.err.starts_with("error[own-work]: ")), (1, true), "{own:?}");
    let approve = ["notice", "approve", incident, notice, "--token-file", "second.token"];
    terminal.head(&approve).await;
    until("everybody to be told", async || {
        let shown = admin.get(&format!("/api/v1/notices/{notice}")).await.expect("it is there");
        (shown["state"] == "done").then_some(())
    })
    .await;
    for order in ["pause", "resume"] {
        let late = company.cordon(&["notice", order, notice]).await;
        assert_eq!((late.code, late.err.starts_with("error[stale]: ")), (1, true), "{late:?}");
    }
    terminal.head(&["notice", "export", notice, "--to", "deliveries.csv"]).await;
    let rows = std::fs::read_to_string(company.path("deliveries.csv")).expect("a file");
    assert!(rows.starts_with("person,state,") && !rows.contains('@'), "{rows}");
}

/// A person is erased, and everything was recorded.
async fn end(terminal: &mut Terminal<'_>) {
    let company = terminal.company;
    terminal.head(&["people", "erase", "--email", "ann.lee@members.example"]).await;
    let open = terminal.head(&["people", "erasures"]).await;
    let ours = |word: &&str| word.contains("ers_");
    let erasure = open.out.split_whitespace().find(ours).expect("an erasure");
    let erasure = erasure.trim_matches(['"', ',']);
    let approve = ["people", "approve-erasure", erasure, "--token-file", "second.token"];
    terminal.head(&approve).await;
    terminal.whole(&["people", "erasures"]).await;
    let audit = terminal.head(&["audit", "list"]).await;
    assert!(audit.out.contains("erasure.approved") && !audit.out.contains('@'));
    let verified = terminal.head(&["audit", "verify"]).await;
    assert!(verified.out.contains("ok"));
    let shown = terminal.head(&["config"]).await;
    assert!(shown.out.contains("declare_at"));
    terminal.whole(&["drill", "list"]).await;
    assert!(company.inbox.tally().mails > 0);
}

async fn play(json: bool) -> String {
    let company = Company::found().await;
    let program = company.start().await;
    let mut terminal = Terminal { company: &company, json, transcript: String::new() };
    set_up(&mut terminal).await;
    look(&mut terminal).await;
    respond(&mut terminal, &program).await;
    end(&mut terminal).await;
    assert!(program.stop().await.success());
    terminal.transcript
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_speaks_to_people_and_does_what_the_manual_says() {
    insta::assert_snapshot!("transcript", play(false).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_speaks_json() {
    play(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_has_a_code_a_hint_and_an_exit_code_that_says_whose_turn_it_is() {
    let company = Company::found().await;
    let usage: [&[&str]; 9] = [
        &[],
        &["nonsense"],
        &["vendor", "add"],
        &["import", "sendgrid", "x.csv", "--as-of", "yesterday"],
        &["holdings", "--email", "a@b.example", "--phone", "+4930123456"],
        &["incident", "show", "inc_1"],
        &["vendor", "show", "No Vendor!"],
        &["vendor", "switch", "sendgrid", "off"],
        &["notice", "draft", "inc_01J00000000000000000000000", "--what-happened", "text.txt"],
    ];
    for args in usage {
        let said = company.cordon(args).await;
        assert_eq!((said.code, said.out.as_str()), (64, ""), "{args:?}");
        assert!(said.err.contains("Usage: ") || said.err.starts_with("error: "), "{said:?}");
    }
    let error = |said: &Said, code: i32, start: &str, hint: bool| {
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{said:?}");
        assert!(said.err.starts_with(start), "{said:?}");
        let lines: Vec<_> = said.err.lines().collect();
        assert!(!lines[0].ends_with('.') && lines.len() == 1 + usize::from(hint), "{said:?}");
        assert!(!hint || lines[1].starts_with("hint: "), "{said:?}");
    };
    error(&company.cordon(&["status"]).await, 2, "error[not-running]: no server runs on `", true);
    error(&company.cordon(&["doctor"]).await, 2, "error[not-running]: ", true);
    error(&company.cordon(&["drill", "atlantis"]).await, 64, "error[scenario-unknown]: ", true);
    let said = company.cordon(&["serve", "--config", "none.toml"]).await;
    error(&said, 1, "error[config-unreadable]: ", true);
    company.write("odd.toml", "[company]\nnmae = \"x\"\n");
    let said = company.cordon(&["serve", "--config", "odd.toml"]).await;
    assert!(said.code == 1 && said.err.starts_with("error[config-invalid]: "), "{said:?}");
    assert!(said.err.contains("nmae") && said.err.contains("\nhint: "), "{said:?}");
    let said = company.cordon(&["audit", "verify"]).await;
    assert_eq!(said.code, 2, "nothing to verify is not verified: {said:?}");

    let program = company.start().await;
    error(&company.cordon(&["vendor", "show", "nobody"]).await, 1, "error[not-found]: ", false);
    let said = company.cordon(&["import", "sendgrid", "none.csv", "--as-of", "2026-01-31"]).await;
    error(&said, 64, "error[file-unreadable]: `none.csv` cannot be read", false);
    company.write("wrong.token", "cop_0");
    let wrong = ["--token-file", "wrong.token"];
    let said = company.cordon(&[&["status"][..], &wrong].concat()).await;
    error(&said, 1, "error[unauthorised]: ", true);
    for command in [["audit", "verify"].as_slice(), &["doctor"]] {
        let said = company.cordon(&[command, &wrong].concat()).await;
        error(&said, 2, "error[unauthorised]: ", true);
    }
    let said = company.cordon(&["vendor", "show", "nobody", "--json"]).await;
    let parsed: Value = serde_json::from_str(&said.err).expect("an error in JSON");
    assert_eq!((said.code, &parsed["error"]["code"]), (1, &json!("not-found")));
    let served = ["status", "--server", &program.places.api];
    assert_eq!(company.cordon(&served).await.code, 0, "another server is asked with its own token");
    program.kill().await;
    error(&company.cordon(&["status"]).await, 2, "error[unreachable]: ", true);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_ends_with_what_it_found() {
    let company = Company::found().await;
    let program = company.start().await;
    let well = company.cordon(&["doctor"]).await;
    assert_eq!(well.code, 0, "{well:?}");
    assert!(well.out.contains("directory") && well.out.contains("DNS"), "{well:?}");
    std::fs::remove_file(company.path("people.csv")).expect("it was there");
    let ill = company.cordon(&["doctor", "--json"]).await;
    assert_eq!(ill.code, 1, "{ill:?}");
    let checks = ill.json();
    let checks = checks["checks"].as_array().expect("a list");
    let of =
        |what: &str| checks.iter().find(|check| check["what"] == what).expect("it is looked at");
    assert_eq!(of("directory")["verdict"], "wrong");
    assert_eq!(of("audit log")["verdict"], "right");
    drop(program);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_that_is_printed_starts_a_server() {
    let company = Company::found().await;
    let printed = company.cordon(&["config"]).await.done().out;
    let shown = company.cordon(&["config", "--json"]).await.done().json();
    assert_eq!(shown["toml"], printed.as_str());
    let mut ours = printed.replace("\"cordon-data\"", &format!("{:?}", company.data()));
    for port in 8025..=8028 {
        ours = ours.replace(&format!("127.0.0.1:{port}"), "127.0.0.1:0");
    }
    company.write("cordon.toml", ours);
    let program = company.start().await;
    let status = program.admin.get("/api/v1/status").await.expect("it runs");
    assert_eq!(status["listening"]["api"], program.places.api.as_str());
    assert!(program.stop().await.success());
    let said = output(company.data().parent().expect("a folder"), &["config", "--help"]).await;
    assert_eq!(said.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_says_in_json_where_it_listens() {
    let company = Company::found().await;
    let mut child = tokio::process::Command::new(binary())
        .args(["serve", "--json", "--config"])
        .arg(company.path("cordon.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("it runs");
    let out = child.stdout.take().expect("its output");
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(out));
    let line = lines.next_line().await.expect("it speaks").expect("a line");
    let places: Value = serde_json::from_str(&line).expect("JSON on one line");
    let status = company.cordon(&["status", "--json"]).await.done().json();
    assert_eq!(status["listening"], places);
    child.kill().await.expect("it ran");
}

/// Changes a text of the store's file in place, wherever it stands.
fn tamper(company: &Company, from: &[u8], to: &[u8]) -> usize {
    assert_eq!(from.len(), to.len());
    let mut found = 0;
    for name in ["cordon.db", "cordon.db-wal"] {
        let path = company.data().join(name);
        let Ok(mut bytes) = std::fs::read(&path) else { continue };
        let places: Vec<_> =
            bytes.windows(from.len()).enumerate().filter(|(_, part)| *part == from).collect();
        let places: Vec<_> = places.into_iter().map(|(at, _)| at).collect();
        found += places.len();
        for at in places {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
        std::fs::write(&path, bytes).expect("written");
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_to_the_audit_log_is_found_with_and_without_a_server() {
    let company = Company::found().await;
    let program = company.start().await;
    company.open_shop(&program).await;
    program.operator("second", "approver").await;
    let online = company.cordon(&["audit", "verify", "--json"]).await.done().json();
    assert_eq!(online["ok"], true);
    assert!(program.stop().await.success());
    let offline = company.cordon(&["audit", "verify", "--json"]).await.done().json();
    assert_eq!(offline, online, "the same without a server");

    assert!(tamper(&company, b"workload.added", b"workload.Added") > 0, "it stands there");
    let said = company.cordon(&["audit", "verify", "--json"]).await;
    assert_eq!((said.code, &said.json()["ok"]), (1, &json!(false)), "{said:?}");
    assert!(said.json()["broken_at"].as_u64() > Some(1), "{said:?}");
    let program = company.start().await;
    let said = company.cordon(&["audit", "verify"]).await;
    assert!(said.code == 1 && said.out.contains("broken_at"), "{said:?}");
    assert_eq!(company.cordon(&["doctor"]).await.code, 1, "the doctor finds it too");
    match program.admin.get("/api/v1/audit/verify").await {
        Ok(verified) => assert_eq!(verified["ok"], false),
        Err(ClientError::Refused { .. }) | Err(_) => panic!("it could not be told"),
    }
    assert!(program.stop().await.success());
    tamper(&company, b"workload.Added", b"workload.added");
    company.cordon(&["audit", "verify"]).await.done();
}
