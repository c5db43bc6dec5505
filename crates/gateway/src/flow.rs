//! What one workload gives one vendor, held against its limits: checked and counted under one lock,
//! so that no two calls take the same room.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use model::{Hour, Limits, Timestamp, VendorName, Volume, WorkloadName, limits};
use tokio::time::Instant;

use crate::bucket::{Bucket, Rate};
use crate::history::{History, Usual};

/// What holds for one workload and vendor at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// Its limits.
    pub limits: Limits,
    /// Until when an operator approved a burst.
    pub burst_until: Option<Timestamp>,
}

/// The limit that a call would exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// People within the hour; when the call fits, if it ever does.
    Hour { retry_seconds: Option<u64> },
    /// People within 24 hours; likewise.
    Day { retry_seconds: Option<u64> },
    /// Far more than is usual, and nobody approved it.
    Burst { held: bool },
}

/// One workload and vendor.
pub(crate) struct Flow(Mutex<State>);

struct State {
    bucket: Bucket,
    history: History,
    /// What a burst had held in the present hour.
    held: Volume,
}

impl Flow {
    fn new(present: Hour) -> Self {
        let (bucket, history) = (Bucket::default(), History::new(present));
        Self(Mutex::new(State { bucket, history, held: Volume::default() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes room for one call within its second; else says after how long there is some.
    pub fn pace(&self, terms: &Terms, now: Instant) -> Result<(), Duration> {
        match terms.limits.requests_per_second {
            Some(calls) => self.state().bucket.take(Rate::per_second(calls), now),
            None => Ok(()),
        }
    }

    /// Takes room for a call to so many people, and says which limit it exceeds. One that
    /// `enforced` makes wait takes none.
    pub fn take(
        self: &Arc<Self>,
        terms: &Terms,
        people: u64,
        now: Timestamp,
        enforced: bool,
    ) -> (Option<Taken>, Option<Over>) {
        let volume = Volume { calls: 1, people };
        let mut state = self.state();
        state.advance(Hour::of(now));
        let over = state.over(terms, volume, now);
        let waits = !matches!(over, None | Some(Over::Burst { held: false }));
        if enforced && waits {
            if let Some(Over::Burst { .. }) = over {
                state.held = state.held.plus(volume);
            }
            return (None, over);
        }
        let hour = state.history.present();
        state.history.add(hour, volume);
        (Some(Taken { flow: self.clone(), hour, volume, kept: false }), over)
    }
}

impl State {
    fn advance(&mut self, to: Hour) {
        let before = self.history.present();
        self.history.advance(to);
        if self.history.present() != before {
            self.held = Volume::default();
        }
    }

    fn over(&self, terms: &Terms, volume: Volume, now: Timestamp) -> Option<Over> {
        let Limits { people_per_hour, people_per_day, .. } = terms.limits;
        let with = |hours| self.history.people_in(hours).saturating_add(volume.people);
        if people_per_hour.is_some_and(|most| with(1) > most) {
            return Some(Over::Hour {
                retry_seconds: self.fits_in(1, people_per_hour, volume, now),
            });
        }
        if people_per_day.is_some_and(|most| with(DAY) > most) {
            return Some(Over::Day {
                retry_seconds: self.fits_in(DAY, people_per_day, volume, now),
            });
        }
        let approved = terms.burst_until.is_some_and(|until| now < until);
        let held = terms.limits.burst_factor.is_some();
        let hour = self.history.hour(self.history.present()).plus(volume);
        let burst = self
            .ceiling(&terms.limits)
            .is_some_and(|most| hour.calls > most.calls || hour.people > most.people);
        (burst && !approved).then_some(Over::Burst { held })
    }

    /// The most that an hour may have and be no burst; none when everything may be usual.
    fn ceiling(&self, limits: &Limits) -> Option<Volume> {
        let factor = u64::from(limits.burst_factor.unwrap_or(limits::BURST_FACTOR));
        let times = |usual: u64| usual.saturating_mul(factor).max(limits::BURST_LEAST);
        match self.history.usual() {
            Usual::Known(usual) if factor > 0 => {
                Some(Volume { calls: times(usual.calls), people: times(usual.people) })
            }
            Usual::Known(_) | Usual::TooLittle => None,
        }
    }

    /// After how many seconds as many hours would have room, were nothing given meanwhile.
    fn fits_in(
        &self,
        hours: i64,
        most: Option<u64>,
        volume: Volume,
        now: Timestamp,
    ) -> Option<u64> {
        let room = most.unwrap_or(u64::MAX).checked_sub(volume.people)?;
        let wait = (1..=hours).find(|wait| self.history.people_in(hours - wait) <= room)?;
        Some(self.history.present().plus(wait).seconds_until(now).max(1))
    }
}

const DAY: i64 = 24;

/// Room that a call took. It is given back unless the call is kept: what did not leave is not
/// counted.
pub(crate) struct Taken {
    flow: Arc<Flow>,
    hour: Hour,
    volume: Volume,
    kept: bool,
}

impl Taken {
    /// The call left, or may have.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if !self.kept {
            self.flow.state().history.take_back(self.hour, self.volume);
        }
    }
}

/// Every workload and vendor that has called: as many as have tokens.
#[derive(Default)]
pub(crate) struct Flows(RwLock<HashMap<WorkloadName, HashMap<VendorName, Arc<Flow>>>>);

impl Flows {
    /// That of one workload and vendor.
    pub fn of(&self, workload: &WorkloadName, vendor: &VendorName, now: Timestamp) -> Arc<Flow> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(flow) = known.get(workload).and_then(|vendors| vendors.get(vendor)) {
            return flow.clone();
        }
        drop(known);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let vendors = known.entry(workload.clone()).or_default();
        let new = || Arc::new(Flow::new(Hour::of(now)));
        vendors.entry(vendor.clone()).or_insert_with(new).clone()
    }

    /// Takes in what was given before, as the ledger has it.
    pub fn remember(
        &self,
        workload: &WorkloadName,
        vendor: &VendorName,
        (hour, volume): (Hour, Volume),
        now: Timestamp,
    ) {
        self.of(workload, vendor, now).state().history.add(hour, volume);
    }

    /// How each stands; `terms` says what holds for it.
    pub fn all(
        &self,
        terms: impl Fn(&WorkloadName, &VendorName) -> Terms,
        now: Timestamp,
    ) -> Vec<FlowNow> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let pairs = known.iter().flat_map(|(workload, vendors)| {
            vendors.iter().map(move |(vendor, flow)| (workload, vendor, flow))
        });
        let mut all: Vec<_> = pairs
            .map(|(workload, vendor, flow)| {
                let terms = terms(workload, vendor);
                let mut state = flow.state();
                state.advance(Hour::of(now));
                let present = state.history.present();
                FlowNow {
                    workload: workload.clone(),
                    vendor: vendor.clone(),
                    terms,
                    hour: present,
                    this_hour: state.history.hour(present),
                    people_per_day: state.history.people_in(DAY),
                    usual: state.history.usual(),
                    ceiling: state.ceiling(&terms.limits),
                    held: state.held,
                }
            })
            .collect();
        all.sort_by(|a, b| (&a.workload, &a.vendor).cmp(&(&b.workload, &b.vendor)));
        all
    }
}

