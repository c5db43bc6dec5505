//! A company on a temporary folder, with its vendor, its people's mail server and its program.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use drill::inbox::Inbox;
use drill::sandbox::{Config, KnownList, Sandbox};
use drill::scenario::Receiving;
use http::Method;
use model::Secret;
use serde_json::{Value, json};
use server::client::Client;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::program::{Program, Said, output};
use crate::web::{Answer, send};

/// The list that the sandbox vendor has.
pub const LIST: &str = "5f0c1f0e-6a51-4c67-9a5e-3f1d6c2b7a10";

/// A company. Nothing of it runs before [`Company::start`] but its vendor and its mail server.
pub struct Company {
    folder: TempDir,
    /// The vendor, a sandbox of SendGrid.
    pub sandbox: Sandbox,
    vendor: SocketAddr,
    /// The company's key at the vendor.
    pub key: Secret<String>,
    /// Where mail to everybody arrives.
    pub inbox: Arc<Inbox>,
    relay: SocketAddr,
    stop: watch::Sender<bool>,
}

/// A workload of the company that speaks to the vendor through the gateway.
pub struct Shop {
    /// Its base URL for the vendor.
    pub base: String,
    /// Its token.
    pub token: String,
}

impl Company {
    /// Founds it: a vendor, a mail server that takes everything, a configuration and a few people.
    ///
    /// # Panics
    /// When a file or a port cannot be had.
    pub async fn found() -> Self {
        Self::found_with(Receiving::default()).await
    }

    /// The same, with a mail server that refuses and puts off some.
    ///
    /// # Panics
    /// When a file or a port cannot be had.
    pub async fn found_with(receiving: Receiving) -> Self {
        let folder = tempfile::Builder::new().prefix("cordon-story-").tempdir().expect("a folder");
        let (stop, _) = watch::channel(false);
        let lists = vec![KnownList { id: LIST.to_owned(), name: "news".to_owned() }];
        let world = server::door::world();
        let sandbox = Sandbox::new(Config { lists, ..Config::default() }, world).expect("a vendor");
        let key = sandbox.create_api_key("company", &[]).key;
        let (listener, vendor) = listen().await;
        tokio::spawn(sandbox.clone().serve(listener, stopped(&stop)));
        let mails = folder.path().join("mails");
        std::fs::create_dir(&mails).expect("a folder");
        let inbox = Arc::new(Inbox::new(receiving, Some(mails)));
        let tls = mail::self_signed("mx.example").expect("a certificate");
        let (listener, relay) = listen().await;
        let receiver = mail::Receiver::new("mx.example", tls);
        tokio::spawn(receiver.serve(listener, inbox.clone(), stopped(&stop)));
        let company = Self { folder, sandbox, vendor, key, inbox, relay, stop };
        company.write("people.csv", PEOPLE);
        company.write("cordon.toml", company.settings());
        company
    }

    /// Starts its program.
    pub async fn start(&self) -> Program {
        self.start_with(&[]).await
    }

    /// Starts its program with these variables in its environment.
    pub async fn start_with(&self, environment: &[(&str, &str)]) -> Program {
        Program::start(&self.path("cordon.toml"), &self.data(), environment).await
    }

    /// Starts its program and kills it after a while, wherever its start has got to by then.
    pub async fn start_and_kill(&self, after: Duration) {
        Program::start_and_kill(&self.path("cordon.toml"), &self.data(), after).await;
    }

    /// Runs a command of the program against this company's data.
    pub async fn cordon(&self, args: &[&str]) -> Said {
        let data = self.data();
        let global = ["--data", data.to_str().expect("the folder's name is text")];
        output(self.folder.path(), &[args, &global].concat()).await
    }

