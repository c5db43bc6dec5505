//! Vendors' credentials that are kept elsewhere: read at the start, at intervals, and once when the
//! vendor says that one is wrong. They are held in memory alone, and a source that is silent for
//! too long leaves its vendor without one.

mod source;
mod vault;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use gateway::{Credential, GoodUntil, Left, Seen, SeenCall};
use model::{Coded as _, Secret, Timestamp, VendorName, limits};
use serde::Serialize;
use serde_json::json;
use store::{Sealed, Tx};
use tokio::sync::Notify;
use tokio::time::Instant;

pub use self::source::{Source, SourceRefused};

use self::source::{Fetched, read_file, read_variable};
use self::vault::Vault;
use crate::app::{App, credential_label};
use crate::config;

/// Every credential that comes from a source.
pub struct Credentials {
    held: Mutex<BTreeMap<VendorName, Held>>,
    /// Those that the store has, as they were last opened.
    opened: Mutex<BTreeMap<VendorName, Opened>>,
    vault: Option<Vault>,
    settings: config::Credentials,
    /// Something is to be read before its time.
    wake: Notify,
}

/// A sealed credential and what it is.
struct Opened {
    sealed: Sealed,
    credential: Arc<Credential>,
}

/// One vendor's credential.
pub struct Held {
    source: Source,
    value: Option<Arc<Credential>>,
    /// One that was revoked while it was held.
    revoked: Option<Arc<Credential>>,
    version: Option<u64>,
    good_until: Arc<GoodUntil>,
    /// When the source last gave it.
    fetched_at: Option<Timestamp>,
    /// When it last gave another one than before.
    changed_at: Option<Timestamp>,
    /// Why it gave nothing the last time.
    failure: Option<SourceRefused>,
    /// How often in a row.
    failures: u32,
    due: Instant,
    /// Whether the source was asked because the vendor refused this value: once is enough.
    doubted: bool,
}

/// What operators see of a credential.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// `sealed` or the source.
    pub source: String,
    /// `ready`, `stale`, `missing`; `changing` while calls still begin with the one before.
    pub state: &'static str,
    /// The source's own version of it, where it has such.
    pub version: Option<u64>,
    /// When the source last gave it.
    pub fetched_at: Option<Timestamp>,
    /// When it last changed.
    pub changed_at: Option<Timestamp>,
    /// From when on it is not used if the source stays silent.
    pub stale_at: Option<Timestamp>,
    /// The code of why the source gave nothing the last time.
    pub failure: Option<&'static str>,
}

/// Whether a credential is this one, in constant time.
fn is(credential: &Credential, value: &Secret<String>) -> bool {
    credential.secret().matches(value.expose().as_bytes())
}

impl Shown {
    /// Of a credential that is kept in the store, or not at all.
    fn sealed(is_there: bool) -> Self {
        Self {
            source: "sealed".to_owned(),
            state: if is_there { "ready" } else { "missing" },
            version: None,
            fetched_at: None,
            changed_at: None,
            stale_at: None,
            failure: None,
        }
    }
}

impl Held {
    fn of(source: Source) -> Self {
        Self {
            source,
            value: None,
            revoked: None,
            version: None,
            good_until: Arc::default(),
            fetched_at: None,
            changed_at: None,
            failure: None,
            failures: 0,
            due: Instant::now(),
            doubted: false,
        }
    }

    /// How long until the source is asked again.
    fn wait(&self, settings: &config::Credentials) -> Duration {
        let usual = match self.source {
            Source::File(_) => Duration::from_secs(limits::CREDENTIAL_FILE_SECONDS),
            _ => Duration::from_secs(u64::from(settings.refresh_seconds)),
        };
        match &self.failure {
            None => usual,
            // 1, 2, 4, … seconds, or as long as the source asked for; never longer than usual.
            Some(failure) => {
                let backoff = 1 << self.failures.saturating_sub(1).min(10);
                Duration::from_secs(failure.after_seconds().unwrap_or(backoff)).min(usual)
            }
        }
    }

