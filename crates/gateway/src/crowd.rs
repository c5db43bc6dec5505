//! Refusals that anybody can bring about without end: recorded one by one up to a rate, and beyond
//! it counted, so that nobody fills the disk and nothing goes by unrecorded.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{VendorName, WorkloadName, limits};
use tokio::time::Instant;

use crate::bucket::{Bucket, Rate};

/// By whom the calls were made, if that is known, and to whom.
type Whose = (VendorName, Option<WorkloadName>);

/// What is recorded one by one, and what was only counted since. Bounded by what is registered.
#[derive(Default)]
pub(crate) struct Crowd(Mutex<HashMap<Whose, Refusals>>);

#[derive(Default)]
struct Refusals {
    bucket: Bucket,
    /// By code.
    counted: BTreeMap<&'static str, u64>,
}

/// Refusals that were counted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub vendor: VendorName,
    pub workload: Option<WorkloadName>,
    pub code: &'static str,
    pub times: u64,
}

const RATE: Rate = Rate {
    tokens: limits::REFUSALS_AT_ONCE,
    each: Duration::from_secs(limits::REFUSAL_RECORD_SECONDS),
};

impl Crowd {
    fn all(&self) -> MutexGuard<'_, HashMap<Whose, Refusals>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this refusal is to be recorded by itself; if not, it is counted.
    pub fn admits(
        &self,
        vendor: &VendorName,
        workload: Option<&WorkloadName>,
        code: &'static str,
        now: Instant,
    ) -> bool {
        let mut all = self.all();
        let refusals = all.entry((vendor.clone(), workload.cloned())).or_default();
        let admitted = refusals.bucket.take(RATE, now).is_ok();
        if !admitted {
            *refusals.counted.entry(code).or_default() += 1;
        }
        admitted
    }

    /// What was counted since the last time.
    pub fn counted(&self) -> Vec<Counted> {
        let mut all = self.all();
        let counted = all.iter_mut().flat_map(|((vendor, workload), refusals)| {
            let counted = std::mem::take(&mut refusals.counted).into_iter();
            counted.map(|(code, times)| Counted {
                vendor: vendor.clone(),
                workload: workload.clone(),
                code,
                times,
            })
        });
        counted.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_by_its_codes_and_one_vendors_flood_hides_no_other() {
        let (crowd, now) = (Crowd::default(), Instant::now());
        let (mail, text) = (VendorName::parse("mail"), VendorName::parse("text"));
        let (mail, text) = (mail.expect("a name"), text.expect("a name"));
        let admitted = (0..1_000).filter(|_| crowd.admits(&mail, None, "token-unknown", now));
        assert_eq!(admitted.count(), limits::REFUSALS_AT_ONCE as usize);
        assert!(!crowd.admits(&mail, None, "token-missing", now));
        assert!(crowd.admits(&text, None, "token-unknown", now));
        let counted: Vec<_> =
            crowd.counted().into_iter().map(|one| (one.code, one.times)).collect();
        assert_eq!(counted, [("token-missing", 1), ("token-unknown", 940)]);
        assert_eq!(crowd.counted(), [], "each is told once");
        let later = now + Duration::from_secs(limits::REFUSAL_RECORD_SECONDS);
        assert!(crowd.admits(&mail, None, "token-unknown", later));
        assert!(!crowd.admits(&mail, None, "token-unknown", later));
    }
}
