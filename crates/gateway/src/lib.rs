//! The only way out: who calls, what it discloses, what may leave, on record before it does.
//! **Invariant:** no incidents, no console, no SQL. Nothing leaves unrecorded, and no request is
//! written to a vendor twice.
//!
//! `carry.rs` is the whole story on one screen; each phase is a file of its name.

mod address;
mod admit;
mod authenticate;
mod authority;
mod aws_chunked;
mod body;
mod bucket;
mod carry;
mod credential;
mod crowd;
mod cx;
mod decide;
mod dispatch;
mod door;
mod egress;
mod flow;
mod framing;
mod guard;
mod history;
mod hold;
mod limit;
mod live;
mod mark;
mod own;
mod read;
mod record;
mod refused;
mod registry;
mod release;
mod reload;
mod replace;
mod reply;
mod scrub;
mod seen;
mod settle;
mod sidecar;
mod spool;
mod stated;
mod submission;
mod token;
mod trace;
mod transform;
mod wire;

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use ledger::{Ledger, Outcome, RefusedCall};
use model::{CallId, Coded as _, Hour, VendorName, Volume, WorkloadName, World};
use tokio::net::TcpListener;
use tokio::time::Instant;

pub use authority::{Authority, KeptAuthority};
pub use credential::{Credential, GoodUntil};
pub use cx::{GatewayKeys, Patience};
pub use door::{DoorTls, Listens, TlsFiles};
pub use egress::{Egress, Resolve, host_port, native_roots, roots_in};
pub use flow::{FlowNow, Terms};
pub use framing::{Broken, Framing};
pub use history::Usual;
pub use hold::HOLD;
pub use live::Freshness;
pub use mark::{mark_of, mark_of_digest, pieces, token_marks};
pub use refused::Refused;
pub use registry::{Places, Registry, VendorEntry, secret_of, token_key};
pub use reply::{CALL, CODE, OUTCOME};
pub use seen::{Left, Micros, Seen, SeenCall};
pub use sidecar::{NotLoopback, Sidecar, SidecarFiles, check_loopback};
pub use spool::{Backlog, Kind, Lane, NotKept, Spool, SpoolLimits, SpoolRecovered, Taken};
pub use stated::{CONSENT, PURPOSE, REGION};
pub use token::{SeenToken, TokenEntry};
pub use trace::{Phase, Phases, TraceParent};

use admit::Arrival;
use carry::carry;
use cx::Cx;
use reply::Reply;
use seen::Account;

/// The gateway. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    cx: Arc<Cx>,
}

impl Gateway {
    /// A gateway without vendors; [`Gateway::replace`] gives it some.
    pub fn new(
        ledger: Ledger,
        keys: GatewayKeys,
        world: World,
        egress: Egress,
        seen: Arc<dyn Seen>,
    ) -> Self {
        Self::with_patience(ledger, keys, world, egress, seen, Patience::default())
    }

    /// As [`Gateway::new`], waiting for others as long as `patience` says.
    pub fn with_patience(
        ledger: Ledger,
        keys: GatewayKeys,
        world: World,
        egress: Egress,
        seen: Arc<dyn Seen>,
        patience: Patience,
    ) -> Self {
        Self { cx: Arc::new(Cx::new(ledger, keys, world, egress, seen, patience)) }
    }

    /// Puts another registry in the place of the present one, at once and whole. When this returns,
    /// no call begins to leave for a vendor that the new one cuts off.
    pub fn replace(&self, registry: Registry) {
        self.cx.registry.store(registry);
        self.cx.replaced.notify_waiters();
    }

    /// Says that the present registry was what is kept at the moment `asked`. Whoever gives the
    /// gateway its registry says so again and again: without it the switches are not known to
    /// stand where they stood, and after [`Patience::stale`] nothing leaves.
    pub fn confirm(&self, asked: Instant) {
        self.cx.registry.confirm(asked);
    }

    /// How long ago the registry was last confirmed.
    pub fn freshness(&self) -> Freshness {
        self.cx.registry.freshness()
    }

    /// The present registry.
    pub fn registry(&self) -> Arc<Registry> {
        self.cx.registry.load_full()
    }

    /// Lets calls and mail wait in this spool; [`Gateway::release`] lets them leave. Of two the
    /// first holds.
    pub fn wait_in(&self, spool: Spool) {
        self.cx.spool.get_or_init(|| spool);
    }

    /// How much waits for this vendor.
    pub fn backlog(&self, vendor: &VendorName) -> Backlog {
        self.cx.spool.get().map(|spool| spool.backlog(vendor)).unwrap_or_default()
    }

    /// Takes in what a workload gave a vendor in an hour before the start, as the ledger has it.
    pub fn remember(
        &self,
        workload: &WorkloadName,
        vendor: &VendorName,
        hour: Hour,
        volume: Volume,
    ) {
        self.cx.flows.remember(workload, vendor, (hour, volume), self.cx.world.now());
    }

