//! The unmodified SDKs against a running gateway, set up as `docs/integrate.md` says: each call
//! that was recorded of them is made again, of which the ledger must then say exactly what it
//! discloses.
//!
//! The SDKs are in the folder that `CORDON_SDK_DIR` names, or else under the target directory;
//! what is missing there is installed once.

#[expect(dead_code, reason = "the other tests use the rest of it")]
#[path = "gateway/support.rs"]
mod support;

#[path = "gateway/office.rs"]
mod office;

#[path = "sdk/mail.rs"]
mod mail_clients;

#[path = "sdk/chunks.rs"]
mod chunks;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use gateway::{Authority, Egress, KeptAuthority, Patience};
use ledger::{Disclosure, Settled};
use model::{
    Email, Field, FieldSet, Identifier, IdentifierHash, PersonKey, Phone, Switch, Timestamp, World,
};
use rustls::RootCertStore;
use serde_json::Value;
use tokio::net::TcpListener;

use support::{Act, FakeVendor, Got, House, Setup, reply};

const RECORDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../connectors/tests/recordings");

/// What differs from vendor to vendor.
struct Vendor {
    name: &'static str,
    /// As an operator holds it.
    credential: &'static str,
    /// A part of a request that only this credential makes.
    shown: &'static str,
    /// A case in every language; its request goes out with a reference, where `refers` says so, and
    /// is refused while the vendor is cut off.
    usual: &'static str,
    refers: bool,
    /// Cases that need another credential than this.
    apart: fn(&str) -> bool,
    /// The programs whose SDK waits by itself while the vendor is held.
    patient: &'static [&'static str],
    /// The program whose SDK tells no more than a status.
    terse: Option<&'static str>,
    /// The programs whose SDK goes through a proxy that its environment names.
    tunnels: &'static [&'static str],
}

/// One whose SDKs do as most do.
const VENDOR: Vendor = Vendor {
    name: "",
    credential: "",
    shown: "",
    usual: "",
    refers: false,
    apart: |_| false,
    patient: &[],
    terse: None,
    tunnels: &[],
};

#[tokio::test]
async fn brazes_sdks_send_and_understand_refusals() {
    check(&Vendor {
        name: "braze",
        credential: "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa",
        shown: "Bearer aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa",
        usual: "users-track",
        ..VENDOR
    })
    .await;
}

#[tokio::test]
async fn customerios_sdks_send_and_understand_refusals() {
    check(&Vendor {
        name: "customerio",
        credential: "aaaaaaaaaaaaaaaaaaaa:bbbbbbbbbbbbbbbbbbbb",
        shown: "aaaaaaaaaaaaaaaaaaaa:bbbbbbbbbbbbbbbbbbbb",
        usual: "identify",
        apart: of_app,
        tunnels: &["python3"],
        ..VENDOR
    })
    .await;
}

#[tokio::test]
async fn customerios_app_sdks_send_and_understand_refusals() {
    check(&Vendor {
        name: "customerio",
        credential: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        shown: "Bearer aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        usual: "send-email",
        apart: |case| !of_app(case),
        ..VENDOR
    })
    .await;
}

/// Customer.io's App API has credentials of its own.
fn of_app(case: &str) -> bool {
    ["send-", "broadcast-", "customers-"].iter().any(|start| case.starts_with(start))
}

#[tokio::test]
async fn klaviyos_sdks_send_and_understand_refusals() {
    check(&Vendor {
        name: "klaviyo",
        credential: "pk_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        shown: "Klaviyo-API-Key pk_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        usual: "event-create",
        tunnels: &["node"],
        ..VENDOR
    })
    .await;
}

#[tokio::test]
async fn mailchimps_sdks_send_and_understand_refusals() {
    check(&Vendor {
        name: "mailchimp",
        credential: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-us21",
        shown: ":aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-us21",
        usual: "member-add",
        tunnels: &["python3"],
        ..VENDOR
    })
    .await;
}

