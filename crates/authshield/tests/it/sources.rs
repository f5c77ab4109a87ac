//! What the sources must not hold: ways to other programs, scripts that make scripts, and doubtful cryptography.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::house::service;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn table(path: &str) -> toml::Table {
    std::fs::read_to_string(folder().join(path)).unwrap().parse().unwrap()
}

/// Returns the files of `folder` with this extension, by name.
fn files(folder: &Path, extension: &str) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_one = |path: &PathBuf| path.extension().is_some_and(|found| found == extension);
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    entries.filter(is_one).map(|it| (name(&it), std::fs::read_to_string(&it).unwrap())).collect()
}

/// The files of the service that hold one of these words.
fn with(words: &[&str]) -> BTreeSet<String> {
    let holds = |code: &str| words.iter().any(|word| code.contains(word));
    service().into_iter().filter(|(_, code)| holds(code)).map(|(name, _)| name).collect()
}

/// ASVS: V1.2.5
#[test]
fn nothing_that_is_read_starts_a_program() {
    assert_eq!(with(&["process::Command", "Command::new(", "libc::", "CommandExt"]), [].into());
}

/// Texts go from the server into attributes and texts of a page, and from a script into texts of it: neither into
/// a script nor into markup. What signs in is in a cookie, or in the field where somebody put it.
///
/// ASVS: V1.2.3, V1.3.2, V3.2.2, V10.1.1
#[test]
fn scripts_make_no_script_and_no_markup_and_keep_nothing() {
    let scripts = files(&folder().join("assets"), "js");
    assert!(scripts.len() >= 3, "{:?}", scripts.keys());
    for (name, script) in scripts {
        for words in [
            "eval(",
            "Function(",
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "srcdoc",
            "postMessage",
            "document.cookie",
            "localStorage",
            "sessionStorage",
            "indexedDB",
        ] {
            assert!(!script.contains(words), "{name} has {words}");
        }
    }
    let templates = files(&folder().join("templates/screens"), "html");
    assert!(templates.len() > 30, "{:?}", templates.keys());
    for (name, template) in templates {
        for script in template.split("<script").skip(1) {
            let is_whole = script.starts_with(" src=\"{{ ") && script.contains("></script>");
            assert!(is_whole, "{name} has a script of its own");
        }
        for words in
            ["|safe", "| safe", "autoescape", "javascript:", " onclick", " onload", " onerror"]
        {
            assert!(!template.contains(words), "{name} has {words}");
        }
    }
}

/// Crates of ciphers, signatures, hashes and chance that are not ours to use: what we do with keys is done by
/// aws-lc-rs, hashes of passwords by those of `RustCrypto`, TLS by rustls.
const OTHERS: [&str; 24] = [
    "aes",
    "aes-gcm",
    "blake2",
    "blake3",
    "boring",
    "chacha20poly1305",
    "crypto_box",
    "des",
    "ed25519-dalek",
    "fastrand",
    "hmac",
    "jsonwebtoken",
    "md-5",
    "md5",
    "native-tls",
    "oorandom",
    "openssl",
    "p256",
    "rand",
    "rc4",
    "ring",
    "ripemd",
    "rsa",
    "sodiumoxide",
];

/// Where SHA-1 is, and why nobody's safety depends on how hard it is to find two texts with one.
const SHA1: [(&str, &str); 3] = [
    ("passwords/breached/mod.rs", "lists of stolen passwords are lists of SHA-1"),
    ("passwords/breached/ranges.rs", "so is the API that is asked for them"),
    ("second_factor/totp.rs", "apps for codes know HMAC-SHA-1 (RFC 6238)"),
];

/// ASVS: V6.5.3, V11.2.1, V11.3.1, V11.3.2, V11.4.1
#[test]
fn cryptography_is_of_few_makers_and_of_the_sound_kind() {
    for package in ["Cargo.toml", "../authshield-verify/Cargo.toml", "../onesql/Cargo.toml"] {
        let table = table(package);
        let used = table["dependencies"].as_table().unwrap();
        let others: Vec<_> = OTHERS.iter().filter(|other| used.contains_key(**other)).collect();
        assert!(others.is_empty(), "{package} has {others:?}");
    }
    // What is encrypted is authenticated; nothing is encrypted with RSA.
    let sealing = ["backup/envelope.rs", "vault/mod.rs"].map(str::to_owned);
    assert_eq!(with(&["aead::"]), sealing.clone().into());
    assert_eq!(with(&["AES_256_GCM"]), sealing.into());
    assert_eq!(with(&["aws_lc_rs::cipher", "AES_128", "_CBC", "_ECB"]), [].into());
    assert_eq!(with(&["EncryptingKey", "DecryptingKey"]), [].into());
    let known: BTreeSet<_> = SHA1.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(with(&["sha1", "Sha1", "SHA1", "md5", "Md5", "MD5"]), known);
    // Chance has one door; those who sign have to bring a generator along, which aws-lc does not ask.
    assert_eq!(with(&["getrandom"]), ["world.rs".to_owned()].into());
    let signing = ["federation/apple.rs", "vault/key.rs"].map(str::to_owned);
    assert_eq!(with(&["SystemRandom", "rand::"]), signing.into());
}

/// ASVS: V15.2.1
#[test]
fn no_advisory_is_excused() {
    let policy = table("../../deny.toml");
    let advisories = &policy["advisories"];
    assert_eq!(advisories["yanked"].as_str(), Some("deny"));
    assert!(advisories["ignore"].as_array().unwrap().is_empty(), "{advisories}");
    let check = std::fs::read_to_string(folder().join("../../xtask/src/check.rs")).unwrap();
    assert!(check.contains("arguments.push(\"advisories\")"));
}
