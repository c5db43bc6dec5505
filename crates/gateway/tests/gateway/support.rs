//! A gateway with the real ledger and real connectors, a vendor that does what a test tells it to,
//! and a caller that writes bytes as they are.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use connectors::{Connector, connector};
use gateway::{
    Credential, Egress, Gateway, GatewayKeys, Patience, Registry, Seen, SeenCall, Terms,
    TokenEntry, VendorEntry, token_key,
};
use ledger::{Disclosure, Ledger, LedgerKeys};
use model::{
    Contract, Field, FieldAction, FieldSet, Grant, Mode, Purpose, RootKey, Secret, Switch,
    Timestamp, TokeniseKey, Vendor, VendorName, Workload, WorkloadName, World,
};
use policy::{Policy, Text};
use rustls::RootCertStore;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// SendGrid's key as an operator holds it.
pub const SENDGRID_KEY: &str =
    "SG.AAAAAAAAAAAAAAAAAAAAAA.BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB";
/// Twilio's account and its token as an operator holds them.
pub const TWILIO_KEY: &str = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// A test waits no longer than this for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for something that must happen.
pub async fn soon<T>(what: &str, waiting: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never came: {what}"))
}

/// What a vendor got.
#[derive(Debug, Clone)]
pub struct Got {
    pub head: String,
    pub body: Vec<u8>,
}

impl Got {
    /// The request line.
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// All values of a header, by its lower-case name.
    pub fn header(&self, name: &str) -> Vec<&str> {
        headers(&self.head).filter(|(key, _)| key == name).map(|(_, value)| value).collect()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the vendor got JSON")
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the vendor got text")
    }
}

fn headers(head: &str) -> impl Iterator<Item = (String, &str)> {
    head.split("\r\n")
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
}

/// What a vendor does with a request.
pub enum Act {
    /// Answers and keeps the connection.
    Reply(Vec<u8>),
    /// Writes this and closes the connection.
    Last(Vec<u8>),
    /// Waits until the test says so, then answers.
    Wait(watch::Receiver<bool>, Vec<u8>),
    /// Says nothing, for ever.
    Silent,
}

/// A reply with a body of known length.
pub fn reply(status: &str, extra: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{extra}\r\n{body}").into_bytes()
}

/// The usual reply of SendGrid.
pub fn accepted() -> Vec<u8> {
    reply("202 Accepted", "X-Message-Id: msg-1\r\n", "")
}

type Behaviour = Arc<dyn Fn(&Got) -> Act + Send + Sync>;

/// A vendor on a local port.
pub struct FakeVendor {
    pub address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
    connections: Arc<Mutex<usize>>,
    task: JoinHandle<()>,
}

impl FakeVendor {
    /// One that does the same with every request.
    pub async fn start(behaviour: impl Fn(&Got) -> Act + Send + Sync + 'static) -> Self {
        Self::with(behaviour, |stream, serve| tokio::spawn(serve.over(stream))).await
    }

    /// One that accepts everything as SendGrid does.
    pub async fn accepting() -> Self {
        Self::start(|_| Act::Reply(accepted())).await
    }