    /// Takes what the source said; whether the credential is another one now.
    fn take(
        &mut self,
        said: Result<Fetched, SourceRefused>,
        now: Timestamp,
        settings: &config::Credentials,
    ) -> bool {
        let said = said.and_then(|fetched| {
            let again = self.revoked.as_ref().is_some_and(|revoked| is(revoked, &fetched.value));
            if again { Err(SourceRefused::Revoked) } else { Ok(fetched) }
        });
        let changed = match said {
            Ok(Fetched { value, version }) => {
                let same = self.value.as_ref().is_some_and(|held| is(held, &value));
                if !same {
                    self.good_until = Arc::default();
                    let credential = Credential::new(value).until(self.good_until.clone());
                    self.value = Some(Arc::new(credential));
                    self.changed_at = Some(now);
                    self.doubted = false;
                }
                (self.version, self.fetched_at) = (version, Some(now));
                (self.failure, self.failures) = (None, 0);
                self.good_until.set(now.plus_seconds(i64::from(settings.stale_seconds)));
                !same
            }
            Err(refused) => {
                let withdrawn = refused.withdraws() && self.value.take().is_some();
                (self.failure, self.failures) = (Some(refused), self.failures.saturating_add(1));
                withdrawn
            }
        };
        self.due = Instant::now() + self.wait(settings);
        changed
    }

    fn shown(&self, now: Timestamp) -> Shown {
        let state = match (&self.value, self.good_until.is_over(now)) {
            (None, _) => "missing",
            (Some(_), false) => "ready",
            (Some(_), true) => "stale",
        };
        Shown {
            source: self.source.to_string(),
            state,
            version: self.version,
            fetched_at: self.fetched_at,
            changed_at: self.changed_at,
            stale_at: self.value.is_some().then(|| self.good_until.at()),
            failure: self.failure.as_ref().map(|refused| refused.code()),
        }
    }
}

impl Credentials {
    /// Nothing is held yet; [`begin`] reads it.
    ///
    /// # Errors
    /// When the vault of the configuration cannot be spoken to as it is written there.
    pub fn open(config: &config::Config) -> Result<Self> {
        Ok(Self {
            held: Mutex::default(),
            opened: Mutex::default(),
            vault: Vault::open(&config.vault)?,
            settings: config.credentials.clone(),
            wake: Notify::new(),
        })
    }

    /// The credential of a vendor that has a source, for the gateway; `None` when the vendor's is
    /// sealed in the store, and `Some(None)` when its source gave none.
    pub fn of(&self, vendor: &VendorName) -> Option<Option<Arc<Credential>>> {
        Some(self.held().get(vendor)?.value.clone())
    }

    /// A credential that is sealed in the store. It is opened once: what takes it out of replies is
    /// dear to make.
    ///
    /// # Errors
    /// Those of opening it.
    pub fn sealed(
        &self,
        vendor: &VendorName,
        sealed: Sealed,
        open: impl FnOnce(&Sealed) -> Result<Secret<String>>,
    ) -> Result<Arc<Credential>> {
        let mut all = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = all.get(vendor).filter(|opened| opened.sealed == sealed) {
            return Ok(opened.credential.clone());
        }
        let credential = Arc::new(Credential::new(open(&sealed)?));
        all.insert(vendor.clone(), Opened { sealed, credential: credential.clone() });
        Ok(credential)
    }

    /// The secret that a vendor's source gave last, for containment; `None` as with [`Self::of`].
    pub fn secret(&self, vendor: &VendorName) -> Option<Option<Secret<String>>> {
        let credential = self.of(vendor)?;
        Some(credential.map(|credential| credential.secret().clone()))
    }

