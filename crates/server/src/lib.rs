//! Wires the parts into one program: API, console, portal, intake, workers. **Invariant:** decides
//! nothing; every rule is in the crate that owns it, and every query in `store`.
//!
//! [`start`] is the table of contents: what is opened, in which order, and what runs then.

mod api;
pub mod client;
pub mod config;
mod directory;
pub mod door;
pub mod sidecar;

mod app;
mod audience;
mod authorities;
mod beside;
mod bursts;
mod calls;
mod canaries;
mod catalogue;
mod console;
mod contain;
mod credentials;
mod dataset;
mod doctor;
mod flows;
mod histogram;
mod http;
mod in_force;
mod inquiries;
mod intake;
mod keys;
mod metrics;
mod notices;
mod observe;
mod portal;
mod replay;
mod replays;
mod respond;
mod rows;
mod scoping;
mod strays;
mod switches;
mod tasks;
mod telemetry;
mod tokens;
mod traffic;
mod unused;
mod vouched;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use gateway::{DoorTls, Egress, Gateway, GatewayKeys, Patience, Spool, SpoolLimits};
use ledger::{Ledger, LedgerKeys};
use model::{OperatorName, World};
use serde_json::{Value, json};
use store::Store;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use crate::api::error::coded;
pub use crate::beside::switch_beside;
pub use crate::in_force::{POLICY_SCHEMA, check_policy_alone};

use crate::api::auth::Role;
use crate::app::{App, Parts};
use crate::calls::Calls;
use crate::canaries::CanaryInbox;
use crate::client::{RUNNING_FILE, Running as Places};
use crate::config::Config;
use crate::credentials::Credentials;
use crate::keys::Keys;
use crate::strays::Strays;
use crate::switches::Switches;
use crate::tasks::Tasks;
use crate::telemetry::Traces;
use crate::tokens::TokenBook;
use crate::traffic::Traffic;

/// The store's file in the data folder.
const STORE: &str = "cordon.db";
/// How long a stop waits for what is under way.
const PATIENCE: Duration = Duration::from_secs(10);

/// An installation that runs.
pub struct Running {
    app: App,
    failed: watch::Receiver<bool>,
}

/// Opens everything, starts everything, and returns when all doors are open.
///
/// # Errors
/// When a door cannot be opened, another process runs on the same data, or a file is damaged.
pub async fn start(config: Config) -> Result<Running> {
    let world = door::world();
    if let Some(folder) = &config.gateway.connectors {
        catalogue::load(folder)?;
    }
    std::fs::create_dir_all(&config.data)
        .with_context(|| format!("making `{}`", config.data.display()))?;
    let doors = Doors::open(&config).await?;
    let tls = config.gateway.tls.as_ref().map(|tls| DoorTls::open(&tls.files(), world.clone()));
    let tls = tls.transpose().context("opening the TLS of the gateway")?;
    let app = open(config, world, doors.places(tls.is_some())?, tls).await?;
    first_operator(&app).await?;
    credentials::begin(&app).await?;
    app.refresh_gateway().await?;
    bursts::remember(&app).await?;
    let failed = doors.serve(&app)?;
    respond::resume(&app).await?;
    app.tasks.spawn(inquiries::work(app.clone()));
    app.tasks.spawn(switches::keep_fresh(app.clone()));
    app.tasks.spawn(tokens::work(app.clone()));
    app.tasks.spawn(strays::work(app.clone()));
    app.tasks.spawn(authorities::keep(app.clone()));
    app.tasks.spawn(credentials::work(app.clone()));
    app.tasks.spawn(bursts::keep(app.clone()));
    write_running(&app)?;
    tracing::info!(data = %app.config.data.display(), "cordon runs");
    Ok(Running { app, failed })
}

impl Running {
    /// Where it listens.
    pub fn places(&self) -> &Places {
        &self.app.addresses
    }

    /// Its data folder.
    pub fn data(&self) -> &Path {
        &self.app.config.data
    }

