//! The stage: people, the sandbox vendors, the inbox, the program, its operators, and what vendors
//! held before.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use model::{FieldSet, Secret, Timestamp, VendorName, World};
use serde_json::{Value, json};
use server::client::Client;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Options;
use super::program::Program;
use super::progress::Progress;
use crate::contact;
use crate::inbox::Inbox;
use crate::people::{Edition, People};
use crate::sandbox::{self, Sandbox};
use crate::scenario::{Scenario, VendorSetup};

/// Canaries that are planted in each list before anything happens.
const CANARIES_PER_LIST: u32 = 5;

/// Everything that a drill plays on.
pub struct Stage {
    /// What is played.
    pub scenario: Scenario,
    /// How many people the company has.
    pub people: u64,
    /// The clock.
    pub world: World,
    /// When the scenario starts.
    pub start: Timestamp,
    /// The vendors.
    pub vendors: Vec<Vendor>,
    /// The recipients' mail server, unless a real one was named.
    pub inbox: Option<Arc<Inbox>>,
    /// The program.
    pub program: Program,
    /// The second pair of eyes.
    pub second: Client,
    /// The work folder.
    folder: TempDir,
    stop: watch::Sender<bool>,
}

/// A sandbox vendor with the key that the company has there.
pub struct Vendor {
    /// As the scenario has it.
    pub setup: VendorSetup,
    /// The vendor.
    pub sandbox: Sandbox,
    /// The company's key.
    pub key: Secret<String>,
    /// The workload's tokens: what the company's programs hold in place of the key.
    pub token: Secret<String>,
    address: SocketAddr,
}

impl Stage {
    /// Sets it.
    ///
    /// # Errors
    /// When a file, a port or the program cannot be had.
    pub async fn set(options: &Options, progress: &mut Progress) -> Result<Self> {
        let (scenario, world) = (options.scenario.clone(), options.world.clone());
        let folder = tempfile::Builder::new().prefix("cordon-drill-").tempdir()?;
        let (stop, _) = watch::channel(false);
        progress.begin("making the company's people");
        let people = People::new(&scenario.id, &scenario.company);
        for (edition, name) in
            [(Edition::Earlier, "people-earlier.csv"), (Edition::Now, "people-now.csv")]
        {
            let file = File::create(folder.path().join(name))?;
            people.write_directory(std::io::BufWriter::new(file), options.people, edition)?;
        }
        let start = world.now();
        let canary_mail = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        let mut vendors = Vec::new();
        for setup in &scenario.vendors {
            vendors.push(open_vendor(&scenario, setup, canary_mail, &world, &stop).await?);
        }
        let (inbox, relay) = match options.smtp {
            Some(real) => (None, real),
            None => {
                let samples = folder.path().join("mails");
                let (inbox, at) = open_inbox(&scenario, samples, &stop).await?;
                (Some(inbox), at)
            }
        };
        progress.begin("starting the program");
        let config = config(&scenario, folder.path(), canary_mail, relay, &vendors);
        let file = folder.path().join("cordon.toml");
        std::fs::write(&file, config)?;
        let program =
            Program::start(&options.program, &file, &folder.path().join("cordon-data")).await?;
        let made = program
            .client
            .post("/api/v1/operators", &json!({ "name": "second", "roles": ["approver"] }))
            .await?;
        let second = program.client.with_token(Secret::new(text(&made, "token")?));
        let mut stage = Self {
            scenario,
            people: options.people,
            world,
            start,
            vendors,
            inbox,
            program,
            second,
            folder,
            stop,
        };
        stage.publish_keys().await?;
        stage.register(progress).await?;
        Ok(stage)
    }

    /// Puts the company's DKIM records where the recipients' server looks for them.
    async fn publish_keys(&self) -> Result<()> {
        let Some(inbox) = &self.inbox else {
            return Ok(());
        };
        let status = self.program.client.get("/api/v1/status").await?;
        let records = status["dns"].as_array().context("the status has the DNS records")?;
        for record in records {
            inbox.publish([(text(record, "name")?, text(record, "value")?)]);
        }
        Ok(())
    }

