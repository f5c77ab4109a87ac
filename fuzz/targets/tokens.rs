//! See `authshield::fuzzing::tokens`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| authshield::fuzzing::tokens(data));
