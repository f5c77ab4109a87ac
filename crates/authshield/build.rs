//! How the program is linked when it is to be used.
//!
//! Every page of it that is touched is memory, so equal functions are folded, and relocations packed. In
//! debug builds that would blur traces and slow down linking. Only where Rust links with LLD: other linkers
//! do not know the options.

use std::env;

#[expect(clippy::disallowed_methods, reason = "Cargo says by the environment what is built")]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    if is("PROFILE", "release") && is("TARGET", "x86_64-unknown-linux-gnu") {
        for option in ["--strip-all", "--icf=all", "-z,pack-relative-relocs"] {
            println!("cargo::rustc-link-arg-bins=-Wl,{option}");
        }
    }
}
