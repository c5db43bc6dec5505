//! Instants to the microsecond in UTC, and half-open intervals of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::Malformed;

/// Microseconds since 1970-01-01T00:00:00Z. Written and read as RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Microseconds in a second.
pub const MICROS_PER_SECOND: i64 = 1_000_000;

impl Timestamp {
    /// Before everything that can be recorded: the start of a window whose start is unknown.
    pub const MIN: Self = Self(i64::MIN);
    /// After everything: `held until` of what a vendor never deletes.
    pub const NEVER: Self = Self(i64::MAX);

    /// From microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From whole seconds since the epoch, saturating.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(MICROS_PER_SECOND))
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(MICROS_PER_SECOND)
    }

    /// Later by this many seconds, saturating; [`Timestamp::NEVER`] stays never.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        self.plus_micros(seconds.saturating_mul(MICROS_PER_SECOND))
    }

    /// Later by this many microseconds, saturating; the two ends of time stay where they are.
    pub const fn plus_micros(self, micros: i64) -> Self {
        if self.0 == i64::MAX || self.0 == i64::MIN {
            return self;
        }
        Self(self.0.saturating_add(micros))
    }

    /// Seconds from `earlier` to this instant, with fractions; negative when it is later.
    pub fn seconds_since(self, earlier: Self) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 / MICROS_PER_SECOND as f64
    }

    /// Reads RFC 3339, or a date alone, which means its first instant in UTC.
    ///
    /// # Errors
    /// When the text is neither, or outside the years that RFC 3339 can write.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        const WHY: Malformed = Malformed::new("time", "write it as 2026-02-05T02:00:00Z");
        if let Ok(date) = text.parse::<jiff::civil::Date>()
            && text.len() == 10
        {
            let midnight = jiff::tz::TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0));
            return Ok(Self(midnight.map_err(|_| WHY)?.as_microsecond()));
        }
        let instant: jiff::Timestamp = text.parse().map_err(|_| WHY)?;
        Ok(Self(instant.as_microsecond()))
    }

    /// The same instant for the calendar library; the ends of time become its ends.
    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::MIN => f.write_str("the beginning"),
            Self::NEVER => f.write_str("never"),
            _ => write!(f, "{}", self.to_jiff()),
        }
    }
}

impl FromStr for Timestamp {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        match text {
            "the beginning" => Ok(Self::MIN),
            "never" => Ok(Self::NEVER),
            _ => Self::parse(text),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A half-open interval: `from` is in it, `until` is not. Empty when `from >= until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Interval {
    /// The first instant inside.
    pub from: Timestamp,
    /// The first instant after it.
    pub until: Timestamp,
}

impl Interval {
    /// Whether no instant is inside.
    pub fn is_empty(self) -> bool {
        self.from >= self.until
    }

    /// Whether the two share an instant.
    pub fn meets(self, other: Self) -> bool {
        self.from < other.until && other.from < self.until && !self.is_empty() && !other.is_empty()
    }

    /// Whether the two overlap or touch, so that their union is one interval.
    pub fn joins(self, other: Self) -> bool {
        self.from <= other.until && other.from <= self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_back_as_written() {
        for text in ["2026-02-05T02:00:00Z", "2026-02-05T02:00:00.000001Z", "never"] {
            let time: Timestamp = text.parse().expect(text);
            assert_eq!(time.to_string(), text);
        }
        let date = Timestamp::parse("2026-02-05").expect("a date alone");
        assert_eq!(date.to_string(), "2026-02-05T00:00:00Z");
        assert!(Timestamp::parse("yesterday").is_err());
    }

    #[test]
    fn touching_intervals_join_but_do_not_meet() {
        let interval = |from, until| Interval {
            from: Timestamp::from_micros(from),
            until: Timestamp::from_micros(until),
        };
        assert!(interval(0, 5).joins(interval(5, 9)));
        assert!(!interval(0, 5).meets(interval(5, 9)));
        assert!(interval(0, 6).meets(interval(5, 9)));
        assert!(!interval(5, 5).meets(interval(0, 9)), "an empty interval meets nothing");
    }
}