    /// Resolves when a door closed by itself: nothing more can be relied on.
    pub async fn failed(&self) {
        let mut failed = self.failed.clone();
        if failed.wait_for(|failed| *failed).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Closes the doors, ends what is under way, and lets go of the data.
    ///
    /// # Errors
    /// When the file that says where we listen cannot be removed, or the store cannot be closed.
    pub async fn stop(self) -> Result<()> {
        self.app.couriers.stop();
        self.app.tasks.stop(PATIENCE).await;
        let file = self.app.config.data.join(RUNNING_FILE);
        std::fs::remove_file(&file).with_context(|| format!("removing `{}`", file.display()))?;
        // So that the store is one file again, which can be copied.
        let store = self.app.store.clone();
        tokio::task::spawn_blocking(move || store.wipe_deleted()).await.context("stopping")??;
        tracing::info!("cordon stopped");
        Ok(())
    }
}

/// Opens the parts of an installation.
async fn open(
    config: Config,
    world: World,
    addresses: Places,
    tls: Option<Arc<DoorTls>>,
) -> Result<App> {
    let data = config.data.clone();
    let sender = config.company.notice_from.rsplit_once('@').map_or("", |(_, domain)| domain);
    let keys = Keys::open(&data, sender, &world)?;
    let store = Store::open(&data.join(STORE), world.clone()).context("opening the store")?;
    let ledger_keys = LedgerKeys { identifier: keys.identifier.clone() };
    let (dir, ledger_world) = (data.join("ledger"), world.clone());
    let (ledger, recovered) =
        tokio::task::spawn_blocking(move || Ledger::open(&dir, ledger_keys, ledger_world))
            .await
            .context("opening the ledger")?
            .context("opening the ledger")?;
    tracing::info!(?recovered, "the ledger is open");
    let traffic = Arc::new(Traffic::default());
    let token_book = Arc::new(TokenBook::open(&store)?);
    let calls = Arc::new(Calls::default());
    let tasks = Tasks::default();
    let traces = Traces::begin(&config.telemetry, &world, &tasks);
    let shown = Arc::new((traffic.clone(), Arc::new((calls.clone(), traces.clone()))));
    let strays = Arc::new(Strays::new());
    let credentials = Arc::new(Credentials::open(&config)?);
    let told = Arc::new((strays.clone(), credentials.clone()));
    let told = Arc::new((token_book.clone(), told));
    let seen = Arc::new((shown, told));
    let gateway_keys = GatewayKeys {
        token: keys.workload_token.clone(),
        reference: keys.reference.clone(),
        pseudonym: keys.pseudonym.clone(),
        tokenise: keys.tokenise.clone(),
    };
    let egress = Egress::new(gateway::native_roots()?, config.gateway.allowed_hosts.clone())
        .context("opening the way out")?;
    let patience = Patience {
        stale: Duration::from_secs(config.gateway.staleness_seconds),
        ..Patience::default()
    };
    let to = ledger.clone();
    let gateway = Gateway::with_patience(to, gateway_keys, world.clone(), egress, seen, patience);
    let damaged = open_spool(&gateway, &data, &keys, &world).await?;
    Ok(App::new(Parts {
        own_policy: in_force::OwnPolicy::open(config.policy.file.as_deref())?,
        replays: replays::Replays::default(),
        directory: directory::open(config.directory.path.as_deref()).into(),
        config,
        world,
        keys,
        switches: Switches::of(&store)?,
        store,
        ledger,
        gateway,
        addresses,
        tasks,
        scoping: tokio::sync::Mutex::default(),
        couriers: notices::Couriers::default(),
        portal_rate: portal::Rate::default(),
        token_book,
        strays,
        tls,
        credentials,
        traffic,
        spool_damaged: damaged,
        calls,
        traces,
    }))
}

/// Opens the spool, in which calls and mail wait. How many entries of it do not open.
async fn open_spool(gateway: &Gateway, data: &Path, keys: &Keys, world: &World) -> Result<usize> {
    let (dir, key, world) = (data.join("spool"), keys.spool.clone(), world.clone());
    let open = move || Spool::open(&dir, key, world, SpoolLimits::default());
    let (spool, recovered) =
        tokio::task::spawn_blocking(open).await.context("opening the spool")??;
    tracing::info!(?recovered, "the spool is open");
    gateway.wait_in(spool);
    Ok(recovered.damaged)
}

/// Makes the first operator, whose token is in the data folder, if there is none.
async fn first_operator(app: &App) -> Result<()> {
    let hash = app.keys.operator_token.mac(&[app.keys.first_operator.expose().as_bytes()]);
    let name = OperatorName::parse("admin")?;
    let roles: Vec<_> =
        Role::ALL.iter().filter(|(name, _)| *name == "admin").map(|(name, _)| *name).collect();
    app.store
        .write(move |tx| {
            if tx.operators()?.is_empty() {
                tx.insert_operator(&name, &hash, &roles)?;
                tx.audit("system", "operator.added", name.as_str(), &json!({ "roles": roles }))?;
            }
            Ok(())
        })
        .await
}

/// An address on which a door cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("the {door} cannot listen on {at}")]
pub struct NotOpened {
    door: &'static str,
    at: SocketAddr,
    source: std::io::Error,
}

impl model::Coded for NotOpened {
    fn code(&self) -> &'static str {
        "door-not-opened"
    }

    fn blame(&self) -> model::Blame {
        model::Blame::Ours
    }

    fn hint(&self) -> Option<String> {
        Some("stop what listens there, or set `listen` in cordon.toml".into())
    }
}

/// The listeners.
struct Doors {
    gateway: TcpListener,
    api: TcpListener,
    portal: TcpListener,
    smtp: TcpListener,
    submission: Option<TcpListener>,
    submissions: Option<TcpListener>,
    connect: Option<TcpListener>,
}

