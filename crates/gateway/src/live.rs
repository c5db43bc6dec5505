//! The registry as it stands now, and whether that could be confirmed lately: what the kill switch
//! rests on. Time is the machine's own count, which nobody's setting of the clock moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use model::VendorName;
use tokio::time::Instant;

use crate::refused::Refused;
use crate::registry::Registry;
use crate::seen::micros;

/// The registry in force. Others change it where it is kept; whoever looks there confirms it here.
pub(crate) struct Live {
    registry: ArcSwap<Registry>,
    began: Instant,
    /// Until when it was known to hold, in microseconds since `began`.
    confirmed: AtomicU64,
    stale: Duration,
}

/// How long ago the registry was known to be the one that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// So long ago.
    pub age: Duration,
    /// Beyond this nothing leaves.
    pub limit: Duration,
}

impl Freshness {
    /// Whether calls may leave by it.
    pub fn holds(self) -> bool {
        self.age <= self.limit
    }
}

impl Live {
    /// An empty registry, which holds for `stale` from now on.
    pub fn new(stale: Duration) -> Self {
        Self {
            registry: ArcSwap::default(),
            began: Instant::now(),
            confirmed: AtomicU64::new(0),
            stale,
        }
    }

    /// The registry in force.
    pub fn load_full(&self) -> Arc<Registry> {
        self.registry.load_full()
    }

    /// Puts another in its place.
    pub fn store(&self, registry: Registry) {
        self.registry.store(Arc::new(registry));
    }

    /// What is in force was what is kept when it was asked for, at `asked`.
    pub fn confirm(&self, asked: Instant) {
        let asked = micros(asked.saturating_duration_since(self.began));
        self.confirmed.fetch_max(asked, Ordering::AcqRel);
    }

    /// How long ago that was.
    pub fn freshness(&self) -> Freshness {
        self.freshness_at(Instant::now())
    }

    fn freshness_at(&self, now: Instant) -> Freshness {
        let confirmed = Duration::from_micros(self.confirmed.load(Ordering::Acquire));
        let age = now.saturating_duration_since(self.began).saturating_sub(confirmed);
        Freshness { age, limit: self.stale }
    }

    /// Whether a call to this vendor may leave at this moment.
    ///
    /// # Errors
    /// When its kill switch says `hold` or `stop`, it is gone, or where the switch stands now could
    /// not be confirmed for too long.
    pub fn may_leave(&self, vendor: &VendorName) -> Result<(), Refused> {
        self.registry.load().may_leave(vendor)?;
        if self.freshness().holds() { Ok(()) } else { Err(Refused::SwitchUnknown) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_holds_so_long_after_it_was_asked_for_and_an_older_word_changes_nothing() {
        let seconds = Duration::from_secs;
        let live = Live::new(seconds(5));
        let began = live.began;
        let holds = |at: Duration| live.freshness_at(began + at).holds();
        assert!(holds(seconds(5)) && !holds(seconds(6)));
        live.confirm(began + seconds(4));
        live.confirm(began + seconds(1));
        assert!(holds(seconds(9)), "it counts from when it was asked");
        assert!(!holds(seconds(9) + Duration::from_micros(1)));
        live.confirm(began + seconds(60));
        assert!(holds(seconds(10)), "what is confirmed meanwhile counts");
    }

    #[test]
    fn what_is_certain_is_said_before_what_is_not() {
        let live = Live::new(Duration::ZERO);
        let vendor = VendorName::parse("mail").expect("a name");
        assert_eq!(live.may_leave(&vendor), Err(Refused::VendorUnknown));
    }
}
