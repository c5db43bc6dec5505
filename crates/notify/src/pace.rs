//! How fast notices go out, and the bucket that keeps all connections to one rate.
//!
//! Times come in as arguments; nothing here waits.

use std::sync::Mutex;
use std::time::Duration;

use model::limits;
use tokio::time::Instant;

use crate::delivery::Retries;

/// How fast, over how many connections, and how often again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// Messages per second over all connections; 0 counts as 1.
    pub rate_per_second: u32,
    /// Connections at once; 0 counts as 1.
    pub connections: usize,
    /// Messages over one connection before it is made anew; 0 counts as 1.
    pub messages_per_connection: usize,
    /// When and how often a deferred copy is tried again.
    pub retries: Retries,
    /// Deferred copies held at once.
    pub waiting: usize,
    /// The first wait for a relay that is down; it doubles each time.
    pub reconnect_first: Duration,
    /// The longest wait for a relay that is down.
    pub reconnect_last: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            rate_per_second: limits::NOTICE_RATE_PER_SECOND,
            connections: limits::NOTICE_CONNECTIONS,
            messages_per_connection: limits::NOTICE_MESSAGES_PER_CONNECTION,
            retries: Retries::default(),
            waiting: limits::NOTICE_WAITING,
            reconnect_first: Duration::from_secs(1),
            reconnect_last: Duration::from_secs(limits::NOTICE_RECONNECT_SECONDS),
        }
    }
}

impl Pace {
    /// How long to wait for the relay after so many troubles in a row; nothing after none.
    pub fn reconnect_after(&self, troubles: u32) -> Duration {
        match troubles {
            0 => Duration::ZERO,
            _ => self
                .reconnect_first
                .saturating_mul(1 << (troubles - 1).min(16))
                .min(self.reconnect_last),
        }
    }
}

/// A token bucket that holds what falls due within [`Bucket::CATCH_UP`]: within any t seconds at
/// most rate · (t + 0.05) + 1 messages pass, over however many connections.
#[derive(Debug)]
pub struct Bucket {
    interval: Duration,
    next: Mutex<Option<Instant>>,
}

impl Bucket {
    /// Timers wake late by a millisecond or more; so much of that is made up for.
    const CATCH_UP: Duration = Duration::from_millis(50);

    /// A bucket for this rate.
    pub fn new(rate_per_second: u32) -> Self {
        let interval = Duration::from_secs(1) / rate_per_second.max(1);
        Self { interval, next: Mutex::new(None) }
    }

    /// Takes the next turn and says when it comes.
    pub fn turn(&self, now: Instant) -> Instant {
        let mut next = self.next.lock().expect("nobody panics while holding it");
        let earliest = now.checked_sub(Self::CATCH_UP).unwrap_or(now);
        let turn = next.map_or(now, |next| next.max(earliest));
        *next = Some(turn + self.interval);
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_keep_to_the_rate_after_a_rest_as_well() {
        let start = Instant::now();
        let bucket = Bucket::new(100);
        let turns: Vec<_> = (0..101).map(|_| bucket.turn(start)).collect();
        assert_eq!(turns[0], start);
        assert_eq!(turns[100] - start, Duration::from_secs(1), "no turn is given twice");
        let later = start + Duration::from_secs(10);
        let at_once = (0..100).filter(|_| bucket.turn(later) <= later).count();
        assert_eq!(at_once, 6, "a rest is not saved up beyond 50 ms");
    }

    #[test]
    fn a_relay_that_is_down_is_asked_less_and_less_often() {
        let pace = Pace::default();
        let waits: Vec<_> = (0..9).map(|n| pace.reconnect_after(n).as_secs()).collect();
        assert_eq!(waits, [0, 1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pace.reconnect_after(u32::MAX).as_secs(), 60);
    }
}