    /// How each workload and vendor stand towards their limits.
    pub fn flows(&self) -> Vec<FlowNow> {
        let registry = self.registry();
        self.cx.flows.all(|workload, vendor| registry.terms(workload, vendor), self.cx.world.now())
    }

    /// Serves `/v/<vendor>/…` until `stop`, then waits for what is under way.
    ///
    /// # Errors
    /// None at present; a listener that fails now and then is tried again.
    pub async fn serve(
        self,
        listener: TcpListener,
        tls: Option<Arc<DoorTls>>,
        stop: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        door::serve_base(self, listener, tls, stop).await;
        Ok(())
    }

    /// Serves tunnels to vendors' hosts, which end here, until `stop`; then waits for what is under
    /// way in them. With `tls`, callers may speak TLS to this proxy itself, too.
    ///
    /// # Errors
    /// As [`Gateway::serve`].
    pub async fn serve_connect(
        self,
        listener: TcpListener,
        tls: Option<Arc<DoorTls>>,
        stop: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        door::serve_connect(self, listener, tls, stop).await;
        Ok(())
    }

    /// Carries one request and sees to it that it is on record and that [`Seen`] is told once.
    async fn run(&self, arrival: Arrival) -> (Account, Result<Reply, Refused>) {
        self.run_as(self.cx.world.id(), arrival).await
    }

    /// As [`Gateway::run`], of a request that has its id already.
    async fn run_as(&self, call: CallId, arrival: Arrival) -> (Account, Result<Reply, Refused>) {
        let mut account = Account::of(&self.cx.world, call);
        // On the heap, since what is around it is moved: it is large.
        let carried = Box::pin(carry(&self.cx, &mut account, arrival));
        let result = match surviving(carried).await {
            Some(result) => result,
            None => self.end_in_doubt(&mut account).await,
        };
        let account = self.close(account, result.as_ref().err()).await;
        (account, result)
    }

    /// Puts on record why nothing left, if so, and tells [`Seen`].
    async fn close(&self, mut account: Account, refused: Option<&Refused>) -> Account {
        if let Some(refused) = refused {
            account.seen.code = Some(refused.code());
            self.record_refusal(&mut account, refused).await;
        }
        account.close();
        self.cx.seen.call(&account.seen);
        account
    }

    /// Tells [`Seen`] of a caller that was turned away before it made a request.
    fn tell(&self, refused: &Refused) -> SeenCall {
        let mut account = Account::open(&self.cx.world);
        account.seen.code = Some(refused.code());
        account.close();
        self.cx.seen.call(&account.seen);
        account.seen
    }

    /// What is said of a call that a defect ended. Before its intent nothing of it can have left;
    /// after it nobody knows.
    async fn end_in_doubt(&self, account: &mut Account) -> Result<Reply, Refused> {
        if account.recorded {
            account.seen.outcome = Left::Unknown;
            let outcome = Outcome::Unknown { code: Refused::Fault.code() };
            if self.cx.ledger.settle(account.seen.call, outcome).await.is_err() {
                account.warn("not-settled");
            }
        }
        Err(Refused::Fault)
    }

    /// Records a call that was refused before it had an intent.
    async fn record_refusal(&self, account: &mut Account, refused: &Refused) {
        let seen = &account.seen;
        let Some(vendor) = seen.vendor.clone().filter(|_| !account.recorded) else {
            return;
        };
        let code = refused.code();
        let endless = seen.workload.is_none() || matches!(refused, Refused::RateLimit { .. });
        let crowd = &self.cx.crowd;
        if endless && !crowd.admits(&vendor, seen.workload.as_ref(), code, Instant::now()) {
            return;
        }
        let refused = RefusedCall {
            call: seen.call,
            at: seen.at,
            vendor,
            workload: seen.workload.clone(),
            operation: seen.operation.clone(),
            code: code.to_owned(),
            times: 1,
            would: account.would.take(),
        };
        if self.cx.ledger.refuse(refused).await.is_err() {
            account.warn("refusal-not-recorded");
        }
    }

    /// Records how many refusals were not recorded one by one since the last time. Whoever runs the
    /// gateway calls this now and then.
    pub async fn record_counted(&self) {
        let cx = &self.cx;
        for counted in cx.crowd.counted() {
            let refused = RefusedCall {
                call: cx.world.id(),
                at: cx.world.now(),
                vendor: counted.vendor,
                workload: counted.workload,
                operation: None,
                code: counted.code.to_owned(),
                times: counted.times,
                would: None,
            };
            if cx.ledger.refuse(refused).await.is_err() {
                tracing::error!(code = counted.code, times = counted.times, "not recorded");
            }
        }
    }
}

/// Runs a call to its end; nothing when a defect ends it, which then ends nothing else.
async fn surviving<T>(call: impl Future<Output = T>) -> Option<T> {
    let mut call = pin!(call);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}
