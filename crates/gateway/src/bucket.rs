//! A token bucket, as the one time at which it would be full again (GCRA, ITU-T I.371). Pure: the
//! time comes in, and it is the machine's own count, not the clock's.

use std::time::Duration;

use tokio::time::Instant;

/// A bucket of so many tokens that come back one by one.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    full_at: Option<Instant>,
}

/// How many tokens there are, and how fast one comes back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    pub tokens: u32,
    pub each: Duration,
}

impl Rate {
    /// So many within a second, and as many at once.
    pub fn per_second(calls: u32) -> Self {
        let calls = calls.max(1);
        Self { tokens: calls, each: Duration::from_secs(1) / calls }
    }
}

impl Bucket {
    /// Takes a token.
    ///
    /// # Errors
    /// When there is none; says after how long there is one.
    pub fn take(&mut self, rate: Rate, now: Instant) -> Result<(), Duration> {
        let full_at = self.full_at.map_or(now, |at| at.max(now)) + rate.each;
        match (full_at - now).checked_sub(rate.each * rate.tokens) {
            Some(early) if !early.is_zero() => Err(early),
            _ => {
                self.full_at = Some(full_at);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_tokens_as_there_are_may_be_taken_at_once_and_then_one_as_each_comes_back() {
        let (mut bucket, rate, start) = (Bucket::default(), Rate::per_second(4), Instant::now());
        let mut at = |millis| bucket.take(rate, start + Duration::from_millis(millis));
        assert!((0..4).all(|_| at(0).is_ok()));
        assert_eq!(at(0), Err(Duration::from_millis(250)));
        assert_eq!(at(100), Err(Duration::from_millis(150)));
        assert!(at(250).is_ok() && at(250).is_err());
        assert!((0..4).all(|_| at(10_000).is_ok()), "it holds no more than it can");
        assert!(at(10_000).is_err());
    }

    #[test]
    fn no_second_has_more_than_twice_and_no_longer_time_more_than_its_share() {
        let (mut bucket, rate, start) = (Bucket::default(), Rate::per_second(7), Instant::now());
        let taken = (0..60_000u64)
            .filter(|&millis| bucket.take(rate, start + Duration::from_millis(millis)).is_ok());
        assert!(taken.count() <= 60 * 7 + 7);
    }
}
