//! What every phase is handed: the ledger, the keys, the registry, the way out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use ledger::Ledger;
use model::{MacKey, TokeniseKey, VendorName, World, limits};
use tokio::sync::{Notify, Semaphore};

use crate::crowd::Crowd;
use crate::egress::Egress;
use crate::flow::Flows;
use crate::live::Live;
use crate::seen::Seen;
use crate::spool::Spool;
use crate::submission::relay::Relays;

/// The gateway's keys, each derived for its one use.
#[derive(Debug, Clone)]
pub struct GatewayKeys {
    /// Under which tokens are looked up.
    pub token: MacKey,
    /// Under which references in messages are signed.
    pub reference: MacKey,
    /// Under which pseudonyms are made.
    pub pseudonym: MacKey,
    /// Under which values become tokens.
    pub tokenise: TokeniseKey,
}

/// How long the gateway waits for others. The defaults are the limits in `model::limits`.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For a caller's TLS handshake, or its `CONNECT`.
    pub handshake: Duration,
    /// For a caller's head, and again for its body.
    pub read: Duration,
    /// For a connection to a vendor, TLS included.
    pub connect: Duration,
    /// For a vendor's reply, whole.
    pub reply: Duration,
    /// For a mail to go to a vendor's SMTP host, and for the reply to its final dot.
    pub mail: Duration,
    /// For a place among the calls to one vendor.
    pub busy: Duration,
    /// How long a connection to a vendor is kept without use.
    pub idle: Duration,
    /// How long the registry holds without a [`crate::Gateway::confirm`].
    pub stale: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(limits::HANDSHAKE_SECONDS),
            read: Duration::from_secs(limits::REQUEST_READ_SECONDS),
            connect: Duration::from_secs(limits::VENDOR_CONNECT_SECONDS),
            reply: Duration::from_secs(limits::VENDOR_REPLY_SECONDS),
            mail: Duration::from_secs(limits::SMTP_REPLY_SECONDS),
            busy: Duration::from_secs(limits::VENDOR_BUSY_SECONDS),
            idle: Duration::from_secs(limits::VENDOR_POOL_IDLE_SECONDS),
            stale: Duration::from_secs(limits::SWITCH_STALE_SECONDS),
        }
    }
}

pub(crate) struct Cx {
    pub ledger: Ledger,
    pub keys: GatewayKeys,
    pub world: World,
    pub egress: Egress,
    pub seen: Arc<dyn Seen>,
    pub registry: Arc<Live>,
    pub patience: Patience,
    /// Told when another registry stands in the place of the last one.
    pub replaced: Notify,
    /// Where calls and mail wait; without one none do.
    pub spool: OnceLock<Spool>,
    /// Sessions with vendors that take mail.
    pub relays: Relays,
    /// Bytes of bodies that may be held.
    pub bodies: Arc<Semaphore>,
    /// What each workload gives each vendor.
    pub flows: Flows,
    /// Refusals that are not recorded one by one.
    pub crowd: Crowd,
    lanes: Mutex<HashMap<VendorName, Arc<Semaphore>>>,
}

impl Cx {
    pub fn new(
        ledger: Ledger,
        keys: GatewayKeys,
        world: World,
        egress: Egress,
        seen: Arc<dyn Seen>,
        patience: Patience,
    ) -> Self {
        Self {
            ledger,
            keys,
            world,
            egress,
            seen,
            registry: Arc::new(Live::new(patience.stale)),
            patience,
            replaced: Notify::new(),
            spool: OnceLock::new(),
            relays: Relays::default(),
            bodies: Arc::new(Semaphore::new(limits::GATEWAY_BODIES_BYTES)),
            flows: Flows::default(),
            crowd: Crowd::default(),
            lanes: Mutex::default(),
        }
    }

    /// The places of calls to this vendor.
    pub fn lane(&self, vendor: &VendorName) -> Arc<Semaphore> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes
            .entry(vendor.clone())
            .or_insert_with(|| Arc::new(Semaphore::new(limits::VENDOR_CONCURRENCY)))
            .clone()
    }
}