    /// The credential was revoked at the vendor: it is not used again, and its source is asked for
    /// another.
    pub fn revoke(&self, vendor: &VendorName) {
        if let Some(held) = self.held().get_mut(vendor) {
            held.revoked = held.value.take().or(held.revoked.take());
            held.due = Instant::now();
            self.wake.notify_one();
        }
    }

    fn put(&self, vendor: &VendorName, held: Option<Held>) -> Option<Held> {
        match held {
            Some(held) => self.held().insert(vendor.clone(), held),
            None => self.held().remove(vendor),
        }
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<VendorName, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self, source: &Source) -> Result<Fetched, SourceRefused> {
        match source {
            Source::File(path) => read_file(path, &self.settings.files),
            Source::Environment(name) => read_variable(name, &self.settings.environment),
            Source::Vault(path) => {
                self.vault.as_ref().ok_or(SourceRefused::NoVault)?.read(path).await
            }
        }
    }
}

/// A vendor's own «401» makes its source be asked once, before the usual time.
impl Seen for Credentials {
    fn call(&self, seen: &SeenCall) {
        let (Left::Sent(401), Some(vendor)) = (seen.outcome, &seen.vendor) else { return };
        let mut held = self.held();
        if let Some(held) = held.get_mut(vendor).filter(|held| !held.doubted) {
            held.doubted = true;
            held.due = Instant::now();
            self.wake.notify_one();
        }
    }
}

/// What operators see of a vendor's credential.
///
/// # Errors
/// When there is no such vendor.
pub async fn shown(app: &App, vendor: &VendorName) -> Result<Shown> {
    let name = vendor.clone();
    let sealed = app.store.read(move |tx| tx.vendor_secrets(&name)).await?.credential;
    let registry = app.gateway.registry();
    let in_use = registry.vendors.get(vendor).and_then(|entry| entry.credential.as_ref());
    let held = app.credentials.held();
    let Some(held) = held.get(vendor) else {
        return Ok(Shown::sealed(sealed.is_some()));
    };
    let mut shown = held.shown(app.world.now());
    if in_use.map(Arc::as_ptr) != held.value.as_ref().map(Arc::as_ptr) {
        shown.state = "changing";
    }
    Ok(shown)
}

/// Reads every source once. One that gives nothing leaves its vendor without a credential.
///
/// # Errors
/// When the store cannot be read, or holds what is no source.
pub async fn begin(app: &App) -> Result<()> {
    for (vendor, source) in app.store.read(|tx| tx.credential_sources()).await? {
        let source: Source = source.parse()?;
        app.credentials.held().insert(vendor, Held::of(source));
    }
    read_due(app).await;
    Ok(())
}

/// Reads a vendor's credential from a source that is not in use yet.
///
/// # Errors
/// When the source gives none of the vendor's shape.
pub async fn read(app: &App, vendor: &VendorName, source: Source) -> Result<Held, SourceRefused> {
    let said = fetch_for(app, vendor, &source).await?;
    let mut held = Held::of(source);
    held.take(Ok(said), app.world.now(), &app.credentials.settings);
    Ok(held)
}

