//! How long things took, in a few buckets of fixed bounds: enough to see where the time goes, small
//! enough to have one for each workload, vendor and part.

use serde::Serialize;

/// Upper bounds in microseconds: 1, 2, 5 in each decade from a memory access's length to the
/// longest that the gateway waits for a vendor.
pub const BOUNDS_MICROS: [u64; 19] = [
    50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000,
    1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000, 60_000_000,
];

/// Times in buckets; the last one has what is beyond every bound.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    buckets: [u64; BOUNDS_MICROS.len() + 1],
    sum_micros: u64,
}

impl Histogram {
    /// Adds a time.
    pub fn add(&mut self, micros: u64) {
        self.buckets[BOUNDS_MICROS.partition_point(|&bound| bound < micros)] += 1;
        self.sum_micros = self.sum_micros.saturating_add(micros);
    }

    /// How many times there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// All of them together, in microseconds.
    pub fn sum_micros(&self) -> u64 {
        self.sum_micros
    }

    /// For each bound, how many times are not beyond it.
    pub fn cumulative(&self) -> impl Iterator<Item = (u64, u64)> {
        BOUNDS_MICROS.iter().zip(&self.buckets).scan(0, |sum, (&bound, &count)| {
            *sum += count;
            Some((bound, *sum))
        })
    }

    /// The least bound that so many of 100 times do not exceed; none without any time, or when
    /// they exceed every bound.
    pub fn at_most_micros(&self, of_100: u64) -> Option<u64> {
        let rank = (self.count() * of_100).div_ceil(100).max(1);
        self.cumulative().find(|(_, count)| *count >= rank).map(|(bound, _)| bound)
    }
}

/// A histogram in two numbers, each an upper bound, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// Half of all took at most so long.
    pub p50_ms: Option<f64>,
    /// 99 of 100 took at most so long.
    pub p99_ms: Option<f64>,
}

impl Latency {
    /// Of a histogram.
    pub fn of(histogram: &Histogram) -> Self {
        let ms = |of_100| histogram.at_most_micros(of_100).map(|micros| micros as f64 / 1_000.0);
        Self { p50_ms: ms(50), p99_ms: ms(99) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_all_times_is_within_the_bound_that_is_told() {
        let mut histogram = Histogram::default();
        assert_eq!(Latency::of(&histogram), Latency { p50_ms: None, p99_ms: None });
        (0..98).for_each(|_| histogram.add(200));
        histogram.add(201);
        histogram.add(3_000_000);
        assert_eq!(Latency::of(&histogram), Latency { p50_ms: Some(0.2), p99_ms: Some(0.5) });
        assert_eq!((histogram.count(), histogram.sum_micros()), (100, 98 * 200 + 201 + 3_000_000));
        assert_eq!(histogram.at_most_micros(100), Some(5_000_000));
        (0..10).for_each(|_| histogram.add(70_000_000));
        assert_eq!(Latency::of(&histogram).p99_ms, None, "beyond every bound");
        let last = histogram.cumulative().last();
        assert_eq!(last, Some((60_000_000, 100)), "what is beyond is in the count alone");
    }
}