#[tokio::test]
async fn mailguns_sdks_send_and_understand_refusals() {
    check(&Vendor {
        name: "mailgun",
        credential: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbb-cccccccc",
        shown: "api:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbb-cccccccc",
        usual: "message-one",
        refers: true,
        tunnels: &["node", "python3"],
        ..VENDOR
    })
    .await;
}

#[tokio::test]
async fn mandrills_sdks_send_and_understand_refusals() {
    check(&Vendor {
        name: "mandrill",
        credential: "md-aaaaaaaaaaaaaaaaaaaaaa",
        shown: r#""key":"md-aaaaaaaaaaaaaaaaaaaaaa""#,
        usual: "send-one",
        refers: true,
        tunnels: &["node", "python3"],
        ..VENDOR
    })
    .await;
}

#[tokio::test]
async fn postmarks_sdks_send_and_understand_refusals() {
    check(&Vendor {
        name: "postmark",
        credential: "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa",
        shown: "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa",
        usual: "email-one",
        refers: true,
        apart: |case| case == "data-removal",
        tunnels: &["python3"],
        ..VENDOR
    })
    .await;
}

#[tokio::test]
async fn resends_sdks_send_and_understand_refusals() {
    check(&Vendor {
        name: "resend",
        credential: "re_aaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbb",
        shown: "Bearer re_aaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbb",
        usual: "email-one",
        refers: true,
        tunnels: &["python3"],
        ..VENDOR
    })
    .await;
}

#[tokio::test]
async fn segments_sdks_send_and_understand_refusals() {
    check(&Vendor {
        name: "segment",
        credential: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        shown: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:",
        usual: "identify",
        patient: &["node", "python3"],
        terse: Some("node"),
        tunnels: &["python3"],
        ..VENDOR
    })
    .await;
}

#[tokio::test]
async fn sendgrids_sdks_send_and_understand_refusals() {
    check(&Vendor {
        name: "sendgrid",
        credential: support::SENDGRID_KEY,
        shown: concat!("Bearer SG.AAAAAAAAAAAAAAAAAAAAAA.", "BBBBBBBBBBBBBBBBBBBB"),
        usual: "mail-one",
        refers: true,
        tunnels: &["node", "python3"],
        ..VENDOR
    })
    .await;
}

#[tokio::test]
async fn sess_sdks_send_and_understand_refusals() {
    check(&Vendor {
        name: "ses",
        credential: "AKIAAAAAAAAAAAAAAAAA:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        shown: "Credential=AKIAAAAAAAAAAAAAAAAA/",
        usual: "email-simple",
        refers: true,
        tunnels: &["python3"],
        ..VENDOR
    })
    .await;
}

#[tokio::test]
async fn twilios_sdks_send_and_understand_refusals() {
    check(&Vendor {
        name: "twilio",
        credential: support::TWILIO_KEY,
        shown: support::TWILIO_KEY,
        usual: "message-one",
        refers: true,
        tunnels: &["node", "python3"],
        ..VENDOR
    })
    .await;
}

#[tokio::test]
async fn zendesks_sdks_send_and_understand_refusals() {
    check(&Vendor {
        name: "zendesk",
        credential: "robot@shop.example/token:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        shown: "robot@shop.example/token:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        usual: "ticket-create",
        patient: &["python3"],
        terse: Some("node"),
        ..VENDOR
    })
    .await;
}

async fn check(vendor: &Vendor) {
    for (language, program, script) in [
        ("node", "node", format!("{}.mjs", vendor.name)),
        ("python", "python3", format!("{}_sdk.py", vendor.name)),
    ] {
        let script = Path::new(RECORDINGS).join("record").join(script);
        if script.exists() {
            let mut recordings = recordings(vendor.name, language);
            recordings.retain(|case, _| !(vendor.apart)(case));
            assert!(!recordings.is_empty(), "{} has no recordings in {language}", vendor.name);
            if vendor.tunnels.contains(&program) {
                check_tunnel(vendor, program, &script, &recordings).await;
            }
            check_language(vendor, program, &script, recordings).await;
        }
    }
}

