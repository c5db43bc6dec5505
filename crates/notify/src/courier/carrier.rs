//! One connection to the relay and the parcels that go over it, one after the other.
//!
//! What becomes of a parcel is for [`Delivery`] to say; here it is only carried out.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mail::{Reply, SendError, Session};
use model::{Coded, limits};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{Deliveries, DeliveriesDown, Order, Parcel, Shared};
use crate::delivery::{Delivery, Outcome, Stage};

pub(super) struct Carrier<D> {
    shared: Arc<Shared<D>>,
    ready: Arc<Mutex<mpsc::Receiver<Parcel>>>,
    back: mpsc::Sender<Parcel>,
    orders: watch::Receiver<Order>,
    session: Option<Session>,
    /// Messages that went over this session.
    carried: usize,
    /// How often in a row the relay was not there or would not have us.
    troubles: u32,
}

impl<D: Deliveries> Carrier<D> {
    pub(super) fn new(
        shared: Arc<Shared<D>>,
        ready: Arc<Mutex<mpsc::Receiver<Parcel>>>,
        back: mpsc::Sender<Parcel>,
    ) -> Self {
        let orders = shared.control.0.subscribe();
        Self { shared, ready, back, orders, session: None, carried: 0, troubles: 0 }
    }

    /// Until there are no more parcels or the order is to stop.
    pub(super) async fn run(mut self) -> Result<(), DeliveriesDown> {
        while let Some(mut parcel) = self.next().await {
            if !self.carry(&mut parcel).await? || self.back.send(parcel).await.is_err() {
                break;
            }
        }
        self.leave().await;
        Ok(())
    }

    /// The next parcel; while none comes, the relay is not kept waiting for long.
    async fn next(&mut self) -> Option<Parcel> {
        const IDLE: Duration = Duration::from_secs(limits::NOTICE_IDLE_SECONDS);
        let ready = self.ready.clone();
        let receive = async { ready.lock().await.recv().await };
        tokio::pin!(receive);
        if self.session.is_some() {
            match timeout(IDLE, &mut receive).await {
                Ok(parcel) => return parcel,
                Err(_) => self.leave().await,
            }
        }
        tokio::select! {
            parcel = receive => parcel,
            _ = self.orders.wait_for(|order| *order == Order::Stop) => None,
        }
    }

    /// Carries one parcel as far as it goes now. `false` when the order to stop came before it went
    /// out; it is then as it was.
    async fn carry(&mut self, parcel: &mut Parcel) -> Result<bool, DeliveriesDown> {
        let message = loop {
            let order = *self.orders.borrow_and_update();
            match order {
                Order::Stop => return Ok(false),
                Order::Pause => {
                    self.leave().await;
                    self.unless_ordered(std::future::pending::<()>()).await;
                    continue;
                }
                Order::Run => (),
            }
            if !self.connect().await {
                continue;
            }
            let message = match self.compose(parcel).await {
                Ok(message) => message,
                Err(code) => return self.give_up(parcel, code).await.map(|()| true),
            };
            let turn = self.shared.bucket.turn(Instant::now());
            if self.unless_ordered(sleep_until(turn)).await.is_some() {
                break message;
            }
        };
        self.hand_over(parcel, &message).await.map(|()| true)
    }

    /// Records that it is being handed over, hands it over, records what came of it.
    async fn hand_over(
        &mut self,
        parcel: &mut Parcel,
        message: &[u8],
    ) -> Result<(), DeliveriesDown> {
        let Some(session) = &mut self.session else { return Ok(()) };
        let shared = &self.shared;
        let Ok(handed) = parcel.delivery.handed() else {
            tracing::warn!(delivery.id = %parcel.id, "a delivery that is not pending came in");
            return Ok(());
        };
        self.carried += 1;
        shared.keep(parcel, handed).await?;
        let from = shared.scribe.sender.envelope().as_str();
        let sent = session.send(from, parcel.to.as_str(), message).await;
        let (outcome, trouble) = judge(&sent, session.is_usable());
        match trouble {
            Some(code) => {
                self.troubles = self.troubles.saturating_add(1);
                shared.progress.trouble(code);
            }
            None => self.troubles = 0,
        }
        let status = sent.as_ref().err().map(status).unwrap_or_default();
        let settled = parcel
            .delivery
            .settled(outcome.with(&status), &shared.pace.retries, shared.world.now())
            .expect("it was being handed over");
        shared.keep(parcel, settled).await?;
        shared.watch_refusals(&parcel.delivery, &status);
        if trouble.is_some() {
            self.leave().await;
        }
        Ok(())
    }

