//! The two things that pure code may not fetch itself, clock and randomness, as a value to hand in.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::crypto;
use crate::id::Id;
use crate::person::PersonKey;
use crate::time::Timestamp;

/// Where time and random bytes come from. The real one is made in the server; tests fix both.
pub trait Source: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
    /// Fills `bytes` with random bytes fit for keys.
    fn fill(&self, bytes: &mut [u8]);
}

/// A shared [`Source`] with the forms that callers want.
#[derive(Clone)]
pub struct World(Arc<dyn Source>);

impl World {
    /// From a source.
    pub fn new(source: impl Source + 'static) -> Self {
        Self(Arc::new(source))
    }

    /// A world for tests: time stands at `now` until advanced, bytes follow from `seed`.
    pub fn fixed(now: Timestamp, seed: u64) -> (Self, Arc<Fixed>) {
        let fixed =
            Arc::new(Fixed { now: AtomicI64::new(now.micros()), seed, drawn: AtomicU64::new(0) });
        (Self::new(fixed.clone()), fixed)
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.0.now()
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes);
        bytes
    }

    /// A new id.
    pub fn id<T: Id>(&self) -> T {
        T::compose(self.now(), self.bytes())
    }

    /// A new person's key.
    pub fn person_key(&self) -> PersonKey {
        PersonKey(u128::from_be_bytes(self.bytes()))
    }
}

/// The source of [`World::fixed`].
pub struct Fixed {
    now: AtomicI64,
    seed: u64,
    drawn: AtomicU64,
}

impl Fixed {
    /// Moves the clock on by this many seconds.
    pub fn advance_seconds(&self, seconds: i64) {
        self.now.fetch_add(seconds * crate::time::MICROS_PER_SECOND, Ordering::SeqCst);
    }
}

impl Source for Arc<Fixed> {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.now.load(Ordering::SeqCst))
    }

    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let drawn = self.drawn.fetch_add(1, Ordering::SeqCst);
            let block = crypto::sha256(&[self.seed.to_le_bytes(), drawn.to_le_bytes()].concat());
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}
