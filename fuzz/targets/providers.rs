//! See `authshield::fuzzing::providers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| authshield::fuzzing::providers(data));