    /// One whose connections `wrap` starts to serve.
    pub async fn with(
        behaviour: impl Fn(&Got) -> Act + Send + Sync + 'static,
        wrap: impl Fn(TcpStream, Serve) -> JoinHandle<()> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let got = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(Mutex::new(0));
        let serve = Serve { behaviour: Arc::new(behaviour), got: got.clone() };
        let count = connections.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *count.lock().expect("no panic") += 1;
                wrap(stream, serve.clone());
            }
        });
        Self { address, got, connections, task }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything that arrived so far.
    pub fn got(&self) -> Vec<Got> {
        self.got.lock().expect("no panic").clone()
    }

    /// Waits until a request has arrived.
    pub async fn hears(&self) {
        self.hears_all(1).await;
    }

    /// Waits until so many have.
    pub async fn hears_all(&self, count: usize) {
        soon("a request at the vendor", async {
            while self.got.lock().expect("no panic").len() < count {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// The one request that arrived.
    pub fn only(&self) -> Got {
        let mut got = self.got();
        assert_eq!(got.len(), 1, "one request reaches the vendor");
        got.remove(0)
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        *self.connections.lock().expect("no panic")
    }
}

impl Drop for FakeVendor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves one connection of a [`FakeVendor`].
#[derive(Clone)]
pub struct Serve {
    behaviour: Behaviour,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Serve {
    pub async fn over<S: AsyncRead + AsyncWrite + Unpin>(self, mut stream: S) {
        let mut held = Vec::new();
        while let Some(got) = read_message(&mut stream, &mut held).await {
            self.got.lock().expect("no panic").push(got.clone());
            let written = match (self.behaviour)(&got) {
                Act::Reply(bytes) => stream.write_all(&bytes).await,
                Act::Last(bytes) => {
                    let written = stream.write_all(&bytes).await;
                    drop(written.and(stream.shutdown().await));
                    return;
                }
                Act::Wait(mut told, bytes) => {
                    drop(told.wait_for(|told| *told).await);
                    stream.write_all(&bytes).await
                }
                Act::Silent => std::future::pending().await,
            };
            if written.is_err() {
                return;
            }
        }
    }
}

/// Reads a head and a body of the length that it states.
async fn read_message<S: AsyncRead + Unpin>(stream: &mut S, held: &mut Vec<u8>) -> Option<Got> {
    let end = loop {
        if let Some(at) = held.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(held).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(held[..end].to_vec()).expect("heads are text");
    let length = headers(&head).find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().expect("a length"));
    while held.len() < end + length {
        if stream.read_buf(held).await.ok()? == 0 {
            return None;
        }
    }
    let rest = held.split_off(end + length);
    let body = held.split_off(end);
    *held = rest;
    Some(Got { head, body })
}

/// Keeps what the gateway says of each request.
#[derive(Default)]
pub struct Recorder {
    seen: Mutex<Vec<SeenCall>>,
    count: watch::Sender<usize>,
}

impl Seen for Recorder {
    fn call(&self, seen: &SeenCall) {
        self.seen.lock().expect("no panic").push(seen.clone());
        self.count.send_modify(|count| *count += 1);
    }
}

impl Recorder {
    pub fn all(&self) -> Vec<SeenCall> {
        self.seen.lock().expect("no panic").clone()
    }

    /// The one request that was seen.
    pub fn only(&self) -> SeenCall {
        let mut seen = self.all();
        assert_eq!(seen.len(), 1, "each request is seen once");
        seen.remove(0)
    }

    /// Waits until so many requests have ended.
    pub async fn ended(&self, count: usize) {
        let mut counts = self.count.subscribe();
        let waiting = counts.wait_for(|seen| *seen >= count);
        soon("the end of a request", waiting).await.expect("the recorder is there");
    }
}

/// What every house's clock says.
pub fn now() -> Timestamp {
    Timestamp::parse("2026-02-05T02:00:00Z").expect("a time")
}

/// What is registered; a test changes what it is about.
pub struct Setup {
    /// Another name than the connector's.
    pub name: Option<&'static str>,
    pub connector: &'static dyn Connector,
    pub credential: Option<&'static str>,
    pub endpoint: String,
    /// Its SMTP host, if it is spoken to.
    pub smtp: Option<String>,
    pub mode: Mode,
    pub own_mode: Option<Mode>,
    pub switch: Switch,
    pub granted: bool,
    pub fields: FieldSet,
    pub purposes: Vec<&'static str>,
    pub actions: BTreeMap<Field, FieldAction>,
    pub terms: Terms,
}

impl Setup {
    pub fn sendgrid(vendor: &FakeVendor) -> Self {
        Self::of("sendgrid", SENDGRID_KEY, vendor.url())
    }

    pub fn twilio(vendor: &FakeVendor) -> Self {
        Self::of("twilio", TWILIO_KEY, vendor.url())
    }

    pub fn of(name: &str, credential: &'static str, endpoint: String) -> Self {
        Self {
            name: None,
            connector: connector(name).expect("a connector"),
            credential: Some(credential),
            endpoint,
            smtp: None,
            mode: Mode::Enforce,
            own_mode: None,
            switch: Switch::Open,
            granted: true,
            fields: FieldSet::parse("email,phone,name,content,attachment,custom").expect("fields"),
            purposes: vec!["receipts", "alerts"],
            actions: BTreeMap::new(),
            terms: Terms::default(),
        }
    }

    pub fn name(&self) -> VendorName {
        VendorName::parse(self.name.unwrap_or(self.connector.name())).expect("a name")
    }

    pub fn token(&self) -> Secret<String> {
        let mark = u8::try_from(self.name.map_or(0, str::len)).expect("a short name");
        self.connector.mint([7 + mark; 48], &|_| Secret::new(String::new())).token
    }

    fn vendor(&self, world: &World) -> Vendor {
        Vendor {
            id: world.id(),
            name: self.name(),
            connector: self.connector.name().to_owned(),
            endpoint: Some(self.endpoint.clone()),
            smtp: self.smtp.clone(),
            retention_days: Some(30),
            lists: Vec::new(),
            contract: Contract::default(),
            mode: self.mode,
            switch: self.switch,
            actions: self.actions.clone(),
            impossible: FieldSet::EMPTY,
            automatic: Default::default(),
            created_at: world.now(),
        }
    }

    fn grant(&self) -> Grant {
        let purpose = |name: &&str| Purpose::parse(name).expect("a purpose");
        Grant {
            vendor: self.name(),
            purposes: self.purposes.iter().map(purpose).collect(),
            fields: self.fields,
        }
    }
}

/// A credential as the gateway holds it.
pub fn credential(key: &str) -> Arc<Credential> {
    Arc::new(Credential::new(Secret::new(key.to_owned())))
}

/// A running gateway and everything around it.
pub struct House {
    pub gateway: Gateway,
    pub address: SocketAddr,
    pub ledger: Ledger,
    pub ledger_dir: tempfile::TempDir,
    pub seen: Arc<Recorder>,
    pub keys: GatewayKeys,
    pub world: World,
    pub setups: Vec<Setup>,
    /// An operator's own policy, besides the grants.
    pub policy: &'static str,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<anyhow::Result<()>>,
}

impl House {
    /// A house with one vendor.
    pub async fn with(setup: Setup) -> Self {
        Self::start(vec![setup], Patience::default()).await
    }

    /// A house with several, waiting as long as `patience` says.
    pub async fn start(setups: Vec<Setup>, patience: Patience) -> Self {
        let egress = Self::way_out(&setups);
        Self::leading_out(setups, patience, egress).await
    }

    /// A way out that leads to these vendors alone.
    pub fn way_out(setups: &[Setup]) -> Egress {
        let allowed = setups.iter().map(|setup| {
            let (_, host) = setup.endpoint.split_once("://").expect("a URL");
            host.to_owned()
        });
        Egress::new(RootCertStore::empty(), allowed.collect()).expect("TLS")
    }

    /// A house whose way out is given.
    pub async fn leading_out(setups: Vec<Setup>, patience: Patience, egress: Egress) -> Self {
        let (world, _) = World::fixed(now(), 1);
        Self::in_world(setups, patience, egress, world).await
    }

    /// A house with a clock of its own.
    pub async fn in_world(
        setups: Vec<Setup>,
        patience: Patience,
        egress: Egress,
        world: World,
    ) -> Self {
        let root = RootKey::new([42; 32]);
        let ledger_dir = tempfile::tempdir().expect("a folder");
        let ledger_keys = LedgerKeys { identifier: root.mac_key("identifier") };
        let (ledger, _) =
            Ledger::open(ledger_dir.path(), ledger_keys, world.clone()).expect("a new ledger");
        let keys = GatewayKeys {
            token: root.mac_key("token"),
            reference: root.mac_key("reference"),
            pseudonym: root.mac_key("pseudonym"),
            tokenise: TokeniseKey::new(root.mac_key("tokenise")),
        };
        let seen = Arc::new(Recorder::default());
        let patience = match patience.stale == Patience::default().stale {
            true => Patience { stale: Duration::from_secs(3_600), ..patience },
            false => patience,
        };
        let gateway = Gateway::with_patience(
            ledger.clone(),
            keys.clone(),
            world.clone(),
            egress,
            seen.clone(),
            patience,
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(gateway.clone().serve(listener, None, async {
            drop(stopped.await);
        }));
        let stop = Some(stop);
        let house = Self {
            gateway,
            address,
            ledger,
            ledger_dir,
            seen,
            keys,
            world,
            setups,
            policy: "",
            stop,
            serving,
        };
        house.gateway.replace(house.registry());
        house
    }

    /// What the gateway goes by unless a test puts another in its place.
    pub fn registry(&self) -> Registry {
        let name = WorkloadName::parse("shop").expect("a name");
        let grants = self.setups.iter().filter(|setup| setup.granted).map(Setup::grant);
        let workload = Workload {
            id: self.world.id(),
            name: name.clone(),
            grants: grants.collect(),
            mode: self.setups[0].own_mode,
            created_at: self.world.now(),
        };
        let text = Text { origin: "policy.cedar".to_owned(), text: self.policy.to_owned() };
        let policy = Policy::compile([&workload], &[text]).expect("a valid policy").into();
        let workloads = HashMap::from([(name.clone(), workload)]);
        let mut registry = Registry { workloads, policy, ..Registry::default() };
        for setup in &self.setups {
            let entry = VendorEntry {
                vendor: setup.vendor(&self.world),
                connector: setup.connector,
                credential: setup.credential.map(credential),
                callback_url: Some(format!("https://hooks.example/{}", setup.connector.name())),
            };
            let token = TokenEntry::new(name.clone(), setup.name());
            registry.terms.entry(name.clone()).or_default().insert(setup.name(), setup.terms);
            let key = token_key(&self.keys.token, &setup.name(), &setup.token());
            registry.tokens.insert(key, token);
            registry.vendors.insert(setup.name(), entry);
        }
        registry
    }

    /// Changes what is registered, at once.
    pub fn change(&mut self, change: impl Fn(&mut Setup)) {
        self.setups.iter_mut().for_each(change);
        self.gateway.replace(self.registry());
    }

    /// Moves the kill switch of every vendor.
    pub fn switch(&mut self, switch: Switch) {
        self.change(|setup| setup.switch = switch);
    }

    /// A registry with the switch in this position, to be put in place later.
    pub fn switched(&mut self, switch: Switch) -> Registry {
        let before = self.setups[0].switch;
        self.setups[0].switch = switch;
        let registry = self.registry();
        self.setups[0].switch = before;
        registry
    }

    /// The token of each vendor.
    pub fn tokens(&self) -> Vec<Secret<String>> {
        self.setups.iter().map(Setup::token).collect()
    }

    /// The first vendor's token.
    pub fn token(&self) -> String {
        self.setups[0].token().expose().clone()
    }

    /// A message to somebody, ready to be changed and sent.
    pub fn mail(&self) -> Request {
        let body = serde_json::json!({
            "personalizations": [{ "to": [{ "email": "ann@example.com", "name": "Ann" }] }],
            "from": { "email": "shop@shop.example" },
            "subject": "Your receipt",
            "content": [{ "type": "text/plain", "value": "Thank you" }],
        });
        Request::new("POST", "/v/sendgrid/v3/mail/send")
            .header("Authorization", &format!("Bearer {}", self.token()))
            .header("Content-Type", "application/json")
            .body(body.to_string())
    }

    /// Sends a request on a connection of its own and reads the answer.
    pub async fn send(&self, request: Request) -> Answer {
        self.exchange(&request.bytes()).await
    }

    /// Writes bytes as they are and reads one answer.
    pub async fn exchange(&self, bytes: &[u8]) -> Answer {
        let mut caller = self.call().await;
        // A gateway that refuses early may close before it has read everything.
        drop(caller.stream.write_all(bytes).await);
        caller.answer().await
    }

    /// A connection to the gateway.
    pub async fn call(&self) -> Caller {
        let stream = TcpStream::connect(self.address).await.expect("the gateway listens");
        Caller::over(stream)
    }

    /// Every disclosure that counts or does not, in the ledger.
    pub fn disclosures(&self) -> Vec<Disclosure> {
        let mut all = Vec::new();
        self.ledger.disclosures(&mut |row| all.push(row.clone())).expect("the ledger reads");
        all
    }

    /// Stops the gateway as `SIGTERM` does.
    pub async fn stop(&mut self) {
        drop(self.stop.take());
        let serving = std::mem::replace(&mut self.serving, tokio::spawn(async { Ok(()) }));
        soon("the gateway's end", serving).await.expect("no panic").expect("a clean end");
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A connection of a caller.
pub struct Caller<S = TcpStream> {
    pub stream: S,
    held: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Caller<S> {
    pub fn over(stream: S) -> Self {
        Self { stream, held: Vec::new() }
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the gateway reads");
    }

    /// Reads the next answer; one that only says to go on is one, too.
    pub async fn answer(&mut self) -> Answer {
        let reading = read_message(&mut self.stream, &mut self.held);
        let got = soon("an answer", reading).await.expect("an answer before the end");
        let status = got.line().split(' ').nth(1).and_then(|status| status.parse().ok());
        Answer { status: status.expect("a status"), got }
    }

    /// Whether the gateway closes without a word.
    pub async fn is_closed(&mut self) -> bool {
        let mut byte = [0; 1];
        matches!(soon("the end", self.stream.read(&mut byte)).await, Ok(0) | Err(_))
    }
}

/// What a caller gets back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    got: Got,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.got.header(name).first().copied()
    }

    pub fn outcome(&self) -> &str {
        self.header("x-cordon-outcome").expect("every answer says whether it left")
    }

    pub fn code(&self) -> Option<&str> {
        self.header("x-cordon-code")
    }

    /// Status, outcome and code at once.
    pub fn said(&self) -> (u16, &str, Option<&str>) {
        (self.status, self.outcome(), self.code())
    }

    pub fn text(&self) -> &str {
        self.got.text()
    }

    pub fn head(&self) -> &str {
        &self.got.head
    }

    pub fn json(&self) -> serde_json::Value {
        self.got.json()
    }
}

/// A request as a caller writes it.
#[derive(Clone)]
pub struct Request {
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    pub fn new(method: &'static str, path: &str) -> Self {
        Self { method, path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Sets a header in the place of an earlier one.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The body as it is.
    pub fn body_bytes(self) -> Vec<u8> {
        self.body
    }

    /// Changes the JSON body.
    pub fn json(self, change: impl FnOnce(&mut serde_json::Value)) -> Self {
        let mut body = serde_json::from_slice(&self.body).expect("the body is JSON");
        change(&mut body);
        self.body(body.to_string())
    }

    /// The head without its last empty line, then its length.
    fn head(&self) -> String {
        let lines = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        let lines: String = lines.collect();
        let named = self.headers.iter().any(|(name, _)| name == "Host");
        let host = if named { "" } else { "Host: gateway\r\n" };
        format!("{} {} HTTP/1.1\r\n{host}{lines}", self.method, self.path)
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.framed(&format!("Content-Length: {}\r\n", self.body.len()))
    }

    /// The request with other framing headers than usual.
    pub fn framed(&self, framing: &str) -> Vec<u8> {
        [self.head().as_bytes(), framing.as_bytes(), b"\r\n", &self.body].concat()
    }
}

/// What Twilio's SDK puts into `Authorization`, with the workload's token.
pub fn basic_token() -> String {
    use base64::Engine as _;
    let token = twilio_token();
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(token))
}

fn twilio_token() -> String {
    connector("twilio")
        .expect("a connector")
        .mint([7; 48], &|_| Secret::new(String::new()))
        .token
        .expose()
        .clone()
}

/// A text message to somebody, as Twilio's SDK writes it.
pub fn text_message() -> Request {
    let token = twilio_token();
    let account = token.split(':').next().expect("an account");
    Request::new("POST", &format!("/v/twilio/2010-04-01/Accounts/{account}/Messages.json"))
        .header("Authorization", &basic_token())
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body("To=%2B4930123456&From=%2B15005550006&Body=Your+code")
}