impl Doors {
    async fn open(config: &Config) -> Result<Self> {
        async fn listen(door: &'static str, at: SocketAddr) -> Result<TcpListener> {
            let bound = TcpListener::bind(at).await;
            Ok(bound.map_err(|source| NotOpened { door, at, source })?)
        }
        async fn may_listen(
            door: &'static str,
            at: Option<SocketAddr>,
        ) -> Result<Option<TcpListener>> {
            Ok(match at {
                Some(at) => Some(listen(door, at).await?),
                None => None,
            })
        }
        let listen_on = &config.listen;
        Ok(Self {
            gateway: listen("gateway", listen_on.gateway).await?,
            api: listen("API", listen_on.api).await?,
            portal: listen("portal", listen_on.portal).await?,
            smtp: listen("canary receiver", listen_on.smtp).await?,
            submission: may_listen("submission door", listen_on.submission).await?,
            submissions: may_listen("submission door", listen_on.submissions).await?,
            connect: may_listen("proxy", listen_on.connect).await?,
        })
    }

    fn places(&self, tls: bool) -> Result<Places> {
        let url = |listener: &TcpListener| listener.local_addr().map(|at| format!("http://{at}"));
        let at = |listener: &TcpListener| listener.local_addr().map(|at| at.to_string());
        Ok(Places {
            api: url(&self.api)?,
            gateway: match url(&self.gateway)? {
                url if tls => url.replacen("http", "https", 1),
                url => url,
            },
            connect: self.connect.as_ref().map(url).transpose()?,
            portal: url(&self.portal)?,
            smtp: at(&self.smtp)?,
            submission: self.submission.as_ref().map(at).transpose()?,
            submissions: self.submissions.as_ref().map(at).transpose()?,
            process: std::process::id(),
        })
    }

    /// Serves all doors in the background. One that closes by itself is reported.
    fn serve(self, app: &App) -> Result<watch::Receiver<bool>> {
        let (failed, seen) = watch::channel(false);
        let api = api::routes::router(app)
            .merge(console::router(app))
            .layer(axum::middleware::from_fn(http::strict))
            .with_state(app.clone());
        let tls = mail::self_signed(&app.config.company.canary_domain)?;
        let receiver = mail::Receiver::new(&app.config.company.canary_domain, tls);
        let inbox = Arc::new(CanaryInbox(app.clone()));
        let door = |name: &'static str, serving: BoxedServe| {
            let (failed, stopping) = (failed.clone(), app.tasks.stopping());
            app.tasks.spawn(async move {
                tokio::pin!(stopping);
                let mut serving = serving;
                tokio::select! {
                    () = &mut stopping => {
                        // Told to stop: the door's own shutdown ends it.
                        drop(serving.await);
                    }
                    ended = &mut serving => {
                        tracing::error!(door = name, ?ended, "a door closed by itself");
                        failed.send_replace(true);
                    }
                }
            });
        };
        let stop = || app.tasks.stopping();
        let (gateway, tls) = (&app.gateway, &app.tls);
        door("gateway", Box::pin(gateway.clone().serve(self.gateway, tls.clone(), stop())));
        if let Some(connect) = self.connect {
            let serving = gateway.clone().serve_connect(connect, tls.clone(), stop());
            door("proxy", Box::pin(serving));
        }
        if let Some(tls) = tls.clone() {
            app.tasks.spawn(async move { tls.keep().await });
        }
        door("api", Box::pin(serve(self.api, api, stop())));
        door("portal", Box::pin(serve(self.portal, portal::router(app), stop())));
        door("smtp", Box::pin(receiver.serve(self.smtp, inbox, stop())));
        for (listener, implicit_tls) in [(self.submission, false), (self.submissions, true)] {
            let Some(listener) = listener else { continue };
            let mut receiver = submission(&app.config.submission)?;
            receiver.implicit_tls = implicit_tls;
            let serving = app.gateway.clone().serve_submission(receiver, listener, stop());
            door("submission", Box::pin(serving));
        }
        door("release", Box::pin(app.gateway.clone().release(stop())));
        Ok(seen)
    }
}

/// The receiver of mail that workloads hand in.
fn submission(config: &config::Submission) -> Result<mail::Receiver> {
    let read =
        |path: &Path| std::fs::read(path).with_context(|| format!("reading `{}`", path.display()));
    let tls = match (&config.certificate, &config.key) {
        (Some(chain), Some(key)) => mail::server_config(&read(chain)?, &read(key)?)?,
        _ => mail::self_signed(&config.hostname)?,
    };
    Ok(mail::Receiver::new(&config.hostname, tls))
}

type BoxedServe = std::pin::Pin<Box<dyn Future<Output = Result<()>> + Send>>;

async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop).await.context("serving HTTP")
}

fn write_running(app: &App) -> Result<()> {
    let file = app.config.data.join(RUNNING_FILE);
    let text = serde_json::to_string_pretty(&app.addresses)?;
    std::fs::write(&file, text).with_context(|| format!("writing `{}`", file.display()))
}

/// Checks the audit log of a data folder on which no server runs.
///
/// # Errors
/// When the store cannot be opened, or a server has it open.
pub fn verify_audit_offline(data: &Path) -> Result<Value> {
    let path: PathBuf = data.join(STORE);
    anyhow::ensure!(path.exists(), "there is no store in `{}`", data.display());
    let store = Store::open(&path, door::world())?;
    Ok(api::audit::shown(store.read_now(|tx| tx.verify_audit(1))?))
}
