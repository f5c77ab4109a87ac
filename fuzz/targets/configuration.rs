//! See `authshield::fuzzing::configuration`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| authshield::fuzzing::configuration(data));
