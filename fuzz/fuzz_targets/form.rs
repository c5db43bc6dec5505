//! Feeds bytes to `cordon_fuzz::form`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cordon_fuzz::form(bytes));
