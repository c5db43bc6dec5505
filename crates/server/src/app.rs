//! What every handler and worker is handed: the parts of one installation, put together.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use connectors::Connector;
use gateway::{DoorTls, Gateway, Registry, Terms};
use ledger::Ledger;
use model::{Secret, Vendor, VendorName, WorkloadName, World};
use store::{Sealed, Store, Tx};

use crate::authorities;
use crate::client::Running;
use crate::config::Config;
use crate::directory::Directory;
use crate::in_force::Stored;
use crate::keys::Keys;
use crate::tasks::Tasks;

/// One installation; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// Its parts.
pub struct Parts {
    /// As the operator set it up.
    pub config: Config,
    /// Clock and randomness.
    pub world: World,
    /// Every key.
    pub keys: Keys,
    /// Everything but disclosures.
    pub store: Store,
    /// What every vendor holds.
    pub ledger: Ledger,
    /// The only way out.
    pub gateway: Gateway,
    /// The system of record for people.
    pub directory: Arc<dyn Directory>,
    /// Where we listen.
    pub addresses: Running,
    /// What goes on in the background.
    pub tasks: Tasks,
    /// One scope is computed at a time.
    pub scoping: tokio::sync::Mutex<()>,
    /// Notices that are being carried.
    pub couriers: crate::notices::Couriers,
    /// Who asks the portal how often.
    pub portal_rate: crate::portal::Rate,
    /// Where every vendor's kill switch stands, and the look-out for changes of it.
    pub switches: crate::switches::Switches,
    /// Vendors' credentials that come from elsewhere.
    pub credentials: Arc<crate::credentials::Credentials>,
    /// Uses of workloads' tokens.
    pub token_book: Arc<crate::tokens::TokenBook>,
    /// What was caught in free text today.
    pub strays: Arc<crate::strays::Strays>,
    /// Entries of the spool that did not open at the start.
    pub spool_damaged: usize,
    /// TLS of the doors for workloads, where there is one.
    pub tls: Option<Arc<DoorTls>>,
    /// An operator's own policy, from the file that the configuration names.
    pub own_policy: crate::in_force::OwnPolicy,
    /// Recorded calls that are run against another policy.
    pub replays: crate::replays::Replays,
    /// Totals of the gateway since start.
    pub traffic: Arc<crate::traffic::Traffic>,
    /// The last calls, for whoever follows them.
    pub calls: Arc<crate::calls::Calls>,
    /// Calls on their way to a collector.
    pub traces: Arc<crate::telemetry::Traces>,
}

