//! See `authshield::fuzzing::headers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| authshield::fuzzing::headers(data));
