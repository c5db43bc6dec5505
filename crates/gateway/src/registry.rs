//! Which vendors, workloads and tokens there are: one value, replaced whole.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connectors::Connector;
use model::{Identity, MacKey, Secret, Switch, Vendor, VendorName, Workload, WorkloadName};
use policy::Policy;

use crate::authority::{Authority, is_dns_name};
use crate::credential::Credential;
use crate::egress::Origin;
use crate::flow::Terms;
use crate::refused::Refused;
use crate::token::TokenEntry;

/// All that the gateway knows of who may give what to whom.
#[derive(Debug, Default)]
pub struct Registry {
    /// Vendors by name.
    pub vendors: HashMap<VendorName, VendorEntry>,
    /// Workloads by name.
    pub workloads: HashMap<WorkloadName, Workload>,
    /// Tokens by [`token_key`], those that open nothing any more among them.
    pub tokens: HashMap<[u8; 32], TokenEntry>,
    /// By which marks tokens are recognised: mark and [`token_key`].
    pub marks: HashMap<[u8; 32], [u8; 32]>,
    /// Workloads by what their certificates prove.
    pub identities: HashMap<Identity, WorkloadName>,
    /// Authorities by the host that they speak for, the one that ends first standing first.
    pub authorities: HashMap<String, Vec<Arc<Authority>>>,
    /// What tunnels lead to, found when it is first asked for.
    pub places: Places,
    /// Who may give what to whom: the grants of these workloads, and what an operator adds.
    pub policy: Arc<Policy>,
    /// Limits by workload and vendor; none stand for those that are not here.
    pub terms: HashMap<WorkloadName, HashMap<VendorName, Terms>>,
    /// The public base of Cordon's webhooks, for those who print it; calls carry the vendor's own
    /// [`VendorEntry::callback_url`].
    pub own_base_url: Option<String>,
}

/// Vendors by the host and port at which their callers may believe them to be.
#[derive(Debug, Default)]
pub struct Places(OnceLock<HashMap<(String, u16), Vec<Place>>>);

/// A vendor at a host, and what stands there before its paths.
#[derive(Debug)]
pub(crate) struct Place {
    pub vendor: VendorName,
    pub prefix: String,
}

/// A vendor with what is needed to speak to it.
pub struct VendorEntry {
    /// What is registered of it.
    pub vendor: Vendor,
    /// What speaks its API.
    pub connector: &'static dyn Connector,
    /// The credential that Cordon holds; without one nothing is sent.
    pub credential: Option<Arc<Credential>>,
    /// Where the vendor should report on messages, if it is told so in each call.
    pub callback_url: Option<String>,
}

impl VendorEntry {
    /// Where its callers may believe it to be: at its own endpoint, where the account is, and where
    /// single operations are.
    fn origins(&self) -> impl Iterator<Item = Origin> {
        let base = self.credential.as_ref().and_then(|held| self.connector.base_url(held.secret()));
        let operations = self.connector.operations().iter().filter_map(|one| one.base);
        let bases = [self.vendor.endpoint.clone(), base].into_iter().flatten();
        let bases = bases.chain(operations.map(str::to_owned));
        bases.filter_map(|base| Origin::parse(&base).ok())
    }

    /// The hosts to which its callers may open tunnels: DNS names to which TLS is spoken.
    pub fn hosts(&self) -> BTreeSet<String> {
        let hosts =
            self.origins().filter_map(|origin| origin.tls_host().map(|(host, _)| host.to_owned()));
        hosts.filter(|host| is_dns_name(host)).collect()
    }
}

impl fmt::Debug for VendorEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VendorEntry")
            .field("vendor", &self.vendor.name)
            .field("connector", &self.connector.name())
            .finish_non_exhaustive()
    }
}

/// Under which key a token is found: a keyed hash, so that the table is of no use to a thief.
pub fn token_key(key: &MacKey, vendor: &VendorName, token: &Secret<String>) -> [u8; 32] {
    key.mac(&[vendor.as_str().as_bytes(), token.expose().as_bytes()])
}

/// The secret that belongs to a key's id, for workloads that sign their requests: whoever knows the
/// key of tokens can say it again, so that it is kept nowhere.
pub fn secret_of(key: &MacKey, id: &str) -> Secret<String> {
    Secret::new(STANDARD.encode(&key.mac(&[b"secret", id.as_bytes()])[..30]))
}

impl Registry {
    /// The vendors to which a tunnel to this host may lead.
    pub(crate) fn places_at(&self, host: &str, port: u16) -> &[Place] {
        let places = self.places.0.get_or_init(|| {
            let mut places: HashMap<(String, u16), Vec<Place>> = HashMap::new();
            for entry in self.vendors.values() {
                for origin in entry.origins() {
                    if let Some((host, port)) = origin.tls_host() {
                        let (vendor, prefix) = (entry.vendor.name.clone(), origin.prefix.clone());
                        let at = places.entry((host.to_owned(), port)).or_default();
                        at.push(Place { vendor, prefix });
                    }
                }
            }
            places
        });
        places.get(&(host.to_owned(), port)).map_or(&[], Vec::as_slice)
    }

    /// Which limits hold for a workload towards a vendor.
    pub fn terms(&self, workload: &WorkloadName, vendor: &VendorName) -> Terms {
        self.terms
            .get(workload)
            .and_then(|vendors| vendors.get(vendor))
            .copied()
            .unwrap_or_default()
    }

    /// Whether calls to this vendor may leave at this moment.
    ///
    /// # Errors
    /// When its kill switch says `hold` or `stop`, or it is gone.
    pub fn may_leave(&self, vendor: &VendorName) -> Result<(), Refused> {
        match self.vendors.get(vendor).map(|entry| entry.vendor.switch) {
            Some(Switch::Open) => Ok(()),
            Some(Switch::Hold) => Err(Refused::Held),
            Some(Switch::Stop) => Err(Refused::Stopped),
            None => Err(Refused::VendorUnknown),
        }
    }
}
