//! Feeds bytes to `cordon_fuzz::mime`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cordon_fuzz::mime(bytes));