impl Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// From its parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// A registered vendor.
    ///
    /// # Errors
    /// When there is none of this name.
    pub async fn vendor(&self, name: &VendorName) -> Result<Vendor> {
        let name = name.clone();
        self.store.read(move |tx| tx.vendor(&name)).await
    }

    /// What speaks a vendor's API.
    ///
    /// # Errors
    /// When it was registered with a connector that this program does not have.
    pub fn connector(&self, vendor: &Vendor) -> Result<&'static dyn Connector> {
        connectors::connector(&vendor.connector)
            .with_context(|| format!("there is no connector `{}`", vendor.connector))
    }

    /// A new token for a workload at this vendor.
    ///
    /// # Errors
    /// When the vendor was registered with a connector that this program does not have.
    pub fn mint(&self, vendor: &Vendor) -> Result<connectors::Minted> {
        let secret_of = |id: &str| gateway::secret_of(&self.keys.workload_token, id);
        Ok(self.connector(vendor)?.mint(self.world.bytes(), &secret_of))
    }

    /// Under which hash a workload's token is kept.
    pub fn token_hash(&self, vendor: &VendorName, token: &Secret<String>) -> [u8; 32] {
        gateway::token_key(&self.keys.workload_token, vendor, token)
    }

    /// Seals a secret for the store.
    pub fn seal(&self, label: &str, plain: &[u8]) -> Vec<u8> {
        self.keys.seal.seal(self.world.bytes(), label, plain)
    }

    /// Opens a sealed text.
    ///
    /// # Errors
    /// When it was sealed under another key or label, or is no text.
    pub fn unseal(&self, label: &str, sealed: &[u8]) -> Result<Secret<String>> {
        let plain = self.keys.seal.open(label, sealed)?;
        let text =
            String::from_utf8(plain.expose().clone()).context("a sealed secret is no text")?;
        Ok(Secret::new(text))
    }

    /// Hands the gateway vendors, workloads and tokens as they are kept now. When this returns, no
    /// request that has not begun to leave goes by older ones. Hosts that are new get an authority.
    ///
    /// # Errors
    /// When the store cannot be read or a credential does not open.
    pub async fn refresh_gateway(&self) -> Result<()> {
        self.switches.refresh(self).await?;
        if authorities::issue_missing(self).await? {
            self.switches.refresh(self).await?;
        }
        Ok(())
    }

    /// What the gateway goes by, as it is kept.
    ///
    /// # Errors
    /// When the store cannot be read or a credential does not open.
    pub fn registry(&self, tx: &Tx<'_>) -> Result<Registry> {
        let vendors = tx.vendors()?.into_iter().map(|vendor| {
            let secrets = tx.vendor_secrets(&vendor.name)?;
            Ok((vendor, secrets))
        });
        let vendors = vendors.collect::<Result<Vec<_>>>()?;
        let workloads = tx.workloads()?;
        let mut registry = Registry {
            policy: self.policy_in_force(&workloads, Stored::of(tx)?),
            own_base_url: Some(self.hooks_url()),
            ..Registry::default()
        };
        registry.identities.extend(tx.identities()?);
        registry.workloads.extend(workloads.into_iter().map(|one| (one.name.clone(), one)));
        registry.marks = tx.token_marks()?.into_iter().collect();
        for token in tx.tokens()? {
            let entry = gateway::TokenEntry {
                workload: token.workload,
                vendor: token.vendor,
                expires_at: token.expires_at,
                revoked: token.revoked_at.is_some(),
                networks: token.networks,
            };
            registry.tokens.insert(token.hash, entry);
        }
        registry.terms = terms(tx)?;
        for (vendor, secrets) in vendors {
            let sealed = secrets.credential;
            let credential = match self.credentials.of(&vendor.name) {
                Some(from_source) => from_source,
                None => sealed
                    .map(|sealed| {
                        let label = credential_label(&vendor.name);
                        let open = |sealed: &Sealed| self.unseal(&label, &sealed.0);
                        self.credentials.sealed(&vendor.name, sealed, open)
                    })
                    .transpose()?,
            };
            let entry = gateway::VendorEntry {
                connector: self.connector(&vendor)?,
                credential,
                callback_url: Some(format!("{}/{}", self.hooks_url(), vendor.name)),
                vendor,
            };
            registry.vendors.insert(entry.vendor.name.clone(), entry);
        }
        registry.authorities = authorities::opened(self, tx, &registry)?;
        Ok(registry)
    }

    /// Under which URL vendors call us back, without the vendor's name.
    pub fn hooks_url(&self) -> String {
        format!("{}/hooks", self.portal_url())
    }

    /// The portal as others reach it.
    pub fn portal_url(&self) -> &str {
        self.config.public.portal_url.as_deref().unwrap_or(&self.addresses.portal)
    }
}

/// Limits and approved bursts, by workload and vendor.
fn terms(tx: &Tx<'_>) -> Result<HashMap<WorkloadName, HashMap<VendorName, Terms>>> {
    let mut terms: HashMap<_, HashMap<_, Terms>> = HashMap::new();
    for (workload, vendor, limits) in tx.limits()? {
        terms.entry(workload).or_default().entry(vendor).or_default().limits = limits;
    }
    for approval in tx.burst_approvals()? {
        let of_workload = terms.entry(approval.workload).or_default();
        of_workload.entry(approval.vendor).or_default().burst_until = Some(approval.until);
    }
    Ok(terms)
}

/// What a vendor's sealed credential is sealed for.
pub fn credential_label(vendor: &VendorName) -> String {
    format!("credential/{vendor}")
}

/// What a vendor's sealed webhook secret is sealed for.
pub fn webhook_label(vendor: &VendorName) -> String {
    format!("webhook/{vendor}")
}
