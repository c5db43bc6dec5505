//! Which vendors, workloads and tokens there are: one value, replaced whole.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connectors::Connector;
use model::{MacKey, Secret, Switch, Vendor, VendorName, Workload, WorkloadName};

use crate::credential::Credential;
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
    /// The public base of Cordon's webhooks, for those who print it; calls carry the vendor's own
    /// [`VendorEntry::callback_url`].
    pub own_base_url: Option<String>,
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