    /// Registers the vendor with its webhook, and a workload that may write receipts.
    ///
    /// # Panics
    /// When something is refused.
    pub async fn open_shop(&self, program: &Program) -> Shop {
        let admin = &program.admin;
        let vendor = json!({
            "connector": "sendgrid", "credential": self.key.expose(), "endpoint": self.endpoint(),
            "lists": [LIST], "automatic": [],
        });
        admin.post("/api/v1/vendors", &vendor).await.expect("a vendor");
        self.trust_webhook(admin, &self.sandbox.webhook_public_key()).await;
        self.sandbox.set_webhook_url(Some(format!("{}/hooks/sendgrid", program.places.portal)));
        let grant = json!({
            "vendor": "sendgrid", "purposes": ["receipts"], "fields": ["email", "name", "content"],
        });
        let workload = json!({ "name": "shop", "grants": [grant] });
        let made = admin.post("/api/v1/workloads", &workload).await.expect("a workload");
        let issued = &made["tokens"][0];
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        Shop { base: text(&issued["base_url"]), token: text(&issued["environment"][0][1]) }
    }

    /// Sets the key that the vendor's webhooks are checked with.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn trust_webhook(&self, admin: &Client, public_key: &str) {
        let secret = json!({ "secret": public_key });
        let set = admin.json(Method::PUT, "/api/v1/vendors/sendgrid/webhook", Some(&secret)).await;
        set.expect("it is set");
    }

    /// Where its data is.
    pub fn data(&self) -> PathBuf {
        self.path("cordon-data")
    }

    /// A file of its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of its folder.
    ///
    /// # Panics
    /// When the disk does not take it.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), text).expect("written");
        self.path(name)
    }

    /// The vendor's address.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.vendor)
    }

    fn settings(&self) -> String {
        let (host, port) = (self.relay.ip(), self.relay.port());
        format!(
            "data = {data:?}\n[company]\nname = \"Story\"\nsite = \"story.example\"\n\
             mail_domains = [\"story.example\"]\nnotice_from = \"security@story.example\"\n\
             privacy_contact = \"privacy@story.example\"\ncanary_domain = \"post.story.example\"\n\
             [listen]\ngateway = \"127.0.0.1:0\"\napi = \"127.0.0.1:0\"\nportal = \"127.0.0.1:0\"\n\
             smtp = \"127.0.0.1:0\"\n[directory]\npath = {people:?}\n[relay]\nhost = \"{host}\"\n\
             port = {port}\ntls = \"opportunistic\"\nretry_seconds = [1]\n[gateway]\n\
             allowed_hosts = [\"{vendor}\"]\n",
            data = self.data(),
            people = self.path("people.csv"),
            vendor = self.vendor,
        )
    }

    /// The bytes of every file below a folder, with its path.
    ///
    /// # Panics
    /// When one cannot be read.
    pub fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => found.extend(Self::files(&path)),
                false => found.push((path.clone(), std::fs::read(&path).expect("a file"))),
            }
        }
        found
    }
}

impl Drop for Company {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

impl Shop {
    /// One request of the vendor's API.
    pub async fn call(&self, method: Method, path: &str, body: &str) -> Answer {
        self.call_with(method, path, &[], body).await
    }

    /// The same with further headers.
    pub async fn call_with(
        &self,
        method: Method,
        path: &str,
        more: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let own = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        send(method, &format!("{}{path}", self.base), &[&own, more].concat(), body.to_owned()).await
    }

    /// Has the vendor mail somebody.
    pub async fn mail(&self, to: &str) -> Answer {
        self.call(Method::POST, "/v3/mail/send", &receipt(to).to_string()).await
    }
}

/// A receipt as SendGrid's API wants it.
pub fn receipt(to: &str) -> Value {
    json!({
        "personalizations": [{ "to": [{ "email": to, "name": "Ann Lee" }] }],
        "from": { "email": "shop@story.example" },
        "subject": "Your receipt",
        "content": [{ "type": "text/plain", "value": "Thank you." }],
    })
}

/// The people of the company.
const PEOPLE: &str = "\
person_id,email,phone,name,country,region,language,two_factor
1,ann.lee@members.example,+4930123456,Ann Lee,DE,,de,true
2,bob.ray@members.example,,Bob Ray,US,CA,en,false
3,cleo.dias@members.example,,Cleo Dias,BR,,pt-BR,
";

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it has an address");
    (listener, address)
}

fn stopped(stop: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + 'static {
    let mut stop = stop.subscribe();
    async move {
        // An error means that the company is gone, which is the same.
        drop(stop.wait_for(|stop| *stop).await);
    }
}
