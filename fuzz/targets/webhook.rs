//! See `authshield::fuzzing::webhook`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| authshield::fuzzing::webhook(data));
