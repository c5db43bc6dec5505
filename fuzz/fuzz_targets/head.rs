//! Feeds bytes to `cordon_fuzz::head`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cordon_fuzz::head(bytes));
