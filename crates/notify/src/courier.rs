//! Carries the copies of one notice to a relay: N connections, one rate, each row durable before
//! and after its message goes out.
//!
//! ```text
//! parcels ──► dispatch ──► carriers (one connection each): compose ► turn ► record handing
//!                ▲                                          ► send ► record what came of it
//!                └─────────── deferred, when due ───────────┘
//! ```
//!
//! Does not read the directory and does not keep the rows: parcels come in over a channel, rows go
//! to [`Deliveries`]. A parcel that is stopped before its message goes out stays as it was.

mod carrier;
mod dispatch;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use mail::Relay;
use model::{Coded, DeliveryId, World};
use serde::Serialize;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinSet;

use crate::delivery::{Delivery, Stage};
use crate::pace::Bucket;
pub use crate::pace::Pace;
pub use crate::scribe::Parcel;
use crate::scribe::Scribe;
use carrier::Carrier;

/// Where rows are kept.
pub trait Deliveries: Send + Sync + 'static {
    /// Keeps the new states of these rows; they are durable when it returns.
    fn record(
        &self,
        rows: Vec<(DeliveryId, Delivery)>,
    ) -> impl Future<Output = Result<(), DeliveriesDown>> + Send;
}

/// Rows cannot be kept. Nothing more goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("deliveries cannot be recorded, so no notice is sent")]
pub struct DeliveriesDown;

impl Coded for DeliveriesDown {
    fn code(&self) -> &'static str {
        "deliveries-down"
    }

    fn blame(&self) -> model::Blame {
        model::Blame::Ours
    }
}

/// What a courier is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Carry.
    Run,
    /// Finish the messages under way, close the connections, and wait.
    Pause,
    /// Finish the messages under way and end. A relay that is silent after the final dot may take
    /// as long as its time-outs allow; dropping the run instead leaves those rows in `handing`.
    Stop,
}

/// Gives a courier its orders, from anywhere.
#[derive(Debug, Clone)]
pub struct Control(Arc<watch::Sender<Order>>);

impl Control {
    fn new(order: Order) -> Self {
        Self(Arc::new(watch::Sender::new(order)))
    }

    /// Changes the order; a courier that was stopped stays stopped.
    pub fn order(&self, order: Order) {
        self.0.send_if_modified(|current| {
            let changes = *current != order && *current != Order::Stop;
            if changes {
                *current = order;
            }
            changes
        });
    }

    /// The order that holds.
    pub fn current(&self) -> Order {
        *self.0.borrow()
    }
}

/// How a courier ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Every parcel came to an end.
    Done,
    /// It was told to stop; parcels may be left.
    Stopped,
    /// Rows could not be recorded any more; parcels are left.
    Down,
}

/// Counts since the courier began; the rows are the truth, this is for watching.
#[derive(Debug, Default)]
pub struct Progress {
    handed: AtomicU64,
    delivered: AtomicU64,
    bounced: AtomicU64,
    failed: AtomicU64,
    deferred: AtomicU64,
    unknown: AtomicU64,
    connections: AtomicU64,
    troubles: AtomicU64,
    refusals_in_a_row: AtomicU32,
    last_trouble: std::sync::Mutex<Option<String>>,
}

/// A reading of [`Progress`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct ProgressNow {
    /// Messages that went to the relay.
    pub handed: u64,
    /// Taken by it.
    pub delivered: u64,
    /// Refused for good.
    pub bounced: u64,
    /// Given up.
    pub failed: u64,
    /// Deferrals; one recipient may have several.
    pub deferred: u64,
    /// Without a reply.
    pub unknown: u64,
    /// Connections that were opened.
    pub connections: u64,
    /// Connections that could not be opened, broke, or were refused by the relay.
    pub troubles: u64,
    /// The code of the last trouble or refusal.
    pub last_trouble: Option<String>,
}

impl Progress {
    /// The counts now.
    pub fn now(&self) -> ProgressNow {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ProgressNow {
            handed: read(&self.handed),
            delivered: read(&self.delivered),
            bounced: read(&self.bounced),
            failed: read(&self.failed),
            deferred: read(&self.deferred),
            unknown: read(&self.unknown),
            connections: read(&self.connections),
            troubles: read(&self.troubles),
            last_trouble: self.last_trouble.lock().expect("nobody panics while holding it").clone(),
        }
    }

    fn settled(&self, delivery: &Delivery) {
        let count = match delivery.stage {
            Stage::Delivered => &self.delivered,
            Stage::Bounced => &self.bounced,
            Stage::Failed => &self.failed,
            Stage::Pending => &self.deferred,
            Stage::Unknown => &self.unknown,
            Stage::Handing => &self.handed,
            Stage::Suppressed => return,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn trouble(&self, code: &str) {
        self.troubles.fetch_add(1, Ordering::Relaxed);
        self.refusal(code);
    }

    fn refusal(&self, code: &str) {
        let mut last = self.last_trouble.lock().expect("nobody panics while holding it");
        *last = Some(code.to_owned());
    }
}

/// The delivery of one notice.
pub struct Courier<D> {
    shared: Arc<Shared<D>>,
}

struct Shared<D> {
    relay: Relay,
    scribe: Arc<Scribe>,
    deliveries: Arc<D>,
    pace: Pace,
    bucket: Bucket,
    world: World,
    control: Control,
    progress: Arc<Progress>,
}

impl<D: Deliveries> Courier<D> {
    /// A courier for this notice to this relay. Whether the relay may carry it is for
    /// [`crate::relay_allowed`] to say, before.
    pub fn new(
        relay: Relay,
        scribe: Arc<Scribe>,
        deliveries: Arc<D>,
        pace: Pace,
        world: World,
    ) -> Self {
        let shared = Shared {
            bucket: Bucket::new(pace.rate_per_second),
            relay,
            scribe,
            deliveries,
            pace,
            world,
            control: Control::new(Order::Run),
            progress: Arc::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Gives it its orders, before and while it runs.
    pub fn control(&self) -> Control {
        self.shared.control.clone()
    }

    /// Its counts, before and while it runs.
    pub fn progress(&self) -> Arc<Progress> {
        self.shared.progress.clone()
    }

    /// Carries all parcels; each must be pending. Ends when the channel is closed and every parcel
    /// has come to an end, deferred ones included, or when it is stopped.
    ///
    /// Dropping the future leaves rows in `handing`, as a crash would.
    pub async fn run(self, parcels: mpsc::Receiver<Parcel>) -> Ended {
        let shared = self.shared;
        let connections = shared.pace.connections.max(1);
        let (to_carriers, ready) = mpsc::channel(connections);
        let (back, returned) = mpsc::channel(2 * connections);
        let ready = Arc::new(Mutex::new(ready));
        let mut carriers = JoinSet::new();
        for _ in 0..connections {
            carriers.spawn(Carrier::new(shared.clone(), ready.clone(), back.clone()).run());
        }
        drop((ready, back));
        let dispatching = dispatch::run(&shared, parcels, to_carriers, returned);
        let mut down = false;
        tokio::pin!(dispatching);
        loop {
            tokio::select! {
                biased;
                Some(ended) = carriers.join_next() => down |= !matches!(ended, Ok(Ok(()))),
                () = &mut dispatching => break,
            }
            if down {
                shared.control.order(Order::Stop);
            }
        }
        while let Some(ended) = carriers.join_next().await {
            down |= !matches!(ended, Ok(Ok(())));
        }
        match shared.control.current() {
            _ if down => Ended::Down,
            Order::Stop => Ended::Stopped,
            Order::Run | Order::Pause => Ended::Done,
        }
    }
}
