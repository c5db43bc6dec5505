//! Maps whose keys are already random: keyed hashes, person keys, call ids. No hashing over again.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// Takes 64 of the key's own bits. Nobody outside chooses those bits: identifiers are hashed under
/// a secret key, person keys are random, and so are the low 80 bits of a call id.
#[derive(Default, Clone, Copy)]
pub struct Uniform(u64);

impl Hasher for Uniform {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 ^= u64::from_le_bytes(word);
        }
    }

    fn write_u128(&mut self, value: u128) {
        self.0 ^= value as u64 ^ (value >> 64) as u64;
    }

    /// Lengths of arrays say nothing.
    fn write_usize(&mut self, _: usize) {}
}

/// A map with such keys.
pub type UniformMap<K, V> = HashMap<K, V, BuildHasherDefault<Uniform>>;
/// A set of such keys.
pub type UniformSet<K> = HashSet<K, BuildHasherDefault<Uniform>>;
