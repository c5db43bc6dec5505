//! Where every vendor's kill switch stands: read from the store ten times a second, so that a
//! change by another process holds at once, and told to other machines that ask.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use gateway::Registry;
use model::{Switch, Vendor, VendorName, crypto, limits};
use serde::Serialize;
use serde_json::{Value, json};
use store::{Store, Tx, Watch};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::app::App;

/// The look-out and what it saw last.
pub struct Switches {
    /// One look at a time, so that no older registry takes the place of a newer one.
    watch: Arc<Mutex<Watch>>,
    seen: watch::Sender<Arc<Standing>>,
}

/// Where all switches stand.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Follows from the switches: the same switches have the same version, after a restart too.
    pub version: String,
    /// By vendor.
    pub switches: BTreeMap<VendorName, Switch>,
}

impl Standing {
    fn of(registry: &Registry) -> Self {
        let vendors = registry.vendors.values().map(|entry| &entry.vendor);
        let switches: BTreeMap<_, _> =
            vendors.map(|vendor| (vendor.name.clone(), vendor.switch)).collect();
        let lines = switches.iter().map(|(vendor, switch)| format!("{vendor} {switch}\n"));
        let digest = crypto::sha256(lines.collect::<String>().as_bytes());
        Self { version: crypto::to_hex(&digest[..8]), switches }
    }
}

impl Switches {
    /// Of a store that was just opened.
    ///
    /// # Errors
    /// Faults of the disk.
    pub fn of(store: &Store) -> Result<Self> {
        Ok(Self { watch: Arc::new(Mutex::new(store.watch()?)), seen: watch::Sender::default() })
    }

    /// Looks at the store now. If anything was changed there, the gateway goes by it before this
    /// returns; if not, the gateway knows that it goes by what is kept.
    ///
    /// # Errors
    /// When it cannot look: then the gateway is told nothing, and its registry ages.
    pub async fn refresh(&self, app: &App) -> Result<()> {
        let mut watch = self.watch.clone().lock_owned().await;
        let asked = Instant::now();
        let reader = app.clone();
        let looking = tokio::task::spawn_blocking(move || {
            let registry = watch.look(|tx| reader.registry(tx));
            (registry, watch)
        });
        let (registry, held) = looking.await.context("a look at the switches did not end")?;
        let mut another_policy = None;
        if let Some(registry) = registry? {
            let standing = Standing::of(&registry);
            let policy = registry.policy.clone();
            let before = app.gateway.registry().policy.digest();
            another_policy = Some(policy).filter(|policy| policy.digest() != before);
            app.gateway.replace(registry);
            self.seen.send_if_modified(|seen| {
                let changed = **seen != standing;
                *seen = Arc::new(standing);
                changed
            });
        }
        app.gateway.confirm(asked);
        drop(held);
        if let Some(policy) = another_policy {
            app.keep_policy(policy).await;
        }
        Ok(())
    }

    /// Where they stand, at once if that is not what `known` says, else when it changes or after
    /// a wait of [`limits::SWITCH_WAIT_SECONDS`].
    pub async fn after(&self, known: Option<&str>) -> Arc<Standing> {
        let mut seen = self.seen.subscribe();
        let changed = seen.wait_for(|standing| known != Some(standing.version.as_str()));
        let patience = Duration::from_secs(limits::SWITCH_WAIT_SECONDS);
        match tokio::time::timeout(patience, changed).await {
            Ok(Ok(standing)) => standing.clone(),
            Ok(Err(_)) | Err(_) => self.seen.borrow().clone(),
        }
    }
}

/// Moves a vendor's switch; the vendor as it is then, and what the audit log keeps of it. Opening
/// it while it has an open incident takes two operators, through the incident.
///
/// # Errors
/// [`Loosening`]; when there is no such vendor.
pub fn set(tx: &Tx<'_>, vendor: &VendorName, to: Switch) -> Result<(Vendor, Value)> {
    let mut changed = tx.vendor(vendor)?;
    if to < changed.switch && tx.open_incident_of(vendor)?.is_some() {
        return Err(Loosening { vendor: vendor.clone() }.into());
    }
    let detail = json!({ "from": changed.switch, "to": to });
    changed.switch = to;
    tx.update_vendor(&changed)?;
    Ok((changed, detail))
}

/// A cut that one operator alone would loosen.
#[derive(Debug, thiserror::Error)]
#[error("`{vendor}` has an open incident: its cut is lifted there, by two operators")]
pub struct Loosening {
    vendor: VendorName,
}

impl model::Coded for Loosening {
    fn code(&self) -> &'static str {
        "two-eyes-needed"
    }

    fn hint(&self) -> Option<String> {
        Some("`cordon incident lift INCIDENT`, then another operator approves".into())
    }
}

/// Looks again and again until the program stops.
pub async fn keep_fresh(app: App) {
    let stopping = app.tasks.stopping();
    let looking = async {
        let mut every = interval(Duration::from_millis(limits::SWITCH_WATCH_MS));
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failed = false;
        loop {
            every.tick().await;
            let looked = app.switches.refresh(&app).await;
            if let (Err(error), false) = (&looked, failed) {
                tracing::error!(error = format!("{error:#}"), "the switches cannot be looked at");
            }
            if looked.is_ok() && failed {
                tracing::warn!("the switches can be looked at again");
            }
            failed = looked.is_err();
        }
    };
    tokio::select! {
        () = stopping => {}
        () = looking => {}
    }
}
