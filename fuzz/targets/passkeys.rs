//! See `authshield::fuzzing::passkeys`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| authshield::fuzzing::passkeys(data));