/// Holds what was read, or nothing when the store has the credential, and makes a change of the
/// store with it. The gateway reads what is held when the store changes, so it is held before that;
/// when the change fails, what was held before is held again.
///
/// # Errors
/// Those of the change.
pub async fn hold(
    app: &App,
    vendor: &VendorName,
    held: Option<Held>,
    change: impl FnOnce(&Tx<'_>) -> Result<()> + Send + 'static,
) -> Result<()> {
    let before = app.credentials.put(vendor, held);
    let changed = app.store.write(change).await;
    if changed.is_err() {
        app.credentials.put(vendor, before);
    }
    app.credentials.wake.notify_one();
    changed
}

/// Reads sources when their time comes, until the program stops.
pub async fn work(app: App) {
    let stopping = app.tasks.stopping();
    tokio::pin!(stopping);
    loop {
        let due = app.credentials.held().values().map(|held| held.due).min();
        let longest = Instant::now()
            + Duration::from_secs(u64::from(app.credentials.settings.refresh_seconds));
        tokio::select! {
            () = &mut stopping => return,
            () = app.credentials.wake.notified() => {}
            () = tokio::time::sleep_until(due.unwrap_or(longest)) => {}
        }
        if read_due(&app).await
            && let Err(error) = app.refresh_gateway().await
        {
            tracing::error!(error = format!("{error:#}"), "a new credential is not in use");
        }
    }
}

/// Reads what is due; whether a credential is another one now.
async fn read_due(app: &App) -> bool {
    let now = Instant::now();
    let due: Vec<(VendorName, Source)> = app
        .credentials
        .held()
        .iter()
        .filter(|(_, held)| held.due <= now)
        .map(|(vendor, held)| (vendor.clone(), held.source.clone()))
        .collect();
    let mut changed = false;
    // A vault that is away is not asked again for every vendor.
    let mut away = None;
    for (vendor, source) in due {
        let said = match (&source, &away) {
            (Source::Vault(_), Some(refused)) => Err(SourceRefused::clone(refused)),
            _ => fetch_for(app, &vendor, &source).await,
        };
        if let (Source::Vault(_), Err(refused)) = (&source, &said)
            && refused.is_of_the_whole_vault()
        {
            away = Some(refused.clone());
        }
        if let Err(refused) = &said {
            tracing::warn!(vendor.name = %vendor, code = refused.code(), "a credential's source gave nothing");
        }
        changed |= take(app, &vendor, &source, said).await;
    }
    changed
}

async fn take(
    app: &App,
    vendor: &VendorName,
    source: &Source,
    said: Result<Fetched, SourceRefused>,
) -> bool {
    let (now, settings) = (app.world.now(), &app.credentials.settings);
    let version = {
        let mut held = app.credentials.held();
        // Its source may have been changed meanwhile.
        let Some(held) = held.get_mut(vendor).filter(|held| held.source == *source) else {
            return false;
        };
        if !held.take(said, now, settings) {
            return false;
        }
        held.version
    };
    tracing::info!(vendor.name = %vendor, version, "a credential changed at its source");
    let detail = json!({ "source": source.to_string(), "version": version });
    let name = vendor.clone();
    let written = app
        .store
        .write(move |tx| tx.audit("system", "vendor.credential-changed", name.as_str(), &detail));
    if let Err(error) = written.await {
        tracing::error!(error = format!("{error:#}"), "a credential's change is not recorded");
    }
    true
}

/// What a source gives for this vendor: of its shape, and not the one that was revoked.
async fn fetch_for(
    app: &App,
    vendor: &VendorName,
    source: &Source,
) -> Result<Fetched, SourceRefused> {
    let fetched = app.credentials.fetch(source).await?;
    let checked = check(app, vendor, &fetched).await;
    let checked = checked.map_err(|error| {
        tracing::error!(error = format!("{error:#}"), "a credential could not be checked");
        SourceRefused::Shape
    });
    checked?.map(|()| fetched)
}

async fn check(
    app: &App,
    vendor: &VendorName,
    fetched: &Fetched,
) -> Result<Result<(), SourceRefused>> {
    let name = vendor.clone();
    let (vendor, revoked) = app
        .store
        .read(move |tx| Ok((tx.vendor(&name)?, tx.vendor_secrets(&name)?.revoked)))
        .await?;
    let value = fetched.value.expose();
    if app.connector(&vendor)?.check_credential(value).is_err() {
        return Ok(Err(SourceRefused::Shape));
    }
    let label = credential_label(&vendor.name);
    let revoked = revoked.map(|sealed| app.unseal(&label, &sealed.0)).transpose()?;
    let again = revoked.is_some_and(|revoked| revoked.matches(value.as_bytes()));
    Ok(if again { Err(SourceRefused::Revoked) } else { Ok(()) })
}
