//! The last calls through the gateway, for whoever follows them live. A follower that is slow
//! misses calls and is told how many; the gateway never waits for one.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gateway::{Left, Seen, SeenCall};
use model::{CallId, FieldSet, Mode, OperationName, Timestamp, VendorName, WorkloadName, limits};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// One call, without personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    at: Timestamp,
    call: CallId,
    workload: Option<WorkloadName>,
    vendor: Option<VendorName>,
    operation: Option<OperationName>,
    people: usize,
    fields: FieldSet,
    mode: Option<Mode>,
    outcome: &'static str,
    status: Option<u16>,
    code: Option<&'static str>,
    would_refuse: Option<&'static str>,
    warnings: Vec<&'static str>,
    ours_us: u64,
    record_us: u64,
    vendor_us: u64,
}

impl Line {
    fn of(seen: &SeenCall) -> Self {
        Self {
            at: seen.at,
            call: seen.call,
            workload: seen.workload.clone(),
            vendor: seen.vendor.clone(),
            operation: seen.operation.clone(),
            people: seen.people,
            fields: seen.fields,
            mode: seen.mode,
            outcome: seen.outcome.name(),
            status: match seen.outcome {
                Left::Sent(status) => Some(status),
                Left::NotSent | Left::Unknown | Left::Held => None,
            },
            code: seen.code,
            would_refuse: seen.would_refuse,
            warnings: seen.warnings.clone(),
            ours_us: seen.micros.ours,
            record_us: seen.micros.record,
            vendor_us: seen.micros.vendor,
        }
    }
}

/// Which calls are asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Those after this place; without it the last few.
    pub after: Option<u64>,
    workload: Option<WorkloadName>,
    vendor: Option<VendorName>,
    /// Only those with a code.
    #[serde(default)]
    refused: bool,
}

impl Wanted {
    fn has(&self, line: &Line) -> bool {
        let Self { workload, vendor, refused, after: _ } = self;
        (workload.is_none() || *workload == line.workload)
            && (vendor.is_none() || *vendor == line.vendor)
            && (!refused || line.code.is_some())
    }
}

/// What a follower gets.
#[derive(Debug, Default, Serialize)]
pub struct Followed {
    /// Where to go on.
    pub next: u64,
    /// Calls in between that are no longer there, whoever made them.
    pub dropped: u64,
    /// Calls in their order.
    pub calls: Vec<Line>,
}

/// The last calls. The first one ever has place 1.
pub struct Calls {
    kept: Mutex<Kept>,
    newest: watch::Sender<u64>,
}

#[derive(Default)]
struct Kept {
    lines: VecDeque<Line>,
    newest: u64,
}

impl Default for Calls {
    fn default() -> Self {
        Self { kept: Mutex::default(), newest: watch::Sender::new(0) }
    }
}

impl Calls {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls that are wanted, as soon as there is one, or after
    /// [`limits::TAIL_WAIT_SECONDS`] none.
    pub async fn follow(&self, wanted: &Wanted) -> Followed {
        let mut newest = self.newest.subscribe();
        let patience = Duration::from_secs(limits::TAIL_WAIT_SECONDS);
        let mut followed = Followed { next: wanted.after.unwrap_or(0), ..Followed::default() };
        let waiting = async {
            loop {
                let found = self.kept().after(wanted, followed.next);
                followed.next = found.next;
                followed.dropped += found.dropped;
                followed.calls = found.calls;
                if !followed.calls.is_empty() || wanted.after.is_none() {
                    return;
                }
                let next = followed.next;
                if newest.wait_for(|newest| *newest > next).await.is_err() {
                    return;
                }
            }
        };
        // Out of patience: what was looked at so far is told, and the follower asks again.
        drop(tokio::time::timeout(patience, waiting).await);
        followed
    }
}

