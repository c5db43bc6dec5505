//! Feeds bytes to `cordon_fuzz::multipart`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cordon_fuzz::multipart(bytes));