async fn check_language(
    vendor: &Vendor,
    program: &str,
    script: &Path,
    recordings: BTreeMap<String, Value>,
) {
    let replies: Vec<_> = recordings.values().cloned().collect();
    let double = FakeVendor::start(move |got| Act::Reply(recorded_reply(&replies, got))).await;
    let setup = Setup::of(vendor.name, vendor.credential, double.url());
    let fields = Field::ALL.iter().copied().collect();
    let mut house = house(Setup { fields, ..setup }).await;

    let cases: Vec<&str> = recordings.keys().map(String::as_str).collect();
    let said = run(&house, program, script, &cases.join(",")).await;
    assert_eq!(said.len(), cases.len(), "{} makes each call once", script.display());
    for one in &said {
        assert_eq!(one["ok"], true, "{}: {one}", script.display());
    }
    let cases: Vec<&str> = said.iter().filter_map(|one| one["case"].as_str()).collect();
    check_arrived(vendor, &house, &cases, &double.got());
    check_ledger(&house, cases.iter().map(|case| &recordings[*case]));

    for (switch, status) in [(Switch::Stop, 403), (Switch::Hold, 429)] {
        if switch == Switch::Hold && vendor.patient.contains(&program) {
            continue;
        }
        house.switch(switch);
        let said = run(&house, program, script, vendor.usual).await;
        let one = said.first().unwrap_or_else(|| panic!("{} is a case", vendor.usual));
        assert_eq!(one["ok"], false, "{program}, {switch:?}: {one}");
        assert!(one["status"] == status || one["status"].is_null(), "{one}");
        let message = one["message"].as_str().expect("a message");
        let why = message.contains("vendor") || vendor.terse == Some(program);
        assert!(why, "the caller reads why: {message}");
    }
    assert_eq!(double.got().len(), cases.len(), "nothing leaves after the cut");
}

/// The SDK with the vendor's own base URL, told of a proxy and of a certificate to believe by the
/// environment alone.
async fn check_tunnel(
    vendor: &Vendor,
    program: &str,
    script: &Path,
    recordings: &BTreeMap<String, Value>,
) {
    let replies: Vec<_> = recordings.values().cloned().collect();
    let double = FakeVendor::start(move |got| Act::Reply(recorded_reply(&replies, got))).await;
    let setup = Setup::of(vendor.name, vendor.credential, double.url());
    let fields = Field::ALL.iter().copied().collect();
    let house = house(Setup { fields, ..setup }).await;
    let way = tunnel(&house).await;
    let said = run_by(&house, program, script, vendor.usual, &way).await;
    assert_eq!(said.first().expect("a case")["ok"], true, "{said:?}");
    check_arrived(vendor, &house, &[vendor.usual], &double.got());
    check_ledger(&house, [&recordings[vendor.usual]].into_iter());
}