    /// Registers vendors and workloads, indexes the people, imports what vendors hold, plants
    /// canaries.
    async fn register(&mut self, progress: &mut Progress) -> Result<()> {
        progress.begin("registering vendors and workloads");
        for vendor in &mut self.vendors {
            register_vendor(&self.program, &self.scenario, vendor).await?;
        }
        progress.begin("indexing people, first as they were");
        let now = self.folder.path().join("people-now.csv");
        let directory = self.folder.path().join("people.csv");
        std::fs::copy(self.folder.path().join("people-earlier.csv"), &directory)?;
        self.program.client.post("/api/v1/people/index", &json!({})).await?;
        self.preload(progress).await?;
        progress.begin("indexing people as they are now");
        std::fs::copy(now, &directory)?;
        self.program.client.post("/api/v1/people/index", &json!({})).await?;
        for vendor in &self.vendors {
            for list in &vendor.setup.lists {
                progress.begin("planting canaries through the gateway");
                let body = json!({
                    "vendor": vendor.setup.name, "list": list.id, "count": CANARIES_PER_LIST,
                });
                self.program.client.post("/api/v1/canaries", &body).await?;
            }
        }
        Ok(())
    }

    /// Gives vendors what they held before, and has the program import their own exports of it.
    async fn preload(&self, progress: &mut Progress) -> Result<()> {
        let people = People::new(&self.scenario.id, &self.scenario.company);
        for import in &self.scenario.traffic.imports {
            let vendor = self.vendor(&import.vendor)?;
            let list = import.list.as_deref().and_then(|name| vendor.setup.list_id(name));
            let as_of = import.as_of.after(self.start);
            progress.begin(&format!("importing what {} held already", import.vendor));
            for person in people.first(import.share.of(self.people)) {
                let Some(email) = person.first_email() else {
                    continue;
                };
                let values =
                    contact::values(&person, email, import.fields, &vendor.setup.custom_fields);
                let values: Vec<_> =
                    values.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
                vendor.sandbox.preload(list, as_of, &values)?;
            }
            let listed = list.map(|list| format!("&list={list}")).unwrap_or_default();
            let path =
                format!("/api/v1/imports/{}?as_of={as_of}&complete=true{listed}", import.vendor);
            let csv = Bytes::from(vendor.sandbox.dataset_csv(list));
            self.program.client.upload(&path, "text/csv", csv).await?;
        }
        Ok(())
    }

    /// The vendor of this name.
    ///
    /// # Errors
    /// When the scenario has none.
    pub fn vendor(&self, name: &VendorName) -> Result<&Vendor> {
        let mut vendors = self.vendors.iter();
        vendors
            .find(|vendor| vendor.setup.name == *name)
            .with_context(|| format!("the scenario has no vendor `{name}`"))
    }

    /// Both editions of the directory.
    pub fn directories(&self) -> [PathBuf; 2] {
        ["people-earlier.csv", "people-now.csv"].map(|name| self.folder.path().join(name))
    }

    /// Where to look at it in a browser.
    pub fn places(&self) -> String {
        let (places, data) = (&self.program.places, self.program.data());
        format!(
            "portal   {}/\nconsole  {}/console (token in {})\nfolder   {}",
            places.portal,
            places.api,
            data.join("keys/operator.token").display(),
            self.folder.path().display(),
        )
    }

    /// Stops everything; the folder stays if it is to be kept.
    ///
    /// # Errors
    /// When the program does not stop cleanly.
    pub async fn end(self, keep: bool) -> Result<()> {
        self.program.stop().await?;
        self.stop.send_replace(true);
        if keep {
            let kept = self.folder.keep();
            tracing::info!(folder = %kept.display(), "the drill's folder was kept");
        }
        Ok(())
    }
}

/// A text of an answer.
///
/// # Errors
/// When the answer does not have it.
pub fn text(answer: &Value, key: &str) -> Result<String> {
    let found = answer.get(key).and_then(Value::as_str);
    found.map(str::to_owned).with_context(|| format!("the answer has no `{key}`"))
}

async fn open_vendor(
    scenario: &Scenario,
    setup: &VendorSetup,
    canary_mail: SocketAddr,
    world: &World,
    stop: &watch::Sender<bool>,
) -> Result<Vendor> {
    let company = &scenario.company;
    let sandbox = Sandbox::new(
        sandbox::Config {
            lists: setup.lists.clone(),
            custom_fields: setup.custom_fields.clone(),
            delivery: Some(sandbox::Delivery {
                to: canary_mail,
                domains: vec![company.canary_domain.clone()],
                signed_as: vec!["sendgrid.net".to_owned(), company.mail_domain.clone()],
            }),
            webhook_url: None,
        },
        world.clone(),
    )?;
    let key = sandbox.create_api_key("company", &[]).key;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(sandbox.clone().serve(listener, stopped(stop)));
    Ok(Vendor { setup: setup.clone(), sandbox, key, token: Secret::new(String::new()), address })
}