    /// Makes sure of a connection. `false` when an order came first or the relay is not there.
    async fn connect(&mut self) -> bool {
        let most = self.shared.pace.messages_per_connection.max(1);
        if self.session.as_ref().is_some_and(|session| session.is_usable() && self.carried < most) {
            return true;
        }
        self.leave().await;
        let wait = self.shared.pace.reconnect_after(self.troubles);
        if !wait.is_zero() && self.unless_ordered(sleep(wait)).await.is_none() {
            return false;
        }
        let shared = self.shared.clone();
        match self.unless_ordered(Session::open(&shared.relay)).await {
            None => false,
            Some(Ok(session)) => {
                shared.progress.connections.fetch_add(1, Ordering::Relaxed);
                self.session = Some(session);
                self.carried = 0;
                true
            }
            Some(Err(refused)) => {
                self.troubles = self.troubles.saturating_add(1);
                shared.progress.trouble(&status(&refused));
                tracing::warn!(error.code = refused.code(), "the relay cannot be reached");
                false
            }
        }
    }

    /// Writes and signs on a thread where that keeps nobody waiting.
    async fn compose(&self, parcel: &Parcel) -> Result<Vec<u8>, &'static str> {
        let (scribe, copy, now) =
            (self.shared.scribe.clone(), parcel.clone(), self.shared.world.now());
        let composing = tokio::task::spawn_blocking(move || scribe.compose(&copy, now));
        match composing.await {
            Ok(Ok(message)) => Ok(message),
            Ok(Err(uncomposed)) => Err(uncomposed.code()),
            Err(_) => Err("scribe-failed"),
        }
    }

    async fn give_up(&self, parcel: &mut Parcel, code: &'static str) -> Result<(), DeliveriesDown> {
        tracing::warn!(delivery.id = %parcel.id, error.code = code, "a notice cannot be written");
        let Ok(failed) = parcel.delivery.unwritten(code) else { return Ok(()) };
        self.shared.progress.refusal(code);
        self.shared.keep(parcel, failed).await
    }

    /// Closes the connection, if there is one.
    async fn leave(&mut self) {
        if let Some(session) = self.session.take()
            && session.is_usable()
        {
            session.quit().await;
        }
    }

    /// What the future gives, or nothing when an order comes first.
    async fn unless_ordered<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            _ = self.orders.changed() => None,
            output = future => Some(output),
        }
    }
}

impl<D: Deliveries> Shared<D> {
    /// Makes the new state durable, then counts it.
    async fn keep(&self, parcel: &mut Parcel, delivery: Delivery) -> Result<(), DeliveriesDown> {
        self.deliveries.record(vec![(parcel.id, delivery.clone())]).await?;
        self.progress.settled(&delivery);
        parcel.delivery = delivery;
        Ok(())
    }

    /// A relay that refuses one after the other refuses the notice: better to ask somebody than to
    /// write off the whole audience.
    fn watch_refusals(&self, delivery: &Delivery, status: &str) {
        let refusals = &self.progress.refusals_in_a_row;
        if delivery.stage != Stage::Bounced {
            return refusals.store(0, Ordering::Relaxed);
        }
        self.progress.refusal(status);
        if refusals.fetch_add(1, Ordering::Relaxed) + 1 == limits::NOTICE_REFUSALS_IN_A_ROW {
            refusals.store(0, Ordering::Relaxed);
            tracing::error!(
                relay.status = status,
                "paused: the relay refuses one notice after another"
            );
            self.control.order(Order::Pause);
        }
    }
}

/// What a try comes to, before its status is written to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Accepted,
    Refused,
    Impossible,
    Deferred,
    Lost,
}

impl Verdict {
    fn with(self, code: &str) -> Outcome<'_> {
        match self {
            Self::Accepted => Outcome::Accepted,
            Self::Refused => Outcome::Refused { code },
            Self::Impossible => Outcome::Impossible { code },
            Self::Deferred => Outcome::Deferred { code },
            Self::Lost => Outcome::Lost { code },
        }
    }
}

/// What became of the recipient, and the code of what is wrong with the relay, if something is.
fn judge(sent: &Result<Reply, SendError>, session_usable: bool) -> (Verdict, Option<&'static str>) {
    match sent {
        Ok(_) => (Verdict::Accepted, None),
        Err(SendError::NotSent { .. }) if session_usable => (Verdict::Impossible, None),
        Err(SendError::NotSent { code, .. }) => (Verdict::Deferred, Some(code)),
        Err(SendError::Unknown { code }) => (Verdict::Lost, Some(code)),
        Err(SendError::Rejected { at: mail::Stage::Sender, .. }) => {
            (Verdict::Deferred, Some("relay-refuses-sender"))
        }
        Err(SendError::Rejected { permanent: true, .. }) => (Verdict::Refused, None),
        Err(SendError::Rejected { permanent: false, .. }) => (Verdict::Deferred, None),
    }
}

/// The relay's own status if it gave one, or what came between.
fn status(error: &SendError) -> String {
    match error {
        SendError::Rejected { reply, .. } | SendError::NotSent { reply: Some(reply), .. } => {
            reply.enhanced.clone().unwrap_or_else(|| reply.code.to_string())
        }
        SendError::NotSent { code, .. } | SendError::Unknown { code } => (*code).to_owned(),
    }
}
