//! Release: what waits in the spool leaves when its vendor's switch is open, in order, through the
//! same phases as every call; what waited too long, or for a vendor that was stopped, ends with a
//! record. Nothing of which the ledger has an intent is sent again.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use ledger::Outcome;
use model::{Coded as _, Switch, Timestamp, limits};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Gateway;
use crate::admit::Arrival;
use crate::hold::{Waiting, What};
use crate::refused::Refused;
use crate::reply::Reply;
use crate::seen::{Account, Left};
use crate::spool::{Kind, Lane, Spool, Taken};

/// How often it is looked whether something waited long enough; everything else is told.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How a lane goes.
#[derive(Default)]
struct Pace {
    under_way: usize,
    /// Attempts in a row at which nobody was there to take anything.
    troubles: u32,
    /// Until when nothing is tried after such an attempt.
    paused_until: Option<Timestamp>,
}

/// What an attempt says of its lane.
#[derive(Debug, PartialEq, Eq)]
enum Met {
    /// Somebody answered, or nothing had to be asked.
    Somebody,
    /// The part could not even be tried; those behind it could not either.
    Nobody,
}

impl Gateway {
    /// Lets what waits in the spool leave, until `stop`; then waits for what is under way.
    ///
    /// # Errors
    /// None at present.
    pub async fn release(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Some(spool) = self.cx.spool.get().cloned() else { return Ok(()) };
        let mut stop = pin!(stop);
        let mut lanes: HashMap<Lane, Pace> = HashMap::new();
        let mut attempts = JoinSet::new();
        loop {
            let (changed, replaced) = (spool.changed(), self.cx.replaced.notified());
            for lane in spool.lanes() {
                let pace = lanes.entry(lane.clone()).or_default();
                self.go_on(&spool, &lane, pace, &mut attempts);
            }
            tokio::select! {
                () = &mut stop => break,
                () = changed => {}
                () = replaced => {}
                () = sleep(LOOK_AGAIN) => {}
                Some(ended) = attempts.join_next() => self.take_in(&mut lanes, ended),
            }
        }
        while attempts.join_next().await.is_some() {}
        Ok(())
    }

    /// Starts as many attempts in this lane as may be under way.
    fn go_on(
        &self,
        spool: &Spool,
        lane: &Lane,
        pace: &mut Pace,
        attempts: &mut JoinSet<(Lane, Met)>,
    ) {
        let most = match lane.kind {
            Kind::Call => 1,
            Kind::Mail => limits::SUBMISSION_CONNECTIONS,
        };
        while pace.under_way < most {
            let Some((taken, ends)) = self.next(spool, lane, pace) else { return };
            pace.under_way += 1;
            let (gateway, lane) = (self.clone(), lane.clone());
            attempts.spawn(async move {
                let met = match ends {
                    Some(why) => gateway.write_off(&lane, taken, why).await,
                    None => gateway.attempt(&lane, taken).await,
                };
                (lane, met)
            });
        }
    }

    /// The next part of this lane, and why it ends without an attempt, if so.
    fn next(&self, spool: &Spool, lane: &Lane, pace: &Pace) -> Option<(Taken, Option<Refused>)> {
        let now = self.cx.world.now();
        let registry = self.registry();
        let entry = registry.vendors.get(&lane.vendor);
        let switch = entry.map(|entry| entry.vendor.switch);
        if switch == Some(Switch::Stop) {
            let taken = spool.take_older(lane, Timestamp::NEVER)?;
            return Some((taken, Some(Refused::HeldDiscarded)));
        }
        let oldest = now.plus_seconds(-limits::SPOOL_AGE_SECONDS);
        if let Some(taken) = spool.take_older(lane, oldest) {
            return Some((taken, Some(Refused::HeldExpired)));
        }
        let paused = pace.paused_until.is_some_and(|until| now < until);
        let is_open = switch == Some(Switch::Open) && !paused;
        Some((is_open.then(|| spool.take(lane)).flatten()?, None))
    }

    fn take_in(
        &self,
        lanes: &mut HashMap<Lane, Pace>,
        ended: Result<(Lane, Met), tokio::task::JoinError>,
    ) {
        let (lane, met) = match ended {
            Ok(ended) => ended,
            Err(why) => {
                // Its part went back to its place; the count of what is under way starts anew.
                tracing::error!(%why, "an attempt at what waits failed");
                lanes.clear();
                return;
            }
        };
        let Some(pace) = lanes.get_mut(&lane) else { return };
        pace.under_way = pace.under_way.saturating_sub(1);
        match met {
            Met::Somebody => (pace.troubles, pace.paused_until) = (0, None),
            Met::Nobody => {
                let seconds = 1_i64 << pace.troubles.min(6);
                let seconds = seconds.min(limits::SPOOL_PAUSE_SECONDS);
                pace.troubles += 1;
                pace.paused_until = Some(self.cx.world.now().plus_seconds(seconds));
            }
        }
    }