async fn open_inbox(
    scenario: &Scenario,
    samples: PathBuf,
    stop: &watch::Sender<bool>,
) -> Result<(Arc<Inbox>, SocketAddr)> {
    std::fs::create_dir_all(&samples)?;
    let inbox = Arc::new(Inbox::new(scenario.receiving.clone(), Some(samples)));
    let receiver = mail::Receiver::new("mx.example", mail::self_signed("mx.example")?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let at = listener.local_addr()?;
    tokio::spawn(receiver.serve(listener, inbox.clone(), stopped(stop)));
    Ok((inbox, at))
}

fn stopped(stop: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + 'static {
    let mut stop = stop.subscribe();
    async move {
        // An error means that the stage is gone, which is the same.
        drop(stop.wait_for(|stop| *stop).await);
    }
}

fn config(
    scenario: &Scenario,
    folder: &Path,
    canary_mail: SocketAddr,
    relay: SocketAddr,
    vendors: &[Vendor],
) -> String {
    let company = &scenario.company;
    let site = company.site.trim_start_matches("https://");
    let allowed: Vec<_> =
        vendors.iter().map(|vendor| format!("{:?}", vendor.address.to_string())).collect();
    format!(
        "data = {data:?}\n\n[company]\nname = {name:?}\nsite = {site:?}\n\
         mail_domains = [{mail:?}, {domain:?}]\nnotice_from = \"security@{mail_domain}\"\n\
         privacy_contact = \"privacy@{domain_name}\"\ncanary_domain = {canary:?}\n\n[listen]\n\
         gateway = \"127.0.0.1:0\"\napi = \"127.0.0.1:0\"\nportal = \"127.0.0.1:0\"\n\
         smtp = \"{canary_mail}\"\n\n[directory]\npath = {people:?}\n\n[relay]\nhost = \"{host}\"\n\
         port = {port}\ntls = \"opportunistic\"\nrate_per_second = 5000\nretry_seconds = [2, 5, 10, 30]\n\n[gateway]\n\
         allowed_hosts = [{allowed}]\n\n[policy]\ndeclare_at = \"B\"\n",
        data = folder.join("cordon-data"),
        name = company.name,
        mail = company.mail_domain,
        domain = company.domain,
        mail_domain = company.mail_domain,
        domain_name = company.domain,
        canary = company.canary_domain,
        people = folder.join("people.csv"),
        host = relay.ip(),
        port = relay.port(),
        allowed = allowed.join(", "),
    )
}

async fn register_vendor(
    program: &Program,
    scenario: &Scenario,
    vendor: &mut Vendor,
) -> Result<()> {
    let setup = &vendor.setup;
    let denied = setup.denied.iter().map(|field| (field.name().to_owned(), json!("refuse")));
    let mut body = json!({
        "connector": setup.connector,
        "name": setup.name,
        "credential": vendor.key.expose(),
        "endpoint": format!("http://{}", vendor.address),
        "retention_days": setup.retention_days,
        "lists": setup.lists.iter().map(|list| &list.id).collect::<Vec<_>>(),
        "contract": { "notice_hours": setup.notice_hours },
        "actions": denied.collect::<serde_json::Map<_, _>>(),
        "impossible": setup.impossible,
        "custom_holds": setup.custom_holds,
    });
    if !setup.automatic.is_empty() {
        body["automatic"] = json!(setup.automatic);
    }
    program.client.post("/api/v1/vendors", &body).await?;
    let secret = json!({ "secret": vendor.sandbox.webhook_public_key() });
    let path = format!("/api/v1/vendors/{}/webhook", setup.name);
    program.client.json(http::Method::PUT, &path, Some(&secret)).await?;
    let url = format!("{}/hooks/{}", program.places.portal, setup.name);
    vendor.sandbox.set_webhook_url(Some(url));
    let live = scenario.traffic.live.iter().filter(|live| live.vendor == setup.name);
    let live: Vec<_> = live.collect();
    let Some(first) = live.first() else {
        return Ok(());
    };
    let fields = live.iter().fold(FieldSet::EMPTY, |all, live| all.union(live.fields));
    let purposes: Vec<_> = live.iter().map(|live| &live.purpose).collect();
    let grant = json!({ "vendor": setup.name, "purposes": purposes, "fields": fields });
    let body = json!({ "name": first.workload, "grants": [grant] });
    let made = program.client.post("/api/v1/workloads", &body).await?;
    let token =
        made["tokens"][0]["environment"][0][1].as_str().context("a workload has a token")?;
    vendor.token = Secret::new(token.to_owned());
    Ok(())
}