impl Kept {
    fn after(&self, wanted: &Wanted, after: u64) -> Followed {
        let before_all = self.newest - self.lines.len() as u64;
        if wanted.after.is_none() {
            let mut last: Vec<_> =
                self.lines.iter().rev().filter(|line| wanted.has(line)).take(FIRST).collect();
            last.reverse();
            let calls = last.into_iter().cloned().collect();
            return Followed { next: self.newest, dropped: 0, calls };
        }
        // A place beyond the newest is of an earlier start of the program.
        let after = if after > self.newest { 0 } else { after };
        let mut followed = Followed { next: after.max(before_all), ..Followed::default() };
        followed.dropped = followed.next - after;
        let rest = self.lines.iter().skip((followed.next - before_all) as usize);
        for line in rest {
            if followed.calls.len() == limits::TAIL_ROWS {
                break;
            }
            followed.next += 1;
            if wanted.has(line) {
                followed.calls.push(line.clone());
            }
        }
        followed
    }
}

/// How many calls one that begins to follow is shown.
const FIRST: usize = 10;

impl Seen for Calls {
    fn call(&self, seen: &SeenCall) {
        let line = Line::of(seen);
        let newest = {
            let mut kept = self.kept();
            if kept.lines.len() == limits::TAIL_KEPT {
                kept.lines.pop_front();
            }
            kept.lines.push_back(line);
            kept.newest += 1;
            kept.newest
        };
        self.newest.send_if_modified(|known| {
            let later = newest > *known;
            *known = newest.max(*known);
            later
        });
    }
}

#[cfg(test)]
mod tests {
    use model::id::Id as _;

    use super::*;

    fn seen(number: u64, vendor: &str, code: Option<&'static str>) -> SeenCall {
        SeenCall {
            vendor: VendorName::parse(vendor).ok(),
            workload: WorkloadName::parse("shop").ok(),
            outcome: if code.is_some() { Left::NotSent } else { Left::Sent(202) },
            code,
            ..SeenCall::begun(CallId::from_u128(u128::from(number)), Timestamp::from_seconds(0))
        }
    }

    fn wanted(query: &str) -> Wanted {
        serde_json::from_str(query).expect("a query")
    }

    async fn numbers(calls: &Calls, query: &str) -> (Vec<u128>, u64, u64) {
        let followed = calls.follow(&wanted(query)).await;
        let ids = followed.calls.iter().map(|line| line.call.to_u128()).collect();
        (ids, followed.next, followed.dropped)
    }

    #[tokio::test]
    async fn a_follower_gets_each_call_once_and_only_those_it_wants() {
        let calls = Calls::default();
        for number in 1..=12 {
            let vendor = if number % 2 == 0 { "mail" } else { "text" };
            calls.call(&seen(number, vendor, (number % 3 == 0).then_some("vendor-held")));
        }
        let (first, next, _) = numbers(&calls, "{}").await;
        assert_eq!((first, next), ((3..=12).collect(), 12));
        let all = numbers(&calls, r#"{"after":8}"#).await;
        assert_eq!(all, (vec![9, 10, 11, 12], 12, 0));
        assert_eq!(
            numbers(&calls, r#"{"after":0,"vendor":"mail","refused":true}"#).await.0,
            [6, 12]
        );
    }

    #[tokio::test]
    async fn a_follower_waits_for_the_next_call() {
        let calls = std::sync::Arc::new(Calls::default());
        let follower = calls.clone();
        let following =
            tokio::spawn(async move { numbers(&follower, r#"{"after":0,"refused":true}"#).await });
        tokio::task::yield_now().await;
        calls.call(&seen(1, "mail", None));
        tokio::task::yield_now().await;
        calls.call(&seen(2, "mail", Some("vendor-held")));
        assert_eq!(following.await.expect("it is told"), (vec![2], 2, 0));
    }

    #[tokio::test]
    async fn one_that_is_slow_is_told_what_it_missed_and_memory_does_not_grow() {
        let calls = Calls::default();
        let count = limits::TAIL_KEPT as u64 + 7;
        (1..=count).for_each(|number| calls.call(&seen(number, "mail", None)));
        let (ids, next, dropped) = numbers(&calls, r#"{"after":2}"#).await;
        assert_eq!((ids.len(), ids[0], dropped), (limits::TAIL_ROWS, 8, 5));
        assert_eq!(next, 7 + limits::TAIL_ROWS as u64);
        let later = format!(r#"{{"after":{}}}"#, count + 50);
        assert_eq!(numbers(&calls, &later).await.0[0], 8, "a place of an earlier start");
    }
}
