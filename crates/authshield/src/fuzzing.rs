//! What reads what strangers write, each as a function of bytes, with what must hold whatever they are.
//!
//! Not part of the product: it is there for tests and for the fuzzer (`cargo xtask fuzz`), which has a
//! program in `fuzz/targets` for each of [`TARGETS`] and keeps what it found in `fuzz/corpus`.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use ipnet::IpNet;

use crate::config;
use crate::kernel::{ClientAddress, EmailAddress, LinkToken, RefreshToken, request_id_from};
use crate::mail::{self, ReturnKey};
use crate::{checks, webhooks};

/// Reads bytes, and panics if something does not hold.
pub type Target = fn(&[u8]);

/// Every target, by its name.
pub const TARGETS: [(&str, Target); 7] = [
    ("configuration", configuration),
    ("headers", headers),
    ("passkeys", passkeys),
    ("providers", providers),
    ("report", report),
    ("tokens", tokens),
    ("webhook", webhook),
];

/// Lets a panic that is caught be one: the fuzzer takes every panic for the end, where nobody tells it
/// otherwise. One that is not caught still ends it.
fn bear_what_is_caught() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    if cfg!(fuzzing) {
        ONCE.call_once(|| std::panic::set_hook(Box::new(|what| eprintln!("{what}"))));
    }
}

/// A report of a mail that came back, as it came.
pub fn report(data: &[u8]) {
    bear_what_is_caught();
    mail::is_bounded(data);
}

/// A file of settings, and behind a NUL variables, one on each line.
pub fn configuration(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (file, variables) = text.split_once('\0').unwrap_or((&text, ""));
    let env = variables.lines().map(|line| line.split_once('=').unwrap_or((line, "")));
    match config::load_text(file, env) {
        Ok(loaded) => assert!(!loaded.effective.is_empty()),
        Err(refused) => {
            assert!(!refused.refusals.is_empty());
            assert!(!refused.to_string().is_empty());
        }
    }
}

/// What a request to the webhook shows, on the first line, and the mail in its body.
pub fn webhook(data: &[u8]) {
    const SECRET: &str = "kq3v-Xw9z-secret";
    bear_what_is_caught();
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (shown, body) = data.split_at(end);
    if let Ok(value) = HeaderValue::from_bytes(shown) {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value);
        if webhooks::shows(&headers, SECRET) {
            // In the clear, or as the password of HTTP Basic: who does not know it cannot guess it.
            let text = String::from_utf8_lossy(shown).to_ascii_lowercase();
            assert!(text.starts_with("bearer ") || text.starts_with("basic "));
        }
    }
    mail::is_bounded(body);
}

/// What browsers and authenticators write.
pub fn passkeys(data: &[u8]) {
    crate::passkeys::read_anything(data);
}

/// Which provider, by its first byte, and what it reports.
pub fn providers(data: &[u8]) {
    bear_what_is_caught();
    let Some((which, body)) = data.split_first() else { return };
    let all = config::MailProvider::ALL;
    let provider = all[usize::from(*which) % all.len()];
    let mut headers = HeaderMap::new();
    headers.insert("svix-id", HeaderValue::from_static("msg_p5jXN8AQM9LWM0D4loKWxJek"));
    mail::webhook_is_bounded(provider, &headers, body);
}

/// Lines of header fields, as proxies and clients write them.
pub fn headers(data: &[u8]) {
    const NAMES: [&str; 4] = ["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-request-id"];
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n').take(20) {
        let Some((which, value)) = line.split_first() else { continue };
        let name = HeaderName::from_static(NAMES[usize::from(*which) % NAMES.len()]);
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().expect("a network")];
    let (proxy, stranger) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([192, 0, 2, 1]));
    let _ = ClientAddress::resolve(proxy, &headers, &trusted).network();
    assert_eq!(ClientAddress::resolve(stranger, &headers, &trusted).ip, stranger);
    assert_eq!(request_id_from(stranger, &headers, &trusted), None);
    if let Some(id) = request_id_from(proxy, &headers, &trusted) {
        assert!((1..=128).contains(&id.len()) && id.is_ascii());
    }
}

/// What links, tokens, addresses and certificates are read from.
pub fn tokens(data: &[u8]) {
    let _ = checks::not_after(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    assert_eq!(ReturnKey::new(&[7; 32]).read(text), None, "nobody forges it");
    let _ = LinkToken::parse(text);
    let _ = RefreshToken::parse(text);
    if let Ok(address) = text.parse::<EmailAddress>() {
        let again: EmailAddress = address.as_str().parse().expect("its own form");
        assert_eq!(again, address, "the canonical form is one");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FUZZ: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz");

    /// What the fuzzer found once, and what it began with, is read on every run of the tests.
    #[test]
    fn the_kept_corpus_is_read() {
        for (name, target) in TARGETS {
            let mut read = 0;
            for entry in std::fs::read_dir(format!("{FUZZ}/corpus/{name}")).expect(name) {
                target(&std::fs::read(entry.expect(name).path()).expect(name));
                read += 1;
            }
            assert!(read >= 3, "{name} has {read} files");
        }
    }

    #[test]
    fn each_has_a_program() {
        let entries = std::fs::read_dir(format!("{FUZZ}/targets")).expect("programs");
        let mut programs: Vec<_> = entries
            .map(|entry| entry.expect("a program").path())
            .map(|path| path.file_stem().expect("a name").to_str().expect("a name").to_owned())
            .collect();
        programs.sort();
        assert!(programs.iter().eq(TARGETS.iter().map(|(name, _)| name)), "{programs:?}");
    }
}