/// How one workload and vendor stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowNow {
    /// The workload.
    pub workload: WorkloadName,
    /// The vendor.
    pub vendor: VendorName,
    /// What holds for it.
    pub terms: Terms,
    /// The present hour.
    pub hour: Hour,
    /// What was given in it.
    pub this_hour: Volume,
    /// People in it and the 23 hours before.
    pub people_per_day: u64,
    /// What is usual.
    pub usual: Usual,
    /// Beyond what an hour is a burst.
    pub ceiling: Option<Volume>,
    /// What waits for approval of a burst in this hour, each call as often as it was tried.
    pub held: Volume,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::parse("2026-02-05T02:30:00Z").expect("a time")
    }

    fn flow() -> Arc<Flow> {
        Arc::new(Flow::new(Hour::of(now())))
    }

    fn terms(limits: Limits) -> Terms {
        Terms { limits, burst_until: None }
    }

    /// What a call to so many people exceeds; room that was taken is kept.
    fn over(flow: &Arc<Flow>, terms: &Terms, people: u64, at: Timestamp) -> Option<Over> {
        let (taken, over) = flow.take(terms, people, at, true);
        taken.into_iter().for_each(Taken::keep);
        over
    }

    #[test]
    fn an_hour_and_a_day_take_as_many_people_as_they_may_and_say_when_there_is_room() {
        let terms = terms(Limits {
            people_per_hour: Some(10),
            people_per_day: Some(15),
            ..Limits::default()
        });
        let (flow, hour) = (flow(), |hours: i64| now().plus_seconds(hours * 3_600));
        assert_eq!(over(&flow, &terms, 10, now()), None);
        let full = Some(Over::Hour { retry_seconds: Some(1_800) });
        assert_eq!(over(&flow, &terms, 1, now()), full);
        assert_eq!(over(&flow, &terms, 11, now()), Some(Over::Hour { retry_seconds: None }));
        assert_eq!(over(&flow, &terms, 0, now()), None, "a call about nobody takes no room");
        assert_eq!(over(&flow, &terms, 5, hour(1)), None);
        let full = Some(Over::Day { retry_seconds: Some(23 * 3_600 - 1_800) });
        assert_eq!(over(&flow, &terms, 1, hour(1)), full);
        assert_eq!(over(&flow, &terms, 10, hour(24)), None, "the first hour fell out");
        assert_eq!(over(&flow, &terms, 1, hour(0)), full_hour(), "a clock set back frees nothing");
    }

    fn full_hour() -> Option<Over> {
        let room = Hour::of(now()).plus(25).seconds_until(now());
        Some(Over::Hour { retry_seconds: Some(room) })
    }

    #[test]
    fn what_did_not_leave_gives_its_room_back() {
        let terms = terms(Limits { people_per_hour: Some(10), ..Limits::default() });
        let flow = flow();
        let (taken, _) = flow.take(&terms, 10, now(), true);
        assert!(matches!(over(&flow, &terms, 1, now()), Some(Over::Hour { .. })));
        drop(taken);
        assert_eq!(over(&flow, &terms, 10, now()), None);
    }

    /// A workload that has had ten calls to twenty people in every hour for two days.
    fn steady() -> Arc<Flow> {
        let flow = flow();
        for ago in 1..=48 {
            let hour = Hour::of(now()).plus(-ago);
            flow.state().history.add(hour, Volume { calls: 10, people: 20 });
        }
        flow
    }

    #[test]
    fn a_burst_is_held_when_a_factor_is_set_and_passes_once_it_is_approved() {
        let flow = steady();
        let held = terms(Limits { burst_factor: Some(5), ..Limits::default() });
        assert_eq!(over(&flow, &held, 100, now()), None, "five times the usual hour");
        assert_eq!(over(&flow, &held, 1, now()), Some(Over::Burst { held: true }));
        let until = now().plus_seconds(3_600);
        let approved = Terms { burst_until: Some(until), ..held };
        assert_eq!(over(&flow, &approved, 1_000, now()), None);
        assert_eq!(over(&flow, &approved, 1_000, until), Some(Over::Burst { held: true }));
    }

    #[test]
    fn a_burst_is_reported_without_a_factor_and_never_one_with_zero() {
        let flow = steady();
        let (taken, seen) = flow.take(&Terms::default(), 1_000, now(), true);
        assert!(taken.is_some(), "it is not held");
        assert_eq!(seen, Some(Over::Burst { held: false }));
        let never = terms(Limits { burst_factor: Some(0), ..Limits::default() });
        assert_eq!(over(&flow, &never, 1_000_000, now()), None);
        let new = self::flow();
        let held = terms(Limits { burst_factor: Some(5), ..Limits::default() });
        assert_eq!(over(&new, &held, 1_000_000, now()), None, "nothing is usual yet");
    }

    #[test]
    fn what_is_held_is_counted_until_the_hour_ends() {
        let flows = Flows::default();
        let shop = WorkloadName::parse("shop").expect("a name");
        let vendor = VendorName::parse("mail").expect("a name");
        for ago in 1..=48 {
            let hour = Hour::of(now()).plus(-ago);
            flows.remember(&shop, &vendor, (hour, Volume { calls: 10, people: 20 }), now());
        }
        let held = terms(Limits { burst_factor: Some(2), ..Limits::default() });
        for _ in 0..3 {
            assert!(over(&flows.of(&shop, &vendor, now()), &held, 500, now()).is_some());
        }
        let one = |at| flows.all(|_, _| held, at).remove(0);
        assert_eq!(one(now()).held, Volume { calls: 3, people: 1_500 });
        assert_eq!(one(now()).ceiling, Some(Volume { calls: 100, people: 100 }));
        assert_eq!(one(now().plus_seconds(3_600)).held, Volume::default());
    }
}
