//! How much a workload may give one vendor within a time, and how much it did.

use serde::{Deserialize, Serialize};

use crate::time::{MICROS_PER_SECOND, Timestamp};

/// Limits of one workload towards one vendor. What is not set is not limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Calls within a second; as many may come at once.
    pub requests_per_second: Option<u32>,
    /// People within one hour of the clock, each as often as a call concerns them.
    pub people_per_hour: Option<u64>,
    /// People within 24 hours: the present one and the 23 before.
    pub people_per_day: Option<u64>,
    /// Beyond how many times its usual hour a workload waits for approval; 0: never. Not set: a
    /// burst is reported and not held.
    pub burst_factor: Option<u32>,
}

/// A whole hour in UTC, counted from 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(i64);

impl Hour {
    const SECONDS: i64 = 60 * 60;

    /// The hour of this instant.
    pub const fn of(at: Timestamp) -> Self {
        Self(at.seconds().div_euclid(Self::SECONDS))
    }

    /// Its first instant.
    pub const fn start(self) -> Timestamp {
        Timestamp::from_seconds(self.0.saturating_mul(Self::SECONDS))
    }

    /// The hour so many after this one; before it, if negative.
    #[must_use]
    pub const fn plus(self, hours: i64) -> Self {
        Self(self.0.saturating_add(hours))
    }

    /// How many hours lie between `earlier` and this one; negative when that is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whole seconds from `now` until it begins, rounded up; 0 when it has begun.
    pub fn seconds_until(self, now: Timestamp) -> u64 {
        let micros = self.start().micros().saturating_sub(now.micros()).max(0);
        micros.div_euclid(MICROS_PER_SECOND).unsigned_abs()
            + u64::from(micros.rem_euclid(MICROS_PER_SECOND) > 0)
    }
}

/// What was given, or is about to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Volume {
    /// Calls.
    pub calls: u64,
    /// People in them, each as often as a call concerned them.
    pub people: u64,
}

impl Volume {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_add(other.calls),
            people: self.people.saturating_add(other.people),
        }
    }

    /// What is left without `other`.
    #[must_use]
    pub const fn less(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(other.calls),
            people: self.people.saturating_sub(other.people),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_begins_on_the_hour_before_1970_too() {
        let check = |text| Hour::of(Timestamp::parse(text).expect(text)).start().to_string();
        assert_eq!(check("2026-02-05T02:59:59.9Z"), "2026-02-05T02:00:00Z");
        assert_eq!(check("1969-12-31T23:30:00Z"), "1969-12-31T23:00:00Z");
    }

    #[test]
    fn a_caller_is_told_to_wait_until_the_hour_has_begun() {
        let now = Timestamp::parse("2026-02-05T02:59:58.5Z").expect("a time");
        let next = Hour::of(now).plus(1);
        assert_eq!(next.seconds_until(now), 2);
        assert_eq!(next.seconds_until(next.start()), 0);
        assert_eq!(Hour::of(now).seconds_until(now), 0);
    }
}