/// Lets the house's vendor be reached by its own name through a proxy; gives back the environment
/// of a program that is to go that way.
async fn tunnel(house: &House) -> Vec<(&'static str, String)> {
    let mut registry = house.registry();
    let entry = registry.vendors.values().next().expect("one vendor");
    let host = entry.hosts().into_iter().next().expect("a host");
    let made = KeptAuthority::issue(&host, &house.world).expect("an authority");
    let opened = Authority::open(&made).expect("it opens");
    registry.authorities.insert(host.clone(), vec![opened.into()]);
    house.gateway.replace(registry);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let proxy = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(house.gateway.clone().serve_connect(listener, None, std::future::pending()));
    let bundle = house.ledger_dir.path().join("ca.pem");
    std::fs::write(&bundle, &made.root).expect("written");
    let bundle = bundle.to_str().expect("text");
    [
        ("CORDON_VENDOR", format!("https://{host}").as_str()),
        ("HTTPS_PROXY", &proxy),
        // Twilio for Node knows no other.
        ("HTTP_PROXY", &proxy),
        ("TWILIO_CA_BUNDLE", bundle),
        ("AWS_CA_BUNDLE", bundle),
        ("SSL_CERT_FILE", bundle),
        ("REQUESTS_CA_BUNDLE", bundle),
        ("NODE_EXTRA_CA_CERTS", bundle),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec()
}

/// A house at the time of the SDKs, which sign it.
async fn house(setup: Setup) -> House {
    let host = setup.endpoint.split_once("://").expect("a URL").1.to_owned();
    let egress = Egress::new(RootCertStore::empty(), vec![host]).expect("TLS");
    #[expect(clippy::disallowed_methods, reason = "programs outside have no other clock")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let now = Timestamp::from_micros(i64::try_from(now.as_micros()).expect("not far off"));
    let (world, _) = World::fixed(now, 1);
    House::in_world(vec![setup], Patience::default(), egress, world).await
}

/// The vendor's own credential arrives and never the workload's token.
fn check_arrived(vendor: &Vendor, house: &House, cases: &[&str], got: &[Got]) {
    assert_eq!(got.len(), cases.len(), "each call is one request at the vendor");
    let token = house.token();
    for (case, got) in cases.iter().zip(got) {
        let mut wire = format!("{}{}", got.head, String::from_utf8_lossy(&got.body));
        if let Some(basic) = got.header("authorization").first().and_then(|all| basic(all)) {
            wire.push_str(&basic);
        }
        assert!(wire.contains(vendor.shown), "{case}: {}", got.line());
        for secret in token.split(':') {
            assert!(!wire.contains(secret), "{case}: the token leaves");
        }
        if vendor.refers && *case == vendor.usual {
            assert!(wire.contains("c1."), "{case}: no reference: {wire}");
        }
    }
}

fn basic(header: &str) -> Option<String> {
    let bytes = BASE64_STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
    String::from_utf8(bytes).ok()
}

/// The ledger has one call after the other with exactly what each discloses.
fn check_ledger<'a>(house: &House, recordings: impl Iterator<Item = &'a Value>) {
    let mut calls: Vec<Vec<Disclosure>> = Vec::new();
    for row in house.disclosures() {
        assert_eq!(row.settled, Settled::Sent);
        match calls.last_mut().filter(|call| call[0].call == row.call) {
            Some(call) => call.push(row),
            None => calls.push(vec![row]),
        }
    }
    let mut calls = calls.into_iter();
    for recording in recordings {
        let expected = truth(house, recording);
        if expected.is_empty() {
            continue;
        }
        let found = merged(calls.next().into_iter().flatten().map(|row| {
            (row.person, row.fields, row.list.map(|list| list.to_string()).into_iter().collect())
        }));
        assert_eq!(found, expected, "{}", recording["request"]);
    }
    assert_eq!(calls.count(), 0, "nothing else is recorded");
}

/// Of each person: fields and lists.
type Said = BTreeMap<PersonKey, (FieldSet, BTreeSet<String>)>;

fn truth(house: &House, recording: &Value) -> Said {
    let texts = |list: &Value| -> Vec<String> {
        serde_json::from_value(list.clone()).expect("a list of texts")
    };
    let people = recording["discloses"].as_array().expect("people").iter();
    merged(people.flat_map(|person| {
        let fields = FieldSet::parse(&texts(&person["fields"]).join(",")).expect("fields");
        let lists: BTreeSet<_> = texts(&person["lists"]).into_iter().collect();
        // Two whom the ledger met apart stay two, and the call is about both.
        let keys = texts(&person["identifiers"]).into_iter().map(|text| {
            house.ledger.person(hash(house, &text)).unwrap_or_else(|| panic!("nobody is {text}"))
        });
        keys.map(move |key| (key, fields, lists.clone()))
    }))
}

fn merged(rows: impl Iterator<Item = (PersonKey, FieldSet, BTreeSet<String>)>) -> Said {
    let mut said = Said::new();
    for (person, fields, lists) in rows {
        let one = said.entry(person).or_default();
        one.0 = one.0.union(fields);
        one.1.extend(lists);
    }
    said
}

fn hash(house: &House, text: &str) -> IdentifierHash {
    let identifier = match text.split_once(':').expect("a kind") {
        ("email", text) => Identifier::Email(Email::parse(text).expect("an address")),
        ("phone", text) => Identifier::Phone(Phone::parse(text).expect("a number")),
        (_, text) => Identifier::UserId(text.into()),
    };
    identifier.hash(house.ledger.identifier_key())
}

