//! The kill switch holds whoever moves it, and what cannot be confirmed lets nothing leave.

use std::cell::Cell;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use e2e::web::{Answer, send};
use e2e::{Company, Program, Shop, receipt, until};
use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::Instant;

async fn post(shop: &Shop) -> Answer {
    let bearer = format!("Bearer {}", shop.token);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let body = receipt("ann.lee@members.example").to_string();
    send(Method::POST, &format!("{}/v3/mail/send", shop.base), &headers, body).await
}

fn code(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.header("x-cordon-code"))
}

/// Callers that post receipts until they are dropped.
struct Traffic(Arc<AtomicBool>);

impl Traffic {
    fn begin(shop: &Shop) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        for _ in 0..8 {
            let (ended, shop) =
                (ended.clone(), Shop { base: shop.base.clone(), token: shop.token.clone() });
            tokio::spawn(async move {
                while !ended.load(Ordering::SeqCst) {
                    post(&shop).await;
                }
            });
        }
        Self(ended)
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// How long after `since` the vendor still received something, watched for two seconds.
async fn last_received(company: &Company, since: Instant) -> Duration {
    let count = Cell::new(company.sandbox.counts().messages);
    let last = Cell::new(Duration::ZERO);
    until("two seconds of silence or noise", || {
        let now = company.sandbox.counts().messages;
        if count.replace(now) != now {
            last.set(since.elapsed());
        }
        std::future::ready((since.elapsed() > Duration::from_secs(2)).then_some(()))
    })
    .await;
    last.get()
}

async fn open(company: &Company) -> (Program, Shop) {
    let program = company.start().await;
    let shop = company.open_shop(&program).await;
    assert_eq!(post(&shop).await.status, 202);
    (program, shop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_that_another_process_makes_holds_within_a_second() {
    let company = Company::found().await;
    let (program, shop) = open(&company).await;
    let traffic = Traffic::begin(&shop);
    for round in 0..3 {
        let before = company.sandbox.counts().messages;
        company.sandbox.wait_until(|counts| counts.messages >= before + 20).await;
        let cut = company.cordon(&["vendor", "switch", "sendgrid", "stop", "--direct"]).await;
        let acknowledged = Instant::now();
        assert!(cut.done().out.contains("stop"));
        let last = last_received(&company, acknowledged).await;
        eprintln!("round {round}: the vendor received its last {last:?} after the command ended");
        assert!(last < Duration::from_secs(1), "{last:?}");
        assert_eq!(code(&post(&shop).await), (403, "vendor-stopped"));
        company.cordon(&["vendor", "switch", "sendgrid", "open", "--direct"]).await.done();
    }
    drop(traffic);
    let audit = program.admin.get("/api/v1/audit").await.expect("it is listed");
    let direct = audit["audit"].as_array().expect("a list").iter();
    assert_eq!(direct.filter(|entry| entry["detail"]["direct"] == true).count(), 6);
    assert_eq!(program.admin.get("/api/v1/audit/verify").await.expect("verified")["ok"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_direct_way_has_the_rules_of_the_api() {
    let company = Company::found().await;
    let (program, _) = open(&company).await;
    let made = json!({ "name": "visitor", "roles": ["viewer"] });
    let made = program.admin.post("/api/v1/operators", &made).await.expect("made");
    company.write("viewer.token", made["token"].as_str().expect("a token"));
    company.write("stranger.token", "cop_0000");
    let cut = ["vendor", "switch", "sendgrid", "stop", "--direct", "--token-file"];
    let said = company.cordon(&[cut.as_slice(), &["viewer.token"]].concat()).await;
    assert!(said.code == 1 && said.err.starts_with("error[not-permitted]"), "{said:?}");
    let said = company.cordon(&[cut.as_slice(), &["stranger.token"]].concat()).await;
    assert!(said.code == 1 && said.err.starts_with("error[unauthorised]"), "{said:?}");
    let said = company.cordon(&["vendor", "switch", "nobody", "stop", "--direct"]).await;
    assert!(said.code == 1 && said.err.starts_with("error[not-found]"), "{said:?}");

    company.cordon(&["vendor", "switch", "sendgrid", "stop", "--direct"]).await.done();
    let incident = json!({ "vendor": "sendgrid", "title": "the provider was breached" });
    program.admin.post("/api/v1/incidents", &incident).await.expect("declared");
    let said = company.cordon(&["vendor", "switch", "sendgrid", "open", "--direct"]).await;
    assert!(said.code == 1 && said.err.starts_with("error[two-eyes-needed]"), "{said:?}");

    assert!(program.stop().await.success());
    let said = company.cordon(&["vendor", "switch", "sendgrid", "hold", "--direct"]).await;
    assert!(said.err.starts_with("error[two-eyes-needed]"), "without a server too: {said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_follows_the_switches_learns_of_a_change_as_it_happens() {
    let company = Company::found().await;
    let (program, _) = open(&company).await;
    let admin = program.admin.clone();
    let ask = |version: &str| {
        let (admin, path) = (admin.clone(), format!("/api/v1/gateway/switches?version={version}"));
        async move { admin.get(&path).await.expect("an answer") }
    };
    let known = ask("").await;
    assert_eq!(known["switches"]["sendgrid"], "open");
    let version = known["version"].as_str().expect("a version").to_owned();
    let asked = Instant::now();
    assert_eq!(ask(&version).await["version"], version.as_str(), "nothing changed");
    assert!(asked.elapsed() > Duration::from_millis(500), "it waited for a change");

    let following = tokio::spawn(ask(&version));
    company.cordon(&["vendor", "switch", "sendgrid", "hold", "--direct"]).await.done();
    let changed = following.await.expect("an answer");
    let changed = if changed["version"] == version { ask(&version).await } else { changed };
    assert_eq!(changed["switches"]["sendgrid"], "hold");
    company.cordon(&["vendor", "switch", "sendgrid", "open", "--direct"]).await.done();
    until("the version to be what it was", || async {
        (ask("").await["version"] == version.as_str()).then_some(())
    })
    .await;
}

async fn doctor_says(program: &Program, verdict: &str) -> bool {
    let report = program.admin.post("/api/v1/doctor", &json!({})).await.expect("it looks");
    let checks = report["checks"].as_array().expect("a list").iter();
    checks.filter(|check| check["what"] == "kill switches").all(|check| check["verdict"] == verdict)
}

/// Waits until calls are refused since nobody can look, and sees that nothing of them leaves.
async fn nothing_leaves(company: &Company, shop: &Shop) {
    until("calls to be refused", || async {
        (code(&post(shop).await) == (503, "switch-unknown")).then_some(())
    })
    .await;
    let before = company.sandbox.counts().messages;
    assert_eq!(code(&post(shop).await), (503, "switch-unknown"));
    assert_eq!(company.sandbox.counts().messages, before);
}

async fn leaves_again(shop: &Shop) {
    until("calls to leave", || async { (post(shop).await.status == 202).then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_while_the_store_cannot_be_looked_at() {
    let company = Company::found().await;
    let settings = std::fs::read_to_string(company.path("cordon.toml")).expect("settings");
    company.write("cordon.toml", settings + "staleness_seconds = 1\n");
    let (program, shop) = open(&company).await;
    assert!(doctor_says(&program, "right").await);

    let (store, aside) = (company.data().join("cordon.db"), company.path("aside.db"));
    std::fs::copy(&store, &aside).expect("a copy");
    std::fs::rename(&store, company.path("kept.db")).expect("moved");
    nothing_leaves(&company, &shop).await;
    assert!(doctor_says(&program, "wrong").await);
    let followed = program.admin.get("/api/v1/gateway/switches").await;
    assert!(format!("{followed:?}").contains("switch-unknown"), "{followed:?}");
    std::fs::rename(&aside, &store).expect("another in its place");
    nothing_leaves(&company, &shop).await;
    std::fs::rename(company.path("kept.db"), &store).expect("moved back");
    leaves_again(&shop).await;
    assert!(doctor_says(&program, "right").await);

    let lock = Lock::hold(&company).await;
    nothing_leaves(&company, &shop).await;
    drop(lock);
    leaves_again(&shop).await;
    assert!(program.log().contains("the switches cannot be looked at"));
}

/// Another process that holds every lock by which the store is read.
struct Lock(#[expect(dead_code, reason = "killed when dropped")] tokio::process::Child);

impl Lock {
    async fn hold(company: &Company) -> Self {
        const HOLD: &str = "import fcntl,sys\nf=open(sys.argv[1],'r+b')\n\
                            fcntl.lockf(f,fcntl.LOCK_EX,8,120)\nprint('held',flush=True)\n\
                            sys.stdin.read()";
        let mut child = tokio::process::Command::new("python3")
            .args(["-c", HOLD])
            .arg(company.data().join("cordon.db-shm"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("python3 runs");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        assert_eq!(lines.next_line().await.expect("it speaks").as_deref(), Some("held"));
        Self(child)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_is_not_undone_by_a_look_that_began_before_it() {
    let company = Company::found().await;
    let (program, shop) = open(&company).await;
    let traffic = Traffic::begin(&shop);
    for _ in 0..40 {
        let admin = &program.admin;
        let set = |switch| json!({ "switch": switch });
        let path = "/api/v1/vendors/sendgrid/switch";
        let cut: Value = admin.post(path, &set("stop")).await.expect("cut");
        assert_eq!(cut["switch"], "stop");
        for _ in 0..3 {
            assert_eq!(code(&post(&shop).await), (403, "vendor-stopped"));
        }
        admin.post(path, &set("open")).await.expect("opened");
        assert_eq!(post(&shop).await.status, 202);
    }
    drop(traffic);
}