    /// One attempt at one part.
    async fn attempt(&self, lane: &Lane, taken: Taken) -> Met {
        if taken.is_suspect() {
            match self.recall(lane, &taken).await {
                Recalled::Nothing => {}
                Recalled::NotSent => return self.again(taken, 0).await,
                Recalled::Left => return ended(taken.end().await),
            }
        }
        let read = taken.read().await.and_then(|(about, body)| {
            Ok((serde_json::from_str::<Waiting>(&about).map_err(std::io::Error::other)?, body))
        });
        let Ok((waiting, body)) = read else {
            return self.write_off(lane, taken, Refused::SpoolDamaged).await;
        };
        if lane.kind == Kind::Mail
            && let Err(why) = self.prepare(lane).await
        {
            tracing::warn!(vendor = %lane.vendor, code = why.code(), "mail cannot be handed over");
            taken.put_back();
            return Met::Nobody;
        }
        let arrival = arrival(lane, waiting, taken.index(), body);
        let (account, result) = self.run_as(taken.call(), arrival).await;
        match fate(lane.kind, &account, &result) {
            Fate::Ended => ended(taken.end().await),
            Fate::Later => {
                let waits = limits::SPOOL_RETRY_SECONDS;
                let tried = usize::try_from(taken.attempts()).unwrap_or(usize::MAX);
                self.again(taken, waits[tried.min(waits.len() - 1)]).await
            }
            Fate::Untried => {
                taken.put_back();
                Met::Nobody
            }
        }
    }

    /// What the ledger knows of a part of which nobody else knows what became.
    async fn recall(&self, lane: &Lane, taken: &Taken) -> Recalled {
        let (ledger, call) = (self.cx.ledger.clone(), taken.call());
        if !ledger.knows_call(call) {
            return Recalled::Nothing;
        }
        if ledger.certainly_not_sent(call) {
            return Recalled::NotSent;
        }
        // The first outcome stands: this one does only where the process ended before one.
        let outcome = Outcome::Unknown { code: Refused::Interrupted.code() };
        if ledger.settle(call, outcome).await.is_err() {
            tracing::error!(%call, "the outcome of a call could not be recorded");
        }
        let mut account = Account::of(&self.cx.world, call);
        account.seen.vendor = Some(lane.vendor.clone());
        account.recorded = true;
        account.seen.outcome = Left::Unknown;
        self.close(account, Some(&Refused::Interrupted)).await;
        Recalled::Left
    }

    async fn prepare(&self, lane: &Lane) -> Result<(), Refused> {
        let registry = self.registry();
        let entry = registry.vendors.get(&lane.vendor).ok_or(Refused::VendorUnknown)?;
        self.cx.relays.prepare(&self.cx, entry).await
    }

    /// Has it tried again under another id: that of the attempt before is on record.
    async fn again(&self, taken: Taken, seconds: i64) -> Met {
        let cx = &self.cx;
        ended(taken.defer(cx.world.now().plus_seconds(seconds), cx.world.id()).await)
    }

    /// Ends a part that will not leave, with a record.
    async fn write_off(&self, lane: &Lane, taken: Taken, why: Refused) -> Met {
        if taken.is_suspect() && self.recall(lane, &taken).await == Recalled::Left {
            return ended(taken.end().await);
        }
        let mut account = Account::of(&self.cx.world, taken.call());
        account.seen.vendor = Some(lane.vendor.clone());
        let about = taken.read().await.map(|(about, _)| serde_json::from_str::<Waiting>(&about));
        if let Ok(Ok(waiting)) = about {
            account.seen.workload = Some(waiting.workload);
        }
        self.close(account, Some(&why)).await;
        ended(taken.end().await)
    }
}

/// What the ledger knows of an attempt.
#[derive(Debug, PartialEq, Eq)]
enum Recalled {
    /// There is no intent: nothing of it left.
    Nothing,
    /// There was an intent, and nothing of it left.
    NotSent,
    /// It left, or may have.
    Left,
}

/// What is to become of a part after an attempt.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// It left, or never will.
    Ended,
    /// Its vendor does not have it, and is asked again.
    Later,
    /// Nothing is on record of it: it waits where it was.
    Untried,
}

/// A call is written at most once. A mail is also tried again when its vendor said that it does not
/// have it, or cannot have it: 4xx, or a connection that was lost before the final dot.
fn fate(kind: Kind, account: &Account, result: &Result<Reply, Refused>) -> Fate {
    match (account.seen.outcome, result) {
        (Left::Sent(400..500), _) if kind == Kind::Mail => Fate::Later,
        (Left::Unknown, Err(Refused::MailCut)) => Fate::Later,
        (Left::Sent(_) | Left::Unknown | Left::Held, _) => Fate::Ended,
        (Left::NotSent, Err(refused)) if refused.is_limit() => Fate::Later,
        (Left::NotSent, Err(refused)) if refused.passes() => {
            if account.recorded {
                Fate::Later
            } else {
                Fate::Untried
            }
        }
        (Left::NotSent, _) => Fate::Ended,
    }
}

fn arrival(lane: &Lane, mut waiting: Waiting, part: usize, body: Bytes) -> Arrival {
    if let What::Mail(envelope) = &mut waiting.what {
        envelope.to = envelope.to.get(part).cloned().into_iter().collect();
    }
    Arrival::Waited { vendor: lane.vendor.clone(), waiting, body }
}

fn ended(noted: std::io::Result<()>) -> Met {
    if let Err(error) = noted {
        tracing::error!(%error, "the spool's disk did not take that something ended");
    }
    Met::Somebody
}