/// What the vendor's double answered when the same call was recorded.
fn recorded_reply(recordings: &[Value], got: &Got) -> Vec<u8> {
    let mut line = got.line().split(' ');
    let method = line.next().unwrap_or_default();
    let path = line.next().unwrap_or_default().split('?').next().unwrap_or_default();
    let same = |one: &&Value| one["request"]["method"] == method && one["request"]["path"] == path;
    let Some(recording) = recordings.iter().find(same) else {
        return reply("404 Not Found", "", "");
    };
    let answer = &recording["reply"];
    let headers = answer["headers"].as_object().expect("headers").iter();
    let headers: String = headers
        .map(|(name, value)| format!("{name}: {}\r\n", value.as_str().expect("a header")))
        .collect();
    reply(&format!("{} Fine", answer["status"]), &headers, answer["body"].as_str().unwrap_or(""))
}

/// What was recorded of a vendor's SDK in one language, as far as the connector reads it, by case.
fn recordings(vendor: &str, language: &str) -> BTreeMap<String, Value> {
    let connector = connectors::connector(vendor).expect("a connector");
    let ending = format!(".{language}.json");
    let files = std::fs::read_dir(Path::new(RECORDINGS).join(vendor)).expect("recordings");
    let files = files.map(|entry| entry.expect("an entry").path());
    let read = files.filter_map(|path| {
        let case = path.file_name()?.to_str()?.strip_suffix(&ending)?.to_owned();
        let text = std::fs::read_to_string(&path).expect("readable");
        let recording: Value = serde_json::from_str(&text).expect("JSON");
        let request = &recording["request"];
        let known = connector.operation(request["method"].as_str()?, request["path"].as_str()?);
        known.map(|_| (case, recording))
    });
    read.collect()
}

/// Makes these calls through the gateway, and says what the SDK made of each answer.
async fn run(house: &House, program: &str, script: &Path, cases: &str) -> Vec<Value> {
    let way = [("CORDON_GATEWAY", format!("http://{}", house.address))];
    run_by(house, program, script, cases, &way).await
}

/// The same by the way that these variables say, with the workload's token in the SDK's own.
async fn run_by(
    house: &House,
    program: &str,
    script: &Path,
    cases: &str,
    way: &[(&str, String)],
) -> Vec<Value> {
    let sdk = installed().await;
    let mut command = tokio::process::Command::new(program);
    command
        .arg(script)
        .env("CORDON_SDK_DIR", &sdk)
        .env("CORDON_CASES", cases)
        .env("PYTHONPATH", sdk.join("py"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .envs(environment(house))
        .kill_on_drop(true);
    // Some SDKs read these, and would go around the gateway.
    for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"] {
        command.env_remove(proxy);
    }
    command.envs(way.iter().map(|(name, value)| (name, value)));
    let output = command.output().await.unwrap_or_else(|why| panic!("starting {program}: {why}"));
    let (out, err) = (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(output.status.success(), "{} failed: {err}", script.display());
    let lines = String::from_utf8(out).expect("text");
    let said = lines.lines().filter(|line| line.starts_with('{'));
    said.map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{line}: {why}")))
        .collect()
}

/// The first vendor's token as its SDK reads it from the environment.
fn environment(house: &House) -> Vec<(&'static str, String)> {
    let secret_of = |id: &str| gateway::secret_of(&house.keys.token, id);
    let minted = house.setups[0].connector.mint([7; 48], &secret_of);
    let variables = minted.environment.into_iter();
    variables.map(|(name, value)| (name, value.expose().clone())).collect()
}

/// The folder of the SDKs, after whatever is missing there was installed.
async fn installed() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"), PathBuf::from);
    let folder =
        std::env::var_os("CORDON_SDK_DIR").map_or_else(|| target.join("sdk"), PathBuf::from);
    let mut command = tokio::process::Command::new("python3");
    command.arg(Path::new(RECORDINGS).join("record/record.py")).arg("--install-only");
    let output = command.arg("--sdks").arg(&folder).output().await.expect("python3 starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the SDKs could not be installed: {said}");
    folder
}
